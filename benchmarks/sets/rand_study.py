"""RAND Health Insurance Experiment: visits and spend, also from the year before; by person.

The rows have complete published columns; with prior use, those of people seen a year before.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold

from benchmarks.sets.problem import Features, MissingDataError, Problem, spec_of
from riskengine.errors import InputError
from riskengine.risk.folds import Split
from riskengine.sources.rand_hie import read_study

_NUMERIC = [
    "xage", "female", "child", "educdec", "income", "num", "black", "mhi", "disea", "physlm",
    "xghindx", "hlthg", "hlthf", "hlthp", "coins", "mdeoff", "pioff", "idp",
]  # fmt: skip
_USE = ["mdvis", "notmdvis", "meddol", "outpdol", "drugdol", "inpdol", "totadm"]
_MODELS: dict[str, dict[str, object]] = {
    "visits": {"name": "visits", "kind": "poisson", "target": "mdvis"},
    "spend": {"name": "spend", "kind": "tweedie", "target": "meddol", "power": 1.5},
    "spend, two-part": {"name": "spend", "kind": "two_part", "target": "meddol", "power": 1.5},
}


def problems(_data: Path | None) -> Iterator[Problem]:
    try:
        study = read_study().dropna(subset=["educdec", "mdeoff", "pioff"])
    except InputError as error:
        raise MissingDataError(str(error)) from error
    study = study.sort_values(["zper", "year"], ignore_index=True)
    yield from _of(study, _NUMERIC, "published columns", {"visits": 3.755, "spend": None})
    bars = {"visits": None, "spend": 30.80, "spend, two-part": 30.80}
    with_prior, names = _with_prior_use(study)
    yield from _of(with_prior, [*_NUMERIC, *names], "with prior-year use", bars)


def _with_prior_use(study: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Rows with an earlier year of the same person, and that year's use per unit of exposure."""
    earlier = study.groupby("zper")[[*_USE, "time"]].shift(1)
    names = [f"prior_{name}" for name in _USE]
    prior = earlier[_USE].div(earlier["time"], axis=0).set_axis(names, axis=1)
    return study.join(prior)[earlier["time"].notna()].reset_index(drop=True), names


def _of(
    frame: pd.DataFrame, numeric: list[str], columns: str, bars: dict[str, float | None]
) -> Iterator[Problem]:
    folds = GroupKFold(5).split(frame, groups=frame["zper"])
    splits = [Split(np.asarray(train), np.asarray(test)) for train, test in folds]
    for name, bar in bars.items():
        model = {**_MODELS[name], "exposure": "time"}
        spec = spec_of(model, Features(numeric, ["site"]), "zper")
        yield Problem(f"{name}, {columns}", spec, frame, splits, bar=bar)
