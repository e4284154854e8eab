"""Logs: no spelling of a member of the request gets through, and nothing else is touched."""

import io
import logging
from collections.abc import Iterator
from contextvars import copy_context
from urllib.parse import quote

import pytest

from riskengine.security.key_ring import KeyRing, KeyUse
from riskengine.security.member_log import MemberFilter, Pseudonyms, protect_handlers
from tests.security.conftest import NOW


class Lines:
    """A logger whose lines are kept, with all fields of each record."""

    def __init__(self, name: str) -> None:
        self.text = io.StringIO()
        self.logger = logging.getLogger(name)
        self.logger.propagate = False
        self.logger.setLevel(logging.INFO)
        handler = logging.StreamHandler(self.text)
        handler.setFormatter(logging.Formatter("%(message)s %(who)s", defaults={"who": "-"}))
        self.logger.handlers = [handler]
        protect_handlers([name])
        protect_handlers([name])


@pytest.fixture
def lines() -> Iterator[Lines]:
    found = Lines("riskengine.test")
    assert len(found.logger.handlers[0].filters) == 1
    yield found
    found.logger.handlers = []


@pytest.mark.parametrize("member", ["M-00017", "m 1/ä", "李四", 'a"b\\c', "12", "a.b*c", "\ud800x"])
def test_no_spelling_of_a_member_is_logged(lines: Lines, ring: KeyRing, member: str) -> None:
    names = Pseudonyms(lambda: ring)

    def request() -> None:
        names.begin()
        names.note(member, "%4D-as-sent")
        spellings = {member, ascii(member)[1:-1], quote(member, safe="", errors="surrogatepass")}
        for text in spellings:
            lines.logger.info("looked up %s in profiles", text)
            lines.logger.info("GET /v1/members/%s/profile 200", text, extra={"who": {"id": text}})
        lines.logger.info("sent as %4D-as-sent")
        try:
            {}[member]
        except KeyError:
            lines.logger.exception("failed")
        assert names.of(member) in lines.text.getvalue()
        for text in spellings | {repr(member)[1:-1], "%4D-as-sent"}:
            bare = lines.text.getvalue().replace(names.of(member), "")
            # Digits of line numbers in a traceback may be those of a short id.
            told = [line for line in bare.splitlines() if ", line " not in line]
            assert not any(text in line for line in told)

    copy_context().run(request)


def test_other_words_and_other_requests_are_left_alone(lines: Lines, ring: KeyRing) -> None:
    names = Pseudonyms(lambda: ring)

    def request() -> None:
        names.begin()
        names.note("12")
        lines.logger.info("took 0.0123 s, m12 and 12a, not 12", extra={"who": 512})

    copy_context().run(request)
    assert lines.text.getvalue() == f"took 0.0123 s, m12 and 12a, not {names.of('12')} 512\n"
    lines.logger.info("12 outside of a request")
    assert lines.text.getvalue().endswith("\n12 outside of a request -\n")


def test_a_pseudonym_lasts_as_long_as_its_key(ring: KeyRing) -> None:
    rotated = ring.rotated(KeyUse.PSEUDONYM, NOW)
    old, new = Pseudonyms(lambda: ring), Pseudonyms(lambda: rotated)
    assert old.of("m1") == Pseudonyms(lambda: ring).of("m1")
    assert new.of("m1") != old.of("m1")
    assert new.all_of("m1") == (new.of("m1"), old.of("m1"))
    assert len(old.of("m1")) == len("member-") + 16


def test_a_record_without_members_keeps_its_arguments() -> None:
    record = logging.makeLogRecord({"msg": "%s", "args": ("x",)})
    assert MemberFilter().filter(record)
    assert record.args == ("x",)
