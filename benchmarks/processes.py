"""Wall time, peak memory and spill of whole processes, run in turn so that load hits all alike."""

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

EVERY = 0.1
"""Seconds between two looks at what is spilled."""


@dataclass(frozen=True)
class Command:
    """What to run, and what to add to its environment."""

    arguments: Sequence[object]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """Seconds from start to end, and in GB (10^9 bytes) the largest resident memory and spill.

    `spilled` is the most that DuckDB's temporary files held at a time; what a database file holds
    is not among it.
    """

    seconds: float
    gigabytes: float
    spilled: float = 0.0

    def cells(self) -> str:
        return f"{self.seconds:.1f} | {self.gigabytes:.2f}"


def run(command: Command) -> Run:
    """Run a command to its end; raises `RuntimeError` with what it said when it fails."""
    arguments = [str(argument) for argument in command.arguments]
    started = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as temporary,
        spilled_bytes(Path(temporary)) as spilled,
        subprocess.Popen(
            arguments,
            env={**os.environ, "TMPDIR": temporary, **command.environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        said = process.stderr.read() if process.stderr else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - started
    if process.returncode:
        message = f"{' '.join(arguments)} ended with {process.returncode}:\n{said[-2000:]}"
        raise RuntimeError(message)
    return Run(seconds, usage.ru_maxrss * 1024 / 1e9, max(spilled) / 1e9)


@contextmanager
def spilled_bytes(folder: Path) -> Iterator[list[int]]:
    """The sizes together of DuckDB's temporary files below `folder`, one look after another."""
    seen, ended = [0], Event()

    def look() -> None:
        while not ended.wait(EVERY):
            with suppress(FileNotFoundError):  # a file that is gone before it is looked at
                seen.append(sum(path.stat().st_size for path in folder.rglob("duckdb_temp*")))

    watch = Thread(target=look)
    watch.start()
    try:
        yield seen
    finally:
        ended.set()
        watch.join()


def in_turn(commands: Mapping[str, Command], repeats: int) -> dict[str, Run]:
    """Medians of `repeats` rounds; each round runs every command once."""
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            runs[name].append(run(command))
            print(f"  {name}: {runs[name][-1].cells()}", flush=True)
    return {
        name: Run(
            statistics.median(one.seconds for one in done),
            statistics.median(one.gigabytes for one in done),
            statistics.median(one.spilled for one in done),
        )
        for name, done in runs.items()
    }
