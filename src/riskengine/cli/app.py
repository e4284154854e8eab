"""What all commands share: the application, its console, common options, how mistakes end."""

import shlex
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from riskengine.errors import JobError, LockedError, RiskEngineError, StoppedError
from riskengine.settings import Settings

app = typer.Typer(
    name="riskengine",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Risk pricing and recommendation for health insurers. Start with `riskengine demo`.",
)
console = Console()

Out = Annotated[Path, typer.Option("--out", help="Folder for the results; made if needed.")]
AsOf = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], help="First day of cover; today if left out."),
]
Market = Annotated[str, typer.Option(help="Market whose shipped catalogue is used.")]
Alias = Annotated[
    str | None,
    typer.Option(
        "--release",
        help="Alias, market@alias, folder or start of a hash; RISKENGINE_ALIAS if left out.",
    ),
]


def run() -> None:
    """Run the command line; expected errors end in one line on stderr and exit code 2.

    A batch job that stopped on the way ends in 3 and the command to go on with, one whose folder
    is in use in 4, and one whose rows do not reconcile in 5.
    """
    try:
        if Settings().scorer == "reference":
            from riskengine.risk.scoring import Scorer, choose_scorer

            choose_scorer(Scorer.REFERENCE)
        app()
    except ValidationError as error:
        faults = "; ".join(
            f"RISKENGINE_{str(f['loc'][0]).upper()}: {f['msg']}" for f in error.errors()
        )
        stop(f"settings that cannot be used: {faults}")
    except StoppedError as error:
        again = dict.fromkeys([*sys.argv, "--resume"])
        stop(f"{error}. What is done is kept; go on with: {shlex.join(again)}", 3)
    except LockedError as error:
        stop(str(error), 4)
    except JobError as error:
        stop(str(error), 5)
    except (RiskEngineError, OSError) as error:
        stop(str(error))


def stop(message: str, code: int = 2) -> None:
    Console(stderr=True).print(f"error: {message}", soft_wrap=True, markup=False, highlight=False)
    sys.exit(code)


def day(as_of: datetime | None) -> date:
    return as_of.date() if as_of else datetime.now().astimezone().date()


def progress_bars(width: int = 58) -> Progress:
    """Bars whose descriptions are `width` characters wide, so that they do not jump."""
    return Progress(
        TextColumn(f"{{task.description:<{width}}}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
