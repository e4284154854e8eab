"""What `riskengine explain` says of a kind that has no exact relativities."""

from pathlib import Path

import numpy as np
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
import pytest

from riskengine.batch.explain import ExplainJob, explain_file
from riskengine.risk.fit import fit
from riskengine.risk.spec import FeatureSection, Kind
from tests.risk.books import book, spec


def test_a_kind_without_relativities_says_so_and_writes_what_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("riskengine.risk.explain.MOST_PREDICTIONS", 1_000)
    few = FeatureSection(numeric=("age",), categorical=("region",))
    model = fit(spec(Kind.MULTICLASS).model_copy(update={"features": few}), book(300))
    pq.write_table(book(300).drop_columns(["plan"]), tmp_path / "book.parquet")
    out = tmp_path / "out"
    job = ExplainJob(tmp_path / "book.parquet", out, (("age", "region"),), "town", "t07")
    told = explain_file(model, job)
    assert told.en.startswith("A multiclass model has no exact relativities")
    assert "multiclass模型没有系数表" in told.zh
    names = {path.name for path in out.iterdir()}
    assert names == {
        "charts", "explain.html", "importance.csv", "pairs.csv", "partial_dependence.csv",
    }  # fmt: skip
    pairs = arrow_csv.read_csv(out / "pairs.csv")
    assert pairs["class"][:3].to_pylist() == ["lean", "mid", "rich"]
    np.testing.assert_allclose(pairs["mean"].to_numpy().reshape(-1, 3).sum(axis=1), 1.0)
    charts = {path.name for path in (out / "charts").iterdir()}
    assert {"05_age_and_region_rich.zh.svg", "feature_02_region.en.svg"} <= charts
    page = (out / "explain.html").read_text(encoding="utf-8")
    assert "age and region · rich" in page
    last = np.flatnonzero(np.array(book(300)["town"].to_pylist()) == "t07")[-1]
    chance = model.predict(book(300).slice(last, 1))[0, 0]
    assert f"so none are listed. Prediction: lean {chance:.4g}, mid " in page
