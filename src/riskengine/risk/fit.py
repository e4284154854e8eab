"""Fitting a risk model: what the spec leaves open is chosen on rows that were held out.

One or two linear predictors (`riskengine.risk.learn`) make the mean; out-of-fold predictions give
the balance factor, the continuance and the conformal table. Nothing of it sees a member that it is
judged on.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import joblib
import numpy as np
import pandas as pd
import pyarrow as arrow

from riskengine.errors import InputError
from riskengine.risk.columns import as_table, training_columns
from riskengine.risk.conformal import ConformalTable, fit_conformal
from riskengine.risk.continuance import Continuance, fit_continuance
from riskengine.risk.folds import Folds, Split, deal_folds, members
from riskengine.risk.learn import Learnt, learn, mean_alone
from riskengine.risk.model import RiskModel, Trained, mean_of
from riskengine.risk.outcome import Outcome, outcome_of
from riskengine.risk.search import search
from riskengine.risk.settings import candidates
from riskengine.risk.spec import Kind, ModelSpec
from riskengine.risk.task import Task
from riskengine.risk.trees import Objective
from riskengine.vocabulary import Columns, FloatArray, IntArray

LEAST_EVENTS = 10
"""Members with an outcome, below which the mean is all that is fitted."""
_BAND_EVENTS = 30
_WHOLE = 0.99
_LEAST_WHOLE = 100
_AVERAGED_ROWS = 20_000
Progress = Callable[[str], None]


def fit(
    spec: ModelSpec, frame: arrow.Table | pd.DataFrame, progress: Progress | None = None
) -> RiskModel:
    """Fit `spec` to a table, one row an exposure period; deterministic: equal in, equal out.

    Raises `TableError` when a column is missing or cannot be used. `progress` is told what is being
    done.
    """
    return fit_columns(spec, training_columns(spec, as_table(frame)), progress)


def fit_columns(spec: ModelSpec, columns: Columns, progress: Progress | None = None) -> RiskModel:
    """`fit` for columns that were read already (`riskengine.risk.columns.training_columns`)."""
    say = progress or (lambda _: None)
    if spec.model.kind is Kind.NEXT_PRODUCT:
        # Imported when asked for: it uses this module.
        from riskengine.risk.next_product.fit import fit_next_product

        return fit_next_product(spec, columns, say)
    outcome = outcome_of(spec, columns)
    learnt = []
    seeds = range(spec.lightgbm.seed, spec.lightgbm.seed + spec.bagging.seeds)
    chosen: list[list[dict[str, object]]] = []
    for seed in seeds:
        tasks = _tasks(spec, columns, outcome, seed)
        if spec.search is not None and not chosen:
            say("searching settings")
            chosen = [[] if _too_few(task) else [search(task, spec.search, say)] for task in tasks]
        done = []
        for place, task in enumerate(tasks):
            say(f"fitting {_name_of(spec, place)}" + (f", seed {seed}" if len(seeds) > 1 else ""))
            if _too_few(task):
                done.append(mean_alone(task))
            else:
                done.append(learn(task, chosen[place] if chosen else candidates(task)))
        learnt.append((tasks[0].folds, done))
    return _assemble(spec, columns, outcome, learnt)


def digest_of(spec: ModelSpec, columns: Columns) -> str:
    """SHA-256 over the columns that a spec reads, in its order: names, values and missing ones."""
    total = hashlib.sha256()
    for name in sorted(columns):
        values = columns[name]
        if values.dtype == object:
            codes, levels = pd.factorize(values)
            part = codes.astype(np.int64).tobytes() + "\x1f".join(map(str, levels)).encode()
        else:
            part = np.ascontiguousarray(values).tobytes()
        total.update(f"{spec.model.name}\x1e{name}\x1e{len(values)}\x1e".encode() + part)
    return total.hexdigest()


def _name_of(spec: ModelSpec, place: int) -> str:
    parts = {
        Kind.FREQUENCY_SEVERITY: ("frequency", "severity"),
        Kind.TWO_PART: ("chance", "amount"),
    }.get(spec.model.kind, (spec.model.name,))
    return parts[place]


def _tasks(spec: ModelSpec, columns: Columns, outcome: Outcome, seed: int) -> list[Task]:
    """The linear predictors of a kind, each a task of its own on common folds."""
    kind, weight, pooled = spec.model.kind, outcome.weight, outcome.pooled
    folds = deal_folds(spec, columns, _dealt_by(kind, outcome), seed)
    seeded = _with_seed(spec, seed)

    def task(objective: Objective, values: FloatArray, weights: FloatArray) -> Task:
        return Task(seeded, objective, columns, values, weights, folds)

    positive = pooled > 0
    if kind is Kind.FREQUENCY_SEVERITY:
        count = columns[spec.model.outcomes[0]]
        claims = np.where(positive, count, 0.0)
        severity = np.where(positive, pooled * weight / np.where(count > 0, count, 1.0), 0.0)
        return [
            task(Objective("poisson"), count / weight, weight),
            task(Objective("gamma"), _to_mean_one(severity, claims), claims),
        ]
    if kind is Kind.TWO_PART:
        there = np.where(positive, weight, 0.0)
        return [
            task(Objective("binary"), positive.astype(np.float64), weight),
            task(Objective("tweedie", spec.model.power), _to_mean_one(pooled, there), there),
        ]
    if kind is Kind.MULTICLASS:
        return [task(Objective("multiclass", classes=len(outcome.classes)), pooled, weight)]
    if kind in {Kind.GAMMA, Kind.TWEEDIE}:
        power = spec.model.power if kind is Kind.TWEEDIE else 0.0
        return [task(Objective(kind.value, power), _to_mean_one(pooled, weight), weight)]
    return [task(Objective(kind.value), pooled, weight)]


def _dealt_by(kind: Kind, outcome: Outcome) -> FloatArray:
    """What each row brings to learn from: its events; of classes, more the rarer its own."""
    if kind is not Kind.MULTICLASS:
        return outcome.pooled * outcome.weight
    code = outcome.actual.astype(np.int64)
    rarest_first = np.argsort(np.argsort(np.bincount(code)))
    return np.asarray(len(outcome.classes) - rarest_first[code], dtype=np.float64)


def _with_seed(spec: ModelSpec, seed: int) -> ModelSpec:
    """The same spec with another seed for the trees."""
    trees = spec.lightgbm.model_copy(update={"seed": seed})
    return spec.model_copy(update={"lightgbm": trees})


def _to_mean_one(values: FloatArray, weight: FloatArray) -> FloatArray:
    """The unit of money plays no part in the fit."""
    total = float(np.sum(weight * values))
    return values * (float(weight.sum()) / total) if total > 0 else values


def _too_few(task: Task) -> bool:
    """Whether the mean is all that can be learnt."""
    owner = members(task.spec, task.columns)
    with_outcome = len(np.unique(owner[(task.outcome > 0) & (task.weight > 0)]))
    without = len(np.unique(owner[(task.outcome == 0) & (task.weight > 0)]))
    few = min(with_outcome, without) if task.objective.name == "binary" else with_outcome
    return few < LEAST_EVENTS


def _assemble(
    spec: ModelSpec,
    columns: Columns,
    outcome: Outcome,
    learnt: list[tuple[Folds, list[Learnt]]],
) -> RiskModel:
    """The model of the learnt predictors, one list of parts a seed, balanced out-of-fold."""
    count = len(learnt[0][1])
    parts = tuple(tuple(done[p].predictor for _, done in learnt) for p in range(count))
    scores = [np.mean([done[p].out_of_fold for _, done in learnt], axis=0) for p in range(count)]
    expected = mean_of(spec.model.kind, scores, 1.0)
    model = RiskModel(spec, parts, classes=outcome.classes)
    owner = members(spec, columns)
    trained = Trained(
        actual=outcome.actual,
        weight=outcome.weight,
        expected=expected,
        member=owner,
        fold=learnt[0][0].fold,
        digest=digest_of(spec, columns),
        rounds=tuple(one.rounds for one in learnt[0][1]),
        shares=tuple(one.shares for one in learnt[0][1]),
    )
    if not spec.model.kind.is_mean:
        return replace(model, trained=trained)
    rows = trained.held_out
    actual, weight = outcome.actual[rows], outcome.weight[rows]
    balance = float(np.sum(weight * actual) / np.sum(weight * expected[rows]))
    expected = balance * expected
    averaging = 1.0 if learnt[0][0].refit else _averaging_factor(model, columns, outcome.weight)
    return replace(
        model,
        balance_factor=balance * averaging,
        pooling_charge=float(np.sum(weight * actual) / np.sum(weight * outcome.pooled[rows])),
        kept_continuance=_continuance(spec, actual, expected[rows], weight),
        conformal=_conformal(actual, expected[rows], weight, owner[rows]),
        trained=replace(trained, expected=expected),
    )


def _averaging_factor(model: RiskModel, columns: Columns, weight: FloatArray) -> float:
    """How much lower the mean is for averaging the ensemble on the scale of the link.

    The labels play no part in it.
    """
    rows = np.arange(len(weight))
    if len(rows) > _AVERAGED_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(rows, _AVERAGED_ROWS, replace=False))
    few = {name: columns[name][rows] for name in model.spec.features.names}
    ensembles = [[one.intercept + one.members(few) for one in part] for part in model.parts]
    kind = model.spec.model.kind
    alone = [
        mean_of(kind, [part[seed][m % len(part[seed])] for part in ensembles], 1.0)
        for seed in range(len(ensembles[0]))
        for m in range(max(len(part[seed]) for part in ensembles))
    ]
    share = weight[rows]
    return float(np.sum(share * np.mean(alone, axis=0)) / np.sum(share * model.predict(few)))


def _continuance(
    spec: ModelSpec, actual: FloatArray, expected: FloatArray, weight: FloatArray
) -> Continuance:
    """As many bands as were asked for, fewer where they would hold too few events."""
    settings = spec.continuance
    bands = min(settings.bands, max(1, int((actual > 0).sum()) // _BAND_EVENTS))
    while True:
        try:
            return fit_continuance(actual, expected, weight, bands, settings.knots)
        except InputError:
            if bands == 1:
                raise
            bands -= 1


def _conformal(
    actual: FloatArray, expected: FloatArray, weight: FloatArray, member: IntArray
) -> ConformalTable | None:
    """From whole years, where there are a hundred members of them and more than yes and no."""
    whole = weight >= _WHOLE
    if len(np.unique(member[whole])) < _LEAST_WHOLE or np.isin(actual[whole], (0, 1)).all():
        return None
    return fit_conformal(actual[whole], expected[whole], member[whole])


@dataclass(frozen=True)
class HeldOut:
    """A model and the rows it never saw, not even to balance: `split.test`."""

    model: RiskModel
    split: Split


def cross_fit(spec: ModelSpec, frame: arrow.Table | pd.DataFrame, jobs: int = 1) -> list[HeldOut]:
    """Fit anew for each fold: everything is learnt without the held-out members.

    The out-of-fold predictions of one `fit` choose its shares and settings too; these do not.
    """
    columns = training_columns(spec, as_table(frame))
    outcome = outcome_of(spec, columns)
    folds = deal_folds(spec, columns, _dealt_by(spec.model.kind, outcome), spec.lightgbm.seed)
    splits = folds.splits()
    fits = joblib.Parallel(n_jobs=jobs)(
        joblib.delayed(fit_columns)(spec, {n: v[split.train] for n, v in columns.items()})
        for split in splits
    )
    return [HeldOut(model, split) for model, split in zip(fits, splits, strict=True)]


def held_out_mean(held_out: list[HeldOut], frame: arrow.Table | pd.DataFrame) -> FloatArray:
    """Predictions for every row, each by the model that never saw its member; NaN where none."""
    table = as_table(frame)
    first = held_out[0].model
    shape = (table.num_rows, len(first.classes)) if first.classes else (table.num_rows,)
    result = np.full(shape, np.nan)
    for part in held_out:
        result[part.split.test] = part.model.predict(table.take(arrow.array(part.split.test)))
    return result
