"""Applications for tests: fixed releases, a store in a folder, a clock that stands still."""

from datetime import UTC, datetime
from pathlib import Path

from fastapi import FastAPI

from riskengine.registry import AnyRelease
from riskengine.service.app import Outside, create_app
from riskengine.service.holding import FixedReleases
from riskengine.settings import Settings
from riskengine.store import Database

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def application(folder: Path | None, *releases: AnyRelease, **settings: object) -> FastAPI:
    """An application at noon of 1 March 2026; without a folder it has no store."""
    database = None if folder is None else Database(f"sqlite:///{folder}/store.db")
    outside = Outside(FixedReleases.of(*releases), database, now=lambda: NOW)
    return create_app(outside, Settings.model_validate({"poll_seconds": 3600, **settings}))
