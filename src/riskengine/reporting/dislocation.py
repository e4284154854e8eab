"""The page on a repriced book: how premiums move, why, by plan and month, what was set aside."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from riskengine.reporting.charts import ACTUAL, QUIET, Chart, Say, dislocation_chart, render
from riskengine.reporting.report import Section, Table, render_report
from riskengine.reporting.step_names import DIRECTIONS, step_title
from riskengine.vocabulary import FloatArray, Text

_COUNTS = (
    Text(zh="保单数", en="policies"),
    Text(zh="到期保费", en="expiring premium"),
    Text(zh="报价保费（可比）", en="offered (compared)"),
    Text(zh="变动", en="change"),
    Text(zh="技术保费", en="technical premium"),
    Text(zh="报价保费", en="offered premium"),
    Text(zh="预计赔付率", en="expected loss ratio"),
)
_OUTCOMES = {
    "accept": Text(zh="承保", en="accept"),
    "load": Text(zh="加费", en="load"),
    "exclude": Text(zh="除外", en="exclude"),
    "refer": Text(zh="转人工核保", en="refer"),
    "decline": Text(zh="拒保", en="decline"),
}


@dataclass(frozen=True)
class BookChange:
    """Policies by whole per cent of change, and by `WAY REASON` with the cents they moved."""

    changes: Mapping[str, int]
    reasons: Mapping[str, int]
    moved: Mapping[str, int]

    def histogram(self) -> tuple[FloatArray, FloatArray]:
        """The middle of each per cent as a share, and how many policies changed so much."""
        middle = np.array([int(name) + 0.5 for name in self.changes]) / 100
        return middle, np.array(list(self.changes.values()), dtype=np.float64)


def change_section(change: BookChange, words: Text) -> Section:
    """How premiums move from the expiring ones."""
    middle, policies = change.histogram()
    chart = dislocation_chart(middle, policies=policies)
    return Section(
        Text(zh="重新定价后的保费变动", en="Dislocation of the book"), words, chart=chart
    )


def dislocation_report(summary: Mapping[str, Any], change: BookChange) -> str:
    """The page in both languages, from what `summary.json` holds and the counts of changes."""
    sections = [
        change_section(change, _words(summary)),
        _sums_section(
            Text(zh="各计划", en="By plan"), Text(zh="计划", en="plan"), summary["by_plan"]
        ),
        _month_section(summary["by_month"]),
        _reason_section(change),
    ]
    if summary["offered_by_other_releases"]:
        sections.append(_beside_section(summary))
    sections.append(_aside_section(summary))
    lead = Text(
        zh=f"{summary['policies_out']:,}份保单按{summary['as_of']}续保重新定价，发布"
        f"{summary['release'][:12]}；{summary['quarantined']:,}份进入隔离文件。"
        f"金额为每年，{summary['currency']}。",
        en=f"{summary['policies_out']:,} policies repriced as renewals of {summary['as_of']} by"
        f" release {summary['release'][:12]}; {summary['quarantined']:,} set aside. Amounts are a"
        f" year, in {summary['currency']}.",
    )
    return render_report(Text(zh="保单组合重新定价", en="The book repriced"), lead, sections)


def _words(summary: Mapping[str, Any]) -> Text:
    book = summary["book"]
    if not book["compared"]:
        return Text(
            zh="没有到期保费可比。",
            en="No expiring premium is known, so there is no change to show.",
        )
    share = book["compared_offered"] / book["expiring"] - 1
    held = summary["held_by_bounds"]
    zh_held = f"涨跌幅限制改变了其中{held:,}份。" if held else ""
    en_held = f" Bounds on the change hold {held:,} of them." if held else ""
    return Text(
        zh=f"{book['compared']:,}份保单有到期保费：合计{book['expiring']:,.0f}变为"
        f"{book['compared_offered']:,.0f}（{share:+.1%}）；{book['rising']:,}份上涨，"
        f"{book['falling']:,}份下降。{zh_held}",
        en=f"{book['compared']:,} policies have an expiring premium: in all {book['expiring']:,.0f}"
        f" becomes {book['compared_offered']:,.0f} ({share:+.1%}); {book['rising']:,} rise and"
        f" {book['falling']:,} fall.{en_held}",
    )


def _sums_section(title: Text, heading: Text, sums: Mapping[str, Mapping[str, float]]) -> Section:
    words = Text(
        zh="变动只计有到期保费的保单；预计赔付率为预计赔付与报价保费之比。",
        en="The change is of policies with an expiring premium; the expected loss ratio is expected"
        " plan payments over offered premium.",
    )
    rows = tuple((name, *_cells(one)) for name, one in sums.items())
    return Section(title, words, Table((heading, *_COUNTS), rows))


def _cells(sums: Mapping[str, float]) -> tuple[str, ...]:
    change = sums["compared_offered"] / sums["expiring"] - 1 if sums["expiring"] else None
    return (
        f"{sums['policies']:,}",
        f"{sums['expiring']:,.0f}",
        f"{sums['compared_offered']:,.0f}",
        "" if change is None else f"{change:+.1%}",
        f"{sums['technical']:,.0f}",
        f"{sums['offered']:,.0f}",
        f"{sums['expected_plan_paid'] / sums['offered']:.0%}" if sums["offered"] else "",
    )


def _month_section(months: Mapping[str, Mapping[str, float]]) -> Section:
    table = _sums_section(
        Text(zh="按生效月份", en="By month of effect"), Text(zh="月份", en="month"), months
    )
    words = Text(
        zh="没有自己生效日的保单计入定价日所在月份；按月份与计划的明细见bordereau.csv。",
        en="A policy without a date of its own counts in the month of pricing; bordereau.csv has"
        " months by plan.",
    )
    chart = _month_chart(months) if len(months) > 1 else None
    return Section(table.title, words, table.table, chart)


def _month_chart(months: Mapping[str, Mapping[str, float]]) -> Chart:
    def draw(axes: Any, say: Say) -> None:
        place = np.arange(len(months))
        for shift, name, color, label in (
            (-0.2, "expiring", QUIET, Text(zh="到期保费", en="expiring")),
            (0.2, "compared_offered", ACTUAL, Text(zh="报价保费", en="offered")),
        ):
            height = [one[name] for one in months.values()]
            axes.bar(place + shift, height, 0.4, color=color, label=say(label))
        axes.set_xticks(place, list(months), rotation=45, ha="right", fontsize=8)
        axes.set_ylabel(say(Text(zh="年保费", en="premium a year")))
        axes.legend(frameon=False)

    return render(draw)


def _reason_section(change: BookChange) -> Section:
    ordered = sorted(change.reasons, key=lambda name: -change.reasons[name])
    rows = []
    for name in ordered:
        way, reason = name.split(" ", 1)
        moved = change.moved.get(name, 0) / 100
        rows.append(
            (DIRECTIONS[way], step_title(reason), f"{change.reasons[name]:,}", f"{moved:+,.0f}")
        )
    headings = (
        Text(zh="方向", en="direction"),
        Text(zh="主要原因", en="main reason"),
        Text(zh="保单数", en="policies"),
        Text(zh="保费变动合计", en="premium moved"),
    )
    words = Text(
        zh="已知到期保费各步骤时，原因是同方向上变化最大的步骤。否则先列起作用的限制（涨幅上限、"
        "降幅下限、最低保费），再列同方向上离基准水平最远的因子。",
        en="Where the steps of the expiring premium are known, a reason is a step that has moved in"
        " the direction of the change. Else bounds that bind come first (cap, collar, minimum"
        " premium), then the factors furthest from their base level in that direction.",
    )
    return Section(
        Text(zh="为什么变动", en="Why premiums move"), words, Table(headings, tuple(rows))
    )


def _beside_section(summary: Mapping[str, Any]) -> Section:
    own = {summary["release"]: summary["book"]["offered"]}
    rows = tuple(
        (release[:12], f"{amount:,.0f}", f"{amount / summary['book']['offered'] - 1:+.2%}")
        for release, amount in {**own, **summary["offered_by_other_releases"]}.items()
    )
    headings = (
        Text(zh="发布", en="release"),
        Text(zh="报价保费合计", en="offered premium in all"),
        Text(zh="与第一个相比", en="against the first"),
    )
    words = Text(
        zh="同一组合在每个发布下的保费。", en="The same book at the premiums of each release."
    )
    return Section(Text(zh="其他发布", en="Other releases"), words, Table(headings, rows))


def _aside_section(summary: Mapping[str, Any]) -> Section:
    of_underwriting = Text(zh="核保提示", en="underwriting would say")
    quarantine = Text(zh="隔离", en="quarantine")
    rows: list[tuple[Text | str, ...]] = [
        (quarantine, name, f"{count:,}") for name, count in summary["quarantined_for"].items()
    ]
    rows += [
        (of_underwriting, _OUTCOMES.get(name, name), f"{count:,}")
        for name, count in summary["underwriting"].items()
    ]
    headings = (
        Text(zh="类别", en="kind"),
        Text(zh="原因或结论", en="field or outcome"),
        Text(zh="保单数", en="policies"),
    )
    words = Text(
        zh="隔离的行见quarantine文件夹，附原因。续保不重新核保；核保提示仅供参考。",
        en="Rows set aside are in the folder quarantine, each with its reason. A renewal is not"
        " underwritten anew: what underwriting would say is for information.",
    )
    return Section(
        Text(zh="隔离与核保提示", en="Set aside, and flags"), words, Table(headings, tuple(rows))
    )
