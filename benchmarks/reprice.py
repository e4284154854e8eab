"""What repricing costs beyond its trees: a million policies, three perils of 300 trees each.

Against `Booster.predict` alone on a ready matrix, and against straightforward pandas with
`Booster.predict`; how time and memory grow to ten million; what a second worker brings. Whole
processes, run one after the other. Rewrites its section of benchmarks/RESULTS.md.
"""

import argparse
import os
import resource
import sys
import time
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from threading import Event, Thread

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as arrow
import pyarrow.parquet as pq

from benchmarks.results import write_section
from riskengine.any_release import read_release, write_release
from riskengine.batch.reprice import RepriceJob, reprice
from riskengine.batch.repriced import pricing_of
from riskengine.market_release import MarketRelease, build_market_release
from riskengine.pricing.rating import reference_columns
from riskengine.products.benefit import Peril
from riskengine.risk.model import RiskModel
from riskengine.risk.predictor import Share
from riskengine.risk.scoring import Scorer, choose_scorer

AS_OF = date(2026, 7, 1)
PERILS = (Peril.MEDICAL_SPEND, Peril.HOSPITAL_DAYS, Peril.CRITICAL_ILLNESS)
TREES, LEAVES, BLOCK = 300, 31, 250_000
KEPT = Path(__file__).parent.parent / "tests" / "artefacts" / "release-cn-0.1.0"
BAR, FASTER, SCALE, GROWTH, WORKERS = 1.25, 4, 10.5, 1.10, 1.7


@dataclass(frozen=True)
class Spent:
    """Seconds of wall time and of all cores, and the most that was resident, in GB."""

    wall: float
    cores: float
    gigabytes: float


def benchmark_release(folder: Path) -> MarketRelease:
    """The kept release of `cn` cut to three perils, each of one booster with 300 trees."""
    kept = read_release(KEPT)
    assert isinstance(kept, MarketRelease)
    plans = tuple(
        plan
        for plan in kept.catalogue.plans
        if all(benefit.peril in PERILS for benefit in plan.benefits.values())
    )
    catalogue = kept.catalogue.model_copy(update={"plans": plans})
    models = {peril: grown(kept.models[peril]) for peril in PERILS}
    names = {name for model in kept.models.values() for name in model.spec.features.names}
    release = build_market_release(
        replace(kept.market, catalogue=catalogue),
        models,
        kept.underwriting,
        kept.base_rates,
        tuple(question for question in kept.questions if question.name not in names),
    )
    write_release(release, folder)
    return release


def grown(model: RiskModel) -> RiskModel:
    """The model with one booster of 300 trees that repeats what its boosters say."""
    (part,) = model.parts
    (predictor,) = part
    columns = answers(30_000, 3, model)
    told = predictor.score(columns)[:, 0] - float(predictor.intercept[0])
    share = predictor.forests[0]
    settings = {"num_leaves": LEAVES, "learning_rate": 0.02, "verbosity": -1, "num_threads": 1}
    data = lgb.Dataset(
        predictor.design.matrix(columns),
        told / share.weight,
        categorical_feature=list(predictor.design.categorical),
        init_score=np.zeros(len(told)),
        params=settings,
    )
    booster = lgb.train({**settings, "objective": "l2", "boost_from_average": False}, data, TREES)
    forest = Share(share.weight, (booster.model_to_string(),))
    return replace(model, parts=((replace(predictor, models=1, forests=(forest,)),),))


def answers(rows: int, seed: int, model: RiskModel) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    found: dict[str, np.ndarray] = {}
    for name in model.spec.features.names:
        if name in model.levels:
            found[name] = rng.choice(np.array(model.levels[name], dtype=object), rows)
        else:
            found[name] = NUMBERS.get(name, lambda r, n: r.uniform(0, 1, n))(rng, rows)
    return {**found, **reference_columns(model, found)}


NUMBERS = {
    "age": lambda rng, n: np.floor(rng.uniform(18, 60, n)),
    "body_mass_index": lambda rng, n: rng.normal(24, 3.5, n).clip(15, 45),
    "glycated_haemoglobin": lambda rng, n: rng.normal(5.6, 0.7, n).clip(4, 12),
    "systolic_pressure": lambda rng, n: rng.normal(125, 15, n).clip(85, 210),
    "smoker": lambda rng, n: (rng.random(n) < 0.25).astype(float),
    "chronic_condition_count": lambda rng, n: rng.poisson(0.6, n).astype(float),
    "medical_spend_365d": lambda rng, n: np.round(rng.lognormal(7, 1.2, n), 2).clip(0, 300_000),
    "hospital_days_1095d": lambda rng, n: rng.poisson(0.8, n).astype(float),
}


