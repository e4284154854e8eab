"""The service with keys: who may have what, how much at once, and what is told and written down."""

import base64
import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pyarrow as arrow
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import KeySet

from riskengine.errors import LimitError
from riskengine.release import Release
from riskengine.security.key_ring import KeyFile, KeyUse, new_ring, write_key_ring
from riskengine.security.member_log import protect_handlers
from riskengine.security.rate_limit import Rate
from riskengine.security.scopes import Scope
from riskengine.security.second_factor import code_at
from riskengine.security.tables import AUDIT
from riskengine.service import problems
from riskengine.service.app import Outside, create_app
from riskengine.service.holding import FixedReleases
from riskengine.service.requests import EXAMPLE_ANSWERS
from riskengine.service.security import (
    Limits,
    Protected,
    Security,
    install_security,
    require_batch,
    routes_without_scope,
    security_of,
)
from riskengine.service.security.middleware import OPEN_PATHS
from riskengine.settings import Settings
from riskengine.store import Database, ProfileStore
from riskengine.store.schema import PROFILES, QUOTES

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MEMBER = "李 4/ä-007"
MEMBER_PATH = "/v1/members/%E6%9D%8E 4%2Fä-007"
QUOTE = {"answers": EXAMPLE_ANSWERS, "plans": ["free_care"]}


