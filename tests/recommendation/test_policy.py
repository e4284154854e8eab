import shutil
from datetime import date
from pathlib import Path

import pytest

from riskengine.errors import SpecError, UnknownNameError
from riskengine.products.load import shipped
from riskengine.recommendation.policy import POLICY_FILE, read_recommendation_policy

WEIGHT = "weights:\n"


@pytest.mark.parametrize("market", ["cn", "us_aca"])
def test_the_shipped_policies_say_unit_date_and_reference(market: str) -> None:
    policy = read_recommendation_policy(shipped(market))
    found = policy.on(date(2026, 3, 1))
    assert found["risk_aversion"] == 1.5
    assert found["need.inferred_cap"] < found["need.stated"]
    for parameter in (policy.value_scale, policy.weights.take_up, policy.exploration.floor):
        assert parameter.unit
        assert all(value.reference for value in parameter.values)
    with pytest.raises(UnknownNameError, match="no value on 2024-12-31"):
        policy.on(date(2024, 12, 31))
    with pytest.raises(UnknownNameError, match="the policy has no number 'margin'"):
        _ = found["margin"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (WEIGHT, WEIGHT + "  margin: 1.0\n", "weights.margin is not known here"),
        ("market: cn", "market: cn\ncommission: 0.1", ":3: commission is not known here"),
        ("{value: 0.05,", "{value: 0.9,", "exploration.floor is 0.9 in the policy: give"),
        ("{value: 0.3,", "{value: 1.2,", "nothing inferred may outweigh what a member said"),
        ("{value: 1.5,", "{value: 0.5,", "risk_aversion is 0.5 in the policy"),
        ("  unit: CNY a year\n", "", "value_scale.unit is missing: add it"),
        ("  cancer:\n", "  flood:\n", "losses.flood"),
    ],
)
def test_a_broken_policy_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = Path(shutil.copy(shipped("cn") / POLICY_FILE, tmp_path))
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        read_recommendation_policy(tmp_path)
    assert message in str(caught.value)
    assert POLICY_FILE in str(caught.value)
