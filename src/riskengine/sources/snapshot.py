"""A database query as one Parquet file: what a long job reads must not change under it.

Rows are read as a stream and written in parts; then the parts become one file in the types that
fit all of them. A job that goes on later reads the same file, so it prices the same rows.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pyarrow as arrow
import pyarrow.parquet as pq
import sqlalchemy

from riskengine.errors import TableError
from riskengine.sources.folder import connect_to, without_password
from riskengine.tables import is_text

_ROWS = 50_000
_DATES = ("effective_from",)
"""Columns that are dates also where the database has only texts, as SQLite."""


def snapshot(url: str, query: str, path: Path, rows: int = _ROWS) -> int:
    """Write the rows of `query` on the database at `url` to `path`, whole or not at all.

    Returns how many there are; memory holds `rows` of them. Raises `TableError` for a database or a
    query that cannot be read, and for one without a row.
    """
    engine = connect_to(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent) as folder:
        parts: list[Path] = []
        try:
            with engine.connect().execution_options(stream_results=True) as connection:
                asked = sqlalchemy.text(query)
                for frame in pd.read_sql_query(asked, connection, chunksize=rows):
                    parts.append(Path(folder) / f"{len(parts)}.parquet")
                    pq.write_table(_typed(frame), parts[-1])
        except (sqlalchemy.exc.SQLAlchemyError, pd.errors.DatabaseError) as error:
            said = str(error.__cause__ or error).splitlines()[0]
            message = f"cannot read {query!r} from {without_password(url)}: {said}"
            raise TableError(message) from error
        read = sum(int(pq.read_metadata(part).num_rows) for part in parts)
        if not read:
            message = f"{query!r} gives no row of {without_password(url)}: nothing to price"
            raise TableError(message)
        # A column that is empty in one part, or whole numbers only, has another type there.
        schemas = [pq.read_schema(part).remove_metadata() for part in parts]
        schema = arrow.unify_schemas(schemas, promote_options="permissive")
        whole = Path(folder) / "whole.parquet"
        with pq.ParquetWriter(whole, schema) as writer:
            for part in parts:
                writer.write_table(pq.read_table(part).cast(schema))
        whole.replace(path)
    return read


def _typed(frame: pd.DataFrame) -> arrow.Table:
    table = arrow.Table.from_pandas(frame, preserve_index=False)
    for name in _DATES:
        place = table.schema.get_field_index(name)
        if place < 0 or not is_text(table.schema.field(place).type):
            continue
        try:
            dates = table[name].cast(arrow.date32())
        except arrow.ArrowInvalid as error:
            message = f"{name} is a text that is no date: {error}; give YYYY-MM-DD"
            raise TableError(message) from error
        table = table.set_column(place, name, dates)
    return table
