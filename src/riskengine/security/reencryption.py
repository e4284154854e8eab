"""Brings stored values under the newest encryption key, in batches, while the service runs.

Each batch is a transaction of its own, and a value is replaced only if it is still what was read:
the job may be stopped, started again, and run beside writers. Values that were stored before there
were keys are sealed by it too.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from riskengine.security.database import Connections
from riskengine.security.field_encryption import FieldCipher, kid_of

PLAIN = "not sealed"


@dataclass(frozen=True)
class SealedColumn:
    """A column of sealed values, bytes or text.

    `key` is the column that tells a row; a value is bound to `prefix`, a slash and that.
    """

    table: sa.Table
    column: str
    key: str
    prefix: str

    def about(self, row: object) -> str:
        return f"{self.prefix}/{row}"


def reencrypt(
    database: Connections, columns: Sequence[SealedColumn], cipher: FieldCipher, rows: int = 500
) -> int:
    """Seal every value of `columns` with the newest key; returns how many were changed.

    Raises `ProtectionError` for a value that does not open, with all batches before it kept.
    """
    changed = 0
    for one in columns:
        for batch in _batches(database, one, rows):
            stale = [(row, v) for row, v in batch if v is not None and not _current(cipher, v)]
            if stale:
                with database.writing() as connection:
                    changed += sum(_reseal(connection, one, cipher, r, v) for r, v in stale)
    return changed


def keys_in_use(database: Connections, columns: Sequence[SealedColumn]) -> dict[str, int]:
    """How many values are sealed with each key, by its name; `PLAIN` counts those that are not.

    A key that is not in it may be taken out of the ring.
    """
    found: Counter[str] = Counter()
    for one in columns:
        for batch in _batches(database, one, 5_000):
            found.update(kid_of(_bytes(v)) or PLAIN for _, v in batch if v is not None)
    return dict(found)


def _reseal(
    connection: sa.Connection, one: SealedColumn, cipher: FieldCipher, row: Any, stored: bytes | str
) -> int:
    content, about = _bytes(stored), one.about(row)
    plain = content if kid_of(content) is None else cipher.unseal(content, about)
    sealed = cipher.seal(plain, about)
    written = sealed.decode() if isinstance(stored, str) else sealed
    same = (one.table.c[one.key] == row, one.table.c[one.column] == stored)
    change = sa.update(one.table).where(*same).values({one.column: written})
    return connection.execute(change).rowcount


def _batches(
    database: Connections, one: SealedColumn, rows: int
) -> Iterator[Sequence[tuple[Any, bytes | str | None]]]:
    """Rows in the order of their keys; each batch is read by itself and holds nothing open."""
    with database.reading() as connection:
        if not sa.inspect(connection).has_table(one.table.name):
            return
    key = one.table.c[one.key]
    after: Any = None
    while True:
        query = sa.select(key, one.table.c[one.column]).order_by(key).limit(rows)
        if after is not None:
            query = query.where(key > after)
        with database.reading() as connection:
            batch = [(row[0], row[1]) for row in connection.execute(query)]
        if not batch:
            return
        yield batch
        after = batch[-1][0]


def _current(cipher: FieldCipher, stored: bytes | str) -> bool:
    return cipher.is_current(_bytes(stored))


def _bytes(stored: bytes | str) -> bytes:
    return stored.encode() if isinstance(stored, str) else stored
