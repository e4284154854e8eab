"""The other models, each as a user would pick it, on the training rows of the same split.

The mean; a spline GLM whose ridge penalty is chosen by cross-validation; LightGBM with its defaults
and native categories; a random forest whose leaf size is chosen on a part kept aside. All see
features, outcome and exposure alone, and none the held-out rows.
"""

import warnings
from collections.abc import Callable
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
from glum import GeneralizedLinearRegressorCV, TweedieDistribution
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GroupKFold, GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    SplineTransformer,
    StandardScaler,
)
from threadpoolctl import threadpool_limits

from benchmarks.sets.problem import Problem, actual_of, exposure_of
from riskengine.risk.fit import fit
from riskengine.risk.folds import members
from riskengine.risk.spec import Kind, ModelSpec
from riskengine.vocabulary import FloatArray, IntArray

Predict = Callable[[pd.DataFrame], FloatArray]
_KNOTS = 7
_LEVELS = 200
_MANY = 30
_PENALTIES = np.geomspace(1.0, 1e-6, 7)
_TREES, _FOREST_ROWS = 100, 100_000
_LEAVES = (10, 50, 250)


def fit_ours(problem: Problem, train: pd.DataFrame) -> Predict:
    """riskengine's own defaults."""
    return fit(problem.spec, train).predict


def fit_mean(problem: Problem, train: pd.DataFrame) -> Predict:
    """The mean per unit of exposure."""
    mean = float(np.average(actual_of(problem.spec, train), weights=_weight(problem, train)))
    return lambda frame: np.full(len(frame), mean)


def fit_spline_glm(problem: Problem, train: pd.DataFrame) -> Predict:
    """Splines and indicators, with pairwise interactions where the problem says so; ridge by CV.

    Penalties are relative to the information that an average row has on the mean.
    """
    spec, weight = problem.spec, _weight(problem, train)
    actual = actual_of(spec, train)
    level = float(np.average(actual, weights=weight))
    family, link, unit, information = _family(spec, level)
    expansion = _expansion(spec, train)
    if problem.crossed:
        expansion = make_pipeline(expansion, PolynomialFeatures(2, interaction_only=True))
    texts = _texts(spec, train)
    glm = GeneralizedLinearRegressorCV(
        family=family,
        link=link,
        alphas=_PENALTIES * information,
        cv=list(
            GroupKFold(5, shuffle=True, random_state=1).split(train, groups=_owner(spec, train))
        ),
        max_iter=100,
        gradient_tol=1e-5,
    )
    with warnings.catch_warnings(), threadpool_limits(1):  # spinning threads cost more than they do
        warnings.simplefilter("ignore", ConvergenceWarning)
        glm.fit(expansion.fit_transform(texts), actual / unit, sample_weight=weight)
    return lambda frame: unit * glm.predict(expansion.transform(_texts(spec, frame)))


def fit_lightgbm(problem: Problem, train: pd.DataFrame) -> Predict:
    """LightGBM as it comes: 100 rounds, native categories, the objective of the kind."""
    spec = problem.spec
    known = {name: _categories(train[name]) for name in spec.features.categorical}

    def read(frame: pd.DataFrame) -> pd.DataFrame:
        taken = {n: frame[n].astype(np.float64) for n in spec.features.numeric}
        taken |= {n: pd.Categorical(_level(frame[n]), known[n]) for n in known}
        return pd.DataFrame(taken, index=frame.index)

    settings: dict[str, Any] = {"n_estimators": _TREES, "n_jobs": 1, "verbosity": -1}
    if problem.binary:
        model = lgb.LGBMClassifier(**settings).fit(read(train), _labels(spec, train))
        return lambda frame: np.asarray(model.predict_proba(read(frame)))[:, 1]
    objective = "poisson" if spec.model.kind is Kind.POISSON else "tweedie"
    if objective == "tweedie":
        settings["tweedie_variance_power"] = spec.model.power
    model = lgb.LGBMRegressor(objective=objective, **settings).fit(
        read(train), actual_of(spec, train), sample_weight=_weight(problem, train)
    )
    return lambda frame: np.asarray(model.predict(read(frame)))


