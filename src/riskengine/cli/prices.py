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
    from riskengine.security.database import OwnDatabase
    from riskengine.service.app import create_app
    from riskengine.service.security import listening_host, security_of
    from riskengine.store import ProfileStore

    settings = Settings()
    security = security_of(settings, lambda: OwnDatabase(settings.store))
    asked, has_keys = host or settings.host, security.protected is not None
    listens = listening_host(asked, has_keys=has_keys)
    if not has_keys:
        console.print(
            f"No keys: serving this machine only, at {listens}, without tokens. For others, set"
            " RISKENGINE_KEYS and run `riskengine keys new`.",
            soft_wrap=True,
        )
    with ProfileStore(settings.store) as store:
        application = create_app(lambda: load_registered(settings), store=store, security=security)
        uvicorn.run(application, host=listens, port=port or settings.port, server_header=False)


@app.command()
def quote(
    answers: Annotated[
        str,
        typer.Option(help='JSON, such as {"age": 43, "sex": "female"}; a household is a list.'),
    ],
    plan: Annotated[list[str] | None, typer.Option(help="A plan; all if left out.")] = None,
    as_of: AsOf = None,
    release: Alias = None,
) -> None:
    """Price plans for one member, of a market also for a household; prints JSON with every step.

    Of the study's release it is the same JSON as POST /v1/quotes; `--release cn@champion` prices
    with that of a market.
    """
    from riskengine import engine
    from riskengine.market_engine import quote_market
    from riskengine.market_release import MarketRelease
    from riskengine.profiles.questions import answers_to_columns, household_to_columns
    from riskengine.registry import find_release
    from riskengine.service.contracts import quote_response
    from riskengine.service.market_contracts import market_quote_response

    try:
        given = json.loads(answers)
    except ValueError as error:
        message = f"--answers is not JSON: {error}"
        raise InputError(message) from error
    members = given if isinstance(given, list) else [given]
    if not members or not all(isinstance(one, dict) for one in members):
        message = '--answers must be a JSON object, such as {"age": 43, "sex": "female"}, or a list'
        raise InputError(message)
    if plan and len(set(plan)) != len(plan):
        message = f"a plan is named twice: {', '.join(plan)}"
        raise InputError(message)
    settings = Settings()
    loaded = find_release(settings, release or settings.alias)
    if isinstance(loaded, MarketRelease):
        columns = household_to_columns(loaded.questions, members)
        quoted = quote_market(loaded, columns, day(as_of), tuple(plan or ()))
        told = market_quote_response(str(uuid4()), loaded, quoted).model_dump_json(indent=1)
    elif len(members) > 1:
        message = "the study's release prices one member at a time: give one JSON object"
        raise InputError(message)
    else:
        columns = answers_to_columns(loaded.questions, members[0])
        result = engine.quote(loaded, columns, day(as_of), tuple(plan or ()))
        response = quote_response(str(uuid4()), loaded, members[0], result)
        told = response.model_dump_json(indent=1)
    print(told)  # noqa: T201


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
