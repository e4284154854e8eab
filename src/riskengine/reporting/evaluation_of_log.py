"""The report on a log of recommendations: what was served, and what another policy would earn."""

from collections.abc import Mapping

from riskengine.recommendation.followed import FollowedLog
from riskengine.recommendation.log_figures import LogFigures
from riskengine.recommendation.off_policy import OffPolicy
from riskengine.reporting.evaluation import left_out_words, off_policy_section
from riskengine.reporting.report import Section, Table
from riskengine.reporting.risk_words import level_name, told
from riskengine.vocabulary import Text

_FIGURES = {
    "taken": Text(zh="每次决策被购买的计划数", en="plans taken a decision"),
    "hit_1": Text(zh="被购买者在首位", en="of what was taken, in the first place"),
    "hit_3": Text(zh="被购买者在前三位", en="of what was taken, in the first three"),
    "mrr": Text(zh="平均倒数排名", en="MRR"),
    "ndcg_5": Text(zh="NDCG@5", en="NDCG@5"),
    "log_loss": Text(zh="购买概率的对数损失", en="log loss of take-up"),
    "calibration_gap": Text(zh="购买概率减实际", en="take-up told less taken"),
}
_TARGETS = {
    "best_first": Text(zh="现行策略，不抽签", en="The policy in force, best first"),
    "proposed": Text(zh="拟用的策略", en="The policy proposed"),
}


def log_title(market: str) -> Text:
    return Text(zh=f"市场{market}的推荐日志", en=f"Log of recommendations of market {market}")


def log_lead(market: str, followed: FollowedLog, advice: int) -> Text:
    """What counts of the log, and what does not."""
    words = left_out_words(followed.left_out, len(followed.decisions))
    zh = f"其中{advice:,}次为建议，从不抽签，不用于策略比较。" if advice else ""
    en = f" {advice:,} of them were advice, never drawn: no policy is compared on them."
    return Text(
        zh=f"市场{market}：{words.zh}{zh}区间为按成员自助法的95%区间。",
        en=f"Market {market}: {words.en}{en if advice else ''} Intervals are 95%, by bootstrap over"
        " members.",
    )


def log_sections(figures: LogFigures, targets: Mapping[str, OffPolicy]) -> list[Section]:
    """What was served, by group where there are any, and each target policy."""
    sections = [_served(figures)]
    if figures.groups:
        sections.append(_groups(figures))
    return sections + [off_policy_section(_TARGETS[name], one) for name, one in targets.items()]


def _served(figures: LogFigures) -> Section:
    rows: list[tuple[Text | str, ...]] = [
        (words, told(getattr(figures, name)))
        for name, words in _FIGURES.items()
        if getattr(figures, name) is not None
    ]
    rows.append((Text(zh="产品覆盖率", en="catalogue coverage"), f"{figures.coverage:.0%}"))
    rows += [
        (Text(zh=f"展示占比：{name}", en=f"share of places: {name}"), f"{share:.1%}")
        for name, share in figures.places.items()
    ]
    words = Text(
        zh="日志只说明展示过的计划：未展示而未购买的，这里无从得知。",
        en="A log tells of what was shown: what was not taken because it was not shown, no figure"
        " here can know.",
    )
    headings = (Text(zh="指标", en="figure"), Text(zh="日志", en="as logged"))
    return Section(Text(zh="推荐了什么", en="What was served"), words, Table(headings, tuple(rows)))


def _groups(figures: LogFigures) -> Section:
    rows = tuple(
        (
            one.column,
            level_name(one.level),
            f"{one.decisions:,}",
            told(one.taken),
            f"{one.coverage:.0%}",
        )
        for one in figures.groups
    )
    headings = (
        Text(zh="列", en="column"),
        Text(zh="水平", en="level"),
        Text(zh="决策", en="decisions"),
        _FIGURES["taken"],
        Text(zh="产品覆盖率", en="coverage"),
    )
    words = Text(
        zh="各组看到的产品，以及购买情况。",
        en="What each group was shown, and how often it was taken.",
    )
    return Section(Text(zh="按群体", en="By group"), words, Table(headings, rows))
