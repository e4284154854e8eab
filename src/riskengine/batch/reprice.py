"""Repricing a book: Parquet in, Parquet out, chunk by chunk, to the cent the live price.

In the folder: `repriced/` and `quarantine/` (one file a chunk), `summary.json`, `bordereau.csv`,
`dislocation.html`, and `run.json`, the record of the last run. All but the record are the same
bytes however often the job was stopped and went on. Rows in = rows priced + rows in quarantine, or
the job fails.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path

from riskengine import __version__
from riskengine.batch.book_files import Book, open_book
from riskengine.batch.book_totals import BookTotals, Sums
from riskengine.batch.chunk_workers import Numbered, price_chunks
from riskengine.batch.job_folder import (
    SUMMARY_FILE,
    Identity,
    begin,
    clear_half_written,
    only_writer,
    write_text,
)
from riskengine.batch.repriced import Priced, Pricing, kernel_of
from riskengine.errors import JobError, ReleaseError, StoppedError
from riskengine.reporting.dislocation import BookChange, dislocation_report

CHUNK_ROWS = 50_000
BORDEREAU_FILE, PAGE_FILE, RUN_FILE = "bordereau.csv", "dislocation.html", "run.json"
_LOOK_EVERY, _SAMPLE_ROWS = 30.0, 2_000
_LIBRARIES = ("lightgbm", "numpy", "pyarrow")
Progress = Callable[[int, int], None]


class Engine(StrEnum):
    """Where a book is repriced."""

    LOCAL = "local"
    SPARK = "spark"


@dataclass(frozen=True)
class RepriceJob:
    """What to price, by what, and where to put it.

    `portfolio` is a Parquet file or a folder of them. A chunk has `chunk_rows` rows, whoever prices
    it; `workers` are processes, of which 0 means one a core. `resume` goes on with what is there.
    """

    portfolio: Path
    out: Path
    pricing: Pricing
    engine: Engine = Engine.LOCAL
    workers: int = 0
    chunk_rows: int = CHUNK_ROWS
    resume: bool = False

    @property
    def processes(self) -> int:
        """How many workers there are."""
        return self.workers or len(os.sched_getaffinity(0))


@dataclass(frozen=True, eq=False)
class Repriced:
    """A book repriced: its totals, the run that ended it, and the files written."""

    totals: BookTotals
    currency: str
    job: RepriceJob
    seconds: float
    priced_now: int
    """Rows priced by this run; the others were done before."""
    files: tuple[Path, ...]

    @property
    def summary(self) -> dict[str, object]:
        """The numbers of the book, amounts in currency a year."""
        return summary_of(self.totals, self.job, self.currency)

    @property
    def rate(self) -> float:
        """Rows a second of this run."""
        return self.priced_now / max(self.seconds, 1e-9)


@dataclass(frozen=True, eq=False)
class Rehearsal:
    """What a run would do: a sample priced, and how long all rows would take, in seconds."""

    rows: int
    chunks: int
    sample: Priced
    seconds: float


def reprice(
    job: RepriceJob,
    progress: Progress = lambda _done, _total: None,
    still_valid: Callable[[], None] = lambda: None,
) -> Repriced:
    """Reprice every policy of a portfolio and write the results to the folder `out`.

    `progress` is told rows done and rows in all; `still_valid` is asked twice a minute, and raises
    `ReleaseError` when a release may no longer price. Raises `TableError` before the first row for
    a portfolio that does not fit, `InputError` for a folder that cannot be used, `LockedError` for
    one in use, `StoppedError` with what is done kept, `JobError` for rows that do not reconcile.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    kernel = kernel_of(job.pricing)
    book = open_book(job.portfolio, kernel.releases)
    chunks = list(enumerate(book.chunks(job.chunk_rows)))
    with only_writer(job.out):
        done = begin(job.out, _identity(job, book, len(chunks)), resume=job.resume)
        before = sum(one.policies_in for one in done.values())
        record = _Record(job, started, clock, before)
        try:
            _price(
                job,
                book,
                [one for one in chunks if one[0] not in done],
                (done, progress, still_valid),
            )
            clear_half_written(job.out)
            totals = _reconciled(done, book)
        except BaseException as error:
            record.write(sum(one.policies_in for one in done.values()), f"stopped: {error}")
            raise
        currency = str(kernel.releases[0].catalogue.currency)
        files = _write_results(job, totals, currency)
        seconds = record.write(totals.policies_in, "done")
        now = totals.policies_in - before
        return Repriced(totals, currency, job, seconds, now, (*files, job.out / RUN_FILE))


def rehearse(job: RepriceJob) -> Rehearsal:
    """Check the portfolio, price a sample of it and estimate the time; nothing is written.

    Raises as `reprice` does before its first row.
    """
    kernel = kernel_of(job.pricing)
    book = open_book(job.portfolio, kernel.releases)
    chunks = book.chunks(job.chunk_rows)
    found = Priced(kernel.schema.empty_table(), {})
    seconds = 0.0
    for _, chunk in book.read(list(enumerate(book.chunks(_SAMPLE_ROWS)))[:1]):
        kernel.price(chunk.policies)  # the first time reads what is needed once
        clock = time.perf_counter()
        found = kernel.price(chunk.policies)
        each = (time.perf_counter() - clock) / max(chunk.policies.num_rows, 1)
        seconds = each * book.rows / max(min(job.processes, len(chunks)), 1)
    return Rehearsal(book.rows, len(chunks), found, seconds)


