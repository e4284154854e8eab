from functools import cache

import numpy as np
import pyarrow as arrow
import pytest

from riskengine.errors import InputError, SpecError, UnknownNameError
from riskengine.reporting.explanations import (
    heat_map,
    importance_chart,
    partial_dependence_chart,
)
from riskengine.risk.explain import importance, partial_dependence
from riskengine.risk.fit import fit
from riskengine.risk.model import RiskModel
from riskengine.risk.promises import broken_promises, worst_fall
from riskengine.risk.reference import quantile_points, reference_rows
from riskengine.risk.spec import Kind
from riskengine.vocabulary import Text
from tests.risk.books import AGE_SLOPE, REGION, book, spec

MULTIPLICATIVE = [kind for kind in Kind if kind.multiplicative]


@cache
def model(kind: Kind, seeds: int = 1) -> RiskModel:
    return fit(spec(kind, seeds), book())


@cache
def crossed_model(kind: Kind) -> RiskModel:
    """Of a book in which town and region act together; towns may be missing."""
    return fit(spec(kind, seeds=2), crossed_book())


def crossed_book() -> arrow.Table:
    table = book(1500, seed=4)
    towns, region = table["town"].to_pylist(), table["region"].to_pylist()
    odd = np.array([int(town[1:]) % 2 for town in towns])
    dear = np.where((np.array(region) == "a") == (odd == 1), 3.0, 0.3)
    rng = np.random.default_rng(5)
    count = rng.poisson(dear * table["exposure"].to_numpy())
    changed = {
        "count": count,
        "amount": np.where(count > 0, count * rng.gamma(3, 300, len(count)), 0.0),
        "cost": dear * rng.gamma(3, 1 / 3, len(count)),
        "town": [None if at % 17 == 0 else town for at, town in enumerate(towns)],
    }
    for name, values in changed.items():
        table = table.set_column(table.schema.names.index(name), name, arrow.array(values))
    return table


@pytest.mark.parametrize("kind", MULTIPLICATIVE)
def test_relativities_multiply_to_the_prediction(kind: Kind) -> None:
    found, table = crossed_model(kind), crossed_book()
    crosses = [e for e in found.parts[0][0].design.encodings if len(e.features) == 2]
    assert crosses, "the book has a cross of town and region"
    assert len(found.parts[0]) == 2
    head = table.slice(0, 300)
    strange = head.set_column(
        head.schema.names.index("town"), "town", arrow.array(["nowhere", *[None] * 299])
    )
    for rows in (head, strange):
        told = found.explain(rows)
        mean = found.predict(rows)
        np.testing.assert_allclose(told.base * told.factors.prod(axis=1), mean, rtol=1e-9)
        family = told.by_family(found.spec)
        assert family.names == ("age", "bmi", "noise", "place")
        np.testing.assert_allclose(family.base * family.factors.prod(axis=1), mean, rtol=1e-9)
        place = told.factors[:, 3] * told.factors[:, 4]
        np.testing.assert_allclose(family.factors[:, 3], place, rtol=1e-12)


def test_kinds_without_relativities_say_so() -> None:
    for kind in (Kind.TWO_PART, Kind.MULTICLASS):
        with pytest.raises(SpecError, match=f"a {kind} model has no relativities"):
            model(kind).explain(book().slice(0, 5))
    told = model(Kind.BINARY).explain(book().slice(0, 50))
    odds = told.base * told.factors.prod(axis=1)
    chance = model(Kind.BINARY).predict(book().slice(0, 50))
    np.testing.assert_allclose(odds / (1 + odds), chance, rtol=1e-9)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.NEXT_PRODUCT])
def test_importance_finds_what_drives_every_kind(kind: Kind) -> None:
    found = importance(model(kind), book())
    assert set(found.names[:2]) == {"age", "region"}
    assert found.share.sum() == pytest.approx(1, abs=1e-9)
    assert found.share[:2].sum() > 0.8
    assert (np.diff(found.effect) <= 0).all()
    family = importance(model(kind), book(), by_family=True)
    assert sorted(family.names) == ["age", "bmi", "noise", "place"]
    by_name = dict(zip(found.names, found.share, strict=True))
    of_place = dict(zip(family.names, family.share, strict=True))["place"]
    assert of_place == pytest.approx(by_name["region"] + by_name["town"], abs=1e-9)


