"""The parts of a risk report that need features: by feature, pair, segment, period and group."""

from collections.abc import Callable, Sequence

from riskengine.profiles.drift import SHIFTED, STABLE
from riskengine.reporting import risk_charts as charts
from riskengine.reporting.charts import drift_chart
from riskengine.reporting.report import Section, Table
from riskengine.reporting.risk_words import SEGMENT_HEADINGS, level_name, segment_cells, told
from riskengine.risk.diagnose import Breakdown
from riskengine.risk.diagnostics import WorstSegment
from riskengine.risk.diagnostics.breakdown import Fairness, FeatureTable
from riskengine.vocabulary import Text

_MOST_PANELS, _MOST_DRIFT = 24, 15
Title = Callable[[str], Text]


def one_way_section(breakdown: Breakdown, title: Title) -> Section:
    """Actual and expected by each feature, strongest first."""
    order = breakdown.importance.names
    tables = sorted(breakdown.one_way, key=lambda t: order.index(t.features[0]))
    shown = tables[:_MOST_PANELS]
    beyond = Text(zh="", en="")
    if len(shown) < len(tables):
        beyond = Text(
            zh=f"图中为影响最大的{len(shown)}个（共{len(tables)}个）。",
            en=f" The {len(shown)} strongest of {len(tables)} are drawn.",
        )
    found = _beyond_chance(tables)
    words = Text(
        zh=f"{found.zh}按影响从大到小排列；灰柱为风险暴露，数值特征按相等风险暴露分十组。{beyond.zh}",
        en=f"{found.en} Strongest features first; grey bars are exposure, numbers are in ten bands"
        f" of equal exposure.{beyond.en}",
    )
    chart = charts.one_way_picture(shown, title)
    heading = Text(zh="逐个特征：实际与预期", en="Actual and expected by feature")
    return Section(heading, words, chart=chart)


def two_way_sections(breakdown: Breakdown, title: Title) -> list[Section]:
    """A/E by pairs of the strongest features."""
    if not breakdown.two_way:
        return []
    shown = breakdown.two_way[:6]
    found = _beyond_chance(shown)
    words = Text(
        zh=f"影响最大的特征两两组合的A/E：红色高于1，蓝色低于1，粗体表示区间不含1。{found.zh}",
        en="A/E by pairs of the strongest features: red above 1, blue below, bold where the"
        f" interval leaves 1 out. {found.en}",
    )
    chart = charts.two_way_picture(shown, title)
    return [Section(Text(zh="两两组合：A/E", en="A/E by pairs of features"), words, chart=chart)]


def _beyond_chance(tables: Sequence[FeatureTable]) -> Text:
    segments = [segment for table in tables for segment in table.segments]
    out = sum(segment.ratio.distance_from_one > 0 for segment in segments)
    return Text(
        zh=f"{len(segments)}个水平中，{out}个的A/E区间不含1"
        f"（仅凭偶然约{0.05 * len(segments):.0f}个）。",
        en=f"Of {len(segments)} levels the interval of A/E leaves 1 out in {out}, where chance"
        f" alone would make about {0.05 * len(segments):.0f}.",
    )


def worst_section(breakdown: Breakdown, title: Title) -> Section:
    """The segment where the model is most wrong, of each class."""
    rows = tuple(_worst_row(of, worst, title) for of, worst in breakdown.worst.items())
    headings = (
        Text(zh="分段", en="segment"),
        Text(zh="风险暴露", en="exposure"),
        Text(zh="A/E", en="A/E"),
        Text(zh="可信度", en="credibility"),
        Text(zh="收缩后A/E", en="A/E after shrinkage"),
        Text(zh="比较的分段数", en="searched"),
    )
    words = Text(
        zh="在单个特征与两两组合的全部分段中，收缩后A/E离1最远者。"
        "搜索本身会挑出偶然，因此以收缩后的A/E为准。",
        en="Of all segments by one and by two features, the one whose A/E after shrinkage is"
        " furthest from 1. A search picks what chance made extreme, so judge by what is shrunk.",
    )
    return Section(Text(zh="最差分段", en="The worst segment"), words, Table(headings, rows))


