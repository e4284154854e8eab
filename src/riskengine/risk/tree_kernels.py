"""The compiled loops of `riskengine.risk.fast_trees`, apart: importing numba takes a while."""

from typing import Any

import numpy as np
from numba import njit

_BLOCK = 128
_ZERO = float(np.float32(1e-35))
"""LightGBM takes numbers up to this one for 0."""


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _rank(cuts: Any, first: int, end: int, value: float) -> Any:
    """How many cuts lie below `value`."""
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
def _place(forest: Any, column: int, value: float) -> Any:
    """The rank of a number or the code of a category; all codes without a level are one."""
    first, end = forest.first_cut[column], forest.first_cut[column + 1]
    if np.isnan(value):
        return forest.missing[column]
    if end > first:
        return _rank(forest.cuts, first, end, 0.0 if abs(value) <= _ZERO else value)
    # LightGBM cuts the fraction off: what is above -1 is code 0.
    return int(value) if value > -1.0 and value < forest.missing[column] else forest.missing[column]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def few(forest: Any, rows: Any, how: Any, found: Any) -> None:
    """Row by row: adds the leaf of each tree to `found` (slots, n)."""
    magic, shift, full = how
    ranks = np.empty(len(forest.feature), dtype=np.int32)
    alive = np.empty(1, dtype=forest.mask.dtype)
    for row in range(len(rows)):
        for column in range(len(ranks)):
            ranks[column] = _place(forest, column, rows[row, forest.feature[column]])
        for tree in range(len(forest.slot)):
            alive[0] = full
            for node in range(forest.first_node[tree], forest.first_node[tree + 1]):
                told, rank = ranks[forest.column[node]], forest.rank[node]
                if not (told <= rank if rank >= 0 else forest.levels[-1 - rank, told]):
                    alive[0] &= forest.mask[node]
            # Stored at each turn: numba would else go on with 64 bits of the product.
            alive[0] &= ~alive[0] + 1
            alive[0] *= magic
            found[forest.slot[tree], row] += forest.values[tree, alive[0] >> shift]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def block(forest: Any, rows: Any, how: Any, found: Any) -> None:
    """Block by block, each node over all rows of the block."""
    magic, shift, full = how
    ranks = np.empty((len(forest.feature), _BLOCK), dtype=np.int32)
    alive = np.empty(_BLOCK, dtype=forest.mask.dtype)
    for start in range(0, len(rows), _BLOCK):
        size = min(_BLOCK, len(rows) - start)
        for column in range(len(forest.feature)):
            feature = forest.feature[column]
            for row in range(size):
                ranks[column, row] = _place(forest, column, rows[start + row, feature])
        for tree in range(len(forest.slot)):
            alive[:] = full
            for node in range(forest.first_node[tree], forest.first_node[tree + 1]):
                told = ranks[forest.column[node]]
                rank, mask = forest.rank[node], forest.mask[node]
                if rank >= 0:
                    for row in range(_BLOCK):
                        alive[row] &= full if told[row] <= rank else mask
                else:
                    goes_left = forest.levels[-1 - rank]
                    for row in range(size):
                        alive[row] &= full if goes_left[told[row]] else mask
            slot = forest.slot[tree]
            for row in range(size):
                alive[row] &= ~alive[row] + 1
                alive[row] *= magic
                found[slot, start + row] += forest.values[tree, alive[row] >> shift]
