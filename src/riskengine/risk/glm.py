"""The yardsticks: a GLM with splines and the mean, learnt from the same rows as the trees.

Numbers enter as cubic splines with five knots, categories as indicators; a missing number takes
the training mean and an indicator of its own. Ridge penalty as small as keeps the fit stable.
"""

import numpy as np
import pyarrow as arrow
from glum import GeneralizedLinearRegressor, TweedieDistribution
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, SplineTransformer, StandardScaler

from riskengine.risk.design import training_columns
from riskengine.risk.spec import Kind, ModelSpec
from riskengine.vocabulary import FloatArray, IntArray


def held_out_glm(spec: ModelSpec, table: arrow.Table, folds: list[IntArray]) -> FloatArray:
    """Predictions (n,) of a spline GLM, each row by the GLM that did not see its fold.

    `folds` are the held-out row positions, as in `riskengine.risk.fit.HeldOut.rows`.
    """
    columns = training_columns(spec, table)
    weight = columns[spec.model.exposure] if spec.model.exposure else np.ones(table.num_rows)
    outcome = columns[spec.model.target] / weight
    numbers = np.column_stack([columns[name] for name in spec.features.numeric])
    categories = [columns[name].astype(str) for name in spec.features.categorical]
    frame = np.column_stack([numbers.astype(object), *categories]) if categories else numbers
    result = np.empty(table.num_rows)
    for rows in folds:
        train = np.setdiff1d(np.arange(table.num_rows), rows)
        glm = _glm(spec)
        glm.fit(
            frame[train], outcome[train], generalizedlinearregressor__sample_weight=weight[train]
        )
        result[rows] = glm.predict(frame[rows])
    return result


def held_out_average(
    outcome: FloatArray, exposure: FloatArray, folds: list[IntArray]
) -> FloatArray:
    """The other yardstick: for each row (n,) the mean outcome of all rows outside its fold."""
    result = np.empty(len(outcome))
    for rows in folds:
        train = np.setdiff1d(np.arange(len(outcome)), rows)
        result[rows] = np.average(outcome[train], weights=exposure[train])
    return result


def _glm(spec: ModelSpec) -> Pipeline:
    numeric = list(range(len(spec.features.numeric)))
    categorical = list(range(len(spec.features.numeric), len(spec.features.names)))
    splines = make_pipeline(
        SimpleImputer(add_indicator=True),
        StandardScaler(),
        SplineTransformer(n_knots=5, knots="quantile", extrapolation="linear"),
    )
    family = "poisson" if spec.model.kind is Kind.POISSON else TweedieDistribution(spec.model.power)
    return make_pipeline(
        make_column_transformer(
            (splines, numeric),
            (OneHotEncoder(handle_unknown="ignore", sparse_output=False), categorical),
        ),
        GeneralizedLinearRegressor(family=family, link="log", alpha=1e-4, max_iter=300),
    )
