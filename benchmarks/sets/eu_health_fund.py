"""A European health fund: eight services and the pure premium, learnt on `train`, seen on `valid`.

Counts and amounts are per policy year. Poisson deviances are times 100; some services are so rare
that a model must know when to say little more than the mean.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.sets.problem import Features, Problem, read, spec_of
from riskengine.risk.folds import Split

_SERVICES = [
    "visits", "analysis", "dentistry", "mammography",
    "diagnostics", "hospitalizations", "endoscopy", "operations",
]  # fmt: skip
_FEATURES = Features(["age_at_inception"], ["relation", "gender"])
_KEYS: dict[str, object] = {"exposure": "policy_years"}


def problems(data: Path | None) -> Iterator[Problem]:
    frame = read(data, "eu_health_fund/members.parquet")
    frame["num_all"] = frame[[f"num_{name}" for name in _SERVICES]].sum(axis=1)
    frame["amt_all"] = frame[[f"amt_{name}" for name in _SERVICES]].sum(axis=1)
    of_train = (frame["group"] == "train").to_numpy()
    splits = [Split(np.flatnonzero(of_train), np.flatnonzero(~of_train))]
    yield _premium(frame, splits)
    for name in ["all", *_SERVICES]:
        model = {"name": name, "kind": "poisson", "target": f"num_{name}", **_KEYS}
        spec = spec_of(model, _FEATURES)
        yield Problem(name, spec, frame, splits, scale=100.0, crossed=True)


def _premium(frame: pd.DataFrame, splits: list[Split]) -> Problem:
    model = {"name": "premium", "kind": "tweedie", "target": "amt_all", "power": 1.5, **_KEYS}
    return Problem("pure premium", spec_of(model, _FEATURES), frame, splits, crossed=True)
