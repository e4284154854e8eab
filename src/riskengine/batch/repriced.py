"""The kernel of repricing: a table of policies in, the same policies with their prices out.

One function for every way to run it: chunks on one machine, partitions on Spark, a table in a
notebook. Columns from end to end; a row that cannot be priced is set aside with the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pyarrow.compute as pc

from riskengine import market_engine
from riskengine.any_release import (
    AnyRelease,
    BookPrice,
    book_problems,
    price_book,
    read_release,
    renewal_market,
    step_names,
)
from riskengine.batch.portfolio import (
    EFFECTIVE,
    EXPIRING,
    EXPIRING_STEP,
    IDENTITY,
    amounts,
    plain,
    portfolio_columns,
    row_reasons,
    texts,
)
from riskengine.errors import InputError, ReleaseError, RiskEngineError
from riskengine.market_release import MarketRelease
from riskengine.pricing.impact import RateChange, reason_codes, standing_parts, toward
from riskengine.pricing.premium import CENT, round_half_up
from riskengine.products.underwriting import Severity, Underwriting
from riskengine.release_files import check_release_files
from riskengine.vocabulary import AnyArray, BoolArray, Columns, FloatArray, IntArray

REASONS = 3
STEP = "step_"
ODD_ANSWER = "odd_answer"
"""The flag of an answer that underwriting cannot use: it refers, as one not given does."""
_FREE = RateChange()
_MONEY = arrow.decimal128(14, 2)


@dataclass(frozen=True)
class Pricing:
    """What prices a book: folders of releases with their hashes, the day of renewal, bounds.

    The first release is the one of the premium offered; the others stand beside it. `bounds` limit
    the change at renewal, beyond what a rate book does itself.
    """

    folders: tuple[Path, ...]
    hashes: tuple[str, ...]
    as_of: date
    bounds: RateChange = _FREE


def pricing_of(folders: tuple[Path, ...], as_of: date, bounds: RateChange | None = None) -> Pricing:
    """The same with the hashes of the releases as they are; raises `ReleaseError` as readers do."""
    hashes = tuple(check_release_files(folder)[0] for folder in folders)
    if len(set(hashes)) < len(hashes):
        message = f"a release is named twice: {', '.join(one[:12] for one in hashes)}"
        raise InputError(message)
    resolved = tuple(folder.resolve() for folder in folders)
    return Pricing(resolved, hashes, as_of, bounds or _FREE)


@lru_cache(maxsize=2)
def kernel_of(pricing: Pricing) -> "Kernel":
    """The kernel, read once by each process.

    Raises `ReleaseError` where a folder holds another release by now, `InputError` for releases of
    two currencies, `UnknownNameError` for a day that a release does not price.
    """
    releases = tuple(read_release(folder) for folder in pricing.folders)
    for folder, release, known in zip(pricing.folders, releases, pricing.hashes, strict=True):
        if release.hash != known:
            message = f"{folder} holds release {release.hash[:12]}, no longer {known[:12]}"
            raise ReleaseError(message)
    currencies = {release.catalogue.currency for release in releases}
    if len(currencies) > 1:
        message = f"the releases are in {' and '.join(sorted(currencies))}: price one market a run"
        raise InputError(message)
    for release in releases:
        renewal_market(release, pricing.as_of)
    return Kernel(releases, pricing)


@dataclass(frozen=True, eq=False)
class Priced:
    """Policies priced, (n,) rows, and by row of what came in the reasons of those that were not."""

    table: arrow.Table
    reasons: dict[int, str]


@dataclass(frozen=True, eq=False)
class Kernel:
    """Releases read, and how they price."""

    releases: tuple[AnyRelease, ...]
    pricing: Pricing

    @cached_property
    def steps(self) -> tuple[str, ...]:
        """The steps of the first release's premiums."""
        return step_names(self.releases[0], self.pricing.as_of)

    @property
    def beside(self) -> tuple[str, ...]:
        """What the columns of each further release end in: the start of its hash."""
        return tuple(release.hash[:8] for release in self.releases[1:])

    @property
    def bounded(self) -> bool:
        """Whether bounds on the change were asked for."""
        return self.pricing.bounds != _FREE

    @cached_property
    def schema(self) -> arrow.Schema:
        """The columns that come out, the same for every chunk of every portfolio."""
        number, text = arrow.float64(), arrow.string()
        fields = [(name, text) for name in IDENTITY]
        fields += [(EFFECTIVE, arrow.date32()), (EXPIRING, number)]
        fields += [("expected_plan_paid", number), ("technical_premium", number)]
        fields += [("offered_premium", _MONEY)]
        fields += [("bounded_premium", _MONEY)] if self.bounded else []
        fields += [("change", number)]
        fields += [(f"reason_{place}", text) for place in range(1, REASONS + 1)]
        fields += [("underwriting", text), ("underwriting_flags", arrow.list_(text))]
        fields += [(f"{STEP}{name}", number) for name in self.steps]
        for name in self.beside:
            fields += [(f"technical_premium_{name}", number), (f"offered_premium_{name}", _MONEY)]
            fields += [(f"change_{name}", number)]
            fields += [(f"reason_{place}_{name}", text) for place in range(1, REASONS + 1)]
        return arrow.schema([*fields, ("release", text)])

    def price(self, policies: arrow.Table) -> Priced:
        """Price every policy that can be priced; the others come back as reasons by row."""
        policies = plain(policies)
        columns, plans = portfolio_columns(policies, self.releases), texts(policies, "plan")
        day = self.pricing.as_of
        problems = [p for one in self.releases for p in book_problems(one, columns, plans, day)]
        reasons = row_reasons(policies, problems)
        good = np.ones(policies.num_rows, dtype=bool)
        good[list(reasons)] = False
        rows = np.flatnonzero(good)
        parts: list[arrow.Table] = []
        self._price(policies, columns, rows, (parts, reasons))
        table = arrow.concat_tables(parts) if parts else self.schema.empty_table()
        return Priced(table, dict(sorted(reasons.items())))

    def _price(
        self,
        policies: arrow.Table,
        columns: Columns,
        rows: IntArray,
        found: tuple[list[arrow.Table], dict[int, str]],
    ) -> None:
        """Price `rows`; where that fails, halve them until the one at fault is alone."""
        parts, reasons = found
        if not len(rows):
            return
        every = len(rows) == policies.num_rows
        kept = policies if every else policies.take(arrow.array(rows))
        try:
            inside = columns if every else {name: values[rows] for name, values in columns.items()}
            parts.append(self._table(kept, inside))
        except RiskEngineError as error:
            if len(rows) == 1:
                reasons[int(rows[0])] = str(error)
                return
            for half in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
                self._price(policies, columns, half, found)

    def _table(self, policies: arrow.Table, columns: Columns) -> arrow.Table:
        plans, expiring = texts(policies, "plan"), amounts(policies, EXPIRING)
        prices = [
            price_book(one, columns, plans, self.pricing.as_of, expiring) for one in self.releases
        ]
        first = prices[0]
        offered = first.offered_cents / 100
        steps = self._steps(first)
        values = {name: policies[name] for name in IDENTITY}
        values |= {
            EFFECTIVE: _dates(policies),
            EXPIRING: arrow.array(expiring, from_pandas=True),
            "expected_plan_paid": first.expected_plan_paid,
            "technical_premium": first.technical_premium,
            "offered_premium": _money(first.offered_cents),
            "change": _change(offered, expiring),
            **_named_reasons(self.steps, _reasons(policies, steps, offered, expiring)),
            **self._underwriting(columns, len(plans)),
            **{f"{STEP}{name}": effect for name, effect in steps.items()},
            "release": _constant(self.releases[0].hash, len(plans)),
        }
        if self.bounded:
            values["bounded_premium"] = _money(_bounded(self.pricing.bounds, offered, expiring))
        for name, price in zip(self.beside, prices[1:], strict=True):
            values |= _beside(name, (first, price), expiring)
        return arrow.Table.from_arrays(
            [values[name] for name in self.schema.names], schema=self.schema
        )

    def _steps(self, price: BookPrice) -> dict[str, FloatArray]:
        """Every step that there may be; one that no plan of these has multiplies by 1."""
        unknown = price.steps.keys() - set(self.steps)
        if unknown:
            message = f"steps {', '.join(sorted(unknown))} have no column"
            raise RiskEngineError(message)
        one = np.ones(len(price.offered_cents))
        return {name: price.steps.get(name, one) for name in self.steps}

    def _underwriting(self, columns: Columns, size: int) -> dict[str, arrow.Array]:
        """What underwriting would say today: a renewal is not decided anew, so these are flags."""
        release = self.releases[0]
        if not isinstance(release, MarketRelease) or not release.underwriting.rules:
            none = arrow.nulls(size, arrow.string())
            return {
                "underwriting": none,
                "underwriting_flags": arrow.nulls(size, arrow.list_(arrow.string())),
            }
        market = market_engine.opened(release, self.pricing.as_of, renewal=True)
        usable, odd = _usable(release.underwriting, columns, size)
        decided = market_engine.decide(release, usable, size, market.edition)
        severity = np.where(odd, np.maximum(decided.severity, Severity.REFER), decided.severity)
        outcomes = arrow.array([Severity(n).name.lower() for n in range(len(Severity))])
        flagged = np.vstack([decided.fired | decided.open_, odd])
        rules = arrow.array([*(rule.rule for rule in release.underwriting.rules), ODD_ANSWER])
        _, rule = np.nonzero(flagged.T)
        ends = np.concatenate([[0], np.cumsum(flagged.sum(axis=0))]).astype(np.int32)
        return {
            "underwriting": outcomes.take(arrow.array(severity)),
            "underwriting_flags": arrow.ListArray.from_arrays(
                arrow.array(ends), rules.take(arrow.array(rule))
            ),
        }


