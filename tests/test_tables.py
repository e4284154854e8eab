import json
import re
from datetime import date

import pyarrow as arrow
import pyarrow.compute as pc
import pytest

from riskengine.contracts import CONTRACTS
from riskengine.errors import TableError
from riskengine.sources.check import check_tables
from riskengine.sources.table_schema import table_schema
from riskengine.tables import COLUMNS, Tables
from tests.conftest import ROOT


def with_value(table: arrow.Table, column: str, row: int, value: object) -> arrow.Table:
    values = table[column].to_pylist()
    values[row] = value
    field = table.schema.field(column)
    return table.set_column(
        table.schema.names.index(column), field, arrow.array(values, field.type)
    )


def test_the_study_keeps_its_contracts(tables: Tables) -> None:
    checked = check_tables(tables)
    assert {name: table.rows_in for name, table in checked.items()} == {
        "members": 5912,
        "policies": 20190,
        "claims": 32006,
        "measurements": 100950,
    }
    assert all(table.quarantined.num_rows == 0 for table in checked.values())


@pytest.mark.parametrize(
    ("table", "column", "value", "reason"),
    [
        ("members", "sex", "unknown", "sex=unknown: isin(['female', 'male'])"),
        ("members", "household_income", -1.0, "household_income=-1.0: greater_than_or_equal_to(0)"),
        ("policies", "coinsurance", 1.2, "coinsurance=1.2: less_than_or_equal_to(1)"),
        ("policies", "exposure", 0.0, "exposure=0.0: greater_than(0)"),
        ("policies", "end_date", date(2020, 1, 1), "end_date is not before start_date"),
        (
            "claims",
            "allowed_amount",
            -5.0,
            "are negative in reversals only",
        ),
        ("claims", "member_id", "nobody", "member_id=nobody: not an accepted row of members"),
        ("claims", "reported_on", date(2020, 1, 1), "reported_on is not before service_date"),
        ("measurements", "measure", "mood", "measure=mood: isin("),
    ],
)
def test_a_bad_row_is_quarantined_with_its_reason(
    tables: Tables, table: str, column: str, value: object, reason: str
) -> None:
    broken = with_value(tables[table], column, 7, value)
    checked = check_tables({**tables, table: broken}, max_bad_share=0.01)[table]
    assert checked.quarantined.num_rows == 1
    assert reason in checked.quarantined["reason"][0].as_py()
    assert checked.rows_in == tables[table].num_rows


def test_rows_of_a_quarantined_member_are_quarantined_too(tables: Tables) -> None:
    broken = with_value(tables["members"], "sex", 0, "unknown")
    checked = check_tables({**tables, "members": broken}, max_bad_share=0.01)
    member = tables["members"]["member_id"][0].as_py()
    theirs = pc.sum(pc.equal(tables["policies"]["member_id"], member)).as_py()
    assert checked["policies"].quarantined.num_rows == theirs


def test_a_duplicated_key_is_quarantined(tables: Tables) -> None:
    first = tables["members"]["member_id"][0].as_py()
    broken = with_value(tables["members"], "member_id", 1, first)
    checked = check_tables({**tables, "members": broken}, max_bad_share=0.01)
    assert checked["members"].quarantined.num_rows == 2


def test_too_many_bad_rows_stop_the_run(tables: Tables) -> None:
    half = tables["members"].slice(0, 2956)
    with pytest.raises(TableError, match=r"policies: \d+ of 20190 rows break the contract"):
        check_tables({**tables, "members": half})


def test_missing_tables_columns_and_types_are_named(tables: Tables) -> None:
    without = {name: table for name, table in tables.items() if name != "claims"}
    with pytest.raises(TableError, match="missing tables: claims"):
        check_tables(without)
    with pytest.raises(
        TableError, match="members does not have the columns of its contract: sex is missing"
    ):
        check_tables({**tables, "members": tables["members"].drop_columns(["sex"])})
    text = tables["claims"]["allowed_amount"].cast(arrow.string())
    mistyped = tables["claims"].set_column(6, "allowed_amount", text)
    with pytest.raises(TableError, match="allowed_amount is str, not float64"):
        check_tables({**tables, "claims": mistyped})
    with pytest.raises(TableError, match="no contract for table 'pets'"):
        table_schema("pets")


def test_columns_are_those_of_the_contracts() -> None:
    columns = {name: contract.to_schema().columns for name, contract in CONTRACTS.items()}
    kinds = {
        name: {column: str(rule.dtype).removesuffix("[pyarrow]") for column, rule in rules.items()}
        for name, rules in columns.items()
    }
    assert kinds == COLUMNS
    assert list(COLUMNS) == list(CONTRACTS)


@pytest.mark.parametrize("name", CONTRACTS)
def test_schema_files_are_generated_from_the_contracts(name: str) -> None:
    path = ROOT / "data" / "schemas" / f"{name}.json"
    assert json.loads(path.read_text(encoding="utf-8")) == json.loads(
        json.dumps(table_schema(name))
    )


@pytest.mark.parametrize("name", CONTRACTS)
def test_titles_and_descriptions_are_in_both_languages(name: str) -> None:
    schema = table_schema(name)
    fields = schema["fields"]
    for told in (schema, *fields):
        for words in ("title", "description"):
            assert told[words], (name, told)
            assert told[f"{words}_zh"], (name, told)
        assert all(re.search("[一-鿿]", told[key]) for key in told if key.endswith("_zh")), told
        assert not [
            key for key in ("title", "description") if re.search("[一-鿿]", told.get(key, ""))
        ]
    described = set(re.findall(r"^    ([a-z0-9_]+)(?:: |：)", CONTRACTS[name].__doc__ or "", re.M))
    assert described <= {field["name"] for field in fields if "description" in field}


def test_contracts_say_keys_units_and_levels() -> None:
    schema = table_schema("claims")
    assert schema["primaryKey"] == ["claim_id"]
    assert {
        "fields": ["reversal_of"],
        "reference": {"resource": "claims", "fields": ["claim_id"]},
    } in (schema["foreignKeys"])
    fields = {field["name"]: field for field in schema["fields"]}
    assert fields["service"]["constraints"]["enum"][:2] == ["inpatient", "outpatient"]
    assert (fields["hospital_days"]["unit"], fields["hospital_days"]["title_zh"]) == (
        "days",
        "住院天数",
    )
    numbers = [
        f for name in CONTRACTS for f in table_schema(name)["fields"] if f["type"] == "number"
    ]
    assert all(field["unit"] for field in numbers)
