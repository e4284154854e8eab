"""Predictions for a file of any size: batches in, batches out, in the order of the file."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as arrow
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from riskengine.batch.train import feature_reads
from riskengine.errors import InputError, RiskEngineError, TableError
from riskengine.risk.model import RiskModel
from riskengine.sources.table_file import Read, column_names, empty_table, is_csv, table_batches

BATCH_ROWS = 65_536
PREDICTION = "prediction"


@dataclass(frozen=True)
class ScoreJob:
    """Rows of `data` to `out`, Parquet or CSV by its suffix; `key` is a column that is kept."""

    data: Path
    out: Path
    key: str | None = None


def score_file(
    model: RiskModel, job: ScoreJob, progress: Callable[[int], None] = lambda _: None
) -> int:
    """Write one row of predictions a row of `data`, in its order; how many.

    Columns are the key and `prediction` per unit of exposure, or one a class. Nothing is left at
    `out` when a row cannot be predicted. Raises `TableError` for a file or key that cannot be used
    and as the model does.
    """
    names = list(model.classes) or [PREDICTION]
    _check(job, names)
    reads = feature_reads(model.spec)
    if job.key is not None:
        reads = {job.key: Read.TEXT, **reads}
    fields = [(name, arrow.float64()) for name in names]
    if job.key is not None:
        kept = empty_table(job.data, reads).schema.field(job.key).type
        fields = [(job.key, kept), *fields]
    schema = arrow.schema(fields)
    job.out.parent.mkdir(parents=True, exist_ok=True)
    partial = job.out.with_name(f"{job.out.name}.partial")
    done = 0
    try:
        with _writer(job.out, partial, schema) as writer:
            for batch in table_batches(job.data, reads, BATCH_ROWS):
                writer.write_table(_scored(model, batch, schema, (job.key, done)))
                done += batch.num_rows
                progress(done)
        partial.replace(job.out)
    finally:
        partial.unlink(missing_ok=True)
    return done


def _scored(
    model: RiskModel, batch: arrow.RecordBatch, schema: arrow.Schema, where: tuple[str | None, int]
) -> arrow.Table:
    key, first = where
    table = arrow.Table.from_batches([batch])
    try:
        found = model.predict(table)
    except RiskEngineError as error:
        if not first:
            raise
        # The model numbers the rows of what it is given.
        message = f"counting rows from {first:,}: {error}"
        raise type(error)(message) from error
    columns = list(found.reshape(len(found), len(model.classes) or 1).T)
    if key is not None:
        columns = [table[key].cast(schema.field(key).type), *columns]
    return arrow.table(columns, schema=schema)


def _check(job: ScoreJob, names: list[str]) -> None:
    if job.out.suffix.lower() not in {".csv", ".parquet"}:
        message = f"--out is {job.out}: end it in .parquet or .csv"
        raise InputError(message)
    if job.out.exists() and job.data.exists() and job.out.samefile(job.data):
        message = f"--out is {job.out}, which is the data: give another file"
        raise InputError(message)
    if job.key is None:
        return
    if job.key in names:
        message = f"key {job.key} is a column of the result ({', '.join(names)}): rename it"
        raise TableError(message)
    there = column_names(job.data)
    if job.key not in there:
        message = f"{job.data} has no key column {job.key}; it has {', '.join(there[:40])}"
        raise TableError(message)


def _writer(
    out: Path, partial: Path, schema: arrow.Schema
) -> AbstractContextManager[pq.ParquetWriter | arrow_csv.CSVWriter]:
    found: AbstractContextManager[pq.ParquetWriter | arrow_csv.CSVWriter]
    if is_csv(out):
        found = arrow_csv.CSVWriter(partial, schema)
    else:
        found = pq.ParquetWriter(partial, schema, compression="zstd")
    return found
