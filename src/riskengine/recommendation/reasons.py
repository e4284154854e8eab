"""Why a plan is recommended: stable codes with parameters, told in both languages.

Every reason is a statement about computed numbers, true by construction; texts are short and
plain. Nothing the member did not give is named.
"""

from dataclasses import dataclass
from enum import StrEnum

from riskengine.recommendation.value import Worth
from riskengine.vocabulary import Currency, Text


class ReasonCode(StrEnum):
    NOTHING_TO_PAY = "nothing_to_pay"
    BAD_YEAR = "bad_year"
    PAYS_AT_MOST = "pays_at_most"
    LOWEST_YEARLY_COST = "lowest_yearly_cost"
    LOWEST_PREMIUM = "lowest_premium"
    WORTH_MORE = "worth_more"
    WORTH_LESS = "worth_less"
    DEDUCTIBLE = "deductible"
    ANSWERS_MISSING = "answers_missing"


class Polarity(StrEnum):
    FOR = "for"
    AGAINST = "against"
    NOTE = "note"


class Source(StrEnum):
    """Where a reason comes from: the plan's rules, a need, a value, a model, or the input."""

    RULE = "rule"
    NEED = "need"
    VALUE = "value"
    MODEL = "model"
    INPUT = "input"


@dataclass(frozen=True)
class Reason:
    """One reason; `parameters` hold the numbers of the text, amounts rounded to whole units."""

    code: ReasonCode
    polarity: Polarity
    source: Source
    parameters: dict[str, float]
    text: Text


_TEXTS = {
    ReasonCode.NOTHING_TO_PAY: Text(
        zh="保障范围内的费用，您无需自付。", en="You pay nothing for covered care."
    ),
    ReasonCode.BAD_YEAR: Text(
        zh="十年一遇的高费用年份，没有保险您要付约{without:,.0f}{currency_zh}，"
        "有此计划约付{with_plan:,.0f}{currency_zh}。",
        en="In the dearest year out of ten you would pay about {without:,.0f} {currency_en} without"
        " cover and about {with_plan:,.0f} with this plan.",
    ),
    ReasonCode.PAYS_AT_MOST: Text(
        zh="保障范围内的费用，您每年自付不超过{maximum:,.0f}{currency_zh}。",
        en="For covered care you pay at most {maximum:,.0f} {currency_en} a year.",
    ),
    ReasonCode.LOWEST_YEARLY_COST: Text(
        zh="保费加预计自付每年合计约{total:,.0f}{currency_zh}，是所比较的计划中最低的。",
        en="Premium and expected own share together, about {total:,.0f} {currency_en} a year, are"
        " the lowest of the plans compared.",
    ),
    ReasonCode.LOWEST_PREMIUM: Text(
        zh="保费是所比较的计划中最低的。", en="Its premium is the lowest of the plans compared."
    ),
    ReasonCode.WORTH_MORE: Text(
        zh="对您而言，这份保障每年约值{worth:,.0f}{currency_zh}，"
        "比保费高{difference:,.0f}{currency_zh}。",
        en="To you this cover is worth about {worth:,.0f} {currency_en} a year, {difference:,.0f}"
        " more than it costs.",
    ),
    ReasonCode.WORTH_LESS: Text(
        zh="对您而言，这份保障每年约值{worth:,.0f}{currency_zh}，"
        "比保费低{difference:,.0f}{currency_zh}。",
        en="To you this cover is worth about {worth:,.0f} {currency_en} a year, {difference:,.0f}"
        " less than it costs.",
    ),
    ReasonCode.DEDUCTIBLE: Text(
        zh="请注意：每年最初的{deductible:,.0f}{currency_zh}由您自付。",
        en="Mind: you pay the first {deductible:,.0f} {currency_en} of each year yourself.",
    ),
    ReasonCode.ANSWERS_MISSING: Text(
        zh="有{count:.0f}个问题未回答，按未知计价；补充回答可能改变价格。",
        en="Questions left unanswered: {count:.0f}. They are priced as unknown; answering may"
        " change the price.",
    ),
}


