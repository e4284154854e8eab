"""Export and erasure over the tables of several stores, in one transaction."""

import json
from typing import Any

import pytest
import sqlalchemy as sa

from riskengine.security.member_rows import (
    MemberRows,
    Row,
    deleted,
    erase_member,
    export_member,
    without,
)
from riskengine.store import Database

TABLES = sa.MetaData()
PROFILES = sa.Table(
    "some_profiles",
    TABLES,
    sa.Column("member", sa.String, primary_key=True),
    sa.Column("age", sa.Float),
)
QUOTES = sa.Table(
    "some_quotes", TABLES, sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("member", sa.String), sa.Column("body", sa.Text),
)  # fmt: skip
FEEDBACK = sa.Table(
    "some_feedback", TABLES, sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("quote", sa.Integer), sa.Column("text", sa.String),
)  # fmt: skip
LATER = sa.Table("later", sa.MetaData(), sa.Column("id", sa.String, primary_key=True))


def quote_without_answers(row: Row) -> dict[str, Any]:
    return {
        "member": None,
        "body": json.dumps(without(json.loads(row["body"]), frozenset({"age"}))),
    }


HOLDINGS = (
    MemberRows("profiles", PROFILES, lambda m: PROFILES.c.member == m, deleted),
    MemberRows("quotes", QUOTES, lambda m: QUOTES.c.member == m, quote_without_answers),
    MemberRows(
        "feedback",
        FEEDBACK,
        lambda m: FEEDBACK.c.quote.in_(sa.select(QUOTES.c.id).where(QUOTES.c.member == m)),
        lambda _: {"text": None},
        lambda row, _: {"text": row["text"]},
    ),
    MemberRows("later", LATER, lambda m: LATER.c.id == m, deleted),
)


@pytest.fixture
def filled(database: Database) -> Database:
    with database.writing() as connection:
        TABLES.create_all(connection)
        for n, member in enumerate(["m1", "m2", "m1"]):
            body = json.dumps({"answers": {"age": 40 + n}, "offered_premium": "100.00"})
            connection.execute(QUOTES.insert(), {"id": n, "member": member, "body": body})
            connection.execute(FEEDBACK.insert(), {"id": n, "quote": n, "text": f"said {n}"})
        connection.execute(PROFILES.insert(), [{"member": m, "age": 43.0} for m in ("m1", "m2")])
    return database


def test_an_export_tells_everything_of_one_member(filled: Database) -> None:
    told = export_member(filled, HOLDINGS, "m1")
    assert told["profiles"] == [{"member": "m1", "age": 43.0}]
    assert [row["id"] for row in told["quotes"]] == [0, 2]
    assert told["feedback"] == [{"text": "said 0"}, {"text": "said 2"}]
    assert told["later"] == []
    assert export_member(filled, HOLDINGS, "nobody") == {
        "profiles": [], "quotes": [], "feedback": [], "later": [],
    }  # fmt: skip


def test_erasure_takes_the_member_and_leaves_amounts_and_others(filled: Database) -> None:
    other = export_member(filled, HOLDINGS, "m2")
    assert erase_member(filled, HOLDINGS, "m1") == {
        "profiles": 1, "quotes": 2, "feedback": 2, "later": 0,
    }  # fmt: skip
    assert erase_member(filled, HOLDINGS, "m1") == dict.fromkeys(other, 0)
    assert export_member(filled, HOLDINGS, "m2") == other
    with filled.reading() as connection:
        quotes = connection.execute(sa.select(QUOTES).order_by(QUOTES.c.id)).all()
        texts = connection.execute(sa.select(FEEDBACK.c.text).order_by(FEEDBACK.c.id)).scalars()
        assert json.loads(quotes[0].body) == {
            "answers": {"age": None}, "offered_premium": "100.00",
        }  # fmt: skip
        assert [quote.member for quote in quotes] == [None, "m2", None]
        assert list(texts) == [None, "said 1", None]


def test_an_erasure_that_fails_erases_nothing(filled: Database) -> None:
    def breaks(_: Row) -> None:
        message = "no"
        raise RuntimeError(message)

    broken = MemberRows("feedback", FEEDBACK, lambda _: sa.true(), breaks)
    before = export_member(filled, HOLDINGS, "m1")
    with pytest.raises(RuntimeError):
        erase_member(filled, (*HOLDINGS[:2], broken), "m1")
    assert export_member(filled, HOLDINGS, "m1") == before
