"""The parts of a training report, from numbers to words, tables and charts."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from riskengine.engine import Quote, Recommendation
from riskengine.pricing.premium import money_text
from riskengine.release import Release
from riskengine.reporting.charts import (
    lift_chart,
    lorenz_chart,
    plans_chart,
    relativity_chart,
    waterfall_chart,
)
from riskengine.reporting.report import STEP_NAMES, Section, Table
from riskengine.risk.diagnostics import (
    Interval,
    actual_over_expected,
    equal_exposure_bands,
    gini,
    lift_table,
    tweedie_deviance,
)
from riskengine.vocabulary import Answer, FloatArray, IntArray, Text

MEAN = "mean"
COVER_TITLES = {
    "coinsurance": Text(zh="参照保障：自付比例", en="Reference cover: coinsurance"),
    "out_of_pocket_maximum": Text(zh="参照保障：自付上限", en="Reference cover: maximum"),
    "individual_deductible": Text(zh="参照保障：免赔额", en="Reference cover: deductible"),
}


@dataclass(frozen=True)
class Compared:
    """Held-out outcomes and competing predictions of them, per year of exposure, (n,).

    `predictions` has the model first and may have the `MEAN`, which orders nobody (its constants
    differ by fold only, so its Gini is 0 by definition). `advantage` is the GLM's deviance less
    the model's.
    """

    actual: FloatArray
    exposure: FloatArray
    predictions: Mapping[str, FloatArray]
    power: float
    advantage: Interval


def comparison_section(compared: Compared) -> Section:
    """The model beside the GLM and the mean on the same held-out rows."""
    rows = []
    for name, expected in compared.predictions.items():
        deviance = tweedie_deviance(compared.actual, expected, compared.exposure, compared.power)
        balance = actual_over_expected(compared.actual, expected, compared.exposure)
        index = f"{gini(compared.actual, expected, compared.exposure):.3f}"
        rows.append((name, f"{deviance:.3f}", f"{balance:.3f}", index if name != MEAN else "0"))
    gain = compared.advantage
    words = Text(
        zh=f"每位成员都由从未见过其数据的模型预测。与GLM相比，偏差低{gain.mean:.2f}"
        f"（按成员自助法95%区间{gain.low:.2f}至{gain.high:.2f}）。",
        en="Every member is predicted by models that never saw them. Against the GLM the deviance"
        f" is {gain.mean:.2f} lower (95 % interval by bootstrap over members {gain.low:.2f} to"
        f" {gain.high:.2f}).",
    )
    headings = (
        Text(zh="模型", en="model"),
        Text(zh=f"Tweedie偏差（{compared.power:g}）", en=f"Tweedie deviance ({compared.power:g})"),
        Text(zh="A/E", en="A/E"),
        Text(zh="基尼", en="Gini"),
    )
    title = Text(zh="与GLM和均值的比较", en="Against a GLM and the mean")
    ordering = {name: p for name, p in compared.predictions.items() if name != MEAN}
    chart = lorenz_chart(compared.actual, ordering, compared.exposure)
    return Section(title, words, Table(headings, tuple(rows)), chart)


def years_section(compared: Compared, year: IntArray) -> Section:
    """A/E by calendar year of the experience: what a trend would have to explain."""
    expected = next(iter(compared.predictions.values()))
    rows: list[tuple[Text | str, ...]] = []
    for one in np.unique(year):
        inside = year == one
        actual, mean, weight = compared.actual[inside], expected[inside], compared.exposure[inside]
        rows.append(
            (
                str(one),
                f"{weight.sum():,.0f}",
                f"{np.average(actual, weights=weight):.2f}",
                f"{np.average(mean, weights=weight):.2f}",
                f"{actual_over_expected(actual, mean, weight):.3f}",
            )
        )
    headings = (
        Text(zh="年份", en="year"),
        Text(zh="风险暴露", en="exposure"),
        Text(zh="实际", en="actual"),
        Text(zh="预期", en="expected"),
        Text(zh="A/E", en="A/E"),
    )
    words = Text(
        zh="模型不含年份，费率手册的趋势系数为1。若A/E逐年上升，说明费用在上涨，定价前应先设定趋势。",
        en="The model knows no year and the rate book's trend factor is 1. An A/E that rises with"
        " the years says that costs grew: a filing would set the trend from it before pricing.",
    )
    return Section(
        Text(zh="随时间的稳定性", en="Stability over time"), words, Table(headings, tuple(rows))
    )


def lift_section(compared: Compared) -> Section:
    """Lift by decile of the model's prediction."""
    expected = next(iter(compared.predictions.values()))
    rows = lift_table(compared.actual, expected, compared.exposure)
    ratio = rows[-1]["actual"] / rows[0]["actual"]
    return Section(
        Text(zh="提升图与A/E", en="Lift and A/E"),
        Text(
            zh=f"预期最高的十分之一成员，实际费用是最低十分之一的{ratio:.1f}倍。",
            en=f"The tenth of the members expected to cost most cost {ratio:.1f} times the tenth"
            " expected to cost least.",
        ),
        chart=lift_chart(compared.actual, expected, compared.exposure),
    )


