"""What the benchmark of profiles reads besides the tables: ICD-10 prefixes, entity rows, the truth.

python -m benchmarks.profiles_inputs prefixes OUT
python -m benchmarks.profiles_inputs entities DATA EARLIER LATER OUT
python -m benchmarks.profiles_inputs truth ENTITIES PROFILES OUT
"""

import sys

import duckdb
import pyarrow.parquet as pq


def prefixes(out: str) -> None:
    from riskengine.profiles.conditions import prefix_table

    pq.write_table(prefix_table(), out)


def entities(data: str, earlier: str, later: str, out: str) -> None:
    """Every member once, every other one as of the earlier date, also those not known by it."""
    duckdb.execute(
        f"""COPY (SELECT member_id,
          CASE WHEN hash(member_id) % 2 = 0 THEN DATE '{earlier}' ELSE DATE '{later}' END AS as_of
        FROM '{data}/members.parquet') TO '{out}' (FORMAT parquet)"""
    )


def truth(entity_rows: str, profiles: str, out: str) -> None:
    """The hand-written profile of each entity row; all null for a member not known by then."""
    duckdb.execute(
        f"""COPY (FROM '{entity_rows}' LEFT JOIN '{profiles}' USING (member_id, as_of))
        TO '{out}' (FORMAT parquet)"""
    )


if __name__ == "__main__":
    {"prefixes": prefixes, "entities": entities, "truth": truth}[sys.argv[1]](*sys.argv[2:])
