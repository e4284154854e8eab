"""What actuaries look at before they sign a model, from one call.

Held-out predictions of the training rows, or the served predictions of a table the model never saw,
beside a spline GLM and the mean on the same rows. Numbers only; `riskengine.reporting.risk` draws.

What is bounded, so that a book of a million rows takes minutes: draws of members come from at most
ten thousand blocks of them, Gini and AUC are drawn from a part of the members, the GLM learns from
a part of the rows (`Diagnosis.notes` says so). Point estimates are of all rows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from riskengine.errors import InputError
from riskengine.risk.conformal import DecileCoverage, coverage_by_decile, coverage_of
from riskengine.risk.diagnostics.bootstrap import (
    DRAWS_OF_ROWS,
    Interval,
    MemberDraws,
    draw_members,
)
from riskengine.risk.diagnostics.breakdown import (
    Drift,
    Fairness,
    FeatureTable,
    by_time,
    drift_of,
    fairness_of,
    one_way,
    two_way,
    worst_of,
)
from riskengine.risk.diagnostics.calibration import Segment
from riskengine.risk.diagnostics.curves import Curves, curves_of
from riskengine.risk.diagnostics.deviance import Loss
from riskengine.risk.diagnostics.headline import SEED, Measures, advantages, headline
from riskengine.risk.diagnostics.judged import MODEL, Judged
from riskengine.risk.diagnostics.lift import DoubleLiftBand, deviance_difference
from riskengine.risk.diagnostics.lift import double_lift as bands_of_ratio
from riskengine.risk.diagnostics.segments import WorstSegment
from riskengine.risk.evidence import Evidence, evidence_of, trained_evidence
from riskengine.risk.explain import Importance, importance
from riskengine.risk.model import Frame, RiskModel
from riskengine.risk.notes import notes_on
from riskengine.risk.spec import Kind
from riskengine.vocabulary import Text

COVERAGE = 0.9
"""The coverage that conformal intervals are tried at."""
MOST_CLASSES = 6
_WHOLE = 0.99
_LEAST_WHOLE = 100


@dataclass(frozen=True)
class About:
    """What was judged: `held_out` says that predictions are out-of-fold, else they are as served.

    `members` are the groups that draws and folds keep together: rows, where the spec names no
    group. `draws` is the number of bootstrap draws.
    """

    model: str
    kind: Kind
    loss: Loss
    held_out: bool
    rows: int
    members: int
    exposure: float
    draws: int


@dataclass(frozen=True, eq=False)
class Breakdown:
    """What needs the features.

    `importance` is that of each feature on the judged rows, as the model is served. `worst` has one
    segment a class. `by_time` and `drift` are empty where no time is known, or no training table is
    given.
    """

    importance: Importance
    one_way: tuple[FeatureTable, ...]
    two_way: tuple[FeatureTable, ...]
    worst: Mapping[str, WorstSegment]
    by_time: Mapping[str, tuple[Segment, ...]]
    drift: tuple[Drift, ...]


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """All that is known of how good a model is.

    `headline` has a row each for `model`, `glm` and `mean`, as far as there is one; `advantage` the
    mean deviance of a yardstick less that of the model, paired. `curves` has one entry, of
    `multiclass` one for each of the commonest classes, whose measures as yes or no are `by_class`.
    `coverage` is by decile of expected for intervals of `COVERAGE`, None where there are none.
    `breakdown` and `fairness` need the features: None and empty without a table. `notes` say what
    was left out and why. `judged` holds the rows themselves.
    """

    about: About
    headline: Mapping[str, Measures]
    advantage: Mapping[str, Interval]
    by_class: Mapping[str, Measures]
    curves: tuple[Curves, ...]
    coverage: tuple[DecileCoverage, ...] | None
    breakdown: Breakdown | None
    fairness: tuple[Fairness, ...]
    notes: tuple[Text, ...]
    judged: Judged = field(repr=False)

    def metrics(self) -> dict[str, float]:
        """The figures under flat names, for a tracker: `model.deviance`, `model.deviance.low`,
        `glm.gini`, `glm.advantage`, `class.<name>.auc`, `worst.shrunk`, `coverage`, ..."""
        found: dict[str, float] = {
            "rows": float(self.about.rows),
            "members": float(self.about.members),
            "exposure": self.about.exposure,
        }
        for name, measures in self.headline.items():
            found |= _flat(name, measures.figures())
        for name, interval in self.advantage.items():
            found |= _flat(name, {"advantage": interval})
        for name, measures in self.by_class.items():
            found |= _flat(f"class.{_slug(name)}", measures.figures())
        for one in self.curves:
            for name, murphy in one.murphy.items():
                before = f"class.{_slug(one.of)}." if one.of else ""
                found[f"{before}{name}.miscalibration"] = murphy.miscalibration
                found[f"{before}{name}.discrimination"] = murphy.discrimination
        if self.coverage is not None:
            members = [row.members for row in self.coverage]
            covered = [row.covered.mean for row in self.coverage]
            found["coverage"] = float(np.average(covered, weights=members))
        if self.breakdown is not None:
            for of, worst in self.breakdown.worst.items():
                found[f"class.{_slug(of)}.worst.shrunk" if of else "worst.shrunk"] = worst.shrunk
            if self.breakdown.drift:
                found["drift.greatest"] = self.breakdown.drift[0].index
        return {name: value for name, value in found.items() if np.isfinite(value)}


@dataclass(frozen=True)
class SideBySide:
    """Two models on the same rows: bands by second over first prediction, and the mean deviance of
    the first less that of the second, paired: above 0 the second is better."""

    bands: tuple[DoubleLiftBand, ...]
    advantage: Interval


def diagnose(
    model: RiskModel,
    frame: Frame | None = None,
    *,
    groups: Sequence[str] = (),
    time: str | None = None,
    training: Frame | None = None,
    draws: int = DRAWS_OF_ROWS,
) -> Diagnosis:
    """Judge a model on its training rows, held out, or on any labelled table.

    Without `frame` the training rows are judged by what the model keeps of them; with it there is
    more: a GLM, features, `time` (a column; by default that of the folds) and `groups` (columns for
    fairness). A table is known for the training table by its digest; any other is judged by served
    predictions, and `training` then gives the yardsticks something to learn from. Equal in, equal
    out. Raises `InputError` where there is neither table nor held-out predictions, and `TableError`
    for a table that cannot be used.
    """
    if frame is None:
        if groups or time or training is not None:
            message = "groups, time and training are of a table: give frame as well"
            raise InputError(message)
        evidence = trained_evidence(model)
    else:
        evidence = evidence_of(model, frame, groups, time, training)
    judged = evidence.judged
    drawn = draw_members(judged.member, np.random.default_rng(SEED), draws)
    apart = judged.by_class(model.classes, MOST_CLASSES)
    curves = tuple(curves_of(one, drawn) for one in apart)
    coverage = _coverage(model, judged)
    return Diagnosis(
        about=_about(model, evidence, drawn),
        headline=headline(judged, drawn),
        advantage=advantages(judged, drawn),
        by_class={one.of: headline(one, drawn)[MODEL] for one in apart if one.of},
        curves=curves,
        coverage=coverage,
        breakdown=_breakdown(model, evidence, apart, drawn),
        fairness=_fairness(evidence, apart, drawn),
        notes=notes_on(model, evidence, coverage is not None, curves),
        judged=judged,
    )


def double_lift(first: Diagnosis, second: Diagnosis, count: int = 10) -> SideBySide:
    """Two models side by side: first the one in use, second the one that is to replace it.

    Raises `InputError` unless both were judged on the same rows and outcomes, of one number each.
    """
    one, two = first.judged, second.judged
    same = (
        len(one.actual) == len(two.actual)
        and np.array_equal(one.actual, two.actual)
        and np.array_equal(one.weight, two.weight)
    )
    if not same or one.expected.ndim > 1 or one.loss != two.loss:
        message = (
            f"{first.about.model} and {second.about.model} were judged on other rows, outcomes or"
            " losses: diagnose both on one table, with folds that hold out the same rows"
        )
        raise InputError(message)
    draws = draw_members(one.member, np.random.default_rng(SEED), first.about.draws)
    pair = one.expected, two.expected
    return SideBySide(
        bands_of_ratio(one.actual, *pair, one.weight, count),
        deviance_difference(one.actual, pair, one.weight, one.loss, draws),
    )


def _about(model: RiskModel, evidence: Evidence, draws: MemberDraws) -> About:
    judged = evidence.judged
    return About(
        model=model.spec.model.name,
        kind=model.spec.model.kind,
        loss=judged.loss,
        held_out=evidence.held_out,
        rows=len(judged.actual),
        members=len(np.unique(judged.member)),
        exposure=float(judged.weight.sum()),
        draws=len(draws.counts),
    )


def _coverage(model: RiskModel, judged: Judged) -> tuple[DecileCoverage, ...] | None:
    """Of whole years alone; held out, calibrated on the other folds."""
    table = model.conformal
    whole = np.flatnonzero(judged.weight >= _WHOLE)
    if table is None or len(np.unique(judged.member[whole])) < _LEAST_WHOLE:
        return None
    actual, expected = judged.actual[whole], judged.expected[whole]
    member = judged.member[whole]
    if np.isin(actual, (0, 1)).all():
        return None
    if judged.fold is None:
        return coverage_of(table, actual, expected, member, COVERAGE)
    fold = judged.fold[whole]
    if len(np.unique(fold)) < 2:
        return None
    return coverage_by_decile(actual, expected, member, fold, COVERAGE)


def _breakdown(
    model: RiskModel, evidence: Evidence, apart: tuple[Judged, ...], draws: MemberDraws
) -> Breakdown | None:
    columns, time = evidence.columns, evidence.time
    if columns is None:
        return None
    exposure = model.spec.model.exposure
    weighed = {exposure: evidence.judged.weight} if exposure else {}
    found = importance(model, {**columns, **weighed})
    strength = dict(zip(found.names, found.effect.tolist(), strict=True))
    return Breakdown(
        importance=found,
        one_way=tuple(t for one in apart for t in one_way(one, columns, draws)),
        two_way=tuple(t for one in apart for t in two_way(one, columns, strength, draws)),
        worst={one.of: worst_of(one, columns, strength, draws) for one in apart},
        by_time={} if time is None else {one.of: by_time(one, time, draws) for one in apart},
        drift=() if evidence.ends is None else drift_of(*evidence.ends),
    )


def _fairness(
    evidence: Evidence, apart: tuple[Judged, ...], draws: MemberDraws
) -> tuple[Fairness, ...]:
    columns = evidence.columns or {}
    return tuple(
        found
        for column, group in evidence.groups.items()
        for found in fairness_of(apart, column, group, columns, draws)
    )


def _flat(before: str, figures: Mapping[str, Interval]) -> dict[str, float]:
    found = {}
    for name, figure in figures.items():
        found[f"{before}.{name}"] = figure.mean
        found[f"{before}.{name}.low"] = figure.low
        found[f"{before}.{name}.high"] = figure.high
    return found


def _slug(name: str) -> str:
    """A class as part of a metric's name: letters, digits and _ alone."""
    return re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "class"
