"""Parquet from outside, a file or a folder of files as Spark writes it, or an error that says why.

Left out: CSV and databases (`sources.folder`) and what the rows mean.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as arrow
import pyarrow.dataset as ds

from riskengine.errors import TableError


def parquet_schema(path: Path) -> arrow.Schema:
    """Names and types of the columns; raises `TableError` when there is nothing to read."""
    return _dataset(path).schema


def parquet_batches(path: Path, rows: int) -> Iterator[arrow.RecordBatch]:
    """The rows in their order, at most `rows` at a time; raises `TableError` as above."""
    yield from _dataset(path).to_batches(
        batch_size=rows, batch_readahead=1, fragment_readahead=1, use_threads=False
    )


def _dataset(path: Path) -> ds.Dataset:
    if not path.exists():
        message = f"{path} is not there: give a Parquet file, or a folder that Spark wrote"
        raise TableError(message)
    try:
        found = ds.dataset(path, format="parquet")
    except (OSError, arrow.ArrowInvalid) as error:
        said = str(error).splitlines()[0].rsplit(": ", 1)[-1]
        message = f"cannot read {path} as Parquet: {said}"
        raise TableError(message) from error
    if not found.files:
        message = f"{path} holds no Parquet files"
        raise TableError(message)
    return found
