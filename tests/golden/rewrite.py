"""Rewrites the golden quotes and premiums (`make golden`); what is kept is made once, then left."""

import json
from datetime import date
from pathlib import Path

from riskengine.profiles.build import build_experience
from riskengine.release import Release, load_release, save_release
from riskengine.risk.fit import fit
from riskengine.risk.spec import read_spec
from riskengine.service.quoting import Asked, Known, price
from riskengine.sources.rand_hie import read_study, tables_from_study
from riskengine.training import assemble_release, complete_experience, learn_utilisation
from tests.golden.markets import KEPT_PERILS, keep_perils, write_premiums

TESTS = Path(__file__).parent.parent
KEPT_RELEASE = TESTS / "artefacts" / "release-0.1.0"
QUOTES = TESTS / "golden" / "quotes.json"
AS_OF = date(2026, 1, 1)
MEMBERS = (
    {"age": 0, "sex": "female"},
    {"age": 18, "sex": "male", "self_rated_health": "excellent", "household_size": 5},
    {"age": 43, "sex": "female", "self_rated_health": "good", "chronic_disease_index": 14.0},
    {"age": 64.9, "sex": "male", "self_rated_health": "poor", "general_health_index": 20},
    {
        "age": 35.5, "sex": "female", "rating_area": "2", "education_years": 16,
        "household_income": 12000, "household_size": 3, "self_rated_health": "fair",
        "general_health_index": 61.5, "mental_health_index": 70, "chronic_disease_index": 8,
        "physical_limitation": 1,
    },
)  # fmt: skip


def small_release() -> Release:
    """A release of few, small trees on the study, to be kept as an artefact."""
    spec = read_spec(TESTS.parent / "models" / "medical_spend.toml")
    trees = spec.lightgbm.model_copy(update={"rounds": 50, "num_leaves": 8, "learning_rate": 0.08})
    experience = complete_experience(build_experience(tables_from_study(read_study())))
    few = spec.model_copy(
        update={
            "lightgbm": trees,
            "continuance": spec.continuance.model_copy(update={"knots": 150}),
        }
    )
    model = fit(few, experience)
    return assemble_release(model, learn_utilisation(model, experience), "study")


def golden_quotes(release: Release) -> list[dict[str, object]]:
    """One quote on all plans for each of the golden members, without its volatile parts."""
    told = []
    for answers in MEMBERS:
        prices = price(release, Asked(AS_OF, (Known(answers),)))
        told.append({"answers": answers, "quote": json.loads(prices.content)})
    return told


def main() -> None:
    if not (KEPT_RELEASE / "manifest.json").is_file():
        save_release(small_release(), KEPT_RELEASE)
    text = json.dumps(golden_quotes(load_release(KEPT_RELEASE)), ensure_ascii=False, indent=1)
    QUOTES.write_text(text + "\n", encoding="utf-8")
    if not KEPT_PERILS.is_dir():
        keep_perils()
    write_premiums()


if __name__ == "__main__":
    main()
