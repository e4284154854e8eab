"""True worth to the member of the plan that is recommended first, against simpler rules.

Members are synthetic, so what a year is expected to cost them is known. The recommender sees less:
a model of spend on what an insurer would see, learnt from one drawn year of other members, and
take-up learnt from their choices. Worth net of premium is then computed from the truth. Rivals name
a product by popularity, take-up or price, and get the variant that the recommender would choose.

    python -m benchmarks.recommendation_value [--members 400]
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.golden.markets import MEANS, SERVICES, START, kept_market

from benchmarks.results import write_section
from riskengine.pricing.market import (
    Insured,
    OpenMarket,
    base_rates,
    open_market,
    price_plans,
    price_problems,
)
from riskengine.pricing.offered import Terms
from riskengine.pricing.perils import PerilModel
from riskengine.products.benefit import Peril
from riskengine.products.load import shipped
from riskengine.products.suitability import Channel
from riskengine.recommendation.asked import Asked, Models
from riskengine.recommendation.plan_value import value_plans
from riskengine.recommendation.policy import RecommendationPolicy, read_recommendation_policy
from riskengine.recommendation.recommend import recommend
from riskengine.sources.synthetic.assumptions import SERVICES as COLUMNS
from riskengine.sources.synthetic.care import MEAN, draw_lines, expected_lines
from riskengine.sources.synthetic.population import People, draw_people
from riskengine.vocabulary import FloatArray, Service

HEADING = "Worth of the first recommendation (`make bench-recommendation`)"
LEARNT, YUAN_A_DOLLAR, BOOTSTRAPS = 6_000, 15.0, 2_000
RIVALS = ("popularity", "take-up alone", "price alone", "best possible")


@dataclass(frozen=True)
class Population:
    """Synthetic members with what is seen of them, expected by a model, and true, (n,) by peril."""

    people: People
    seen: FloatArray
    expected: Insured
    true: dict[Peril, FloatArray]


def population(seed: int) -> Population:
    """One block of members; the first `LEARNT` teach the model of spend."""
    rng = np.random.default_rng(seed)
    people = draw_people(rng, 0)
    day = people.joined.astype(np.float64)
    rates = expected_lines(people, day + 182)
    chronic = np.sum(people.stage(day) > 0, axis=1)
    age = np.clip(people.age(day), 0, 59)
    seen = np.column_stack([age, people.female, people.body_mass, people.smoker, chronic])
    whole = (np.arange(people.size), people.joined, people.joined + 364)
    lines = draw_lines(rng, people, rates, whole)
    spend = np.bincount(lines.person, lines.amount, people.size)
    model = HistGradientBoostingRegressor(loss="poisson", max_iter=80, max_leaf_nodes=8)
    model.fit(seen[:LEARNT], np.maximum(spend[:LEARNT], 0))
    relative = model.predict(seen)
    relative = np.clip(relative / relative.mean(), 0.05, 20)
    columns = {
        "age": age,
        "sex": np.where(people.female, "female", "male").astype(object),
        "social_insurance": np.full(people.size, "yes", dtype=object),
        "rating_area": np.full(people.size, "second_tier", dtype=object),
        "occupation_class": np.full(people.size, "class_1", dtype=object),
    }
    expected = Insured(columns, {peril: mean * relative for peril, mean in MEANS.items()})
    return Population(people, seen, expected, _true_means(people, rates, age))


def _true_means(people: People, rates: FloatArray, age: FloatArray) -> dict[Peril, FloatArray]:
    """Means of each peril at the level of `MEANS`, by the truth behind each member."""
    inpatient = rates[:, COLUMNS.index(Service.INPATIENT)]
    emergency = rates[:, COLUMNS.index(Service.EMERGENCY)]
    grave = people.frailty**0.6 * 1.9 ** ((age - 40) / 10)
    by_peril = {
        peril: rates[:, [COLUMNS.index(s) for s in services]]
        @ MEAN[[COLUMNS.index(s) for s in services]]
        for peril, services in SERVICES.items()
    }
    by_peril |= {
        Peril.HOSPITAL_DAYS: inpatient,
        Peril.SURGERY: inpatient,
        Peril.ACCIDENT: emergency,
        Peril.CRITICAL_ILLNESS: grave,
        Peril.CANCER: grave,
    }
    return {
        peril: MEANS[peril] * np.clip(value / value.mean(), 0.02, 30)
        for peril, value in by_peril.items()
    }


@dataclass(frozen=True)
class Shop:
    """An open market with its models and rates, and what is learnt of who takes which product."""

    market: OpenMarket
    perils: Mapping[Peril, PerilModel]
    policy: RecommendationPolicy
    rates: dict[str, float]
    products: tuple[str, ...]
    take_up: FloatArray
    popular: str


def open_shop(members: Population, seed: int) -> Shop:
    """Rates off-balance over the members learnt from, and take-up by their drawn choices.

    A member weighs the cheapest premium of a product by the own price sensitivity, and leans to
    products by taste; take-up is a multinomial logit on what is seen.
    """
    rng = np.random.default_rng(seed + 1)
    kept = kept_market("cn")
    market = open_market(kept, START)
    learnt = members.expected.at(np.arange(LEARNT))
    rates = base_rates(market, learnt, np.ones(LEARNT), np.arange(LEARNT))
    products = tuple(dict.fromkeys(plan.product for plan in market.catalogue.plans))
    cheapest = {
        product: min(rates[p.plan] for p in market.catalogue.plans if p.product == product)
        for product in products
    }
    sensitive = members.people.price_sensitivity[:, None]
    worry = np.log1p(members.seen[:, -1:]) * rng.normal(0, 0.8, len(products))
    taste = rng.normal(0, 0.6, len(products))
    wish = -sensitive * np.array(list(cheapest.values())) / 1500 + worry + taste
    taken = np.argmax(wish + rng.gumbel(size=wish.shape), axis=1)
    logit = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    logit.fit(members.seen[:LEARNT], taken[:LEARNT])
    take_up = np.zeros((len(taken), len(products)))
    take_up[:, logit.classes_] = logit.predict_proba(members.seen)
    popular = products[int(np.argmax(np.bincount(taken[:LEARNT])))]
    policy = read_recommendation_policy(shipped("cn"))
    return Shop(market, kept.perils, policy, rates, products, take_up, popular)


def true_worth(shop: Shop, members: Population, row: int) -> list[float] | None:
    """True net worth of the first plan of each rule; None where nothing is recommended."""
    one = members.expected.at(np.array([row]))
    names = [
        name
        for name in shop.market.catalogue.names
        if not price_problems(shop.market, name, one.columns)
    ]
    prices = price_plans(shop.market, one, shop.rates, dict.fromkeys(names, Terms()))
    take_up = dict(zip(shop.products, shop.take_up[row].tolist(), strict=True))
    income = float(members.people.income[row]) * YUAN_A_DOLLAR
    asked = Asked(START, one, Channel.APP, household_income=income)
    decision = recommend(
        asked, shop.market, shop.policy, Models(shop.perils, prices, take_up=take_up)
    )
    if not decision.items:
        return None
    variant = {item.plan.product: item for item in reversed(decision.considered)}
    premium = {name: float(p.offered.offered_cents[0]) / 100 for name, p in prices.items()}
    truth = value_plans(
        shop.market,
        shop.perils,
        {peril: mean[[row]] for peril, mean in members.true.items()},
        {item.plan.plan: (prices[item.plan.plan], item.value.premium) for item in variant.values()},
        shop.policy.on(START),
    )
    net = {product: truth[item.plan.plan].net for product, item in variant.items()}
    first = decision.items[0].scored.plan.product
    popular = shop.popular if shop.popular in net else max(net, key=lambda p: take_up[p])
    liked = max(net, key=lambda product: take_up[product])
    cheap = min(net, key=lambda product: premium[variant[product].plan.plan])
    return [net[first], net[popular], net[liked], net[cheap], max(net.values())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    members = population(given.seed)
    shop = open_shop(members, given.seed)
    rows = range(LEARNT, min(LEARNT + given.members, members.people.size))
    found = [worth for row in rows if (worth := true_worth(shop, members, row)) is not None]
    worth = np.array(found)
    draws = np.random.default_rng(given.seed).integers(0, len(worth), (BOOTSTRAPS, len(worth)))
    lines = [
        f"{len(worth)} synthetic members of `cn` (of {len(rows)}), no need stated. True worth net"
        " of premium, yuan a year, of the plan named first; gains are paired, with bootstrap over"
        " members. Rivals get the variant that riskengine would choose of their product."
        " Truth is what a year is expected to bring; risk aversion and losses besides bills are"
        " those of the policy, in the rule and in the truth.",
        "",
        "| rule | mean true net worth | riskengine's gain (95 %) | members who gain |",
        "|---|---|---|---|",
        f"| **riskengine** | **{worth[:, 0].mean():,.0f}** | | |",
    ]
    for column, name in enumerate(RIVALS, start=1):
        gain = worth[:, 0] - worth[:, column]
        low, high = np.quantile(gain[draws].mean(axis=1), [0.025, 0.975])
        lines.append(
            f"| {name} | {worth[:, column].mean():,.0f} | {gain.mean():,.0f}"
            f" ({low:,.0f} to {high:,.0f}) | {(gain > 0).mean():.0%} |"
        )
    write_section(HEADING, lines)


if __name__ == "__main__":
    main()
