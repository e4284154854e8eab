"""Take-up: the probability that a product is taken when it is offered; from logged offers alone.

A model of the next product tells another thing: which product it is, given that one is taken. The
flow reads take-up (`market_advice.Wish.take_up`), in log-odds, inside a band of need. This module
makes the training table of a `binary` spec with `propensity` from offers, per product, and the
mapping that the flow takes; until offers are logged, `stand_in_take_up` makes one that ranks alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as arrow
import pyarrow.compute as pc

from riskengine.errors import InputError, SpecError, TableError, UnknownNameError
from riskengine.products.product import Catalogue
from riskengine.recommendation.followed import FollowedLog
from riskengine.risk.model import RiskModel
from riskengine.risk.next_product.model import NextProductModel
from riskengine.risk.spec import Kind
from riskengine.vocabulary import FloatArray

TARGET, PROPENSITY, PRODUCT = "chosen", "propensity", "product"
OFFER_FEATURES = ("position", "offered_premium")
_SCHEMA = arrow.schema(
    [
        ("member_id", arrow.string()),
        ("as_of", arrow.date32()),
        (PRODUCT, arrow.string()),
        ("plan", arrow.string()),
        ("position", arrow.float64()),
        ("offered_premium", arrow.float64()),
        (PROPENSITY, arrow.float64()),
        (TARGET, arrow.float64()),
    ]
)


@dataclass(frozen=True, eq=False)
class OfferRows:
    """Offers to learn take-up from: one row a plan shown; `as_of` is the day it was.

    How many more there are that are `undecided`, `without_propensity` or of nobody named.
    """

    table: arrow.Table
    undecided: int = 0
    without_propensity: int = 0
    without_member: int = 0

    def of_product(self, product: str) -> arrow.Table:
        """The rows of one product, whose plans share a model.

        Raises `TableError` where it was never offered.
        """
        rows = self.table.filter(pc.equal(self.table[PRODUCT], product))
        if not rows.num_rows:
            there = ", ".join(sorted(set(self.table[PRODUCT].to_pylist()))) or "none"
            message = f"product {product} was never offered with a known end; there are {there}"
            raise TableError(message)
        return rows


def offers_of_table(offers: arrow.Table, catalogue: Catalogue) -> OfferRows:
    """The rows of an `offers` table whose end and propensity are known.

    `propensity` is the one of the table: of the order shown. Raises `UnknownNameError` for a plan
    that is not in the catalogue.
    """
    decided = pc.is_valid(offers[TARGET])
    drawn = pc.is_valid(offers[PROPENSITY])
    kept = offers.filter(pc.and_(decided, drawn))
    plans = kept["plan"].to_pylist()
    columns = {
        "member_id": kept["member_id"],
        "as_of": kept["shown_on"],
        PRODUCT: arrow.array([catalogue.plan(name).product for name in plans], arrow.string()),
        **{name: kept[name] for name in ("plan", *OFFER_FEATURES, PROPENSITY, TARGET)},
    }
    undecided = offers.num_rows - int(pc.sum(decided).as_py() or 0)
    table = arrow.table(columns).cast(_SCHEMA)
    return OfferRows(table, undecided, offers.num_rows - undecided - table.num_rows)


def offers_of_log(log: FollowedLog, catalogue: Catalogue) -> OfferRows:
    """The plans that were shown in a log of decisions, with premium, position and end.

    `propensity` is that of the plan for its place, given the places before it.
    """
    rows, nobody = [], 0
    for one in log.decisions:
        shown = {s.plan: s for s in one.display.shown}
        if one.decision.member_id is None:
            nobody += len(shown)
            continue
        rows += [
            {
                "member_id": one.decision.member_id,
                "as_of": one.shown_on,
                PRODUCT: catalogue.plan(placed.plan).product,
                "plan": placed.plan,
                "position": float(shown[placed.plan].position),
                "offered_premium": shown[placed.plan].offered_cents / 100,
                PROPENSITY: placed.propensity,
                TARGET: float(placed.plan in one.taken),
            }
            for placed in one.slate
        ]
    return OfferRows(arrow.Table.from_pylist(rows, _SCHEMA), without_member=nobody)


def take_up(
    models: Mapping[str, RiskModel], profile: arrow.Table, premiums: Mapping[str, float]
) -> dict[str, float]:
    """The probability that each product is taken when it is offered first, {product: p}.

    `models` are by product, of kind `binary` with `propensity`; `profile` is one row of features,
    `premiums` what is asked for each product, currency a year. The ranking uses take-up only where
    all products that can be priced have one. Raises `SpecError` for another kind of model, and
    `UnknownNameError` for a product without a premium.
    """
    if profile.num_rows != 1:
        message = f"the profile has {profile.num_rows} rows: give the one of who asks"
        raise InputError(message)
    own = profile.select([n for n in profile.schema.names if n not in OFFER_FEATURES])
    found = {}
    for product, model in models.items():
        check_take_up(product, model)
        if product not in premiums:
            message = f"product {product} has no premium; there are {', '.join(premiums)}"
            raise UnknownNameError(message)
        row = own.append_column("position", arrow.array([1.0]))
        row = row.append_column("offered_premium", arrow.array([float(premiums[product])]))
        found[product] = float(model.predict(row)[0])
    return found


def check_take_up(product: str, model: RiskModel) -> None:
    """Raise `SpecError` for a model that was not learnt from offers with their propensity."""
    if model.spec.model.kind is not Kind.BINARY or model.spec.model.propensity is None:
        message = (
            f"the model of {product} is {model.spec.model.kind} without the propensity of"
            " offers: take-up is learnt by a binary spec that names it"
        )
        raise SpecError(message)


def stand_in_take_up(
    model: NextProductModel, customer: arrow.Table, taken_share: float
) -> dict[str, float]:
    """`taken_share` times the probability that each product is the next one, {product: p}.

    No take-up: it supposes that whoever is shown the product that is next for them takes it as
    often as any. It orders products as the model does, until offers are logged. `taken_share`,
    above 0 and below 1, is how many take anything when shown; `customer` is one row. What is owned
    has 0.
    """
    if not 0 < taken_share < 1:
        message = f"taken_share is {taken_share:g}: give a share above 0 and below 1"
        raise InputError(message)
    chances: FloatArray = model.predict(customer)
    if len(chances) != 1:
        message = f"{len(chances)} customers given: give the row of the one who asks"
        raise InputError(message)
    return dict(zip(model.classes, (taken_share * chances[0]).tolist(), strict=True))
