"""Quotes that name a member: stored profiles, answers over them, and what is not there."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from riskengine.release import Release
from riskengine.service.requests import EXAMPLE_ANSWERS
from riskengine.store import ProfileStore
from tests.service.running import application

STORED = {**EXAMPLE_ANSWERS, "page_views_free_care_90d": 3.0, "of_a_later_version": 1.0}


@pytest.fixture(scope="module")
def client(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder: Path = tmp_path_factory.mktemp("members")
    table = arrow.Table.from_pylist([{"member_id": "m 1/ä", "as_of": date(2025, 12, 1), **STORED}])
    pq.write_table(table, folder / "p.parquet")
    with ProfileStore(f"sqlite:///{folder}/store.db") as store:
        store.publish(folder / "p.parquet")
    with TestClient(application(folder, release)) as client:
        yield client


def test_a_stored_profile_gives_the_price_of_the_same_answers(client: TestClient) -> None:
    by_member = client.post("/v1/quotes", json={"member_id": "m 1/ä"}).json()
    by_answers = client.post("/v1/quotes", json={"answers": EXAMPLE_ANSWERS}).json()
    assert by_member["offers"] == by_answers["offers"]
    assert by_member["missing_answers"] == by_answers["missing_answers"]
    assert (by_member["member_id"], by_member["profile_as_of"]) == ("m 1/ä", "2025-12-01")
    assert (by_answers["member_id"], by_answers["profile_as_of"]) == (None, None)


@pytest.mark.parametrize("path", ["/v1/quotes", "/v1/recommendations"])
def test_answers_win_over_what_is_stored(client: TestClient, path: str) -> None:
    given = {"age": 50, "self_rated_health": None}
    merged = {**EXAMPLE_ANSWERS, **given}
    left = client.post(path, json={"member_id": "m 1/ä", "answers": given}).json()
    right = client.post(path, json={"answers": merged}).json()
    for part in ("offers", "items", "missing_answers", "not_offered"):
        assert left.get(part) == right.get(part)
    assert "self_rated_health" in left["missing_answers"]


def test_a_profile_is_told_with_its_texts(client: TestClient) -> None:
    answer = client.get("/v1/members/m 1%2Fä/profile")
    assert answer.status_code == 200
    profile = answer.json()
    assert (profile["member_id"], profile["as_of"]) == ("m 1/ä", "2025-12-01")
    told = {feature["name"]: feature for feature in profile["features"]}
    assert list(told) == list(STORED)
    assert told["age"] == {
        "name": "age", "title": {"zh": "年龄", "en": "Age"}, "value": 43.0,
        "shown": {"zh": "43", "en": "43"}, "unit": "years", "family": "demography",
        "purpose": "both", "sensitive": False,
    }  # fmt: skip
    assert told["self_rated_health"]["shown"] == {"zh": "好", "en": "good"}
    assert told["self_rated_health"]["sensitive"] is True
    assert told["page_views_free_care_90d"]["purpose"] == "recommendation"
    assert told["of_a_later_version"]["family"] is None


def test_an_unknown_member_is_404_and_a_later_profile_422(client: TestClient) -> None:
    for answer in (
        client.get("/v1/members/nobody/profile"),
        client.post("/v1/quotes", json={"member_id": "nobody", "answers": EXAMPLE_ANSWERS}),
    ):
        assert answer.status_code == 404
        assert answer.json()["detail"] == "no profile of member 'nobody' was published"
        assert answer.headers["content-type"] == "application/problem+json"
    late = client.post("/v1/quotes", json={"member_id": "m 1/ä", "as_of": "2025-06-01"})
    assert late.status_code == 422
    assert (
        "is as of 2025-12-01, later than the first day of cover 2025-06-01" in late.json()["detail"]
    )
    nothing = client.post("/v1/quotes", json={})
    assert nothing.status_code == 422
    assert {error["field"] for error in nothing.json()["errors"]} == {"age", "sex"}


def test_without_a_store_members_are_503_and_answers_still_priced(release: Release) -> None:
    with TestClient(application(None, release)) as client:
        assert client.get("/v1/members/a/profile").status_code == 503
        answer = client.post("/v1/quotes", json={"member_id": "a"})
        assert answer.status_code == 503
        assert "set RISKENGINE_STORE" in answer.json()["detail"]
        body = {"answers": EXAMPLE_ANSWERS}
        assert client.post("/v1/quotes", json=body).status_code == 503
        assert client.post("/v1/prices", json=body).status_code == 200
