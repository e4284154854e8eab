"""The audit log: who did what to whose data, in a chain that shows any later change.

Each record holds the hash of the one before and an HMAC over both, so that none can be changed,
taken out, put in or moved without the audit key. Cutting off the end leaves a good chain; that is
found by the anchors: after every record its number and hash are appended to a file, which belongs
where those who can write the database cannot.

A record tells the pseudonym of a member and a keyed digest of the detail, never the detail.
"""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from riskengine.errors import ProtectionError, RiskEngineError
from riskengine.security.database import Connections
from riskengine.security.key_ring import Key, Keys, KeyUse
from riskengine.security.tables import AUDIT

_FIRST = "0" * 64
_TRIES = 20


@dataclass(frozen=True)
class AuditEvent:
    """Something done: by which client, what, to whom (a pseudonym, or empty), with what detail."""

    actor: str
    action: str
    subject: str = ""
    detail: Mapping[str, object] | None = None


class AuditLog:
    """The log in a database, with its anchors in a file if `anchors` names one."""

    def __init__(self, database: Connections, keys: Keys, anchors: Path | None) -> None:
        self._database, self._keys, self._anchors = database, keys, anchors
        self._lock = threading.Lock()

    def append(self, event: AuditEvent, now: datetime) -> int:
        """Write one record, durably; returns its number. Raises `StoreError` when it cannot."""
        with self._lock:
            for attempt in range(_TRIES):
                try:
                    sequence, digest = self._append(event, now)
                except RiskEngineError as error:
                    # Another process has taken the number, or holds the database.
                    if attempt == _TRIES - 1 or isinstance(error, ProtectionError):
                        raise
                    time.sleep(0.005 * (attempt + 1))
                else:
                    self._anchor(sequence, digest)
                    return sequence
        raise AssertionError

    def verify(self) -> tuple[str, ...]:
        """Every fault of the chain and against the anchors, in words; empty when it is whole."""
        anchors = self._read_anchors()
        faults = list(self._chain_faults(anchors))
        if anchors:
            faults += [
                f"record {sequence} is missing, and was there when its anchor was written"
                for sequence in sorted(anchors)
            ]
        return tuple(faults)

    def _append(self, event: AuditEvent, now: datetime) -> tuple[int, str]:
        key = self._keys().current(KeyUse.AUDIT)
        last = sa.select(AUDIT.c.sequence, AUDIT.c.hash).order_by(AUDIT.c.sequence.desc()).limit(1)
        with self._database.writing() as connection:
            found = connection.execute(last).one_or_none()
            row = {
                "sequence": 1 if found is None else found.sequence + 1,
                "recorded_at": now.isoformat(timespec="milliseconds"),
                "actor": event.actor,
                "action": event.action,
                "subject": event.subject,
                "detail_digest": _digest(key, dict(event.detail or {})),
                "kid": key.kid,
                "previous_hash": _FIRST if found is None else found.hash,
            }
            digest = _digest(key, row)
            connection.execute(sa.insert(AUDIT).values(row | {"hash": digest}))
        return int(str(row["sequence"])), digest

    def _anchor(self, sequence: int, digest: str) -> None:
        if self._anchors is not None:
            self._anchors.parent.mkdir(parents=True, exist_ok=True)
            with self._anchors.open("a", encoding="ascii") as file:
                file.write(f"{sequence} {digest}\n")

    def _read_anchors(self) -> dict[int, str] | None:
        if self._anchors is None:
            return None
        if not self._anchors.is_file():
            return {}
        lines = self._anchors.read_text(encoding="ascii", errors="replace").splitlines()
        split = [line.split(" ") for line in lines]
        return {int(s[0]): s[1] for s in split if len(s) == 2 and s[0].isdecimal()}

    def _chain_faults(self, anchors: dict[int, str] | None) -> Iterator[str]:
        """Walk the records; takes out of `anchors` those that are there."""
        expected, previous = 1, _FIRST
        none_kept = anchors is not None and not anchors
        with self._database.reading() as connection:
            query = sa.select(AUDIT).order_by(AUDIT.c.sequence)
            for row in connection.execution_options(yield_per=1_000).execute(query).mappings():
                held = dict(row)
                digest, sequence = str(held.pop("hash")), int(held["sequence"])
                if sequence != expected:
                    yield f"record {expected} is missing: record {sequence} comes in its place"
                if held["previous_hash"] != previous:
                    yield f"record {sequence} does not follow the record before it"
                if not self._is_ours(held, digest):
                    yield f"record {sequence} was changed, or was not written by this service"
                if anchors is not None and anchors.pop(sequence, digest) != digest:
                    yield f"record {sequence} is not the one that its anchor tells"
                expected, previous = sequence + 1, digest
        if none_kept and expected > 1:
            yield f"there are no anchors in {self._anchors}: a cut at the end would not be seen"

    def _is_ours(self, held: dict[str, object], digest: str) -> bool:
        try:
            key = self._keys().named(KeyUse.AUDIT, str(held["kid"]))
        except ProtectionError:
            return False
        return hmac.compare_digest(_digest(key, held), digest)


def _digest(key: Key, value: Mapping[str, object]) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hmac.new(key.secret, text.encode(), hashlib.sha256).hexdigest()
