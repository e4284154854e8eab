"""What trees are tried by default: few and small where data are thin, more and larger where not.

Each candidate is held against the same folds; the blend then decides how far trees are believed.
"""

from riskengine.risk.learn import Task

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
    """Settings of LightGBM to choose from; `lambda_l2` and the like count expected events."""
    rows = int((task.weight > 0).sum())
    common = {**_COMMON, "feature_fraction": _fraction(len(task.spec.features.names))}
    if rows > LARGE:
        return [{**common, "learning_rate": 0.08, "num_leaves": 31}]
    rate = 0.03 if rows <= SMALL else 0.05
    leaves = (4, 12, 31) if rows <= SMALL else (6, 24)
    return [{**common, "learning_rate": rate, "num_leaves": size} for size in leaves]


def _fraction(width: int) -> float:
    """The share of columns that a tree may read: all of a few, so that they can interact."""
    return max(0.6, min(1.0, _NARROW / width))
