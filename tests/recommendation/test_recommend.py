"""The whole flow on the shipped markets: what is answered, why, and what can move it."""

import re
from collections.abc import Sequence
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskengine.pricing.premium import Step
from riskengine.products.suitability import Need
from riskengine.recommendation.asked import Asked, Consent, Mode, Models
from riskengine.recommendation.gates import State
from riskengine.recommendation.needs import NEED_NAMES
from riskengine.recommendation.reasons import Polarity, Source
from riskengine.recommendation.recommend import Answer, AnswerCode, Decision, recommend
from riskengine.recommendation.scoring import Scored, Term
from riskengine.recommendation.slate import slate_propensity
from riskengine.recommendation.statements import REASONS, Code
from riskengine.vocabulary import Operation
from tests.recommendation.cases import (
    HEALTHY,
    answered,
    asked,
    choices,
    decided,
    insured,
    models,
    opened,
    policy,
)

AGREED = {Consent.RECOMMENDATION: True}
LIKELY = {Need.GRAVE_ILLNESS: 0.2, Need.OUTPATIENT_CARE: 0.9}
PROTECTED = re.compile(
    r"\b(age|aged|old|young|sex|gender|female|male|wom[ae]n|m[ae]n|race|ethnic\w*|religio\w*"
    r"|disab\w*|pregnan\w*|genetic\w*|diabet\w*|cancer)\b|年龄|性别|男性|女性|民族|宗教|残疾|怀孕|糖尿",
    re.IGNORECASE,
)


def shown(decision: Decision) -> list[str]:
    return [item.scored.plan.plan for item in decision.items]


def codes(decision: Decision, place: int = 0) -> list[Code]:
    return [statement.code for statement in decision.items[place].statements]


def test_the_need_that_was_stated_comes_first_and_the_rest_is_unmet() -> None:
    decision = answered("cn")
    assert (decision.answer, decision.code) == (Answer.RECOMMEND, AnswerCode.FITS)
    assert decision.items[0].scored.band == 1
    assert decision.items[0].scored.plan.product in {"million_medical", "city_supplement"}
    assert [item.scored.band for item in decision.items[1:]] == [2, 2]
    served = {n for item in decision.items for n in item.scored.plan.suitability.needs}
    assert len(served) == 3, "each place serves a need of its own"
    assert set(decision.unmet_needs) == set(Need) - served
    variants = decision.items[0].variants
    assert {one.plan.product for one in variants} == {decision.items[0].scored.plan.product}
    assert decision.propensity == 1.0
    assert not decision.explored


def test_need_comes_before_fit_whatever_the_value() -> None:
    """A stated need leads even where another plan is worth far more."""
    decision = answered("cn", asked(stated=(Need.PRESCRIPTION_DRUGS, Need.OUTPATIENT_CARE)))
    first = decision.items[0].scored
    assert first.plan.product == "outpatient"
    assert max(one.value.net for one in decision.considered) > first.value.net
    assert shown(decision)[1] == "outpatient_drugs"
    bands = [(one.value.dominated_by is not None, one.band) for one in decision.considered]
    assert bands == sorted(bands)


def test_cover_that_is_held_is_no_gap_and_what_is_likely_is_capped_and_apart() -> None:
    who = asked(
        stated=(),
        held=frozenset({"million_medical_10k"}),
        covered_elsewhere=frozenset({Need.ACCIDENTS}),
        consents={Consent.HEALTH_DATA: True},
    )
    decision = answered("cn", who, likely_needs={**LIKELY, Need.ACCIDENTS: 0.9})
    found = {one.need: one for one in decision.needs}
    assert (found[Need.HOSPITAL_BILLS].points, found[Need.ACCIDENTS].points) == (0, 0)
    assert found[Need.OUTPATIENT_CARE].points == pytest.approx(0.5 + 0.3), "capped"
    assert found[Need.GRAVE_ILLNESS].points == pytest.approx(0.5 + 0.2)
    assert decision.needs[0].need is Need.OUTPATIENT_CARE
    assert Need.HOSPITAL_BILLS not in decision.unmet_needs
    assert "您已有：百万医疗险（1万元免赔）" in decision.demands_and_needs.zh
    assert decision.demands_and_needs.en == (
        "On 2026-03-01, for 1 member(s). You named no need. You hold: Million-yuan medical, 10,000"
        " deductible. Covered elsewhere, as you told us: accidents. As far as we know, not covered:"
        " outpatient care, grave illness, prescription drugs, income while in hospital, the cost of"
        " operations."
    )


