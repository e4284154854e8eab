"""The impact of one release in the place of another, over a portfolio.

Writes, to a folder: `impact.parquet` (each policy: both premiums, the change, the bounded premium,
its main reasons), `impact_segments.parquet`, `impact.json`, `impact.html`, and
`quarantine.parquet` with the rows that one of the releases cannot price. Rows in = rows priced +
rows quarantined.
"""

import json
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as arrow
import pyarrow.parquet as pq

from riskengine.any_release import AnyRelease, book_problems, price_book
from riskengine.batch.portfolio import (
    EXPIRING,
    amounts,
    portfolio_columns,
    read_portfolio,
    row_reasons,
    texts,
)
from riskengine.errors import TableError
from riskengine.market_engine import opened
from riskengine.market_release import MarketRelease
from riskengine.pricing.impact import (
    RateChange,
    Totals,
    TwoPrices,
    by_segment,
    main_reasons,
    reason_counts,
    totals_at,
)
from riskengine.pricing.rule_cost import RuleCost, projected_stages, rule_costs
from riskengine.products.product import completed_years
from riskengine.reporting.impact import impact_report
from riskengine.vocabulary import AnyArray, Columns, FloatArray

_MOST_LEVELS = 12


@dataclass(frozen=True)
class Assumptions:
    """Under what an impact is told: the day of renewal, bounds on changes, elasticity of demand."""

    as_of: date
    bounds: RateChange = field(default_factory=RateChange)
    elasticity: float = 0.0


@dataclass(frozen=True, eq=False)
class Impact:
    """Policies with their prices by both releases, and what follows for the book.

    `premium` (n,) is the new one within the bounds. `totals` are of: `old`, the book as it is;
    `new`, at the new premiums; `bounded`, within the bounds; `demanded`, that with the policies
    that demand leaves.
    """

    old_hash: str
    new_hash: str
    currency: str
    assumptions: Assumptions
    policies: arrow.Table
    prices: TwoPrices
    premium: FloatArray
    segments: pd.DataFrame
    reasons: pd.DataFrame
    totals: dict[str, Totals]
    rules: dict[str, tuple[RuleCost, ...]]
    quarantined: arrow.Table

    @property
    def table(self) -> arrow.Table:
        """One row a policy."""
        prices, moved = self.prices, self.prices.new / self.prices.old - 1
        told = main_reasons(prices)
        columns = {
            "policy_id": self.policies["policy_id"],
            "member_id": self.policies["member_id"],
            "plan": self.policies["plan"],
            "old_premium": prices.old,
            "new_premium": prices.new,
            "change": moved,
            "bounded_premium": self.premium,
            "expected_plan_paid": prices.expected,
            **{f"reason_{n + 1}": arrow.array(told[:, n], arrow.string()) for n in range(3)},
        }
        return arrow.table(columns)

    def summary(self) -> dict[str, object]:
        """The numbers of the whole book."""
        return {
            "old_release": self.old_hash,
            "new_release": self.new_hash,
            "as_of": self.assumptions.as_of.isoformat(),
            "currency": self.currency,
            "cap": self.assumptions.bounds.cap,
            "collar": self.assumptions.bounds.collar,
            "elasticity": self.assumptions.elasticity,
            "policies_in": self.policies.num_rows + self.quarantined.num_rows,
            "policies_priced": self.policies.num_rows,
            "quarantined": self.quarantined.num_rows,
            "rising": int((self.prices.new > self.prices.old).sum()),
            "falling": int((self.prices.new < self.prices.old).sum()),
            "bounded": int((self.premium != self.prices.new).sum()),
            "totals": {n: asdict(t) | {"loss_ratio": t.loss_ratio} for n, t in self.totals.items()},
        }

    def write(self, out: Path) -> list[Path]:
        """Write everything to `out`, made where needed; the files written."""
        out.mkdir(parents=True, exist_ok=True)
        pq.write_table(self.table, out / "impact.parquet")
        self.segments.to_parquet(out / "impact_segments.parquet", index=False)
        text = json.dumps(self.summary(), indent=1) + "\n"
        (out / "impact.json").write_text(text, encoding="utf-8")
        (out / "impact.html").write_text(
            impact_report(self.summary(), self.prices, self.segments, self.reasons, self.rules),
            encoding="utf-8",
        )
        names = ["impact.html", "impact.json", "impact.parquet", "impact_segments.parquet"]
        (out / "quarantine.parquet").unlink(missing_ok=True)
        if self.quarantined.num_rows:
            pq.write_table(self.quarantined, out / "quarantine.parquet")
            names.append("quarantine.parquet")
        return [out / name for name in names]


