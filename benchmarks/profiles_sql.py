"""The features of `riskengine.profiles` as an analyst would write them in DuckDB's SQL, by hand.

python -m benchmarks.profiles_sql DATA SPINE PREFIXES OUT, where SPINE is a date or a Parquet file
of `member_id` and `as_of`, and PREFIXES a Parquet file of ICD-10 prefixes and their conditions.
"""

import sys

import duckdb

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
        for s, w in COUNTED
    )
    ill = ", ".join(
        f"min(d) FILTER (conditions & {1 << k} != 0) AS last_{k}" for k in range(len(CONDITIONS))
    )
    flags = ", ".join(
        f"(last_{k} <= 1095)::int::double AS has_{name}" for k, name in enumerate(CONDITIONS)
    )
    number = {
        w: " + ".join(f"coalesce((last_{k} <= {w})::int, 0)" for k in range(len(CONDITIONS)))
        for w in (1095, 365)
    }
    prefixes = "".join(
        f" LEFT JOIN prefixes p{n} ON p{n}.prefix = substr(plain, 1, {n})" for n in PREFIX_LENGTHS
    )
    found = ", ".join(f"p{n}.conditions" for n in PREFIX_LENGTHS)
    latest = ", ".join(
        f"arg_max(value, (-d, value)) FILTER (measure = '{m}') AS {m}" for m in MEASURES
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
    intents = ", ".join(
        f"""(count(*) FILTER (kind = 'page_view' AND plan = '{plan}' AND d <= 90))::double
        AS page_views_{plan}_90d"""
        for plan in PLANS
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
  SELECT member_id, as_of, {events}, {intents}, {steps}, {since}
  FROM (SELECT member_id, as_of, kind, plan, quantity, as_of - occurred_on AS d
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
SELECT m.member_id, m.as_of, (m.as_of - birth_date) / 365.25 AS age, {", ".join(MEMBER)},
  * EXCLUDE (member_id, as_of, birth_date, known_on, {", ".join(MEMBER)})
    REPLACE ({_zeros()})
FROM (SELECT s.*, m.* EXCLUDE (member_id) FROM spine s
  LEFT JOIN '{known.format("members")}' m
  ON m.member_id = s.member_id AND m.known_on <= s.as_of) m
LEFT JOIN cover USING (member_id, as_of) LEFT JOIN claim USING (member_id, as_of)
LEFT JOIN ill USING (member_id, as_of) LEFT JOIN measured USING (member_id, as_of)
LEFT JOIN done USING (member_id, as_of) LEFT JOIN offered USING (member_id, as_of)
ORDER BY m.member_id, m.as_of"""


def _zeros() -> str:
    """Where nothing means none: for the covered in the window, or for everyone we know."""
    parts = [
        f"CASE WHEN m.known_on IS NOT NULL THEN coalesce({n}, 0) ELSE nullif({n}, 0) END AS {n}"
        for n in zero_for_all()
    ]
    parts += [
        f"CASE WHEN covered_days_{w}d > 0 THEN coalesce({n}, 0) ELSE nullif({n}, 0) END AS {n}"
        for n, w in zero_if_covered().items()
    ]
    return ", ".join(parts)


def main(data: str, spine: str, prefixes: str, out: str) -> None:
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE prefixes AS FROM '{prefixes}'")
    rows = (
        f"FROM '{spine}'"
        if spine.endswith(".parquet")
        else f"SELECT member_id, DATE '{spine}' AS as_of FROM '{data}/members.parquet'"
        f" WHERE known_on <= DATE '{spine}'"
    )
    connection.execute(f"CREATE TABLE spine AS {rows}")
    connection.execute(f"COPY ({query(data)}) TO '{out}' (FORMAT parquet)")


if __name__ == "__main__":
    main(*sys.argv[1:])
