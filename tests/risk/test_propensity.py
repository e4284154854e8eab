"""Takers among the offered, weighted to what they would be among all."""

import numpy as np
import pandas as pd
import pytest

from riskengine.errors import SpecError, TableError
from riskengine.risk.columns import as_table, training_columns
from riskengine.risk.fit import fit
from riskengine.risk.outcome import outcome_of
from riskengine.risk.propensity import LEAST_PROPENSITY, offer_weights
from riskengine.risk.spec import parse_spec

SPEC = """
[model]
name = "takes_it"
kind = "binary"
target = "taken"
propensity = "shown"
[features]
numeric = ["noise"]
[lightgbm]
rounds = 10
"""


def offers(rows: int = 4000) -> dict[str, np.ndarray]:
    """Half would take it; those who would are shown it with 0.8, the others with 0.2."""
    rng = np.random.default_rng(0)
    would = rng.random(rows) < 0.5
    shown = np.where(would, 0.8, 0.2)
    kept = rng.random(rows) < shown
    columns = {"taken": would.astype(np.float64), "shown": shown, "noise": rng.normal(size=rows)}
    return {name: values[kept] for name, values in columns.items()}


def test_the_model_undoes_the_choice_of_whom_to_offer() -> None:
    frame = pd.DataFrame(offers())
    assert frame["taken"].mean() == pytest.approx(0.8, abs=0.02)
    model = fit(parse_spec(SPEC), frame)
    assert model.predict(frame).mean() == pytest.approx(0.5, abs=0.03)


def test_weights_are_clipped_and_average_one() -> None:
    weight = offer_weights(np.array([1.0, LEAST_PROPENSITY, LEAST_PROPENSITY / 100]))
    assert weight[1] == weight[2] == pytest.approx(20 * weight[0])
    assert weight.mean() == pytest.approx(1.0)
    columns = offers(200)
    np.testing.assert_allclose(
        outcome_of(parse_spec(SPEC), columns).weight, offer_weights(columns["shown"])
    )


def test_a_propensity_that_is_none_is_refused() -> None:
    frame = pd.DataFrame(offers(200))
    frame.loc[3, "shown"] = 0.0
    with pytest.raises(TableError, match=r"shown is 0\.0 in row 3"):
        training_columns(parse_spec(SPEC), as_table(frame))
    with pytest.raises(SpecError, match="propensity is of binary models"):
        parse_spec(SPEC.replace('"binary"', '"poisson"'))
