"""Model specs: what a risk model learns, from what, and how it is cross-validated.

A spec is data (one TOML a model, in `models/`): kinds and names are closed vocabularies, there are
no expressions in it. Left out: anything about prices.
"""

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, model_validator

from riskengine.errors import SpecError
from riskengine.vocabulary import Frozen


class Kind(StrEnum):
    """Families of models; all of them have a log link, so contributions are relativities."""

    POISSON = "poisson"
    TWEEDIE = "tweedie"


class Direction(StrEnum):
    INCREASING = "increasing"
    DECREASING = "decreasing"


LaxKind = Annotated[Kind, Field(strict=False)]
LaxDirection = Annotated[Direction, Field(strict=False)]
LaxNames = Annotated[tuple[str, ...], Field(strict=False)]


class ModelSection(Frozen):
    """What is predicted: `target` per unit of `exposure` (a column; 1 where none is named)."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: LaxKind
    target: str
    exposure: str | None = None
    power: float = Field(default=1.5, gt=1, lt=2)


class FeatureSection(Frozen):
    """From what: the columns, which of them may be missing, and what the trade knows of them.

    `cover` names the features that describe the insurance held, with their value under the
    reference cover: a price never depends on the cover a member happens to hold.
    """

    numeric: LaxNames = ()
    categorical: LaxNames = ()
    optional: LaxNames = ()
    cover: dict[str, float] = Field(default_factory=dict)
    monotone: dict[str, LaxDirection] = Field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return self.numeric + self.categorical

    @model_validator(mode="after")
    def names_are_features(self) -> "FeatureSection":
        names = self.names
        if not names:
            message = "name at least one feature under numeric or categorical"
            raise ValueError(message)
        if len(set(names)) != len(names):
            message = f"a feature is named twice: {', '.join(names)}"
            raise ValueError(message)
        for section, members, allowed in (
            ("optional", self.optional, names),
            ("cover", self.cover, self.numeric),
            ("monotone", self.monotone, self.numeric),
        ):
            strangers = [name for name in members if name not in allowed]
            if strangers:
                message = f"{section} names {', '.join(strangers)}, not among the features"
                raise ValueError(message)
        return self


class FoldSection(Frozen):
    """Folds are drawn by `group` (a column), never by row, so that nobody is on both sides."""

    group: str
    count: int = Field(default=5, ge=2, le=20)


class ContinuanceSection(Frozen):
    """Risk bands and knots of the limited-expected-value tables."""

    bands: int = Field(default=6, ge=1, le=100)
    knots: int = Field(default=400, ge=50, le=5000)


class LightGBMSection(Frozen):
    """Settings of the trees, by LightGBM's own names."""

    learning_rate: float = Field(default=0.03, gt=0, le=1)
    num_leaves: int = Field(default=12, ge=2)
    min_data_in_leaf: int = Field(default=100, ge=1)
    lambda_l2: float = Field(default=10.0, ge=0)
    feature_fraction: float = Field(default=0.5, gt=0, le=1)
    bagging_fraction: float = Field(default=0.6, gt=0, le=1)
    rounds: int = Field(default=1500, ge=1)
    early_stopping_rounds: int = Field(default=50, ge=1)
    seed: int = 1


class ModelSpec(Frozen):
    """A whole model spec."""

    model: ModelSection
    features: FeatureSection
    folds: FoldSection
    continuance: ContinuanceSection = ContinuanceSection()
    lightgbm: LightGBMSection = LightGBMSection()


def parse_spec(text: str, source: str = "model spec") -> ModelSpec:
    """The spec written in a TOML text.

    Raises `SpecError` naming `source`, the place and the fix for the first few faults.
    """
    try:
        return ModelSpec.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        message = f"{source} is not valid TOML: {error}"
        raise SpecError(message) from error
    except ValidationError as error:
        faults = "; ".join(
            f"[{'.'.join(str(part) for part in fault['loc'])}] {fault['msg']}"
            for fault in error.errors()[:5]
        )
        message = f"{source}: {faults}"
        raise SpecError(message) from error


def read_spec(path: Path) -> ModelSpec:
    """The spec in a TOML file; raises `SpecError` when it cannot be read."""
    try:
        return parse_spec(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        message = f"cannot read the model spec {path}: {error.strerror}"
        raise SpecError(message) from error
