import datetime
import decimal

import numpy as np
import pandas as pd
import pyarrow as arrow
import pytest

from riskengine.errors import TableError
from riskengine.risk.columns import (
    as_table,
    feature_columns,
    level_text,
    levels,
    numbers,
    training_columns,
)
from riskengine.risk.spec import parse_spec

SPEC = parse_spec(
    '[model]\nname = "m"\nkind = "poisson"\ntarget = "y"\nexposure = "w"\n[features]\n'
    'numeric = ["x"]\ncategorical = ["c"]\n[folds]\ncount = 2\n'
)
TABLE = arrow.table(
    {"x": [1.0, 2.0, 3.0], "c": ["a", "b", None], "y": [0, 1, 2], "w": [1.0, 0.5, 1.0]}
)
DAY = datetime.date(2020, 1, 2)


def column(values: list[object] | arrow.Array, kind: arrow.DataType | None = None) -> arrow.Table:
    array = values if isinstance(values, arrow.Array) else arrow.array(values, kind)
    return arrow.table({"x": array})


def with_column(name: str, values: object) -> arrow.Table:
    return TABLE.set_column(TABLE.schema.names.index(name), name, arrow.array(values))


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([True, False, None], arrow.bool_(), [1.0, 0.0, np.nan]),
        ([DAY, None], arrow.date32(), [18263.0, np.nan]),
        ([DAY], arrow.date64(), [18263.0]),
        ([datetime.datetime(2020, 1, 2, 12)], arrow.timestamp("ns"), [18263.5]),  # noqa: DTZ001
        ([datetime.datetime(2020, 1, 2, 6, tzinfo=datetime.UTC)], None, [18263.25]),
        ([decimal.Decimal("1.25"), None], arrow.decimal128(9, 2), [1.25, np.nan]),
        ([2**31 + 1, 2**53], arrow.int64(), [2147483649.0, 9007199254740992.0]),
        ([7, None], arrow.uint8(), [7.0, np.nan]),
        ([None, None], None, [np.nan, np.nan]),
        ([1.5], arrow.float32(), [1.5]),
    ],
)
def test_what_is_read_as_numbers(
    values: list[object], kind: arrow.DataType | None, expected: list[float]
) -> None:
    found = numbers(column(values, kind), "x")
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["1", "2"], "column x cannot be read as numbers: it is string; list it under categorical"),
        ([[1], [2]], "cannot be read as numbers: it is list"),
        ([1.0, np.inf], "x is inf in row 1 (1 such rows): must be finite, or null where unknown"),
        ([2**53 + 1], "column x cannot be read as numbers: Integer value 9007199254740993"),
        ([datetime.timedelta(days=1)], "cannot be read as numbers: it is duration"),
    ],
)
def test_what_is_refused_as_numbers(values: list[object], message: str) -> None:
    with pytest.raises(TableError) as caught:
        numbers(column(values), "x")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        arrow.array([7, 8, None]),
        arrow.array([7, 8, None], arrow.int8()),
        arrow.array([7.0, 8.0, None]),
        arrow.array([7.0, 8.0, np.nan]),
        arrow.array(["7", "8", None]),
        arrow.array(["7", "8", None], arrow.large_string()),
        arrow.array(["7", "8", None]).dictionary_encode(),
        arrow.array([7, 8, None]).dictionary_encode(),
        arrow.array([b"7", b"8", None]),
    ],
)
def test_a_level_is_one_whatever_its_type(values: arrow.Array) -> None:
    assert levels(column(values), "x").tolist() == ["7", "8", None]


def test_decimal_levels_equal_numbers() -> None:
    prices = arrow.array([decimal.Decimal("7.00"), decimal.Decimal("7.50")], arrow.decimal128(9, 2))
    assert levels(column(prices), "x").tolist() == ["7", "7.5"]


def test_texts_of_levels() -> None:
    found = [level_text(v) for v in (True, np.True_, np.float64(2.0), -0.0, 1e300, " a ", "", DAY)]
    assert found == ["true", "true", "2", "0", str(int(1e300)), " a ", "", "2020-01-02"]


def test_levels_of_no_rows_of_chunks_and_of_lists() -> None:
    assert levels(column([], arrow.string()), "x").tolist() == []
    chunked = arrow.table({"x": arrow.chunked_array([["a"], ["b", None], []], arrow.string())})
    assert levels(chunked, "x").tolist() == ["a", "b", None]
    coded = arrow.table(
        {"x": arrow.chunked_array([arrow.array(v).dictionary_encode() for v in (["b"], ["a"])])}
    )
    assert levels(coded, "x").tolist() == ["b", "a"]
    with pytest.raises(TableError, match=r"column x is list.*: give one value a row"):
        levels(column([["a"]]), "x")


def test_pandas_reads_as_arrow() -> None:
    frame = pd.DataFrame(
        {
            "x": pd.array([1, None, 3], "Int64"),
            "c": pd.Categorical(["a", "b", None]),
            "y": [0, 1, 2],
            "w": [1.0, 0.5, 1.0],
        },
        index=[5, 6, 7],
    )
    found = feature_columns(SPEC, frame)
    np.testing.assert_array_equal(found["x"], [1.0, np.nan, 3.0])
    assert found["c"].tolist() == ["a", "b", None]


def test_a_data_frame_that_mixes_types_or_names_is_refused() -> None:
    with pytest.raises(TableError, match="mixes types"):
        as_table(pd.DataFrame({"x": [1, "a"]}))
    twice = arrow.Table.from_arrays([*TABLE.columns, TABLE["x"]], [*TABLE.schema.names, "x"])
    with pytest.raises(TableError, match="two columns of the name x: rename one"):
        feature_columns(SPEC, twice)
    frame = pd.DataFrame([[1.0, 2.0, "a"]], columns=["x", "x", "c"])
    with pytest.raises(TableError, match="two columns of the name x"):
        feature_columns(SPEC, frame)
    with pytest.raises(TableError, match="needs columns that are missing: c, y, w; the table has"):
        training_columns(SPEC, TABLE.select(["x"]))


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("y", [0, 1, None], "y is nan in row 2"),
        ("y", [0.0, -1.0, 2.0], "y is -1.0 in row 1 (1 such rows): must be 0 or more"),
        ("y", [0, 0, 0], "target y is 0 in every row: there is nothing to learn"),
        ("w", [1.0, 0.0, 1.0], "w is 0.0 in row 1 (1 such rows): must be > 0"),
        ("w", [1.0, None, 1.0], "w is nan in row 1"),
    ],
)
def test_training_rows_that_cannot_be_used(name: str, values: list[object], message: str) -> None:
    with pytest.raises(TableError) as caught:
        training_columns(SPEC, with_column(name, values))
    assert message in str(caught.value)


def test_too_few_rows_for_the_folds() -> None:
    with pytest.raises(TableError, match="the table has 1 rows, fewer than the 2 that 2 folds"):
        training_columns(SPEC, TABLE.slice(1, 1))
