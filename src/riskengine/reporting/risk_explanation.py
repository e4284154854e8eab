"""The parts of a report that explain a model: what drives it, how, and what tables keep of it."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from riskengine.reporting.charts import relativity_chart
from riskengine.reporting.explanations import (
    heat_map,
    importance_chart,
    partial_dependence_panels,
)
from riskengine.reporting.report import Section, Table
from riskengine.reporting.risk_words import number
from riskengine.risk.explain import Importance, PartialDependence
from riskengine.risk.explanation import Explanation
from riskengine.risk.factor_tables import MISSING, OTHER, Factor, Fidelity, Judging
from riskengine.risk.model import Relativities
from riskengine.risk.spec import Kind
from riskengine.vocabulary import Text

_MOST_PANELS, _MOST_CLASSES, _MOST_FACTORS = 24, 6, 15
Titles = Mapping[str, Text]
_JUDGED = {
    Judging.SERVED: Text(zh="按实际使用的预测", en="as served"),
    Judging.FOLDS: Text(zh="留出", en="held out"),
    Judging.REFITTED: Text(zh="留出并重新拟合", en="held out and refitted"),
}
_PROVISO = {
    Judging.SERVED: Text(
        zh="若表中有训练过的行，模型记得它们，损失会显得偏大。",
        en=" Rows that the model has learnt, it remembers: on them the loss looks too large.",
    ),
    Judging.FOLDS: Text(
        zh="各折由该折自己的模型评估，而实际使用的是各折的平均，损失会显得偏小；"
        "riskengine explain --refit 逐折重新拟合后再评估。",
        en=" Each fold is judged by its own model; their average, which serves, is a little better,"
        " so the loss looks too small. riskengine explain --refit fits each fold anew.",
    ),
}
NO_TITLES: Titles = MappingProxyType({})


def explanation_sections(
    found: Explanation, kind: Kind, titles: Titles = NO_TITLES
) -> list[Section]:
    """What drives the model, how its prediction follows features, and its factor tables.

    `titles` names features in both languages; one without a title goes by its column.
    """
    sections = [_importance(found.importance, titles)]
    if found.by_family is not None:
        chart = importance_chart(found.by_family, titles)
        words = Text(
            zh="同一类别的特征合在一起。",
            en="Features of a family are taken together; one of no family is its own.",
        )
        sections.append(Section(Text(zh="按类别的影响", en="By family"), words, chart=chart))
    sections += _singles(found.singles, len(found.importance.names), titles)
    sections += [section for pair in found.pairs for section in _pair(pair, titles)]
    return [*sections, factor_section(found, kind, titles)]


def _importance(found: Importance, titles: Titles) -> Section:
    first = [(_named(n, titles), s) for n, s in zip(found.names, found.share, strict=True)][:3]
    words = Text(
        zh="、".join(f"{name.zh}（{share:.0%}）" for name, share in first)
        + "影响最大。百分比为各特征占模型所解释部分的份额，合计100%；"
        "负值表示该特征与其余特征方向相反。"
        "相关的特征分享同一份影响。这说明模型用了什么，不是什么造成了费用。",
        en="Greatest: "
        + ", ".join(f"{name.en} ({share:.0%})" for name, share in first)
        + ". The percentages are shares of what the model explains and add up to 100 %; one is"
        " negative where a feature works against the others. Related features share what they"
        " have in common. It says what the model uses, not what causes cost.",
    )
    chart = importance_chart(found, titles)
    return Section(Text(zh="模型由什么驱动", en="What drives the model"), words, chart=chart)


def _singles(found: tuple[PartialDependence, ...], features: int, titles: Titles) -> list[Section]:
    if not found:
        return []
    shown = found[:_MOST_PANELS]
    of = shown[0]
    what = Text(
        zh="各类别的优势比" if of.classes else "优势比" if of.odds else "系数",
        en="odds of each class" if of.classes else "odds" if of.odds else "relativity",
    )
    words = Text(
        zh=f"所有参照行都取某一值时平均预测相对于平均的{what.zh}（部分依赖）；灰柱为风险暴露，菱形为水平"
        f"或缺失。按影响从大到小，图中{len(shown)}个，共{features}个特征。彼此相关的特征单独移动时，"
        "可能走到没有成员的组合。",
        en=f"The mean prediction if all reference rows had a value, as {what.en} to the average"
        " (partial dependence). Grey bars are exposure, diamonds are levels or a missing value."
        f" Strongest first: {len(shown)} of {features} features. Where features are related, moving"
        " one alone can lead to where no member is.",
    )
    title = Text(zh="预测如何随特征变化", en="How the prediction follows each feature")
    return [Section(title, words, chart=partial_dependence_panels(shown, titles))]


def _pair(found: PartialDependence, titles: Titles) -> list[Section]:
    one, two = (_named(name, titles) for name in found.features)
    words = Text(
        zh="红色高于平均，蓝色低于平均。行与列若只差一个倍数，两者就没有共同作用。",
        en="Red is above the average, blue below. Where rows differ by a factor alone, the two do"
        " not act together.",
    )
    classes = found.classes[:_MOST_CLASSES] or ("",)
    return [
        Section(
            Text(
                zh=f"{one.zh}与{two.zh}" + (f" · {of}" if of else ""),
                en=f"{one.en} and {two.en}" + (f" · {of}" if of else ""),
            ),
            words,
            chart=heat_map(found, titles, place),
        )
        for place, of in enumerate(classes)
    ]


def factor_section(found: Explanation, kind: Kind, titles: Titles) -> Section:
    """The tables of a rate book in outline, and what is lost by them; or why there are none."""
    title = Text(zh="费率手册的系数表", en="Factor tables for a rate book")
    if found.distilled is None:
        return Section(title, without_tables(kind))
    tables = found.distilled.tables
    words = Text(
        zh=f"基准{number(tables.base)}乘以每个特征的系数。系数表再现了模型对数方差的{tables.agreement:.1%}。"
        + fidelity_words(found.fidelity).zh,
        en=f"A base of {number(tables.base)}, times a relativity of each feature. The tables"
        f" reproduce {tables.agreement:.1%} of the variance of the model's logarithm. "
        + fidelity_words(found.fidelity).en,
    )
    headings = (
        Text(zh="特征", en="feature"),
        Text(zh="行数", en="rows"),
        Text(zh="最低系数", en="lowest"),
        Text(zh="最高系数", en="highest"),
        Text(zh="最低与最高的行", en="where lowest and highest"),
    )
    order = {name: place for place, name in enumerate(found.importance.names)}
    factors = sorted(tables.factors, key=lambda factor: order[factor.feature])
    rows = tuple(_factor_row(factor, titles) for factor in factors)
    return Section(title, words, Table(headings, rows))


def without_tables(kind: Kind) -> Text:
    """Why a kind has no factor tables."""
    return Text(
        zh=f"{kind}模型没有系数表：它的预测不是基准乘以系数，任何系数表都只是近似，因此不写。"
        "上面的影响与部分依赖仍然适用。需要费率手册时请用对数连接的模型"
        "（poisson、gamma、tweedie、frequency_severity）。",
        en=f"A {kind} model has no exact relativities: its predictions are no base times factors,"
        " so no factor tables are written. Importance and partial dependence hold for it. For a"
        " rate book, take a kind with a log link: poisson, gamma, tweedie or frequency_severity.",
    )


def fidelity_words(found: Fidelity | None) -> Text:
    """What the tables lose of the model's deviance, in a sentence or two."""
    if found is None:
        return Text(
            zh="数据文件没有结果列，无法衡量偏差损失。",
            en="The file has no outcomes, so what the tables lose of the deviance is not known.",
        )
    loss, how = found.tables - found.model, _JUDGED[found.judging]
    more = Text(zh="高", en="above") if loss >= 0 else Text(zh="低", en="below")
    kept = Text(zh="", en="")
    if np.isfinite(found.kept):
        kept = Text(
            zh=f"，保留了模型相对均值所减少偏差的{found.kept:.0%}",
            en=f"; they keep {found.kept:.0%} of what the model gains over the mean",
        )
    proviso = _PROVISO.get(found.judging, Text(zh="", en=""))
    return Text(
        zh=f"平均偏差（{how.zh}）：均值{number(found.mean)}，系数表{number(found.tables)}，"
        f"模型{number(found.model)}。系数表比模型{more.zh}{number(abs(loss))}{kept.zh}。{proviso.zh}",
        en=f"Mean deviance, {how.en}: mean {number(found.mean)}, tables {number(found.tables)},"
        f" model {number(found.model)}. The tables are {number(abs(loss))} {more.en} the"
        f" model{kept.en}.{proviso.en}",
    )


