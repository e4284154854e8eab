"""What a change of prices does to a book: dislocation, who moves and why, loss ratio and volume.

Pure arithmetic over two prices of the same policies. Reasons come from the steps of both premiums:
each step multiplies, so the logarithm of the change is the sum of what its steps changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from riskengine.errors import InputError
from riskengine.vocabulary import AnyArray, Columns, FloatArray, IntArray

_MOVED = 1e-9
_TELLING = 1e-4
"""Smallest part of a change, on the scale of logarithms, that is given as a reason."""
BOUNDS = ("cap", "collar", "minimum_premium")
"""Steps that set a premium where they bind."""
_BINDS, _ROUNDING = 1000.0, "offered_premium"


@dataclass(frozen=True, eq=False)
class TwoPrices:
    """Both offered premiums of n policies, currency a year, (n,), and what they are made of.

    `expected` is what the plan is expected to pay by the new release. `old_steps` and `new_steps`
    have what each step multiplies the premium by, (n,) by name.
    """

    plan: AnyArray
    old: FloatArray
    new: FloatArray
    expected: FloatArray
    old_steps: Mapping[str, FloatArray]
    new_steps: Mapping[str, FloatArray]

    def __post_init__(self) -> None:
        for name, premium in (("old", self.old), ("new", self.new)):
            if not (premium > 0).all():
                row = int(np.argmin(premium > 0))
                message = (
                    f"the {name} premium of row {row} is {premium[row]}: no change from or to it"
                )
                raise InputError(message)


@dataclass(frozen=True)
class RateChange:
    """Bounds on the change of a premium at once, as shares; None: there is no such bound."""

    cap: float | None = None
    collar: float | None = None

    def __post_init__(self) -> None:
        for name, value, most in (("cap", self.cap, np.inf), ("collar", self.collar, 1.0)):
            if value is not None and not 0 <= value < most:
                message = f"{name}={value}: give a share of 0 or more" + (
                    ", below 1" if name == "collar" else ""
                )
                raise InputError(message)

    def bound(self, old: FloatArray, new: FloatArray) -> FloatArray:
        """The new premiums, no further from the old ones than allowed, (n,).

        >>> RateChange(cap=0.2).bound(np.array([100.0, 100.0]), np.array([150.0, 90.0])).tolist()
        [120.0, 90.0]
        """
        low = 0.0 if self.collar is None else 1 - self.collar
        high = np.inf if self.cap is None else 1 + self.cap
        bounded: FloatArray = np.clip(new, old * low, old * high)
        return bounded


@dataclass(frozen=True)
class Totals:
    """A book at one price: `premium` and `expected`, currency a year, of `volume` policies."""

    volume: float
    premium: float
    expected: float

    @property
    def loss_ratio(self) -> float:
        """Expected claims over premium."""
        return self.expected / self.premium


def contributions(prices: TwoPrices) -> dict[str, FloatArray]:
    """What each step adds to the logarithm of new over old premium, (n,) each.

    They add up to it, but for the rounding to cents. A step that one side lacks has there a factor
    of 1, for that premium went without it.
    """
    names = dict.fromkeys([*prices.old_steps, *prices.new_steps])
    one = np.ones(len(prices.old))
    return {
        name: np.log(prices.new_steps.get(name, one)) - np.log(prices.old_steps.get(name, one))
        for name in names
    }


def main_reasons(prices: TwoPrices, count: int = 3) -> AnyArray:
    """The steps that explain most of each change, in its direction: (n, count), None for no more.

    A step that moves the premium by less than one part in ten thousand is no reason.
    """
    parts = contributions(prices)
    codes = reason_codes(toward(parts, np.log(prices.new / prices.old)), count)
    return np.asarray(np.array([*parts, None], dtype=object)[codes.T])


def toward(parts: Mapping[str, FloatArray], moved: FloatArray) -> FloatArray:
    """How far each part goes the way of the change `moved` (n,), all on the scale of logarithms.

    (parts, n); 0 where nothing has moved.
    """
    way = np.where(np.abs(moved) > _MOVED, np.sign(moved), 0.0)
    found: FloatArray = np.stack(list(parts.values())) * way
    return found


def standing_parts(steps: Mapping[str, FloatArray], moved: FloatArray) -> dict[str, FloatArray]:
    """What speaks for a change `moved` (n,) from a premium whose steps are not known, (n,) each.

    First the bounds that bind, for they set the premium: cap, collar, minimum premium. Then the
    logarithm of each factor, which is its distance from the base level. The amount that the chain
    begins with, and the rounding, are no reasons.
    """
    first, *others = steps
    way = np.sign(moved)
    found = {first: np.zeros(len(moved))}
    for name in others:
        effect = np.log(steps[name])
        if name == _ROUNDING:
            effect = np.zeros(len(moved))
        elif name in BOUNDS:
            effect = np.where(np.abs(effect) > _TELLING, way * (_BINDS + np.abs(effect)), 0.0)
        found[name] = effect
    return found


def reason_codes(strength: FloatArray, count: int = 3) -> IntArray:
    """The strongest parts of each change: rows of `strength` (parts, n), (count, n), -1: no more.

    Of two equally strong the first comes first.

    >>> reason_codes(np.array([[0.1, 0.0], [0.3, 0.0]]), 2).tolist()
    [[1, -1], [0, -1]]
    """
    left, rows = strength.copy(), np.arange(strength.shape[1])
    codes = np.full((count, strength.shape[1]), -1, dtype=np.int64)
    for place in range(min(count, len(strength))):
        best = left.argmax(axis=0)
        codes[place] = np.where(left[best, rows] > _TELLING, best, -1)
        left[best, rows] = -np.inf
    return codes


def totals_at(
    premium: FloatArray, expected: FloatArray, old: FloatArray, elasticity: float
) -> Totals:
    """The book at a premium (n,), with as many policies as demand at constant elasticity leaves.

    A policy counts `(premium / old) ^ elasticity`; 0 keeps all of them. Raises `InputError` for an
    elasticity above 0: nobody buys more for paying more.

    >>> totals_at(np.array([121.0]), np.array([80.0]), np.array([100.0]), -0.5).volume
    0.9090909090909091
    """
    if not elasticity <= 0:
        message = f"elasticity={elasticity}: give 0 or a negative number, such as -0.5"
        raise InputError(message)
    volume = (premium / old) ** elasticity
    return Totals(float(volume.sum()), float(volume @ premium), float(volume @ expected))


def by_segment(prices: TwoPrices, premium: FloatArray, segments: Columns) -> pd.DataFrame:
    """One row a level of each segment: policies, old and new premium, change, shares that rise.

    Columns: segment, level, policies, old_premium, new_premium (totals, currency a year), change
    (of the total), rising and falling (shares of policies), loss_ratio (expected over new premium).
    """
    moved = premium / prices.old - 1
    rows = []
    for name, values in segments.items():
        levels = pd.Series(values, dtype=object).fillna("missing").astype(str)
        for level, places in sorted(levels.groupby(levels).indices.items()):
            old, new = prices.old[places].sum(), premium[places].sum()
            rows.append(
                {
                    "segment": name,
                    "level": level,
                    "policies": len(places),
                    "old_premium": old,
                    "new_premium": new,
                    "change": new / old - 1,
                    "rising": float(np.mean(moved[places] > _MOVED)),
                    "falling": float(np.mean(moved[places] < -_MOVED)),
                    "loss_ratio": prices.expected[places].sum() / new,
                }
            )
    return pd.DataFrame(rows)


def reason_counts(prices: TwoPrices) -> pd.DataFrame:
    """How many policies rise and fall mainly for each step, and by how much premium: one row each.

    Columns: direction (`rise` or `fall`), reason, policies, premium (currency a year).
    """
    first = main_reasons(prices, 1)[:, 0]
    change = prices.new - prices.old
    frame = pd.DataFrame(
        {
            "direction": np.where(change > 0, "rise", "fall"),
            "reason": first,
            "policies": 1,
            "premium": change,
        }
    ).dropna(subset="reason")
    counted = frame.groupby(["direction", "reason"], as_index=False).sum()
    return counted.sort_values("policies", ascending=False, ignore_index=True)
