import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskengine.errors import InputError
from riskengine.risk.diagnostics import (
    Family,
    Loss,
    capped_r2,
    d2,
    mean_absolute_error,
    poisson_deviance,
    r2,
    tweedie_deviance,
    unit_gamma_deviance,
    unit_poisson_deviance,
    unit_tweedie_deviance,
    weighted_quantile,
)

RNG = np.random.default_rng(5)
ACTUAL = RNG.gamma(0.5, 200, 500)
EXPECTED = RNG.gamma(2, 50, 500)
EXPOSURE = RNG.uniform(0.2, 1, 500)
EVENT = (RNG.random(500) < 0.3).astype(np.float64)
CHANCE = RNG.uniform(0.05, 0.9, 500)
AMOUNTS = (Loss(Family.SQUARED_ERROR), Loss(Family.POISSON), Loss(Family.GAMMA),
           Loss(Family.TWEEDIE, 1.5))  # fmt: skip


def test_deviance_is_least_at_the_truth() -> None:
    assert poisson_deviance(ACTUAL, ACTUAL, EXPOSURE) == pytest.approx(0, abs=1e-9)
    assert tweedie_deviance(ACTUAL, ACTUAL, EXPOSURE, 1.5) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("loss", AMOUNTS)
def test_the_mean_is_the_best_constant(loss: Loss) -> None:
    best = loss.reference(ACTUAL, EXPOSURE)
    assert best[0] == pytest.approx(np.average(ACTUAL, weights=EXPOSURE))
    for off in (0.9, 1.1):
        assert loss.mean(ACTUAL, off * best, EXPOSURE) > loss.mean(ACTUAL, best, EXPOSURE)


def test_deviances_agree_with_scikit_learn() -> None:
    from sklearn.metrics import log_loss, mean_tweedie_deviance

    for loss in AMOUNTS:
        assert loss.mean(ACTUAL, EXPECTED, EXPOSURE) == pytest.approx(
            mean_tweedie_deviance(
                ACTUAL, EXPECTED, sample_weight=EXPOSURE, power=loss.variance_power
            )
        )
    assert Loss(Family.BINARY).mean(EVENT, CHANCE, EXPOSURE) == pytest.approx(
        log_loss(EVENT, CHANCE, sample_weight=EXPOSURE)
    )
    shares = RNG.dirichlet([1, 2, 3], 500)
    classes = RNG.integers(0, 3, 500).astype(np.float64)
    assert Loss(Family.MULTICLASS).mean(classes, shares, EXPOSURE) == pytest.approx(
        log_loss(classes, shares, sample_weight=EXPOSURE)
    )


def test_known_unit_deviances() -> None:
    two, one = np.array([2.0]), np.array([1.0])
    assert unit_poisson_deviance(two, one) == pytest.approx(2 * (2 * np.log(2) - 1))
    assert unit_gamma_deviance(two, one) == pytest.approx(2 * (1 - np.log(2)))
    # 2 (y^0.5 / -0.25 + y 1^-0.5 / 0.5 + 1 / 0.5) at y = 4
    assert unit_tweedie_deviance(np.array([4.0]), one, 1.5) == pytest.approx(2 * (-8 + 8 + 2))
    assert unit_tweedie_deviance(np.array([4.0]), one, 0) == pytest.approx(9)


def test_tweedie_runs_into_poisson_and_gamma() -> None:
    near_one = unit_tweedie_deviance(ACTUAL, EXPECTED, 1 + 1e-6)
    np.testing.assert_allclose(near_one, unit_poisson_deviance(ACTUAL, EXPECTED), rtol=1e-3)
    near_two = unit_tweedie_deviance(ACTUAL, EXPECTED, 2 - 1e-6)
    np.testing.assert_allclose(near_two, unit_gamma_deviance(ACTUAL, EXPECTED), rtol=1e-3)
    assert (Loss(Family.TWEEDIE, 1.0).unit(ACTUAL, EXPECTED) ==
            Loss(Family.POISSON).unit(ACTUAL, EXPECTED)).all()  # fmt: skip


@given(
    actual=st.floats(0.01, 1e4),
    expected=st.floats(0.01, 1e4),
    scale=st.floats(0.1, 100),
    power=st.sampled_from([0, 1, 1.2, 1.5, 1.9, 2]),
)
def test_positive_and_homogeneous(
    actual: float, expected: float, scale: float, power: float
) -> None:
    """Another currency multiplies the deviance by a power of the rate, and moves no comparison."""
    y, m = np.array([actual]), np.array([expected])
    unit = unit_tweedie_deviance(y, m, power)[0]
    size = max(actual, expected) ** (2 - power)
    assert unit >= -1e-8 * size
    scaled = unit_tweedie_deviance(scale * y, scale * m, power)[0]
    assert scaled == pytest.approx(
        scale ** (2 - power) * unit, rel=1e-6, abs=1e-6 * scale**2 * size
    )


def test_sure_and_wrong_is_infinitely_bad() -> None:
    loss = Loss(Family.BINARY)
    assert loss.unit(np.array([0.0, 0.0]), np.array([0.0, 1.0])).tolist() == [0.0, np.inf]


@pytest.mark.parametrize("loss", AMOUNTS)
def test_share_explained(loss: Loss) -> None:
    assert d2(ACTUAL, ACTUAL, EXPOSURE, loss) == pytest.approx(1)
    mean = loss.reference(ACTUAL, EXPOSURE)
    assert d2(ACTUAL, mean, EXPOSURE, loss) == pytest.approx(0, abs=1e-12)
    assert d2(ACTUAL, 3 * mean, EXPOSURE, loss) < 0
    assert d2(ACTUAL, mean, EXPOSURE, loss, reference=mean * 1.5) > 0


