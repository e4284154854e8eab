"""Benefits of many services and perils: order, exactness, and held-out years re-adjudicated."""

from datetime import date

import numpy as np
import pytest
from benchmarks.pricing_data import HospitalStays, Years, simulated_years
from hypothesis import given, settings
from hypothesis import strategies as st

from riskengine.errors import InputError, SpecError, UnknownNameError
from riskengine.pricing.benefit_rules import medical_paid, paid_days
from riskengine.pricing.benefit_table import payments_at_knots, tabulate
from riskengine.pricing.perils import (
    Incidence,
    PerilModel,
    PersonYears,
    Stays,
    fit_person_years,
    fit_stays,
    mean_grid,
)
from riskengine.products.benefit import (
    Benefit,
    HospitalCash,
    LumpSum,
    MedicalBenefit,
    Peril,
    ServiceTerms,
    Stage,
)
from riskengine.products.product import AgeRange, Plan
from riskengine.risk.continuance import fit_continuance
from riskengine.vocabulary import FloatArray, Service, Text

SERVICES = (Service.INPATIENT, Service.OUTPATIENT, Service.DRUG)
STAGES = ("early", "severe")
TREND = dict.fromkeys(Peril, 1.0)
INCIDENCE = Incidence({"early": 0.4, "severe": 0.6})


@pytest.fixture(scope="module")
def simulated() -> tuple[Years, HospitalStays]:
    return simulated_years(range(4))


@pytest.fixture(scope="module")
def person_years(simulated: tuple[Years, HospitalStays]) -> PersonYears:
    years, _ = simulated
    return fit_person_years(
        years.amounts, years.visits, (years.mean, years.exposure), bands=3, most_rows=300
    )


@pytest.fixture(scope="module")
def stays(simulated: tuple[Years, HospitalStays]) -> Stays:
    _, stays = simulated
    return fit_stays(stays.person, stays.days, (stays.mean, np.ones(len(stays.mean))), bands=4)


def value_of(benefit: Benefit, model: PerilModel, trend: float, insured: float) -> FloatArray:
    """Payment for each unit of the trended mean, at the knots."""
    return payments_at_knots(benefit, model, trend, insured) / (trend * mean_grid(model).means())


def plan_of(name: str, **benefits: Benefit) -> Plan:
    text = Text(zh="计划", en="Plan")
    return Plan(
        product=name,
        plan=name,
        effective_from=date(2026, 1, 1),
        name=text,
        summary=text,
        exclusions=text,
        how_to_claim=text,
        entry_age=AgeRange(minimum=0, maximum=60),
        benefits=benefits,
    )


def less(draw: st.DrawFn, value: float) -> float:
    """The same or less: what the member bears under richer cover."""
    return value * draw(st.just(1.0) | st.floats(0, 1))


def more(draw: st.DrawFn, value: float | None) -> float | None:
    """The same or more: what the plan pays at most under richer cover; None is no limit."""
    return None if value is None or draw(st.booleans()) else value * draw(st.floats(1, 3))


@st.composite
def service_pairs(draw: st.DrawFn) -> tuple[ServiceTerms, ServiceTerms]:
    lean = ServiceTerms(
        copay=draw(st.just(0.0) | st.floats(0, 40)),
        coinsurance=draw(st.floats(0, 1)),
        limit=draw(st.none() | st.floats(10, 2000)),
        deductible_applies=draw(st.booleans()),
    )
    rich = ServiceTerms(
        copay=less(draw, lean.copay),
        coinsurance=less(draw, lean.coinsurance or 0.0),
        limit=more(draw, lean.limit),
        deductible_applies=lean.deductible_applies and draw(st.booleans()),
    )
    return lean, rich


