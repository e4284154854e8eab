"""The features of `riskengine.profiles` as a competent analyst would write them in pandas.

python -m benchmarks.profiles_pandas DATA AS_OF PREFIXES OUT. Only needed columns are read, members
are whole numbers from the start, and every feature is a filter and a group-by.
"""

import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from benchmarks.profiles_columns import (
    CONDITIONS,
    COUNTED,
    EVENTS,
    MEASURES,
    MEMBER,
    PLANS,
    PREFIX_LENGTHS,
    SERVICES,
    SLOPED,
    WINDOWS,
    zero_for_all,
    zero_if_covered,
)

Columns = dict[str, pd.Series]


@dataclass(frozen=True)
class Book:
    """A folder of tables, a date, and the members known by then; a member is a row number."""

    data: str
    as_of: pd.Timestamp
    members: pd.DataFrame

    def known(self, table: str, happened: str, columns: list[str], known: str) -> pd.DataFrame:
        """Facts of these members that happened before the date and were known by it."""
        facts = read(self.data, table, ["member_id", happened, known, *columns])
        facts = facts[(facts[happened] < self.as_of) & (facts[known] <= self.as_of)]
        row = pd.Index(self.members["member_id"]).get_indexer(facts["member_id"])
        facts = facts.assign(row=row, days=(self.as_of - facts[happened]).dt.days)
        return facts.drop(columns=["member_id", known])[row >= 0]


def read(data: str, table: str, columns: list[str]) -> pd.DataFrame:
    file = pq.read_table(f"{data}/{table}.parquet", columns=columns)
    return file.to_pandas(date_as_object=False)


def cover(book: Book) -> Columns:
    terms = ["coinsurance", "out_of_pocket_maximum", "individual_deductible"]
    columns = ["end_date", "plan_design", *terms]
    held = book.known("policies", "start_date", columns, "known_on")
    left = (held["end_date"] - book.as_of).dt.days + 1
    by_row = held.groupby("row")
    latest = held[held["start_date"] == by_row["start_date"].transform("max")]
    found = {
        "tenure_days": by_row["days"].max(),
        "policy_count_1095d": (held["days"] <= 1095).groupby(held["row"]).sum(),
        "cover_days_left": left.groupby(held["row"]).max(),
        "plan_design_count": by_row["plan_design"].nunique(),
    }
    for days in WINDOWS:
        inside = (held["days"].clip(upper=days) + left.clip(upper=0)).clip(lower=0)
        found[f"covered_days_{days}d"] = inside.groupby(held["row"]).sum().clip(upper=days)
    held_terms = latest.groupby("row")[terms].max()
    return found | {f"{term}_held": held_terms[term] for term in terms}


def claim_lines(book: Book) -> pd.DataFrame:
    """Claim lines net of the reversals known by the date; `stands` unless taken back whole."""
    amounts = ["allowed_amount", "visit_count", "hospital_days"]
    columns = ["claim_id", "service", "reversal_of", *amounts]
    claims = book.known("claims", "service_date", columns, "reported_on")
    is_reversal = claims["reversal_of"].notna()
    back = claims[is_reversal].groupby("reversal_of")[amounts].sum()
    lines = claims[~is_reversal].drop(columns="reversal_of")
    lines = lines.join(back.add_suffix("_back"), on="claim_id")
    for amount in amounts:
        lines[amount] = (lines[amount] + lines[f"{amount}_back"].fillna(0)).round(6)
    lines["stands"] = lines["allowed_amount_back"].isna() | (lines["allowed_amount"] > 0)
    return lines.drop(columns=[f"{amount}_back" for amount in amounts])


def use(lines: pd.DataFrame) -> Columns:
    found = {}
    standing = lines[lines["stands"]]
    for days in WINDOWS:
        inside = lines[lines["days"] <= days]
        outpatient = inside[inside["service"] == "outpatient"]
        found[f"medical_spend_{days}d"] = inside.groupby("row")["allowed_amount"].sum()
        found[f"outpatient_visits_{days}d"] = outpatient.groupby("row")["visit_count"].sum()
        found[f"claim_count_{days}d"] = inside[inside["stands"]].groupby("row").size()
        found[f"hospital_days_{days}d"] = inside.groupby("row")["hospital_days"].sum()
    year = lines[lines["days"] <= 365]
    for service in SERVICES:
        of_service = year[year["service"] == service]
        found[f"{service}_spend_365d"] = of_service.groupby("row")["allowed_amount"].sum()
    for service, days in COUNTED:
        inside = standing[(standing["days"] <= days) & (standing["service"] == service)]
        found[f"{service}_claim_count_{days}d"] = inside.groupby("row").size()
    before = lines[lines["days"].between(366, 730)]
    three = lines[lines["days"] <= 1095]
    inpatient = standing[standing["service"] == "inpatient"]
    return found | {
        "medical_spend_366_730d": before.groupby("row")["allowed_amount"].sum(),
        "largest_claim_1095d": three.groupby("row")["allowed_amount"].max(),
        "days_since_last_claim": standing.groupby("row")["days"].min(),
        "days_since_last_inpatient_claim": inpatient.groupby("row")["days"].min(),
    }


def conditions_of(codes: pd.Series, prefixes: str) -> pd.Series:
    """The conditions of each code, as bits, by its longest listed prefix."""
    listed = pd.read_parquet(prefixes).set_index("prefix")["conditions"]
    plain = codes.str.upper().str.replace(".", "", regex=False)
    found = pd.Series(np.nan, index=codes.index)
    for length in PREFIX_LENGTHS:
        found = found.fillna(plain.str[:length].map(listed))
    return found.fillna(0).astype("int64")


