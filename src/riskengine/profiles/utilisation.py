"""What care a member used and what it cost, from claim lines net of their reversals.

A member who was covered in a window and has no known claim in it used nothing; of one who was not
covered we do not know. The latest months are not complete: `riskengine.profiles.completion`.
"""

from typing import Any

from riskengine.profiles.feature import (
    WINDOWS,
    Expression,
    Facts,
    Family,
    Feature,
    Purpose,
    covered_in,
    in_units,
    number,
    window_title,
)
from riskengine.profiles.questions import Question
from riskengine.vocabulary import Service, Text

_SERVICES = {
    Service.INPATIENT: Text(zh="住院", en="inpatient care"),
    Service.OUTPATIENT: Text(zh="门诊", en="outpatient care"),
    Service.DRUG: Text(zh="药品", en="drugs"),
    Service.SUPPLY: Text(zh="耗材", en="supplies"),
    Service.EMERGENCY: Text(zh="急诊", en="emergency care"),
    Service.PREVENTIVE: Text(zh="预防", en="preventive care"),
}


def _claims(question: Question, expression: Expression, covered_days: int | None) -> Feature:
    return Feature(
        question.model_copy(update={"sensitive": True}),
        Family.UTILISATION,
        Facts.CLAIMS,
        Purpose.BOTH,
        expression,
        covered_in(covered_days) if covered_days else None,
    )


def _in_window(days: int) -> tuple[Feature, ...]:
    def inside(facts: Any) -> Any:
        return facts.days_before <= days

    return (
        _claims(
            number(
                f"medical_spend_{days}d",
                window_title("医疗费用", "Medical spend", days),
                "currency",
                (0, 1e6),
            ),
            lambda facts: in_units(facts.allowed.sum(where=inside(facts))),
            days,
        ),
        _claims(
            number(
                f"outpatient_visits_{days}d",
                window_title("门诊次数", "Outpatient visits", days),
                "visits",
                (0, max(days, 365)),
            ),
            lambda facts: in_units(
                facts.visits.sum(where=inside(facts) & (facts.service == Service.OUTPATIENT.value))
            ),
            days,
        ),
        _claims(
            number(
                f"claim_count_{days}d",
                window_title("赔案明细数", "Claim lines", days),
                "claim lines",
                (0, 10000),
            ),
            lambda facts: facts.count(where=inside(facts) & facts.stands),
            days,
        ),
        _claims(
            number(
                f"hospital_days_{days}d",
                window_title("住院天数", "Days in hospital", days),
                "days",
                (0, days),
            ),
            lambda facts: in_units(facts.days.sum(where=inside(facts))),
            days,
        ),
    )


def _spend_on(service: Service, days: int = 365) -> Feature:
    title = _SERVICES[service]
    return _claims(
        number(
            f"{service.value}_spend_{days}d",
            window_title(f"{title.zh}费用", f"Spend on {title.en}", days),
            "currency",
            (0, 1e6),
        ),
        lambda facts: in_units(
            facts.allowed.sum(where=(facts.days_before <= days) & (facts.service == service.value))
        ),
        days,
    )


def _count_of(service: Service, days: int) -> Feature:
    title = _SERVICES[service]
    return _claims(
        number(
            f"{service.value}_claim_count_{days}d",
            window_title(f"{title.zh}赔案明细数", f"Claim lines for {title.en}", days),
            "claim lines",
            (0, 10000),
        ),
        lambda facts: facts.count(
            where=(facts.days_before <= days) & (facts.service == service.value) & facts.stands
        ),
        days,
    )


def _days_since_last(service: Service | None) -> Feature:
    name, title = "claim", Text(zh="距最近一次就医", en="Days since the last care claimed")
    if service:
        name = f"{service.value}_claim"
        title = Text(
            zh=f"距最近一次{_SERVICES[service].zh}",
            en=f"Days since the last {_SERVICES[service].en}",
        )
    return _claims(
        number(f"days_since_last_{name}", title, "days", (0, 40000)),
        lambda facts: facts.days_before.min(
            where=facts.stands & (facts.service == service.value) if service else facts.stands
        ),
        None,
    )


UTILISATION: tuple[Feature, ...] = (
    *(feature for days in WINDOWS for feature in _in_window(days)),
    *(_spend_on(service) for service in Service),
    _count_of(Service.INPATIENT, 1095),
    _count_of(Service.EMERGENCY, 365),
    _count_of(Service.PREVENTIVE, 1095),
    _claims(
        number(
            "medical_spend_366_730d",
            Text(zh="前一年（366至730天前）医疗费用", en="Medical spend, 366 to 730 days ago"),
            "currency",
            (0, 1e6),
        ),
        lambda facts: in_units(
            facts.allowed.sum(where=(facts.days_before > 365) & (facts.days_before <= 730))
        ),
        None,
    ),
    _claims(
        number(
            "largest_claim_1095d",
            window_title("最大一笔费用", "Largest claim line", 1095),
            "currency",
            (0, 1e6),
        ),
        lambda facts: in_units(facts.allowed.max(where=facts.days_before <= 1095)),
        1095,
    ),
    _days_since_last(None),
    _days_since_last(Service.INPATIENT),
)