def test_share_explained_agrees_with_scikit_learn() -> None:
    from sklearn.metrics import d2_tweedie_score, r2_score

    assert d2(ACTUAL, EXPECTED, EXPOSURE, Loss(Family.TWEEDIE, 1.5)) == pytest.approx(
        d2_tweedie_score(ACTUAL, EXPECTED, sample_weight=EXPOSURE, power=1.5)
    )
    assert r2(ACTUAL, EXPECTED, EXPOSURE) == pytest.approx(
        r2_score(ACTUAL, EXPECTED, sample_weight=EXPOSURE)
    )


def test_share_explained_of_classes() -> None:
    loss = Loss(Family.MULTICLASS)
    classes = np.array([0.0, 1.0, 1.0, 1.0])
    assert loss.reference(classes, np.ones(4))[0].tolist() == [0.25, 0.75]
    assert d2(classes, np.eye(2)[[0, 1, 1, 1]], np.ones(4), loss) == pytest.approx(1)


def test_one_catastrophe_does_not_decide_the_capped_r2() -> None:
    dearer = ACTUAL.copy()
    dearer[np.argmax(dearer)] *= 100
    assert capped_r2(dearer, EXPECTED, EXPOSURE) == capped_r2(ACTUAL, EXPECTED, EXPOSURE)
    assert r2(dearer, EXPECTED, EXPOSURE) != pytest.approx(r2(ACTUAL, EXPECTED, EXPOSURE))
    assert capped_r2(ACTUAL, EXPECTED, EXPOSURE, share=1.0) == r2(ACTUAL, EXPECTED, EXPOSURE)


def test_mean_absolute_error_by_hand() -> None:
    rows = np.array([1.0, 5.0]), np.array([2.0, 2.0]), np.array([3.0, 1.0])
    assert mean_absolute_error(*rows) == (3 * 1 + 1 * 3) / 4


@given(
    rows=st.lists(st.tuples(st.integers(0, 20), st.integers(1, 5)), min_size=1, max_size=20),
    share=st.sampled_from([0.01, 0.25, 0.5, 0.9, 0.99, 1.0]),
)
def test_weights_are_repeated_rows(rows: list[tuple[int, int]], share: float) -> None:
    values, weights = (np.array(column) for column in zip(*rows, strict=True))
    repeated = np.sort(np.repeat(values, weights))
    expected = repeated[int(np.ceil(share * len(repeated) - 1e-9)) - 1]
    found = weighted_quantile(values.astype(np.float64), weights.astype(np.float64), share)
    assert found == expected


def test_shares_that_are_met_but_for_rounding_are_met() -> None:
    values, tenths = np.arange(1.0, 21.0), np.full(20, 0.1)
    found = [weighted_quantile(values, tenths, place / 20) for place in range(1, 21)]
    assert found == values.tolist()


@pytest.mark.parametrize(
    ("loss", "actual", "expected", "words"),
    [
        (Loss(Family.POISSON), -1.0, 1.0, r"actual of row 0 is -1\.0"),
        (Loss(Family.POISSON), 1.0, 0.0, r"expected of row 0 is 0\.0"),
        (Loss(Family.GAMMA), 0.0, 1.0, "a gamma deviance needs more than 0"),
        (Loss(Family.TWEEDIE, 1.5), np.nan, 1.0, "actual of row 0 is nan"),
        (Loss(Family.BINARY), 0.5, 0.5, "a log loss needs 0 or 1"),
        (Loss(Family.BINARY), 1.0, 1.5, "give a probability"),
        (Loss(Family.MULTICLASS), 1.0, 0.5, r"give probabilities \(n, classes\)"),
    ],
)
def test_outside_the_domain(loss: Loss, actual: float, expected: float, words: str) -> None:
    with pytest.raises(InputError, match=words):
        loss.mean(np.array([actual]), np.array([expected]), np.ones(1))


def test_classes_that_are_not_there() -> None:
    half = np.array([[0.5, 0.5]])
    with pytest.raises(InputError, match="give a class from 0 to 1"):
        Loss(Family.MULTICLASS).unit(np.array([2.0]), half)
    with pytest.raises(InputError, match="that sum to 1"):
        Loss(Family.MULTICLASS).unit(np.array([1.0]), half / 2)


def test_losses_that_are_none() -> None:
    for power in (None, 0.5, 2.5):
        with pytest.raises(InputError, match="give one from 1 to 2"):
            Loss(Family.TWEEDIE, power)
    with pytest.raises(InputError, match="has no power"):
        Loss(Family.POISSON, 1.5)
    with pytest.raises(InputError, match="has no variance power"):
        _ = Loss(Family.BINARY).variance_power
    with pytest.raises(InputError, match="the Tweedie power is 3"):
        unit_tweedie_deviance(ACTUAL, EXPECTED, 3)


def test_nothing_to_measure() -> None:
    with pytest.raises(InputError, match="sums to 0"):
        poisson_deviance(ACTUAL, EXPECTED, np.zeros(500))
    with pytest.raises(InputError, match="expected has 499 rows and exposure 500"):
        poisson_deviance(ACTUAL, EXPECTED[1:], EXPOSURE)
    with pytest.raises(InputError, match="exposure of row 0 is -1"):
        poisson_deviance(ACTUAL, EXPECTED, -np.ones(500))
    with pytest.raises(InputError, match="nothing left to explain"):
        r2(np.ones(5), np.ones(5), np.ones(5))
    with pytest.raises(InputError, match="the share of a quantile is 0"):
        weighted_quantile(ACTUAL, EXPOSURE, 0)
