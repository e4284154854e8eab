"""Fits the rivals split by split and writes what came of it as one row of a table."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from benchmarks.sets.problem import Problem
from benchmarks.sets.rivals import (
    Predict,
    fit_forest,
    fit_lightgbm,
    fit_mean,
    fit_ours,
    fit_spline_glm,
)
from riskengine.risk.diagnostics import Interval, bootstrap_rows, draw_members
from riskengine.vocabulary import FloatArray, IntArray

RIVALS: dict[str, Callable[[Problem, pd.DataFrame], Predict]] = {
    "riskengine": fit_ours,
    "mean": fit_mean,
    "spline GLM": fit_spline_glm,
    "LightGBM": fit_lightgbm,
    "forest": fit_forest,
}
HEADING = [
    "| target | "
    + " | ".join(RIVALS)
    + " | gain on GLM (95 %) | bar | s: riskengine | s: GLM | s: LightGBM | s: forest |",
    "|" + "---|" * (len(RIVALS) + 7),
]


@dataclass(frozen=True, eq=False)
class Judged:
    """Predictions of one rival for the test rows of each split, and the seconds its fits took."""

    predicted: list[FloatArray]
    seconds: float


def judge(problem: Problem, names: Sequence[str], most_splits: int | None = None) -> str:
    """The row of a problem; progress is printed as it comes."""
    trial = replace(problem, splits=list(problem.splits)[:most_splits])
    found: dict[str, Judged] = {}
    for name in names:
        found[name] = run_rival(trial, name)
        told = told_score(trial, found[name])
        print(f"{trial.label}: {name} {told}, {found[name].seconds:.0f} s", flush=True)
    label = trial.label
    if len(trial.splits) < len(problem.splits):
        label += f" (first {len(trial.splits)} of {len(problem.splits)} splits)"
    cells = {name: told_score(trial, one) for name, one in found.items()}
    ours = found.get("riskengine")
    glm = found.get("spline GLM")
    cells["riskengine"] = f"**{cells['riskengine']}**" if ours else ""
    gain = told_interval(gain_of(trial, ours, glm)) if ours and glm else ""
    seconds = [f"{found[n].seconds:.0f}" if n in found else "" for n in RIVALS if n != "mean"]
    row = [label, *(cells.get(name, "") for name in RIVALS), gain, _bar(trial, ours), *seconds]
    print(told := "| " + " | ".join(row) + " |", flush=True)
    return told


def run_rival(problem: Problem, name: str) -> Judged:
    """Fit one rival on the training rows of each split and predict the rows held out."""
    predicted, seconds = [], 0.0
    for split in problem.splits:
        train, test = problem.frame.iloc[split.train], problem.frame.iloc[split.test]
        started = time.perf_counter()
        predict = RIVALS[name](problem, train)
        seconds += time.perf_counter() - started
        predicted.append(np.asarray(predict(test), dtype=np.float64))
    return Judged(predicted, seconds)


def _score(problem: Problem, judged: Judged) -> float:
    """Mean deviance of all held-out rows, or the mean AUC of the splits."""
    if problem.binary:
        return _mean_auc(problem, judged, np.ones(len(problem.frame)))
    above, below = _deviances(problem, judged)
    return float(above.sum() / below.sum())


def _deviances(problem: Problem, judged: Judged) -> tuple[FloatArray, FloatArray]:
    """Deviances of held-out rows times exposure, and what their sum is divided by."""
    held = _held(problem)
    exposure = problem.exposure[held]
    unit = problem.deviance(problem.actual[held], np.concatenate(judged.predicted))
    return exposure * unit, np.ones(len(held)) if problem.by_row else exposure


def _mean_auc(problem: Problem, judged: Judged, counts: FloatArray) -> float:
    """Mean over splits of the AUC of rows that each count so often (n,)."""
    actual = problem.actual
    return float(
        np.mean(
            [
                roc_auc_score(actual[split.test], p, sample_weight=counts[split.test])
                for split, p in zip(problem.splits, judged.predicted, strict=True)
            ]
        )
    )


def _predicted_over_actual(problem: Problem, judged: Judged) -> float:
    held = _held(problem)
    exposure = problem.exposure[held]
    expected = np.sum(exposure * np.concatenate(judged.predicted))
    return float(expected / np.sum(exposure * problem.actual[held]))


def gain_of(problem: Problem, ours: Judged, other: Judged) -> Interval:
    """How much better than another, paired, with its interval by bootstrap over members."""
    rng = np.random.default_rng(1)
    if not problem.binary:
        above, below = _deviances(problem, ours)
        rival, _ = _deviances(problem, other)
        return draw_members(problem.member[_held(problem)], rng).ratio(rival - above, below)

    def drawn(rows: IntArray, counts: FloatArray) -> float:
        count = np.zeros(len(problem.frame))
        count[rows] = counts
        return _mean_auc(problem, ours, count) - _mean_auc(problem, other, count)

    return bootstrap_rows(drawn, problem.member, rng)


def _held(problem: Problem) -> IntArray:
    return np.concatenate([split.test for split in problem.splits])


def told_score(problem: Problem, judged: Judged) -> str:
    """Score, and in brackets predicted over actual."""
    return f"{_score(problem, judged):.4f} ({_predicted_over_actual(problem, judged):.3f})"


def told_interval(gain: Interval) -> str:
    """A gain with its 95 % interval."""
    return f"{gain.mean:.4f} ({gain.low:.4f} to {gain.high:.4f})"


def _bar(problem: Problem, ours: Judged | None) -> str:
    if problem.bar is None or ours is None:
        return ""
    score = _score(problem, ours)
    met = score >= problem.bar if problem.binary else score <= problem.bar
    sign = "at least" if problem.binary else "at most"
    return f"{sign} {problem.bar:g}: {'met' if met else 'missed'}"
