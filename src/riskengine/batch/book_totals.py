"""What repricing did to a book, in whole numbers that can be added up in any order.

Amounts are cents and counts are counts, so that chunks, workers and engines make no difference.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date

import numpy as np
import pyarrow as arrow
import pyarrow.compute as pc

from riskengine.batch.portfolio import EFFECTIVE, EXPIRING
from riskengine.vocabulary import FloatArray, IntArray

PER_CENT = 200
"""Changes are counted by whole per cent from -100 to this; what is above is with the last."""
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Sums:
    """Policies of one month and plan; amounts in cents a year.

    `compared` are those with an expiring premium above 0, to which `expiring` and
    `compared_offered` refer. `bounded` is the offered premium within the bounds on the change.
    """

    policies: int = 0
    compared: int = 0
    rising: int = 0
    falling: int = 0
    expected_plan_paid: int = 0
    technical: int = 0
    offered: int = 0
    bounded: int = 0
    expiring: int = 0
    compared_offered: int = 0

    def __add__(self, other: "Sums") -> "Sums":
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Sums(*(one + two for one, two in pairs))


Counts = dict[str, int]


@dataclass(frozen=True)
class BookTotals:
    """The totals of some policies: `bordereau` by month and plan, the others by what they count.

    `changes` counts compared policies by the per cent their change rounds down to; `reasons` those
    that rise and fall by the first reason (`rise base_rate`), and `moved` their premium in cents;
    `bound` those held by the bounds, `beside` the offered cents of further releases.
    """

    policies_in: int = 0
    quarantined: int = 0
    bordereau: dict[str, dict[str, Sums]] = field(default_factory=dict)
    changes: Counts = field(default_factory=dict)
    reasons: Counts = field(default_factory=dict)
    moved: Counts = field(default_factory=dict)
    underwriting: Counts = field(default_factory=dict)
    quarantine: Counts = field(default_factory=dict)
    beside: Counts = field(default_factory=dict)
    bound: int = 0

    @property
    def all(self) -> Sums:
        """The whole book."""
        return sum((one for of in self.bordereau.values() for one in of.values()), Sums())

    def by_plan(self) -> dict[str, Sums]:
        """The plans in the order of their names."""
        found: dict[str, Sums] = {}
        for plans in self.bordereau.values():
            for plan, sums in plans.items():
                found[plan] = found.get(plan, Sums()) + sums
        return dict(sorted(found.items()))

    def __add__(self, other: "BookTotals") -> "BookTotals":
        months = {month: dict(plans) for month, plans in self.bordereau.items()}
        for month, plans in other.bordereau.items():
            here = months.setdefault(month, {})
            for plan, sums in plans.items():
                here[plan] = here.get(plan, Sums()) + sums
        counted = ("changes", "reasons", "moved", "underwriting", "quarantine", "beside")
        return replace(
            self,
            policies_in=self.policies_in + other.policies_in,
            quarantined=self.quarantined + other.quarantined,
            bordereau={month: dict(sorted(of.items())) for month, of in sorted(months.items())},
            bound=self.bound + other.bound,
            **{name: _added(getattr(self, name), getattr(other, name)) for name in counted},
        )

    def to_json(self) -> str:
        """As text, from which `from_json` makes the same."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str | bytes) -> "BookTotals":
        """The totals from what `to_json` wrote."""
        told = json.loads(text)
        told["bordereau"] = {
            month: {plan: Sums(**sums) for plan, sums in plans.items()}
            for month, plans in told["bordereau"].items()
        }
        return BookTotals(**told)