def test_what_is_inferred_of_health_is_used_and_told_with_consent_only() -> None:
    who = asked(stated=(Need.OUTPATIENT_CARE,))
    without = answered("cn", who, likely_needs=LIKELY)
    assert without.considered == answered("cn", who).considered
    assert Code.LIKELY_NEED not in codes(without)
    agreed = replace(who, consents={Consent.HEALTH_DATA: True})
    with_consent = answered("cn", agreed, likely_needs=LIKELY)
    told = next(s for s in with_consent.items[0].statements if s.code is Code.LIKELY_NEED)
    assert told.source is Source.MODEL
    assert told.text.en.endswith("outpatient care within 12 months at 90%.")
    for need, chance in LIKELY.items():
        points = {n.need: n.points for n in with_consent.needs}
        before = {n.need: n.points for n in without.needs}
        assert points[need] - before[need] == pytest.approx(min(chance, 0.3))


def test_the_insurers_margin_moves_nothing() -> None:
    who = asked()
    given_models = models("cn", who, take_up={p.product: 0.1 for p in opened("cn").catalogue.plans})
    before = recommend(who, opened("cn"), policy("cn"), given_models)
    assert [field.name for field in fields(Scored)] == [
        "plan", "value", "need_points", "band", "terms", "take_up",
    ]  # fmt: skip
    assert set(Term) == {Term.VALUE, Term.TAKE_UP, Term.AFFORDABILITY}
    number = np.array([7.0])
    moved = {
        name: replace(price, technical=(Step("expected", Operation.START, number, number),))
        for name, price in given_models.prices.items()
    }
    edition = opened("cn").edition
    shares = {
        name: share.model_copy(update={"value": share.value * 2.5})
        for name, share in edition.shares.items()
    }
    dearer = replace(opened("cn"), edition=edition.model_copy(update={"shares": shares}))
    assert dearer.edition.permissible_loss_ratio < edition.permissible_loss_ratio - 0.2
    after = recommend(who, dearer, policy("cn"), replace(given_models, prices=moved))
    assert after == before


def test_terms_by_hand_and_one_that_is_not_known_of_all_plans_is_left_out() -> None:
    take_up = {plan.product: 0.1 for plan in opened("cn").catalogue.plans}
    one = answered("cn", take_up=take_up).considered[0]
    assert one.terms[Term.VALUE] == pytest.approx(one.value.net / 1000)
    assert one.terms[Term.TAKE_UP] == pytest.approx(0.25 * np.log(1 / 9))
    assert one.terms[Term.AFFORDABILITY] == pytest.approx(-one.value.premium / 200_000)
    part = {name: chance for name, chance in take_up.items() if name != "accident"}
    plain = answered("cn", asked(household_income=None), take_up=part).considered
    assert {tuple(one.terms) for one in plain} == {(Term.VALUE,)}
    assert {one.take_up for one in plain} == {None}


def test_take_up_moves_plans_inside_a_band_only() -> None:
    even = {plan.product: 0.5 for plan in opened("cn").catalogue.plans}
    before = answered("cn", take_up=even).considered
    after = answered("cn", take_up={**even, "surgery": 0.999, "outpatient": 0.001}).considered
    assert [one.band for one in after] == [one.band for one in before]

    def place(ranked: Sequence[Scored], product: str) -> int:
        return [one.plan.product for one in ranked].index(product)

    assert place(after, "surgery") < place(before, "surgery")
    assert place(after, "outpatient") > place(before, "outpatient")


def test_reasons_are_three_true_sentences_and_dropping_the_top_ones_input_lowers_the_plan() -> None:
    who = asked()
    decision = answered("cn", who)
    top = decision.items[0]
    assert codes(decision)[0] is Code.STATED_NEED
    less = answered("cn", replace(who, stated=()))
    same = next(one for one in less.considered if one.plan == top.scored.plan)
    assert (same.band, same.need_points) == (2, 0.5)
    assert (top.scored.band, top.scored.need_points) == (1, 1.5)
    value = next(s for s in top.statements if s.source is Source.VALUE)
    assert value.code is Code.WORTH_MORE
    assert sum(v for t, v in top.scored.terms.items() if t is not Term.VALUE) < top.scored.score
    for item in decision.items:
        reasons = item.statements[:REASONS]
        assert all(s.polarity is not Polarity.AGAINST for s in reasons)
        assert item.scored.value.net > 0 or Code.WORTH_LESS in {s.code for s in item.statements}
        assert item.statements[-1].text == item.scored.plan.exclusions
        for statement in reasons:
            assert len(statement.text.en) <= 140
            assert "{" not in statement.text.en + statement.text.zh
            assert any("\u4e00" <= letter <= "\u9fff" for letter in statement.text.zh)


def standing(decision: Decision, plan: str) -> tuple[int, float]:
    """What ranks a plan: its band, then its score; the greater the better."""
    one = next(one for one in decision.considered if one.plan.plan == plan)
    return -one.band, one.score


