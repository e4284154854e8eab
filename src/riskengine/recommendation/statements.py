"""Why a plan is on the slate and what to mind: short true sentences, in both languages.

Each is a stable code with the numbers it rests on, whether it speaks for or against, and where it
comes from. No answer, feature or attribute of a person is named: the texts have no place for one.
Left out: the terms of the plan, which its own texts tell.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TypeAlias

from riskengine.products.benefit import MedicalBenefit
from riskengine.products.product import Catalogue
from riskengine.products.suitability import Need
from riskengine.products.underwriting import Decisions
from riskengine.recommendation.asked import Asked
from riskengine.recommendation.gates import GateResult, Note, State
from riskengine.recommendation.needs import NEED_NAMES, NeedFound
from riskengine.recommendation.reasons import CURRENCIES, Polarity, Source
from riskengine.recommendation.scoring import Scored, Term
from riskengine.vocabulary import Currency, Text

REASONS = 3
_SMALL = 0.005
Parameters: TypeAlias = Mapping[str, float | Text]


class Code(StrEnum):
    """What a statement says; the values are kept with decisions and never change."""

    STATED_NEED = "stated_need"
    NOT_COVERED_YET = "not_covered_yet"
    LIKELY_NEED = "likely_need"
    WORTH_MORE = "worth_more"
    BAD_YEAR = "bad_year"
    DEAREST_YEARS = "dearest_years"
    OFTEN_TAKEN = "often_taken"
    PAYS_ON_AVERAGE = "pays_on_average"
    CHANCE_OF_PAYMENT = "chance_of_payment"
    PREMIUM_OF_INCOME = "premium_of_income"
    PREMIUM_A_MONTH = "premium_a_month"
    WORTH_LESS = "worth_less"
    DEDUCTIBLE = "deductible"
    WAITING_PERIOD = "waiting_period"
    LOADED = "loaded"
    EXCLUDED = "excluded"
    NEEDS_ANOTHER = "needs_another"
    NOT_DECIDED = "not_decided"
    INCOME_UNKNOWN = "income_unknown"
    PLAN_EXCLUSIONS = "plan_exclusions"


@dataclass(frozen=True)
class Statement:
    """One sentence on a plan; `parameters` are the numbers and texts in it."""

    code: Code
    polarity: Polarity
    source: Source
    parameters: Parameters
    text: Text


_FOR, _AGAINST, _NOTE = Polarity.FOR, Polarity.AGAINST, Polarity.NOTE
_CODES = {
    Code.STATED_NEED: (_FOR, Source.NEED, "您希望保障{need}。", "You asked for cover of {need}."),
    Code.NOT_COVERED_YET: (
        _FOR, Source.NEED, "据我们所知，您的{need}尚无保障。",
        "As far as we know you have no cover for {need}.",
    ),
    Code.LIKELY_NEED: (
        _FOR, Source.MODEL, "模型估计，您在12个月内用到{need}保障的可能性约为{chance:.0%}。",
        "Our model puts the chance that you need cover for {need} within 12 months at"
        " {chance:.0%}.",
    ),
    Code.WORTH_MORE: (
        _FOR, Source.VALUE, "对您而言，这份保障每年约值{worth:,.0f}{currency}，高于保费。",
        "To you this cover is worth about {worth:,.0f} {currency} a year, more than its premium.",
    ),
    Code.BAD_YEAR: (
        _FOR, Source.VALUE,
        "十年一遇的高费用年份，您的负担由约{without:,.0f}降至约{with_plan:,.0f}{currency}。",
        "In the dearest year out of ten you bear about {with_plan:,.0f} {currency}, not"
        " {without:,.0f}.",
    ),
    Code.DEAREST_YEARS: (
        _FOR, Source.VALUE,
        "费用最高的一成年份里，您的平均负担由约{without:,.0f}降至约{with_plan:,.0f}{currency}。",
        "Over the dearest tenth of years you bear {with_plan:,.0f} {currency} on average, not"
        " {without:,.0f}.",
    ),
    Code.OFTEN_TAKEN: (
        _FOR, Source.MODEL, "模型估计，情况相近的客户约有{chance:.0%}会选它。",
        "Our model puts the share of customers like you who take it at {chance:.0%}.",
    ),
    Code.PAYS_ON_AVERAGE: (
        _FOR, Source.VALUE, "平均每年预计给付约{paid:,.0f}{currency}。",
        "It is expected to pay about {paid:,.0f} {currency} a year on average.",
    ),
    Code.CHANCE_OF_PAYMENT: (
        _FOR, Source.VALUE, "每年给付的可能性约为{chance:.1%}。",
        "The chance that it pays in a year is about {chance:.1%}.",
    ),
    Code.PREMIUM_OF_INCOME: (
        _FOR, Source.RULE, "保费约占您家庭收入的{share:.1%}。",
        "Its premium is about {share:.1%} of your household's income.",
    ),
    Code.PREMIUM_A_MONTH: (
        _NOTE, Source.RULE, "保费折合每月约{monthly:,.0f}{currency}。",
        "Its premium comes to about {monthly:,.0f} {currency} a month.",
    ),
    Code.WORTH_LESS: (
        _AGAINST, Source.VALUE, "对您而言，这份保障每年约值{worth:,.0f}{currency}，低于保费。",
        "To you this cover is worth about {worth:,.0f} {currency} a year, less than its premium.",
    ),
    Code.DEDUCTIBLE: (
        _AGAINST, Source.RULE, "适用免赔额的费用，每年最初的{deductible:,.0f}{currency}由您自付。",
        "Of costs with a deductible you pay the first {deductible:,.0f} {currency} of each year.",
    ),
    Code.WAITING_PERIOD: (
        _AGAINST, Source.RULE, "首次投保的最初{days:.0f}天不在保障内。",
        "The first {days:.0f} days of a first policy are not covered.",
    ),
    Code.LOADED: (
        _AGAINST, Source.RULE, "保费含{loading:.0%}的加费。",
        "The premium contains a loading of {loading:.0%}.",
    ),
    Code.EXCLUDED: (_AGAINST, Source.RULE, "除外：{exclusion}", "Left out for you: {exclusion}"),
    Code.NEEDS_ANOTHER: (
        _AGAINST, Source.RULE, "须与其他产品一同投保，本单已列出可搭配的产品。",
        "It is sold beside another product only; one is on this list.",
    ),
    Code.NOT_DECIDED: (
        _AGAINST, Source.INPUT, "能否承保尚未确定，取决于您尚未回答的问题或人工核保。",
        "Whether you can have it is open: it hangs on answers still missing or on an underwriter.",
    ),
    Code.INCOME_UNKNOWN: (
        _NOTE, Source.INPUT, "收入未知，我们没有核对保费是否负担得起。",
        "Your income is not known, so we did not check that you can afford it.",
    ),
    Code.PLAN_EXCLUSIONS: (_NOTE, Source.RULE, "{exclusions}", "{exclusions}"),
}  # fmt: skip


def told(code: Code, parameters: Parameters, currency: Currency) -> Statement:
    """The statement of a code, with its parameters in the texts."""
    polarity, source, zh, en = _CODES[code]
    text = Text(
        zh=zh.format(currency=CURRENCIES[currency].zh, **_in("zh", parameters)),
        en=en.format(currency=CURRENCIES[currency].en, **_in("en", parameters)),
    )
    return Statement(code, polarity, source, parameters, text)


def _in(language: str, parameters: Parameters) -> dict[str, object]:
    return {
        name: getattr(value, language) if isinstance(value, Text) else value
        for name, value in parameters.items()
    }


@dataclass(frozen=True, eq=False)
class Told:
    """What statements are made from, besides the plan itself."""

    asked: Asked
    needs: Sequence[NeedFound]
    results: Mapping[str, tuple[GateResult, ...]]
    underwriting: Decisions | None
    catalogue: Catalogue


def statements_for(one: Scored, told_from: Told) -> tuple[Statement, ...]:
    """Three reasons for a plan, those that moved it most first, then cautions and exclusions."""
    currency = told_from.catalogue.currency
    reasons = islice(_reasons(one, told_from), REASONS)
    facts = [*reasons, *_cautions(one, told_from)]
    return tuple(told(code, parameters, currency) for code, parameters in facts)


def _reasons(one: Scored, told_from: Told) -> Iterator[tuple[Code, Parameters]]:
    """The need that put the plan in its band, the terms of its score, then plain facts."""
    value, asked = one.value, told_from.asked
    mine = [found for found in told_from.needs if found.need in one.plan.suitability.needs]
    need = next(iter(mine), None)
    if need is not None and need.stated:
        yield Code.STATED_NEED, _need(need.need)
    elif need is not None and need.gap:
        yield Code.NOT_COVERED_YET, _need(need.need)
    if need is not None and need.inferred_points > 0:
        yield Code.LIKELY_NEED, {**_need(need.need), "chance": need.likely or 0.0}
    for term in sorted(one.terms, key=lambda term: -one.terms[term]):
        if term is Term.VALUE and value.net > 0:
            yield Code.WORTH_MORE, {"worth": value.worth}
        if term is Term.TAKE_UP and one.take_up is not None and one.terms[term] > 0:
            yield Code.OFTEN_TAKEN, {"chance": one.take_up}
    for code, without, with_plan in (
        (Code.BAD_YEAR, value.bad_year_without, value.bad_year_with),
        (Code.DEAREST_YEARS, value.tail_mean_without, value.tail_mean_with),
    ):
        if round(with_plan) < round(without):
            yield code, {"without": without, "with_plan": max(with_plan, 0.0)}
    yield Code.PAYS_ON_AVERAGE, {"paid": value.expected_plan_paid}
    yield Code.CHANCE_OF_PAYMENT, {"chance": value.chance_of_payment}
    if asked.household_income is not None:
        yield Code.PREMIUM_OF_INCOME, {"share": value.premium / asked.household_income}
    yield Code.PREMIUM_A_MONTH, {"monthly": value.premium / 12}


def _need(need: Need) -> dict[str, float | Text]:
    return {"need": NEED_NAMES[need]}


def _cautions(one: Scored, told_from: Told) -> Iterator[tuple[Code, Parameters]]:
    plan, value = one.plan, one.value
    results = told_from.results[plan.plan]
    notes = {result.note for result in results}
    if value.net < 0:
        yield Code.WORTH_LESS, {"worth": max(value.worth, 0.0)}
    first = max(
        (b.deductible for b in plan.benefits.values() if isinstance(b, MedicalBenefit)), default=0.0
    )
    if first > 0:
        yield Code.DEDUCTIBLE, {"deductible": first}
    if Note.WAITS in notes:
        waits = max(benefit.waiting_period for benefit in plan.benefits.values())
        yield Code.WAITING_PERIOD, {"days": float(waits)}
    decided = told_from.underwriting
    if decided is not None and plan.suitability.underwritten:
        for row in range(told_from.asked.size):
            decision = decided.of(row)
            if decision.loading > _SMALL:
                yield Code.LOADED, {"loading": decision.loading}
            for exclusion in decision.exclusions:
                yield Code.EXCLUDED, {"exclusion": exclusion}
    if Note.NEEDS_ANOTHER in notes:
        yield Code.NEEDS_ANOTHER, {}
    if any(result.state is State.UNKNOWN for result in results):
        yield Code.NOT_DECIDED, {}
    if Note.INCOME_UNKNOWN in notes:
        yield Code.INCOME_UNKNOWN, {}
    yield Code.PLAN_EXCLUSIONS, {"exclusions": plan.exclusions}
