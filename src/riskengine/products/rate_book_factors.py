"""Factor tables of a rate book: for each band or level of a factor, what it multiplies.

A banded factor is in whole completed units (years of age), ends included; a factor of levels lists
every level it can have. A value in no row has no relativity: it is reported with what is allowed.
"""

from itertools import pairwise
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from riskengine.products.product import completed_years
from riskengine.products.rate_book_numbers import Amount, Positive, Sourced
from riskengine.vocabulary import AnyArray, Columns, FloatArray, Frozen, IntArray


class FactorRow(Frozen):
    """One level, or one band from `low` to `high`, both included; `high` None is without end."""

    level: str | None = None
    low: int | None = None
    high: int | None = None
    relativity: float = Field(gt=0, allow_inf_nan=False)


class FactorTable(Sourced):
    """The table of one factor, which is the column of that name.

    `levels` are all there can be (None for bands). `maximum_ratio` bounds the highest over the
    lowest relativity, of bands that hold `ratio_from` or more. Below `from_age` the factor does not
    count: its relativity is 1.
    """

    factor: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    levels: Annotated[tuple[str, ...], Field(strict=False)] | None
    rows: Annotated[tuple[FactorRow, ...], Field(strict=False, min_length=1)]
    maximum_ratio: Positive | None
    ratio_from: Amount | None = None
    from_age: Amount | None = None

    @model_validator(mode="after")
    def rows_are_complete(self) -> "FactorTable":
        fault = _levels_fault(self) if self.levels is not None else _bands_fault(self)
        fault = fault or _ratio_fault(self)
        if fault:
            at, told = fault
            context = {"told": f"factor {self.factor} {told}", "place": ("rows", at)}
            kind = "factor_table"
            raise PydanticCustomError(kind, "{told}", context)
        return self

    @property
    def relativities(self) -> FloatArray:
        """The relativity of each row, (rows,)."""
        return np.array([row.relativity for row in self.rows])

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns it reads."""
        return (self.factor,) if self.from_age is None else (self.factor, "age")

    @property
    def limited(self) -> list[int]:
        """The positions of the rows that `maximum_ratio` binds."""
        first = -np.inf if self.ratio_from is None else self.ratio_from.value
        return [at for at, row in enumerate(self.rows) if row.high is None or row.high >= first]

    @property
    def allowed(self) -> str:
        """The values the table knows, in words."""
        if self.levels is not None:
            return "one of " + ", ".join(self.levels)
        last = self.rows[-1].high
        return f"{self.rows[0].low} " + ("or more" if last is None else f"to {last}")

    def positions(self, values: AnyArray) -> IntArray:
        """The row of each value (n,): -1 for a missing one or one in no row.

        Numbers count in completed units; a birthday counts on its day.
        """
        if len(values) == 1:
            return np.array([self._position(values[0])])
        if self.levels is not None:
            given = np.asarray(values, dtype=object)
            place = np.full(len(given), -1, dtype=np.int64)
            for at, row in enumerate(self.rows):
                place[given == row.level] = at
            return place
        whole = completed_years(np.asarray(values, dtype=np.float64))
        lows = np.array([row.low for row in self.rows], dtype=np.float64)
        last = np.inf if self.rows[-1].high is None else self.rows[-1].high
        found = np.searchsorted(lows, whole, side="right") - 1
        return np.where(np.isfinite(whole) & (whole <= last), found, -1).astype(np.int64)

    def _position(self, value: Any) -> int:
        """The row of one value, as `positions`, without arrays of all rows."""
        if self.levels is not None:
            return next((at for at, row in enumerate(self.rows) if row.level == value), -1)
        whole = float(completed_years(value))
        if not np.isfinite(whole):
            return -1
        return next(
            (
                at
                for at, row in enumerate(self.rows)
                if (row.low or 0) <= whole and (row.high is None or whole <= row.high)
            ),
            -1,
        )

    def relativity(self, columns: Columns) -> FloatArray:
        """The relativity of each member (n,); NaN for a value in no row.

        >>> from riskengine.products.rate_book_numbers import Basis
        >>> rows = (FactorRow(low=0, high=29, relativity=1.0), FactorRow(low=30, relativity=1.5))
        >>> table = FactorTable(factor="age", unit="relativity", basis=Basis.ILLUSTRATIVE,
        ...     effective_from="2025-01-01", reference="Example", levels=None, rows=rows,
        ...     maximum_ratio=None)
        >>> table.relativity({"age": np.array([29.5, 30.0])}).tolist()
        [1.0, 1.5]
        """
        at = self.positions(columns[self.factor])
        if len(at) == 1:
            one = int(at[0])
            found = np.array([np.nan if one < 0 else self.rows[one].relativity])
        else:
            found = np.where(at < 0, np.nan, self.relativities[at])
        return found if self.from_age is None else np.where(self.too_young(columns), 1.0, found)

    def too_young(self, columns: Columns) -> np.ndarray:
        """Members to whom the factor does not apply for their age, (n,)."""
        age = np.asarray(columns["age"], dtype=np.float64)
        first = -np.inf if self.from_age is None else self.from_age.value
        return completed_years(age) < first


def _levels_fault(table: FactorTable) -> tuple[int, str] | None:
    """The position of the first faulty row and what is wrong; so do the others below."""
    needed = list(table.levels or ())
    listed = [row.level for row in table.rows]
    for at, level in enumerate(listed):
        if level not in needed:
            return at, f"has a row of unknown level {level}: remove it or list it under `levels`"
        if level in listed[:at]:
            return at, f"has level {level} twice: keep one"
    absent = [level for level in needed if level not in listed]
    if absent:
        return len(listed) - 1, f"has no row for level {', '.join(absent)}: add it"
    return None


def _bands_fault(table: FactorTable) -> tuple[int, str] | None:
    for at, row in enumerate(table.rows):
        if row.low is None or row.level is not None:
            return at, "needs bands with from and to; if it has levels, list them under `levels`"
        if row.high is not None and row.high < row.low:
            return at, f"has a band from {row.low} to {row.high}: it ends before it begins"
    for at, (before, after) in enumerate(pairwise(table.rows), start=1):
        if before.high is None or (after.low or 0) <= before.high:
            return at, f"has a band from {after.low} that overlaps the one before: begin later"
        if after.low != before.high + 1:
            gap = f"has no band for {before.high + 1} to {(after.low or 0) - 1}"
            return at, f"{gap}: let one band begin where the other ends plus 1"
    return None


def _ratio_fault(table: FactorTable) -> tuple[int, str] | None:
    limit = table.maximum_ratio
    if limit is None or not table.limited:
        return None
    bound = table.relativities[table.limited]
    ratio = float(bound.max() / bound.min())
    if ratio <= limit.value + 1e-9:
        return None
    return table.limited[int(np.argmax(bound))], (
        f"spreads {ratio:g} to 1, more than the {limit.value:g} to 1 of {limit.reference}: lower"
        f" {bound.max():g} or raise {bound.min():g}"
    )
