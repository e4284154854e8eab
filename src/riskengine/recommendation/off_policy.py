"""What another policy would have earned in logged decisions, from the exact propensities kept.

w = P(target shows what was shown) / P(it was shown), r the reward, q a prediction of it that did
not learn from the row, and q(target) its mean under the target:
inverse propensity (IPS, Horvitz and Thompson, 1952)        mean(w r)
self-normalised (SNIPS, Swaminathan and Joachims, 2015)     sum(w r) / sum(w)
doubly robust (DR, Dudik, Langford and Li, 2011)            mean(q(target) + w (r - q))
IPS and DR are unbiased where the log could have shown all that the target shows; DR varies less as
far as q explains r. Where the log hardly could, or few rows carry all the weight, there is no
verdict, and the numbers say why. Left out: how a policy is replayed (`replay`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from riskengine.errors import InputError
from riskengine.risk.diagnostics.bootstrap import Interval, draw_members
from riskengine.vocabulary import FloatArray, IntArray, Text

LEAST_SUPPORT = 0.95
"""Of the target's probability, what the log could have shown."""
LEAST_EFFECTIVE = 200.0
"""Decisions of equal weight that would tell as much (Kish, 1965)."""
SEED = 1
_OWN = 5.0
"""Decisions whose mean weighs as much as that of all actions, in `rewards_by_action`."""


class Verdict(StrEnum):
    """What a comparison of the target with the log comes to."""

    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no_difference"
    REFUSED = "refused"


@dataclass(frozen=True, eq=False)
class Logged:
    """n decisions as logged and as a target policy would have taken them, arrays (n,).

    `propensity` is the probability of what was shown, `target` that the target shows just this,
    `support` the target's probability of all that the log could have shown. `predicted` is the
    reward predicted of what was shown, `expected` its mean under the target; `member` numbers whose
    decisions stay together. Raises `InputError` for probabilities that can be none.
    """

    reward: FloatArray
    propensity: FloatArray
    target: FloatArray
    support: FloatArray
    predicted: FloatArray
    expected: FloatArray
    member: IntArray

    def __post_init__(self) -> None:
        sizes = {name: len(values) for name, values in vars(self).items()}
        if len(set(sizes.values())) > 1 or not len(self.reward):
            message = f"a log needs one value a decision, and one decision at least: {sizes}"
            raise InputError(message)
        for name, least in (("propensity", 0.0), ("target", -1.0), ("support", -1.0)):
            values = getattr(self, name)
            wrong = ~((values > least) & (values >= 0) & (values <= 1 + 1e-9))
            if wrong.any():
                row = int(np.flatnonzero(wrong)[0])
                wanted = "above 0, up to 1" if least == 0 else "from 0 to 1"
                message = f"{name} of decision {row} is {values[row]:g}: give one {wanted}"
                raise InputError(message)

    @property
    def weight(self) -> FloatArray:
        """Importance weights (n,)."""
        found: FloatArray = self.target / self.propensity
        return found


@dataclass(frozen=True)
class OffPolicy:
    """Rewards a decision: as `logged`, and of the target by three estimators, with 95 % intervals.

    `gain` is doubly robust less logged, paired. `support` is the target's probability that the log
    covers, `effective_sample` in decisions.
    """

    decisions: int
    members: int
    logged: Interval
    ips: Interval
    snips: Interval
    dr: Interval
    gain: Interval
    support: float
    effective_sample: float
    largest_weight: float

    @property
    def refusals(self) -> tuple[Text, ...]:
        """Why there is no verdict, with numbers; empty where there is one."""
        found = []
        if self.support < LEAST_SUPPORT:
            found.append(
                Text(
                    zh=f"日志只覆盖目标策略{self.support:.1%}的展示（至少须{LEAST_SUPPORT:.0%}）：其余从未"
                    "可能被展示过。",
                    en=f"The log covers {self.support:.1%} of what the target would show"
                    f" ({LEAST_SUPPORT:.0%} are needed): the rest could never have been shown.",
                )
            )
        if self.effective_sample < LEAST_EFFECTIVE:
            found.append(
                Text(
                    zh=f"{self.decisions:,}次决策的有效样本为{self.effective_sample:.0f}（至少须"
                    f"{LEAST_EFFECTIVE:.0f}）：最大权重{self.largest_weight:.1f}。",
                    en=f"{self.decisions:,} decisions are worth {self.effective_sample:.0f} of"
                    f" equal weight ({LEAST_EFFECTIVE:.0f} are needed): the largest weight is"
                    f" {self.largest_weight:.1f}.",
                )
            )
        return tuple(found)

    @property
    def verdict(self) -> Verdict:
        """By the interval of the gain, unless it is refused."""
        if self.refusals:
            return Verdict.REFUSED
        if self.gain.low > 0:
            return Verdict.BETTER
        return Verdict.WORSE if self.gain.high < 0 else Verdict.NO_DIFFERENCE


