"""How far predictions are from outcomes: deviances by family, and the shares explained.

A deviance is the loss that is least, on average, at the true mean of its family; which one is used
is a `Loss`, a small closed type that the other diagnostics share. Left out: anything that orders
(see `lift`) or that compares levels (see `calibration`).
Reference: Wüthrich and Merz, "Statistical Foundations of Actuarial Learning", chapters 2 and 4.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.special import xlogy

from riskengine.errors import InputError
from riskengine.risk.diagnostics.contract import refuse, require_rows
from riskengine.vocabulary import FloatArray


class Family(StrEnum):
    """Families of losses."""

    SQUARED_ERROR = "squared_error"
    POISSON = "poisson"
    GAMMA = "gamma"
    TWEEDIE = "tweedie"
    BINARY = "binary"
    MULTICLASS = "multiclass"


_POWERS = {Family.SQUARED_ERROR: 0.0, Family.POISSON: 1.0, Family.GAMMA: 2.0}
_PROBABILITIES = {Family.BINARY, Family.MULTICLASS}


@dataclass(frozen=True)
class Loss:
    """A family and, for `tweedie`, the power p of its variance function m ** p.

    Raises `InputError` when a Tweedie power is missing or outside 1 to 2, or another family has
    one.

    >>> Loss(Family.TWEEDIE, 1.5).unit(np.array([0.0, 4.0]), np.array([1.0, 4.0])).tolist()
    [4.0, 0.0]
    """

    family: Family
    power: float | None = None

    def __post_init__(self) -> None:
        if self.family is Family.TWEEDIE:
            if self.power is None or not 1 <= self.power <= 2:
                message = f"the power of a Tweedie loss is {self.power}: give one from 1 to 2"
                raise InputError(message)
        elif self.power is not None:
            message = f"a {self.family} loss has no power, got {self.power}: leave it out"
            raise InputError(message)

    @property
    def variance_power(self) -> float:
        """p in variance = dispersion * m ** p; `InputError` for probabilities, which have none."""
        if self.family in _PROBABILITIES:
            message = f"a {self.family} loss has no variance power: use a loss of amounts or counts"
            raise InputError(message)
        return _POWERS[self.family] if self.power is None else self.power

    def unit(self, actual: FloatArray, expected: FloatArray) -> FloatArray:
        """Unit deviances (n,) of outcomes per unit of exposure (n,).

        `expected` (n,) are means, probabilities of 1 for `binary`, and for `multiclass` (n,
        classes) the probabilities of the classes, of which `actual` holds the number from 0.
        Raises `InputError` for values outside the family's domain.
        """
        if self.family is Family.MULTICLASS:
            return unit_multinomial_log_loss(actual, expected)
        if self.family is Family.BINARY:
            return unit_log_loss(actual, expected)
        return unit_tweedie_deviance(actual, expected, self.variance_power)

    def mean(self, actual: FloatArray, expected: FloatArray, exposure: FloatArray) -> float:
        """Mean of `unit` weighted by `exposure` (n,).

        >>> loss = Loss(Family.SQUARED_ERROR)
        >>> loss.mean(np.array([1.0, 5.0]), np.array([1.0, 3.0]), np.array([3.0, 1.0]))
        1.0
        """
        require_rows(exposure, actual=actual, expected=expected)
        return float(np.average(self.unit(actual, expected), weights=exposure))

    def reference(self, actual: FloatArray, exposure: FloatArray) -> FloatArray:
        """The best constant prediction: the mean (n,), or for `multiclass` the shares (n, classes).

        >>> Loss(Family.POISSON).reference(np.array([0.0, 3.0]), np.array([2.0, 1.0])).tolist()
        [1.0, 1.0]
        """
        require_rows(exposure, actual=actual)
        if self.family is Family.MULTICLASS:
            share = np.bincount(actual.astype(np.int64), weights=exposure) / exposure.sum()
            return np.tile(share, (len(actual), 1))
        return np.full(len(actual), np.average(actual, weights=exposure))


def unit_poisson_deviance(actual: FloatArray, expected: FloatArray) -> FloatArray:
    """Unit Poisson deviances (n,), 2 (y log(y / m) - y + m), with y log y = 0 at 0.

    Raises `InputError` where y is below 0 or m not above it.

    >>> unit_poisson_deviance(np.array([0.0, 3.0]), np.array([1.0, 3.0])).tolist()
    [2.0, 0.0]
    """
    refuse(actual < 0, actual, "actual", "a Poisson deviance needs 0 or more")
    _refuse_low_means(expected)
    return np.asarray(2 * (xlogy(actual, actual / expected) - actual + expected))


def unit_gamma_deviance(actual: FloatArray, expected: FloatArray) -> FloatArray:
    """Unit gamma deviances (n,), 2 (y / m - 1 - log(y / m)).

    Raises `InputError` where y or m is not above 0: a year without a claim has no severity.

    >>> unit_gamma_deviance(np.array([5.0]), np.array([5.0])).tolist()
    [0.0]
    """
    refuse(actual <= 0, actual, "actual", "a gamma deviance needs more than 0")
    _refuse_low_means(expected)
    ratio = actual / expected
    return np.asarray(2 * (ratio - 1 - np.log(ratio)))


def unit_tweedie_deviance(actual: FloatArray, expected: FloatArray, power: float) -> FloatArray:
    """Unit Tweedie deviances (n,) for a power from 1 to 2, or 0 (Jorgensen, 1997).

    2 (y^(2-p) / ((1-p)(2-p)) - y m^(1-p) / (1-p) + m^(2-p) / (2-p)); in the limits Poisson at
    p = 1, gamma at p = 2 and the squared error at p = 0. Raises `InputError` for other powers.

    >>> unit_tweedie_deviance(np.array([0.0, 4.0]), np.ones(2), 1.5).tolist()
    [4.0, 4.0]
    """
    if power == 0:
        return np.asarray((actual - expected) ** 2)
    if power == 1:
        return unit_poisson_deviance(actual, expected)
    if power == 2:
        return unit_gamma_deviance(actual, expected)
    if not 1 < power < 2:
        message = f"the Tweedie power is {power}: give 0 or one from 1 to 2"
        raise InputError(message)
    refuse(actual < 0, actual, "actual", "a Tweedie deviance needs 0 or more")
    _refuse_low_means(expected)
    a, b = 1 - power, 2 - power
    return np.asarray(2 * (actual**b / (a * b) - actual * expected**a / a + expected**b / b))


def unit_log_loss(actual: FloatArray, expected: FloatArray) -> FloatArray:
    """Log losses (n,) of probabilities of 1, -y log(p) - (1 - y) log(1 - p): half the deviance.

    In nats, for y = 0 or 1. Raises `InputError` for another y, or p outside 0 to 1; a sure
    prediction that was wrong has an infinite loss.

    >>> unit_log_loss(np.array([1.0, 0.0]), np.array([1.0, 0.5])).round(6).tolist()
    [0.0, 0.693147]
    """
    refuse((actual != 0) & (actual != 1), actual, "actual", "a log loss needs 0 or 1")
    refuse((expected < 0) | (expected > 1), expected, "expected", "give a probability")
    return _minus_log(np.where(actual == 1, expected, 1 - expected))


def unit_multinomial_log_loss(actual: FloatArray, expected: FloatArray) -> FloatArray:
    """Log losses (n,) of class probabilities (n, classes): -log of the one that came true.

    In nats; `actual` (n,) holds the number of the class from 0. Raises `InputError` when rows of
    probabilities do not sum to 1 or a class is not there.

    >>> unit_multinomial_log_loss(np.array([1.0]), np.array([[0.5, 0.5]])).round(6).tolist()
    [0.693147]
    """
    if expected.ndim != 2:
        message = f"expected has shape {expected.shape}: give probabilities (n, classes)"
        raise InputError(message)
    unknown = (actual < 0) | (actual >= expected.shape[1]) | (actual != np.floor(actual))
    refuse(unknown, actual, "actual", f"give a class from 0 to {expected.shape[1] - 1}")
    uneven = np.any(expected < 0, axis=1) | (np.abs(expected.sum(axis=1) - 1) > 1e-6)
    refuse(uneven, expected, "expected", "give probabilities that sum to 1")
    return _minus_log(expected[np.arange(len(actual)), actual.astype(np.int64)])


def poisson_deviance(actual: FloatArray, expected: FloatArray, exposure: FloatArray) -> float:
    """Mean unit Poisson deviance; see `unit_poisson_deviance`.

    >>> poisson_deviance(np.array([0.0]), np.array([1.0]), np.array([1.0]))
    2.0
    """
    return Loss(Family.POISSON).mean(actual, expected, exposure)


def tweedie_deviance(
    actual: FloatArray, expected: FloatArray, exposure: FloatArray, power: float
) -> float:
    """Mean unit Tweedie deviance; see `unit_tweedie_deviance`.

    >>> tweedie_deviance(np.array([0.0]), np.array([1.0]), np.array([1.0]), 1.5)
    4.0
    """
    return Loss(Family.TWEEDIE, power).mean(actual, expected, exposure)


def d2(
    actual: FloatArray,
    expected: FloatArray,
    exposure: FloatArray,
    loss: Loss,
    reference: FloatArray | None = None,
) -> float:
    """Share of deviance explained, 1 - deviance(expected) / deviance(reference).

    1 is perfect, 0 no better than the reference, below 0 worse. `reference` (n,) is by default the
    mean of `actual` itself; pass the training mean for a test that the model could lose.
    Reference: Hastie, Tibshirani and Wainwright (2015), section 3.2. Raises `InputError` when the
    reference leaves nothing to explain.

    >>> rows = np.array([1.0, 3.0]), np.array([1.0, 2.0]), np.ones(2)
    >>> d2(*rows, Loss(Family.SQUARED_ERROR))
    0.5
    """
    base = loss.reference(actual, exposure) if reference is None else reference
    unexplained = loss.mean(actual, base, exposure)
    if unexplained <= 0:
        message = f"the reference has deviance {unexplained}: there is nothing left to explain"
        raise InputError(message)
    return 1 - loss.mean(actual, expected, exposure) / unexplained


def r2(actual: FloatArray, expected: FloatArray, exposure: FloatArray) -> float:
    """R2: `d2` of the squared error, the share of variance explained.

    >>> r2(np.array([1.0, 3.0]), np.array([1.0, 2.0]), np.ones(2))
    0.5
    """
    return d2(actual, expected, exposure, Loss(Family.SQUARED_ERROR))


def capped_r2(
    actual: FloatArray, expected: FloatArray, exposure: FloatArray, share: float = 0.99
) -> float:
    """R2 of outcomes capped at their quantile at `share`, so that no single claim decides it.

    Predictions stay as they are: they are of the uncapped mean. Reference: Hileman and Steele,
    "Accuracy of Claims-Based Risk Scoring Models", Society of Actuaries (2016).

    >>> rows = np.array([0.0, 1.0, 100.0]), np.array([0.0, 1.0, 1.0]), np.ones(3)
    >>> round(capped_r2(*rows, share=0.5), 6)
    1.0
    """
    require_rows(exposure, actual=actual, expected=expected)
    cap = weighted_quantile(actual, exposure, share)
    return r2(np.minimum(actual, cap), expected, exposure)


def mean_absolute_error(actual: FloatArray, expected: FloatArray, exposure: FloatArray) -> float:
    """MAE: mean of |y - m|, in the unit of the outcome.

    >>> mean_absolute_error(np.array([1.0, 3.0]), np.array([2.0, 2.0]), np.ones(2))
    1.0
    """
    require_rows(exposure, actual=actual, expected=expected)
    return float(np.average(np.abs(actual - expected), weights=exposure))


def weighted_quantile(values: FloatArray, weight: FloatArray, share: float) -> float:
    """The least value with at least `share` of the weight at or below it.

    Raises `InputError` unless `share` is above 0 and at most 1.

    >>> weighted_quantile(np.array([1.0, 2.0, 9.0]), np.array([1.0, 2.0, 1.0]), 0.75)
    2.0
    """
    if not 0 < share <= 1:
        message = f"the share of a quantile is {share}: give one above 0 and at most 1"
        raise InputError(message)
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order])
    # A hair below, so that shares which are met exactly in theory are so in floating point.
    place = np.searchsorted(reached, share * reached[-1] * (1 - 1e-12), side="left")
    return float(values[order][place])


def _refuse_low_means(expected: FloatArray) -> None:
    refuse(expected <= 0, expected, "expected", "a mean under a log link is above 0")


def _minus_log(probability: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.asarray(0.0 - np.log(probability))
