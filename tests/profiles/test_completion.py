from datetime import date

import ibis
import numpy as np
import pandas as pd
import pyarrow as arrow
import pytest

from riskengine.errors import TableError
from riskengine.profiles.completion import (
    completion_factors,
    reported_by_month,
    run_off,
    share_known,
)
from riskengine.profiles.drift import population_stability_index
from riskengine.tables import Tables


def test_completion_factors_are_those_of_the_chain_ladder_by_hand() -> None:
    months = pd.date_range("2025-01-01", periods=3, freq="MS").date
    # Cumulative: 60 90 100; 120 180; 80. Factors of development: 270/180 and 100/90.
    amounts = {(0, 0): 60, (0, 1): 30, (0, 2): 10, (1, 1): 120, (1, 2): 60, (2, 2): 80}
    frame = pd.DataFrame(
        [(months[i], months[j], float(a)) for (i, j), a in amounts.items()],
        columns=["service_month", "report_month", "allowed_amount"],
    )
    factors = completion_factors(frame)["completion_factor"].to_numpy()
    np.testing.assert_allclose(factors, [1 / (1.5 * 10 / 9), 9 / 10, 1.0])
    with pytest.raises(TableError, match="claims of 1 months"):
        completion_factors(frame[:1])


def test_the_share_of_a_cover_that_is_known_by_hand() -> None:
    factors = arrow.table({"development_month": [1, 2, 3], "completion_factor": [0.5, 0.8, 1.0]})

    def share(first: str, last: str, until: str) -> float:
        start, end = (
            np.array([np.datetime64(day).astype(np.int64)], np.float64) for day in (first, last)
        )
        return float(share_known(start, end, factors, date.fromisoformat(until))[0])

    whole = share("2025-01-01", "2025-12-31", "2025-12-31")
    assert whole == pytest.approx((304 + 30 * 0.8 + 31 * 0.5) / 365)
    assert share("2025-01-01", "2025-12-31", "2026-02-28") == 1
    # December has not ended on the 30th: it counts as if it just had, November as one month old.
    assert share("2025-12-01", "2025-12-31", "2025-12-30") == pytest.approx(0.5)
    assert share("2025-11-01", "2025-11-30", "2025-12-30") == pytest.approx(0.5)
    assert share("2025-11-01", "2025-11-30", "2025-12-31") == pytest.approx(0.8)


def test_the_run_off_knows_only_what_was_reported(synthetic: Tables) -> None:
    as_of = date(2025, 1, 1)
    frame = (
        run_off(ibis.memtable(synthetic["claims"]), ibis.literal(as_of)).to_pyarrow().to_pandas()
    )
    claims = synthetic["claims"].to_pandas()
    known = claims[(claims["service_date"] < as_of) & (claims["reported_on"] <= as_of)]
    assert frame["allowed_amount"].sum() == pytest.approx(known["allowed_amount"].sum())
    kept = arrow.Table.from_pandas(known, synthetic["claims"].schema, preserve_index=False)
    same = frame.sort_values(["service_month", "report_month"], ignore_index=True)
    own = reported_by_month(kept)
    assert own["allowed_amount"].to_numpy() == pytest.approx(same["allowed_amount"].to_numpy())
    factors = completion_factors(frame)["completion_factor"].to_numpy()
    assert factors[-1] == 1
    assert 0.3 < factors[0] < 0.8  # most claims take one to three weeks
    assert factors[5] > 0.99


def test_drift_sees_shifts_missing_values_and_new_levels() -> None:
    rng = np.random.default_rng(1)
    before, after = rng.normal(size=4000), rng.normal(size=4000)
    assert population_stability_index(before, after) < 0.02
    assert population_stability_index(before, after + 1) == pytest.approx(1.0, abs=0.15)
    lost = np.where(rng.random(4000) < 0.5, np.nan, after)
    assert population_stability_index(before, lost) > 1
    levels = np.array(["a", "b", None, "a"] * 50, dtype=object)
    assert population_stability_index(levels, levels) == 0
    p, q = np.array([100.5, 50.5, 0.5, 50.5]), np.array([0.5, 50.5, 100.5, 50.5])
    p, q = p / p.sum(), q / q.sum()
    changed = np.array(["c", "b", None, "c"] * 50, dtype=object)
    expected = np.sum((q - p) * np.log(q / p))
    assert population_stability_index(levels, changed) == pytest.approx(expected)
    assert np.isnan(population_stability_index(before[:0], after))
