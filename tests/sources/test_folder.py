"""Bad input, each with the message it gives."""

from datetime import date
from pathlib import Path

import pyarrow as arrow
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import sqlalchemy

from riskengine.errors import TableError
from riskengine.sources import check, folder
from riskengine.sources.folder import validate
from riskengine.tables import COLUMNS, Tables

TODAY = date(2026, 3, 1)
DAY = date(2025, 6, 1)

GOOD: dict[str, dict[str, object]] = {
    "members": {
        "member_id": "m1", "birth_date": date(1980, 5, 1), "sex": "female", "rating_area": None,
        "education_years": 12.0, "household_income": None, "self_rated_health": "good",
        "known_on": date(2024, 12, 1),
    },
    "policies": {
        "policy_id": "p1", "member_id": "m1", "plan_design": "free_care", "coinsurance": 0.0,
        "out_of_pocket_maximum": None, "individual_deductible": 0.0,
        "start_date": date(2025, 1, 1), "end_date": date(2025, 12, 31), "exposure": 1.0,
        "known_on": date(2024, 12, 1),
    },
    "claims": {
        "claim_id": "c1", "member_id": "m1", "policy_id": "p1", "service": "outpatient",
        "service_date": DAY, "reported_on": DAY, "allowed_amount": 80.0, "currency": "USD",
        "visit_count": 1.0, "hospital_days": None, "reversal_of": None,
    },
    "diagnoses": {
        "claim_id": "c1", "member_id": "m1", "icd10": "E11.9", "diagnosed_on": DAY, "known_on": DAY,
    },
    "events": {
        "event_id": "e1", "member_id": "m1", "kind": "steps", "plan": None, "quantity": 9000.0,
        "occurred_on": DAY, "known_on": DAY,
    },
}  # fmt: skip


def book(**changes: list[dict[str, object]]) -> Tables:
    """Good tables of one row each, with further rows that differ from the good one as given."""
    tables = {}
    for name, good in GOOD.items():
        rows = [good, *({**good, **change} for change in changes.get(name, []))]
        tables[name] = arrow.Table.from_pylist(rows, folder._empty(name).schema)
    return tables


def write(tables: Tables, where: Path, kind: str) -> str:
    if kind == "database":
        url = f"sqlite:///{where}/book.db"
        engine = sqlalchemy.create_engine(url)
        for name, table in tables.items():
            table.to_pandas(date_as_object=True).to_sql(name, engine, index=False)
        engine.dispose()
        return url
    for name, table in tables.items():
        if kind == "parquet":
            pq.write_table(table, where / f"{name}.parquet")
        else:
            pa_csv.write_csv(table, where / f"{name}.csv")
    return str(where)


def reasons(where: Path, table: str) -> list[str]:
    path = where / "quarantine" / f"{table}.parquet"
    found: list[str] = pq.read_table(path)["reason"].to_pylist() if path.exists() else []
    return found


@pytest.mark.parametrize("kind", ["parquet", "csv", "database"])
@pytest.mark.parametrize(
    ("table", "change", "reason"),
    [
        ("members", {"member_id": "m1"}, "member_id=m1: appears more than once"),
        ("claims", {"claim_id": "c2", "member_id": "m9"}, "member_id=m9: not an accepted row of "
         "members"),
        ("claims", {"claim_id": "c2", "reversal_of": "c9", "allowed_amount": -80.0,
         "visit_count": -1.0}, "reversal_of=c9: not an accepted row of claims"),
        ("claims", {"claim_id": "c2", "allowed_amount": -5.0}, "amounts, visits and days are "
         "negative in reversals only"),
        ("claims", {"claim_id": "c2", "reversal_of": "c1"}, "amounts, visits and days are negative "
         "in reversals only"),
        ("claims", {"claim_id": "c2", "policy_id": "p9"}, "policy_id=p9: not an accepted row of "
         "policies"),
        ("claims", {"claim_id": "c2", "currency": "ZZZ"}, "currency=ZZZ: isin("),
        ("claims", {"claim_id": "c2", "service_date": date(2027, 1, 1),
         "reported_on": date(2027, 1, 1)}, "service_date: later than today, 2026-03-01"),
        ("claims", {"claim_id": "c2", "service_date": date(1979, 1, 1)}, "service_date=1979-01-01: "
         "before the member's birth on 1980-05-01"),
        ("claims", {"claim_id": "c2", "service_date": None}, "service_date=None: not_nullable"),
        ("members", {"member_id": "m2", "birth_date": date(2030, 1, 1),
         "known_on": date(2030, 1, 1)}, "birth_date: later than today, 2026-03-01"),
        ("claims", {"claim_id": "c2", "reported_on": date(2027, 1, 1)}, "reported_on: later than "
         "today, 2026-03-01"),
        ("policies", {"policy_id": "p2", "start_date": date(2027, 1, 1),
         "end_date": date(2027, 12, 31), "known_on": date(2026, 12, 1)}, "known_on: later than "
         "today, 2026-03-01"),
        ("policies", {"policy_id": "p2", "start_date": date(1979, 1, 1)}, "start_date=1979-01-01: "
         "before the member's birth on 1980-05-01"),
        ("diagnoses", {"icd10": "diabetes"}, "icd10=diabetes: str_matches("),
        ("diagnoses", {"icd10": "E11."}, "icd10=E11.: str_matches("),
        ("diagnoses", {"icd10": "e11.9"}, "icd10=e11.9: str_matches("),
        ("events", {"event_id": "e2", "quantity": -1.0}, "quantity=-1.0: greater_than_or_equal_to"),
    ],
)  # fmt: skip
def test_a_bad_row_is_quarantined(
    tmp_path: Path, kind: str, table: str, change: dict[str, object], reason: str
) -> None:
    source = write(book(**{table: [change]}), tmp_path, kind)
    found = {s.name: s for s in validate(source, tmp_path / "quarantine", TODAY)}
    said = reasons(tmp_path, table)
    assert len(said) == found[table].quarantined == (2 if "more than once" in reason else 1)
    assert reason in said[-1]
    assert found[table].rows_in == 2
    assert found["offers"].rows_in is None


