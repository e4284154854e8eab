"""What a model is to predict, as the rows of a training table tell it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from riskengine.risk.columns import exposure_of
from riskengine.risk.design import positions
from riskengine.risk.spec import Kind, ModelSpec
from riskengine.vocabulary import Columns, FloatArray


@dataclass(frozen=True)
class Outcome:
    """What is predicted: `actual` per unit of `weight` (n,), of classes their places in `classes`.

    `pooled` is `actual` with what lies above the pooling point cut off.
    """

    actual: FloatArray
    weight: FloatArray
    pooled: FloatArray
    classes: tuple[str, ...] = ()


def outcome_of(spec: ModelSpec, columns: Columns) -> Outcome:
    """The outcome of training columns."""
    size = len(columns[spec.model.outcomes[-1]])
    weight = exposure_of(spec, columns, size)
    target = columns[spec.model.outcomes[-1]]
    if spec.model.kind is Kind.MULTICLASS:
        classes = tuple(sorted(map(str, pd.unique(target))))
        actual = positions(classes, target).astype(np.float64)
        return Outcome(actual, weight, actual, classes)
    if spec.model.kind is Kind.BINARY:
        return Outcome(target, weight, target)
    actual = target / weight
    if spec.pooling is None:
        return Outcome(actual, weight, actual)
    if spec.model.kind is Kind.FREQUENCY_SEVERITY:
        cap = spec.pooling.point * columns[spec.model.outcomes[0]] / weight
        return Outcome(actual, weight, np.minimum(actual, cap))
    return Outcome(actual, weight, np.minimum(actual, spec.pooling.point))
