"""What is answered over HTTP besides prices: kept quotes, acceptances, batches, feedback, releases.

Bodies are written as JSON where they are made; these types document them and hold them in tests.
"""

from datetime import date, datetime
from typing import Literal

from typing_extensions import TypedDict

from riskengine.service.contracts import PricesBody
from riskengine.service.market_contracts import MarketPricesBody
from riskengine.service.problems import ProblemDetails


class Kept(TypedDict):
    """What every stored quote has; it can be accepted until `valid_until`."""

    quote_id: str
    created_at: datetime
    valid_until: datetime


class QuoteBody(Kept, PricesBody):
    """A stored quote of the study's plans."""


class MarketQuoteBody(Kept, MarketPricesBody):
    """A stored quote of a market's plans."""


class StoredQuoteBody(TypedDict):
    """A quote as it was answered, and what has become of it."""

    status: Literal["open", "expired", "accepted"]
    accepted_plan: str | None
    accepted_at: datetime | None
    quote: QuoteBody | MarketQuoteBody


class AcceptanceBody(TypedDict):
    """The plan that was accepted, at the premium that was offered."""

    quote_id: str
    plan: str
    offered_premium: str
    accepted_at: datetime


class BatchRow(TypedDict):
    """A row is quoted or has its problem."""

    row: int
    quote: QuoteBody | MarketQuoteBody | PricesBody | MarketPricesBody | None
    problem: ProblemDetails | None


class BatchBody(TypedDict):
    """One row for each member, in their order."""

    results: list[BatchRow]


class FeedbackBody(TypedDict):
    """The id under which feedback is kept."""

    feedback_id: str


class ReleaseBody(TypedDict):
    """A release in memory: `role` is champion, which prices, or challenger, in the shadow."""

    market: str
    role: Literal["champion", "challenger"]
    release: str
    currency: str
    plans: list[str]
    editions: dict[str, date]
    versions: dict[str, str]


class PromotionBody(TypedDict):
    """An alias that was moved: `before` is the version it pointed to, null for none."""

    market: str
    alias: str
    version: int
    release: str
    before: int | None


class ReleasesBody(TypedDict):
    """Every release in memory, the default market first."""

    releases: list[ReleaseBody]
