"""A model from a spec and a file: fitted, diagnosed, written to a folder, and logged.

What a spec reads of a file, and where a model is kept, is said here once for all commands.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as arrow

from riskengine.errors import SpecError
from riskengine.reporting.charts import Chart
from riskengine.reporting.next_product import lead_of_products, next_product_sections
from riskengine.reporting.report import Section, render_report
from riskengine.reporting.risk import lead_of, risk_sections
from riskengine.reporting.risk_explanation import explanation_sections
from riskengine.risk.columns import flags
from riskengine.risk.diagnose import Diagnosis, diagnose
from riskengine.risk.explanation import Asked, Explanation, explain_model
from riskengine.risk.findings import FINDINGS_FILE, findings_of, to_json
from riskengine.risk.fit import fit
from riskengine.risk.kept import load_kept, model_files, write_files
from riskengine.risk.model import RiskModel
from riskengine.risk.next_product.diagnosis import (
    ProductDiagnosis,
    diagnose_products,
    findings_of_products,
)
from riskengine.risk.next_product.model import NextProductModel
from riskengine.risk.spec import Kind, ModelSpec, read_spec
from riskengine.settings import Settings
from riskengine.sources.table_file import Read, file_digest, read_table
from riskengine.vocabulary import Text

if TYPE_CHECKING:
    from riskengine.registry import TrainingRun

SPEC_FILE, METRICS_FILE, REPORT_FILE = "spec.toml", "metrics.json", "report.html"
PRODUCTS_FILE = "products.json"
_EXAMPLE_ROWS = 5
_IN_REPORT = Asked(features=6, families=False, points=12, rows=20_000)
"""What a report on training tells of the model; `riskengine explain` tells all."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class TrainJob:
    """What to train from: `fairness_by` are columns whose groups the model is to treat alike.

    Without `report` nothing is drawn.
    """

    spec: Path
    data: Path
    fairness_by: tuple[str, ...] = ()
    report: bool = True


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A fitted model with all that is written of it: `beside` lies with the model's own files."""

    model: RiskModel
    diagnosis: Diagnosis | ProductDiagnosis
    example: pd.DataFrame
    beside: dict[str, str]
    report: str
    charts: dict[str, str]
    data_digest: str

    def write(self, folder: Path) -> None:
        """Write everything to `folder`; other files there stay."""
        write_files(model_files(self.model, self.beside), folder)
        if self.report:
            (folder / REPORT_FILE).write_text(self.report, encoding="utf-8")

    def as_run(self) -> "TrainingRun":
        """The same as the registry keeps it."""
        from riskengine.registry import TrainingRun

        return TrainingRun(
            self.model,
            self.example,
            self.diagnosis.metrics(),
            self.charts,
            {REPORT_FILE: self.report} if self.report else {},
            self.beside,
            self.data_digest,
        )


def train(job: TrainJob, say: Say) -> TrainedModel:
    """Fit and diagnose a model; `say` is told what is being done.

    Raises `SpecError` and `TableError` naming the line, column, row and value that cannot be used.
    """
    say("reading the spec and the data")
    spec = read_spec(job.spec)
    table = read_table(job.data, wanted_columns(spec, job.fairness_by))
    if job.fairness_by and spec.model.kind is Kind.NEXT_PRODUCT:
        message = "fairness by group is not measured of a next_product model: drop --fairness-by"
        raise SpecError(message)
    model = fit(spec, table, say)
    say("diagnosing held-out predictions")
    if isinstance(model, NextProductModel):
        made = trained_products(model, table, job.report, say)
    else:
        diagnosis = diagnose(model, table, groups=job.fairness_by)
        made = trained_model(model, table, diagnosis, job.report, say)
    return replace(
        made,
        beside={SPEC_FILE: job.spec.read_text(encoding="utf-8"), **made.beside},
        data_digest=file_digest(job.data),
    )


def trained_model(
    model: RiskModel,
    table: arrow.Table,
    diagnosis: Diagnosis,
    report: bool = True,
    say: Say = lambda _: None,
) -> TrainedModel:
    """What a notebook has fitted and diagnosed, with all that the registry and the gates ask.

    `table` is the training table, on which monotone promises are tried; without `report` nothing
    is drawn. `as_run` of the result is what `log_training` takes.
    """
    say("trying the monotone promises")
    findings = findings_of(model, table, diagnosis)
    page, charts = "", dict[str, str]()
    if report:
        say("explaining the model")
        known = diagnosis.breakdown.importance if diagnosis.breakdown else None
        explained = explain_model(model, table, _IN_REPORT, known)
        say("drawing the report")
        page, charts = _draw(model.spec, diagnosis, explained)
    return TrainedModel(
        model=model,
        diagnosis=diagnosis,
        example=example_rows(model, table),
        beside={
            FINDINGS_FILE: to_json(findings),
            METRICS_FILE: json.dumps(diagnosis.metrics(), indent=1) + "\n",
        },
        report=page,
        charts=charts,
        data_digest="",
    )


