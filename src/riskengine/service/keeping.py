"""The service's side of the store: records that are durable when `keep` returns, and reads.

Reads run on threads, so that a slow database holds up nobody else.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar
from weakref import WeakValueDictionary

import sqlalchemy as sa

from riskengine.errors import ConflictError, StoreError, UnknownQuoteError
from riskengine.store import (
    Acceptance,
    Database,
    GroupCommit,
    Plain,
    ProfileStore,
    Record,
    Sealer,
    StoredDecision,
    StoredQuote,
    read_acceptance,
    read_by_key,
    read_decision,
    read_feedback_by_key,
    read_feedback_subject,
    read_quote,
    write_records,
)

Found = TypeVar("Found")
_NONE = "this service has no store: set RISKENGINE_STORE"
_PROBE_SECONDS = 2.0


class Keeper:
    """What is kept and found again; without a database, everything raises `StoreError`."""

    def __init__(
        self,
        database: Database | None,
        sealer: Sealer | None = None,
        capacity: int = 10_000,
        observe: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._database, self._sealer = database, sealer or Plain()
        self.profiles = None if database is None else ProfileStore(database, self._sealer)
        self._writer = self._start(capacity, observe)
        self._locks: WeakValueDictionary[tuple[str, ...], asyncio.Lock] = WeakValueDictionary()

    def _start(self, capacity: int, observe: Callable[[int], None]) -> GroupCommit | None:
        if self._database is None:
            return None
        write = partial(write_records, sealer=self._sealer)
        return GroupCommit(self._database, write, capacity, observe)

    @property
    def waiting(self) -> int:
        """How many records wait to be written."""
        return 0 if self._writer is None else self._writer.waiting

    async def keep(self, records: Sequence[Record]) -> None:
        """Return when the records are durable; raises as `GroupCommit.keep` does."""
        if self._writer is None:
            raise StoreError(_NONE)
        await self._writer.keep(records)

    async def trouble(self) -> str | None:
        """What keeps the store from being written now; None where it can be."""
        try:
            await asyncio.wait_for(self.keep(()), _PROBE_SECONDS)
        except TimeoutError:
            return f"the store does not answer within {_PROBE_SECONDS:g} seconds"
        except StoreError as error:
            return str(error)
        return None

    def close(self) -> None:
        """Write what waits."""
        if self._writer is not None:
            self._writer.close()

    def alone(self, *key: str) -> asyncio.Lock:
        """A lock that requests under one key take in turn."""
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock

    async def quote(self, quote_id: str, client: str) -> StoredQuote:
        """A client's quote; raises `UnknownQuoteError` for that of another one, too."""
        found = await self._read(partial(read_quote, quote_id=quote_id, sealer=self._sealer))
        if found is None or found.client != client:
            message = f"no quote {quote_id!r} is stored"
            raise UnknownQuoteError(message)
        return found

    async def decision(self, decision_id: str, client: str) -> StoredDecision:
        """A client's decision; raises `UnknownQuoteError` for that of another one, too."""
        read = partial(read_decision, decision_id=decision_id, sealer=self._sealer)
        found = await self._read(read)
        if found is None or found.client != client:
            message = f"no decision {decision_id!r} is stored"
            raise UnknownQuoteError(message)
        return found

    async def quote_by_key(self, client: str, key: str, digest: str) -> StoredQuote | None:
        """The quote under an idempotency key, if there is one.

        Raises `ConflictError` when it was another request.
        """
        read = partial(read_by_key, client=client, key=key, sealer=self._sealer)
        found = await self._read(read)
        if found is not None:
            check_digest(key, found.request_digest, digest)
        return found

    async def acceptance(self, quote_id: str) -> Acceptance | None:
        """The acceptance of a quote, if there is one."""
        return await self._read(partial(read_acceptance, quote_id=quote_id))

    async def feedback_by_key(self, client: str, key: str, digest: str) -> str | None:
        """The id of the feedback under an idempotency key; raises as `quote_by_key` does."""
        found = await self._read(partial(read_feedback_by_key, client=client, key=key))
        if found is None:
            return None
        check_digest(key, found[1], digest)
        return found[0]

    async def check_feedback(
        self, feedback_id: str, client: str, of: tuple[str | None, str | None]
    ) -> None:
        """Raise `UnknownQuoteError` for feedback that the client did not tell of this.

        `of` is the quote and the decision, one of them None.
        """
        found = await self._read(
            partial(read_feedback_subject, feedback_id=feedback_id, client=client)
        )
        if found != of:
            message = f"no feedback {feedback_id!r} on the same is stored"
            raise UnknownQuoteError(message)

    async def _read(self, read: Callable[[sa.Connection], Found]) -> Found:
        database = self._database
        if database is None:
            raise StoreError(_NONE)

        def run() -> Found:
            with database.reading() as connection:
                return read(connection)

        return await asyncio.to_thread(run)


def check_digest(key: str, stored: str | None, digest: str) -> None:
    """Raise `ConflictError` where a key was used for another request."""
    if stored != digest:
        message = f"Idempotency-Key {key!r} was used for another request: take a new key"
        raise ConflictError(message)
