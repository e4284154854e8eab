"""The one writer of the service: what waits is written in one transaction, then everyone is told.

A caller goes on only when its rows are durable. While each turn of an event loop brings more, they
are gathered, for a few turns; then they are handed over together. The queue is bounded: where the
database is slower than the requests, the surplus is refused at once. A batch that fails is tried
again entry by entry, so that only the entry at fault gets the error.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from riskengine.errors import RiskEngineError, StoreError
from riskengine.store.database import Database
from riskengine.store.records import Record

_MOST_AT_ONCE = 1_000
_MOST_TURNS = 8
_CLOSING = "the store is being closed: send the request again"
_Write = Callable[[sa.Connection, Sequence[Record]], None]
logger = logging.getLogger(__name__)


class _Entry(NamedTuple):
    records: Sequence[Record]
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[None]"


class GroupCommit:
    """Keeps records for callers on an event loop; `write` adds them on a connection.

    `capacity` is how many records may wait. `observe` is told the size of each batch.
    """

    def __init__(
        self,
        database: Database,
        write: _Write,
        capacity: int = 10_000,
        observe: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._database, self._write = database, write
        self._capacity, self._observe = capacity, observe
        self._waiting: deque[_Entry] = deque()
        self._arriving: dict[asyncio.AbstractEventLoop, list[_Entry]] = {}
        self._records = 0
        self._changed = threading.Condition()
        self.closing = False
        self.trouble: str | None = None
        """What kept the last batch from being written; None when it was."""
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many records wait to be written."""
        return self._records

    async def keep(self, records: Sequence[Record]) -> None:
        """Return when all `records` are durable; without any, when a transaction could be held.

        Raises `ConflictError` for a row that is there already, and `StoreError` when the database
        cannot be used, the queue is full or the writer is closed: nothing was kept then, as far as
        the database has told.
        """
        loop = asyncio.get_running_loop()
        entry = _Entry(records, loop, loop.create_future())
        with self._changed:
            if self.closing:
                raise StoreError(_CLOSING)
            if self._records + len(records) > self._capacity:
                message = f"the store is {self._records} records behind: send the request later"
                raise StoreError(message)
            self._records += len(records)
            arriving = self._arriving.setdefault(loop, [])
            arriving.append(entry)
        if len(arriving) == 1:
            loop.call_soon(self._arrived, loop, 0, _MOST_TURNS)
        await entry.done

    def _arrived(self, loop: asyncio.AbstractEventLoop, before: int, turns: int) -> None:
        """Hand over what came once a turn brings nothing more, or no turn is left."""
        with self._changed:
            now = len(self._arriving.get(loop, ()))
            if now == before or turns == 0:
                self._waiting += self._arriving.pop(loop, ())
                self._changed.notify()
                return
        loop.call_soon(self._arrived, loop, now, turns - 1)

    def close(self) -> None:
        """Write what waits, then stop; whoever comes later is refused."""
        with self._changed:
            self.closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._next():
            outcomes = self._commit(batch)
            with self._changed:
                self._records -= sum(len(entry.records) for entry in batch)
            for loop in {entry.loop for entry in batch}:
                told = [pair for pair in zip(batch, outcomes, strict=True) if pair[0].loop is loop]
                # A loop that has gone has nobody left to tell.
                if not loop.is_closed():
                    loop.call_soon_threadsafe(_tell, told)

    def _next(self) -> list[_Entry]:
        """What is written next, at least one entry; nothing when the writer is to stop."""
        with self._changed:
            while not self._waiting and not self.closing:
                self._changed.wait()
            if self.closing:
                for arriving in self._arriving.values():
                    self._waiting += arriving
                self._arriving.clear()
            batch: list[_Entry] = []
            size = 0
            while self._waiting and size < _MOST_AT_ONCE:
                entry = self._waiting.popleft()
                size += len(entry.records)
                batch.append(entry)
            return batch

    def _commit(self, batch: list[_Entry]) -> list[Exception | None]:
        records = [record for entry in batch for record in entry.records]
        error = self._attempt(records)
        if error is None or len(batch) == 1:
            outcomes: list[Exception | None] = [error] * len(batch)
        elif isinstance(error, StoreError):
            # Nothing of this batch can be written now; one by one would only wait longer.
            outcomes = [error] * len(batch)
        else:
            outcomes = [self._attempt(entry.records) for entry in batch]
        return outcomes

    def _attempt(self, records: Sequence[Record]) -> Exception | None:
        try:
            with self._database.writing() as connection:
                self._write(connection, records)
        except StoreError as error:
            if self.trouble is None:
                logger.error("the store is away: %s", error)  # noqa: TRY400  no news in the trace
            self.trouble = str(error)
            return error
        except RiskEngineError as error:
            return error
        except Exception as error:
            # Whatever it is, the caller hears of it and the writer lives on.
            logger.exception("a batch could not be written")
            return error
        if self.trouble is not None:
            logger.warning("the store is back")
        self.trouble = None
        self._observe(len(records))
        return None


def _tell(told: Sequence[tuple[_Entry, Exception | None]]) -> None:
    for entry, error in told:
        if entry.done.done():
            continue
        if error is None:
            entry.done.set_result(None)
        else:
            entry.done.set_exception(error)
