"""The report on one risk model: what its diagnosis says, in words, tables and pictures.

Every part begins with what its numbers amount to, so that the pictures are read with it.
"""

from collections.abc import Mapping

import numpy as np

from riskengine.reporting import risk_charts as charts
from riskengine.reporting.report import Section, Table
from riskengine.reporting.risk_breakdown import (
    drift_sections,
    fairness_sections,
    one_way_section,
    period_sections,
    two_way_sections,
    worst_section,
)
from riskengine.reporting.risk_words import (
    SEGMENT_HEADINGS,
    SIDES,
    number,
    of_class,
    segment_cells,
    told,
)
from riskengine.risk.diagnose import COVERAGE, Diagnosis
from riskengine.risk.diagnostics.judged import GLM, MODEL
from riskengine.risk.spec import Kind
from riskengine.vocabulary import Text

_FIGURES = {
    "deviance": Text(zh="平均偏差（低为好）", en="mean deviance, low is good"),
    "d2": Text(zh="D²（解释的偏差）", en="D², deviance explained"),
    "actual_over_expected": Text(zh="A/E", en="A/E"),
    "gini": Text(zh="基尼", en="Gini"),
    "auc": Text(zh="AUC", en="AUC"),
    "r2": Text(zh="R²", en="R²"),
    "capped_r2": Text(zh="截尾R²（99%分位）", en="capped R² (99th percentile)"),
    "mean_absolute_error": Text(zh="平均绝对误差", en="mean absolute error"),
}


def risk_sections(diagnosis: Diagnosis, titles: Mapping[str, Text] | None = None) -> list[Section]:
    """The parts of a report, in the order in which a model is signed.

    `titles` names features in both languages; one without a title goes by its column.
    """
    names = titles or {}

    def title(name: str) -> Text:
        return names.get(name, Text(zh=name, en=name))

    breakdown = diagnosis.breakdown
    sections = [_headline(diagnosis), *_by_class(diagnosis), _notes(diagnosis), _lift(diagnosis)]
    sections += [*_double_lift(diagnosis), _lorenz(diagnosis), _reliability(diagnosis)]
    if breakdown is not None:
        sections += [one_way_section(breakdown, title), *two_way_sections(breakdown, title)]
    sections += [_ratios(diagnosis), *_residuals(diagnosis), *_coverage(diagnosis)]
    if breakdown is not None:
        sections += [worst_section(breakdown, title), *period_sections(breakdown)]
    sections += [*_folds(diagnosis), *fairness_sections(diagnosis.fairness, title)]
    return sections + ([] if breakdown is None else drift_sections(breakdown, title))


def lead_of(diagnosis: Diagnosis) -> Text:
    """What was judged, in a sentence, for the head of the report."""
    about = diagnosis.about
    return Text(
        zh=f"模型{about.model}（{about.kind}），{about.rows:,}行，{about.members:,}个成员，"
        f"风险暴露{about.exposure:,.0f}。"
        + ("每行由未从该行学习的模型预测。" if about.held_out else "按实际使用的预测评估。")
        + f"区间为按成员自助法的95%区间（{about.draws}次）。",
        en=f"Model {about.model} ({about.kind}): {about.rows:,} rows of {about.members:,} members,"
        f" exposure {about.exposure:,.0f}. "
        + (
            "Each row is predicted by models that did not learn from it."
            if about.held_out
            else "Predictions are judged as served."
        )
        + f" Intervals are 95%, by bootstrap over members ({about.draws} draws).",
    )


