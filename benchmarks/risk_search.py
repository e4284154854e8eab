"""What a search of settings gains over the defaults, on rows that neither ever saw.

The search has `[search]` in the spec and nothing else; it sees the training rows alone. Two sets of
another nature: visits of the RAND study (counts) and caravan owners (yes or no, few).
"""

import argparse
from dataclasses import replace
from pathlib import Path

from benchmarks.results import write_section
from benchmarks.sets import caravan, rand_study
from benchmarks.sets.judge import gain_of, run_rival, told_interval, told_score
from benchmarks.sets.problem import MissingDataError, Problem
from riskengine.risk.spec import SearchSection

SETS = {
    "RAND study": lambda data: next(rand_study.problems(data)),
    "COIL 2000": lambda data: next(caravan.problems(data)),
}
HEADING = [
    "| set | target | defaults | search | gain of the search (95 %) | s: defaults | s: search |",
    "|---|---|---|---|---|---|---|",
]


def compare(name: str, problem: Problem, trials: int) -> str:
    """The row of one problem."""
    spec = problem.spec.model_copy(update={"search": SearchSection(trials=trials)})
    searched = replace(problem, spec=spec)
    plain, found = (run_rival(one, "riskengine") for one in (problem, searched))
    gain = told_interval(gain_of(problem, found, plain))
    cells = [
        name,
        problem.label,
        told_score(problem, plain),
        told_score(problem, found),
        gain,
        f"{plain.seconds:.0f}",
        f"{found.seconds:.0f}",
    ]
    print(row := "| " + " | ".join(cells) + " |", flush=True)
    return row


def main() -> None:
    options = _options()
    rows = []
    for name, problem_of in SETS.items():
        try:
            problem = problem_of(options.data)
        except MissingDataError as missing:
            print(f"{name} skipped: {missing}")
            continue
        first = replace(problem, splits=list(problem.splits)[: options.splits])
        rows.append(compare(name, first, options.trials))
    explained = (
        f"{options.trials} trials a fit, the first {options.splits} splits of each set; mean"
        " Poisson deviance (lower is better) and AUC (higher is better), in brackets predicted over"
        " actual. A gain above 0 is in favour of the search."
    )
    write_section("Search of settings (`make bench-risk`)", [explained, "", *HEADING, *rows])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with one folder a set")
    parser.add_argument("--trials", type=int, default=15)
    parser.add_argument("--splits", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