def test_good_rows_pass_in_every_form(tmp_path: Path) -> None:
    reversal: dict[str, object] = {
        "claim_id": "c2", "allowed_amount": -80.0, "visit_count": -1.0, "reversal_of": "c1",
    }  # fmt: skip
    codes = ("E119", "Z00", "I10.x00", "E11.900x001", "S72001A", "S72.001A")
    sold: dict[str, object] = {
        "policy_id": "p2", "start_date": date(2026, 4, 1), "end_date": date(2026, 12, 31),
        "exposure": 0.75, "known_on": date(2026, 2, 1),
    }  # fmt: skip
    tables = book(claims=[reversal], policies=[sold], diagnoses=[{"icd10": code} for code in codes])
    for kind in ("parquet", "csv", "database"):
        place = tmp_path / kind
        place.mkdir()
        found = validate(write(tables, place, kind), place / "quarantine", TODAY)
        assert [s.quarantined for s in found] == [0] * len(COLUMNS)
        assert not (place / "quarantine").exists()


def test_a_value_of_the_wrong_type_is_bad_not_missing(tmp_path: Path) -> None:
    source = write(book(), tmp_path, "csv")
    path = tmp_path / "claims.csv"
    header, good = path.read_text().splitlines()
    wrong = [
        good.replace("c1", "c2").replace("80", "eighty"),
        good.replace("c1", "c3").replace("2025-06-01", "01/06/2025"),
        good.replace("c1", "c4").replace("2025-06-01", "2025-02-30"),
    ]
    path.write_text("\n".join([header, good, *wrong]) + "\n")
    validate(source, tmp_path / "quarantine", TODAY)
    said = reasons(tmp_path, "claims")
    assert said[0] == "allowed_amount='eighty': not a number"
    assert said[1].startswith("service_date='01/06/2025': not a date (YYYY-MM-DD)")
    assert said[2].startswith("service_date='2025-02-30': not a date (YYYY-MM-DD)")
    kept = pq.read_table(tmp_path / "quarantine" / "claims.parquet")
    assert kept["allowed_amount"].to_pylist() == ["eighty", "80", "80"]


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    source = write(book(), tmp_path, "csv")
    path = tmp_path / "members.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert validate(source, tmp_path / "quarantine", TODAY)[0].quarantined == 0


def test_another_encoding_is_refused_and_says_so(tmp_path: Path) -> None:
    tables = book(events=[{"event_id": "e2", "plan": "医疗险"}])
    source = write(tables, tmp_path, "csv")
    path = tmp_path / "events.csv"
    good, said = (
        path.read_text(encoding="utf-8"),
        r"cannot read .*events\.csv as CSV in UTF-8.*save",
    )
    for encoding in ("gb18030", "utf-16"):
        path.write_bytes(good.encode(encoding))
        with pytest.raises(TableError, match=said):
            validate(source, tmp_path / "quarantine", TODAY)


def test_a_file_of_two_encodings_is_refused_as_a_whole(tmp_path: Path) -> None:
    """Rows of one system in UTF-8 and of another in GB 18030: which is which, nobody can tell."""
    rows: list[dict[str, object]] = [{"event_id": f"e{n}", "plan": "医疗险"} for n in range(2, 5)]
    source = write(book(events=rows), tmp_path, "csv")
    path = tmp_path / "events.csv"
    *first, last = path.read_text(encoding="utf-8").splitlines()
    path.write_bytes("\n".join([*first, ""]).encode() + f"{last}\n".encode("gb18030"))
    with pytest.raises(TableError, match=r"events\.csv as CSV in UTF-8: .*; save it as UTF-8"):
        validate(source, tmp_path / "quarantine", TODAY)


