"""The best set of plans under a monthly budget, exactly, and what a little more would buy.

A mixed integer programme of a few dozen yes-or-no variables (HiGHS, by SciPy): one variant of a
product, one product of an exclusive group, none without what it requires, and the premiums within
the budget. Amounts are whole cents, so that no rounding lets a bundle exceed it. The same value for
less premium is taken first.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from riskengine.errors import InputError
from riskengine.products.product import Plan
from riskengine.recommendation.scoring import Scored

_OF_A_CENT = 1e-7


@dataclass(frozen=True)
class Choice:
    """A plan that could be in a bundle: what it costs a month and what it is worth net, a year."""

    plan: Plan
    monthly_cents: int
    net: float


@dataclass(frozen=True)
class Bundle:
    """Plans in the order of the choices; `net` is a year, in currency."""

    plans: tuple[str, ...]
    monthly_cents: int
    net: float


@dataclass(frozen=True)
class MoreBudget:
    """The bundle under a larger budget: plans `gained` and `dropped`, and the worth that adds."""

    bundle: Bundle
    gained: tuple[str, ...]
    dropped: tuple[str, ...]
    net_gain: float


def bundle_choices(considered: Sequence[Scored]) -> tuple[Choice, ...]:
    """The plans that serve a need, a twelfth of their premium a month, rounded up to a cent."""
    return tuple(
        Choice(one.plan, math.ceil(round(one.value.premium * 100) / 12), one.value.net)
        for one in considered
        if one.need_points > 0
    )


def best_bundle(
    choices: Sequence[Choice], budget_cents: int, held: frozenset[str] = frozenset()
) -> Bundle:
    """The plans of most net worth together within `budget_cents` a month.

    `held` are products a member has. An empty bundle is an answer: nothing is worth its premium.
    Raises `InputError` for a negative budget or premium.
    """
    if budget_cents < 0 or any(one.monthly_cents < 0 for one in choices):
        message = f"budget {budget_cents} or a premium is below 0: give cents of 0 or more"
        raise InputError(message)
    named = {name for one in choices for name in one.plan.suitability.requires}
    choices = [
        one
        for one in choices
        if one.monthly_cents <= budget_cents and (one.net > 0 or one.plan.product in named)
    ]
    if not choices:
        return Bundle((), 0, 0.0)
    rows, most = _rules(choices, held)
    cents = np.array([one.monthly_cents for one in choices], dtype=np.float64)
    gain = np.array([one.net for one in choices]) - _OF_A_CENT * cents
    found = milp(
        -gain,
        integrality=np.ones(len(choices)),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(
            csr_array(np.vstack([cents, *rows])), ub=np.array([float(budget_cents), *most])
        ),
        options={"mip_rel_gap": 0.0},
    )
    if found.x is None:
        message = f"no bundle was found: {found.message}"
        raise InputError(message)
    taken = [one for one, share in zip(choices, found.x, strict=True) if share > 0.5]
    return Bundle(
        tuple(one.plan.plan for one in taken),
        sum(one.monthly_cents for one in taken),
        float(sum(one.net for one in taken)),
    )


def _rules(choices: Sequence[Choice], held: frozenset[str]) -> tuple[list[np.ndarray], list[float]]:
    """Rows of the programme and the most each may come to."""
    products: Mapping[str, np.ndarray] = {
        name: np.array([one.plan.product == name for one in choices], dtype=np.float64)
        for name in dict.fromkeys(one.plan.product for one in choices)
    }
    rows, most = list(products.values()), [1.0] * len(products)
    groups = {one.plan.suitability.exclusive_group for one in choices} - {None}
    for group in sorted(groups, key=str):
        rows.append(
            np.array([one.plan.suitability.exclusive_group == group for one in choices], float)
        )
        most.append(1.0)
    for at, one in enumerate(choices):
        fits = one.plan.suitability
        if fits.requires and not held & set(fits.requires):
            row = -np.sum([products[n] for n in fits.requires if n in products], axis=0)
            row = np.broadcast_to(row, len(choices)).copy()
            row[at] += 1
            rows.append(row)
            most.append(0.0)
        for name in fits.supersedes:
            if name in products:
                row = products[name].copy()
                row[at] += 1
                rows.append(row)
                most.append(1.0)
    return rows, most


def what_more_buys(
    choices: Sequence[Choice],
    budget_cents: int,
    more_cents: int,
    held: frozenset[str] = frozenset(),
) -> MoreBudget:
    """What `more_cents` a month on top of a budget would change; raises as `best_bundle`."""
    before = best_bundle(choices, budget_cents, held)
    after = best_bundle(choices, budget_cents + more_cents, held)
    return MoreBudget(
        after,
        tuple(name for name in after.plans if name not in before.plans),
        tuple(name for name in before.plans if name not in after.plans),
        after.net - before.net,
    )
