from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from functools import reduce

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riskengine.errors import ReleaseError
from riskengine.release import Release
from riskengine.service.app import Outside, create_app
from riskengine.service.holding import FixedReleases, Named
from riskengine.service.requests import EXAMPLE_ANSWERS
from riskengine.settings import Settings
from tests.service.running import application

BODY = {"answers": EXAMPLE_ANSWERS, "as_of": "2026-01-01"}


@pytest.fixture(scope="module")
def client(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with TestClient(application(tmp_path_factory.mktemp("store"), release)) as client:
        yield client


class NoReleases(FixedReleases):
    def named(self) -> dict[str, Named]:
        message = "no release 'champion': run `riskengine demo`"
        raise ReleaseError(message)


def replay(steps: list[dict[str, object]]) -> str:
    """The offered premium as a front end without our code would recompute it."""

    def apply(running: float, step: dict[str, object]) -> float:
        value = float(step["value"])  # type: ignore[arg-type]
        return {
            "start": value,
            "multiply": running * value,
            "add": running + value,
            "divide": running / value,
        }[str(step["operation"])]

    *chain, last = steps
    assert last["operation"] == "round"
    places = Decimal(1).scaleb(-int(last["value"]))  # type: ignore[call-overload]
    return str(Decimal(repr(reduce(apply, chain, 0.0))).quantize(places, ROUND_HALF_UP))


def test_a_quote_replays_to_the_cent(client: TestClient, release: Release) -> None:
    answer = client.post("/v1/quotes", json=BODY)
    assert answer.status_code == 200
    quote = answer.json()
    assert quote["release"] == release.hash
    assert quote["as_of"] == "2026-01-01"
    assert quote["currency"] == "USD"
    assert quote["missing_answers"] == [
        "rating_area", "education_years", "household_income", "general_health_index",
        "mental_health_index", "physical_limitation",
    ]  # fmt: skip
    assert [offer["plan"] for offer in quote["offers"]] == list(release.catalogue.names)
    for offer in quote["offers"]:
        product = offer["base"]
        for relativity in offer["relativities"]:
            product *= relativity["relativity"]
        assert product == pytest.approx(offer["steps"][0]["running"], rel=1e-9)
        assert replay(offer["steps"]) == offer["offered_premium"]
        values = {r["factor"]: r["value"] for r in offer["relativities"]}
        assert values["age"] == 43
        assert values["rating_area"] is None


def test_two_quotes_have_two_ids_and_one_price(client: TestClient) -> None:
    first, second = (client.post("/v1/quotes", json=BODY).json() for _ in range(2))
    assert first.pop("quote_id") != second.pop("quote_id")
    assert first == second
    prices = client.post("/v1/prices", json=BODY).json()
    assert {
        **prices,
        "created_at": first["created_at"],
        "valid_until": first["valid_until"],
    } == first


def test_an_undated_request_is_dated_today(client: TestClient) -> None:
    for path in ("/v1/quotes", "/v1/recommendations"):
        assert client.post(path, json={"answers": EXAMPLE_ANSWERS}).json()["as_of"] == "2026-03-01"


def test_recommendation_and_quote_name_one_price(client: TestClient) -> None:
    offers = client.post("/v1/quotes", json=BODY).json()["offers"]
    ranked = client.post("/v1/recommendations", json=BODY).json()
    assert [item["rank"] for item in ranked["items"]] == [1, 2, 3, 4]
    assert {item["plan"]: item["offered_premium"] for item in ranked["items"]} == {
        offer["plan"]: offer["offered_premium"] for offer in offers
    }
    for item in ranked["items"]:
        assert item["reasons"][0]["text"].keys() == {"zh", "en"}
        assert item["reasons"][0]["code"] in {"worth_more", "lowest_yearly_cost"}


@pytest.mark.parametrize("path", ["/v1/quotes", "/v1/recommendations"])
@pytest.mark.parametrize(
    ("body", "field", "value", "message"),
    [
        ({"answers": {"age": 200, "sex": "male"}}, "age", "200", "give a number from 0 to 66"),
        ({"answers": {"age": 30}}, "sex", "missing", "required: give one of female, male"),
        ({"answers": {"age": 30, "sex": "male", "iq": 1}}, "iq", "1", "unknown question"),
        ({"answers": {"age": [1], "sex": "male"}}, "body.answers.age.float", "[1]", "number"),
        ({"answers": {}, "plan": "x"}, "body.plan", "'x'", "Extra inputs are not permitted"),
        ({"answers": {}, "as_of": "soon"}, "body.as_of", "'soon'", "as YYYY-MM-DD"),
        ({"answers": {}, "as_of": 1767225600}, "body.as_of", "1767225600", "as YYYY-MM-DD"),
        ({"answers": {}, "plans": ["a", "a"]}, "body.plans", "['a', 'a']", "named twice"),
    ],
)
def test_a_wrong_value_is_a_422_that_names_it(
    client: TestClient, path: str, body: dict[str, object], field: str, value: str, message: str
) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == 422
    found = {error["field"]: error for error in problem["errors"]}
    assert found[field]["value"] == value
    assert message in found[field]["message"]


def test_an_unknown_plan_is_a_422_that_lists_the_known(client: TestClient) -> None:
    answer = client.post("/v1/quotes", json={**BODY, "plans": ["gold"]})
    assert answer.status_code == 422
    assert answer.json()["detail"] == (
        "unknown plan 'gold'; there are free_care, coinsurance_20, high_deductible, catastrophic"
    )


def test_half_a_character_is_a_422_too(client: TestClient) -> None:
    for content in ('{"answers":{"\\ud800":1}}', '{"answers":{"age":1,"sex":"\\ud800"}}'):
        sent = {"content-type": "application/json"}
        assert client.post("/v1/quotes", content=content, headers=sent).status_code == 422
    plans = '{"answers":{"age":1,"sex":"male"},"plans":["\\ud800"]}'
    answer = client.post("/v1/quotes", content=plans, headers={"content-type": "application/json"})
    assert answer.status_code == 422


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    answers=st.dictionaries(
        st.sampled_from(["age", "sex", "rating_area", "household_size"]) | st.text(), json_values
    ),
    as_of=st.none() | st.dates().map(str) | json_values,
)
def test_nothing_a_client_sends_gives_a_server_error(
    client: TestClient, answers: dict[str, object], as_of: object
) -> None:
    import json

    content = json.dumps({"answers": answers, "as_of": as_of})
    for path in ("/v1/quotes", "/v1/recommendations"):
        answer = client.post(path, content=content, headers={"content-type": "application/json"})
        assert answer.status_code in {200, 422}


