import numpy as np
import pytest

from riskengine.risk.diagnostics import (
    bootstrap_mean,
    equal_exposure_bands,
    gini,
    lift_table,
    lorenz_curve,
    poisson_deviance,
    tweedie_deviance,
)

RNG = np.random.default_rng(5)
ACTUAL = RNG.gamma(0.5, 200, 500)
EXPECTED = RNG.gamma(2, 50, 500)
EXPOSURE = RNG.uniform(0.2, 1, 500)


def test_deviance_is_least_at_the_truth() -> None:
    assert poisson_deviance(ACTUAL, ACTUAL, EXPOSURE) == pytest.approx(0, abs=1e-9)
    assert tweedie_deviance(ACTUAL, ACTUAL, EXPOSURE, 1.5) == pytest.approx(0, abs=1e-9)
    flat = np.full(500, np.average(ACTUAL, weights=EXPOSURE))
    for off in (0.9, 1.1):
        assert tweedie_deviance(ACTUAL, off * flat, EXPOSURE, 1.5) > tweedie_deviance(
            ACTUAL, flat, EXPOSURE, 1.5
        )


def test_deviances_agree_with_scikit_learn() -> None:
    from sklearn.metrics import mean_poisson_deviance, mean_tweedie_deviance

    assert poisson_deviance(ACTUAL, EXPECTED, EXPOSURE) == pytest.approx(
        mean_poisson_deviance(ACTUAL, EXPECTED, sample_weight=EXPOSURE)
    )
    assert tweedie_deviance(ACTUAL, EXPECTED, EXPOSURE, 1.5) == pytest.approx(
        mean_tweedie_deviance(ACTUAL, EXPECTED, sample_weight=EXPOSURE, power=1.5)
    )


def test_lorenz_with_ties_does_not_depend_on_the_order_of_rows() -> None:
    tied = np.round(EXPECTED, -2)
    shuffled = RNG.permutation(500)
    assert gini(ACTUAL, tied, EXPOSURE) == pytest.approx(
        gini(ACTUAL[shuffled], tied[shuffled], EXPOSURE[shuffled])
    )
    x, y = lorenz_curve(ACTUAL, np.ones(500), EXPOSURE)
    assert x.tolist() == [0.0, 1.0]
    assert y.tolist() == [0.0, 1.0]
    assert gini(ACTUAL, np.ones(500), EXPOSURE) == pytest.approx(0)


def test_lift_bands_hold_equal_exposure_and_all_of_it() -> None:
    rows = lift_table(ACTUAL, EXPECTED, EXPOSURE)
    assert len(rows) == 10
    assert sum(r["exposure"] for r in rows) == pytest.approx(EXPOSURE.sum())
    assert [r["exposure"] for r in rows] == pytest.approx([EXPOSURE.sum() / 10] * 10, rel=0.04)
    assert [r["expected"] for r in rows] == sorted(r["expected"] for r in rows)
    assert set(equal_exposure_bands(np.ones(5), np.ones(5), 10)) == {5}


def test_bootstrap_draws_whole_members() -> None:
    member = np.repeat(np.arange(50), 10)
    level = np.repeat(np.random.default_rng(1).normal(0, 1, 50), 10)
    by_member = bootstrap_mean(level, np.ones(500), member, np.random.default_rng(2))
    by_row = bootstrap_mean(level, np.ones(500), np.arange(500), np.random.default_rng(2))
    assert by_member.mean == pytest.approx(level.mean())
    assert by_member.high - by_member.low > 2 * (by_row.high - by_row.low)
