"""COIL 2000, who owns a caravan policy: few owners, 85 coarse variables, variance decides.

From the package ISLP where it is installed, else from `caravan.parquet` of the folder of data; ISLP
pins old versions and wants an environment of its own.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import RepeatedStratifiedKFold

from benchmarks.sets.problem import Features, Problem, read, spec_of
from riskengine.risk.folds import Split


def problems(data: Path | None) -> Iterator[Problem]:
    frame = _frame(data)
    frame["owner"] = (frame["Purchase"].astype(str) == "Yes").astype(np.int64)
    numeric = [name for name in frame.columns if name not in {"Purchase", "owner", "MOSTYPE"}]
    spec = spec_of(
        {"name": "owner", "kind": "binary", "target": "owner"}, Features(numeric, ["MOSTYPE"])
    )
    chooser = RepeatedStratifiedKFold(n_splits=5, n_repeats=5, random_state=1)
    splits = [Split(np.asarray(a), np.asarray(b)) for a, b in chooser.split(frame, frame["owner"])]
    yield Problem("owner", spec, frame, splits)


def _frame(data: Path | None) -> pd.DataFrame:
    try:
        from ISLP import load_data
    except ImportError:
        return read(data, "caravan.parquet")
    return pd.DataFrame(load_data("Caravan"))