def test_missing_columns_and_tables_are_all_named(tmp_path: Path) -> None:
    tables = book()
    wide = {f"extra_{n}": ["x"] for n in range(45)}
    lacking = tables["members"].drop_columns(["sex"])
    for name, values in wide.items():
        lacking = lacking.append_column(name, arrow.array(values))
    assert lacking.num_columns > 50
    for kind in ("csv", "database", "parquet"):
        place = tmp_path if kind == "parquet" else tmp_path / kind
        place.mkdir(exist_ok=True)
        source = write({**tables, "members": lacking}, place, kind)
        with pytest.raises(
            TableError, match=r"members lacks the columns sex; it has \['member_id',"
        ):
            validate(source, tmp_path / "quarantine", TODAY)
    (tmp_path / "members.parquet").unlink()
    (tmp_path / "claims.parquet").unlink()
    with pytest.raises(TableError, match="has no members, claims; expected NAME"):
        validate(source, tmp_path / "quarantine", TODAY)
    with pytest.raises(TableError, match="is not a folder"):
        validate(str(tmp_path / "nowhere"), tmp_path / "quarantine", TODAY)
    (tmp_path / "policies.csv").write_text("x\n")
    with pytest.raises(TableError, match=r"has both policies\.parquet and policies\.csv"):
        validate(source, tmp_path / "quarantine", TODAY)


@pytest.mark.parametrize(
    ("table", "name"), [("claims", "claim.parquet"), ("events", "event.csv")], ids=str
)
def test_a_misspelt_table_is_told_not_taken_for_one_that_nobody_has(
    tmp_path: Path, table: str, name: str
) -> None:
    source = write(book(), tmp_path, name.partition(".")[2])
    (tmp_path / f"{table}.{name.partition('.')[2]}").rename(tmp_path / name)
    with pytest.raises(TableError, match=rf"has no {table}, but {name}: rename it, or move it"):
        validate(source, tmp_path / "quarantine", TODAY)
    (tmp_path / name).rename(tmp_path / f"notes_of_2024.{name.partition('.')[2]}")
    if table == "events":
        validate(source, tmp_path / "quarantine", TODAY)


def test_accepted_rows_of_synthetic_tables_stay_called_so(insurer: Path, tmp_path: Path) -> None:
    validate(str(insurer), tmp_path, date(2026, 12, 31), accepted=tmp_path / "accepted")
    for name in COLUMNS:
        kept = pq.read_schema(tmp_path / "accepted" / f"{name}.parquet")
        assert kept.metadata[b"riskengine"] == b"synthetic, seed 7"
    place = tmp_path / "real"
    place.mkdir()
    validate(write(book(), place, "csv"), tmp_path, TODAY, accepted=place / "accepted")
    assert not pq.read_schema(place / "accepted" / "claims.parquet").metadata


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:///{place}/no.db", r"sqlite:///.*/no\.db names no file: give sqlite:///FILE"),
        ("sqlite://", "sqlite:// names no file"),
        ("sqlite:///{place}/empty.db", "empty.db has no members, policies, claims; expected"),
        (
            "nothing://u:secret@there/base",
            r"the database nothing://u:\*\*\*@there/base: Can't load",
        ),
        ("://", "cannot read the database ://...: Could not parse"),
    ],
)
def test_a_database_that_cannot_be_read_is_named_without_its_password(
    tmp_path: Path, url: str, said: str
) -> None:
    (tmp_path / "empty.db").touch()
    with pytest.raises(TableError, match=said) as told:
        validate(url.format(place=tmp_path), tmp_path / "quarantine", TODAY)
    assert "secret" not in str(told.value)
    assert not (tmp_path / "no.db").exists()


def test_chunks_do_not_hide_what_is_wrong(
    tmp_path: Path, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Doubles and orphans far apart are found, and the quarantine is that of one whole chunk."""
    twice = arrow.concat_tables([tables["claims"], tables["claims"].slice(5, 1)])
    source = write({**tables, "claims": twice}, tmp_path, "parquet")
    found = []
    for size in (check.CHUNK_ROWS, 3001):
        monkeypatch.setattr(folder, "CHUNK_ROWS", size)
        validate(source, tmp_path / "quarantine", TODAY)
        found.append(pq.read_table(tmp_path / "quarantine" / "claims.parquet").to_pylist())
    assert found[0] == found[1]
    assert len(found[0]) == 2
