from datetime import date
from pathlib import Path

import ibis
import numpy as np
import pyarrow as arrow
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskengine.batch.profiles import ProfileJob, write_profiles
from riskengine.errors import TableError, UnknownNameError
from riskengine.profiles.build import build_experience, build_profiles, profile_expression
from riskengine.profiles.facts import KEYS, ROW
from riskengine.profiles.features import FEATURES
from riskengine.sources.folder import _empty
from riskengine.sources.rand_hie import read_study
from riskengine.store import ProfileStore
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


def injected(
    member: str, happened: date, known: date, amount: float
) -> dict[str, dict[str, object]]:
    """One fact of every kind about a member."""
    return {
        "policies": {
            "policy_id": "injected", "member_id": member, "plan_design": "other",
            "coinsurance": 0.9, "out_of_pocket_maximum": amount, "individual_deductible": 1.0,
            "start_date": happened, "end_date": happened, "exposure": 1.0, "known_on": known,
        },
        "claims": {
            "claim_id": "injected", "member_id": member, "policy_id": "injected",
            "service": "inpatient", "service_date": happened, "reported_on": known,
            "allowed_amount": amount, "currency": "USD", "visit_count": None,
            "hospital_days": 2.0, "reversal_of": None,
        },
        "diagnoses": {
            "claim_id": "injected", "member_id": member, "icd10": "F03.90",
            "diagnosed_on": happened, "known_on": known,
        },
        "measurements": {
            "member_id": member, "measure": "chronic_disease_index", "value": 31.0,
            "measured_on": happened, "known_on": known,
        },
        "events": {
            "event_id": "injected", "member_id": member, "kind": "call", "plan": None,
            "quantity": 3.0, "occurred_on": happened, "known_on": known,
        },
        "offers": {
            "offer_id": "injected", "member_id": member, "plan": "other", "position": 1.0,
            "offered_premium": amount, "propensity": 0.5, "chosen": 1.0, "shown_on": happened,
            "known_on": known,
        },
    }  # fmt: skip


@settings(max_examples=8, deadline=None)
@given(happened=st.integers(-400, 60), delay=st.integers(0, 400), amount=st.floats(5e4, 1e5))
def test_facts_of_the_future_or_unknown_change_nothing(
    synthetic: Tables, happened: int, delay: int, amount: float
) -> None:
    as_of = date(2025, 7, 1)
    member = some_members(synthetic, 1)[0]
    rows = spine([member], as_of)
    on = date.fromordinal(as_of.toordinal() + happened)
    known = date.fromordinal(on.toordinal() + delay)
    facts = injected(member, on, known, amount)
    changed = {
        name: append(table, facts[name]) if name in facts else table
        for name, table in synthetic.items()
    }
    before = build_profiles(synthetic, rows).to_pylist()[0]
    after = build_profiles(changed, rows).to_pylist()[0]
    if on >= as_of or known > as_of:
        assert after == before
    else:
        assert after["largest_claim_1095d"] == pytest.approx(round(amount, 6))
        assert (before["has_dementia"], after["has_dementia"]) == (0, 1)
        assert after["chronic_disease_index"] == 31
        assert after["offers_chosen_1095d"] == before["offers_chosen_1095d"] + 1
        assert after["calls_365d"] == before["calls_365d"] + (happened >= -365)
        assert after["plan_design_count"] == before["plan_design_count"] + 1


def one_member(**facts: list[dict[str, object]]) -> Tables:
    """A member covered in 2025, with the given rows over good ones of a claim and so on."""
    good: dict[str, dict[str, object]] = {
        "members": {
            "member_id": "m", "birth_date": date(1980, 1, 1), "sex": "female",
            "rating_area": "2", "education_years": None, "household_income": 9000.0,
            "self_rated_health": None, "known_on": date(2024, 12, 1),
        },
        "policies": {
            **injected("m", date(2025, 1, 1), date(2024, 12, 1), 500.0)["policies"],
            "end_date": date(2025, 12, 31),
        },
        "claims": injected("m", date(2025, 6, 1), date(2025, 6, 10), 80.0)["claims"],
        "diagnoses": injected("m", date(2025, 6, 1), date(2025, 6, 10), 0.0)["diagnoses"],
        "measurements": {
            **injected("m", date(2025, 6, 1), date(2025, 6, 10), 0.0)["measurements"],
            "measure": "systolic_pressure",
        },
    }  # fmt: skip
    facts = {"members": [{}], "policies": [{}], **facts}
    return {
        name: arrow.Table.from_pylist(
            [{**good[name], **change} for change in facts.get(name, [])], _empty(name).schema
        )
        for name in good
    }


def profile(tables: Tables, as_of: date) -> dict[str, object]:
    row: dict[str, object] = build_profiles(tables, spine(["m"], as_of)).to_pylist()[0]
    return row


