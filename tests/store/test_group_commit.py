"""The one writer: told only when durable, in few transactions, each error to the one at fault."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial

import pytest
import sqlalchemy as sa

from riskengine.errors import ConflictError, StoreError
from riskengine.store import (
    Acceptance,
    Database,
    Feedback,
    GroupCommit,
    Plain,
    Record,
    ShadowPrice,
    StoredQuote,
    inserts,
    read_acceptance,
    read_by_key,
    read_feedback_by_key,
    read_quote,
    write_records,
)

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def quote(name: str, key: str | None = None) -> StoredQuote:
    return StoredQuote(
        name, "shop", "cn", "f" * 64, AT, AT.replace(month=4), b'{"a":1}', b'{"b":"\xe6\x9d\x8e"}',
        "m1", key, "0" * 64,
    )  # fmt: skip


def feedback(name: str, key: str | None = None) -> Feedback:
    return Feedback(name, "shop", "bought", "q1", None, AT, AT, b"{}", key, "0" * 64)


class Backwards(Plain):
    """A sealer whose work can be seen."""

    def seal(self, content: bytes, about: str) -> bytes:
        return about.encode() + content[::-1]

    def unseal(self, sealed: bytes, about: str) -> bytes:
        return sealed.removeprefix(about.encode())[::-1]

    def pseudonym(self, member_id: str) -> str:
        return f"p-{member_id}"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


def keep(database: Database, *groups: Sequence[Record]) -> list[BaseException | None]:
    """What each caller is told, all of them asking at once."""

    async def everyone() -> list[BaseException | None]:
        writer = GroupCommit(database, partial(write_records, sealer=Plain()))
        try:
            told = (writer.keep(group) for group in groups)
            return await asyncio.gather(*told, return_exceptions=True)
        finally:
            await asyncio.to_thread(writer.close)

    return asyncio.run(everyone())


def test_what_was_kept_is_read_back_as_it_was(database: Database) -> None:
    price = ShadowPrice("q1", "e" * 64, "gold", "f" * 64, AT, 12345, None, "no such plan")
    accepted = Acceptance("q1", "shop", "gold", AT)
    assert keep(database, [accepted, quote("q1", "k"), feedback("f1", "k"), price]) == [None]
    with database.reading() as connection:
        found = read_quote(connection, "q1", Plain())
        assert found == quote("q1", "k")
        assert read_by_key(connection, "shop", "k", Plain()) == found
        assert read_by_key(connection, "other", "k", Plain()) is None
        assert read_acceptance(connection, "q1") == accepted
        assert read_feedback_by_key(connection, "shop", "k") == ("f1", "0" * 64)
        assert connection.scalar(sa.text("select champion_cents from shadow_prices")) == 12345


def test_what_tells_of_a_person_goes_through_the_sealer(database: Database) -> None:
    with database.writing() as connection:
        write_records(connection, [quote("q1")], Backwards())
    with database.reading() as connection:
        row = connection.execute(sa.text("select member, inputs from quotes")).one()
        assert (row.member, bytes(row.inputs)) == ("p-m1", b'quotes/q1}1:"a"{')
        found = read_quote(connection, "q1", Backwards())
    assert found is not None
    assert (found.inputs, found.member_id) == (quote("q1").inputs, "p-m1")


def test_an_error_is_told_to_the_one_at_fault_alone(database: Database) -> None:
    groups = [[quote(f"q{i}")] for i in range(20)]
    told = keep(database, *groups, [quote("q3")], [Acceptance("nobody", "shop", "gold", AT)])
    assert told[:20] == [None] * 20
    assert [type(error) for error in told[20:]] == [ConflictError, ConflictError]
    with database.reading() as connection:
        assert connection.scalar(sa.text("select count(*) from quotes")) == 20


def test_two_rows_of_one_caller_are_kept_together_or_not_at_all(database: Database) -> None:
    (error,) = keep(database, [quote("q1"), quote("q2"), quote("q1")])
    assert isinstance(error, ConflictError)
    with database.reading() as connection:
        assert connection.scalar(sa.text("select count(*) from quotes")) == 0


def test_those_who_wait_are_written_in_one_transaction(database: Database) -> None:
    batches: list[int] = []

    async def everyone() -> None:
        first, go = threading.Event(), threading.Event()

        def write(connection: sa.Connection, records: Sequence[Record]) -> None:
            first.set()
            go.wait(10)
            write_records(connection, records, Plain())

        writer = GroupCommit(database, write, observe=batches.append)
        told = [asyncio.ensure_future(writer.keep([quote("q0")]))]
        await asyncio.to_thread(first.wait, 10)
        told += [asyncio.ensure_future(writer.keep([quote(f"q{i}")])) for i in range(1, 50)]
        await asyncio.sleep(0)
        assert writer.waiting == 50
        assert not any(one.done() for one in told)
        go.set()
        await asyncio.gather(*told)
        assert writer.waiting == 0
        await asyncio.to_thread(writer.close)

    asyncio.run(everyone())
    assert batches == [1, 49]


def test_a_full_queue_and_a_closed_writer_refuse_and_what_waited_is_written(
    database: Database,
) -> None:
    async def everyone() -> None:
        go = threading.Event()

        def write(connection: sa.Connection, records: Sequence[Record]) -> None:
            go.wait(10)
            write_records(connection, records, Plain())

        writer = GroupCommit(database, write, capacity=2)
        told = [asyncio.ensure_future(writer.keep([quote(f"q{i}")])) for i in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(StoreError, match="the store is 2 records behind"):
            await writer.keep([quote("q2")])
        closing = asyncio.ensure_future(asyncio.to_thread(writer.close))
        while not writer.closing:
            await asyncio.sleep(0.01)
        with pytest.raises(StoreError, match="the store is being closed"):
            await writer.keep([])
        go.set()
        await asyncio.gather(closing, *told)

    asyncio.run(everyone())
    with database.reading() as connection:
        assert connection.scalar(sa.text("select count(*) from quotes")) == 2


def test_what_comes_turn_after_turn_is_gathered_for_one_transaction(database: Database) -> None:
    batches: list[int] = []

    async def everyone() -> None:
        write = partial(write_records, sealer=Plain())
        writer = GroupCommit(database, write, observe=batches.append)

        async def after(turns: int) -> None:
            for _ in range(turns):
                await asyncio.sleep(0)
            await writer.keep([quote(f"q{turns}")])

        await asyncio.gather(*(after(turns) for turns in range(4)))
        await asyncio.to_thread(writer.close)

    asyncio.run(everyone())
    assert batches == [4]


def test_more_rows_than_a_statement_takes_are_all_written(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inserts, "_MOST_VALUES", 25)
    quotes = [quote(f"q{i}", f"k{i}") for i in range(5)]
    assert keep(database, quotes) == [None]
    with database.reading() as connection:
        assert [read_quote(connection, one.quote_id, Plain()) for one in quotes] == quotes
