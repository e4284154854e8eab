"""Models of perils as files and back, as a release keeps them.

One JSON file a peril, and equal models give equal bytes, so a hash of the files names the models.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from riskengine.errors import InputError, ReleaseError
from riskengine.pricing.perils import Incidence, PerilModel, PersonYears, Stays
from riskengine.products.benefit import Peril
from riskengine.risk.continuance import Continuance
from riskengine.vocabulary import Service

FORMAT = 1
_ARRAYS: dict[type[Any], tuple[str, ...]] = {
    Continuance: ("centres", "grid", "table"),
    PersonYears: ("centres", "band", "weight"),
    Stays: ("centres", "band", "weight", "row", "days"),
    Incidence: (),
}
_KINDS: dict[str, type[Any]] = {
    "continuance": Continuance,
    "person_years": PersonYears,
    "stays": Stays,
    "incidence": Incidence,
}


def perils_to_files(perils: Mapping[Peril, PerilModel]) -> dict[str, bytes]:
    """`<peril>.json` for each model, by name; numbers are written so that they come back exactly.

    >>> list(perils_to_files({Peril.CANCER: Incidence({"invasive": 1.0})}))
    ['cancer.json']
    """
    names = {kind: name for name, kind in _KINDS.items()}
    files = {}
    for peril in sorted(perils):
        model = perils[peril]
        content: dict[str, object] = {"format": FORMAT, "kind": names[type(model)]}
        content |= {name: getattr(model, name).tolist() for name in _ARRAYS[type(model)]}
        if isinstance(model, Incidence):
            content["shares"] = dict(model.shares)
        if isinstance(model, PersonYears):
            content["amounts"] = {s.value: v.tolist() for s, v in model.amounts.items()}
            content["visits"] = {s.value: v.tolist() for s, v in model.visits.items()}
        files[f"{peril.value}.json"] = (json.dumps(content) + "\n").encode("utf-8")
    return files


def perils_from_files(folder: Path) -> dict[Peril, PerilModel]:
    """The models whose files are in `folder`; none where there is no such folder.

    Raises `ReleaseError` naming a file that is no model of a peril.
    """
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            found[Peril(path.stem)] = _model(content)
        except (OSError, KeyError, ValueError, TypeError, AttributeError, InputError) as error:
            message = f"{path} holds no readable model of a peril: {error!r}"
            raise ReleaseError(message) from error
    return found


def _model(content: dict[str, Any]) -> PerilModel:
    if content["format"] != FORMAT:
        message = f"format {content['format']}, this version reads {FORMAT}"
        raise ValueError(message)
    kind = _KINDS[content["kind"]]
    if kind is Incidence:
        return Incidence(content["shares"])
    arrays: dict[str, Any] = {name: np.array(content[name]) for name in _ARRAYS[kind]}
    if kind is PersonYears:
        arrays |= {name: _by_service(content[name]) for name in ("amounts", "visits")}
    model: PerilModel = kind(**arrays)
    return model


def _by_service(content: dict[str, list[float]]) -> dict[Service, np.ndarray]:
    return {Service(name): np.array(values) for name, values in content.items()}