_KINDS = {
    ReasonCode.NOTHING_TO_PAY: (Polarity.FOR, Source.RULE),
    ReasonCode.BAD_YEAR: (Polarity.FOR, Source.VALUE),
    ReasonCode.PAYS_AT_MOST: (Polarity.FOR, Source.RULE),
    ReasonCode.LOWEST_YEARLY_COST: (Polarity.FOR, Source.VALUE),
    ReasonCode.LOWEST_PREMIUM: (Polarity.FOR, Source.VALUE),
    ReasonCode.WORTH_MORE: (Polarity.FOR, Source.VALUE),
    ReasonCode.WORTH_LESS: (Polarity.AGAINST, Source.VALUE),
    ReasonCode.DEDUCTIBLE: (Polarity.AGAINST, Source.RULE),
    ReasonCode.ANSWERS_MISSING: (Polarity.NOTE, Source.INPUT),
}
CURRENCIES = {
    Currency.CNY: Text(zh="元", en="yuan"),
    Currency.EUR: Text(zh="欧元", en="euros"),
    Currency.USD: Text(zh="美元", en="dollars"),
}


def reasons_for(
    item: Worth, compared: list[Worth], missing_answers: int, currency: Currency
) -> list[Reason]:
    """The reasons for one plan among those compared, at most three, and then those against it.

    `missing_answers` counts the questions left open; amounts are in `currency`.
    """
    facts = _in_favour(item, compared)[:3]
    if item.priced.plan.benefit.deductible > 0:
        facts.append((ReasonCode.DEDUCTIBLE, {"deductible": item.priced.plan.benefit.deductible}))
    if item.net < 0:
        facts.append((ReasonCode.WORTH_LESS, {"worth": item.worth, "difference": -item.net}))
    if missing_answers:
        facts.append((ReasonCode.ANSWERS_MISSING, {"count": float(missing_answers)}))
    return [_told(code, parameters, currency) for code, parameters in facts]


def _in_favour(item: Worth, compared: list[Worth]) -> list[tuple[ReasonCode, dict[str, float]]]:
    """What speaks for the plan, in the order in which it is told."""
    benefit = item.priced.plan.benefit
    maximum = None if benefit.annual_limit else benefit.out_of_pocket_maximum
    among = len(compared) > 1
    total = item.expected_yearly_cost
    candidates: tuple[tuple[bool, ReasonCode, dict[str, float]], ...] = (
        (item.net >= 0, ReasonCode.WORTH_MORE, {"worth": item.worth, "difference": item.net}),
        (
            among and total <= min(other.expected_yearly_cost for other in compared),
            ReasonCode.LOWEST_YEARLY_COST,
            {"total": total},
        ),
        (maximum == 0, ReasonCode.NOTHING_TO_PAY, {}),
        (
            among and item.premium <= min(other.premium for other in compared),
            ReasonCode.LOWEST_PREMIUM,
            {},
        ),
        (
            item.bad_year_with < item.bad_year_without,
            ReasonCode.BAD_YEAR,
            {"without": item.bad_year_without, "with_plan": item.bad_year_with},
        ),
        (bool(maximum), ReasonCode.PAYS_AT_MOST, {"maximum": maximum or 0.0}),
    )
    return [(code, parameters) for holds, code, parameters in candidates if holds]


def _told(code: ReasonCode, parameters: dict[str, float], currency: Currency) -> Reason:
    polarity, source = _KINDS[code]
    name, text = CURRENCIES[currency], _TEXTS[code]
    words = {"currency_zh": name.zh, "currency_en": name.en}
    told = Text(zh=text.zh.format(**parameters, **words), en=text.en.format(**parameters, **words))
    rounded = {key: float(round(value)) for key, value in parameters.items()}
    return Reason(code, polarity, source, rounded, told)