def _price(
    job: RepriceJob,
    book: Book,
    pending: list[Numbered],
    what: tuple[dict[int, BookTotals], Progress, Callable[[], None]],
) -> None:
    """Price what is pending and add its totals to `done`."""
    done, progress, still_valid = what
    ready = sum(one.policies_in for one in done.values())
    looked = time.monotonic()
    progress(ready, book.rows)
    try:
        still_valid()
        for number, totals in _engine(job, book, pending):
            done[number] = totals
            ready += totals.policies_in
            progress(ready, book.rows)
            if time.monotonic() - looked > _LOOK_EVERY:
                still_valid()
                looked = time.monotonic()
    except ReleaseError as error:
        raise StoppedError(str(error)) from error


def _engine(
    job: RepriceJob, book: Book, pending: list[Numbered]
) -> Iterator[tuple[int, BookTotals]]:
    if job.engine is Engine.SPARK:
        from riskengine.batch.spark import price_on_spark

        yield from price_on_spark(job.pricing, book, job.out, pending)
    else:
        yield from price_chunks(job.pricing, book, job.out, pending, job.processes)


def _identity(job: RepriceJob, book: Book, chunks: int) -> Identity:
    pricing = job.pricing
    return {
        "format": 1,
        "releases": list(pricing.hashes),
        "as_of": pricing.as_of.isoformat(),
        "cap": pricing.bounds.cap,
        "collar": pricing.bounds.collar,
        "portfolio": book.digest(),
        "rows": book.rows,
        "chunk_rows": job.chunk_rows,
        "chunks": chunks,
    }


def _reconciled(done: dict[int, BookTotals], book: Book) -> BookTotals:
    totals = sum((done[number] for number in sorted(done)), BookTotals())
    out = totals.all.policies
    if totals.policies_in != book.rows or out + totals.quarantined != book.rows:
        message = (
            f"rows do not reconcile: {book.rows} in the portfolio, {totals.policies_in} read,"
            f" {out} priced and {totals.quarantined} in quarantine; was the portfolio changed?"
        )
        raise JobError(message)
    return totals


def _write_results(job: RepriceJob, totals: BookTotals, currency: str) -> list[Path]:
    summary = summary_of(totals, job, currency)
    change = BookChange(totals.changes, totals.reasons, totals.moved)
    lines = [",".join(("month", "plan", *Sums.__dataclass_fields__))]
    for month, plans in totals.bordereau.items():
        for plan, sums in plans.items():
            lines.append(",".join([month, plan, *(str(v) for v in _in_currency(sums).values())]))
    texts = {
        BORDEREAU_FILE: "\n".join(lines) + "\n",
        PAGE_FILE: dislocation_report(summary, change) + "\n",
        # The last one: it says that the job is done.
        SUMMARY_FILE: json.dumps(summary, indent=1, ensure_ascii=False) + "\n",
    }
    for name, text in texts.items():
        write_text(job.out / name, text)
    return [job.out / name for name in texts]


def summary_of(totals: BookTotals, job: RepriceJob, currency: str) -> dict[str, object]:
    """What `summary.json` holds: counts, and amounts in currency a year."""
    pricing, all_ = job.pricing, totals.all
    found: dict[str, object] = {
        "release": pricing.hashes[0],
        "as_of": pricing.as_of.isoformat(),
        "currency": currency,
        "cap": pricing.bounds.cap,
        "collar": pricing.bounds.collar,
        "policies_in": totals.policies_in,
        "policies_out": all_.policies,
        "quarantined": totals.quarantined,
        "quarantined_for": totals.quarantine,
        "held_by_bounds": totals.bound,
        "underwriting": totals.underwriting,
        "book": _in_currency(all_),
        "by_plan": {plan: _in_currency(sums) for plan, sums in totals.by_plan().items()},
        "by_month": {
            month: _in_currency(sum(plans.values(), Sums()))
            for month, plans in totals.bordereau.items()
        },
    }
    beside = {one: totals.beside.get(one[:8], 0) / 100 for one in pricing.hashes[1:]}
    return found | {"offered_by_other_releases": beside}


def _in_currency(sums: Sums) -> dict[str, int | float]:
    counts = ("policies", "compared", "rising", "falling")
    return {n: v if n in counts else v / 100 for n, v in asdict(sums).items()}


@dataclass(frozen=True)
class _Record:
    """The record of one run: when it began, and how many rows were done before."""

    job: RepriceJob
    started: datetime
    clock: float
    before: int

    def write(self, rows: int, status: str) -> float:
        """Write it; the seconds since the run began."""
        seconds = time.perf_counter() - self.clock
        pricing = self.job.pricing
        told = {
            "status": status,
            "started": self.started.isoformat(timespec="seconds"),
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(seconds, 3),
            "rows": rows,
            "rows_of_this_run": rows - self.before,
            "rows_a_second": round((rows - self.before) / max(seconds, 1e-9), 1),
            "release": pricing.hashes[0],
            "releases": list(pricing.hashes),
            "versions": {"riskengine": __version__} | {name: version(name) for name in _LIBRARIES},
            "arguments": {
                "portfolio": str(self.job.portfolio),
                "out": str(self.job.out),
                "releases": [str(folder) for folder in pricing.folders],
                "as_of": pricing.as_of.isoformat(),
                "engine": self.job.engine.value,
                "workers": self.job.processes,
                "chunk_rows": self.job.chunk_rows,
                "resume": self.job.resume,
                "cap": pricing.bounds.cap,
                "collar": pricing.bounds.collar,
            },
        }
        write_text(self.job.out / RUN_FILE, json.dumps(told, indent=1) + "\n")
        return seconds
