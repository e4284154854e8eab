"""A health product as data: its plans, for whom they are, and their texts in both languages."""

from datetime import date
from math import floor
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from riskengine.errors import SpecError, UnknownNameError
from riskengine.products.benefit import Benefit, MedicalBenefit, Peril
from riskengine.products.suitability import Name, Suitability
from riskengine.vocabulary import BoolArray, Currency, FloatArray, Frozen, Text

LaxDate = Annotated[date, Field(strict=False)]
LaxCurrency = Annotated[Currency, Field(strict=False)]


def _told(text: Text) -> Text:
    for language in ("zh", "en"):
        if not getattr(text, language).strip():
            message = f"there is no text in {language}: write it, members read both languages"
            raise ValueError(message)
    return text


Told = Annotated[Text, AfterValidator(_told)]
"""A text that is there in both languages."""

_ONE_DAY = 1 / 365.25


def completed_years(age: FloatArray) -> FloatArray:
    """Whole years of ages given in years of 365.25 days; a birthday counts on its day.

    >>> completed_years(np.array([20.5, 20.999, 21.0])).tolist()
    [20.0, 21.0, 21.0]
    """
    return np.floor(age + _ONE_DAY)


def whole_years(age: float) -> int:
    """`completed_years` of one age, which is a number."""
    return floor(age + _ONE_DAY)


class AgeRange(Frozen):
    """Ages at entry, inclusive, in whole years."""

    minimum: int = Field(ge=0)
    maximum: int = Field(ge=0)

    @model_validator(mode="after")
    def minimum_comes_first(self) -> "AgeRange":
        if self.minimum > self.maximum:
            message = f"minimum {self.minimum} is above maximum {self.maximum}: exchange them"
            raise ValueError(message)
        return self

    def outside(self, age: FloatArray) -> BoolArray:
        """Who is too young or too old, (n,), by `age` in years; a missing age (NaN) is neither."""
        years = completed_years(age)
        return (years < self.minimum) | (years > self.maximum)


class Plan(Frozen):
    """One plan a member can buy: a variant of `product`, with one benefit or several.

    `tariff` is the one of the market's rate book that rates it; None where the book has no tariffs.
    A first cover may begin from `effective_from` to `effective_to`, both included; without the
    latter it stays on sale.
    """

    product: Name
    plan: Name
    tariff: Name | None = None
    effective_from: LaxDate
    effective_to: LaxDate | None = None
    name: Told
    summary: Told
    exclusions: Told
    how_to_claim: Told
    entry_age: AgeRange
    suitability: Suitability = Suitability()
    benefits: Annotated[dict[Name, Benefit], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def read_the_first_format(cls, content: object) -> object:
        """Releases of version 0.1 hold one medical benefit and no product."""
        if isinstance(content, dict) and "benefit" in content and "product" not in content:
            rest = {key: value for key, value in content.items() if key != "benefit"}
            medical = {"kind": "medical_expense", **content["benefit"]}
            return {"product": content.get("plan"), "benefits": {"medical": medical}, **rest}
        return content

    @model_validator(mode="after")
    def sold_in_order(self) -> "Plan":
        if self.effective_to is not None and self.effective_to < self.effective_from:
            message = f"effective_to {self.effective_to} is before effective_from"
            raise ValueError(message)
        return self

    def on_sale(self, start: date, *, renewal: bool = False) -> bool:
        """Whether a cover may begin on a day; a renewal also when the plan is sold no more."""
        ended = self.effective_to is not None and start > self.effective_to
        return self.effective_from <= start and (renewal or not ended)

    @property
    def sold(self) -> str:
        """When it is on sale, in words."""
        until = "" if self.effective_to is None else f" to {self.effective_to}"
        return f"on sale from {self.effective_from}{until}"

    @property
    def benefit(self) -> MedicalBenefit:
        """The benefit of a plan that is one medical benefit on all of medical spend.

        Raises `SpecError` for any other plan, so that none is priced with a part of it.
        """
        benefit, *more = self.benefits.values()
        if isinstance(benefit, MedicalBenefit) and not (
            more
            or benefit.services
            or benefit.waiting_period
            or benefit.peril is not Peril.MEDICAL_SPEND
        ):
            return benefit
        message = f"plan {self.plan} is more than one share of medical spend: price it by benefits"
        raise SpecError(message)


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
