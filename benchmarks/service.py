"""What a quote costs: a stored quote of three perils and four plans, against two others in turn.

`mlflow models serve` scores the same three models of 300 trees and nothing else, with and without a
signature; an empty FastAPI endpoint does nothing at all. The peak is what goes through with a few
connections or with many, whichever is more. Server CPU is that of the server's processes over the
answers of the peak; latency is at 70 % of the peak. Rewrites its section of benchmarks/RESULTS.md.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import lightgbm as lgb
import mlflow
import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from tests.golden.market_releases import market_release

from benchmarks.results import write_section
from riskengine.market_release import MarketRelease, perils_of, save_market_release
from riskengine.risk.model import RiskModel
from riskengine.risk.predictor import Share

PLANS = ("million_medical_10k", "outpatient_5k", "surgery_10k", "surgery_30k")
TREES, LEAVES, ROWS = 300, 31, 5_000
ANSWERS = {
    "age": 43, "sex": "female", "social_insurance": "yes", "rating_area": "second_tier",
    "occupation_class": "class_1", "cancer_history": "no", "diabetes": "no",
    "thyroid_nodule": "none", "body_mass_index": 23.0, "glycated_haemoglobin": 5.2,
    "systolic_pressure": 120.0,
}  # fmt: skip
CONNECTIONS, SHARE_OF_PEAK = (16, 128), 0.7
_TICKS = os.sysconf("SC_CLK_TCK")


def grown(model: RiskModel) -> RiskModel:
    """The model with `TREES` trees in all, of random targets: what counts is the time they take."""
    rng = np.random.default_rng(1)

    def forest(share: Share, width: int) -> Share:
        rounds = TREES // len(share.boosters)
        settings = {"num_leaves": LEAVES, "verbosity": -1, "learning_rate": 0.01, "num_threads": 1}
        matrix = rng.random((ROWS, width)) * 60
        return replace(
            share,
            boosters=tuple(
                lgb.train(settings, lgb.Dataset(matrix, rng.random(ROWS)), rounds).model_to_string()
                for _ in share.boosters
            ),
        )

    parts = tuple(
        tuple(
            replace(p, forests=tuple(forest(s, len(p.design.names)) for s in p.forests))
            for p in part
        )
        for part in model.parts
    )
    return replace(model, parts=parts)


def small_market() -> MarketRelease:
    """The kept release of `cn` cut down to four plans on three perils."""
    kept = market_release("cn")
    catalogue = kept.catalogue.model_copy(
        update={"plans": tuple(p for p in kept.catalogue.plans if p.plan in PLANS)}
    )
    perils = perils_of(catalogue)
    return replace(
        kept,
        market=replace(kept.market, catalogue=catalogue),
        models={peril: grown(kept.models[peril]) for peril in perils},
    )


@dataclass(frozen=True)
class Server:
    """How to start one side, and what to send it."""

    name: str
    command: Sequence[str]
    path: str
    body: bytes


@dataclass(frozen=True)
class Measured:
    """One side: answers a second at the peak, server CPU in ms each, latency below the peak."""

    peak: float
    cpu: float
    p50: float
    p99: float
    failed: int


@contextmanager
def running(server: Server, folder: Path) -> Iterator[tuple[int, str]]:
    """The server's process and address, once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [part.replace("PORT", str(port)) for part in server.command]
    with (folder / f"{server.path.strip('/').replace('/', '_')}.log").open("w") as log:
        # MLflow calls uvicorn by its name.
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "PATH": path},
        )
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(600):
                if process.poll() is not None or _answers(url + server.path, server.body):
                    break
                time.sleep(0.2)
            yield process.pid, url + server.path
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def _answers(url: str, body: bytes) -> bool:
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request) as answer:
            return bool(answer.status < 300)
    except OSError:
        return False


def cpu_seconds(group: int) -> float:
    """User and system time of all processes of a group."""
    total = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            total += (int(fields[11]) + int(fields[12])) / _TICKS
    return total


def load(
    url: str, body: Path, seconds: float, rate: float = 0, connections: int = CONNECTIONS[0]
) -> dict[str, float]:
    """What the load generator tells, from a process of its own."""
    command = [
        sys.executable, "-m", "benchmarks.load", url, str(body), "--connections", str(connections),
        "--seconds", str(seconds), "--rate", str(rate),
    ]  # fmt: skip
    told: dict[str, float] = json.loads(
        subprocess.run(command, check=True, capture_output=True).stdout
    )
    return told


