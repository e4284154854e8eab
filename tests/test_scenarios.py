"""Priced cases that a product person can read and add to (`tests/scenarios/*.yaml`)."""

from typing import TypedDict

import numpy as np
import pytest
import yaml

from riskengine.pricing.benefit import plan_payment
from riskengine.products.load import read_catalogue, shipped
from tests.conftest import ROOT


class Case(TypedDict):
    case: str
    plan: str
    annual_cost: float
    plan_pays: float
    member_pays: float


CASES: list[Case] = [
    case
    for path in sorted((ROOT / "tests" / "scenarios").glob("*.yaml"))
    for case in yaml.safe_load(path.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_scenario(case: Case) -> None:
    plan = read_catalogue(shipped("study")).plan(case["plan"])
    paid = plan_payment(plan.benefit).paid(np.array([float(case["annual_cost"])]))[0]
    assert paid == pytest.approx(case["plan_pays"])
    assert case["annual_cost"] - paid == pytest.approx(case["member_pays"])
