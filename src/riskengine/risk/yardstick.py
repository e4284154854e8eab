"""The yardsticks: a GLM with splines and the mean, learnt from the same rows as the model.

Numbers enter as cubic splines with five knots, categories as indicators (the 50 commonest levels,
the rest as one); a missing number takes the training mean and an indicator of its own. The ridge
penalty is as small as keeps the fit stable. `two_part` and `frequency_severity` meet a Tweedie GLM
of the whole amount.
"""

import warnings
from typing import Any

import numpy as np
import pandas as pd
from glum import GeneralizedLinearRegressor, TweedieDistribution
from sklearn.compose import make_column_transformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, SplineTransformer, StandardScaler

from riskengine.risk.folds import Split
from riskengine.risk.outcome import Outcome
from riskengine.risk.spec import Kind, ModelSpec
from riskengine.vocabulary import AnyArray, Columns, FloatArray, IntArray

MOST_ROWS = 150_000
_LEVELS = 50
_MISSING = "missing"


def held_out_glm(
    spec: ModelSpec, columns: Columns, outcome: Outcome, splits: list[Split]
) -> FloatArray:
    """Predictions (n,) of a spline GLM, of classes (n, classes); NaN for rows never held out."""
    frame = _frame(spec, columns)
    result = np.full(_shape(outcome), np.nan)
    for split in splits:
        train = _thinned(split.train)
        glm = _fit(spec, frame[train], outcome.actual[train], outcome.weight[train])
        result[split.test] = _predict(glm, frame[split.test], outcome)
    return result


def held_out_average(outcome: Outcome, splits: list[Split]) -> FloatArray:
    """The other yardstick: for each row the mean of the rows its split learns from."""
    result = np.full(_shape(outcome), np.nan)
    for split in splits:
        weight = outcome.weight[split.train]
        if outcome.classes:
            code = outcome.actual[split.train].astype(np.int64)
            counts = np.bincount(code, weight, len(outcome.classes)) + 0.5
            result[split.test] = counts / counts.sum()
        else:
            result[split.test] = np.average(outcome.actual[split.train], weights=weight)
    return result


def _shape(outcome: Outcome) -> tuple[int, ...]:
    size = len(outcome.actual)
    return (size, len(outcome.classes)) if outcome.classes else (size,)


def _frame(spec: ModelSpec, columns: Columns) -> AnyArray:
    """Numbers and texts of the features side by side, (n, features) of objects."""
    numbers = [columns[name].astype(object) for name in spec.features.numeric]
    texts = [
        np.where(pd.isna(columns[name]), _MISSING, columns[name])
        for name in spec.features.categorical
    ]
    return np.column_stack([*numbers, *texts])


def _thinned(rows: IntArray) -> IntArray:
    if len(rows) <= MOST_ROWS:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, MOST_ROWS, replace=False))


def _fit(spec: ModelSpec, frame: AnyArray, actual: FloatArray, weight: FloatArray) -> Pipeline:
    last = _glm(spec)
    name = type(last).__name__.lower()
    pipeline = make_pipeline(_expansion(spec, frame), last)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        pipeline.fit(frame, actual, **{f"{name}__sample_weight": weight})
    return pipeline


def _expansion(spec: ModelSpec, frame: AnyArray) -> Any:
    numeric = list(range(len(spec.features.numeric)))
    numbers = frame[:, numeric].astype(np.float64)
    known = [place for place in numeric if not np.isnan(numbers[:, place]).all()]
    categorical = list(range(len(numeric), len(spec.features.names)))
    splines = make_pipeline(
        SimpleImputer(add_indicator=True),
        StandardScaler(),
        SplineTransformer(n_knots=5, knots="quantile", extrapolation="linear"),
    )
    indicators = OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=_LEVELS, sparse_output=False
    )
    return make_column_transformer((splines, known), (indicators, categorical))


def _glm(spec: ModelSpec) -> Any:
    kind = spec.model.kind
    if kind is Kind.MULTICLASS:
        return LogisticRegression(C=100.0, max_iter=300)
    family: object = TweedieDistribution(spec.model.power)
    if kind in {Kind.POISSON, Kind.GAMMA}:
        family = kind.value
    if kind is Kind.BINARY:
        family = "binomial"
    link = "logit" if kind is Kind.BINARY else "log"
    return GeneralizedLinearRegressor(family=family, link=link, alpha=1e-4, max_iter=300)


def _predict(glm: Pipeline, frame: AnyArray, outcome: Outcome) -> FloatArray:
    if not outcome.classes:
        return np.asarray(glm.predict(frame), dtype=np.float64)
    found = np.zeros((len(frame), len(outcome.classes)))
    found[:, glm[-1].classes_.astype(np.int64)] = glm.predict_proba(frame)
    return found