def test_effects_are_those_of_the_truth() -> None:
    found = importance(model(Kind.GAMMA), book())
    effect = dict(zip(found.names, found.effect, strict=True))
    assert effect["age"] == pytest.approx(AGE_SLOPE * 12.5, abs=0.05)
    spread = np.array(list(REGION.values())) - np.mean(list(REGION.values()))
    assert effect["region"] == pytest.approx(np.abs(spread).mean(), abs=0.05)
    assert effect["town"] < 0.05


def test_a_model_that_is_the_mean_explains_nothing() -> None:
    table = book(60)
    rare = table.set_column(6, "count", arrow.array([1, *[0] * 59]))
    found = importance(fit(spec(Kind.POISSON), rare), rare)
    assert found.effect.tolist() == [0.0] * 5
    assert found.share.tolist() == [0.0] * 5


@pytest.mark.parametrize("kind", [*MULTIPLICATIVE, Kind.TWO_PART])
def test_partial_dependence_follows_the_truth(kind: Kind) -> None:
    found = partial_dependence(model(kind), book(), ["region"])
    assert found.points[0].tolist() == ["a", "b", "c"]
    relativities = found.relativities
    assert relativities[1] / relativities[0] == pytest.approx(np.exp(0.6), abs=0.35)
    np.testing.assert_allclose(found.exposure[0].sum(), 1.0)
    age = partial_dependence(model(kind), book(), ["age"], points=10)
    assert age.mean.shape == (10,)
    assert (np.diff(age.mean) >= -1e-12).all(), "promised to be increasing"
    slope = np.polyfit(age.points[0], np.log(age.mean), 1)[0]
    assert slope == pytest.approx(AGE_SLOPE, abs=0.009)


def test_missing_is_a_point_where_it_was_learnt() -> None:
    found = partial_dependence(model(Kind.POISSON), book(), ["bmi"], points=5)
    assert len(found.points[0]) == 6
    assert np.isnan(found.points[0][-1])
    assert found.exposure[0][-1] == pytest.approx(0.2, abs=0.04)
    assert partial_dependence(model(Kind.POISSON), book(), ["age"], points=5).mean.shape == (5,)
    town = partial_dependence(crossed_model(Kind.POISSON), crossed_book(), ["town"])
    assert town.points[0][-1] is None
    assert len(town.points[0]) == 31, "the thirty largest towns, and missing"


def test_a_mean_of_predictions_is_what_is_reported() -> None:
    """By hand: every row of the book set to one value, averaged by exposure."""
    table = book(400)
    found = partial_dependence(model(Kind.POISSON), table, ["region"])
    weight = table["exposure"].to_numpy()
    for place, region in enumerate(found.points[0]):
        moved = table.set_column(3, "region", arrow.array([region] * 400))
        wanted = np.average(model(Kind.POISSON).predict(moved), weights=weight)
        assert found.mean[place] == pytest.approx(wanted, rel=1e-12)
    average = np.average(model(Kind.POISSON).predict(table), weights=weight)
    assert found.average[0] == pytest.approx(average, rel=1e-12)
    np.testing.assert_allclose(found.relativities, found.mean / average)


def test_probabilities_have_odds_and_classes_add_up() -> None:
    found = partial_dependence(model(Kind.BINARY), book(), ["region"])
    assert found.odds
    odds = found.mean / (1 - found.mean)
    np.testing.assert_allclose(found.relativities[1] / found.relativities[0], odds[1] / odds[0])
    plans = partial_dependence(model(Kind.MULTICLASS), book(), ["age", "region"], points=4)
    assert plans.classes == ("lean", "mid", "rich")
    assert plans.mean.shape == plans.relativities.shape == (4, 3, 3)
    np.testing.assert_allclose(plans.mean.sum(axis=-1), 1.0)
    assert (np.diff(plans.relativities[:, 0, 2]) > 0).all()


