"""Quotes over HTTP: asked for, kept, read again, accepted; prices that nobody keeps.

A quote is answered when it is durable. An `Idempotency-Key` makes a request that is sent again give
the first answer.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import orjson

from riskengine.errors import ConflictError, InputError, ReleaseError, RiskEngineError, StoreError
from riskengine.profiles.questions import Question
from riskengine.service.body import dumped
from riskengine.service.holding import Held, Holder
from riskengine.service.keeping import Keeper
from riskengine.service.members import known_of
from riskengine.service.metrics import Metrics
from riskengine.service.problems import problem_of
from riskengine.service.quoting import (
    Asked,
    Known,
    Prices,
    named_in,
    named_members,
    premiums,
    price,
)
from riskengine.service.requests import BatchRequest, MemberAnswers, QuoteRequest, Terms
from riskengine.service.shadow import Shadow, Task
from riskengine.store import Acceptance, StoredQuote, new_id

_AT_ONCE = 10
"""Members of a batch that are priced before others have a turn."""


@dataclass(frozen=True, eq=False)
class Priced:
    """Prices of what was asked."""

    held: Held
    asked: Asked
    prices: Prices


@dataclass(frozen=True)
class Origin:
    """Who asks, and under which idempotency key with which digest of the request."""

    client: str
    key: str | None = None
    digest: str | None = None


@dataclass(frozen=True, eq=False)
class Desk:
    """What quoting and advising need; `now` gives a time with its zone, whose date is today.

    `explores` draws the order of what is recommended.
    """

    holder: Holder
    keeper: Keeper
    shadow: Shadow
    metrics: Metrics
    validity: timedelta
    now: Callable[[], datetime]
    explores: bool = False

    def held(self, terms: Terms, market: str | None) -> Held:
        """What prices the market that body or query name."""
        if terms.market is not None and market is not None and terms.market != market:
            message = f"market {market!r} in the query, {terms.market!r} in the body: give one"
            raise InputError(message)
        return self.holder.of(terms.market or market)

    def day(self, terms: Terms) -> date:
        """The first day of cover that is asked for."""
        return terms.as_of or self.now().date()

    async def known(
        self, questions: Sequence[Question], members: Sequence[MemberAnswers], day: date
    ) -> tuple[Known, ...]:
        """What is known of each member; only stored profiles need a thread."""
        store = self.keeper.profiles
        if all(member.member_id is None for member in members):
            return tuple(Known(member.answers) for member in members)
        return await asyncio.to_thread(
            lambda: tuple(known_of(store, questions, member, day) for member in members)
        )

    async def prices(self, request: QuoteRequest, market: str | None) -> bytes:
        """Prices that are not kept."""
        return (await self._price(request, market)).prices.content

    async def quote(
        self, request: QuoteRequest, market: str | None, client: str, key: str | None
    ) -> tuple[bytes, bool]:
        """A quote that is durable, and whether an earlier request of this key made it."""
        if key is None:
            priced = await self._price(request, market)
            return await self._keep(priced, Origin(client)), False
        origin = Origin(client, key, _digest(request, market))
        # One after the other, or two requests under one key could both find nothing.
        async with self.keeper.alone("quotes", client, key):
            if (earlier := await self._earlier(origin)) is not None:
                return earlier, True
            priced = await self._price(request, market)
            try:
                return await self._keep(priced, origin), False
            except ConflictError:
                # Another process was asked the same at the same time.
                if (earlier := await self._earlier(origin)) is None:
                    raise
                return earlier, True

    async def batch(
        self, request: BatchRequest, market: str | None, client: str, *, keep: bool
    ) -> bytes:
        """Each member quoted alone; a row without a price has its problem instead."""
        held, day = self.held(request, market), self.day(request)
        results: list[dict[str, object]] = []
        records: list[StoredQuote] = []
        tasks: list[Task] = []
        for first in range(0, len(request.members), _AT_ONCE):
            some = request.members[first : first + _AT_ONCE]
            found = await asyncio.to_thread(self._each, held, some, (day, request.plans))
            for one in found:
                told: dict[str, object] = {"row": len(results), "quote": None, "problem": None}
                if isinstance(one, RiskEngineError):
                    told["problem"] = problem_of(one).model_dump()
                elif keep:
                    records.append(self._stored(one, Origin(client)))
                    tasks.append(_shadowed(records[-1], one))
                    told["quote"] = orjson.Fragment(records[-1].body)
                else:
                    told["quote"] = orjson.Fragment(one.prices.content)
                results.append(told)
        if records:
            await self.keeper.keep(records)
        for task in tasks:
            self.shadow.take(task)
        return dumped({"results": results})

    async def accept(self, quote_id: str, plan: str, client: str) -> bytes:
        """The acceptance of a plan of a quote, durable; asked again it gives the first one.

        Raises `ConflictError` for a quote that is accepted for another plan, or expired.
        """
        quote = await self.keeper.quote(quote_id, client)
        offered = premiums(orjson.loads(quote.body))
        if plan not in offered:
            message = f"quote {quote_id} offers no plan {plan!r}; it offers {', '.join(offered)}"
            raise InputError(message)
        one = await self._accepted(quote, plan)
        if one is None:
            one = Acceptance(quote_id, client, plan, self.now())
            try:
                await self.keeper.keep((one,))
            except ConflictError:
                # Another process was asked the same at the same time.
                one = await self._accepted(quote, plan)
                if one is None:
                    raise
        premium = {"offered_premium": offered[plan]}
        return dumped(
            {"quote_id": quote_id, "plan": plan, **premium, "accepted_at": one.accepted_at}
        )

    async def stored(self, quote_id: str, client: str) -> tuple[bytes, list[str]]:
        """A quote as it was answered with what has become of it, and the members it names."""
        quote = await self.keeper.quote(quote_id, client)
        accepted = await self.keeper.acceptance(quote_id)
        status = "expired" if self.now() > quote.valid_until else "open"
        told = dumped(
            {
                "status": status if accepted is None else "accepted",
                "accepted_plan": accepted and accepted.plan,
                "accepted_at": accepted and accepted.accepted_at,
                "quote": orjson.Fragment(quote.body),
            }
        )
        return told, named_in(quote.inputs)

    async def _price(self, request: QuoteRequest, market: str | None) -> Priced:
        held, day = self.held(request, market), self.day(request)
        known = await self.known(held.champion.questions, request.household, day)
        return self._priced(held, Asked(day, known, request.plans, request.payments))

    def _priced(self, held: Held, asked: Asked) -> Priced:
        prices = price(held.champion, asked)
        self.metrics.priced(prices.market, prices.premiums)
        self.metrics.drift.count(held.champion, asked.members)
        return Priced(held, asked, prices)

    def _each(
        self, held: Held, members: Sequence[MemberAnswers], terms: tuple[date, tuple[str, ...]]
    ) -> list[Priced | RiskEngineError]:
        day, plans = terms
        found: list[Priced | RiskEngineError] = []
        for member in members:
            try:
                known = known_of(self.keeper.profiles, held.champion.questions, member, day)
                found.append(self._priced(held, Asked(day, (known,), plans)))
            except (StoreError, ReleaseError):
                raise
            except RiskEngineError as error:
                found.append(error)
        return found

    def _stored(self, priced: Priced, origin: Origin) -> StoredQuote:
        at = self.now()
        quote_id = new_id(at)
        until = at + self.validity
        prices, head = priced.prices, {"quote_id": quote_id, "created_at": at, "valid_until": until}
        body = dumped(head)[:-1] + b"," + prices.content[1:]
        first, others = named_members(priced.asked.members)
        return StoredQuote(
            quote_id, origin.client, prices.market, prices.release, at, until,
            priced.asked.to_json(), body, first, origin.key, origin.digest,
            others,
        )  # fmt: skip

    async def _keep(self, priced: Priced, origin: Origin) -> bytes:
        stored = self._stored(priced, origin)
        await self.keeper.keep((stored,))
        self.shadow.take(_shadowed(stored, priced))
        return stored.body

    async def _earlier(self, origin: Origin) -> bytes | None:
        assert origin.key is not None
        assert origin.digest is not None
        found = await self.keeper.quote_by_key(origin.client, origin.key, origin.digest)
        return None if found is None else found.body

    async def _accepted(self, quote: StoredQuote, plan: str) -> Acceptance | None:
        """The acceptance of this plan of a quote, or None where it is open."""
        accepted = await self.keeper.acceptance(quote.quote_id)
        if accepted is not None and accepted.plan == plan:
            return accepted
        if accepted is not None:
            at = accepted.accepted_at.isoformat(timespec="seconds")
            message = f"quote {quote.quote_id} was accepted at {at} for plan {accepted.plan}"
            raise ConflictError(message)
        if self.now() > quote.valid_until:
            until = quote.valid_until.isoformat(timespec="seconds")
            message = f"quote {quote.quote_id} was valid until {until}: ask for a new one"
            raise ConflictError(message)
        return None


def _shadowed(stored: StoredQuote, priced: Priced) -> Task:
    return Task(stored.quote_id, priced.held, priced.asked, priced.prices.premiums)


def _digest(request: QuoteRequest, market: str | None) -> str:
    content = f"{market}\n{request.model_dump_json()}"
    return hashlib.sha256(content.encode()).hexdigest()
