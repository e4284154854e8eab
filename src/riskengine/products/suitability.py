"""What a plan is for and to whom it is sold: words that product files and recommendations share.

Optional in a product file; a plan that says nothing is sold through every channel, serves no need
and stands alone. Left out: what a member needs (`riskengine.recommendation.needs`).
"""

from enum import StrEnum
from typing import Annotated, TypeAlias

from pydantic import Field, model_validator

from riskengine.vocabulary import Frozen


class Need(StrEnum):
    """What people want cover for."""

    HOSPITAL_BILLS = "hospital_bills"
    OUTPATIENT_CARE = "outpatient_care"
    PRESCRIPTION_DRUGS = "prescription_drugs"
    INCOME_IN_HOSPITAL = "income_in_hospital"
    OPERATIONS = "operations"
    GRAVE_ILLNESS = "grave_illness"
    ACCIDENTS = "accidents"


class Channel(StrEnum):
    """Where a plan is sold."""

    ONLINE = "online"
    APP = "app"
    AGENT = "agent"


AnyNeed: TypeAlias = Annotated[Need, Field(strict=False)]
AnyChannel: TypeAlias = Annotated[Channel, Field(strict=False)]
Name: TypeAlias = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Names: TypeAlias = Annotated[tuple[Name, ...], Field(strict=False)]


class Suitability(Frozen):
    """For what and whom a product is; products are named as in `market.yaml`.

    Of an `exclusive_group` a member holds one product. `supersedes` are products that this one
    makes pointless; of `requires` the member needs one beside it. `required_answers` are the
    levels an answer must have. A product that is not `underwritten` asks nothing of health.
    """

    needs: Annotated[tuple[AnyNeed, ...], Field(strict=False)] = ()
    channels: Annotated[tuple[AnyChannel, ...], Field(strict=False, min_length=1)] = tuple(Channel)
    exclusive_group: Name | None = None
    supersedes: Names = ()
    requires: Names = ()
    required_answers: dict[Name, Annotated[tuple[str, ...], Field(strict=False, min_length=1)]] = (
        Field(default_factory=dict)
    )
    underwritten: bool = True

    @model_validator(mode="after")
    def names_each_once(self) -> "Suitability":
        for field in ("needs", "channels", "supersedes", "requires"):
            listed = [str(one) for one in getattr(self, field)]
            twice = sorted({one for one in listed if listed.count(one) > 1})
            if twice:
                message = f"{field} lists {', '.join(twice)} twice: keep one"
                raise ValueError(message)
        return self
