"""Take-up: training tables from offers and records, and the mapping that the ranking reads."""

from datetime import date

import numpy as np
import pyarrow as arrow
import pytest

from riskengine.errors import InputError, SpecError, TableError, UnknownNameError
from riskengine.recommendation.asked import Models
from riskengine.recommendation.followed import follow
from riskengine.recommendation.scoring import Term
from riskengine.recommendation.take_up import (
    OFFER_FEATURES,
    offers_of_log,
    offers_of_table,
    stand_in_take_up,
    take_up,
)
from riskengine.risk.fit import fit
from riskengine.risk.model import RiskModel
from riskengine.risk.next_product.model import NextProductModel
from riskengine.risk.spec import parse_spec, read_spec
from riskengine.tables import Tables
from tests.conftest import ROOT
from tests.recommendation.cases import answered, asked, models, opened
from tests.recommendation.logs import UNTIL, log

CATALOGUE = opened("cn").catalogue
SPEC = """
[model]
name = "small_take_up"
kind = "binary"
target = "chosen"
propensity = "propensity"
purpose = "recommendation"
[features]
numeric = ["position", "offered_premium", "age"]
[folds]
group = "member_id"
count = 2
[lightgbm]
rounds = 30
learning_rate = 0.1
num_leaves = 4
[blend]
glm = false
"""


def offers(size: int, seed: int = 1) -> arrow.Table:
    """The young take what is cheap; dear offers were rarely shown."""
    rng = np.random.default_rng(seed)
    dear = rng.random(size) < 0.2
    age = rng.uniform(20, 60, size)
    chance = np.where(dear, 0.1, 0.5) + 0.2 * (age < 40)
    return arrow.table(
        {
            "member_id": [f"m{n}" for n in range(size)],
            "age": age,
            "position": rng.integers(1, 4, size).astype(np.float64),
            "offered_premium": np.where(dear, 500.0, 100.0),
            "propensity": np.where(dear, 0.2, 0.8),
            "chosen": (rng.random(size) < chance).astype(np.float64),
        }
    )


@pytest.fixture(scope="module")
def model() -> RiskModel:
    return fit(parse_spec(SPEC), offers(1500))


def test_offers_tables_give_rows_whose_end_and_propensity_are_known() -> None:
    table = arrow.table(
        {
            "member_id": ["a", "a", "b", "b"],
            "plan": ["surgery_10k", "cancer_100k", "surgery_10k", "surgery_10k"],
            "position": [1.0, 2.0, 1.0, 1.0],
            "offered_premium": [80.0, 300.0, 80.0, 80.0],
            "propensity": [0.5, 0.5, None, 0.5],
            "chosen": [1.0, 0.0, 1.0, None],
            "shown_on": [date(2026, 1, day) for day in (1, 1, 2, 3)],
        }
    )
    found = offers_of_table(table, CATALOGUE)
    assert (found.table.num_rows, found.undecided, found.without_propensity) == (2, 1, 1)
    (row,) = found.of_product("surgery").to_pylist()
    assert (row["member_id"], row["as_of"], row["chosen"]) == ("a", date(2026, 1, 1), 1.0)
    with pytest.raises(TableError, match="product accident was never offered"):
        found.of_product("accident")
    strange = table.set_column(1, "plan", arrow.array(["none"] * 4))
    with pytest.raises(UnknownNameError):
        offers_of_table(strange, CATALOGUE)


def test_the_synthetic_insurer_s_offers_can_be_learnt_from(synthetic: Tables) -> None:
    names = synthetic["offers"]["plan"].to_pylist()
    renamed = synthetic["offers"].set_column(
        synthetic["offers"].column_names.index("plan"),
        "plan",
        arrow.array(["surgery_10k" if n == "free_care" else "cancer_100k" for n in names]),
    )
    found = offers_of_table(renamed, CATALOGUE)
    assert found.table.num_rows + found.undecided + found.without_propensity == len(names)
    assert found.of_product("surgery").num_rows > 100


def test_records_give_the_premium_the_place_and_its_propensity() -> None:
    kept = follow(log(6), UNTIL)
    found = offers_of_log(kept, CATALOGUE)
    assert (found.table.num_rows, found.without_member) == (18, 0)
    first = kept.decisions[0]
    row = found.table.to_pylist()[0]
    placed = first.slate[0]
    assert (row["plan"], row["position"], row["propensity"]) == (
        placed.plan,
        1.0,
        placed.propensity,
    )
    assert row["offered_premium"] == pytest.approx(placed.premium, abs=0.005)
    assert row["chosen"] == float(placed.plan in first.taken)


def test_take_up_is_calibrated_at_the_premium_asked(model: RiskModel) -> None:
    table = offers(1500)
    dear = table["offered_premium"].to_numpy() == 500
    said = model.predict(table)
    for rows in (dear, ~dear):
        assert said[rows].mean() == pytest.approx(table["chosen"].to_numpy()[rows].mean(), abs=0.06)
    profile = arrow.table({"age": [30.0], "position": [9.0]})
    cheap = take_up({"surgery": model}, profile, {"surgery": 100.0})["surgery"]
    more = take_up({"surgery": model}, profile, {"surgery": 500.0})["surgery"]
    assert 0.55 < cheap < 0.85
    assert 0.1 < more < 0.45
    with pytest.raises(UnknownNameError, match="product surgery has no premium"):
        take_up({"surgery": model}, profile, {})
    with pytest.raises(InputError, match="the profile has 2 rows"):
        take_up({"surgery": model}, arrow.table({"age": [30.0, 31.0]}), {"surgery": 1.0})
    shown = SPEC.replace('propensity = "propensity"\n', "")
    unweighted = fit(parse_spec(shown), offers(400))
    with pytest.raises(SpecError, match="binary without the propensity of offers"):
        take_up({"surgery": unweighted}, profile, {"surgery": 1.0})


def test_the_ranking_reads_take_up_of_all_products_that_have_a_price() -> None:
    who = asked()
    products = {plan.product for plan in CATALOGUE.plans}
    told = answered("cn", who, take_up=dict.fromkeys(products, 0.2))
    assert all(one.take_up == 0.2 and Term.TAKE_UP in one.terms for one in told.considered)
    assert isinstance(models("cn", who, take_up={"surgery": 0.2}), Models)


def test_the_shipped_spec_reads_what_offers_tell() -> None:
    spec = read_spec(ROOT / "models" / "take_up.toml")
    assert set(OFFER_FEATURES) <= set(spec.features.names)
    assert (spec.model.target, spec.model.propensity) == ("chosen", "propensity")


class Next(NextProductModel):
    """A distribution that is known."""

    def __init__(self, chances: list[float]) -> None:
        object.__setattr__(self, "classes", ("surgery", "cancer"))
        object.__setattr__(self, "chances", chances)

    def predict(self, frame: object) -> np.ndarray:  # type: ignore[override]
        return np.array([self.__dict__["chances"]] * len(frame))  # type: ignore[arg-type]


def test_the_next_product_stands_in_for_take_up_in_its_order() -> None:
    found = stand_in_take_up(Next([0.75, 0.25]), arrow.table({"age": [1.0]}), 0.2)
    assert found == pytest.approx({"surgery": 0.15, "cancer": 0.05})
    with pytest.raises(InputError, match="taken_share is 1"):
        stand_in_take_up(Next([1.0, 0.0]), arrow.table({"age": [1.0]}), 1.0)
    with pytest.raises(InputError, match="2 customers given"):
        stand_in_take_up(Next([1.0, 0.0]), arrow.table({"age": [1.0, 2.0]}), 0.2)
