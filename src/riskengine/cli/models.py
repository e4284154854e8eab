"""Commands about risk models: train, score, explain, compare, promote."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from riskengine.cli.app import app, console, progress_bars
from riskengine.cli.security import Person, audited, promoter
from riskengine.errors import InputError
from riskengine.settings import Settings

if TYPE_CHECKING:
    from riskengine.risk.comparison import Comparison
    from riskengine.risk.diagnose import Diagnosis
    from riskengine.risk.diagnostics import Interval
    from riskengine.risk.next_product.measures import Figures

_FIGURES = {
    "deviance": "deviance",
    "d2": "D²",
    "actual_over_expected": "A/E",
    "gini": "Gini",
    "auc": "AUC",
}
_PRODUCT_FIGURES = {
    "log_loss": "log loss",
    "hit_1": "hit@1",
    "hit_3": "hit@3",
    "mrr": "MRR",
    "ndcg_5": "NDCG@5",
    "macro_hit_3": "macro hit@3",
    "niche_hit_3": "niche hit@3",
    "calibration_error": "calibration error",
}
Model = Annotated[
    str, typer.Option(help="Folder of a model, models:/NAME@ALIAS, models:/NAME/3 or runs:/ID.")
]


@app.command()
def train(
    spec: Annotated[Path, typer.Argument(help="Model spec, such as models/medical_spend.toml.")],
    data: Annotated[Path, typer.Option(help="Parquet or CSV file, one row an exposure period.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the model; trained/NAME if left out.")
    ] = None,
    fairness_by: Annotated[
        list[str] | None,
        typer.Option(help="Column whose groups are to be treated alike; may be repeated."),
    ] = None,
    register: Annotated[
        bool, typer.Option(help="Log the run to MLflow and register a version of the model.")
    ] = True,
    report: Annotated[bool, typer.Option(help="Draw report.html, with its charts.")] = True,
) -> None:
    """Fit a model to a file and write it with a report on how good it is, held out.

    The folder holds model.json with its boosters, trained.parquet (held-out predictions),
    findings.json (what promotion asks), metrics.json and report.html; of next_product also
    products.json.
    """
    from riskengine.batch.train import TrainJob, require_new_folder
    from riskengine.batch.train import train as train_model
    from riskengine.risk.next_product.diagnosis import ProductDiagnosis
    from riskengine.risk.spec import read_spec

    name = read_spec(spec).model.name
    folder = out or Path("trained") / name
    require_new_folder(folder, name)
    version = None
    with progress_bars() as progress:
        bar = progress.add_task("starting", total=None)

        def say(line: str) -> None:
            progress.update(bar, description=line[:58], advance=1)

        done = train_model(TrainJob(spec, data, tuple(fairness_by or ()), report), say)
        done.write(folder)
        if register:
            say("logging the run with MLflow")
            from riskengine.registry import log_training

            version = log_training(Settings(), done.as_run())
        progress.update(bar, description="done", total=1, completed=1)
    if isinstance(done.diagnosis, ProductDiagnosis):
        console.print(headline_of_products(done.diagnosis.headline))
    else:
        console.print(_headline(done.diagnosis))
    look = f"; look at {folder / 'report.html'}" if report else ""
    console.print(f"Model {name} is in {folder}{look}", soft_wrap=True)
    if version is not None:
        console.print(f"Registered as models:/{name}/{version}", soft_wrap=True)


@app.command()
def score(
    model: Model,
    data: Annotated[Path, typer.Option(help="Parquet or CSV file with the model's features.")],
    out: Annotated[Path, typer.Option(help="File for the predictions: .parquet or .csv.")],
    key: Annotated[str | None, typer.Option(help="Column that is kept beside them.")] = None,
) -> None:
    """Predict every row of a file, in its order, in bounded memory.

    Columns: the key, and `prediction` per unit of exposure, or one a class, named as the class; of
    next_product one a product: exactly 0 if owned, the rest sum to 1; all 0 if everything is owned.
    """
    from riskengine.batch.score import ScoreJob, score_file
    from riskengine.batch.train import load_model

    loaded = load_model(Settings(), model)
    with progress_bars() as progress:
        bar = progress.add_task(f"scoring {data.name}", total=None)
        rows = score_file(
            loaded, ScoreJob(data, out, key), lambda done: progress.update(bar, completed=done)
        )
    console.print(f"{rows:,} rows scored: {out}", soft_wrap=True)


@app.command()
def explain(
    model: Annotated[str, typer.Argument(help="A model: folder, models:/... or runs:/...")],
    data: Annotated[Path, typer.Option(help="Parquet or CSV file; best the training table.")],
    out: Annotated[Path, typer.Option(help="Folder for tables, pictures and explain.html.")],
    pair: Annotated[
        list[str] | None,
        typer.Option(help="Two features to look at together, as age,sex; may be repeated."),
    ] = None,
    key: Annotated[str | None, typer.Option(help="Column that names members.")] = None,
    member: Annotated[
        str | None, typer.Option(help="The key's value whose last row is explained.")
    ] = None,
    refit: Annotated[
        bool, typer.Option("--refit", help="Judge factor tables by fits of each fold; slow.")
    ] = False,
) -> None:
    """Write what drives a model: importance, partial dependence, factor tables for a rate book.

    On the training table the deviance that factor tables lose is held out.
    """
    from riskengine.batch.explain import PAGE_FILE, ExplainJob, explain_file, parse_pair
    from riskengine.batch.train import load_model

    pairs = tuple(parse_pair(text) for text in pair or ())
    loaded = load_model(Settings(), model)
    with progress_bars() as progress:
        bar = progress.add_task("starting", total=None)
        job = ExplainJob(data, out, pairs, key, member, refit)
        told = explain_file(loaded, job, lambda line: progress.update(bar, description=line[:58]))
        progress.update(bar, description="done", total=1, completed=1)
    console.print(told.en, soft_wrap=True)
    console.print(f"All of it is in {out}; look at {out / PAGE_FILE}", soft_wrap=True)


@app.command()
def compare(
    first: Annotated[str, typer.Argument(help="A model: folder, models:/... or runs:/...")],
    second: Annotated[str, typer.Argument(help="The other model.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Labelled table that neither was trained on; held-out rows if left out."),
    ] = None,
) -> None:
    """Compare two models of one outcome, pair by pair of predictions, and say which is better.

    Without --data both must have been trained on the same rows: held-out predictions are paired.
    Intervals are 95 % by bootstrap over members.
    """
    from riskengine.batch.train import load_model, read_both
    from riskengine.risk.comparison import compare as compare_rows
    from riskengine.risk.comparison import held_out_rows, labelled_rows

    one, two = (load_model(Settings(), where) for where in (first, second))
    if data is None:
        rows = held_out_rows(one, two)
    else:
        rows = labelled_rows(one, two, read_both(one, two, data))
    found = compare_rows(rows)
    which = "held-out" if data is None else "labelled"
    power = "" if found.loss.power is None else f" of power {found.loss.power:g}"
    console.print(
        f"{found.rows:,} {which} rows of {found.members:,} members; {found.loss.family}"
        f" deviance{power}",
        soft_wrap=True,
    )
    _print_comparison(found, first, second)


@app.command()
def promote(
    name: Annotated[str, typer.Argument(help="Name of a registered model, or models:/NAME/3.")],
    version: Annotated[str | None, typer.Argument(help="Its version, such as 3.")] = None,
    force: Annotated[
        str | None, typer.Option(help="Promote whatever the gates say; the reason is kept.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Labelled table on which to compare with the present champion."),
    ] = None,
    client: Person = None,
) -> None:
    """Make a version the champion, if the gates hold; the decision is kept with the version.

    Gates: A/E, no worse than the champion, worst segment, calibration, fairness (of the groups
    named at training), monotone promises. Exit code 1 when refused.
    """
    from riskengine.batch.promote import Request
    from riskengine.batch.promote import promote as promote_version
    from riskengine.registry.models import parse_uri

    if version is None and not name.startswith("models:/"):
        message = f"which version of {name}? Give it after the name, or models:/{name}/VERSION"
        raise InputError(message)
    asked = parse_uri(name) if version is None else (name, version)
    settings = Settings()
    now = datetime.now().astimezone()
    audited("model.promote", "/".join(map(str, asked)), {"force": force}, promoter(client))
    with console.status("judging"):
        made = promote_version(settings, Request(*asked, now, force, data))
    label = f"Version {made.candidate.version} of {made.candidate.name}"
    if made.decision is None:
        console.print(f"{label} is the {settings.alias} already.", soft_wrap=True)
        return
    table = Table("gate", "value", "bound", "outcome")
    for gate in made.decision.gates:
        table.add_row(gate.name, gate.value, gate.bound, gate.outcome)
    console.print(table)
    if made.outcome == "refused":
        names = ", ".join(gate.name for gate in made.decision.refused)
        console.print(f"{label} is refused: {names}. The {settings.alias} stays.", soft_wrap=True)
        raise typer.Exit(1)
    why = f" by force: {force}" if made.outcome != "promoted" else ""
    console.print(f"{label} is now the {settings.alias}{why}.", soft_wrap=True)


def _headline(diagnosis: "Diagnosis") -> Table:
    """Model, GLM and mean, held out."""
    sides = list(diagnosis.headline)
    figures = [diagnosis.headline[side].figures() for side in sides]
    table = _table("held out", *sides)
    for figure, words in _FIGURES.items():
        if any(figure in one for one in figures):
            table.add_row(words, *(_told(one.get(figure)) for one in figures))
    return table


def headline_of_products(headline: "Mapping[str, Figures]") -> Table:
    """The model with its intervals beside others, held out."""
    sides = {name: one.figures() for name, one in headline.items()}
    model = next(iter(sides))
    table = _table("held out", *(name.replace("_", "-") for name in sides))
    for figure, words in _PRODUCT_FIGURES.items():
        others = (f"{one[figure].mean:.3f}" for name, one in sides.items() if name != model)
        table.add_row(words, _told(sides[model][figure]), *others)
    return table


def _print_comparison(found: "Comparison", first: str, second: str) -> None:
    one, two = found.first.figures(), found.second.figures()
    table = _table("", "first", "second")
    for figure, words in _FIGURES.items():
        if figure in one:
            table.add_row(words, _told(one[figure]), _told(two.get(figure)))
    table.add_row("deviance, first less second, paired", _told(found.difference), "")
    console.print(table)
    if found.lift:
        lift = Table("band", "second / first", "exposure", "actual", "first", "second")
        for band in found.lift:
            numbers = (band.ratio, band.exposure, band.actual, band.first, band.second)
            lift.add_row(str(band.band), *(f"{number:,.4g}" for number in numbers))
        console.print(lift)
    console.print(found.verdict(f"the first ({first})", f"the second ({second})"), soft_wrap=True)


def _table(*headings: str) -> Table:
    """A table of figures with their intervals, four columns of which fit into 80."""
    return Table(
        *headings, box=SIMPLE_HEAD, show_edge=False, pad_edge=False, caption="intervals are 95 %"
    )


def _told(interval: "Interval | None") -> str:
    from riskengine.reporting.risk_words import told

    return "-" if interval is None else told(interval)
