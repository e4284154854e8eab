"""What each rule of a market costs: premium moved, and which group pays for which.

Each stage of a premium keeps the book's total, so a rule moves premium from some members to others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import pandas as pd

from riskengine.errors import InputError
from riskengine.pricing.filed import filed_premium, fitted, off_balance
from riskengine.products.rate_book_edition import Tariff
from riskengine.vocabulary import BoolArray, Columns, FloatArray

Stage: TypeAlias = tuple[str, FloatArray]
"""The name of a rule and the premium (n,) once it holds, currency a year."""


@dataclass(frozen=True)
class GroupEffect:
    """One group under a rule: premium a member-year `before` and `after` it, and the exposure."""

    group: str
    level: str
    exposure: float
    before: float
    after: float

    @property
    def subsidy(self) -> float:
        """What a member of the group pays for others a year; negative: what others pay for it."""
        return self.after - self.before


@dataclass(frozen=True)
class RuleCost:
    """`premium_moved` (currency a year) changes hands under the rule, `share` of the total.

    It is half the sum of all changes, each member's taken without sign.
    """

    rule: str
    premium_moved: float
    share: float
    groups: tuple[GroupEffect, ...]


def projected_stages(
    tariff: Tariff,
    technical: FloatArray,
    exposure: FloatArray,
    columns: Columns,
    charged: BoolArray | None = None,
) -> tuple[Stage, ...]:
    """The technical premium (n,) under one rule more at a time, down to the filed premium.

    `permitted_factors`: as close as the tariff's factors can follow; `maximum_ratios`: within the
    bounds on their spread; `filed_relativities`: with the tables as they are; `most_children`,
    where `charged` (n,) says whose premium a household pays: the others carry the rest. Raises as
    `riskengine.pricing.filed.fitted`.
    """
    by_rule = {
        "permitted_factors": fitted(tariff, technical, exposure, columns, limited=False),
        "maximum_ratios": fitted(tariff, technical, exposure, columns),
        "filed_relativities": tariff,
    }
    stages = [("technical_premium", technical)]
    for rule, rated in by_rule.items():
        base_rate = off_balance(rated, technical, exposure, columns)
        stages.append((rule, filed_premium(base_rate, rated, columns)[-1].running))
    if charged is not None:
        base_rate = off_balance(tariff, technical, exposure, columns, charged)
        paid = filed_premium(base_rate, tariff, columns)[-1].running * charged
        stages.append(("most_children", paid))
    return tuple(stages)


def rule_costs(
    stages: Sequence[Stage], exposure: FloatArray, groups: Columns
) -> tuple[RuleCost, ...]:
    """The cost of every rule after the first stage, by the levels of each column of `groups`.

    `exposure` (n,) in years. Raises `InputError` where a stage does not keep the total, for then
    its changes are no transfer between members.

    >>> stages = [("technical_premium", np.array([50.0, 150.0])), ("rule", np.full(2, 100.0))]
    >>> cost = rule_costs(stages, np.ones(2), {"sick": np.array(["no", "yes"], dtype=object)})[0]
    >>> cost.premium_moved, cost.share, [g.subsidy for g in cost.groups]
    (50.0, 0.25, [50.0, -50.0])
    """
    total = float(np.sum(exposure * stages[0][1]))
    found = []
    for (_, before), (rule, after) in pairwise(stages):
        now = float(np.sum(exposure * after))
        if not abs(now - total) <= 1e-6 * total:
            message = f"rule {rule} makes {total:.2f} of premium {now:.2f}: put it off balance"
            raise InputError(message)
        moved = float(np.sum(exposure * np.abs(after - before))) / 2
        effects = [
            effect
            for name, values in groups.items()
            for effect in _effects(name, values, exposure, (before, after))
        ]
        found.append(RuleCost(rule, moved, moved / total, tuple(effects)))
    return tuple(found)


def _effects(
    name: str, values: np.ndarray, exposure: FloatArray, premiums: tuple[FloatArray, FloatArray]
) -> list[GroupEffect]:
    code, levels = pd.factorize(values, sort=True)
    if (code < 0).any():
        message = f"group {name} is missing in row {int(np.argmax(code < 0))}: give every level"
        raise InputError(message)
    weight = np.bincount(code, exposure, len(levels))
    before, after = (np.bincount(code, exposure * p, len(levels)) / weight for p in premiums)
    return [
        GroupEffect(name, str(level), float(weight[at]), float(before[at]), float(after[at]))
        for at, level in enumerate(levels)
    ]