def member_section(told: Relativities, who: str, kind: Kind, answers: Mapping[str, str]) -> Section:
    """Relativities of one row; those nearest to 1 are taken together where there are many.

    `answers` has the row's value of each feature as text, empty where it is missing.
    """
    factors = told.factors[0]
    order = np.argsort(-np.abs(np.log(factors)), kind="stable")
    shown = [told.names[place] for place in order[:_MOST_FACTORS]]
    labels = [_answered(_named(name, NO_TITLES), answers[name]) for name in shown]
    values = factors[order[:_MOST_FACTORS]].tolist()
    if len(order) > _MOST_FACTORS:
        labels.append(Text(zh="其余特征", en="all others"))
        values.append(float(factors[order[_MOST_FACTORS:]].prod()))
    product = told.base * float(factors.prod())
    what = Text(zh="优势比" if kind is Kind.BINARY else "预测",
                en="odds" if kind is Kind.BINARY else "prediction")  # fmt: skip
    words = Text(
        zh=f"基准{number(told.base)}乘以全部系数，得{what.zh}{number(product)}。",
        en=f"The base of {number(told.base)} times all relativities is the {what.en},"
        f" {number(product)}.",
    )
    title = Text(zh=f"一位成员：{who}", en=f"One member: {who}")
    return Section(title, words, chart=relativity_chart(labels, values))


