"""Rows added by one statement that names them all.

Of many rows a driver runs a statement for each, and lets go of the interpreter at every one: beside
an event loop the writer then waits for its turn as often as there are rows.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

_MOST_VALUES = 30_000
"""Values of a statement: SQLite takes 32,766 and PostgreSQL 65,535."""
_STATEMENTS = 512
_Process = Callable[[Any], Any] | None


def add_rows(
    connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, object]]
) -> None:
    """Insert rows, which have the same columns each; raises as SQLAlchemy does."""
    names = tuple(rows[0])
    most = _MOST_VALUES // len(names)
    processes = _processes(table, names, connection.dialect)
    for first in range(0, len(rows), most):
        some = rows[first : first + most]
        values = tuple(
            row[name] if row[name] is None or process is None else process(row[name])
            for row in some
            for name, process in processes
        )
        statement = _statement(table, names, len(some), connection.dialect)
        connection.exec_driver_sql(statement, values)


@lru_cache(maxsize=_STATEMENTS)
def _processes(
    table: sa.Table, names: tuple[str, ...], dialect: sa.Dialect
) -> tuple[tuple[str, _Process], ...]:
    """Each column, and what makes its values such as the driver takes."""
    types = {name: table.c[name].type.dialect_impl(dialect) for name in names}
    return tuple((name, kind.bind_processor(dialect)) for name, kind in types.items())


@lru_cache(maxsize=_STATEMENTS)
def _statement(table: sa.Table, names: tuple[str, ...], rows: int, dialect: sa.Dialect) -> str:
    quoted = dialect.identifier_preparer
    columns = ", ".join(quoted.format_column(table.c[name]) for name in names)
    place = "?" if dialect.paramstyle == "qmark" else "%s"
    row = "(" + ", ".join([place] * len(names)) + ")"
    into = f"INSERT INTO {quoted.format_table(table)} ({columns}) VALUES "
    return into + ", ".join([row] * rows)
