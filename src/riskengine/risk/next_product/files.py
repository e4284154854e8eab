"""A model of the next product as text files and back; equal models give equal bytes."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from riskengine.risk.next_product.design import Design
from riskengine.risk.next_product.logit import Logit
from riskengine.risk.next_product.model import ColdStart, Learnt, NextProductModel
from riskengine.risk.next_product.shares import Pool
from riskengine.risk.next_product.thin import Thin
from riskengine.risk.spec import ModelSpec
from riskengine.vocabulary import FloatArray

FORMAT = 2
_COLD = "cold_start.txt"


def to_files(model: NextProductModel) -> dict[str, bytes]:
    """`model.json` and one file a booster, by name."""
    learnt = model.learnt
    boosters = {f"booster_seed{s}.txt": text for s, text in enumerate(learnt.boosters)}
    content = {
        "format": FORMAT,
        "spec": model.spec.model_dump(mode="json"),
        "design": {
            "knots": {name: knots.tolist() for name, knots in learnt.design.knots.items()},
            "medians": dict(learnt.design.medians),
            "learnt_missing": sorted(learnt.design.learnt_missing),
            "levels": {name: list(known) for name, known in learnt.design.levels.items()},
        },
        "logit": {
            "intercept": learnt.logit.intercept.tolist(),
            "slopes": learnt.logit.slopes.tolist(),
            "effects": [effect.tolist() for effect in learnt.logit.effects],
            "usual": learnt.logit.usual.tolist(),
        },
        "boosters": list(boosters),
        "pool": {
            "shares": learnt.pool.shares.tolist(),
            "levels": learnt.pool.levels.tolist(),
        },
        "thin": {
            "credibility": learnt.thin.credibility.tolist(),
            "segment": learnt.thin.segment,
            "rates": learnt.thin.rates.tolist(),
        },
        "cold_start": {"prevalence": learnt.cold.prevalence.tolist(), "booster": _COLD},
    }
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    texts = {"model.json": text, **boosters, _COLD: learnt.cold.booster}
    return {name: written.encode("utf-8") for name, written in texts.items()}


def from_content(content: dict[str, Any], folder: Path) -> NextProductModel:
    """The model of a `model.json` that was read; raises as reading does."""
    spec = ModelSpec.model_validate_json(json.dumps(content["spec"]))
    design, thin, cold = content["design"], content["thin"], content["cold_start"]
    logit = content["logit"]
    products = len(spec.model.products)
    learnt = Learnt(
        design=Design(
            {name: np.array(knots, np.float64) for name, knots in design["knots"].items()},
            design["medians"],
            frozenset(design["learnt_missing"]),
            {name: tuple(known) for name, known in design["levels"].items()},
        ),
        logit=Logit(
            np.array(logit["intercept"]),
            np.array(logit["slopes"]),
            tuple(_table(effect, products) for effect in logit["effects"]),
            np.array(logit["usual"]),
        ),
        boosters=tuple(_text(folder / name) for name in content["boosters"]),
        pool=Pool(np.array(content["pool"]["shares"]), np.array(content["pool"]["levels"])),
        thin=Thin(np.array(thin["credibility"]), thin["segment"], np.array(thin["rates"])),
        cold=ColdStart(np.array(cold["prevalence"]), _text(folder / cold["booster"])),
    )
    return NextProductModel(spec=spec, parts=(), classes=spec.model.products, learnt=learnt)


def _table(rows: list[list[float]], products: int) -> FloatArray:
    return np.array(rows, dtype=np.float64).reshape(-1, products)


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8")
