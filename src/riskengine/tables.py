"""The contract of every table that crosses a stage, and what becomes of rows that break it.

One pandera model a table is the single definition; the Table Schema files in `data/schemas/` are
generated from it (`riskengine schemas`). Every fact carries two dates: when it happened and when
it became known. Left out: reading files (`sources`) and anything that changes a value: a row is
accepted as it is or quarantined with its reason.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import pandas as pd
import pandera.pandas as pa
import pyarrow as arrow

from riskengine.errors import TableError
from riskengine.vocabulary import Measure, SelfRatedHealth, Service, Sex

Tables: TypeAlias = dict[str, arrow.Table]


class Contract(pa.DataFrameModel):  # type: ignore[misc]
    """What all contracts share: exactly the named columns, exact types, nothing coerced."""

    class Config:
        strict = True
        coerce = False


def _column(zh: str, en: str, unit: str = "", **checks: Any) -> Any:
    """A column with its title in both languages and its unit, plus pandera's own checks."""
    return pa.Field(title=en, metadata={"title_zh": zh, "unit": unit}, **checks)


class Members(Contract):
    """One row a member: what does not change while the member is with us."""

    member_id: str = _column("成员编号", "Member", unique=True)
    birth_date: pa.dtypes.Date = _column("出生日期", "Date of birth")
    sex: str = _column("性别", "Sex", isin=[sex.value for sex in Sex])
    rating_area: str = _column("地区", "Rating area", nullable=True)
    education_years: float = _column(
        "户主受教育年限", "Education of the household head", "years", nullable=True, ge=0, le=30
    )
    household_income: float = _column(
        "家庭年收入", "Household income", "USD per year", nullable=True, ge=0
    )
    self_rated_health: str = _column(
        "自评健康",
        "Self-rated health",
        nullable=True,
        isin=[level.value for level in SelfRatedHealth],
    )
    known_on: pa.dtypes.Date = _column("获知日期", "Known on")


class Policies(Contract):
    """One row a policy period and member: the cover held and the time at risk."""

    policy_id: str = _column("保单编号", "Policy", unique=True)
    member_id: str = _column("成员编号", "Member")
    plan_design: str = _column("计划设计", "Plan design held")
    coinsurance: float = _column("自付比例", "Member's share of cost", "share", ge=0, le=1)
    out_of_pocket_maximum: float = _column(
        "年度自付上限", "Out-of-pocket maximum", "USD per year", nullable=True, ge=0
    )
    individual_deductible: float = _column(
        "个人免赔额计划", "Individual deductible design", "0 or 1", isin=[0.0, 1.0]
    )
    start_date: pa.dtypes.Date = _column("起保日期", "First day of cover")
    end_date: pa.dtypes.Date = _column("终保日期", "Last day of cover")
    exposure: float = _column("风险暴露", "Exposure", "years", gt=0, le=1)

    @pa.dataframe_check(name="end_date is not before start_date")  # type: ignore[untyped-decorator]
    def dates_in_order(cls, frame: pd.DataFrame) -> pd.Series:  # noqa: N805
        return frame["end_date"] >= frame["start_date"]


class Claims(Contract):
    """One row a claim line."""

    claim_id: str = _column("赔案编号", "Claim line", unique=True)
    member_id: str = _column("成员编号", "Member")
    policy_id: str = _column("保单编号", "Policy")
    service: str = _column("服务类别", "Service", isin=[service.value for service in Service])
    service_date: pa.dtypes.Date = _column("就诊日期", "Date of service")
    reported_on: pa.dtypes.Date = _column("报案日期", "Reported on")
    allowed_amount: float = _column("认可费用", "Allowed amount", "USD", ge=0)
    visit_count: float = _column("就诊次数", "Visits", "visits", nullable=True, ge=0)

    @pa.dataframe_check(name="reported_on is not before service_date")  # type: ignore[untyped-decorator]
    def dates_in_order(cls, frame: pd.DataFrame) -> pd.Series:  # noqa: N805
        return frame["reported_on"] >= frame["service_date"]


class Measurements(Contract):
    """One row a dated number about a member's health or household."""

    member_id: str = _column("成员编号", "Member")
    measure: str = _column("测量项目", "Measure", isin=[measure.value for measure in Measure])
    value: float = _column("测量值", "Value", "as the measure")
    measured_on: pa.dtypes.Date = _column("测量日期", "Measured on")
    known_on: pa.dtypes.Date = _column("获知日期", "Known on")


CONTRACTS: dict[str, type[Contract]] = {
    "members": Members,
    "policies": Policies,
    "claims": Claims,
    "measurements": Measurements,
}
PRIMARY_KEYS = {"members": "member_id", "policies": "policy_id", "claims": "claim_id"}
FOREIGN_KEYS = {
    "policies": {"member_id": "members"},
    "claims": {"member_id": "members", "policy_id": "policies"},
    "measurements": {"member_id": "members"},
}


@dataclass(frozen=True)
class CheckedTable:
    """A table split into the rows that keep the contract and those that break it.

    `quarantined` has the columns of the table, as text, plus `reason`; together the two parts hold
    every row that came in, once.
    """

    name: str
    accepted: arrow.Table
    quarantined: arrow.Table

    @property
    def rows_in(self) -> int:
        return int(self.accepted.num_rows + self.quarantined.num_rows)