@st.composite
def medical_pairs(draw: st.DrawFn) -> tuple[MedicalBenefit, MedicalBenefit]:
    """Two designs over the same peril, the second at least as rich in every term."""
    pairs = {s: draw(service_pairs()) for s in SERVICES if draw(st.booleans())}
    lean_terms = {service: pair[0] for service, pair in pairs.items()}
    rich_terms = {service: pair[1] for service, pair in pairs.items()}
    for service in SERVICES:  # one more service covered is richer
        if pairs and service not in pairs and draw(st.booleans()):
            rich_terms[service] = draw(service_pairs())[1]
    deductible, coinsurance = draw(st.floats(0, 2000)), draw(st.floats(0, 1))
    maximum = draw(st.none() | st.floats(0, 3000).map(lambda extra: deductible + extra))
    limit = draw(st.none() | st.floats(100, 1e5))
    rich_deductible = less(draw, deductible)
    rich_maximum = maximum and max(rich_deductible, less(draw, maximum))

    def design(
        deductible: float,
        coinsurance: float,
        maximum: float | None,
        limit: float | None,
        terms: dict[Service, ServiceTerms],
    ) -> MedicalBenefit:
        # Unchecked, so that every corner is drawn: terms that cannot bite are in order here.
        return MedicalBenefit.model_construct(
            deductible=deductible,
            coinsurance=coinsurance,
            out_of_pocket_maximum=maximum,
            annual_limit=limit,
            services=terms,
        )

    return (
        design(deductible, coinsurance, maximum, limit, lean_terms),
        design(
            rich_deductible, less(draw, coinsurance), rich_maximum, more(draw, limit), rich_terms
        ),
    )


@settings(max_examples=40, deadline=None)
@given(pair=medical_pairs(), trend=st.floats(0.8, 1.5))
def test_richer_medical_cover_never_costs_less_for_any_member(
    person_years: PersonYears, pair: tuple[MedicalBenefit, MedicalBenefit], trend: float
) -> None:
    lean, rich = (value_of(benefit, person_years, trend, 1.0) for benefit in pair)
    assert (lean <= rich + 1e-12).all()
    assert (lean >= -1e-12).all()
    assert (rich <= 1 + 1e-9).all()


def maybe_more(draw: st.DrawFn, days: int | None) -> int | None:
    return None if days is None or draw(st.booleans()) else days + draw(st.integers(0, 30))


@st.composite
def cash_pairs(draw: st.DrawFn) -> tuple[HospitalCash, HospitalCash]:
    days = st.integers(0, 10)
    year = draw(st.none() | st.integers(10, 60))
    stay = draw(st.none() | st.integers(1, 10))
    lean = HospitalCash(
        kind="hospital_cash",
        amount_per_day=draw(st.floats(1, 500)),
        waiting_days_per_stay=draw(days),
        maximum_days_per_stay=stay,
        waiting_days_per_year=draw(days),
        maximum_days_per_year=year,
    )
    rich = HospitalCash.model_construct(
        kind="hospital_cash",
        amount_per_day=lean.amount_per_day * draw(st.floats(1, 2)),
        waiting_days_per_stay=draw(st.integers(0, lean.waiting_days_per_stay)),
        maximum_days_per_stay=maybe_more(draw, stay),
        waiting_days_per_year=draw(st.integers(0, lean.waiting_days_per_year)),
        maximum_days_per_year=maybe_more(draw, year),
    )
    return lean, rich


@settings(max_examples=40, deadline=None)
@given(pair=cash_pairs())
def test_richer_hospital_cash_never_costs_less(
    stays: Stays, pair: tuple[HospitalCash, HospitalCash]
) -> None:
    lean, rich = (value_of(benefit, stays, 1.0, 1.0) for benefit in pair)
    assert (lean <= rich * (1 + 1e-12)).all()
    assert (rich <= pair[1].amount_per_day * (1 + 1e-12)).all()


@st.composite
def lump_sum_pairs(draw: st.DrawFn) -> tuple[LumpSum, LumpSum]:
    early = draw(st.floats(0.1, 1))
    shares = (early, early + draw(st.floats(0, 1)))
    numbers = [draw(st.integers(1, 4)) for _ in STAGES]
    waiting = draw(st.integers(0, 364))
    lean, rich = (
        tuple(
            Stage(stage=name, share=share * by, maximum_payments=number + extra)
            for name, share, number in zip(STAGES, shares, numbers, strict=True)
        )
        for by, extra in ((1.0, 0), (draw(st.floats(1, 2)), draw(st.integers(0, 3))))
    )
    sum_insured = draw(st.floats(1000, 1e6))
    return tuple(  # type: ignore[return-value]
        LumpSum(
            kind="critical_illness",
            peril=Peril.CRITICAL_ILLNESS,
            sum_insured=amount,
            stages=stages,
            waiting_period=days,
        )
        for amount, stages, days in (
            (sum_insured, lean, waiting),
            (sum_insured * draw(st.floats(1, 2)), rich, draw(st.integers(0, waiting))),
        )
    )