def impact_of(
    portfolio: Path, old: AnyRelease, new: AnyRelease, assumptions: Assumptions
) -> Impact:
    """Price every policy of a Parquet file by both releases, as renewals.

    Raises `TableError` for a file that cannot be priced, or in which no row can be, and for two
    releases of different currencies.
    """
    if old.catalogue.currency != new.catalogue.currency:
        message = (
            f"the releases are in {old.catalogue.currency} and {new.catalogue.currency}: compare"
            " two of one market"
        )
        raise TableError(message)
    table = read_portfolio(portfolio, [old, new])
    columns, plans = portfolio_columns(table, [old, new]), texts(table, "plan")
    day = assumptions.as_of
    problems = [p for release in (old, new) for p in book_problems(release, columns, plans, day)]
    reasons = row_reasons(table, problems)
    good = np.setdiff1d(np.arange(table.num_rows), list(reasons))
    if not len(good):
        row, reason = next(iter(reasons.items()), (0, "there is no row"))
        message = f"{portfolio}: no policy can be priced by both releases; row {row}: {reason}"
        raise TableError(message)
    columns, plans = {n: v[good] for n, v in columns.items()}, plans[good]
    kept = table.take(arrow.array(good))
    prices = _priced(old, new, columns, (kept, plans), day)
    premium = assumptions.bounds.bound(prices.old, prices.new)
    segments = by_segment(prices, premium, _segments(columns, plans))
    return Impact(
        old.hash,
        new.hash,
        str(new.catalogue.currency),
        assumptions,
        kept,
        prices,
        premium,
        segments,
        reason_counts(prices),
        {
            "old": totals_at(prices.old, prices.expected, prices.old, 0.0),
            "new": totals_at(prices.new, prices.expected, prices.old, 0.0),
            "bounded": totals_at(premium, prices.expected, prices.old, 0.0),
            "demanded": totals_at(premium, prices.expected, prices.old, assumptions.elasticity),
        },
        _rules(new, columns, plans, day) if isinstance(new, MarketRelease) else {},
        _quarantined(table, reasons),
    )


def _priced(
    old: AnyRelease,
    new: AnyRelease,
    columns: Columns,
    policies: tuple[arrow.Table, AnyArray],
    day: date,
) -> TwoPrices:
    table, plans = policies
    expiring = amounts(table, EXPIRING)
    before, after = (price_book(one, columns, plans, day, expiring) for one in (old, new))
    return TwoPrices(
        plans,
        before.offered_cents / 100,
        after.offered_cents / 100,
        after.expected_plan_paid,
        before.steps,
        after.steps,
    )


def _segments(columns: Columns, plans: AnyArray) -> dict[str, AnyArray]:
    """Plan, age in tens of years, and every answer of few levels."""
    tens = np.floor(completed_years(np.asarray(columns["age"], dtype=np.float64)) / 10).astype(int)
    found: dict[str, AnyArray] = {
        "plan": plans,
        "age": np.array([f"{10 * ten:02d} to {10 * ten + 9:02d}" for ten in tens], dtype=object),
    }
    return found | {
        name: values
        for name, values in columns.items()
        if values.dtype == object and len(pd.unique(pd.Series(values).dropna())) <= _MOST_LEVELS
    }


def _rules(
    release: MarketRelease, columns: Columns, plans: AnyArray, day: date
) -> dict[str, tuple[RuleCost, ...]]:
    """The cost of each rule of the rate book, for the commonest plan of each tariff."""
    market = opened(release, day, renewal=True)
    counts = pd.Series(plans).value_counts()
    found: dict[str, tuple[RuleCost, ...]] = {}
    seen: set[str] = set()
    for plan in counts.index:
        tariff = market.tariff(plan)
        rows = np.flatnonzero(plans == plan)
        if tariff.tariff in seen or len(rows) < 2:
            continue
        seen.add(tariff.tariff)
        of_plan = {name: values[rows] for name, values in columns.items()}
        technical = price_book(release, of_plan, plans[rows], day).technical_premium
        exposure = np.ones(len(rows))
        groups = {
            n: v for n, v in _segments(of_plan, plans[rows]).items()
            if n != "plan" and not pd.isna(pd.Series(v)).any()
        }  # fmt: skip
        stages = projected_stages(tariff, technical, exposure, of_plan)
        found[plan] = rule_costs(stages, exposure, groups)
    return found


def _quarantined(table: arrow.Table, reasons: dict[int, str]) -> arrow.Table:
    bad = table.take(arrow.array(list(reasons), arrow.int64()))
    bad = bad.cast(arrow.schema([(name, arrow.string()) for name in bad.schema.names]))
    return bad.append_column("reason", arrow.array(reasons.values(), arrow.string()))
