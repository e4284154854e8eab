"""What a recommendation is asked for, and what models say of those who ask: frozen arguments.

Left out: how they come about. Nothing here is changed, and nothing is kept between two calls.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from riskengine.errors import InputError
from riskengine.pricing.market import Insured, PlanPrice
from riskengine.pricing.perils import PerilModel
from riskengine.products.benefit import Peril
from riskengine.products.suitability import Channel, Need
from riskengine.products.underwriting import Decisions


class Mode(StrEnum):
    """Whether plans are shown for information, or advised: then only what is sure is."""

    INFORMATION = "information"
    ADVICE = "advice"


class Consent(StrEnum):
    """What a member may agree to."""

    RECOMMENDATION = "recommendation"
    HEALTH_DATA = "health_data"


@dataclass(frozen=True, eq=False)
class Asked:
    """Who asks, for whom, and for what.

    `insured` are the n members to be covered together, with their answers by column. `stated` are
    needs in the order they were told; `held` are plans of the catalogue, `covered_elsewhere` needs
    that other cover serves. `household_income` is in currency a year, `needed_within_days` when
    cover is needed for something planned; None where unknown. A consent that was neither given nor
    refused is not in `consents`. Raises `InputError` for amounts below 0.
    """

    as_of: date
    insured: Insured
    channel: Channel
    mode: Mode = Mode.INFORMATION
    stated: tuple[Need, ...] = ()
    held: frozenset[str] = frozenset()
    covered_elsewhere: frozenset[Need] = frozenset()
    household_income: float | None = None
    needed_within_days: int | None = None
    consents: Mapping[Consent, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.household_income is not None and not self.household_income > 0:
            message = f"household_income is {self.household_income}: give an amount above 0"
            raise InputError(message)
        if self.needed_within_days is not None and self.needed_within_days < 0:
            message = f"needed_within_days is {self.needed_within_days}: give 0 or more"
            raise InputError(message)

    @property
    def size(self) -> int:
        """How many members are to be covered."""
        return len(next(iter(self.insured.columns.values())))

    def consents_to(self, consent: Consent) -> bool:
        """Whether it was given; what is unknown is not."""
        return self.consents.get(consent, False)


@dataclass(frozen=True, eq=False)
class Models:
    """What was computed before: models of perils, prices of plans, and what else is predicted.

    `prices` has those plans that can be priced. `take_up` are probabilities by product and
    `likely_needs` probabilities that a need arises within 12 months; None and absent: not known.
    """

    perils: Mapping[Peril, PerilModel]
    prices: Mapping[str, PlanPrice]
    underwriting: Decisions | None = None
    take_up: Mapping[str, float] | None = None
    likely_needs: Mapping[Need, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        chances = [*(self.take_up or {}).items(), *self.likely_needs.items()]
        for name, chance in chances:
            if not 0 <= chance <= 1:
                message = f"the probability of {name} is {chance}: give a number from 0 to 1"
                raise InputError(message)