def check_tables(tables: Tables, max_bad_share: float = 0.001) -> dict[str, CheckedTable]:
    """Check all tables against their contracts and against each other.

    A row that names a row which is missing or quarantined in the table it refers to is quarantined
    too. Raises `TableError` when a table or column is missing or too many rows are bad.
    """
    missing = [name for name in CONTRACTS if name not in tables]
    if missing:
        message = f"missing tables: {', '.join(missing)}; expected {', '.join(CONTRACTS)}"
        raise TableError(message)
    checked: dict[str, CheckedTable] = {}
    for name in CONTRACTS:
        reasons = _broken_rules(name, tables[name])
        _add_broken_references(name, tables[name], checked, reasons)
        checked[name] = _split(name, tables[name], reasons)
        bad = checked[name].quarantined.num_rows
        if bad > max_bad_share * max(checked[name].rows_in, 1):
            first = checked[name].quarantined.slice(0, 1).to_pylist()[0]
            message = (
                f"{name}: {bad} of {checked[name].rows_in} rows break the contract, more than the"
                f" {max_bad_share:.2%} allowed; first: {first['reason']}; mend the source"
            )
            raise TableError(message)
    return checked


def _broken_rules(name: str, table: arrow.Table) -> dict[int, list[str]]:
    """Reasons by row position for the rows that break a rule of their own table."""
    frame = table.to_pandas(date_as_object=True)
    try:
        CONTRACTS[name].validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        failures = error.failure_cases
    else:
        return {}
    whole_table = failures[failures["index"].isna()]
    if len(whole_table):
        what = "; ".join(_misfit(row) for row in whole_table.itertuples())
        message = f"{name} does not have the columns of its contract: {what}"
        raise TableError(message)
    reasons: dict[int, list[str]] = {}
    for row in failures.drop_duplicates(["index", "column", "check"]).itertuples():
        is_row_rule = row.schema_context == "DataFrameSchema"
        said = str(row.check) if is_row_rule else f"{row.column}={row.failure_case}: {row.check}"
        found = reasons.setdefault(int(row.index), [])
        if said not in found:
            found.append(said)
    return reasons


def _misfit(failure: Any) -> str:
    """A failure of a whole column in words."""
    check = str(failure.check)
    if check == "column_in_dataframe":
        return f"{failure.failure_case} is missing"
    if check == "column_in_schema":
        return f"{failure.failure_case} is not a column of the contract"
    if check.startswith("dtype("):
        return f"{failure.column} is {failure.failure_case}, not {check[7:-2]}"
    return f"{failure.column}: {check}"


def _add_broken_references(
    name: str, table: arrow.Table, checked: dict[str, CheckedTable], reasons: dict[int, list[str]]
) -> None:
    """Add the rows whose foreign key points at no accepted row."""
    for column, other in FOREIGN_KEYS.get(name, {}).items():
        known = pd.Index(checked[other].accepted[PRIMARY_KEYS[other]].to_pandas())
        values = table[column].to_pandas()
        for row in (~values.isin(known)).to_numpy().nonzero()[0]:
            reasons.setdefault(int(row), []).append(
                f"{column}={values.iloc[row]}: not an accepted row of {other}"
            )


def _split(name: str, table: arrow.Table, reasons: dict[int, list[str]]) -> CheckedTable:
    rows = sorted(reasons)
    keep = pd.Series(True, index=range(table.num_rows))
    keep.iloc[rows] = False
    bad = table.take(arrow.array(rows, arrow.int64())).cast(
        arrow.schema([(field.name, arrow.string()) for field in table.schema])
    )
    said = arrow.array(["; ".join(reasons[row]) for row in rows], arrow.string())
    return CheckedTable(
        name, table.filter(arrow.array(keep.to_numpy())), bad.append_column("reason", said)
    )


def table_schema(name: str) -> dict[str, Any]:
    """The Frictionless Table Schema of one contract, ready to be written as JSON.

    Raises `TableError` for a table that has no contract.
    """
    if name not in CONTRACTS:
        message = f"no contract for table {name!r}; there are {', '.join(CONTRACTS)}"
        raise TableError(message)
    schema = CONTRACTS[name].to_schema()
    references = [
        {"fields": [column], "reference": {"resource": other, "fields": [PRIMARY_KEYS[other]]}}
        for column, other in FOREIGN_KEYS.get(name, {}).items()
    ]
    return {
        "$schema": "https://datapackage.org/profiles/2.0/tableschema.json",
        "name": name,
        "description": (CONTRACTS[name].__doc__ or "").strip(),
        "fields": [_field(column) for column in schema.columns.values()],
        "primaryKey": [PRIMARY_KEYS[name]] if name in PRIMARY_KEYS else [],
        "foreignKeys": references,
        "rules": [check.name for check in schema.checks],
    }


_TYPES = {"str": "string", "string[pyarrow]": "string", "float64": "number", "date": "date"}
_CONSTRAINTS = {
    "greater_than_or_equal_to": "minimum",
    "less_than_or_equal_to": "maximum",
    "greater_than": "exclusiveMinimum",
    "isin": "enum",
}


def _field(column: Any) -> dict[str, Any]:
    constraints: dict[str, Any] = {"required": not column.nullable}
    if column.unique:
        constraints["unique"] = True
    for check in column.checks:
        (value,) = check.statistics.values()
        constraints[_CONSTRAINTS[check.name]] = value
    return {
        "name": column.name,
        "type": _TYPES[str(column.dtype)],
        "title": column.title,
        "title_zh": column.metadata["title_zh"],
        "unit": column.metadata["unit"],
        "constraints": constraints,
    }