def trained_products(
    model: NextProductModel,
    table: arrow.Table,
    report: bool = True,
    say: Say = lambda _: None,
) -> TrainedModel:
    """`trained_model` of a model of the next product, which is diagnosed on the way."""
    diagnosis = diagnose_products(model)
    page, charts = "", dict[str, str]()
    if report:
        say("drawing the report")
        page, charts = _page(
            Text(zh=f"模型{diagnosis.model}的诊断", en=f"Diagnosis of model {diagnosis.model}"),
            lead_of_products(diagnosis),
            next_product_sections(diagnosis),
        )
    return TrainedModel(
        model=model,
        diagnosis=diagnosis,
        example=example_rows(model, table),
        beside={
            FINDINGS_FILE: to_json(findings_of_products(diagnosis)),
            METRICS_FILE: json.dumps(diagnosis.metrics(), indent=1) + "\n",
            PRODUCTS_FILE: json.dumps(diagnosis.by_product(), indent=1, ensure_ascii=False) + "\n",
        },
        report=page,
        charts=charts,
        data_digest="",
    )


def wanted_columns(spec: ModelSpec, fairness_by: Sequence[str] = ()) -> dict[str, Read]:
    """What to read of a training or labelled table, and as what where the file has no types."""
    classes = not spec.model.kind.has_exposure
    found: dict[str, Read] = dict.fromkeys(fairness_by, Read.ORDER)
    if spec.folds.group:
        found[spec.folds.group] = Read.TEXT
    if spec.folds.time:
        found[spec.folds.time] = Read.ORDER
    if spec.model.exposure:
        found[spec.model.exposure] = Read.NUMBER
    if spec.model.propensity:
        found[spec.model.propensity] = Read.NUMBER
    found |= dict.fromkeys(spec.model.outcomes, Read.LEVEL if classes else Read.NUMBER)
    return found | feature_reads(spec)


def feature_reads(spec: ModelSpec) -> dict[str, Read]:
    """What to read of a table to predict."""
    numbers = dict.fromkeys(spec.features.numeric, Read.NUMBER)
    return numbers | dict.fromkeys((*spec.features.categorical, *spec.model.products), Read.LEVEL)


def read_both(first: RiskModel, second: RiskModel, path: Path) -> arrow.Table:
    """A labelled table from a file with what two models read of it."""
    return read_table(path, wanted_columns(first.spec) | wanted_columns(second.spec))


def model_folder(settings: Settings, where: str) -> Path:
    """The folder of a model: `where` itself, or what the registry has under a URI."""
    if re.match(r"(models|runs):/", where):
        from riskengine.registry import fetch_model

        return fetch_model(settings, where)
    return Path(where)


def load_model(settings: Settings, where: str) -> RiskModel:
    """The model in a folder or under a URI, with what is kept of its training rows."""
    return load_kept(model_folder(settings, where))


def example_rows(model: RiskModel, table: arrow.Table) -> pd.DataFrame:
    """A few rows of features as a data frame that signs the model.

    Whole numbers are doubles, so that a value may be missing; dates are times.
    """
    few = table.select(list(model.spec.inputs)).slice(0, _EXAMPLE_ROWS)
    found = {}
    for name in few.schema.names:
        values = few[name]
        if name in model.spec.model.products:
            values = arrow.chunked_array([arrow.array(flags(few, name), from_pandas=True)])
        kind = values.type
        if arrow.types.is_dictionary(kind):
            values = values.cast(kind.value_type)
        if arrow.types.is_integer(kind) or arrow.types.is_decimal(kind):
            values = values.cast(arrow.float64())
        elif arrow.types.is_date(kind):
            values = values.cast(arrow.timestamp("us"))
        elif arrow.types.is_null(kind):
            numeric = name not in model.spec.features.categorical
            values = values.cast(arrow.float64() if numeric else arrow.string())
        found[name] = values.to_pandas()
    return pd.DataFrame(found)


def require_new_folder(folder: Path, name: str) -> None:
    """Raise `SpecError` when `folder` holds something else than a model of this name."""
    there = folder / "model.json"
    if folder.is_dir() and any(folder.iterdir()) and not there.is_file():
        message = f"{folder} is not empty and holds no model: give another --out for {name}"
        raise SpecError(message)


def _draw(
    spec: ModelSpec, diagnosis: Diagnosis, explained: Explanation
) -> tuple[str, dict[str, str]]:
    sections = risk_sections(diagnosis) + explanation_sections(explained, spec.model.kind)
    title = Text(zh=f"模型{spec.model.name}的诊断", en=f"Diagnosis of model {spec.model.name}")
    return _page(title, lead_of(diagnosis), sections)


def _page(title: Text, lead: Text, sections: list[Section]) -> tuple[str, dict[str, str]]:
    """A report and its charts in English, by name."""
    english = {name: chart["en"] for name, chart in charts_of(sections).items()}
    return render_report(title, lead, sections) + "\n", english


def charts_of(sections: Sequence[Section]) -> dict[str, Chart]:
    """The charts of a report, by language, under a name made of their section's title."""
    found = {}
    for place, section in enumerate(sections, start=1):
        if section.chart:
            slug = re.sub(r"\W+", "_", section.title.en.lower(), flags=re.ASCII).strip("_")
            found[f"{place:02d}_{slug[:40]}"] = section.chart
    return found
