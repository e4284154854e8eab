"""Keeps member ids out of logs: each is replaced by its pseudonym before a line is written.

An id may be any text, so that none can be told by its looks. The ids of a request are therefore
noted when it arrives, and whatever is logged while it is answered, by whom ever, is searched for
them in every way they may be written. What runs outside a request must log pseudonyms itself.
"""

import hashlib
import hmac
import json
import logging
import re
import traceback
from collections.abc import Iterable
from contextvars import ContextVar
from urllib.parse import quote

from riskengine.security.key_ring import KeyRing, Keys, KeyUse

_noted: ContextVar[dict[str, str] | None] = ContextVar("members_of_this_request", default=None)
_LIBRARIES = ("", "uvicorn", "uvicorn.access", "uvicorn.error")
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class Pseudonyms:
    """Names members in logs and in the audit log: the same name as long as the key is.

    >>> from datetime import UTC, datetime
    >>> from riskengine.security.key_ring import new_ring
    >>> ring = new_ring(datetime(2026, 1, 1, tzinfo=UTC))
    >>> names = Pseudonyms(lambda: ring)
    >>> names.of("m1") == names.of("m1") != names.of("m2")
    True
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def of(self, member_id: str) -> str:
        """The pseudonym of now: `member-` and 64 bits of an HMAC."""
        return self.all_of(member_id)[0]

    def all_of(self, member_id: str) -> tuple[str, ...]:
        """The pseudonyms of every key period in the ring, the newest first: to search old logs."""
        return _pseudonyms(self._keys(), member_id)

    def begin(self) -> None:
        """A request begins in this task: from now on `note` is heard and logs are searched.

        There is no end: a server logs what failed after the application has returned.
        """
        _noted.set({})

    def note(self, member_id: str, *spellings: str) -> None:
        """Replace a member id, and other spellings of it, in what this request logs from now on."""
        noted = _noted.get()
        if noted is None or not member_id:
            return
        name = self.of(member_id)
        noted.update((text, name) for text in _written(member_id, spellings) if text)


class MemberFilter(logging.Filter):
    """Replaces the members of the request in message, traceback and extra fields of a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        noted = _noted.get()
        if noted:
            record.msg, record.args = _replaced(record.getMessage(), noted), ()
            if record.exc_info:
                told = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
                record.exc_text, record.exc_info = told, None
            if record.exc_text:
                record.exc_text = _replaced(record.exc_text, noted)
            if record.stack_info:
                record.stack_info = _replaced(record.stack_info, noted)
            for name in set(vars(record)) - _OWN:
                value = vars(record)[name]
                vars(record)[name] = _replaced(str(value), noted) if _told(value, noted) else value
        return True


def protect_handlers(names: Iterable[str] = _LIBRARIES) -> None:
    """Put the filter on every handler of these loggers, once each."""
    for name in names:
        for handler in logging.getLogger(name).handlers:
            if not any(isinstance(one, MemberFilter) for one in handler.filters):
                handler.addFilter(MemberFilter())


def _pseudonyms(ring: KeyRing, member_id: str) -> tuple[str, ...]:
    text = member_id.encode("utf-8", "surrogatepass")
    return tuple(
        f"member-{hmac.new(key.secret, text, hashlib.sha256).hexdigest()[:16]}"
        for key in ring.of(KeyUse.PSEUDONYM)
    )


def _written(member_id: str, spellings: tuple[str, ...]) -> set[str]:
    """How an id may stand in a line: as it is, in an address, in Python or in JSON."""
    octets = member_id.encode("utf-8", "surrogatepass")
    return {
        member_id, quote(octets), quote(octets, safe=""), repr(member_id)[1:-1],
        ascii(member_id)[1:-1], json.dumps(member_id)[1:-1], *spellings,
    }  # fmt: skip


def _replaced(text: str, noted: dict[str, str]) -> str:
    for spelling in sorted(noted, key=len, reverse=True):
        text = _pattern(spelling).sub(noted[spelling], text)
    return text


def _told(value: object, noted: dict[str, str]) -> bool:
    """Whether a field of a record tells a member; numbers and the like are left as they are."""
    return any(_pattern(spelling).search(str(value)) for spelling in noted)


def _pattern(spelling: str) -> re.Pattern[str]:
    """The id as a word of its own: `12` is a member in `member 12`, and none in `0.0123`."""
    before = r"(?<![A-Za-z0-9])" if spelling[0].isascii() and spelling[0].isalnum() else ""
    after = r"(?![A-Za-z0-9])" if spelling[-1].isascii() and spelling[-1].isalnum() else ""
    return re.compile(before + re.escape(spelling) + after)
