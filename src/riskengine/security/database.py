"""The database behind clients, consents and the audit log, as this package asks for it.

Anything with `reading` and `writing` will do. `OwnDatabase` is the least that does.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

from riskengine.errors import InputError, StoreError
from riskengine.security.tables import METADATA


class Connections(Protocol):
    """Connections to read with, and transactions; faults are `RiskEngineError`s."""

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """A connection to read with."""
        ...

    def writing(self) -> AbstractContextManager[sa.Connection]:
        """A transaction that is committed when the block has ended."""
        ...


class OwnDatabase:
    """A database by URL, with the tables of this package made if they are not there.

    Raises `InputError` for a URL that cannot be a database, `StoreError` when it cannot be used.
    """

    def __init__(self, url: str) -> None:
        try:
            self._engine = sa.create_engine(url)
        except (sa.exc.ArgumentError, ImportError) as error:
            message = f"cannot use the store: {str(error).splitlines()[0]}"
            raise InputError(message) from error
        if self._engine.dialect.name == "sqlite" and self._engine.url.database:
            Path(self._engine.url.database).parent.mkdir(parents=True, exist_ok=True)
        with self.writing() as connection:
            METADATA.create_all(connection)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(_said(error)) from error

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                if connection.dialect.name == "sqlite":
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(_said(error)) from error


def _said(error: sa.exc.SQLAlchemyError) -> str:
    """Without the statement and its values: they may hold what is sealed elsewhere."""
    told = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
    return f"the store cannot be used: {told}"
