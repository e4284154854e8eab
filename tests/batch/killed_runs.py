"""A run of `test_reprice_stops`: one process that forks jobs and kills them at random moments.

Forking spares each of them the start of an interpreter. Prints how many kills met a job that was
still at work, and how the last one ended, on a line for each number of workers.
"""

import os
import random
import signal
import sys
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

from riskengine.batch.reprice import RepriceJob, reprice
from riskengine.batch.repriced import kernel_of, pricing_of

KILLS = {1: 20, 2: 20}
"""How many, of jobs of so many workers."""


def fork(job: RepriceJob) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            reprice(job)
            code = 0
        finally:
            os._exit(code)
    return child


def main(release: Path, portfolio: Path, out: Path, chunk_rows: int) -> None:
    pricing = pricing_of((release,), date(2026, 7, 1))
    kernel_of(pricing)
    for workers, kills in KILLS.items():
        job = RepriceJob(
            portfolio, out / f"whole-{workers}", pricing, workers=workers, chunk_rows=chunk_rows
        )
        started = time.perf_counter()
        finish(job)
        lasts = time.perf_counter() - started
        rng = random.Random(7)
        again = replace(job, out=out / f"killed-{workers}", resume=True)
        met = sum(killed(again, rng.uniform(0.0, lasts / 8 * workers)) for _ in range(kills))
        sys.stdout.write(f"{met} {finish(again)}\n")


def killed(job: RepriceJob, after: float) -> bool:
    """Whether a kill after so many seconds met the job at work."""
    child = fork(job)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def finish(job: RepriceJob) -> int:
    _, status = os.waitpid(fork(job), 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
