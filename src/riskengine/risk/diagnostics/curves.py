"""What is drawn of a model: lift, Lorenz, reliability, residuals, as a few numbers each.

Curves are thinned, so that a report of a million rows is as small as one of a thousand.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from riskengine.risk.diagnostics.bootstrap import MemberDraws
from riskengine.risk.diagnostics.calibration import (
    Segment,
    predictive_ratios_by_decile,
    segments_of,
)
from riskengine.risk.diagnostics.deviance import Family
from riskengine.risk.diagnostics.headline import SEED
from riskengine.risk.diagnostics.judged import GLM, MEAN, Judged
from riskengine.risk.diagnostics.levels import equal_exposure_bands
from riskengine.risk.diagnostics.lift import DoubleLiftBand, double_lift, lorenz_curve
from riskengine.risk.diagnostics.reliability import (
    Murphy,
    ReliabilityBin,
    murphy_decomposition,
    reliability_bins,
)
from riskengine.risk.diagnostics.residuals import pearson_dispersion, quantile_residuals
from riskengine.vocabulary import FloatArray

_POINTS = 200
_DECILES = 10
_RESIDUALS = 20_000
_SHARES = np.concatenate([[0.001, 0.002, 0.005], np.arange(1, 100) / 100, [0.995, 0.998, 0.999]])
_WHOLE = 1e-6


@dataclass(frozen=True, eq=False)
class Lorenz:
    """A Lorenz curve of at most 200 points, from (0, 0) to (1, 1)."""

    exposure: FloatArray
    cost: FloatArray


@dataclass(frozen=True, eq=False)
class Residuals:
    """Quantiles of randomised quantile residuals beside those of the normal law, (shares,) each.

    `band` is half the width of the pointwise 95 % band in which `observed` lies around `normal`
    where the whole distribution is right and rows are independent. `dispersion` is Pearson's;
    `rows` are how many residuals there are.
    """

    normal: FloatArray
    observed: FloatArray
    band: FloatArray
    dispersion: float
    rows: int


@dataclass(frozen=True, eq=False)
class Curves:
    """The pictures of one outcome; `of` is the class it is about, empty where there are none.

    `lift` has A/E by decile of expected, `predictive_ratios` its inverse with an interval of its
    own. `double_lift` sets the GLM (first) against the model (second), None without a GLM. `murphy`
    takes the deviance of each prediction but the mean apart. `residuals` are None for outcomes
    that have none. `by_fold` is A/E by fold, empty where no fold was held out.
    """

    of: str
    lift: tuple[Segment, ...]
    predictive_ratios: tuple[Segment, ...]
    double_lift: tuple[DoubleLiftBand, ...] | None
    lorenz: Mapping[str, Lorenz]
    reliability: tuple[ReliabilityBin, ...]
    murphy: Mapping[str, Murphy]
    residuals: Residuals | None
    by_fold: tuple[Segment, ...]


def curves_of(judged: Judged, draws: MemberDraws) -> Curves:
    """All pictures of a mean or a probability, (n,) predictions each."""
    actual, expected, weight = judged.rows
    glm = judged.predictions.get(GLM)
    ordering = {name: found for name, found in judged.predictions.items() if name != MEAN}
    varied = np.ptp(actual) > 0
    return Curves(
        of=judged.of,
        lift=_by_decile(judged, draws),
        predictive_ratios=predictive_ratios_by_decile(actual, expected, weight, draws),
        double_lift=None if glm is None else double_lift(actual, glm, expected, weight),
        lorenz={name: _lorenz(actual, found, weight) for name, found in ordering.items()},
        reliability=reliability_bins(actual, expected, weight, draws),
        murphy={
            name: murphy_decomposition(actual, found, weight, judged.loss)
            for name, found in ordering.items()
            if varied
        },
        residuals=_residuals(judged) if varied else None,
        by_fold=_by_fold(judged, draws),
    )


def _by_decile(judged: Judged, draws: MemberDraws) -> tuple[Segment, ...]:
    band = equal_exposure_bands(judged.expected, judged.weight, _DECILES)
    used, code = np.unique(band, return_inverse=True)
    names = tuple((str(number + 1),) for number in used.tolist())
    return segments_of(judged.rows, names, np.asarray(code, dtype=np.int64), draws)


def _by_fold(judged: Judged, draws: MemberDraws) -> tuple[Segment, ...]:
    if judged.fold is None:
        return ()
    used, code = np.unique(judged.fold, return_inverse=True)
    names = tuple((str(number),) for number in used.tolist())
    return segments_of(judged.rows, names, np.asarray(code, dtype=np.int64), draws)


def _lorenz(actual: FloatArray, expected: FloatArray, weight: FloatArray) -> Lorenz:
    exposure, cost = lorenz_curve(actual, expected, weight)
    at = np.searchsorted(exposure, np.linspace(0, 1, _POINTS)).clip(max=len(exposure) - 1)
    kept = np.unique(np.concatenate([[0], at, [len(exposure) - 1]]))
    return Lorenz(exposure[kept], cost[kept])


def _residuals(judged: Judged) -> Residuals | None:
    """None where counts are no whole numbers: such outcomes have no distribution here."""
    rng = np.random.default_rng(SEED)
    rows = np.arange(len(judged.actual))
    if len(rows) > _RESIDUALS:
        rows = np.sort(rng.choice(rows, _RESIDUALS, replace=False))
    actual, expected, weight = (column[rows] for column in judged.rows)
    family = judged.loss.family
    if family is Family.POISSON:
        count = actual * weight
        if np.abs(count - np.rint(count)).max() > _WHOLE:
            return None
    dispersion = 1.0
    if family not in {Family.POISSON, Family.BINARY}:
        dispersion = pearson_dispersion(actual, expected, weight, judged.loss.variance_power)
    found = quantile_residuals(actual, expected, weight, judged.loss, dispersion, rng)
    least = 1 / len(rows)
    shares = _SHARES[(least <= _SHARES) & (1 - least >= _SHARES)]
    normal = ndtri(shares)
    density = np.exp(-(normal**2) / 2) / np.sqrt(2 * np.pi)
    band = 1.96 * np.sqrt(shares * (1 - shares) / len(rows)) / density
    return Residuals(normal, np.quantile(found, shares), band, dispersion, len(rows))
