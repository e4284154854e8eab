"""The report on a model of the next product: figures, calibration, products, visitors.

Numbers come from `riskengine.risk.next_product.diagnosis`; none are computed here.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from riskengine.reporting.charts import EXPECTED, QUIET, Chart, Say, render
from riskengine.reporting.report import Section, Table
from riskengine.reporting.risk_words import number, told
from riskengine.risk.diagnostics.judged import MODEL
from riskengine.risk.diagnostics.reliability import ReliabilityBin
from riskengine.risk.next_product.diagnosis import Product, ProductDiagnosis
from riskengine.risk.next_product.evaluation import CHAMPION
from riskengine.risk.next_product.thin import LEAST_OWNERS
from riskengine.risk.next_product.yardsticks import ALS, EASE, ITEM_ITEM, LOGISTIC, POPULARITY
from riskengine.vocabulary import Text

SIDES = {
    MODEL: Text(zh="模型", en="model"),
    LOGISTIC: Text(zh="多项逻辑回归", en="multinomial logistic"),
    EASE: Text(zh="EASE", en="EASE"),
    ITEM_ITEM: Text(zh="产品余弦相似", en="item-item cosine"),
    POPULARITY: Text(zh="流行度", en="popularity"),
    ALS: Text(zh="ALS", en="ALS"),
    CHAMPION: Text(zh="现任模型", en="champion"),
}
FIGURES = {
    "log_loss": Text(zh="对数损失（纳特，低为好）", en="log loss in nats, low is good"),
    "hit_1": Text(zh="首位命中", en="hit@1"),
    "hit_3": Text(zh="前三命中", en="hit@3"),
    "mrr": Text(zh="平均倒数排名", en="MRR"),
    "ndcg_5": Text(zh="NDCG@5", en="NDCG@5"),
    "macro_hit_3": Text(zh="前三命中，按产品平均", en="hit@3, mean over products"),
    "niche_hit_3": Text(zh="前三命中，三种最流行产品之外", en="hit@3 outside the 3 most popular"),
    "calibration_error": Text(zh="校准误差（低为好）", en="calibration error, low is good"),
}


def lead_of_products(diagnosis: ProductDiagnosis) -> Text:
    """What was judged, in a sentence, for the head of the report."""
    return Text(
        zh=f"模型{diagnosis.model}（next_product）：{diagnosis.customers:,}名客户，依次隐藏其每个"
        f"已购产品，共{diagnosis.rows:,}行，每名客户权重相同。每行由未见过该客户的模型预测。区间为按客户"
        f"自助法的95%区间（{diagnosis.draws}次）。",
        en=f"Model {diagnosis.model} (next_product): each product of {diagnosis.customers:,}"
        f" customers was hidden in turn, {diagnosis.rows:,} rows in all, and every customer weighs"
        " the same. Each row is predicted by models that did not see its customer. Intervals are"
        f" 95%, by bootstrap over customers ({diagnosis.draws} draws).",
    )


def next_product_sections(diagnosis: ProductDiagnosis) -> list[Section]:
    """The parts of the report, in the order in which a model is signed."""
    return [_headline(diagnosis), _calibration(diagnosis), _products(diagnosis), _cold(diagnosis)]


def _headline(diagnosis: ProductDiagnosis) -> Section:
    sides = list(diagnosis.headline)
    figures = {side: one.figures() for side, one in diagnosis.headline.items()}
    rows: list[tuple[Text | str, ...]] = [
        (words, *(told(figures[side][name]) for side in sides)) for name, words in FIGURES.items()
    ]
    gains = [told(diagnosis.advantage[s]) if s in diagnosis.advantage else "–" for s in sides]
    rows.append((Text(zh="损失减模型损失（成对）", en="loss less the model's, paired"), *gains))
    linear, trees = diagnosis.shares["logistic"], diagnosis.shares["trees"]
    better = [side for side, gain in diagnosis.advantage.items() if gain.low > 0]
    words = Text(
        zh=f"模型超出偶然地优于{len(diagnosis.advantage)}个参照中的{len(better)}个。混合份额由留出客户"
        f"选定：逻辑回归{linear:.2f}，树{trees:.2f}（{diagnosis.rounds[0]}轮，建立在逻辑回归的得分之上）。",
        en=f"The model is better beyond chance than {len(better)} of {len(diagnosis.advantage)}"
        f" yardsticks. Shares, chosen on held-out customers: logistic {linear:.2f}, trees"
        f" {trees:.2f} ({diagnosis.rounds[0]} rounds, grown on the logistic's score).",
    )
    headings = (Text(zh="指标", en="figure"), *(SIDES[side] for side in sides))
    return Section(Text(zh="与参照的比较", en="Against yardsticks"), words,
                   Table(headings, tuple(rows)))  # fmt: skip


def _calibration(diagnosis: ProductDiagnosis) -> Section:
    error = diagnosis.headline[MODEL].calibration_error
    chance = number(diagnosis.calibration_by_chance)
    words = Text(
        zh=f"按排在首位的产品的概率分为十组：概率与其确为隐藏产品的频率平均相差{told(error)}；"
        f"仅凭偶然也会有{chance}。",
        en="In tenths by the probability of the product ranked first, that probability and how"
        f" often it was the hidden one differ by {told(error)} on average; chance alone would make"
        f" {chance}.",
    )
    title = Text(zh="校准：可靠性图", en="Calibration: reliability diagram")
    return Section(title, words, chart=reliability_chart(diagnosis.reliability))


def reliability_chart(bins: Sequence[ReliabilityBin]) -> Chart:
    """The probability of the product ranked first, and how often it was right, by tenth."""

    def draw(axes: Any, say: Say) -> None:
        said = np.array([one.expected for one in bins])
        right = np.array([one.actual.mean for one in bins])
        low = np.maximum(right - [one.actual.low for one in bins], 0.0)
        high = np.maximum([one.actual.high for one in bins] - right, 0.0)
        axes.plot([0, 1], [0, 1], "--", color=QUIET,
                  label=say(Text(zh="完全校准", en="perfectly calibrated")))  # fmt: skip
        axes.errorbar(said, right, [low, high], fmt="o", color=EXPECTED,
                      label=say(Text(zh="模型（95%区间）", en="model (95% interval)")))  # fmt: skip
        axes.set_xlabel(
            say(Text(zh="首位产品的概率", en="probability of the product ranked first"))
        )
        axes.set_ylabel(say(Text(zh="确为隐藏产品的频率", en="how often it was the hidden one")))
        axes.legend(frameon=False)

    return render(draw, height=4.2)


def _products(diagnosis: ProductDiagnosis) -> Section:
    few = [one.name for one in diagnosis.products if one.insufficient]
    segment = diagnosis.segment
    where = Text(zh=f"按{segment}的分段", en=f"its segment by {segment}")
    if not segment:
        where = Text(zh="全部客户", en="the whole portfolio")
    words = Text(
        zh=f"拥有者少于{diagnosis.full_credibility}人的产品按可信度向{where.zh}收缩。"
        + (
            f"数据不足（少于{LEAST_OWNERS}人）：{'、'.join(few)}。"
            if few
            else "没有数据不足的产品。"
        ),
        en=f"Products with fewer than {diagnosis.full_credibility} owners are shrunk to {where.en}"
        " by their credibility. "
        + (
            f"Insufficient data (fewer than {LEAST_OWNERS} owners): {', '.join(few)}."
            if few
            else "None has insufficient data."
        ),
    )
    headings = (
        Text(zh="产品", en="product"),
        Text(zh="拥有者", en="owners"),
        Text(zh="可信度", en="credibility"),
        FIGURES["hit_3"],
        Text(zh="A/E（实际与预期）", en="A/E"),
        Text(zh="访客AUC", en="AUC for visitors"),
        Text(zh="数据", en="data"),
    )
    order = sorted(diagnosis.products, key=lambda one: -one.owners)
    table = Table(headings, tuple(_product_cells(one) for one in order))
    return Section(Text(zh="按产品", en="By product"), words, table)


def _product_cells(one: Product) -> tuple[Text | str, ...]:
    insufficient = Text(zh="数据不足", en="insufficient data")
    return (
        one.name,
        f"{one.owners:,}",
        f"{one.credibility:.2f}",
        told(one.hit_3),
        told(one.actual_over_expected),
        number(one.cold_start_auc),
        insufficient if one.insufficient else "",
    )


def _cold(diagnosis: ProductDiagnosis) -> Section:
    cold = diagnosis.cold_start
    words = Text(
        zh=f"对已购产品未知的访客，按每种产品的拥有概率排序：AUC平均{number(cold.macro_auc)}，每客户每产品"
        f"的对数损失{told(cold.log_loss)}，而只用拥有比例为{told(cold.prevalence)}。",
        en="A visitor whose products are not known is told how likely such a person is to own each:"
        f" mean AUC {number(cold.macro_auc)}, log loss a customer and product"
        f" {told(cold.log_loss)}, by the share of owners alone {told(cold.prevalence)}.",
    )
    return Section(Text(zh="没有历史的访客", en="Visitors without a history"), words)
