"""Whether a model treats groups alike: in calibration, in level, in decisions, and by proxy.

The group (sex, ethnicity, region) need not be a feature of the model: what it does to a group is
measured either way, and `proxy_strength` says how much of the group the features give away. Which
measure counts in a market is a matter of its law, not of this module.
References: Barocas, Hardt and Narayanan, "Fairness and Machine Learning", chapter 3; Lindholm,
Richman, Tsanakas and Wüthrich (2022), "Discrimination-free insurance pricing". Means and
parities are computed by fairlearn (Weerts et al., 2023).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
from sklearn.model_selection import GroupKFold

from riskengine.errors import InputError
from riskengine.risk.diagnostics.bootstrap import MemberDraws
from riskengine.risk.diagnostics.calibration import Segment, segments_of
from riskengine.risk.diagnostics.contract import refuse, require_one_length, require_rows
from riskengine.risk.diagnostics.levels import Levels, levels_in_order
from riskengine.risk.diagnostics.lift import auc
from riskengine.vocabulary import AnyArray, BoolArray, FloatArray, IntArray

_FOLDS = 5
_TREES = 60


@dataclass(frozen=True)
class MeanByGroup:
    """Mean prediction per unit of exposure of each group, and over that of all.

    `least_over_greatest` is the ratio of the lowest mean to the highest: 1 where all are alike.
    """

    means: Mapping[str, float]
    relative: Mapping[str, float]
    least_over_greatest: float


@dataclass(frozen=True)
class DecisionParity:
    """Of yes-or-no decisions: least over greatest rate among groups, 1 where all are alike.

    `demographic` compares the rates of yes; `equalised_odds` the worse of the rates of yes among
    those with the outcome and among those without.
    """

    demographic: float
    equalised_odds: float


@dataclass(frozen=True)
class ProxyStrength:
    """How well features tell each group from the rest: out-of-fold AUC, 0.5 not at all, 1 fully."""

    by_group: Mapping[str, float]

    @property
    def greatest(self) -> float:
        return max(self.by_group.values())


def calibration_by_group(
    actual: FloatArray,
    expected: FloatArray,
    exposure: FloatArray,
    group: AnyArray,
    draws: MemberDraws,
) -> tuple[Segment, ...]:
    """A/E of each group with its interval: below 1 a group pays for others; arrays (n,).

    >>> from riskengine.risk.diagnostics import draw_members
    >>> draws = draw_members(np.arange(2), np.random.default_rng(1))
    >>> rows = calibration_by_group(np.array([1.0, 4.0]), np.full(2, 2.0), np.ones(2),
    ...     np.array(["female", "male"]), draws)
    >>> [(row.levels[0], row.ratio.mean) for row in rows]
    [('female', 0.5), ('male', 2.0)]
    """
    require_one_length(exposure=exposure, group=group)
    levels = levels_in_order(group)
    names = tuple((name,) for name in levels.names)
    return segments_of((actual, expected, exposure), names, levels.code, draws)


def mean_by_group(expected: FloatArray, exposure: FloatArray, group: AnyArray) -> MeanByGroup:
    """Mean prediction by group, over all, and the lowest over the highest; arrays (n,).

    Demographic parity of a mean: groups that are predicted alike, whether or not they cost alike.
    Groups without exposure are left out. Raises `InputError` for fewer than two groups, or where a
    prediction is below 0.

    >>> found = mean_by_group(np.array([1.0, 3.0]), np.ones(2), np.array(["female", "male"]))
    >>> found.relative, round(found.least_over_greatest, 6)
    ({'female': 0.5, 'male': 1.5}, 0.333333)
    """
    # Imported when asked for: no quote needs it.
    from fairlearn.metrics import MetricFrame, mean_prediction

    require_rows(exposure, expected=expected, group=group)
    refuse(expected < 0, expected, "expected", "a ratio of means needs 0 or more")
    seen = exposure > 0
    levels = _groups(group[seen])
    frame = MetricFrame(
        metrics=mean_prediction,
        y_true=expected[seen],
        y_pred=expected[seen],
        sensitive_features=_labels(levels),
        sample_params={"sample_weight": exposure[seen]},
    )
    means = {str(name): float(mean) for name, mean in frame.by_group.items()}
    relative = {name: mean / float(frame.overall) for name, mean in means.items()}
    return MeanByGroup(means, relative, float(frame.ratio(method="between_groups")))


def decision_parity(
    actual: FloatArray, decision: BoolArray, exposure: FloatArray, group: AnyArray
) -> DecisionParity:
    """Parity of a decision (offered, accepted, referred) between groups; arrays (n,).

    `actual` is 0 or 1, the outcome that would justify the decision. Raises `InputError` for other
    outcomes or fewer than two groups.

    >>> same = np.array([1.0, 0.0, 1.0, 0.0])
    >>> sex = np.array(["female", "female", "male", "male"])
    >>> found = decision_parity(same, np.array([True, False, True, True]), np.ones(4), sex)
    >>> found.demographic, found.equalised_odds
    (0.5, 0.0)
    """
    from fairlearn.metrics import demographic_parity_ratio, equalized_odds_ratio

    require_rows(exposure, actual=actual, decision=decision, group=group)
    refuse((actual != 0) & (actual != 1), actual, "actual", "a decision needs outcomes of 0 or 1")
    seen = exposure > 0
    rows = {
        "y_true": actual[seen].astype(np.int64),
        "y_pred": decision[seen].astype(np.int64),
        "sensitive_features": _labels(_groups(group[seen])),
        "sample_weight": exposure[seen],
    }
    return DecisionParity(
        float(demographic_parity_ratio(**rows)), float(equalized_odds_ratio(**rows))
    )


def proxy_strength(
    features: FloatArray, group: AnyArray, member: AnyArray, rng: np.random.Generator
) -> ProxyStrength:
    """How well `features` (n, k) predict a protected group (n,): out-of-fold AUC of each level.

    A small LightGBM classifier, each level against the rest, in 5 folds by `member` (n,).
    Features may be NaN. Raises `InputError` for fewer than two groups, or fewer than 2 members
    in a fold.

    >>> sex = np.array(["female", "male"] * 100)
    >>> gives_it_away = (sex == "male").astype(float)[:, None]
    >>> proxy_strength(gives_it_away, sex, np.arange(200), np.random.default_rng(1)).greatest
    1.0
    """
    require_one_length(features=features, group=group, member=member)
    levels = _groups(group)
    _, owner = np.unique(member, return_inverse=True)
    if owner.max() + 1 < 2 * _FOLDS:
        message = f"{owner.max() + 1} members are too few for {_FOLDS} folds: give 10 or more"
        raise InputError(message)
    # GroupKFold deals by size and position, so members are put in a random order first.
    shuffled = rng.permutation(owner.max() + 1)[owner]
    seed = int(rng.integers(2**31))
    folds = list(GroupKFold(_FOLDS).split(features, groups=shuffled))
    result = {}
    for place, name in enumerate(levels.names):
        belongs = (levels.code == place).astype(np.float64)
        result[name] = auc(
            belongs, _out_of_fold(features, belongs, folds, seed), np.ones(len(owner))
        )
    return ProxyStrength(result)


def _out_of_fold(
    features: FloatArray,
    belongs: FloatArray,
    folds: list[tuple[IntArray, IntArray]],
    seed: int,
) -> FloatArray:
    parameters = {
        "objective": "binary",
        "num_leaves": 8,
        "learning_rate": 0.1,
        "min_data_in_leaf": 20,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    predicted = np.empty(len(belongs))
    for train, test in folds:
        data = lgb.Dataset(features[train], belongs[train])
        booster = lgb.train(parameters, data, num_boost_round=_TREES)
        predicted[test] = booster.predict(features[test], num_threads=1)
    return predicted


def _groups(group: AnyArray) -> Levels:
    levels = levels_in_order(group)
    if len(levels.names) < 2:
        message = f"one group only, {levels.names[0]!r}: there is nothing to compare"
        raise InputError(message)
    return levels


def _labels(levels: Levels) -> AnyArray:
    return np.array(levels.names, dtype=object)[levels.code]
