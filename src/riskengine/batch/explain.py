"""What drives a model, as files: CSV for the numbers, SVG for the pictures, one page for both.

In the folder: `importance.csv`, `partial_dependence.csv` and `pairs.csv`, `charts/`,
`factor_tables/` for a kind that has them, `member.csv` where one was asked for, `explain.html`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pyarrow.compute as pc

from riskengine.batch.train import Say, charts_of, feature_reads, wanted_columns
from riskengine.errors import InputError, TableError, UnknownNameError
from riskengine.reporting.explanations import partial_dependence_chart
from riskengine.reporting.report import Section, render_report
from riskengine.reporting.risk_explanation import (
    explanation_sections,
    fidelity_words,
    member_section,
    without_tables,
)
from riskengine.reporting.risk_words import short
from riskengine.risk.explain import PartialDependence
from riskengine.risk.explanation import Asked, Explanation, explain_model
from riskengine.risk.factor_files import write_factor_tables, write_rows
from riskengine.risk.model import Relativities, RiskModel
from riskengine.risk.spec import Kind
from riskengine.sources.table_file import Read, column_names, read_table
from riskengine.vocabulary import AnyArray, Text

PAGE_FILE, TABLES_FOLDER, CHARTS_FOLDER = "explain.html", "factor_tables", "charts"


@dataclass(frozen=True)
class ExplainJob:
    """Rows of `data` to the folder `out`; `pairs` of features are looked at together.

    `member` is a value of the column `key`, whose last row is explained. `refit` fits each fold
    anew to judge the factor tables.
    """

    data: Path
    out: Path
    pairs: tuple[tuple[str, str], ...] = ()
    key: str | None = None
    member: str | None = None
    refit: bool = False


def explain_file(model: RiskModel, job: ExplainJob, say: Say = lambda _: None) -> Text:
    """Explain a model on a file and write it all; what the factor tables cost, in words.

    Raises `InputError` for a key without a member or the reverse, `UnknownNameError` for a feature
    or member that is not there, and `TableError` for a file that cannot be used.
    """
    if (job.key is None) != (job.member is None):
        message = "--key names a column and --member its value: give both or neither"
        raise InputError(message)
    say("reading the data")
    table = _read(model, job)
    told, sections = None, list[Section]()
    if job.key is not None and job.member is not None:
        row = _row_of(table, job.key, job.member)
        told, section = _member(model, table.slice(row, 1), job.member)
        sections.append(section)
    say("explaining the model")
    found = explain_model(model, table, Asked(pairs=job.pairs, refit=job.refit))
    say("writing tables and pictures")
    job.out.mkdir(parents=True, exist_ok=True)
    _write_numbers(found, job.out)
    if told is not None:
        values = [_text(table[name][row].as_py()) for name in told.names]
        lines = zip(told.names, values, told.factors[0].tolist(), strict=True)
        head = ("feature", "value", "relativity")
        write_rows(job.out / "member.csv", head, [("base", "", told.base), *lines])
    kind = model.spec.model.kind
    sections = explanation_sections(found, kind) + sections
    _write_charts(found, sections, job.out / CHARTS_FOLDER)
    page = _page(model, table.num_rows, sections)
    (job.out / PAGE_FILE).write_text(page, encoding="utf-8")
    if found.distilled is None:
        return without_tables(kind)
    write_factor_tables(found.distilled.tables, job.out / TABLES_FOLDER, found.fidelity)
    return fidelity_words(found.fidelity)


def parse_pair(text: str) -> tuple[str, str]:
    """Two features from a text; raises `InputError` unless there are two.

    >>> parse_pair("age, sex")
    ('age', 'sex')
    """
    names = [name.strip() for name in text.split(",")]
    if len(names) != 2 or not all(names):
        message = f"--pair is {text!r}: give two features with a comma, as --pair age,sex"
        raise InputError(message)
    return names[0], names[1]


def _read(model: RiskModel, job: ExplainJob) -> arrow.Table:
    """The features, what is there of outcomes and exposure, and the key."""
    there = column_names(job.data)
    reads = {n: how for n, how in wanted_columns(model.spec).items() if n in there}
    if job.key is not None:
        reads = {job.key: Read.TEXT, **reads}
    return read_table(job.data, reads | feature_reads(model.spec))


def _row_of(table: arrow.Table, key: str, member: str) -> int:
    """The last row whose key is the member's."""
    keys = table[key]
    if arrow.types.is_dictionary(keys.type):
        keys = keys.cast(keys.type.value_type)
    try:
        texts = keys.cast(arrow.string())
    except arrow.ArrowNotImplementedError as error:
        message = f"key {key} is {keys.type}: name a column of one value a row"
        raise TableError(message) from error
    rows = np.flatnonzero(pc.fill_null(pc.equal(texts, member), False).to_numpy())
    if not len(rows):
        some = ", ".join(str(one) for one in texts.slice(0, 5).to_pylist())
        message = f"no row has {key} {member!r}; the first have {some}"
        raise UnknownNameError(message)
    return int(rows[-1])


