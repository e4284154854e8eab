"""Commands about profiles: build them, publish them for quotes, report on them."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from riskengine.batch.profiles import ProfileJob, write_profiles
from riskengine.cli.app import Market, app, console
from riskengine.errors import InputError
from riskengine.profiles.feature import Feature
from riskengine.profiles.features import FEATURES, intent_features
from riskengine.settings import Settings
from riskengine.sources.query import Engine

group = typer.Typer(
    name="profiles",
    invoke_without_command=True,
)
app.add_typer(group)

Data = Annotated[Path | None, typer.Option(help="Folder of tables, as `validate --out` writes.")]
Dates = Annotated[
    list[datetime] | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], help="Date of the profiles; may be repeated."),
]
File = Annotated[Path | None, typer.Option("--out", help="Parquet file; a folder with Spark.")]


@group.callback()
def profiles(
    context: typer.Context,
    data: Data = None,
    as_of: Dates = None,
    out: File = None,
    spine: Annotated[
        Path | None,
        typer.Option(help="Parquet file of member_id and as_of, instead of --as-of."),
    ] = None,
    engine: Annotated[Engine, typer.Option(help="Where to build them.")] = Engine.DUCKDB,
    market: Market = "study",
) -> None:
    """Build profiles of every member known by each date, or of the rows of a spine.

    A fact counts when it happened before the date and was known by it. Rows are in order of member
    and date; with Spark the output is a folder of Parquet files without an order.
    """
    if context.invoked_subcommand:
        return
    if data is None or out is None:
        message = "give --data FOLDER and --out FILE, or a command: publish, report, feast"
        raise InputError(message)
    features = _features(market)
    job = ProfileJob(data, out, _days(as_of), spine, features)
    with console.status("starting") as status:
        rows = write_profiles(job, engine, Settings().memory_limit, status.update)
    console.print(f"{rows:,} profiles of {len(features)} features: {out}", soft_wrap=True)


@group.command()
def publish(
    profiles: Annotated[
        Path, typer.Argument(help="What `profiles` wrote: a file, or Spark's folder.")
    ],
) -> None:
    """Write the latest profile of each member to the serving store (RISKENGINE_STORE)."""
    from riskengine.service.security import sealer_of
    from riskengine.store import ProfileStore

    settings = Settings()
    sealer = sealer_of(settings)
    with ProfileStore(settings.store, sealer) as store, console.status("publishing"):
        rows = store.publish(profiles)
    console.print(f"{rows:,} profiles published; GET /v1/members/{{member_id}}/profile")


@group.command()
def report(
    data: Annotated[Path, typer.Option(help="Folder of tables, as `validate --out` writes.")],
    as_of: Dates = None,
    out: Annotated[Path, typer.Option(help="HTML file.")] = Path("profiles.html"),
    market: Market = "study",
) -> None:
    """Report on profiles as of one date, or of two and what has moved between them: one HTML page.

    Coverage, missing values, distributions by family, drift by PSI, run-out of claims.
    """
    from riskengine.batch.profile_report import write_profile_report

    if not as_of:
        message = "give --as-of DATE, and a second one to see what has moved"
        raise InputError(message)
    job = ProfileJob(data, out, _days(as_of), features=_features(market))
    with console.status("starting") as status:
        write_profile_report(job, Settings().memory_limit, status.update)
    console.print(f"Look at {out}", soft_wrap=True)


@group.command()
def feast(
    profiles: Annotated[
        Path, typer.Argument(help="What `profiles` wrote: a file, or Spark's folder.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the Feast repository.")],
    market: Market = "study",
) -> None:
    """Write a Feast repository over profiles, for Feast's DuckDB store; then run `feast apply`."""
    from riskengine.batch.feast import write_feast_repository

    write_feast_repository(profiles, out, _features(market))
    console.print(f"Feast repository: {out}", soft_wrap=True)


def _days(as_of: list[datetime] | None) -> tuple[date, ...]:
    return tuple(day.date() for day in as_of or ())


def _features(market: str) -> tuple[Feature, ...]:
    from riskengine.products.load import read_catalogue, shipped

    return (*FEATURES, *intent_features(read_catalogue(shipped(market)).names))
