"""Fitting a risk model: cross-validated LightGBM, balanced and calibrated out-of-fold.

One booster a fold, folds by member, all stopped at the round where their common held-out deviance
is least; the model averages them on the log scale, which keeps relativities exact. Out-of-fold
predictions give the balance factor and the continuance. Features listed as optional are hidden at
random in a second copy of the data, so that "not answered" is a value the trees have learnt.
"""

from dataclasses import dataclass

import joblib
import lightgbm as lgb
import numpy as np
import pyarrow as arrow
from sklearn.model_selection import GroupKFold

from riskengine.risk.continuance import fit_continuance
from riskengine.risk.design import design_matrix, feature_columns, levels_of, training_columns
from riskengine.risk.model import RiskModel
from riskengine.risk.spec import Direction, Kind, ModelSpec
from riskengine.vocabulary import FloatArray, IntArray

Fold = tuple[IntArray, IntArray]
_HIDE_EACH, _HIDE_ALL = 0.5, 0.25


@dataclass(frozen=True)
class Fit:
    """A fitted model and what its rows were predicted by boosters that did not see their member.

    `out_of_fold` (n,) is balanced: its exposure-weighted total equals the actual total.
    """

    model: RiskModel
    out_of_fold: FloatArray
    rounds: int


@dataclass(frozen=True)
class HeldOut:
    """A model and the positions of the rows it never saw, not even to balance."""

    model: RiskModel
    rows: IntArray


def fit(spec: ModelSpec, table: arrow.Table) -> Fit:
    """Fit `spec` to `table`, one row an exposure period.

    The outcome is target / exposure with exposure as weight. Raises `TableError` when a column is
    missing or cannot be used. Deterministic: the same data and spec give the same model.
    """
    columns = training_columns(spec, table)
    weight = _exposure(spec, columns)
    outcome = columns[spec.model.target] / weight
    levels = levels_of(spec, columns)
    matrix = design_matrix(spec, levels, columns)
    folds = _folds(columns[spec.folds.group], spec.folds.count)
    boosters, rounds = _cross_validate(spec, matrix, outcome, weight, folds)

    raw = np.array([b.predict(matrix, raw_score=True, num_threads=1) for b in boosters])
    held_out = np.empty(len(outcome))
    for number, (_, rows) in enumerate(folds):
        held_out[rows] = np.exp(raw[number, rows])
    balance = np.sum(weight * outcome) / np.sum(weight * held_out)
    out_of_fold = balance * held_out
    # The average on the log scale lies below the boosters' mean; the labels play no part in this.
    averaging = np.sum(weight * np.exp(raw).mean(axis=0)) / np.sum(
        weight * np.exp(raw.mean(axis=0))
    )
    seen_missing = {
        name
        for position, name in enumerate(spec.features.names)
        if np.isnan(matrix[:, position]).any()
    }
    model = RiskModel(
        spec=spec,
        levels=levels,
        learnt_missing=frozenset(seen_missing | set(spec.features.optional)),
        booster_texts=tuple(b.model_to_string() for b in boosters),
        balance_factor=float(balance * averaging),
        continuance=fit_continuance(
            outcome, out_of_fold, weight, spec.continuance.bands, spec.continuance.knots
        ),
    )
    return Fit(model, out_of_fold, rounds)


def cross_fit(spec: ModelSpec, table: arrow.Table, jobs: int = 2) -> list[HeldOut]:
    """Fit on all folds but one, for each fold: honest models for held-out diagnostics.

    Everything, balance factor and continuance included, is learnt without the held-out members.
    """
    columns = training_columns(spec, table)
    folds = _folds(columns[spec.folds.group], spec.folds.count)
    fits = joblib.Parallel(n_jobs=jobs)(
        joblib.delayed(fit)(spec, table.take(arrow.array(train))) for train, _ in folds
    )
    return [HeldOut(done.model, rows) for done, (_, rows) in zip(fits, folds, strict=True)]


def held_out_mean(held_out: list[HeldOut], table: arrow.Table) -> FloatArray:
    """Predictions (n,) for every row of `table`, each by the model that never saw its member."""
    result = np.full(table.num_rows, np.nan)
    for part in held_out:
        rows = feature_columns(part.model.spec, table.take(arrow.array(part.rows)))
        result[part.rows] = part.model.predict(rows)
    return result


def _exposure(spec: ModelSpec, columns: dict[str, np.ndarray]) -> FloatArray:
    if spec.model.exposure is None:
        return np.ones(len(columns[spec.model.target]))
    return np.asarray(columns[spec.model.exposure], dtype=np.float64)


def _folds(group: np.ndarray, count: int) -> list[Fold]:
    return list(GroupKFold(count).split(group, groups=group))


def _cross_validate(
    spec: ModelSpec, matrix: FloatArray, outcome: FloatArray, weight: FloatArray, folds: list[Fold]
) -> tuple[list[lgb.Booster], int]:
    """One booster a fold, cut at the round of least common held-out deviance."""
    size, copies = len(outcome), 1
    if spec.features.optional:
        hidden = _hide_answers(spec, matrix)
        matrix, copies = np.vstack([matrix, hidden]), 2
        outcome, weight = np.tile(outcome, 2), np.tile(weight, 2) / 2
        folds = [(np.concatenate([train, train + size]), test) for train, test in folds]
    categorical = list(range(len(spec.features.numeric), len(spec.features.names)))
    data = lgb.Dataset(
        matrix,
        outcome,
        weight=weight,
        feature_name=list(spec.features.names),
        categorical_feature=categorical,
        free_raw_data=True,
    )
    result = lgb.cv(
        _parameters(spec, copies),
        data,
        num_boost_round=spec.lightgbm.rounds,
        folds=folds,
        callbacks=[lgb.early_stopping(spec.lightgbm.early_stopping_rounds, verbose=False)],
        return_cvbooster=True,
    )
    ensemble = result["cvbooster"]
    rounds = int(ensemble.best_iteration)
    texts = [booster.model_to_string(num_iteration=rounds) for booster in ensemble.boosters]
    return [lgb.Booster(model_str=text) for text in texts], rounds


def _hide_answers(spec: ModelSpec, matrix: FloatArray) -> FloatArray:
    """A copy with optional features hidden: each at random, and all at once in some rows."""
    rng = np.random.default_rng(spec.lightgbm.seed)
    positions = [spec.features.names.index(name) for name in spec.features.optional]
    hide = rng.random((len(matrix), len(positions))) < _HIDE_EACH
    hide |= (rng.random(len(matrix)) < _HIDE_ALL)[:, None]
    hidden = matrix.copy()
    for column, position in enumerate(positions):
        hidden[hide[:, column], position] = np.nan
    return hidden


def _parameters(spec: ModelSpec, copies: int) -> dict[str, object]:
    settings = spec.lightgbm
    signs = {Direction.INCREASING: 1, Direction.DECREASING: -1}
    monotone = [
        signs[spec.features.monotone[name]] if name in spec.features.monotone else 0
        for name in spec.features.names
    ]
    parameters: dict[str, object] = {
        "objective": spec.model.kind.value,
        "metric": spec.model.kind.value,
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.num_leaves,
        "min_data_in_leaf": settings.min_data_in_leaf * copies,
        "lambda_l2": settings.lambda_l2,
        "feature_fraction": settings.feature_fraction,
        "bagging_fraction": settings.bagging_fraction,
        "bagging_freq": 1,
        "seed": settings.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    if any(monotone):
        parameters["monotone_constraints"] = monotone
    if spec.model.kind is Kind.TWEEDIE:
        parameters["tweedie_variance_power"] = spec.model.power
    return parameters
