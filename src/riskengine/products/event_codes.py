"""How events of a peril show in claims: by ICD-10 code, stage by stage, as data of a market.

`events.yaml` lists for each peril its stages from the mildest on, the codes of each by prefix, and
the share of events expected of it before any are seen, so that a stage too rare for the experience
is never priced at nothing.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from riskengine.products.benefit import Peril, Unit
from riskengine.products.marked_yaml import read_marked, validated
from riskengine.products.rate_book_numbers import Basis
from riskengine.products.suitability import Name
from riskengine.vocabulary import Frozen, Service

Codes = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[A-Z][0-9A-Z]*$")], ...], Field(strict=False)
]


class EventStage(Frozen):
    """One stage: code prefixes without the dot, and its expected share of all events."""

    stage: Name
    codes: Annotated[Codes, Field(min_length=1)]
    expected_share: float = Field(gt=0, le=1)


class PerilEvents(Frozen):
    """The events of one peril.

    `first_only`: only the first ever counts, as of an illness that stays; policies of members known
    for less than `washout_days` before are then no experience, for their illness may be older.
    `services` are those whose claim lines count. The expected shares weigh as much as
    `expected_events` events.
    """

    peril: Annotated[Peril, Field(strict=False)]
    first_only: bool
    washout_days: int = Field(ge=0)
    services: Annotated[tuple[Annotated[Service, Field(strict=False)], ...], Field(strict=False)]
    expected_events: float = Field(gt=0)
    stages: Annotated[tuple[EventStage, ...], Field(strict=False, min_length=1)]

    @model_validator(mode="after")
    def counts_events(self) -> "PerilEvents":
        if self.peril.unit is not Unit.EVENTS:
            message = f"{self.peril.value} is counted in {self.peril.unit.value}, not in events"
            raise ValueError(message)
        total = sum(stage.expected_share for stage in self.stages)
        if abs(total - 1) > 1e-9:
            message = f"the shares of {self.peril.value} add up to {total:g}: they must make 1"
            raise ValueError(message)
        return self

    def shares(self, seen: dict[str, int]) -> dict[str, float]:
        """Share of each stage, from the events `seen` by stage and those expected.

        `(seen + expected_events * expected_share) / (all seen + expected_events)`: the mean of a
        Dirichlet posterior (Klugman, Panjer and Willmot, "Loss Models", section on Bayesian
        credibility).
        """
        total = sum(seen.values()) + self.expected_events
        return {
            one.stage: (seen[one.stage] + self.expected_events * one.expected_share) / total
            for one in self.stages
        }


class EventCodes(Frozen):
    """The events of all perils of one market."""

    market: str
    basis: Annotated[Basis, Field(strict=False)]
    reference: str = Field(min_length=1)
    events: Annotated[tuple[PerilEvents, ...], Field(strict=False)]

    def of(self, peril: Peril) -> PerilEvents | None:
        """The events of a peril; None where the market has none."""
        return next((one for one in self.events if one.peril is peril), None)


def read_event_codes(folder: Path) -> EventCodes:
    """The events of a market (`events.yaml` in `folder`); raises `SpecError` with file and line."""
    return validated(read_marked(folder / "events.yaml"), EventCodes)
