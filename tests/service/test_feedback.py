"""Feedback: a small contract, added once under one key."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from riskengine.release import Release
from riskengine.service.requests import EXAMPLE_ANSWERS
from tests.service.running import application

AT = {"occurred_at": "2026-02-01T08:00:00+08:00"}
BOUGHT = {"kind": "bind", "plan": "free_care", **AT, "detail": {"price": 12.5}}
SHOWN = {"plan": "free_care", "position": 1, "premium": "386.00", "in_view": True}
DISPLAY = {"kind": "display", "channel": "app", "language": "zh", "shown": [SHOWN], **AT}


@pytest.fixture(scope="module")
def client(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with TestClient(application(tmp_path_factory.mktemp("store"), release)) as client:
        yield client


def test_feedback_is_kept_once_under_a_key(client: TestClient) -> None:
    quote_id = client.post("/v1/quotes", json={"answers": EXAMPLE_ANSWERS}).json()["quote_id"]
    body, key = {**BOUGHT, "quote_id": quote_id}, {"idempotency-key": "f1"}
    first = client.post("/v1/feedback", json=body, headers=key)
    assert (first.status_code, list(first.json())) == (201, ["feedback_id"])
    assert client.post("/v1/feedback", json=body, headers=key).json() == first.json()
    other = client.post("/v1/feedback", json={**body, "kind": "apply"}, headers=key)
    assert other.status_code == 409
    assert client.post("/v1/feedback", json=body).json() != first.json()


def test_feedback_on_a_decision_is_of_one_that_was_kept(client: TestClient) -> None:
    asked = {"answers": EXAMPLE_ANSWERS}
    kept = client.post("/v1/recommendations", json=asked).json()
    told = client.post("/v1/feedback", json={**BOUGHT, "decision_id": kept["decision_id"]})
    assert told.status_code == 201
    assert client.get(f"/v1/recommendations/{kept['decision_id']}").json() == kept
    shown = client.post("/v1/recommendations?store=false", json=asked).json()
    assert shown["items"] == kept["items"]
    decision_id = shown["decision_id"]
    for answer in (
        client.post("/v1/feedback", json={**BOUGHT, "decision_id": decision_id}),
        client.get(f"/v1/recommendations/{decision_id}"),
    ):
        assert answer.status_code == 404
        assert answer.json()["detail"] == f"no decision {decision_id!r} is stored"


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"quote_id": "nobody"}, 404, "no quote 'nobody' is stored"),
        ({}, 422, "give either quote_id or decision_id"),
        ({"quote_id": "a", "decision_id": "b"}, 422, "give either quote_id or decision_id"),
        ({"decision_id": "b", "kind": "liked"}, 422, "does not match any of the expected tags"),
        ({"decision_id": "b", "plan": None}, 422, "bind of a decision names its `plan`"),
        ({"decision_id": "b", "status": "open"}, 422, "a complaint has a `status`, and nothing"),
        ({"decision_id": "b", "kind": "complaint"}, 422, "a complaint has a `status`, and nothing"),
        ({"decision_id": "b", "corrects": "no id!"}, 422, "String should match pattern"),
        ({"decision_id": "b", "occurred_at": "2026-02-01T08:00:00"}, 422, "timezone info"),
        ({"decision_id": "b", "occurred_at": 1}, 422, "give a time as 2026-01-31T12:00:00Z"),
        ({"decision_id": "b", "occurred_at": "0001-01-01T00:00:00+14:00"}, 422, "give a time"),
        ({"decision_id": "a\u0000b"}, 422, "String should match pattern"),
    ],
)
def test_what_breaks_the_contract_is_refused(
    client: TestClient, changes: dict[str, object], status: int, said: str
) -> None:
    answer = client.post("/v1/feedback", json={**BOUGHT, **changes})
    assert answer.status_code == status
    problem = answer.json()
    assert said in str([problem["detail"], problem["errors"]])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shown": [SHOWN, {**SHOWN, "position": 2}]}, "stand on a screen once"),
        ({"shown": []}, "at least 1 item"),
        ({"shown": [{**SHOWN, "premium": "386"}]}, "String should match pattern"),
        ({"channel": "pigeon"}, "Input should be 'online'"),
        ({"kind": "override", "reason": "because", "plans": []}, "at least 10 characters"),
    ],
)
def test_displays_and_overrides_are_checked_too(
    client: TestClient, changes: dict[str, object], said: str
) -> None:
    answer = client.post("/v1/feedback", json={**DISPLAY, "decision_id": "b", **changes})
    assert answer.status_code == 422
    assert said in str(answer.json()["errors"])


def test_only_plans_of_the_quote_or_decision_can_be_told_of(client: TestClient) -> None:
    quote = client.post("/v1/quotes", json={"answers": EXAMPLE_ANSWERS, "plans": ["free_care"]})
    of = {"quote_id": quote.json()["quote_id"]}
    answer = client.post("/v1/feedback", json={**BOUGHT, **of, "plan": "high_deductible"})
    assert answer.status_code == 422
    told = f"quote {of['quote_id']} has no plan 'high_deductible'; it has free_care"
    assert answer.json()["detail"] == told
    assert client.post("/v1/feedback", json={**BOUGHT, **of, "plan": None}).status_code == 201
    kept = client.post("/v1/recommendations", json={"answers": EXAMPLE_ANSWERS}).json()
    gold = {**DISPLAY, "decision_id": kept["decision_id"], "shown": [{**SHOWN, "plan": "gold"}]}
    refused = client.post("/v1/feedback", json=gold).json()
    assert "has no plan 'gold'; it has " in refused["detail"]


def test_a_correction_names_feedback_on_the_same_decision(client: TestClient) -> None:
    asked = {"answers": EXAMPLE_ANSWERS}
    kept = [client.post("/v1/recommendations", json=asked).json() for _ in range(2)]
    first, second = ({"decision_id": one["decision_id"]} for one in kept)
    wrong = client.post("/v1/feedback", json={**BOUGHT, **first}).json()["feedback_id"]
    right = {**BOUGHT, "kind": "apply", "corrects": wrong}
    assert client.post("/v1/feedback", json={**right, **first}).status_code == 201
    for of, name in ((second, wrong), (first, "nobody")):
        answer = client.post("/v1/feedback", json={**right, **of, "corrects": name})
        assert answer.status_code == 404
        assert answer.json()["detail"] == f"no feedback {name!r} on the same is stored"
