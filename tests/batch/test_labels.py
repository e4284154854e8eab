"""Labelled tables from files: needs with their features, offers as a spine and with profiles."""

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as arrow
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from riskengine.batch.labels import OfferJob, need_table, offer_table
from riskengine.batch.profiles import ProfileJob, write_profiles
from riskengine.cli.app import app
from riskengine.errors import InputError, TableError
from riskengine.recommendation.feedback import to_json
from riskengine.recommendation.next_need import NeedEvent
from riskengine.risk.columns import training_columns
from riskengine.risk.spec import read_spec
from tests.conftest import ROOT
from tests.recommendation.logs import log

DAYS = (date(2023, 7, 1), date(2024, 7, 1))
EVENTS = {
    "next_need_chronic": NeedEvent.FIRST_CHRONIC_DIAGNOSIS,
    "next_need_hospital_stay": NeedEvent.FIRST_HOSPITAL_STAY,
}


@pytest.fixture(scope="module")
def profiles(insurer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("labels") / "profiles.parquet"
    write_profiles(ProfileJob(insurer, out, DAYS))
    return out


@pytest.mark.parametrize("name", EVENTS)
def test_the_shipped_specs_read_what_labels_hold(name: str, insurer: Path, profiles: Path) -> None:
    table = need_table(insurer, profiles, EVENTS[name], date(2025, 12, 31))
    columns = training_columns(read_spec(ROOT / "models" / f"{name}.toml"), table)
    share = columns["happened"].mean()
    assert 0.01 < share < 0.5
    assert set(table["as_of"].to_pylist()) == set(DAYS)
    keys = [table[name].to_pylist() for name in ("member_id", "as_of")]
    assert len(set(zip(*keys, strict=True))) == table.num_rows
    first = table.slice(0, 1).to_pylist()[0]
    known = pq.read_table(profiles)
    row = known.filter(
        pc.and_(
            pc.equal(known["member_id"], first["member_id"]),
            pc.equal(known["as_of"].cast(arrow.date32()), first["as_of"]),
        )
    )
    assert row["age"].to_pylist() == [first["age"]]


def test_labels_are_made_from_the_shell(insurer: Path, profiles: Path, tmp_path: Path) -> None:
    out = tmp_path / "needs.parquet"
    made = CliRunner().invoke(
        app,
        ["labels", "needs", "first_hospital_stay", "--data", str(insurer), "--profiles",
         str(profiles), "--observed-until", "2025-12-31", "--out", str(out)],
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    rows = pq.read_table(out)
    assert f"{rows.num_rows:,} rows" in made.output
    records = tmp_path / "log.jsonl"
    kept = log(5)
    late = kept[-1].model_copy(
        update={"record_id": "late", "recorded_at": datetime(2026, 6, 1, tzinfo=UTC)}
    )
    records.write_text("\n".join(to_json(one) for one in (*kept, late)) + "\n")
    offers = tmp_path / "offers.parquet"
    products = ["surgery", "accident", "million_medical"]
    for product in products:
        done = CliRunner().invoke(
            app,
            ["labels", "offers", product, "--log", str(records), "--market", "cn", "--out",
             str(offers)],
        )  # fmt: skip
        if done.exit_code == 0:
            break
    assert done.exit_code == 0, done.output
    assert set(pq.read_table(offers).column_names) >= {"member_id", "as_of", "chosen"}


def test_offers_without_profiles_are_a_spine_for_them(tmp_path: Path) -> None:
    table = arrow.table(
        {
            "member_id": ["a", "b"],
            "plan": ["surgery_10k"] * 2,
            "position": [1.0, 2.0],
            "offered_premium": [80.0, 90.0],
            "propensity": [0.5, 0.5],
            "chosen": [1.0, 0.0],
            "shown_on": [date(2026, 1, 1)] * 2,
        }
    )
    pq.write_table(table, tmp_path / "offers.parquet")
    job = OfferJob("cn", "surgery", data=tmp_path)
    rows, _ = offer_table(job)
    assert rows.select(["member_id", "as_of"]).num_rows == 2
    known = arrow.table({"member_id": ["b"], "as_of": [date(2026, 1, 1)], "age": [30.0]})
    pq.write_table(known, tmp_path / "profiles.parquet")
    with pytest.raises(TableError, match="1 of 2 labelled rows have no profile"):
        offer_table(
            OfferJob("cn", "surgery", data=tmp_path, profiles=tmp_path / "profiles.parquet")
        )
    with pytest.raises(InputError, match="give --data, a folder with"):
        offer_table(OfferJob("cn", "surgery"))
