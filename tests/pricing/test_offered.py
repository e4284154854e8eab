from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskengine.errors import AnswerError, InputError, UnknownNameError
from riskengine.pricing.filed import filed_premium
from riskengine.pricing.offered import (
    Terms,
    at_equal_benefits,
    edition_loadings,
    offered_premium,
    technical_premium,
    terms_problems,
)
from riskengine.pricing.premium import apply, run
from riskengine.pricing.trend import CoverCost
from riskengine.products.rate_book_edition import Edition, FloatBand
from riskengine.vocabulary import FloatArray, Operation
from tests.pricing.rate_books import CN, US

AMOUNTS = st.lists(st.floats(10, 1e5), min_size=1, max_size=5).map(np.array)


def filed(amounts: FloatArray) -> tuple:  # type: ignore[type-arg]
    return run([("filed_premium", Operation.START, amounts)], np.zeros(len(amounts)))


def test_the_whole_chain_of_one_premium_by_hand() -> None:
    terms = Terms(
        underwriting_loading=np.array([0.2]),
        discounts={"family": np.array([0.05])},
        seller_discretion=np.array([0.0]),
        expiring_premium=np.array([900.0]),
        payments=12,
    )
    found = offered_premium(CN, filed(np.array([1000.0])), terms)
    assert [(step.name, round(float(step.running[0]), 6)) for step in found.steps] == [
        ("filed_premium", 1000), ("underwriting_loading", 1200), ("family_discount", 1140),
        ("seller_discretion", 1140), ("cap", 1080), ("collar", 1080), ("minimum_premium", 1080),
        ("instalment_factor", 1112.4), ("payments", 92.7), ("instalment_premium", 92.7),
        ("offered_premium", 1112.4),
    ]  # fmt: skip
    assert found.instalment_cents.tolist() == [9270]
    assert found.offered_cents.tolist() == [111240]
    assert found.after("cap").tolist() == [1080.0]
    with pytest.raises(InputError, match="no step 'tax'; there are filed_premium"):
        found.after("tax")


@settings(max_examples=50)
@given(AMOUNTS, st.sampled_from([1, 12]), st.floats(0, 0.1), st.floats(0, 0.5))
def test_any_chain_replays_and_rounds_once(
    amounts: FloatArray, payments: int, discount: float, loading: float
) -> None:
    size = len(amounts)
    terms = Terms(np.full(size, loading), {"family": np.full(size, discount)}, payments=payments)
    found = offered_premium(CN, filed(amounts), terms)
    running = np.zeros(size)
    for step in found.steps:
        running = apply(step.operation, running, step.value)
        assert (running == step.running).all()
    names = [step.name for step in found.steps]
    rounding = names.index("instalment_premium" if payments > 1 else "offered_premium")
    unrounded = found.steps[rounding - 1]
    for cents, amount in zip(found.instalment_cents, unrounded.running, strict=True):
        exact = Decimal(repr(float(amount))).quantize(Decimal("0.01"), ROUND_HALF_UP)
        assert Decimal(int(cents)) / 100 == exact
    assert (found.offered_cents == found.instalment_cents * payments).all()


@settings(max_examples=50)
@given(AMOUNTS, st.floats(10, 1e5))
def test_cap_and_collar_hold_for_every_renewal(amounts: FloatArray, expiring: float) -> None:
    size = len(amounts)
    found = offered_premium(CN, filed(amounts), Terms(expiring_premium=np.full(size, expiring)))
    offered = found.offered_cents / 100
    low, high = max(50.0, expiring * 0.85), max(50.0, expiring * 1.2)
    assert (offered >= low - 0.006).all()
    assert (offered <= high + 0.006).all()


def test_new_business_in_a_renewal_batch_is_neither_capped_nor_collared() -> None:
    expiring = np.array([np.nan, 500.0])
    found = offered_premium(CN, filed(np.full(2, 1000.0)), Terms(expiring_premium=expiring))
    assert found.offered_cents.tolist() == [100000, 60000]
    alone = offered_premium(CN, filed(np.full(1, 1000.0)), Terms())
    assert alone.offered_cents[0] == found.offered_cents[0]


