"""Held-out quality on the RAND study: deviance beside the mean and a GLM, and what plans pay.

Five folds by person; every figure comes from models that never saw the person, balance factor and
continuance included. Rewrites its section of benchmarks/RESULTS.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as arrow

from benchmarks.results import write_section
from riskengine.products.load import read_catalogue, shipped
from riskengine.profiles.build import build_experience
from riskengine.risk.columns import training_columns
from riskengine.risk.diagnostics import (
    actual_over_expected,
    bootstrap_mean,
    equal_exposure_bands,
    gini,
    unit_poisson_deviance,
    unit_tweedie_deviance,
)
from riskengine.risk.fit import HeldOut, cross_fit, held_out_mean
from riskengine.risk.outcome import outcome_of
from riskengine.risk.spec import Kind, ModelSpec, read_spec
from riskengine.risk.yardstick import held_out_average, held_out_glm
from riskengine.sources.rand_hie import read_study, tables_from_study
from riskengine.training import check_plan_paid, complete_experience

HERE = Path(__file__).parent
HEADING = "| target | columns | mean | spline GLM | riskengine | gain on GLM (95 %) | A/E | Gini |"


@dataclass(frozen=True)
class Measured:
    """Held-out outcomes and means of one spec on one table."""

    held_out: list[HeldOut]
    outcome: np.ndarray
    mean: np.ndarray
    exposure: np.ndarray
    row: str


def measure(spec: ModelSpec, table: arrow.Table, columns: str) -> Measured:
    """Fit, predict held-out, and write one row of the table."""
    data = training_columns(spec, table)
    observed = outcome_of(spec, data)
    outcome, exposure = observed.actual, observed.weight
    held_out = cross_fit(spec, table)
    mean = held_out_mean(held_out, table)
    splits = [part.split for part in held_out]
    glm = held_out_glm(spec, data, observed, splits)
    flat = held_out_average(observed, splits)
    unit = deviance_of(spec)
    scores = [np.average(unit(outcome, m), weights=exposure) for m in (flat, glm, mean)]
    gain = bootstrap_mean(
        unit(outcome, glm) - unit(outcome, mean),
        exposure,
        data[spec.folds.group or ""],
        np.random.default_rng(1),
    )
    row = (
        f"| {spec.model.target} ({spec.model.kind}) | {columns} | {scores[0]:.3f} | {scores[1]:.3f}"
        f" | **{scores[2]:.3f}** | {gain.mean:.3f} ({gain.low:.3f} to {gain.high:.3f})"
        f" | {actual_over_expected(outcome, mean, exposure):.4f}"
        f" | {gini(outcome, mean, exposure):.3f} |"
    )
    return Measured(held_out, outcome, mean, exposure, row)


def deviance_of(spec: ModelSpec) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Unit deviances for the kind of the spec."""
    if spec.model.kind is Kind.POISSON:
        return unit_poisson_deviance
    return lambda actual, expected: unit_tweedie_deviance(actual, expected, spec.model.power)


def plan_paid_rows(measured: Measured) -> list[str]:
    """A/E of re-adjudicated plan payments, overall and by decile of the mean."""
    bands = equal_exposure_bands(measured.mean, measured.exposure, 10)
    rows = []
    for plan in read_catalogue(shipped("study")).plans:
        check = check_plan_paid(plan.benefit, measured.held_out, measured.mean, measured.outcome)
        deciles = [
            actual_over_expected(
                check.actual[bands == b], check.expected[bands == b], measured.exposure[bands == b]
            )
            for b in range(10)
        ]
        cells = " | ".join(f"{ratio:.2f}" for ratio in deciles)
        rows.append(f"| {plan.plan} | **{check.overall(measured.exposure):.3f}** | {cells} |")
    return rows


def main() -> None:
    study = read_study().dropna(subset=["educdec", "mdeoff", "pioff"])
    published = arrow.Table.from_pandas(study, preserve_index=False)
    ours = complete_experience(build_experience(tables_from_study(read_study())))
    priced = measure(read_spec(HERE.parent / "models" / "medical_spend.toml"), ours, "pricing")
    lines = [
        "Five folds by person, outcome per year of exposure, weighted by exposure; deviances are"
        " means (Poisson for visits, Tweedie 1.5 for spend), lower is better. Published columns"
        " include race and the participation incentive; pricing columns do not, and answers may"
        " be missing.",
        "",
        HEADING,
        "|" + "---|" * (HEADING.count("|") - 1),
        measure(read_spec(HERE / "study_visits.toml"), published, "published").row,
        measure(read_spec(HERE / "study_spend.toml"), published, "published").row,
        priced.row,
        "",
        "What plans pay, re-adjudicated on held-out years over expected, in all and by decile of"
        " expected cost (pricing columns):",
        "",
        "| plan | all | " + " | ".join(str(n) for n in range(1, 11)) + " |",
        "|" + "---|" * 12,
        *plan_paid_rows(priced),
    ]
    write_section("RAND Health Insurance Experiment (`make bench`)", lines)


if __name__ == "__main__":
    main()
