"""Rows against their contracts: what is accepted, and what is quarantined for which reason.

Rules of one table are pandera's, chunk by chunk; keys, references and dates of birth need other
rows and live in a DuckDB file that spills to disk, so that memory stays bounded at any size.
Nothing is changed: a row is accepted as it is, or quarantined.
"""

import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
import pandera.pandas as pa
import pyarrow as arrow

from riskengine.contracts import CONTRACTS
from riskengine.errors import TableError
from riskengine.tables import (
    FOREIGN_KEYS,
    HAPPENED,
    OPTIONAL,
    PRIMARY_KEYS,
    Tables,
)
from riskengine.vocabulary import BoolArray

Reasons = dict[int, list[str]]
CHUNK_ROWS = 200_000


@dataclass(frozen=True)
class CheckedTable:
    """A table split into the rows that keep the contract and those that break it.

    `quarantined` has the columns of the table, as text, plus `reason`; together the two parts hold
    every row that came in, once.
    """

    name: str
    accepted: arrow.Table
    quarantined: arrow.Table

    @property
    def rows_in(self) -> int:
        return int(self.accepted.num_rows + self.quarantined.num_rows)


@dataclass
class KeyStore:
    """Keys of all accepted rows of all tables seen so far, and what is wrong with new ones.

    Tables are added in the order of `CONTRACTS`, so that what a row refers to is known. Rows are
    numbered from 0 in the order of their table. What exceeds `memory_limit` spills to a temporary
    folder, which `close` removes.
    """

    memory_limit: str = "400MB"
    connection: duckdb.DuckDBPyConnection = field(init=False)
    spill: tempfile.TemporaryDirectory[str] = field(init=False)

    def __post_init__(self) -> None:
        self.spill = tempfile.TemporaryDirectory(prefix="riskengine-")
        self.connection = duckdb.connect()
        self.connection.execute("SET temp_directory = $folder", {"folder": self.spill.name})
        self.connection.execute(f"SET memory_limit = '{self.memory_limit}'")
        self.connection.execute("SET threads = 2")

    def close(self) -> None:
        """Forget all keys."""
        self.connection.close()
        self.spill.cleanup()

    def stage(self, name: str, first_row: int, chunk: arrow.Table, bad: Iterable[int]) -> None:
        """Note the keys and date of one chunk; `bad` rows are broken already."""
        rows = np.arange(first_row, first_row + chunk.num_rows)
        broken = ~_without(chunk.num_rows, bad)
        keys = chunk.select(_key_columns(name)).append_column("row", arrow.array(rows))
        keys = keys.append_column("broken", arrow.array(broken))
        self.connection.register("chunk", keys)
        verb = "INSERT INTO" if first_row else "CREATE OR REPLACE TABLE"
        into = f"{verb} staged_{name}" + ("" if first_row else " AS")
        self.connection.execute(f"{into} SELECT * FROM chunk")
        self.connection.unregister("chunk")

    def settle(self, name: str) -> Reasons:
        """Reasons by row number for keys that are doubled or lead nowhere; accept the rest."""
        reasons: defaultdict[int, list[str]] = defaultdict(list)
        key = PRIMARY_KEYS.get(name)
        if key:
            query = (
                f"SELECT row, {key} FROM staged_{name} WHERE {key} IN (SELECT {key} FROM"
                f" staged_{name} GROUP BY {key} HAVING count(*) > 1) ORDER BY row"
            )
            for row, value in self._rows(query):
                reasons[row].append(f"{key}={value}: appears more than once")
        for column, other in FOREIGN_KEYS.get(name, {}).items():
            known = f"staged_{name}" if other == name else f"accepted_{other}"
            rows = f"SELECT {PRIMARY_KEYS[other]} FROM {known}"
            query = (
                f"SELECT row, {column} FROM staged_{name} WHERE {column} IS NOT NULL AND {column}"
                f" NOT IN ({rows} WHERE {PRIMARY_KEYS[other]} IS NOT NULL) ORDER BY row"
            )
            for row, value in self._rows(query):
                reasons[row].append(f"{column}={value}: not an accepted row of {other}")
        if name != "members":
            happened = HAPPENED[name]
            query = (
                f"SELECT row, {happened}, birth_date FROM staged_{name} JOIN accepted_members"
                f" USING (member_id) WHERE {happened} < birth_date ORDER BY row"
            )
            for row, value, born in self._rows(query):
                reasons[row].append(f"{happened}={value}: before the member's birth on {born}")
        self._accept(name, reasons)
        return dict(reasons)

    def _accept(self, name: str, reasons: Reasons) -> None:
        if name not in {"members", "policies", "claims"}:
            self.connection.execute(f"DROP TABLE staged_{name}")
            return
        bad = arrow.table({"row": arrow.array(sorted(reasons), arrow.int64())})
        self.connection.register("bad", bad)
        kept = [PRIMARY_KEYS[name]] + (["birth_date"] if name == "members" else [])
        self.connection.execute(
            f"CREATE TABLE accepted_{name} AS SELECT {', '.join(kept)} FROM staged_{name}"
            " WHERE NOT broken AND row NOT IN (SELECT row FROM bad)"
        )
        self.connection.unregister("bad")
        self.connection.execute(f"DROP TABLE staged_{name}")

    def _rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        found = self.connection.execute(query)
        while batch := found.fetchmany(10_000):
            yield from batch


