"""The latest profile of every member, for quotes that name a member.

Left out: who may read it, and anything that is written while a quote is served.
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

from riskengine.errors import TableError, UnknownMemberError
from riskengine.sources.parquet import parquet_batches, parquet_schema
from riskengine.store.database import Database
from riskengine.store.schema import PROFILES
from riskengine.store.sealing import Plain, Sealer
from riskengine.tables import is_number, is_text
from riskengine.vocabulary import Answer

_ROWS = 5_000
_INSERT: dict[str, Callable[[sa.Table], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


@dataclass(frozen=True)
class StoredProfile:
    """What is stored of a member: known features by name, as of a date."""

    member_id: str
    as_of: date
    features: dict[str, Answer]


class ProfileStore:
    """The table of latest profiles in a database, or behind the URL of one.

    Raises `InputError` for a URL that cannot be a store, and `StoreError` later on when the
    database cannot be used.
    """

    def __init__(self, database: Database | str, sealer: Sealer | None = None) -> None:
        self._sealer = sealer or Plain()
        self._database = Database(database) if isinstance(database, str) else database

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
        self._database.close()

    def publish(self, path: Path) -> int:
        """Store the latest profile of each member in a Parquet file or folder; returns rows read.

        A stored profile of a later date stays. Raises `TableError` for what holds no profiles.
        """
        insert = _INSERT[self._database.engine.dialect.name](PROFILES)
        newer = insert.on_conflict_do_update(
            index_elements=["member_id"],
            set_={"as_of": insert.excluded.as_of, "features": insert.excluded.features},
            where=PROFILES.c.as_of <= insert.excluded.as_of,
        )
        rows = 0
        with self._database.writing() as connection:
            for batch in _batches(path, self._sealer):
                connection.execute(newer, batch)
                rows += len(batch)
        return rows

    def profile(self, member_id: str) -> StoredProfile:
        """The latest profile of a member; raises `UnknownMemberError` when none was published."""
        key = self._sealer.pseudonym(member_id)
        query = sa.select(PROFILES).where(PROFILES.c.member_id == key)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            message = f"no profile of member {member_id!r} was published"
            raise UnknownMemberError(message)
        features = self._sealer.unseal(row.features.encode(), f"profiles/{key}")
        return StoredProfile(member_id, row.as_of, json.loads(features))


def _batches(path: Path, sealer: Sealer) -> Iterator[list[dict[str, object]]]:
    """Rows to store, in batches, each in the order of their dates."""
    names = _feature_names(path, parquet_schema(path))
    for batch in parquet_batches(path, _ROWS):
        rows = sorted(batch.to_pylist(), key=itemgetter("as_of"))
        keys = [sealer.pseudonym(row["member_id"]) for row in rows]
        yield [
            {
                "member_id": key,
                "as_of": row["as_of"],
                "features": _sealed(sealer, key, {name: row[name] for name in names}),
            }
            for key, row in zip(keys, rows, strict=True)
        ]


def _sealed(sealer: Sealer, key: str, features: dict[str, Answer]) -> str:
    known = {name: value for name, value in features.items() if value is not None}
    content = json.dumps(known, ensure_ascii=False).encode()
    return sealer.seal(content, f"profiles/{key}").decode()


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
