"""Two predictions of the same rows."""

import numpy as np
import pytest

from riskengine.risk.comparison import FIRST, SECOND, compare, paired_difference
from riskengine.risk.diagnostics.deviance import Family, Loss
from riskengine.risk.diagnostics.judged import Judged


def test_the_paired_difference_is_that_of_the_whole_comparison() -> None:
    rng = np.random.default_rng(1)
    mean = rng.gamma(2.0, size=400)
    rows = Judged(
        actual=rng.poisson(mean).astype(np.float64),
        weight=np.ones(400),
        member=np.arange(400) // 2,
        fold=None,
        predictions={FIRST: np.full(400, 2.0), SECOND: mean},
        loss=Loss(Family.POISSON),
    )
    found = compare(rows)
    assert paired_difference(rows) == found.difference
    assert found.difference.mean == pytest.approx(
        found.first.deviance.mean - found.second.deviance.mean, abs=1e-12
    )
    assert found.difference.low > 0
    assert found.verdict("flat", "true").startswith("true is better than flat beyond chance")
