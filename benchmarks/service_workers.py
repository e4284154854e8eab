"""Stored quotes a second by one process and by several that share a store, as behind a balancer.

The server is that of `benchmarks.service`; each process has a load generator of its own, and all
share the cores of this machine, which is what bounds them. Rewrites its section of
benchmarks/RESULTS.md.
"""

import argparse
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from benchmarks.results import write_section
from benchmarks.service import Server, cpu_seconds, load, running, servers
from benchmarks.service_endurance import QUOTE


def measure(server: Server, folder: Path, processes: int, seconds: float) -> tuple[float, float]:
    """Quotes a second of all processes, and server CPU in ms of each quote."""
    body = folder / "body.json"
    body.write_bytes(server.body)
    with ExitStack() as stack:
        there = [stack.enter_context(running(server, folder)) for _ in range(processes)]
        urls = [url for _, url in there]
        with ThreadPoolExecutor(processes) as pool:
            list(pool.map(lambda url: load(url, body, seconds / 4), urls))
            before = sum(cpu_seconds(process) for process, _ in there)
            told = list(pool.map(lambda url: load(url, body, seconds), urls))
            cpu = sum(cpu_seconds(process) for process, _ in there) - before
    assert not any(one["failed"] for one in told), told
    answers = sum(one["answers"] for one in told)
    return sum(one["per_second"] for one in told), 1000 * cpu / answers


def main() -> None:
    """Measure in turn, several times, and write the medians down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dry", action="store_true", help="print, and leave RESULTS.md alone")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="riskengine-workers-"))
    (server,) = (one for one in servers(folder) if one.name == QUOTE)
    found: dict[int, list[tuple[float, float]]] = {count: [] for count in asked.processes}
    for _ in range(asked.rounds):
        for count, rounds in found.items():
            rounds.append(measure(server, folder, count, asked.seconds))
    shutil.rmtree(folder)
    medians = {count: np.median(rounds, axis=0).tolist() for count, rounds in found.items()}
    first = medians[asked.processes[0]][0]
    lines = [
        f"One SQLite file, {os.cpu_count()} cores for servers and load generators together; medians"
        f" of {asked.rounds} rounds.",
        "",
        "| processes | quotes a second | x one process | server CPU, ms |",
        "|---|---|---|---|",
        *(
            f"| {count} | {rate:,.0f} | {rate / first:.2f} | {cpu:.3f} |"
            for count, (rate, cpu) in medians.items()
        ),
    ]
    print("\n".join(lines))
    if not asked.dry:
        write_section("Stored quotes by more processes", lines)


if __name__ == "__main__":
    main()
