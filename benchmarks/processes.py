"""Wall time and peak memory of whole processes, run in turn so that a busy machine hits all."""

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Command:
    """What to run, and what to add to its environment."""

    arguments: Sequence[object]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """Seconds from start to end, and the largest resident memory in GB (10^9 bytes)."""

    seconds: float
    gigabytes: float

    def cells(self) -> str:
        return f"{self.seconds:.1f} | {self.gigabytes:.2f}"


def run(command: Command) -> Run:
    """Run a command to its end; raises `RuntimeError` with what it said when it fails."""
    arguments = [str(argument) for argument in command.arguments]
    started = time.perf_counter()
    with subprocess.Popen(
        arguments,
        env={**os.environ, **command.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        said = process.stderr.read() if process.stderr else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if process.returncode:
        message = f"{' '.join(arguments)} ended with {process.returncode}:\n{said[-2000:]}"
        raise RuntimeError(message)
    return Run(seconds, usage.ru_maxrss * 1024 / 1e9)


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
        )
        for name, done in runs.items()
    }
