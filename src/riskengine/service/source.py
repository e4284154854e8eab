"""Releases from the registry, by the aliases that each market's name has there."""

from collections.abc import Mapping
from dataclasses import dataclass

from riskengine.errors import ReleaseError
from riskengine.registry import (
    AnyRelease,
    Moved,
    find_release,
    named_releases,
    promote_release,
)
from riskengine.service.holding import Named
from riskengine.settings import Settings


@dataclass(frozen=True)
class RegisteredReleases:
    """What the settings' aliases point to, of the settings' markets or of all there are."""

    settings: Settings

    def named(self) -> Mapping[str, Named]:
        """Hashes by market; raises `ReleaseError` when a market has no champion."""
        there = named_releases(self.settings)
        champions = there.get(self.settings.alias, {})
        challengers = there.get(self.settings.challenger_alias, {})
        wanted = self.settings.markets or tuple(champions)
        absent = [market for market in wanted if market not in champions]
        if absent or not wanted:
            of = f" of {', '.join(absent)}" if absent else ""
            message = (
                f"no release {self.settings.alias!r}{of} is registered in"
                f" {self.settings.tracking_uri}: run `riskengine demo` for the study's, or"
                " `riskengine release build` for a market's, to build and register one"
            )
            raise ReleaseError(message)
        return {market: Named(champions[market], challengers.get(market)) for market in wanted}

    def release(self, digest: str) -> AnyRelease:
        """A registered release by its hash."""
        return find_release(self.settings, digest)

    def promote(self, market: str, target: tuple[str, str], reason: str) -> Moved:
        """Point an alias at a registered release."""
        return promote_release(self.settings, market, target, reason)
