"""Token buckets: never more than the burst and the rate allow, whatever the times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskengine.security.rate_limit import Rate, RateLimit


@given(st.lists(st.floats(0, 3), max_size=60))
def test_no_more_pass_than_burst_and_rate_allow(gaps: list[float]) -> None:
    limit, now, passed = RateLimit(Rate(per_second=2, burst=5)), 0.0, 0
    for gap in gaps:
        now += gap
        passed += limit.wait("a", now) == 0
        assert passed <= 5 + 2 * now + 1e-6


def test_who_waits_as_long_as_told_may_go_on() -> None:
    limit = RateLimit(Rate(per_second=0.5, burst=1))
    assert limit.wait("a", 10.0) == 0
    assert limit.wait("a", 10.5) == pytest.approx(1.5)
    assert limit.wait("a", 12.0) == 0


def test_callers_do_not_wait_for_each_other_and_are_few_enough_to_keep() -> None:
    limit = RateLimit(Rate(per_second=1, burst=1), most=3)
    assert [limit.wait(name, 0.0) for name in "abc"] == [0.0, 0.0, 0.0]
    assert limit.wait("a", 0.0) == 1.0
    assert limit.wait("d", 0.0) == 0.0
    assert [limit.wait(name, 0.0) for name in "acd"] == [1.0, 1.0, 1.0]