def measure(server: Server, folder: Path, seconds: float) -> Measured:
    """Warm up, find the peak and the CPU of an answer there, then the latency below it."""
    body = folder / "body.json"
    body.write_bytes(server.body)
    with running(server, folder) as (process, url):
        load(url, body, seconds / 4)
        peaks = []
        for connections in CONNECTIONS:
            before = cpu_seconds(process)
            told = load(url, body, seconds, connections=connections)
            cpu = cpu_seconds(process) - before
            peaks.append((told["per_second"], 1000 * cpu / told["answers"], connections, told))
        peak, cpu, connections, _ = max(peaks, key=lambda one: one[0])
        calm = load(url, body, seconds, SHARE_OF_PEAK * peak, connections)
    failed = sum(told["failed"] for _, _, _, told in peaks)
    return Measured(peak, cpu, calm["p50"], calm["p99"], int(failed + calm["failed"]))


def servers(folder: Path) -> list[Server]:
    """Our service with and without the store, the rival, and nothing."""
    release = small_market()
    save_market_release(release, folder / "release")
    models = folder / "release" / "models"
    asked = json.dumps({"answers": ANSWERS, "as_of": "2026-03-01"}).encode()
    reads = {name for model in release.models.values() for name in model.spec.features.names}
    questions = reads & {question.name for question in release.questions}
    cover = {n: v for m in release.models.values() for n, v in m.spec.features.cover.items()}
    row = {name: ANSWERS.get(name) for name in sorted(questions)} | cover
    body = json.dumps(
        {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}}
    ).encode()
    columns = [
        ColSpec(DataType.string if isinstance(row[name], str) else DataType.double, name, False)
        for name in row
    ]
    signatures = {"rival": None, "signed": ModelSignature(Schema(columns))}
    for name, signature in signatures.items():
        mlflow.pyfunc.save_model(
            folder / name, python_model=str(Path(__file__).parent / "three_models.py"),
            artifacts={"models": str(models)}, pip_requirements=[], signature=signature,
        )  # fmt: skip
    ours = [sys.executable, "-m", "benchmarks.service", "--serve", str(folder), "PORT"]
    serving = {
        name: [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder / name),
               "--env-manager", "local", "-p", "PORT", "-w", "1"]
        for name in signatures
    }  # fmt: skip
    return [
        Server("empty FastAPI endpoint", ours, "/empty", b"{}"),
        Server("price, not stored", ours, "/v1/prices", asked),
        Server("quote, stored", ours, "/v1/quotes", asked),
        *(
            Server(f"`mlflow models serve`, three means{told}", serving[name], "/invocations", body)
            for name, told in (("rival", ""), ("signed", ", with a signature"))
        ),
    ]


def serve(folder: Path, port: int) -> None:
    """Our side, with an empty endpoint beside it that none of our layers touches."""
    import uvicorn
    from fastapi import FastAPI

    from riskengine.market_release import load_market_release
    from riskengine.service.app import Outside, create_app, settle
    from riskengine.service.holding import FixedReleases
    from riskengine.settings import Settings
    from riskengine.store import Database

    empty = FastAPI()

    @empty.post("/empty")
    async def nothing() -> dict[str, str]:
        return {}

    database = Database(f"sqlite:///{folder}/store.db")
    source = FixedReleases.of(load_market_release(folder / "release"))
    ours = create_app(Outside(source, database, started=settle), Settings(log_level="WARNING"))

    async def either(scope, receive, send):  # type: ignore[no-untyped-def]
        app = empty if scope.get("path") == "/empty" else ours
        await app(scope, receive, send)

    uvicorn.run(either, port=port, access_log=False, log_level="warning")


def main() -> None:
    """Measure all sides in turn, several times, and write the medians down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", nargs=2, metavar=("FOLDER", "PORT"))
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dry", action="store_true", help="print, and leave RESULTS.md alone")
    asked = parser.parse_args()
    if asked.serve:
        serve(Path(asked.serve[0]), int(asked.serve[1]))
        return
    folder = Path(tempfile.mkdtemp(prefix="riskengine-service-"))
    sides = servers(folder)
    found: dict[str, list[Measured]] = {side.name: [] for side in sides}
    for _ in range(asked.rounds):
        for side in sides:
            found[side.name].append(measure(side, folder, asked.seconds))
    shutil.rmtree(folder)
    lines = table(found)
    print("\n".join(lines))
    if not asked.dry:
        write_section("A quote over HTTP (`make bench-service`)", lines)


def table(found: dict[str, list[Measured]]) -> list[str]:
    """The medians of the rounds, and CPU as a multiple of the first side's."""
    lines = [
        "| side | answers a second | server CPU, ms | x empty | p50, ms | p99, ms | failed |",
        "|---|---|---|---|---|---|---|",
    ]
    first = None
    for name, rounds in found.items():
        of = {
            field: float(np.median([getattr(one, field) for one in rounds]))
            for field in ("peak", "cpu", "p50", "p99")
        }
        first = first or of["cpu"]
        failed = sum(one.failed for one in rounds)
        lines.append(
            f"| {name} | {of['peak']:,.0f} | {of['cpu']:.3f} | {of['cpu'] / first:.1f} |"
            f" {of['p50']:.1f} | {of['p99']:.1f} | {failed} |"
        )
    return lines


if __name__ == "__main__":
    main()
