"""Commands for a member or a household: price plans, replay a stored quote, recommend."""

import json
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from pydantic import ValidationError

from riskengine.cli.app import Alias, AsOf, app, console, day
from riskengine.errors import InputError
from riskengine.settings import Settings

group = typer.Typer(name="quote", invoke_without_command=True, rich_markup_mode=None)
app.add_typer(group)


@group.callback()
def quote(
    context: typer.Context,
    answers: Annotated[
        str | None,
        typer.Option(help='JSON, such as {"age": 43, "sex": "female"}; a household is a list.'),
    ] = None,
    plan: Annotated[list[str] | None, typer.Option(help="A plan; all if left out.")] = None,
    as_of: AsOf = None,
    release: Alias = None,
) -> None:
    """Price plans for one member, of a market also for a household; prints JSON with every step.

    It is the same JSON as POST /v1/prices; `--release cn@champion` prices with the release of a
    market. `riskengine quote replay ID` recomputes a quote that was stored.
    """
    if context.invoked_subcommand:
        return
    import orjson

    from riskengine.registry import find_release
    from riskengine.service.body import dumped
    from riskengine.service.quoting import Asked, Known, price

    if answers is None:
        message = "give --answers JSON, or a command: replay"
        raise InputError(message)
    if plan and len(set(plan)) != len(plan):
        message = f"a plan is named twice: {', '.join(plan)}"
        raise InputError(message)
    members = tuple(Known(member) for member in _members(answers))
    settings = Settings()
    loaded = find_release(settings, release or settings.alias)
    prices = price(loaded, Asked(day(as_of), members, tuple(plan or ())))
    print(dumped(orjson.loads(prices.content), indent=True).decode())  # noqa: T201


def _members(answers: str) -> list[dict[str, str | bool | int | float | None]]:
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


@group.command()
def replay(
    quote_id: Annotated[str, typer.Argument(help="The id of a stored quote.")],
    folder: Annotated[
        Path | None,
        typer.Option("--release", help="Folder of the release, instead of the registry."),
    ] = None,
) -> None:
    """Recompute a stored quote with the release that made it, and say what differs if anything.

    Ends with exit code 1 where something differs.
    """
    from riskengine.registry import find_release, read_release
    from riskengine.service.replay import replay_quote
    from riskengine.service.security import sealer_of
    from riskengine.store import Database

    settings = Settings()
    database = Database(settings.store)
    try:
        found = replay_quote(
            database,
            quote_id,
            # One that was revoked prices no more, but what it priced can be explained.
            lambda digest: (
                read_release(folder) if folder else find_release(settings, digest, revoked=True)
            ),
            sealer_of(settings),
        )
    finally:
        database.close()
    console.print(
        f"Quote {quote_id} of {found.quote.created_at:%Y-%m-%d %H:%M} UTC, market"
        f" {found.quote.market}, release {found.quote.release[:12]}"
    )
    for plan, premium in found.premiums.items():
        console.print(f"  {plan}: {premium}")
    for one in found.differences:
        console.print(f"  differs: {one}", soft_wrap=True, markup=False)
    if found.differences:
        console.print(f"{len(found.differences)} differences")
        raise typer.Exit(1)
    console.print("Replayed to the cent.")


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
    from riskengine.market_advice import recommend_market
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
    columns = household_to_columns(loaded.advice_questions, _members(answers))
    decision = recommend_market(loaded, columns, day(as_of), asked.as_wish())
    cents = None if budget is None else round(100 * budget)
    told = recommendation_of_market(str(uuid4()), loaded, decision, cents)
    print(told.model_dump_json(indent=1))  # noqa: T201
