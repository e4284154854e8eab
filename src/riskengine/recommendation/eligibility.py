"""Gates: may this plan be offered to this member on this day. All failures are collected."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np

from riskengine.products.product import Plan
from riskengine.vocabulary import BoolArray, FloatArray


class Gate(StrEnum):
    """Why a plan may not be offered."""

    NOT_YET_ON_SALE = "not_yet_on_sale"
    ENTRY_AGE = "entry_age"


@dataclass(frozen=True)
class GateResult:
    """One gate of one plan for n members; `field` is the part of the request it looks at."""

    plan: str
    gate: Gate
    field: str
    allowed: str
    failed: BoolArray


@dataclass(frozen=True)
class Failure:
    """A gate that one member did not pass, with the value and what is allowed."""

    plan: str
    gate: Gate
    field: str
    value: str
    allowed: str


def gates(plan: Plan, age: FloatArray, as_of: date, *, renewal: bool = False) -> list[GateResult]:
    """Every gate of `plan` for members of `age` (n,), in years, on `as_of`.

    A renewal has no entry age: who is covered already may stay.

    Entry ages are in completed years, both ends included, and a birthday counts on its day. A
    missing age (NaN) fails no gate, for it is reported as missing before.
    """
    low, high = plan.entry_age.minimum, plan.entry_age.maximum
    return [
        GateResult(
            plan.plan,
            Gate.NOT_YET_ON_SALE,
            "as_of",
            plan.sold,
            np.full(len(age), not plan.on_sale(as_of, renewal=renewal)),
        ),
        GateResult(
            plan.plan,
            Gate.ENTRY_AGE,
            "age",
            f"for ages {low} to {high}",
            plan.entry_age.outside(age) & (not renewal),
        ),
    ]


def failures(plan: Plan, age: float, as_of: date) -> list[Failure]:
    """Every gate that `plan` fails for a member of `age` (years) on `as_of`; empty: eligible."""
    values = {"as_of": str(as_of), "age": f"{age:g}"}
    return [
        Failure(plan.plan, result.gate, result.field, values[result.field], result.allowed)
        for result in gates(plan, np.array([age]), as_of)
        if result.failed[0]
    ]
