"""A rate book: the dated numbers and permissions that turn an expected cost into a premium."""

from datetime import date
from itertools import pairwise
from typing import Annotated

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from riskengine.errors import SpecError, UnknownNameError
from riskengine.products.product import LaxDate
from riskengine.vocabulary import Frozen

Permitted = Annotated[tuple[str, ...], Field(strict=False)]


class DatedValue(Frozen):
    """One value of a parameter, in force from `effective_from` until the next one."""

    value: float = Field(allow_inf_nan=False)
    effective_from: LaxDate
    reference: str = Field(min_length=1)


class Parameter(Frozen):
    """A parameter with its unit and its values over time, oldest first."""

    unit: str = Field(min_length=1)
    values: Annotated[tuple[DatedValue, ...], Field(strict=False, min_length=1)]

    @model_validator(mode="after")
    def dates_rise(self) -> "Parameter":
        for at, (before, after) in enumerate(pairwise(self.values), start=1):
            if after.effective_from <= before.effective_from:
                told = (
                    f"{after.effective_from} is not after {before.effective_from} of the value"
                    " before: list values oldest first, one for each day"
                )
                context = {"told": told, "place": ("values", at, "effective_from")}
                kind = "falling_dates"
                raise PydanticCustomError(kind, "{told}", context)
        return self

    def on(self, as_of: date, name: str) -> float:
        """The value in force on `as_of`; raises `UnknownNameError` before the first one."""
        in_force = [v for v in self.values if v.effective_from <= as_of]
        if not in_force:
            first = self.values[0].effective_from
            message = f"{name} has no value on {as_of}: give a date from {first} on"
            raise UnknownNameError(message)
        return in_force[-1].value


class RateBook(Frozen):
    """The loadings of one market and the rating factors it permits.

    Loadings that are shares are shares of the premium, so the expected cost is divided by one less
    their sum, the permissible loss ratio.
    """

    market: str
    edition: str
    permitted_factors: Permitted
    trend_factor: Parameter
    fixed_expense: Parameter
    variable_expense: Parameter
    commission: Parameter
    premium_tax: Parameter
    profit_margin: Parameter
    risk_margin: Parameter


def dates_of(book: RateBook) -> list[date]:
    """The days on which some value of the book changes, from the first on which all are known."""
    parameters = [value for _, value in book if isinstance(value, Parameter)]
    dates = {v.effective_from for parameter in parameters for v in parameter.values}
    start = max(parameter.values[0].effective_from for parameter in parameters)
    return sorted(day for day in dates if day >= start)


class Loadings(Frozen):
    """The numbers of a rate book in force on one day."""

    trend_factor: float = Field(gt=0)
    fixed_expense: float = Field(ge=0)
    permissible_loss_ratio: float = Field(gt=0, le=1)


def loadings_on(book: RateBook, as_of: date) -> Loadings:
    """The loadings in force on `as_of`.

    `permissible_loss_ratio` is 1 - commission - variable expense - premium tax - profit margin -
    risk margin. Raises `UnknownNameError` when a parameter has no value on that day and `SpecError`
    when the shares leave nothing for claims.
    """
    shares = ("commission", "variable_expense", "premium_tax", "profit_margin", "risk_margin")
    total = sum(getattr(book, name).on(as_of, name) for name in shares)
    if not total < 1:
        message = (
            f"rate book {book.edition} on {as_of}: the shares of premium ({', '.join(shares)}) add"
            f" up to {total:g}, which leaves nothing for claims; they must stay below 1"
        )
        raise SpecError(message)
    return Loadings(
        trend_factor=book.trend_factor.on(as_of, "trend_factor"),
        fixed_expense=book.fixed_expense.on(as_of, "fixed_expense"),
        permissible_loss_ratio=round(1 - total, 12),
    )
