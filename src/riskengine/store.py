"""The serving store: the latest profile of every member, for quotes that name a member.

SQLAlchemy over SQLite by default and PostgreSQL by URL. Left out: who may read it, and anything
that is written while a quote is served.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from operator import itemgetter
from pathlib import Path
from types import TracebackType

import pyarrow as arrow
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from riskengine.errors import InputError, StoreError, TableError, UnknownMemberError
from riskengine.sources.parquet import parquet_batches, parquet_schema
from riskengine.tables import is_number, is_text
from riskengine.vocabulary import Answer

_ROWS = 5_000
_PROFILES = sa.Table(
    "profiles",
    sa.MetaData(),
    sa.Column("member_id", sa.String, primary_key=True),
    sa.Column("as_of", sa.Date, nullable=False),
    sa.Column("features", sa.Text, nullable=False),
)
_INSERT: dict[str, Callable[[sa.Table], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}
_SUPPORTED = "give sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE"


@dataclass(frozen=True)
class StoredProfile:
    """What is stored of a member: known features by name, as of a date."""

    member_id: str
    as_of: date
    features: dict[str, Answer]


class ProfileStore:
    """The table of latest profiles behind a database URL; made if it is not there.

    Raises `InputError` for a URL that cannot be a store, and `StoreError` later on when the
    database cannot be used.
    """

    def __init__(self, url: str) -> None:
        try:
            self._engine = sa.create_engine(url)
        except (sa.exc.ArgumentError, ImportError) as error:
            # The URL may hold a password: it is not told.
            message = f"cannot use the store: {str(error).splitlines()[0]}; {_SUPPORTED}"
            raise InputError(message) from error
        dialect, file = self._engine.dialect.name, self._engine.url.database
        if dialect not in _INSERT:
            message = f"a store of {dialect} is not supported; {_SUPPORTED}"
            raise InputError(message)
        if dialect == "sqlite" and file:
            Path(file).parent.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> "ProfileStore":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def publish(self, path: Path) -> int:
        """Store the latest profile of each member in a Parquet file or folder; returns rows read.

        A stored profile of a later date stays. Raises `TableError` for what holds no profiles.
        """
        insert = _INSERT[self._engine.dialect.name](_PROFILES)
        newer = insert.on_conflict_do_update(
            index_elements=["member_id"],
            set_={"as_of": insert.excluded.as_of, "features": insert.excluded.features},
            where=_PROFILES.c.as_of <= insert.excluded.as_of,
        )
        rows = 0
        try:
            with self._engine.begin() as connection:
                _PROFILES.create(connection, checkfirst=True)
                for batch in _batches(path):
                    connection.execute(newer, batch)
                    rows += len(batch)
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(_said(error)) from error
        return rows

    def profile(self, member_id: str) -> StoredProfile:
        """The latest profile of a member; raises `UnknownMemberError` when none was published."""
        query = sa.select(_PROFILES).where(_PROFILES.c.member_id == member_id)
        try:
            with self._engine.connect() as connection:
                there = sa.inspect(connection).has_table(_PROFILES.name)
                row = connection.execute(query).one_or_none() if there else None
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(_said(error)) from error
        if row is None:
            message = f"no profile of member {member_id!r} was published"
            raise UnknownMemberError(message)
        return StoredProfile(row.member_id, row.as_of, json.loads(row.features))


def _batches(path: Path) -> Iterator[list[dict[str, object]]]:
    """Rows to store, in batches, each in the order of their dates."""
    names = _feature_names(path, parquet_schema(path))
    for batch in parquet_batches(path, _ROWS):
        rows = sorted(batch.to_pylist(), key=itemgetter("as_of"))
        yield [
            {
                "member_id": row["member_id"],
                "as_of": row["as_of"],
                "features": json.dumps(
                    {name: row[name] for name in names if row[name] is not None},
                    ensure_ascii=False,
                ),
            }
            for row in rows
        ]


def _feature_names(path: Path, schema: arrow.Schema) -> list[str]:
    keys = {"member_id", "as_of"}
    if not keys <= set(schema.names) or schema.field("as_of").type != arrow.date32():
        message = f"{path} holds no profiles: it needs member_id and as_of (date)"
        raise TableError(message)
    features = [field for field in schema if field.name not in keys]
    odd = [f.name for f in features if not (is_number(f.type) or is_text(f.type))]
    if odd:
        message = f"{path}: {', '.join(odd)} are neither numbers nor text"
        raise TableError(message)
    return [field.name for field in features]


def _said(error: sa.exc.SQLAlchemyError) -> str:
    return f"the store cannot be used: {str(error).splitlines()[0]}"