def fit_forest(problem: Problem, train: pd.DataFrame) -> Predict:
    """A forest of 100 trees, each on at most 100,000 rows; predictions at least 1 % of the mean."""
    chooser = GroupShuffleSplit(1, test_size=0.2, random_state=1)
    inner, held = next(chooser.split(train, groups=_owner(problem.spec, train)))
    first, last = train.iloc[inner], train.iloc[held]
    losses = []
    for leaf in _LEAVES:
        predicted = _grown_forest(problem, first, leaf, 15)(last)
        losses.append(_loss(problem, last, predicted))
    return _grown_forest(problem, train, _LEAVES[int(np.argmin(losses))], _TREES)


def _grown_forest(problem: Problem, train: pd.DataFrame, leaf: int, trees: int) -> Predict:
    spec = problem.spec
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    encoder.fit(_texts(spec, train)[list(spec.features.categorical)])

    def read(frame: pd.DataFrame) -> FloatArray:
        texts = _texts(spec, frame)
        codes = encoder.transform(texts[list(spec.features.categorical)])
        return np.column_stack([texts[list(spec.features.numeric)].to_numpy(np.float64), codes])

    settings: dict[str, Any] = {
        "n_estimators": trees,
        "min_samples_leaf": leaf,
        "max_features": 1 / 3,
        "max_samples": min(1.0, _FOREST_ROWS / len(train)),
        "random_state": 1,
    }
    if problem.binary:
        settings["max_features"] = "sqrt"
        classifier = RandomForestClassifier(**settings).fit(read(train), _labels(spec, train))
        return lambda frame: classifier.predict_proba(read(frame))[:, 1]
    actual, weight = actual_of(spec, train), _weight(problem, train)
    forest = RandomForestRegressor(**settings).fit(read(train), actual, sample_weight=weight)
    least = 0.01 * float(np.average(actual, weights=weight))
    return lambda frame: np.maximum(forest.predict(read(frame)), least)


def _loss(problem: Problem, frame: pd.DataFrame, predicted: FloatArray) -> float:
    actual = actual_of(problem.spec, frame)
    if problem.binary:
        return float(np.mean((actual - predicted) ** 2))
    return float(np.average(problem.deviance(actual, predicted), weights=_weight(problem, frame)))


def _weight(problem: Problem, frame: pd.DataFrame) -> FloatArray:
    return exposure_of(problem.spec, frame)


def _labels(spec: ModelSpec, frame: pd.DataFrame) -> IntArray:
    return actual_of(spec, frame).astype(np.int64)


def _owner(spec: ModelSpec, frame: pd.DataFrame) -> IntArray:
    group = spec.folds.group
    return members(spec, {group or "": frame[group or frame.columns[0]].to_numpy()})


def _family(spec: ModelSpec, level: float) -> tuple[Any, str, float, float]:
    """Family, link, the unit the outcome is put in, and the information of a row on the mean."""
    if spec.model.kind is Kind.BINARY:
        return "binomial", "logit", 1.0, level * (1 - level)
    if spec.model.kind is Kind.POISSON:
        return "poisson", "log", 1.0, level
    return TweedieDistribution(spec.model.power), "log", level, 1.0


def _expansion(spec: ModelSpec, train: pd.DataFrame) -> Any:
    """Splines with knots at quantiles, or numbers as they are where there are many or few values.

    Of categories the commonest levels, the others as one.
    """
    many = len(spec.features.numeric) > _MANY
    parts: list[tuple[Any, list[str]]] = []
    for name in spec.features.numeric:
        values = train[name].to_numpy(np.float64)
        steps: list[Any] = [SimpleImputer(strategy="median", add_indicator=True)]
        knots = np.unique(np.nanquantile(values, np.linspace(0, 1, _KNOTS)))
        if many or len(knots) < 4 or np.isnan(values).any():
            steps.append(StandardScaler())
        else:
            steps.append(SplineTransformer(knots=knots[:, None], extrapolation="linear"))
        parts.append((make_pipeline(*steps), [name]))
    indicators = OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=_LEVELS, sparse_output=False
    )
    return make_column_transformer(*parts, (indicators, list(spec.features.categorical)))


def _texts(spec: ModelSpec, frame: pd.DataFrame) -> pd.DataFrame:
    taken = {name: frame[name].astype(np.float64) for name in spec.features.numeric}
    taken |= {name: _level(frame[name]) for name in spec.features.categorical}
    return pd.DataFrame(taken)


def _level(values: pd.Series) -> pd.Series:
    """Levels as texts, missing as one of them."""
    return values.astype(object).where(values.notna(), "missing").astype(str)


def _categories(values: pd.Series) -> list[str]:
    return sorted(_level(values).unique())
