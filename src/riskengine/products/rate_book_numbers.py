"""A number of a rate book: never bare, always with unit, date, source and standing.

The subclasses say what a number can be, so that a value out of range is refused where it stands.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from riskengine.products.product import LaxDate
from riskengine.vocabulary import Frozen


class Basis(StrEnum):
    """Whether a figure is law, or ours and shown as an illustration."""

    LAW = "law"
    ILLUSTRATIVE = "illustrative"


class Sourced(Frozen):
    """What every figure says of itself; `effective_from` is the first day it is in force."""

    unit: str = Field(min_length=1)
    basis: Annotated[Basis, Field(strict=False)]
    effective_from: LaxDate
    reference: str = Field(min_length=1)


class Number(Sourced):
    """One figure."""

    value: float = Field(allow_inf_nan=False)


class Amount(Number):
    """A figure of 0 or more."""

    value: float = Field(ge=0, allow_inf_nan=False)


class Positive(Number):
    """A figure above 0."""

    value: float = Field(gt=0, allow_inf_nan=False)


class Ratio(Number):
    """A share or rate that may exceed 1, such as a growth a year; above -1."""

    value: float = Field(gt=-1, allow_inf_nan=False)


class ShareOfPremium(Number):
    """A share from 0 to 1."""

    value: float = Field(ge=0, le=1)


class Years(Number):
    """Whole years."""

    value: float = Field(ge=1, multiple_of=1)