@dataclass
class Service:
    """A service with keys, its clock, and its clients' secrets by name."""

    http: TestClient
    protected: Protected
    path: Path
    now: datetime
    secrets: dict[str, str]
    otpauth: str = ""

    def clock(self) -> datetime:
        return self.now

    def code(self) -> str:
        (coded,) = parse_qs(urlparse(self.otpauth).query)["secret"]
        self.now += timedelta(minutes=1)
        return code_at(base64.b32decode(coded), self.now)

    def ask(self, client: str, **form: str):
        given = {"client_id": client, "client_secret": self.secrets[client]}
        return self.http.post(
            "/oauth/token", data={"grant_type": "client_credentials"} | given | form
        )

    def bearer(self, client: str, **form: str) -> dict[str, str]:
        answer = self.ask(client, **form)
        assert answer.status_code == 200, answer.text
        return {"authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.fixture(scope="module")
def service(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("secured")
    write_key_ring(folder / "keys.json", new_ring(START))
    url = f"sqlite:///{folder}/store.db"
    table = arrow.Table.from_pylist(
        [{"member_id": MEMBER, "as_of": date(2025, 12, 1), **EXAMPLE_ANSWERS}]
    )
    pq.write_table(table, folder / "p.parquet")
    database = Database(url)
    settings = Settings(
        keys=folder / "keys.json", audit_anchors=folder / "anchors.txt", request_bytes=20_000,
        store=url,
    )  # fmt: skip
    security = security_of(settings, database)
    assert security.protected is not None
    limits = replace(security.limits, token_rate=Rate(1_000, 1_000))
    secrets = {
        "front-end": [Scope.QUOTES, Scope.RECOMMENDATIONS, Scope.PROFILES, Scope.CONSENTS],
        "website": [Scope.QUOTES],
        "care": [Scope.MEMBERS_ERASE, Scope.PROFILES],
    }
    shown = {
        name: security.protected.clients.add(name, scopes, START, person=False).secret
        for name, scopes in secrets.items()
    }
    li = security.protected.clients.add(
        "li.wei", [Scope.PROFILES, Scope.RELEASES_PROMOTE, Scope.QUOTES], START, person=True
    )
    made = Service(
        TestClient(FastAPI()), security.protected, folder, START, shown | {"li.wei": li.secret},
        str(li.otpauth),
    )  # fmt: skip
    cipher = security.protected.cipher
    ProfileStore(database, cipher).publish(folder / "p.parquet")
    outside = Outside(
        FixedReleases.of(release), database, cipher, lambda: datetime(2026, 3, 1, 12, tzinfo=UTC)
    )
    secured = replace(security, clock=made.clock, limits=limits)
    app = create_app(outside, settings, secured)
    with TestClient(app, raise_server_exceptions=False) as made.http:
        yield made
    database.close()


def test_every_route_but_the_probe_of_life_needs_a_token(service: Service) -> None:
    assert service.http.get("/healthz").status_code == 200
    told = service.http.get("/openapi.json", headers=service.bearer("website")).json()
    paths = [(m, path) for path, item in told["paths"].items() for m in item]
    assert len(paths) >= 12
    for method, path in [*paths, ("get", "/openapi.json"), ("get", "/docs"), ("get", "/none")]:
        if path in OPEN_PATHS:
            continue
        for headers in ({}, {"authorization": "Bearer a.b.c"}, {"authorization": "Basic YTpi"}):
            answer = service.http.request(method, path, headers=headers)
            assert answer.status_code == 401, (method, path)
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"].startswith('Bearer realm="riskengine"')


def test_a_probe_needs_no_token_and_is_told_no_more_than_ready(service: Service) -> None:
    shown = service.protected.clients.add("monitor", [Scope.METRICS], START, person=False).secret
    service.secrets["monitor"] = shown
    for headers in ({}, {"authorization": "Bearer a.b.c"}, service.bearer("website")):
        told = service.http.get("/readyz", headers=headers)
        assert (told.status_code, told.json()["detail"]) == (200, "ready")
        assert (told.json()["releases"], told.json()["parts"]) == ({}, {})
    told = service.http.get("/readyz", headers=service.bearer("monitor")).json()
    assert told["parts"] == {"releases": "ready", "store": "ready"}
    assert list(told["releases"]) == ["study"]


def test_every_route_says_which_scope_it_needs(service: Service) -> None:
    assert isinstance(service.http.app, FastAPI)
    assert routes_without_scope(service.http.app, OPEN_PATHS) == ()
    app = FastAPI()
    app.get("/forgotten")(lambda: None)
    assert routes_without_scope(app, OPEN_PATHS) == ("GET /forgotten",)


def test_a_token_with_the_scope_passes_and_one_without_is_told_which(service: Service) -> None:
    headers = service.bearer("website")
    assert service.http.post("/v1/quotes", json=QUOTE, headers=headers).status_code == 200
    answer = service.http.post("/v1/recommendations", json=QUOTE, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["detail"].startswith("client 'website' has no scope recommendations")
    assert answer.json()["type"] == "urn:riskengine:problem:scope"
    assert answer.headers["www-authenticate"] == (
        'Bearer realm="riskengine", error="insufficient_scope", scope="recommendations"'
    )
    fewer = service.bearer("front-end", scope="quotes")
    answer = service.http.post("/v1/recommendations", json=QUOTE, headers=fewer)
    assert answer.status_code == 403


def test_an_expired_token_is_refused(service: Service) -> None:
    headers = service.bearer("website")
    service.now += timedelta(minutes=16)
    answer = service.http.post("/v1/quotes", json=QUOTE, headers=headers)
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_id": ""}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"scope": "quotes releases:promote"}, 400, "invalid_scope"),
        ({"scope": "all"}, 400, "invalid_scope"),
        ({"otp": "000000"}, 401, "invalid_client"),
    ],
)
def test_who_gets_no_token(service: Service, form: dict[str, str], status: int, error: str) -> None:
    answer = service.ask("website", **form)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["cache-control"] == "no-store"


def test_a_token_by_http_basic_and_what_is_no_form(service: Service) -> None:
    good = ("website", service.secrets["website"])
    answer = service.http.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=good)
    assert (answer.status_code, answer.json()["token_type"]) == (200, "Bearer")
    assert (answer.json()["expires_in"], answer.json()["scope"]) == (900, "quotes")
    form = {"content-type": "application/x-www-form-urlencoded"}
    for content, headers in (
        ('{"grant_type": "client_credentials"}', {"content-type": "application/json"}),
        ("grant_type=a&grant_type=b", form), ("&&", form), (b"\xff=\xff", form),
    ):  # fmt: skip
        answer = service.http.post("/oauth/token", content=content, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_tokens_verify_with_the_published_keys_also_after_rotation(service: Service) -> None:
    before = service.bearer("website")
    ring = service.protected.keys()
    assert isinstance(service.protected.keys, KeyFile)
    rotated = ring.rotated(KeyUse.SIGNING, service.now, timedelta(minutes=15))
    write_key_ring(service.path / "keys.json", rotated)
    after = service.bearer("website")
    keys = KeySet.import_key_set(service.http.get("/.well-known/jwks.json").json())
    for headers in (before, after):
        token = headers["authorization"].split()[1]
        claims = jwt.decode(token, keys, algorithms=["Ed25519"]).claims
        assert claims["sub"] == "website"
        assert service.http.post("/v1/quotes", json=QUOTE, headers=headers).status_code == 200
    write_key_ring(
        service.path / "keys.json", rotated.rotated(KeyUse.SIGNING, service.now, timedelta(0))
    )
    assert service.http.post("/v1/quotes", json=QUOTE, headers=after).status_code == 401


def test_a_person_reads_health_data_with_a_second_factor_only(service: Service) -> None:
    path = f"{MEMBER_PATH}/export"
    without = service.http.get(path, headers=service.bearer("li.wei"))
    assert without.status_code == 401
    assert without.json()["type"] == "urn:riskengine:problem:second-factor"
    assert 'error="insufficient_user_authentication"' in without.headers["www-authenticate"]
    code = service.code()
    assert service.http.get(path, headers=service.bearer("li.wei", otp=code)).status_code == 200
    assert service.ask("li.wei", otp=code).status_code == 401
    for _ in range(5):
        service.ask("li.wei", otp="000000")
    assert service.ask("li.wei", otp=service.code()).status_code == 429
    service.now += timedelta(minutes=15)
    assert service.ask("li.wei", otp=service.code()).status_code == 200


def test_a_profile_is_used_for_what_its_member_agreed_to(service: Service) -> None:
    headers, path = service.bearer("front-end"), f"{MEMBER_PATH}/consents"
    named = {"member_id": MEMBER, "plans": ["free_care"]}
    asked = {
        "pricing": lambda: service.http.post("/v1/quotes", json=named, headers=headers),
        "recommendation": lambda: service.http.post(
            "/v1/recommendations", json=named, headers=headers
        ),
        "either": lambda: service.http.get(f"{MEMBER_PATH}/profile", headers=headers),
    }
    for purpose, call in asked.items():
        answer = call()
        assert answer.status_code == 403
        assert answer.json()["type"] == "urn:riskengine:problem:consent"
        assert purpose == "either" or f"not used for {purpose}" in answer.json()["detail"]
    consent = {"purpose": "pricing", "given": True, "wording": "2026-01"}
    told = service.http.post(path, json=consent, headers=headers)
    assert (told.status_code, told.json()["recorded_by"]) == (201, "front-end")
    assert {k: call().status_code for k, call in asked.items()} == {
        "pricing": 200, "recommendation": 403, "either": 200,
    }  # fmt: skip
    # An answer shows the values it was computed from: quotes alone do not open a profile.
    website = service.bearer("website")
    answer = service.http.post("/v1/quotes", json=named, headers=website)
    assert (answer.status_code, "scope profiles" in answer.json()["detail"]) == (403, True)
    stored = f"/v1/quotes/{asked['pricing']().json()['quote_id']}"
    assert service.http.get(stored, headers=headers).status_code == 200
    campaign = named | {"purpose": "marketing"}
    unasked = service.http.post("/v1/recommendations", json=campaign, headers=headers)
    assert "not used for marketing" in unasked.json()["detail"]
    service.http.post(path, json=consent | {"purpose": "marketing"}, headers=headers)
    unasked = service.http.post("/v1/recommendations", json=campaign, headers=headers)
    assert unasked.status_code == 200
    service.http.post(
        path, json=consent | {"purpose": "marketing", "given": False}, headers=headers
    )
    decided = f"/v1/recommendations/{unasked.json()['decision_id']}"
    assert service.http.get(decided, headers=headers).status_code == 403
    service.http.post(path, json=consent | {"given": False}, headers=headers)
    assert asked["pricing"]().status_code == 403
    assert service.http.get(stored, headers=headers).status_code == 403
    assert "withdrew consent on" in asked["either"]().json()["detail"]
    assert service.http.post("/v1/quotes", json=QUOTE, headers=headers).status_code == 200
    history = service.http.get(path, headers=headers).json()
    assert [one["given"] for one in history["history"]] == [True, True, False, False]
    assert [one["given"] for one in history["standing"]] == [False, False]
    for wrong in ({"purpose": "all"}, {"wording": ""}, {"wording": "a\0b"}, {"given": "yes"}):
        answer = service.http.post(path, json=consent | wrong, headers=headers)
        assert answer.status_code == 422


def test_a_member_gets_all_data_and_is_erased(service: Service) -> None:
    front, care = service.bearer("front-end"), service.bearer("care")
    path = "/v1/members/m-export"
    consent = {"purpose": "marketing", "given": True, "wording": "2026-01"}
    service.http.post(f"{path}/consents", json=consent, headers=front)
    told = service.http.get(f"{path}/export", headers=care).json()
    (kept,) = told["data"]["consents"]
    assert {name: kept[name] for name in consent} == consent
    assert "member_index" not in kept
    assert service.http.delete(path, headers=front).status_code == 403
    answer = service.http.delete(path, headers=care)
    assert answer.json() == {
        "member_id": "m-export",
        "erased": {
            "profiles": 0, "quotes": 0, "decisions": 0, "households": 0,
            "decision_households": 0, "feedback": 0, "consents": 1,
        },
    }  # fmt: skip


def test_a_quote_is_sealed_told_and_erased_but_for_its_amounts(service: Service) -> None:
    front, care = service.bearer("front-end"), service.bearer("care")
    consent = {"purpose": "pricing", "given": True, "wording": "2026-01"}
    service.http.post(f"{MEMBER_PATH}/consents", json=consent, headers=front)
    named = {"member_id": MEMBER, "plans": ["free_care"]}
    quote = service.http.post("/v1/quotes", json=named, headers=front).json()
    path = f"/v1/quotes/{quote['quote_id']}"
    database = service.protected.database
    with database.reading() as connection:
        row = connection.execute(sa.select(QUOTES).where(QUOTES.c.quote_id == quote["quote_id"]))
        (kept,) = row.mappings()
        profile = connection.execute(sa.select(PROFILES)).one()
    for stored in (kept["inputs"], kept["body"], profile.features.encode()):
        assert stored.startswith(b"sealed1:encryption-")
    assert MEMBER not in str(kept) + str(profile)
    told = service.http.get(f"{MEMBER_PATH}/export", headers=care).json()["data"]
    assert told["profiles"][0]["features"]["age"] == 43
    assert quote["quote_id"] in {one["quote_id"] for one in told["quotes"]}
    erased = service.http.delete(MEMBER_PATH, headers=care).json()["erased"]
    assert (erased["profiles"], erased["quotes"]) == (1, len(told["quotes"]))
    assert service.http.get(f"{MEMBER_PATH}/export", headers=care).json()["data"]["quotes"] == []
    after = service.http.get(path, headers=front).json()["quote"]
    assert after["offers"][0]["offered_premium"] == quote["offers"][0]["offered_premium"]
    assert after["release"] == quote["release"]
    assert after["member_id"] is None
    assert after["offers"][0]["relativities"] is None
    named = {"member_id": MEMBER, "plans": ["free_care"]}
    assert service.http.post("/v1/quotes", json=named, headers=front).status_code == 404
    with database.reading() as connection:
        inputs = connection.execute(
            sa.select(QUOTES.c.inputs).where(QUOTES.c.quote_id == quote["quote_id"])
        ).scalar_one()
    opened = service.protected.cipher.unseal(inputs, f"quotes/{quote['quote_id']}").decode()
    assert "self_rated_health" not in opened
    assert MEMBER not in opened


def test_what_was_done_is_in_the_audit_log_without_members(service: Service) -> None:
    service.http.delete("/v1/members/m-audited", headers=service.bearer("care"))
    with service.protected.database.reading() as connection:
        rows = connection.execute(sa.select(AUDIT).order_by(AUDIT.c.sequence.desc())).all()
    done, asked, issued = rows[:3]
    assert (done.actor, done.action) == ("care", "member.erased")
    assert (asked.action, issued.action) == ("member.erasure.asked", "token.issued")
    assert done.subject.startswith("member-")
    assert "m-audited" not in str(rows)
    assert MEMBER not in str(rows)
    assert service.protected.audit.verify() == ()


def test_no_log_line_of_a_request_holds_the_member(service: Service) -> None:
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    protect_handlers()
    try:
        headers = service.bearer("front-end")
        for member in (MEMBER, "m-logged"):
            body = {"member_id": member, "plans": ["no_such_plan"]}
            service.http.post("/v1/quotes", json=body, headers=headers)
            service.http.get(f"/v1/members/{member}/profile", headers=headers)
            service.http.get(f"/v1/members/{member}/consents", headers=headers)
        app = service.http.app
        assert isinstance(app, FastAPI)

        @app.get("/fails")
        async def fails(request: Request) -> None:
            logging.getLogger("somebody").warning("failing for %s", await request.body())
            raise RuntimeError(str(await request.body()))

        service.http.request("GET", "/fails", json={"member_id": "m-logged"}, headers=headers)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    written = text.getvalue()
    assert "failing for" in written
    assert "member-" in written
    for spelling in ("m-logged", MEMBER, "%E6%9D%8E", "\\u674e", "4/ä-007", "4%2F%C3%A4-007"):
        # httpx2 logs what the test client sends, outside of the service.
        own = [line for line in written.splitlines() if "HTTP Request" not in line]
        assert not any(spelling in line for line in own)


def test_a_body_is_refused_as_soon_as_it_is_too_long(service: Service) -> None:
    headers = service.bearer("website")
    sent: list[int] = []

    def parts() -> Iterator[bytes]:
        for n in range(1_000):
            sent.append(n)
            yield b" " * 1_000

    for content in (b" " * 20_001, parts()):
        answer = service.http.post("/v1/quotes", content=content, headers=headers)
        assert (answer.status_code, answer.json()["status"]) == (413, 413)
        assert answer.headers["content-type"] == "application/problem+json"
        assert "more than 20000 bytes" in answer.json()["detail"]
    odd = headers | {"content-length": "-1", "content-type": "application/json"}
    assert service.http.post("/v1/quotes", content=parts(), headers=odd).status_code == 413
    whole = json.dumps(QUOTE).encode().ljust(20_000)
    told = {**headers, "content-type": "application/json"}
    assert service.http.post("/v1/quotes", content=whole, headers=told).status_code == 200


def test_headers_on_every_answer(service: Service) -> None:
    for path, status in (("/healthz", 200), ("/none", 401)):
        answer = service.http.get(path)
        assert answer.status_code == status
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-inline" not in policy
        assert "strict-transport-security" not in answer.headers
        assert "access-control-allow-origin" not in answer.headers
    over_tls = service.http.get("https://testserver/healthz")
    assert over_tls.headers["strict-transport-security"].startswith("max-age=31536000")
    origin = {"origin": "https://elsewhere.example", "access-control-request-method": "POST"}
    answer = service.http.options("/v1/quotes", headers=origin)
    assert answer.status_code == 401
    assert "access-control-allow-origin" not in answer.headers


def test_a_revoked_client_loses_the_token_it_has(service: Service) -> None:
    secret = service.protected.clients.add("leaver", [Scope.QUOTES], START, person=False).secret
    service.secrets["leaver"] = secret
    headers = service.bearer("leaver")
    assert service.http.post("/v1/quotes", json=QUOTE, headers=headers).status_code == 200
    service.protected.clients.revoke("leaver", START)
    assert service.ask("leaver").status_code == 401
    security = service.http.app.state.security  # type: ignore[attr-defined]
    fresh = FastAPI()
    install_security(fresh, security)
    answer = TestClient(fresh).get("/v1/members/m/consents", headers=headers)
    assert (answer.status_code, "was revoked" in answer.json()["detail"]) == (401, True)


def small(security: Security | None = None) -> FastAPI:
    app = FastAPI()
    problems.install(app)
    install_security(app, security)

    @app.get("/batch/{items}")
    async def batch(items: int) -> int:
        require_batch(app, items)
        return items

    return app


def test_without_keys_only_this_machine_is_served() -> None:
    for peer, status in (
        ("127.0.0.1", 200), ("::1", 200), ("testclient", 200), ("10.0.0.7", 401), ("::2", 401),
    ):  # fmt: skip
        client = TestClient(small(), client=(peer, 1))
        answer = client.get("/batch/1")
        assert answer.status_code == status, peer
        assert client.get("/healthz").status_code == 404
    assert "serves its own machine only" in answer.json()["detail"]
    assert TestClient(small()).get("/v1/members/m/consents").status_code == 404


def test_a_batch_has_a_limit() -> None:
    client = TestClient(small())
    assert client.get("/batch/1000").json() == 1000
    answer = client.get("/batch/1001")
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:riskengine:problem:size")
    assert issubclass(LimitError, Exception)


def test_who_asks_too_often_waits(service: Service) -> None:
    security = service.http.app.state.security  # type: ignore[attr-defined]
    limits = Limits(rate=Rate(0.01, 2), token_rate=Rate(0.01, 1))
    client = TestClient(small(replace(security, limits=limits)))
    headers = [service.bearer(name) for name in ("website", "care")]
    for one in headers:
        answers = [client.get("/batch/1", headers=one) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert int(answers[2].headers["retry-after"]) in {99, 100}
        assert answers[2].json()["type"] == "urn:riskengine:problem:rate"
    assert [client.post("/oauth/token").status_code for _ in range(2)] == [400, 429]
    # Without keys, whoever is let in from elsewhere waits as well; this machine does not.
    open_to_all = Security(security.names, limits, open_to_all=True)
    for peer, statuses in (("10.0.0.7", [200, 200, 429]), ("127.0.0.1", [200] * 3)):
        client = TestClient(small(open_to_all), client=(peer, 1))
        assert [client.get("/batch/1").status_code for _ in range(3)] == statuses


def test_other_origins_are_allowed_by_name_only(service: Service) -> None:
    security = service.http.app.state.security  # type: ignore[attr-defined]
    client = TestClient(small(replace(security, cors_origins=("https://shop.example",))))
    for origin, allowed in (("https://shop.example", True), ("https://elsewhere.example", False)):
        asked = {"origin": origin, "access-control-request-method": "GET"}
        answer = client.options("/batch/1", headers=asked)
        assert (answer.headers.get("access-control-allow-origin") == origin) is allowed
