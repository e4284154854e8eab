"""Customer profiles at scale: time and memory beside pandas, hand-written SQL and Feast.

python -m benchmarks.profiles --data FOLDER: every side is a process of its own over the same files,
and the sides run in turn. Rewrites its section of benchmarks/RESULTS.md. The synthetic tables are
drawn to FOLDER once and kept there. This process holds no data, since the memory of a child is
never measured below its parent's.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.processes import Command, Run, in_turn, run
from benchmarks.results import write_section

HERE = Path(__file__).parent
RISKENGINE = Path(sys.executable).with_name("riskengine")
EARLIER, LATER = "2025-01-01", "2026-01-01"
OURS, QUARTER = "riskengine", "riskengine, 1/4"
LIMITED = {limit: f"riskengine, DuckDB limited to {limit}" for limit in ("700MB", "300MB")}
PANDAS, SQL = "pandas", "DuckDB SQL by hand"
STORES = {"duckdb": "Feast, DuckDB store", "dask": "Feast, default store (dask)"}
VERSIONS = "from importlib.metadata import version; print(version('{}'))"


@dataclass(frozen=True)
class Bench:
    """Where the tables of all members and of a quarter of them are, and how often sides run."""

    folder: Path
    members: int
    repeats: int

    def data(self, members: int) -> Path:
        return self.folder / f"members_{members}"

    def out(self, name: str) -> Path:
        return self.folder / "out" / name


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True, help="folder for tables and results")
    parser.add_argument("--members", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3, help="rounds; medians are reported")
    parser.add_argument("--feast-python", type=Path, help="a Python that has feast[duckdb]")
    asked = parser.parse_args()
    bench = Bench(asked.data.resolve(), asked.members, asked.repeats)
    bench.out("").mkdir(parents=True, exist_ok=True)
    _module("profiles_inputs", "prefixes", bench.out("prefixes.parquet"))
    drawn = {n: simulated(bench.data(n), n) for n in (bench.members // 4, bench.members)}
    checked = validated(bench, list(drawn))
    built = in_turn(sides(bench), bench.repeats)
    lines = [
        *about(bench, asked.feast_python),
        *table_lines(bench, drawn, checked),
        *built_lines(bench, built),
    ]
    if asked.feast_python:
        lines += feast_lines(bench, asked.feast_python)
    else:
        lines += ["", "Feast was not measured: no `--feast-python` was given."]
    write_section("Customer profiles (`make bench-profiles`)", lines)


def simulated(folder: Path, members: int) -> Run:
    """Draw the tables; what that took is kept beside them, for when they are there already."""
    kept = folder / "simulated.json"
    if not kept.exists():
        drawn = run(Command([RISKENGINE, "simulate", "--members", members, "--out", folder]))
        kept.write_text(json.dumps(asdict(drawn)), encoding="utf-8")
    return Run(**json.loads(kept.read_text(encoding="utf-8")))


def validated(bench: Bench, sizes: list[int]) -> Mapping[str, Run]:
    where = ["--quarantine", bench.out("quarantine"), "--out", bench.out("accepted")]
    checks = {
        f"validate {n}": Command([RISKENGINE, "validate", bench.data(n), *where]) for n in sizes
    }
    return in_turn(checks, repeats=1)


def sides(bench: Bench) -> Mapping[str, Command]:
    whole, day = bench.data(bench.members), ["--as-of", LATER]
    ours = [RISKENGINE, "profiles", "--data"]
    by_hand = [whole, LATER, bench.out("prefixes.parquet")]
    return {
        OURS: Command([*ours, whole, *day, "--out", bench.out("ours.parquet")]),
        SQL: _by_hand("profiles_sql", *by_hand, bench.out("sql.parquet")),
        **{
            name: Command(
                [*ours, whole, *day, "--out", bench.out(f"{limit}.parquet")],
                {"RISKENGINE_MEMORY_LIMIT": limit},
            )
            for limit, name in LIMITED.items()
        },
        QUARTER: Command(
            [*ours, bench.data(bench.members // 4), *day, "--out", bench.out("quarter.parquet")]
        ),
        PANDAS: _by_hand("profiles_pandas", *by_hand, bench.out("pandas.parquet")),
    }


def about(bench: Bench, feast_python: Path | None) -> list[str]:
    packages = ("duckdb", "ibis-framework", "pandas", "pyarrow")
    used = [f"{name} {_version(sys.executable, name)}" for name in packages]
    if feast_python:
        of_feast = [f"{n} {_version(feast_python, n)}" for n in ("feast", "duckdb", "pandas")]
        used.append(f"Feast in an environment of its own ({', '.join(of_feast)})")
    return [
        f"Whole processes over the same Parquet files of a synthetic insurer, from start to the"
        f" written file, run in turn; medians of {bench.repeats}. Memory is the largest resident"
        f" set of the process, in GB (10^9 bytes). {os.cpu_count()} cores, which other work"
        f" shared while this ran: read the ratios, not the seconds. Python"
        f" {platform.python_version()}, {', '.join(used)}.",
    ]


def table_lines(bench: Bench, drawn: Mapping[int, Run], checked: Mapping[str, Run]) -> list[str]:
    rows = [
        f"| {n:,} | {_rows(bench.data(n), 'claims'):,} | {_rows(bench.data(n), 'events'):,}"
        f" | {simulation.cells()} | {checked[f'validate {n}'].cells()} |"
        for n, simulation in drawn.items()
    ]
    return [
        "",
        "The tables, drawn by `simulate` and checked and rewritten by `validate --out`, once each:",
        "",
        "| members | claim lines | events | simulate s | GB | validate s | GB |",
        "|" + "---|" * 7,
        *rows,
    ]


def built_lines(bench: Bench, built: Mapping[str, Run]) -> list[str]:
    """Each side and what it got equal, and each bar with what was measured."""
    ours, quarter = built[OURS], built[QUARTER]
    files = {SQL: "sql", PANDAS: "pandas", **{name: limit for limit, name in LIMITED.items()}}
    same = {name: compared(bench.out("ours.parquet"), bench, file) for name, file in files.items()}
    columns = same[SQL]["columns"]
    rows = [
        f"| {name.replace('1/4', f'{bench.members // 4:,} members')} | {done.cells()}"
        f" | {f'{done.spilled:.2f}' if name.startswith(OURS) else ''}"
        f" | {_equal(same[name]) if name in same else ''} |"
        for name, done in built.items()
    ]
    faster, memory = built[PANDAS].seconds / ours.seconds, ours.gigabytes / built[PANDAS].gigabytes
    return [
        "",
        f"Profiles of {columns} features of {bench.members:,} members as of {LATER}; spilled is the"
        " most that DuckDB's temporary files held at a time, in GB:",
        "",
        "| side | s | GB | spilled | values equal to riskengine's, to 1e-9 |",
        "|---|---|---|---|---|",
        *rows,
        "",
        "| what | bar | measured | |",
        "|---|---|---|---|",
        _bar("times faster than pandas", 2.5, faster, at_least=True),
        _bar("memory, of pandas'", 0.25, memory),
        _bar("wall time, of SQL by hand", 1.2, ours.seconds / built[SQL].seconds),
        *(
            _bar(
                f"wall time with DuckDB limited to {limit}, of unlimited",
                2.5,
                built[name].seconds / ours.seconds,
            )
            for limit, name in LIMITED.items()
        ),
        _bar("wall time from 1x to 4x data", 4.4, ours.seconds / quarter.seconds),
    ]


def feast_lines(bench: Bench, feast_python: Path) -> list[str]:
    """The same entity rows, built from the tables by us and looked up in built ones by Feast."""
    data, entities = bench.data(bench.members), bench.out("entities.parquet")
    _module("profiles_inputs", "entities", data, EARLIER, LATER, entities)
    ours = [RISKENGINE, "profiles", "--data", data]
    two_dates = bench.out("two_dates.parquet")
    run(Command([*ours, "--as-of", EARLIER, "--as-of", LATER, "--out", two_dates]))
    lookups = {
        name: _feast(bench, feast_python, store, two_dates) for store, name in STORES.items()
    }
    build = Command([*ours, "--spine", entities, "--out", bench.out("spine.parquet")])
    done = in_turn({OURS: build, **lookups}, bench.repeats)
    truth = bench.out("truth.parquet")
    run(_by_hand("profiles_sql", data, entities, bench.out("prefixes.parquet"), truth))
    right = {
        name: compared(truth, bench, file)
        for name, file in zip(done, ("spine", *STORES), strict=True)
    }
    rows = [
        f"| {name} | {one.cells()} | {right[name]['rows_found']:,}"
        f" | {right[name]['rows_right']:,} | {right[name]['values_right']:,} |"
        for name, one in done.items()
    ]
    total = right[OURS]
    return [
        "",
        f"The same {total['rows']:,} entity rows, every member as of {EARLIER} or {LATER}, through"
        " Feast's `get_historical_features`. Feast looks up profiles that riskengine had built for"
        " both dates and exported (`profiles feast`; neither that nor `feast apply` is in its"
        " time); riskengine aggregates the windows from the tables anew. What is right is what the"
        " hand-written SQL gives. Some members were not known by their date: for them no profile"
        " had been exported, Feast's default store drops their rows, and for those of whom"
        " something was known all the same, such as an offer, no store has its values.",
        "",
        "| side | s | GB | rows returned | rows right | values right |",
        "|" + "---|" * 6,
        *rows,
        f"| of | | | {total['rows']:,} | {total['rows']:,} |"
        f" {total['rows'] * total['columns']:,} |",
        "",
        "| what | bar | measured | |",
        "|---|---|---|---|",
        *(
            _bar(f"wall time, of {name}", 1, done[OURS].seconds / done[name].seconds)
            for name in STORES.values()
        ),
    ]


def _feast(bench: Bench, feast_python: Path, store: str, profiles: Path) -> Command:
    """A registered Feast repository over the profiles, and the look-up in it."""
    folder = bench.out(f"feast_{store}")
    shutil.rmtree(folder, ignore_errors=True)
    run(Command([RISKENGINE, "profiles", "feast", profiles, "--out", folder]))
    settings = folder / "feature_store.yaml"
    text = settings.read_text(encoding="utf-8").replace("type: duckdb", f"type: {store}")
    settings.write_text(text, encoding="utf-8")
    # Its environment is its own: none of our packages may be found there.
    alone = {"PYTHONPATH": ""}
    run(Command([feast_python.with_name("feast"), "-c", folder, "apply"], alone))
    look_up = [feast_python, HERE / "profiles_feast.py", folder, bench.out("entities.parquet")]
    return Command([*look_up, bench.out(f"{store}.parquet")], alone)


def compared(truth: Path, bench: Bench, found: str) -> dict[str, int]:
    counted = _module("profiles_equal", truth, bench.out(f"{found}.parquet"))
    return {str(name): int(n) for name, n in json.loads(counted).items()}


def _equal(same: Mapping[str, int]) -> str:
    return f"{same['values_right']:,} of {same['rows'] * same['columns']:,}"


def _bar(what: str, bar: float, measured: float, *, at_least: bool = False) -> str:
    met = measured >= bar if at_least else measured <= bar
    sign = "at least" if at_least else "at most"
    return f"| {what} | {sign} {bar:g} | **{measured:.2f}** | {'met' if met else 'missed'} |"


def _by_hand(module: str, *arguments: object) -> Command:
    return Command([sys.executable, "-m", f"benchmarks.{module}", *arguments])


def _module(module: str, *arguments: object) -> str:
    command = [str(part) for part in _by_hand(module, *arguments).arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _rows(data: Path, table: str) -> int:
    count = "import sys, pyarrow.parquet as p; print(p.read_metadata(sys.argv[1]).num_rows)"
    command = [sys.executable, "-c", count, str(data / f"{table}.parquet")]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _version(python: str | Path, package: str) -> str:
    command = [str(python), "-c", VERSIONS.format(package)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
