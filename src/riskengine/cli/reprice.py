"""The command that reprices a book, made for a scheduler: codes, a record, and a way to go on."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from riskengine.batch.reprice import (
    CHUNK_ROWS,
    Engine,
    Rehearsal,
    Repriced,
    RepriceJob,
    rehearse,
)
from riskengine.batch.reprice import reprice as run_job
from riskengine.batch.repriced import pricing_of
from riskengine.cli.app import Alias, AsOf, Out, app, console, day
from riskengine.pricing.impact import RateChange
from riskengine.settings import Settings

_SHOWN = 5


@app.command()
def reprice(
    portfolio: Annotated[
        str, typer.Option(help="Parquet file, folder of them, or database URL; one row a policy.")
    ],
    out: Out,
    query: Annotated[
        str, typer.Option(help="What to read from a database.")
    ] = "SELECT * FROM policies ORDER BY policy_id",
    release: Alias = None,
    also: Annotated[
        list[str] | None, typer.Option(help="Another release beside it; may be repeated.")
    ] = None,
    as_of: AsOf = None,
    engine: Annotated[Engine, typer.Option(help="Where to price.")] = Engine.LOCAL,
    workers: Annotated[
        int, typer.Option(min=0, help="Processes on this machine; 0: one a core.")
    ] = 0,
    chunk_rows: Annotated[int, typer.Option(min=1, help="Rows of a chunk.")] = CHUNK_ROWS,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the chunks that are there, if any.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Price a sample, estimate the time, write nothing.")
    ] = False,
    cap: Annotated[
        float | None, typer.Option(help="Most that a premium may rise at renewal, such as 0.2.")
    ] = None,
    collar: Annotated[
        float | None, typer.Option(help="Most that a premium may fall at renewal, such as 0.15.")
    ] = None,
) -> None:
    """Reprice a book: Parquet in, Parquet out, with dislocation.html and a bordereau by month.

    Columns: policy_id, member_id, plan, the release's questions, and, if known, expiring_premium
    and effective_from. Rows that cannot be priced go to quarantine with the reason. Exit codes: 0
    done, 2 input that cannot be used, 3 stopped with the work kept (go on by --resume), 4 another
    run has the folder, 5 rows do not reconcile.
    """
    from riskengine.registry import check_not_revoked, log_job, release_folder

    settings = Settings()
    folders = tuple(release_folder(settings, n) for n in [release or settings.alias, *(also or [])])
    pricing = pricing_of(folders, day(as_of), RateChange(cap, collar))
    book = _book(portfolio, query, out, resume=resume)
    job = RepriceJob(book, out, pricing, engine, workers, chunk_rows, resume)
    if dry_run:
        _tell_rehearsal(rehearse(job))
        return
    with _bars() as progress:
        bar = progress.add_task(f"repricing {book.name}", total=None, rate="")
        seen: list[int] = []

        def tell(done: int, total: int) -> None:
            seen.append(done)
            elapsed = progress.tasks[0].elapsed or 0.0
            rate = f"{(done - seen[0]) / elapsed:,.0f} rows/s" if elapsed else ""
            progress.update(bar, completed=done, total=total, rate=rate, refresh=True)

        done = run_job(job, tell, lambda: check_not_revoked(settings, pricing.hashes))
    _tell(done)
    said = log_job(settings, "reprice", _logged(done), done.files)
    if said:
        console.print(f"warning: the run is not in MLflow: {said}", markup=False, soft_wrap=True)


def _book(portfolio: str, query: str, out: Path, *, resume: bool) -> Path:
    """Where the policies are as files: a database is read once, into a file beside `out`."""
    if "://" not in portfolio:
        return Path(portfolio)
    from riskengine.sources.snapshot import snapshot

    path = out.with_name(f"{out.name}-portfolio.parquet")
    if resume and path.is_file():
        console.print(f"going on with {path}, as it was read", soft_wrap=True)
        return path
    with console.status("reading the database"):
        rows = snapshot(portfolio, query, path)
    console.print(f"{rows:,} policies read into {path}", soft_wrap=True)
    return path


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        # Drawn as work is done, not by a thread: a process without threads can fork its workers.
        auto_refresh=False,
    )


def _tell(done: Repriced) -> None:
    book = done.totals.all
    console.print(
        f"{done.totals.policies_in:,} policies: {book.policies:,} repriced,"
        f" {done.totals.quarantined:,} quarantined; offered {book.offered / 100:,.2f}"
        f" {done.currency} a year; {done.rate:,.0f} rows a second"
    )
    for path in (done.job.out / "repriced", *done.files):
        console.print(f"  {path}", soft_wrap=True)


def _tell_rehearsal(found: Rehearsal) -> None:
    minutes = found.seconds / 60
    console.print(
        f"{found.rows:,} policies in {found.chunks:,} chunks; about {minutes:,.1f} minutes. Of"
        f" {found.sample.table.num_rows + len(found.sample.reasons):,} tried,"
        f" {len(found.sample.reasons):,} would go to quarantine. Nothing was written."
    )
    names = ("policy_id", "plan", "expiring_premium", "technical_premium", "offered_premium")
    table = Table(*names, "reason_1")
    for row in found.sample.table.select([*names, "reason_1"]).slice(0, _SHOWN).to_pylist():
        table.add_row(*("" if value is None else f"{value}" for value in row.values()))
    console.print(table)
    for row, reason in list(found.sample.reasons.items())[:_SHOWN]:
        console.print(f"  row {row}: {reason}", markup=False)


def _logged(done: Repriced) -> dict[str, object]:
    book, pricing = done.totals.all, done.job.pricing
    return {
        "release": pricing.hashes[0],
        "as_of": pricing.as_of.isoformat(),
        "portfolio": str(done.job.portfolio),
        "engine": done.job.engine.value,
        "policies_in": done.totals.policies_in,
        "policies_out": book.policies,
        "quarantined": done.totals.quarantined,
        "offered_premium": book.offered / 100,
        "expiring_premium": book.expiring / 100,
        "compared_offered_premium": book.compared_offered / 100,
        "rows_a_second": done.rate,
        "seconds": done.seconds,
    }
