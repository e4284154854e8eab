import pytest

from riskengine.errors import UnknownNameError
from riskengine.profiles.conditions import CONDITIONS, conditions_of, unmapped_codes
from riskengine.profiles.feature import Facts, Family, Purpose
from riskengine.profiles.features import FEATURES, feature_named, intent_features


def test_every_family_is_there_and_every_feature_says_what_it_is() -> None:
    assert len(FEATURES) == 101
    assert {feature.family for feature in FEATURES} == set(Family)
    names = [feature.name for feature in FEATURES]
    assert len(set(names)) == len(names)
    for feature in FEATURES:
        question = feature.question
        assert question.title.zh != question.title.en
        assert question.unit or question.kind == "level"
        health = {Family.HEALTH, Family.CONDITIONS, Family.UTILISATION}
        assert question.sensitive == (feature.family in health), feature.name


def test_what_only_shows_interest_may_not_price() -> None:
    for feature in (*FEATURES, *intent_features(["gold"])):
        browsing = feature.facts is Facts.OFFERS or any(
            word in feature.name for word in ("app_visit", "page_view", "call")
        )
        assert feature.purpose.allows(Purpose.PRICING) is not browsing, feature.name
        assert feature.purpose.allows(Purpose.RECOMMENDATION), feature.name


def test_a_feature_is_found_by_name_intents_among_them() -> None:
    assert feature_named("page_views_free_care_90d").family is Family.INTENT
    assert feature_named("page_views_90d").family is Family.BEHAVIOUR
    with pytest.raises(UnknownNameError, match="no feature 'bmi'"):
        feature_named("bmi")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("E11.9", {"diabetes"}),
        ("E119", {"diabetes"}),
        ("E11.900x001", {"diabetes"}),
        ("I10", {"hypertension"}),
        ("I10.x00", {"hypertension"}),
        ("J45", {"chronic_lung_disease"}),
        ("C50.919", {"cancer"}),
        ("I50.9", {"heart_failure"}),
        ("I11.0", {"heart_failure"}),
        ("N18.30", {"chronic_kidney_disease"}),
        ("N18", {"chronic_kidney_disease"}),
        ("F32", {"depression"}),
        ("I", set()),
        ("J06.9", set()),
        ("Z00.00", set()),
    ],
)
def test_codes_of_three_editions_find_their_conditions(code: str, expected: set[str]) -> None:
    assert conditions_of(code) == expected


def test_every_condition_has_codes_and_unmapped_ones_are_told() -> None:
    found = {
        "hypertension": "I10", "diabetes": "E10.9", "lipid_disorder": "E78.5",
        "ischaemic_heart_disease": "I25.10", "heart_failure": "I50.9", "arrhythmia": "I48.91",
        "stroke": "I63.9", "chronic_lung_disease": "J44.9", "chronic_kidney_disease": "N18.4",
        "cancer": "C61", "depression": "F33.1", "severe_mental_illness": "F20.9",
        "liver_disease": "K74.60", "inflammatory_arthritis": "M06.9", "dementia": "F03.90",
    }  # fmt: skip
    assert set(found) == {condition.name for condition in CONDITIONS}
    for name, code in found.items():
        assert name in conditions_of(code), code
    assert unmapped_codes(["I10", "J06.9", "A09", "J06.9"]) == ["A09", "J06.9"]
