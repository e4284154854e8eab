"""The tables of a folder as queries of an engine: DuckDB here, PySpark on a cluster.

Only Parquet in the contracts' own types is read; `riskengine validate SOURCE --out FOLDER` makes
such a folder of any source, and its rows are the ones that keep the contracts.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import ibis

from riskengine.errors import InputError, TableError
from riskengine.sources.parquet import parquet_schema, refuse_misspelt
from riskengine.tables import COLUMNS, OPTIONAL


class Engine(StrEnum):
    """Where profiles are built."""

    DUCKDB = "duckdb"
    SPARK = "spark"


@contextmanager
def connect(engine: Engine, memory_limit: str = "") -> Iterator[Any]:
    """A connection to `engine`, closed at the end.

    DuckDB uses at most `memory_limit`, such as "700MB" (its own default if empty), and keeps the
    rest in a temporary folder, as it does the tables that are made. Spark is the session there
    is, or a new one by the usual configuration (`SPARK_CONF_DIR`, `spark-submit`), local if
    nothing else is said. Raises `InputError` when Spark or Java is not there, or the memory limit
    is none or too small.
    """
    if engine is Engine.SPARK:
        yield ibis.pyspark.connect(spark_session())
        return
    with TemporaryDirectory(prefix="riskengine-") as spill:
        limit = {"memory_limit": memory_limit} if memory_limit else {}
        # Tables that are made lie in a file, compressed; in memory they would not be. Rows are
        # ordered by their keys in the end; keeping the order of files costs memory.
        try:
            connection = ibis.duckdb.connect(
                Path(spill) / "made.duckdb",
                temp_directory=spill,
                preserve_insertion_order=False,
                **limit,
            )
        except duckdb.ParserException as error:
            message = f"RISKENGINE_MEMORY_LIMIT is {memory_limit!r}: give a size such as 700MB"
            raise InputError(message) from error
        try:
            yield connection
        except duckdb.OutOfMemoryException as error:
            said = str(error).splitlines()[0]
            message = f"more memory is needed: raise RISKENGINE_MEMORY_LIMIT ({said})"
            raise InputError(message) from error
        finally:
            connection.disconnect()


def spark_session() -> Any:
    """The Spark session there is, or a new one, local if nothing else is configured.

    Raises `InputError` when Spark or Java is not there.
    """
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        message = "PySpark comes with the extra `spark`: pip install 'riskengine[spark]'"
        raise InputError(message) from error
    # Workers on this machine have what this process has, unless another Python was named.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("riskengine").config("spark.sql.session.timeZone", "UTC")
    try:
        return builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()
    except PySparkException as error:
        message = "Spark needs Java 17: on Debian `apt-get install openjdk-17-jre-headless`"
        raise InputError(message) from error


def open_folder(connection: Any, folder: Path) -> dict[str, Any]:
    """The tables of `folder` (NAME.parquet, a file or a folder of files) as Ibis tables.

    Raises `TableError` when a table that must be there is missing or one is misspelt, or naming all
    columns that are absent or of another type than their contract's.
    """
    if not folder.is_dir():
        message = f"{folder} is not a folder: give one of NAME.parquet for each table"
        raise TableError(message)
    paths = {name: folder / f"{name}.parquet" for name in COLUMNS}
    refuse_misspelt(folder, [name for name, path in paths.items() if path.exists()])
    missing = [n for n, path in paths.items() if not path.exists() and n not in OPTIONAL]
    if missing:
        message = (
            f"{folder} has no {', '.join(f'{name}.parquet' for name in missing)};"
            " `riskengine validate SOURCE --out FOLDER` writes the tables of a source as Parquet"
        )
        raise TableError(message)
    for path in paths.values():
        if path.exists():
            parquet_schema(path)
    tables = {
        name: connection.read_parquet(str(path.resolve()))
        for name, path in paths.items()
        if path.exists()
    }
    wrong = [fault for name, table in tables.items() for fault in _misfits(name, table)]
    if wrong:
        message = (
            f"{folder} breaks the contracts: {'; '.join(wrong)};"
            " `riskengine validate SOURCE --out FOLDER` writes tables of the right types"
        )
        raise TableError(message)
    return {name: table.select(*COLUMNS[name]) for name, table in tables.items()}


def _misfits(name: str, table: Any) -> list[str]:
    there = table.schema()
    wrong = []
    for column, kind in COLUMNS[name].items():
        if column not in there:
            wrong.append(f"{name}.{column} is missing")
        elif str(there[column]).lstrip("!") != kind:
            wrong.append(f"{name}.{column} is {there[column]}, not {kind}")
    return wrong
