"""The features of `riskengine.profiles` as an analyst would write them in DuckDB's SQL, by hand.

python -m benchmarks.profiles_sql DATA AS_OF OUT
"""

import sys

import duckdb

from riskengine.profiles.conditions import CONDITIONS, _prefix_table
from riskengine.profiles.feature import WINDOWS

SERVICES = ("inpatient", "outpatient", "drug", "supply", "emergency", "preventive")
MEASURES = (
    "general_health_index", "mental_health_index", "chronic_disease_index", "physical_limitation",
    "body_mass_index", "glycated_haemoglobin", "systolic_pressure", "total_cholesterol", "smoker",
)  # fmt: skip
SLOPED = MEASURES[4:8]
EVENTS = {
    "app_visits": ("app_visit", (30, 90, 365)),
    "page_views": ("page_view", (30, 90, 365)),
    "calls": ("call", (90, 365)),
    "check_ups": ("check_up", (365, 1095)),
}


def query(data: str) -> str:
    """The whole query over the Parquet files of folder `data` and a table `spine`."""
    known = f"{data}/{{}}.parquet"
    windows = ", ".join(
        f"""least(sum(greatest(least(as_of - start_date, {w})
            - greatest(as_of - end_date - 1, 0), 0)), {w})::double AS covered_days_{w}d"""
        for w in WINDOWS
    )
    claims = ", ".join(
        f"""sum(allowed) FILTER (d <= {w}) / 1e6 AS medical_spend_{w}d,
        sum(visits) FILTER (d <= {w} AND service = 'outpatient') / 1e6 AS outpatient_visits_{w}d,
        (count(*) FILTER (d <= {w} AND stands))::double AS claim_count_{w}d,
        sum(days) FILTER (d <= {w}) / 1e6 AS hospital_days_{w}d"""
        for w in WINDOWS
    )
    spend = ", ".join(
        f"sum(allowed) FILTER (d <= 365 AND service = '{s}') / 1e6 AS {s}_spend_365d"
        for s in SERVICES
    )
    counts = ", ".join(
        f"""(count(*) FILTER (d <= {w} AND stands AND service = '{s}'))::double
        AS {s}_claim_count_{w}d"""
        for s, w in (("inpatient", 1095), ("emergency", 365), ("preventive", 1095))
    )
    ill = ", ".join(
        f"min(d) FILTER (conditions & {1 << k} != 0) AS last_{k}" for k in range(len(CONDITIONS))
    )
    flags = ", ".join(
        f"(last_{k} <= 1095)::int::double AS has_{c.name}" for k, c in enumerate(CONDITIONS)
    )
    number = {
        w: " + ".join(f"coalesce((last_{k} <= {w})::int, 0)" for k in range(len(CONDITIONS)))
        for w in (1095, 365)
    }
    prefixes = "".join(
        f" LEFT JOIN prefixes p{n} ON p{n}.prefix = substr(plain, 1, {n})" for n in (7, 6, 5, 4, 3)
    )
    found = ", ".join(f"p{n}.conditions" for n in (7, 6, 5, 4, 3))
    latest = ", ".join(
        f"arg_max(value, (-d, value)) FILTER (measure = '{m}') AS {m}"
        for m in ("household_size", *MEASURES)
    )
    slopes = ", ".join(
        f"""CASE WHEN var_pop(d) FILTER (d <= 1095 AND measure = '{m}') >= 2025
        THEN -365.25 * regr_slope(value, d) FILTER (d <= 1095 AND measure = '{m}') END
        AS {m}_slope"""
        for m in SLOPED
    )
    events = ", ".join(
        f"(count(*) FILTER (kind = '{kind}' AND d <= {w}))::double AS {name}_{w}d"
        for name, (kind, spans) in EVENTS.items()
        for w in spans
    )
    steps = ", ".join(
        f"avg(round(quantity)) FILTER (kind = 'steps' AND d <= {w}) AS steps_per_day_{w}d"
        for w in (30, 90, 365)
    )
    since = ", ".join(
        f"(min(d) FILTER (kind = '{k}'))::double AS days_since_last_{k}"
        for k in ("app_visit", "call", "check_up")
    )
    return f"""
WITH back AS (
  SELECT as_of, reversal_of, sum(round(allowed_amount * 1e6)) AS allowed,
    coalesce(sum(round(visit_count * 1e6)), 0) AS visits,
    coalesce(sum(round(hospital_days * 1e6)), 0) AS days
  FROM spine JOIN '{known.format("claims")}' c USING (member_id)
  WHERE reversal_of IS NOT NULL AND service_date < as_of AND reported_on <= as_of
  GROUP BY ALL),
lines AS (
  SELECT c.member_id, s.as_of, c.service, s.as_of - c.service_date AS d,
    round(c.allowed_amount * 1e6) + coalesce(b.allowed, 0) AS allowed,
    round(c.visit_count * 1e6) + coalesce(b.visits, 0) AS visits,
    round(c.hospital_days * 1e6) + coalesce(b.days, 0) AS days,
    b.allowed IS NULL OR round(c.allowed_amount * 1e6) + b.allowed > 0 AS stands
  FROM spine s JOIN '{known.format("claims")}' c USING (member_id)
  LEFT JOIN back b ON b.as_of = s.as_of AND b.reversal_of = c.claim_id
  WHERE c.reversal_of IS NULL AND service_date < s.as_of AND reported_on <= s.as_of),
claim AS (
  SELECT member_id, as_of, {claims}, {spend}, {counts},
    sum(allowed) FILTER (d > 365 AND d <= 730) / 1e6 AS medical_spend_366_730d,
    max(allowed) FILTER (d <= 1095) / 1e6 AS largest_claim_1095d,
    (min(d) FILTER (stands))::double AS days_since_last_claim,
    (min(d) FILTER (stands AND service = 'inpatient'))::double AS days_since_last_inpatient_claim
  FROM lines GROUP BY ALL),
cover AS (
  SELECT member_id, as_of, {windows}, max(as_of - start_date)::double AS tenure_days,
    (count(*) FILTER (as_of - start_date <= 1095))::double AS policy_count_1095d,
    max(end_date + 1 - as_of)::double AS cover_days_left,
    max(coinsurance) FILTER (latest) AS coinsurance_held,
    max(out_of_pocket_maximum) FILTER (latest) AS out_of_pocket_maximum_held,
    max(individual_deductible) FILTER (latest) AS individual_deductible_held,
    count(DISTINCT plan_design)::double AS plan_design_count
  FROM (SELECT *, start_date = max(start_date) OVER (PARTITION BY member_id, as_of) AS latest
    FROM spine JOIN '{known.format("policies")}' USING (member_id)
    WHERE start_date < as_of AND known_on <= as_of)
  GROUP BY ALL),
codes AS (
  SELECT icd10, coalesce({found}, 0) AS conditions
  FROM (SELECT DISTINCT icd10, replace(upper(icd10), '.', '') AS plain
    FROM '{known.format("diagnoses")}'){prefixes}),
gone AS (
  SELECT b.as_of, c.claim_id FROM back b
  JOIN '{known.format("claims")}' c ON c.claim_id = b.reversal_of
  WHERE round(c.allowed_amount * 1e6) + b.allowed <= 0),
diagnosed AS (
  SELECT member_id, s.as_of, s.as_of - diagnosed_on AS d, conditions
  FROM spine s JOIN '{known.format("diagnoses")}' f USING (member_id) JOIN codes USING (icd10)
  ANTI JOIN gone g ON g.claim_id = f.claim_id AND g.as_of = s.as_of
  WHERE diagnosed_on < s.as_of AND known_on <= s.as_of),
illness AS (
  SELECT member_id, as_of, {ill}, count(*) FILTER (d <= 365) AS recent,
    max(d) FILTER (conditions != 0) AS first_chronic,
    min(d) FILTER (conditions != 0) AS last_chronic
  FROM diagnosed GROUP BY ALL),
ill AS (
  SELECT member_id, as_of, {flags}, ({number[1095]})::double AS chronic_condition_count,
    ({number[365]})::double AS chronic_condition_count_365d,
    recent::double AS diagnosis_count_365d,
    first_chronic::double AS days_since_first_chronic_diagnosis,
    last_chronic::double AS days_since_last_chronic_diagnosis
  FROM illness),
measured AS (
  SELECT member_id, as_of, {latest}, {slopes},
    (count(*) FILTER (d <= 1095))::double AS measurement_count_1095d,
    min(d)::double AS days_since_last_measurement
  FROM (SELECT member_id, as_of, measure, value, as_of - measured_on AS d
    FROM spine JOIN '{known.format("measurements")}' USING (member_id)
    WHERE measured_on < as_of AND known_on <= as_of)
  GROUP BY ALL),
done AS (
  SELECT member_id, as_of, {events}, {steps}, {since}
  FROM (SELECT member_id, as_of, kind, quantity, as_of - occurred_on AS d
    FROM spine JOIN '{known.format("events")}' USING (member_id)
    WHERE occurred_on < as_of AND known_on <= as_of)
  GROUP BY ALL),
offered AS (
  SELECT member_id, as_of, (count(*) FILTER (d <= 365))::double AS offers_shown_365d,
    (count(*) FILTER (d <= 1095 AND chosen = 1))::double AS offers_chosen_1095d,
    min(d)::double AS days_since_last_offer
  FROM (SELECT member_id, as_of, chosen, as_of - shown_on AS d
    FROM spine JOIN '{known.format("offers")}' USING (member_id)
    WHERE shown_on < as_of AND known_on <= as_of)
  GROUP BY ALL)
SELECT m.member_id, s.as_of, (s.as_of - birth_date) / 365.25 AS age, sex, rating_area,
  education_years, household_income, self_rated_health, * EXCLUDE (member_id, as_of, birth_date,
    sex, rating_area, education_years, household_income, self_rated_health, known_on)
    REPLACE ({_zeros()})
FROM spine s JOIN '{known.format("members")}' m USING (member_id)
LEFT JOIN cover USING (member_id, as_of) LEFT JOIN claim USING (member_id, as_of)
LEFT JOIN ill USING (member_id, as_of) LEFT JOIN measured USING (member_id, as_of)
LEFT JOIN done USING (member_id, as_of) LEFT JOIN offered USING (member_id, as_of)
WHERE m.known_on <= s.as_of ORDER BY m.member_id, s.as_of"""


