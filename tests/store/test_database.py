"""The tables of the store: made, moved on, the same whichever way they came to be."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from riskengine.errors import StoreError
from riskengine.store import Database
from riskengine.store.schema import METADATA


def test_migrations_make_the_tables_that_the_code_uses(url: str) -> None:
    database = Database(url)
    assert database.version() == "0006"
    with database.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": "riskengine_version", "compare_type": True}
        )
        assert compare_metadata(context, METADATA) == []
    database.close()


def test_processes_that_start_together_upgrade_once(url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        databases = [Database(url) for _ in range(4)]
        assert set(pool.map(Database.version, databases)) == {"0006"}
    for database in databases:
        database.close()


def test_profiles_from_before_there_were_versions_stay(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "store.db") as old:
        old.execute(
            "create table profiles (member_id varchar not null primary key, as_of date not null,"
            " features text not null)"
        )
        old.execute("insert into profiles values ('a', '2026-01-01', '{}')")
    old.close()
    database = Database(f"sqlite:///{tmp_path}/store.db")
    with database.reading() as connection:
        assert connection.scalar(sa.text("select member_id from profiles")) == "a"
    assert database.version() == "0006"
    database.close()


def test_a_commit_in_sqlite_is_flushed_to_the_disk(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/store.db")
    with database.reading() as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert pragmas == ["wal", 2, 1]
    database.close()


def test_a_database_that_comes_later_is_used_then(tmp_path: Path) -> None:
    (tmp_path / "store.db").mkdir()
    database = Database(f"sqlite:///{tmp_path}/store.db")
    with pytest.raises(StoreError, match="the store cannot be used"):
        database.version()
    (tmp_path / "store.db").rmdir()
    assert database.version() == "0006"
    database.close()
