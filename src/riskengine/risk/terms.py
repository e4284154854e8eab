"""A fitted GLM as tables: all that predicting needs, without the libraries that fit it."""

from dataclasses import dataclass

import numpy as np

from riskengine.vocabulary import FloatArray


@dataclass(frozen=True, eq=False)
class FactorTable:
    """What one column of a matrix adds to the linear predictor, (points, classes).

    At rising `points` of a number, linear between and flat outside; at codes 0, 1, ... of a level,
    where `points` is empty. `missing` (classes,) is what a missing value or unseen level adds.
    """

    points: FloatArray
    values: FloatArray
    missing: FloatArray

    def score(self, column: FloatArray) -> FloatArray:
        """What each row of a column adds, (n, classes); the same for a row alone."""
        absent = np.isnan(column)
        found = np.empty((len(column), self.values.shape[1]))
        if len(self.points):
            known = np.where(absent, self.points[0], column)
            for place in range(found.shape[1]):
                found[:, place] = np.interp(known, self.points, self.values[:, place])
        else:
            found[:] = self.values[np.where(absent, 0, column).astype(np.int64)]
        return np.where(absent[:, None], self.missing, found)
