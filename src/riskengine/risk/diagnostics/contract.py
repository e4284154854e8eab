"""What every diagnostic asks of its arrays, checked once: one length, finite, some exposure.

A statistic of a NaN is a NaN, which passes for a number in a report; so it is refused here.
"""

import numpy as np

from riskengine.errors import InputError
from riskengine.vocabulary import AnyArray, BoolArray, FloatArray


def require_rows(exposure: FloatArray, **columns: AnyArray) -> None:
    """Raise `InputError` unless all have as many rows as `exposure`, and numbers are finite.

    `exposure` (n,) is at least 0 and not 0 throughout.

    >>> require_rows(np.ones(2), actual=np.array([0.0, np.nan]))
    Traceback (most recent call last):
    riskengine.errors.InputError: actual of row 1 is nan: drop or mend rows that are not finite
    """
    for name, column in {"exposure": exposure, **columns}.items():
        if len(column) != len(exposure):
            message = f"{name} has {len(column)} rows and exposure {len(exposure)}: give one each"
            raise InputError(message)
        if np.issubdtype(column.dtype, np.number):
            finite = np.isfinite(column) if column.ndim == 1 else np.isfinite(column).all(axis=1)
            refuse(~finite, column, name, "drop or mend rows that are not finite")
    refuse(exposure < 0, exposure, "exposure", "give 0 or more")
    if not np.sum(exposure) > 0:
        message = f"exposure of {len(exposure)} rows sums to 0: there is nothing to measure"
        raise InputError(message)


def require_one_length(**columns: AnyArray) -> None:
    """Raise `InputError` unless the columns have the same number of rows, at least one."""
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1 or not all(lengths.values()):
        words = ", ".join(f"{name} {length}" for name, length in lengths.items())
        message = f"columns need equal lengths above 0, got {words}"
        raise InputError(message)


def refuse(wrong: BoolArray, column: AnyArray, name: str, advice: str) -> None:
    """Raise `InputError` naming the first row that is `wrong` (n,), its value and what to do."""
    if np.any(wrong):
        row = int(np.argmax(wrong))
        message = f"{name} of row {row} is {column[row]}: {advice}"
        raise InputError(message)
