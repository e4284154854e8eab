"""Re-encryption: every value comes under the newest key, none is lost or overwritten."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from riskengine.security.field_encryption import FieldCipher, kid_of
from riskengine.security.key_ring import KeyRing, KeyUse
from riskengine.security.reencryption import PLAIN, SealedColumn, keys_in_use, reencrypt
from riskengine.store import Database
from tests.security.conftest import NOW

TABLE = sa.Table(
    "answers",
    sa.MetaData(),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("text", sa.Text),
    sa.Column("body", sa.LargeBinary),
)
COLUMNS = (
    SealedColumn(TABLE, "text", "id", "answers.text"),
    SealedColumn(TABLE, "body", "id", "answers.body"),
)


def fill(database: Database, cipher: FieldCipher) -> None:
    with database.writing() as connection:
        TABLE.create(connection)
        for n in range(7):
            sealed = cipher.seal(f"body {n}".encode(), f"answers.body/{n}")
            text = cipher.seal(f"text {n}".encode(), f"answers.text/{n}").decode()
            row = {"id": str(n), "text": text if n else "text 0", "body": sealed}
            connection.execute(TABLE.insert(), row | ({"text": None} if n == 3 else {}))


def stored(database: Database) -> list[sa.Row[tuple[str, str, bytes]]]:
    with database.reading() as connection:
        return list(connection.execute(sa.select(TABLE).order_by(TABLE.c.id)))


def test_all_values_come_under_the_new_key_batch_by_batch(
    database: Database, ring: KeyRing, cipher: FieldCipher
) -> None:
    fill(database, cipher)
    old = ring.current(KeyUse.ENCRYPTION).kid
    assert keys_in_use(database, COLUMNS) == {old: 12, PLAIN: 1}
    rotated = ring.rotated(KeyUse.ENCRYPTION, NOW)
    new = FieldCipher(lambda: rotated)
    assert reencrypt(database, COLUMNS, new, rows=3) == 13
    assert keys_in_use(database, COLUMNS) == {rotated.current(KeyUse.ENCRYPTION).kid: 13}
    only = FieldCipher(lambda: rotated.without(KeyUse.ENCRYPTION, old))
    for row in stored(database):
        assert only.unseal(row.body, f"answers.body/{row.id}") == f"body {row.id}".encode()
        if row.id == "3":
            assert row.text is None
        else:
            opened = only.unseal(row.text.encode(), f"answers.text/{row.id}")
            assert opened == f"text {row.id}".encode()
    assert reencrypt(database, COLUMNS, new, rows=3) == 0


class Busy:
    """Somebody else writes between the reading of a batch and its replacement."""

    def __init__(self, database: Database, value: bytes) -> None:
        self._database, self._value, self._wrote = database, value, False

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        with self._database.reading() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        if not self._wrote:
            self._wrote = True
            with self._database.writing() as connection:
                change = sa.update(TABLE).where(TABLE.c.id == "2")
                connection.execute(change.values(body=self._value))
        with self._database.writing() as connection:
            yield connection


def test_what_was_written_meanwhile_is_not_overwritten(
    database: Database, ring: KeyRing, cipher: FieldCipher
) -> None:
    fill(database, cipher)
    newer = cipher.seal(b"newer", "answers.body/2")
    rotated = ring.rotated(KeyUse.ENCRYPTION, NOW)
    changed = reencrypt(Busy(database, newer), COLUMNS[1:], FieldCipher(lambda: rotated))
    assert changed == 6
    assert stored(database)[2].body == newer
    assert reencrypt(database, COLUMNS[1:], FieldCipher(lambda: rotated)) == 1
    assert kid_of(stored(database)[2].body) == rotated.current(KeyUse.ENCRYPTION).kid


def test_a_table_that_is_not_there_yet_has_nothing_to_seal(
    database: Database, cipher: FieldCipher
) -> None:
    assert reencrypt(database, COLUMNS, cipher) == 0
    assert keys_in_use(database, COLUMNS) == {}