def test_two_features_at_once() -> None:
    found = partial_dependence(crossed_model(Kind.POISSON), crossed_book(), ["region", "town"])
    towns = found.points[1].tolist()
    odd = next(at for at, town in enumerate(towns) if town and int(town[1:]) % 2)
    assert found.mean[0, odd] > 3 * found.mean[1, odd], "odd towns are dear in region a alone"


def test_rows_are_few_seeded_and_weighted() -> None:
    one, other = (reference_rows(model(Kind.POISSON), book(), 100, seed) for seed in (0, 1))
    assert len(one.exposure) == len(one.columns["age"]) == 100
    assert (one.columns["age"] != other.columns["age"]).any()
    again = reference_rows(model(Kind.POISSON), book().to_pandas(), 100, 0)
    np.testing.assert_array_equal(again.columns["age"], one.columns["age"])
    np.testing.assert_array_equal(again.exposure, one.exposure)
    first = importance(model(Kind.POISSON), book())
    np.testing.assert_array_equal(first.effect, importance(model(Kind.POISSON), book()).effect)
    plain = {n: model(Kind.POISSON).read(book())[n] for n in ("age", "bmi", "noise")}
    assert set(plain) == {"age", "bmi", "noise"}
    with pytest.raises(InputError, match="there are no rows to explain the model on"):
        importance(model(Kind.POISSON), book().slice(0, 0))
    with pytest.raises(UnknownNameError, match="height is no feature of the model; it has age"):
        partial_dependence(model(Kind.POISSON), book(), ["height"])
    with pytest.raises(InputError, match="one feature or two different ones"):
        partial_dependence(model(Kind.POISSON), book(), ["age", "age"])


def test_points_of_a_grid_are_values_that_occur() -> None:
    values = np.random.default_rng(0).permutation(np.arange(1000.0))
    found = quantile_points(values, np.ones(1000), 11)
    assert found.tolist() == [0.0, *np.arange(99.0, 999.0, 100.0), 999.0]
    assert quantile_points(np.array([np.nan]), np.ones(1), 5).tolist() == []


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind.has_exposure])
def test_promises_are_kept(kind: Kind) -> None:
    assert broken_promises(model(kind), book()) == ()


def test_a_broken_promise_is_found() -> None:
    free = fit(spec(Kind.POISSON, promise=False), book())
    promise = spec(Kind.POISSON).features.model_copy(
        update={"monotone": {"age": "decreasing", "noise": "increasing"}}
    )
    liar = RiskModel(
        free.spec.model_copy(update={"features": promise}), free.parts, free.balance_factor
    )
    worst, *_ = broken_promises(liar, book())
    assert worst.feature == "age"
    assert worst.size > 0.8, "from 20 to 70 the mean rises by a factor of 2.7"
    assert worst.low < 30 < 60 < worst.high
    assert worst_fall(np.array([[2.0], [1.0], [3.0]])) == (0.5, 0, 1)


def test_charts_say_what_was_found_in_both_languages() -> None:
    labels = {"region": Text(zh="地区", en="area of residence")}
    bars = importance_chart(importance(model(Kind.POISSON), book()), labels)
    assert "地区" in bars["zh"]
    assert "area of residence" in bars["en"]
    for kind, names in (
        (Kind.POISSON, ["bmi"]),
        (Kind.BINARY, ["region"]),
        (Kind.MULTICLASS, ["age"]),
        (Kind.MULTICLASS, ["region"]),
        (Kind.TWO_PART, ["age", "region"]),
    ):
        found = partial_dependence(model(kind), book(), names, points=4)
        drawn = partial_dependence_chart(found, labels)
        assert drawn == partial_dependence_chart(found, labels), "equal input, equal bytes"
        told = "odds relative to the average" if found.odds else "relativity to the average"
        assert told in drawn["en"]
        assert ("missing" in drawn["en"]) == (names == ["bmi"])
        assert ("缺失" in drawn["zh"]) == (names == ["bmi"])
    two = partial_dependence(model(Kind.MULTICLASS), book(), ["age", "region"], points=4)
    assert "rich" in heat_map(two, labels, which=2)["zh"]
