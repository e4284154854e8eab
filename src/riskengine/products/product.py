"""A health product as data: what it pays, for whom, and its texts in both languages."""

from datetime import date
from typing import Annotated

from pydantic import Field, model_validator

from riskengine.errors import UnknownNameError
from riskengine.vocabulary import Currency, Frozen, Text

LaxDate = Annotated[date, Field(strict=False)]
LaxCurrency = Annotated[Currency, Field(strict=False)]


class MedicalBenefit(Frozen):
    """Cover of annual medical spend; amounts in the currency of the catalogue, a year.

    The member pays all up to `deductible`, then `coinsurance` (a share of cost) of the rest, at
    most `out_of_pocket_maximum` in total. `annual_limit` caps what the plan pays.
    """

    deductible: float = Field(default=0.0, ge=0)
    coinsurance: float = Field(default=0.0, ge=0, le=1)
    out_of_pocket_maximum: float | None = Field(default=None, ge=0)
    annual_limit: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def maximum_covers_deductible(self) -> "MedicalBenefit":
        maximum = self.out_of_pocket_maximum
        if maximum is not None and maximum < self.deductible:
            message = (
                f"out_of_pocket_maximum {maximum:g} is below the deductible {self.deductible:g}:"
                " raise the one or lower the other"
            )
            raise ValueError(message)
        if maximum is not None and maximum > self.deductible and self.coinsurance == 0:
            message = (
                f"out_of_pocket_maximum {maximum:g} can never be reached without coinsurance: set"
                f" it to the deductible, {self.deductible:g}"
            )
            raise ValueError(message)
        return self


class AgeRange(Frozen):
    """Ages at entry, inclusive, in whole years."""

    minimum: int = Field(ge=0)
    maximum: int = Field(ge=0)


class Plan(Frozen):
    """One plan a member can buy."""

    plan: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    effective_from: LaxDate
    name: Text
    summary: Text
    exclusions: Text
    how_to_claim: Text
    entry_age: AgeRange
    benefit: MedicalBenefit


class Catalogue(Frozen):
    """All plans of one market, by name."""

    market: str
    currency: LaxCurrency
    plans: tuple[Plan, ...]

    def plan(self, name: str) -> Plan:
        """The plan of that name; raises `UnknownNameError` listing those there are."""
        for plan in self.plans:
            if plan.plan == name:
                return plan
        message = f"unknown plan {name!r}; there are {', '.join(self.names)}"
        raise UnknownNameError(message)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(plan.plan for plan in self.plans)
