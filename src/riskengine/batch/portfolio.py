"""The columns of a portfolio: what must be there, as what, and why a row cannot be priced.

Columns: policy_id, member_id, plan, the questions of the release, and, if known, expiring_premium,
effective_from, and what the expiring premium was made of (`expiring_step_NAME`, which is the
`step_NAME` of an earlier run).
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as pq

from riskengine.any_release import AnyRelease
from riskengine.errors import Problem, TableError
from riskengine.profiles.questions import Question, table_to_columns
from riskengine.tables import is_number, is_text, text_objects
from riskengine.vocabulary import AnyArray, Columns, FloatArray

IDENTITY = ("policy_id", "member_id", "plan")
EXPIRING, EFFECTIVE, EXPIRING_STEP = "expiring_premium", "effective_from", "expiring_step_"


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
    wrong = portfolio_faults(table.schema, releases)
    if wrong:
        message = f"{path} cannot be priced: {'; '.join(wrong)}"
        raise TableError(message)
    return plain(table)


def plain(table: arrow.Table) -> arrow.Table:
    """The table with text of any kind as plain text: views have no kernel to filter them."""
    fields = [
        arrow.field(f.name, arrow.string())
        if is_text(f.type) and not arrow.types.is_null(f.type)
        else f
        for f in table.schema
    ]
    return table.cast(arrow.schema(fields))


def portfolio_faults(schema: arrow.Schema, releases: Sequence[AnyRelease]) -> list[str]:
    """Every column that is missing, doubled or of the wrong type, in words; empty: all is there."""
    names = schema.names
    wrong = [f"{name} is there twice" for name in sorted({n for n in names if names.count(n) > 1})]
    if wrong:
        return wrong
    for name in IDENTITY:
        if name not in names:
            wrong.append(f"{name} is missing")
        elif not is_text(schema.field(name).type):
            wrong.append(f"{name} is {schema.field(name).type}, not text")
    for name in names:
        kind = schema.field(name).type
        if (name == EXPIRING or name.startswith(EXPIRING_STEP)) and not is_number(kind):
            wrong.append(f"{name} is {kind}, no amount")
        if name == EFFECTIVE and not (arrow.types.is_date(kind) or arrow.types.is_null(kind)):
            wrong.append(f"{name} is {kind}, no date")
    try:
        table_to_columns(questions_of(releases), schema.empty_table())
    except TableError as error:
        wrong.append(str(error))
    return wrong


def wanted_columns(schema: arrow.Schema, releases: Sequence[AnyRelease]) -> list[str]:
    """The columns of a portfolio that repricing reads, of those that are there."""
    asked = [question.name for question in questions_of(releases)]
    steps = [name for name in schema.names if name.startswith(EXPIRING_STEP)]
    wanted = dict.fromkeys([*IDENTITY, EXPIRING, EFFECTIVE, *asked, *steps])
    return [name for name in wanted if name in schema.names]


def questions_of(releases: Sequence[AnyRelease]) -> tuple[Question, ...]:
    """What the releases ask together, each question once."""
    asked = {question.name: question for release in releases for question in release.questions}
    return tuple(asked.values())


def portfolio_columns(table: arrow.Table, releases: Sequence[AnyRelease]) -> Columns:
    """The answers of a portfolio, for all releases."""
    return table_to_columns(questions_of(releases), table)


def texts(table: arrow.Table, name: str) -> AnyArray:
    """A text column as objects, None where it is missing."""
    return text_objects(table[name])


def amounts(table: arrow.Table, name: str) -> FloatArray:
    """An amount column as float64, NaN where it is missing or where there is no such column."""
    if name not in table.schema.names:
        return np.full(table.num_rows, np.nan)
    values: FloatArray = table[name].cast(arrow.float64()).to_numpy().astype(np.float64)
    return values


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
