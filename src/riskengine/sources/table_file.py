"""Any Parquet or CSV file as rows a model can read, whole or batch by batch.

Parquet keeps its types. CSV has none, so the caller says what each column is to be: a value then
never depends on what else a file happens to hold. Left out: what the rows mean.
"""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import pyarrow as arrow
import pyarrow.compute as pc
from pyarrow import csv

from riskengine.errors import TableError
from riskengine.sources.parquet import parquet_batches, parquet_schema

_NULLS = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "#N/A"]
_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_BOOLEAN = r"^(?i:true|false)$"
_DATE = r"^\d{4}-\d{2}-\d{2}$"
_TIME = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?$"


class Read(StrEnum):
    """What a column of a CSV file is to be.

    `NUMBER`: a number, a boolean or an ISO date. `LEVEL`: a text, where 7.0 is written 7 and True
    is written true. `ORDER`: a number or a date where all values are, else a text. `TEXT`: as it
    is written.
    """

    NUMBER = "number"
    LEVEL = "level"
    ORDER = "order"
    TEXT = "text"


def is_csv(path: Path) -> bool:
    """Whether a file is CSV by its name; anything else is Parquet."""
    return path.suffix.lower() == ".csv"


def column_names(path: Path) -> list[str]:
    """The columns of a file in their order; raises `TableError` when it cannot be read."""
    if is_csv(path):
        with _open_csv(path) as reader:
            return list(reader.schema.names)
    return list(parquet_schema(path).names)


def read_table(path: Path, wanted: Mapping[str, Read]) -> arrow.Table:
    """The wanted columns of a whole file; raises `TableError` as `table_batches` does."""
    batches = list(table_batches(path, wanted, 1 << 17, whole=True))
    return arrow.Table.from_batches(batches) if batches else empty_table(path, wanted)


def table_batches(
    path: Path, wanted: Mapping[str, Read], rows: int, whole: bool = False
) -> Iterator[arrow.RecordBatch]:
    """The wanted columns, at most `rows` at a time, in the order of the file.

    Raises `TableError` when the file cannot be read, a wanted column is not there or there twice,
    or a value of CSV is not what was wanted. `ORDER` needs all values: it is for `whole` files.
    """
    _require(path, wanted)
    if not is_csv(path):
        for batch in parquet_batches(path, rows):
            yield batch.select(list(wanted))
        return
    read: Iterator[arrow.Table] = _csv_tables(path, list(wanted))
    if whole:
        tables = list(read)
        read = iter([arrow.concat_tables(tables)] if tables else [])
    line = 2
    for table in read:
        columns = [_convert(table[n], how, (path, n, line)) for n, how in wanted.items()]
        typed = arrow.table(columns, names=list(wanted))
        line += table.num_rows
        yield from typed.combine_chunks().to_batches(max_chunksize=rows)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, of a folder's files in the order of their names."""
    total = hashlib.sha256()
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for file in files:
        with file.open("rb") as stream:
            total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()


def _require(path: Path, wanted: Mapping[str, Read]) -> None:
    names = column_names(path)
    absent = [name for name in wanted if name not in names]
    if absent:
        message = (
            f"{path} lacks the columns {', '.join(absent)}; it has {', '.join(names[:40])}"
            f"{' and more' if len(names) > 40 else ''}"
        )
        raise TableError(message)
    twice = [name for name in wanted if names.count(name) > 1]
    if twice:
        message = f"{path} has two columns of the name {', '.join(twice)}: rename one"
        raise TableError(message)


def empty_table(path: Path, wanted: Mapping[str, Read]) -> arrow.Table:
    """A table of no rows with the types that batches of the file have, of CSV where it is empty."""
    if not is_csv(path):
        schema = parquet_schema(path)
        return arrow.schema([schema.field(name) for name in wanted]).empty_table()
    number, text = arrow.float64(), arrow.string()
    kinds = [(name, number if how is Read.NUMBER else text) for name, how in wanted.items()]
    return arrow.schema(kinds).empty_table()


