"""The main job on real data, from the study file to prices and a report to look at.

It only composes what the stages offer; numbers come from them, words from `reporting`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as arrow
import pyarrow.parquet as pq

from riskengine.batch.reprice import Repriced, RepriceJob, reprice
from riskengine.batch.repriced import pricing_of
from riskengine.engine import Quote, Recommendation, quote, recommend
from riskengine.profiles.build import build_experience
from riskengine.profiles.questions import answers_to_columns
from riskengine.registry import TrainingRun, log_training, register_release, release_folder
from riskengine.release import Release
from riskengine.reporting.charts import plans_chart
from riskengine.reporting.dislocation import BookChange, change_section
from riskengine.reporting.report import Section, render_report
from riskengine.reporting.sections import (
    MEAN,
    Compared,
    comparison_section,
    lift_section,
    plan_paid_section,
    quote_sections,
    recommendation_section,
    years_section,
)
from riskengine.risk.columns import training_columns
from riskengine.risk.diagnostics import (
    actual_over_expected,
    bootstrap_mean,
    gini,
    tweedie_deviance,
    unit_tweedie_deviance,
)
from riskengine.risk.fit import HeldOut, cross_fit, fit, held_out_mean
from riskengine.risk.model import RiskModel
from riskengine.risk.outcome import outcome_of
from riskengine.risk.spec import ModelSpec, read_spec
from riskengine.risk.yardstick import held_out_average, held_out_glm
from riskengine.service.body import dumped
from riskengine.service.contracts import prices_body, recommendation_response
from riskengine.settings import Settings
from riskengine.sources.check import check_tables
from riskengine.sources.rand_hie import read_study, tables_from_study
from riskengine.tables import Tables
from riskengine.training import (
    assemble_release,
    check_plan_paid,
    complete_experience,
    learn_utilisation,
    renewal_portfolio,
)
from riskengine.vocabulary import Answer, FloatArray, Text

AS_OF = date(2026, 1, 1)
STAGES = 9
Say = Callable[[str], None]


@dataclass(frozen=True)
class Demonstration:
    """What the run made: the release and its registered version, one member's prices, the book."""

    release: Release
    version: int
    answers: dict[str, Answer]
    quote: Quote
    recommendation: Recommendation
    dislocation: Repriced
    compared: Compared
    files: tuple[Path, ...]


@dataclass(frozen=True)
class _Trained:
    experience: arrow.Table
    model: RiskModel
    held_out: list[HeldOut]
    mean: FloatArray
    compared: Compared


def run_demo(settings: Settings, out: Path, stage: Say) -> Demonstration:
    """Run the whole flow and write its results to the folder `out`.

    `stage` is called with a line as each of the `STAGES` stages starts.
    """
    spec = read_spec(Path(settings.models) / "medical_spend.toml")
    out.mkdir(parents=True, exist_ok=True)
    stage("checking the study's tables against their contracts")
    checked = check_tables(tables_from_study(read_study()))
    tables = {name: table.accepted for name, table in checked.items()}
    stage("building point-in-time profiles")
    experience = complete_experience(build_experience(tables))
    pq.write_table(experience, out / "experience.parquet")
    trained = _train(spec, experience, stage)
    stage("assembling the release")
    model = trained.model
    release = assemble_release(model, learn_utilisation(model, experience), "study", experience)
    stage("logging the run and registering the release with MLflow")
    sections = _model_sections(trained, release)
    version = _register(settings, trained, release, sections)
    stage("pricing one member and ranking the plans")
    book, answers = _book_and_member(tables, experience, release, out / "portfolio.parquet")
    columns = answers_to_columns(release.questions, answers)
    quoted = quote(release, columns, AS_OF, ())
    ranked = recommend(release, columns, AS_OF)
    stage(f"repricing the book of {book.num_rows:,} policies")
    pricing = pricing_of((release_folder(settings, release.hash),), AS_OF)
    dislocation = reprice(RepriceJob(out / "portfolio.parquet", out / "book", pricing, workers=1))
    sections = [
        *sections,
        *quote_sections(release, answers, quoted, plan=2),
        recommendation_section(ranked),
        _book_section(dislocation),
    ]
    written = _write(out, release, answers, (quoted, ranked), sections)
    return Demonstration(
        release, version, answers, quoted, ranked, dislocation, trained.compared, written
    )


def _train(spec: ModelSpec, experience: arrow.Table, stage: Say) -> _Trained:
    stage("fitting the model of medical spend (5 folds by member)")
    fitted = fit(spec, experience)
    stage("fitting it again without each fold, for honest diagnostics")
    held_out = cross_fit(spec, experience)
    mean = held_out_mean(held_out, experience)
    stage("fitting a spline GLM and the mean on the same folds")
    splits = [part.split for part in held_out]
    columns = training_columns(spec, experience)
    observed = outcome_of(spec, columns)
    glm = held_out_glm(spec, columns, observed, splits)
    flat = held_out_average(observed, splits)
    outcome, weight = observed.actual, observed.weight
    power = spec.model.power
    gain = unit_tweedie_deviance(outcome, glm, power) - unit_tweedie_deviance(outcome, mean, power)
    members = experience["member_id"].to_numpy()
    advantage = bootstrap_mean(gain, weight, members, np.random.default_rng(1))
    predictions = {"LightGBM": mean, "GLM": glm, MEAN: flat}
    compared = Compared(outcome, weight, predictions, power, advantage)
    return _Trained(experience, fitted, held_out, mean, compared)


