from dataclasses import replace

import numpy as np
import pyarrow as arrow
import pytest
from sklearn.metrics import log_loss, mean_absolute_error, mean_tweedie_deviance, roc_auc_score

from riskengine.errors import InputError, TableError
from riskengine.risk.columns import training_columns
from riskengine.risk.diagnose import MOST_CLASSES, Diagnosis, diagnose, double_lift
from riskengine.risk.diagnostics.breakdown import OTHERS, commonest_levels, drift_of, ends_of_time
from riskengine.risk.diagnostics.deviance import Family
from riskengine.risk.evidence import splits_of
from riskengine.risk.fit import fit
from riskengine.risk.folds import deal_folds
from riskengine.risk.model import RiskModel
from riskengine.risk.outcome import outcome_of
from riskengine.risk.spec import FoldSection, Kind, ModelSpec
from riskengine.risk.yardstick import held_out_average, held_out_glm
from tests.risk.books import book, spec

ROWS = 1200
DRAWS = 40


def members_of(table: arrow.Table) -> arrow.Table:
    """The book with two rows a member and two years, and a colour that prices nothing."""
    size = table.num_rows
    table = table.append_column("member_id", arrow.array(np.arange(size) // 2))
    table = table.append_column("year", arrow.array(2020 + np.arange(size) % 4))
    colour = np.where(table["age"].to_numpy() > 45, "grey", "brown")
    return table.append_column("colour", arrow.array(colour))


def spec_of(kind: Kind, **folds: object) -> ModelSpec:
    section = FoldSection(**({"group": "member_id", "count": 3} | folds))  # type: ignore[arg-type]
    return spec(kind).model_copy(update={"folds": section})


@pytest.fixture(scope="module")
def table() -> arrow.Table:
    return members_of(book(ROWS, seed=4, towns=12))


@pytest.fixture(scope="module")
def fitted(table: arrow.Table) -> dict[Kind, RiskModel]:
    return {kind: fit(spec_of(kind), table) for kind in Kind if kind is not Kind.NEXT_PRODUCT}


@pytest.fixture(scope="module")
def found(fitted: dict[Kind, RiskModel], table: arrow.Table) -> dict[Kind, Diagnosis]:
    return {
        kind: diagnose(model, table, groups=("colour",), time="year", draws=DRAWS)
        for kind, model in fitted.items()
    }


@pytest.mark.parametrize(
    ("kind", "power"),
    [
        (Kind.POISSON, 1),
        (Kind.GAMMA, 2),
        (Kind.TWEEDIE, 1.5),
        (Kind.TWO_PART, 1.5),
        (Kind.FREQUENCY_SEVERITY, 1.5),
    ],
)
def test_amounts_and_counts_against_sklearn(
    kind: Kind, power: float, found: dict[Kind, Diagnosis], fitted: dict[Kind, RiskModel]
) -> None:
    trained = fitted[kind].trained
    assert trained is not None
    rows = trained.actual, trained.expected
    weight = {"sample_weight": trained.weight}
    own = found[kind].headline["model"]
    deviance = mean_tweedie_deviance(*rows, power=power, **weight)
    assert own.deviance.mean == pytest.approx(deviance)
    average = np.full(ROWS, np.average(trained.actual, weights=trained.weight))
    reference = mean_tweedie_deviance(trained.actual, average, power=power, **weight)
    assert own.d2.mean == pytest.approx(1 - deviance / reference)
    assert own.actual_over_expected is not None
    assert own.actual_over_expected.mean == pytest.approx(1)
    assert own.mean_absolute_error is not None
    assert own.mean_absolute_error.mean == pytest.approx(mean_absolute_error(*rows, **weight))
    assert own.auc is None
    assert found[kind].by_class == {}
    assert own.deviance.low < own.deviance.mean < own.deviance.high


def test_probabilities_against_sklearn(
    found: dict[Kind, Diagnosis], fitted: dict[Kind, RiskModel]
) -> None:
    trained = fitted[Kind.BINARY].trained
    assert trained is not None
    own = found[Kind.BINARY].headline["model"]
    assert own.deviance.mean == pytest.approx(log_loss(trained.actual, trained.expected))
    assert own.auc is not None
    assert own.auc.mean == pytest.approx(roc_auc_score(trained.actual, trained.expected))
    assert own.auc.low < own.auc.mean < own.auc.high
    assert (own.capped_r2, own.mean_absolute_error, found[Kind.BINARY].coverage) == (None,) * 3
    (fairness,) = found[Kind.BINARY].fairness
    assert fairness.parity is not None
    decided = trained.expected > np.sort(trained.expected)[int(0.9 * ROWS) - 1]
    old = trained_colour(found[Kind.BINARY], "grey")
    rates = decided[old].mean(), decided[~old].mean()
    assert fairness.parity.demographic == pytest.approx(min(rates) / max(rates))


def trained_colour(diagnosis: Diagnosis, colour: str) -> np.ndarray:
    table = members_of(book(ROWS, seed=4, towns=12))
    assert len(diagnosis.judged.actual) == table.num_rows
    return np.asarray(table["colour"].to_numpy(zero_copy_only=False) == colour)


def test_classes_are_judged_as_yes_or_no(
    found: dict[Kind, Diagnosis], fitted: dict[Kind, RiskModel]
) -> None:
    diagnosis, trained = found[Kind.MULTICLASS], fitted[Kind.MULTICLASS].trained
    assert trained is not None
    assert list(diagnosis.by_class) == ["lean", "mid", "rich"]
    assert [one.of for one in diagnosis.curves] == ["lean", "mid", "rich"]
    own = diagnosis.headline["model"]
    assert own.deviance.mean == pytest.approx(log_loss(trained.actual, trained.expected))
    assert list(own.figures()) == ["deviance", "d2"]
    rich = diagnosis.by_class["rich"].auc
    assert rich is not None
    assert rich.mean == pytest.approx(roc_auc_score(trained.actual == 2, trained.expected[:, 2]))
    assert len(diagnosis.judged.by_class(("lean", "mid", "rich"), 1)) == 1
    assert MOST_CLASSES > 3


def test_yardsticks_learn_from_the_folds_of_the_model(
    found: dict[Kind, Diagnosis], fitted: dict[Kind, RiskModel], table: arrow.Table
) -> None:
    model = fitted[Kind.POISSON]
    columns = training_columns(model.spec, table)
    outcome = outcome_of(model.spec, columns)
    folds = deal_folds(model.spec, columns, outcome.actual * outcome.weight, 1)
    assert model.trained is not None
    np.testing.assert_array_equal(folds.fold, model.trained.fold)
    for one, other in zip(folds.splits(), splits_of(model.spec, model.trained.fold), strict=True):
        np.testing.assert_array_equal(one.train, other.train)
        np.testing.assert_array_equal(one.test, other.test)
    predictions = found[Kind.POISSON].judged.predictions
    glm = held_out_glm(model.spec, columns, outcome, folds.splits())
    np.testing.assert_allclose(predictions["glm"], glm)
    average = held_out_average(outcome, folds.splits())
    np.testing.assert_array_equal(predictions["mean"], average)
    less = found[Kind.POISSON].headline
    assert found[Kind.POISSON].advantage["glm"].mean == pytest.approx(
        less["glm"].deviance.mean - less["model"].deviance.mean
    )


def test_time_folds_judge_later_rows_alone(table: arrow.Table) -> None:
    model = fit(spec_of(Kind.TWEEDIE, group=None, time="year"), table)
    diagnosis = diagnose(model, table, draws=DRAWS)
    assert diagnosis.about.held_out
    year = table["year"].to_numpy()
    assert diagnosis.about.rows == (year > 2020).sum()
    outcome = table["amount"].to_numpy() / table["exposure"].to_numpy()
    weight = table["exposure"].to_numpy()
    first = np.average(outcome[year == 2020], weights=weight[year == 2020])
    means = diagnosis.judged.predictions["mean"]
    assert means[np.flatnonzero(year[year > 2020] == 2021)[0]] == pytest.approx(first)
    assert diagnosis.breakdown is not None
    periods = diagnosis.breakdown.by_time[""]
    assert [segment.levels for segment in periods] == [("2021",), ("2022",), ("2023",)]
    assert [segment.levels[0] for segment in diagnosis.curves[0].by_fold] == ["1", "2", "3"]


def test_breakdown_adds_up(found: dict[Kind, Diagnosis], table: arrow.Table) -> None:
    diagnosis = found[Kind.TWEEDIE]
    breakdown = diagnosis.breakdown
    assert breakdown is not None
    weight, cost = table["exposure"].to_numpy(), table["amount"].to_numpy()
    for one in (*breakdown.one_way, *breakdown.two_way):
        assert sum(s.exposure for s in one.segments) == pytest.approx(weight.sum())
        assert sum(s.exposure * s.actual for s in one.segments) == pytest.approx(cost.sum())
    region = next(t for t in breakdown.one_way if t.features == ("region",))
    inside = table["region"].to_numpy(zero_copy_only=False) == "b"
    second = region.segments[1]
    assert second.levels == ("b",)
    assert second.actual == pytest.approx(cost[inside].sum() / weight[inside].sum())
    assert breakdown.importance.names[0] in {"age", "region"}
    assert set(breakdown.two_way[0].features) == {"age", "region"}
    assert len(breakdown.drift) == 5
    assert breakdown.drift[0].index < 0.25
    worst = breakdown.worst[""]
    assert abs(np.log(worst.shrunk)) <= abs(np.log(worst.segment.ratio.mean)) + 1e-9


def test_curves_say_what_the_rows_do(found: dict[Kind, Diagnosis]) -> None:
    diagnosis = found[Kind.TWEEDIE]
    (curves,) = diagnosis.curves
    judged = diagnosis.judged
    last = curves.lift[-1]
    cut = np.sort(judged.expected)[-60:]
    top = np.isin(judged.expected, cut)
    assert last.expected > np.average(judged.expected[~top], weights=judged.weight[~top])
    for lift, ratio in zip(curves.lift, curves.predictive_ratios, strict=True):
        assert lift.ratio.mean * ratio.ratio.mean == pytest.approx(1)
    for name, murphy in curves.murphy.items():
        total = murphy.miscalibration - murphy.discrimination + murphy.uncertainty
        assert total == pytest.approx(diagnosis.headline[name].deviance.mean)
    gini = diagnosis.headline["model"].gini
    assert gini is not None
    lorenz = curves.lorenz["model"]
    assert 1 - 2 * np.trapezoid(lorenz.cost, lorenz.exposure) == pytest.approx(gini.mean, abs=0.01)
    assert curves.double_lift is not None
    assert curves.residuals is not None
    assert curves.residuals.rows == ROWS


def test_residuals_of_the_true_law_stay_in_their_band(found: dict[Kind, Diagnosis]) -> None:
    """The book's counts are Poisson, its mean is nearly learnt."""
    residuals = found[Kind.POISSON].curves[0].residuals
    assert residuals is not None
    middle = np.abs(residuals.normal) < 2
    assert np.abs(residuals.observed - residuals.normal)[middle].max() < 0.25


def test_without_a_table_there_is_no_glm(fitted: dict[Kind, RiskModel]) -> None:
    diagnosis = fitted[Kind.TWEEDIE].diagnose()
    assert list(diagnosis.headline) == ["model", "mean"]
    assert (diagnosis.breakdown, diagnosis.fairness) == (None, ())
    assert diagnosis.curves[0].double_lift is None
    assert any("GLM" in note.en for note in diagnosis.notes)
    assert any("GLM" in note.zh for note in diagnosis.notes)
    with pytest.raises(InputError, match="give frame as well"):
        diagnose(fitted[Kind.TWEEDIE], groups=("colour",))
    with pytest.raises(InputError, match="keeps no held-out predictions"):
        replace(fitted[Kind.TWEEDIE], trained=None).diagnose()


def test_another_table_is_judged_as_served(
    fitted: dict[Kind, RiskModel], table: arrow.Table
) -> None:
    model, other = fitted[Kind.TWEEDIE], members_of(book(500, seed=9, towns=12))
    alone = diagnose(model, other, draws=DRAWS)
    assert not alone.about.held_out
    np.testing.assert_array_equal(alone.judged.expected, model.predict(other))
    assert list(alone.headline) == ["model", "mean"]
    weight = table["exposure"].to_numpy()
    mean = table["amount"].to_numpy().sum() / weight.sum()
    np.testing.assert_allclose(alone.judged.predictions["mean"], mean)
    assert alone.curves[0].by_fold == ()
    both = diagnose(model, other, training=table, draws=DRAWS)
    assert list(both.headline) == ["model", "glm", "mean"]
    assert both.breakdown is not None
    assert len(both.breakdown.drift) == 5
    np.testing.assert_allclose(both.judged.predictions["mean"], mean)
    with pytest.raises(TableError, match="no column hue"):
        diagnose(model, other, groups=("hue",))


def test_whole_years_are_covered(table: arrow.Table) -> None:
    whole = table.set_column(
        table.schema.names.index("exposure"), "exposure", arrow.array(np.ones(ROWS))
    )
    model = fit(spec_of(Kind.TWEEDIE), whole)
    held = diagnose(model, whole, draws=DRAWS).coverage
    assert held is not None
    covered = np.average([r.covered.mean for r in held], weights=[r.members for r in held])
    assert covered == pytest.approx(0.9, abs=0.03)
    served = diagnose(model, whole.slice(0, 400), draws=DRAWS).coverage
    assert served is not None
    assert sum(row.rows for row in served) == 400


def test_metrics_are_flat_and_finite(found: dict[Kind, Diagnosis]) -> None:
    metrics = found[Kind.TWEEDIE].metrics()
    headline = found[Kind.TWEEDIE].headline
    assert metrics["model.deviance"] == headline["model"].deviance.mean
    assert metrics["model.deviance.low"] == headline["model"].deviance.low
    assert headline["glm"].gini is not None
    assert metrics["glm.gini"] == headline["glm"].gini.mean
    assert metrics["glm.advantage"] == found[Kind.TWEEDIE].advantage["glm"].mean
    assert "class.rich.auc" in found[Kind.MULTICLASS].metrics()
    for diagnosis in found.values():
        assert all(np.isfinite(value) for value in diagnosis.metrics().values())


def test_equal_in_equal_out(
    found: dict[Kind, Diagnosis], fitted: dict[Kind, RiskModel], table: arrow.Table
) -> None:
    again = diagnose(
        fitted[Kind.TWEEDIE], table.to_pandas(), groups=("colour",), time="year", draws=DRAWS
    )
    assert again.metrics() == found[Kind.TWEEDIE].metrics()


def test_double_lift_of_two_models(found: dict[Kind, Diagnosis]) -> None:
    first, second = found[Kind.TWEEDIE], found[Kind.TWO_PART]
    pair = double_lift(first, second)
    gain = first.headline["model"].deviance.mean - second.headline["model"].deviance.mean
    assert pair.advantage.mean == pytest.approx(gain)
    ratios = [band.ratio for band in pair.bands]
    assert ratios == sorted(ratios)
    with pytest.raises(InputError, match="other rows, outcomes or losses"):
        double_lift(first, found[Kind.POISSON])


def test_fairness_of_a_column_that_age_gives_away(found: dict[Kind, Diagnosis]) -> None:
    (fairness,) = found[Kind.TWEEDIE].fairness
    assert not fairness.is_feature
    assert fairness.proxy is not None
    assert fairness.proxy.greatest > 0.99
    assert fairness.means.means["grey"] > fairness.means.means["brown"]
    judged, grey = found[Kind.TWEEDIE].judged, trained_colour(found[Kind.TWEEDIE], "grey")
    mean = np.average(judged.expected[grey], weights=judged.weight[grey])
    assert fairness.means.means["grey"] == pytest.approx(mean)


def test_rare_levels_stand_together_and_ends_of_time_do_not_meet() -> None:
    values = np.array(["a"] * 5 + ["b"] * 3 + ["c", "d", None], dtype=object)
    few = commonest_levels(values, np.ones(len(values)), 2)
    assert few.tolist() == ["a"] * 5 + ["b"] * 3 + [OTHERS, OTHERS, None]
    early, late = ends_of_time(np.repeat([2020, 2021], [90, 10]))
    assert (early.tolist(), late.tolist()) == (list(range(90)), list(range(90, 100)))
    moved = drift_of({"x": np.arange(100.0)}, {"x": np.arange(100.0) + 80})
    assert moved[0].index > 1
    assert Family.TWEEDIE.value == "tweedie"