def plan_paid_section(
    titles: Mapping[str, Text],
    paid: Mapping[str, tuple[FloatArray, FloatArray]],
    mean: FloatArray,
    exposure: FloatArray,
) -> Section:
    """A/E of what each plan pays, overall and by decile of expected cost."""
    bands = equal_exposure_bands(mean, exposure, 10)
    rows: list[tuple[Text | str, ...]] = []
    for plan, (actual, expected) in paid.items():
        cells = [f"{actual_over_expected(actual, expected, exposure):.3f}"]
        for band in range(10):
            rows_in = bands == band
            cells.append(
                f"{actual_over_expected(actual[rows_in], expected[rows_in], exposure[rows_in]):.2f}"
            )
        rows.append((titles[plan], *cells))
    headings = (
        Text(zh="计划", en="plan"),
        Text(zh="合计", en="all"),
        *(Text(zh=str(n), en=str(n)) for n in range(1, 11)),
    )
    words = Text(
        zh="把留出年份的年度费用总额按每个计划重新理算，再与其预期相比：合计及按预期费用十分位的A/E。",
        en="The annual cost of held-out years, adjudicated anew under each plan, over what was"
        " expected: A/E in all and by decile of expected cost.",
    )
    title = Text(zh="计划赔付：重新理算与预期", en="What plans pay: re-adjudicated and expected")
    return Section(title, words, Table(headings, tuple(rows)))


def quote_sections(
    release: Release, answers: Mapping[str, Answer], quote: Quote, plan: int
) -> list[Section]:
    """One member's quote: relativities, offers, and the waterfall of the offer at `plan`."""
    labels = [_label(release, name, answers) for name in quote.relativities.names]
    factors = quote.relativities.factors[0]
    base = Section(
        Text(zh="一位成员的费用：基准乘以系数", en="One member's cost: base times relativities"),
        Text(
            zh=f"基准{quote.relativities.base:,.2f}乘以全部系数，得纯保费{quote.mean:,.2f}。",
            en=f"The base of {quote.relativities.base:,.2f} times all relativities is the pure"
            f" premium, {quote.mean:,.2f}.",
        ),
        chart=relativity_chart(labels, factors.tolist()),
    )
    rows = tuple(
        (
            offer.plan.name,
            money_text(int(offer.chain.offered_cents[0])),
            f"{offer.actuarial_value[0]:.3f}",
            f"{offer.expected_out_of_pocket[0]:,.2f}",
        )
        for offer in quote.offers
    )
    headings = (
        Text(zh="计划", en="plan"),
        Text(zh="年保费", en="premium a year"),
        Text(zh="精算价值", en="actuarial value"),
        Text(zh="预计自付", en="expected out-of-pocket"),
    )
    shown = quote.offers[plan]
    offers = Section(
        Text(zh="四个计划的报价与保费构成", en="The quote, and how a premium comes about"),
        Text(
            zh=f"同一费用分布给每个计划定价。图为“{shown.plan.name.zh}”的保费构成。",
            en=f"One cost distribution prices every plan. The chart takes {shown.plan.name.en}"
            " apart.",
        ),
        Table(headings, rows),
        waterfall_chart(shown.chain, STEP_NAMES),
    )
    return [base, offers]


def recommendation_section(result: Recommendation) -> Section:
    """The ranked plans with their reasons."""
    rows = tuple(
        (
            Text(
                zh=f"{rank}. {item.priced.plan.name.zh}", en=f"{rank}. {item.priced.plan.name.en}"
            ),
            f"{item.premium:,.2f}",
            Text(zh="".join(r.text.zh for r in reasons), en=" ".join(r.text.en for r in reasons)),
        )
        for rank, (item, reasons) in enumerate(result.items, start=1)
    )
    headings = (
        Text(zh="计划", en="plan"),
        Text(zh="年保费", en="premium a year"),
        Text(zh="理由", en="reasons"),
    )
    words = Text(
        zh="按对该成员的价值减去保费排序；保险公司的利润不参与排序。",
        en="Ranked by what the cover is worth to this member, less its premium; the insurer's"
        " margin plays no part.",
    )
    title = Text(zh="推荐与理由", en="The recommendation, with reasons")
    chart = plans_chart([item for item, _ in result.items])
    return Section(title, words, Table(headings, rows), chart)


def _label(release: Release, name: str, answers: Mapping[str, Answer]) -> Text:
    """A rating factor with the member's value."""
    if name in COVER_TITLES:
        return COVER_TITLES[name]
    question = next(q for q in release.questions if q.name == name)
    value = question.titled(answers.get(name))
    return Text(zh=f"{question.title.zh} {value.zh}", en=f"{question.title.en} {value.en}")