def write_book(release: MarketRelease, rows: int, path: Path) -> None:
    """A portfolio in row groups of 250,000."""
    writer: pq.ParquetWriter | None = None
    for first in range(0, rows, BLOCK):
        rng = np.random.default_rng(first)
        size = min(BLOCK, rows - first)
        number = np.arange(first, first + size)
        cells: dict[str, object] = {
            "policy_id": [f"p{n}" for n in number],
            "member_id": [f"m{n}" for n in number],
            "plan": rng.choice(release.catalogue.names, size),
            "expiring_premium": np.round(rng.lognormal(7, 0.8, size), 2),
            "effective_from": np.datetime64("2026-07-01") + rng.integers(0, 184, size),
        }
        for question in release.questions:
            if question.kind == "level":
                cells[question.name] = rng.choice(question.levels, size)
            else:
                cells[question.name] = NUMBERS[question.name](rng, size)
        table = arrow.table({n: arrow.array(v) for n, v in cells.items()})
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer:
        writer.close()


def trees_alone(release: MarketRelease, book: Path) -> float:
    """Seconds of one core that the trees take on matrices that are ready."""
    seconds = 0.0
    for block in blocks(book):
        for model, predictor, columns in inputs(release, block):
            matrix = predictor.design.matrix({**columns, **reference_columns(model, columns)})
            clock = time.process_time()
            for booster in predictor.forests[0].loaded:
                booster.predict(matrix, raw_score=True, num_threads=1)
            seconds += time.process_time() - clock
    return seconds


def blocks(book: Path):
    for batch in pq.ParquetFile(book).iter_batches(BLOCK):
        yield batch.to_pandas()


def inputs(release: MarketRelease, frame: pd.DataFrame):
    for model in release.models.values():
        names = [n for n in model.spec.features.names if n in frame]
        columns = {
            n: frame[n].to_numpy(dtype=object if n in model.levels else float) for n in names
        }
        yield model, model.parts[0][0], columns


def plain_pandas(release: MarketRelease, book: Path) -> float:
    """Seconds of a script as one would write it: a frame, three predictions, a merge of factors.

    It has none of the benefits, steps, reasons, bounds or checks.
    """
    clock = time.perf_counter()
    edition = release.market.editions.on(AS_OF)
    out = []
    for frame in blocks(book):
        for model, predictor, columns in inputs(release, frame):
            coded = pd.DataFrame({**columns, **reference_columns(model, columns)})
            for name, known in predictor.design.levels.items():
                coded[name] = coded[name].map({level: n for n, level in enumerate(known)})
            matrix = coded[list(predictor.design.names)].astype(float)
            (booster,) = predictor.forests[0].loaded
            raw = booster.predict(matrix, num_threads=1)
            frame[f"mean_{model.spec.model.name}"] = model.balance_factor * np.exp(raw)
        frame["premium"] = frame["plan"].map(release.base_rates[edition.edition])
        for table in edition.tariffs[0].factors:
            frame["premium"] *= table.relativity({n: frame[n].to_numpy() for n in table.reads})
        frame["premium"] = frame["premium"].round(2)
        out.append(frame[["policy_id", "plan", "premium"]])
    pd.concat(out).to_parquet(book.with_name("pandas.parquet"))
    return time.perf_counter() - clock


def run_job(release: Path, book: Path, out: Path, how: tuple[int, Scorer]) -> Spent:
    """One job as a process of its own: time and memory of it and of all its workers."""
    child = os.fork()
    if child == 0:
        arguments = ["--job", str(release), str(book), str(out), *map(str, how)]
        os.execv(sys.executable, [sys.executable, "-m", "benchmarks.reprice", *arguments])
    most, ended = [0.0], Event()
    watch = Thread(target=_watch, args=(child, most, ended))
    watch.start()
    clock = time.perf_counter()
    _, status, _ = os.wait4(child, 0)
    wall = time.perf_counter() - clock
    ended.set()
    watch.join()
    if status:
        message = f"the job ended with {status}"
        raise RuntimeError(message)
    wall, cores = (float(word) for word in (out / "spent.txt").read_text().split())
    return Spent(wall, cores, most[0])


def _watch(process: int, most: list[float], ended: Event) -> None:
    # To look is work of the kernel, on a core that a worker could have: once a second is enough.
    while not ended.wait(1.0):
        most[0] = max(most[0], sum(_resident(one) for one in _family(process)))


def _family(process: int) -> list[int]:
    found = [process]
    try:
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += _family(int(child))
    except OSError:
        return found
    return found


