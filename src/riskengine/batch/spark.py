"""The same kernel on Spark: for a book in files that all nodes see, and for any data frame.

Files: each task takes a chunk, prices it and puts it in its place, so that the parts are those of
one machine byte for byte, a lost worker costs its chunks only, and a job can go on after any stop.
Data frames: partitions go through `mapInArrow`, wherever the rows are. The release is read from a
path that all nodes see, once by each worker process.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import pyarrow as arrow

from riskengine.batch.book_files import Book
from riskengine.batch.book_totals import BookTotals
from riskengine.batch.chunk_workers import Numbered, price_chunk
from riskengine.batch.job_folder import chunk_totals
from riskengine.batch.repriced import Pricing, kernel_of
from riskengine.errors import InputError, StoppedError
from riskengine.profiles.build import profile_expression
from riskengine.profiles.features import FEATURES
from riskengine.sources.query import Engine as ProfileEngine
from riskengine.sources.query import connect, open_folder, spark_session

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

REASON, _VIEW = "quarantine_reason", "riskengine_profiles"
_LOOK_EVERY = 0.2
"""Seconds between two looks at which chunks are done."""


def price_on_spark(
    pricing: Pricing, book: Book, folder: Path, pending: Sequence[Numbered]
) -> Iterator[tuple[int, BookTotals]]:
    """Price `pending` chunks on the cluster; number and totals of each, as they are done.

    Portfolio, releases and folder must be under the same paths on every node. Raises `StoppedError`
    when Spark gives up: after four tries of one chunk, if nothing else is configured.
    """
    if not pending:
        return
    session = spark_session()
    waiting = {number for number, _ in pending}
    with ThreadPoolExecutor(max_workers=1) as thread:
        job = thread.submit(_run, session, (pricing, book, folder.resolve()), list(pending))
        try:
            while waiting:
                ended = wait([job], _LOOK_EVERY).done
                for number in sorted(waiting):
                    totals = chunk_totals(folder, number)
                    if totals is not None:
                        waiting.discard(number)
                        yield number, totals
                if ended:
                    job.result()
                    break
        finally:
            if not job.done():
                session.sparkContext.cancelAllJobs()
    if waiting:
        message = f"{folder} is not what the workers write to: share it with every node"
        raise StoppedError(message)


def _run(session: Any, what: tuple[Pricing, Book, Path], pending: Sequence[Numbered]) -> None:
    from pyspark.errors import PySparkException

    pricing, book, folder = what

    def price(batches: Iterator[arrow.RecordBatch]) -> Iterator[arrow.RecordBatch]:
        places = [place for batch in batches for place in batch["id"].to_pylist()]
        for number, chunk in book.read([pending[place] for place in places]):
            price_chunk(pricing, folder, number, chunk)
            yield arrow.RecordBatch.from_pydict({"number": [number]})

    # One task a chunk: what a lost worker loses is small, and all cores end together.
    places = session.range(0, len(pending), 1, len(pending))
    try:
        places.mapInArrow(price, "number long").collect()
    except PySparkException as error:
        message = f"Spark gave up: {str(error).splitlines()[0]}"
        raise StoppedError(message) from error


def repriced_frame(portfolio: "DataFrame", pricing: Pricing) -> "DataFrame":
    """A data frame of policies with their prices: the columns of `repriced/`, and the reason.

    A row that cannot be priced has its identity and `quarantine_reason`, and nothing else, so that
    rows in = rows out. Raises `InputError` naming all columns that are missing.
    """
    kernel = kernel_of(pricing)
    asked = [question.name for one in kernel.releases for question in one.questions]
    absent = [n for n in dict.fromkeys(["policy_id", "member_id", "plan", *asked])
              if n not in portfolio.columns]  # fmt: skip
    if absent:
        message = f"the portfolio lacks the columns {', '.join(absent)}"
        raise InputError(message)
    from pyspark.sql.pandas.types import from_arrow_schema

    schema = kernel.schema.append(arrow.field(REASON, arrow.string()))

    def price(batches: Iterator[arrow.RecordBatch]) -> Iterator[arrow.RecordBatch]:
        for batch in batches:
            if batch.num_rows:
                yield from _with_reasons(pricing, arrow.Table.from_batches([batch]), schema)

    return portfolio.mapInArrow(price, from_arrow_schema(schema))


def profiled_portfolio(
    portfolio: "DataFrame", pricing: Pricing, tables: Path, as_of: date
) -> "DataFrame":
    """The portfolio with the answers that its members' profiles of `as_of` give.

    Given to `repriced_frame`, members, profiles and premiums are one job. `tables` is a folder as
    `riskengine profiles` reads it. A question that is a column of the portfolio already keeps that
    answer; a member of whom nothing is known has none. Raises `TableError` for tables that break
    their contracts.
    """
    kernel = kernel_of(pricing)
    asked = {question.name for one in kernel.releases for question in one.questions}
    features = [f for f in FEATURES if f.name in asked - set(portfolio.columns)]
    if not features:
        return portfolio
    with connect(ProfileEngine.SPARK) as connection:
        opened = open_folder(connection, tables)
        members = opened["members"]
        day = ibis.literal(as_of)
        spine = members.filter(members.known_on <= day).select("member_id", as_of=day)
        # A view, not its text: Ibis has to bring along what the query names.
        connection.create_view(_VIEW, profile_expression(opened, spine, features), overwrite=True)
        profiles = spark_session().table(_VIEW).drop("as_of")
    return portfolio.join(profiles, "member_id", "left")


def _with_reasons(
    pricing: Pricing, policies: arrow.Table, schema: arrow.Schema
) -> list[arrow.RecordBatch]:
    found = kernel_of(pricing).price(policies)
    priced = found.table.append_column(
        schema.field(REASON), arrow.nulls(found.table.num_rows, arrow.string())
    )
    rows = list(found.reasons)
    known = policies.select(["policy_id", "member_id", "plan"]).take(
        arrow.array(rows, arrow.int64())
    )
    columns: dict[str, Any] = {f.name: arrow.nulls(len(rows), f.type) for f in schema}
    columns |= {name: known[name].cast(arrow.string()) for name in known.schema.names}
    columns[REASON] = arrow.array(list(found.reasons.values()), arrow.string())
    aside = arrow.Table.from_pydict(columns, schema)
    together: list[arrow.RecordBatch] = (
        arrow.concat_tables([priced, aside]).combine_chunks().to_batches()
    )
    return together
