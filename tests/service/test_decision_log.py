"""What the service kept of recommendations is the log that `evaluate` judges."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from riskengine.batch.evaluate import read_log
from riskengine.cli.app import app
from riskengine.products.suitability import Need
from riskengine.recommendation.feedback import (
    DecisionRecord,
    DisplayRecord,
    OutcomeRecord,
    from_json,
)
from riskengine.recommendation.followed import follow, slate_of
from riskengine.release import load_release
from riskengine.store import Database
from riskengine.store.schema import DECISIONS
from tests.golden.market_releases import market_release
from tests.service.running import KEPT, NOW, application
from tests.service.test_recommendations import HEALTHY, WISH

OUTCOME = {"kind": "bind", "occurred_at": "2026-03-03T09:00:00Z"}


def advised(client: TestClient, shown: slice = slice(None)) -> dict[str, object]:
    """A decision, shown as answered or in part, whose first plan is bought."""
    asked = {"answers": HEALTHY, "wish": WISH, "member_id": None}
    told = client.post("/v1/recommendations", json=asked).json()
    of = {"decision_id": told["decision_id"]}
    screen = [
        {"plan": one["plan"], "premium": one["premium"], "position": place, "in_view": place < 3}
        for place, one in enumerate(told["items"][shown], start=1)
    ]
    display = {"kind": "display", "channel": "agent", "language": "zh", "shown": screen, **of}
    bought = {**OUTCOME, "plan": told["items"][0]["plan"], **of}
    for said in ({**display, "occurred_at": "2026-03-01T12:01:00Z"}, bought):
        assert client.post("/v1/feedback", json=said).status_code == 201, said
    found: dict[str, object] = told
    return found


def test_decisions_and_what_came_of_them_are_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TestClient(application(tmp_path, market_release("cn"), load_release(KEPT))) as client:
        whole, part = advised(client), advised(client, slice(1))
        client.post("/v1/recommendations", json={"answers": HEALTHY}).raise_for_status()
        study = {"market": "study", "answers": {"age": 43, "sex": "female"}}
        client.post("/v1/recommendations", json=study).raise_for_status()
    monkeypatch.setenv("RISKENGINE_STORE", f"sqlite:///{tmp_path}/store.db")
    file = tmp_path / "log" / "cn.jsonl"
    done = CliRunner().invoke(app, ["evaluate", "log", "--market", "cn", "--out", str(file)])
    assert done.exit_code == 0, done.output
    assert "3 decisions and 4 told of them are in" in done.output
    records = read_log(file)
    decision, display, outcome = (
        next(r for r in records if isinstance(r, kind) and r.decision_id == whole["decision_id"])
        for kind in (DecisionRecord, DisplayRecord, OutcomeRecord)
    )
    assert (decision.record_id, decision.recorded_at) == (whole["decision_id"], NOW)
    items = whole["items"]
    assert isinstance(items, list)
    assert [one.plan for one in slate_of(decision)] == [one["plan"] for one in items]
    assert {one.plan for one in decision.candidates} == set(market_release("cn").catalogue.names)
    assert [f"{one.offered_cents / 100:.2f}" for one in display.shown] == [
        one["premium"] for one in items
    ]
    assert outcome.happened_on.isoformat() == "2026-03-03"
    followed = follow(records, NOW.date().replace(month=6))
    assert [one.decision.decision_id for one in followed.decisions] == [whole["decision_id"]]
    assert followed.decisions[0].taken == {items[0]["plan"]}
    assert followed.left_out == {"displayed_otherwise": 1, "not_displayed": 1}
    assert part["decision_id"] in {one.decision_id for one in records}


def test_exploring_draws_the_order_and_keeps_the_probability_but_never_in_advice(
    tmp_path: Path,
) -> None:
    release = market_release("cn")
    with TestClient(application(tmp_path, release, load_release(KEPT), explores=True)) as client:
        wished = {"answers": HEALTHY, "wish": {**WISH, "stated_needs": [*Need]}}
        told = [client.post("/v1/recommendations", json=wished).json() for _ in range(12)]
        advice = {**wished, "wish": {**wished["wish"], "mode": "advice"}}
        advised = client.post("/v1/recommendations", json=advice).json()
    assert len({tuple(one["plan"] for one in each["items"]) for each in told}) > 1
    assert all(0 < each["propensity"] < 1 for each in told)
    assert advised["propensity"] == 1
    with Database(f"sqlite:///{tmp_path}/store.db").reading() as connection:
        (record, *_), *_ = connection.execute(sa.select(DECISIONS.c.record))
    kept = from_json(record.decode())
    assert isinstance(kept, DecisionRecord)
    assert kept.explored
    assert kept.propensity == pytest.approx(told[0]["propensity"])


def test_a_market_without_decisions_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISKENGINE_STORE", f"sqlite:///{tmp_path}/store.db")
    asked = ["evaluate", "log", "--market", "cn", "--out", str(tmp_path / "cn.jsonl")]
    done = CliRunner().invoke(app, asked)
    assert (done.exit_code, done.output[:12]) == (1, "0 decisions ")
