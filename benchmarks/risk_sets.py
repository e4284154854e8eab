"""Held-out quality on real data sets, beside the mean, a tuned GLM, LightGBM and a forest.

Outside CI and the package: the sets are large, and not all may be passed on. Each set rewrites its
own section of benchmarks/RESULTS.md; one whose data are not there is told and skipped.
"""

import argparse
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.results import rows_of, write_section
from benchmarks.sets import caravan, eu_health_fund, fremtpl2, health_lead, rand_study
from benchmarks.sets.judge import HEADING, RIVALS, judge
from benchmarks.sets.problem import MissingDataError, Problem

SETS: dict[str, tuple[str, Callable[[Path | None], Iterator[Problem]]]] = {
    "rand": ("RAND Health Insurance Experiment, 5 folds by person", rand_study.problems),
    "eu_health_fund": ("European health fund, its own training and validation parts",
                       eu_health_fund.problems),
    "health_lead": ("Leads for health insurance, 5 folds, AUC", health_lead.problems),
    "caravan": ("COIL 2000 caravan policies, 5 times 5 stratified folds, AUC", caravan.problems),
    "fremtpl2": ("French motor claims (freMTPL2), deviance a policy", fremtpl2.problems),
}  # fmt: skip


def main() -> None:
    options = _options()
    for name in [options.only] if options.only else SETS:
        title, problems_of = SETS[name]
        try:
            problems = [p for p in problems_of(options.data) if (options.target or "") in p.label]
        except MissingDataError as missing:
            print(f"{name} skipped: {missing}")
            continue
        heading = f"{title} (`make bench-risk`)"
        for problem in problems:
            row = judge(problem, options.rivals, options.splits)
            rows = _with(row, problem.label, rows_of(heading))
            write_section(heading, [_explained(problem), "", *HEADING, *rows])


def _with(row: str, label: str, known: list[str]) -> list[str]:
    """The rows with that of a target in the place of its last one, else at the end."""
    places = [
        n for n, old in enumerate(known) if re.match(rf"\| {re.escape(label)}( \(|\ \|)", old)
    ]
    place = places[0] if places else len(known)
    return [*known[:place], row, *known[place + 1 :]]


def _explained(problem: Problem) -> str:
    score = "AUC, higher is better" if problem.binary else "Mean deviance, lower is better"
    return (
        f"{score}; in brackets predicted over actual. Specs name outcome and features, no settings;"
        " gains are paired, with bootstrap over members; s is the seconds of all fits of a row, on"
        " a machine that did other work too."
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with one folder a set")
    parser.add_argument("--only", choices=list(SETS), help="one set")
    parser.add_argument("--target", help="only targets whose name contains this")
    parser.add_argument("--splits", type=int, help="only the first splits of each target")
    parser.add_argument("--rivals", nargs="+", choices=list(RIVALS), default=list(RIVALS))
    return parser.parse_args()


if __name__ == "__main__":
    main()
