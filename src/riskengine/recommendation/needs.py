"""What those who ask need: what they said, what no cover serves, and apart what is inferred.

Need comes before fit: it decides the band of a plan, and nothing inferred outweighs what was said.
The statement of demands and needs is text to be kept with the decision, in both languages.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from riskengine.products.product import Catalogue, Plan
from riskengine.products.suitability import Need
from riskengine.recommendation.asked import Asked
from riskengine.recommendation.policy import Choices
from riskengine.vocabulary import Text

NEED_NAMES = {
    Need.HOSPITAL_BILLS: Text(zh="住院费用", en="hospital bills"),
    Need.OUTPATIENT_CARE: Text(zh="门诊费用", en="outpatient care"),
    Need.PRESCRIPTION_DRUGS: Text(zh="处方药费用", en="prescription drugs"),
    Need.INCOME_IN_HOSPITAL: Text(zh="住院期间的收入", en="income while in hospital"),
    Need.OPERATIONS: Text(zh="手术开支", en="the cost of operations"),
    Need.GRAVE_ILLNESS: Text(zh="重大疾病", en="grave illness"),
    Need.ACCIDENTS: Text(zh="意外伤害", en="accidents"),
}


@dataclass(frozen=True)
class NeedFound:
    """One need: whether it was `stated`, is a `gap` in the cover held, and how `likely` it arises.

    `likely` is a probability within 12 months, None where no model says. `points` rank it.
    """

    need: Need
    stated: bool
    gap: bool
    likely: float | None
    points: float
    inferred_points: float


def find_needs(
    asked: Asked, catalogue: Catalogue, likely: Mapping[Need, float], choices: Choices
) -> tuple[NeedFound, ...]:
    """Every need that the market serves or a member stated, most points first.

    points = stated + gap + min(inferred * probability, inferred_cap), and none of it for a need
    that is covered and was not stated. Raises `UnknownNameError` for an unknown plan held.
    """
    served = [need for plan in catalogue.plans for need in plan.suitability.needs]
    covered = asked.covered_elsewhere | {
        need for name in asked.held for need in catalogue.plan(name).suitability.needs
    }
    found = [
        _found(need, (need in asked.stated, need not in covered), likely.get(need), choices)
        for need in dict.fromkeys((*asked.stated, *served))
    ]
    order = list(dict.fromkeys((*asked.stated, *Need)))
    return tuple(sorted(found, key=lambda one: (-one.points, order.index(one.need))))


def _found(
    need: Need, told: tuple[bool, bool], likely: float | None, choices: Choices
) -> NeedFound:
    stated, gap = told
    inferred = 0.0
    if likely is not None and (stated or gap):
        inferred = min(choices["need.inferred"] * likely, choices["need.inferred_cap"])
    said = choices["need.stated"] * stated + choices["need.gap"] * gap
    return NeedFound(need, stated, gap, likely, said + inferred, inferred)


def points_of(plan: Plan, needs: Collection[NeedFound]) -> float:
    """The points of the greatest need a plan serves; 0 where it serves none."""
    return max((one.points for one in needs if one.need in plan.suitability.needs), default=0.0)


def unmet_needs(needs: Collection[NeedFound], offered: Collection[Plan]) -> tuple[Need, ...]:
    """Needs that were stated or are gaps, and that none of the plans offered serves."""
    served = {need for plan in offered for need in plan.suitability.needs}
    wanted = (one.need for one in needs if one.gap)
    return tuple(need for need in wanted if need not in served)


def demands_and_needs(
    asked: Asked, needs: Collection[NeedFound], catalogue: Catalogue, as_of: date
) -> Text:
    """What was asked for and what is not covered, in plain words; nothing inferred is in it."""
    stated = [NEED_NAMES[need] for need in asked.stated]
    gaps = [NEED_NAMES[one.need] for one in needs if one.gap and not one.stated]
    held = [catalogue.plan(name).name for name in sorted(asked.held)]
    zh = [f"{as_of}，为{asked.size}人。"]
    en = [f"On {as_of}, for {asked.size} member(s)."]
    zh.append(f"您希望保障：{_zh(stated)}。" if stated else "您没有说明希望保障什么。")
    en.append(f"You asked for cover of: {_en(stated)}." if stated else "You named no need.")
    zh.append(f"您已有：{_zh(held)}。" if held else "您没有告知在本公司的其他保障。")
    en.append(f"You hold: {_en(held)}." if held else "You hold no plan of ours that we know of.")
    if asked.covered_elsewhere:
        elsewhere = [NEED_NAMES[need] for need in sorted(asked.covered_elsewhere)]
        zh.append(f"您在别处已有保障：{_zh(elsewhere)}。")
        en.append(f"Covered elsewhere, as you told us: {_en(elsewhere)}.")
    if gaps:
        zh.append(f"据我们所知，尚无保障：{_zh(gaps)}。")
        en.append(f"As far as we know, not covered: {_en(gaps)}.")
    return Text(zh="".join(zh), en=" ".join(en))


def _zh(texts: Collection[Text]) -> str:
    return "、".join(text.zh for text in texts)


def _en(texts: Collection[Text]) -> str:
    return ", ".join(text.en for text in texts)
