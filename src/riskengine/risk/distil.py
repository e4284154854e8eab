"""A model distilled into the factor tables of a rate book.

A Poisson GLM with a log link is fitted to the model's own predictions, weighted by exposure: the
method of marginal totals (Bailey, 1963; Jung, 1968), under which every level's total is the
model's, whatever the family of the model. Numbers are banded (`riskengine.risk.bands`), levels
stay as they are, missing values have a row of their own, and promised directions are kept. Main
effects only, and one pair of features if it is asked for; `riskengine.risk.fidelity` tells what
that costs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from glum import GeneralizedLinearRegressor
from scipy import sparse
from threadpoolctl import threadpool_limits

from riskengine.errors import SpecError
from riskengine.risk.bands import band_edges
from riskengine.risk.factor_tables import (
    MISSING,
    OTHER,
    Factor,
    FactorTables,
    PairFactor,
)
from riskengine.risk.model import Frame, RiskModel
from riskengine.risk.reference import ReferenceRows, predict_at, reference_rows
from riskengine.risk.spec import Direction, ModelPurpose, ModelSpec
from riskengine.vocabulary import AnyArray, FloatArray, IntArray

MOST_ROWS = 150_000
MOST_SHOWN = 1_000
"""Rows whose contributions decide the bands, and whose predictions the rows never seen."""
OWN_LEVELS, THIN_GROUPS = 150, 20
"""Levels of most exposure have a coefficient each; the rest share some, by their mean."""
_LEAST_GAIN = 5e-4
_RIDGE = 1e-9
_NO_LEVEL = "\x00none of them"


@dataclass(frozen=True)
class TableSettings:
    """At most `bands` of a number, from at most `rows` at random of the table.

    `pair` names two features that get a table together.
    """

    bands: int = 8
    pair: tuple[str, str] | None = None
    rows: int = MOST_ROWS
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Distilled:
    """`tables`, and the rows they were made of: the model's mean and the GLM's, each (n,).

    `codes` has the row of each factor, and of the pair if there is one, that the rows are in.
    """

    tables: FactorTables
    rows: ReferenceRows
    model_mean: FloatArray
    glm_mean: FloatArray
    codes: list[IntArray]


@dataclass(frozen=True, eq=False)
class _Block:
    """The GLM's columns of one factor: `coding` (rows of the factor, columns), and their bounds."""

    coding: sparse.csr_matrix
    lowest: float = -np.inf
    highest: float = np.inf
    free: int = 0


@dataclass(frozen=True, eq=False)
class Totals:
    """A GLM that has a mean's totals: `log_base`, what the rows of each block add, and its mean."""

    log_base: float
    told: list[FloatArray]
    mean: FloatArray


def distil(
    model: RiskModel,
    frame: Frame,
    settings: TableSettings = TableSettings(),
) -> Distilled:
    """Factor tables that come as close to `model` on the rows of `frame` as tables can.

    Raises `SpecError` for a kind without a log link and for a pair that cannot be had, and as
    `reference_rows`.
    """
    _check(model, settings)
    rows = reference_rows(model, frame, settings.rows, settings.seed)
    mean = model.predict(rows.columns)
    factors = _blank(model, rows, settings)
    codes = [factor.rows(rows.columns[factor.feature]) for factor in factors]
    pair = None if settings.pair is None else places_of(factors, settings.pair)
    if pair is not None:
        width = factors[pair[1]].plain + len(factors[pair[1]].extra)
        codes.append(codes[pair[0]] * width + codes[pair[1]])
    glm = with_totals(model.spec, factors, pair, codes, (mean, rows.exposure))
    log_base, done = glm.log_base, []
    for factor, code, part in zip(factors, codes, glm.told, strict=False):
        share = _exposure(factor, code, rows.exposure)
        middle = part[int(np.argmax(share))]
        log_base += middle
        done.append(replace(factor, relativities=np.exp(part - middle), exposure=share))
    together = _pair_factor(settings, done, glm.told)
    done = [
        _with_unseen(model, rows, factor, code, glm.mean)
        for factor, code in zip(done, codes, strict=False)
    ]
    agreement = _agreement(mean, glm.mean, rows.exposure)
    base = float(np.exp(log_base))
    tables = FactorTables(model.spec.model.name, base, tuple(done), agreement, together)
    return Distilled(tables, rows, mean, glm.mean, codes)


