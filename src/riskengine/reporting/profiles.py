"""The report on profiles: what is known of how many, how it is spread, how it has moved.

Columns are read one at a time, so that a book of any size fits in memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import pyarrow as arrow
import pyarrow.compute as pc
import pyarrow.parquet as pq
from matplotlib.ticker import MaxNLocator

from riskengine.errors import TableError
from riskengine.profiles.drift import SHIFTED, STABLE, population_stability_index
from riskengine.profiles.feature import FAMILY_TITLES, Family, Feature, Purpose
from riskengine.reporting.charts import EXPECTED, drift_chart, render
from riskengine.reporting.report import Section, Table
from riskengine.tables import text_objects
from riskengine.vocabulary import AnyArray, FloatArray, Text

_BINS = 24
_PER_ROW = 3
_YES_OR_NO = "0 no, 1 yes"
_UNITS = {
    _YES_OR_NO: "0否，1是",
    "0 none to 1 limited": "0无至1受限",
    "claim lines": "条",
    "conditions": "种",
    "currency": "金额",
    "days": "天",
    "designs": "种",
    "diagnoses": "次",
    "measurements": "次",
    "offers": "次",
    "people": "人",
    "points": "分",
    "policies": "份",
    "share": "比例",
    "steps": "步",
    "times": "次",
    "visits": "次",
    "years": "年",
}
"""Units in Chinese; one that is not here is the same in both languages, such as mmHg."""
_A = {"day": "天", "year": "年"}


@dataclass(frozen=True)
class FeatureSummary:
    """One feature at the last date: share known, spread, and PSI against the first date.

    `quantiles` are the 5th, 50th and 95th percentile of known numbers, `mean` their mean; `counts`
    by bin (numbers, those beyond the 1st and 99th percentile in the outermost bins, `edges`) or by
    level (`labels`). `drift` is NaN with one date only.
    """

    feature: Feature
    known: float
    drift: float
    mean: float | None
    quantiles: tuple[float, float, float] | None
    counts: FloatArray
    edges: FloatArray | None
    labels: tuple[Text, ...]


def summarise(path: Path, features: Sequence[Feature]) -> tuple[list[date], list[FeatureSummary]]:
    """The dates of a file of profiles, in order, and a summary of each feature.

    Raises `TableError` when the file has no rows or lacks a feature.
    """
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        absent = [f.name for f in features if f.name not in names]
        if absent or "as_of" not in names or not file.metadata.num_rows:
            message = f"{path} holds no profiles to report on; it lacks {absent or 'rows or as_of'}"
            raise TableError(message)
        as_of = file.read(columns=["as_of"])["as_of"].combine_chunks()
        dates = sorted(pc.unique(as_of).to_pylist())
        first, last = (
            np.asarray(pc.equal(as_of, arrow.scalar(day, arrow.date32())))
            for day in (dates[0], dates[-1])
        )
        found = []
        for feature in features:
            column = file.read(columns=[feature.name])[feature.name].combine_chunks()
            values = _values(feature, column)
            before = values[first] if len(dates) > 1 else values[:0]
            found.append(_summary(feature, before, values[last]))
    return dates, found


def profile_sections(
    dates: Sequence[date], summaries: Sequence[FeatureSummary], completion: arrow.Table | None
) -> list[Section]:
    """The parts of the report: an overview, drift, run-out, and one section a family."""
    sections = [known_section(summaries)]
    if len(dates) > 1:
        sections.append(drift_section(dates, summaries))
    if completion is not None:
        sections.append(run_out_section(completion))
    for family in Family:
        of_family = [s for s in summaries if s.feature.family is family]
        if of_family:
            sections.append(family_section(family, of_family))
    return sections


def _values(feature: Feature, column: arrow.Array) -> AnyArray:
    if feature.question.kind == "level":
        return text_objects(column)
    numbers: AnyArray = column.cast(arrow.float64()).to_numpy(zero_copy_only=False)
    return numbers


def _summary(feature: Feature, before: AnyArray, after: AnyArray) -> FeatureSummary:
    drift = population_stability_index(before, after)
    if after.dtype == object:
        question = feature.question
        there = [level for level in after if level is not None]
        names, counts = np.unique(np.array(there, dtype=str), return_counts=True)
        order = sorted(
            range(len(names)),
            key=lambda k: question.levels.index(names[k]) if names[k] in question.levels else k,
        )
        labels = tuple(question.titled(str(names[k])) for k in order)
        share = len(there) / max(len(after), 1)
        by_level = counts[order].astype(np.float64)
        return FeatureSummary(feature, share, drift, None, None, by_level, None, labels)
    known = after[~np.isnan(after)]
    share = len(known) / max(len(after), 1)
    if not len(known):
        return FeatureSummary(feature, share, drift, None, None, np.zeros(0), None, ())
    low, *middle, high = np.quantile(known, [0.01, 0.05, 0.5, 0.95, 0.99])
    if low == high:
        low, high = known.min(), known.max()
    edges = _edges(known, float(low), float(high))
    by_bin = np.histogram(np.clip(known, edges[0], edges[-1]), edges)[0].astype(np.float64)
    five, half, most = map(float, middle)
    mean = float(known.mean())
    return FeatureSummary(feature, share, drift, mean, (five, half, most), by_bin, edges, ())


def _edges(known: FloatArray, low: float, high: float) -> FloatArray:
    """Bins of equal width; whole numbers of few values get a bin each."""
    whole = np.all(known == np.round(known)) and low == round(low)
    if whole and high - low <= _BINS:
        return np.arange(low - 0.5, high + 1)
    return np.linspace(low, high if high > low else low + 1, _BINS + 1)


def known_section(summaries: Sequence[FeatureSummary]) -> Section:
    """How many features of each family are known of how many members, and who may use them."""
    rows: list[tuple[Text | str, ...]] = []
    for family in Family:
        of_family = [s for s in summaries if s.feature.family is family]
        if not of_family:
            continue
        known = np.array([s.known for s in of_family])
        pricing = sum(s.feature.purpose.allows(Purpose.PRICING) for s in of_family)
        sensitive = sum(s.feature.question.sensitive for s in of_family)
        rows.append(
            (
                FAMILY_TITLES[family],
                str(len(of_family)),
                f"{known.mean():.0%}",
                f"{known.min():.0%}",
                str(pricing),
                str(sensitive),
            )
        )
    never = [s.feature.question.title for s in summaries if s.known == 0]
    words = Text(
        zh=f"共{len(summaries)}个特征。从未有值的特征：{'、'.join(t.zh for t in never) or '无'}。"
        "下文每类一节：先是表，再是每个特征一格的取值分布图，1%与99%分位以外的值计入最外侧的柱。"
        "是否类特征的均值即“是”的比例，与只有一个取值的特征一样没有图。",
        en=f"{len(summaries)} features. Never known: {', '.join(t.en for t in never) or 'none'}."
        " A part for each family follows: a table, then the spread of values, one panel a feature,"
        " with values beyond the 1st and 99th percentile in the outermost bars. The mean of a"
        " yes/no feature is the share of yes; it has no panel, nor has a feature of one value.",
    )
    headings = (
        Text(zh="类别", en="family"),
        Text(zh="特征数", en="features"),
        Text(zh="平均有值率", en="known on average"),
        Text(zh="最低有值率", en="known at least"),
        Text(zh="可用于定价", en="may price"),
        Text(zh="敏感特征", en="sensitive"),
    )
    return Section(Text(zh="覆盖情况", en="What is known"), words, Table(headings, tuple(rows)))


def drift_section(dates: Sequence[date], summaries: Sequence[FeatureSummary]) -> Section:
    """The features that moved most from the first date to the last, by PSI."""
    moved = sorted(summaries, key=lambda s: -s.drift)
    shown = moved[:15]
    shifted = sum(s.drift > SHIFTED for s in summaries)
    words = Text(
        zh=f"从{dates[0]}到{dates[-1]}的群体稳定性指数（PSI），按前者的十分位计算，缺失单独成组。"
        f"低于{STABLE:g}通常视为稳定（点线），高于{SHIFTED:g}视为变化（虚线）；{shifted}个特征在其上。"
        f"图中为变化最大的{len(shown)}个，条长到1为止。历史比窗口短时，长窗口与距首次事件的天数"
        "必然变化。",
        en=f"Population stability index from {dates[0]} to {dates[-1]}, over deciles of the first,"
        f" missing values as a bin of their own. Below {STABLE:g} (dotted line) is usually read as"
        f" stable, above {SHIFTED:g} (dashed line) as a shift; {shifted} features are above. The"
        f" chart shows the {len(shown)} that moved most, with bars up to 1. While the"
        " history is shorter than a window, long windows and days since a first event must move.",
    )

    chart = drift_chart([s.feature.question.title for s in shown], [s.drift for s in shown])
    return Section(Text(zh="两个日期之间的变化", en="Drift between two dates"), words, chart=chart)


def run_out_section(completion: arrow.Table) -> Section:
    """Completion factors by development month, as `completion_factors` gives them."""
    lag = completion["development_month"].to_numpy()
    factor = completion["completion_factor"].to_numpy()
    shown = factor[:6]
    words = Text(
        zh="按就诊月份与报案月份的链梯法：就诊当月末已知的费用占最终费用的"
        f"{factor[0]:.0%}，其后各月为{'、'.join(f'{f:.1%}' for f in shown[1:])}。"
        "因此最近30天与90天窗口的费用偏低；特征不做放大，模型也在同样的视角下训练。",
        en="Chain ladder by month of service and month of report: by the end of the month of"
        f" service {factor[0]:.0%} of the ultimate amount is known, after that"
        f" {', '.join(f'{f:.1%}' for f in shown[1:])}. So the windows of 30 and 90 days hold less"
        " than was spent; features are not scaled up, and models learn on the same view.",
    )

    def draw(axes: Any, say: Any) -> None:
        last = min(len(lag), 12)
        axes.plot(lag[:last], factor[:last], marker="o", color=EXPECTED)
        axes.set_ylim(0, 1.05)
        axes.set_xticks(lag[:last])
        axes.set_xlabel(
            say(Text(zh="发展月（1为就诊当月）", en="development month, 1 is the month of service"))
        )
        axes.set_ylabel(say(Text(zh="完成因子", en="completion factor")))

    return Section(Text(zh="赔付延迟", en="Run-out of claims"), words, chart=render(draw))


def family_section(family: Family, summaries: Sequence[FeatureSummary]) -> Section:
    """The features of one family: known, mean and percentiles, and a histogram each."""
    drifts = any(not np.isnan(s.drift) for s in summaries)
    headings = [
        Text(zh="特征", en="feature"),
        Text(zh="单位", en="unit"),
        Text(zh="有值", en="known"),
        Text(zh="均值", en="mean"),
        Text(zh="5%", en="5%"),
        Text(zh="中位数", en="median"),
        Text(zh="95%", en="95%"),
    ]
    if drifts:
        headings.append(Text(zh="PSI", en="PSI"))
    rows = []
    for summary in summaries:
        question = summary.feature.question
        told = _told(summary)
        row: list[Text | str] = [
            question.title,
            _unit(question.unit),
            f"{summary.known:.0%}",
            *told,
        ]
        rows.append((*row, f"{summary.drift:.3f}") if drifts else tuple(row))
    charted = [s for s in summaries if len(s.counts) > 1 and not _yes_or_no(s)]
    chart = None
    if charted:
        lines = -(-len(charted) // _PER_ROW)
        chart = render(lambda axes, say: _small(axes, say, charted), height=1.5 * lines + 0.3)
    return Section(
        FAMILY_TITLES[family], _least_known(summaries), Table(tuple(headings), tuple(rows)), chart
    )


def _least_known(summaries: Sequence[FeatureSummary]) -> Text:
    """The features of a family that the fewest are known of, in words."""
    least = sorted((s for s in summaries if round(s.known, 2) < 1), key=lambda s: s.known)[:3]
    if not least:
        return Text(zh="所有特征对所有成员都有值。", en="Every feature is known of every member.")
    named = [(s.feature.question.title, f"{s.known:.0%}") for s in least]
    return Text(
        zh=f"有值最少：{'、'.join(f'{title.zh}（{share}）' for title, share in named)}。",
        en=f"Known least: {'; '.join(f'{title.en} ({share})' for title, share in named)}.",
    )


def _yes_or_no(summary: FeatureSummary) -> bool:
    return summary.feature.question.unit == _YES_OR_NO


def _told(summary: FeatureSummary) -> list[str]:
    """Mean, 5th percentile, median and 95th; of a yes/no feature the share of yes alone."""
    if summary.mean is not None and _yes_or_no(summary):
        return [f"{summary.mean:.1%}", "", "", ""]
    middle = (summary.mean, *(summary.quantiles or (None,) * 3))
    return ["" if value is None else _rounded(value) for value in middle]


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _unit(unit: str) -> Text:
    """A unit in both languages."""
    head, per, tail = unit.partition(" per ")
    zh = _UNITS.get(head, head) + (f"/{_A.get(tail, tail)}" if per else "")
    return Text(zh=zh, en=unit)


def _small(axes: Any, say: Any, summaries: Sequence[FeatureSummary]) -> None:
    """One small histogram a feature, in a grid."""
    figure = axes.figure
    axes.remove()
    lines = -(-len(summaries) // _PER_ROW)
    grid = np.atleast_1d(figure.subplots(lines, _PER_ROW)).ravel()
    for one, summary in zip(grid, summaries, strict=False):
        if summary.edges is None:
            place = np.arange(len(summary.counts))
            one.bar(place, summary.counts, 0.8, color=EXPECTED)
            one.set_xticks(place, [say(label) for label in summary.labels])
        else:
            _histogram(one, summary.counts, summary.edges)
        one.set_title(fill(say(summary.feature.question.title), 40), fontsize=8)
        one.set_yticks([])
        one.tick_params(labelsize=7)
        one.grid(visible=False)
    for one in grid[len(summaries) :]:
        one.remove()


def _histogram(axes: Any, counts: FloatArray, edges: FloatArray) -> None:
    """Bars of their own for whole numbers, as `_edges` gives them, else a filled outline."""
    whole = edges[0] % 1 == 0.5 and edges[1] - edges[0] == 1
    if whole:
        axes.bar(edges[:-1] + 0.5, counts, 0.8, color=EXPECTED)
    else:
        axes.stairs(counts, edges, fill=True, color=EXPECTED)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=whole))
