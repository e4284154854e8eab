import pytest

from riskengine.errors import SpecError
from riskengine.risk.spec import Direction, Kind, parse_spec, read_spec
from tests.conftest import ROOT

MINIMUM = """
[model]
name = "visits"
kind = "poisson"
target = "num_visits"
exposure = "policy_years"
[features]
numeric = ["age_at_inception"]
categorical = ["relation", "gender"]
monotone = { age_at_inception = "increasing" }
[folds]
group = "person_id"
count = 5
"""


def test_a_short_spec_is_enough() -> None:
    spec = parse_spec(MINIMUM)
    assert spec.model.kind is Kind.POISSON
    assert spec.features.names == ("age_at_inception", "relation", "gender")
    assert spec.features.monotone == {"age_at_inception": Direction.INCREASING}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "poisson"', 'kind = "poison"', "[model.kind] Input should be 'poisson'"),
        ('name = "visits"', 'name = "Visits 2"', "[model.name]"),
        ("count = 5", "count = 1", "[folds.count] Input should be greater than or equal to 2"),
        ("count = 5", "shuffle = true", "line 13 [folds.shuffle] is not known here: drop it"),
        ("increasing", "up", "[features.monotone.age_at_inception]"),
        ("{ age_at", "{ bmi", "monotone names bmi_inception, not among the numeric features"),
        ('"relation"', '"gender"', "a feature is named twice"),
        ("[folds]", "[folds", "is not valid TOML"),
    ],
)
def test_a_wrong_spec_names_the_place_and_the_fix(old: str, new: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(MINIMUM.replace(old, new), "visits.toml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("visits.toml")


def test_shipped_specs_can_be_read() -> None:
    names = {read_spec(path).model.name for path in (ROOT / "models").glob("*.toml")}
    assert names == {path.stem for path in (ROOT / "models").glob("*.toml")}
    with pytest.raises(SpecError, match="cannot read the model spec"):
        read_spec(ROOT / "models" / "nothing.toml")
