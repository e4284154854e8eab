"""The rows a model is judged by, with its predictions of them and those of the yardsticks.

Left out: where the rows come from (`riskengine.risk.evidence`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from riskengine.risk.diagnostics.deviance import Family, Loss
from riskengine.vocabulary import FloatArray, IntArray

MODEL, GLM, MEAN = "model", "glm", "mean"
"""The names of competing predictions; the mean orders nobody."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Outcomes (n,) per unit of `weight` (n,) and competing predictions of them.

    `predictions` are (n,), of classes (n, classes), and hold `MODEL`. `member` (n,) says whose row
    it is and `fold` (n,) which models did not see it, None where none did. `of` is the class, where
    the outcome is whether a row is of that class, else empty.
    """

    actual: FloatArray
    weight: FloatArray
    member: IntArray
    fold: IntArray | None
    predictions: Mapping[str, FloatArray]
    loss: Loss
    of: str = ""

    @property
    def expected(self) -> FloatArray:
        """The model's own predictions, (n,) or (n, classes)."""
        return self.predictions[MODEL]

    @property
    def rows(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Actual, expected and exposure, as the diagnostics take them."""
        return self.actual, self.expected, self.weight

    def by_class(self, classes: Sequence[str], most: int) -> tuple["Judged", ...]:
        """One yes-or-no outcome for each of the `most` commonest classes, in their order; the rows
        themselves where there are no classes.

        >>> rows = Judged(np.array([0.0, 1.0]), np.ones(2), np.arange(2), None,
        ...     {MODEL: np.array([[0.75, 0.25], [0.5, 0.5]])}, Loss(Family.MULTICLASS))
        >>> [(one.of, one.actual.tolist(), one.expected.tolist())
        ...     for one in rows.by_class(("cash", "card"), 1)]
        [('cash', [1.0, 0.0], [0.75, 0.5])]
        """
        if not classes:
            return (self,)
        counts = np.bincount(self.actual.astype(np.int64), self.weight, len(classes))
        kept = np.sort(np.argsort(-counts, kind="stable")[:most]).tolist()
        return tuple(
            replace(
                self,
                actual=(self.actual == place).astype(np.float64),
                predictions={n: found[:, place] for n, found in self.predictions.items()},
                loss=Loss(Family.BINARY),
                of=classes[place],
            )
            for place in kept
        )
