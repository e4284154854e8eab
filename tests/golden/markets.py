"""A fixed portfolio on the shipped markets, and the experience kept to price it on."""

import json
from datetime import date
from pathlib import Path

import numpy as np
from benchmarks.pricing_data import simulated_years

from riskengine.pricing.household import household_premiums
from riskengine.pricing.market import (
    Insured,
    Market,
    OpenMarket,
    base_rates,
    household_terms,
    open_market,
    price_plans,
    price_problems,
)
from riskengine.pricing.offered import Terms
from riskengine.pricing.peril_files import perils_from_files, perils_to_files
from riskengine.pricing.perils import Incidence, PerilModel, fit_person_years, fit_stays
from riskengine.pricing.utilisation import InducedUtilisation
from riskengine.products.benefit import Peril
from riskengine.products.load import read_catalogue, shipped
from riskengine.products.rate_book_read import read_editions
from riskengine.vocabulary import Columns, Service

TESTS = Path(__file__).parent.parent
KEPT_PERILS = TESTS / "artefacts" / "perils-0.1.0"
PREMIUMS = TESTS / "golden" / "premiums.json"
START = date(2026, 3, 1)
SIZE = 200
MEANS = {
    Peril.MEDICAL_SPEND: 6500.0,
    Peril.INPATIENT: 3000.0,
    Peril.OUTPATIENT: 1500.0,
    Peril.DRUGS: 900.0,
    Peril.ACCIDENT_SPEND: 120.0,
    Peril.HOSPITAL_DAYS: 0.8,
    Peril.CRITICAL_ILLNESS: 0.004,
    Peril.CANCER: 0.002,
    Peril.ACCIDENT: 0.001,
    Peril.SURGERY: 0.03,
}
"""Annual means of a member of average risk, in the currency of either market, days and events."""


SERVICES = {
    Peril.MEDICAL_SPEND: tuple(Service),
    Peril.INPATIENT: (Service.INPATIENT,),
    Peril.OUTPATIENT: (Service.OUTPATIENT,),
    Peril.DRUGS: (Service.DRUG,),
    Peril.ACCIDENT_SPEND: (Service.EMERGENCY,),
}
EVENTS: dict[Peril, PerilModel] = {
    Peril.CRITICAL_ILLNESS: Incidence({"early": 0.25, "moderate": 0.1, "severe": 0.65}),
    Peril.CANCER: Incidence({"in_situ": 0.2, "invasive": 0.8}),
    Peril.ACCIDENT: Incidence({"slight": 0.7, "serious": 0.1, "total": 0.2}),
    Peril.SURGERY: Incidence({"minor": 0.6, "intermediate": 0.3, "major": 0.1}),
}


def simulated_perils(bands: int, most_rows: int, of_stays: int) -> dict[Peril, PerilModel]:
    """Synthetic experience at the level of `MEANS`, with the stays of the first so many years."""
    years, stays = simulated_years(range(2))
    first = stays.person < of_stays
    expected = (stays.mean[:of_stays], np.ones(of_stays))
    models = {
        **EVENTS,
        Peril.HOSPITAL_DAYS: fit_stays(stays.person[first], stays.days[first], expected, bands),
    }
    for peril, services in SERVICES.items():
        cost = np.sum([years.amounts[service] for service in services], axis=0)
        visited = [service for service in services if service is Service.OUTPATIENT]
        models[peril] = fit_person_years(
            {s: MEANS[peril] / cost.mean() * years.amounts[s] for s in services},
            {service: years.visits[service] for service in visited},
            (MEANS[peril] * years.mean / years.mean.mean(), years.exposure),
            bands,
            most_rows,
        )
    return models


def keep_perils() -> None:
    """Write the kept experience, once; it is left alone then."""
    KEPT_PERILS.mkdir(parents=True)
    for name, content in perils_to_files(simulated_perils(2, 160, 6000)).items():
        (KEPT_PERILS / name).write_bytes(content)


