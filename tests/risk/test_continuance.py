import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskengine.errors import InputError
from riskengine.pricing.benefit import plan_payment
from riskengine.products.benefit import MedicalBenefit
from riskengine.risk.continuance import Continuance, fit_continuance


def sample(seed: int, size: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    mean = rng.uniform(50, 400, size)
    outcome = mean * rng.lognormal(-0.5, 1.0, size) * (rng.random(size) < 0.7) / 0.7
    return outcome, mean, rng.uniform(0.5, 1.0, size)


@pytest.fixture(scope="module")
def fitted() -> Continuance:
    return fit_continuance(*sample(1), bands=4, knots=300)


@given(mean=st.floats(1, 5000), limits=st.lists(st.floats(0, 1e6), min_size=3, max_size=3))
def test_rising_concave_and_bounded(fitted: Continuance, mean: float, limits: list[float]) -> None:
    low, middle, high = np.sort(limits)
    means = np.full(3, mean)
    a, b, c = fitted.limited(np.array([low, middle, high]), means)
    slack = 1e-9 * mean
    assert -slack <= a <= b + slack
    assert b <= c + slack
    assert c <= mean + slack
    assert a <= low + slack
    if high > low:
        weight = (high - middle) / (high - low)
        assert b >= weight * a + (1 - weight) * c - slack


def test_the_whole_distribution_has_the_model_s_mean(fitted: Continuance) -> None:
    means = np.array([10.0, 100.0, 1000.0])
    assert fitted.limited(np.inf, means) == pytest.approx(means, rel=1e-12)


def test_limited_expected_values_are_those_of_the_data() -> None:
    outcome, mean, exposure = sample(2)
    one_band = fit_continuance(outcome, mean, exposure, bands=1, knots=1000)
    cost = exposure * mean
    scale = np.average(outcome / mean, weights=cost)
    for limit in (0.1, 0.5, 1.0, 3.0):
        exact = np.average(np.minimum(outcome / mean / scale, limit), weights=cost)
        assert one_band.limited(limit, np.ones(1))[0] == pytest.approx(exact, abs=2e-4)


def test_no_jump_between_bands(fitted: Continuance) -> None:
    """A mean a hair larger moves every limited expected value by no more than a hair."""
    means = np.geomspace(20, 1000, 20001)
    for limit in (10.0, 100.0, 1000.0):
        values = fitted.limited(limit, means)
        assert np.abs(np.diff(values)).max() < 0.001 * means.max()
    assert len(fitted.centres) == 4


def test_equal_means_make_one_band() -> None:
    outcome, _, exposure = sample(1)
    flat = fit_continuance(outcome, np.full(len(outcome), 7.0), exposure, bands=10, knots=50)
    assert flat.centres == pytest.approx([7.0])


def test_trend_and_terms_together_change_nothing_but_the_currency(fitted: Continuance) -> None:
    """Costs and amounts half as large again: every share stays as it was."""
    means = np.array([60.0, 150.0, 250.0])
    plain = plan_payment(MedicalBenefit(deductible=100.0, coinsurance=0.2))
    larger = plan_payment(MedicalBenefit(deductible=150.0, coinsurance=0.2))
    np.testing.assert_allclose(
        larger.expected(means, fitted, trend=1.5), 1.5 * plain.expected(means, fitted), rtol=1e-12
    )


def test_distortion_raises_the_certainty_equivalent_and_keeps_order(fitted: Continuance) -> None:
    means = np.array([100.0])
    plain, careful = fitted.distorted(1.0), fitted.distorted(2.0)
    assert plain.limited(50.0, means) == pytest.approx(fitted.limited(50.0, means))
    values = [careful.limited(limit, means)[0] for limit in (50.0, 100.0, 1000.0, np.inf)]
    assert values == sorted(values)
    assert values[-1] > means[0]
    with pytest.raises(InputError, match=r"risk aversion is 0\.5"):
        fitted.distorted(0.5)


def test_a_band_without_cost_is_refused() -> None:
    outcome = np.concatenate([np.zeros(50), np.ones(50)])
    mean = np.linspace(0.1, 1.0, 100)
    with pytest.raises(InputError, match="risk band 1 of 2 has no cost"):
        fit_continuance(outcome, mean, np.ones(100), bands=2, knots=50)
