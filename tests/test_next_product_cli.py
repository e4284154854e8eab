"""The commands on a model of the next product: trained, scored, compared, promoted."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from riskengine.settings import Settings
from tests.risk.next_product.baskets import PRODUCTS, SPEC, customers
from tests.test_cli import Run
from tests.test_cli import run as run


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("next_product")
    customers().to_csv(folder / "book.csv", index=False)
    (folder / "next.toml").write_text(SPEC)
    return folder


@pytest.fixture(autouse=True)
def settings(place: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("RISKENGINE_TRACKING_URI", f"sqlite:///{place}/mlruns/mlflow.db")
    monkeypatch.setenv("RISKENGINE_ARTIFACTS", str(place / "mlruns" / "artifacts"))
    monkeypatch.chdir(place)
    return Settings()


@pytest.fixture
def trained(run: Run, place: Path) -> str:
    """What training prints; it runs once for the module."""
    told = place / "told.txt"
    if not told.exists():
        done = run("train", "next.toml", "--data", "book.csv", "--out", "model")
        assert (done.code, done.err) == (0, "")
        told.write_text(done.out)
    return told.read_text()


def test_training_tells_all_that_is_known(trained: str, place: Path) -> None:
    assert "log loss" in trained
    assert "niche hit@3" in trained
    assert "Registered as models:/next_small/1" in trained
    metrics = json.loads((place / "model" / "metrics.json").read_text())
    assert metrics["model.log_loss"] < metrics["ease.log_loss"] < metrics["popularity.log_loss"]
    assert metrics["insufficient_data"] == 1
    products = json.loads((place / "model" / "products.json").read_text())
    assert [one["product"] for one in products] == list(PRODUCTS)
    assert products[-1]["data"] == "insufficient data"
    page = (place / "model" / "report.html").read_text()
    for words in ("reliability diagram", "可靠性图", "insufficient data", "数据不足", "<svg"):
        assert words in page


@pytest.mark.usefixtures("trained")
def test_scoring_writes_one_column_a_product_in_the_order_of_rows(run: Run, place: Path) -> None:
    frame = customers(6, seed=5)
    frame[list(PRODUCTS)] = frame[list(PRODUCTS)].astype(object)
    frame.loc[1, list(PRODUCTS)] = None
    frame.loc[2, list(PRODUCTS)] = 1
    frame.iloc[::-1].to_csv(place / "new.csv", index=False)
    done = run("score", "--model", "model", "--data", "new.csv", "--out", "new.parquet",
               "--key", "ID")  # fmt: skip
    assert (done.code, done.err) == (0, "")
    table = pq.read_table(place / "new.parquet")
    assert table.column_names == ["ID", *PRODUCTS]
    assert table["ID"].to_pylist() == frame["ID"].tolist()[::-1]
    chances = table.to_pandas()[list(PRODUCTS)].to_numpy()[::-1]
    assert (chances[frame[list(PRODUCTS)].to_numpy() == 1] == 0).all()
    np.testing.assert_allclose(chances.sum(axis=1), [1, 1, 0, 1, 1, 1])

    frame.loc[4, "old"] = 3
    frame.to_csv(place / "wrong.csv", index=False)
    wrong = run("score", "--model", "model", "--data", "wrong.csv", "--out", "wrong.csv.parquet")
    assert wrong.code == 2
    assert "old is 3 in row 4" in wrong.err


@pytest.mark.usefixtures("trained")
def test_it_is_promoted_by_its_own_gates_and_compared(run: Run, place: Path) -> None:
    promoted = run("promote", "next_small", "1")
    assert promoted.code == 0, promoted.out
    for gate in ("champion", "popularity", "calibration"):
        assert gate in promoted.out
    customers(200, seed=6).to_csv(place / "other.csv", index=False)
    for data in ([], ["--data", "other.csv"]):
        compared = run("compare", "model", "models:/next_small@champion", *data)
        assert compared.code == 0, compared.err
        assert "No difference beyond chance" in compared.out
    refused = run("compare", "model", "models:/next_small/1", "--data", "book.csv")
    assert refused.code == 2
    assert "was trained on this table" in refused.err
    explained = run("explain", "model", "--data", "book.csv", "--out", "told")
    assert explained.code == 2
    assert "no contributions of features" in explained.err


@pytest.mark.usefixtures("trained")
def test_mlflow_serves_the_registered_model(settings: Settings) -> None:
    import mlflow

    from riskengine.registry import connect

    connect(settings)
    served = mlflow.pyfunc.load_model("models:/next_small/1")
    frame = customers(3, seed=7).drop(columns="ID").astype(dict.fromkeys(PRODUCTS, "float64"))
    found = served.predict(frame.astype({"joined": "datetime64[us]"}))
    assert isinstance(found, pd.DataFrame)
    assert list(found.columns) == list(PRODUCTS)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