def test_a_reversal_nets_out_from_the_day_it_is_known() -> None:
    whole = {
        "claim_id": "back", "allowed_amount": -80.0, "hospital_days": -2.0,
        "reversal_of": "injected", "reported_on": date(2025, 7, 1),
    }  # fmt: skip
    tables = one_member(claims=[{}, whole], diagnoses=[{}])
    before = profile(tables, date(2025, 6, 30))
    assert before["medical_spend_365d"] == 80
    assert before["days_since_last_claim"] == 29
    assert before["has_dementia"] == 1
    after = profile(tables, date(2025, 7, 1))
    none = profile(one_member(), date(2025, 7, 1))
    assert {**after, "diagnosis_count_365d": 0} == none
    assert after["medical_spend_365d"] == after["claim_count_365d"] == after["has_dementia"] == 0
    assert after["days_since_last_claim"] is None


def test_a_reversal_in_part_leaves_the_rest() -> None:
    part = {
        "claim_id": "back", "allowed_amount": -30.0, "hospital_days": None,
        "reversal_of": "injected", "reported_on": date(2025, 7, 1),
    }  # fmt: skip
    after = profile(one_member(claims=[{}, part], diagnoses=[{}]), date(2025, 7, 1))
    assert after["medical_spend_365d"] == after["largest_claim_1095d"] == 50
    assert (after["claim_count_365d"], after["hospital_days_365d"]) == (1, 2)
    assert after["has_dementia"] == 1


def test_no_claim_is_nothing_for_the_covered_and_unknown_for_the_others() -> None:
    tables = one_member(claims=[{}])
    covered = profile(tables, date(2025, 12, 1))
    assert covered["medical_spend_30d"] == covered["claim_count_30d"] == 0
    assert covered["covered_days_30d"] == 30
    gone = profile(tables, date(2026, 3, 1))
    assert gone["medical_spend_30d"] is None
    assert gone["claim_count_30d"] is None
    assert gone["covered_days_30d"] == 0
    assert gone["medical_spend_365d"] == 80
    assert gone["cover_days_left"] == -59
    stranger = profile(tables, date(2024, 11, 30))
    assert {k for k, v in stranger.items() if v is not None} == {"member_id", "as_of"}


def test_a_slope_is_the_change_a_year() -> None:
    days = (date(2025, 1, 1), date(2025, 7, 1), date(2025, 12, 31))
    rising = [{"value": 120.0 + 5 * k, "measured_on": d, "known_on": d} for k, d in enumerate(days)]
    found = profile(one_member(measurements=rising), date(2026, 1, 1))
    assert found["systolic_pressure"] == 130
    assert found["systolic_pressure_slope"] == pytest.approx(10.0, abs=0.1)
    near = profile(one_member(measurements=rising[:1] + rising[:1]), date(2026, 1, 1))
    assert near["systolic_pressure_slope"] is None


def test_an_insurer_without_optional_tables_has_profiles() -> None:
    tables = {
        k: v for k, v in one_member(claims=[{}]).items() if k in {"members", "policies", "claims"}
    }
    found = profile(tables, date(2025, 12, 1))
    assert found["medical_spend_365d"] == 80
    assert found["calls_365d"] is None
    assert found["has_diabetes"] is None


def test_training_batch_and_live_profiles_are_the_same(
    insurer: Path, synthetic: Tables, tmp_path: Path
) -> None:
    rows = spine(some_members(synthetic, 30), date(2025, 1, 1))
    experience = build_experience(synthetic)
    built = build_profiles(synthetic, rows)
    pq.write_table(rows, tmp_path / "spine.parquet")
    write_profiles(
        ProfileJob(insurer, tmp_path / "profiles.parquet", spine=tmp_path / "spine.parquet")
    )
    written = pq.read_table(tmp_path / "profiles.parquet")
    assert written.to_pylist() == built.to_pylist()
    with ProfileStore(f"sqlite:///{tmp_path}/store.db") as store:
        store.publish(tmp_path / "profiles.parquet")
        for row in built.to_pylist():
            known = {k: v for k, v in row.items() if v is not None and k not in KEYS}
            assert store.profile(row["member_id"]).features == known
    trained = {
        row["member_id"]: row
        for row in experience.to_pylist()
        if row["start_date"] == date(2025, 1, 1)
    }
    shared = [row for row in built.to_pylist() if row["member_id"] in trained]
    assert len(shared) >= 15
    for row in shared:
        assert {name: trained[row["member_id"]][name] for name in row} == row


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


def test_a_numbered_spine_gives_the_same_profiles(tables: Tables) -> None:
    keys = spine(some_members(tables)).sort_by("member_id")
    numbered = keys.append_column(ROW, arrow.array(range(keys.num_rows)))
    book = {name: ibis.memtable(table) for name, table in tables.items()}
    query = profile_expression(book, ibis.memtable(numbered))
    assert "FILTER" not in ibis.to_sql(query, dialect="duckdb")
    found = query.order_by(ROW).drop(ROW).to_pyarrow()
    assert found.equals(build_profiles(tables, keys))


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
