"""What a diagnosis could not say, or says only with a proviso, in both languages."""

from collections.abc import Sequence

from riskengine.risk.diagnostics.bootstrap import MOST_BLOCKS, MOST_ROWS
from riskengine.risk.diagnostics.curves import Curves
from riskengine.risk.diagnostics.judged import GLM, MEAN
from riskengine.risk.evidence import Evidence
from riskengine.risk.model import RiskModel
from riskengine.risk.spec import Kind
from riskengine.vocabulary import Text

_IN_TWO_PARTS = {Kind.TWO_PART, Kind.FREQUENCY_SEVERITY}


def notes_on(
    model: RiskModel, evidence: Evidence, covered: bool, curves: Sequence[Curves]
) -> tuple[Text, ...]:
    """The provisos of a diagnosis; `covered` says whether intervals were tried."""
    return (
        *_of_rows(model, evidence),
        *_of_yardsticks(evidence),
        *_of_kind(model, covered, curves),
        *_of_bounds(evidence),
    )


def _of_rows(model: RiskModel, evidence: Evidence) -> list[Text]:
    found = []
    if evidence.held_out:
        if model.spec.model.kind.is_mean:
            found.append(
                Text(
                    zh="留出预测已乘以平衡系数，因此模型整体的A/E按定义为1；各分段的A/E不受此限。",
                    en="Held-out predictions are balanced, so the model's A/E is 1 by definition in"
                    " all, not in any part.",
                )
            )
        found.append(
            Text(
                zh="混合权重与树的大小也由留出预测选定，故模型的偏差略偏乐观；"
                "不作任何选择的检验见cross_fit。",
                en="Held-out predictions also chose the model's shares and the size of its trees,"
                " so its deviance is a little too good; cross_fit is the test that chose nothing.",
            )
        )
    else:
        found.append(
            Text(
                zh="此表不是训练表：按实际使用的预测评估。若表中有训练时的成员，结果会偏乐观。",
                en="The table is not the training table: predictions are judged as served. Members"
                " that training had would flatter them.",
            )
        )
    if model.spec.folds.group is None:
        found.append(
            Text(
                zh="模型说明未指定分组，自助法与折按行进行：若同一成员有多行，区间偏窄。",
                en="The spec names no group, so draws and folds are of rows: where members have"
                " several rows, intervals are too narrow.",
            )
        )
    if model.spec.folds.time is not None and evidence.held_out:
        found.append(
            Text(
                zh="按时间分折：每行只由更早的行预测，最早的一折没有留出预测，不参与评估。",
                en="Folds are by time: each row is predicted from earlier rows alone. The earliest"
                " fold has no held-out prediction and is not judged.",
            )
        )
    return found


def _of_yardsticks(evidence: Evidence) -> list[Text]:
    found = []
    if GLM not in evidence.judged.predictions:
        found.append(
            Text(
                zh="没有GLM作对照：它需要训练表。",
                en="There is no GLM beside the model: it needs the training table.",
            )
        )
    if MEAN not in evidence.judged.predictions:
        found.append(
            Text(
                zh="没有训练均值作对照：它需要训练表。",
                en="There is no training mean beside the model: it needs the training table.",
            )
        )
    if evidence.columns is None:
        found.append(
            Text(
                zh="没有给出数据表：不含特征、分段、时间与公平性。",
                en="No table was given: features, segments, time and fairness are left out.",
            )
        )
    elif evidence.ends is None:
        found.append(
            Text(
                zh="没有时间列，也没有另给训练表：不含特征漂移。",
                en="Neither a time nor a training table beside this one is known: drift of features"
                " is left out.",
            )
        )
    return found


def _of_kind(model: RiskModel, covered: bool, curves: Sequence[Curves]) -> list[Text]:
    kind, found = model.spec.model.kind, []
    if kind is Kind.MULTICLASS:
        found.append(
            Text(
                zh="多分类没有次序与总水平：A/E、基尼、R2与误差按类别给出（是该类与否）。",
                en="Classes have no order and no level: A/E, Gini, AUC and R2 are given by class,"
                " as yes or no.",
            )
        )
    if not kind.is_mean:
        found.append(
            Text(
                zh="概率的偏差为对数损失（纳特）；截尾R2、平均绝对误差与个人区间没有意义，未列。",
                en="The deviance of a probability is its log loss, in nats. Capped R2, absolute"
                " error and intervals of a member's outcome say nothing of it and are left out.",
            )
        )
    if kind in _IN_TWO_PARTS:
        power = model.spec.model.power
        found.append(
            Text(
                zh=f"模型由两部分组成，按总金额评估：Tweedie偏差，方差幂{power:g}。",
                en=f"The model has two parts and is judged by the whole amount, with the Tweedie"
                f" deviance of power {power:g}.",
            )
        )
    if kind.is_mean and not covered:
        found.append(
            Text(
                zh="未检验个人区间：需要一百名以上成员的完整年份，且结果不只是0与1。",
                en="Intervals of a member's year were not tried: they need whole years of a hundred"
                " members, with outcomes beyond 0 and 1.",
            )
        )
    if any(one.residuals is None for one in curves):
        found.append(
            Text(
                zh="没有分位残差：次数乘以风险暴露后不是整数，或结果没有差异。",
                en="No quantile residuals: counts are not whole numbers, or outcomes do not vary.",
            )
        )
    return found


def _of_bounds(evidence: Evidence) -> list[Text]:
    found = []
    rows = len(evidence.judged.actual)
    members = int(evidence.judged.member.max()) + 1
    if members > MOST_BLOCKS:
        found.append(
            Text(
                zh=f"成员多于{MOST_BLOCKS:,}：自助法把成员随机归入{MOST_BLOCKS:,}组后按组抽样。",
                en=f"There are more than {MOST_BLOCKS:,} members: the bootstrap deals them at"
                f" random into {MOST_BLOCKS:,} blocks and draws blocks.",
            )
        )
    if rows > MOST_ROWS:
        found.append(
            Text(
                zh=f"基尼与AUC的区间取自约{MOST_ROWS:,}行的成员随机样本，按成员数换算。",
                en=f"Intervals of Gini and AUC come from a random part of the members with about"
                f" {MOST_ROWS:,} rows, scaled to all.",
            )
        )
    if evidence.glm_rows is not None:
        found.append(
            Text(
                zh=f"GLM从至多{evidence.glm_rows:,}行（成员随机样本）学习。",
                en=f"The GLM learns from at most {evidence.glm_rows:,} rows, of members at random.",
            )
        )
    return found