def _headline(diagnosis: Diagnosis) -> Section:
    sides = list(diagnosis.headline)
    figures = {name: measures.figures() for name, measures in diagnosis.headline.items()}
    rows: list[tuple[Text | str, ...]] = [
        (words, *(told(figures[side][name]) if name in figures[side] else "–" for side in sides))
        for name, words in _FIGURES.items()
        if any(name in figures[side] for side in sides)
    ]
    against = {
        side: (f"{told(gain)}" if side in diagnosis.advantage else "–")
        for side, gain in diagnosis.advantage.items()
    }
    less = Text(zh="偏差减模型偏差（成对）", en="deviance less the model's, paired")
    rows.append((less, *(against.get(side, "–") for side in sides)))
    headings = (Text(zh="指标", en="figure"), *(SIDES[side] for side in sides))
    sentences = [_verdict(diagnosis, side) for side in diagnosis.advantage]
    words = Text(zh="".join(s.zh for s in sentences), en=" ".join(s.en for s in sentences))
    title = Text(zh="与GLM和均值的比较", en="Against a GLM and the mean")
    return Section(title, words, Table(headings, tuple(rows)))


def _verdict(diagnosis: Diagnosis, side: str) -> Text:
    """Whether the model is better than a yardstick, as far as the data tell."""
    gain, name = diagnosis.advantage[side], SIDES[side]
    share = abs(gain.mean) / diagnosis.headline[side].deviance.mean
    beside = Text(zh="GLM" if side == GLM else "均值", en="the GLM" if side == GLM else "the mean")
    if gain.low > 0:
        return Text(
            zh=f"模型的偏差比{beside.zh}低{share:.1%}，超出偶然。",
            en=f"The model's deviance is {share:.1%} below that of {beside.en}, beyond chance.",
        )
    if gain.high < 0:
        return Text(
            zh=f"模型的偏差比{name.zh}高{share:.1%}，超出偶然：模型更差。",
            en=f"The model's deviance is {share:.1%} above that of {beside.en}, beyond chance: it"
            " is worse.",
        )
    return Text(
        zh=f"模型与{beside.zh}的偏差相差{share:.1%}，在偶然范围内。",
        en=f"The model's deviance and that of {beside.en} differ by {share:.1%}, no more than"
        " chance would.",
    )


def _by_class(diagnosis: Diagnosis) -> list[Section]:
    if not diagnosis.by_class:
        return []
    names = ("actual_over_expected", "auc", "d2", "r2")
    rows: tuple[tuple[Text | str, ...], ...] = tuple(
        (Text(zh=of, en=of), *(told(f[n]) if n in f else "–" for n in names))
        for of, f in ((of, m.figures()) for of, m in diagnosis.by_class.items())
    )
    words = Text(
        zh="每个类别作为“是该类与否”来看；至多六个最常见的类别。",
        en="Each class as yes or no; at most the six commonest.",
    )
    headings = (Text(zh="类别", en="class"), *(_FIGURES[n] for n in names))
    return [Section(Text(zh="按类别", en="By class"), words, Table(headings, rows))]


def _notes(diagnosis: Diagnosis) -> Section:
    rows: tuple[tuple[Text | str, ...], ...] = tuple((note,) for note in diagnosis.notes)
    words = Text(
        zh="以下说明哪些内容没有给出，哪些数字需要保留地看。",
        en="What is left out, and what is said with a proviso.",
    )
    table = Table((Text(zh="说明", en="note"),), rows) if rows else None
    return Section(Text(zh="阅读须知", en="Before reading on"), words, table)


def _lift(diagnosis: Diagnosis) -> Section:
    one = diagnosis.curves[0]
    first, last = one.lift[0], one.lift[-1]
    of = of_class(one.of)
    low = max(first.actual, 1e-12)
    words = Text(
        zh=f"{of.zh}预期最高的十分之一，实际{number(last.actual)}，是最低十分之一"
        f"（{number(first.actual)}）的{last.actual / low:.1f}倍；"
        f"模型预期为{last.expected / first.expected:.1f}倍。",
        en=f"{of.en}The tenth with the highest expectation came to {number(last.actual)}, "
        f"{last.actual / low:.1f} times the lowest tenth ({number(first.actual)}); the model"
        f" expected {last.expected / first.expected:.1f} times.",
    )
    return Section(Text(zh="提升图", en="Lift"), words, chart=charts.lift_picture(diagnosis.curves))


