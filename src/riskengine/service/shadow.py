"""The challenger in the shadow: it prices a share of the quotes after they were answered.

Nobody waits for it: quotes that come faster than it prices are dropped and counted.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from riskengine.errors import RiskEngineError
from riskengine.service.holding import Held
from riskengine.service.keeping import Keeper
from riskengine.service.metrics import Metrics
from riskengine.service.quoting import AnyRelease, Asked, price
from riskengine.store import ShadowPrice

_MOST_WAITING = 1_000
logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Task:
    """A quote that was answered, to be priced again."""

    quote_id: str
    held: Held
    asked: Asked
    premiums: Mapping[str, str]


class Shadow:
    """Takes `share` of the quotes, chosen by the random end of their ids."""

    def __init__(
        self, share: float, keeper: Keeper, metrics: Metrics, now: Callable[[], datetime]
    ) -> None:
        self._share, self._keeper, self._metrics, self._now = share, keeper, metrics, now
        self._tasks: asyncio.Queue[Task] = asyncio.Queue(_MOST_WAITING)

    def take(self, task: Task) -> None:
        """Queue a quote where there is a challenger and the quote is of the share."""
        if task.held.challenger is None or int(task.quote_id[-8:], 16) >= self._share * 2**32:
            return
        try:
            self._tasks.put_nowait(task)
        except asyncio.QueueFull:
            self._count(task, "dropped")

    async def run(self) -> None:
        """Price what is queued, one by one, for ever."""
        while True:
            task = await self._tasks.get()
            try:
                await self._price(task)
            except RiskEngineError as error:
                self._count(task, "failed")
                logger.warning("shadow price of %s was not kept: %s", task.quote_id, error)
            finally:
                self._tasks.task_done()

    async def drained(self) -> None:
        """Return when everything queued was priced."""
        await self._tasks.join()

    async def _price(self, task: Task) -> None:
        challenger = task.held.challenger
        assert challenger is not None
        found, problem = await asyncio.to_thread(_premiums, challenger, task.asked)
        rows = _compared(task, challenger.hash, found, problem, self._now())
        await self._keeper.keep(rows)
        different = any(row.champion_cents != row.challenger_cents for row in rows)
        outcome = "failed" if problem else "different" if different else "equal"
        self._count(task, outcome)

    def _count(self, task: Task, outcome: str) -> None:
        market = task.held.champion.catalogue.market
        self._metrics.shadow.labels(market, outcome).inc()


def _premiums(release: AnyRelease, asked: Asked) -> tuple[dict[str, str], str | None]:
    try:
        return price(release, asked).premiums, None
    except RiskEngineError as error:
        # What it says may hold answers, which are kept sealed or not at all.
        return {}, type(error).__name__


def _compared(
    task: Task,
    challenger: str,
    found: Mapping[str, str],
    problem: str | None,
    at: datetime,
) -> list[ShadowPrice]:
    champion = task.held.champion.hash
    return [
        ShadowPrice(
            task.quote_id,
            challenger,
            plan,
            champion,
            at,
            _cents(task.premiums.get(plan)),
            _cents(found.get(plan)),
            problem,
        )
        for plan in dict.fromkeys([*task.premiums, *found])
    ]


def _cents(amount: str | None) -> int | None:
    return None if amount is None else int(amount.replace(".", ""))
