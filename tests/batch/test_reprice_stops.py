"""A repricing job that is killed, meets a full disk or loses a worker: what is left, going on."""

import json
import multiprocessing
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as pq
import pytest

from riskengine.batch.job_folder import only_writer
from riskengine.batch.reprice import RepriceJob, reprice
from riskengine.batch.repriced import pricing_of
from riskengine.errors import InputError, JobError, LockedError, ReleaseError, StoppedError
from riskengine.market_release import save_market_release
from riskengine.pricing.impact import RateChange
from tests.batch.books import book_of
from tests.conftest import ROOT
from tests.golden.market_releases import kept_release, market_release
from tests.test_market_release import rebuilt

AS_OF = date(2026, 7, 1)
SIZE, CHUNK = 1500, 50


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Policies of which every 97th has no age."""
    book = book_of(market_release("us_aca"), SIZE).drop_columns(["effective_from"])
    age = arrow.array(book["age"].to_numpy(), mask=np.arange(SIZE) % 97 == 5)
    path = tmp_path_factory.mktemp("stops") / "book.parquet"
    pq.write_table(book.set_column(book.schema.names.index("age"), "age", age), path)
    return path


@pytest.fixture
def job(portfolio: Path, tmp_path: Path) -> RepriceJob:
    pricing = pricing_of((kept_release("us_aca"),), AS_OF)
    return RepriceJob(portfolio, tmp_path / "out", pricing, workers=1, chunk_rows=CHUNK)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file by name but the record of the run, which tells the time, and the lock."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in {"run.json", ".lock"}
    }


def stopping_after(chunks: int, error: Exception) -> Callable[[int, int], None]:
    """A progress that raises when so many chunks are done."""

    def progress(done: int, _total: int) -> None:
        if done >= chunks * CHUNK:
            raise error

    return progress


def test_kills_at_random_moments_change_no_byte(portfolio: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.batch.killed_runs", str(kept_release("us_aca")),
         str(portfolio), str(tmp_path), str(CHUNK)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    alone, two = (tuple(map(int, line.split())) for line in done.stdout.splitlines())
    assert (alone[1], two[1]) == (0, 0), done.stderr
    assert alone[0] >= 10
    assert two[0] >= 10
    whole = contents(tmp_path / "whole-1")
    for folder in ("killed-1", "whole-2", "killed-2"):
        assert contents(tmp_path / folder) == whole
    assert len(whole) > SIZE / CHUNK
    ids = pq.read_table(tmp_path / "whole-1" / "repriced")["policy_id"].to_pylist()
    aside = pq.read_table(tmp_path / "whole-1" / "quarantine")["policy_id"].to_pylist()
    assert sorted(ids + aside) == [f"p{row:07d}" for row in range(SIZE)]


def test_workers_and_one_process_write_the_same_bytes(job: RepriceJob, tmp_path: Path) -> None:
    alone = reprice(job)
    two = reprice(replace(job, out=tmp_path / "two", workers=2, chunk_rows=CHUNK))
    assert alone.totals == two.totals
    assert contents(job.out) == contents(tmp_path / "two")


def test_a_lost_worker_stops_the_job_and_keeps_what_is_done(job: RepriceJob) -> None:
    def kill_a_worker(done: int, _total: int) -> None:
        if done and not killed:
            (worker,) = multiprocessing.active_children()
            worker.kill()
            killed.append(done)

    killed: list[int] = []
    many = replace(job, chunk_rows=CHUNK // 10)
    with pytest.raises(StoppedError, match="a worker process was lost"):
        reprice(replace(many, workers=2), kill_a_worker)
    kept = len(list((job.out / "repriced").glob("part-*.parquet")))
    assert 1 <= kept < SIZE / many.chunk_rows
    record = json.loads((job.out / "run.json").read_text())
    assert record["status"].startswith("stopped: a worker process was lost")
    went_on = reprice(replace(many, resume=True))
    assert went_on.totals.policies_in == SIZE
    assert went_on.priced_now == SIZE - kept * many.chunk_rows


def test_a_full_disk_stops_the_job_and_keeps_what_is_done(job: RepriceJob) -> None:
    (job.out / "repriced").mkdir(parents=True)
    full = job.out / "repriced" / f".part-000004.parquet.{socket.gethostname()}.{os.getpid()}"

    def fill(done: int, _total: int) -> None:
        if done == 4 * CHUNK:
            full.symlink_to("/dev/full")

    (job.out / "repriced").rmdir()
    with pytest.raises(StoppedError, match="cannot be written to: No space left on device"):
        reprice(job, fill)
    assert len(list((job.out / "repriced").iterdir())) == 4
    assert reprice(replace(job, resume=True)).priced_now == SIZE - 4 * CHUNK


def test_a_revoked_release_stops_the_job(job: RepriceJob) -> None:
    def revoked() -> None:
        message = "release 1234 was revoked: wrong area factors"
        raise ReleaseError(message)

    with pytest.raises(StoppedError, match="wrong area factors"):
        reprice(job, still_valid=revoked)
    assert reprice(replace(job, resume=True)).totals.policies_in == SIZE


def test_only_the_same_job_goes_on(job: RepriceJob, tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        reprice(job, stopping_after(3, StoppedError("enough")))
    with pytest.raises(InputError, match="not finished: go on with it by --resume"):
        reprice(job)
    save_market_release(rebuilt(market_release("us_aca"), base_rates=doubled()), tmp_path / "new")
    changed = tmp_path / "changed.parquet"
    pq.write_table(pq.read_table(job.portfolio).slice(1), changed)
    day = date(2026, 8, 1)
    others = {
        "releases was": replace(job, pricing=pricing_of((tmp_path / "new",), AS_OF)),
        "as_of was 2026-07-01, not 2026-08-01": replace(
            job, pricing=pricing_of((kept_release("us_aca"),), day)
        ),
        "cap was None, not 0.1": replace(
            job, pricing=pricing_of((kept_release("us_aca"),), AS_OF, RateChange(cap=0.1))
        ),
        "portfolio was .*; rows was 1500, not 1499": replace(job, portfolio=changed),
        "chunk_rows was 50, not 70": replace(job, chunk_rows=70),
    }
    for message, other in others.items():
        with pytest.raises(InputError, match=message):
            reprice(replace(other, resume=True))
    assert reprice(replace(job, resume=True)).priced_now == SIZE - 3 * CHUNK


def doubled() -> dict[str, dict[str, float]]:
    rates = market_release("us_aca").base_rates
    return {e: {plan: 2 * rate for plan, rate in of.items()} for e, of in rates.items()}


def test_a_job_run_again_gives_the_same_bytes(job: RepriceJob) -> None:
    reprice(job)
    before = contents(job.out)
    reprice(job)
    assert contents(job.out) == before
    assert reprice(replace(job, resume=True)).priced_now == 0
    assert contents(job.out) == before


def test_one_run_at_a_time_has_the_folder(job: RepriceJob) -> None:
    with only_writer(job.out), pytest.raises(LockedError, match=f"process {os.getpid()} on"):
        reprice(job)
    # What a dead process wrote there is no lock.
    (job.out / ".lock").write_text("process 1 on elsewhere\n")
    assert reprice(job).totals.policies_in == SIZE


def test_a_folder_of_someone_else_is_left_alone(job: RepriceJob) -> None:
    (job.out / "repriced").mkdir(parents=True)
    (job.out / "repriced" / "mine.parquet").write_text("mine")
    with pytest.raises(InputError, match="is not of a job of ours"):
        reprice(job)
    assert (job.out / "repriced" / "mine.parquet").read_text() == "mine"


@pytest.mark.parametrize("gone", [[0, 3], [1, 2, 5], [4, 29], [0, 1, 15, 28]])
def test_chunks_that_are_missing_in_between_are_priced_again(
    job: RepriceJob, gone: list[int]
) -> None:
    """Whichever chunks are there, the others are priced from their own rows."""
    reprice(job)
    before = contents(job.out)
    for number in gone:
        (job.out / "repriced" / f"part-{number:06d}.parquet").unlink()
    assert reprice(replace(job, resume=True)).priced_now == len(gone) * CHUNK
    assert contents(job.out) == before


def test_what_a_killed_worker_was_writing_is_gone_at_the_end(job: RepriceJob) -> None:
    def leave(done: int, _total: int) -> None:
        if done == 4 * CHUNK:
            for name in ("repriced/.part-000005.parquet", "quarantine/.part-000005.parquet"):
                (job.out / f"{name}.elsewhere.7").write_bytes(b"PAR1")

    reprice(job, leave)
    left = [path.name for path in job.out.rglob(".*") if path.name != ".lock"]
    assert left == []


def test_rows_that_are_gone_fail_the_job(job: RepriceJob) -> None:
    """A chunk whose totals do not add up to the portfolio is never passed over."""
    reprice(job)
    part = job.out / "repriced" / "part-000007.parquet"
    schema = pq.read_schema(job.out / "repriced" / "part-000029.parquet")
    fewer = (schema.metadata or {})[b"riskengine.totals"].replace(
        b'"policies_in": 50', b'"policies_in": 49'
    )
    table = pq.read_table(part).replace_schema_metadata({b"riskengine.totals": fewer})
    pq.write_table(table, part)
    with pytest.raises(JobError, match="do not reconcile: 1500 in the portfolio, 1499 read"):
        reprice(replace(job, resume=True))
