"""Any table to the columns a model reads: float64 numbers and texts of levels, nothing coerced.

A number is a number, a boolean (0, 1) or a date (days since 1970); a level is the text of a value,
the same whatever type a file keeps it in: 7, 7.0 and "7" are one level. What cannot be used is
refused with its column, row and value.
"""

from collections.abc import Iterable
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as arrow
import pyarrow.compute as pc

from riskengine.errors import TableError
from riskengine.profiles.drift import Bins, bins_of
from riskengine.profiles.questions import Question
from riskengine.risk.propensity import offer_weights
from riskengine.risk.spec import Kind, ModelSpec
from riskengine.tables import is_number
from riskengine.vocabulary import AnyArray, BoolArray, Columns, FloatArray

_FEW = 8
"""Rows that are read value by value: pandas hands over a column at a time, which costs more."""
_FLAGS = {"0": 0.0, "1": 1.0, "false": 0.0, "true": 1.0, None: float("nan")}


def as_table(frame: arrow.Table | pd.DataFrame) -> arrow.Table:
    """A pandas data frame as an Arrow table; an Arrow table as it is.

    Raises `TableError` when a column mixes types that no single type holds, and for two columns of
    one name.
    """
    if isinstance(frame, arrow.Table):
        return frame
    if not frame.columns.is_unique:
        _refuse_twice([str(n) for n in frame.columns[frame.columns.duplicated()].unique()])
    try:
        if len(frame) <= _FEW:
            values = frame.to_numpy(dtype=object).T
            found = [arrow.array(column, from_pandas=True) for column in values]
            return arrow.Table.from_arrays(found, names=[str(name) for name in frame.columns])
        return arrow.Table.from_pandas(frame, preserve_index=False)
    except (arrow.ArrowInvalid, arrow.ArrowTypeError) as error:
        message = f"a column of the data frame mixes types: {error}; give each column one type"
        raise TableError(message) from error


def feature_columns(spec: ModelSpec, frame: arrow.Table | pd.DataFrame) -> dict[str, AnyArray]:
    """The features of `spec` in a table, and the products, as the columns a model reads.

    Raises `TableError` naming all columns that are missing, or the first that cannot be read.
    """
    table = as_table(frame)
    _require(spec, table, spec.inputs)
    columns: dict[str, AnyArray] = {name: numbers(table, name) for name in spec.features.numeric}
    columns |= {name: flags(table, name) for name in spec.model.products}
    return columns | {name: levels(table, name) for name in spec.features.categorical}


def training_columns(spec: ModelSpec, frame: arrow.Table | pd.DataFrame) -> dict[str, AnyArray]:
    """The feature, outcome, exposure and fold columns of a training table.

    A binary outcome is float64 0 or 1, a multiclass one texts. Without a group column every row is
    its own group. Raises `TableError` as `feature_columns` does, and for the first row whose
    outcome, exposure, group or time cannot be used.
    """
    table = as_table(frame)
    exposure = tuple(name for name in (spec.model.exposure, spec.model.propensity) if name)
    folds = tuple(name for name in (spec.folds.group, spec.folds.time) if name)
    _require(spec, table, (*spec.features.names, *spec.model.outcomes, *exposure, *folds))
    columns = feature_columns(spec, table)
    if spec.model.kind is Kind.MULTICLASS:
        columns[spec.model.outcomes[0]] = levels(table, spec.model.outcomes[0])
    elif spec.model.kind is not Kind.NEXT_PRODUCT:
        columns |= {name: numbers(table, name) for name in spec.model.outcomes}
    columns |= {name: numbers(table, name) for name in exposure}
    columns |= {name: table[name].to_numpy() for name in folds}
    _check(spec, columns, table.num_rows)
    return columns


