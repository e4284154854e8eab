"""The audit log: any change, gap, new order or cut is found, and told record by record."""

import hashlib
import hmac
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from riskengine.security.audit import AuditEvent, AuditLog, _digest
from riskengine.security.key_ring import KeyRing, KeyUse, new_ring
from riskengine.security.tables import AUDIT
from riskengine.store import Database
from tests.security.conftest import NOW


@pytest.fixture
def log(database: Database, ring: KeyRing, tmp_path: Path) -> AuditLog:
    log = AuditLog(database, lambda: ring, tmp_path / "deep" / "anchors.txt")
    for n in range(1, 6):
        detail = {"rows": n, "text": "李四"}
        assert log.append(AuditEvent("li.wei", "profile.read", f"member-{n}", detail), NOW) == n
    return log


def rows(database: Database) -> list[dict[str, object]]:
    with database.reading() as connection:
        found = connection.execute(sa.select(AUDIT).order_by(AUDIT.c.sequence)).mappings()
        return [dict(row) for row in found]


def write(database: Database, changed: list[dict[str, object]]) -> None:
    with database.writing() as connection:
        connection.execute(sa.delete(AUDIT))
        connection.execute(sa.insert(AUDIT), changed)


def test_a_log_left_alone_is_whole(log: AuditLog, database: Database) -> None:
    assert log.verify() == ()
    first, second = rows(database)[:2]
    assert first["previous_hash"] == "0" * 64
    assert second["previous_hash"] == first["hash"]
    assert "李四" not in str(rows(database))


@pytest.mark.parametrize(
    "column", [c.name for c in AUDIT.columns if c.name not in {"sequence", "kid"}]
)
def test_a_change_of_any_column_is_found(log: AuditLog, database: Database, column: str) -> None:
    content = rows(database)
    value = str(content[2][column])
    content[2][column] = ("0" if value[0] != "0" else "1") + value[1:]
    write(database, content)
    assert "record 3 was changed, or was not written by this service" in log.verify()


def test_a_record_taken_out_is_found(log: AuditLog, database: Database) -> None:
    content = rows(database)
    write(database, content[:1] + content[2:])
    assert log.verify() == (
        "record 2 is missing: record 3 comes in its place",
        "record 3 does not follow the record before it",
        "record 2 is missing, and was there when its anchor was written",
    )


def test_a_new_order_is_found(log: AuditLog, database: Database) -> None:
    content = rows(database)
    content[1]["sequence"], content[2]["sequence"] = 3, 2
    write(database, content)
    faults = log.verify()
    assert {f"record {n} does not follow the record before it" for n in (2, 3, 4)} <= set(faults)
    assert "record 2 is not the one that its anchor tells" in faults


@pytest.mark.parametrize("kept", [0, 1, 4])
def test_a_cut_at_the_end_is_found_by_the_anchors(
    log: AuditLog, database: Database, kept: int
) -> None:
    with database.writing() as connection:
        connection.execute(sa.delete(AUDIT).where(AUDIT.c.sequence > kept))
    assert log.verify() == tuple(
        f"record {n} is missing, and was there when its anchor was written"
        for n in range(kept + 1, 6)
    )


def test_a_record_put_in_without_the_key_is_found(log: AuditLog, database: Database) -> None:
    forged = new_ring(NOW).current(KeyUse.AUDIT)
    content = rows(database)
    own = {**content[4], "sequence": 6, "previous_hash": content[4]["hash"], "actor": "nobody"}
    del own["hash"]
    plain = hmac.new(b"", str(own).encode(), hashlib.sha256).hexdigest()
    for digest in (_digest(forged, own), plain):
        write(database, [*content, {**own, "hash": digest}])
        assert log.verify() == ("record 6 was changed, or was not written by this service",)
    write(database, [*content, {**own, "kid": "other", "hash": _digest(forged, own)}])
    assert log.verify() == ("record 6 was changed, or was not written by this service",)


def test_the_last_records_written_anew_are_found_though_the_key_is_known(
    log: AuditLog, database: Database, ring: KeyRing
) -> None:
    """Who has database and key, but not the anchors, can still not rewrite what happened."""
    content = rows(database)
    last = {**content[4], "actor": "nobody"}
    del last["hash"]
    write(database, [*content[:4], {**last, "hash": _digest(ring.current(KeyUse.AUDIT), last)}])
    assert log.verify() == ("record 5 is not the one that its anchor tells",)


def test_missing_anchors_are_told_and_none_are_asked_for_where_none_are_kept(
    log: AuditLog, database: Database, ring: KeyRing, tmp_path: Path
) -> None:
    (tmp_path / "deep" / "anchors.txt").unlink()
    (fault,) = log.verify()
    assert fault.startswith("there are no anchors in")
    assert AuditLog(database, lambda: ring, None).verify() == ()


def test_records_of_earlier_keys_stay_good(
    log: AuditLog, database: Database, ring: KeyRing, tmp_path: Path
) -> None:
    rotated = ring.rotated(KeyUse.AUDIT, NOW)
    after = AuditLog(database, lambda: rotated, tmp_path / "deep" / "anchors.txt")
    assert after.append(AuditEvent("li.wei", "release.promoted"), NOW) == 6
    assert log.verify() != after.verify() == ()
    assert len({row["kid"] for row in rows(database)}) == 2


def test_two_processes_write_one_chain(database: Database, ring: KeyRing, tmp_path: Path) -> None:
    logs = [AuditLog(database, lambda: ring, tmp_path / "anchors.txt") for _ in range(3)]

    def many(log: AuditLog) -> list[int]:
        return [log.append(AuditEvent("a", "b"), NOW) for _ in range(15)]

    run: Callable[[AuditLog], list[int]] = many
    with ThreadPoolExecutor(3) as pool:
        numbers = [number for found in pool.map(run, logs) for number in found]
    assert sorted(numbers) == list(range(1, 46))
    assert logs[0].verify() == ()
