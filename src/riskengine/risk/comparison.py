"""Two models on the same rows: figures of each, their paired difference, and a verdict in words.

The rows are those both were trained on, with predictions that did not see their member, or a
labelled table that neither saw. Left out: where the rows come from.
"""

from dataclasses import dataclass, replace

import numpy as np

from riskengine.errors import InputError
from riskengine.risk.diagnostics import (
    DoubleLiftBand,
    Family,
    Interval,
    Loss,
    deviance_difference,
    double_lift,
    draw_members,
)
from riskengine.risk.diagnostics.bootstrap import DRAWS, MemberDraws
from riskengine.risk.diagnostics.headline import SEED, Measures, headline
from riskengine.risk.diagnostics.judged import Judged
from riskengine.risk.evidence import evidence_of, loss_of
from riskengine.risk.model import Frame, RiskModel, Trained
from riskengine.risk.next_product.labelled import labelled_baskets
from riskengine.risk.spec import Kind
from riskengine.vocabulary import FloatArray

FIRST, SECOND = "first", "second"


@dataclass(frozen=True)
class Comparison:
    """`difference` is the mean deviance of the first less that of the second, paired by row.

    Above 0 the second is better; beyond chance where the interval lies above 0.
    """

    loss: Loss
    rows: int
    members: int
    first: Measures
    second: Measures
    difference: Interval
    lift: tuple[DoubleLiftBand, ...]

    def verdict(self, first: str, second: str) -> str:
        """One sentence on which is better, by the paired difference."""
        gap = self.difference
        if not (gap.low > 0 or gap.high < 0):
            return (
                f"No difference beyond chance: the interval of the paired difference, {gap.low:.4g}"
                f" to {gap.high:.4g}, holds 0."
            )
        better, worse, sign = (second, first, 1) if gap.low > 0 else (first, second, -1)
        ends = sorted((sign * gap.low, sign * gap.high))
        share = abs(gap.mean) / max(self.first.deviance.mean, self.second.deviance.mean)
        return (
            f"{better} is better than {worse} beyond chance: its deviance is lower by"
            f" {abs(gap.mean):.4g} ({share:.1%}; 95 % interval {ends[0]:.4g} to {ends[1]:.4g})."
        )


def same_rows(first: Trained, second: Trained) -> bool:
    """Whether both were trained on rows of equal outcomes and exposures in equal order.

    Features play no part: two models of one table may read different ones.
    """
    return np.array_equal(first.actual, second.actual) and np.array_equal(
        first.weight, second.weight
    )


def held_out_rows(first: RiskModel, second: RiskModel) -> Judged:
    """The training rows that both models predicted without seeing their member.

    Raises `InputError` when the models were trained on different rows, or predict different things.
    """
    _comparable(first, second)
    one, two = first.trained, second.trained
    if one is None or two is None or not same_rows(one, two):
        message = (
            "the two models were trained on different rows, so their held-out predictions cannot be"
            " paired: give --data, a labelled table that neither was trained on"
        )
        raise InputError(message)
    rows = np.intersect1d(one.held_out, two.held_out)
    # Where one spec names no group, its members are single rows: the other knows more.
    fewer = one if len(np.unique(one.member)) <= len(np.unique(two.member)) else two
    return Judged(
        actual=one.actual[rows],
        weight=one.weight[rows],
        member=fewer.member[rows],
        fold=None,
        predictions={FIRST: one.expected[rows], SECOND: two.expected[rows]},
        loss=loss_of(first.spec),
    )


def labelled_rows(first: RiskModel, second: RiskModel, frame: Frame) -> Judged:
    """The rows of a labelled table, predicted by both models as they serve.

    Raises `TableError` as training does, and `InputError` for the training table of only one of
    them, which would flatter it.
    """
    _comparable(first, second)
    if first.spec.model.kind is Kind.NEXT_PRODUCT:
        return labelled_baskets({FIRST: first, SECOND: second}, frame)
    one, two = (evidence_of(model, frame, (), None, None) for model in (first, second))
    if one.held_out and two.held_out:
        return held_out_rows(first, second)
    if one.held_out or two.held_out:
        message = (
            f"the {FIRST if one.held_out else SECOND} model was trained on this table and the other"
            " was not: give a table that neither was trained on"
        )
        raise InputError(message)
    predictions = {FIRST: one.judged.expected, SECOND: two.judged.expected}
    return replace(one.judged, predictions=predictions)


def compare(rows: Judged, draws: int = DRAWS) -> Comparison:
    """Compare two predictions of the same rows, with one set of draws of members for all."""
    drawn = _draw(rows, draws)
    first, second = rows.predictions[FIRST], rows.predictions[SECOND]
    measures = headline(rows, drawn)
    return Comparison(
        loss=rows.loss,
        rows=len(rows.actual),
        members=len(np.unique(rows.member)),
        first=measures[FIRST],
        second=measures[SECOND],
        difference=_difference(rows, drawn),
        lift=_bands(rows, first, second),
    )


def paired_difference(rows: Judged) -> Interval:
    """`Comparison.difference` alone, which is quick."""
    return _difference(rows, _draw(rows, DRAWS))


def _draw(rows: Judged, draws: int) -> MemberDraws:
    return draw_members(rows.member, np.random.default_rng(SEED), draws)


def _difference(rows: Judged, draws: MemberDraws) -> Interval:
    pair = rows.predictions[FIRST], rows.predictions[SECOND]
    return deviance_difference(rows.actual, pair, rows.weight, rows.loss, draws)


def _bands(rows: Judged, first: FloatArray, second: FloatArray) -> tuple[DoubleLiftBand, ...]:
    if rows.loss.family is Family.MULTICLASS:
        return ()
    return double_lift(rows.actual, first, second, rows.weight)


def _comparable(first: RiskModel, second: RiskModel) -> None:
    """Raise `InputError` when two models do not predict the same thing."""
    one, two = first.spec.model, second.spec.model
    same = one.outcomes[-1] == two.outcomes[-1] and one.exposure == two.exposure
    if not same or first.classes != second.classes or one.kind.is_mean != two.kind.is_mean:
        message = (
            f"the models predict different things ({_told(first)}; {_told(second)}), so no figure"
            " compares them"
        )
        raise InputError(message)


def _told(model: RiskModel) -> str:
    of = model.spec.model
    classes = f" in classes {', '.join(model.classes[:10])}" if model.classes else ""
    return f"{of.kind} of {of.outcomes[-1]}{f' per {of.exposure}' if of.exposure else ''}{classes}"