def _zeros() -> str:
    """Where nothing means none: for the covered in the window, or for everyone we know."""
    in_window = {
        w: [f"{n}_{w}d" for n in ("medical_spend", "outpatient_visits", "claim_count")]
        + [f"hospital_days_{w}d"]
        for w in WINDOWS
    }
    in_window[365] += [f"{s}_spend_365d" for s in SERVICES]
    in_window[365] += ["emergency_claim_count_365d", "chronic_condition_count_365d"]
    in_window[365] += ["diagnosis_count_365d"]
    in_window[1095] += ["inpatient_claim_count_1095d", "preventive_claim_count_1095d"]
    in_window[1095] += ["largest_claim_1095d", "chronic_condition_count"]
    in_window[1095] += [f"has_{c.name}" for c in CONDITIONS]
    always = [f"covered_days_{w}d" for w in WINDOWS] + ["measurement_count_1095d"]
    always += [f"{name}_{w}d" for name, (_, spans) in EVENTS.items() for w in spans]
    always += ["offers_shown_365d", "offers_chosen_1095d"]
    parts = [f"coalesce({name}, 0) AS {name}" for name in always]
    parts += [
        f"CASE WHEN covered_days_{w}d > 0 THEN coalesce({n}, 0) ELSE nullif({n}, 0) END AS {n}"
        for w, names in in_window.items()
        for n in names
    ]
    return ", ".join(parts)


def main(data: str, as_of: str, out: str) -> None:
    connection = duckdb.connect()
    connection.register("prefixes", _prefix_table())
    connection.execute(
        f"CREATE TABLE spine AS SELECT member_id, DATE '{as_of}' AS as_of"
        f" FROM '{data}/members.parquet' WHERE known_on <= DATE '{as_of}'"
    )
    connection.execute(f"COPY ({query(data)}) TO '{out}' (FORMAT parquet)")


if __name__ == "__main__":
    main(*sys.argv[1:])
