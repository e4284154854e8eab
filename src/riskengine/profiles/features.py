"""The features of a customer profile, each one named expression over joined facts.

A feature reads one kind of fact: the member's own row, claims, or measurements. The facts it is
given are already limited to what happened strictly before `as_of` and was known by `as_of`
(`riskengine.profiles.build`), so no expression can look ahead. `question` is the part a quote
may ask for; a feature without bounds a person could answer has none.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from riskengine.profiles.questions import Question
from riskengine.vocabulary import Measure, SelfRatedHealth, Service, Sex, Text

Expression: TypeAlias = Callable[[Any], Any]
DAYS_PER_YEAR = 365.25


class Facts(StrEnum):
    """The kind of fact a feature reads."""

    MEMBER = "member"
    CLAIMS = "claims"
    MEASUREMENTS = "measurements"


class Family(StrEnum):
    DEMOGRAPHY = "demography"
    HEALTH = "health"
    UTILISATION = "utilisation"


@dataclass(frozen=True)
class Feature:
    """One column of a profile."""

    question: Question
    family: Family
    facts: Facts
    expression: Expression

    @property
    def name(self) -> str:
        return self.question.name


def _number(
    name: str, title: Text, unit: str, bounds: tuple[float, float], *, required: bool = False
) -> Question:
    low, high = bounds
    return Question(
        name=name,
        title=title,
        kind="number",
        unit=unit,
        minimum=low,
        maximum=high,
        required=required,
    )


def _level(
    name: str, title: Text, levels: Mapping[str, Text], *, required: bool = False
) -> Question:
    return Question(
        name=name,
        title=title,
        kind="level",
        levels=tuple(levels),
        level_titles=tuple(levels.values()),
        required=required,
    )


def _member(question: Question, expression: Expression, family: Family) -> Feature:
    return Feature(question, family, Facts.MEMBER, expression)


def _latest(question: Question, measure: Measure, family: Family) -> Feature:
    """The latest value of a measure; on one day the larger value decides."""
    return Feature(
        question.model_copy(update={"sensitive": family is Family.HEALTH}),
        family,
        Facts.MEASUREMENTS,
        lambda facts: facts.value.max(where=facts.measure == measure.value),
    )


def _claims(question: Question, expression: Expression) -> Feature:
    return Feature(
        question.model_copy(update={"sensitive": True}),
        Family.UTILISATION,
        Facts.CLAIMS,
        expression,
    )


def exact_sum(amount: Any, where: Any = None) -> Any:
    """The sum of amounts to a millionth of their unit, the same in whatever order they come.

    Engines add in parallel, and floating-point sums depend on the order; decimals do not.
    """
    return amount.cast("decimal(24, 6)").sum(where=where).cast("float64")


_SEXES = {Sex.FEMALE.value: Text(zh="女", en="female"), Sex.MALE.value: Text(zh="男", en="male")}
_HEALTH = {
    SelfRatedHealth.EXCELLENT.value: Text(zh="很好", en="excellent"),
    SelfRatedHealth.GOOD.value: Text(zh="好", en="good"),
    SelfRatedHealth.FAIR.value: Text(zh="一般", en="fair"),
    SelfRatedHealth.POOR.value: Text(zh="差", en="poor"),
}
_AREAS = {str(n): Text(zh=f"{n}区", en=f"{n}") for n in range(1, 7)}

FEATURES: tuple[Feature, ...] = (
    _member(
        _number("age", Text(zh="年龄", en="Age"), "years", (0, 66), required=True),
        lambda row: (row.as_of.epoch_days() - row.birth_date.epoch_days()) / DAYS_PER_YEAR,
        Family.DEMOGRAPHY,
    ),
    _member(
        _level("sex", Text(zh="性别", en="Sex"), _SEXES, required=True),
        lambda row: row.sex,
        Family.DEMOGRAPHY,
    ),
    _member(
        _level("rating_area", Text(zh="地区", en="Rating area"), _AREAS),
        lambda row: row.rating_area,
        Family.DEMOGRAPHY,
    ),
    _member(
        _number(
            "education_years",
            Text(zh="户主受教育年限", en="Education of the household head"),
            "years",
            (0, 25),
        ),
        lambda row: row.education_years,
        Family.DEMOGRAPHY,
    ),
    _member(
        _number(
            "household_income",
            Text(zh="家庭年收入", en="Household income"),
            "USD per year",
            (0, 30000),
        ),
        lambda row: row.household_income,
        Family.DEMOGRAPHY,
    ),
    _latest(
        _number("household_size", Text(zh="家庭人数", en="Household size"), "people", (1, 14)),
        Measure.HOUSEHOLD_SIZE,
        Family.DEMOGRAPHY,
    ),
    _member(
        _level(
            "self_rated_health",
            Text(zh="自评健康", en="Self-rated health"),
            _HEALTH,
        ).model_copy(update={"sensitive": True}),
        lambda row: row.self_rated_health,
        Family.HEALTH,
    ),
    _latest(
        _number(
            "general_health_index",
            Text(zh="一般健康指数", en="General health index"),
            "points",
            (0, 100),
        ),
        Measure.GENERAL_HEALTH_INDEX,
        Family.HEALTH,
    ),
    _latest(
        _number(
            "mental_health_index",
            Text(zh="心理健康指数", en="Mental health index"),
            "points",
            (0, 100),
        ),
        Measure.MENTAL_HEALTH_INDEX,
        Family.HEALTH,
    ),
    _latest(
        _number(
            "chronic_disease_index",
            Text(zh="慢性病指数", en="Chronic disease index"),
            "points",
            (0, 60),
        ),
        Measure.CHRONIC_DISEASE_INDEX,
        Family.HEALTH,
    ),
    _latest(
        _number(
            "physical_limitation",
            Text(zh="身体活动受限", en="Physical limitation"),
            "0 none to 1 limited",
            (0, 1),
        ),
        Measure.PHYSICAL_LIMITATION,
        Family.HEALTH,
    ),
    _claims(
        _number(
            "medical_spend_365d",
            Text(zh="近一年医疗费用", en="Medical spend, last 365 days"),
            "USD",
            (0, 1e6),
        ),
        lambda facts: exact_sum(facts.allowed_amount, facts.days_before <= 365),
    ),
    _claims(
        _number(
            "outpatient_visits_365d",
            Text(zh="近一年门诊次数", en="Outpatient visits, last 365 days"),
            "visits",
            (0, 365),
        ),
        lambda facts: exact_sum(
            facts.visit_count,
            (facts.days_before <= 365) & (facts.service == Service.OUTPATIENT.value),
        ),
    ),
)
