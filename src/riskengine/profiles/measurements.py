"""Measured health: the last value of each measure, its age, and its slope over three years.

On one day the larger value decides. A slope is the least-squares line through the values of the
last 1,095 days, in units a year; it needs values about three months apart or more.
"""

from typing import Any

import ibis

from riskengine.profiles.feature import (
    Facts,
    Family,
    Feature,
    Purpose,
    in_units,
    latest_value,
    level,
    millionths,
    number,
    observed,
    window_title,
)
from riskengine.profiles.questions import Question
from riskengine.vocabulary import Measure, SelfRatedHealth, Text

_HEALTH_LEVELS = {
    SelfRatedHealth.EXCELLENT.value: Text(zh="很好", en="excellent"),
    SelfRatedHealth.GOOD.value: Text(zh="好", en="good"),
    SelfRatedHealth.FAIR.value: Text(zh="一般", en="fair"),
    SelfRatedHealth.POOR.value: Text(zh="差", en="poor"),
}
_LATEST: dict[Measure, tuple[Text, str, tuple[float, float]]] = {
    Measure.GENERAL_HEALTH_INDEX: (
        Text(zh="一般健康指数", en="General health index"),
        "points",
        (0, 100),
    ),
    Measure.MENTAL_HEALTH_INDEX: (
        Text(zh="心理健康指数", en="Mental health index"),
        "points",
        (0, 100),
    ),
    Measure.CHRONIC_DISEASE_INDEX: (
        Text(zh="慢性病指数", en="Chronic disease index"),
        "points",
        (0, 60),
    ),
    Measure.PHYSICAL_LIMITATION: (
        Text(zh="身体活动受限", en="Physical limitation"),
        "0 none to 1 limited",
        (0, 1),
    ),
    Measure.BODY_MASS_INDEX: (Text(zh="体重指数", en="Body mass index"), "kg/m2", (8, 100)),
    Measure.GLYCATED_HAEMOGLOBIN: (
        Text(zh="糖化血红蛋白", en="Glycated haemoglobin"),
        "%",
        (2, 20),
    ),
    Measure.SYSTOLIC_PRESSURE: (Text(zh="收缩压", en="Systolic pressure"), "mmHg", (50, 300)),
    Measure.TOTAL_CHOLESTEROL: (Text(zh="总胆固醇", en="Total cholesterol"), "mmol/L", (1, 20)),
    Measure.SMOKER: (Text(zh="吸烟", en="Smoker"), "0 no, 1 yes", (0, 1)),
}
_SLOPED = (
    Measure.BODY_MASS_INDEX,
    Measure.GLYCATED_HAEMOGLOBIN,
    Measure.SYSTOLIC_PRESSURE,
    Measure.TOTAL_CHOLESTEROL,
)
_SLOPE_DAYS, _SLOPE_APART = 1095, 90


def latest(question: Question, measure: Measure, family: Family) -> Feature:
    """The latest value of a measure, to a millionth; on one day the larger value decides."""
    return Feature(
        question,
        family,
        Facts.MEASUREMENTS,
        Purpose.BOTH,
        lambda facts: latest_value(facts, facts.value, facts.measure == measure.value),
    )


def _latest_health(measure: Measure) -> Feature:
    title, unit, bounds = _LATEST[measure]
    return latest(
        number(measure.value, title, unit, bounds, sensitive=True), measure, Family.HEALTH
    )


def _slope(measure: Measure) -> Feature:
    title, unit, (low, high) = _LATEST[measure]
    span = (high - low) * 365.25
    return Feature(
        number(
            f"{measure.value}_slope",
            Text(zh=f"{title.zh}年变化", en=f"{title.en}, change a year"),
            f"{unit} per year",
            (-span, span),
            sensitive=True,
        ),
        Family.HEALTH,
        Facts.MEASUREMENTS,
        Purpose.BOTH,
        lambda facts: _slope_a_year(
            facts, (facts.measure == measure.value) & (facts.days_before <= _SLOPE_DAYS)
        ),
    )


def _slope_a_year(facts: Any, where: Any) -> Any:
    """Least squares of value on time, (n Sxy - Sx Sy) / (n Sxx - Sx^2), with x in days before.

    Null while the days' standard deviation is below that of two values 90 days apart: the noise
    of two neighbouring values is no trend.
    """
    days = facts.days_before.cast("float64")  # whole: sums do not depend on the order
    n = facts.count(where=where).cast("float64")
    value = millionths(facts.value)
    x, y = days.sum(where=where), in_units(value.sum(where=where))
    xx = (days * days).sum(where=where)
    xy = in_units((value * days).sum(where=where))
    spread = n * xx - x * x
    return (
        -365.25
        * (n * xy - x * y)
        / ibis.ifelse(spread >= (_SLOPE_APART / 2 * n) ** 2, spread, None)
    )


HEALTH: tuple[Feature, ...] = (
    Feature(
        level(
            "self_rated_health",
            Text(zh="自评健康", en="Self-rated health"),
            _HEALTH_LEVELS,
            sensitive=True,
        ),
        Family.HEALTH,
        Facts.MEMBER,
        Purpose.BOTH,
        lambda row: row.self_rated_health,
    ),
    *(_latest_health(measure) for measure in _LATEST),
    *(_slope(measure) for measure in _SLOPED),
    Feature(
        number(
            "measurement_count_1095d",
            window_title("测量次数", "Measurements", 1095),
            "measurements",
            (0, 100000),
            sensitive=True,
        ),
        Family.HEALTH,
        Facts.MEASUREMENTS,
        Purpose.BOTH,
        lambda facts: facts.count(where=facts.days_before <= 1095),
        observed,
    ),
    Feature(
        number(
            "days_since_last_measurement",
            Text(zh="距最近一次测量", en="Days since the last measurement"),
            "days",
            (0, 40000),
            sensitive=True,
        ),
        Family.HEALTH,
        Facts.MEASUREMENTS,
        Purpose.BOTH,
        lambda facts: facts.days_before.min(),
    ),
)
