"""A run of `test_reprice_stops`: one process that forks jobs and kills them at random moments.

Forking spares each of them the start of an interpreter. Prints how many kills met a job that was
still at work, and after which of them a job went on to its end.
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

KILLS = 20


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
    job = RepriceJob(portfolio, out / "whole", pricing, workers=1, chunk_rows=chunk_rows)
    started = time.perf_counter()
    reprice(job)
    lasts = time.perf_counter() - started
    rng = random.Random(7)
    met = 0
    again = replace(job, out=out / "killed", resume=True)
    for _ in range(KILLS):
        child = fork(again)
        time.sleep(rng.uniform(0.0, lasts / 8))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        met += os.WIFSIGNALED(status)
    _, status = os.waitpid(fork(again), 0)
    sys.stdout.write(f"{met} {os.waitstatus_to_exitcode(status)}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
