"""The command that shows everything: demo."""

import json
import sys
from pathlib import Path

from rich.table import Table

from riskengine.cli.app import Out, app, console, progress_bars
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
