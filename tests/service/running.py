"""Applications for tests: fixed releases, a store in a folder, a clock that stands still."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from riskengine.release import load_release
from riskengine.service.app import Outside, create_app
from riskengine.service.holding import FixedReleases
from riskengine.service.quoting import AnyRelease
from riskengine.service.security import security_of
from riskengine.settings import Settings
from riskengine.store import Database

KEPT = Path(__file__).parent.parent / "artefacts" / "release-0.1.0"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def application(folder: Path | None, *releases: AnyRelease, **settings: object) -> FastAPI:
    """An application at noon of 1 March 2026; without a folder it has no store."""
    database = None if folder is None else Database(f"sqlite:///{folder}/store.db")
    outside = Outside(FixedReleases.of(*releases), database, now=lambda: NOW)
    return create_app(outside, Settings.model_validate({"poll_seconds": 3600, **settings}))


def serve(folder: Path, port: int) -> None:
    """Serve the kept release of the study until the process is killed; with the keys there are."""
    uvicorn.run(with_keys(folder) or application(folder, load_release(KEPT)), port=port,
                log_level="warning")  # fmt: skip


def with_keys(folder: Path) -> FastAPI | None:
    """An application with the keys in a folder; None without."""
    keys = folder / "keys.json"
    if not keys.exists():
        return None
    settings = Settings(keys=keys, audit_anchors=folder / "anchors.txt", poll_seconds=3600)
    database = Database(f"sqlite:///{folder}/store.db")
    security = security_of(settings, database)
    assert security.protected is not None
    outside = Outside(FixedReleases.of(load_release(KEPT)), database, security.protected.cipher)
    return create_app(outside, settings, security)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
