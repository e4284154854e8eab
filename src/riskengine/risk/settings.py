"""What trees are tried by default: few and small where data are thin, more and larger where not.

Each candidate is held against the same folds; the blend then decides how far trees are believed.
"""

from riskengine.risk.learn import Task

SMALL, LARGE = 30_000, 300_000
"""Rows to learn from: up to the first three sizes are tried, up to the second two, then one."""
_COMMON: dict[str, object] = {
    "min_data_in_leaf": 20,
    "lambda_l2": 10.0,
    "min_sum_hessian_in_leaf": 10.0,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.7,
}


def candidates(task: Task) -> list[dict[str, object]]:
    """Settings of LightGBM to choose from; `lambda_l2` and the like count expected events."""
    rows = int((task.weight > 0).sum())
    if rows > LARGE:
        return [{**_COMMON, "learning_rate": 0.08, "num_leaves": 31}]
    rate = 0.03 if rows <= SMALL else 0.05
    leaves = (4, 12, 31) if rows <= SMALL else (6, 24)
    return [{**_COMMON, "learning_rate": rate, "num_leaves": size} for size in leaves]
