"""How far a feature's distribution has moved between two sets of profiles.

The population stability index over the deciles of the first set, missing values as a bin of their
own: sum of (q - p) ln(q / p). Below 0.1 is usually read as stable, above 0.25 as a shift (Siddiqi,
Credit Risk Scorecards, 2006).
"""

import numpy as np

from riskengine.vocabulary import AnyArray, FloatArray

STABLE, SHIFTED = 0.1, 0.25
_BINS = 10


def population_stability_index(before: AnyArray, after: AnyArray) -> float:
    """PSI of two samples of one feature, float64 with NaN or objects with None, (n,) and (m,).

    Half a row is added to every bin, so that an empty one does not make it infinite. NaN where a
    sample has no rows.

    >>> same = np.arange(1000.0)
    >>> round(population_stability_index(same, same), 6)
    0.0
    >>> round(population_stability_index(same, same + 300), 1)
    2.0
    """
    if not len(before) or not len(after):
        return float("nan")
    if before.dtype == object:
        levels = sorted({str(v) for v in [*before, *after] if v is not None})
        shares = [
            np.array([np.sum(side == level) for level in levels] + [np.sum(side == None)])  # noqa: E711
            for side in (before, after)
        ]
    else:
        edges = (
            np.unique(np.nanquantile(before, np.linspace(0, 1, _BINS + 1)[1:-1]))
            if np.any(~np.isnan(before))
            else np.array([])
        )
        shares = [_counts(side, edges) for side in (before, after)]
    p, q = ((count + 0.5) / np.sum(count + 0.5) for count in shares)
    return float(np.sum((q - p) * np.log(q / p)))


def _counts(values: FloatArray, edges: FloatArray) -> FloatArray:
    """Rows in (-inf, edge], (edge, next], ..., and missing ones."""
    known = values[~np.isnan(values)]
    inside = np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1)
    return np.append(inside, len(values) - len(known)).astype(np.float64)