def kept_market(name: str) -> Market:
    """A shipped market on the kept experience of 2024."""
    return Market(
        read_catalogue(shipped(name)),
        read_editions(shipped(name)),
        perils_from_files(KEPT_PERILS),
        InducedUtilisation((0.3, 0.6, 1.0), (0.7, 0.8, 1.0)),
        date(2024, 7, 1),
    )


def portfolio(market: OpenMarket, size: int = SIZE) -> Insured:
    """Members of every age, level and risk, in steps: nothing is drawn."""
    row = np.arange(size)
    age = 64.5 * ((row * 37) % size) / size
    columns: dict[str, np.ndarray] = {"age": age, "household": row // 3}
    for number, tariff in enumerate(market.edition.tariffs):
        for table in tariff.factors:
            if table.levels is not None:
                levels = np.array(table.levels, dtype=object)
                columns[table.factor] = levels[(row // (number + 1)) % len(levels)]
    risk = np.exp(0.015 * (age - 40)) * np.array([0.4, 0.7, 1.0, 1.6, 3.0])[row % 5]
    return Insured(columns, {peril: mean * risk for peril, mean in MEANS.items()})


def of_plan(market: OpenMarket, plan: str, members: Insured) -> Insured:
    """The members who have a price for the plan."""
    barred = [problem.row for problem in price_problems(market, plan, members.columns)]
    return members.at(np.setdiff1d(np.arange(len(members.columns["age"])), barred))


def with_required(market: OpenMarket, plan: str, members: Insured) -> Insured:
    """The members with the answers that the plan requires, each the first that will do."""
    required = market.catalogue.plan(plan).suitability.required_answers
    size = len(members.columns["age"])
    answers = {field: np.full(size, levels[0], object) for field, levels in required.items()}
    return Insured({**members.columns, **answers}, members.means)


def golden_premiums(name: str) -> dict[str, list[int]]:
    """The offered premium of every plan in cents, of each member who may buy it and household."""
    market = open_market(kept_market(name), START)
    book = portfolio(market)
    household = book.columns["household"]
    rates = base_rates(market, book, np.ones(SIZE), household)
    told = {}
    for plan in market.catalogue.names:
        members = of_plan(market, plan, with_required(market, plan, book))
        terms = household_terms(market.edition, members.columns["household"], Terms())
        price = price_plans(market, members, rates, {plan: terms})[plan]
        cents = price.offered.offered_cents
        told[plan] = cents.tolist()
        age, of_household = members.columns["age"], members.columns["household"]
        told[f"{plan}, households"] = household_premiums(market.edition, of_household, age, cents)[
            1
        ].tolist()
    return told


def dislocation(then: dict[str, list[int]], now: dict[str, list[int]]) -> list[str]:
    """What moved, one line a plan: members, mean change and the biggest one; empty: nothing."""
    lines = [f"{plan}: gone" for plan in then.keys() - now.keys()]
    lines += [f"{plan}: new" for plan in now.keys() - then.keys()]
    for plan in [plan for plan in now if plan in then]:
        before, after = (np.array(cents, dtype=np.float64) for cents in (then[plan], now[plan]))
        if len(before) != len(after):
            lines.append(f"{plan}: {len(after)} premiums, {len(before)} before")
        elif (before != after).any():
            change = np.where(before > 0, after / np.maximum(before, 1.0) - 1, np.inf)
            row = int(np.argmax(np.abs(change)))
            lines.append(
                f"{plan}: {np.sum(before != after)} of {len(after)} moved, in total"
                f" {after.sum() / before.sum() - 1:+.2%}, most {change[row]:+.2%}"
                f" (member {row}: {before[row] / 100:.2f} to {after[row] / 100:.2f})"
            )
    return lines


def write_premiums() -> None:
    told = {name: golden_premiums(name) for name in ("cn", "us_aca")}
    lines = json.dumps(told).replace('], "', '],\n"').replace('{"', '{\n"')
    PREMIUMS.write_text(lines + "\n", encoding="utf-8")


def columns_of(members: list[dict[str, object]]) -> Columns:
    """Members as a file writes them, by column."""
    return {
        name: np.array([one[name] for one in members], dtype=float if name == "age" else object)
        for name in members[0]
    }
