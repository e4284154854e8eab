"""How many rows and values of one file of profiles are those of another, to 1e-9, as JSON.

python -m benchmarks.profiles_equal TRUTH FOUND: rows are matched by member and date; a row that is
missing counts as wrong in all of its values.
"""

import json
import sys

import duckdb

KEYS = ("member_id", "as_of")


def main(truth: str, found: str) -> None:
    kinds = dict(
        duckdb.execute(f"SELECT column_name, column_type FROM (DESCRIBE FROM '{truth}')").fetchall()
    )
    names = [name for name in kinds if name not in KEYS]
    right = " + ".join(f"({_same(name, kinds[name])})::int" for name in names)
    counted = duckdb.execute(
        f"""SELECT count(*), count(found), coalesce(sum((n = {len(names)})::int), 0),
          coalesce(sum(n), 0)
        FROM (SELECT f.member_id AS found, CASE WHEN found IS NULL THEN 0 ELSE {right} END AS n
          FROM '{truth}' t LEFT JOIN '{found}' f USING ({", ".join(KEYS)}))"""
    ).fetchall()[0]
    titles = ("rows", "rows_found", "rows_right", "values_right")
    result = {title: int(n) for title, n in zip(titles, counted, strict=True)}
    print(json.dumps({**result, "columns": len(names)}))


def _same(name: str, kind: str) -> str:
    if kind != "DOUBLE":
        return f"t.{name} IS NOT DISTINCT FROM f.{name}"
    near = f"abs(t.{name} - f.{name}) <= 1e-9 * (1 + abs(t.{name}))"
    return f"coalesce({near}, t.{name} IS NULL AND f.{name} IS NULL)"


if __name__ == "__main__":
    main(*sys.argv[1:])
