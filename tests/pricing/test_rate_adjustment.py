from dataclasses import replace
from datetime import date

import pytest

from riskengine.errors import SpecError
from riskengine.pricing.rate_adjustment import RateAdjustment, adjustment_refusals
from tests.pricing.rate_books import CN, US

FINE = RateAdjustment(date(2023, 1, 1), None, date(2026, 1, 1), 0.1, 0.95)


def test_an_adjustment_within_the_rules_may_be_made() -> None:
    assert adjustment_refusals(CN, FINE) == ()
    fall = replace(FINE, change=-0.2, loss_ratio=0.5)
    assert adjustment_refusals(CN, fall) == ()


@pytest.mark.parametrize(
    ("change", "words", "zh"),
    [
        ({"effective_from": date(2025, 12, 31)}, "from 2026-01-01", "不得早于2026-01-01"),
        ({"adjusted_on": date(2025, 2, 1)}, "from 2026-02-01", "间隔不足"),
        ({"change": 0.31}, "+31.0% exceeds the 30%", "超过上限30%"),
        ({"loss_ratio": 0.849}, "84.9%, below 85%", "低于85%，不得上调"),
    ],
)
def test_each_rule_refuses_on_its_own(change: dict[str, object], words: str, zh: str) -> None:
    (refusal,) = adjustment_refusals(CN, replace(FINE, **change))  # type: ignore[arg-type]
    assert words in refusal.en
    assert zh in refusal.zh


def test_all_refusals_are_given_at_once() -> None:
    plan = RateAdjustment(date(2024, 2, 29), date(2025, 12, 1), date(2026, 1, 1), 0.5, 0.2)
    assert len(adjustment_refusals(CN, plan)) == 4
    with pytest.raises(SpecError, match="no rules for long-term products"):
        adjustment_refusals(US, FINE)
