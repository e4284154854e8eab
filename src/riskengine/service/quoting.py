"""From what is asked to prices as they travel: the same for a live quote, a batch, a replay and a
challenger in the shadow. Pure: it knows neither store nor clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

import orjson
from pydantic import TypeAdapter

from riskengine import engine
from riskengine.errors import InputError, StoreError
from riskengine.market_engine import quote_market
from riskengine.market_release import MarketRelease
from riskengine.market_single import quote_single
from riskengine.profiles.questions import (
    answers_to_columns,
    household_to_columns,
    missing_answers,
)
from riskengine.release import Release
from riskengine.service.body import dumped
from riskengine.service.contracts import PricesBody, prices_body
from riskengine.service.market_contracts import (
    InsuredMessage,
    MarketPricesBody,
    market_prices_body,
)
from riskengine.service.single_body import single_prices
from riskengine.vocabulary import Answer

AnyRelease: TypeAlias = Release | MarketRelease


@dataclass(frozen=True)
class Known:
    """What one member is priced on: answers by question, and where they come from."""

    answers: dict[str, Answer]
    member_id: str | None = None
    profile_as_of: date | None = None


@dataclass(frozen=True)
class Asked:
    """Everything that decides prices besides the release; kept with the quote."""

    as_of: date
    members: tuple[Known, ...]
    plans: tuple[str, ...] = ()
    payments: int | None = None

    def to_json(self) -> bytes:
        """As it is kept."""
        return dumped(self)

    @classmethod
    def from_json(cls, content: bytes) -> "Asked":
        """What `to_json` gave; raises `StoreError` for anything else."""
        try:
            return _ASKED.validate_json(content)
        except ValueError as error:
            message = f"the inputs of a quote cannot be read: {error}"
            raise StoreError(message) from error


_ASKED = TypeAdapter(Asked)


def named_members(members: Sequence[Known]) -> tuple[str | None, tuple[str, ...]]:
    """The first member that has an id, and the others that have one, each once."""
    named = tuple(dict.fromkeys(one.member_id for one in members if one.member_id))
    return next(iter(named), None), named[1:]


def named_in(inputs: bytes) -> list[str]:
    """The members that the kept inputs of a quote or a decision name."""
    members = orjson.loads(inputs).get("members") or ()
    return [one["member_id"] for one in members if one["member_id"] is not None]


@dataclass(frozen=True, eq=False)
class Prices:
    """Prices as they travel (JSON), and what each plan costs a year as a decimal string."""

    market: str
    release: str
    content: bytes
    premiums: dict[str, str]


def price(release: AnyRelease, asked: Asked) -> Prices:
    """The prices of what is asked, by a release.

    Raises `AnswerError` for answers that cannot be priced, `InputError` for a household or
    instalments where there are none, `UnknownNameError` for an unknown plan or day.
    """
    if isinstance(release, MarketRelease):
        return _price_single(release, asked) or _price_market(release, asked)
    if len(asked.members) > 1 or asked.payments is not None:
        message = "market study prices one member at a time, once a year: leave the rest out"
        raise InputError(message)
    (known,) = asked.members
    columns = answers_to_columns(release.questions, known.answers)
    quote = engine.quote(release, columns, asked.as_of, asked.plans)
    body = prices_body(release, known.answers, quote)
    body["member_id"], body["profile_as_of"] = known.member_id, known.profile_as_of
    return _prices(body)


def _price_single(release: MarketRelease, asked: Asked) -> Prices | None:
    """The usual quote, for one member; None where columns have to be asked."""
    if len(asked.members) > 1:
        return None
    (known,) = asked.members
    quote = quote_single(release, known.answers, asked.as_of, asked.plans, asked.payments)
    if quote is None:
        return None
    who = (known.member_id, known.profile_as_of)
    content, premiums = single_prices(release, quote, asked.as_of, who)
    return Prices(release.catalogue.market, release.hash, content, premiums)


def _price_market(release: MarketRelease, asked: Asked) -> Prices:
    columns = household_to_columns(release.questions, [one.answers for one in asked.members])
    terms = (asked.as_of, asked.plans, asked.payments)
    quote = quote_market(release, columns, *terms, checked=True)
    members: list[InsuredMessage] = [
        {
            "member_id": known.member_id,
            "profile_as_of": known.profile_as_of,
            "missing_answers": missing_answers(release.questions, columns, row),
        }
        for row, known in enumerate(asked.members)
    ]
    return _prices(market_prices_body(release, quote, members))


def _prices(body: PricesBody | MarketPricesBody) -> Prices:
    return Prices(body["market"], body["release"], dumped(body), premiums(body))


def premiums(body: PricesBody | MarketPricesBody) -> dict[str, str]:
    """What each plan of some prices costs a year, as a decimal string."""
    found: dict[str, str] = {}
    for offer in body["offers"]:
        # A household pays for all its members together.
        paid = offer.get("household_premium") or offer.get("offered_premium")
        found[offer["plan"]] = str(paid)
    return found
