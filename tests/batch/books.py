"""Portfolios of mixed policies for any release: every question, every plan, seeded."""

import numpy as np
import pyarrow as arrow

from riskengine.any_release import AnyRelease
from riskengine.products.product import completed_years
from riskengine.vocabulary import FloatArray

_HIGHEST = {"chronic_condition_count": 8.0, "medical_spend_365d": 90_000.0}
"""Answers whose bound is far above what people have."""


def book_of(release: AnyRelease, size: int, seed: int = 1) -> arrow.Table:
    """`size` policies that the release can renew: some answers are open, some have no expiring."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(0, 65.9, size)
    cells: dict[str, arrow.Array] = {
        "policy_id": arrow.array([f"p{row:07d}" for row in range(size)]),
        "member_id": arrow.array([f"m{row % (size // 2 + 1):07d}" for row in range(size)]),
        "plan": arrow.array(rng.choice(release.catalogue.names, size), arrow.string()),
        "expiring_premium": _some(rng, np.round(rng.lognormal(6, 1, size), 2), 0.1),
        "effective_from": arrow.array(
            np.datetime64("2026-01-01") + rng.integers(0, 365, size), arrow.date32()
        ),
    }
    for question in release.questions:
        if question.name == "age":
            cells["age"] = arrow.array(completed_years(age))
        elif question.kind == "level":
            drawn = rng.choice(question.levels, size)
            open_ = rng.random(size) < (0.0 if _rated(question.name) else 0.1)
            cells[question.name] = arrow.array(drawn, arrow.string(), mask=open_)
        else:
            low = question.minimum or 0.0
            high = _HIGHEST.get(question.name, question.maximum or 1.0)
            cells[question.name] = _some(rng, rng.uniform(low, high, size), 0.2)
    return arrow.table(cells)


def _some(rng: np.random.Generator, values: FloatArray, open_: float) -> arrow.Array:
    return arrow.array(values, mask=rng.random(len(values)) < open_)


def _rated(name: str) -> bool:
    """Whether a tariff may read the answer: then it must be given."""
    return name in {"sex", "tobacco", "rating_area", "social_insurance", "occupation_class"}
