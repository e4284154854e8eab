"""Who the member is: age, sex, area, household. Both prices and recommendations may use it."""

from riskengine.profiles.feature import (
    Expression,
    Facts,
    Family,
    Feature,
    Purpose,
    days_between,
    level,
    number,
)
from riskengine.profiles.measurements import latest
from riskengine.profiles.questions import Question
from riskengine.vocabulary import Measure, Sex, Text

DAYS_PER_YEAR = 365.25
_SEXES = {Sex.FEMALE.value: Text(zh="女", en="female"), Sex.MALE.value: Text(zh="男", en="male")}
_AREAS = {str(n): Text(zh=f"{n}区", en=f"{n}") for n in range(1, 7)}


def _member(question: Question, expression: Expression) -> Feature:
    return Feature(question, Family.DEMOGRAPHY, Facts.MEMBER, Purpose.BOTH, expression)


def _required(question: Question) -> Question:
    return question.model_copy(update={"required": True})


DEMOGRAPHY: tuple[Feature, ...] = (
    _member(
        _required(number("age", Text(zh="年龄", en="Age"), "years", (0, 66))),
        lambda row: days_between(row.birth_date, row.as_of).cast("float64") / DAYS_PER_YEAR,
    ),
    _member(
        _required(level("sex", Text(zh="性别", en="Sex"), _SEXES)),
        lambda row: row.sex,
    ),
    _member(
        level("rating_area", Text(zh="地区", en="Rating area"), _AREAS),
        lambda row: row.rating_area,
    ),
    _member(
        number(
            "education_years",
            Text(zh="户主受教育年限", en="Education of the household head"),
            "years",
            (0, 25),
        ),
        lambda row: row.education_years,
    ),
    _member(
        number(
            "household_income",
            Text(zh="家庭年收入", en="Household income"),
            "currency per year",
            (0, 30000),
        ),
        lambda row: row.household_income,
    ),
    latest(
        number("household_size", Text(zh="家庭人数", en="Household size"), "people", (1, 14)),
        Measure.HOUSEHOLD_SIZE,
        Family.DEMOGRAPHY,
    ),
)
