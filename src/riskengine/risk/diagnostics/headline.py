"""The figures at the head of a report: one row a model, each figure with its interval.

Everything of totals shares one set of draws of members; Gini and AUC, which sort, have their own.
What says nothing about a family of outcomes is left out: None, never 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from riskengine.risk.diagnostics.bootstrap import Interval, MemberDraws
from riskengine.risk.diagnostics.deviance import Family, Loss, weighted_quantile
from riskengine.risk.diagnostics.judged import MEAN, MODEL, Judged
from riskengine.risk.diagnostics.lift import auc_interval, deviance_difference, gini_interval
from riskengine.vocabulary import FloatArray

CAP_SHARE = 0.99
"""Outcomes above their quantile at this share are cut to it for `capped_r2`."""
SEED = 1


@dataclass(frozen=True)
class Measures:
    """How good predictions are; every figure with its 95 % interval by bootstrap over members.

    `deviance` is the mean unit deviance of the loss (for probabilities half of it, in nats). `d2`,
    `r2` and `capped_r2` are shares explained beside the mean of the judged rows, which the draws
    leave as it is. `mean_absolute_error` is in the unit of the outcome. None where a figure says
    nothing: classes have no order and no level, probabilities no absolute error.
    """

    deviance: Interval
    d2: Interval
    actual_over_expected: Interval | None = None
    gini: Interval | None = None
    auc: Interval | None = None
    r2: Interval | None = None
    capped_r2: Interval | None = None
    mean_absolute_error: Interval | None = None

    def figures(self) -> Mapping[str, Interval]:
        """The figures that there are, by name.

        >>> one = Interval(1.0, 1.0, 1.0)
        >>> list(Measures(one, one, r2=one).figures())
        ['deviance', 'd2', 'r2']
        """
        found = {part.name: getattr(self, part.name) for part in fields(self)}
        return {name: figure for name, figure in found.items() if figure is not None}


def headline(judged: Judged, draws: MemberDraws) -> dict[str, Measures]:
    """The measures of each prediction, on the same rows and draws.

    The mean has a Gini of 0 and an AUC of 0.5 by definition: its constants differ by fold alone.
    """
    return {name: _measures(judged, name, draws) for name in judged.predictions}


def advantages(judged: Judged, draws: MemberDraws) -> dict[str, Interval]:
    """For each yardstick its mean deviance less the model's, paired row by row.

    Above 0 the model is better, and beyond chance where the interval lies above 0.
    """
    return {
        name: deviance_difference(
            judged.actual, (found, judged.expected), judged.weight, judged.loss, draws
        )
        for name, found in judged.predictions.items()
        if name != MODEL
    }


def _measures(judged: Judged, name: str, draws: MemberDraws) -> Measures:
    actual, weight, loss = judged.actual, judged.weight, judged.loss
    expected = judged.predictions[name]
    unit = loss.unit(actual, expected)
    reference = loss.unit(actual, loss.reference(actual, weight))
    deviance, share = draws.ratio(weight * unit, weight), _explained(unit, reference, weight, draws)
    if loss.family is Family.MULTICLASS:
        return Measures(deviance, share)
    level = draws.ratio(weight * actual, weight * expected)
    gini, auc = _order(judged, name, draws)
    squared = _squared(actual, expected, weight, draws)
    if loss.family is Family.BINARY:
        return Measures(deviance, share, level, gini, auc, squared)
    cap = weighted_quantile(actual, weight, CAP_SHARE)
    capped = _squared(np.minimum(actual, cap), expected, weight, draws)
    error = draws.ratio(weight * np.abs(actual - expected), weight)
    return Measures(deviance, share, level, gini, None, squared, capped, error)


def _explained(
    unit: FloatArray, reference: FloatArray, weight: FloatArray, draws: MemberDraws
) -> Interval:
    parts = np.column_stack([weight * unit, weight * reference])
    return draws.statistic(lambda totals: 1 - totals[..., 0] / totals[..., 1], parts)


def _squared(
    actual: FloatArray, expected: FloatArray, weight: FloatArray, draws: MemberDraws
) -> Interval | None:
    """The share of squared error explained; None where there is none."""
    loss = Loss(Family.SQUARED_ERROR)
    if np.ptp(actual) == 0:
        return None
    reference = loss.unit(actual, loss.reference(actual, weight))
    return _explained(loss.unit(actual, expected), reference, weight, draws)


def _order(
    judged: Judged, name: str, draws: MemberDraws
) -> tuple[Interval | None, Interval | None]:
    """Gini, and for yes and no AUC; None where there is nothing to order."""
    actual, weight, count = judged.actual, judged.weight, len(draws.counts)
    binary = judged.loss.family is Family.BINARY
    if np.ptp(actual) == 0 or len(np.unique(judged.member)) < 2:
        return None, None
    if name == MEAN:
        return Interval(0.0, 0.0, 0.0), Interval(0.5, 0.5, 0.5) if binary else None
    rows = actual, judged.predictions[name], weight, judged.member
    gini = gini_interval(*rows, np.random.default_rng(SEED), count)
    auc = auc_interval(*rows, np.random.default_rng(SEED), count) if binary else None
    return gini, auc
