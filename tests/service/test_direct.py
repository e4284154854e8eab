"""Usual requests are answered before the framework, and as it would answer them."""

from collections.abc import Iterator
from unittest import mock

import pytest
from fastapi.testclient import TestClient

from riskengine.service import direct
from riskengine.service.app import Outside, create_app
from riskengine.service.holding import FixedReleases
from riskengine.settings import Settings
from riskengine.store import Database
from tests.golden.market_releases import market_release
from tests.test_market_engine import member

GOOD = {"answers": member(market_release("cn")), "as_of": "2026-03-01"}


@pytest.fixture
def client(tmp_path) -> Iterator[TestClient]:  # type: ignore[no-untyped-def]
    database = Database(f"sqlite:///{tmp_path}/store.db")
    outside = Outside(FixedReleases.of(market_release("cn")), database)
    with TestClient(create_app(outside, Settings()), raise_server_exceptions=False) as found:
        yield found
    database.close()


@pytest.mark.parametrize("path", ["/v1/prices", "/v1/quotes"])
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (GOOD, 200),
        ({**GOOD, "answers": {}}, 422),
        ({**GOOD, "plans": ["none such"]}, 422),
        ({**GOOD, "market": "none such"}, 422),
        ({**GOOD, "unheard": 1}, 422),
    ],
)
def test_answers_are_those_of_the_framework(
    client: TestClient, path: str, sent: dict[str, object], status: int
) -> None:
    quick = client.post(path, json=sent)
    with mock.patch.object(direct, "_usual", return_value=None):
        slow = client.post(path, json=sent)
    assert quick.status_code == slow.status_code == status
    own = {"quote_id", "created_at", "valid_until"}
    first, second = (
        {name: value for name, value in one.json().items() if name not in own}
        for one in (quick, slow)
    )
    assert first == second
    assert {*quick.headers} == {*slow.headers}


def test_a_key_is_kept_to_and_told(client: TestClient) -> None:
    key = {"idempotency-key": "k1"}
    first, again = (client.post("/v1/quotes", json=GOOD, headers=key) for _ in range(2))
    assert first.content == again.content
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    other = client.post("/v1/quotes", json={**GOOD, "payments": 1}, headers=key)
    assert other.status_code == 409
    assert client.post("/v1/quotes", json=GOOD, headers={"idempotency-key": ""}).status_code == 422


def test_what_is_not_usual_goes_to_the_framework(client: TestClient) -> None:
    assert client.get("/v1/prices").status_code == 405
    assert client.post("/v1/prices?market=cn", json=GOOD).status_code == 200
    assert client.post("/v1/prices?market=x", json=GOOD).status_code == 422
    assert client.post("/v1/quotes?store=false", json=GOOD).json().get("quote_id") is None
    text = {"content-type": "text/plain"}
    assert client.post("/v1/prices", content=b"{}", headers=text).status_code == 415
    charset = {"content-type": "application/json; charset=utf-8"}
    assert client.post("/v1/prices", content=b"{}", headers=charset).status_code == 422


def test_a_fault_of_ours_is_a_problem_with_the_route_in_the_metrics(client: TestClient) -> None:
    with mock.patch("riskengine.service.quotes.price", side_effect=ZeroDivisionError):
        answer = client.post("/v1/prices", json=GOOD)
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    page = client.get("/metrics").text
    assert 'route="/v1/prices",status="500"' in page