@settings(max_examples=40, deadline=None)
@given(pair=lump_sum_pairs())
def test_richer_lump_sums_never_cost_less(pair: tuple[LumpSum, LumpSum]) -> None:
    lean, rich = (
        value_of(benefit, INCIDENCE, 1.0, 1 - benefit.waiting_period / 365) for benefit in pair
    )
    assert (lean <= rich * (1 + 1e-12)).all()


def test_a_lump_sum_is_paid_as_often_as_poisson_counts_allow() -> None:
    """0.5 events a year, 60 % severe, half a year insured: E[min(N, 2)] at a rate of 0.15."""
    benefit = LumpSum(
        kind="critical_illness",
        peril=Peril.CRITICAL_ILLNESS,
        sum_insured=100_000.0,
        stages=(Stage(stage="severe", share=1.0, maximum_payments=2),),
    )
    plan = plan_of("critical", illness=benefit.model_copy(update={"waiting_period": 182}))
    perils, trend = {Peril.CRITICAL_ILLNESS: INCIDENCE}, {Peril.CRITICAL_ILLNESS: 1.0}
    means = {Peril.CRITICAL_ILLNESS: np.array([0.5])}
    paid = {}
    for renewal in (False, True):
        table = tabulate([plan], perils, trend, renewal=renewal)
        paid[renewal] = table.expected("critical", table.place(means))[0]
    for renewal, rate in ((False, 0.3 * (1 - 182 / 365)), (True, 0.3)):
        counts = np.random.default_rng(1).poisson(rate, 1_000_000)
        none, one = np.exp(-rate), rate * np.exp(-rate)
        exact = 100_000 * (one + 2 * (1 - none - one))
        assert paid[renewal] == pytest.approx(exact, rel=1e-4)
        assert paid[renewal] == pytest.approx(100_000 * np.minimum(counts, 2).mean(), rel=0.01)


def test_days_are_paid_stay_by_stay(stays: Stays, simulated: tuple[Years, HospitalStays]) -> None:
    """Per-stay waiting days need the stays: the year's total alone would pay more."""
    _, observed = simulated
    benefit = HospitalCash(
        kind="hospital_cash",
        amount_per_day=100.0,
        waiting_days_per_stay=3,
        maximum_days_per_year=20,
    )
    by_hand: dict[int, float] = {}
    for person, days in zip(observed.person.tolist(), observed.days.tolist(), strict=True):
        by_hand[person] = by_hand.get(person, 0.0) + max(days - 3, 0)
    paid = 100 * sum(min(days, 20) for days in by_hand.values())
    adjudicated = paid_days(benefit, observed.person, observed.days, len(observed.mean))
    assert adjudicated.sum() * 100 == pytest.approx(paid)
    plan = plan_of("cash", cash=benefit)
    table = tabulate([plan], {Peril.HOSPITAL_DAYS: stays}, {Peril.HOSPITAL_DAYS: 1.0})
    expected = table.expected("cash", table.place({Peril.HOSPITAL_DAYS: observed.mean}))
    assert expected.sum() == pytest.approx(paid, rel=0.03)


