"""Everything the OpenAPI document allows, and what it does not: no answer is a server's error."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import requests
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from urllib3 import HTTPResponse

from riskengine.release import load_release
from riskengine.security.key_ring import new_ring, write_key_ring
from riskengine.security.scopes import Caller, Scope
from riskengine.security.tokens import issue_token
from riskengine.service.app import Outside, create_app
from riskengine.service.holding import FixedReleases
from riskengine.service.security import security_of
from riskengine.service.security.middleware import TOKEN_PATH
from riskengine.settings import Settings
from riskengine.store import Database
from tests.golden.market_releases import market_release
from tests.service.running import KEPT, NOW, application

JSON = {"content-type": "application/json"}
QUICK = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder: Path = tmp_path_factory.mktemp("store")
    app = application(folder, load_release(KEPT), market_release("us_aca"))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


class InProcess(HTTPAdapter):
    """Hands what `requests` would send to the application instead."""

    def __init__(self, client: TestClient) -> None:
        super().__init__()
        self._client = client

    def send(self, request: requests.PreparedRequest, **_: object) -> requests.Response:  # type: ignore[override]
        told = self._client.request(
            str(request.method),
            str(request.url),
            content=request.body,
            headers=dict(request.headers),
        )
        raw = HTTPResponse(
            io.BytesIO(told.content),
            headers=dict(told.headers),
            status=told.status_code,
            preload_content=False,
        )
        return self.build_response(request, raw)


@pytest.fixture(scope="module")
def session(client: TestClient) -> requests.Session:
    session = requests.Session()
    session.mount("http://", InProcess(client))
    return session


DOCUMENT = application(None).openapi()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
ROUTES = [(path, method) for path, told in DOCUMENT["paths"].items() for method in told]


@pytest.mark.parametrize(("path", "method"), ROUTES)
def test_every_route_keeps_its_contract(session: requests.Session, path: str, method: str) -> None:
    @QUICK
    @given(case=SCHEMA[path][method].as_strategy())
    def check(case: schemathesis.Case) -> None:
        response = case.call(session=session, base_url="http://testserver")
        case.validate_response(
            response,
            checks=(
                not_a_server_error,
                status_code_conformance,
                content_type_conformance,
                response_schema_conformance,
            ),
        )

    check()


def keyed(folder: Path) -> tuple[FastAPI, dict[str, str]]:
    """An application with keys, and the token of somebody who may do everything."""
    write_key_ring(folder / "keys.json", new_ring(NOW))
    database = Database(f"sqlite:///{folder}/store.db")
    anchors = folder / "anchors.txt"
    settings = Settings(keys=folder / "keys.json", audit_anchors=anchors, poll_seconds=3600)
    security = replace(security_of(settings, database), clock=lambda: NOW)
    protected = security.protected
    assert protected is not None
    source = FixedReleases.of(load_release(KEPT))
    outside = Outside(source, database, protected.cipher, lambda: NOW)
    everything = Caller("li.wei", frozenset(Scope), person=True, second_factor=True)
    token = issue_token(protected.keys(), everything, NOW, protected.terms)
    return create_app(outside, settings, security), {"authorization": f"Bearer {token}"}


with TemporaryDirectory() as _place:
    KEYED = keyed(Path(_place))[0].openapi()
WITH_KEYS = schemathesis.openapi.from_dict(KEYED)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[requests.Session]:
    app, headers = keyed(tmp_path_factory.mktemp("keyed"))
    with TestClient(app, raise_server_exceptions=False) as client:
        session = requests.Session()
        session.headers.update(headers)
        session.mount("http://", InProcess(client))
        yield session


@pytest.mark.parametrize(
    ("path", "method"),
    [
        (path, method)
        for path, told in KEYED["paths"].items()
        for method in told
        if path not in DOCUMENT["paths"]
    ],
)
def test_routes_of_a_service_with_keys_keep_their_contract(
    secured: requests.Session, path: str, method: str
) -> None:
    refused = 0

    @QUICK
    @given(case=WITH_KEYS[path][method].as_strategy())
    def check(case: schemathesis.Case) -> None:
        nonlocal refused
        response = case.call(session=secured, base_url="http://testserver")
        refused += response.status_code in {401, 403}
        checks = [not_a_server_error]
        if path != TOKEN_PATH:
            checks += [status_code_conformance, content_type_conformance]
        case.validate_response(response, checks=tuple(checks))

    check()
    assert refused == 0 or path == TOKEN_PATH


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"answers": {"age": "\xff"}}', "no UTF-8 at byte 21"),
        (b'{"answers": {"age": NaN}}', "NaN is no JSON number"),
        (b'{"answers": {"age": -Infinity}}', "-Infinity is no JSON number"),
        (b'{"answers": {"age": 1, "age": 2}}', "key 'age' is there twice"),
        (b'{"answers": {"age": ' + b"9" * 5000 + b"}}", "Exceeds the limit"),
        (b'{"answers": ' + b"[" * 100_000, "nested more than 32 deep"),
        (b'{"answers": ' + b"[" * 40 + b"]" * 40 + b"}", "nested more than 32 deep"),
        (b'{"answers": {"sex": "\\udc00"}}', "half of a surrogate pair"),
        (b'{"answers": {', "Expecting property name"),
        (b"", "Expecting value"),
        (b"null", "valid dictionary"),
        (b'{"answers": {"age": 1e400, "sex": "male"}}', "give a number from 0 to 66"),
        (b'{"answers": {"age": 1' + b"0" * 300 + b', "sex": "male"}}', "give a number"),
        (b'{"member_id": "a\\u0000b"}', "match pattern"),
        (b'{"as_of": "9999-12-31"}', "Input should be less than or equal"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/quotes", "/v1/recommendations"])
def test_a_body_that_is_no_sound_json_is_refused_with_the_reason(
    client: TestClient, path: str, content: bytes, said: str
) -> None:
    answer = client.post(path, content=content, headers=JSON)
    assert answer.status_code == 422
    assert said in answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_content_type_is_a_415(client: TestClient, kind: str) -> None:
    answer = client.post("/v1/quotes", content=b"{}", headers={"content-type": kind})
    assert (answer.status_code, answer.headers["accept"]) == (415, "application/json")
    assert "send a body of content type application/json" in answer.json()["detail"]


@settings(QUICK, max_examples=40)
@given(content=st.binary(max_size=60))
def test_any_bytes_are_refused(client: TestClient, content: bytes) -> None:
    for path in ("/v1/quotes", "/v1/quotes/batch", "/v1/feedback", "/v1/quotes/a/accept"):
        assert 400 <= client.post(path, content=content, headers=JSON).status_code < 500


numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers()
texts = st.none() | st.sampled_from(["female", "no", "area_1", "good"]) | st.text(max_size=3)


@settings(QUICK, max_examples=60)
@given(
    answers=st.fixed_dictionaries(
        {"age": st.floats(0, 66), "sex": st.sampled_from(["female", "male"])},
        optional={
            "tobacco": texts, "rating_area": texts, "self_rated_health": texts,
            "body_mass_index": numbers, "medical_spend_365d": numbers, "smoker": numbers,
        },
    ),
    market=st.sampled_from(["study", "us_aca"]),
    payments=st.none() | st.integers(-2, 400),
    as_of=st.dates().map(str),
)  # fmt: skip
def test_any_values_are_priced_or_refused(
    client: TestClient,
    answers: dict[str, object],
    market: str,
    payments: int | None,
    as_of: str,
) -> None:
    body = {"answers": answers, "market": market, "payments": payments, "as_of": as_of}
    assert client.post("/v1/quotes", json=body).status_code in {200, 422}
