"""The report on the impact of a release: who moves, by how much and why, and what it does."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from riskengine.pricing.impact import TwoPrices, main_reasons
from riskengine.pricing.rule_cost import RuleCost
from riskengine.reporting.charts import ACTUAL, EXPECTED, Chart, Say, dislocation_chart, render
from riskengine.reporting.report import Section, Table, render_report
from riskengine.reporting.step_names import DIRECTIONS, step_title
from riskengine.vocabulary import Text

_EXTREMES, _SEGMENTS_SHOWN = 8, 40
_RULES = {
    "permitted_factors": Text(zh="只许使用规定的定价因子", en="only permitted factors rate"),
    "maximum_ratios": Text(zh="因子高低之比有上限", en="bounds on the spread of a factor"),
    "filed_relativities": Text(zh="系数以备案表为准", en="relativities as filed"),
    "most_children": Text(zh="家庭只计部分子女", en="only some children are charged"),
}
_TOTALS = {
    "old": Text(zh="原发布", en="old release"),
    "new": Text(zh="新发布", en="new release"),
    "bounded": Text(zh="新发布，变动受限", en="new, change within bounds"),
    "demanded": Text(zh="受限并计入需求变化", en="within bounds, after demand"),
}
_SEGMENTS = {
    "plan": Text(zh="计划", en="plan"),
    "age": Text(zh="年龄", en="age"),
    "sex": Text(zh="性别", en="sex"),
}


def impact_report(
    summary: Mapping[str, Any],
    prices: TwoPrices,
    segments: pd.DataFrame,
    reasons: pd.DataFrame,
    rules: Mapping[str, tuple[RuleCost, ...]],
) -> str:
    """The report as one HTML page in both languages."""
    sections = [
        _dislocation(summary, prices),
        _loss_ratio(summary),
        _segment_section(segments),
        _reason_section(reasons),
        _extremes(prices),
        *(_rule_section(plan, costs) for plan, costs in rules.items()),
    ]
    old, new = (str(summary[name])[:12] for name in ("old_release", "new_release"))
    change = summary["totals"]["new"]["premium"] / summary["totals"]["old"]["premium"] - 1
    lead = Text(
        zh=f"{summary['policies_priced']:,}份保单于{summary['as_of']}续保：由发布{old}改为{new}，"
        f"保费合计变动{change:+.2%}。",
        en=f"{summary['policies_priced']:,} policies renewed on {summary['as_of']}: from release"
        f" {old} to {new}, premium in total moves by {change:+.2%}.",
    )
    return render_report(Text(zh="调价影响", en="Impact of the new prices"), lead, sections)


def _dislocation(summary: Mapping[str, Any], prices: TwoPrices) -> Section:
    moved = prices.new / prices.old - 1
    low, middle, high = np.quantile(moved, [0.05, 0.5, 0.95])
    bounds = {name: summary[name] for name in ("cap", "collar")}
    zh_bound = en_bound = ""
    if any(value is not None for value in bounds.values()):
        zh_bound = f"其中{summary['bounded']:,}份因涨跌幅限制而调整。"
        en_bound = f" Bounds on the change hold back {summary['bounded']:,} of them."
    words = Text(
        zh=f"{summary['rising']:,}份上涨，{summary['falling']:,}份下降，另有"
        f"{summary['quarantined']:,}份无法定价。变动的中位数为{middle:+.1%}，"
        f"九成保单在{low:+.1%}至{high:+.1%}之间。{zh_bound}",
        en=f"{summary['rising']:,} rise, {summary['falling']:,} fall, and"
        f" {summary['quarantined']:,} could not be priced. The median change is {middle:+.1%}; nine"
        f" in ten lie between {low:+.1%} and {high:+.1%}.{en_bound}",
    )
    title = Text(zh="保费变动的分布", en="How premiums move")
    return Section(
        title, words, chart=dislocation_chart(moved, Text(zh="原保费", en="old premium"))
    )


def _loss_ratio(summary: Mapping[str, Any]) -> Section:
    rows = tuple(
        (
            _TOTALS[name],
            f"{one['volume']:,.0f}",
            f"{one['premium']:,.0f}",
            f"{one['expected']:,.0f}",
            f"{one['loss_ratio']:.1%}",
        )
        for name, one in summary["totals"].items()
    )
    headings = (
        Text(zh="情形", en="case"),
        Text(zh="保单数", en="policies"),
        Text(zh=f"年保费（{summary['currency']}）", en=f"premium a year ({summary['currency']})"),
        Text(zh="预计赔付", en="expected claims"),
        Text(zh="赔付率", en="loss ratio"),
    )
    elasticity = summary["elasticity"]
    words = Text(
        zh=f"赔付按新发布的预期计。需求弹性取{elasticity:g}（假设，非估计）：保费每涨1%，"
        f"保单数变动{elasticity:g}%。",
        en="Claims are those the new release expects. The elasticity of demand is taken as"
        f" {elasticity:g}, an assumption and no estimate: a premium 1 % higher moves the number of"
        f" policies by {elasticity:g} %.",
    )
    return Section(
        Text(zh="赔付率与业务量", en="Loss ratio and volume"), words, Table(headings, rows)
    )


def _segment_section(segments: pd.DataFrame) -> Section:
    shown = segments.head(_SEGMENTS_SHOWN)
    rows = tuple(
        (
            _segment(str(one["segment"]), str(one["level"])),
            f"{one['policies']:,}",
            f"{one['old_premium'] / one['policies']:,.0f}",
            f"{one['new_premium'] / one['policies']:,.0f}",
            f"{one['change']:+.1%}",
            f"{one['rising']:.0%}",
            f"{one['loss_ratio']:.0%}",
        )
        for one in _records(shown)
    )
    headings = (
        Text(zh="分组", en="segment"),
        Text(zh="保单数", en="policies"),
        Text(zh="原均保费", en="old mean premium"),
        Text(zh="新均保费", en="new mean premium"),
        Text(zh="变动", en="change"),
        Text(zh="上涨占比", en="share rising"),
        Text(zh="赔付率", en="loss ratio"),
    )
    left = len(segments) - len(shown)
    more_zh = f"另有{left}组见impact_segments.parquet。" if left else ""
    more_en = f" {left} more are in impact_segments.parquet." if left else ""
    words = Text(
        zh=f"新保费已计入涨跌幅限制。{more_zh}",
        en=f"New premiums are those within the bounds on the change.{more_en}",
    )
    title = Text(zh="各分组的变动", en="Who moves")
    return Section(title, words, Table(headings, rows), _segment_chart(shown))


def _segment_chart(shown: pd.DataFrame) -> Chart:
    names = [_segment(str(one["segment"]), str(one["level"])) for one in _records(shown)]
    change = 100 * shown["change"].to_numpy()

    def draw(axes: Any, say: Say) -> None:
        place = np.arange(len(names))[::-1]
        colors = [ACTUAL if one > 0 else EXPECTED for one in change]
        axes.barh(place, change, 0.7, color=colors)
        axes.set_yticks(place, [say(name) for name in names], fontsize=8)
        axes.set_xlabel(say(Text(zh="保费合计变动（%）", en="change of total premium (%)")))
        axes.axvline(0, color="#334155", linewidth=0.8)
        axes.grid(axis="y", visible=False)

    return render(draw, width=9.0, height=max(3.0, 0.24 * len(names) + 1))


def _reason_section(reasons: pd.DataFrame) -> Section:
    rows = tuple(
        (
            DIRECTIONS[str(one["direction"])],
            step_title(str(one["reason"])),
            f"{one['policies']:,}",
            f"{one['premium']:+,.0f}",
        )
        for one in _records(reasons)
    )
    headings = (
        Text(zh="方向", en="direction"),
        Text(zh="主要原因", en="main reason"),
        Text(zh="保单数", en="policies"),
        Text(zh="保费变动合计", en="premium moved"),
    )
    words = Text(
        zh="每份保费是各步骤之积，变动的对数是各步骤变动之和；主要原因是同方向上最大的一项。",
        en="A premium is the product of its steps, so the logarithm of a change is the sum of"
        " theirs; the main reason is the largest one in the direction of the change.",
    )
    return Section(Text(zh="为什么变动", en="Why premiums move"), words, Table(headings, rows))


def _extremes(prices: TwoPrices) -> Section:
    moved = prices.new / prices.old - 1
    order = np.argsort(moved, kind="stable")
    ends = [
        *order[::-1][:_EXTREMES],
        *order[: min(_EXTREMES, max(len(order) - _EXTREMES, 0))][::-1],
    ]
    told = main_reasons(prices)
    rows = tuple(
        (
            str(prices.plan[row]),
            f"{prices.old[row]:,.2f}",
            f"{prices.new[row]:,.2f}",
            f"{moved[row]:+.1%}",
            _listed([step_title(name) for name in told[row] if name is not None]),
        )
        for row in ends
    )
    headings = (
        Text(zh="计划", en="plan"),
        Text(zh="原保费", en="old premium"),
        Text(zh="新保费", en="new premium"),
        Text(zh="变动", en="change"),
        Text(zh="主要原因", en="main reasons"),
    )
    words = Text(
        zh="变动最大的保单：先涨后跌；保单编号见impact.parquet。",
        en="The policies that move most, rises first; impact.parquet has their numbers.",
    )
    return Section(Text(zh="涨跌最多者", en="Winners and losers"), words, Table(headings, rows))


def _rule_section(plan: str, costs: tuple[RuleCost, ...]) -> Section:
    rows: list[tuple[Text | str, ...]] = []
    for cost in costs:
        rule = _RULES.get(cost.rule, Text(zh=cost.rule, en=cost.rule))
        most = sorted(cost.groups, key=lambda group: -abs(group.subsidy))[:4]
        rows.append((rule, f"{cost.premium_moved:,.0f}", f"{cost.share:.1%}", ""))
        rows += [
            ("", "", "", _paid(_segment(group.group, group.level), group.subsidy))
            for group in most
            if abs(group.subsidy) >= 0.005
        ]
    headings = (
        Text(zh="规则", en="rule"),
        Text(zh="转移的保费", en="premium moved"),
        Text(zh="占比", en="share"),
        Text(zh="交叉补贴，每份每年", en="cross-subsidy, each a year"),
    )
    words = Text(
        zh=f"{plan}：每条规则使多少保费在成员之间转移；正数为替他人多付，负数为由他人代付。",
        en=f"{plan}: how much premium each rule moves between members; a positive amount is"
        " paid for others, a negative one is paid by others.",
    )
    title = Text(zh=f"规则的代价：{plan}", en=f"What the rules cost: {plan}")
    return Section(title, words, Table(headings, tuple(rows)))


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]


def _segment(name: str, level: str) -> Text:
    title = _SEGMENTS.get(name) or step_title(name)
    level_zh = {"missing": "未知", "female": "女", "male": "男"}.get(level, level)
    return Text(zh=f"{title.zh} {level_zh.replace(' to ', '至')}", en=f"{title.en} {level}")


def _paid(group: Text, subsidy: float) -> Text:
    return Text(zh=f"{group.zh}：{subsidy:+,.2f}", en=f"{group.en}: {subsidy:+,.2f}")


def _listed(names: list[Text]) -> Text:
    return Text(zh="、".join(name.zh for name in names), en=", ".join(name.en for name in names))