def _usable(underwriting: Underwriting, columns: Columns, size: int) -> tuple[Columns, BoolArray]:
    """The answers with those that can be none taken as not given, and whose they are (size,)."""
    found, any_odd = dict(columns), np.zeros(size, dtype=bool)
    for answer in underwriting.answers:
        if answer.field in columns:
            odd = answer.odd(columns[answer.field])
            if odd.any():
                values = np.array(columns[answer.field], dtype=object)
                values[odd] = None
                found[answer.field] = values
                any_odd |= odd
    return found, any_odd


def _reasons(
    policies: arrow.Table,
    steps: Mapping[str, FloatArray],
    offered: FloatArray,
    expiring: FloatArray,
) -> IntArray:
    """The steps that speak for each change, (REASONS, n).

    Against the steps of the expiring premium where the portfolio has them, else as the steps of the
    new premium stand (`standing_parts`).
    """
    moved = np.zeros(len(offered))
    np.log(offered / np.where(expiring > 0, expiring, 1), out=moved, where=expiring > 0)
    strength = toward(standing_parts(steps, moved), moved)
    before = {name: amounts(policies, f"{EXPIRING_STEP}{name}") for name in steps}
    known = np.any([values > 0 for values in before.values()], axis=0)
    if known.any():
        parts = {
            name: np.log(new) - np.log(np.where(before[name] > 0, before[name], 1.0))
            for name, new in steps.items()
        }
        strength = np.where(known, toward(parts, moved), strength)
    return reason_codes(strength, REASONS)


