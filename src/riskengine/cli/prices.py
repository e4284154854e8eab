"""Commands that price: demo, serve, quote, reprice."""

import json
import sys
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from rich.table import Table

from riskengine.cli.app import Alias, AsOf, Out, app, console, day, progress_bars
from riskengine.errors import InputError
from riskengine.settings import Settings


@app.command()
def demo(out: Out = Path("demo-output")) -> None:
    """Run everything on real data: train, register, quote, recommend, reprice, report.

    The data are the RAND Health Insurance Experiment (extra `demo`). Takes a minute or two.
    """
    from riskengine.demo import STAGES, run_demo

    with progress_bars() as progress:
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
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.")] = None,
) -> None:
    """Serve quotes and recommendations over HTTP; the documentation is at /docs."""
    import uvicorn

    from riskengine.registry import load_registered
    from riskengine.service.app import create_app
    from riskengine.store import ProfileStore

    settings = Settings()
    with ProfileStore(settings.store) as store:
        application = create_app(lambda: load_registered(settings), store=store)
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
    result = engine.quote(loaded, columns, day(as_of), tuple(plan or ()))
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
    with progress_bars() as progress:
        bar = progress.add_task(f"repricing {portfolio.name}", total=None)
        summary = reprice_file(
            loaded,
            portfolio,
            out,
            day(as_of),
            lambda done, total: progress.update(bar, completed=done, total=total),
        )
    console.print(
        f"{summary.policies_in:,} policies: {summary.policies_out:,} repriced,"
        f" {summary.quarantined:,} quarantined; offered {summary.offered_premium:,.2f} a year"
    )
    for name in ("repriced.parquet", "dislocation.json", "quarantine.parquet"):
        if (out / name).is_file():
            console.print(f"  {out / name}")
