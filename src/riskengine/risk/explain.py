"""What drives a model: importance of features and families, and how the mean follows them.

Importance is read off the exact contributions on the scale of the link; partial dependence off
predictions of reference rows, one or two features of which are set to each point of a grid. The
time is bounded: rows are a seeded sample. Left out: one member's relativities
(`RiskModel.explain`) and pictures (`riskengine.reporting.explanations`).
References: Lundberg and Lee (2017); Friedman (2001), section 8.2.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from riskengine.errors import InputError, UnknownNameError
from riskengine.risk.model import Frame, RiskModel
from riskengine.risk.reference import (
    ReferenceRows,
    predict_at,
    quantile_points,
    reference_rows,
)
from riskengine.vocabulary import AnyArray, FloatArray, IntArray

MOST_PREDICTIONS = 40_000
"""Of one partial dependence: where the grid is large, fewer rows are averaged."""
MOST_LEVELS = 30
"""Of one feature: those of most exposure in the reference rows are shown."""
LEAST_ROWS = 50


@dataclass(frozen=True, eq=False)
class Importance:
    """How much each of `names` moves the prediction, most important first; arrays are (names,).

    `effect` is the mean absolute contribution about its mean, on the scale of the link: 0.1 of a
    mean with a log link is about 10 %. Of `multiclass` it is the average over classes. `share` is
    the covariance of the contribution and the linear predictor over the variance of the latter:
    shares of what the model explains, which add up to 1. One is negative where a feature works
    against what it goes together with; all are 0 where the model is the mean.
    """

    names: tuple[str, ...]
    effect: FloatArray
    share: FloatArray


@dataclass(frozen=True, eq=False)
class PartialDependence:
    """The mean prediction of the reference rows if all of them had a value of one or two features.

    `points` has, by feature, the values: numbers, NaN for missing; or levels, None for missing.
    `exposure` has, by feature, the share of exposure nearest to each point. `mean` is (points,) or
    (points of the first, points of the second), per unit of exposure; of `multiclass` with a last
    axis of `classes`. `average` (1,) or (classes,) is the mean prediction of the rows as they are.
    `odds` tells that means are probabilities.
    """

    features: tuple[str, ...]
    points: tuple[AnyArray, ...]
    exposure: tuple[FloatArray, ...]
    mean: FloatArray
    average: FloatArray
    odds: bool
    classes: tuple[str, ...] = ()

    @property
    def relativities(self) -> FloatArray:
        """`mean` over `average`, of probabilities the ratio of their odds; the shape of `mean`."""
        average = self.average if self.classes else self.average[0]
        if not self.odds:
            return np.asarray(self.mean / average)
        return np.asarray(self.mean / (1 - self.mean) / (average / (1 - average)))


def importance(
    model: RiskModel, frame: Frame, by_family: bool = False, seed: int = 0
) -> Importance:
    """Importance of each feature, or of each family of features the spec names.

    Contributions of a family are added before they are measured. Raises as `reference_rows`.
    """
    rows = reference_rows(model, frame, seed=seed)
    _, parts = model.contributions(rows.columns)
    names = model.spec.features.names
    if by_family:
        names, parts = _by_family(model, parts)
    # Of classes only differences count: a number added to all of them changes no probability.
    if model.classes:
        parts = parts - parts.mean(axis=2, keepdims=True)
    parts = parts - np.average(parts, axis=0, weights=rows.exposure)
    weight = rows.exposure / rows.exposure.sum()
    effect = np.einsum("n,nfc->f", weight, np.abs(parts)) / parts.shape[2]
    total = parts.sum(axis=1)
    covariance = np.einsum("n,nfc,nc->f", weight, parts, total)
    variance = float(np.einsum("n,nc,nc->", weight, total, total))
    share = covariance / variance if variance > 0 else np.zeros(len(names))
    order = np.argsort(-effect, kind="stable")
    return Importance(tuple(names[place] for place in order), effect[order], share[order])


def partial_dependence(
    model: RiskModel, frame: Frame, features: Sequence[str], points: int = 20, seed: int = 0
) -> PartialDependence:
    """Partial dependence on one feature or two of them together.

    Numbers are set to at most `points` quantiles, categories to their levels; both to missing where
    the model has learnt it.
    Raises `UnknownNameError` for a name that is no feature, `InputError` unless there are one or
    two, and as `reference_rows`.
    """
    _check_features(model, features)
    rows = reference_rows(model, frame, seed=seed)
    axes = [_axis(model, rows, name, points) for name in features]
    grid = np.meshgrid(*[np.arange(len(axis)) for axis in axes], indexing="ij")
    values = {
        name: axis[place.ravel()] for name, axis, place in zip(features, axes, grid, strict=True)
    }
    rows = rows.first(max(MOST_PREDICTIONS // grid[0].size, LEAST_ROWS))
    told = predict_at(model, rows, values)
    mean = np.average(told, axis=1, weights=rows.exposure)
    return PartialDependence(
        tuple(features),
        tuple(axes),
        tuple(_exposure(rows, name, axis) for name, axis in zip(features, axes, strict=True)),
        mean.reshape(*grid[0].shape, *mean.shape[1:]),
        np.atleast_1d(np.average(model.predict(rows.columns), axis=0, weights=rows.exposure)),
        not model.spec.model.kind.is_mean,
        model.classes,
    )


def _check_features(model: RiskModel, features: Sequence[str]) -> None:
    strangers = [name for name in features if name not in model.spec.features.names]
    if strangers:
        known = ", ".join(model.spec.features.names)
        message = f"{', '.join(strangers)} is no feature of the model; it has {known}"
        raise UnknownNameError(message)
    if len(features) not in {1, 2} or len(set(features)) < len(features):
        message = f"partial dependence is of one feature or two different ones, not {features}"
        raise InputError(message)


def _by_family(model: RiskModel, parts: FloatArray) -> tuple[tuple[str, ...], FloatArray]:
    families = [model.spec.features.family_of(name) for name in model.spec.features.names]
    names = tuple(dict.fromkeys(families))
    places = np.array([names.index(family) for family in families])
    return names, np.stack([parts[:, places == p].sum(axis=1) for p in range(len(names))], axis=1)


def _axis(model: RiskModel, rows: ReferenceRows, name: str, points: int) -> AnyArray:
    """The values a feature is set to; missing last, where the model has learnt it."""
    missing = name in model.learnt_missing
    column = rows.columns[name]
    if name in model.spec.features.numeric:
        found: AnyArray = quantile_points(column, rows.exposure, points)
        return np.append(found, np.nan) if missing or not len(found) else found
    levels = model.levels[name]
    if len(levels) > MOST_LEVELS:
        place = pd.Index(np.array(levels, dtype=object)).get_indexer(pd.Index(column))
        total = np.bincount(place[place >= 0], rows.exposure[place >= 0], len(levels))
        kept = np.sort(np.argsort(-total, kind="stable")[:MOST_LEVELS])
        levels = tuple(levels[at] for at in kept)
    return np.array([*levels, *([None] if missing or not levels else [])], dtype=object)


def _exposure(rows: ReferenceRows, name: str, axis: AnyArray) -> FloatArray:
    """The share of exposure nearest to each value of an axis, (points,)."""
    column = rows.columns[name]
    place: IntArray
    if axis.dtype == object:
        place = pd.Index(axis).get_indexer(pd.Index(column)).astype(np.int64)
    else:
        known = axis[~np.isnan(axis)]
        edges = (known[1:] + known[:-1]) / 2
        place = np.searchsorted(edges, np.nan_to_num(column), side="right").astype(np.int64)
        place = np.where(np.isnan(column), len(known) if len(known) < len(axis) else -1, place)
    there = place >= 0
    total = np.bincount(place[there], rows.exposure[there], len(axis))
    return np.asarray(total / rows.exposure.sum())
