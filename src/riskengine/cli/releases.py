"""Commands about releases: build, list, show, and the impact of one in the place of another."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from riskengine.cli.app import AsOf, Out, app, console, day, progress_bars
from riskengine.cli.security import Person, audited, promoter
from riskengine.settings import Settings

release = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Build, list and show releases of prices."
)
app.add_typer(release, name="release")

Named = Annotated[
    str, typer.Argument(help="A folder, an alias, market@alias, or the start of a hash.")
]


@release.command()
def build(
    market: Annotated[str, typer.Option(help="Market whose shipped files are used: cn, us_aca.")],
    data: Annotated[Path, typer.Option(help="Folder of tables as Parquet, in its currency.")],
    spec: Annotated[Path, typer.Option(help="What the models of perils read.")] = Path(
        "models/peril.toml"
    ),
    out: Annotated[
        Path | None, typer.Option(help="Folder to write the release to as well.")
    ] = None,
    advice: Annotated[
        Path | None, typer.Option(help="Folder with trained take_up/PRODUCT and needs/NEED.")
    ] = None,
) -> None:
    """Learn every peril of a market from tables, and register the release.

    The first release of a market is in force at once; any later one waits for `release promote`.
    `riskengine simulate --market MARKET` makes such tables. Takes minutes: each peril is a model of
    its own.
    """
    from riskengine.batch.releases import build_and_register

    audited("release.build", f"{market}@{Settings().alias}", {"data": str(data)})
    with progress_bars(40) as progress:
        bar = progress.add_task("reading", total=None)
        built = build_and_register(
            Settings(),
            market,
            data,
            spec,
            lambda line: progress.update(bar, description=line),
            advice,
        )
    if out is not None:
        from riskengine.registry import write_release

        write_release(built.release, out)
        console.print(f"  {out}")
    console.print(f"Release {built.release.hash[:12]} of {market}: version {built.version}")
    if built.version > 1:
        console.print(
            f"  it prices once it is promoted: riskengine release promote {market} {built.version}"
            " --reason '...'",
            soft_wrap=True,
        )
    for line in built.notes:
        console.print(f"  note: {line}", soft_wrap=True)


@release.command("list")
def list_releases() -> None:
    """Every registered release, the newest first."""
    from datetime import UTC, datetime

    from riskengine.registry import release_rows

    table = Table("name", "version", "aliases", "hash", "registered (UTC)")
    for row in release_rows(Settings()):
        at = datetime.fromtimestamp(int(row["registered_at"]) / 1000, UTC)
        table.add_row(
            row["name"],
            str(row["version"]),
            ", ".join(row["aliases"]),
            row["hash"][:12],
            f"{at:%Y-%m-%d %H:%M}",
        )
    console.print(table)


@release.command()
def show(named: Named) -> None:
    """What a release is made of, as JSON."""
    from riskengine.batch.releases import description
    from riskengine.registry import find_release

    told = description(find_release(Settings(), named))
    print(json.dumps(told, ensure_ascii=False, indent=1))  # noqa: T201


@release.command()
def revoke(
    named: Named, reason: Annotated[str, typer.Option(help="Why; it is kept with the release.")]
) -> None:
    """Let a registered release price no more; jobs that are running with it stop."""
    from riskengine.registry import revoke_release

    audited("release.revoke", named, {"reason": reason})
    digest = revoke_release(Settings(), named, reason)
    console.print(f"Release {digest[:12]} is revoked: {reason}", markup=False)


@release.command()
def diff(old: Named, new: Named, as_of: AsOf = None) -> None:
    """Which prices move from one release to another, on a fixed portfolio made of the questions.

    Changes are shares of the old premium; the greatest one is the furthest from 0.
    """
    from riskengine.batch.release_diff import release_diff
    from riskengine.registry import find_release

    settings = Settings()
    found = release_diff(find_release(settings, old), find_release(settings, new), day(as_of))
    table = Table(
        "plan", "members", "old mean", "new mean", "mean change", "greatest", "only old", "only new"
    )
    for one in found:
        table.add_row(
            one.plan,
            str(one.members),
            f"{one.old_mean:,.2f}",
            f"{one.new_mean:,.2f}",
            f"{one.mean_change:+.2%}",
            f"{one.greatest_change:+.2%}",
            str(one.only_old),
            str(one.only_new),
        )
    console.print(table)


@release.command()
def promote(
    market: Annotated[str, typer.Argument(help="Market, such as study or cn.")],
    version: Annotated[str, typer.Argument(help="Version as `release list` numbers it.")],
    reason: Annotated[str, typer.Option(help="Why; kept with the version.")],
    to: Annotated[str, typer.Option(help="Alias to move: champion or challenger.")] = "champion",
    client: Person = None,
) -> None:
    """Move an alias to a registered release: a service follows it within its poll_seconds."""
    from riskengine.registry import promote_release

    told = {"version": version, "reason": reason}
    audited("release.promote", f"{market}@{to}", told, promoter(client))
    moved = promote_release(Settings(), market, (version, to), reason)
    before = "none" if moved.before is None else f"version {moved.before}"
    console.print(f"{to} of {market}: {before} -> version {moved.version} ({moved.hash[:12]})")


@release.command()
def shadow() -> None:
    """What challengers in the shadow would have asked beside what was asked, by plan."""
    from riskengine.store import Database
    from riskengine.store.shadow_summary import shadow_summary

    database = Database(Settings().store)
    try:
        with database.reading() as connection:
            found = shadow_summary(connection)
    finally:
        database.close()
    if not found:
        console.print("No challenger has priced a quote yet: set RISKENGINE_SHADOW_SHARE")
        return
    table = Table(
        "champion", "challenger", "plan", "quotes", "change", "equal", "dearer", "only champion",
        "only challenger",
    )  # fmt: skip
    for one in found:
        change = "" if one.change is None else f"{one.change:+.2%}"
        counts = (one.equal, one.dearer, one.only_champion, one.only_challenger)
        table.add_row(
            one.champion[:8], one.challenger[:8], one.plan, str(one.quotes), change,
            *map(str, counts),
        )  # fmt: skip
    console.print(table)


@app.command()
def impact(
    portfolio: Annotated[Path, typer.Option(help="Parquet file, one row a policy.")],
    old: Annotated[
        str, typer.Option(help="Release in force: folder, alias, market@alias or hash.")
    ],
    new: Annotated[str, typer.Option(help="Release that may take its place.")],
    out: Out,
    as_of: AsOf = None,
    cap: Annotated[
        float | None, typer.Option(help="Most that a premium may rise at once, such as 0.2.")
    ] = None,
    collar: Annotated[
        float | None, typer.Option(help="Most that a premium may fall at once, such as 0.15.")
    ] = None,
    elasticity: Annotated[
        float, typer.Option(help="Change of volume for each change of premium; 0: nobody leaves.")
    ] = 0.0,
) -> None:
    """What a release would do to a book: who moves and why, loss ratio, volume, cost of rules.

    Writes impact.html, impact.json, impact.parquet and impact_segments.parquet.
    """
    from riskengine.batch.impact import Assumptions, impact_of
    from riskengine.pricing.impact import RateChange
    from riskengine.registry import find_release

    settings = Settings()
    assumptions = Assumptions(day(as_of), RateChange(cap, collar), elasticity)
    found = impact_of(
        portfolio, find_release(settings, old), find_release(settings, new), assumptions
    )
    before, after = found.totals["old"], found.totals["demanded"]
    console.print(
        f"{found.policies.num_rows:,} policies priced, {found.quarantined.num_rows:,} quarantined;"
        f" premium {before.premium:,.2f} -> {after.premium:,.2f} {found.currency}, loss ratio"
        f" {before.loss_ratio:.1%} -> {after.loss_ratio:.1%}"
    )
    for path in found.write(out):
        console.print(f"  {path}")
