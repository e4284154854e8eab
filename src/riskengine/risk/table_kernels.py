"""The compiled loop over the GLM's tables, apart: importing numba takes a while."""

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def add_tables(  # noqa: PLR0913  numba takes a tuple apart more slowly than it reads a table
    columns: Any, first_point: Any, points: Any, first_value: Any, values: Any, missing: Any,
    rows: Any, found: Any,
) -> None:  # fmt: skip
    """What each table adds to each row, into `found` (n, tables, classes).

    `columns` (tables, 4) are the places of a column and of a second one (or -1), the level that the
    second must have (or -1: its code is added to that of the first), and how many it can have.
    """
    for row in range(len(rows)):
        for table in range(len(columns)):
            place, second, level, width = columns[table]
            value = rows[row, place]
            if second >= 0 and level < 0:
                value = value * width + rows[row, second]
            elif second >= 0 and rows[row, second] != level:
                value = np.nan
            start, end = first_point[table], first_point[table + 1]
            at = first_value[table]
            if np.isnan(value):
                found[row, table] = missing[table]
            elif start == end:
                found[row, table] = values[at + int(value)]
            elif value <= points[start]:
                found[row, table] = values[at]
            elif value >= points[end - 1]:
                found[row, table] = values[at + end - start - 1]
            else:
                low = start + np.searchsorted(points[start:end], value, side="right") - 1
                at += low - start
                along, step = value - points[low], points[low + 1] - points[low]
                for one in range(found.shape[2]):
                    slope = (values[at + 1, one] - values[at, one]) / step
                    found[row, table, one] = slope * along + values[at, one]
