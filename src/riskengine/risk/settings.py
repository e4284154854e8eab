"""What trees are tried by default: few and small where data are thin, more and larger where not.

Each candidate is held against the same folds; the blend then decides how far trees are believed.
"""

from riskengine.risk.task import Task

SMALL, LARGE = 30_000, 300_000
"""Rows to learn from: up to the first three sizes are tried, up to the second two, then one."""
_NARROW = 8
"""Columns: with no more, every tree may read all of them."""
_COMMON: dict[str, object] = {
    "min_data_in_leaf": 20,
    "lambda_l2": 10.0,
    "min_sum_hessian_in_leaf": 10.0,
    "bagging_fraction": 0.7,
}


def candidates(task: Task) -> list[dict[str, object]]:
    """Settings of LightGBM to choose from, each once, without those that the spec gives.

    `lambda_l2` and the like count expected events.
    """
    rows = int((task.weight > 0).sum())
    rate, leaves = 0.08, [31]
    if rows <= SMALL:
        rate, leaves = 0.03, [4, 12, 31]
    elif rows <= LARGE:
        rate, leaves = 0.05, [6, 24]
    common = {**_COMMON, "feature_fraction": _fraction(len(task.spec.features.names))}
    found: list[dict[str, object]] = []
    for size in leaves:
        every = {**common, "learning_rate": rate, "num_leaves": size}
        left = {n: value for n, value in every.items() if n not in task.spec.lightgbm.given}
        if left not in found:
            found.append(left)
    return found


def _fraction(width: int) -> float:
    """The share of columns that a tree may read: all of a few, so that they can interact."""
    return max(0.6, min(1.0, _NARROW / width))
