"""A rate book as dated editions: which factors may rate, and every number behind a premium.

An edition holds for covers that start in its range of dates; the editions of a market follow each
other without gap or overlap. Every number says its unit, since when it is in force, where it comes
from, and whether it is law or a figure of our own (`Basis`). What the law of a market lets rate is
data too (`Rule`), apart from the editions, which cannot relax it. Left out: how files become these
types (`riskengine.products.rate_book_read`) and what is computed from them (`riskengine.pricing`).
"""

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, Field, model_validator

from riskengine.errors import UnknownNameError
from riskengine.products.product import LaxCurrency, LaxDate
from riskengine.products.rate_book_factors import FactorTable
from riskengine.products.rate_book_numbers import (
    Amount,
    Number,
    Positive,
    Ratio,
    ShareOfPremium,
    Years,
)
from riskengine.vocabulary import Frozen

Names = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]


class Share(StrEnum):
    """What a share of the premium pays for, other than claims."""

    COMMISSION = "commission"
    VARIABLE_EXPENSE = "variable_expense"
    PREMIUM_TAX = "premium_tax"
    EXCHANGE_USER_FEE = "exchange_user_fee"
    PROFIT_MARGIN = "profit_margin"
    RISK_MARGIN = "risk_margin"


class Rule(Frozen):
    """A rule of law on what may move a premium.

    Either `only` lists all that may, or `forbids` lists what may not.
    """

    rule: str
    effective_from: LaxDate
    reference: str = Field(min_length=1)
    only: Names | None = None
    forbids: Names | None = None

    @model_validator(mode="after")
    def says_one_thing(self) -> "Rule":
        if (self.only is None) == (self.forbids is None):
            message = "give either `only`, all that may rate, or `forbids`, what may not"
            raise ValueError(message)
        return self

    def bars(self, name: str) -> bool:
        """Whether the rule keeps `name` out of a premium."""
        listed = self.only is not None and name not in self.only
        return listed or name in (self.forbids or ())


class Tariff(Frozen):
    """The factor tables of one kind of cover; a premium is a base rate times all of them."""

    tariff: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    factors: Annotated[tuple[FactorTable, ...], Field(strict=False, min_length=1)]

    @model_validator(mode="after")
    def each_factor_once(self) -> "Tariff":
        names = [table.factor for table in self.factors]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            message = f"tariff {self.tariff} has factor {', '.join(twice)} twice: keep one"
            raise ValueError(message)
        return self


class Trend(Frozen):
    """Growth of claims a year: of what a service costs, and of how much care is used."""

    cost: Ratio
    utilisation: Ratio


class Instalment(Frozen):
    """A way to pay: the premium times `factor`, in `payments` equal parts a year."""

    payments: int = Field(ge=1, le=12)
    factor: Positive


class Discount(Frozen):
    """A discount by name, as a share of the premium between two bounds."""

    discount: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    minimum: ShareOfPremium
    maximum: ShareOfPremium


class FloatBand(Frozen):
    """How far below and above the filed premium an insurer may sell, as shares of it."""

    below: ShareOfPremium
    above: Ratio


class SumOfMembers(Frozen):
    """A household pays the sum of its members, of those under `child_age` the oldest few only."""

    method: Literal["sum_of_members"]
    child_age: Amount
    most_children: Amount


class FamilyTiers(Frozen):
    """A household pays the adult premium times a tier of its make-up."""

    method: Literal["family_tiers"]
    child_age: Amount
    single: Positive
    couple: Positive
    single_with_children: Positive
    couple_with_children: Positive


class FamilyStep(Frozen):
    """The discount of households with at least so many members."""

    members: int = Field(ge=2)
    share: ShareOfPremium


class FamilyDiscount(Frozen):
    """Each member of a household gets the discount named `family`, by how many they are."""

    method: Literal["family_discount"]
    steps: Annotated[tuple[FamilyStep, ...], Field(strict=False, min_length=1)]


class ActuarialValueTier(Frozen):
    """A metal tier: its actuarial value and how far a plan may be off, in shares of cost."""

    tier: str
    actuarial_value: ShareOfPremium
    below: ShareOfPremium
    above: ShareOfPremium


class LongTermAdjustment(Frozen):
    """When the rates of a long-term medical product may be adjusted, and how far at once.

    `first_after` and `interval` are in whole years.
    """

    first_after: Years
    interval: Years
    most_at_once: Ratio
    least_loss_ratio: Ratio


