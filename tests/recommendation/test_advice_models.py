"""Models that rank are part of a release: kept with it, asked for their answers, with consent."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pytest
from fastapi.testclient import TestClient

from riskengine.errors import SpecError, UnknownNameError
from riskengine.market_advice import Wish, recommend_market
from riskengine.market_release import (
    MarketRelease,
    load_market_release,
    save_market_release,
    with_advice,
)
from riskengine.products.suitability import Channel, Need
from riskengine.profiles.questions import answers_to_columns
from riskengine.recommendation.advice_models import AdviceModels, read_advice_models
from riskengine.recommendation.asked import Consent
from riskengine.risk.fit import fit
from riskengine.risk.model import RiskModel
from riskengine.risk.spec import parse_spec
from tests.golden.market_releases import market_release
from tests.service.running import application
from tests.service.test_recommendations import HEALTHY, WISH

START = date(2026, 3, 1)
QUICK = """
[folds]
group = "member_id"
count = 2
[lightgbm]
rounds = 30
learning_rate = 0.1
num_leaves = 4
[blend]
glm = false
"""
TAKE_UP = """
[model]
name = "take_up"
kind = "binary"
target = "chosen"
propensity = "propensity"
purpose = "recommendation"
[features]
numeric = ["position", "offered_premium", "age", "chronic_condition_count"]
optional = ["chronic_condition_count"]
"""
NEED = """
[model]
name = "stay"
kind = "binary"
target = "chosen"
purpose = "recommendation"
[features]
numeric = ["age", "household_size"]
optional = ["household_size"]
"""


def learnt(spec: str) -> RiskModel:
    """A model of the sick (or of large households), who take more; it saw rows that lack it."""
    rng = np.random.default_rng(1)
    sick = rng.integers(0, 2, 600).astype(float)
    told = np.where(rng.random(600) < 0.2, np.nan, sick)
    table = arrow.table(
        {
            "member_id": [f"m{n}" for n in range(600)],
            "age": rng.uniform(20, 60, 600),
            "chronic_condition_count": arrow.array(told, from_pandas=True),
            "household_size": arrow.array(told + 1, from_pandas=True),
            "position": np.ones(600),
            "offered_premium": np.full(600, 100.0),
            "propensity": np.full(600, 0.5),
            "chosen": (rng.random(600) < 0.1 + 0.6 * sick).astype(float),
        }
    )
    return fit(parse_spec(spec + QUICK), table)


@pytest.fixture(scope="module")
def advice() -> AdviceModels:
    release = market_release("cn")
    model = learnt(TAKE_UP)
    products = {plan.product for plan in release.catalogue.plans}
    return AdviceModels(dict.fromkeys(products, model), {Need.HOSPITAL_BILLS: learnt(NEED)})


@pytest.fixture(scope="module")
def release(advice: AdviceModels) -> MarketRelease:
    return with_advice(market_release("cn"), advice)


def take_up(release: MarketRelease, chronic: float, *, consents: bool) -> float:
    columns = answers_to_columns(
        release.advice_questions, {**HEALTHY, "chronic_condition_count": chronic}
    )
    wish = Wish(Channel.AGENT, consents={Consent.HEALTH_DATA: consents})
    decision = recommend_market(release, columns, START, wish)
    found = decision.considered[0].take_up
    assert found is not None
    return found


def test_a_release_keeps_them_and_has_another_hash(release: MarketRelease, tmp_path: Path) -> None:
    save_market_release(release, tmp_path / "release")
    again = load_market_release(tmp_path / "release")
    assert (again.hash, again.advice_questions) == (release.hash, release.advice_questions)
    assert release.hash != market_release("cn").hash
    assert take_up(again, 1.0, consents=True) == take_up(release, 1.0, consents=True)
    read = read_advice_models(tmp_path / "release" / "advice")
    assert read.take_up.keys() == release.advice.take_up.keys()
    assert [*read_advice_models(tmp_path).take_up] == []


def test_what_tells_of_health_is_read_with_consent_alone(release: MarketRelease) -> None:
    assert take_up(release, 1.0, consents=True) > take_up(release, 0.0, consents=True) + 0.2
    assert take_up(release, 1.0, consents=False) == take_up(release, 0.0, consents=False)


def test_a_service_asks_their_questions_for_advice_and_not_for_a_price(
    release: MarketRelease,
) -> None:
    consents = {**WISH, "consents": {"health_data": True}}
    answers = {**HEALTHY, "chronic_condition_count": 1, "household_size": 2}
    with TestClient(application(None, release)) as client:
        path = "/v1/recommendations?store=false"
        told = client.post(path, json={"answers": answers, "wish": consents}).json()
        silent = client.post(path, json={"answers": HEALTHY, "wish": WISH}).json()
        refused = client.post("/v1/prices", json={"answers": answers})
    assert refused.status_code == 422
    assert "unknown question" in refused.text
    assert all(one["take_up"] is not None for one in told["items"] + silent["items"])
    assert all("take_up" in one["terms"] for one in told["items"])
    (likely,) = [one["likely"] for one in told["needs"] if one["need"] == "hospital_bills"]
    assert likely > 0.5
    assert all(one["likely"] is None for one in silent["needs"])


@pytest.mark.parametrize(
    ("product", "changes", "error", "told"),
    [
        ("gold", {}, UnknownNameError, "take-up of gold: products are accident"),
        ("accident", {'propensity = "propensity"\n': ""}, SpecError, "without the propensity"),
        ("accident", {'optional = ["chronic_condition_count"]\n': ""}, SpecError, "never saw it"),
        ("accident", {'"age"': '"age", "nonsense"'}, SpecError, "is no feature that may serve"),
    ],
)
def test_what_cannot_advise_is_refused(
    product: str, changes: dict[str, str], error: type[Exception], told: str
) -> None:
    spec = TAKE_UP
    for old, new in changes.items():
        spec = spec.replace(old, new)
    rows = np.arange(200.0)
    table = arrow.table(
        {
            **dict.fromkeys(("position", "offered_premium", "nonsense", "age"), rows),
            "chronic_condition_count": rows,
            "member_id": [str(n) for n in range(200)],
            "propensity": np.full(200, 0.5),
            "chosen": rows % 2,
        }
    )
    model = fit(parse_spec(spec + QUICK), table)
    with pytest.raises(error, match=told):
        with_advice(market_release("cn"), AdviceModels({product: model}))


def test_a_need_that_is_none_is_refused(advice: AdviceModels, tmp_path: Path) -> None:
    for name, content in replace(advice, take_up={}).to_files().items():
        path = tmp_path / name.replace("hospital_bills", "happiness")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with pytest.raises(UnknownNameError, match=r"needs happiness in .* there are hospital_bills"):
        read_advice_models(tmp_path)
