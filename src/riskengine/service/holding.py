"""The releases in memory, by market: one champion each, and a challenger where there is one.

What is held is replaced as a whole, so a request sees one release from its start to its end. Where
the registry is away or a new release cannot be read, what is held stays and `trouble` says why.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from riskengine.errors import InputError, ReleaseError, RiskEngineError, UnknownNameError
from riskengine.market_release import MarketRelease
from riskengine.market_single import compiled
from riskengine.service.quoting import AnyRelease

if TYPE_CHECKING:
    from riskengine.registry import Moved

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Named:
    """The hashes of what a market's aliases point to."""

    champion: str
    challenger: str | None = None


@dataclass(frozen=True, eq=False)
class Held:
    """What prices a market now."""

    champion: AnyRelease
    challenger: AnyRelease | None = None

    @property
    def named(self) -> Named:
        return Named(self.champion.hash, self.challenger.hash if self.challenger else None)


class ReleaseSource(Protocol):
    """Where releases come from; asked on a thread of its own."""

    def named(self) -> Mapping[str, Named]:
        """What is in force by market, the first one the default; raises `ReleaseError`."""
        ...

    def release(self, digest: str) -> AnyRelease:
        """A release by its hash; raises `ReleaseError`."""
        ...

    def promote(self, market: str, target: tuple[str, str], reason: str) -> "Moved":
        """Point an alias at a release: `target` is (version, alias); raises as the registry."""
        ...


@dataclass
class FixedReleases:
    """A source of releases that were loaded already: of a folder, or of a test that swaps them."""

    champions: dict[str, AnyRelease]
    challengers: dict[str, AnyRelease] = field(default_factory=dict)

    @classmethod
    def of(cls, *releases: AnyRelease) -> "FixedReleases":
        """Each the champion of its market."""
        return cls({release.catalogue.market: release for release in releases})

    def named(self) -> Mapping[str, Named]:
        return {
            market: Held(release, self.challengers.get(market)).named
            for market, release in self.champions.items()
        }

    def release(self, digest: str) -> AnyRelease:
        there = [*self.champions.values(), *self.challengers.values()]
        return next(one for one in there if one.hash == digest)

    def promote(self, market: str, target: tuple[str, str], reason: str) -> "Moved":
        message = (
            f"version {target[0]} cannot be made {target[1]} of {market} ({reason}): the releases"
            " of this service are fixed"
        )
        raise InputError(message)


class Holder:
    """What is held, or the reason why nothing is. `swapped` is told of every change."""

    def __init__(
        self, source: ReleaseSource, swapped: Callable[[Mapping[str, Held]], None] = lambda _: None
    ) -> None:
        self._source, self._swapped = source, swapped
        self.held: Mapping[str, Held] = {}
        self.trouble: str | None = "the release is being loaded"

    def of(self, market: str | None) -> Held:
        """What prices a market, the first one where None.

        Raises `ReleaseError` when nothing is held, `UnknownNameError` for a market that is not.
        """
        held = self.held
        if not held:
            raise ReleaseError(self.trouble)
        if market is None:
            return next(iter(held.values()))
        if market not in held:
            message = f"unknown market {market!r}; there are {', '.join(held)}"
            raise UnknownNameError(message)
        return held[market]

    def refresh(self) -> None:
        """Hold what the source has in force now; keep what is held where that fails."""
        try:
            named = self._source.named()
            if named == {market: one.named for market, one in self.held.items()}:
                self.trouble = None
                return
            found = {market: self._fetch(one) for market, one in named.items()}
        except RiskEngineError as error:
            if self.trouble != str(error):
                logger.warning("no new release: %s", error)
            self.trouble = str(error)
            return
        self.held, self.trouble = found, None
        self._swapped(found)
        logger.info("releases in force: %s", {m: h.named.champion[:12] for m, h in found.items()})

    def promote(self, market: str, target: tuple[str, str], reason: str) -> "Moved":
        """Move an alias at the source, and hold at once what is in force then."""
        moved = self._source.promote(market, target, reason)
        self.refresh()
        return moved

    def _fetch(self, named: Named) -> Held:
        there = {
            release.hash: release
            for held in self.held.values()
            for release in (held.champion, held.challenger)
            if release is not None
        }

        def get(digest: str) -> AnyRelease:
            return there.get(digest) or _warmed(self._source.release(digest))

        return Held(get(named.champion), get(named.challenger) if named.challenger else None)

    async def poll(self, seconds: float) -> None:
        """Refresh for ever, every so often, beside the requests."""
        while True:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self.refresh)


def _warmed(release: AnyRelease) -> AnyRelease:
    """The release with its trees read, so that the first request does not wait for them."""
    models = (
        release.models.values() if isinstance(release, MarketRelease) else [release.medical_spend]
    )
    for model in models:
        for part in model.parts:
            for predictor in part:
                predictor.warm()
    if isinstance(release, MarketRelease):
        compiled(release)
    return release
