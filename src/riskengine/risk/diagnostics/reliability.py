"""Whether predictions mean what they say: reliability diagram, bias and Murphy decomposition.

Numbers only. References: Murphy (1973), "A new vector partition of the probability score";
Dimitriadis, Gneiting and Jordan (2021), "Stable reliability diagrams"; Fissler, Lorentzen and
Mayer (2022), "Model comparison and calibration assessment".
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from riskengine.errors import InputError
from riskengine.risk.diagnostics.bootstrap import Interval, MemberDraws
from riskengine.risk.diagnostics.contract import require_rows
from riskengine.risk.diagnostics.deviance import Family, Loss
from riskengine.risk.diagnostics.levels import equal_exposure_bands
from riskengine.vocabulary import FloatArray


@dataclass(frozen=True)
class ReliabilityBin:
    """One point of a reliability diagram: mean prediction against mean outcome.

    `exposure` is a total, all else is per unit of exposure; `bias` is expected - actual.
    """

    exposure: float
    expected: float
    actual: Interval
    bias: Interval


@dataclass(frozen=True)
class Murphy:
    """Mean deviance = miscalibration - discrimination + uncertainty.

    `miscalibration` is what recalibrating would gain (0 is best), `discrimination` what the order
    of the predictions gains over the mean (more is better), `uncertainty` the deviance of the mean.
    """

    miscalibration: float
    discrimination: float
    uncertainty: float
    mean_deviance: float


def reliability_bins(
    actual: FloatArray,
    expected: FloatArray,
    exposure: FloatArray,
    draws: MemberDraws,
    count: int = 10,
) -> tuple[ReliabilityBin, ...]:
    """Mean outcome and bias in bins of equal exposure by prediction, lowest first; arrays (n,).

    >>> from riskengine.risk.diagnostics import draw_members
    >>> draws = draw_members(np.arange(2), np.random.default_rng(1))
    >>> bins = reliability_bins(
    ...     np.array([0.0, 1.0]), np.array([0.25, 0.75]), np.ones(2), draws, count=2)
    >>> [(row.expected, row.actual.mean, row.bias.mean) for row in bins]
    [(0.25, 0.0, 0.25), (0.75, 1.0, -0.25)]
    """
    require_rows(exposure, actual=actual, expected=expected)
    _, band = np.unique(equal_exposure_bands(expected, exposure, count), return_inverse=True)
    weight = np.bincount(band, exposure)
    mean = np.bincount(band, exposure * expected) / np.where(weight > 0, weight, 1.0)
    outcome = draws.ratios(exposure * actual, exposure, band)
    bias = draws.ratios(exposure * (expected - actual), exposure, band)
    return tuple(
        ReliabilityBin(float(weight[b]), float(mean[b]), outcome[b], bias[b])
        for b in np.flatnonzero(weight).tolist()
    )


def murphy_decomposition(
    actual: FloatArray, expected: FloatArray, exposure: FloatArray, loss: Loss
) -> Murphy:
    """The mean deviance apart, by `model_diagnostics.scoring.decompose`; arrays (n,).

    Recalibration is isotonic regression of the outcome on the prediction. Raises `InputError` for
    `multiclass`, whose predictions have no order, and where all outcomes are equal.

    >>> murphy_decomposition(np.array([0.0, 0.0, 1.0, 1.0]), np.array([-1.0, 1.0, 1.0, 2.0]),
    ...     np.ones(4), Loss(Family.SQUARED_ERROR))
    Murphy(miscalibration=0.625, discrimination=0.125, uncertainty=0.25, mean_deviance=0.75)
    """
    # Imported when asked for: it draws in polars and pyplot, which no quote needs.
    from model_diagnostics.scoring import decompose

    require_rows(exposure, actual=actual, expected=expected)
    score = _scoring_function(loss)
    loss.unit(actual, expected)
    if np.ptp(actual) == 0:
        message = f"every outcome is {actual[0]}: there is no deviance to take apart"
        raise InputError(message)
    # `decompose` mends recalibrated values of 0 by position, so rows must rise with the prediction.
    order = np.argsort(expected, kind="stable")
    order = order[exposure[order] > 0]
    found = decompose(
        y_obs=actual[order],
        y_pred=expected[order],
        weights=exposure[order],
        scoring_function=score,
        functional="mean",
    ).row(0, named=True)
    return Murphy(
        miscalibration=float(found["miscalibration"]),
        discrimination=float(found["discrimination"]),
        uncertainty=float(found["uncertainty"]),
        mean_deviance=float(found["score"]),
    )


def _scoring_function(loss: Loss) -> Callable[..., float]:
    from model_diagnostics.scoring import HomogeneousExpectileScore, LogLoss

    if loss.family is Family.MULTICLASS:
        message = "a multiclass loss has no Murphy decomposition here: take one class at a time"
        raise InputError(message)
    if loss.family is Family.BINARY:
        score: Callable[..., float] = LogLoss()
        return score
    score = HomogeneousExpectileScore(degree=2 - loss.variance_power)
    return score
