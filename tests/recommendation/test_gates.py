"""Every gate has a case that passes, fails and, where it can, is unknown."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from riskengine.products.suitability import Channel, Need
from riskengine.recommendation.asked import Asked, Consent, Mode, Models
from riskengine.recommendation.gates import Gate, GateResult, Gates, Note, State, check_gates
from tests.golden.markets import START
from tests.recommendation.cases import (
    HEALTHY,
    asked,
    choices,
    decided,
    insured,
    models,
    opened,
)

FAIL, UNKNOWN, PASS = State.FAIL, State.UNKNOWN, State.PASS


def gates(who: Asked, market: str = "cn", **more: Any) -> Gates:
    return check_gates(who, opened(market), models(market, who, **more), choices(market))


def one(found: Gates, plan: str, gate: Gate) -> GateResult:
    """The one result of a gate that did not simply pass, or else any."""
    results = [r for r in found.results[plan] if r.gate is gate]
    return next((r for r in results if r.state is not PASS), results[0])


def test_a_plain_member_passes_and_gates_stand_in_their_order() -> None:
    found = gates(asked())
    assert found.state("million_medical_10k") is PASS
    order = [list(Gate).index(result.gate) for result in found.results["outpatient_drugs"]]
    assert order == sorted(order)
    assert found.missing_inputs(opened("cn").catalogue) == ()


def test_channel_held_group_and_superseded_are_told_together() -> None:
    who = asked(channel=Channel.ONLINE, held=frozenset({"critical_illness_100k"}))
    found = gates(who)
    told = {r.gate: (r.value, r.allowed) for r in found.results["critical_illness_300k"]
            if r.state is FAIL}  # fmt: skip
    assert told == {
        Gate.CHANNEL: ("online", "sold through app, agent"),
        Gate.ALREADY_OWNED: ("critical_illness_100k", "a product not yet held"),
    }
    failed = [r.gate for r in found.results["cancer_100k"] if r.state is FAIL]
    assert failed == [Gate.SUPERSEDED, Gate.EXCLUSIVE_GROUP]
    assert found.state("accident_100k") is PASS


def test_a_plan_is_not_on_sale_before_its_day() -> None:
    who = asked()
    early = replace(opened("cn"), start=START.replace(year=2024))
    found = check_gates(who, early, models("cn", who), choices())
    result = one(found, "accident_100k", Gate.ON_SALE)
    assert (result.state, result.allowed) == (FAIL, "on sale from 2025-01-01")


def test_age_residence_and_rating() -> None:
    old = gates(asked(members=insured("cn", age=70.0)))
    assert one(old, "critical_illness_100k", Gate.ENTRY_AGE).state is FAIL
    assert old.state("accident_100k") is PASS
    result = one(gates(asked("us_aca", insured("us_aca", rating_area="area_9")), "us_aca"),
                 "gold", Gate.RESIDENCE)  # fmt: skip
    assert (result.state, result.value) == (FAIL, "area_9")
    result = one(gates(asked("us_aca", insured("us_aca", rating_area=None)), "us_aca"),
                 "gold", Gate.RESIDENCE)  # fmt: skip
    assert (result.state, result.missing) == (UNKNOWN, ("rating_area",))
    nameless = insured("cn", sex=None)
    assert one(gates(asked(members=nameless)), "surgery_10k", Gate.RATING).missing == ("sex",)
    ageless = insured("cn")
    ageless = replace(ageless, columns={**ageless.columns, "age": np.array([np.nan])})
    assert one(gates(asked(members=ageless)), "surgery_10k", Gate.ENTRY_AGE).state is UNKNOWN


def test_a_plan_without_a_price_is_not_offered() -> None:
    who = asked()
    full = models("cn", who)
    part = replace(full, prices={n: p for n, p in full.prices.items() if n != "accident_100k"})
    found = check_gates(who, opened("cn"), part, choices())
    assert one(found, "accident_100k", Gate.RATING).note is Note.NO_PRICE
    assert found.state("accident_100k") is FAIL


@pytest.mark.parametrize(
    ("answers", "state", "note", "missing"),
    [
        ({}, PASS, None, ()),
        ({"cancer_history": "yes"}, FAIL, None, ()),
        ({"systolic_pressure": 170.0}, UNKNOWN, Note.REFERRED, ()),
        ({"diabetes": None}, UNKNOWN, None, ("diabetes",)),
        ({"body_mass_index": 32.0}, PASS, Note.LOADED, ()),
        ({"thyroid_nodule": "grade_2"}, PASS, Note.EXCLUDED, ()),
    ],
)
def test_underwriting(
    answers: dict[str, Any], state: State, note: Note | None, missing: tuple[str, ...]
) -> None:
    found = gates(asked(), underwriting=decided({**HEALTHY, **answers}))
    result = one(found, "million_medical_10k", Gate.UNDERWRITING)
    assert (result.state, result.note, result.missing) == (state, note, missing)
    assert found.state("accident_100k") is PASS, "accidents are not underwritten"


def test_required_answers_and_products() -> None:
    outside = gates(asked(members=insured("cn", social_insurance="no")))
    result = one(outside, "city_supplement_basic", Gate.PREREQUISITE)
    assert (result.state, result.value, result.allowed) == (
        FAIL,
        "no",
        "plan city_supplement_basic is for social_insurance yes",
    )
    unknown = gates(asked(members=insured("cn", social_insurance=None)))
    assert one(unknown, "city_supplement_basic", Gate.PREREQUISITE).state is UNKNOWN
    beside = one(outside, "outpatient_drugs", Gate.PREREQUISITE)
    assert (beside.state, beside.note) == (PASS, Note.NEEDS_ANOTHER)
    held = gates(asked(held=frozenset({"outpatient_5k"})))
    assert Gate.PREREQUISITE not in {r.gate for r in held.results["outpatient_drugs"]}
    who = asked(members=insured("cn", age=64.0, social_insurance="no"))
    alone = gates(who, underwriting=decided({**HEALTHY, "cancer_history": "yes"}))
    assert one(alone, "outpatient_drugs", Gate.PREREQUISITE).state is FAIL


def test_a_benefit_that_pays_nothing_cannot_be_claimed() -> None:
    who = asked()
    full = models("cn", who)
    price = full.prices["accident_100k"]

    def with_nothing(kept: int) -> GateResult:
        benefits = tuple(
            replace(b, steps=(replace(b.steps[-1], running=np.zeros(1)),)) if at >= kept else b
            for at, b in enumerate(price.benefits)
        )
        prices = {**full.prices, "accident_100k": replace(price, benefits=benefits)}
        found = check_gates(who, opened("cn"), replace(full, prices=prices), choices())
        return one(found, "accident_100k", Gate.CAN_CLAIM)

    assert (with_nothing(0).state, with_nothing(0).note) == (FAIL, Note.PAYS_NOTHING)
    assert (with_nothing(1).state, with_nothing(1).note) == (PASS, Note.PAYS_NOTHING)
    assert (with_nothing(2).state, with_nothing(2).note) == (PASS, None)


def test_cover_that_comes_too_late_and_cover_too_dear() -> None:
    soon = gates(asked(needed_within_days=20))
    result = one(soon, "surgery_10k", Gate.WAITING_PERIOD)
    assert (result.state, result.value, result.note) == (FAIL, "30 days", Note.WAITS)
    assert one(soon, "accident_100k", Gate.WAITING_PERIOD).note is None
    later = gates(asked(needed_within_days=30))
    assert one(later, "surgery_10k", Gate.WAITING_PERIOD).state is PASS
    who = asked(needed_within_days=20)
    renewed = check_gates(who, replace(opened("cn"), renewal=True), models("cn", who), choices())
    again = one(renewed, "surgery_10k", Gate.WAITING_PERIOD)
    assert (again.state, again.value, again.note) == (PASS, "0 days", None)
    poor = gates(asked(household_income=4000.0))
    dear = one(poor, "million_medical_5k", Gate.AFFORDABILITY)
    assert (dear.state, dear.allowed) == (FAIL, "10% of income at most")
    unknown = one(gates(asked(household_income=None)), "accident_100k", Gate.AFFORDABILITY)
    assert (unknown.state, unknown.note) == (PASS, Note.INCOME_UNKNOWN)


@pytest.mark.parametrize(
    ("mode", "given", "state"),
    [
        (Mode.INFORMATION, None, PASS),
        (Mode.INFORMATION, False, FAIL),
        (Mode.ADVICE, None, UNKNOWN),
        (Mode.ADVICE, True, PASS),
        (Mode.ADVICE, False, FAIL),
    ],
)
def test_consent(mode: Mode, given: bool | None, state: State) -> None:
    consents = {} if given is None else {Consent.RECOMMENDATION: given}
    result = one(gates(asked(mode=mode, consents=consents)), "accident_100k", Gate.CONSENT)
    assert result.state is state
    assert result.missing == (("consent_recommendation",) if state is UNKNOWN else ())


def test_missing_answers_come_by_how_many_products_they_decide() -> None:
    who = asked(members=insured("cn", social_insurance=None, sex=None))
    found = gates(who, underwriting=decided({**HEALTHY, "diabetes": None}))
    told = found.missing_inputs(opened("cn").catalogue)
    assert told[0] == "diabetes", "seven products are underwritten"
    assert told[1:] == ("sex", "social_insurance")
    only = found.results["city_supplement_basic"]
    assert [r.missing for r in only if r.state is UNKNOWN] == [("social_insurance",)]


def test_a_market_of_one_product_and_a_household() -> None:
    who = asked("us_aca", insured("us_aca", size=3), household_income=60_000.0)
    found = gates(who, "us_aca")
    assert found.premiums["gold"] == pytest.approx(
        3 * gates(asked("us_aca"), "us_aca").premiums["gold"], rel=1e-9
    )
    assert isinstance(models("us_aca", who), Models)
    assert Need.HOSPITAL_BILLS in opened("us_aca").catalogue.plan("gold").suitability.needs
