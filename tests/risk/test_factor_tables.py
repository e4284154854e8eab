import csv
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pytest

from riskengine.errors import InputError, SpecError, TableError, UnknownNameError
from riskengine.risk.bands import band_edges, round_number
from riskengine.risk.distil import (
    OWN_LEVELS,
    Distilled,
    TableSettings,
    distil,
)
from riskengine.risk.factor_files import read_factor_tables, write_factor_tables
from riskengine.risk.factor_tables import Factor, FactorTables, Judging
from riskengine.risk.fidelity import fidelity, fold_fidelity, refitted_fidelity
from riskengine.risk.fit import cross_fit, fit
from riskengine.risk.model import RiskModel
from riskengine.risk.spec import Kind
from tests.risk.books import AGE_SLOPE, book, spec

MULTIPLICATIVE = [kind for kind in Kind if kind.multiplicative]
MAIN = TableSettings()
PAIR = TableSettings(pair=("region", "bmi"))


@cache
def model(kind: Kind = Kind.POISSON, purpose: str = "pricing") -> RiskModel:
    return fit(spec(kind, purpose=purpose), book())


@cache
def distilled(kind: Kind = Kind.POISSON, settings: TableSettings = MAIN) -> Distilled:
    return distil(model(kind), book(), settings)


def factor(name: str, tables: FactorTables | None = None) -> Factor:
    known = (tables or distilled().tables).factors
    return next(one for one in known if one.feature == name)


@pytest.mark.parametrize("settings", [TableSettings(), PAIR], ids=["main", "pair"])
@pytest.mark.parametrize("kind", MULTIPLICATIVE)
def test_files_price_as_the_glm_does(kind: Kind, settings: TableSettings, tmp_path: Path) -> None:
    found = distilled(kind, settings)
    write_factor_tables(found.tables, tmp_path)
    read = read_factor_tables(tmp_path)
    np.testing.assert_allclose(read.mean(found.rows.columns), found.glm_mean, rtol=1e-9)
    np.testing.assert_array_equal(read.mean(book()), found.tables.mean(book()))
    product = read.base * read.relativities(book().to_pandas()).prod(axis=1)
    np.testing.assert_allclose(product, found.tables.mean(book()), rtol=1e-12)