def numbers(table: arrow.Table, name: str) -> FloatArray:
    """A column as float64, missing as NaN; dates are days since 1970.

    Raises `TableError` for text, for an infinite value, and for a whole number beyond 2^53, which
    float64 cannot tell from its neighbours.
    """
    values = table[name]
    kind = values.type
    dated = arrow.types.is_date(kind) or arrow.types.is_timestamp(kind)
    if not (dated or is_number(kind) or arrow.types.is_boolean(kind) or arrow.types.is_null(kind)):
        message = (
            f"column {name} cannot be read as numbers: it is {kind}; list it under categorical, or"
            " make it a number"
        )
        raise TableError(message)
    try:
        if arrow.types.is_boolean(kind):
            values = values.cast(arrow.int8())
        elif dated:
            micro = values.cast(arrow.timestamp("us", tz=getattr(kind, "tz", None)), safe=False)
            values = pc.divide(micro.cast(arrow.int64()).cast(arrow.float64(), safe=False), 864e8)
        cast = values.cast(arrow.float64(), safe=not arrow.types.is_decimal(kind))
    except (arrow.ArrowInvalid, arrow.ArrowNotImplementedError) as error:
        message = f"column {name} cannot be read as numbers: {error}"
        raise TableError(message) from error
    found = np.asarray(cast.to_numpy(), dtype=np.float64)
    _refuse(name, found, np.isinf(found), "finite, or null where unknown")
    return found


def levels(table: arrow.Table, name: str) -> AnyArray:
    """A column as texts of levels, object array, missing as None.

    Raises `TableError` for a column of lists or structures.
    """
    values = table[name].combine_chunks()
    if isinstance(values, arrow.ChunkedArray):  # of no rows
        values = arrow.array([], values.type)
    if arrow.types.is_nested(values.type):
        message = f"column {name} is {values.type}: give one value a row"
        raise TableError(message)
    if not arrow.types.is_dictionary(values.type):
        values = values.dictionary_encode()
    texts = np.array([*(level_text(v) for v in values.dictionary.to_pylist()), None], dtype=object)
    codes = values.indices.fill_null(len(texts) - 1).to_numpy()
    found: AnyArray = texts[codes]
    return found


def flags(table: arrow.Table, name: str) -> FloatArray:
    """A column of yes and no as float64: 1, 0, and NaN where it is not known.

    Numbers, booleans and the texts 0, 1, true and false are read. Raises `TableError` with the
    first value that is none of them, and its row.

    >>> flags(arrow.table({"owns": ["1", "False", None]}), "owns").tolist()
    [1.0, 0.0, nan]
    """
    values = table[name]
    wanted = "0, 1, true, false or missing"
    if arrow.types.is_boolean(values.type) or arrow.types.is_null(values.type):
        values = values.cast(arrow.int8())
    if is_number(values.type):
        if arrow.types.is_decimal(values.type):
            values = values.cast(arrow.float64())
        found = np.asarray(values.to_numpy(), dtype=np.float64)
        _refuse(name, found, ~(np.isnan(found) | (found == 0) | (found == 1)), wanted)
        return found
    texts = levels(table, name)
    known = [_FLAGS.get(text if text is None else str(text).strip().lower()) for text in texts]
    _refuse(name, texts, np.array([value is None for value in known], dtype=bool), wanted)
    return np.array(known, dtype=np.float64)


def level_text(value: object) -> str | None:
    """The text of one value of a level.

    >>> [level_text(v) for v in (7, 7.0, Decimal("7.00"), "7", True, None, float("nan"))]
    ['7', '7', '7', '7', 'true', None, None]
    """
    if value is None:
        return None
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    if isinstance(value, Decimal):
        return format(value.normalize(), "f") if value else "0"
    if isinstance(value, float):
        if np.isnan(value):
            return None
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    return str(value)


def exposure_of(spec: ModelSpec, columns: Columns, rows: int) -> FloatArray:
    """Exposure (rows,), of logged offers their weight; 1 where the spec names neither."""
    if spec.model.propensity is not None:
        return offer_weights(np.asarray(columns[spec.model.propensity], dtype=np.float64))
    if spec.model.exposure is None:
        return np.ones(rows)
    return np.asarray(columns[spec.model.exposure], dtype=np.float64)


