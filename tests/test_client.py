"""The client against the service: answers as they are, problems as exceptions."""

from collections.abc import Iterator
from datetime import date

import httpx2 as httpx
import pytest
from fastapi.testclient import TestClient

from riskengine.client import Ask, Client, ClientCredentials, Fault, ServiceError
from riskengine.release import Release
from riskengine.service.requests import EXAMPLE_ANSWERS
from tests.service.running import NOW, application

ASK = Ask(EXAMPLE_ANSWERS, as_of=date(2026, 1, 1), plans=["free_care"])


@pytest.fixture(scope="module")
def client(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    app = application(tmp_path_factory.mktemp("store"), release)
    with TestClient(app) as running:

        def forward(request: httpx.Request) -> httpx.Response:
            told = running.request(
                request.method, request.url, content=request.content, headers=request.headers
            )
            return httpx.Response(told.status_code, headers=told.headers, content=told.content)

        with Client("http://testserver", transport=httpx.MockTransport(forward)) as client:
            yield client


def test_a_quote_from_asking_to_buying(client: Client) -> None:
    quote = client.quote(ASK, idempotency_key="k")
    assert client.quote(ASK, idempotency_key="k") == quote
    assert client.prices(ASK)["offers"] == quote["offers"]
    bought = client.accept(quote["quote_id"], "free_care")
    assert bought["offered_premium"] == quote["offers"][0]["offered_premium"]
    assert client.stored(quote["quote_id"])["status"] == "accepted"
    assert (
        len(
            client.feedback(
                {"kind": "bind", "plan": "free_care"}, {"quote_id": quote["quote_id"]}, NOW
            )
        )
        == 36
    )


def test_what_is_told_without_a_quote(client: Client, release: Release) -> None:
    assert client.products("study")["release"] == release.hash
    assert [one["release"] for one in client.releases()] == [release.hash]
    assert client.recommend(ASK)["items"][0]["plan"] == "free_care"
    rows = client.quote_each([EXAMPLE_ANSWERS, {"age": 1}], Ask(plans=["free_care"]))
    assert [row["problem"] is None for row in rows] == [True, False]


def test_a_problem_is_an_exception_with_its_detail(client: Client) -> None:
    with pytest.raises(ServiceError) as told:
        client.quote(Ask({"age": 200, "sex": "male"}))
    assert (told.value.status, told.value.detail) == (422, "answers cannot be priced")
    assert told.value.faults[0] == Fault("age", "200", "give a number from 0 to 66 years")
    with pytest.raises(ServiceError, match="404: no profile of member 'a/b' was published"):
        client.profile("a/b")


def test_an_answer_that_is_no_problem_of_ours_is_told_as_it_is() -> None:
    def gateway(_: httpx.Request) -> httpx.Response:
        return httpx.Response(502, text="bad gateway", headers={"retry-after": "7"})

    with (
        Client("http://there", transport=httpx.MockTransport(gateway)) as client,
        pytest.raises(ServiceError, match="502: bad gateway") as told,
    ):
        client.releases()
    assert told.value.retry_after == 7


def answering(
    *answers: httpx.Response | Exception,
) -> tuple[httpx.MockTransport, list[httpx.Request]]:
    """A service that gives these answers one after the other, and what it was sent."""
    left, sent = list(answers), []

    def answer(request: httpx.Request) -> httpx.Response:
        # As it was sent: the client changes its request before it tries again.
        head, content = request.headers.copy(), request.content
        sent.append(httpx.Request(request.method, request.url, headers=head, content=content))
        one = left.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    return httpx.MockTransport(answer), sent


def token(name: str, seconds: int = 900) -> httpx.Response:
    return httpx.Response(200, json={"access_token": name, "expires_in": seconds})


FINE = {"offers": []}


def test_a_token_is_fetched_kept_and_renewed() -> None:
    transport, sent = answering(
        token("one"),
        httpx.Response(200, json=FINE),
        httpx.Response(200, json=FINE),
        httpx.Response(401, json={"detail": "expired", "errors": []}),
        token("two", 10),
        httpx.Response(200, json=FINE),
        token("three"),
        httpx.Response(200, json=FINE),
    )
    sign_in = ClientCredentials("desk", "secret", lambda: "123456")
    with Client("http://testserver", transport=transport, credentials=sign_in) as client:
        for _ in range(4):
            assert client.prices(ASK) == FINE
    assert [one.url.path for one in sent] == [
        "/oauth/token", *["/v1/prices"] * 3, *["/oauth/token", "/v1/prices"] * 2,
    ]  # fmt: skip
    assert b"client_secret=secret" in sent[0].content
    assert b"otp=123456" in sent[0].content
    bearers = [one.headers["authorization"] for one in sent if one.url.path == "/v1/prices"]
    assert bearers == [f"Bearer {name}" for name in ("one", "one", "one", "two", "three")]


def test_no_token_is_an_error_that_tells_why() -> None:
    transport, _ = answering(httpx.Response(401, json={"error": "invalid_client"}))
    wrong = ClientCredentials("desk", "wrong")
    client = Client("http://testserver", transport=transport, credentials=wrong)
    with pytest.raises(ServiceError, match="invalid_client"):
        client.prices(ASK)


def test_a_token_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("riskengine.client.time.sleep", waits.append)
    busy = httpx.Response(429, headers={"retry-after": "3"}, json={"error": "slow_down"})
    transport, sent = answering(busy, token("one"), httpx.Response(200, json=FINE))
    credentials = ClientCredentials("desk", "secret")
    with Client("http://testserver", transport=transport, credentials=credentials) as client:
        assert client.prices(ASK) == FINE
    assert [one.url.path for one in sent] == ["/oauth/token", "/oauth/token", "/v1/prices"]
    assert waits == [3.0]


def test_only_what_does_no_harm_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("riskengine.client.time.sleep", waits.append)
    away = httpx.Response(503, headers={"retry-after": "2"}, json={"detail": "x", "errors": []})
    transport, sent = answering(away, httpx.ConnectError("gone"), httpx.Response(200, json=FINE))
    with Client("http://testserver", transport=transport) as client:
        assert client.quote(ASK, idempotency_key="k") == FINE
    assert len(sent) == 3
    assert waits[0] == 2
    transport, sent = answering(away, away)
    with pytest.raises(ServiceError, match="503"):
        Client("http://testserver", transport=transport).quote(ASK)
    with pytest.raises(ServiceError, match="503"):
        Client("http://testserver", transport=transport, tries=1).prices(ASK)
    assert len(sent) == 2
