"""What every rival gets and is judged by: one target of one data set on fixed splits.

The spec is the smallest that a user can write: outcome, features and folds, no settings. The rows
held out play no part in any fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from riskengine.risk.diagnostics import unit_poisson_deviance, unit_tweedie_deviance
from riskengine.risk.folds import Split
from riskengine.risk.spec import Kind, ModelSpec, parse_spec
from riskengine.vocabulary import FloatArray


class MissingDataError(Exception):
    """The data of a set are not where they should be."""


@dataclass(frozen=True, eq=False)
class Problem:
    """One target and its splits.

    Deviances are multiplied by `scale`, and are means over rows rather than over exposure where
    `by_row`; a binary target is judged by AUC, the mean over splits. `crossed` gives the GLM all
    pairwise interactions. `member` (n,) says whose row is whose. `bar` is the number to reach.
    """

    label: str
    spec: ModelSpec
    frame: pd.DataFrame
    splits: Sequence[Split]
    scale: float = 1.0
    by_row: bool = False
    crossed: bool = False
    bar: float | None = None

    @property
    def binary(self) -> bool:
        return self.spec.model.kind is Kind.BINARY

    @property
    def exposure(self) -> FloatArray:
        """Exposure (n,), 1 where the spec names none."""
        return exposure_of(self.spec, self.frame)

    @property
    def actual(self) -> FloatArray:
        """Outcome per unit of exposure, (n,)."""
        return actual_of(self.spec, self.frame)

    @property
    def member(self) -> np.ndarray:
        """Whose row is whose, (n,)."""
        group = self.spec.folds.group
        return np.arange(len(self.frame)) if group is None else self.frame[group].to_numpy()

    def deviance(self, actual: FloatArray, expected: FloatArray) -> FloatArray:
        """Unit deviances (n,) of the kind of the spec, times `scale`."""
        if self.spec.model.kind is Kind.POISSON:
            return self.scale * unit_poisson_deviance(actual, expected)
        return self.scale * unit_tweedie_deviance(actual, expected, self.spec.model.power)


def exposure_of(spec: ModelSpec, frame: pd.DataFrame) -> FloatArray:
    """Exposure (n,), 1 where the spec names none."""
    name = spec.model.exposure
    return np.ones(len(frame)) if name is None else frame[name].to_numpy(np.float64)


def actual_of(spec: ModelSpec, frame: pd.DataFrame) -> FloatArray:
    """Outcome per unit of exposure, (n,)."""
    return frame[spec.model.outcomes[-1]].to_numpy(np.float64) / exposure_of(spec, frame)


@dataclass(frozen=True)
class Features:
    """Names of the features of a minimal spec."""

    numeric: Sequence[str] = ()
    categorical: Sequence[str] = ()


def minimal_spec(model: dict[str, object], features: Features, group: str | None = None) -> str:
    """A spec of outcome, features and folds alone, as TOML; `model` is its first section."""

    def quoted(names: Sequence[str]) -> str:
        return "[" + ", ".join(f'"{name}"' for name in names) + "]"

    said = [f"{k} = {v}" if isinstance(v, float) else f'{k} = "{v}"' for k, v in model.items()]
    lines = ["[model]", *said, "[features]"]
    lines += [f"numeric = {quoted(features.numeric)}"]
    lines += [f"categorical = {quoted(features.categorical)}", "[folds]"]
    return "\n".join(lines + ([f'group = "{group}"'] if group else [])) + "\n"


def spec_of(model: dict[str, object], features: Features, group: str | None = None) -> ModelSpec:
    """The minimal spec, through its text, as a user would write it."""
    return parse_spec(minimal_spec(model, features, group))


def read(data: Path | None, name: str) -> pd.DataFrame:
    """A Parquet file of the folder of data; `MissingDataError` where it is not there."""
    if data is None or not (data / name).is_file():
        message = f"{name} is not there: give its folder by --data"
        raise MissingDataError(message)
    return pd.read_parquet(data / name)