def _require(spec: ModelSpec, table: arrow.Table, names: tuple[str, ...]) -> None:
    known = table.schema.names
    absent = [name for name in names if name not in known]
    if absent:
        there = ", ".join(known[:40])
        message = (
            f"model {spec.model.name} needs columns that are missing: {', '.join(absent)};"
            f" the table has {there}"
        )
        raise TableError(message)
    twice = sorted(set(names) & _repeated(known))
    if twice:
        _refuse_twice(twice)


def _repeated(names: list[str]) -> set[str]:
    if len(set(names)) == len(names):
        return set()
    return {name for name in names if names.count(name) > 1}


def _refuse_twice(names: list[str]) -> None:
    message = f"the table has two columns of the name {', '.join(names)}: rename one"
    raise TableError(message)


_WANTED = {
    Kind.GAMMA: "above 0",
    Kind.BINARY: "0 or 1",
}


def _check(spec: ModelSpec, columns: Columns, rows: int) -> None:
    for name in () if spec.model.kind is Kind.NEXT_PRODUCT else spec.model.outcomes:
        _check_outcome(spec, name, columns[name])
    if spec.model.exposure:
        exposure = columns[spec.model.exposure].astype(np.float64)
        _refuse(spec.model.exposure, exposure, ~(np.isfinite(exposure) & (exposure > 0)), "> 0")
    if spec.model.propensity:
        chance = columns[spec.model.propensity].astype(np.float64)
        _refuse(spec.model.propensity, chance, ~((chance > 0) & (chance <= 1)), "above 0, up to 1")
    if spec.model.kind is Kind.FREQUENCY_SEVERITY:
        count, amount = (columns[name] for name in spec.model.outcomes)
        unmatched = (count == 0) & (amount > 0)
        _refuse(spec.model.outcomes[1], amount, unmatched, f"0 where {spec.model.outcomes[0]} is 0")
    for column in (spec.folds.group, spec.folds.time):
        if column:
            _refuse(column, columns[column], np.asarray(pd.isna(columns[column])), "not null")
    column = spec.folds.group or spec.folds.time
    found = len(pd.unique(columns[column])) if column else rows
    least = spec.folds.count + (1 if spec.folds.time else 0)
    if found < least:
        message = (
            f"{column or 'the table'} has {found} {'distinct values' if column else 'rows'}, fewer"
            f" than the {least} that {spec.folds.count} folds need"
        )
        raise TableError(message)


def _check_outcome(spec: ModelSpec, name: str, values: AnyArray) -> None:
    kind = spec.model.kind
    if kind is Kind.MULTICLASS:
        _refuse(name, values, np.asarray(pd.isna(values)), "not null")
        if len(pd.unique(values)) < 2:
            message = f"target {name} is {values[0]!r} in every row: there is nothing to learn"
            raise TableError(message)
        return
    good = np.isfinite(values) & (values >= 0)
    if kind is Kind.GAMMA:
        good &= values > 0
    if kind is Kind.BINARY:
        good &= np.isin(values, (0.0, 1.0))
    _refuse(name, values, ~good, _WANTED.get(kind, "0 or more"))
    if not values.sum() > 0 or (kind is Kind.BINARY and values.min() == 1):
        message = f"target {name} is {values[0]:g} in every row: there is nothing to learn"
        raise TableError(message)


def _refuse(name: str, values: AnyArray, bad: BoolArray, wanted: str) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        message = f"{name} is {values[row]} in row {row} ({bad.sum()} such rows): must be {wanted}"
        raise TableError(message)


def spread_of(questions: Iterable[Question], table: arrow.Table) -> dict[str, Bins]:
    """How the answers to questions that are columns of a table are spread, by name."""
    return {
        one.name: bins_of((levels if one.kind == "level" else numbers)(table, one.name))
        for one in questions
        if one.name in table.column_names
    }