def adjudicate(
    benefit: MedicalBenefit, amounts: dict[Service, float], visits: dict[Service, float]
) -> float:
    """The contract, word by word, for one year of one person."""
    left, share, allowed = benefit.deductible, 0.0, 0.0
    for service in sorted(benefit.services, key=benefit.coinsurance_of):
        terms = benefit.services[service]
        cost = min(amounts[service], terms.limit or float("inf"))
        within = visits[service] * cost / amounts[service] if cost > 0 else 0.0
        rest = cost - min(terms.copay * within, cost)
        borne = min(rest, left) if terms.deductible_applies else 0.0
        left -= borne
        share += cost - rest + borne + benefit.coinsurance_of(service) * (rest - borne)
        allowed += cost
    if benefit.out_of_pocket_maximum is not None:
        share = min(share, benefit.out_of_pocket_maximum)
    return min(allowed - share, benefit.annual_limit or float("inf"))


SILVER = MedicalBenefit(
    deductible=100.0,
    coinsurance=0.3,
    out_of_pocket_maximum=500.0,
    annual_limit=5000.0,
    services={
        Service.INPATIENT: ServiceTerms(),
        Service.OUTPATIENT: ServiceTerms(
            copay=5.0, coinsurance=0.0, limit=300.0, deductible_applies=False
        ),
        Service.DRUG: ServiceTerms(coinsurance=0.5, limit=100.0),
    },
)


def test_many_years_at_once_are_adjudicated_as_the_contract_says(
    simulated: tuple[Years, HospitalStays],
) -> None:
    years, _ = simulated
    paid = medical_paid(SILVER, years.amounts, years.visits)
    for row in range(2000):
        one = adjudicate(
            SILVER,
            {s: float(years.amounts[s][row]) for s in SERVICES},
            {s: float(years.visits[s][row]) for s in SERVICES},
        )
        assert paid[row] == pytest.approx(one, abs=1e-9)


DESIGNS = {
    "free": MedicalBenefit(),
    "deductible": MedicalBenefit(deductible=150.0),
    "share": MedicalBenefit(coinsurance=0.25, out_of_pocket_maximum=600.0),
    "limit": MedicalBenefit(coinsurance=0.2, annual_limit=1000.0),
    "silver": SILVER,
}


def test_expected_payments_meet_held_out_years_re_adjudicated(
    simulated: tuple[Years, HospitalStays],
) -> None:
    """Each half is priced on the years of the other; two standard errors are 1.5 points."""
    years, _ = simulated
    for name, benefit in DESIGNS.items():
        paid = medical_paid(benefit, years.amounts, years.visits)
        expected = np.empty_like(paid)
        for half in (0, 1):
            test = years.fold % 2 == half
            model = fit_person_years(
                {s: values[~test] for s, values in years.amounts.items()},
                {s: values[~test] for s, values in years.visits.items()},
                (years.mean[~test], years.exposure[~test]),
                bands=10,
            )
            curve = payments_at_knots(benefit, model, 1.0, 1.0)
            expected[test] = np.interp(years.mean[test], mean_grid(model).means(), curve)
        actual_value = paid.sum() / years.total.sum()
        assert expected.sum() / years.mean.sum() == pytest.approx(actual_value, abs=0.015), name


def test_a_higher_risk_never_has_the_lower_payment(person_years: PersonYears) -> None:
    """Twelve bands of few years: shapes differ by chance, and payments are levelled."""
    rng = np.random.default_rng(2)
    cost = 100 * rng.lognormal(-1, 1.5, 2000) * (rng.random(2000) < 0.6)
    mean = rng.uniform(20, 200, 2000)
    model = fit_person_years({Service.OUTPATIENT: cost}, {}, (mean, np.ones(2000)), bands=12)
    benefit = MedicalBenefit(deductible=800.0)
    paid = payments_at_knots(benefit, model, 1.0, 1.0)
    assert (np.diff(paid) >= 0).all()
    assert (np.diff(paid) == 0).sum() > 10
    table = tabulate([plan_of("one", care=SILVER)], {Peril.MEDICAL_SPEND: person_years}, TREND)
    means = np.geomspace(10, 10_000, 5000)
    expected = table.expected("one", table.place({Peril.MEDICAL_SPEND: means}))
    assert (np.diff(expected) >= 0).all()


