"""Randomised quantile residuals: standard normal if and only if the whole distribution is right.

A raw residual of a count or a cost with many zeros shows its discreteness, not the model's fault.
A randomised quantile residual puts a uniform number into each jump of the distribution function.
Reference: Dunn and Smyth (1996), "Randomized quantile residuals".
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammainc, gammaincc, gammaln, ndtri, pdtr, pdtrc, xlogy

from riskengine.errors import InputError
from riskengine.risk.diagnostics.contract import refuse, require_rows
from riskengine.risk.diagnostics.deviance import Family, Loss
from riskengine.vocabulary import FloatArray, IntArray

_LEAST = 1e-300
_FAR = 12.0
"""How many standard deviations of the claim count the compound Poisson sum reaches."""


@dataclass(frozen=True, eq=False)
class _Position:
    """Of each outcome the chance of less, of exactly it, and of more, (n,) each.

    Both tails are kept, since 1 less a number near 1 has no digits left.
    """

    below: FloatArray
    at: FloatArray
    above: FloatArray


def quantile_residuals(
    actual: FloatArray,
    expected: FloatArray,
    exposure: FloatArray,
    loss: Loss,
    dispersion: float,
    rng: np.random.Generator,
) -> FloatArray:
    """Randomised quantile residuals (n,): normal quantile of u, uniform on (F(y-), F(y)].

    Outcomes (n,) are per unit of exposure with variance dispersion x m^p / exposure:
    `poisson` (actual x exposure is a count, dispersion 1), `gamma`, `tweedie` (compound Poisson
    with gamma severities, an exact mass at 0), `binary` (one trial a row, whatever its exposure,
    dispersion 1). Raises `InputError` for other families, values outside the domain, exposures of
    0 or a dispersion that the family does not have.

    >>> rng = np.random.default_rng(1)
    >>> one = quantile_residuals(
    ...     np.array([np.log(2.0)]), np.ones(1), np.ones(1), Loss(Family.GAMMA), 1.0, rng)
    >>> abs(one.round(9)).tolist()  # the median of an exponential
    [0.0]
    """
    require_rows(exposure, actual=actual, expected=expected)
    refuse(exposure <= 0, exposure, "exposure", "a residual needs more than 0")
    _require_dispersion(loss, dispersion)
    loss.unit(actual, expected)
    if loss.family is Family.POISSON:
        place = _poisson(actual, expected, exposure)
    elif loss.family is Family.GAMMA:
        place = _gamma(actual, expected, exposure / dispersion)
    elif loss.family is Family.TWEEDIE:
        place = _tweedie(actual, expected, exposure / dispersion, loss.variance_power)
    else:
        place = _binary(actual, expected)
    uniform = rng.random(len(actual))
    lower = np.maximum(place.below + uniform * place.at, _LEAST)
    upper = np.maximum(place.above + (1 - uniform) * place.at, _LEAST)
    return np.asarray(np.where(lower < 0.5, ndtri(lower), -ndtri(upper)))


def pearson_dispersion(
    actual: FloatArray, expected: FloatArray, exposure: FloatArray, power: float
) -> float:
    """Pearson's estimate of the dispersion, mean over rows of exposure (y - m)^2 / m^power.

    Arrays (n,). For predictions of rows that the model did not see; a fit to the same rows would
    need its degrees of freedom. Reference: McCullagh and Nelder (1989), section 9.2.4. Raises
    `InputError` where an expected value is not above 0.

    >>> pearson_dispersion(np.array([1.0, 3.0]), np.full(2, 2.0), np.ones(2), 1.0)
    0.5
    """
    require_rows(exposure, actual=actual, expected=expected)
    refuse(expected <= 0, expected, "expected", "a variance function needs means above 0")
    return float(np.mean(exposure * (actual - expected) ** 2 / expected**power))


def _require_dispersion(loss: Loss, dispersion: float) -> None:
    if loss.family in {Family.SQUARED_ERROR, Family.MULTICLASS} or loss.power in {1, 2}:
        message = (
            f"no quantile residuals for {loss}: use poisson, gamma, binary, or tweedie with a"
            " power between 1 and 2"
        )
        raise InputError(message)
    if loss.family in {Family.POISSON, Family.BINARY}:
        if dispersion != 1:
            message = f"the dispersion of {loss.family} is 1, got {dispersion}"
            raise InputError(message)
    elif not 0 < dispersion < np.inf:
        message = f"the dispersion is {dispersion}: give one above 0"
        raise InputError(message)


def _poisson(actual: FloatArray, expected: FloatArray, exposure: FloatArray) -> _Position:
    count, mean = np.rint(actual * exposure), expected * exposure
    uneven = np.abs(actual * exposure - count) > 1e-6
    refuse(uneven, actual, "actual", "actual x exposure must be a whole count of claims")
    at = np.exp(xlogy(count, mean) - mean - gammaln(count + 1))
    below = np.where(count > 0, pdtr(np.maximum(count - 1, 0), mean), 0.0)
    return _Position(below, at, pdtrc(count, mean))


def _gamma(actual: FloatArray, expected: FloatArray, shape: FloatArray) -> _Position:
    scaled = actual * shape / expected
    return _Position(gammainc(shape, scaled), np.zeros(len(actual)), gammaincc(shape, scaled))


def _binary(actual: FloatArray, expected: FloatArray) -> _Position:
    event = actual == 1
    return _Position(
        np.where(event, 1 - expected, 0.0),
        np.where(event, expected, 1 - expected),
        np.where(event, 0.0, expected),
    )


def _tweedie(
    actual: FloatArray, expected: FloatArray, precision: FloatArray, power: float
) -> _Position:
    """Claims N are Poisson with mean m^(2-p) precision / (2-p); given N the cost is gamma with
    shape N (2-p) / (p-1) and scale (p-1) m^(p-1) / precision (Jorgensen, 1997, section 4.2).
    """
    rate = expected ** (2 - power) * precision / (2 - power)
    shape = (2 - power) / (power - 1)
    scaled = actual / ((power - 1) * expected ** (power - 1) / precision)
    none = np.exp(-rate)
    positive = actual > 0
    below, above = np.zeros(len(actual)), -np.expm1(-rate)
    rows = np.flatnonzero(positive)
    below[rows], above[rows] = _compound(scaled[rows], rate[rows], shape)
    below[rows] += none[rows]
    return _Position(below, np.where(positive, 0.0, none), above)


def _compound(scaled: FloatArray, rate: FloatArray, shape: float) -> tuple[FloatArray, FloatArray]:
    """Chance of a cost in (0, y] and of one above y, summed over the count of claims.

    Terms beyond `_FAR` standard deviations of the count are left out.
    """
    reach = _FAR * np.sqrt(rate)
    first = np.maximum(np.floor(rate - reach), 1.0)
    last = np.ceil(rate + reach + 3 * _FAR)
    below, above = np.zeros(len(rate)), np.zeros(len(rate))
    order = np.argsort(last, kind="stable")
    ends = last[order]
    for count in range(int(first.min(initial=1)), int(last.max(initial=0)) + 1):
        # Sorted by `last`, the rows not yet done are a tail; of them those that have begun count.
        tail: IntArray = order[np.searchsorted(ends, count) :]
        rows = tail[first[tail] <= count]
        chance = np.exp(count * np.log(rate[rows]) - rate[rows] - gammaln(count + 1))
        below[rows] += chance * gammainc(count * shape, scaled[rows])
        above[rows] += chance * gammaincc(count * shape, scaled[rows])
    return below, above