def with_totals(
    spec: ModelSpec,
    factors: Sequence[Factor],
    pair: tuple[int, int] | None,
    codes: list[IntArray],
    given: tuple[FloatArray, FloatArray],
) -> Totals:
    """The GLM of the factors, and of a pair of them, to a mean with its exposure, both `given`."""
    mean, exposure = given
    factors = [
        replace(f, exposure=_exposure(f, code, exposure))
        for f, code in zip(factors, codes, strict=False)
    ]
    blocks = [
        _block(spec, factor, code, mean, exposure)
        for factor, code in zip(factors, codes, strict=False)
    ]
    if pair is not None:
        blocks.append(_pair_block(factors[pair[0]], factors[pair[1]], codes[-1]))
    intercept, slopes = _fit(blocks, codes, mean, exposure)
    told = [block.coding @ slope for block, slope in zip(blocks, slopes, strict=True)]
    linear = intercept + sum(part[code] for part, code in zip(told, codes, strict=True))
    balance = float(np.sum(exposure * mean) / np.sum(exposure * np.exp(linear)))
    return Totals(intercept + float(np.log(balance)), told, balance * np.exp(linear))


def places_of(factors: Sequence[Factor], pair: tuple[str, str]) -> tuple[int, int]:
    """The places of two features among the factors."""
    names = [factor.feature for factor in factors]
    return names.index(pair[0]), names.index(pair[1])


def _check(model: RiskModel, settings: TableSettings) -> None:
    kind = model.spec.model.kind
    if not kind.multiplicative:
        message = (
            f"a {kind} model has no factor tables: its mean is no base times relativities; use a"
            " kind with a log link: poisson, gamma, tweedie or frequency_severity"
        )
        raise SpecError(message)
    if settings.pair is None:
        return
    strangers = [name for name in settings.pair if name not in model.spec.features.names]
    promised = [name for name in settings.pair if name in model.spec.features.monotone]
    if strangers or len(set(settings.pair)) < 2:
        message = f"pair = {settings.pair} must name two different features of the model"
        raise SpecError(message)
    if promised:
        message = f"{promised[0]} is monotone: a table of a pair cannot promise that, leave it out"
        raise SpecError(message)


def _blank(model: RiskModel, rows: ReferenceRows, settings: TableSettings) -> list[Factor]:
    """The rows of each factor, relativities and exposures yet to come."""
    features = model.spec.features
    shown = rows.first(MOST_SHOWN)
    _, parts = model.contributions(shown.columns)
    least = _LEAST_GAIN * float(np.var(parts[:, :, 0].sum(axis=1)))
    lenient = model.spec.model.purpose is not ModelPurpose.PRICING
    found = []
    for place, name in enumerate(features.names):
        column, edges = rows.columns[name], None
        extra = [MISSING] if lenient or name in model.learnt_missing else []
        known: tuple[str, ...] = ()
        if name in features.numeric:
            effect = parts[:, place, 0]
            edges = band_edges(
                shown.columns[name], effect, shown.exposure, settings.bands, max(least, 1e-12)
            )
            edges = _filled(edges, column)
        else:
            known = tuple(sorted({value for value in pd.unique(column) if value is not None}))
            extra += [OTHER] if lenient else []
        found.append(Factor(name, edges, known, tuple(extra), np.empty(0), np.empty(0)))
    return found


def _filled(edges: FloatArray, column: FloatArray) -> FloatArray:
    """The edges between which there are rows."""
    band = np.unique(np.searchsorted(edges, column[~np.isnan(column)], side="right"))
    return edges[band[1:] - 1] if len(band) else np.empty(0)


def _exposure(factor: Factor, code: IntArray, exposure: FloatArray) -> FloatArray:
    """The share of exposure in each row of a factor."""
    total = np.bincount(code, exposure, factor.plain + len(factor.extra))
    return np.asarray(total / exposure.sum())


def _block(
    spec: ModelSpec, factor: Factor, code: IntArray, mean: FloatArray, exposure: FloatArray
) -> _Block:
    """Indicators of all rows with exposure but the base; of a promised direction, stairs."""
    seen = factor.exposure > 0
    size, base = len(factor.exposure), int(np.argmax(factor.exposure))
    direction = spec.features.monotone.get(factor.feature)
    if direction is not None:
        stairs = np.tri(size, factor.plain - 1, -1)
        stairs[factor.plain :] = 0.0
        alone = [row for row in range(factor.plain, size) if seen[row]]
        coding = np.column_stack([stairs, *(np.eye(size)[:, [row]] for row in alone)])
        up = direction is Direction.INCREASING
        return _Block(
            sparse.csr_matrix(coding), 0.0 if up else -np.inf, np.inf if up else 0.0, len(alone)
        )
    group = np.arange(size)
    if seen.sum() > OWN_LEVELS:
        group = _grouped(factor, code, mean, exposure)
    kept = seen & (group != group[base])
    at = np.flatnonzero(kept)
    _, column = np.unique(group[at], return_inverse=True)
    width = int(column.max(initial=-1)) + 1
    return _Block(sparse.csr_matrix((np.ones(len(at)), (at, column)), (size, width)))