TAKEN = {plan.product: 0.99 for plan in opened("cn").catalogue.plans}
NOTHING = {"stated": (), "covered_elsewhere": frozenset(Need)}
CHEAP = {**NOTHING, "members": insured(risk=0.15)}


@pytest.mark.parametrize(
    ("top", "given", "without"),
    [
        (Code.STATED_NEED, {}, {"stated": ()}),
        (Code.NOT_COVERED_YET, {"stated": ()}, NOTHING),
        (Code.OFTEN_TAKEN, {**CHEAP, "take_up": TAKEN}, CHEAP),
        (Code.WORTH_MORE, NOTHING, {**NOTHING, "members": insured(risk=0.2)}),
    ],
)
def test_without_the_input_of_its_top_reason_a_plan_stands_lower(
    top: Code, given: dict[str, Any], without: dict[str, Any]
) -> None:
    def decision_of(said: dict[str, Any]) -> Decision:
        said = dict(said)
        more = {"take_up": said.pop("take_up")} if "take_up" in said else {}
        return answered("cn", asked(**said), **more)

    before, after = decision_of(given), decision_of(without)
    plans = [one.scored.plan.plan for one in before.items if one.statements[0].code is top]
    assert plans
    for plan in plans:
        assert standing(after, plan) < standing(before, plan), plan


@settings(max_examples=40, deadline=None)
@given(
    risk=st.floats(0.05, 8),
    age=st.floats(18, 60),
    income=st.none() | st.floats(20_000, 900_000),
    stated=st.lists(st.sampled_from(list(Need)), unique=True, max_size=2),
    covered=st.booleans(),
    market=st.sampled_from(["cn", "us_aca"]),
)
def test_each_plan_has_three_short_reasons_that_are_true(
    risk: float, age: float, income: float | None, stated: list[Need], covered: bool, market: str
) -> None:
    who = asked(
        market, insured(market, risk, age=float(int(age))), household_income=income,
        stated=tuple(stated), covered_elsewhere=frozenset(Need) if covered else frozenset(),
    )  # fmt: skip
    for item in answered(market, who).items:
        value, reasons = item.scored.value, item.statements[:REASONS]
        assert len(reasons) == REASONS
        assert all(one.polarity is not Polarity.AGAINST for one in reasons)
        assert all(len(one.text.en) <= 140 and len(one.text.zh) <= 70 for one in reasons)
        for one in reasons:
            told = one.parameters
            if one.code is Code.WORTH_MORE:
                assert told["worth"] == value.worth > value.premium
            if one.code in {Code.BAD_YEAR, Code.DEAREST_YEARS}:
                assert round(float(str(told["with_plan"]))) < round(float(str(told["without"])))
            if one.code is Code.STATED_NEED:
                assert told["need"] in [NEED_NAMES[need] for need in stated]
            if one.code is Code.NOT_COVERED_YET:
                assert not covered
            numbers = [number for number in told.values() if isinstance(number, float)]
            assert bool(numbers) is any(letter.isdigit() for letter in one.text.en)


def test_cautions_tell_loading_exclusion_waiting_and_what_is_open() -> None:
    answers = {**HEALTHY, "body_mass_index": 32.0, "thyroid_nodule": "grade_1"}
    decision = answered("cn", asked(household_income=None), underwriting=decided(answers))
    told = {s.code: s for s in decision.items[0].statements}
    assert told[Code.LOADED].text.zh == "保费含20%的加费。"
    assert told[Code.EXCLUDED].text.en.startswith("Left out for you: Thyroid nodules")
    assert told[Code.WAITING_PERIOD].parameters == {"days": 30.0}
    assert told[Code.INCOME_UNKNOWN].source is Source.INPUT
    open_ = answered("cn", underwriting=decided({}))
    assert Code.NOT_DECIDED in codes(open_)
    assert set(open_.missing_inputs) == set(HEALTHY)


