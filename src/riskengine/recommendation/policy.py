"""The policies behind a recommendation: dated choices, as data, each with unit and reference.

What the insurer earns is no field of them, and a file that names it does not load.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import BaseModel

from riskengine.errors import SpecError, UnknownNameError
from riskengine.products.benefit import AnyPeril, Peril
from riskengine.products.load import read_yaml
from riskengine.products.rate_book import Parameter
from riskengine.vocabulary import Frozen

POLICY_FILE = "recommendation_policy.yaml"


class RankingPolicy(Frozen):
    """How much a member is taken to dislike risk; see `riskengine.recommendation.value`."""

    edition: str
    risk_aversion: Parameter


def read_ranking_policy(folder: Path) -> RankingPolicy:
    """The policy in `folder` (`ranking_policy.yaml`); raises `SpecError` when it is broken."""
    return read_yaml(folder / "ranking_policy.yaml", RankingPolicy)


class NeedPoints(Frozen):
    """Points of a need: that the member `stated`, that is a `gap`, and for a chance of 1.

    What is `inferred` from a chance counts `inferred_cap` at most.
    """

    stated: Parameter
    gap: Parameter
    inferred: Parameter
    inferred_cap: Parameter
    first_band: Parameter
    second_band: Parameter


class Weights(Frozen):
    """Weights inside a band of need; there are these three and no other."""

    value: Parameter
    take_up: Parameter
    affordability: Parameter


class Exploration(Frozen):
    """How far the order inside the first band may be drawn, and the least chance of each plan."""

    temperature: Parameter
    floor: Parameter


class RecommendationPolicy(RankingPolicy):
    """All choices of one market; `losses` are what an event or day costs a member besides bills."""

    market: str
    need: NeedPoints
    weights: Weights
    value_scale: Parameter
    affordable_share: Parameter
    least_worth: Parameter
    slate_size: Parameter
    exploration: Exploration
    loss_a_day: Parameter | None
    losses: dict[AnyPeril, dict[str, Parameter]]

    def on(self, as_of: date) -> "Choices":
        """The choices in force on a day.

        Raises `UnknownNameError` before the first one and `SpecError` for one out of range.
        """
        numbers = {name: parameter.on(as_of, name) for name, parameter in _parameters(self)}
        losses = {
            peril: {stage: p.on(as_of, f"losses.{peril}.{stage}") for stage, p in stages.items()}
            for peril, stages in self.losses.items()
        }
        return Choices(numbers, losses)


_RANGES = {
    "risk_aversion": (1.0, 10.0),
    "need.inferred_cap": (0.0, 1e6),
    "value_scale": (1e-9, 1e12),
    "affordable_share": (0.0, 1.0),
    "slate_size": (1.0, 50.0),
    "exploration.temperature": (1e-6, 1e6),
    "exploration.floor": (0.0, 0.5),
}


@dataclass(frozen=True)
class Choices:
    """The numbers of a policy on one day, by dotted name, and losses by peril and stage.

    Raises `SpecError` for a number out of range, and where what is inferred could outweigh what
    the member said.
    """

    numbers: Mapping[str, float]
    losses: Mapping[Peril, Mapping[str, float]]

    def __post_init__(self) -> None:
        for name, value in self.numbers.items():
            low, high = _RANGES.get(name, (0.0, float("inf")))
            if not low <= value <= high:
                message = f"{name} is {value:g} in the policy: give a number from {low:g} to {high}"
                raise SpecError(message)
        if self["need.inferred_cap"] >= self["need.stated"]:
            message = (
                f"need.inferred_cap {self['need.inferred_cap']:g} is not below need.stated"
                f" {self['need.stated']:g}: nothing inferred may outweigh what a member said"
            )
            raise SpecError(message)

    def __getitem__(self, name: str) -> float:
        if name in self.numbers:
            return self.numbers[name]
        message = f"the policy has no number {name!r}; there are {', '.join(self.numbers)}"
        raise UnknownNameError(message)

    def loss(self, peril: Peril, stage: str) -> float:
        """What an event costs a member besides bills, in currency.

        Raises `UnknownNameError` for one without a figure: it is never taken as 0.
        """
        if stage in self.losses.get(peril, {}):
            return self.losses[peril][stage]
        message = f"the policy has no losses.{peril}.{stage}: add it, a plan insures it"
        raise UnknownNameError(message)


def read_recommendation_policy(folder: Path) -> RecommendationPolicy:
    """The policy of a market's `folder`, with every number in range on every day.

    Raises `SpecError` naming file, line, value and fix.
    """
    policy = read_yaml(folder / POLICY_FILE, RecommendationPolicy)
    parameters = [parameter for _, parameter in _parameters(policy)]
    first = max(min(one.effective_from for one in p.values) for p in parameters)
    days = {one.effective_from for p in parameters for one in p.values}
    for day in sorted(day for day in days if day >= first):
        try:
            policy.on(day)
        except SpecError as error:
            message = f"{folder / POLICY_FILE}: on {day}, {error}"
            raise SpecError(message) from error
    return policy


def _parameters(model: BaseModel, before: str = "") -> Iterator[tuple[str, Parameter]]:
    """Every parameter but the losses, by dotted name."""
    for name, value in model:
        if isinstance(value, Parameter):
            yield before + name, value
        elif isinstance(value, BaseModel):
            yield from _parameters(value, f"{before}{name}.")
