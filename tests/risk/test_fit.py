from pathlib import Path

import numpy as np
import pyarrow as arrow
import pyarrow.compute as pc
import pytest

from riskengine.errors import InputError, ReleaseError, TableError, UnknownNameError
from riskengine.risk.columns import feature_columns, training_columns
from riskengine.risk.diagnostics import actual_over_expected, tweedie_deviance
from riskengine.risk.fit import cross_fit, fit, held_out_mean
from riskengine.risk.folds import deal_folds
from riskengine.risk.model import RiskModel
from riskengine.risk.outcome import outcome_of
from riskengine.risk.settings import candidates
from riskengine.risk.spec import Kind, LightGBMSection, ModelSpec, PoolingSection, SearchSection
from riskengine.risk.task import Task
from riskengine.risk.trees import Objective
from riskengine.risk.yardstick import held_out_glm
from tests.risk.books import book, spec


@pytest.fixture(scope="module")
def fitted(quick_spec: ModelSpec, experience: arrow.Table) -> RiskModel:
    return fit(quick_spec, experience)


def head(fitted: RiskModel, experience: arrow.Table, rows: int = 200) -> dict[str, np.ndarray]:
    return feature_columns(fitted.spec, experience.slice(0, rows))


def spend(experience: arrow.Table) -> tuple[np.ndarray, np.ndarray]:
    weight = experience["exposure"].to_numpy()
    return experience["medical_spend"].to_numpy() / weight, weight


def test_out_of_fold_predictions_balance(fitted: RiskModel, experience: arrow.Table) -> None:
    outcome, weight = spend(experience)
    assert fitted.trained is not None
    expected = fitted.trained.expected
    assert actual_over_expected(outcome, expected, weight) == pytest.approx(1, abs=1e-12)
    served = fitted.predict(experience)
    assert actual_over_expected(outcome, served, weight) == pytest.approx(1, abs=0.01)


def test_base_times_relativities_is_the_mean(fitted: RiskModel, experience: arrow.Table) -> None:
    columns = head(fitted, experience)
    parts = fitted.explain(columns)
    product = parts.base * parts.factors.prod(axis=1)
    np.testing.assert_allclose(product, fitted.predict(columns), rtol=1e-9)
    assert parts.names == fitted.spec.features.names


def test_batch_equals_one_by_one(fitted: RiskModel, experience: arrow.Table) -> None:
    columns = head(fitted, experience, 50)
    batch = fitted.predict(columns)
    single = [
        fitted.predict({n: v[row : row + 1] for n, v in columns.items()})[0] for row in range(50)
    ]
    assert batch.tolist() == single


def test_monotone_promises_are_kept(fitted: RiskModel, experience: arrow.Table) -> None:
    columns = head(fitted, experience)
    for name, direction in fitted.spec.features.monotone.items():
        column = columns[name]
        steps = np.nanquantile(experience[name].to_numpy(), np.linspace(0, 1, 9))
        means = np.array(
            [fitted.predict({**columns, name: np.full(len(column), s)}) for s in steps]
        )
        rises = np.diff(means, axis=0) * (1 if direction == "increasing" else -1)
        assert rises.min() >= -1e-9 * means.max(), name


def test_hidden_answers_are_priced_and_balanced(
    quick_spec: ModelSpec, experience: arrow.Table
) -> None:
    held_out = cross_fit(quick_spec, experience, jobs=1)
    outcome, weight = spend(experience)
    known = held_out_mean(held_out, experience)
    hidden = experience
    for name in quick_spec.features.optional:
        place = hidden.schema.names.index(name)
        nulls = arrow.nulls(hidden.num_rows, hidden.schema.field(name).type)
        hidden = hidden.set_column(place, name, nulls)
    unknown = held_out_mean(held_out, hidden)
    assert actual_over_expected(outcome, known, weight) == pytest.approx(1, abs=0.02)
    assert actual_over_expected(outcome, unknown, weight) == pytest.approx(1, abs=0.03)
    flat = np.full(len(outcome), np.average(outcome, weights=weight))
    columns = training_columns(quick_spec, experience)
    splits = [part.split for part in held_out]
    glm = held_out_glm(quick_spec, columns, outcome_of(quick_spec, columns), splits)
    scores = [tweedie_deviance(outcome, m, weight, 1.5) for m in (known, glm, unknown, flat)]
    assert scores == sorted(scores), (
        "model, GLM, age-sex-only, mean: each worse than the one before"
    )


def test_folds_never_split_a_member(quick_spec: ModelSpec, experience: arrow.Table) -> None:
    members = experience["member_id"].to_numpy()
    small = experience.filter(pc.is_in(experience["member_id"], arrow.array(members[:3000])))
    held_out = cross_fit(quick_spec, small, jobs=1)
    owners = [set(small["member_id"].to_numpy()[part.split.test]) for part in held_out]
    assert sum(len(part.split.test) for part in held_out) == small.num_rows
    assert sum(map(len, owners)) == len(set.union(*owners))


