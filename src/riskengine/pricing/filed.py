"""The filed premium: what the technical premium becomes on the factors that the rate book permits.

`filed premium = base rate x relativity of each permitted factor`. The base rate is off-balance: the
book's filed total is its technical total. A member's own technical premium enters nowhere, so what
a market forbids cannot reach the price. The relativities are those of the tariff's tables;
`fitted` proposes tables that follow the technical premium as far as the factors can.
"""

from collections.abc import Mapping

import numpy as np
from scipy.optimize import brentq

from riskengine.errors import AnswerError, InputError, Problem
from riskengine.pricing.premium import Planned, Step, run
from riskengine.products.rate_book_edition import Tariff
from riskengine.products.rate_book_factors import FactorRow, FactorTable
from riskengine.vocabulary import BoolArray, Columns, FloatArray, IntArray, Operation

_SWEEPS, _TOLERANCE = 1000, 1e-12


def rating_problems(tariff: Tariff, columns: Columns) -> list[Problem]:
    """Every value that the tariff has no relativity for, with what it knows; empty: all priceable.

    `columns` (n,) by name must hold each factor of the tariff; one that is absent is a problem of
    row 0.
    """
    problems = []
    for table in tariff.factors:
        absent = [name for name in table.reads if name not in columns]
        problems += [Problem(0, n, "", f"is missing: give it, {table.allowed}") for n in absent]
        if not absent:
            values = columns[table.factor]
            problems += [
                Problem(
                    row,
                    table.factor,
                    str(values[row]),
                    f"tariff {tariff.tariff} is for {table.allowed}: no price outside it",
                )
                for row in np.isnan(table.relativity(columns)).nonzero()[0].tolist()
            ]
    return problems


def relativities(tariff: Tariff, columns: Columns) -> dict[str, FloatArray]:
    """The relativity of each factor for n members, (n,) each.

    Raises `AnswerError` as `rating_problems` finds them.
    """
    needed = {name for table in tariff.factors for name in table.reads}
    if needed <= columns.keys():
        found = {table.factor: table.relativity(columns) for table in tariff.factors}
        if not any(np.isnan(values).any() for values in found.values()):
            return found
    raise AnswerError(rating_problems(tariff, columns))


def off_balance(
    tariff: Tariff,
    technical: FloatArray,
    exposure: FloatArray,
    columns: Columns,
    charged: BoolArray | None = None,
) -> float:
    """The base rate under which the book's filed total is its technical total.

    `sum(exposure * technical) / sum(exposure * product of relativities)`, in the unit of
    `technical` (n,), currency a year. The lower sum is over the `charged` (n,) only, so that the
    others carry whom a household does not pay for. Raises `InputError` for a book without premium
    and as `relativities`.
    """
    total = float(np.sum(exposure * technical))
    weight = exposure if charged is None else exposure * charged
    rated = float(np.sum(weight * _product(relativities(tariff, columns), len(technical))))
    if not (np.isfinite(total) and total > 0 and (exposure >= 0).all() and rated > 0):
        message = f"a book of technical premium {total} has no base rate: give exposed members"
        raise InputError(message)
    return total / rated


def filed_premium(base_rate: float, tariff: Tariff, columns: Columns) -> tuple[Step, ...]:
    """The steps from the base rate (currency a year) to the filed premium of n members.

    Raises `AnswerError` as `relativities`.
    """
    return filed_steps(base_rate, relativities(tariff, columns))


def filed_steps(base_rate: float, found: Mapping[str, FloatArray]) -> tuple[Step, ...]:
    """The same from `relativities` found before, (n,) by factor: many plans share a tariff."""
    planned: list[Planned] = [("base_rate", Operation.START, base_rate)]
    planned += [(name, Operation.MULTIPLY, values) for name, values in found.items()]
    return run(planned, np.zeros(len(next(iter(found.values())))))