def test_products_carry_texts_and_questions(client: TestClient, release: Release) -> None:
    told = client.get("/v1/products").json()
    assert [product["plan"] for product in told["products"]] == list(release.catalogue.names)
    assert told["products"][0]["name"] == {"zh": "全额保障计划", "en": "Free care"}
    assert [question["name"] for question in told["questions"]][:2] == ["age", "sex"]


def test_without_a_release_the_service_says_what_to_run() -> None:
    with TestClient(create_app(Outside(NoReleases({})), Settings())) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json() == {
            "ready": False,
            "release": None,
            "detail": "no release 'champion': run `riskengine demo`",
            "releases": {},
            "parts": {
                "releases": "no release 'champion': run `riskengine demo`",
                "store": "this service has no store: set RISKENGINE_STORE",
            },
        }
        for answer in (
            client.post("/v1/quotes", json=BODY),
            client.post("/v1/recommendations", json=BODY),
            client.get("/v1/products"),
        ):
            assert answer.status_code == 503
            assert "run `riskengine demo`" in answer.json()["detail"]


def test_ready_with_a_release(client: TestClient, release: Release) -> None:
    assert client.get("/readyz").json() == {
        "ready": True,
        "release": release.hash,
        "detail": "ready",
        "releases": {"study": release.hash},
        "parts": {"releases": "ready", "store": "ready"},
    }


def test_unknown_paths_and_methods_are_problem_details(client: TestClient) -> None:
    for answer, status in ((client.get("/v1/nothing"), 404), (client.get("/v1/prices"), 405)):
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"


def test_the_documented_example_is_a_valid_request(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()["components"]["schemas"]["MemberRequest"]
    (example,) = schema["examples"]
    assert client.post("/v1/quotes", json=example).status_code == 200
    assert client.get("/docs").status_code == 200