def test_equal_input_gives_equal_bytes(
    fitted: RiskModel, quick_spec: ModelSpec, experience: arrow.Table, tmp_path: Path
) -> None:
    again = fit(quick_spec, experience)
    assert again.to_files() == fitted.to_files()
    again.save(tmp_path)
    loaded = RiskModel.load(tmp_path)
    columns = head(fitted, experience)
    assert loaded.predict(columns).tolist() == fitted.predict(columns).tolist()
    (tmp_path / "part0_seed0_forest0_booster1.txt").unlink()
    with pytest.raises(ReleaseError, match="holds no readable risk model"):
        RiskModel.load(tmp_path)


def test_what_the_model_cannot_know_is_refused(fitted: RiskModel, experience: arrow.Table) -> None:
    columns = head(fitted, experience, 3)
    with pytest.raises(InputError, match="age is missing in row 1, but never was in training"):
        fitted.predict({**columns, "age": np.array([1.0, np.nan, 2.0])})
    with pytest.raises(UnknownNameError, match=r"rating_area has levels .* know: 9"):
        fitted.predict({**columns, "rating_area": np.array(["1", "9", None], dtype=object)})
    with pytest.raises(TableError, match="needs columns that are missing: sex"):
        fitted.predict({n: v for n, v in columns.items() if n != "sex"})


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("medical_spend", -1.0, "medical_spend is -1.0 in row 0 (1 such rows): must be 0 or more"),
        ("medical_spend", None, "medical_spend is nan in row 0"),
        ("exposure", 0.0, "exposure is 0.0 in row 0 (1 such rows): must be > 0"),
        ("member_id", None, "member_id is None in row 0"),
    ],
)
def test_a_training_row_that_cannot_be_used_is_named(
    quick_spec: ModelSpec, experience: arrow.Table, column: str, value: object, message: str
) -> None:
    field = experience.schema.field(column)
    values = arrow.array([value, *experience[column].to_pylist()[1:]], field.type)
    broken = experience.set_column(experience.schema.names.index(column), field, values)
    with pytest.raises(TableError) as caught:
        fit(quick_spec, broken)
    assert message in str(caught.value)


def test_a_training_table_that_does_not_fit_is_refused(
    quick_spec: ModelSpec, experience: arrow.Table
) -> None:
    with pytest.raises(TableError, match="needs columns that are missing: age, exposure"):
        fit(quick_spec, experience.drop_columns(["age", "exposure"]))
    with pytest.raises(TableError, match="fewer than the 5 that 5 folds need"):
        fit(quick_spec, experience.slice(0, 8))


def test_folds_of_cross_fit_are_those_of_fit() -> None:
    """Dealt by the rarity of a class, by what is left of large claims: one way for both."""
    for kind in (Kind.MULTICLASS, Kind.TWEEDIE):
        table = book(300)
        small = spec(kind).model_copy(
            update={"pooling": PoolingSection(point=200) if kind is Kind.TWEEDIE else None}
        )
        trained = fit(small, table).trained
        assert trained is not None
        for fold, part in enumerate(cross_fit(small, table)):
            assert np.flatnonzero(trained.fold == fold).tolist() == part.split.test.tolist()


def test_nothing_is_searched_where_the_mean_is_all_there_is() -> None:
    table = book(60)
    rare = table.set_column(6, "count", arrow.array([1, *[0] * 59]))
    asked = spec(Kind.POISSON).model_copy(update={"search": SearchSection(trials=3)})
    told: list[str] = []
    found = fit(asked, rare, told.append)
    assert not any("trial" in line for line in told)
    assert found.trained is not None
    assert found.trained.shares == ({"trees": 0.0, "glm": 0.0},)


def test_what_the_spec_gives_is_no_choice() -> None:
    """With a size of trees given, the three default sizes are one candidate."""
    sizes = {}
    for given in ({}, {"num_leaves": 6}, {"lambda_l2": 1.0}):
        asked = spec(Kind.POISSON).model_copy(update={"lightgbm": LightGBMSection(**given)})
        columns = training_columns(asked, book(60))
        weight = np.ones(60)
        task = Task(asked, Objective("poisson"), columns, weight, weight,
                    deal_folds(asked, columns, weight, 1))  # fmt: skip
        found = candidates(task)
        assert not any(name in one for name in given for one in found)
        sizes[tuple(given)] = len(found)
    assert sizes == {(): 3, ("num_leaves",): 1, ("lambda_l2",): 3}