@settings(max_examples=20, deadline=None)
@given(
    person=st.tuples(st.floats(18, 60), st.sampled_from(["female", "male"])),
    risk=st.floats(0.05, 6),
    stated=st.lists(st.sampled_from(list(Need)), max_size=3, unique=True),
    income=st.one_of(st.none(), st.floats(5_000, 1e6)),
    mode=st.sampled_from(list(Mode)),
    seed=st.integers(0, 99),
)
def test_what_holds_of_every_decision(
    person: tuple[float, str],
    risk: float,
    stated: list[Need],
    income: float | None,
    mode: Mode,
    seed: int,
) -> None:
    members = insured("cn", risk, age=person[0], sex=person[1])
    who = asked("cn", members, stated=tuple(stated), household_income=income, mode=mode,
                consents=AGREED)  # fmt: skip
    rng = np.random.default_rng(seed)
    decision = answered("cn", who, rng)
    again = answered("cn", who, np.random.default_rng(seed))
    assert decision == again
    assert decision.answer is (Answer.RECOMMEND if decision.items else Answer.ABSTAIN)
    groups = [i.scored.plan.suitability.exclusive_group for i in decision.items]
    known = [group for group in groups if group]
    assert len(set(known)) == len(known)
    for item in decision.items:
        assert all(r.state is not State.FAIL for r in decision.gates[item.scored.plan.plan])
        assert item.scored.value.dominated_by is None
        for statement in item.statements[:-1]:
            assert not PROTECTED.search(statement.text.en + statement.text.zh), statement
        if mode is Mode.ADVICE:
            assert item.scored.value.net >= 0
            assert item.propensity == 1.0
    if decision.explored:
        assert decision.propensity == pytest.approx(
            slate_propensity(decision.considered, shown(decision), frozenset(), choices())
        )
    for one, other in pairwise(decision.considered):
        assert (one.band, -one.score) <= (other.band, -other.score) or other.value.dominated_by


def test_nothing_that_is_protected_is_named_by_a_need() -> None:
    for text in NEED_NAMES.values():
        assert not PROTECTED.search(text.en + text.zh)


@pytest.mark.parametrize(
    ("more", "answer", "code"),
    [
        ({"consents": {Consent.RECOMMENDATION: False}}, Answer.ABSTAIN, AnswerCode.NO_CONSENT),
        ({"mode": Mode.ADVICE}, Answer.ABSTAIN, AnswerCode.ANSWERS_MISSING),
        ({"mode": Mode.ADVICE, "consents": AGREED}, Answer.RECOMMEND, AnswerCode.FITS),
        ({"household_income": 10.0}, Answer.ABSTAIN, AnswerCode.NOTHING_MAY_BE_OFFERED),
        (
            {"mode": Mode.ADVICE, "consents": AGREED, "stated": (),
             "covered_elsewhere": frozenset(Need)},
            Answer.ABSTAIN,
            AnswerCode.NO_NEED,
        ),
    ],
)  # fmt: skip
def test_to_abstain_is_an_answer_with_a_code(
    more: dict[str, Any], answer: Answer, code: AnswerCode
) -> None:
    decision = answered("cn", asked(**more))
    assert (decision.answer, decision.code) == (answer, code)
    assert bool(decision.items) == (answer is Answer.RECOMMEND)
    assert decision.demands_and_needs.zh.startswith("2026-03-01，为1人。")


def test_advice_abstains_where_no_plan_is_worth_its_premium_and_refers_to_an_underwriter() -> None:
    who = asked("us_aca", insured("us_aca", 0.02), mode=Mode.ADVICE, consents=AGREED)
    decision = answered("us_aca", who)
    assert decision.code is AnswerCode.WORTH_LESS
    assert decision.items == ()
    assert len(decision.considered) == 4
    only = tuple(p for p in opened("cn").catalogue.plans if p.product == "million_medical")
    book = replace(opened("cn"), catalogue=opened("cn").catalogue.model_copy(
        update={"plans": only}))  # fmt: skip
    who = asked("cn", mode=Mode.ADVICE, consents=AGREED)
    full = models("cn", who, underwriting=decided({**HEALTHY, "systolic_pressure": 170.0}))
    prices = {name: full.prices[name] for name in book.catalogue.names}
    referred = recommend(who, book, policy("cn"), replace(full, prices=prices))
    assert (referred.answer, referred.code) == (Answer.REFER, AnswerCode.UNDERWRITER)


def test_exploration_draws_with_the_exact_probability_and_never_in_advice() -> None:
    who = asked(stated=tuple(Need))
    drawn = {tuple(shown(answered("cn", who, np.random.default_rng(n)))) for n in range(4)}
    assert len(drawn) > 1
    one = answered("cn", who, np.random.default_rng(3))
    assert one.explored
    assert 0 < one.propensity < 1
    advice = replace(who, mode=Mode.ADVICE, consents=AGREED)
    assert answered("cn", advice, np.random.default_rng(3)) == answered("cn", advice)


def test_probabilities_out_of_range_are_refused() -> None:
    with pytest.raises(Exception, match=r"the probability of surgery is 1\.5: give a number from"):
        Models({}, {}, take_up={"surgery": 1.5})
    with pytest.raises(Exception, match="household_income is -1: give an amount above 0"):
        asked(household_income=-1)
    with pytest.raises(Exception, match="unknown plan 'gold'"):
        answered("cn", asked(held=frozenset({"gold"})))
    assert isinstance(asked(), Asked)
