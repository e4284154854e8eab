"""A fitted risk model: an annual mean with exact relativities, and its continuance.

The mean is `balance_factor * exp(average raw score of the boosters)`; LightGBM's contributions sum
to the raw score, so on the scale of the mean they are relativities: `base * product = mean`.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import lightgbm as lgb
import numpy as np

from riskengine.errors import InputError, ReleaseError
from riskengine.risk.continuance import Continuance
from riskengine.risk.design import Levels, design_matrix
from riskengine.risk.spec import ModelSpec
from riskengine.vocabulary import Columns, FloatArray


@dataclass(frozen=True)
class Relativities:
    """`base * factors.prod(axis=1)` is the mean; `factors` is (n, names)."""

    base: float
    names: tuple[str, ...]
    factors: FloatArray


@dataclass(frozen=True)
class RiskModel:
    """A peril's annual mean per unit of exposure, in the unit of the target."""

    spec: ModelSpec
    levels: Levels
    learnt_missing: frozenset[str]
    booster_texts: tuple[str, ...]
    balance_factor: float
    continuance: Continuance

    @cached_property
    def _boosters(self) -> list[lgb.Booster]:
        """Private to this model: a Booster holds state that a stranger's predict could change."""
        return [lgb.Booster(model_str=text) for text in self.booster_texts]

    def predict(self, columns: Columns) -> FloatArray:
        """The mean for each row, (n,).

        Raises `InputError` where a feature is missing that the model never saw missing: LightGBM
        would read it as 0.
        """
        matrix = self._matrix(columns)
        raw = np.zeros(len(matrix))
        for booster in self._boosters:
            raw += booster.predict(matrix, raw_score=True, num_threads=1)
        result: FloatArray = self.balance_factor * np.exp(raw / len(self._boosters))
        return result

    def explain(self, columns: Columns) -> Relativities:
        """Exact relativities of each feature (TreeSHAP on the log scale) for each row."""
        matrix = self._matrix(columns)
        parts = np.mean(
            [b.predict(matrix, pred_contrib=True, num_threads=1) for b in self._boosters], axis=0
        )
        base = float(self.balance_factor * np.exp(parts[0, -1]))
        return Relativities(base, self.spec.features.names, np.exp(parts[:, :-1]))

    def _matrix(self, columns: Columns) -> FloatArray:
        matrix = design_matrix(self.spec, self.levels, columns)
        for position, name in enumerate(self.spec.features.names):
            if name not in self.learnt_missing and np.isnan(matrix[:, position]).any():
                row = int(np.flatnonzero(np.isnan(matrix[:, position]))[0])
                message = (
                    f"{name} is missing in row {row}, but never was in training: give a value, or"
                    " list the feature as optional in the model spec"
                )
                raise InputError(message)
        return matrix

    def to_files(self) -> dict[str, bytes]:
        """The model as text files by name; equal models give equal bytes."""
        content = {
            "spec": self.spec.model_dump(mode="json"),
            "levels": {name: list(levels) for name, levels in self.levels.items()},
            "learnt_missing": sorted(self.learnt_missing),
            "balance_factor": self.balance_factor,
            "boosters": len(self.booster_texts),
            "continuance": {
                "centres": self.continuance.centres.tolist(),
                "grid": self.continuance.grid.tolist(),
                "table": self.continuance.table.tolist(),
            },
        }
        files = {"model.json": (json.dumps(content, indent=1) + "\n").encode("utf-8")}
        for number, text in enumerate(self.booster_texts):
            files[f"booster_{number}.txt"] = text.encode("utf-8")
        return files

    def save(self, folder: Path) -> None:
        """Write the model's files to `folder`, made where it does not exist."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.to_files().items():
            (folder / name).write_bytes(content)

    @classmethod
    def load(cls, folder: Path) -> "RiskModel":
        """The model whose files are in `folder`; raises `ReleaseError` when it is broken."""
        try:
            content = json.loads((folder / "model.json").read_text(encoding="utf-8"))
            tables = {name: np.array(rows) for name, rows in content["continuance"].items()}
            return cls(
                spec=ModelSpec.model_validate_json(json.dumps(content["spec"])),
                levels={name: tuple(levels) for name, levels in content["levels"].items()},
                learnt_missing=frozenset(content["learnt_missing"]),
                booster_texts=tuple(
                    (folder / f"booster_{n}.txt").read_bytes().decode("utf-8")
                    for n in range(content["boosters"])
                ),
                balance_factor=content["balance_factor"],
                continuance=Continuance(**tables),
            )
        except (OSError, KeyError, ValueError) as error:
            message = f"{folder} holds no readable risk model: {error}"
            raise ReleaseError(message) from error