def _worst_row(of: str, worst: WorstSegment, title: Title) -> tuple[Text | str, ...]:
    names = [
        Text(zh=f"{title(f).zh}={level_name(v).zh}", en=f"{title(f).en} = {level_name(v).en}")
        for f, v in zip(worst.factors, worst.segment.levels, strict=True)
    ]
    before = f"{of}: " if of else ""
    label = Text(
        zh=before + "，".join(n.zh for n in names), en=before + ", ".join(n.en for n in names)
    )
    segment = worst.segment
    return (
        label,
        f"{segment.exposure:,.0f}",
        told(segment.ratio),
        f"{worst.credibility:.2f}",
        f"{worst.shrunk:.3f}",
        str(worst.searched),
    )


def period_sections(breakdown: Breakdown) -> list[Section]:
    """A/E by period, where a time is known."""
    if not breakdown.by_time:
        return []
    first = next(iter(breakdown.by_time.values()))
    words = Text(
        zh=f"A/E从{first[0].ratio.mean:.3f}到{first[-1].ratio.mean:.3f}。随时间上升说明模型缺少趋势。",
        en=f"A/E goes from {first[0].ratio.mean:.3f} to {first[-1].ratio.mean:.3f}. One that rises"
        " with time is a trend that the model lacks.",
    )
    chart = charts.periods_picture(breakdown.by_time)
    return [Section(Text(zh="随时间的一致性", en="Consistency over time"), words, chart=chart)]


def fairness_sections(fairness: Sequence[Fairness], title: Title) -> list[Section]:
    """One part for each column of groups, and for each class."""
    return [_fairness(one, title) for one in fairness]


def _fairness(one: Fairness, title: Title) -> Section:
    proxy = one.proxy.by_group if one.proxy is not None else {}
    rows: tuple[tuple[Text | str, ...], ...] = tuple(
        (
            level_name(s.levels[0]),
            *segment_cells(s),
            f"{one.means.relative[s.levels[0]]:.3f}",
            f"{proxy[s.levels[0]]:.2f}" if s.levels[0] in proxy else "–",
        )
        for s in one.calibration
    )
    headings = (
        Text(zh="组", en="group"),
        *SEGMENT_HEADINGS,
        Text(zh="平均预期/全体", en="mean over all"),
        Text(zh="代理强度（AUC）", en="proxy (AUC)"),
    )
    name, of = title(one.column), f" · {one.of}" if one.of else ""
    knows = Text(zh="是" if one.is_feature else "不是", en="a" if one.is_feature else "no")
    decided = _decided(one)
    words = Text(
        zh=f"该列{knows.zh}模型的特征。最低与最高平均预期之比{one.means.least_over_greatest:.3f}；"
        "A/E低于1的组替别组付费。代理强度为其余特征识别该组的能力："
        f"0.5为完全不能，1为完全能。{decided.zh}",
        en=f"The column is {knows.en} feature of the model. Lowest mean prediction over highest:"
        f" {one.means.least_over_greatest:.3f}. A group with A/E below 1 pays for others. The"
        " proxy is how well the other features tell the group: 0.5 not at all, 1 fully."
        f"{decided.en}",
    )
    heading = Text(zh=f"公平性：{name.zh}{of}", en=f"Fairness: {name.en}{of}")
    return Section(heading, words, Table(headings, rows))


def _decided(one: Fairness) -> Text:
    if one.parity is None:
        return Text(zh="", en="")
    return Text(
        zh=f"选出预测最高的十分之一时，入选率之比{one.parity.demographic:.2f}，"
        f"机会均等比{one.parity.equalised_odds:.2f}（1为各组相同）。",
        en=" Choosing the tenth with the highest predictions, the ratio of rates is"
        f" {one.parity.demographic:.2f} and that of equalised odds"
        f" {one.parity.equalised_odds:.2f} (1: all alike).",
    )


def drift_sections(breakdown: Breakdown, title: Title) -> list[Section]:
    """How far features have moved, where that is known."""
    if not breakdown.drift:
        return []
    shifted = sum(one.index > SHIFTED for one in breakdown.drift)
    shown = breakdown.drift[:_MOST_DRIFT]
    words = Text(
        zh=f"群体稳定性指数：低于{STABLE:g}通常视为稳定（点线），高于{SHIFTED:g}视为变化（虚线）；"
        f"{len(breakdown.drift)}个特征中{shifted}个在其上。",
        en=f"Population stability index: below {STABLE:g} (dotted) is usually read as stable, above"
        f" {SHIFTED:g} (dashed) as a shift; {shifted} of {len(breakdown.drift)} are above.",
    )
    chart = drift_chart([title(one.feature) for one in shown], [one.index for one in shown])
    return [Section(Text(zh="特征的漂移", en="Drift of features"), words, chart=chart)]
