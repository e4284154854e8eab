"""The compiled loop of `riskengine.risk.fast_trees`, apart: importing numba takes a while."""

from typing import Any

import numpy as np
from numba import njit

_ROWS = 4
_ZERO = float(np.float32(1e-35))
"""LightGBM takes numbers up to this one for 0."""


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _place(cuts: Any, first: int, end: int, missing: int, value: float) -> Any:
    """The rank of a number or the code of a category; all codes without a level are one."""
    if np.isnan(value):
        return missing
    if end == first:
        # LightGBM cuts the fraction off: what is above -1 is code 0.
        return int(value) if value > -1.0 and value < missing else missing
    if abs(value) <= _ZERO:
        value = 0.0
    low, size = first, end - first
    while size > 0:
        half = size >> 1
        if cuts[low + half] < value:
            low += half + 1
            size -= half + 1
        else:
            size = half
    return low - first


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def score(  # noqa: PLR0913  numba takes a tuple apart more slowly than it scores a row
    feature: Any, missing: Any, cuts: Any, first_cut: Any, struck: Any, first_struck: Any,
    tree: Any, mask: Any, first_node: Any, states: Any, first_state: Any, first_tree: Any,
    values: Any, stride: int, magic: Any, shift: Any, rows: Any, found: Any,
) -> None:  # fmt: skip
    """The sums of leaves of each row, into `found` (n, slots)."""
    trees, one = len(values), mask.dtype.type(1)
    alive = np.empty((_ROWS, trees), dtype=mask.dtype)
    for start in range(0, len(rows), _ROWS):
        size = min(_ROWS, len(rows) - start)
        for row in range(size):
            mine = alive[row]
            mine[:] = ~mask.dtype.type(0)
            for column in range(len(feature)):
                first, end = first_cut[column], first_cut[column + 1]
                value = rows[start + row, feature[column]]
                rank = _place(cuts, first, end, missing[column], value)
                nodes = struck[first_struck[column] + rank]
                kept = nodes // stride
                state = states[first_state[column] + kept]
                for at in range(trees):
                    mine[at] &= state[at]
                for node in range(first_node[column] + kept * stride, first_node[column] + nodes):
                    mine[tree[node]] &= mask[node]
            # Stored at each turn, or numba would go on with 64 bits of the product.
            for at in range(trees):
                mine[at] &= ~mine[at] + one
            for at in range(trees):
                mine[at] *= magic
        for slot in range(found.shape[1]):
            first, end = first_tree[slot], first_tree[slot + 1]
            if size == _ROWS:
                # Sums that do not wait for each other.
                a = b = c = d = 0.0
                for at in range(first, end):
                    a += values[at, alive[0, at] >> shift]
                    b += values[at, alive[1, at] >> shift]
                    c += values[at, alive[2, at] >> shift]
                    d += values[at, alive[3, at] >> shift]
                found[start, slot], found[start + 1, slot] = a, b
                found[start + 2, slot], found[start + 3, slot] = c, d
            else:
                for row in range(size):
                    total = 0.0
                    for at in range(first, end):
                        total += values[at, alive[row, at] >> shift]
                    found[start + row, slot] = total
