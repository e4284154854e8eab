"""Drift of what is asked: counted in the service, told as Prometheus reads it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from riskengine import release
from riskengine.market_release import load_market_release, save_market_release, with_inputs
from riskengine.profiles.drift import bins_of, population_stability_index
from riskengine.release import load_release
from riskengine.service import input_drift
from riskengine.service.input_drift import InputDrift
from riskengine.service.quoting import AnyRelease, Known
from tests.golden.market_releases import market_release
from tests.service.running import KEPT, application

RNG = np.random.default_rng(5)
AGES = RNG.integers(18, 60, 500).astype(float)
SEXES = RNG.choice(np.array(["female", "male"], dtype=object), 500)
CN = with_inputs(market_release("cn"), {"age": bins_of(AGES), "sex": bins_of(SEXES)})


def test_a_release_keeps_its_inputs_and_older_ones_have_none(tmp_path: Path) -> None:
    save_market_release(CN, tmp_path / "release")
    again = load_market_release(tmp_path / "release")
    assert (again.inputs, again.hash) == (CN.inputs, CN.hash)
    assert market_release("cn").inputs == {}
    assert market_release("cn").hash != CN.hash


def test_counted_one_by_one_it_is_the_index_of_both_samples() -> None:
    drift = InputDrift()
    asked = [float(age) for age in RNG.integers(40, 65, 150)]
    drift.count(CN, [Known({"age": age, "sex": None}) for age in asked])
    told = {name: index for _, name, index in drift.told()}
    assert told["age"] == pytest.approx(population_stability_index(AGES, np.array(asked)))
    missing = np.full(150, None, dtype=object)
    assert told["sex"] == pytest.approx(population_stability_index(SEXES, missing))


def test_few_members_tell_nothing_and_old_ones_fade(monkeypatch: pytest.MonkeyPatch) -> None:
    drift = InputDrift()
    drift.count(CN, [Known({"age": 30.0, "sex": "male"})] * 99)
    assert list(drift.told()) == []
    monkeypatch.setattr(input_drift, "_MANY", 200.0)
    for _ in range(10):
        drift.count(CN, [Known({"age": 30.0, "sex": "male"})] * 100)
    before = {name: index for _, name, index in drift.told()}["age"]
    alike = [Known({"age": float(a), "sex": str(s)}) for a, s in zip(AGES, SEXES, strict=True)]
    for _ in range(5):
        drift.count(CN, alike)
    after = {name: index for _, name, index in drift.told()}["age"]
    assert after < 0.1 < before
    other = replace(CN)
    drift.count(other, alike[:1])
    assert list(drift.told()) == []


STUDY = load_release(KEPT)


@pytest.mark.parametrize(
    ("release", "plan"),
    [(CN, "surgery_10k"), (release.with_inputs(STUDY, {"age": bins_of(AGES)}), "free_care")],
)
def test_metrics_tell_it(release: AnyRelease, plan: str, tmp_path: Path) -> None:
    with TestClient(application(tmp_path, release)) as client:
        body = {"members": [{"answers": {"age": 58, "sex": "male"}}] * 120, "plans": [plan]}
        assert client.post("/v1/quotes/batch?store=false", json=body).status_code == 200
        told = client.get("/metrics").text
    (line,) = [
        one for one in told.splitlines() if one.startswith("riskengine_input_psi") and "age" in one
    ]
    assert float(line.rpartition(" ")[2]) > 0.25
