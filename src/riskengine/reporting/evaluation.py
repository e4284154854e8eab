"""The report on recommendations: a model of the next product on a table, a policy on a log.

Numbers come from `risk.next_product.evaluation` and `recommendation.off_policy`; none are computed
here.
"""

from collections.abc import Mapping

from riskengine.recommendation.followed import LeftOut
from riskengine.recommendation.off_policy import OffPolicy, Verdict
from riskengine.reporting.next_product import FIGURES, SIDES, reliability_chart
from riskengine.reporting.report import Section, Table
from riskengine.reporting.risk_words import level_name, number, told
from riskengine.risk.next_product.evaluation import CHAMPION, Evaluation
from riskengine.vocabulary import Text

_SHARE = Text(zh="前三位占比", en="share of the first three places")
_LEFT_OUT = {
    LeftOut.NOTHING_OFFERED: Text(zh="没有推荐", en="nothing was offered"),
    LeftOut.OVERRIDDEN: Text(zh="人工改选", en="an agent chose otherwise"),
    LeftOut.NOT_DISPLAYED: Text(zh="未展示", en="not displayed"),
    LeftOut.DISPLAYED_OTHERWISE: Text(zh="展示与决定不同", en="displayed otherwise"),
    LeftOut.UNDECIDED: Text(zh="尚未满观察期", en="too young to have an end"),
}
_VERDICTS = {
    Verdict.BETTER: Text(zh="目标策略超出偶然地更好。", en="The target is better beyond chance."),
    Verdict.WORSE: Text(zh="目标策略超出偶然地更差。", en="The target is worse beyond chance."),
    Verdict.NO_DIFFERENCE: Text(zh="没有超出偶然的差别。", en="No difference beyond chance."),
    Verdict.REFUSED: Text(zh="不作结论。", en="No verdict."),
}


def evaluation_title(found: Evaluation) -> Text:
    return Text(zh=f"模型{found.model}的推荐评估", en=f"Recommendations of model {found.model}")


def lead_of_evaluation(found: Evaluation) -> Text:
    """What was judged, in a sentence."""
    zh = "训练所用的表，取留出预测" if found.held_out else "未用于训练的表，取模型给出的预测"
    en = (
        "the table it was trained on, by held-out predictions"
        if found.held_out
        else "a table it was not trained on, by what it serves"
    )
    without = "" if found.als else "（未安装evaluation附加组件，因此没有ALS）"
    lacks = "" if found.als else " ALS is left out: the extra `evaluation` is not installed."
    return Text(
        zh=f"{zh}：{found.customers:,}名客户，依次隐藏其每个已购产品，共{found.rows:,}行，每名客户权重"
        f"相同。参照在同一张表上按折学习{without}。区间为按客户自助法的95%区间（{found.draws}次）。",
        en=f"On {en}: each product of {found.customers:,} customers was hidden in turn,"
        f" {found.rows:,} rows in all; every customer weighs the same. Yardsticks learn from the"
        f" other folds of the same table.{lacks} Intervals are 95%, by bootstrap over customers"
        f" ({found.draws} draws).",
    )


def evaluation_sections(found: Evaluation) -> list[Section]:
    """Figures beside champion and yardsticks, calibration, what is shown, and by group."""
    sections = [_figures(found), _calibration(found), _shown(found)]
    return sections + ([_groups(found)] if found.groups else [])


def _figures(found: Evaluation) -> Section:
    sides = list(found.headline)
    figures = {side: one.figures() for side, one in found.headline.items()}
    rows: list[tuple[Text | str, ...]] = [
        (words, *(told(figures[side][name]) for side in sides)) for name, words in FIGURES.items()
    ]
    for name, words in (
        ("log_loss", Text(zh="损失减模型损失（成对）", en="loss less the model's, paired")),
        ("hit_3", Text(zh="模型前三命中减其命中（成对）", en="the model's hit@3 less its, paired")),
    ):
        ahead = {side: told(getattr(one, name)) for side, one in found.ahead_of.items()}
        rows.append((words, *(ahead.get(side, "–") for side in sides)))
    coverage = Text(zh="产品覆盖率", en="catalogue coverage")
    rows.append((coverage, *(f"{found.coverage[side]:.0%}" for side in sides)))
    headings = (Text(zh="指标", en="figure"), *(SIDES[side] for side in sides))
    title = Text(zh="与参照的比较", en="Against champion and yardsticks")
    return Section(title, _against(found), Table(headings, tuple(rows)))