def illness(book: Book, lines: pd.DataFrame, prefixes: str) -> Columns:
    facts = book.known("diagnoses", "diagnosed_on", ["claim_id", "icd10"], "known_on")
    facts = facts[~facts["claim_id"].isin(lines.loc[~lines["stands"], "claim_id"])]
    codes = pd.Series(facts["icd10"].unique())
    bits = facts["icd10"].map(pd.Series(conditions_of(codes, prefixes).to_numpy(), index=codes))
    chronic = facts[bits != 0].groupby("row")["days"]
    last = pd.DataFrame(
        {
            name: facts[(bits & (1 << bit)) != 0].groupby("row")["days"].min()
            for bit, name in enumerate(CONDITIONS)
        }
    ).reindex(np.sort(facts["row"].unique()))
    flags = {f"has_{name}": (last[name] <= 1095).astype(float) for name in CONDITIONS}
    return flags | {
        "chronic_condition_count": (last <= 1095).sum(axis=1),
        "chronic_condition_count_365d": (last <= 365).sum(axis=1),
        "diagnosis_count_365d": facts[facts["days"] <= 365].groupby("row").size(),
        "days_since_first_chronic_diagnosis": chronic.max(),
        "days_since_last_chronic_diagnosis": chronic.min(),
    }


def measured(book: Book) -> Columns:
    facts = book.known("measurements", "measured_on", ["measure", "value"], "known_on")
    found = {}
    for measure in MEASURES:
        of_measure = facts[facts["measure"] == measure]
        in_order = of_measure.sort_values(["measured_on", "value"])
        found[measure] = in_order.groupby("row")["value"].last()
        if measure in SLOPED:
            found[f"{measure}_slope"] = slope(of_measure[of_measure["days"] <= 1095])
    found["measurement_count_1095d"] = facts[facts["days"] <= 1095].groupby("row").size()
    found["days_since_last_measurement"] = facts.groupby("row")["days"].min()
    return found


def slope(facts: pd.DataFrame) -> pd.Series:
    """Least-squares change a year, where the days are spread as two 90 days apart or more."""
    x, y = facts["days"].astype(float), facts["value"]
    sums = facts.assign(x=x, xx=x * x, xy=x * y).groupby("row")[["x", "value", "xx", "xy"]].sum()
    n = facts.groupby("row").size()
    spread = n * sums["xx"] - sums["x"] ** 2
    change = -365.25 * (n * sums["xy"] - sums["x"] * sums["value"]) / spread
    return change[spread >= (45 * n) ** 2]


def behaviour(book: Book) -> Columns:
    facts = book.known("events", "occurred_on", ["kind", "plan", "quantity"], "known_on")
    found = {}
    for name, (kind, spans) in EVENTS.items():
        of_kind = facts[facts["kind"] == kind]
        for days in spans:
            found[f"{name}_{days}d"] = of_kind[of_kind["days"] <= days].groupby("row").size()
    seen = facts[(facts["kind"] == "page_view") & (facts["days"] <= 90)]
    for plan in PLANS:
        found[f"page_views_{plan}_90d"] = seen[seen["plan"] == plan].groupby("row").size()
    walked = facts[facts["kind"] == "steps"]
    walked = walked.assign(quantity=walked["quantity"].round())
    for days in (30, 90, 365):
        inside = walked[walked["days"] <= days]
        found[f"steps_per_day_{days}d"] = inside.groupby("row")["quantity"].mean()
    for kind in ("app_visit", "call", "check_up"):
        of_kind = facts[facts["kind"] == kind]
        found[f"days_since_last_{kind}"] = of_kind.groupby("row")["days"].min()
    return found


def offered(book: Book) -> Columns:
    facts = book.known("offers", "shown_on", ["chosen"], "known_on")
    taken = facts[(facts["chosen"] == 1) & (facts["days"] <= 1095)]
    return {
        "offers_shown_365d": facts[facts["days"] <= 365].groupby("row").size(),
        "offers_chosen_1095d": taken.groupby("row").size(),
        "days_since_last_offer": facts.groupby("row")["days"].min(),
    }


def profiles(data: str, as_of: str, prefixes: str) -> pd.DataFrame:
    day = pd.Timestamp(as_of)
    members = read(data, "members", ["member_id", "birth_date", "known_on", *MEMBER])
    members = members[members["known_on"] <= day].sort_values("member_id", ignore_index=True)
    book = Book(data, day, members)
    lines = claim_lines(book)
    found = use(lines) | illness(book, lines, prefixes)
    del lines
    found |= cover(book) | measured(book) | behaviour(book) | offered(book)
    row = {name: values.reindex(members.index).astype(float) for name, values in found.items()}
    for name in zero_for_all():
        row[name] = row[name].fillna(0)
    for name, days in zero_if_covered().items():
        covered = row[f"covered_days_{days}d"] > 0
        row[name] = row[name].fillna(0).where(covered, row[name].replace(0, np.nan))
    keys = members[["member_id", *MEMBER]]
    age = (day - members["birth_date"]).dt.days / 365.25
    return pd.concat([keys.assign(as_of=day.date(), age=age), pd.DataFrame(row)], axis=1)


def main(data: str, as_of: str, prefixes: str, out: str) -> None:
    profiles(data, as_of, prefixes).to_parquet(out, index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
