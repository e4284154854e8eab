"""Claims by service and year: totals, reversals, stays, and what cannot be."""

import numpy as np
import pyarrow as arrow
import pytest

from riskengine.errors import TableError
from riskengine.profiles.build import build_experience
from riskengine.profiles.services import years_by_service
from riskengine.tables import Tables
from riskengine.vocabulary import Service

LINES = [
    ("c1", "p1", "inpatient", 900.0, None, 6.0, None),
    ("c2", "p1", "inpatient", -300.0, None, -2.0, "c1"),
    ("c3", "p1", "inpatient", 100.0, None, 1.0, None),
    ("c4", "p1", "inpatient", -100.0, None, -1.0, "c3"),
    ("c5", "p2", "outpatient", 40.1, 1.0, None, None),
    ("c6", "p2", "outpatient", 0.2, 1.0, None, None),
    ("c7", "p9", "drug", 70.0, None, None, None),
]
NAMES = ("claim_id", "policy_id", "service", "allowed_amount", "visit_count", "hospital_days",
         "reversal_of")  # fmt: skip
POLICIES = arrow.chunked_array([["p1", "p2", "p3"]])


def claims(lines: list[tuple[object, ...]]) -> arrow.Table:
    return arrow.Table.from_pylist([dict(zip(NAMES, line, strict=True)) for line in lines])


def test_amounts_visits_and_stays_are_counted_a_policy() -> None:
    years = years_by_service(claims(LINES), POLICIES, np.array([1.0, 0.5, 1.0]))
    assert {s: v.tolist() for s, v in years.amounts.items()} == {
        Service.INPATIENT: [600.0, 0.0, 0.0],
        Service.OUTPATIENT: [0.0, 80.6, 0.0],
    }
    assert {s: v.tolist() for s, v in years.visits.items()} == {Service.OUTPATIENT: [0.0, 4.0, 0.0]}
    assert (years.stay_row.tolist(), years.stay_days.tolist()) == ([0], [4.0])


def test_services_add_up_to_the_medical_spend_of_the_experience(synthetic: Tables) -> None:
    experience = build_experience(synthetic)
    exposure = experience["exposure"].to_numpy()
    years = years_by_service(synthetic["claims"], experience["policy_id"], exposure)
    total = exposure * np.sum(list(years.amounts.values()), axis=0)
    np.testing.assert_allclose(total, experience["medical_spend"].to_numpy(), atol=1e-6)
    visits = exposure * years.visits[Service.OUTPATIENT]
    np.testing.assert_allclose(visits, experience["visits"].to_numpy(), atol=1e-9)


def test_what_cannot_be_is_refused() -> None:
    exposure = np.ones(3)
    over = [*LINES, ("c8", "p2", "outpatient", -50.0, -1.0, None, "c5")]
    with pytest.raises(TableError, match=r"p2: allowed_amount of outpatient adds up to -9\.7"):
        years_by_service(claims(over), POLICIES, exposure)
    with pytest.raises(TableError, match="each policy needs one row and an exposure above 0"):
        years_by_service(claims(LINES), POLICIES, np.array([1.0, 0.0, 1.0]))
    twice = arrow.chunked_array([["p1", "p1", "p3"]])
    with pytest.raises(TableError, match="each policy needs one row"):
        years_by_service(claims(LINES), twice, exposure)
