"""What explains a model on one table, gathered."""

from dataclasses import replace

import numpy as np
import pytest

from riskengine.reporting.risk_explanation import explanation_sections, fidelity_words
from riskengine.risk.diagnose import diagnose
from riskengine.risk.explanation import Asked, explain_model
from riskengine.risk.factor_tables import Judging
from riskengine.risk.findings import findings_of
from riskengine.risk.fit import fit
from riskengine.risk.gates import Bounds, Champion, decide
from riskengine.risk.model import RiskModel
from riskengine.risk.spec import Kind
from tests.risk.books import book, spec

FEW = Asked(features=1, families=False, points=3, rows=600)


@pytest.fixture(scope="module")
def model() -> RiskModel:
    return fit(spec(Kind.POISSON), book())


def test_on_the_training_table_the_loss_is_held_out(model: RiskModel) -> None:
    found = explain_model(model, book(), FEW)
    assert found.fidelity is not None
    assert found.distilled is not None
    assert found.fidelity.judging is Judging.FOLDS
    assert [len(one.points[0]) for one in found.singles] == [3]
    assert found.singles[0].features == found.importance.names[:1]
    rows = found.distilled.rows
    assert len(rows.places) == 600
    np.testing.assert_array_equal(book()["age"].to_numpy()[rows.places], rows.columns["age"])
    lost = found.fidelity.tables - found.fidelity.model
    side = "above" if lost > 0 else "below"
    assert f"The tables are {abs(lost):.3f} {side} the model" in fidelity_words(found.fidelity).en


def test_on_another_table_it_is_as_served_and_without_outcomes_unknown(model: RiskModel) -> None:
    other = explain_model(model, book(400, seed=9), FEW)
    assert other.fidelity is not None
    assert other.fidelity.judging is Judging.SERVED
    assert "as served" in fidelity_words(other.fidelity).en
    bare = explain_model(model, book(400).drop_columns(["count"]), FEW)
    assert bare.fidelity is None
    assert bare.distilled is not None
    words = explanation_sections(bare, Kind.POISSON)[-1].words
    assert "has no outcomes" in words.en
    assert "没有结果列" in words.zh


def test_a_model_that_breaks_a_promise_is_refused(model: RiskModel) -> None:
    free = fit(spec(Kind.POISSON, promise=False), book())
    promise = free.spec.features.model_copy(update={"monotone": {"age": "decreasing"}})
    liar = replace(free, spec=free.spec.model_copy(update={"features": promise}))
    refused = {}
    for name, one in (("kept", model), ("broken", liar)):
        findings = findings_of(one, book(), diagnose(one, draws=20))
        assert findings.promised == 1
        decision = decide(findings, Champion(), Bounds())
        refused[name] = {gate.name: gate.value for gate in decision.refused}
    assert "promises" not in refused["kept"]
    assert refused["broken"]["promises"] == "broken: age"
