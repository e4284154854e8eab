"""Columns to the matrix that trees read: float64, categories as codes, missing as NaN."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as arrow

from riskengine.errors import TableError, UnknownNameError
from riskengine.risk.spec import ModelSpec
from riskengine.vocabulary import Columns, FloatArray

Levels = Mapping[str, tuple[str, ...]]


def design_matrix(spec: ModelSpec, levels: Levels, columns: Columns) -> FloatArray:
    """The features of `spec` in its order, (n, features).

    Raises `TableError` for a missing column and `UnknownNameError` for a level that the model was
    not trained on.
    """
    absent = [name for name in spec.features.names if name not in columns]
    if absent:
        message = f"model {spec.model.name} needs columns that are missing: {', '.join(absent)}"
        raise TableError(message)
    parts = [np.asarray(columns[name], dtype=np.float64) for name in spec.features.numeric]
    parts += [_codes(name, levels[name], columns[name]) for name in spec.features.categorical]
    return np.column_stack(parts)


def levels_of(spec: ModelSpec, columns: Columns) -> dict[str, tuple[str, ...]]:
    """The sorted levels of each categorical feature in the training data."""
    return {
        name: tuple(sorted({str(value) for value in columns[name] if value is not None}))
        for name in spec.features.categorical
    }


def feature_columns(spec: ModelSpec, table: arrow.Table) -> dict[str, np.ndarray]:
    """The features of `spec` in a table, as the columns a model reads.

    Raises `TableError` naming all columns that are missing, or the first that is not numeric.
    """
    _require(spec, table, spec.features.names)
    columns = {name: _numbers(table, name) for name in spec.features.numeric}
    for name in spec.features.categorical:
        columns[name] = table[name].cast(arrow.string()).to_numpy().astype(object)
    return columns


def training_columns(spec: ModelSpec, table: arrow.Table) -> dict[str, np.ndarray]:
    """The feature, target, exposure and group columns of a training table.

    Raises `TableError` as `feature_columns` does, and for the first row whose target, exposure or
    group cannot be used.
    """
    amounts = [spec.model.target] + ([spec.model.exposure] if spec.model.exposure else [])
    _require(spec, table, (*spec.features.names, *amounts, spec.folds.group))
    columns = feature_columns(spec, table)
    columns |= {name: _numbers(table, name) for name in amounts}
    columns[spec.folds.group] = table[spec.folds.group].to_numpy()
    _check_target(spec, columns)
    return columns


def _require(spec: ModelSpec, table: arrow.Table, names: tuple[str, ...]) -> None:
    absent = [name for name in names if name not in table.schema.names]
    if absent:
        message = f"model {spec.model.name} needs columns that are missing: {', '.join(absent)}"
        raise TableError(message)


def _numbers(table: arrow.Table, name: str) -> FloatArray:
    try:
        return np.asarray(table[name].cast(arrow.float64()).to_numpy(), dtype=np.float64)
    except (arrow.ArrowInvalid, arrow.ArrowNotImplementedError) as error:
        message = f"column {name} is not numeric: {error}"
        raise TableError(message) from error


def _check_target(spec: ModelSpec, columns: Columns) -> None:
    target = columns[spec.model.target].astype(np.float64)
    _refuse(spec.model.target, target, ~(np.isfinite(target) & (target >= 0)), "0 or more")
    if not target.sum() > 0:
        message = f"target {spec.model.target} is 0 in every row: there is nothing to learn"
        raise TableError(message)
    if spec.model.exposure:
        exposure = columns[spec.model.exposure].astype(np.float64)
        _refuse(spec.model.exposure, exposure, ~(np.isfinite(exposure) & (exposure > 0)), "> 0")
    group = columns[spec.folds.group]
    _refuse(spec.folds.group, group, pd.isna(group), "not null")
    if len(pd.unique(group)) < spec.folds.count:
        message = (
            f"{spec.folds.group} has {len(pd.unique(group))} distinct values, fewer than the"
            f" {spec.folds.count} folds asked for"
        )
        raise TableError(message)


def _refuse(name: str, values: np.ndarray, bad: np.ndarray, wanted: str) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        message = f"{name} is {values[row]} in row {row} ({bad.sum()} such rows): must be {wanted}"
        raise TableError(message)


def _codes(name: str, levels: tuple[str, ...], values: np.ndarray) -> FloatArray:
    codes = (
        pd.Index(levels, dtype=object)
        .get_indexer(pd.Index(values, dtype=object))
        .astype(np.float64)
    )
    absent = codes < 0
    if absent.any():
        strangers = {str(v) for v in values[absent] if not pd.isna(v)}
        if strangers:
            message = f"{name} has levels the model does not know: {', '.join(sorted(strangers))}"
            raise UnknownNameError(message)
        codes[absent] = np.nan
    return codes
