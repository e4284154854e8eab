"""Commands that price: demo, serve, quote."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer
from pydantic import ValidationError
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
    book = moved.totals.all
    console.print(
        f"Book: {book.policies:,} policies repriced, {moved.totals.quarantined} quarantined;"
        f" premiums {book.expiring / 100:,.2f} -> {book.compared_offered / 100:,.2f}"
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

    members = _members(answers)
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
def recommend(
    answers: Annotated[
        str, typer.Option(help='JSON, such as {"age": 43, "sex": "female"}; a household is a list.')
    ],
    wish: Annotated[
        str, typer.Option(help='JSON, such as {"channel": "app", "stated_needs": ["accidents"]}.')
    ] = '{"channel": "online"}',
    budget: Annotated[
        float | None, typer.Option(min=0, help="A month: adds the best bundle under it.")
    ] = None,
    as_of: AsOf = None,
    release: Alias = None,
) -> None:
    """Rank the plans of a market for a household, with reasons in both languages; prints JSON."""
    from riskengine.market_engine import recommend_market
    from riskengine.market_release import MarketRelease
    from riskengine.profiles.questions import household_to_columns
    from riskengine.registry import find_release
    from riskengine.service.recommendation_contracts import WishMessage, recommendation_of_market

    settings = Settings()
    loaded = find_release(settings, release or settings.alias)
    if not isinstance(loaded, MarketRelease):
        message = "name the release of a market, such as --release cn@champion"
        raise InputError(message)
    try:
        asked = WishMessage.model_validate_json(wish)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in error.errors())
        message = f"--wish cannot be used: {faults}"
        raise InputError(message) from error
    columns = household_to_columns(loaded.questions, _members(answers))
    decision = recommend_market(loaded, columns, day(as_of), asked.as_wish())
    cents = None if budget is None else round(100 * budget)
    told = recommendation_of_market(str(uuid4()), loaded, decision, cents)
    print(told.model_dump_json(indent=1))  # noqa: T201


def _members(answers: str) -> list[dict[str, Any]]:
    """The members of a household from JSON: an object is one member."""
    try:
        given = json.loads(answers)
    except ValueError as error:
        message = f"--answers is not JSON: {error}"
        raise InputError(message) from error
    members = given if isinstance(given, list) else [given]
    if not members or not all(isinstance(one, dict) for one in members):
        message = '--answers must be a JSON object, such as {"age": 43, "sex": "female"}, or a list'
        raise InputError(message)
    return members
