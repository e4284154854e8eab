"""Means of one member at a time: those of `predict`, to the last bit."""

import numpy as np
import pytest

from riskengine.risk.columns import feature_columns
from riskengine.risk.fit import fit
from riskengine.risk.model import RiskModel
from riskengine.risk.one_row import one_row
from riskengine.risk.predictor import Predictor
from riskengine.risk.spec import Kind
from riskengine.risk.terms import FactorTable
from riskengine.vocabulary import Value
from tests.risk.books import book, spec

NAMES = frozenset({"age", "bmi", "noise", "region", "town"})
BOOK = book(towns=4)


@pytest.fixture(scope="module")
def models() -> list[RiskModel]:
    kinds = ((Kind.POISSON, 1), (Kind.FREQUENCY_SEVERITY, 2))
    return [fit(spec(kind, seeds, "pricing"), BOOK) for kind, seeds in kinds]


def plain(columns: dict[str, np.ndarray], row: int) -> dict[str, Value]:
    found = {name: values[row] for name, values in columns.items()}
    return {
        n: v if isinstance(v, str) else None if np.isnan(v) else float(v) for n, v in found.items()
    }


def test_the_means_are_those_of_predict_to_the_last_bit(models: list[RiskModel]) -> None:
    assert any(part[0].table_weight for model in models for part in model.parts)
    assert any(part[0].design.paired for model in models for part in model.parts)
    compiled = one_row(models, NAMES)
    assert compiled is not None
    columns = dict(feature_columns(models[0].spec, BOOK.slice(0, 300)))
    expected = np.column_stack([model.predict(columns) for model in models])
    found = [compiled.means(plain(columns, row)) for row in range(300)]
    np.testing.assert_array_equal(np.array(found), expected)


def test_what_a_model_refuses_has_no_mean(models: list[RiskModel]) -> None:
    compiled = one_row(models, NAMES)
    assert compiled is not None
    good: dict[str, Value] = {
        "age": 40.0, "bmi": None, "noise": 0.0, "region": "a", "town": "t01",
    }  # fmt: skip
    assert compiled.means(good) is not None
    for bad in ({"age": None}, {"region": "z"}, {"region": None}):
        assert compiled.means(good | bad) is None


def test_what_is_read_in_another_way_is_left_to_predict(models: list[RiskModel]) -> None:
    assert one_row(models, NAMES - {"age"}) is None
    assert one_row([fit(spec(Kind.BINARY), BOOK)], NAMES) is None
    assert one_row([fit(spec(Kind.POISSON, 1, "analysis"), BOOK)], NAMES) is None
    encoded = fit(spec(Kind.POISSON, 1, "pricing"), book(towns=40))
    assert encoded.parts[0][0].design.encodings
    assert one_row([encoded], NAMES) is None


def test_tables_by_the_compiled_loop_are_the_tables(models: list[RiskModel]) -> None:
    for model in models:
        predictor: Predictor = model.parts[0][0]
        design, tables = predictor.design, predictor.tables
        plain_rows = design.plain(feature_columns(model.spec, BOOK))
        # On, between and beyond the points of each table.
        rng = np.random.default_rng(5)
        for place in range(len(design.numeric)):
            points = tables[place].points
            near = np.r_[points, points - 1e9, points + 1e9, points[:-1] + np.diff(points) / 3]
            plain_rows[:500, place] = rng.choice(near, 500)
        rows = np.hstack([plain_rows, design.pair_columns(plain_rows)])
        expected = np.stack([t.score(rows[:, at]) for at, t in enumerate(tables)], axis=1)
        codes = np.empty((len(rows), 0), dtype=np.int64)
        np.testing.assert_allclose(
            predictor.table_parts(plain_rows, codes), expected, rtol=1e-13, atol=1e-15
        )
        assert isinstance(tables[0], FactorTable)
