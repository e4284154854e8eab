"""The command line: each command is a thin call, every mistake is one line and exit code 2."""

import json
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from riskengine.errors import InputError, RiskEngineError
from riskengine.settings import Settings
from riskengine.tables import CONTRACTS, table_schema

app = typer.Typer(
    name="riskengine",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Risk pricing and recommendation for health insurers. Start with `riskengine demo`.",
)
console = Console()

Out = Annotated[Path, typer.Option("--out", help="Folder for the results; made if needed.")]
AsOf = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], help="First day of cover; today if left out."),
]
Alias = Annotated[
    str | None,
    typer.Option("--release", help="Alias of a registered release; RISKENGINE_ALIAS if left out."),
]


@app.command()
def demo(out: Out = Path("demo-output")) -> None:
    """Run everything on real data: train, register, quote, recommend, reprice, report.

    The data are the RAND Health Insurance Experiment (extra `demo`). Takes a minute or two.
    """
    from riskengine.demo import STAGES, run_demo

    with _progress() as progress:
        bar = progress.add_task("starting", total=STAGES)
        started = 0

        def stage(line: str) -> None:
            nonlocal started
            progress.update(bar, description=line, completed=started)
            started += 1

        result = run_demo(Settings(), out, stage)
        progress.update(bar, description="done", completed=STAGES)
    answers = json.dumps(result.answers)
    console.print(f"\nA member as of {result.quote.as_of}: {answers}", soft_wrap=True)
    table = Table("rank", "plan", "premium", "actuarial value", "first reason")
    for rank, (item, reasons) in enumerate(result.recommendation.items, start=1):
        table.add_row(
            str(rank),
            item.priced.plan.plan,
            f"{item.premium:.2f}",
            f"{item.priced.actuarial_value[0]:.3f}",
            reasons[0].text.en,
        )
    console.print(table)
    moved = result.dislocation
    console.print(
        f"Book: {moved.policies_out:,} policies repriced, {moved.quarantined} quarantined; premiums"
        f" {moved.expiring_premium:,.2f} -> {moved.compared_offered_premium:,.2f}"
    )
    alias = Settings().alias
    console.print(f"Release {result.release.hash[:12]}, version {result.version}, alias {alias}")
    for path in result.files:
        console.print(f"  {path}")
    console.print(f"Look at the report, then type: {sys.argv[0]} serve", soft_wrap=True)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Serve quotes and recommendations over HTTP; the documentation is at /docs."""
    import uvicorn

    from riskengine.registry import load_registered
    from riskengine.service.app import create_app

    settings = Settings()
    application = create_app(lambda: load_registered(settings))
    uvicorn.run(application, host=host or settings.host, port=port or settings.port)


@app.command()
def quote(
    answers: Annotated[str, typer.Option(help='JSON, such as {"age": 43, "sex": "female"}.')],
    plan: Annotated[list[str] | None, typer.Option(help="A plan; all if left out.")] = None,
    as_of: AsOf = None,
    release: Alias = None,
) -> None:
    """Price plans for one member; prints the same JSON as POST /v1/quotes."""
    from riskengine import engine
    from riskengine.profiles.questions import answers_to_columns
    from riskengine.registry import load_registered
    from riskengine.service.contracts import quote_response

    try:
        given = json.loads(answers)
    except ValueError as error:
        message = f"--answers is not JSON: {error}"
        raise InputError(message) from error
    if not isinstance(given, dict):
        message = '--answers must be a JSON object, such as {"age": 43, "sex": "female"}'
        raise InputError(message)
    if plan and len(set(plan)) != len(plan):
        message = f"a plan is named twice: {', '.join(plan)}"
        raise InputError(message)
    loaded = load_registered(Settings(), release)
    columns = answers_to_columns(loaded.questions, given)
    result = engine.quote(loaded, columns, _day(as_of), tuple(plan or ()))
    print(quote_response(str(uuid4()), loaded, given, result).model_dump_json(indent=1))  # noqa: T201


@app.command()
def reprice(
    portfolio: Annotated[Path, typer.Option(help="Parquet file, one row a policy.")],
    out: Out,
    release: Alias = None,
    as_of: AsOf = None,
) -> None:
    """Reprice a book: Parquet in, Parquet out, with a dislocation summary.

    Columns: policy_id, member_id, plan, the release's questions, and expiring_premium if known.
    Rows that cannot be priced go to quarantine.parquet with the reason.
    """
    from riskengine.batch.reprice import reprice_file
    from riskengine.registry import load_registered

    loaded = load_registered(Settings(), release)
    with _progress() as progress:
        bar = progress.add_task(f"repricing {portfolio.name}", total=None)
        summary = reprice_file(
            loaded,
            portfolio,
            out,
            _day(as_of),
            lambda done, total: progress.update(bar, completed=done, total=total),
        )
    console.print(
        f"{summary.policies_in:,} policies: {summary.policies_out:,} repriced,"
        f" {summary.quarantined:,} quarantined; offered {summary.offered_premium:,.2f} a year"
    )
    for name in ("repriced.parquet", "dislocation.json", "quarantine.parquet"):
        if (out / name).is_file():
            console.print(f"  {out / name}")


@app.command()
def validate(
    source: Annotated[str, typer.Argument(help="Folder of Parquet or CSV files, or database URL.")],
    quarantine: Annotated[
        Path, typer.Option(help="Folder for the bad rows, one Parquet file a table.")
    ] = Path("quarantine"),
    max_bad: Annotated[
        str, typer.Option(help="Share of bad rows a table may have, such as 0.1%.")
    ] = "0.1%",
) -> None:
    """Check tables against their contracts: types, ranges, keys, references, dates, ICD-10.

    Bad rows go to quarantine with the reason. Ends with exit code 1 when a table has more bad rows
    than allowed, 2 when a table or column is missing.
    """
    from riskengine.sources.folder import validate as validate_tables

    allowed = _share(max_bad)
    with _progress() as progress:
        bars = {name: progress.add_task(name, total=None) for name in CONTRACTS}
        summaries = validate_tables(
            source,
            quarantine,
            _day(None),
            lambda name, rows: progress.update(bars[name], completed=rows),
        )
    table = Table("table", "rows", "quarantined", "share", "most common reasons")
    too_bad = []
    for found in summaries:
        if found.rows_in is None:
            table.add_row(found.name, "-", "-", "-", "not there (optional)")
            continue
        share = found.quarantined / max(found.rows_in, 1)
        reasons = "\n".join(f"{count:,} x {kind}" for kind, count in found.common_reasons)
        table.add_row(
            found.name, f"{found.rows_in:,}", f"{found.quarantined:,}", f"{share:.3%}", reasons
        )
        if share > allowed:
            too_bad.append(found.name)
    console.print(table)
    if any(found.quarantined for found in summaries):
        console.print(f"Bad rows with their reasons: {quarantine}")
    if too_bad:
        console.print(f"More than {max_bad} of the rows are bad in: {', '.join(too_bad)}")
        raise typer.Exit(1)


@app.command()
def schemas(
    folder: Annotated[Path, typer.Option(help="Where the files are.")] = Path("data/schemas"),
    check: Annotated[bool, typer.Option("--check", help="Only compare, write nothing.")] = False,
) -> None:
    """Write the Table Schema of every table contract, or check that the files are up to date."""
    if not check:
        folder.mkdir(parents=True, exist_ok=True)
    for name in CONTRACTS:
        text = json.dumps(table_schema(name), ensure_ascii=False, indent=2) + "\n"
        path = folder / f"{name}.json"
        if check and (not path.is_file() or path.read_text(encoding="utf-8") != text):
            message = f"{path} is out of date: run `riskengine schemas`"
            raise InputError(message)
        if not check:
            path.write_text(text, encoding="utf-8")
    console.print(f"{len(CONTRACTS)} schemas {'are up to date' if check else 'written'}: {folder}")


def main() -> None:
    """Run the command line; expected errors end in one line on stderr and exit code 2."""
    try:
        app()
    except ValidationError as error:
        faults = "; ".join(
            f"RISKENGINE_{str(f['loc'][0]).upper()}: {f['msg']}" for f in error.errors()
        )
        _stop(f"settings that cannot be used: {faults}")
    except (RiskEngineError, OSError) as error:
        _stop(str(error))


def _stop(message: str) -> None:
    Console(stderr=True).print(f"error: {message}", soft_wrap=True, markup=False, highlight=False)
    sys.exit(2)


def _share(text: str) -> float:
    """A share written as a percentage or a number, such as 0.1% or 0.001."""
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError as error:
        message = f"--max-bad is {text!r}: give a share such as 0.1% or 0.001"
        raise InputError(message) from error
    if not 0 <= share <= 1:
        message = f"--max-bad is {text!r}: give a share from 0% to 100%"
        raise InputError(message)
    return share


def _day(as_of: datetime | None) -> date:
    return as_of.date() if as_of else datetime.now().astimezone().date()


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:<58}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
