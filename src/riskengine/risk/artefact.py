"""A risk model as files and back: what a release and the registry keep.

All are text, and equal models give equal bytes, so a hash of the files names the model. Files of
version 0.1 are read too.
"""

import json
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from riskengine.errors import InputError, ReleaseError
from riskengine.risk.conformal import ConformalTable
from riskengine.risk.continuance import Continuance
from riskengine.risk.credibility import Encoding
from riskengine.risk.design import Design
from riskengine.risk.model import RiskModel
from riskengine.risk.predictor import Predictor, Share
from riskengine.risk.spec import Kind, ModelSpec
from riskengine.risk.terms import FactorTable

FORMAT = 2
_TABLES = ("centres", "grid", "table")
_T = TypeVar("_T")


def to_files(model: RiskModel) -> dict[str, bytes]:
    """`model.json` and one file a booster, by name."""
    files: dict[str, bytes] = {}
    parts = [
        [_predictor(one, f"part{p}_seed{s}", files) for s, one in enumerate(part)]
        for p, part in enumerate(model.parts)
    ]
    content = {
        "format": FORMAT,
        "spec": model.spec.model_dump(mode="json"),
        "balance_factor": model.balance_factor,
        "pooling_charge": model.pooling_charge,
        "classes": list(model.classes),
        "parts": parts,
        "continuance": _arrays(model.kept_continuance, _TABLES),
        "conformal": None if model.conformal is None else json.loads(model.conformal.to_json()),
    }
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    return {"model.json": text.encode("utf-8"), **files}


def from_files(folder: Path) -> RiskModel:
    """The model whose files are in `folder`; raises `ReleaseError` when it is broken."""
    try:
        content = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        if content.get("format", 1) == 1:
            return _first_format(content, folder)
        if content["spec"]["model"]["kind"] == Kind.NEXT_PRODUCT:
            # Imported when asked for: it is a RiskModel, which imports this module.
            from riskengine.risk.next_product.files import from_content

            return from_content(content, folder)
        return RiskModel(
            spec=ModelSpec.model_validate_json(json.dumps(content["spec"])),
            parts=tuple(
                tuple(_read_predictor(one, folder) for one in part) for part in content["parts"]
            ),
            balance_factor=content["balance_factor"],
            pooling_charge=content["pooling_charge"],
            classes=tuple(content["classes"]),
            kept_continuance=_read(Continuance, content["continuance"]),
            conformal=_read_conformal(content["conformal"]),
        )
    except (OSError, KeyError, ValueError, TypeError, AttributeError, InputError) as error:
        message = f"{folder} holds no readable risk model: {error}"
        raise ReleaseError(message) from error


def _predictor(one: Predictor, name: str, files: dict[str, bytes]) -> dict[str, object]:
    design = one.design
    forests = []
    for f, share in enumerate(one.forests):
        names = [f"{name}_forest{f}_booster{b}.txt" for b in range(len(share.boosters))]
        files.update(zip(names, (text.encode("utf-8") for text in share.boosters), strict=True))
        forests.append({"weight": share.weight, "boosters": names})
    return {
        "models": one.models,
        "intercept": one.intercept.tolist(),
        "forests": forests,
        "table_weight": one.table_weight,
        "tables": [_arrays(table, ("points", "values", "missing")) for table in one.tables],
        "numeric": list(design.numeric),
        "levels": {n: list(known) for n, known in design.levels.items()},
        "encodings": [
            {"features": list(e.features), "levels": list(e.levels), "values": e.values.tolist()}
            for e in design.encodings
        ],
        "learnt_missing": sorted(design.learnt_missing),
        "medians": design.medians,
        "pairs": [list(pair) for pair in design.pairs],
    }


def _read_predictor(content: dict[str, Any], folder: Path) -> Predictor:
    design = Design(
        numeric=tuple(content["numeric"]),
        levels={name: tuple(known) for name, known in content["levels"].items()},
        encodings=tuple(
            Encoding(tuple(e["features"]), tuple(e["levels"]), np.array(e["values"]))
            for e in content["encodings"]
        ),
        learnt_missing=frozenset(content["learnt_missing"]),
        medians=content["medians"],
        pairs=tuple((one, two) for one, two in content.get("pairs", ())),
    )
    return Predictor(
        design=design,
        models=content["models"],
        intercept=np.array(content["intercept"]),
        forests=tuple(
            Share(f["weight"], tuple(_text(folder / name) for name in f["boosters"]))
            for f in content["forests"]
        ),
        table_weight=content["table_weight"],
        tables=tuple(
            FactorTable(*(np.array(t[k]) for k in ("points", "values", "missing")))
            for t in content["tables"]
        ),
    )


def _first_format(content: dict[str, Any], folder: Path) -> RiskModel:
    """A model of version 0.1: boosters alone, which priced."""
    spec = content["spec"]
    spec["model"]["purpose"] = "pricing"
    parsed = ModelSpec.model_validate_json(json.dumps(spec))
    design = Design(
        numeric=parsed.features.numeric,
        levels={n: tuple(content["levels"][n]) for n in parsed.features.categorical},
        encodings=(),
        learnt_missing=frozenset(content["learnt_missing"]),
        medians=dict.fromkeys(parsed.features.numeric, 0.0),
    )
    boosters = tuple(_text(folder / f"booster_{n}.txt") for n in range(content["boosters"]))
    predictor = Predictor(design, len(boosters), np.zeros(1), (Share(1.0, boosters),))
    return RiskModel(
        spec=parsed,
        parts=((predictor,),),
        balance_factor=content["balance_factor"],
        kept_continuance=_read(Continuance, content["continuance"]),
    )


def _arrays(found: object | None, names: tuple[str, ...]) -> dict[str, object] | None:
    return None if found is None else {name: getattr(found, name).tolist() for name in names}


def _read(kind: type[_T], content: dict[str, Any] | None) -> _T | None:
    if content is None:
        return None
    return kind(**{name: np.array(values) for name, values in content.items()})


def _read_conformal(content: dict[str, Any] | None) -> ConformalTable | None:
    return None if content is None else ConformalTable.from_json(json.dumps(content))


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8")
