"""Recommendations and bundles of markets over HTTP are those of the engine."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from riskengine.client import Ask, Client
from riskengine.market_advice import recommend_market
from riskengine.profiles.questions import answers_to_columns
from riskengine.release import load_release
from riskengine.service.recommendation_contracts import WishMessage
from tests.golden.market_releases import market_release
from tests.service.running import KEPT, NOW, application

HEALTHY = {
    "age": 43,
    "sex": "female",
    "social_insurance": "yes",
    "rating_area": "second_tier",
    "occupation_class": "class_1",
    "cancer_history": "no",
    "diabetes": "no",
    "thyroid_nodule": "none",
    "body_mass_index": 23.0,
    "glycated_haemoglobin": 5.2,
    "systolic_pressure": 120.0,
}
WISH = {"stated_needs": ["hospital_bills"], "household_income": 200_000, "channel": "agent"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("store")
    with TestClient(application(folder, market_release("cn"), load_release(KEPT))) as one:
        yield one


def test_plans_are_ranked_as_the_engine_ranks_them(client: TestClient) -> None:
    told = client.post("/v1/recommendations", json={"answers": HEALTHY, "wish": WISH}).json()
    release = market_release("cn")
    columns = answers_to_columns(release.questions, HEALTHY)
    wish = WishMessage.model_validate(WISH).as_wish()
    decision = recommend_market(release, columns, NOW.date(), wish)
    assert [one["plan"] for one in told["items"]] == [
        one.scored.plan.plan for one in decision.items
    ]
    assert told["items"][0]["statements"][0]["code"] == "stated_need"
    assert all({"zh", "en"} == set(s["text"]) for one in told["items"] for s in one["statements"])
    prices = client.post("/v1/prices", json={"answers": HEALTHY}).json()["offers"]
    premium = {one["plan"]: one["household_premium"] for one in prices}
    assert all(one["premium"] == premium[one["plan"]] for one in told["items"])


def test_a_household_is_recommended_to_together(client: TestClient) -> None:
    child = HEALTHY | {"age": 8, "sex": "male"}
    body = {"members": [{"answers": HEALTHY}, {"answers": child}]}
    alone = client.post("/v1/recommendations", json={"answers": HEALTHY}).json()
    both = client.post("/v1/recommendations", json=body).json()
    assert both["items"]
    cost = {one["plan"]: float(one["premium"]) for one in alone["items"]}
    shared = [one for one in both["items"] if one["plan"] in cost]
    assert shared
    assert all(float(one["premium"]) > cost[one["plan"]] for one in shared)


def test_a_bundle_keeps_to_its_budget_and_says_what_more_buys(client: TestClient) -> None:
    sdk = Client("http://testserver", transport=client._transport)
    less, more = (sdk.bundle(Ask(HEALTHY, monthly_budget=b)) for b in (60, 110))
    assert float(less["monthly_premium"]) <= 60
    assert set(more["plans"]) == set(less["plans"]) - set(less["more_drops"]) | set(
        less["more_adds"]
    )
    assert more["net"] == pytest.approx(less["net"] + less["more_net"])
    asked = sdk.recommend(Ask(HEALTHY, monthly_budget=60))
    assert asked["bundle"] == less
    assert sdk.decision(asked["decision_id"]) == asked
    assert sdk.recommend(Ask(HEALTHY), store=False)["items"]


def test_without_a_store_advice_is_given_but_not_kept() -> None:
    with TestClient(application(None, market_release("cn"))) as alone:
        path, body = "/v1/recommendations", {"answers": HEALTHY}
        assert alone.post(f"{path}?store=false", json=body).json()["items"]
        refused = alone.post(path, json=body)
        assert refused.status_code == 503
        assert "no store" in refused.json()["detail"]


def test_what_hangs_on_underwriting_is_shown_as_undecided(client: TestClient) -> None:
    known = {name: value for name, value in HEALTHY.items() if name != "diabetes"}
    told = client.post("/v1/recommendations", json={"answers": known, "wish": WISH}).json()
    assert told["missing_inputs"] == ["diabetes"]
    codes = {one["plan"]: [s["code"] for s in one["statements"]] for one in told["items"]}
    assert "not_decided" in codes["million_medical_5k"]
    bought = client.post("/v1/bundle", json={"answers": known, "monthly_budget": 500}).json()
    assert not [name for name in bought["plans"] if "medical" in name or "illness" in name]
    referred = {"answers": {**HEALTHY, "body_mass_index": 40.0}, "wish": WISH}
    told = client.post("/v1/recommendations", json=referred).json()
    gates = [one for one in told["not_offered"] if one["gate"] == "underwriting"]
    assert {(one["state"], one["value"]) for one in gates} == {
        ("unknown", "body_mass_index_very_high")
    }
    declined = {"answers": {**HEALTHY, "cancer_history": "yes"}, "wish": WISH}
    told = client.post("/v1/recommendations", json=declined).json()
    gates = [one for one in told["not_offered"] if one["plan"] == "million_medical_5k"]
    assert [one["gate"] for one in gates] == ["underwriting"]


def test_a_bundle_knows_what_is_held(client: TestClient) -> None:
    plans = market_release("cn").catalogue.plans
    needy = next(plan for plan in plans if plan.suitability.requires)
    held = next(one for one in plans if one.product in needy.suitability.requires)
    body = {"answers": HEALTHY, "monthly_budget": 2_000}
    told = client.post("/v1/bundle", json=body | {"wish": {"held_plans": [held.plan]}}).json()
    assert held.plan not in told["plans"]
    alone, beside = (
        client.post("/v1/recommendations", json=body | {"wish": {"held_plans": names}}).json()
        for names in ([], [held.plan])
    )
    assert alone["bundle"]["net"] != beside["bundle"]["net"]


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/v1/bundle", {"answers": HEALTHY}, "monthly_budget"),
        ("/v1/bundle", {"answers": HEALTHY, "monthly_budget": 0}, "monthly_budget"),
        ("/v1/recommendations", {"answers": HEALTHY, "wish": {"channel": "post"}}, "channel"),
        ("/v1/recommendations", {"answers": HEALTHY, "wish": {"held_plans": ["x"]}}, "'x'"),
        (
            "/v1/recommendations",
            {"market": "study", "answers": {"age": 43, "sex": "female"}, "wish": {}},
            "takes no wish",
        ),
        (
            "/v1/bundle",
            {"market": "study", "answers": {"age": 43, "sex": "female"}, "monthly_budget": 9},
            "no bundles",
        ),
    ],
)
def test_what_cannot_be_answered_is_told(
    client: TestClient, path: str, body: dict[str, object], told: str
) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code in (404, 422)
    assert told in answer.text
