"""What a model of the next product promises of every prediction, and how it is held out."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as arrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskengine.errors import SpecError, TableError
from riskengine.risk.fit import fit
from riskengine.risk.model import RiskModel
from riskengine.risk.next_product.diagnosis import diagnose_products, findings_of_products
from riskengine.risk.next_product.model import NextProductModel
from riskengine.risk.spec import parse_spec
from tests.risk.next_product.baskets import PRODUCTS, SPEC, customers


@pytest.fixture(scope="module")
def model() -> NextProductModel:
    found = fit(parse_spec(SPEC), customers())
    assert isinstance(found, NextProductModel)
    return found


def asked(**flags: object) -> pd.DataFrame:
    """One customer of 60 who owns nothing but what is said."""
    row = {"age": 60.0, "joined": pd.Timestamp("2018-05-01"), "job": "j001", "region": "north"}
    return pd.DataFrame([{**row, **dict.fromkeys(PRODUCTS, 0), **flags}])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([0.0, 1.0, float("nan")]), min_size=5, max_size=5))
def test_what_is_owned_has_zero_and_the_rest_sums_to_one(
    model: NextProductModel, flags: list[float]
) -> None:
    chances = model.predict(asked(**dict(zip(PRODUCTS, flags, strict=True))))[0]
    owned = np.array(flags) == 1
    assert (chances[owned] == 0).all()
    assert (chances[~owned] > 0).all()
    if owned.all():
        assert chances.sum() == 0
    else:
        assert chances.sum() == pytest.approx(1.0, abs=1e-12)


def test_an_unknown_basket_is_not_an_empty_one(model: NextProductModel) -> None:
    unknown = asked(**dict.fromkeys(PRODUCTS, None))
    owns = model.owns(unknown)
    np.testing.assert_allclose(model.predict(unknown), owns / owns.sum(axis=1, keepdims=True))
    assert owns[0, PRODUCTS.index("old")] == pytest.approx(0.8, abs=0.1)
    assert abs(model.predict(unknown) - model.predict(asked())).max() > 0.02


def test_a_product_of_unknown_ownership_is_not_taken_for_one_not_owned(
    model: NextProductModel,
) -> None:
    known, unknown = model.predict(asked(core=0)), model.predict(asked(core=None))
    core = PRODUCTS.index("core")
    assert unknown[0, core] > 0
    assert known[0, core] != unknown[0, core]


def test_owned_products_tell_of_the_next(model: NextProductModel) -> None:
    """`extra` goes with `old`, which the owner of everything else but it shows."""
    extra = PRODUCTS.index("extra")
    assert model.predict(asked(core=1, old=1))[0, extra] > 0.9
    assert model.predict(asked(core=1, age=30.0))[0, extra] < 0.1


def test_a_batch_of_one_is_the_batch_and_new_levels_are_no_error(model: NextProductModel) -> None:
    frame = customers(50, seed=2).drop(columns="ID")
    frame.loc[0, "job"] = "never seen"
    frame.loc[1, list(PRODUCTS)] = 1
    frame = frame.astype(dict.fromkeys(PRODUCTS, "float64"))
    frame.loc[2, list(PRODUCTS)] = np.nan
    together = model.predict(frame)
    alone = np.vstack([model.predict(frame.iloc[[row]]) for row in range(len(frame))])
    np.testing.assert_array_equal(together, alone)


def test_a_saved_model_is_the_same(model: NextProductModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    loaded = RiskModel.load(tmp_path)
    frame = customers(30, seed=3)
    np.testing.assert_array_equal(loaded.predict(frame), model.predict(frame))
    assert loaded.to_files() == model.to_files()


def test_equal_tables_give_equal_models(model: NextProductModel) -> None:
    table = arrow.Table.from_pandas(customers(), preserve_index=False)
    assert fit(parse_spec(SPEC), table).to_files() == model.to_files()


def test_every_row_of_a_customer_is_in_one_fold() -> None:
    frame = customers(300)
    frame["ID"] = [f"c{row // 2}" for row in range(len(frame))]  # two rows a customer
    trained = fit(parse_spec(SPEC), frame).trained
    assert trained is not None
    folds = pd.Series(trained.fold).groupby(trained.member).nunique()
    assert (folds == 1).all()
    assert len(folds) > 100
    assert set(trained.fold) == {0, 1, 2}


def test_rows_are_owned_products_that_weigh_one_a_customer(model: NextProductModel) -> None:
    trained, frame = model.trained, customers()
    assert trained is not None
    owned = frame[list(PRODUCTS)].to_numpy()
    assert len(trained.actual) == owned.sum()
    assert trained.weight.sum() == pytest.approx((owned.sum(axis=1) > 0).sum())
    assert np.isnan(trained.expected).sum() == 0


def test_it_beats_its_yardsticks_and_says_what_is_thin(model: NextProductModel) -> None:
    diagnosis = diagnose_products(model)
    found = diagnosis.headline
    assert found["model"].log_loss.mean == pytest.approx(0.41, abs=0.02)
    assert found["model"].log_loss.mean <= found["logistic"].log_loss.mean + 0.005
    assert diagnosis.advantage["popularity"].low > 0.3
    assert found["model"].hit_1.mean > found["popularity"].hit_1.mean + 0.1
    assert [one.name for one in diagnosis.products if one.insufficient] == ["rare"]
    rare = diagnosis.products[PRODUCTS.index("rare")]
    assert rare.credibility == pytest.approx(np.sqrt(rare.owners / diagnosis.full_credibility))
    assert diagnosis.cold_start.log_loss.mean < diagnosis.cold_start.prevalence.mean
    assert diagnosis.metrics()["model.log_loss"] == found["model"].log_loss.mean
    told = findings_of_products(diagnosis).next_product
    assert told is not None
    assert told.gain.low > 0


@pytest.mark.parametrize("wrong", [2, 0.5, "yes"])
def test_a_flag_that_is_no_flag_is_refused_with_its_row(
    model: NextProductModel, wrong: object
) -> None:
    frame = customers(3)
    frame["old"] = pd.Series([0, wrong, 1], dtype=type(wrong) if wrong != "yes" else object)
    if wrong == "yes":
        frame["old"] = frame["old"].astype(str)
    with pytest.raises(TableError, match=rf"old is {wrong}(\.0)? in row 1 .*0, 1, true, false"):
        model.predict(frame)


def test_texts_and_booleans_are_flags(model: NextProductModel) -> None:
    frame = customers(20, seed=4)
    texts = frame.assign(**{name: frame[name].map({0: "False", 1: "true"}) for name in PRODUCTS})
    truths = frame.astype(dict.fromkeys(PRODUCTS, bool))
    np.testing.assert_array_equal(model.predict(texts), model.predict(frame))
    np.testing.assert_array_equal(model.predict(truths), model.predict(frame))


def test_an_absent_product_and_an_empty_portfolio_are_refused(model: NextProductModel) -> None:
    with pytest.raises(TableError, match="needs columns that are missing: extra"):
        model.predict(customers(3).drop(columns="extra"))
    with pytest.raises(TableError, match="own 0 products in all"):
        fit(parse_spec(SPEC), customers(60).assign(**dict.fromkeys(PRODUCTS, 0)))


def test_what_it_has_not_it_says(model: NextProductModel) -> None:
    with pytest.raises(SpecError, match="no contributions of features"):
        model.contributions(customers(3))
    with pytest.raises(SpecError, match="no such diagnosis"):
        model.diagnose()