def fitted(
    tariff: Tariff,
    technical: FloatArray,
    exposure: FloatArray,
    columns: Columns,
    *,
    limited: bool = True,
) -> Tariff:
    """The tariff with the relativities that follow the technical premium best.

    The method of marginal totals (Bailey, 1963; Jung, 1968): every level's filed total is its
    technical one. A factor with a `maximum_ratio` keeps to it, by the Poisson likelihood within
    the bound, unless `limited` is False. The level of most exposure has relativity 1; a level that
    nobody has keeps the one it had. Raises `InputError` where the sweeps do not settle, and as
    `relativities`.
    """
    relativities(tariff, columns)
    codes = {table.factor: _codes(table, columns) for table in tariff.factors}
    values = {table.factor: table.relativities for table in tariff.factors}
    weighted = exposure * technical
    for _ in range(_SWEEPS):
        before = np.concatenate(list(values.values()))
        for table in tariff.factors:
            values[table.factor] = _marginal(table, codes, values, weighted, (exposure, limited))
        after = np.concatenate(list(values.values()))
        if np.max(np.abs(after / before - 1)) < _TOLERANCE:
            break
    else:
        message = f"tariff {tariff.tariff}: the factors do not settle; merge thin levels"
        raise InputError(message)
    tables = tuple(
        _with_relativities(table, values[table.factor], limited) for table in tariff.factors
    )
    return tariff.model_copy(update={"factors": tables})


def _codes(table: FactorTable, columns: Columns) -> IntArray:
    """The row of each member; -1 where the factor does not apply for the age."""
    at = table.positions(columns[table.factor])
    return at if table.from_age is None else np.where(table.too_young(columns), -1, at)


def _marginal(
    table: FactorTable,
    codes: Mapping[str, IntArray],
    values: Mapping[str, FloatArray],
    weighted: FloatArray,
    how: tuple[FloatArray, bool],
) -> FloatArray:
    """One factor's relativities, given all others: level by level, observed over expected."""
    exposure, limited = how
    each = {name: np.where(at < 0, 1.0, values[name][at]) for name, at in codes.items()}
    expected = _product({n: v for n, v in each.items() if n != table.factor}, len(exposure))
    expected = expected * exposure
    base_rate = float(weighted.sum() / np.sum(expected * each[table.factor]))
    at, rows = codes[table.factor], len(table.rows)
    here = at >= 0
    observed, modelled, exposed = (
        np.bincount(at[here], total[here], rows).astype(np.float64)
        for total in (weighted, base_rate * expected, exposure)
    )
    found = values[table.factor].copy()
    known = (exposed > 0) & (observed > 0)
    np.divide(observed, modelled, out=found, where=known)
    base_level = int(np.argmax(exposed))
    if table.from_age is not None:
        found[base_level] = 1.0
    if limited and table.maximum_ratio is not None:
        found = _within(table, found, np.where(known, modelled, 0.0))
    return found if table.from_age is not None else found / found[base_level]


def _within(table: FactorTable, found: FloatArray, modelled: FloatArray) -> FloatArray:
    """`found` moved into [a, ratio * a], with the `a` of highest Poisson likelihood.

    There what is moved keeps its total: the sum of modelled * (moved - found) is 0. A factor that
    begins at an age is a load on those below it, so its `a` is 1.
    """
    ratio = np.inf if table.maximum_ratio is None else table.maximum_ratio.value
    bound = np.array(table.limited)
    free, weight = found[bound], modelled[bound]
    seen = free[weight > 0]
    if not len(seen):
        return found

    def slope(lowest: float) -> float:
        return float(np.sum(weight * (np.clip(free, lowest, ratio * lowest) - free)))

    lowest = float(seen.min())
    if table.from_age is not None:
        lowest = 1.0
    elif seen.max() > ratio * lowest:
        lowest = brentq(slope, lowest, float(seen.max()) / ratio, xtol=1e-15)
    result = found.copy()
    result[bound] = np.clip(free, lowest, ratio * lowest)
    return result


def _with_relativities(table: FactorTable, values: FloatArray, limited: bool) -> FactorTable:
    rows = tuple(
        FactorRow(level=row.level, low=row.low, high=row.high, relativity=value)
        for row, value in zip(table.rows, values.tolist(), strict=True)
    )
    update: dict[str, object] = {"rows": rows}
    return table.model_copy(update=update if limited else {**update, "maximum_ratio": None})


def _product(found: Mapping[str, FloatArray], size: int) -> FloatArray:
    result = np.ones(size)
    for values in found.values():
        result = result * values
    return result