def test_a_batch_of_nobody_has_no_premiums() -> None:
    tariff = CN.tariff("accident")
    steps = filed_premium(100.0, tariff, {"occupation_class": np.empty(0, dtype=object)})
    assert offered_premium(CN, steps, Terms(payments=12)).offered_cents.tolist() == []


def test_a_richer_plan_is_not_capped_as_a_rise() -> None:
    expiring = np.array([500.0])
    restated = at_equal_benefits(expiring, np.array([600.0]), np.array([900.0]))
    assert restated.tolist() == [750.0]
    found = offered_premium(CN, filed(np.array([1000.0])), Terms(expiring_premium=restated))
    assert found.offered_cents.tolist() == [90000]
    with pytest.raises(InputError, match="old plan's filed premium must be above 0"):
        at_equal_benefits(expiring, np.zeros(1), np.ones(1))


@pytest.mark.parametrize(
    ("edition", "terms", "message"),
    [
        (CN, Terms(discounts={"family": np.array([0.11])}), "family_discount=0.11: .* 0 to 0.1"),
        (CN, Terms(discounts={"loyalty": np.array([0.0])}), "no such discount; known: family"),
        (CN, Terms(underwriting_loading=np.array([0.51])), "underwriting_loading=0.51"),
        (CN, Terms(underwriting_loading=np.array([np.nan])), "underwriting_loading=nan"),
        (CN, Terms(seller_discretion=np.array([0.01])), "seller_discretion=0.01: .* 0 to 0$"),
        (US, Terms(seller_discretion=np.array([-0.01])), "seller_discretion=-0.01"),
        (US, Terms(underwriting_loading=np.array([0.01])), "underwriting_loading=0.01: .* 0 to 0"),
        (CN, Terms(expiring_premium=np.array([-1.0])), "expiring_premium=-1.0: give 0 or more"),
    ],
)
def test_terms_outside_the_rate_book_are_refused(
    edition: Edition, terms: Terms, message: str
) -> None:
    assert len(terms_problems(edition, terms)) == 1
    with pytest.raises(AnswerError, match=message):
        offered_premium(edition, filed(np.array([1000.0])), terms)
    with pytest.raises(UnknownNameError, match="has no 2 payments a year; there are"):
        offered_premium(edition, filed(np.array([1000.0])), Terms(payments=2))


def test_a_float_band_lets_the_seller_move_the_filed_premium_within_it() -> None:
    assert CN.float_band is not None
    third = CN.float_band.below.model_copy(update={"value": 0.3})
    above = CN.float_band.above.model_copy(update={"value": 0.3})
    wide = CN.model_copy(update={"float_band": FloatBand(below=third, above=above)})
    terms = Terms(seller_discretion=np.array([-0.3, 0.3]))
    found = offered_premium(wide, filed(np.array([100.0, 100.0])), terms)
    assert found.offered_cents.tolist() == [7000, 13000]
    with pytest.raises(AnswerError, match=r"shares from -0\.3 to 0\.3"):
        offered_premium(wide, filed(np.ones(1)), Terms(seller_discretion=np.array([-0.31])))


def test_expenses_are_a_share_of_the_premium_they_come_from() -> None:
    loadings = edition_loadings(CN, 1.1)
    assert (loadings.trend_factor, loadings.fixed_expense) == (1.1, 30.0)
    assert loadings.permissible_loss_ratio == 0.7
    paid = CoverCost(np.array([260.0, 0.0]))
    steps = technical_premium(paid, np.array([4.0, 0.0]), loadings)
    premium = steps[-1].running
    assert premium == pytest.approx([420.0, 30 / 0.7])
    shares = sum(share.value for share in CN.shares.values())
    assert premium * shares + 30 + paid.values + [4.0, 0.0] == pytest.approx(premium)
