from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskengine.errors import InputError, SpecError
from riskengine.pricing.premium import apply, money_text, premium_chain, round_half_up
from riskengine.pricing.rating import check_permitted
from riskengine.pricing.utilisation import InducedUtilisation, fit_induced_utilisation
from riskengine.products.rate_book import Loadings
from riskengine.release import Release
from riskengine.vocabulary import Operation

CURVE = InducedUtilisation((0.4, 0.8, 1.0), (0.7, 0.9, 1.0))


@given(st.floats(0, 1e9) | st.decimals(0, 10**6, places=3).map(float))
def test_rounding_is_decimal_half_up(amount: float) -> None:
    cents = int(round_half_up(np.array([amount]))[0])
    assert Decimal(money_text(cents)) == Decimal(repr(amount)).quantize(
        Decimal("0.01"), ROUND_HALF_UP
    )


@pytest.mark.parametrize("amount", [-0.01, np.nan, np.inf, 1e13])
def test_a_premium_that_is_no_money_is_refused(amount: float) -> None:
    with pytest.raises(InputError, match="a premium is negative, too large or not a number"):
        round_half_up(np.array([100.0, amount]))


@given(
    mean=st.floats(0.01, 1e5),
    share=st.floats(0, 1),
    trend=st.floats(0.5, 2),
    expense=st.floats(0, 500),
    ratio=st.floats(0.3, 1),
)
def test_steps_replay_to_the_premium(
    mean: float, share: float, trend: float, expense: float, ratio: float
) -> None:
    loadings = Loadings(trend_factor=trend, fixed_expense=expense, permissible_loss_ratio=ratio)
    chain = premium_chain(np.array([mean]), np.array([share]), CURVE, loadings)
    running = np.zeros(1)
    for step in chain.steps:
        running = apply(step.operation, running, step.value)
        assert running.tolist() == step.running.tolist()
    assert running[0] == chain.offered_cents[0] / 100
    assert chain.steps[0].operation is Operation.START
    assert chain.technical_premium[0] == chain.steps[-2].running[0]


def test_one_priced_case_by_hand() -> None:
    loadings = Loadings(trend_factor=1.1, fixed_expense=10.0, permissible_loss_ratio=0.8)
    chain = premium_chain(np.array([100.0]), np.array([0.8]), CURVE, loadings)
    assert [step.name for step in chain.steps] == [
        "pure_premium", "trend_factor", "actuarial_value", "induced_utilisation", "fixed_expense",
        "permissible_loss_ratio", "offered_premium",
    ]  # fmt: skip
    assert [round(float(step.running[0]), 6) for step in chain.steps] == [
        100, 110, 88, 79.2, 89.2, 111.5, 111.5,
    ]  # fmt: skip


def test_induced_utilisation_rises_and_pools_what_is_out_of_order() -> None:
    curve = fit_induced_utilisation(
        np.array([0.9, 0.3, 0.7]), np.array([0.80, 0.70, 0.90]), np.array([1.0, 1.0, 1.0])
    )
    assert curve.actuarial_values == (0.3, 0.7, 0.9, 1.0)
    assert curve.factors == pytest.approx((0.7, 0.85, 0.85, 1.0))
    with pytest.raises(InputError, match=r"above 1: 1\.1"):
        fit_induced_utilisation(np.array([0.5]), np.array([1.1]), np.array([1.0]))
    with pytest.raises(InputError, match="must lie in"):
        fit_induced_utilisation(np.array([0.0]), np.array([0.5]), np.array([1.0]))


def test_pricing_reads_only_what_the_book_permits(release: Release) -> None:
    for dropped in release.rate_book.permitted_factors:
        permitted = tuple(f for f in release.rate_book.permitted_factors if f != dropped)
        book = release.rate_book.model_copy(update={"permitted_factors": permitted})
        with pytest.raises(SpecError, match=f"study-2021 does not permit {dropped}"):
            check_permitted(release.medical_spend, book)
