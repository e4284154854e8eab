"""A portfolio as a file, and its price by any release: one kernel for every batch job.

Columns: policy_id, member_id, plan, the questions of the release, and expiring_premium if known.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as pq

from riskengine import engine, market_engine
from riskengine.errors import Problem, TableError
from riskengine.market_release import MarketRelease
from riskengine.profiles.questions import Question, table_to_columns
from riskengine.release import Release
from riskengine.tables import is_number, is_text
from riskengine.vocabulary import AnyArray, Columns, FloatArray, IntArray

AnyRelease: TypeAlias = Release | MarketRelease
IDENTITY = ("policy_id", "member_id", "plan")
EXPIRING = "expiring_premium"


@dataclass(frozen=True, eq=False)
class BookPrice:
    """n policies priced; amounts in currency a year, `steps` as the engines give them."""

    expected_plan_paid: FloatArray
    technical_premium: FloatArray
    offered_cents: IntArray
    steps: dict[str, FloatArray]


def read_portfolio(path: Path, releases: Sequence[AnyRelease]) -> arrow.Table:
    """A portfolio that all `releases` can price, with text as plain text.

    Raises `TableError` for a file that is no Parquet, naming all columns that are missing, doubled
    or of the wrong type.
    """
    try:
        table = pq.read_table(path)
    except (OSError, arrow.ArrowInvalid) as error:
        message = f"cannot read the portfolio {path} as Parquet: {error}"
        raise TableError(message) from error
    wrong = _faults(table.schema, releases)
    if wrong:
        message = f"{path} cannot be priced: {'; '.join(wrong)}"
        raise TableError(message)
    fields = [
        arrow.field(f.name, arrow.string())
        if is_text(f.type) and not arrow.types.is_null(f.type)
        else f
        for f in table.schema
    ]
    return table.cast(arrow.schema(fields))


def _faults(schema: arrow.Schema, releases: Sequence[AnyRelease]) -> list[str]:
    names = schema.names
    wrong = [f"{name} is there twice" for name in sorted({n for n in names if names.count(n) > 1})]
    if wrong:
        return wrong
    for name in IDENTITY:
        if name not in names:
            wrong.append(f"{name} is missing")
        elif not is_text(schema.field(name).type):
            wrong.append(f"{name} is {schema.field(name).type}, not text")
    if EXPIRING in names and not is_number(schema.field(EXPIRING).type):
        wrong.append(f"{EXPIRING} is {schema.field(EXPIRING).type}, no amount")
    try:
        table_to_columns(_questions(releases), schema.empty_table())
    except TableError as error:
        wrong.append(str(error))
    return wrong


def _questions(releases: Sequence[AnyRelease]) -> tuple[Question, ...]:
    asked = {question.name: question for release in releases for question in release.questions}
    return tuple(asked.values())


def portfolio_columns(table: arrow.Table, releases: Sequence[AnyRelease]) -> Columns:
    """The answers of a portfolio, for all releases."""
    return table_to_columns(_questions(releases), table)


def texts(table: arrow.Table, name: str) -> AnyArray:
    """A text column as objects, None where it is missing."""
    values: AnyArray = table[name].to_numpy(zero_copy_only=False).astype(object)
    return values


def amounts(table: arrow.Table, name: str) -> FloatArray:
    """An amount column as float64, NaN where it is missing or where there is no such column."""
    if name not in table.schema.names:
        return np.full(table.num_rows, np.nan)
    values: FloatArray = table[name].cast(arrow.float64()).to_numpy().astype(np.float64)
    return values


def book_problems(
    release: AnyRelease, columns: Columns, plans: AnyArray, as_of: date
) -> list[Problem]:
    """What keeps rows from being renewed on `as_of` for the plan of the row."""
    if isinstance(release, MarketRelease):
        return market_engine.book_problems(release, columns, plans, as_of)
    return engine.unpriceable(release, columns, plans, as_of, renewal=True)


def row_reasons(table: arrow.Table, problems: Sequence[Problem]) -> dict[int, str]:
    """Why rows cannot be priced, by position in rising order: `problems` and faults of identity."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for problem in problems:
        found[problem.row].append(f"{problem.field}={problem.value}: {problem.message}")
    for name in ("policy_id", "member_id"):
        missing = table[name].is_null().to_numpy(zero_copy_only=False)
        for row in np.flatnonzero(missing).tolist():
            found[row].append(f"{name} is missing")
    expiring = amounts(table, EXPIRING)
    for row in np.flatnonzero(np.isinf(expiring) | (expiring < 0)).tolist():
        found[row].append(f"{EXPIRING}={expiring[row]}: give 0 or more, or leave it empty")
    return {row: "; ".join(dict.fromkeys(found[row])) for row in sorted(found)}


def price_book(
    release: AnyRelease,
    columns: Columns,
    plans: AnyArray,
    as_of: date,
    expiring_premium: FloatArray | None = None,
) -> BookPrice:
    """Renew n policies on `as_of`, each for the plan of its row in `plans` (n,), names as objects.

    `expiring_premium` (n,) binds where a market caps changes. Raises as the engines do for rows
    that cannot be priced: `book_problems` finds them before.
    """
    if isinstance(release, MarketRelease):
        priced = market_engine.reprice_book(release, columns, plans, as_of, expiring_premium)
        return BookPrice(
            priced.expected_plan_paid, priced.technical_premium, priced.offered_cents, priced.steps
        )
    study = engine.reprice(release, columns, plans, as_of)
    return BookPrice(
        study.expected_plan_paid, study.technical_premium, study.offered_cents, study.steps
    )


__all__ = [
    "EXPIRING", "IDENTITY", "AnyRelease", "BookPrice", "amounts", "book_problems",
    "portfolio_columns", "price_book", "read_portfolio", "row_reasons", "texts",
]  # fmt: skip
