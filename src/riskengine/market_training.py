"""From tables of experience to the release of a market, step by step.

Each peril that the catalogue insures gets a mean model, fitted on what its services cost or on the
days and events counted, and a distribution from the same years around held-out means. Base rates
are found on a reference book, at the first day of each edition.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as arrow
import pyarrow.compute as pc

from riskengine.errors import InputError, TableError
from riskengine.market_release import MarketRelease, build_market_release, perils_of, with_inputs
from riskengine.pricing.market import Insured, Market, base_rates, open_market
from riskengine.pricing.perils import (
    MOST_ROWS,
    Incidence,
    PerilModel,
    fit_person_years,
    fit_stays,
)
from riskengine.pricing.rating import reference_columns
from riskengine.pricing.trend import ReportedCost, develop
from riskengine.pricing.utilisation import InducedUtilisation, read_induced_utilisation
from riskengine.products.benefit import Peril, Unit
from riskengine.products.event_codes import EventCodes, read_event_codes
from riskengine.products.load import read_catalogue
from riskengine.products.market_check import MarketTerms, check_market
from riskengine.products.market_questions import (
    MarketQuestions,
    read_market_questions,
    reference_levels,
)
from riskengine.products.product import Catalogue
from riskengine.products.rate_book_edition import Editions, tier_fault
from riskengine.products.rate_book_read import read_editions, read_underwriting
from riskengine.products.underwriting import Underwriting
from riskengine.profiles.build import build_experience
from riskengine.profiles.completion import completion_factors, reported_by_month, share_known
from riskengine.profiles.events import count_events
from riskengine.profiles.features import FEATURES
from riskengine.profiles.services import ServiceYears, years_by_service
from riskengine.recommendation.policy import RecommendationPolicy, read_recommendation_policy
from riskengine.risk.columns import feature_columns, spread_of
from riskengine.risk.fit import fit
from riskengine.risk.model import RiskModel
from riskengine.risk.spec import Kind, ModelSpec
from riskengine.tables import Tables
from riskengine.vocabulary import AnyArray, FloatArray, Service

SERVICES: Mapping[Peril, tuple[Service, ...]] = {
    Peril.MEDICAL_SPEND: tuple(Service),
    Peril.INPATIENT: (Service.INPATIENT,),
    Peril.OUTPATIENT: (Service.OUTPATIENT,),
    Peril.DRUGS: (Service.DRUG,),
    Peril.ACCIDENT_SPEND: (Service.EMERGENCY,),
}
"""What each peril of amounts is the cost of."""
_BANDS = 5
Say = Callable[[str], None]


@dataclass(frozen=True)
class MarketFiles:
    """What the folder of a market holds, read and checked."""

    catalogue: Catalogue
    editions: Editions
    underwriting: Underwriting
    questions: MarketQuestions
    events: EventCodes
    utilisation: InducedUtilisation
    policy: RecommendationPolicy


@dataclass(frozen=True)
class Experience:
    """Policies of the experience (n rows): profiles and cover, and what happened by peril.

    `outcomes` are totals of the policy period, in the unit of the peril, with the claims still to
    come (`share_known` of them has been reported), NaN where a policy is no experience of it;
    `stages` count events.
    """

    rows: arrow.Table
    years: ServiceYears
    outcomes: Mapping[Peril, FloatArray]
    stages: Mapping[Peril, Mapping[str, int]]
    share_known: FloatArray

    @property
    def exposure(self) -> FloatArray:
        """Years at risk, (n,)."""
        found: FloatArray = self.rows["exposure"].to_numpy()
        return found


@dataclass(frozen=True, eq=False)
class LearntMarket:
    """A release, and what its builder should know before it is used."""

    release: MarketRelease
    notes: tuple[str, ...]


def read_market(folder: Path) -> MarketFiles:
    """Everything in the folder of a market; raises `SpecError` naming file, line, value and fix."""
    editions = read_editions(folder)
    underwriting = read_underwriting(folder, editions)
    catalogue, events = read_catalogue(folder), read_event_codes(folder)
    questions = read_market_questions(folder, editions, underwriting)
    check_market(folder, MarketTerms(catalogue, editions, events, questions))
    return MarketFiles(
        catalogue,
        editions,
        underwriting,
        questions,
        events,
        read_induced_utilisation(folder),
        read_recommendation_policy(folder),
    )


def market_experience(tables: Tables, spec: ModelSpec, files: MarketFiles) -> Experience:
    """What the policies of `tables` cost, by peril, beside the profiles that `spec` reads.

    Raises `TableError` where the tables lack what the perils of the catalogue need.
    """
    features = [one for one in FEATURES if one.name in spec.features.names]
    rows = build_experience(tables, features)
    if not rows.num_rows:
        message = "the tables hold no policy: nothing can be learnt"
        raise TableError(message)
    exposure = rows["exposure"].to_numpy()
    years = years_by_service(tables["claims"], rows["policy_id"], exposure)
    known = _share_known(tables["claims"], rows)
    outcomes: dict[Peril, FloatArray] = {}
    stages: dict[Peril, dict[str, int]] = {}
    for peril in perils_of(files.catalogue):
        if peril in SERVICES:
            nothing = np.zeros(rows.num_rows)
            cost = [years.amounts.get(service, nothing) for service in SERVICES[peril]]
            outcomes[peril] = exposure * np.sum(cost, axis=0)
        elif peril is Peril.HOSPITAL_DAYS:
            days = np.bincount(years.stay_row, years.stay_days, rows.num_rows)
            outcomes[peril] = days.astype(np.float64)
        else:
            outcomes[peril], stages[peril] = _events(tables, rows, files.events, peril)
    # Brought to their ultimate here, and nowhere else; trend follows when a cover is priced.
    ultimate = {peril: develop(ReportedCost(told), known) for peril, told in outcomes.items()}
    told = {peril: cost.values for peril, cost in ultimate.items()}
    return Experience(rows, years, told, stages, known)


def _share_known(claims: arrow.Table, rows: arrow.Table) -> FloatArray:
    """How much of the claims of each policy has been reported by the last report, (n,)."""
    factors = completion_factors(reported_by_month(claims))
    start, end = (rows[name].cast(arrow.int32()).to_numpy() for name in ("start_date", "end_date"))
    until: date = pc.max(claims["reported_on"]).as_py()
    return share_known(start.astype(np.float64), end.astype(np.float64), factors, until)


def _events(
    tables: Tables, rows: arrow.Table, codes: EventCodes, peril: Peril
) -> tuple[FloatArray, dict[str, int]]:
    events = codes.of(peril)
    assert events is not None, "read_market refuses a benefit for events that are not there"
    if "diagnoses" not in tables:
        message = f"{peril.value} is recognised by diagnoses, and the tables have none: add them"
        raise TableError(message)
    counted = count_events(
        tables,
        rows["policy_id"],
        {stage.stage: stage.codes for stage in events.stages},
        events.services,
        first_only=events.first_only,
    )
    total = np.sum(list(counted.values()), axis=0).astype(np.float64)
    known = _days_known(rows) >= events.washout_days
    seen = {stage: int(count[known].sum()) for stage, count in counted.items()}
    return np.where(known, total, np.nan), seen


def _days_known(rows: arrow.Table) -> FloatArray:
    """How long a member had been covered before each policy, in days, (n,)."""
    start = pd.Series(rows["start_date"].cast(arrow.int32()).to_numpy())
    first = start.groupby(rows["member_id"].to_numpy(zero_copy_only=False)).transform("min")
    return (start - first).to_numpy(dtype=np.float64)


def peril_spec(spec: ModelSpec, peril: Peril) -> ModelSpec:
    """`spec` for one peril: its name and target, Tweedie for amounts, Poisson for counts."""
    kind = Kind.TWEEDIE if peril.unit is Unit.CURRENCY else Kind.POISSON
    changed = {"name": peril.value, "target": peril.value, "kind": kind}
    content = spec.model.model_dump(exclude_unset=True) | changed
    if kind is Kind.POISSON:
        content.pop("power", None)
    section = type(spec.model).model_validate(content)
    return spec.model_copy(update={"model": section})


def fit_peril(
    experience: Experience,
    spec: ModelSpec,
    files: MarketFiles,
    peril: Peril,
    most_years: int = MOST_ROWS,
) -> tuple[RiskModel, PerilModel]:
    """The mean model of a peril and its distribution, around held-out means of the same years."""
    table = experience.rows
    outcome = arrow.array(experience.outcomes[peril])
    names = table.column_names
    if peril.value in names:
        table = table.set_column(names.index(peril.value), peril.value, outcome)
    else:
        table = table.append_column(peril.value, outcome)
    used = np.isfinite(experience.outcomes[peril])
    if not used.any():
        message = (
            f"no policy is experience of {peril.value}: its members must be known for longer before"
        )
        raise TableError(message)
    model = fit(peril_spec(spec, peril), table.filter(arrow.array(used)))
    events = files.events.of(peril)
    if events is not None:
        return model, Incidence(events.shares(dict(experience.stages[peril])))
    if model.trained is None:
        message = f"model {peril.value} kept no held-out predictions"
        raise InputError(message)
    expected = (np.maximum(model.trained.expected, 1e-9), experience.exposure)
    return model, _fewer_bands(
        lambda bands: _distribution(experience, peril, expected, bands, most_years)
    )


def _distribution(
    experience: Experience,
    peril: Peril,
    expected: tuple[FloatArray, FloatArray],
    bands: int,
    most_years: int,
) -> PerilModel:
    years = experience.years
    if peril is Peril.HOSPITAL_DAYS:
        return fit_stays(years.stay_row, years.stay_days, expected, bands)
    services = [service for service in SERVICES[peril] if service in years.amounts]
    return fit_person_years(
        {service: years.amounts[service] for service in services},
        {service: years.visits[service] for service in services if service in years.visits},
        expected,
        bands,
        most_years,
    )


def _fewer_bands(distribution: Callable[[int], PerilModel]) -> PerilModel:
    """The distribution by as many risk bands as have something to learn from."""
    for bands in range(_BANDS, 1, -1):
        try:
            return distribution(bands)
        except InputError:
            continue
    return distribution(1)


def learn_market(
    tables: Tables,
    spec: ModelSpec,
    files: MarketFiles,
    say: Say = lambda _: None,
    most_years: int = MOST_ROWS,
) -> LearntMarket:
    """The release of a market from tables of experience in its currency.

    `spec` says what the models read (`peril_spec` makes it one peril's); a distribution keeps at
    most `most_years` years of the experience. The same tables give the same release.
    """
    say("building the experience")
    experience = market_experience(tables, spec, files)
    models, perils = {}, {}
    for peril in experience.outcomes:
        say(f"fitting {peril.value}")
        models[peril], perils[peril] = fit_peril(experience, spec, files, peril, most_years)
    market = Market(
        files.catalogue, files.editions, perils, files.utilisation, _middle(experience.rows)
    )
    say("finding base rates")
    book = reference_book(experience, files)
    insured, exposure = insured_of(models, book), book["exposure"].to_numpy()
    release = build_market_release(
        market,
        models,
        files.underwriting,
        reference_rates(market, insured, exposure),
        tuple(one.question for one in files.questions.questions),
        files.policy,
    )
    release = with_inputs(release, spread_of(release.questions, book))
    notes = (*tier_notes(market, insured, exposure), _completion_note(experience))
    return LearntMarket(release, notes)


def _completion_note(experience: Experience) -> str:
    least, whole = float(experience.share_known.min()), experience.exposure
    mean = float(np.average(experience.share_known, weights=whole))
    return (
        f"claims are brought to their ultimate: {mean:.1%} of them are known, of the newest"
        f" policies {least:.1%}"
    )


def reference_book(experience: Experience, files: MarketFiles) -> arrow.Table:
    """The latest policy of each member, with the market's own columns by their stated shares."""
    rows = experience.rows.sort_by([("member_id", "ascending"), ("as_of", "descending")])
    members = rows["member_id"].to_numpy(zero_copy_only=False)
    first = np.r_[True, members[1:] != members[:-1]]
    book = rows.filter(arrow.array(first))
    for one in files.questions.questions:
        if any(level.share is None for level in one.levels) or not one.levels:
            continue
        values = arrow.array(reference_levels(one, book.num_rows), arrow.string())
        if one.name in book.column_names:
            book = book.drop_columns([one.name])
        book = book.append_column(one.name, values)
    return book


def insured_of(models: Mapping[Peril, RiskModel], book: arrow.Table) -> Insured:
    """The members of a reference book with the annual mean of each peril."""
    means = {
        peril: model.predict(reference_columns(model, feature_columns(model.spec, book)))
        for peril, model in models.items()
    }
    columns: dict[str, AnyArray] = {"age": book["age"].to_numpy()}
    for name in book.column_names:
        if arrow.types.is_string(book[name].type):
            columns[name] = book[name].to_numpy(zero_copy_only=False)
    return Insured(columns, means)


def reference_rates(
    market: Market, insured: Insured, exposure: FloatArray
) -> dict[str, dict[str, float]]:
    """The base rate of every plan, currency a year, at the first day of every edition.

    Each member of the book is a household of their own; `exposure` (n,) in years.
    """
    return {
        edition.edition: base_rates(
            open_market(market, edition.effective_from), insured, exposure, np.arange(len(exposure))
        )
        for edition in market.editions.editions
    }


def tier_notes(market: Market, insured: Insured, exposure: FloatArray) -> tuple[str, ...]:
    """Plans whose actuarial value on the reference book is off their metal tier.

    The value is what the plan pays of the book's whole cost before induced use. The law's check is
    on its own standard population; this one says how the experience at hand compares.
    """
    notes = []
    for edition in market.editions.editions:
        table = open_market(market, edition.effective_from, renewal=True).table
        places = table.place(insured.means)
        tiers = {one.tier for one in edition.actuarial_value_tiers}
        for plan in market.catalogue.plans:
            if plan.plan not in tiers:
                continue
            paid = np.sum(list(table.payments(plan.plan, places).values()), axis=0)
            perils = {benefit.peril for benefit in plan.benefits.values()}
            cost = np.sum([table.trend[one] * insured.means[one] for one in perils], axis=0)
            value = float(np.sum(exposure * paid) / np.sum(exposure * cost))
            fault = tier_fault(edition, plan.plan, value)
            if fault is not None:
                notes.append(f"plan {plan.plan}, edition {edition.edition}: {fault}")
    return tuple(notes)


def _middle(rows: arrow.Table) -> date:
    """The middle of the experience: of each policy's days, by exposure."""
    start = rows["start_date"].cast(arrow.int32()).to_numpy()
    end = rows["end_date"].cast(arrow.int32()).to_numpy()
    middle = np.average((start + end + 1) / 2, weights=rows["exposure"].to_numpy())
    return date(1970, 1, 1) + timedelta(days=int(middle))
