"""The levels that experience is broken down by: names as they are, numbers in bands.

Bands hold equal exposure, so that no band says little; missing values are a level of their own.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from riskengine.errors import InputError
from riskengine.vocabulary import AnyArray, FloatArray, IntArray

MISSING = "missing"


@dataclass(frozen=True, eq=False)
class Levels:
    """Names of levels in order, and the position of each row's level, `code` (n,)."""

    names: tuple[str, ...]
    code: IntArray


def equal_exposure_bands(order_by: FloatArray, exposure: FloatArray, count: int) -> IntArray:
    """Band 0..count-1 of each row: bands of equal exposure, from the lowest `order_by` up.

    Equal values share a band.

    >>> equal_exposure_bands(np.array([3.0, 1.0, 2.0, 4.0]), np.ones(4), 2).tolist()
    [1, 0, 0, 1]
    """
    values, block = np.unique(order_by, return_inverse=True)
    weight = np.bincount(block, weights=exposure, minlength=len(values))
    middle = (np.cumsum(weight) - weight / 2) / weight.sum()
    bands: IntArray = np.minimum((middle * count).astype(np.int64), count - 1)[block]
    return bands


def levels_in_order(values: AnyArray) -> Levels:
    """Each distinct value is a level: numbers by size, words by letter, missing ones last.

    `values` (n,) of any kind, missing as NaN or None.

    >>> levels_in_order(np.array(["b", None, "a"], dtype=object)).names
    ('a', 'b', 'missing')
    """
    missing = _is_missing(values)
    present = values[~missing]
    if values.dtype == object and len({type(value) for value in present}) > 1:
        present = present.astype(str)
    distinct, inverse = np.unique(present, return_inverse=True)
    code = np.full(len(values), len(distinct), dtype=np.int64)
    code[~missing] = inverse
    names = tuple(_name(value) for value in distinct.tolist())
    return Levels(names + (MISSING,) * bool(missing.any()), code)


def levels_of(values: AnyArray, exposure: FloatArray, bands: int) -> Levels:
    """As `levels_in_order`, but numbers with more than `bands` distinct values are banded.

    Bands hold equal `exposure` (n,) and are named by their least and greatest value.

    >>> levels_of(np.array([1.0, 2.0, 3.0, 5.0]), np.ones(4), 2).names
    ('1 to 2', '3 to 5')
    """
    plain = levels_in_order(values)
    if not np.issubdtype(values.dtype, np.number):
        return plain
    numbers = values.astype(np.float64)
    present = ~np.isnan(numbers)
    if len(plain.names) - (not present.all()) <= bands:
        return plain
    band = equal_exposure_bands(numbers[present], exposure[present], bands)
    used, position = np.unique(band, return_inverse=True)
    names = []
    for place in range(len(used)):
        inside = numbers[present][position == place]
        names.append(f"{inside.min():g} to {inside.max():g}")
    code = np.full(len(values), len(used), dtype=np.int64)
    code[present] = position
    return Levels((*names, *(() if present.all() else (MISSING,))), code)


def crossed(first: Levels, second: Levels) -> tuple[tuple[tuple[str, str], ...], IntArray]:
    """Pairs of levels that occur together, and the position of each row's pair (n,).

    >>> sex, region = levels_in_order(np.array(["f", "m"])), levels_in_order(np.array(["w", "e"]))
    >>> crossed(sex, region)[0]
    (('f', 'w'), ('m', 'e'))
    """
    pair = first.code * len(second.names) + second.code
    used, code = np.unique(pair, return_inverse=True)
    names = tuple(
        (first.names[index // len(second.names)], second.names[index % len(second.names)])
        for index in used.tolist()
    )
    return names, np.asarray(code, dtype=np.int64)


def require_known(names: Iterable[str], what: str) -> None:
    """Raise `InputError` when there are no names of `what`."""
    if not list(names):
        message = f"no {what} given: name at least one"
        raise InputError(message)


def _is_missing(values: AnyArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    if values.dtype == object:
        return np.array([value is None or value != value for value in values], dtype=np.bool_)
    if np.issubdtype(values.dtype, np.floating):
        return np.isnan(values)
    return np.zeros(len(values), dtype=np.bool_)


def _name(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