def off_policy(log: Logged) -> OffPolicy:
    """All estimates of a log, with one set of bootstrap draws of members for all.

    >>> ones = np.ones(4)
    >>> shown = Logged(np.array([1.0, 0, 1, 0]), ones / 2, np.array([1.0, 0, 1, 0]), ones,
    ...     ones / 2, ones / 2, np.arange(4))
    >>> found = off_policy(shown)
    >>> found.logged.mean, found.ips.mean, found.snips.mean, found.dr.mean, found.effective_sample
    (0.5, 1.0, 1.0, 1.0, 2.0)
    """
    draws = draw_members(log.member, np.random.default_rng(SEED))
    weight, ones = log.weight, np.ones(len(log.reward))
    doubly = log.expected + weight * (log.reward - log.predicted)
    squares = float(np.sum(weight**2))
    return OffPolicy(
        decisions=len(log.reward),
        members=len(np.unique(log.member)),
        logged=draws.ratio(log.reward, ones),
        ips=draws.ratio(weight * log.reward, ones),
        snips=draws.ratio(weight * log.reward, weight),
        dr=draws.ratio(doubly, ones),
        gain=draws.ratio(doubly - log.reward, ones),
        support=float(np.mean(log.support)),
        effective_sample=float(np.sum(weight)) ** 2 / squares if squares > 0 else 0.0,
        largest_weight=float(weight.max()),
    )


@dataclass(frozen=True, eq=False)
class Shown:
    """n decisions among k actions: `action` (n,) taken, its `reward` (n,), whose it was (n,)."""

    action: IntArray
    reward: FloatArray
    member: IntArray


def logged_actions(
    shown: Shown,
    logging: FloatArray,
    target: FloatArray,
    predicted: FloatArray | None = None,
) -> Logged:
    """A log with the probabilities (n, k) of every action under the log and under the target.

    `predicted` (n, k) are rewards predicted without the row; by action alone where there are none.
    Raises `InputError` for probabilities that do not sum to 1.

    >>> shown = Shown(np.array([0, 1]), np.array([1.0, 0.0]), np.arange(2))
    >>> half = np.full((2, 2), 0.5)
    >>> log = logged_actions(shown, half, np.array([[1.0, 0.0]] * 2), np.zeros((2, 2)))
    >>> log.weight.tolist(), log.support.tolist()
    ([2.0, 0.0], [1.0, 1.0])
    """
    for name, chances in (("logging", logging), ("target", target)):
        wrong = np.abs(chances.sum(axis=1) - 1) > 1e-6
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            message = f"{name} of decision {row} sums to {chances[row].sum():g}: give all actions"
            raise InputError(message)
    if predicted is None:
        predicted = rewards_by_action(shown, logging.shape[1])
    rows = np.arange(len(shown.action))
    return Logged(
        reward=shown.reward,
        propensity=logging[rows, shown.action],
        target=target[rows, shown.action],
        support=(target * (logging > 0)).sum(axis=1),
        predicted=predicted[rows, shown.action],
        expected=(target * predicted).sum(axis=1),
        member=shown.member,
    )


def rewards_by_action(shown: Shown, actions: int) -> FloatArray:
    """Mean reward (n, actions) of each action among other members, shrunk to that of all actions.

    >>> shown = Shown(np.array([0, 0, 1]), np.array([1.0, 1.0, 0.0]), np.array([0, 1, 2]))
    >>> rewards_by_action(shown, 2)[2].tolist()
    [1.0, 1.0]
    """
    _, member = np.unique(shown.member, return_inverse=True)
    size = (int(member.max()) + 1, actions)
    totals, counts = np.zeros(size), np.zeros(size)
    np.add.at(totals, (member, shown.action), shown.reward)
    np.add.at(counts, (member, shown.action), 1.0)
    others, seen = totals.sum(axis=0) - totals, counts.sum(axis=0) - counts
    average = others.sum(axis=1) / np.maximum(seen.sum(axis=1), 1.0)
    found: FloatArray = (others + _OWN * average[:, None]) / (seen + _OWN)
    return found[member]


def as_record(found: OffPolicy) -> Mapping[str, object]:
    """The estimates, the verdict and every refusal for a JSON file."""
    told = {
        name: vars(value) if isinstance(value, Interval) else value
        for name, value in vars(found).items()
    }
    refused = [{"zh": one.zh, "en": one.en} for one in found.refusals]
    return {**told, "verdict": found.verdict.value, "refusals": refused}
