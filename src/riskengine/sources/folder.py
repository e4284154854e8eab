"""Tables from a folder of Parquet or CSV files, or from a database, in chunks of bounded size.

A value that is not of its contract's type makes its row bad, with the reason; it is never turned
into a missing value. CSV must be UTF-8, with or without a byte-order mark; an empty field is a
missing value.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as arrow
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import sqlalchemy

from riskengine.errors import TableError
from riskengine.sources.check import (
    CHUNK_ROWS,
    KeyStore,
    Reasons,
    broken_rules,
    quarantine_rows,
)
from riskengine.sources.parquet import LABEL, label_of, refuse_misspelt
from riskengine.tables import COLUMNS, HAPPENED, OPTIONAL, is_text

Progress = Callable[[str, int], None]


@dataclass(frozen=True)
class TableSummary:
    """How many rows of a table came in and broke the contract, and the reasons, most common first.

    `rows_in` is None for an optional table that is not there.
    """

    name: str
    rows_in: int | None
    quarantined: int
    common_reasons: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class _Source:
    """Where one table is read from: chunks of it as they are, or None where it is absent."""

    chunks: Callable[[], Iterator[arrow.Table]]
    label: bytes = b""
    """What its writer says the table is, such as synthetic; kept with the accepted rows."""


@dataclass(frozen=True)
class _Targets:
    """Where the two parts of a table go: bad rows always, accepted rows if `accepted` is given."""

    quarantine: Path
    accepted: Path | None

    def clear(self, name: str) -> None:
        for folder in (self.quarantine, self.accepted):
            if folder:
                (folder / f"{name}.parquet").unlink(missing_ok=True)


def validate(
    source: str,
    quarantine: Path,
    today: date,
    progress: Progress = lambda _name, _rows: None,
    accepted: Path | None = None,
) -> list[TableSummary]:
    """Check every table of `source`, a folder or a database URL, against its contract.

    Bad rows go to `quarantine/<table>.parquet` with the reason; a table without bad rows leaves no
    file. The other rows go to the folder `accepted`, if given, as Parquet in the contracts' own
    types. What happened or was known later than `today` is bad; cover may begin later. `progress`
    is told the table and its rows done. Raises `TableError` when a table that must be there is
    missing, lacks a column or is misspelt, and when `accepted` is the source itself.
    """
    sources = _database(source) if "://" in source else _folder(Path(source))
    if "://" not in source:
        refuse_misspelt(Path(source), sources)
    missing = [name for name in COLUMNS if name not in sources and name not in OPTIONAL]
    if missing:
        shown = without_password(source) if "://" in source else source
        message = (
            f"{shown} has no {', '.join(missing)}; expected NAME.parquet, NAME.csv or a table for"
            f" each of {', '.join(COLUMNS)}"
        )
        raise TableError(message)
    if accepted and "://" not in source and accepted.resolve() == Path(source).resolve():
        message = f"accepted rows would overwrite their source {source}; give another folder"
        raise TableError(message)
    targets = _Targets(quarantine, accepted)
    summaries = []
    with closing(KeyStore()) as keys:
        for name in COLUMNS:
            targets.clear(name)
            if name in sources:
                told = (today, progress)
                summaries.append(_validate_table(name, sources[name], keys, targets, told))
            else:
                summaries.append(TableSummary(name, None, 0, ()))
    return summaries


def _validate_table(
    name: str, source: _Source, keys: KeyStore, targets: _Targets, told: tuple[date, Progress]
) -> TableSummary:
    today, progress = told
    reasons: Reasons = {}
    rows_in = 0
    for chunk in source.chunks():
        typed, found = conform(name, chunk)
        for row, said in broken_rules(name, typed).items():
            # A value of the wrong type is null by now; its own reason is the one that helps.
            found.setdefault(row, said)
        for column in _dates_of_the_past(name):
            for row in _later_than(typed, column, today):
                found.setdefault(row, []).append(f"{column}: later than today, {today}")
        keys.stage(name, rows_in, typed, found)
        reasons |= {rows_in + row: said for row, said in found.items()}
        rows_in += chunk.num_rows
        progress(name, rows_in)
    if rows_in:
        for row, said in keys.settle(name).items():
            reasons.setdefault(row, []).extend(said)
    else:
        keys.stage(name, 0, _empty(name), ())
        keys.settle(name)
    if reasons:
        targets.quarantine.mkdir(parents=True, exist_ok=True)
        _write_quarantine(source, reasons, targets.quarantine / f"{name}.parquet")
    if targets.accepted:
        targets.accepted.mkdir(parents=True, exist_ok=True)
        _write_accepted(name, source, reasons, targets.accepted / f"{name}.parquet")
    counts = pd.Series([_kind(r) for said in reasons.values() for r in said]).value_counts()
    common = tuple((str(kind), int(count)) for kind, count in counts.head(5).items())
    return TableSummary(name, rows_in, len(reasons), common)


def conform(name: str, chunk: arrow.Table) -> tuple[arrow.Table, Reasons]:
    """The columns of a contract in its order and types, and the rows whose values do not convert.

    Raises `TableError` naming all columns that are missing.
    """
    columns = COLUMNS[name]
    absent = [column for column in columns if column not in chunk.schema.names]
    if absent:
        message = f"{name} lacks the columns {', '.join(absent)}; it has {chunk.schema.names}"
        raise TableError(message)
    reasons: Reasons = {}
    typed = {}
    for column, name_of_type in columns.items():
        values = chunk[column].combine_chunks()
        kind = _arrow_type(name_of_type)
        converted = _convert(values, kind)
        given = pc.is_valid(values)
        if arrow.types.is_floating(values.type):
            given = pc.and_(given, pc.invert(pc.is_nan(values)))
        lost = pc.and_(pc.fill_null(given, fill_value=False), pc.is_null(converted))
        for row in pc.indices_nonzero(lost).to_pylist():
            said = f"{column}={values[row].as_py()!r}: not a {_WORDS[kind]}"
            reasons.setdefault(row, []).append(said)
        typed[column] = converted
    return arrow.table(typed), reasons


_WORDS = {arrow.string(): "text", arrow.float64(): "number", arrow.date32(): "date (YYYY-MM-DD)"}
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_DATE = r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$"


def _convert(values: arrow.Array, kind: arrow.DataType) -> arrow.Array:
    """Values as `kind`, null where that would change or lose something; NaN is missing."""
    if arrow.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if arrow.types.is_null(values.type) or values.type == kind:
        return _without_nan(values.cast(kind)) if kind == arrow.float64() else values.cast(kind)
    if is_text(values.type):
        return values.cast(kind) if kind == arrow.string() else _parse(values, kind)
    if kind == arrow.string():
        # Identifiers kept as whole numbers are text to us; other types are not.
        if arrow.types.is_integer(values.type):
            return values.cast(kind)
    elif kind == arrow.float64():
        if arrow.types.is_integer(values.type) or arrow.types.is_floating(values.type):
            return _without_nan(values.cast(kind, safe=False))
        if arrow.types.is_decimal(values.type) or arrow.types.is_boolean(values.type):
            return values.cast(kind)
    elif arrow.types.is_timestamp(values.type):
        days = values.cast(arrow.timestamp("us")).cast(arrow.date32(), safe=False)
        midnight = pc.equal(days.cast(arrow.timestamp("us")), values.cast(arrow.timestamp("us")))
        return pc.if_else(midnight, days, arrow.scalar(None, arrow.date32()))
    return arrow.nulls(len(values), kind)


def _without_nan(values: arrow.Array) -> arrow.Array:
    return pc.if_else(pc.is_nan(values), arrow.scalar(None, values.type), values)


def _parse(values: arrow.Array, kind: arrow.DataType) -> arrow.Array:
    """Text as numbers or dates, null where it is neither."""
    pattern = _NUMBER if kind == arrow.float64() else _DATE
    fits = pc.match_substring_regex(values, pattern)
    text = pc.if_else(fits, values, arrow.scalar(None, values.type))
    if kind == arrow.float64():
        return text.cast(kind)
    parsed = pc.strptime(text, format="%Y-%m-%d", unit="s", error_is_null=True).cast(kind)
    # strptime rolls 30 February over; a day that does not read back is no date.
    same = pc.equal(pc.strftime(parsed, format="%Y-%m-%d"), text)
    return pc.if_else(same, parsed, arrow.scalar(None, kind))


def _folder(folder: Path) -> dict[str, _Source]:
    if not folder.is_dir():
        message = f"{folder} is not a folder; give a folder of tables or a database URL"
        raise TableError(message)
    found = {}
    for name in COLUMNS:
        parquet, csv = folder / f"{name}.parquet", folder / f"{name}.csv"
        if parquet.exists() and csv.exists():
            message = f"{folder} has both {parquet.name} and {csv.name}: keep one of them"
            raise TableError(message)
        if parquet.exists():
            found[name] = _Source(partial(_parquet_chunks, parquet), label_of(parquet))
        elif csv.exists():
            found[name] = _Source(partial(_csv_chunks, csv))
    return found


def _parquet_chunks(path: Path) -> Iterator[arrow.Table]:
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(CHUNK_ROWS):
                yield arrow.Table.from_batches([batch])
    except (OSError, arrow.ArrowInvalid) as error:
        message = f"cannot read {path} as Parquet: {error}"
        raise TableError(message) from error


def _csv_chunks(path: Path) -> Iterator[arrow.Table]:
    with path.open("rb") as file:
        header = file.readline().removeprefix(b"\xef\xbb\xbf")
    try:
        names = header.decode("utf-8").strip().replace('"', "").split(",")
        reader = pa_csv.open_csv(
            path,
            read_options=pa_csv.ReadOptions(block_size=1 << 24),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, arrow.string()),
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
        for batch in reader:
            whole = arrow.Table.from_batches([batch])
            for start in range(0, whole.num_rows, CHUNK_ROWS):
                yield whole.slice(start, CHUNK_ROWS)
    except (arrow.ArrowInvalid, UnicodeDecodeError) as error:
        said = str(error).split("\n")[0]
        message = f"cannot read {path} as CSV in UTF-8: {said}; save it as UTF-8, comma-separated"
        raise TableError(message) from error


def connect_to(url: str) -> sqlalchemy.Engine:
    """The database at a URL; raises `TableError` for one that cannot be reached."""
    try:
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        file = engine.url.database
        if engine.dialect.name == "sqlite" and not (file and Path(file).is_file()):
            # SQLite would make an empty file of that name.
            message = f"{url} names no file: give sqlite:///FILE, where FILE is there"
            raise TableError(message)
        with engine.connect():
            return engine
    except (sqlalchemy.exc.SQLAlchemyError, ImportError) as error:
        said = str(error).splitlines()[0]
        message = f"cannot read the database {without_password(url)}: {said}"
        raise TableError(message) from error


def _database(url: str) -> dict[str, _Source]:
    engine = connect_to(url)
    try:
        there = set(sqlalchemy.inspect(engine).get_table_names())
    except sqlalchemy.exc.SQLAlchemyError as error:
        message = f"cannot read {without_password(url)}: {str(error).splitlines()[0]}"
        raise TableError(message) from error

    def chunks(name: str) -> Iterator[arrow.Table]:
        with engine.connect().execution_options(stream_results=True) as connection:
            for frame in pd.read_sql_table(name, connection, chunksize=CHUNK_ROWS):
                yield arrow.Table.from_pandas(frame, preserve_index=False)

    return {name: _Source(partial(chunks, name)) for name in COLUMNS if name in there}


def without_password(url: str) -> str:
    """A database URL as it may be told."""
    try:
        return sqlalchemy.make_url(url).render_as_string(hide_password=True)
    except sqlalchemy.exc.ArgumentError:
        return f"{url.partition('://')[0]}://..."


def _write_quarantine(source: _Source, reasons: Reasons, path: Path) -> None:
    """A second pass over the table, for the bad rows only, as they came in."""
    writer: pq.ParquetWriter | None = None
    first = 0
    for chunk in source.chunks():
        last = first + chunk.num_rows
        inside = {row - first: said for row, said in reasons.items() if first <= row < last}
        if inside:
            bad = quarantine_rows(chunk, inside)
            writer = writer or pq.ParquetWriter(path, bad.schema)
            writer.write_table(bad)
        first = last
    if writer:
        writer.close()


def _write_accepted(name: str, source: _Source, reasons: Reasons, path: Path) -> None:
    """A second pass over the table, for the rows without a reason, in the contract's types."""
    bad = np.array(sorted(reasons), dtype=np.int64)
    first = 0
    schema = _empty(name).schema.with_metadata({LABEL: source.label} if source.label else None)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for chunk in source.chunks():
            rows = np.arange(first, first + chunk.num_rows)
            writer.write_table(conform(name, chunk)[0].filter(~np.isin(rows, bad)))
            first += chunk.num_rows


def _dates_of_the_past(name: str) -> list[str]:
    """Dates that cannot lie ahead: when a row was known and, but for cover sold, when it was."""
    known = "reported_on" if name == "claims" else "known_on"
    return [known] if name == "policies" else [HAPPENED[name], known]


def _later_than(table: arrow.Table, column: str, today: date) -> list[int]:
    later = pc.greater(table[column], arrow.scalar(today, arrow.date32()))
    return list(pc.indices_nonzero(pc.fill_null(later, fill_value=False)).to_pylist())


def _kind(reason: str) -> str:
    """A reason without the value, to count reasons by."""
    before, mark, rule = reason.partition(": ")
    return f"{before.split('=')[0]}: {rule}" if mark else reason


def _empty(name: str) -> arrow.Table:
    fields = [(column, _arrow_type(kind)) for column, kind in COLUMNS[name].items()]
    return arrow.schema(fields).empty_table()


def _arrow_type(kind: str) -> arrow.DataType:
    return arrow.type_for_alias({"date": "date32"}.get(kind, kind))
