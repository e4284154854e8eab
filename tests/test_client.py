"""The client against the service: answers as they are, problems as exceptions."""

from collections.abc import Iterator
from datetime import date

import httpx2 as httpx
import pytest
from fastapi.testclient import TestClient

from riskengine.client import Ask, Client, Fault, ServiceError
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
    assert len(client.feedback("bought", {"quote_id": quote["quote_id"]}, NOW)) == 36


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
