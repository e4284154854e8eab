"""`riskengine evaluate recommendations` as a user types it: of a model, and of a log."""

import json
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from riskengine.batch.train import TrainJob, train
from riskengine.cli.app import app
from riskengine.products.load import shipped
from riskengine.recommendation.feedback import Record, to_json
from tests.recommendation.logs import log
from tests.risk.next_product.baskets import SPEC, customers


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, its training table, and other customers."""
    folder = tmp_path_factory.mktemp("evaluated")
    customers(400).to_csv(folder / "book.csv", index=False)
    customers(250, seed=8).to_csv(folder / "other.csv", index=False)
    (folder / "next.toml").write_text(SPEC)
    made = train(TrainJob(folder / "next.toml", folder / "book.csv", report=False), lambda _: None)
    made.write(folder / "model")
    return folder


def run(*given: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", "recommendations", *map(str, given)])


def written(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    return found


def test_on_its_training_table_a_model_has_the_figures_of_its_training_report(place: Path) -> None:
    out = place / "own"
    done = run("--model", place / "model", "--data", place / "book.csv", "--by", "age", "--by",
               "region", "--out", out)  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "niche hit@3" in done.output
    found = written(out)
    told = json.loads((place / "model" / "metrics.json").read_text())
    assert found["held_out"] is True
    sides = found["figures"]
    assert isinstance(sides, dict)
    assert set(sides) - {"als"} == {"model", "logistic", "ease", "item_item", "popularity"}
    assert ("als" in sides) is (find_spec("implicit") is not None)
    for side in ("model", "logistic", "ease", "item_item", "popularity"):
        for figure, one in sides[side].items():
            assert one["mean"] == pytest.approx(told[f"{side}.{figure}"], rel=1e-9), (side, figure)
    groups = found["groups"]
    assert isinstance(groups, list)
    assert {one["level"] for one in groups if one["column"] == "region"} == {
        "north",
        "south",
        "west",
    }
    assert sum(1 for one in groups if one["column"] == "age") == 6
    shares = found["share_of_places"]
    assert isinstance(shares, dict)
    assert sum(shares.values()) == pytest.approx(1.0)
    page = (out / "evaluation.html").read_text(encoding="utf-8")
    for words in ("Against champion and yardsticks", "与参照的比较", "By group", "按群体", "<svg"):
        assert words in page


def test_a_champion_is_compared_on_customers_that_neither_saw(place: Path) -> None:
    out = place / "both"
    done = run("--model", place / "model", "--data", place / "other.csv", "--champion",
               place / "model", "--out", out)  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "the model ahead of" in done.output
    found = written(out)
    assert found["held_out"] is False
    ahead = found["ahead_of"]
    assert isinstance(ahead, dict)
    assert ahead["champion"] == {
        name: {"mean": 0.0, "low": 0.0, "high": 0.0} for name in ("log_loss", "hit_3")
    }
    assert ahead["popularity"]["log_loss"]["low"] > 0


def lines(path: Path, records: list[Record]) -> Path:
    """The records, and one more half a year later, so that all have had their time."""
    late = records[-1].model_copy(
        update={"record_id": "late", "recorded_at": datetime(2026, 9, 1, tzinfo=UTC)}
    )
    path.write_text("\n".join(to_json(one) for one in (*records, late)) + "\n\n")
    return path


def test_a_log_is_judged_or_refused_with_numbers(tmp_path: Path) -> None:
    path = lines(tmp_path / "log.jsonl", log(15))
    who = pd.DataFrame({"member_id": [f"m{n}" for n in range(15)], "sex": ["f", "m", None] * 5})
    who.to_csv(tmp_path / "who.csv", index=False)
    done = run("--log", path, "--data", tmp_path / "who.csv", "--by", "sex", "--policy",
               shipped("cn"), "--explores", "--out", tmp_path / "out")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "refused" in done.output
    assert "15 decisions are worth" in done.output
    found = written(tmp_path / "out")
    targets = found["off_policy"]
    assert isinstance(targets, dict)
    own, best = targets["proposed"], targets["best_first"]
    assert (own["verdict"], best["verdict"]) == ("refused", "refused")
    assert own["ips"]["mean"] == pytest.approx(own["logged"]["mean"])
    assert best["effective_sample"] < 15
    figures = found["figures"]
    assert isinstance(figures, dict)
    assert figures["hit_3"]["mean"] == 1.0
    assert figures["log_loss"] is None
    assert sum(figures["places"].values()) == pytest.approx(1.0)
    assert sorted(one["level"] for one in figures["groups"]) == ["f", "m", "missing"]
    page = (tmp_path / "out" / "evaluation.html").read_text(encoding="utf-8")
    assert "不作结论" in page


def test_mistakes_name_what_to_give(place: Path, tmp_path: Path) -> None:
    out = ["--out", tmp_path / "out"]
    (tmp_path / "bad.jsonl").write_text('{"record": "gossip"}\n')
    for given, message in (
        ([], "give --model with --data, or --log"),
        (["--model", place / "model"], "a model needs --data"),
        (["--log", "x", "--champion", "y"], "--champion is of a model"),
        (["--log", tmp_path / "bad.jsonl"], "bad.jsonl, line 1: not a record"),
        (["--log", lines(tmp_path / "l", log(1)), "--by", "sex"], "needs --data, a table by"),
        (["--model", place / "model", "--data", place / "other.csv", "--by", "height"], "height"),
    ):
        assert message in str(run(*given, *out).exception), given
