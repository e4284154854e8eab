"""What the benchmark of profiles reads besides the tables: ICD-10 prefixes and entity rows.

python -m benchmarks.profiles_inputs prefixes OUT
python -m benchmarks.profiles_inputs entities DATA EARLIER LATER OUT
"""

import sys

import duckdb
import pyarrow.parquet as pq


def prefixes(out: str) -> None:
    from riskengine.profiles.conditions import prefix_table

    pq.write_table(prefix_table(), out)


def entities(data: str, earlier: str, later: str, out: str) -> None:
    """Every member once, about half as of each date, also those not known by it."""
    duckdb.execute(
        f"""COPY (SELECT member_id,
          CASE WHEN hash(member_id) % 2 = 0 THEN DATE '{earlier}' ELSE DATE '{later}' END AS as_of
        FROM '{data}/members.parquet') TO '{out}' (FORMAT parquet)"""
    )


if __name__ == "__main__":
    {"prefixes": prefixes, "entities": entities}[sys.argv[1]](*sys.argv[2:])