def _grouped(factor: Factor, code: IntArray, mean: FloatArray, exposure: FloatArray) -> IntArray:
    """Rows with a coefficient of their own, and thin ones in groups of like mean."""
    size = len(factor.exposure)
    group = np.arange(size)
    thin = np.argsort(-factor.exposure, kind="stable")[OWN_LEVELS:]
    thin = thin[(factor.exposure[thin] > 0) & (thin < factor.plain)]
    total = np.bincount(code, exposure * mean, size)[thin]
    order = thin[np.argsort(total / factor.exposure[thin], kind="stable")]
    reached = np.cumsum(factor.exposure[order])
    group[order] = size + np.minimum(
        (THIN_GROUPS * (reached - factor.exposure[order] / 2) / reached[-1]).astype(np.int64),
        THIN_GROUPS - 1,
    )
    return group


def _pair_block(first: Factor, second: Factor, cells: IntArray) -> _Block:
    """Indicators of cells with rows, but for those in the base row or the base column."""
    width = len(second.exposure)
    there = np.unique(cells)
    bases = int(np.argmax(first.exposure)), int(np.argmax(second.exposure))
    at = there[(there // width != bases[0]) & (there % width != bases[1])]
    shape = (len(first.exposure) * width, len(at))
    return _Block(sparse.csr_matrix((np.ones(len(at)), (at, np.arange(len(at)))), shape))


def _fit(
    blocks: list[_Block], codes: list[IntArray], mean: FloatArray, exposure: FloatArray
) -> tuple[float, list[FloatArray]]:
    """The intercept, and the coefficients of each block."""
    widths = [block.coding.shape[1] for block in blocks]
    ends = np.cumsum(widths)
    scale = float(np.average(mean, weights=exposure))
    if not ends[-1] or np.ptp(mean) == 0:  # a model that is the mean has nothing to fit
        return float(np.log(scale)), [np.zeros(width) for width in widths]
    matrix = sparse.hstack(
        [block.coding[code] for block, code in zip(blocks, codes, strict=True)], format="csc"
    )
    bounds = {}
    if any(np.isfinite((block.lowest, block.highest)).any() for block in blocks):
        bounds["lower_bounds"] = np.concatenate([_bound(b, b.lowest, -np.inf) for b in blocks])
        bounds["upper_bounds"] = np.concatenate([_bound(b, b.highest, np.inf) for b in blocks])
    glm = GeneralizedLinearRegressor(
        family="poisson", link="log", alpha=_RIDGE, max_iter=300, gradient_tol=1e-7, **bounds
    )
    with threadpool_limits(1):  # threads add up in any order: equal input, unequal bits
        glm.fit(matrix, mean / scale, sample_weight=exposure)
    slopes = np.split(np.asarray(glm.coef_, dtype=np.float64), ends[:-1])
    return float(glm.intercept_ + np.log(scale)), slopes


def _bound(block: _Block, own: float, free: float) -> FloatArray:
    width = block.coding.shape[1]
    return np.concatenate([np.full(width - block.free, own), np.full(block.free, free)])


def _pair_factor(
    settings: TableSettings, factors: list[Factor], told: list[FloatArray]
) -> PairFactor | None:
    if settings.pair is None:
        return None
    sizes = {factor.feature: len(factor.exposure) for factor in factors}
    first, second = settings.pair
    shape = sizes[first], sizes[second]
    return PairFactor(first, second, np.exp(told[-1]).reshape(shape))


def _with_unseen(
    model: RiskModel, rows: ReferenceRows, factor: Factor, code: IntArray, glm_mean: FloatArray
) -> Factor:
    """Relativities of rows that no one was in: what the model tells of them on average."""
    empty = [
        place for place in range(factor.plain, len(factor.exposure)) if factor.exposure[place] == 0
    ]
    if not empty:
        return factor
    shown = rows.first(MOST_SHOWN)
    size = len(shown.exposure)
    found = factor.relativities.copy()
    rest = np.sum(shown.exposure * (glm_mean / factor.relativities[code])[:size])
    for place in empty:
        value: AnyArray = np.array([np.nan])
        if factor.edges is None:
            other = factor.extra[place - factor.plain] == OTHER
            value = np.array([_NO_LEVEL if other else None], dtype=object)
        told = predict_at(model, shown, {factor.feature: value})[0]
        found[place] = float(np.sum(shown.exposure * told) / rest)
    return replace(factor, relativities=found)


def _agreement(mean: FloatArray, glm_mean: FloatArray, exposure: FloatArray) -> float:
    log, told = np.log(mean), np.log(glm_mean)
    spread = np.average((log - np.average(log, weights=exposure)) ** 2, weights=exposure)
    if not spread > 1e-18:
        return 1.0
    return float(1 - np.average((log - told) ** 2, weights=exposure) / spread)