def _double_lift(diagnosis: Diagnosis) -> list[Section]:
    bands = diagnosis.curves[0].double_lift
    if not bands:
        return []
    of = of_class(diagnosis.curves[0].of)
    nearer = sum(abs(b.second - b.actual) < abs(b.first - b.actual) for b in bands)
    low, high = bands[0], bands[-1]
    words = Text(
        zh=f"{of.zh}按模型与GLM之比分组。模型最低于GLM的一组：实际{number(low.actual)}，"
        f"GLM{number(low.first)}，模型{number(low.second)}；最高于GLM的一组："
        f"实际{number(high.actual)}，GLM{number(high.first)}，模型{number(high.second)}。"
        f"{len(bands)}组中有{nearer}组模型更接近实际。",
        en=f"{of.en}Bands by model over GLM. Where the model is furthest below the GLM, actual is"
        f" {number(low.actual)}, GLM {number(low.first)}, model {number(low.second)}; furthest"
        f" above, actual {number(high.actual)}, GLM {number(high.first)}, model"
        f" {number(high.second)}. The model is nearer to actual in {nearer} of {len(bands)} bands.",
    )
    chart = charts.double_lift_picture(diagnosis.curves)
    return [
        Section(Text(zh="双提升图：模型与GLM", en="Double lift: model and GLM"), words, chart=chart)
    ]


def _lorenz(diagnosis: Diagnosis) -> Section:
    told_of = []
    for side in (MODEL, GLM):
        found = diagnosis.headline.get(side)
        if found is not None and found.gini is not None:
            told_of.append((SIDES[side], told(found.gini)))
    words = Text(
        zh="曲线离对角线越远，预测越能把高低分开。"
        + "".join(f"{n.zh}基尼{g}。" for n, g in told_of),
        en="The further a curve is from the diagonal, the better predictions tell dear from cheap."
        + "".join(f" Gini of the {n.en}: {g}." for n, g in told_of),
    )
    chart = charts.lorenz_picture(diagnosis.curves)
    return Section(Text(zh="洛伦兹曲线", en="Lorenz curves"), words, chart=chart)


def _reliability(diagnosis: Diagnosis) -> Section:
    rows: list[tuple[Text | str, ...]] = []
    for one in diagnosis.curves:
        for side, murphy in one.murphy.items():
            name = SIDES[side]
            shown = f" · {one.of}" if one.of else ""
            parts = (murphy.miscalibration, murphy.discrimination, murphy.uncertainty)
            label = Text(zh=f"{name.zh}{shown}", en=f"{name.en}{shown}")
            rows.append((label, *(number(p) for p in (*parts, murphy.mean_deviance))))
    headings = (
        Text(zh="预测", en="prediction"),
        Text(zh="失准", en="miscalibration"),
        Text(zh="区分度", en="discrimination"),
        Text(zh="不确定性", en="uncertainty"),
        Text(zh="平均偏差", en="mean deviance"),
    )
    words = Text(
        zh="点在对角线上，预测就名副其实。平均偏差=失准−区分度+不确定性（Murphy）：重新校准至多能减少失准，"
        "预测的次序带来区分度，不确定性与模型无关。保序回归会拟合噪声，故样本小时失准不为零。",
        en="On the diagonal predictions mean what they say. Mean deviance = miscalibration −"
        " discrimination + uncertainty (Murphy): recalibrating gains miscalibration at most, the"
        " order of predictions gains discrimination, and uncertainty is no model's doing. Isotonic"
        " recalibration fits noise too, so in small samples miscalibration is above 0.",
    )
    title = Text(zh="可靠性与Murphy分解", en="Reliability and Murphy decomposition")
    table = Table(headings, tuple(rows)) if rows else None
    return Section(title, words, table, charts.reliability_picture(diagnosis.curves))


