"""Why a plan is recommended: stable codes with parameters, told in both languages.

Every reason is a statement about computed numbers, true by construction; texts are short and
plain. Nothing the member did not give is named.
"""

from dataclasses import dataclass
from enum import StrEnum

from riskengine.recommendation.value import Worth
from riskengine.vocabulary import Text


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
    """Where a reason comes from: the plan's rules, the member's value, or the input."""

    RULE = "rule"
    VALUE = "value"
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
        zh="就医时您无需自付任何费用。", en="You pay nothing when you use care."
    ),
    ReasonCode.BAD_YEAR: Text(
        zh="十年一遇的高费用年份，没有保险您要付约{without:,.0f}，有此计划约付{with_plan:,.0f}。",
        en="In the dearest year out of ten you would pay about {without:,.0f} without cover and"
        " about {with_plan:,.0f} with this plan.",
    ),
    ReasonCode.PAYS_AT_MOST: Text(
        zh="无论发生什么，您每年自付不超过{maximum:,.0f}。",
        en="Whatever happens, you pay at most {maximum:,.0f} a year for care.",
    ),
    ReasonCode.LOWEST_YEARLY_COST: Text(
        zh="保费加预计自付合计约{total:,.0f}，是各计划中最低的。",
        en="Premium and expected own share together, about {total:,.0f} a year, are the lowest"
        " of all plans.",
    ),
    ReasonCode.LOWEST_PREMIUM: Text(
        zh="保费是各计划中最低的。", en="Its premium is the lowest of all plans."
    ),
    ReasonCode.WORTH_MORE: Text(
        zh="对您而言，这份保障每年约值{worth:,.0f}，比保费高{difference:,.0f}。",
        en="To you this cover is worth about {worth:,.0f} a year, {difference:,.0f} more than it"
        " costs.",
    ),
    ReasonCode.WORTH_LESS: Text(
        zh="对您而言，这份保障每年约值{worth:,.0f}，比保费低{difference:,.0f}。",
        en="To you this cover is worth about {worth:,.0f} a year, {difference:,.0f} less than it"
        " costs.",
    ),
    ReasonCode.DEDUCTIBLE: Text(
        zh="请注意：每年最初的{deductible:,.0f}由您自付。",
        en="Mind: you pay the first {deductible:,.0f} of each year yourself.",
    ),
    ReasonCode.ANSWERS_MISSING: Text(
        zh="有{count:.0f}个问题未回答，按未知计价；补充回答可能改变价格。",
        en="{count:.0f} questions are unanswered and priced as unknown; answering them may change"
        " the price.",
    ),
}


def reasons_for(item: Worth, others: list[Worth], missing_answers: int) -> list[Reason]:
    """The reasons for and against one plan among all that were ranked, strongest first."""
    found = _reasons_for(item, others)
    benefit = item.priced.plan.benefit
    if benefit.deductible > 0:
        found.append(
            _reason(
                ReasonCode.DEDUCTIBLE, Polarity.AGAINST, Source.RULE, deductible=benefit.deductible
            )
        )
    if item.net < 0:
        found.append(
            _reason(
                ReasonCode.WORTH_LESS,
                Polarity.AGAINST,
                Source.VALUE,
                worth=item.worth,
                difference=-item.net,
            )
        )
    if missing_answers:
        found.append(
            _reason(
                ReasonCode.ANSWERS_MISSING,
                Polarity.NOTE,
                Source.INPUT,
                count=float(missing_answers),
            )
        )
    return found


def _reasons_for(item: Worth, others: list[Worth]) -> list[Reason]:
    """The three strongest reasons in favour."""
    benefit = item.priced.plan.benefit
    found = []
    if item.net >= 0:
        found.append(
            _reason(
                ReasonCode.WORTH_MORE,
                Polarity.FOR,
                Source.VALUE,
                worth=item.worth,
                difference=item.net,
            )
        )
    if item.expected_yearly_cost <= min(other.expected_yearly_cost for other in others):
        found.append(
            _reason(
                ReasonCode.LOWEST_YEARLY_COST,
                Polarity.FOR,
                Source.VALUE,
                total=item.expected_yearly_cost,
            )
        )
    if benefit.out_of_pocket_maximum == 0:
        found.append(_reason(ReasonCode.NOTHING_TO_PAY, Polarity.FOR, Source.RULE))
    if item.premium <= min(other.premium for other in others):
        found.append(_reason(ReasonCode.LOWEST_PREMIUM, Polarity.FOR, Source.VALUE))
    if item.bad_year_with < item.bad_year_without:
        found.append(
            _reason(
                ReasonCode.BAD_YEAR,
                Polarity.FOR,
                Source.VALUE,
                without=item.bad_year_without,
                with_plan=item.bad_year_with,
            )
        )
    if benefit.out_of_pocket_maximum:
        found.append(
            _reason(
                ReasonCode.PAYS_AT_MOST,
                Polarity.FOR,
                Source.RULE,
                maximum=benefit.out_of_pocket_maximum,
            )
        )
    return found[:3]


def _reason(code: ReasonCode, polarity: Polarity, source: Source, **parameters: float) -> Reason:
    text = Text(zh=_TEXTS[code].zh.format(**parameters), en=_TEXTS[code].en.format(**parameters))
    return Reason(
        code, polarity, source, {name: round(value) for name, value in parameters.items()}, text
    )
