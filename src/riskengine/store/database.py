"""The database behind the store: connections that lose nothing, and tables brought up to date.

SQLite runs in WAL and flushes the disk at each commit; PostgreSQL does so of its own accord. The
tables are upgraded before first use, and again tried where the database was away.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from riskengine.errors import ConflictError, InputError, StoreError

SUPPORTED = "give sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE"
_DIALECTS = ("sqlite", "postgresql")
_VERSIONS = "riskengine_version"
_LOCK = 7_247_411_002
"""Of PostgreSQL's advisory locks, the one that upgrades take."""


class Database:
    """A database by URL; nothing is opened before it is used.

    `patience` is how long a connection or a lock is waited for, in seconds. Raises `InputError` for
    a URL that cannot be a store.
    """

    def __init__(self, url: str, patience: float = 5.0) -> None:
        try:
            parsed = sa.make_url(url)
            dialect, file = parsed.get_backend_name(), parsed.database
            wait = {"timeout": patience} if dialect == "sqlite" else {}
            if dialect == "postgresql":
                # A server that is gone without a word is found out as soon.
                gone = round(1000 * patience)
                wait = {"connect_timeout": max(round(patience), 1), "tcp_user_timeout": gone}
            # A server may have gone since a connection was last used; a file has not.
            self.engine = sa.create_engine(
                url, connect_args=wait, pool_pre_ping=dialect == "postgresql"
            )
        except (sa.exc.ArgumentError, ImportError) as error:
            # The URL may hold a password: it is not told.
            message = f"cannot use the store: {str(error).splitlines()[0]}; {SUPPORTED}"
            raise InputError(message) from error
        if dialect not in _DIALECTS:
            message = f"a store of {dialect} is not supported; {SUPPORTED}"
            raise InputError(message)
        if dialect == "sqlite":
            if file:
                Path(file).parent.mkdir(parents=True, exist_ok=True)
            sa.event.listen(self.engine, "connect", _durable)
        self._upgraded = False
        self._upgrading = threading.Lock()

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection to read with; raises `StoreError` when the database cannot be used."""
        try:
            self.upgrade()
            with self.engine.connect() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(said(error)) from error

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that is durable when the block has ended.

        Raises `ConflictError` for a row that is there already, else as `reading` does.
        """
        try:
            self.upgrade()
            with self.engine.begin() as connection:
                if connection.dialect.name == "sqlite":
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
        except sa.exc.IntegrityError as error:
            message = f"there is such a row already: {said(error)}"
            raise ConflictError(message) from error
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(said(error)) from error

    def upgrade(self) -> None:
        """Bring the tables to this version, once; processes that start together take turns."""
        if self._upgraded:
            return
        with self._upgrading:
            if self._upgraded:
                return
            with self.engine.connect() as connection:
                if connection.dialect.name == "sqlite":
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                else:
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
                _migrate(connection)
                connection.commit()
            self._upgraded = True

    def version(self) -> str:
        """The revision that the tables are at."""
        with self.reading() as connection:
            return str(connection.scalar(sa.text(f"select version_num from {_VERSIONS}")))


def _durable(connection: object, _: object) -> None:
    """A commit is on the disk before it returns, and readers do not wait for the writer."""
    cursor = connection.cursor()  # type: ignore[attr-defined]  # the driver's own connection
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _migrate(connection: sa.Connection) -> None:
    """Alembic's upgrade on a connection whose transaction is already open."""
    from alembic import command
    from alembic.config import Config

    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes.update(connection=connection, version_table=_VERSIONS)
    command.upgrade(config, "head")


def said(error: sa.exc.SQLAlchemyError) -> str:
    """What a database said, in one line."""
    return f"the store cannot be used: {str(error).splitlines()[0]}"