def test_the_csv_alone_is_enough_to_price(tmp_path: Path) -> None:
    """By hand: no code of ours reads the files."""
    write_factor_tables(distilled().tables, tmp_path)
    with (tmp_path / "base.csv").open(encoding="utf-8", newline="") as file:
        product = float({row["name"]: row["value"] for row in csv.DictReader(file)}["base"])
    answers = {"age": 33.0, "bmi": None, "noise": 0.1, "region": "b", "town": "t07"}
    for name, value in answers.items():
        with (tmp_path / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if value is None or isinstance(value, str):
                    hit = row["kind"] == "missing" if value is None else row["label"] == value
                else:
                    hit = row["kind"] == "band"
                    hit &= float(row["from"] or "-inf") <= value < float(row["below"] or "inf")
                product *= float(row["relativity"]) if hit else 1.0
    table = arrow.table({name: arrow.array([value]) for name, value in answers.items()})
    table = table.set_column(1, "bmi", arrow.array([None], arrow.float64()))
    assert product == pytest.approx(distilled().tables.mean(table)[0], rel=1e-12)


@pytest.mark.parametrize("kind", MULTIPLICATIVE)
def test_every_level_has_the_total_of_the_model(kind: Kind) -> None:
    """The method of marginal totals: where no promise binds, level by level."""
    found = distilled(kind)
    weight = found.rows.exposure
    for name in ("region", "town", "bmi", "noise"):
        code = factor(name, found.tables).rows(found.rows.columns[name])
        of_model = np.bincount(code, weight * found.model_mean)
        of_glm = np.bincount(code, weight * found.glm_mean)
        np.testing.assert_allclose(of_glm, of_model, rtol=1e-3)
    totals = [np.sum(weight * mean) for mean in (found.model_mean, found.glm_mean)]
    assert totals[0] == pytest.approx(totals[1], rel=1e-12)


@pytest.mark.parametrize("kind", MULTIPLICATIVE)
def test_the_truth_is_in_the_tables(kind: Kind) -> None:
    tables = distilled(kind).tables
    region = dict(zip(factor("region", tables).labels, factor("region", tables).relativities))  # noqa: B905
    assert region["b"] / region["a"] == pytest.approx(np.exp(0.6), abs=0.35)
    age = factor("age", tables)
    assert age.edges is not None
    assert 3 <= age.plain <= 8
    assert (np.diff(age.relativities[: age.plain]) >= 0).all(), "promised to be increasing"
    ratio = age.relativities[age.plain - 1] / age.relativities[0]
    assert ratio == pytest.approx(np.exp(AGE_SLOPE * 42), rel=0.35)
    assert factor("noise", tables).plain <= 5
    assert tables.agreement > 0.94


def test_the_base_is_the_row_of_most_exposure() -> None:
    for one in distilled().tables.factors:
        assert one.relativities[int(np.argmax(one.exposure))] == 1.0
        assert one.exposure.sum() == pytest.approx(1.0)
        assert len(one.labels) == len(one.relativities) == len(one.exposure)
    assert factor("bmi").labels[-1] == "missing"
    assert factor("bmi").exposure[-1] == pytest.approx(0.2, abs=0.04)
    assert factor("age").extra == ()


def test_what_no_row_lists_is_refused() -> None:
    tables, table = distilled().tables, book().slice(0, 3)
    strange = table.set_column(3, "region", arrow.array(["a", "z", "a"]))
    with pytest.raises(UnknownNameError, match=r"region has levels that .* does not list: z"):
        tables.mean(strange)
    unknown = table.set_column(0, "age", arrow.array([30.0, None, 40.0]))
    with pytest.raises(InputError, match="age is missing in row 1"):
        tables.mean(unknown)
    with pytest.raises(TableError, match="need columns that are missing: age, town"):
        tables.mean(table.drop_columns(["age", "town"]))


def test_a_model_for_analysis_has_rows_for_the_unknown() -> None:
    free = model(purpose="analysis")
    tables = distil(free, book()).tables
    assert factor("region", tables).extra == ("missing", "other")
    table = book().slice(0, 200)
    strange = table.set_column(3, "region", arrow.array(["z"] * 200))
    told, wanted = tables.mean(strange), free.predict(strange)
    assert told.mean() == pytest.approx(wanted.mean(), rel=0.05)


def test_an_answer_never_left_out_in_training_may_be_optional() -> None:
    table = book()
    known = np.nan_to_num(table["bmi"].to_numpy(), nan=26.0)
    table = table.set_column(1, "bmi", arrow.array(known))
    found = fit(spec(Kind.POISSON, purpose="pricing"), table)
    tables = distil(found, table).tables
    hidden = table.set_column(1, "bmi", arrow.nulls(table.num_rows, arrow.float64()))
    weight = table["exposure"].to_numpy()
    totals = [np.sum(weight * one.mean(hidden)) for one in (tables,)]
    assert totals[0] == pytest.approx(np.sum(weight * found.predict(hidden)), rel=0.01)


@pytest.mark.parametrize("kind", [Kind.TWO_PART, Kind.BINARY, Kind.MULTICLASS])
def test_kinds_without_a_log_link_are_refused(kind: Kind) -> None:
    found = fit(spec(kind), book(300))
    with pytest.raises(SpecError, match=f"a {kind} model has no factor tables: .* log link"):
        distil(found, book(300))


def test_a_pair_must_be_two_features_without_a_promise() -> None:
    for pair, message in (
        (("region", "height"), "must name two different features"),
        (("region", "region"), "must name two different features"),
        (("age", "region"), "age is monotone"),
    ):
        with pytest.raises(SpecError, match=message):
            distil(model(), book(), TableSettings(pair=pair))


def test_a_pair_catches_what_acts_together() -> None:
    table = book(2500, seed=3)
    high = table["noise"].to_numpy() > 0
    dear = np.where(high == (np.array(table["region"].to_pylist()) == "a"), 3.0, 0.5)
    count = np.random.default_rng(0).poisson(dear * table["exposure"].to_numpy())
    found = fit(
        spec(Kind.POISSON, purpose="pricing"), table.set_column(6, "count", arrow.array(count))
    )
    main, both = (
        distil(found, table, TableSettings(pair=pair)).tables.agreement
        for pair in (None, ("region", "noise"))
    )
    assert main < 0.7
    assert both > 0.9


def test_many_levels_are_all_listed() -> None:
    table = book(3000, seed=6, towns=400)
    found = fit(spec(Kind.POISSON, purpose="pricing"), table)
    town = factor("town", distil(found, table).tables)
    assert len(town.levels) == len(set(table["town"].to_pylist())) > OWN_LEVELS
    assert (town.relativities > 0).all()


def test_fidelity_tells_what_the_tables_cost() -> None:
    told = fidelity(model(), distilled().tables, book())
    assert told.model <= told.tables < told.mean
    assert 0.9 < told.kept <= 1.0
    assert told.judging is Judging.SERVED
    refitted = refitted_fidelity(cross_fit(spec(Kind.POISSON), book()), book(), MAIN)
    assert refitted.judging is Judging.REFITTED
    assert refitted.mean == pytest.approx(told.mean, rel=1e-9)
    assert refitted.model > told.model, "rows never seen are predicted worse"
    assert 0.8 < refitted.kept < 1.1


@pytest.mark.parametrize("settings", [MAIN, PAIR, TableSettings(rows=700)])
def test_fidelity_is_also_held_out(settings: TableSettings) -> None:
    found = distilled(settings=settings)
    told, served = (
        fold_fidelity(model(), found),
        fidelity(model(), found.tables, book().take(found.rows.places)),
    )
    assert told.judging is Judging.FOLDS
    assert told.mean == pytest.approx(served.mean, rel=1e-9)
    assert told.model > served.model, "rows never seen are predicted worse"
    assert told.tables > served.tables
    assert 0.6 < told.kept < 1.1


def test_held_out_fidelity_is_of_predictions_that_were_held_out() -> None:
    """Where those are the mean of each fold, so are the tables, and nothing is gained."""
    found, trained = distilled(), model().trained
    assert trained is not None
    flat = replace(trained, expected=1.0 + 0.01 * trained.fold)
    told = fold_fidelity(replace(model(), trained=flat), found)
    assert told.tables == pytest.approx(told.model, rel=1e-9)
    assert told.kept != told.kept, "there is no gain to keep a share of"
    with pytest.raises(InputError, match="model quick keeps no held-out predictions"):
        fold_fidelity(replace(model(), trained=None), found)


def test_files_are_the_same_every_time_and_complete(tmp_path: Path) -> None:
    again = distil(model(), book(), PAIR)
    told = fidelity(model(), again.tables, book())
    for folder in ("one", "two"):
        write_factor_tables(again.tables, tmp_path / folder, told)
    write_factor_tables(distilled(settings=PAIR).tables, tmp_path / "three", told)
    names = {"age", "bmi", "noise", "region", "town", "base", "summary", "pair"}
    for folder in ("one", "two", "three"):
        files = {path.stem: path.read_bytes() for path in (tmp_path / folder).iterdir()}
        assert set(files) == names
        assert files == {p.stem: p.read_bytes() for p in (tmp_path / "one").iterdir()}
    base = (tmp_path / "one" / "base.csv").read_text(encoding="utf-8")
    assert f"share_of_gain_kept,{told.kept}" in base


def test_odd_names_and_levels_survive(tmp_path: Path) -> None:
    def one(name: str, *levels: str) -> Factor:
        size = len(levels) + 1
        return Factor(name, None, levels, ("missing",), np.arange(1.0, size + 1), np.ones(size))

    odd = (one("年龄/岁", "", "a,b", 'say "x"', "分\n行"), one("Base", "missing"), one("A", "b"))
    tables = FactorTables("odd", 0.1, (*odd, one("a", "b")), 1.0)
    write_factor_tables(tables, tmp_path)
    read = read_factor_tables(tmp_path)
    for before, after in zip(tables.factors, read.factors, strict=True):
        assert (before.feature, before.labels, before.extra) == (
            after.feature,
            after.labels,
            after.extra,
        )
        np.testing.assert_array_equal(before.relativities, after.relativities)
    lower = [path.name.lower() for path in tmp_path.iterdir()]
    assert len(lower) == len(set(lower)) == 6


def test_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"base\.csv is no factor table: No such file"):
        read_factor_tables(tmp_path)
    write_factor_tables(distilled().tables, tmp_path)
    (tmp_path / "age.csv").write_text("feature,kind\nage,band\n", encoding="utf-8")
    with pytest.raises(SpecError, match=r"age\.csv is no factor table: KeyError"):
        read_factor_tables(tmp_path)


def test_bands_are_few_readable_and_where_it_matters() -> None:
    rng = np.random.default_rng(0)
    age = rng.uniform(18, 80, 5000)
    effect = np.where(age > 64.7, 1.0, 0.0) + np.where(age > 30.2, 0.5, 0.0)
    assert band_edges(age, effect, np.ones(5000), 6, 1e-3).tolist() == [30.0, 65.0]
    assert band_edges(age, np.zeros(5000), np.ones(5000), 6, 1e-3).tolist() == []
    flag = (age > 40) * 1.0
    assert band_edges(flag, flag, np.ones(5000), 6, 1e-3).tolist() == [1.0]
    close = np.where(age > 40, 1e9 + 1.0, 1e9)
    assert band_edges(close, flag, np.ones(5000), 6, 1e-3).tolist() == [1e9 + 1.0]
    holes = np.where(age > 70, np.nan, age)
    assert np.isfinite(band_edges(holes, effect, np.ones(5000), 6, 1e-3)).all()
    assert round_number(0.0123, 0.0191) == 0.015
    assert round_number(1999.2, 2000.1) == 2000.0
