"""Commands that price a book: demo, reprice."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from riskengine.cli.app import Alias, AsOf, Out, app, console, day, progress_bars
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
