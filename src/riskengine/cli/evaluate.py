"""The command that judges recommendations: of a model on a table, or of a policy on a log."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from riskengine.cli.app import Out, app, console
from riskengine.cli.models import headline_of_products
from riskengine.cli.security import audited
from riskengine.errors import InputError
from riskengine.settings import Settings

if TYPE_CHECKING:
    from riskengine.batch.evaluate import LogEvaluation
    from riskengine.risk.next_product.evaluation import Evaluation

evaluate = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Judge recommendations.")
app.add_typer(evaluate, name="evaluate")


@evaluate.callback()
def _group() -> None:
    """Judge recommendations."""


@evaluate.command()
def recommendations(
    out: Out,
    model: Annotated[
        str | None, typer.Option(help="A next_product model: folder, models:/... or runs:/...")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Its table, one row a customer; of a log, members by member_id."),
    ] = None,
    log: Annotated[
        Path | None, typer.Option(help="Records of decisions and outcomes, as JSON lines.")
    ] = None,
    champion: Annotated[str | None, typer.Option(help="Model to compare with, paired.")] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(help="Column of groups, such as sex or birth_year; may be repeated."),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(help="Folder with a recommendation_policy.yaml to judge on the log."),
    ] = None,
    explores: Annotated[
        bool, typer.Option("--explores", help="The policy judged draws its order.")
    ] = False,
    days: Annotated[int, typer.Option(min=1, help="Days in which an offer is taken or not.")] = 30,
) -> None:
    """Judge a model of the next product on a table, or the policy behind a log of decisions.

    A model is put beside a champion, popularity, item-item, EASE, ALS (extra `evaluation`) and a
    logistic. A log is judged as served, best first without drawing, and under --policy, by IPS,
    SNIPS and a doubly robust estimate; without support or sample there is no verdict. Writes
    evaluation.json and evaluation.html.
    """
    from riskengine.batch.evaluate import (
        LogJob,
        evaluate_log,
        evaluate_model,
        write_log_evaluation,
        write_model_evaluation,
    )

    groups = tuple(by or ())
    if (model is None) == (log is None):
        message = "give --model with --data, or --log"
        raise InputError(message)
    if log is not None:
        if champion is not None:
            message = "--champion is of a model: a log is judged with --policy"
            raise InputError(message)
        with console.status("judging"):
            told = evaluate_log(LogJob(log, policy, explores, data, groups, days))
            write_log_evaluation(told, out)
        _print_log(told)
    elif model is not None:
        if data is None or policy is not None:
            message = "a model needs --data, a table of customers, and has no --policy"
            raise InputError(message)
        with console.status("judging"):
            found = evaluate_model(Settings(), model, data, champion, groups)
            write_model_evaluation(found, out)
        _print_model(found)
    console.print(f"All of it is in {out}; look at {out / 'evaluation.html'}", soft_wrap=True)


@evaluate.command()
def log(
    out: Annotated[Path, typer.Option(help="File of JSON lines to write.")],
    market: Annotated[str, typer.Option(help="Market whose decisions are read.")],
) -> None:
    """Write the decisions that the service kept, and what was told of them, to be judged.

    The file names members, whom `recommendations --data` looks up: keep it as you keep their data.
    """
    from riskengine.service.decision_log import write_decision_log
    from riskengine.service.security import sealer_of
    from riskengine.store import Database, Plain

    settings = Settings()
    audited("decisions.read", market, {"file": out.name})
    database = Database(settings.store)
    try:
        done = write_decision_log(database, market, out, sealer_of(settings) or Plain())
    finally:
        database.close()
    console.print(f"{done.decisions:,} decisions and {done.feedback:,} told of them are in {out}")
    if done.decisions_left_out:
        console.print(
            f"Left out: {done.decisions_left_out:,} decisions that were erased or have no record,"
            f" and {done.feedback_left_out:,} told of them"
        )
    if not done.decisions:
        raise typer.Exit(1)


def _print_model(found: "Evaluation") -> None:
    from riskengine.reporting.evaluation import lead_of_evaluation
    from riskengine.reporting.risk_words import told

    console.print(lead_of_evaluation(found).en, soft_wrap=True)
    table = headline_of_products(found.headline)
    shares = [f"{found.coverage[side]:.0%}" for side in found.headline]
    table.add_row("catalogue coverage", *shares)
    console.print(table)
    ahead = Table("the model ahead of", "log loss, paired", "hit@3, paired")
    for side, paired in found.ahead_of.items():
        ahead.add_row(side.replace("_", "-"), told(paired.log_loss), told(paired.hit_3))
    console.print(ahead)
    if found.groups:
        groups = Table("column", "level", "customers", "hit@3", "coverage", "niche share")
        for one in found.groups:
            share, niche = f"{one.coverage:.0%}", f"{one.niche_share:.1%}"
            groups.add_row(
                one.column, one.level, f"{one.customers:,}", told(one.hit_3), share, niche
            )
        console.print(groups)


def _print_log(found: "LogEvaluation") -> None:
    from riskengine.reporting.evaluation_of_log import log_lead
    from riskengine.reporting.risk_words import told

    console.print(log_lead(found.market, found.followed, found.advice).en, soft_wrap=True)
    table = Table("plans taken a decision", "IPS", "SNIPS", "DR", "DR less logged", "verdict")
    table.add_row("as logged", "", "", told(found.figures.taken), "", "")
    for name, one in found.targets.items():
        figures = (told(value) for value in (one.ips, one.snips, one.dr, one.gain))
        table.add_row(name.replace("_", " "), *figures, one.verdict.replace("_", " "))
    console.print(table)
    for name, one in found.targets.items():
        for refusal in one.refusals:
            console.print(f"{name.replace('_', ' ')}: {refusal.en}", soft_wrap=True)
