"""A portfolio as files: what is there by their footers, and chunks of a fixed number of rows.

A chunk is a list of spans of row groups, planned from the footers alone, so that it is the same
whoever prices it and however often. What a damaged file promised and does not give is told, so that
rows can be reconciled.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

import pyarrow as arrow
import pyarrow.compute as pc
import pyarrow.parquet as pq

from riskengine.any_release import AnyRelease
from riskengine.batch.portfolio import (
    EFFECTIVE,
    EXPIRING,
    EXPIRING_STEP,
    plain,
    portfolio_faults,
    questions_of,
    wanted_columns,
)
from riskengine.errors import TableError
from riskengine.sources.table_file import file_digest

_READ_ROWS = 16_384
"""Rows decoded at a time: what a damaged page takes with it begins at such a boundary."""
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
_UNREADABLE = (OSError, MemoryError, arrow.ArrowException)


@dataclass(frozen=True)
class BookFile:
    """One Parquet file: rows by row group, values its folders give; or why it cannot be read."""

    path: Path
    name: str
    groups: tuple[int, ...] = ()
    partition: Mapping[str, str | None] = field(default_factory=dict)
    fault: str = ""


@dataclass(frozen=True)
class Span:
    """`rows` rows of a row group from `start` on, which are from row `first` of the file on."""

    file: int
    group: int
    start: int
    first: int
    rows: int


@dataclass(frozen=True, eq=False)
class Lost:
    """`rows` rows that a file promised from row `first` on and does not give, and why."""

    file: str
    first: int
    rows: int
    reason: str


@dataclass(frozen=True, eq=False)
class Chunk:
    """Policies of one chunk with the file and row they came from, and what could not be read."""

    policies: arrow.Table
    places: tuple[tuple[str, int, int], ...]
    """File, first row in it, and number of rows, of each run of `policies`."""
    lost: tuple[Lost, ...]

    @property
    def rows(self) -> int:
        """Rows read and rows promised."""
        return int(self.policies.num_rows) + sum(one.rows for one in self.lost)


@dataclass(frozen=True, eq=False)
class Book:
    """The files of a portfolio, in the order of their names, with the columns that are read."""

    root: Path
    files: tuple[BookFile, ...]
    schema: arrow.Schema

    @cached_property
    def rows(self) -> int:
        """The rows that the footers promise."""
        return sum(sum(file.groups) for file in self.files)

    def digest(self) -> str:
        """SHA-256 over the names and the content of the files, 64 hexadecimal digits."""
        lines = [f"{file.name} {file_digest(file.path)}\n" for file in self.files]
        return hashlib.sha256("".join(lines).encode("utf-8")).hexdigest()

    def chunks(self, rows: int) -> list[tuple[Span, ...]]:
        """The spans of each chunk: `rows` rows each, but for the last."""
        found: list[tuple[Span, ...]] = []
        spans: list[Span] = []
        room = rows
        for span in self._groups():
            left = span
            while left.rows > room:
                taken = Span(left.file, left.group, left.start, left.first, room)
                found.append((*spans, taken))
                left = Span(
                    left.file, left.group, left.start + room, left.first + room, left.rows - room
                )
                spans, room = [], rows
            spans.append(left)
            room -= left.rows
        return [*found, tuple(spans)] if spans else found

    def _groups(self) -> Iterator[Span]:
        """Every row group as one span; a file without a footer as one of no rows."""
        for place, file in enumerate(self.files):
            if file.fault:
                yield Span(place, -1, 0, 0, 0)
            first = 0
            for group, rows in enumerate(file.groups):
                yield Span(place, group, 0, first, rows)
                first += rows

    def read(self, chunks: Sequence[tuple[int, tuple[Span, ...]]]) -> Iterator[tuple[int, Chunk]]:
        """The numbered chunks one after the other; each row group is decoded once, in order."""
        reader: _GroupReader | None = None
        for number, spans in chunks:
            parts: list[arrow.Table] = []
            places: list[tuple[str, int, int]] = []
            lost: list[Lost] = []
            for span in spans:
                file = self.files[span.file]
                if file.fault:
                    lost.append(Lost(file.name, 0, 0, file.fault))
                    continue
                if reader is None or not reader.serves(span):
                    reader = _GroupReader(self, span)
                table = reader.take(span)
                if table.num_rows:
                    parts.append(table)
                    places.append((file.name, span.first, table.num_rows))
                if table.num_rows < span.rows:
                    first, rows = span.first + table.num_rows, span.rows - table.num_rows
                    lost.append(Lost(file.name, first, rows, reader.fault))
            policies = arrow.concat_tables(parts) if parts else self.schema.empty_table()
            yield number, Chunk(policies.combine_chunks(), tuple(places), tuple(lost))


class _GroupReader:
    """Reads one row group from its start on; where it fails, the rest of the group is lost."""

    def __init__(self, book: Book, span: Span) -> None:
        self._file, self._group, self._at = span.file, span.group, 0
        self._book, self.fault = book, ""
        self._left = book.schema.empty_table()
        file = book.files[span.file]
        names = [name for name in book.schema.names if name not in file.partition]
        try:
            source = pq.ParquetFile(file.path, page_checksum_verification=True)
            self._batches = source.iter_batches(
                _READ_ROWS, row_groups=[span.group], columns=names, use_threads=False
            )
        except _UNREADABLE as error:
            self._fail(error)

    def serves(self, span: Span) -> bool:
        """Whether the span lies ahead in the same row group."""
        return (span.file, span.group) == (self._file, self._group) and span.start >= self._at

    def take(self, span: Span) -> arrow.Table:
        """The rows of a span, fewer where they cannot be read."""
        self._skip_to(span.start)
        while self._at + self._left.num_rows < span.start + span.rows and not self.fault:
            try:
                batch = next(self._batches)
                more = self._conform(arrow.Table.from_batches([batch]))
            except StopIteration:
                self.fault = "the file ends before its footer says so"
            except _UNREADABLE as error:
                self._fail(error)
            else:
                self._left = arrow.concat_tables([self._left, more])
                self._skip_to(span.start)
        found = self._left.slice(0, span.rows)
        self._left, self._at = self._left.slice(span.rows), self._at + found.num_rows
        return found

    def _skip_to(self, start: int) -> None:
        """Pass over rows before `start` that were decoded."""
        behind = min(max(start - self._at, 0), self._left.num_rows)
        self._left, self._at = self._left.slice(behind), self._at + behind

    def _fail(self, error: Exception) -> None:
        self.fault = f"damaged: {_first_line(error)}"

    def _conform(self, table: arrow.Table) -> arrow.Table:
        """The columns of the book in its types, with what the folders of the file say."""
        for name, value in self._book.files[self._file].partition.items():
            if name in self._book.schema.names:
                column = arrow.array([value], arrow.string()).take(
                    arrow.array([0] * table.num_rows, arrow.int32())
                )
                table = table.append_column(name, column)
        return plain(table.select(self._book.schema.names)).cast(self._book.schema, safe=False)


def open_book(path: Path, releases: Sequence[AnyRelease]) -> Book:
    """The portfolio in a Parquet file, or in a folder of them, with folders `NAME=VALUE` if any.

    Raises `TableError` where no file can be read, and naming every column of any file that is
    missing or of the wrong type. A single file of many that has no footer is told with its rows.
    """
    paths = [path] if not path.is_dir() else _parquet_files(path)
    opened = [_open(one, path) for one in paths]
    kind = _kinds(releases)
    schemas = [
        (file.name, _with_partition(schema, file, kind)) for file, schema in opened if schema
    ]
    if not schemas:
        fault = opened[0][0].fault if opened else "there is no .parquet file in it"
        message = f"cannot read the portfolio {path} as Parquet: {fault}"
        raise TableError(message)
    wrong = dict.fromkeys(
        f"{fault}" + (f" (in {name})" if len(schemas) > 1 else "")
        for name, schema in schemas
        for fault in portfolio_faults(schema, releases)
    )
    if wrong:
        message = f"{path} cannot be priced: {'; '.join([*wrong][:20])}"
        raise TableError(message)
    wanted = [wanted_columns(schema, releases) for _, schema in schemas]
    if any(names != wanted[0] for names in wanted):
        uneven = sorted({n for names in wanted for n in names if any(n not in w for w in wanted)})
        message = f"{path}: only some of its files have {', '.join(uneven)}: give all the same"
        raise TableError(message)
    schema = arrow.schema([(name, kind(name)) for name in wanted[0]])
    return Book(path, tuple(file for file, _ in opened), schema)


def _parquet_files(folder: Path) -> list[Path]:
    """Parquet files below a folder in the order of their names, hidden ones left out."""
    return sorted(
        found
        for found in folder.rglob("*.parquet")
        if found.is_file()
        and not any(part.startswith(("_", ".")) for part in found.relative_to(folder).parts)
    )


def _open(path: Path, root: Path) -> tuple[BookFile, arrow.Schema | None]:
    name = path.name if path == root else path.relative_to(root).as_posix()
    folders = [part for part in Path(name).parts[:-1] if "=" in part]
    pairs = (part.split("=", 1) for part in folders)
    partition = {key: None if v == _NO_VALUE else unquote(v) for key, v in pairs}
    try:
        footer = pq.read_metadata(path)
        groups = tuple(footer.row_group(at).num_rows for at in range(footer.num_row_groups))
        return BookFile(path, name, groups, partition), footer.schema.to_arrow_schema()
    except _UNREADABLE as error:
        return BookFile(path, name, (), partition, f"damaged: {_first_line(error)}"), None


def _kinds(releases: Sequence[AnyRelease]) -> Callable[[str], arrow.DataType]:
    """The one type that a column is read as: text, a double, a date."""
    asked = {question.name: question.kind for question in questions_of(releases)}

    def kind(name: str) -> arrow.DataType:
        if name == EFFECTIVE:
            return arrow.date32()
        number = asked.get(name) == "number" or name == EXPIRING or name.startswith(EXPIRING_STEP)
        return arrow.float64() if number else arrow.string()

    return kind


def _with_partition(
    schema: arrow.Schema, file: BookFile, kind: Callable[[str], arrow.DataType]
) -> arrow.Schema:
    """The columns of a file and of its folders."""
    for name in file.partition:
        if name not in schema.names:
            schema = schema.append(arrow.field(name, kind(name)))
    return schema


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def quarantine_schema(schema: arrow.Schema) -> arrow.Schema:
    """Where a row came from and why it is here, then the portfolio's columns as text.

    `rows` is 1, or how many rows an unreadable part of a file promised.
    """
    head = [("file", arrow.string()), ("row", arrow.int64()), ("rows", arrow.int64())]
    texts = [(name, arrow.string()) for name in schema.names]
    return arrow.schema([*head, ("reason", arrow.string()), *texts])


def quarantine_of(chunk: Chunk, reasons: Mapping[int, str]) -> arrow.Table:
    """The rows of a chunk that were set aside, and what could not be read of it."""
    schema = quarantine_schema(chunk.policies.schema)
    rows = list(reasons)
    bad = chunk.policies.take(arrow.array(rows, arrow.int64()))
    files, numbers = _origin(chunk.places, rows)
    head = [files, numbers, [1] * len(rows), list(reasons.values())]
    columns = [
        arrow.array(values, kind) for values, kind in zip(head, schema.types[:4], strict=True)
    ]
    texts = [pc.cast(bad[name], arrow.string()) for name in chunk.policies.schema.names]
    table = arrow.Table.from_arrays([*columns, *texts], schema=schema)
    promised = [
        {"file": one.file, "row": one.first, "rows": one.rows, "reason": one.reason}
        for one in chunk.lost
    ]
    return arrow.concat_tables([table, arrow.Table.from_pylist(promised, schema)])


def _origin(
    places: Sequence[tuple[str, int, int]], rows: Sequence[int]
) -> tuple[list[str], list[int]]:
    files, numbers = [], []
    begins, run = 0, 0
    for row in rows:
        while row >= begins + places[run][2]:
            begins, run = begins + places[run][2], run + 1
        files.append(places[run][0])
        numbers.append(places[run][1] + row - begins)
    return files, numbers
