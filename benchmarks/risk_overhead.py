"""What `fit` costs beyond LightGBM: a million rows of 60 columns against the same boosters alone.

LightGBM's own time is `lgb.Dataset` and as many rounds, evaluated as often, from ready matrices of
the same folds with the same parameters and threads. The rest of `fit` is design, GLM, blend,
balance, continuance and intervals.
"""

import argparse
import cProfile
import pstats
import resource
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd

from benchmarks.results import write_section
from benchmarks.sets.problem import Features, minimal_spec
from riskengine.risk.columns import as_table, training_columns
from riskengine.risk.fit import fit
from riskengine.risk.folds import deal_folds
from riskengine.risk.model import RiskModel
from riskengine.risk.outcome import outcome_of
from riskengine.risk.spec import ModelSpec, parse_spec
from riskengine.vocabulary import FloatArray

NUMBERS, CATEGORIES = 50, 10
MOST = 1.25


@dataclass(frozen=True)
class Spent:
    """Seconds of wall time and of all cores."""

    wall: float
    cores: float


def portfolio(rows: int, seed: int = 1) -> pd.DataFrame:
    """Claim counts of a synthetic book: 50 numbers, 10 categories of 3 to 50 levels."""
    rng = np.random.default_rng(seed)
    numbers = rng.standard_normal((rows, NUMBERS))
    numbers[:, ::5] = np.round(np.exp(numbers[:, ::5]), 1)
    score = -1.5 + 0.3 * numbers[:, 1] + 0.2 * np.abs(numbers[:, 2]) - 0.1 * numbers[:, 3:12].sum(1)
    score += 0.2 * numbers[:, 1] * (numbers[:, 4] > 0)
    frame = pd.DataFrame(numbers, columns=[f"number_{n}" for n in range(NUMBERS)])
    for place, size in enumerate(np.linspace(3, 50, CATEGORIES).astype(int)):
        code = np.minimum(rng.geometric(3 / size, rows) - 1, size - 1)
        score += 0.2 * rng.standard_normal(size)[code]
        names = np.array([f"level {n}" for n in range(size)])
        frame[f"category_{place}"] = pd.Categorical.from_codes(code, names)
    frame["exposure"] = rng.uniform(0.1, 1.0, rows)
    frame["claim_count"] = rng.poisson(frame["exposure"] * np.exp(np.clip(score, -6, 1)))
    return frame


def spec_of(frame: pd.DataFrame, rounds: int) -> ModelSpec:
    """Defaults but for the rounds, which are grown to the last."""
    names = [n for n in frame.columns if n.startswith(("number", "category"))]
    model: dict[str, object] = {
        "name": "claims",
        "kind": "poisson",
        "target": "claim_count",
        "exposure": "exposure",
    }
    text = minimal_spec(model, Features(names[:NUMBERS], names[NUMBERS:]))
    stop = f"[lightgbm]\nrounds = {rounds}\nearly_stopping_rounds = {rounds}\n"
    return parse_spec(text + stop)


def boosters_alone(model: RiskModel, frame: pd.DataFrame, rounds: int) -> Spent:
    """LightGBM's own time for the boosters of a model; their matrices are made before."""
    spec, predictor = model.spec, model.parts[0][0]
    columns = training_columns(spec, as_table(frame))
    outcome = outcome_of(spec, columns)
    total = outcome.pooled * outcome.weight
    splits = deal_folds(spec, columns, total, spec.lightgbm.seed).splits()
    parameters = dict(predictor.forests[0].loaded[0].params) | {"verbosity": -1}
    plain, codes = predictor.design.plain(columns), predictor.design.codes(columns)
    ready: list[tuple[FloatArray, FloatArray]] = []
    for place, split in enumerate(splits):
        matrix = predictor.design.with_encodings(plain, codes, place)
        ready.append((matrix[split.train], matrix[split.test]))

    def data(place: int, rows: np.ndarray, side: int, of: lgb.Dataset | None) -> lgb.Dataset:
        categorical = list(predictor.design.categorical)
        return lgb.Dataset(
            ready[place][side],
            outcome.actual[rows],
            weight=outcome.weight[rows],
            reference=of,
            categorical_feature=categorical,
            params=parameters,
        )

    def train(place: int) -> None:
        inside = data(place, splits[place].train, 0, None)
        outside = data(place, splits[place].test, 1, inside)
        lgb.train(parameters, inside, rounds, valid_sets=[outside])

    started, cores = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(train, range(len(splits))))
    return Spent(time.perf_counter() - started, time.process_time() - cores)


def main() -> None:
    options = _options()
    frame = portfolio(options.rows)
    spec = spec_of(frame, options.rounds)
    profile = cProfile.Profile()
    started, cores = time.perf_counter(), time.process_time()
    if options.profile:
        profile.enable()
    model = fit(spec, frame, lambda told: print(told, flush=True))
    profile.disable()
    ours = Spent(time.perf_counter() - started, time.process_time() - cores)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"fit: {ours}, {peak:.1f} GB at most", flush=True)
    if options.profile:
        pstats.Stats(profile).sort_stats("cumulative").print_stats(60)
        profile.dump_stats(options.profile)
    alone = boosters_alone(model, frame, options.rounds)
    print(f"LightGBM alone: {alone}", flush=True)
    write_section("What a fit costs beyond LightGBM (`make bench-risk`)",
                  _lines(options, ours, alone, peak))  # fmt: skip


def _lines(options: argparse.Namespace, ours: Spent, alone: Spent, peak: float) -> list[str]:
    ratio = ours.cores / alone.cores
    told = "met" if ratio <= MOST else "missed"
    return [
        f"{options.rows:,} rows, {NUMBERS} numbers and {CATEGORIES} categories of 3 to 50 levels,"
        f" Poisson with exposure; 5 boosters of {options.rounds} rounds, the defaults otherwise."
        " The machine did other work too: read the core seconds, not the wall time.",
        "",
        "| what | wall s | core s | largest resident set, GB |",
        "|---|---|---|---|",
        f"| fit | {ours.wall:.0f} | {ours.cores:.0f} | {peak:.1f} |",
        f"| the same boosters by LightGBM alone | {alone.wall:.0f} | {alone.cores:.0f} | |",
        "",
        f"Core seconds of fit over LightGBM's: **{ratio:.2f}** (bar: at most {MOST}; {told}).",
    ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--profile", type=Path, help="write a cProfile of the fit there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