def _factor_row(factor: Factor, titles: Titles) -> tuple[Text | str, ...]:
    low, high = int(np.argmin(factor.relativities)), int(np.argmax(factor.relativities))
    ends = [_row_named(factor, place) for place in (low, high)]
    where = Text(zh=" / ".join(e.zh for e in ends), en=" / ".join(e.en for e in ends))
    return (
        _named(factor.feature, titles),
        str(len(factor.relativities)),
        f"{factor.relativities[low]:.3f}",
        f"{factor.relativities[high]:.3f}",
        where if low != high else "–",
    )


def _row_named(factor: Factor, row: int) -> Text:
    """A row of a factor in both languages; levels are as they are."""
    name = factor.labels[row]
    if row >= factor.plain:
        return Text(zh={MISSING: "缺失", OTHER: "其他"}[name], en=name)
    if factor.edges is None:
        return Text(zh=name, en=name)
    if not len(factor.edges):
        return Text(zh="全部", en=name)
    low = f"{factor.edges[row - 1]:g}起" if row else ""
    high = f"不足{factor.edges[row]:g}" if row < len(factor.edges) else ""
    return Text(zh="，".join(filter(None, (low, high))), en=name)


def _answered(name: Text, answer: str) -> Text:
    return Text(zh=f"{name.zh}：{answer or '缺失'}", en=f"{name.en}: {answer or 'missing'}")


def _named(name: str, titles: Titles) -> Text:
    return titles.get(name, Text(zh=name, en=name))