def _named_reasons(
    names: tuple[str, ...], codes: IntArray, ending: str = ""
) -> dict[str, arrow.Array]:
    known = arrow.array([*names, None], arrow.string())
    places = np.where(codes < 0, len(names), codes)
    return {
        f"reason_{place}{ending}": known.take(arrow.array(of_place))
        for place, of_place in enumerate(places, start=1)
    }


def _beside(
    name: str, prices: tuple[BookPrice, BookPrice], expiring: FloatArray
) -> dict[str, AnyArray | arrow.Array]:
    """Another release's premium, and why it is not that of the first."""
    first, other = prices
    offered = other.offered_cents / 100
    steps = tuple(dict.fromkeys([*first.steps, *other.steps]))
    one = np.ones(len(offered))
    parts = {
        step: np.log(other.steps.get(step, one)) - np.log(first.steps.get(step, one))
        for step in steps
    }
    moved = np.log(np.maximum(other.offered_cents, 1) / np.maximum(first.offered_cents, 1))
    return {
        f"technical_premium_{name}": other.technical_premium,
        f"offered_premium_{name}": _money(other.offered_cents),
        f"change_{name}": _change(offered, expiring),
        **_named_reasons(steps, reason_codes(toward(parts, moved), REASONS), f"_{name}"),
    }


def _bounded(bounds: RateChange, offered: FloatArray, expiring: FloatArray) -> IntArray:
    """The offered premium within the bounds, in cents, (n,); as it is where nothing expires."""
    within = np.where(expiring > 0, bounds.bound(expiring, offered), offered)
    return round_half_up(within)


def _change(offered: FloatArray, expiring: FloatArray) -> arrow.Array:
    change = np.full(len(offered), np.nan)
    np.divide(offered, expiring, out=change, where=expiring > 0)
    return arrow.array(change - 1, from_pandas=True)


def _money(cents: IntArray) -> arrow.Array:
    whole = arrow.array(cents, arrow.int64()).cast(arrow.decimal128(19, 0))
    return pc.multiply(whole, arrow.scalar(CENT, arrow.decimal128(3, 2))).cast(_MONEY)


def _dates(policies: arrow.Table) -> arrow.Array | arrow.ChunkedArray:
    if EFFECTIVE in policies.schema.names:
        return policies[EFFECTIVE].cast(arrow.date32())
    return arrow.nulls(policies.num_rows, arrow.date32())


def _constant(text: str, size: int) -> arrow.Array:
    return arrow.array([text]).take(arrow.array(np.zeros(size, dtype=np.int32)))