def totals_of(
    priced: arrow.Table, as_of: date, reasons: Sequence[str] = (), lost: int = 0
) -> BookTotals:
    """The totals of repriced policies, with the `reasons` of those that went to quarantine.

    A policy without a date of its own counts in the month of `as_of`; `lost` are rows that a
    damaged file promised and did not give.
    """
    kinds: Counts = {}
    for reason in reasons:
        kind = reason.split("=", 1)[0].split(" ", 1)[0]
        kinds[kind] = kinds.get(kind, 0) + 1
    if lost:
        kinds["file"] = lost
    quarantined = len(reasons) + lost
    if not priced.num_rows:
        return BookTotals(quarantined, quarantined, quarantine=kinds)
    offered = _cents(priced, "offered_premium")
    change = priced["change"].to_numpy()
    moved = np.where(np.isnan(change), 0, offered - _cents(priced, EXPIRING))
    bounded = (
        _cents(priced, "bounded_premium") if "bounded_premium" in priced.schema.names else offered
    )
    reason_counts, reason_moved = _by_reason(priced, moved)
    per_cent = np.clip(np.floor(100 * change[~np.isnan(change)] + 1e-9), -100, PER_CENT)
    beside = [name for name in priced.schema.names if name.startswith("offered_premium_")]
    return BookTotals(
        priced.num_rows + quarantined,
        quarantined,
        _bordereau(priced, as_of, (offered, bounded), change),
        _counted(per_cent.astype(np.int64)),
        reason_counts,
        reason_moved,
        _text_counts(priced["underwriting"]),
        kinds,
        {n.removeprefix("offered_premium_"): int(_cents(priced, n).sum()) for n in beside},
        int((bounded != offered).sum()),
    )


def _bordereau(
    priced: arrow.Table, as_of: date, cents: tuple[IntArray, IntArray], change: FloatArray
) -> dict[str, dict[str, Sums]]:
    offered, bounded = cents
    days = pc.fill_null(priced[EFFECTIVE].cast(arrow.int32()), (as_of - _EPOCH).days).to_numpy()
    month = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    plan = priced["plan"].combine_chunks().dictionary_encode()
    names = plan.dictionary.to_pylist()
    groups, place = np.unique(month * len(names) + plan.indices.to_numpy(), return_inverse=True)
    compared = ~np.isnan(change)
    expiring = np.where(compared, _cents(priced, EXPIRING), 0)
    values = {
        "policies": np.ones(len(place)),
        "compared": compared,
        "rising": compared & (offered > expiring),
        "falling": compared & (offered < expiring),
        "expected_plan_paid": _cents(priced, "expected_plan_paid"),
        "technical": _cents(priced, "technical_premium"),
        "offered": offered,
        "bounded": bounded,
        "expiring": expiring,
        "compared_offered": np.where(compared, offered, 0),
    }
    # Cents of a chunk stay far below 2^53, so the doubles of bincount are exact.
    sums = {name: np.bincount(place, weights).astype(np.int64) for name, weights in values.items()}
    found: dict[str, dict[str, Sums]] = {}
    for at, group in enumerate(groups.tolist()):
        told = str(np.datetime64(group // len(names), "M"))
        one = Sums(**{name: int(of_group[at]) for name, of_group in sums.items()})
        found.setdefault(told, {})[names[group % len(names)]] = one
    return {name: dict(sorted(plans.items())) for name, plans in sorted(found.items())}


def _by_reason(priced: arrow.Table, moved: IntArray) -> tuple[Counts, Counts]:
    first = priced["reason_1"].combine_chunks().dictionary_encode()
    names = first.dictionary.to_pylist()
    codes = first.indices.fill_null(len(names)).to_numpy()
    counts, amounts = {}, {}
    for way, rows in (("rise", moved > 0), ("fall", moved < 0)):
        size = len(names) + 1
        policies = np.bincount(codes[rows], minlength=size)
        premium = np.bincount(codes[rows], moved[rows], minlength=size)
        for place, name in enumerate(names):
            if policies[place]:
                counts[f"{way} {name}"] = int(policies[place])
                amounts[f"{way} {name}"] = int(premium[place])
    return counts, amounts


def _cents(priced: arrow.Table, name: str) -> IntArray:
    values = priced[name].cast(arrow.float64()).to_numpy()
    found: IntArray = np.rint(np.nan_to_num(values) * 100).astype(np.int64)
    return found


def _counted(values: IntArray) -> Counts:
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(map(str, found.tolist()), counts.tolist(), strict=True))


def _text_counts(column: arrow.ChunkedArray) -> Counts:
    rows = pc.value_counts(column.drop_null()).to_pylist()
    return {row["values"]: row["counts"] for row in rows}


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> Counts:
    return {name: one.get(name, 0) + other.get(name, 0) for name in sorted({*one, *other})}
