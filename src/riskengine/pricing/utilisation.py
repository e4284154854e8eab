"""Induced utilisation: richer cover is used more, and by how much, learnt from an experiment.

The factor is relative to free care and never falls as the actuarial value rises, so it cannot turn
the order of two plans around.
"""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator
from sklearn.isotonic import IsotonicRegression

from riskengine.errors import InputError
from riskengine.products.load import read_yaml
from riskengine.products.rate_book_numbers import Basis
from riskengine.vocabulary import FloatArray, Frozen


@dataclass(frozen=True)
class InducedUtilisation:
    """A curve through points: `factors` at `actuarial_values`, both rising and ending at (1, 1).

    Linear between points and level below the first.
    """

    actuarial_values: tuple[float, ...]
    factors: tuple[float, ...]

    def factor(self, actuarial_value: FloatArray) -> FloatArray:
        """The factor for each actuarial value.

        >>> InducedUtilisation((0.5, 1.0), (0.8, 1.0)).factor(np.array([0.2, 0.75])).tolist()
        [0.8, 0.9]
        """
        low, factors, slopes = (np.array(part) for part in self._lines)
        value = np.clip(actuarial_value, low[0], low[-1])
        place = np.searchsorted(low, value, side="right") - 1
        result: FloatArray = factors[place] + (value - low[place]) * slopes[place]
        return result

    def factor_of(self, actuarial_value: float) -> float:
        """The factor for one actuarial value, the same to the bit."""
        low, factors, slopes = self._lines
        value = min(max(actuarial_value, low[0]), low[-1])
        place = bisect_right(low, value) - 1
        return factors[place] + (value - low[place]) * slopes[place]

    @cached_property
    def _lines(self) -> tuple[list[float], list[float], list[float]]:
        """Where each line begins, the factor there, and its slope; the last one is level."""
        low, factors = [*self.actuarial_values], [*self.factors]
        ends = zip(pairwise(low), pairwise(factors), strict=True)
        return low, factors, [*((b - a) / (y - x) for (x, y), (a, b) in ends), 0.0]


class _Points(Frozen):
    """`utilisation.yaml` of a market."""

    market: str
    basis: Annotated[Basis, Field(strict=False)]
    reference: str = Field(min_length=1)
    actuarial_values: list[Annotated[float, Field(gt=0, le=1)]]
    factors: list[Annotated[float, Field(gt=0, le=1)]]

    @model_validator(mode="after")
    def rises_to_full_cover(self) -> "_Points":
        values, factors = self.actuarial_values, self.factors
        in_order = values == sorted(set(values)) and factors == sorted(factors)
        if not in_order or len(values) != len(factors) or (values[-1:], factors[-1:]) != ([1], [1]):
            message = "points must rise, one factor each, and end at 1 and 1"
            raise ValueError(message)
        return self


def read_induced_utilisation(folder: Path) -> InducedUtilisation:
    """The curve in the folder of a market (`utilisation.yaml`).

    Raises `SpecError` naming file, line and fault.
    """
    points = read_yaml(folder / "utilisation.yaml", _Points)
    return InducedUtilisation(tuple(points.actuarial_values), tuple(points.factors))


def fit_induced_utilisation(
    actuarial_value: FloatArray, relative_use: FloatArray, exposure: FloatArray
) -> InducedUtilisation:
    """A rising curve through groups that held different cover.

    Each group has its `actuarial_value`, its mean cost relative to the same members under free
    care (`relative_use`) and its `exposure`, (groups,). Isotonic regression pools what is out of
    order; factors above 1 are refused, for nothing is richer than free care.
    """
    if (actuarial_value <= 0).any() or (actuarial_value > 1).any():
        message = f"actuarial values must lie in (0, 1], not {actuarial_value.tolist()}"
        raise InputError(message)
    if (relative_use > 1 + 1e-9).any():
        message = f"use relative to free care is above 1: {relative_use.max():.4f}"
        raise InputError(message)
    order = np.argsort(actuarial_value, kind="stable")
    curve = IsotonicRegression().fit_transform(
        actuarial_value[order], relative_use[order], sample_weight=exposure[order]
    )
    points = dict(zip(actuarial_value[order].tolist(), curve.tolist(), strict=True))
    points[1.0] = 1.0
    return InducedUtilisation(tuple(points), tuple(points.values()))
