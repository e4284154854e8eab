"""The next product at a synthetic insurer of known truth: quality beside rivals, time, memory.

The shape is that of a public table (29,132 customers, 21 products). Train and test customers are
drawn apart; test customers hide each product in turn. Rivals learn from the same rows: LightGBM
multiclass on owned products and features, the multinomial logistic, the truth itself.
"""

import argparse
import time
from collections.abc import Callable

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as arrow

from benchmarks.next_product_book import PRODUCTS, Truth, draw, spec_text
from benchmarks.results import write_section
from riskengine.risk.diagnostics.bootstrap import draw_members
from riskengine.risk.fit import fit
from riskengine.risk.next_product.baskets import Hidden, hide_each
from riskengine.risk.next_product.logit import probabilities
from riskengine.risk.next_product.measures import Asked, Figures, figures_of
from riskengine.risk.next_product.model import NextProductModel
from riskengine.risk.spec import parse_spec
from riskengine.vocabulary import FloatArray

HEADING = "Next product, a synthetic insurer of known truth (`python -m benchmarks.next_product`)"
CUSTOMERS, TEST_CUSTOMERS = 29_132, 10_000
_FIGURES = ("log_loss", "hit_1", "hit_3", "macro_hit_3", "niche_hit_3", "calibration_error")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--dry", action="store_true", help="print, and leave RESULTS.md as it is")
    options = parser.parse_args()
    train, _ = draw(options.customers, seed=1)
    test, truth = draw(TEST_CUSTOMERS, seed=2)
    spec = parse_spec(spec_text())
    began = time.perf_counter()
    model = fit(spec, train)
    seconds = time.perf_counter() - began
    assert isinstance(model, NextProductModel)
    hidden = hide_each(test[list(PRODUCTS)].to_numpy(np.float64))
    frame = _frame(test, hidden)
    sides = {
        "riskengine": model.predict(frame),
        "LightGBM multiclass, one seed": _lightgbm(model, frame, hidden),
        "multinomial logistic": _logistic(model, frame, hidden),
        "the truth": _truth(truth, hidden),
    }
    asked = _asked(train, hidden)
    found = {name: figures_of(chances, asked) for name, chances in sides.items()}
    lines = _lines(found, options.customers, len(hidden.place), seconds)
    lines += ["", *_speed(model, frame)]
    if options.dry:
        print("\n".join(lines))
    else:
        write_section(HEADING, lines)


def _frame(customers: pd.DataFrame, hidden: Hidden) -> pd.DataFrame:
    frame = customers.iloc[hidden.customer].reset_index(drop=True)
    frame[list(PRODUCTS)] = hidden.flags
    return frame


def _asked(train: pd.DataFrame, hidden: Hidden) -> Asked:
    niche = np.ones(len(PRODUCTS))
    niche[np.argsort(-train[list(PRODUCTS)].to_numpy().sum(axis=0))[:3]] = 0.0
    draws = draw_members(hidden.customer, np.random.default_rng(1), 200)
    return Asked(hidden.place, hidden.weight, len(PRODUCTS), niche, draws)


def _lightgbm(model: NextProductModel, frame: pd.DataFrame, hidden: Hidden) -> FloatArray:
    """As a data scientist would at first: native categories, early stopping on one fold."""
    assert model.held_out is not None
    book, columns = model.held_out.book, model.read(frame)
    held = book.fold_of_rows == 0
    sets = []
    for rows in (np.flatnonzero(~held), np.flatnonzero(held)):
        matrix = book.matrix(rows, book.hidden.flags[rows])
        sets.append(lgb.Dataset(matrix, book.hidden.place[rows], weight=book.hidden.weight[rows],
                                categorical_feature=list(book.layout.categorical)))  # fmt: skip
    settings = {"objective": "multiclass", "num_class": len(PRODUCTS), "learning_rate": 0.05,
                "num_leaves": 15, "num_threads": 1, "verbosity": -1}  # fmt: skip
    booster = lgb.train(
        settings, sets[0], 1000, [sets[1]], callbacks=[lgb.early_stopping(20, verbose=False)]
    )
    design = model.learnt.design
    matrix = np.hstack(
        [hidden.flags, design.for_trees(design.numbers(columns), design.codes(columns))]
    )
    return probabilities(booster.predict(matrix, raw_score=True), hidden.flags == 1)


def _logistic(model: NextProductModel, frame: pd.DataFrame, hidden: Hidden) -> FloatArray:
    columns, design = model.read(frame), model.learnt.design
    ramps = design.ramps(design.numbers(columns))
    score = model.learnt.logit.score(hidden.flags, ramps, design.codes(columns))
    return probabilities(score, hidden.flags == 1)


def _truth(truth: Truth, hidden: Hidden) -> FloatArray:
    return truth.chances(hidden.flags, hidden.customer)


def _lines(found: dict[str, Figures], customers: int, rows: int, seconds: float) -> list[str]:
    words = " | ".join(name.replace("_", " ") for name in _FIGURES)
    lines = [
        f"{customers:,} customers to learn from; {TEST_CUSTOMERS:,} others hide each product in"
        f" turn, {rows:,} rows. `fit`, with its five folds, took {seconds:.0f} s"
        " on a machine that may have done other work too.",
        "",
        f"| model | {words} |",
        "|---" * (len(_FIGURES) + 1) + "|",
    ]
    for name, figures in found.items():
        values = figures.figures()
        cells = " | ".join(f"{values[key].mean:.4f}" for key in _FIGURES)
        lines.append(f"| {name} | {cells} |")
    return lines


def _speed(model: NextProductModel, frame: pd.DataFrame) -> list[str]:
    one = frame.iloc[[0]]
    table = arrow.Table.from_pandas(one, preserve_index=False)
    columns = model.read(one)
    times = {
        "batch of one, columns": _median(lambda: model.predict(columns)),
        "batch of one, Arrow table": _median(lambda: model.predict(table)),
        "batch of one, pandas data frame": _median(lambda: model.predict(one)),
        "a customer in a batch of 10,000": _median(lambda: model.predict(frame[:10_000]), 3) / 1e4,
    }
    return ["| predicting | ms |", "|---|---|",
            *(f"| {name} | {seconds * 1e3:.3f} |" for name, seconds in times.items())]  # fmt: skip


def _median(call: Callable[[], object], times: int = 200) -> float:
    call()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))


if __name__ == "__main__":
    main()
