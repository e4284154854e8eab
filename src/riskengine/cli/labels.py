"""Commands that make labelled tables: needs that arose, and offers that were taken."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import pyarrow.parquet as pq
import typer

from riskengine.cli.app import Market, app, console
from riskengine.recommendation.next_need import NeedEvent

labels = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Make labelled tables to train from."
)
app.add_typer(labels, name="labels")

File = Annotated[Path, typer.Option("--out", help="Parquet file to train from.")]


@labels.command()
def needs(
    event: Annotated[NeedEvent, typer.Argument(help="What may happen within 12 months.")],
    data: Annotated[Path, typer.Option(help="Folder of tables, as `validate --out` writes.")],
    profiles: Annotated[Path, typer.Option(help="What `profiles` wrote: days and features.")],
    observed_until: Annotated[
        datetime,
        typer.Option(formats=["%Y-%m-%d"], help="Last day up to which all claims are known."),
    ],
    out: File,
) -> None:
    """Label profiles with whether an event happened within 365 days; train `models/next_need_*`.

    Rows whose 365 days are not observed and covered as a whole are left out.
    """
    from riskengine.batch.labels import need_table

    table = need_table(data, profiles, event, observed_until.date())
    out.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, out)
    share = sum(table["happened"].to_pylist()) / table.num_rows
    console.print(f"{table.num_rows:,} rows, {share:.1%} with {event}: {out}", soft_wrap=True)


@labels.command()
def offers(
    product: Annotated[str, typer.Argument(help="Product whose plans were offered.")],
    out: File,
    market: Market,
    data: Annotated[Path | None, typer.Option(help="Folder with offers.parquet.")] = None,
    log: Annotated[Path | None, typer.Option(help="Or records as JSON lines.")] = None,
    profiles: Annotated[
        Path | None, typer.Option(help="Profiles of the same members and days.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="Days in which an offer is taken or not.")] = 30,
) -> None:
    """Offers of a product with whether each was taken; train `models/take_up.toml` on them.

    Without --profiles the file is a spine: `riskengine profiles --spine FILE` builds them.
    """
    from riskengine.batch.labels import OfferJob, offer_table

    table, read = offer_table(OfferJob(market, product, data, log, profiles, days))
    out.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, out)
    console.print(
        f"{table.num_rows:,} offers of {product}: {out}; left out of all products:"
        f" {read.undecided:,} undecided, {read.without_propensity:,} without propensity,"
        f" {read.without_member:,} of nobody named",
        soft_wrap=True,
    )
