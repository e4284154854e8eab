"""What a feature is: one named expression over one kind of fact, and who may use it for what.

The facts an expression is given are already limited to what happened strictly before `as_of` and
was known by `as_of` (`riskengine.profiles.facts`), so no expression can look ahead. Left out: the
features themselves, which stand in a module for each family.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

import ibis

from riskengine.profiles.questions import Question
from riskengine.vocabulary import Text

Expression: TypeAlias = Callable[[Any], Any]
WINDOWS = (30, 90, 365, 1095)
"""Days before `as_of` over which use is counted: a month, a quarter, one year and three."""


class Facts(StrEnum):
    """The kind of fact a feature reads; but for the member's own row, the name of its table."""

    MEMBER = "members"
    COVER = "policies"
    CLAIMS = "claims"
    DIAGNOSES = "diagnoses"
    MEASUREMENTS = "measurements"
    EVENTS = "events"
    OFFERS = "offers"


class Family(StrEnum):
    """What a feature is about; reports and reasons go family by family."""

    DEMOGRAPHY = "demography"
    COVER = "cover"
    HEALTH = "health"
    CONDITIONS = "conditions"
    UTILISATION = "utilisation"
    BEHAVIOUR = "behaviour"
    INTENT = "intent"


FAMILY_TITLES = {
    Family.DEMOGRAPHY: Text(zh="人口信息", en="Demography"),
    Family.COVER: Text(zh="已有保障", en="Cover held"),
    Family.HEALTH: Text(zh="健康状况与测量", en="Health and measurements"),
    Family.CONDITIONS: Text(zh="慢性病与合并症", en="Chronic conditions and comorbidity"),
    Family.UTILISATION: Text(zh="医疗使用与费用", en="Use and cost of care"),
    Family.BEHAVIOUR: Text(zh="行为与互动", en="Behaviour and engagement"),
    Family.INTENT: Text(zh="购买意向", en="Digital intent"),
}


class Purpose(StrEnum):
    """What a feature may be used for: what pleases a shopper may not move a price."""

    PRICING = "pricing"
    RECOMMENDATION = "recommendation"
    BOTH = "both"

    def allows(self, use: "Purpose") -> bool:
        """Whether a feature of this purpose may be used for `use`."""
        return self in {use, Purpose.BOTH}


@dataclass(frozen=True)
class Feature:
    """One column of a profile.

    `expression` makes it: of the member's row for `Facts.MEMBER`, else an aggregate over the
    facts of one member and date. `zero_when` says, of the finished row, when no fact means 0; at
    all other times no fact means unknown.
    """

    question: Question
    family: Family
    facts: Facts
    purpose: Purpose
    expression: Expression
    zero_when: Expression | None = None

    @property
    def name(self) -> str:
        return self.question.name


def number(
    name: str, title: Text, unit: str, bounds: tuple[float, float], *, sensitive: bool = False
) -> Question:
    """A question for a number within `bounds`, in `unit`."""
    low, high = bounds
    return Question(
        name=name,
        title=title,
        kind="number",
        unit=unit,
        minimum=low,
        maximum=high,
        sensitive=sensitive,
    )


def level(
    name: str, title: Text, levels: Mapping[str, Text], *, sensitive: bool = False
) -> Question:
    """A question for one of `levels`, by their names."""
    return Question(
        name=name,
        title=title,
        kind="level",
        levels=tuple(levels),
        level_titles=tuple(levels.values()),
        sensitive=sensitive,
    )


def millionths(amount: Any) -> Any:
    """An amount as a whole number of millionths of its unit, a float64 without a fraction.

    Engines add in parallel, and floating-point sums depend on the order; sums of whole numbers do
    not, up to 2**53 millionths (9e9 units).
    """
    return (amount * 1e6).round().cast("float64")


def days_between(first: Any, last: Any) -> Any:
    """Whole days from one date to another, by days since 1970: all engines agree on those."""
    return last.epoch_days() - first.epoch_days()


_VALUES = 1 << 46
"""How many different values fit below one day: millionths of up to 3.5e7 either way."""


def latest_value(facts: Any, value: Any, where: Any = None) -> Any:
    """The value of the latest fact, to a millionth; on one day the larger value decides.

    One pass does: the maximum of (day, value) packed into one whole number. `value` is up to 3.5e7
    either way; the latest fact may hold no value, and then there is none.
    """
    told = ibis.coalesce(millionths(value).cast("int64") + _VALUES // 2, 0)
    recency = (1 << 16) - 1 - facts.days_before
    found = (recency * _VALUES + told).max(where=where) % _VALUES
    return in_units(found.nullif(0) - _VALUES // 2)


def in_units(whole: Any) -> Any:
    """Whole millionths, or sums of them, in their unit again."""
    return whole.cast("float64") / 1e6


def covered_in(days: int) -> Expression:
    """Whether the member had cover on any of the last `days`: then no known claim means none."""
    return lambda row: row[f"covered_days_{days}d"] > 0


def observed(row: Any) -> Any:
    """Whether the member was known to us by `as_of`: then no known event means none."""
    return row.member_known


def window_title(zh: str, en: str, days: int) -> Text:
    """A title with its window, such as "Claims, last 365 days"."""
    return Text(zh=f"近{days}天{zh}", en=f"{en}, last {days} days")
