"""The chain from pure premium to offered premium, every step named and replayable.

All members at once: a step is a column. A live quote is the same chain over one row, so batch and
live agree bit for bit. Floats carry the chain; the one rounding, to cents and half up, is decimal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from itertools import pairwise
from math import floor
from typing import TypeAlias

import numpy as np

from riskengine.errors import InputError
from riskengine.pricing.utilisation import InducedUtilisation
from riskengine.products.rate_book import Loadings
from riskengine.vocabulary import FloatArray, IntArray, Operation

CENT = Decimal("0.01")
_MOST = 1e12
_NO_PREMIUM = "a premium is negative, too large or not a number: check the inputs of its chain"
Planned: TypeAlias = tuple[str, Operation, FloatArray | float]
"""A step still to be taken: its name, what it does, and with which value."""


@dataclass(frozen=True)
class Step:
    """One step of the chain for n members: `running` is what results, in currency a year."""

    name: str
    operation: Operation
    value: FloatArray
    running: FloatArray


class StepUnit(StrEnum):
    """What the value of a step is in; `factor` and `share` are pure numbers."""

    CURRENCY_A_YEAR = "currency_a_year"
    CURRENCY_A_DAY = "currency_a_day"
    CURRENCY_AN_EVENT = "currency_an_event"
    DAYS_A_YEAR = "days_a_year"
    EVENTS_A_YEAR = "events_a_year"
    FACTOR = "factor"
    SHARE = "share"
    INSTALMENTS = "instalments"
    DECIMALS = "decimals"


_UNITS = {
    "expected_days": StepUnit.DAYS_A_YEAR,
    "expected_events": StepUnit.EVENTS_A_YEAR,
    "payment_per_day": StepUnit.CURRENCY_A_DAY,
    "payment_per_event": StepUnit.CURRENCY_AN_EVENT,
    "actuarial_value": StepUnit.SHARE,
    "permissible_loss_ratio": StepUnit.SHARE,
    "payments": StepUnit.INSTALMENTS,
}


def unit_of(name: str, operation: Operation) -> StepUnit:
    """The unit of the value of a step.

    >>> unit_of("base_rate", Operation.START).value, unit_of("sex", Operation.MULTIPLY).value
    ('currency_a_year', 'factor')
    """
    if name in _UNITS:
        return _UNITS[name]
    if operation is Operation.ROUND:
        return StepUnit.DECIMALS
    if name == "offered_premium":
        return StepUnit.INSTALMENTS
    return StepUnit.FACTOR if operation is Operation.MULTIPLY else StepUnit.CURRENCY_A_YEAR


@dataclass(frozen=True)
class PremiumChain:
    """The steps of one plan for n members and the premium they end in, in whole cents (n,)."""

    steps: tuple[Step, ...]
    offered_cents: IntArray

    @property
    def technical_premium(self) -> FloatArray:
        """The premium before the rounding, in currency a year, (n,)."""
        return self.steps[-2].running

    @property
    def expected_plan_paid(self) -> FloatArray:
        """What the plan is expected to pay, before expenses, in currency a year, (n,)."""
        return self.steps[3].running


def premium_chain(
    mean: FloatArray,
    actuarial_value: FloatArray,
    utilisation: InducedUtilisation,
    loadings: Loadings,
) -> PremiumChain:
    """Price one plan for n members.

    `mean` (n,) is the annual ground-up cost under free care, in currency; `actuarial_value` (n,)
    the share of the trended cost that the plan pays. The order is trend, benefit, use, expenses:
    trend comes before the benefit, because a fixed deductible loses its bite as costs rise.
    """
    use = utilisation.factor(actuarial_value)
    planned: Sequence[Planned] = (
        ("pure_premium", Operation.START, mean),
        ("trend_factor", Operation.MULTIPLY, loadings.trend_factor),
        ("actuarial_value", Operation.MULTIPLY, actuarial_value),
        ("induced_utilisation", Operation.MULTIPLY, use),
        ("fixed_expense", Operation.ADD, loadings.fixed_expense),
        ("permissible_loss_ratio", Operation.DIVIDE, loadings.permissible_loss_ratio),
    )
    steps = run(planned, np.zeros(len(mean)))
    cents = round_half_up(steps[-1].running)
    rounding = Step("offered_premium", Operation.ROUND, np.full(len(mean), 2.0), cents / 100)
    return PremiumChain((*steps, rounding), cents)


def run(planned: Sequence[Planned], running: FloatArray) -> tuple[Step, ...]:
    """The steps one after the other, from `running` (n,) on; values are for one or for all n.

    >>> planned = [("filed_premium", Operation.START, 80.0), ("cap", Operation.AT_MOST, 75.0)]
    >>> [step.running.tolist() for step in run(planned, np.zeros(1))]
    [[80.0], [75.0]]
    """
    steps = []
    for name, operation, value in planned:
        column = np.asarray(value, dtype=np.float64)
        if column.shape != running.shape:
            one = running.size == 1
            column = column.reshape(1) if one else np.broadcast_to(column, running.shape)
        running = apply(operation, running, column)
        steps.append(Step(name, operation, column, running))
    return tuple(steps)


def effects_of(steps: Sequence[Step]) -> dict[str, FloatArray]:
    """What each step multiplies a premium by, (n,) each; the first is the amount it starts at.

    Their product is the last step's running value to 1e-12, so a change of premium is their
    changes. Raises `InputError` for a premium of 0 before a step: no factor leads from it.

    >>> planned = [("base_rate", Operation.START, 80.0), ("fixed_expense", Operation.ADD, 20.0)]
    >>> {name: float(f[0]) for name, f in effects_of(run(planned, np.zeros(1))).items()}
    {'base_rate': 80.0, 'fixed_expense': 1.25}
    """
    found = {steps[0].name: steps[0].running}
    for before, step in pairwise(steps):
        if not (before.running > 0).all():
            message = f"the premium before step {step.name} is 0: no factor explains what follows"
            raise InputError(message)
        # A factor is its own effect: the quotient would only add noise to its last digits.
        multiplies = step.operation is Operation.MULTIPLY
        found[step.name] = step.value if multiplies else step.running / before.running
    return found


def apply(operation: Operation, running: FloatArray, value: FloatArray) -> FloatArray:
    """One operation of the chain; anyone can replay a quote with it.

    A limit that is NaN does not bind: the member has nothing to be limited by.
    """
    match operation:
        case Operation.START:
            return value
        case Operation.MULTIPLY:
            return running * value
        case Operation.ADD:
            return running + value
        case Operation.DIVIDE:
            return running / value
        case Operation.AT_MOST:
            return np.fmin(running, value)
        case Operation.AT_LEAST:
            return np.fmax(running, value)
        case Operation.ROUND:
            return round_half_up(running) / 100


def round_half_up(amount: FloatArray) -> IntArray:
    """Amounts in currency to whole cents, half up, as decimal arithmetic on their digits would.

    Only rows next to half a cent need the decimal; the rest cannot round differently. Raises
    `InputError` for an amount that is negative or not finite.

    >>> round_half_up(np.array([1.005, 2.675, 2.6749])).tolist()
    [101, 268, 267]
    """
    if not ((amount >= 0) & (amount < _MOST)).all():
        raise InputError(_NO_PREMIUM)
    scaled = amount * 100
    cents = np.floor(scaled + 0.5).astype(np.int64)
    near_half = np.abs(scaled - np.floor(scaled) - 0.5) < 1e-9 * np.maximum(scaled, 1.0)
    for row in near_half.nonzero()[0]:
        cents[row] = _exact_cents(float(amount[row]))
    return cents


def cents_half_up(amount: float) -> int:
    """`round_half_up` of one amount.

    >>> cents_half_up(1.005)
    101
    """
    if not 0 <= amount < _MOST:
        raise InputError(_NO_PREMIUM)
    scaled = amount * 100
    if abs(scaled - floor(scaled) - 0.5) < 1e-9 * max(scaled, 1.0):
        return _exact_cents(amount)
    return floor(scaled + 0.5)


def _exact_cents(amount: float) -> int:
    return int(Decimal(repr(amount)).quantize(CENT, ROUND_HALF_UP) * 100)


def money_text(cents: int) -> str:
    """Cents, 0 or more, as an amount of money in decimal digits.

    >>> money_text(123405)
    '1234.05'
    """
    return f"{cents // 100}.{cents % 100:02d}"
