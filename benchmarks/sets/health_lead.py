"""Leads for health insurance: who answers what was recommended; thousands of regions."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sklearn.model_selection import KFold

from benchmarks.sets.problem import Features, Problem, read, spec_of
from riskengine.risk.folds import Split
from riskengine.risk.spec import BaggingSection

_FEATURES = Features(
    ["Upper_Age", "Lower_Age", "Reco_Policy_Premium"],
    [
        "City_Code", "Region_Code", "Accomodation_Type", "Reco_Insurance_Type", "Is_Spouse",
        "Health Indicator", "Holding_Policy_Duration", "Holding_Policy_Type", "Reco_Policy_Cat",
    ],
)  # fmt: skip


def problems(data: Path | None) -> Iterator[Problem]:
    frame = read(data, "health_lead/leads.parquet")
    spec = spec_of({"name": "response", "kind": "binary", "target": "Response"}, _FEATURES)
    folds = KFold(5, shuffle=True, random_state=2021).split(frame)
    splits = [Split(np.asarray(train), np.asarray(test)) for train, test in folds]
    yield Problem("response", spec, frame, splits, bar=0.806)
    bagged = spec.model_copy(update={"bagging": BaggingSection(seeds=5)})
    yield Problem("response, bagged over 5 seeds", bagged, frame, splits, bar=0.806)
