"""Quotes that are kept: found again, accepted once, one under a key, none without a store."""

import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import TypeAdapter

from riskengine.market_engine import quote_market
from riskengine.profiles.questions import household_to_columns
from riskengine.release import Release
from riskengine.service.answers import BatchBody, MarketQuoteBody, QuoteBody, StoredQuoteBody
from riskengine.service.app import Outside, create_app
from riskengine.service.holding import FixedReleases
from riskengine.service.replay import replay_quote
from riskengine.service.requests import EXAMPLE_ANSWERS
from riskengine.settings import Settings
from riskengine.store import Database
from tests.golden.market_releases import market_release
from tests.service.running import NOW, application

BODY = {"answers": EXAMPLE_ANSWERS, "as_of": "2026-01-01"}
ADULT = {"age": 43, "sex": "female", "tobacco": "no", "rating_area": "area_1"}
CHILD = {**ADULT, "age": 9}
HOUSEHOLD = {"market": "us_aca", "members": [{"answers": ADULT}, {"answers": CHILD}]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def client(release: Release, folder: Path) -> Iterator[TestClient]:
    with TestClient(application(folder, release, market_release("us_aca"))) as client:
        yield client


def quoted(client: TestClient, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = client.post("/v1/quotes", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_a_quote_is_found_again_as_it_was_answered(client: TestClient) -> None:
    quote = quoted(client, BODY)
    TypeAdapter(QuoteBody).validate_python({**quote})
    assert (quote["created_at"], quote["valid_until"]) == (
        "2026-03-01T12:00:00Z", "2026-03-31T12:00:00Z",
    )  # fmt: skip
    stored = client.get(f"/v1/quotes/{quote['quote_id']}").json()
    TypeAdapter(StoredQuoteBody).validate_python(stored)
    assert stored == {"status": "open", "accepted_plan": None, "accepted_at": None, "quote": quote}
    missing = client.get("/v1/quotes/none")
    assert (missing.status_code, missing.json()["detail"]) == (404, "no quote 'none' is stored")


def test_a_household_pays_what_the_engine_says(client: TestClient) -> None:
    quote = quoted(client, {**HOUSEHOLD, "as_of": "2026-03-01", "plans": ["silver", "gold"]})
    TypeAdapter(MarketQuoteBody).validate_python(quote)
    release = market_release("us_aca")
    columns = household_to_columns(release.questions, [ADULT, CHILD])
    engine = quote_market(release, columns, NOW.date(), ("silver", "gold"))
    assert {o["plan"]: round(float(o["household_premium"]) * 100) for o in quote["offers"]} == (
        engine.premium_cents
    )
    assert [len(offer["members"]) for offer in quote["offers"]] == [2, 2]
    by_query = {name: value for name, value in HOUSEHOLD.items() if name != "market"}
    answer = client.post("/v1/quotes?market=us_aca", json=by_query)
    assert answer.json()["offers"][1:3] == quote["offers"]


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("/v1/quotes?market=mars", BODY, "unknown market 'mars'; there are study, us_aca"),
        ("/v1/quotes?market=study", HOUSEHOLD, "market 'study' in the query, 'us_aca' in the body"),
        ("/v1/prices", {"members": [BODY | {"as_of": None}] * 2}, "does not fit its schema"),
        ("/v1/prices", {"members": [{"answers": ADULT}] * 2}, "prices one member at a time"),
        ("/v1/prices", {**BODY, "payments": 12}, "prices one member at a time, once a year"),
        ("/v1/prices", {**BODY, "members": [{}]}, "does not fit its schema"),
    ],
)
def test_what_fits_no_market_is_refused(
    client: TestClient, path: str, body: dict[str, Any], detail: str
) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code == 422
    assert detail in answer.json()["detail"]


def test_a_key_gives_the_first_answer_and_no_other(client: TestClient, folder: Path) -> None:
    first = client.post("/v1/quotes", json=BODY, headers={"idempotency-key": "k1"})
    again = client.post("/v1/quotes", json=BODY, headers={"idempotency-key": "k1"})
    assert again.content == first.content
    assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (
        False, "true",
    )  # fmt: skip
    other = client.post("/v1/quotes", json={**BODY, "plans": ["free_care"]},
                        headers={"idempotency-key": "k1"})  # fmt: skip
    assert other.status_code == 409
    assert "was used for another request" in other.json()["detail"]
    with sqlite3.connect(folder / "store.db") as there:
        rows = there.execute("select count(*) from quotes where idempotency_key = 'k1'").fetchone()
    there.close()
    assert rows == (1,)


def test_a_plan_is_accepted_once_and_only_while_the_quote_is_valid(
    release: Release, tmp_path: Path
) -> None:
    clock = [NOW]

    def now() -> datetime:
        return clock[0]

    database = Database(f"sqlite:///{tmp_path}/store.db")
    outside = Outside(FixedReleases.of(release), database, now=now)
    with TestClient(create_app(outside, Settings(quote_validity_days=2))) as client:
        first, second = quoted(client, BODY), quoted(client, BODY)
        unknown = client.post(f"/v1/quotes/{first['quote_id']}/accept", json={"plan": "gold"})
        assert unknown.status_code == 422
        assert "offers no plan 'gold'; it offers free_care" in unknown.json()["detail"]
        clock[0] = NOW + timedelta(days=2)
        bought = client.post(f"/v1/quotes/{first['quote_id']}/accept", json={"plan": "free_care"})
        assert bought.json() == {
            "quote_id": first["quote_id"],
            "plan": "free_care",
            "offered_premium": first["offers"][0]["offered_premium"],
            "accepted_at": "2026-03-03T12:00:00Z",
        }
        clock[0] += timedelta(seconds=1)
        again = client.post(f"/v1/quotes/{first['quote_id']}/accept", json={"plan": "free_care"})
        assert again.json() == bought.json()
        other = first["offers"][1]["plan"]
        for quote, plan, said in (
            (first, other, "was accepted at 2026-03-03T12:00:00+00:00 for plan free_care"),
            (second, "free_care", "was valid until 2026-03-03T12:00:00+00:00: ask for a new one"),
        ):
            answer = client.post(f"/v1/quotes/{quote['quote_id']}/accept", json={"plan": plan})
            assert answer.status_code == 409
            assert said in answer.json()["detail"]
        told = [client.get(f"/v1/quotes/{q['quote_id']}").json() for q in (first, second)]
        assert [one["status"] for one in told] == ["accepted", "expired"]
        assert told[0]["accepted_plan"] == "free_care"
    database.close()


def test_each_row_of_a_batch_is_quoted_or_has_its_problem(client: TestClient) -> None:
    rows = [{"answers": ADULT}, {"answers": {**ADULT, "age": 200}}, {"member_id": "nobody"}]
    answer = client.post("/v1/quotes/batch", json={"market": "us_aca", "members": rows})
    told = answer.json()
    TypeAdapter(BatchBody).validate_python(told)
    assert [row["row"] for row in told["results"]] == [0, 1, 2]
    good, old, unknown = told["results"]
    alone = quoted(client, {"market": "us_aca", "answers": ADULT})
    assert good["quote"]["offers"] == alone["offers"]
    assert client.get(f"/v1/quotes/{good['quote']['quote_id']}").json()["quote"] == good["quote"]
    assert old["problem"]["errors"][0]["field"] == "age"
    assert unknown["problem"]["status"] == 404
    free = client.post("/v1/quotes/batch?store=false",
                       json={"market": "us_aca", "members": rows[:1]}).json()  # fmt: skip
    assert "quote_id" not in free["results"][0]["quote"]
    many = {"market": "us_aca", "members": [{"answers": ADULT}] * 1001}
    assert client.post("/v1/quotes/batch", json=many).status_code == 422


def test_a_stored_quote_is_replayed_and_a_changed_one_is_told(
    client: TestClient, folder: Path, release: Release
) -> None:
    def find(digest: str) -> Any:
        return next(r for r in (release, market_release("us_aca")) if r.hash == digest)

    database = Database(f"sqlite:///{folder}/store.db")
    for body in (BODY, HOUSEHOLD):
        quote = quoted(client, body)
        replayed = replay_quote(database, quote["quote_id"], find)
        assert replayed.differences == ()
        offer = quote["offers"][0]
        paid = offer.get("household_premium") or offer["offered_premium"]
        assert replayed.premiums[offer["plan"]] == paid
    with database.writing() as connection:
        changed = (
            "update quotes set body = replace(cast(body as text), ?, '0.01') where quote_id = ?"
        )
        connection.exec_driver_sql(changed, (paid, quote["quote_id"]))
    (difference,) = replay_quote(database, quote["quote_id"], find).differences
    assert difference == f"offers.0.household_premium: stored '0.01', replayed '{paid}'"
    database.close()


def test_while_the_store_is_away_prices_are_told_and_no_quote_is(
    release: Release, tmp_path: Path
) -> None:
    database = Database(f"sqlite:///{tmp_path}/store.db", patience=0.05)
    outside = Outside(FixedReleases.of(release), database, now=lambda: NOW)
    with TestClient(create_app(outside, Settings())) as client:
        quoted(client, BODY)
        other = sqlite3.connect(tmp_path / "store.db")
        other.execute("begin exclusive")
        refused = client.post("/v1/quotes", json=BODY)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        assert "database is locked" in refused.json()["detail"]
        for path in ("/v1/prices", "/v1/quotes?store=false"):
            assert client.post(path, json=BODY).status_code == 200
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["parts"]["releases"]) == (200, "ready")
        assert "database is locked" in ready.json()["parts"]["store"]
        other.rollback()
        other.close()
        assert client.get("/readyz").json()["parts"]["store"] == "ready"
        quoted(client, BODY)
    database.close()
