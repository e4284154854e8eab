"""Parquet from outside, a file or a folder of files as Spark writes it, or an error that says why.

Left out: CSV and databases (`sources.folder`) and what the rows mean.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as arrow
import pyarrow.parquet as pq

from riskengine.errors import TableError
from riskengine.tables import COLUMNS

if TYPE_CHECKING:
    import pyarrow.dataset as ds

LABEL = b"riskengine"
"""Key of the metadata that says what kind of data a file holds."""


def parquet_schema(path: Path) -> arrow.Schema:
    """Names and types of the columns; raises `TableError` when there is nothing to read."""
    if not path.is_file():
        return _dataset(path).schema
    with _readable(path):
        return pq.read_schema(path)


def parquet_batches(path: Path, rows: int) -> Iterator[arrow.RecordBatch]:
    """The rows in their order, at most `rows` at a time; raises `TableError` as above."""
    yield from _dataset(path).to_batches(
        batch_size=rows, batch_readahead=1, fragment_readahead=1, use_threads=False
    )


def label_of(path: Path) -> bytes:
    """What the writer of a Parquet file says it is, such as `synthetic, seed 1`; empty if nothing.

    Raises `TableError` when there is nothing to read.
    """
    label: bytes = (parquet_schema(path).metadata or {}).get(LABEL, b"")
    return label


def refuse_misspelt(folder: Path, found: Collection[str]) -> None:
    """Raise `TableError` for a file whose name is nearly that of a table which is not there.

    An optional table under a wrong name would otherwise be taken for one that nobody has.
    """
    others = {
        path.stem: path.name
        for path in sorted(folder.iterdir())
        if path.suffix in {".parquet", ".csv"} and path.stem not in COLUMNS
    }
    for name in (name for name in COLUMNS if name not in found):
        near = get_close_matches(name, others, n=1, cutoff=0.8)
        if near:
            message = (
                f"{folder} has no {name}, but {others[near[0]]}: rename it, or move it elsewhere"
                " if it is something else"
            )
            raise TableError(message)


def _dataset(path: Path) -> "ds.Dataset":
    if not path.exists():
        message = f"{path} is not there: give a Parquet file, or a folder that Spark wrote"
        raise TableError(message)
    import pyarrow.dataset as ds  # late: it loads pandas

    with _readable(path):
        found = ds.dataset(path, format="parquet")
    if not found.files:
        message = f"{path} holds no Parquet files"
        raise TableError(message)
    return found


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, arrow.ArrowInvalid) as error:
        said = str(error).splitlines()[0].rsplit(": ", 1)[-1]
        message = f"cannot read {path} as Parquet: {said}"
        raise TableError(message) from error
