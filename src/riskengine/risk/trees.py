"""LightGBM, one booster for each model of the ensemble, grown in step and stopped together.

All boosters stop at the round where their mean held-out loss is least, so none is stopped by its
own luck. Settings are in units of claims: how much a leaf must hold and how much it is held back
count expected events, not rows, so that rare events get small trees without being told to.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np

from riskengine.vocabulary import FloatArray

_STEP = 10
"""Rounds that each booster grows before the losses are looked at."""


@dataclass(frozen=True)
class Objective:
    """What trees minimise: LightGBM's name of it, a Tweedie power, a number of classes."""

    name: str
    power: float = 0.0
    classes: int = 1

    @property
    def parameters(self) -> dict[str, object]:
        settings: dict[str, object] = {"objective": self.name, "metric": self.name}
        if self.name == "tweedie":
            settings["tweedie_variance_power"] = self.power
        if self.name == "multiclass":
            settings |= {"metric": "multi_logloss", "num_class": self.classes}
        if self.name == "binary":
            settings["metric"] = "binary_logloss"
        return settings


@dataclass(frozen=True)
class Sample:
    """Rows of one model: `matrix` (n, columns), `outcome` and `weight` (n,).

    `offset` (n, classes) is a score that trees add to, none where they begin at the mean.
    """

    matrix: FloatArray
    outcome: FloatArray
    weight: FloatArray
    offset: FloatArray | None = None


@dataclass(frozen=True)
class Layout:
    """What LightGBM must know of a matrix: names, which hold codes of levels."""

    names: tuple[str, ...]
    categorical: Sequence[int]


@dataclass(frozen=True)
class Growth:
    """When to stop: at most `rounds`, or `patience` rounds without a lower mean loss."""

    rounds: int
    patience: int


@dataclass(frozen=True)
class Forest:
    """Boosters cut at their common best round, and the mean held-out loss there."""

    boosters: tuple[lgb.Booster, ...]
    rounds: int
    loss: float


def grow(
    parameters: dict[str, object],
    samples: Iterable[tuple[Sample, Sample]],
    layout: Layout,
    growth: Growth,
) -> Forest:
    """Boosters for pairs of (training, held-out) rows, stopped together."""
    boosters = [_booster(parameters, pair, layout) for pair in samples]
    losses: list[float] = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        while len(losses) < growth.rounds:
            steps = min(_STEP, growth.rounds - len(losses))
            grown = pool.map(_grow, boosters, [steps] * len(boosters))
            losses += np.mean(np.array(list(grown)), axis=0).tolist()
            if len(losses) - 1 - int(np.argmin(losses)) >= growth.patience:
                break
    best = int(np.argmin(losses))
    cut = tuple(_cut(booster, best + 1) for booster in boosters)
    return Forest(cut, best + 1, float(losses[best]))


def grow_once(
    parameters: dict[str, object], sample: Sample, layout: Layout, rounds: int
) -> lgb.Booster:
    """One booster on all rows of a sample, of `rounds` rounds."""
    booster = _booster(parameters, (sample, None), layout)
    for _ in range(rounds):
        booster.update()
    return _cut(booster, rounds)


def raw_score(booster: lgb.Booster, matrix: FloatArray) -> FloatArray:
    """Raw scores, (n,) or (n, classes), on one thread: the default of all is slower when shared."""
    scores: FloatArray = booster.predict(matrix, raw_score=True, num_threads=1)
    return scores


def raw_scores(boosters: Sequence[lgb.Booster], matrices: Sequence[FloatArray]) -> list[FloatArray]:
    """`raw_score` of each pair, two at a time."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(raw_score, boosters, matrices))


def _booster(
    parameters: dict[str, object], pair: tuple[Sample, Sample | None], layout: Layout
) -> lgb.Booster:
    train, held_out = pair
    settings = {
        **parameters,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    data = lgb.Dataset(
        train.matrix,
        train.outcome,
        weight=train.weight,
        feature_name=[f"f{place}" for place in range(len(layout.names))],
        categorical_feature=list(layout.categorical),
        init_score=_columnwise(train.offset),
        params=settings,
    ).construct()
    booster = lgb.Booster(settings, data)
    if held_out is not None:
        booster.add_valid(
            data.create_valid(
                held_out.matrix,
                held_out.outcome,
                weight=held_out.weight,
                init_score=_columnwise(held_out.offset),
                params=settings,
            ),
            "held_out",
        )
    return booster


def _columnwise(offset: FloatArray | None) -> FloatArray | None:
    return None if offset is None else offset.ravel(order="F")


def _grow(booster: lgb.Booster, rounds: int) -> list[float]:
    booster.reset_parameter({"verbosity": -1})  # LightGBM keeps its log level by thread
    losses = []
    for _ in range(rounds):
        booster.update()
        losses.append(float(booster.eval_valid()[0][2]))
    return losses


def _cut(booster: lgb.Booster, rounds: int) -> lgb.Booster:
    return lgb.Booster(model_str=booster.model_to_string(num_iteration=rounds))
