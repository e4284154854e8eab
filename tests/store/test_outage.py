"""A database that goes away and comes back: refused in between, and healed by itself."""

import asyncio
from functools import partial

import pytest

from riskengine.errors import StoreError
from riskengine.store import Database, GroupCommit, Plain, read_quote, write_records
from tests.store.conftest import Postgres
from tests.store.test_group_commit import quote


def test_postgresql_may_restart_under_the_writer(postgres: Postgres) -> None:
    database = Database(postgres.url("postgres"), patience=1)

    async def through_an_outage() -> None:
        writer = GroupCommit(database, partial(write_records, sealer=Plain()))
        await writer.keep([quote("before")])
        await asyncio.to_thread(postgres.stop)
        try:
            with pytest.raises(StoreError, match="the store cannot be used"):
                await writer.keep([quote("while")])
            assert writer.trouble is not None
        finally:
            await asyncio.to_thread(postgres.start)
        await writer.keep([quote("after")])
        assert writer.trouble is None
        await asyncio.to_thread(writer.close)

    asyncio.run(through_an_outage())
    with database.reading() as connection:
        there = [read_quote(connection, name, Plain()) for name in ("before", "while", "after")]
    assert [one is not None for one in there] == [True, False, True]
    database.close()