def _member(model: RiskModel, row: arrow.Table, who: str) -> tuple[Relativities | None, Section]:
    kind = model.spec.model.kind
    if kind.multiplicative or kind is Kind.BINARY:
        told = model.explain(row)
        given = {name: row[name][0].as_py() for name in told.names}
        values = {n: short(v) if isinstance(v, float) else _text(v) for n, v in given.items()}
        return told, member_section(told, who, kind, values)
    words = Text(
        zh=f"{kind}模型没有系数，因此没有列出。预测：{_predicted(model, row)}。",
        en=f"A {kind} model has no relativities, so none are listed. Prediction:"
        f" {_predicted(model, row)}.",
    )
    return None, Section(Text(zh=f"一位成员：{who}", en=f"One member: {who}"), words)


def _predicted(model: RiskModel, row: arrow.Table) -> str:
    found = np.atleast_1d(model.predict(row)[0])
    names = [f"{name} " for name in model.classes] or [""]
    return ", ".join(f"{n}{value:.4g}" for n, value in zip(names, found, strict=True))


def _write_numbers(found: Explanation, out: Path) -> None:
    families = found.by_family
    rows = [
        (grouping, name, float(effect), float(share))
        for grouping, one in (("feature", found.importance), ("family", families))
        if one is not None
        for name, effect, share in zip(one.names, one.effect, one.share, strict=True)
    ]
    write_rows(out / "importance.csv", ("grouping", "name", "effect", "share"), rows)
    head = ("feature", "value", "exposure_share", "class", "mean", "relativity")
    lines = [line for one in found.singles for line in _single_rows(one)]
    write_rows(out / "partial_dependence.csv", head, lines)
    if found.pairs:
        two = ("first", "second", "first_value", "second_value", "class", "mean", "relativity")
        lines = [line for one in found.pairs for line in _pair_rows(one)]
        write_rows(out / "pairs.csv", two, lines)


def _single_rows(found: PartialDependence) -> Iterator[Sequence[object]]:
    points = zip(found.points[0], found.exposure[0], strict=True)
    for place, (point, exposure) in enumerate(points):
        for name, mean, relativity in _by_class(found, (place,)):
            yield found.features[0], _text(point), float(exposure), name, mean, relativity


def _pair_rows(found: PartialDependence) -> Iterator[Sequence[object]]:
    for at in np.ndindex(*(len(axis) for axis in found.points)):
        values = (_text(axis[place]) for axis, place in zip(found.points, at, strict=True))
        first, second = values
        for name, mean, relativity in _by_class(found, at):
            yield *found.features, first, second, name, mean, relativity


def _by_class(found: PartialDependence, at: tuple[int, ...]) -> Iterator[tuple[str, float, float]]:
    means, relativities = (np.atleast_1d(one[at]) for one in (found.mean, found.relativities))
    for name, mean, relativity in zip(found.classes or ("",), means, relativities, strict=True):
        yield name, float(mean), float(relativity)


def _text(value: AnyArray | object) -> str:
    """A value as text; a missing one is empty."""
    return "" if value is None or value != value else f"{value}".removesuffix(".0")


def _write_charts(found: Explanation, sections: list[Section], folder: Path) -> None:
    """The pictures of the page, and one of each feature."""
    folder.mkdir(exist_ok=True)
    drawn = charts_of(sections)
    for place, one in enumerate(found.singles, start=1):
        name = re.sub(r"\W+", "_", one.features[0])[:60]
        drawn[f"feature_{place:02d}_{name}"] = partial_dependence_chart(one)
    for name, chart in drawn.items():
        for language, svg in chart.items():
            (folder / f"{name}.{language}.svg").write_text(svg, encoding="utf-8")


def _page(model: RiskModel, rows: int, sections: list[Section]) -> str:
    name, kind = model.spec.model.name, model.spec.model.kind
    title = Text(zh=f"模型{name}的解释", en=f"What explains model {name}")
    lead = Text(
        zh=f"模型{name}（{kind}），{rows:,}行数据；影响与部分依赖取自其中至多一千行，按风险暴露加权。"
        "数字在旁边的CSV文件中，图在charts文件夹中。",
        en=f"Model {name} ({kind}) on {rows:,} rows; importance and partial dependence are of at"
        " most a thousand of them, weighted by exposure. The numbers are in the CSV files beside"
        " this page, the pictures in charts.",
    )
    return render_report(title, lead, sections) + "\n"
