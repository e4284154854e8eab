"""Commands about tables: validate, simulate, schemas."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import TaskID
from rich.table import Table

from riskengine.cli.app import Market, Out, app, console, day, progress_bars
from riskengine.errors import InputError
from riskengine.tables import COLUMNS


@app.command()
def validate(
    source: Annotated[str, typer.Argument(help="Folder of Parquet or CSV files, or database URL.")],
    quarantine: Annotated[
        Path, typer.Option(help="Folder for the bad rows, one Parquet file a table.")
    ] = Path("quarantine"),
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the accepted rows, as Parquet in the contracts' types."),
    ] = None,
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
    with progress_bars(14) as progress:
        bars: dict[str, TaskID] = {}

        def told(name: str, rows: int) -> None:
            if name not in bars:
                bars[name] = progress.add_task(name, total=None)
            progress.update(bars[name], completed=rows)

        summaries = validate_tables(source, quarantine, day(None), told, out)
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
def simulate(
    members: Annotated[int, typer.Option(min=1, help="How many members.")],
    out: Out,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal files.")] = 1,
    market: Market = "study",
) -> None:
    """Write the tables of a synthetic insurer, and the truth behind them apart.

    No member is a real person. Three years of members, policies on the plans of the market, claims,
    diagnoses, measurements, events and offers; truth.parquet holds what they only show through.
    """
    from riskengine.products.load import read_catalogue, shipped
    from riskengine.sources.synthetic.simulate import simulate as write_synthetic
    from riskengine.training import synthetic_setting

    setting = synthetic_setting(read_catalogue(shipped(market)))
    with progress_bars(26) as progress:
        bar = progress.add_task("drawing synthetic members", total=members)
        made = write_synthetic(
            members,
            seed,
            out,
            setting,
            lambda done: progress.update(bar, completed=done),
        )
    for name, rows in made.rows.items():
        console.print(f"  {out / f'{name}.parquet'}: {rows:,} synthetic rows", soft_wrap=True)


@app.command()
def schemas(
    folder: Annotated[Path, typer.Option(help="Where the files are.")] = Path("data/schemas"),
    check: Annotated[bool, typer.Option("--check", help="Only compare, write nothing.")] = False,
) -> None:
    """Write the Table Schema of every table contract, or check that the files are up to date."""
    from riskengine.sources.table_schema import table_schema

    if not check:
        folder.mkdir(parents=True, exist_ok=True)
    for name in COLUMNS:
        text = json.dumps(table_schema(name), ensure_ascii=False, indent=2) + "\n"
        path = folder / f"{name}.json"
        if check and (not path.is_file() or path.read_text(encoding="utf-8") != text):
            message = f"{path} is out of date: run `riskengine schemas`"
            raise InputError(message)
        if not check:
            path.write_text(text, encoding="utf-8")
    console.print(f"{len(COLUMNS)} schemas {'are up to date' if check else 'written'}: {folder}")


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