def _against(found: Evaluation) -> Text:
    """Whom the model beats, the champion in words of its own."""
    better = [side for side, one in found.ahead_of.items() if one.log_loss.low > 0]
    zh = f"按对数损失，模型超出偶然地优于{len(found.ahead_of)}个对手中的{len(better)}个。"
    en = (
        f"By log loss the model is better beyond chance than {len(better)} of"
        f" {len(found.ahead_of)} others."
    )
    if CHAMPION in found.ahead_of:
        gain = found.ahead_of[CHAMPION].log_loss
        zh += f"与现任模型的成对差为{told(gain)}，大于0为更好。"
        en += f" Against the champion the paired difference is {told(gain)}; above 0 is better."
    return Text(zh=zh, en=en)


def _calibration(found: Evaluation) -> Section:
    words = Text(
        zh="按排在首位的产品的概率分为十组：概率，与其确为隐藏产品的频率。",
        en="In tenths by the probability of the product ranked first: that probability, and how"
        " often it was the hidden one.",
    )
    title = Text(zh="校准：可靠性图", en="Calibration: reliability diagram")
    return Section(title, words, chart=reliability_chart(found.reliability))


def _shown(found: Evaluation) -> Section:
    most = sorted(found.places.items(), key=lambda one: -one[1])
    rows = tuple((name, f"{share:.1%}") for name, share in most)
    words = Text(
        zh="模型把谁排进每名客户的前三位：各产品占全部前三位的比例。",
        en="Which products the model puts first: the share of all first three places that each"
        " product takes.",
    )
    headings = (Text(zh="产品", en="product"), _SHARE)
    return Section(Text(zh="展示了什么", en="What is shown"), words, Table(headings, rows))


def _groups(found: Evaluation) -> Section:
    rows = tuple(
        (
            one.column,
            level_name(one.level),
            f"{one.customers:,}",
            told(one.log_loss),
            told(one.hit_3),
            told(one.calibration_gap),
            f"{one.coverage:.0%}",
            f"{one.niche_share:.1%}",
        )
        for one in found.groups
    )
    headings = (
        Text(zh="列", en="column"),
        Text(zh="水平", en="level"),
        Text(zh="客户", en="customers"),
        FIGURES["log_loss"],
        FIGURES["hit_3"],
        Text(zh="首位概率减频率", en="first probability less how often it is right"),
        Text(zh="产品覆盖率", en="coverage"),
        Text(zh="小众产品占前三位", en="niche share of places"),
    )
    words = Text(
        zh="各组客户得到的质量，以及模型向其展示的产品。差别可能源于各组已购产品不同，须由人判断。",
        en="How good the model is for each group, and what it shows them. Groups that own different"
        " products may be served differently for that reason: a person has to judge.",
    )
    return Section(Text(zh="按群体", en="By group"), words, Table(headings, rows))


def off_policy_section(name: Text, found: OffPolicy) -> Section:
    """One target policy: what it would have earned, or why that cannot be told."""
    rows = [
        (words, told(getattr(found, figure)))
        for figure, words in (
            ("logged", Text(zh="日志", en="as logged")),
            ("ips", Text(zh="IPS（逆倾向）", en="IPS (inverse propensity)")),
            ("snips", Text(zh="SNIPS（自归一）", en="SNIPS (self-normalised)")),
            ("dr", Text(zh="DR（双重稳健）", en="DR (doubly robust)")),
            ("gain", Text(zh="DR减日志（成对）", en="DR less logged, paired")),
        )
    ]
    rows += [
        (Text(zh="覆盖", en="support"), f"{found.support:.1%}"),
        (Text(zh="有效样本", en="effective sample"), f"{found.effective_sample:,.0f}"),
        (Text(zh="最大权重", en="largest weight"), number(found.largest_weight)),
    ]
    verdict = _VERDICTS[found.verdict]
    words = Text(
        zh=verdict.zh + "".join(one.zh for one in found.refusals),
        en=" ".join([verdict.en, *(one.en for one in found.refusals)]),
    )
    headings = (
        Text(zh=f"每次决策（{found.decisions:,}次）", en=f"a decision, of {found.decisions:,}"),
        Text(zh="被购买的计划数", en="plans taken"),
    )
    return Section(name, words, Table(headings, tuple(rows)))


def left_out_words(left_out: Mapping[LeftOut, int], counted: int) -> Text:
    """How many decisions count, and how many do not, by reason."""
    zh = [f"{_LEFT_OUT[why].zh}{n:,}次" for why, n in left_out.items()]
    en = [f"{n:,} {_LEFT_OUT[why].en}" for why, n in left_out.items()]
    return Text(
        zh=f"{counted:,}次决策计入。" + (f"未计入：{'，'.join(zh)}。" if zh else ""),
        en=f"{counted:,} decisions count." + (f" Left out: {'; '.join(en)}." if en else ""),
    )