def check_tables(tables: Tables, max_bad_share: float = 0.001) -> dict[str, CheckedTable]:
    """Check tables in memory against their contracts and against each other.

    A row that names a row which is missing or quarantined in the table it refers to is quarantined
    too. Raises `TableError` when a table or column is missing or too many rows are bad.
    """
    missing = [name for name in CONTRACTS if name not in tables and name not in OPTIONAL]
    if missing:
        message = f"missing tables: {', '.join(missing)}; expected {', '.join(CONTRACTS)}"
        raise TableError(message)
    checked: dict[str, CheckedTable] = {}
    with closing(KeyStore()) as keys:
        for name in (name for name in CONTRACTS if name in tables):
            reasons = broken_rules(name, tables[name])
            keys.stage(name, 0, tables[name], reasons)
            for row, found in keys.settle(name).items():
                reasons.setdefault(row, []).extend(found)
            checked[name] = _split(name, tables[name], reasons)
            _stop_when_too_bad(checked[name], max_bad_share)
    return checked


def broken_rules(name: str, table: arrow.Table) -> Reasons:
    """Reasons by row position for the rows that break a rule of their own table.

    Raises `TableError` when columns are missing, unknown or of another type.
    """
    reasons = _infinite(table)
    schema = CONTRACTS[name].to_schema()
    if name in PRIMARY_KEYS:
        schema = schema.update_column(PRIMARY_KEYS[name], unique=False)
    try:
        schema.validate(table.to_pandas(date_as_object=True), lazy=True)
    except pa.errors.SchemaErrors as error:
        failures = error.failure_cases
    else:
        return reasons
    whole_table = failures[failures["index"].isna()]
    if len(whole_table):
        what = "; ".join(_misfit(row) for row in whole_table.itertuples())
        message = f"{name} does not have the columns of its contract: {what}"
        raise TableError(message)
    for row in failures.drop_duplicates(["index", "column", "check"]).itertuples():
        is_row_rule = row.schema_context == "DataFrameSchema"
        said = str(row.check) if is_row_rule else f"{row.column}={row.failure_case}: {row.check}"
        found = reasons.setdefault(int(row.index), [])
        if said not in found:
            found.append(said)
    return reasons


def _infinite(table: arrow.Table) -> Reasons:
    reasons: Reasons = {}
    for name in table.schema.names:
        if arrow.types.is_floating(table.schema.field(name).type):
            infinite = np.isinf(table[name].to_numpy())
            for row in np.flatnonzero(infinite).tolist():
                reasons.setdefault(row, []).append(f"{name}={table[name][row]}: not finite")
    return reasons


def quarantine_rows(table: arrow.Table, reasons: Reasons) -> arrow.Table:
    """The rows named in `reasons`, as text, with a column `reason`."""
    rows = sorted(reasons)
    bad = table.take(arrow.array(rows, arrow.int64())).cast(
        arrow.schema([(field.name, arrow.string()) for field in table.schema])
    )
    said = arrow.array(["; ".join(reasons[row]) for row in rows], arrow.string())
    return bad.append_column("reason", said)


def _split(name: str, table: arrow.Table, reasons: Reasons) -> CheckedTable:
    keep = arrow.array(_without(table.num_rows, reasons))
    return CheckedTable(name, table.filter(keep), quarantine_rows(table, reasons))


def _without(size: int, rows: Iterable[int]) -> BoolArray:
    """True for each of `size` rows but those named."""
    keep = np.ones(size, dtype=bool)
    keep[list(rows)] = False
    return keep


def _stop_when_too_bad(checked: CheckedTable, max_bad_share: float) -> None:
    bad = checked.quarantined.num_rows
    if bad > max_bad_share * max(checked.rows_in, 1):
        message = (
            f"{checked.name}: {bad} of {checked.rows_in} rows break the contract, more than the"
            f" {max_bad_share:.2%} allowed; first: {checked.quarantined['reason'][0].as_py()};"
            " mend the source"
        )
        raise TableError(message)


def _key_columns(name: str) -> list[str]:
    columns = {HAPPENED[name], *FOREIGN_KEYS.get(name, {})}
    columns |= {PRIMARY_KEYS[name]} if name in PRIMARY_KEYS else set()
    return sorted(columns)


def _misfit(failure: Any) -> str:
    """A failure of a whole column in words."""
    check = str(failure.check)
    if check == "column_in_dataframe":
        return f"{failure.failure_case} is missing"
    if check == "column_in_schema":
        return f"{failure.failure_case} is not a column of the contract"
    if check.startswith("dtype("):
        return f"{failure.column} is {failure.failure_case}, not {check[7:-2]}"
    return f"{failure.column}: {check}"