class Edition(Frozen):
    """One edition: all numbers that price a cover starting in its range of dates.

    `None` says that the market has no such thing; asking for it is then refused, never taken as
    1 or 0.
    """

    market: str
    edition: str = Field(min_length=1)
    currency: LaxCurrency
    effective_from: LaxDate
    effective_to: LaxDate | None
    tariffs: Annotated[tuple[Tariff, ...], Field(strict=False, min_length=1)]
    trend: Trend
    fixed_expense: Amount
    shares: dict[Annotated[Share, Field(strict=False)], ShareOfPremium]
    minimum_loss_ratio: ShareOfPremium | None
    discounts: Annotated[tuple[Discount, ...], Field(strict=False)]
    float_band: FloatBand | None
    cap: Ratio | None
    collar: ShareOfPremium | None
    minimum_premium: Amount | None
    instalments: Annotated[tuple[Instalment, ...], Field(strict=False, min_length=1)]
    most_months: Positive
    underwriting_loading: Ratio | None
    maximum_credibility: ShareOfPremium | None
    household: Annotated[SumOfMembers | FamilyTiers | FamilyDiscount, Field(discriminator="method")]
    actuarial_value_tiers: Annotated[tuple[ActuarialValueTier, ...], Field(strict=False)]
    long_term_adjustment: LongTermAdjustment | None

    @property
    def permissible_loss_ratio(self) -> float:
        """1 less all shares of premium that do not pay claims."""
        return round(1 - sum(share.value for share in self.shares.values()), 12)

    @property
    def reads(self) -> tuple[tuple[str, tuple[str | int, ...]], ...]:
        """All that moves one member's premium in this edition, and where the edition says so."""
        found: list[tuple[str, tuple[str | int, ...]]] = [
            (table.factor, ("tariffs", at, "factors", position, "factor"))
            for at, tariff in enumerate(self.tariffs)
            for position, table in enumerate(tariff.factors)
        ]
        found += [
            (one.discount, ("discounts", at, "discount")) for at, one in enumerate(self.discounts)
        ]
        by_field = {
            "float_band": "seller_discretion",
            "cap": "expiring_premium",
            "collar": "expiring_premium",
            "underwriting_loading": "underwriting_loading",
            "maximum_credibility": "experience_rating",
        }
        return (
            *found,
            *((n, (field,)) for field, n in by_field.items() if getattr(self, field) is not None),
        )

    @property
    def fewest_payments(self) -> int:
        """Once a year where that is allowed, else the fewest instalments that are."""
        return min(one.payments for one in self.instalments)

    @property
    def most_loading(self) -> float:
        """The most that underwriting may add, a share of premium; 0 where it may add nothing."""
        return 0.0 if self.underwriting_loading is None else self.underwriting_loading.value

    def tariff(self, name: str) -> Tariff:
        """The tariff of that name; raises `UnknownNameError` listing those there are."""
        for tariff in self.tariffs:
            if tariff.tariff == name:
                return tariff
        known = ", ".join(tariff.tariff for tariff in self.tariffs)
        message = f"edition {self.edition} has no tariff {name!r}; there are {known}"
        raise UnknownNameError(message)

    def instalment(self, payments: int) -> Instalment:
        """The way to pay in so many parts; raises `UnknownNameError` listing those there are."""
        for one in self.instalments:
            if one.payments == payments:
                return one
        known = ", ".join(str(one.payments) for one in self.instalments)
        message = (
            f"edition {self.edition} has no {payments} payments a year; there are {known} payments"
        )
        raise UnknownNameError(message)

    def tier(self, name: str) -> ActuarialValueTier:
        """A metal tier; raises `UnknownNameError` listing those there are."""
        for one in self.actuarial_value_tiers:
            if one.tier == name:
                return one
        known = ", ".join(one.tier for one in self.actuarial_value_tiers) or "none"
        message = f"edition {self.edition} has no actuarial value tier {name!r}; there are {known}"
        raise UnknownNameError(message)


class Editions(Frozen):
    """All editions of one market's rate book, oldest first, without gap or overlap."""

    market: str
    rules: tuple[Rule, ...]
    editions: tuple[Edition, ...]

    def on(self, start: date) -> Edition:
        """The edition for a cover that starts on `start`; raises `UnknownNameError` outside all."""
        for edition in self.editions:
            open_end = edition.effective_to is None or start <= edition.effective_to
            if edition.effective_from <= start and open_end:
                return edition
        last = self.editions[-1].effective_to
        until = "on" if last is None else f"to {last}"
        message = (
            f"the rate book of {self.market} has no edition for a start on {start}: give a date"
            f" from {self.editions[0].effective_from} {until}"
        )
        raise UnknownNameError(message)


def numbers_in(
    model: BaseModel, place: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], Number | FactorTable]]:
    """Every number and factor table in a model, with its place."""
    for name, value in model:
        items: list[tuple[str | int, object]] = [(name, value)]
        inner = place
        if isinstance(value, tuple | dict):
            inner = (*place, name)
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            items = [(key, item) for key, item in pairs]
        for key, item in items:
            here = (*inner, key)
            if isinstance(item, Number | FactorTable):
                yield here, item
            if isinstance(item, BaseModel):
                yield from numbers_in(item, here)


def tier_fault(edition: Edition, tier: str, actuarial_value: float) -> str | None:
    """Why a plan of that actuarial value may not be sold as `tier`; None where it may.

    45 CFR 156.140: the value may be off the tier's by the de minimis variation of the edition.
    Raises `UnknownNameError` for a tier the edition does not have.
    """
    found = edition.tier(tier)
    low = found.actuarial_value.value - found.below.value
    high = found.actuarial_value.value + found.above.value
    tolerance = 1e-9
    if np.isfinite(actuarial_value) and low - tolerance <= actuarial_value <= high + tolerance:
        return None
    return (
        f"actuarial value {actuarial_value:.4f} is outside {low:.3f} to {high:.3f} of tier {tier}:"
        " change the plan's cost sharing or its tier"
    )
