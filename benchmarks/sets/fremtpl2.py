"""French motor third-party claims: the split of Wüthrich and Merz, and one by equal covariates.

The deviance is a mean over policies, times 100. Many policies share all nine covariates with
another, so the second split keeps such policies on one side.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sklearn.model_selection import GroupShuffleSplit

from benchmarks.sets.problem import Features, Problem, read, spec_of
from riskengine.risk.folds import Split

_FEATURES = Features(
    ["VehPower", "VehAge", "DrivAge", "BonusMalus", "Density"],
    ["Area", "VehBrand", "VehGas", "Region"],
)
_MODEL: dict[str, object] = {
    "name": "claims", "kind": "poisson", "target": "ClaimNb", "exposure": "Exposure",
}  # fmt: skip


def problems(data: Path | None) -> Iterator[Problem]:
    frame = read(data, "fremtpl2/policies.parquet")
    names = [*_FEATURES.numeric, *_FEATURES.categorical]
    frame["alike"] = frame.groupby(names, observed=True).ngroup()
    learn = (frame["LearnTest"] == "L").to_numpy()
    published = Split(np.flatnonzero(learn), np.flatnonzero(~learn))
    chooser = GroupShuffleSplit(1, test_size=0.1, random_state=1)
    train, test = next(chooser.split(frame, groups=frame["alike"]))
    of_all = spec_of(_MODEL, _FEATURES)
    yield Problem("claims, LearnTest", of_all, frame, [published], 100.0, by_row=True, bar=23.55)
    of_groups = spec_of(_MODEL, _FEATURES, "alike")
    apart = [Split(np.asarray(train), np.asarray(test))]
    yield Problem("claims, by equal covariates", of_groups, frame, apart, 100.0, by_row=True)