def _resident(process: int) -> float:
    """GB that a process has for itself: what forks share counts once, by parts."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e9


def _job(release: Path, book: Path, out: Path, workers: int, scorer: Scorer) -> None:
    choose_scorer(scorer)
    pricing = pricing_of((release,), AS_OF)
    clock, cores = time.perf_counter(), _cores(os.getpid())
    job = RepriceJob(book, out, pricing, workers=workers)
    last = [0.0]

    def progress(_done: int, _total: int) -> None:
        # Workers are gone when the job ends: they are looked at while they are there.
        last[0] = max(last[0], sum(_cores(one) for one in _family(os.getpid())[1:]))

    reprice(job, progress)
    spent = _cores(os.getpid()) - cores + last[0]
    (out / "spent.txt").write_text(f"{time.perf_counter() - clock} {spent}")


def _cores(process: int) -> float:
    if process == os.getpid():
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("/tmp/riskengine-bench"))
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--job", nargs=5)
    given = parser.parse_args()
    if given.job:
        release, book, out = map(Path, given.job[:3])
        _job(release, book, out, int(given.job[3]), Scorer(given.job[4]))
        return
    given.data.mkdir(parents=True, exist_ok=True)
    folder, book = given.data / "reprice-release", given.data / f"reprice-{given.rows}.parquet"
    big = given.data / f"reprice-{10 * given.rows}.parquet"
    release = read_release(folder) if folder.is_dir() else benchmark_release(folder)
    assert isinstance(release, MarketRelease)
    for path, rows in ((book, given.rows), (big, 10 * given.rows)):
        if not path.is_file():
            write_book(release, rows, path)

    def job(name: str, of: Path, workers: int, scorer: Scorer = Scorer.FAST) -> Spent:
        out = given.data / f"reprice-out-{name}-{os.getpid()}"
        spent = run_job(folder, of, out, (workers, scorer))
        print(name, spent, flush=True)
        return spent

    trees = trees_alone(release, book)
    pandas_seconds = plain_pandas(release, book)
    reference = job("reference", book, 1, Scorer.REFERENCE)
    one, two, ten = job("one", book, 1), job("two", book, 2), job("ten", big, 2)
    ten_alone = job("ten-alone", big, 1)
    alone, spent = (trees, pandas_seconds), (reference, one, two, ten, ten_alone)
    write_section("Repricing a book", _lines(given.rows, alone, spent))


def _lines(rows: int, alone: tuple[float, float], spent: tuple[Spent, ...]) -> list[str]:
    trees, pandas_seconds = alone
    reference, one, two, ten, ten_alone = spent
    checks: list[tuple[str, float, str]] = [
        ("CPU of the reference scorer over trees alone", reference.cores / trees, f"<= {BAR}"),
        ("CPU of the fast scorer over trees alone", one.cores / trees, ""),
        ("rate of the fast scorer over pandas", pandas_seconds / one.wall, f">= {FASTER}"),
        ("time of ten times the rows", ten.wall / two.wall, f"<= {SCALE}"),
        ("memory of ten times the rows", ten.gigabytes / two.gigabytes, f"< {GROWTH}"),
        ("rate of two workers over one", one.wall / two.wall, f">= {WORKERS}"),
        ("the same, ten times the rows", ten_alone.wall / ten.wall, f">= {WORKERS}"),
    ]
    lines = [
        f"{rows:,} policies on three perils of {TREES} trees with {LEAVES} leaves, one plan each,",
        "as `python -m benchmarks.reprice` runs them; trees alone are `Booster.predict` on ready",
        "matrices, one thread, of all three perils of each policy, as in pandas; a job scores",
        "those of the policy's own plan. Memory is of all processes, shared pages counted once.",
        "",
        "| | seconds | core seconds | rows a second | GB |",
        "|---|---|---|---|---|",
        f"| trees alone | {trees:.1f} | {trees:.1f} | {rows / trees:,.0f} | |",
        f"| plain pandas, premiums | {pandas_seconds:.1f} | | {rows / pandas_seconds:,.0f} | |",
    ]
    for name, one_of, size in (
        ("one worker, reference scorer", reference, rows),
        ("one worker", one, rows),
        ("two workers", two, rows),
        ("ten times the rows", ten, 10 * rows),
        ("ten times the rows, one worker", ten_alone, 10 * rows),
    ):
        lines.append(
            f"| {name} | {one_of.wall:.1f} | {one_of.cores:.1f} | {size / one_of.wall:,.0f}"
            f" | {one_of.gigabytes:.2f} |"
        )
    lines += ["", "| | measured | bar |", "|---|---|---|"]
    lines += [f"| {name} | **{value:.2f}** | {bar} |" for name, value, bar in checks]
    return lines


if __name__ == "__main__":
    main()
