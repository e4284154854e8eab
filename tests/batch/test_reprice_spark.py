"""Repricing on a real Spark cluster: a master, two workers, one of which is killed on the way."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as pq
import pytest

from riskengine.batch.reprice import Engine, RepriceJob, reprice
from riskengine.batch.repriced import kernel_of, pricing_of
from tests.batch.books import book_of
from tests.batch.test_reprice_stops import contents
from tests.conftest import ROOT
from tests.golden.market_releases import MARKETS, kept_release, market_release

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.skipif(
    shutil.which("java") is None and "JAVA_HOME" not in os.environ,
    reason="Spark needs Java 17: apt-get install openjdk-17-jre-headless",
)
SIZE, CHUNK, CORES, EACH = 1_200, 40, 1, 5_000
"""`EACH` policies of both markets, ten thousand in all, are priced here and there."""


QUICK_START = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Java starts in half the time when it does not plan to stay."""


@dataclass(frozen=True)
class Cluster:
    """A standalone master under `url`, and the processes of its two workers."""

    url: str
    workers: tuple[subprocess.Popen[bytes], ...]


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Start a master and two workers of one core each; all are gone at the end."""
    import pyspark

    home = Path(pyspark.__file__).parent
    environment = {
        **os.environ,
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_WORKER_DIR": str(folder / "work"),
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        "SPARK_DAEMON_MEMORY": "256m",
    }
    log = folder / "master.log"

    def start(name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with log.open("ab") as said:
            return subprocess.Popen(
                [home / "bin" / "spark-class", f"org.apache.spark.deploy.{name}", *arguments],
                env=environment, stdout=said, stderr=said, start_new_session=True,
            )  # fmt: skip

    started = [start("master.Master", "--host", "127.0.0.1", "--port", "0", "--webui-port", "0")]
    try:
        url = wait_for(log, "Starting Spark master at ")
        for _ in range(2):
            options = ("--cores", str(CORES), "--memory", "600m", "--webui-port", "0")
            started.append(start("worker.Worker", url, "--host", "127.0.0.1", *options))
        # They register while the driver starts.
        yield Cluster(url, tuple(started[1:]))
    finally:
        for process in started:
            kill(process)


def wait_for(log: Path, words: str) -> str:
    """What follows `words` in the log, once they are there."""
    for _ in range(300):
        told = log.read_text(errors="replace").split(words) if log.is_file() else []
        if len(told) > 1 and "\n" in told[1]:
            return told[1].split()[0]
        time.sleep(0.1)
    message = f"Spark did not say {words!r}: {log.read_text(errors='replace')[-2000:]}"
    raise AssertionError(message)


def kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def on_both(session: "SparkSession", market: str, folder: Path) -> tuple[arrow.Table, arrow.Table]:
    """Mixed policies of a market priced by the kernel here, and by Spark."""
    from riskengine.batch.spark import REASON, repriced_frame

    pricing = pricing_of((kept_release(market),), date(2026, 7, 1))
    kernel = kernel_of(pricing)
    book, path = book_of(kernel.releases[0], EACH, seed=2), folder / f"{market}.parquet"
    pq.write_table(book.drop_columns(["effective_from"]), path, row_group_size=1000)
    here = kernel.price(pq.read_table(path))
    assert not here.reasons
    there = repriced_frame(session.read.parquet(str(path)), pricing).toArrow()
    assert there[REASON].null_count == there.num_rows
    told = there.drop_columns([REASON]).cast(kernel.schema).sort_by("policy_id")
    return here.table.sort_by("policy_id").combine_chunks(), told.combine_chunks()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_lost_worker_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", QUICK_START)
    from pyspark.sql import SparkSession

    from riskengine.batch.spark import REASON, repriced_frame

    book = book_of(market_release("us_aca"), SIZE).drop_columns(["effective_from"])
    age = arrow.array(book["age"].to_numpy(), mask=np.arange(SIZE) % 297 == 5)
    book = book.set_column(book.schema.names.index("age"), "age", age)
    pq.write_table(book, tmp_path / "book.parquet", row_group_size=1000)
    pricing = pricing_of((kept_release("us_aca"),), date(2026, 7, 1))
    job = RepriceJob(
        tmp_path / "book.parquet", tmp_path / "local", pricing, workers=1, chunk_rows=CHUNK
    )
    local = reprice(job)
    killed: list[int] = []
    with cluster(tmp_path) as spark:

        def kill_one(done: int, total: int) -> None:
            if 0 < done < total and not killed:
                killed.append(done)
                kill(spark.workers[0])

        session = (
            SparkSession.builder.master(spark.url)
            .config("spark.executor.memory", "500m")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "2")
            .getOrCreate()
        )
        try:
            on_spark = replace(job, out=tmp_path / "spark", engine=Engine.SPARK)
            done = reprice(on_spark, kill_one)
            frame = session.read.parquet(str(tmp_path / "book.parquet"))
            rows = repriced_frame(frame, pricing).toArrow()
            both = {market: on_both(session, market, tmp_path) for market in MARKETS}
        finally:
            session.stop()
    for here, there in both.values():
        assert there.num_rows == EACH
        assert there.equals(here)
    assert killed
    assert done.totals == local.totals
    assert contents(tmp_path / "local") == contents(tmp_path / "spark")
    priced = pq.read_table(tmp_path / "local" / "repriced")
    good = rows.filter(rows[REASON].is_null()).drop_columns([REASON]).sort_by("policy_id")
    assert good.cast(priced.schema).equals(priced.sort_by("policy_id"))
    assert rows.num_rows == SIZE
    aside = pq.read_table(tmp_path / "local" / "quarantine").sort_by("policy_id")
    told = rows.filter(rows[REASON].is_valid()).sort_by("policy_id")
    assert told["policy_id"].to_pylist() == aside["policy_id"].to_pylist()
    assert told[REASON].to_pylist() == aside["reason"].to_pylist()
