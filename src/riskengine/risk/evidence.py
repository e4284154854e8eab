"""What a model is judged on: held-out rows of its training table, or a table it never saw.

Rows of training are judged by predictions of models that did not see their member, which are kept
with the fitted model; so they are recognised by their digest. The yardsticks learn from the same
rows as each of those models did.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as arrow

from riskengine.errors import InputError, TableError
from riskengine.risk.columns import as_table, levels, numbers, training_columns
from riskengine.risk.design import positions
from riskengine.risk.diagnostics.breakdown import ends_of_time
from riskengine.risk.diagnostics.deviance import Family, Loss
from riskengine.risk.diagnostics.headline import SEED
from riskengine.risk.diagnostics.judged import GLM, MEAN, MODEL, Judged
from riskengine.risk.fit import digest_of
from riskengine.risk.folds import Split, folds_of, members
from riskengine.risk.model import Frame, RiskModel, Trained
from riskengine.risk.outcome import Outcome, outcome_of
from riskengine.risk.spec import Kind, ModelSpec
from riskengine.risk.yardstick import held_out_average, held_out_glm
from riskengine.tables import is_number
from riskengine.vocabulary import AnyArray, Columns, FloatArray, IntArray

GLM_CELLS = 2_000_000
"""Rows x features that a yardstick GLM learns from at most."""
_SURE = 1e-9


@dataclass(frozen=True, eq=False)
class Evidence:
    """The judged rows (n,), and where they were given their features, period and groups.

    `held_out` says that predictions are out-of-fold. `ends` are rows of the features before and
    after, between which drift is measured. `glm_rows` is how many rows each yardstick GLM learnt
    from at most, where those are fewer than there were.
    """

    judged: Judged
    held_out: bool
    columns: Columns | None = None
    time: AnyArray | None = None
    groups: Mapping[str, AnyArray] = field(default_factory=dict)
    ends: tuple[Columns, Columns] | None = None
    glm_rows: int | None = None


def loss_of(spec: ModelSpec) -> Loss:
    """The loss a kind is judged by; amounts in two parts are judged whole, by Tweedie deviance.

    >>> from riskengine.risk.spec import parse_spec
    >>> text = '[model]\\nname = "a"\\nkind = "two_part"\\ntarget = "cost"'
    >>> loss_of(parse_spec(text + '\\n[features]\\nnumeric = ["age"]'))
    Loss(family=<Family.TWEEDIE: 'tweedie'>, power=1.5)
    """
    kind = spec.model.kind
    if kind in {Kind.TWEEDIE, Kind.TWO_PART, Kind.FREQUENCY_SEVERITY}:
        return Loss(Family.TWEEDIE, spec.model.power)
    if kind is Kind.NEXT_PRODUCT:
        return Loss(Family.MULTICLASS)
    return Loss(Family(kind.value))


def splits_of(spec: ModelSpec, fold: IntArray) -> list[Split]:
    """Who learnt from whom, from the fold of each row (n,): by time, from earlier folds alone.

    >>> from riskengine.risk.spec import parse_spec
    >>> text = '[model]\\nname = "a"\\nkind = "poisson"\\ntarget = "n"\\n'
    >>> text += '[features]\\nnumeric = ["age"]\\n[folds]\\n'
    >>> [one.train.tolist() for one in splits_of(parse_spec(text), np.array([0, 1, 2]))]
    [[1, 2], [0, 2], [0, 1]]
    >>> [one.train.tolist() for one in splits_of(parse_spec(text + 'time = "t"'), np.arange(3))]
    [[0], [0, 1]]
    """
    return folds_of(spec, fold, fold).splits()


def trained_evidence(model: RiskModel) -> Evidence:
    """The training rows by what is kept of them alone: there is no GLM beside the model.

    Raises `InputError` when the model was not fitted here, so that nothing is kept of its training.
    """
    trained = model.trained
    if trained is None:
        message = (
            f"model {model.spec.model.name} keeps no held-out predictions: it was loaded, not"
            " fitted; give diagnose a labelled table"
        )
        raise InputError(message)
    outcome = _outcome_of_trained(model, trained)
    average = held_out_average(outcome, splits_of(model.spec, trained.fold))
    return Evidence(_judged(model, trained, {MEAN: average}), held_out=True)


def evidence_of(
    model: RiskModel, frame: Frame, groups: Sequence[str], time: str | None, training: Frame | None
) -> Evidence:
    """The rows of `frame` with everything that can be said of them.

    `training` is the model's training table, from which yardsticks of another table learn. Raises
    `TableError` as `riskengine.risk.columns.training_columns` does, and for a column of `groups`
    or `time` that is missing.
    """
    spec = model.spec
    columns = _training_columns(spec, frame)
    period = time or spec.folds.time
    when = None if period is None else _extra(frame, period, as_time=True)
    found = {name: _extra(frame, name) for name in groups}
    features = _features(spec, columns)
    if model.trained is not None and digest_of(spec, columns) == model.trained.digest:
        evidence = _of_training(model, model.trained, columns)
        rows = model.trained.held_out
    else:
        evidence = _of_new_table(model, columns, training)
        rows = np.arange(len(evidence.judged.actual))
    if evidence.ends is None and when is not None:
        early, late = ends_of_time(when)
        evidence = replace(evidence, ends=(_rows(features, early), _rows(features, late)))
    return replace(
        evidence,
        columns=_rows(features, rows),
        time=None if when is None else when[rows],
        groups=_rows(found, rows),
    )


def _rows(columns: Columns, rows: IntArray) -> Columns:
    return {name: values[rows] for name, values in columns.items()}


def _of_training(model: RiskModel, trained: Trained, columns: Columns) -> Evidence:
    outcome = _outcome_of_trained(model, trained)
    splits, thinned = _thin(model.spec, splits_of(model.spec, trained.fold), trained.member)
    yardsticks = {
        GLM: _within(held_out_glm(model.spec, columns, outcome, splits), outcome),
        MEAN: held_out_average(outcome, splits_of(model.spec, trained.fold)),
    }
    return Evidence(_judged(model, trained, yardsticks), held_out=True, glm_rows=thinned)


def _of_new_table(model: RiskModel, columns: Columns, training: Frame | None) -> Evidence:
    spec = model.spec
    outcome = _outcome_of_new(model, columns)
    size = len(outcome.actual)
    predictions = {MODEL: model.predict(columns)}
    ends, thinned = None, None
    if training is not None:
        learnt = _training_columns(spec, training)
        ends = (_features(spec, learnt), _features(spec, columns))
        found, thinned = _yardsticks(spec, _outcome_of_new(model, learnt), outcome, ends)
        predictions |= found
    elif model.trained is not None:
        predictions[MEAN] = _average(_outcome_of_trained(model, model.trained), size)
    judged = Judged(
        outcome.actual, outcome.weight, members(spec, columns), None, predictions, loss_of(spec)
    )
    return Evidence(judged, held_out=False, ends=ends, glm_rows=thinned)


def _yardsticks(
    spec: ModelSpec, learnt: Outcome, outcome: Outcome, ends: tuple[Columns, Columns]
) -> tuple[dict[str, FloatArray], int | None]:
    """GLM and mean of a new table (second), learnt from a training table (first)."""
    both = {name: np.concatenate([side[name] for side in ends]) for name in ends[0]}
    joined = Outcome(
        np.concatenate([learnt.actual, outcome.actual]),
        np.concatenate([learnt.weight, outcome.weight]),
        np.concatenate([learnt.pooled, outcome.pooled]),
        learnt.classes,
    )
    first = len(learnt.actual)
    split = Split(np.arange(first), np.arange(first, len(joined.actual)))
    thin, thinned = _thin(spec, [split], np.arange(len(joined.actual)))
    glm = held_out_glm(spec, both, joined, thin)
    average = held_out_average(joined, [split])
    return {GLM: _within(glm[first:], learnt), MEAN: average[first:]}, thinned


def _judged(model: RiskModel, trained: Trained, yardsticks: Mapping[str, FloatArray]) -> Judged:
    rows = trained.held_out
    predictions = {MODEL: trained.expected, **yardsticks}
    return Judged(
        trained.actual[rows],
        trained.weight[rows],
        trained.member[rows],
        trained.fold[rows],
        {name: found[rows] for name, found in predictions.items()},
        loss_of(model.spec),
    )


def _outcome_of_trained(model: RiskModel, trained: Trained) -> Outcome:
    return Outcome(trained.actual, trained.weight, trained.actual, model.classes)


def _outcome_of_new(model: RiskModel, columns: Columns) -> Outcome:
    """The outcome by the classes of training; raises `TableError` for one that it did not have."""
    outcome = outcome_of(model.spec, columns)
    if not model.classes:
        return outcome
    target = columns[model.spec.model.outcomes[0]]
    place = positions(model.classes, target)
    if (place < 0).any():
        row = int(np.argmin(place))
        message = (
            f"{model.spec.model.outcomes[0]} is {target[row]!r} in row {row}, a class that training"
            f" did not have: drop such rows, or fit again"
        )
        raise TableError(message)
    actual = place.astype(np.float64)
    return Outcome(actual, outcome.weight, actual, model.classes)


def _average(outcome: Outcome, size: int) -> FloatArray:
    """The mean of training for `size` rows that are not of it."""
    rows = np.arange(len(outcome.actual))
    first = held_out_average(outcome, [Split(rows, rows[:1])])[:1]
    return np.repeat(first, size, axis=0)


def _thin(spec: ModelSpec, splits: list[Split], member: IntArray) -> tuple[list[Split], int | None]:
    """The splits with fewer rows to learn from, whole members at random, and how many at most."""
    most = max(1000, GLM_CELLS // max(len(spec.features.names), 1))
    if all(len(split.train) <= most for split in splits):
        return splits, None
    rng = np.random.default_rng(SEED)
    place = rng.permutation(int(member.max()) + 1)[member]
    found = []
    for split in splits:
        turn = place[split.train]
        limit = np.sort(turn)[min(most, len(turn)) - 1]
        found.append(Split(split.train[turn <= limit], split.test))
    return found, max(len(split.train) for split in found)


def _within(expected: FloatArray, outcome: Outcome) -> FloatArray:
    """A GLM's predictions held within what an outcome can be: splines that leave the data may run
    to where a deviance has no end."""
    if outcome.classes:
        safe = np.maximum(expected, _SURE)
        return np.asarray(safe / safe.sum(axis=1, keepdims=True))
    if np.isin(outcome.actual, (0.0, 1.0)).all() and np.nanmax(expected) <= 1:
        return np.clip(expected, _SURE, 1 - _SURE)
    mean = np.average(outcome.actual, weights=outcome.weight)
    return np.clip(expected, 1e-6 * mean, max(10 * outcome.actual.max(), mean))


def _features(spec: ModelSpec, columns: Columns) -> Columns:
    return {name: columns[name] for name in spec.features.names}


def _training_columns(spec: ModelSpec, frame: Frame) -> Columns:
    """The columns that `training_columns` gives, also of a mapping that has more."""
    if not isinstance(frame, Mapping):
        return training_columns(spec, as_table(frame))
    beside = (spec.model.exposure, spec.model.propensity, spec.folds.group, spec.folds.time)
    wanted = (*spec.features.names, *spec.model.outcomes, *(name for name in beside if name))
    return {name: _extra(frame, name) for name in wanted}


def _extra(frame: Frame, name: str, as_time: bool = False) -> AnyArray:
    """A column beside the model's own: texts of levels, numbers, or times as they are."""
    if isinstance(frame, Mapping):
        if name in frame:
            return frame[name]
        message = f"{name} is not among the columns: {', '.join(frame)}"
        raise TableError(message)
    table = as_table(frame)
    if name not in table.schema.names:
        there = ", ".join(table.schema.names[:40])
        message = f"the table has no column {name}: it has {there}"
        raise TableError(message)
    kind = table[name].type
    if as_time and (arrow.types.is_date(kind) or arrow.types.is_timestamp(kind)):
        return np.asarray(table[name].to_numpy())
    return numbers(table, name) if is_number(kind) else levels(table, name)