def test_the_years_and_the_continuance_of_one_total_price_alike() -> None:
    """One band, one service: the joint table and the limited expected values are one formula."""
    rng = np.random.default_rng(5)
    cost = 200 * rng.lognormal(-0.5, 1.2, 4000) * (rng.random(4000) < 0.8)
    mean, exposure = np.full(4000, cost.mean()), np.ones(4000)
    joint = fit_person_years({Service.OUTPATIENT: cost}, {}, (mean, exposure), bands=1)
    marginal = fit_continuance(cost, mean, exposure, bands=1, knots=4000)
    benefit = MedicalBenefit(deductible=100.0, coinsurance=0.2, out_of_pocket_maximum=400.0)
    both = [value_of(benefit, model, 1.1, 1.0) for model in (joint, marginal)]
    np.testing.assert_allclose(both[0], both[1], atol=2e-4)
    means = mean_grid(joint).means()
    for place in (400, 600, 800):
        knot, value = means[place], both[0][place]
        scaled = 1.1 * knot / cost.mean() * cost
        own = np.minimum(np.minimum(scaled, 100) + 0.2 * np.maximum(scaled - 100, 0), 400)
        assert value == pytest.approx((scaled - own).sum() / scaled.sum(), rel=1e-9)


def test_between_knots_a_price_is_off_by_less_than_a_thousandth(person_years: PersonYears) -> None:
    curve = value_of(SILVER, person_years, 1.0, 1.0)
    places = np.arange(len(curve))
    coarse = np.interp(places, places[::2], curve[::2])
    # Halving the step halves the error at least, so the grid itself is off by half of this.
    assert np.abs(coarse - curve).max() / 2 < 1e-3


def test_a_sample_of_years_stands_for_all(simulated: tuple[Years, HospitalStays]) -> None:
    years, _ = simulated
    expected = (years.mean, years.exposure)
    every, some = (
        fit_person_years(years.amounts, years.visits, expected, bands=4, most_rows=most)
        for most in (10**6, 10_000)
    )
    assert len(some.weight) <= 10_000 < len(every.weight)
    for benefit in (SILVER, DESIGNS["limit"]):
        both = [value_of(benefit, model, 1.0, 1.0) for model in (every, some)]
        means = mean_grid(every).means()
        seen = (means > every.centres[0]) & (means < every.centres[-1])
        np.testing.assert_allclose(both[0][seen], both[1][seen], atol=0.01)


def test_what_cannot_be_priced_is_refused_and_says_why(
    person_years: PersonYears, stays: Stays
) -> None:
    spend, days = Peril.MEDICAL_SPEND, Peril.HOSPITAL_DAYS
    cash = HospitalCash(kind="hospital_cash", amount_per_day=100.0)
    both = plan_of("both", care=SILVER, cash=cash)
    with pytest.raises(SpecError, match="plan both, benefit cash: peril hospital_days has no"):
        tabulate([both], {spend: person_years}, {spend: 1.0, days: 1.0})
    with pytest.raises(SpecError, match="plan both, benefit care: a benefit of kind medical_exp"):
        tabulate([both], {spend: stays, days: stays}, {spend: 1.0, days: 1.0})
    dental = SILVER.model_copy(update={"services": {Service.SUPPLY: ServiceTerms()}})
    without = PersonYears(
        person_years.centres,
        person_years.band,
        person_years.weight,
        {s: person_years.amounts[s] for s in SERVICES},
        {},
    )
    with pytest.raises(SpecError, match="has no costs of supply, which the benefit covers"):
        value_of(dental, without, 1.0, 1.0)
    with pytest.raises(SpecError, match="counts no visits of outpatient"):
        value_of(SILVER, without, 1.0, 1.0)
    table = tabulate([both], {spend: person_years, days: stays}, {spend: 1.0, days: 1.0})
    with pytest.raises(UnknownNameError, match="there is no mean of hospital_days"):
        table.place({spend: np.array([100.0])})
    with pytest.raises(InputError, match="row 1: an annual mean of 0 cannot be priced"):
        table.place({spend: np.array([100.0, 0.0]), days: np.array([1.0, 1.0])})
    places = table.place({spend: np.array([100.0]), days: np.array([0.5])})
    with pytest.raises(UnknownNameError, match="unknown plan 'gold'; there are both"):
        table.expected("gold", places)
