"""A release is put in force over HTTP by a person who shows a second factor, on record."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from riskengine.errors import UnknownNameError
from riskengine.registry import Moved
from riskengine.release import Release
from riskengine.security.key_ring import new_ring, write_key_ring
from riskengine.security.scopes import Scope
from riskengine.security.tables import AUDIT
from riskengine.service.app import Outside, create_app
from riskengine.service.holding import FixedReleases
from riskengine.service.security import security_of
from riskengine.settings import Settings
from riskengine.store import Database
from tests.service.running import application
from tests.service.test_security import Service

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PATH = "/v1/releases/promotions"
ASKED = {"market": "study", "version": 2, "reason": "better in every decile"}


@dataclass
class Registry(FixedReleases):
    """Two versions of the study's release, of which the first is in force."""

    versions: dict[str, Release] = field(default_factory=dict)

    def promote(self, market: str, target: tuple[str, str], reason: str) -> Moved:
        version, _ = target
        if version not in self.versions:
            message = f"no version {version} of {market} is registered, {reason}"
            raise UnknownNameError(message)
        self.champions[market] = self.versions[version]
        return Moved(int(version), self.versions[version].hash, 1)


@pytest.fixture
def service(release: Release, tmp_path: Path) -> Iterator[Service]:
    write_key_ring(tmp_path / "keys.json", new_ring(NOW))
    database = Database(f"sqlite:///{tmp_path}/store.db")
    settings = Settings(
        keys=tmp_path / "keys.json", audit_anchors=tmp_path / "anchors.txt", poll_seconds=3600
    )
    security = security_of(settings, database)
    assert security.protected is not None
    clients = security.protected.clients
    person = clients.add("li.wei", [Scope.RELEASES_PROMOTE], NOW, person=True)
    reader = clients.add("website", [Scope.RELEASES_READ], NOW, person=False)
    second = replace(release, versions={**release.versions, "lightgbm": "another"}, hash="2" * 64)
    source = Registry({"study": release}, {}, {"1": release, "2": second})
    outside = Outside(source, database, security.protected.cipher, lambda: NOW)
    secrets = {"li.wei": person.secret, "website": reader.secret}
    made = Service(
        TestClient(FastAPI()), security.protected, tmp_path, NOW, secrets, str(person.otpauth)
    )
    app = create_app(outside, settings, replace(security, clock=made.clock))
    with TestClient(app) as made.http:
        yield made
    database.close()


def test_a_person_with_a_second_factor_promotes_on_record(service: Service) -> None:
    alone = service.http.post(PATH, json=ASKED, headers=service.bearer("li.wei"))
    assert alone.status_code == 401
    other = service.http.post(PATH, json=ASKED, headers=service.bearer("website"))
    assert other.status_code == 403
    reader = service.bearer("website")
    before = service.http.get("/v1/releases", headers=reader).json()["releases"][0]["versions"]
    person = service.bearer("li.wei", otp=service.code())
    told = service.http.post(PATH, json=ASKED, headers=person)
    assert told.status_code == 200
    assert (told.json()["alias"], told.json()["version"], told.json()["before"]) == (
        "champion", 2, 1,
    )  # fmt: skip
    after = service.http.get("/v1/releases", headers=reader).json()["releases"][0]["versions"]
    assert (before["lightgbm"] != "another", after["lightgbm"]) == (True, "another")
    with service.protected.database.reading() as connection:
        rows = connection.execute(sa.select(AUDIT).where(AUDIT.c.action == "release.promote")).all()
    (row,) = rows
    assert (row.actor, row.subject) == ("li.wei", "study@champion")


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"version": 7}, 422, "no version 7 of study"),
        ({"version": "two"}, 422, "version"),
        ({"reason": ""}, 422, "reason"),
        ({"stage": "production"}, 422, "stage"),
    ],
)
def test_what_cannot_be_promoted_is_told(
    service: Service, changes: dict[str, object], status: int, said: str
) -> None:
    person = service.bearer("li.wei", otp=service.code())
    answer = service.http.post(PATH, json=ASKED | changes, headers=person)
    assert answer.status_code == status
    assert said in answer.text


def test_without_keys_nobody_can_promote_over_http(release: Release) -> None:
    with TestClient(application(None, release)) as http:
        assert http.post(PATH, json=ASKED).status_code in {404, 405}
