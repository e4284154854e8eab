"""Ids: unique, in order of time, and of the version they say."""

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

from riskengine.store import new_id


def test_an_id_is_a_uuid_of_version_7_that_tells_its_millisecond() -> None:
    at = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)
    found = UUID(new_id(at))
    assert (found.version, found.variant) == (7, RFC_4122)
    assert found.int >> 80 == 1_772_368_215_250


def test_ids_of_one_moment_differ_and_those_of_later_ones_sort_behind() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    now = {new_id(at) for _ in range(1_000)}
    assert len(now) == 1_000
    assert max(now) < new_id(at + timedelta(milliseconds=1))