def _ratios(diagnosis: Diagnosis) -> Section:
    ratios = [row.ratio.mean for one in diagnosis.curves for row in one.predictive_ratios]
    finite = [ratio for ratio in ratios if np.isfinite(ratio)] or [np.nan]
    words = Text(
        zh=f"预期总额除以实际总额，1为恰当，高于1为该组多收。十分位间从{min(finite):.2f}到{max(finite):.2f}。",
        en="Total expected over total actual: 1 is right, above 1 the group is overpaid. By decile"
        f" it goes from {min(finite):.2f} to {max(finite):.2f}.",
    )
    title = Text(zh="按十分位的预测比", en="Predictive ratios by decile")
    return Section(title, words, chart=charts.ratios_picture(diagnosis.curves))


def _residuals(diagnosis: Diagnosis) -> list[Section]:
    first = next((c.residuals for c in diagnosis.curves if c.residuals is not None), None)
    if first is None:
        return []
    outside = np.mean(np.abs(first.observed - first.normal) > first.band)
    two_parts = diagnosis.about.kind in {Kind.TWO_PART, Kind.FREQUENCY_SEVERITY}
    law = Text(
        zh="（以Tweedie分布衡量）" if two_parts else "",
        en=", against a Tweedie distribution" if two_parts else "",
    )
    words = Text(
        zh=f"若整个分布正确，随机化分位残差服从标准正态，偏离为0{law.zh}。{first.rows:,}行，"
        f"离散参数{number(first.dispersion)}；{outside:.0%}的分位点在带外。"
        "离散参数由最大的若干结果决定；"
        "右端向上表示大额比分布所说的更大。两者都不影响均值。",
        en=f"Were the whole distribution right, quantile residuals would be standard normal and the"
        f" departure 0{law.en}. {first.rows:,} rows, dispersion {number(first.dispersion)};"
        f" {outside:.0%} of the quantiles lie outside the band. The"
        " dispersion rests on the largest outcomes, and a rising right end says that they are"
        " larger than the law has them. Neither says anything against the mean.",
    )
    title = Text(zh="分位残差", en="Quantile residuals")
    return [Section(title, words, chart=charts.residuals_picture(diagnosis.curves))]


def _coverage(diagnosis: Diagnosis) -> list[Section]:
    rows = diagnosis.coverage
    if rows is None:
        return []
    total = np.average([r.covered.mean for r in rows], weights=[r.members for r in rows])
    missed = sum(not r.covered.low <= COVERAGE <= r.covered.high for r in rows)
    unbounded = max(r.unbounded for r in rows)
    words = Text(
        zh=f"要求{COVERAGE:.0%}的区间，实际包含{total:.1%}的完整年份；{len(rows)}个十分位中{missed}个的"
        f"95%区间不含{COVERAGE:.0%}。上端为无穷的比例至多{unbounded:.0%}。",
        en=f"Intervals asked to hold {COVERAGE:.0%} held {total:.1%} of whole years; in {missed} of"
        f" {len(rows)} deciles the 95% interval leaves {COVERAGE:.0%} out. At most"
        f" {unbounded:.0%} of the upper ends of a decile are infinite.",
    )
    title = Text(zh="共形区间的覆盖率", en="Coverage of conformal intervals")
    return [Section(title, words, chart=charts.coverage_picture(rows, COVERAGE))]


def _folds(diagnosis: Diagnosis) -> list[Section]:
    rows: list[tuple[Text | str, ...]] = [
        (Text(zh=of, en=of), *segment_cells(segment))
        for one in diagnosis.curves
        for segment in one.by_fold
        for of in [" · ".join(filter(None, (one.of, segment.levels[0])))]
    ]
    if not rows:
        return []
    words = Text(
        zh="各折由不含它的模型预测；整体经过平衡，各折未必。",
        en="Each fold is predicted by models without it; balanced in all, not in each.",
    )
    headings = (Text(zh="折", en="fold"), *SEGMENT_HEADINGS)
    title = Text(zh="各折的实际与预期", en="Actual and expected by fold")
    return [Section(title, words, Table(headings, tuple(rows)))]