def _open_csv(path: Path, names: Sequence[str] = ()) -> csv.CSVStreamingReader:
    """A reader of texts; the texts that mean a missing value are null."""
    if not path.is_file():
        message = f"{path} is not there: give a Parquet or CSV file"
        raise TableError(message)
    try:
        with csv.open_csv(path) as header:
            found = header.schema.names
    except arrow.ArrowInvalid as error:
        raise _unreadable(path, error) from error
    if len(found) == 1 and any(mark in found[0] for mark in ";\t|"):
        message = f"{path} has one column, {found[0]!r}: separate the columns by commas"
        raise TableError(message)
    options = csv.ConvertOptions(
        column_types=dict.fromkeys(found, arrow.string()),
        null_values=_NULLS,
        strings_can_be_null=True,
        include_columns=list(names) or None,
    )
    parse = csv.ParseOptions(newlines_in_values=True)
    try:
        return csv.open_csv(path, parse_options=parse, convert_options=options)
    except arrow.ArrowInvalid as error:
        raise _unreadable(path, error) from error


def _csv_tables(path: Path, names: Sequence[str]) -> Iterator[arrow.Table]:
    try:
        with _open_csv(path, names) as reader:
            for batch in reader:
                yield arrow.Table.from_batches([batch])
    except arrow.ArrowInvalid as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: arrow.ArrowInvalid) -> TableError:
    said = str(error).splitlines()[0] if str(error) else "no columns"
    if "UTF" in said or "utf" in said:
        said = f"{said}: save it as UTF-8"
    return TableError(f"cannot read {path} as CSV: {said}")


def _convert(
    texts: arrow.ChunkedArray, how: Read, where: tuple[Path, str, int]
) -> arrow.ChunkedArray | arrow.Array:
    if how is Read.TEXT:
        return texts
    if how is Read.LEVEL:
        return _levels(texts)
    found = _as_number(texts)
    if found is not None:
        return found
    if how is Read.ORDER:
        return texts
    path, name, line = where
    good = pc.match_substring_regex(texts, _NUMBER)
    bad = pc.index(pc.fill_null(good, True), arrow.scalar(False)).as_py()
    message = (
        f"{name} is {texts[bad].as_py()!r} in row {line - 1 + bad} of {path}: give numbers (no"
        " signs of thousands or currency), true or false, or dates as 2024-12-31, one kind a"
        " column, or list the column under categorical"
    )
    raise TableError(message)


def _as_number(texts: arrow.ChunkedArray) -> arrow.ChunkedArray | None:
    """Texts as whole numbers, numbers, booleans, dates or times; None where they are mixed."""

    def all_match(pattern: str) -> bool:
        matched = pc.all(pc.match_substring_regex(texts, pattern), min_count=0)
        return bool(matched.as_py())

    if all_match(_NUMBER):
        trimmed = pc.replace_substring_regex(pc.utf8_trim_whitespace(texts), r"^\+", "")
        with contextlib.suppress(arrow.ArrowInvalid):
            return trimmed.cast(arrow.int64())
        return trimmed.cast(arrow.float64())
    if all_match(_BOOLEAN):
        return pc.equal(pc.utf8_lower(texts), "true")
    try:
        if all_match(_DATE):
            return texts.cast(arrow.date32())
        if all_match(_TIME):
            return texts.cast(arrow.timestamp("us"))
    except arrow.ArrowInvalid:
        return None
    return None


def _levels(texts: arrow.ChunkedArray) -> arrow.ChunkedArray:
    """One spelling of what programs write in several: 7.0 for 7, True for true."""
    whole = pc.replace_substring_regex(texts, r"^(-?(?:0|[1-9]\d*))\.0$", r"\1")
    boolean = pc.match_substring_regex(whole, _BOOLEAN)
    return pc.if_else(boolean, pc.utf8_lower(whole), whole)