def _model_sections(trained: _Trained, release: Release) -> list[Section]:
    plans = release.catalogue.plans
    paid = {}
    for plan in plans:
        check = check_plan_paid(
            plan.benefit, trained.held_out, trained.mean, trained.compared.actual
        )
        paid[plan.plan] = (check.actual, check.expected)
    titles = {plan.plan: plan.name for plan in plans}
    year = trained.experience["as_of"].to_pandas().map(lambda day: day.year).to_numpy()
    return [
        comparison_section(trained.compared),
        lift_section(trained.compared),
        years_section(trained.compared, year),
        plan_paid_section(titles, paid, trained.mean, trained.compared.exposure),
    ]


def _register(
    settings: Settings, trained: _Trained, release: Release, sections: list[Section]
) -> int:
    compared = trained.compared
    actual, weight, power = compared.actual, compared.exposure, compared.power
    metrics = {}
    for name, expected in compared.predictions.items():
        metrics[f"{name}.tweedie_deviance"] = tweedie_deviance(actual, expected, weight, power)
        metrics[f"{name}.actual_over_expected"] = actual_over_expected(actual, expected, weight)
        if name != MEAN:
            metrics[f"{name}.gini"] = gini(actual, expected, weight)
    named = zip(("lorenz", "lift"), sections, strict=False)
    charts = {name: section.chart["en"] for name, section in named if section.chart}
    features = list(trained.model.spec.features.names)
    rows = trained.experience.select(features).slice(0, 5).to_pandas()
    log_training(settings, TrainingRun(trained.model, rows, metrics, charts))
    asked = [question.name for question in release.questions]
    example = trained.experience.select(asked).slice(0, 5).to_pandas()
    example["plan"] = release.catalogue.names[0]
    return register_release(settings, release, AS_OF, example)


def _book_and_member(
    tables: Tables, experience: arrow.Table, release: Release, path: Path
) -> tuple[arrow.Table, dict[str, Answer]]:
    """The renewal portfolio, written to `path`, and the answers of one real member in it."""
    book = renewal_portfolio(tables, experience, release, AS_OF)
    pq.write_table(book, path)
    frame = book.to_pandas()
    adults = frame[(frame["age"] >= 40) & (frame["age"] < 50)].sort_values("policy_id")
    row = adults.iloc[0]
    answers: dict[str, Answer] = {}
    for question in release.questions:
        value = row[question.name]
        if not pd.isna(value):
            answers[question.name] = float(value) if question.kind == "number" else str(value)
    return book, answers


def _book_section(dislocation: Repriced) -> Section:
    totals = dislocation.totals
    book = totals.all
    before, after = book.expiring / 100, book.compared_offered / 100
    falls = book.falling / book.compared
    words = Text(
        zh=f"{book.policies:,}份保单从统一费率（按往年赔付重新理算，实验本身不收保费）"
        f"转为按风险定价：保费总额由{before:,.0f}变为{after:,.0f}，{falls:.0%}的保单保费下降。",
        en=f"{book.policies:,} policies move from a community rate (computed from"
        " earlier years: the study charged no premium) to their own risk: premiums in all go from"
        f" {before:,.0f} to {after:,.0f}, and {falls:.0%} of the policies fall.",
    )
    return change_section(BookChange(totals.changes, totals.reasons, totals.moved), words)


def _write(
    out: Path,
    release: Release,
    answers: dict[str, Answer],
    results: tuple[Quote, Recommendation],
    sections: list[Section],
) -> tuple[Path, ...]:
    quoted, ranked = results
    title = Text(
        zh="riskengine：真实数据上的一次完整运行", en="riskengine: one whole run on real data"
    )
    lead = Text(
        zh="数据为兰德健康保险实验（1974至1982年，金额为当时美元）。"
        f"发布版本{release.hash[:12]}，定价日{AS_OF}。",
        en="The data are the RAND Health Insurance Experiment (1974 to 1982, in dollars of that"
        f" time). Release {release.hash[:12]}, priced as of {AS_OF}.",
    )
    # Named by the release, so that a second run writes the same bytes.
    told = {"quote_id": f"demo-{release.hash[:12]}", **prices_body(release, answers, quoted)}
    advised = recommendation_response(f"demo-{release.hash[:12]}", release, AS_OF, ranked)
    texts = {
        "quote.json": dumped(told, indent=True).decode(),
        "recommendation.json": advised.model_dump_json(indent=1),
        "plans.svg": plans_chart([item for item, _ in ranked.items])["en"],
        "report.html": render_report(title, lead, sections),
    }
    for name, text in texts.items():
        (out / name).write_text(text + "\n", encoding="utf-8")
    return tuple(
        out / name
        for name in (
            "report.html",
            "plans.svg",
            "quote.json",
            "recommendation.json",
            "experience.parquet",
            "portfolio.parquet",
            "book/repriced",
            "book/dislocation.html",
            "book/summary.json",
        )
    )
