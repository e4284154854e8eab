import numpy as np
import pytest
from scipy.special import chndtr
from scipy.stats import kstest

from riskengine.errors import InputError
from riskengine.risk.diagnostics import Family, Loss, pearson_dispersion, quantile_residuals
from riskengine.risk.diagnostics.residuals import _tweedie

SIZE = 20_000


def simulate(
    family: Family, seed: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Loss, float]:
    """Outcomes per unit of exposure, means, exposures, loss and dispersion of a known truth."""
    rng = np.random.default_rng(seed)
    exposure = rng.uniform(0.2, 1.0, SIZE)
    if family is Family.POISSON:
        mean = rng.gamma(1, 1, SIZE) + 0.05
        return rng.poisson(mean * exposure) / exposure, mean, exposure, Loss(family), 1.0
    if family is Family.BINARY:
        mean = rng.beta(1, 3, SIZE)
        event = (rng.random(SIZE) < mean).astype(np.float64)
        return event, mean, exposure, Loss(family), 1.0
    mean = rng.gamma(2, 200, SIZE) + 10
    if family is Family.GAMMA:
        shape = exposure / 0.7
        return rng.gamma(shape, mean / shape), mean, exposure, Loss(family), 0.7
    power, dispersion = 1.6, 40.0
    rate = exposure * mean ** (2 - power) / (dispersion * (2 - power))
    scale = dispersion / exposure * (power - 1) * mean ** (power - 1)
    count = rng.poisson(rate)
    cost = rng.gamma(np.maximum(count, 1) * (2 - power) / (power - 1), scale)
    return np.where(count > 0, cost, 0.0), mean, exposure, Loss(family, power), dispersion


FAMILIES = (Family.POISSON, Family.BINARY, Family.GAMMA, Family.TWEEDIE)


@pytest.mark.parametrize("family", FAMILIES)
def test_standard_normal_under_the_truth(family: Family) -> None:
    actual, mean, exposure, loss, dispersion = simulate(family)
    found = quantile_residuals(actual, mean, exposure, loss, dispersion, np.random.default_rng(2))
    assert kstest(found, "norm").pvalue > 0.001
    for part in (mean < np.median(mean), exposure < np.median(exposure)):
        assert kstest(found[part], "norm").pvalue > 0.001
    assert found.mean() == pytest.approx(0, abs=4 / np.sqrt(SIZE))
    assert found.std() == pytest.approx(1, abs=4 / np.sqrt(2 * SIZE))


@pytest.mark.parametrize("family", FAMILIES)
def test_not_normal_under_a_wrong_mean(family: Family) -> None:
    actual, mean, exposure, loss, dispersion = simulate(family)
    found = quantile_residuals(
        actual, 0.8 * mean, exposure, loss, dispersion, np.random.default_rng(2)
    )
    assert kstest(found, "norm").pvalue < 1e-6


@pytest.mark.parametrize("family", [Family.GAMMA, Family.TWEEDIE])
def test_not_normal_under_a_wrong_dispersion(family: Family) -> None:
    actual, mean, exposure, loss, dispersion = simulate(family)
    found = quantile_residuals(
        actual, mean, exposure, loss, 1.5 * dispersion, np.random.default_rng(2)
    )
    assert kstest(found, "norm").pvalue < 1e-6


def test_tweedie_agrees_with_the_noncentral_chi_square() -> None:
    """At power 1.5 severities are exponential, so 2 Y / scale is a noncentral chi-square with no
    degrees of freedom and noncentrality 2 x rate (Siegel, 1979)."""
    actual = np.array([1e-3, 0.5, 2.0, 10.0, 40.0, 200.0])
    mean, precision = np.array([4.0, 4.0, 1.0, 9.0, 25.0, 100.0]), np.full(6, 2.0)
    rate, scale = np.sqrt(mean) * precision / 0.5, 0.5 * np.sqrt(mean) / precision
    found = _tweedie(actual, mean, precision, 1.5)
    exact = chndtr(2 * actual / scale, 1e-12, 2 * rate)
    np.testing.assert_allclose(found.below, exact, rtol=1e-8)
    np.testing.assert_allclose(found.below + found.above, 1, rtol=1e-12)


def test_tweedie_has_an_exact_mass_at_zero() -> None:
    found = _tweedie(np.array([0.0]), np.array([4.0]), np.array([0.25]), 1.5)
    assert found.at == pytest.approx(np.exp(-1))
    assert found.below == pytest.approx(0)
    assert found.above == pytest.approx(1 - np.exp(-1))


@pytest.mark.parametrize("family", [Family.POISSON, Family.GAMMA, Family.TWEEDIE])
def test_residuals_stay_finite_and_in_order_far_out(family: Family) -> None:
    actual = np.array([1.0, 10.0, 60.0, 200.0, 5000.0])
    loss = Loss(family, 1.5 if family is Family.TWEEDIE else None)
    found = quantile_residuals(actual, np.ones(5), np.ones(5), loss, 1.0, np.random.default_rng(1))
    assert np.isfinite(found).all()
    assert (np.diff(found[:4]) > 1).all()
    assert found[3] > 12


def test_the_same_seed_gives_the_same_residuals() -> None:
    actual, mean, exposure, loss, dispersion = simulate(Family.POISSON)
    one, two, three = (
        quantile_residuals(actual, mean, exposure, loss, dispersion, np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    assert (one == two).all()
    assert not (one == three).any()


@pytest.mark.parametrize("family", [Family.GAMMA, Family.TWEEDIE])
def test_pearson_finds_the_dispersion(family: Family) -> None:
    actual, mean, exposure, loss, dispersion = simulate(family)
    found = pearson_dispersion(actual, mean, exposure, loss.variance_power)
    assert found == pytest.approx(dispersion, rel=0.05)


def test_what_has_no_residual() -> None:
    ones, rng = np.ones(2), np.random.default_rng(1)
    for loss in (Loss(Family.SQUARED_ERROR), Loss(Family.TWEEDIE, 2.0)):
        with pytest.raises(InputError, match="no quantile residuals"):
            quantile_residuals(ones, ones, ones, loss, 1.0, rng)
    with pytest.raises(InputError, match="the dispersion of poisson is 1, got 2"):
        quantile_residuals(ones, ones, ones, Loss(Family.POISSON), 2.0, rng)
    with pytest.raises(InputError, match="the dispersion is 0"):
        quantile_residuals(ones, ones, ones, Loss(Family.GAMMA), 0.0, rng)
    with pytest.raises(InputError, match="whole count"):
        quantile_residuals(ones, ones, 0.5 * ones, Loss(Family.POISSON), 1.0, rng)
    with pytest.raises(InputError, match="a residual needs more than 0"):
        quantile_residuals(ones, ones, np.array([1.0, 0.0]), Loss(Family.GAMMA), 1.0, rng)
