"""The cover a member holds or held, from policies that began before `as_of`.

Where two policies began on one day, the larger value decides.
"""

import ibis

from riskengine.profiles.feature import (
    WINDOWS,
    Expression,
    Facts,
    Family,
    Feature,
    Purpose,
    days_between,
    latest_value,
    number,
    observed,
    window_title,
)
from riskengine.vocabulary import Text


def _cover(
    name: str, title: Text, unit: str, bounds: tuple[float, float], expression: Expression
) -> Feature:
    question = number(name, title, unit, bounds)
    return Feature(question, Family.COVER, Facts.COVER, Purpose.BOTH, expression)


def _covered_days(days: int) -> Feature:
    return Feature(
        number(
            f"covered_days_{days}d",
            window_title("承保天数", "Days of cover", days),
            "days",
            (0, days),
        ),
        Family.COVER,
        Facts.COVER,
        Purpose.BOTH,
        lambda facts: ibis.least(facts[f"days_in_{days}"].sum(), days),
        observed,
    )


COVER: tuple[Feature, ...] = (
    *(_covered_days(days) for days in WINDOWS),
    _cover(
        "tenure_days",
        Text(zh="首次投保至今", en="Time since the first cover"),
        "days",
        (0, 40000),
        lambda facts: facts.days_before.max(),
    ),
    _cover(
        "policy_count_1095d",
        window_title("保单数", "Policies begun", 1095),
        "policies",
        (0, 1000),
        lambda facts: (facts.days_before <= 1095).sum(),
    ),
    _cover(
        "cover_days_left",
        Text(zh="保障剩余天数（已断保为负）", en="Days of cover left, negative once lapsed"),
        "days",
        (-40000, 40000),
        lambda facts: (days_between(facts.as_of, facts.end_date) + 1).max(),
    ),
    _cover(
        "coinsurance_held",
        Text(zh="现有保障的自付比例", en="Coinsurance of the cover held"),
        "share",
        (0, 1),
        lambda facts: latest_value(facts, facts.coinsurance),
    ),
    _cover(
        "out_of_pocket_maximum_held",
        Text(zh="现有保障的年度自付上限", en="Out-of-pocket maximum of the cover held"),
        "currency per year",
        (0, 1e7),
        lambda facts: latest_value(facts, facts.out_of_pocket_maximum),
    ),
    _cover(
        "individual_deductible_held",
        Text(zh="现有保障有无个人免赔额", en="Individual deductible in the cover held"),
        "0 no, 1 yes",
        (0, 1),
        lambda facts: latest_value(facts, facts.individual_deductible),
    ),
    _cover(
        "plan_design_count",
        Text(zh="持有过的计划种类", en="Plan designs held so far"),
        "designs",
        (0, 1000),
        lambda facts: facts.plan_design.nunique(),
    ),
)
