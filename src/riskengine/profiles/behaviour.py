"""What a member does with us: app, pages, calls, check-ups, steps; offers seen and taken.

What only shows interest or habit serves recommendation and never a price; check-ups and steps say
something of health and may serve both.
"""

from collections.abc import Sequence
from typing import Any

from riskengine.profiles.feature import (
    Expression,
    Facts,
    Family,
    Feature,
    Purpose,
    number,
    observed,
    window_title,
)
from riskengine.vocabulary import EventKind, Text

_KINDS = {
    EventKind.APP_VISIT: ("app_visits", Text(zh="应用访问", en="App visits")),
    EventKind.PAGE_VIEW: ("page_views", Text(zh="页面浏览", en="Page views")),
    EventKind.CALL: ("calls", Text(zh="来电", en="Calls")),
    EventKind.CHECK_UP: ("check_ups", Text(zh="体检", en="Check-ups")),
}
_COUNTED = {
    EventKind.APP_VISIT: (30, 90, 365),
    EventKind.PAGE_VIEW: (30, 90, 365),
    EventKind.CALL: (90, 365),
    EventKind.CHECK_UP: (365, 1095),
}
INTENT_DAYS = 90


def _purpose(kind: EventKind) -> Purpose:
    healthy = kind in {EventKind.CHECK_UP, EventKind.STEPS}
    return Purpose.BOTH if healthy else Purpose.RECOMMENDATION


def _count(kind: EventKind, days: int) -> Feature:
    name, title = _KINDS[kind]
    return Feature(
        number(f"{name}_{days}d", window_title(title.zh, title.en, days), "times", (0, 1e6)),
        Family.BEHAVIOUR,
        Facts.EVENTS,
        _purpose(kind),
        lambda facts: facts.count(where=(facts.kind == kind.value) & (facts.days_before <= days)),
        observed,
    )


def _days_since(kind: EventKind) -> Feature:
    title = _KINDS[kind][1]
    return Feature(
        number(
            f"days_since_last_{kind.value}",
            Text(
                zh=f"距最近一次{title.zh}",
                en=f"Days since the last {title.en.lower().removesuffix('s')}",
            ),
            "days",
            (0, 40000),
        ),
        Family.BEHAVIOUR,
        Facts.EVENTS,
        _purpose(kind),
        lambda facts: facts.days_before.min(where=facts.kind == kind.value),
    )


def _mean_steps(days: int) -> Feature:
    def expression(facts: Any) -> Any:
        told = (facts.kind == EventKind.STEPS.value) & (facts.days_before <= days)
        # Steps are whole numbers: their sum, and so the mean, does not depend on the order.
        return facts.quantity.round().cast("int64").mean(where=told)

    return Feature(
        number(
            f"steps_per_day_{days}d",
            window_title("日均步数", "Steps a day", days),
            "steps per day",
            (0, 200000),
        ),
        Family.BEHAVIOUR,
        Facts.EVENTS,
        _purpose(EventKind.STEPS),
        expression,
    )


def _offers(
    name: str, title: Text, unit: str, expression: Expression, zero_when: Expression | None
) -> Feature:
    return Feature(
        number(name, title, unit, (0, 1e6)),
        Family.INTENT,
        Facts.OFFERS,
        Purpose.RECOMMENDATION,
        expression,
        zero_when,
    )


BEHAVIOUR: tuple[Feature, ...] = (
    *(_count(kind, days) for kind, windows in _COUNTED.items() for days in windows),
    *(_mean_steps(days) for days in (30, 90, 365)),
    *(_days_since(kind) for kind in (EventKind.APP_VISIT, EventKind.CALL, EventKind.CHECK_UP)),
)
OFFERS: tuple[Feature, ...] = (
    _offers(
        "offers_shown_365d",
        window_title("看到的报价", "Offers seen", 365),
        "offers",
        lambda facts: facts.count(where=facts.days_before <= 365),
        observed,
    ),
    _offers(
        "offers_chosen_1095d",
        window_title("接受的报价", "Offers taken", 1095),
        "offers",
        lambda facts: facts.count(where=(facts.chosen == 1) & (facts.days_before <= 1095)),
        observed,
    ),
    _offers(
        "days_since_last_offer",
        Text(zh="距最近一次报价", en="Days since the last offer"),
        "days",
        lambda facts: facts.days_before.min(),
        None,
    ),
)


def intent_features(plans: Sequence[str]) -> tuple[Feature, ...]:
    """Interest shown in each plan: page views about it in the last 90 days, one feature a plan."""
    return tuple(_intent(plan) for plan in plans)


def plan_of_intent(name: str) -> str:
    """The plan that an intent feature of this name is about; empty for any other name."""
    head, tail = "page_views_", f"_{INTENT_DAYS}d"
    return name.removeprefix(head).removesuffix(tail) if _has_plan(name, head, tail) else ""


def _has_plan(name: str, head: str, tail: str) -> bool:
    return name.startswith(head) and name.endswith(tail) and len(name) > len(head) + len(tail)


def _intent(plan: str) -> Feature:
    return Feature(
        number(
            f"page_views_{plan}_{INTENT_DAYS}d",
            window_title(f"浏览“{plan}”", f"Page views about {plan}", INTENT_DAYS),
            "times",
            (0, 1e6),
        ),
        Family.INTENT,
        Facts.EVENTS,
        Purpose.RECOMMENDATION,
        lambda facts: facts.count(
            where=(facts.kind == EventKind.PAGE_VIEW.value)
            & (facts.plan == plan)
            & (facts.days_before <= INTENT_DAYS)
        ),
        observed,
    )
