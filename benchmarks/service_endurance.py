"""Quotes for a quarter of an hour at half the peak: is anything lost, and does memory grow?

The server is that of `benchmarks.service`. Whatever got a 2xx must be in the store afterwards.
Rewrites its section of benchmarks/RESULTS.md.
"""

import argparse
import shutil
import sqlite3
import tempfile
import threading
from pathlib import Path

from benchmarks.results import write_section
from benchmarks.service import load, running, servers

SHARE_OF_PEAK, EVERY_SECONDS = 0.5, 15.0
QUOTE = "quote, stored"


def resident(process: int) -> float:
    """Memory of a process that is resident and its own, in megabytes."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("RssAnon:"))
    return int(line.split()[1]) / 1024


def stored(folder: Path) -> int:
    """Quotes in the store."""
    connection = sqlite3.connect(folder / "store.db")
    try:
        return int(connection.execute("select count(*) from quotes").fetchone()[0])
    finally:
        connection.close()


def main() -> None:
    """Find the peak, serve at half of it, and write down what was lost and what grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--dry", action="store_true", help="print, and leave RESULTS.md alone")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="riskengine-endurance-"))
    (server,) = (one for one in servers(folder) if one.name == QUOTE)
    body = folder / "body.json"
    body.write_bytes(server.body)
    with running(server, folder) as (process, url):
        peak = load(url, body, 10)
        before, memory, done = stored(folder), [resident(process)], threading.Event()

        def watch() -> None:
            while not done.wait(EVERY_SECONDS):
                memory.append(resident(process))

        watching = threading.Thread(target=watch)
        watching.start()
        told = load(url, body, asked.minutes * 60, SHARE_OF_PEAK * peak["per_second"])
        done.set()
        watching.join()
        kept = stored(folder) - before
    shutil.rmtree(folder)
    third = max(len(memory) // 3, 1)
    lines = [
        "| what | measured |",
        "|---|---|",
        f"| minutes | {asked.minutes:g} |",
        f"| quotes a second, of a peak of {peak['per_second']:,.0f} | {told['per_second']:,.0f} |",
        f"| quotes answered with 2xx | {told['answers'] - told['failed']:,.0f} |",
        f"| of these in the store | {kept:,} |",
        f"| other answers | {told['failed']:,.0f} |",
        f"| memory of its own, mean of the first third, MB | {sum(memory[:third]) / third:.1f} |",
        f"| of the last third | {sum(memory[-third:]) / third:.1f} |",
        f"| p50, p99, ms | {told['p50']:.1f}, {told['p99']:.1f} |",
    ]
    print("\n".join(lines))
    if not asked.dry:
        write_section("A quarter of an hour of quotes", lines)


if __name__ == "__main__":
    main()
