from datetime import date

import numpy as np
import pyarrow as arrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskengine.errors import TableError, UnknownNameError
from riskengine.profiles.build import build_experience, build_profiles
from riskengine.profiles.features import FEATURES
from riskengine.sources.rand_hie import read_study
from riskengine.tables import Tables

AS_OF = date(2023, 1, 1)


def spine(members: list[str], as_of: date = AS_OF) -> arrow.Table:
    dates = arrow.array([as_of] * len(members), arrow.date32())
    return arrow.table({"member_id": members, "as_of": dates})


def some_members(tables: Tables, count: int = 40) -> list[str]:
    return tables["members"]["member_id"].slice(0, count).to_pylist()


def append(table: arrow.Table, row: dict[str, object]) -> arrow.Table:
    return arrow.concat_tables([table, arrow.Table.from_pylist([row], table.schema)])


def test_a_profile_says_what_the_study_says(tables: Tables) -> None:
    profile = build_profiles(tables, spine(["m125024"])).to_pylist()[0]
    assert np.isclose(profile["age"], 44.87748, atol=0.003)
    assert profile["sex"] == "male"
    assert profile["household_size"] == 4
    assert profile["chronic_disease_index"] == pytest.approx(13.731887)
    assert profile["medical_spend_365d"] == pytest.approx(62.075, abs=0.01)
    assert profile["outpatient_visits_365d"] == 2


def test_every_row_of_the_spine_comes_back(tables: Tables) -> None:
    profiles = build_profiles(tables, spine(some_members(tables), date(2019, 1, 1)))
    assert profiles.num_rows == 40
    assert profiles.column_names[2:] == [feature.name for feature in FEATURES]

    for name in set(profiles.column_names[2:]):
        assert profiles[name].null_count == 40, name


@settings(max_examples=15, deadline=None)
@given(
    happened=st.integers(-400, 400),
    delay=st.integers(0, 400),
    amount=st.floats(1, 1e5),
)
def test_facts_of_the_future_or_unknown_change_nothing(
    tables: Tables, happened: int, delay: int, amount: float
) -> None:
    members = some_members(tables, 5)
    day = AS_OF.toordinal() + happened
    service, known = date.fromordinal(day), date.fromordinal(day + delay)
    claim = {
        "claim_id": "injected", "member_id": members[0], "policy_id": "p125024-1",
        "service": "outpatient", "service_date": service, "reported_on": known,
        "allowed_amount": amount, "visit_count": 1.0,
    }  # fmt: skip
    measurement = {
        "member_id": members[0], "measure": "mental_health_index", "value": amount,
        "measured_on": service, "known_on": known,
    }  # fmt: skip
    changed = {
        **tables,
        "claims": append(tables["claims"], claim),
        "measurements": append(tables["measurements"], measurement),
    }
    before = build_profiles(tables, spine(members))
    after = build_profiles(changed, spine(members))
    visible = service < AS_OF and known <= AS_OF
    recent = visible and happened >= -365
    spent = after["medical_spend_365d"][0].as_py() or 0
    assert spent == pytest.approx(
        (before["medical_spend_365d"][0].as_py() or 0) + (amount if recent else 0)
    )
    if not visible:
        assert after.to_pylist() == before.to_pylist()


def test_the_order_of_the_facts_plays_no_part(tables: Tables) -> None:
    members = some_members(tables)
    backwards = {
        name: table.take(list(range(table.num_rows - 1, -1, -1))) for name, table in tables.items()
    }
    before, after = (
        build_profiles(tables, spine(members)),
        build_profiles(backwards, spine(members)),
    )
    for name in before.column_names:
        if arrow.types.is_floating(before[name].type):
            np.testing.assert_allclose(before[name].to_numpy(), after[name].to_numpy(), rtol=1e-12)
        else:
            assert before[name].equals(after[name])


def test_a_spine_that_cannot_be_answered_is_refused(tables: Tables) -> None:
    with pytest.raises(TableError, match="twice"):
        build_profiles(tables, spine(["m125024", "m125024"]))
    with pytest.raises(UnknownNameError, match=r"1 members .* nobody"):
        build_profiles(tables, spine(["m125024", "nobody"]))


def test_experience_keeps_every_policy_and_every_dollar(tables: Tables) -> None:
    experience = build_experience(tables)
    assert experience.num_rows == tables["policies"].num_rows
    spent = np.nansum(experience["medical_spend"].to_numpy())
    assert spent == pytest.approx(np.sum(tables["claims"]["allowed_amount"].to_numpy()))
    assert np.sum(experience["visits"].to_numpy()) == read_study()["mdvis"].sum()
