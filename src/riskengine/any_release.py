"""A release of either kind: read, written, and a book renewed by it, to one shape of result.

Whoever prices many policies and need not know what kind of release does it comes here.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeAlias

from riskengine import engine, market_engine
from riskengine.errors import Problem
from riskengine.market_release import MarketRelease, load_market_release, save_market_release
from riskengine.pricing.market import OpenMarket
from riskengine.release import Release, load_release, save_release
from riskengine.release_files import MARKET, check_release_files
from riskengine.vocabulary import AnyArray, Columns, FloatArray, IntArray

AnyRelease: TypeAlias = Release | MarketRelease
_STUDY_STEPS = (
    "pure_premium", "trend_factor", "actuarial_value", "induced_utilisation", "fixed_expense",
    "permissible_loss_ratio", "offered_premium",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class BookPrice:
    """n policies priced; amounts in currency a year, `steps` as the engines give them."""

    expected_plan_paid: FloatArray
    technical_premium: FloatArray
    offered_cents: IntArray
    steps: dict[str, FloatArray]


def read_release(folder: Path) -> AnyRelease:
    """The release in `folder`, of either kind; raises `ReleaseError` as their readers do."""
    _, kind = check_release_files(folder)
    return load_market_release(folder) if kind == MARKET else load_release(folder)


def write_release(release: AnyRelease, folder: Path) -> None:
    """Write a release of either kind to an empty or new folder."""
    if isinstance(release, MarketRelease):
        save_market_release(release, folder)
    else:
        save_release(release, folder)


def renewal_market(release: AnyRelease, as_of: date) -> OpenMarket | None:
    """The market in which renewals of `as_of` are priced; None for the study, which has none.

    Raises `UnknownNameError` for a date without an edition or loadings: no row could be priced.
    """
    if isinstance(release, MarketRelease):
        return market_engine.opened(release, as_of, renewal=True)
    release.loadings(as_of)
    return None


def step_names(release: AnyRelease, as_of: date) -> tuple[str, ...]:
    """The steps that renewals on `as_of` may have, over all plans, in the order of the chain."""
    market = renewal_market(release, as_of)
    return _STUDY_STEPS if market is None else market_engine.renewal_steps(market.edition)


def book_problems(
    release: AnyRelease, columns: Columns, plans: AnyArray, as_of: date
) -> list[Problem]:
    """What keeps rows from being renewed on `as_of` for the plan of the row."""
    if isinstance(release, MarketRelease):
        return market_engine.book_problems(release, columns, plans, as_of)
    return engine.unpriceable(release, columns, plans, as_of, renewal=True)


def price_book(
    release: AnyRelease,
    columns: Columns,
    plans: AnyArray,
    as_of: date,
    expiring_premium: FloatArray | None = None,
) -> BookPrice:
    """Renew n policies on `as_of`, each for the plan of its row in `plans` (n,), names as objects.

    `expiring_premium` (n,) binds where a market caps changes. The rows are those of which
    `book_problems` finds nothing; raises as the engines do for one that cannot be priced still.
    """
    if isinstance(release, MarketRelease):
        priced = market_engine.reprice_book(
            release, columns, plans, as_of, expiring_premium, checked=True
        )
        return BookPrice(
            priced.expected_plan_paid, priced.technical_premium, priced.offered_cents, priced.steps
        )
    study = engine.reprice(release, columns, plans, as_of)
    return BookPrice(
        study.expected_plan_paid, study.technical_premium, study.offered_cents, study.steps
    )
