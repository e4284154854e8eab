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
    """Serve the kept release of the study, until the process is killed."""
    uvicorn.run(application(folder, load_release(KEPT)), port=port, log_level="warning")


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
