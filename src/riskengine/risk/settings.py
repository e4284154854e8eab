"""What trees are tried by default: few and small where data are thin, more and larger where not.

Each candidate is held against the same folds; the blend then decides how far trees are believed.
"""

from riskengine.risk.task import Task

SMALL, LARGE = 30_000, 300_000
"""Rows to learn from: up to the first three sizes are tried, up to the second two, then one."""
_NARROW = 8
"""Features that a tree may read at least, where there are as many: so that they can interact."""
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
    rate, sizes = 0.08, [(31, 0.6)]
    if rows <= SMALL:
        rate, sizes = 0.03, [(4, 0.6), (12, 0.3), (31, 0.3)]
    elif rows <= LARGE:
        rate, sizes = 0.05, [(6, 0.6), (24, 0.6)]
    narrow = min(1.0, _NARROW / len(task.spec.features.names))
    found: list[dict[str, object]] = []
    for leaves, fraction in sizes:
        own = {"num_leaves": leaves, "feature_fraction": max(fraction, narrow)}
        every = {**_COMMON, "learning_rate": rate, **own}
        left = {n: value for n, value in every.items() if n not in task.spec.lightgbm.given}
        if left not in found:
            found.append(left)
    return found
