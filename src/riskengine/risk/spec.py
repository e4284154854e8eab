"""Model specs: what a risk model learns, from what, and how it is cross-validated.

A spec is data (one TOML a model, in `models/`): kinds and names are closed vocabularies, there are
no expressions in it. What is left out is chosen by the fit, out-of-fold. Left out: anything about
prices.
"""

import re
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, model_validator

from riskengine.errors import SpecError
from riskengine.vocabulary import Frozen


class Kind(StrEnum):
    """Families of models."""

    POISSON = "poisson"
    GAMMA = "gamma"
    TWEEDIE = "tweedie"
    BINARY = "binary"
    MULTICLASS = "multiclass"
    TWO_PART = "two_part"
    FREQUENCY_SEVERITY = "frequency_severity"
    NEXT_PRODUCT = "next_product"

    @property
    def multiplicative(self) -> bool:
        """Whether predictions are a base times relativities: what a price needs."""
        return self in _MULTIPLICATIVE

    @property
    def is_mean(self) -> bool:
        """Whether it predicts the mean of an amount or a count, not a probability."""
        return self not in {Kind.BINARY, Kind.MULTICLASS, Kind.NEXT_PRODUCT}

    @property
    def has_exposure(self) -> bool:
        """Whether a row may count for more or less than one."""
        return self not in {Kind.MULTICLASS, Kind.NEXT_PRODUCT}


_MULTIPLICATIVE = {Kind.POISSON, Kind.GAMMA, Kind.TWEEDIE, Kind.FREQUENCY_SEVERITY}


class Direction(StrEnum):
    INCREASING = "increasing"
    DECREASING = "decreasing"


class ModelPurpose(StrEnum):
    """What a model is for: one for pricing must have relativities."""

    PRICING = "pricing"
    RECOMMENDATION = "recommendation"
    ANALYSIS = "analysis"


LaxKind = Annotated[Kind, Field(strict=False)]
LaxPurpose = Annotated[ModelPurpose, Field(strict=False)]
LaxDirection = Annotated[Direction, Field(strict=False)]
LaxNames = Annotated[tuple[str, ...], Field(strict=False)]
LaxGroups = Annotated[
    tuple[Annotated[tuple[str, ...], Field(strict=False, min_length=1)], ...], Field(strict=False)
]


class ModelSection(Frozen):
    """What is predicted: `target` per unit of `exposure` (a column; 1 where none is named).

    `frequency_severity` names `count` and `amount` instead of `target` and predicts the amount.
    `power` is that of the Tweedie deviance (1 to 2), for `tweedie` and the amount of `two_part`.
    `next_product` names `products`, columns of yes or no: owned now, and no target. `propensity` (a
    column, of `binary`) is the chance with which a logged offer was shown: see
    `riskengine.risk.propensity`.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: LaxKind
    target: str | None = None
    count: str | None = None
    amount: str | None = None
    exposure: str | None = None
    products: LaxNames = ()
    propensity: str | None = None
    power: float = Field(default=1.5, gt=1, lt=2)
    purpose: LaxPurpose = ModelPurpose.ANALYSIS

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The columns that hold the outcome; the last one is what is predicted.

        Of `next_product` these are all products.
        """
        if self.kind is Kind.NEXT_PRODUCT:
            return self.products
        names = (
            (self.count, self.amount) if self.kind is Kind.FREQUENCY_SEVERITY else (self.target,)
        )
        return tuple(name for name in names if name is not None)

    @model_validator(mode="after")
    def names_its_outcome(self) -> "ModelSection":
        if self.kind is Kind.NEXT_PRODUCT:
            self._names_products()
        elif self.kind is Kind.FREQUENCY_SEVERITY:
            if self.count is None or self.amount is None or self.target is not None:
                message = 'frequency_severity needs count = "..." and amount = "...", no target'
                raise ValueError(message)
        elif self.target is None or self.count is not None or self.amount is not None:
            message = (
                f'{self.kind} needs target = "..."; count and amount are of frequency_severity'
            )
            raise ValueError(message)
        if self.products and self.kind is not Kind.NEXT_PRODUCT:
            message = f"products are of next_product; a {self.kind} model has none: drop them"
            raise ValueError(message)
        if not self.kind.has_exposure and self.exposure is not None:
            message = f"{self.kind} has no exposure: drop it"
            raise ValueError(message)
        if self.propensity is not None and (
            self.kind is not Kind.BINARY or self.exposure is not None
        ):
            message = "propensity is of binary models without exposure: drop one of the two"
            raise ValueError(message)
        if self.purpose is ModelPurpose.PRICING and not self.kind.multiplicative:
            message = (
                f"{self.kind} has no log link, so its predictions are not a base times relativities"
                f" and cannot price: use {', '.join(sorted(_MULTIPLICATIVE))}, or another purpose"
            )
            raise ValueError(message)
        return self

    def _names_products(self) -> None:
        if any(name is not None for name in (self.target, self.count, self.amount)):
            message = "next_product has products, no target, count or amount: drop it"
            raise ValueError(message)
        if len(self.products) < 2 or len(set(self.products)) < len(self.products):
            message = "next_product needs products = [...]: two columns or more, each named once"
            raise ValueError(message)


class FeatureSection(Frozen):
    """From what: the columns, which of them may be missing, and what the trade knows of them.

    `cover` names the features that describe the insurance held, with their value under the
    reference cover: a price never depends on the cover a member happens to hold. `interactions`
    lists the groups of features that may act together; without it all may. `families` groups
    features for explanations.
    """

    numeric: LaxNames = ()
    categorical: LaxNames = ()
    optional: LaxNames = ()
    cover: dict[str, float] = Field(default_factory=dict)
    monotone: dict[str, LaxDirection] = Field(default_factory=dict)
    interactions: LaxGroups = ()
    families: dict[str, LaxNames] = Field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return self.numeric + self.categorical

    def family_of(self, name: str) -> str:
        """The family of a feature; one in none is a family of its own."""
        return next((f for f, members in self.families.items() if name in members), name)

    @model_validator(mode="after")
    def names_are_features(self) -> "FeatureSection":
        names = self.names
        if not names:
            message = "name at least one feature under numeric or categorical"
            raise ValueError(message)
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            message = f"a feature is named twice: {', '.join(twice)}"
            raise ValueError(message)
        for section, members, allowed in (
            ("optional", self.optional, names),
            ("cover", self.cover, self.numeric),
            ("monotone", self.monotone, self.numeric),
            ("interactions", [n for group in self.interactions for n in group], names),
            ("families", [n for group in self.families.values() for n in group], names),
        ):
            strangers = [name for name in members if name not in allowed]
            if strangers:
                which = "numeric features" if allowed is self.numeric else "features"
                message = f"{section} names {', '.join(strangers)}, not among the {which}"
                raise ValueError(message)
        return self


class FoldSection(Frozen):
    """Folds are drawn by `group` (a column), so that nobody is on both sides, or by `time`.

    With `time` (a column that orders the rows) each fold is predicted by models of earlier rows
    only. With neither, every row is a group of its own.
    """

    group: str | None = None
    time: str | None = None
    count: int = Field(default=5, ge=2, le=20)

    @model_validator(mode="after")
    def one_way(self) -> "FoldSection":
        if self.group is not None and self.time is not None:
            message = "give group or time, not both"
            raise ValueError(message)
        return self


class PoolingSection(Frozen):
    """Large claims: what a row has above `point` (per unit of exposure) is spread over all."""

    point: float = Field(gt=0)


class ContinuanceSection(Frozen):
    """Risk bands and knots of the limited-expected-value tables."""

    bands: int = Field(default=6, ge=1, le=100)
    knots: int = Field(default=400, ge=50, le=5000)


class LightGBMSection(Frozen):
    """Settings of the trees, by LightGBM's own names; what is not given is chosen out-of-fold."""

    learning_rate: float | None = Field(default=None, gt=0, le=1)
    num_leaves: int | None = Field(default=None, ge=2)
    min_data_in_leaf: int | None = Field(default=None, ge=1)
    min_sum_hessian_in_leaf: float | None = Field(default=None, ge=0)
    lambda_l2: float | None = Field(default=None, ge=0)
    feature_fraction: float | None = Field(default=None, gt=0, le=1)
    bagging_fraction: float | None = Field(default=None, gt=0, le=1)
    path_smooth: float | None = Field(default=None, ge=0)
    max_bin: int | None = Field(default=None, ge=2)
    rounds: int = Field(default=3000, ge=1)
    early_stopping_rounds: int = Field(default=50, ge=1)
    seed: int = 1

    @property
    def given(self) -> dict[str, float]:
        """The settings that are given, but for rounds and seed."""
        loose = {"rounds", "early_stopping_rounds", "seed"}
        return self.model_dump(exclude_none=True, exclude=loose)


class BlendSection(Frozen):
    """Whether a GLM may have a share in the prediction; how large is chosen out-of-fold."""

    glm: bool = True


class BaggingSection(Frozen):
    """How often the whole is fitted, each time with another seed; two or more give stability."""

    seeds: int = Field(default=1, ge=1, le=100)


class SearchSection(Frozen):
    """A seeded search of LightGBM's settings: at most `trials`, and `seconds` of wall time.

    A search that ends by `trials` is reproducible; one that ends by `seconds` depends on the
    machine.
    """

    trials: int = Field(default=30, ge=1)
    seconds: float | None = Field(default=None, gt=0)


class ModelSpec(Frozen):
    """A whole model spec."""

    model: ModelSection
    features: FeatureSection
    folds: FoldSection = FoldSection()
    pooling: PoolingSection | None = None
    continuance: ContinuanceSection = ContinuanceSection()
    lightgbm: LightGBMSection = LightGBMSection()
    blend: BlendSection = BlendSection()
    bagging: BaggingSection = BaggingSection()
    search: SearchSection | None = None

    @model_validator(mode="after")
    def parts_fit(self) -> "ModelSpec":
        if self.pooling is not None and not self.model.kind.is_mean:
            message = f"pooling is of amounts; a {self.model.kind} model has none"
            raise ValueError(message)
        if self.features.monotone and not self.model.kind.has_exposure:
            message = (
                f"{self.model.kind} keeps no monotone promises: what raises one class lowers"
                f" another; drop monotone = {{{', '.join(self.features.monotone)}}}"
            )
            raise ValueError(message)
        if self.model.kind is Kind.NEXT_PRODUCT:
            self._without_parts_it_lacks()
        column = {*self.model.outcomes, self.model.exposure, self.folds.group}
        column.add(self.model.propensity)
        both = [name for name in self.features.names if name in column]
        if both:
            message = (
                f"{', '.join(both)} is outcome, exposure or group and a feature: drop it there"
            )
            raise ValueError(message)
        return self

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns that are read to predict: of `next_product` what is owned, then features."""
        owned = self.model.products if self.model.kind is Kind.NEXT_PRODUCT else ()
        return owned + self.features.names

    def _without_parts_it_lacks(self) -> None:
        if self.folds.time is not None:
            message = "next_product is held out by customer: give folds a group, no time"
            raise ValueError(message)
        there = {
            "search": self.search is not None,
            "interactions": bool(self.features.interactions),
            "cover": bool(self.features.cover),
        }
        for name, given in there.items():
            if given:
                message = f"next_product has no {name}: drop it"
                raise ValueError(message)


def parse_spec(text: str, source: str = "model spec") -> ModelSpec:
    """The spec written in a TOML text.

    Raises `SpecError` naming `source`, line, place and fix for the first few faults.
    """
    try:
        return ModelSpec.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        message = f"{source} is not valid TOML: {error}"
        raise SpecError(message) from error
    except ValidationError as error:
        faults = "; ".join(
            f"line {_line_of(text, tuple(map(str, fault['loc'])))}"
            f" [{'.'.join(str(part) for part in fault['loc'])}] {_told(fault['msg'])}"
            for fault in error.errors()[:5]
        )
        message = f"{source}: {faults}"
        raise SpecError(message) from error


def read_spec(path: Path) -> ModelSpec:
    """The spec in a TOML file; raises `SpecError` when it cannot be read."""
    try:
        return parse_spec(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "not UTF-8"
        message = f"cannot read the model spec {path}: {said}"
        raise SpecError(message) from error


def _told(message: str) -> str:
    """Pydantic's words with the fix where they lack it."""
    known = {
        "Field required": "is missing: add it",
        "Extra inputs are not permitted": "is not known here: drop it or mend its spelling",
    }
    return known.get(message, message.removeprefix("Value error, "))


def _line_of(text: str, place: tuple[str, ...]) -> int:
    """The line (from 1) that says most of `place`: its key, else its section, else the first."""
    best, line = 0, 1
    section: tuple[str, ...] = ()
    for number, row in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]", row)
        key = re.match(r"\s*([\w.\-\"']+)\s*=", row)
        if header:
            section = _parts(header[1])
        said = section if header else (*section, *_parts(key[1])) if key else ()
        if said and said == place[: len(said)] and len(said) > best:
            best, line = len(said), number
    return line


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))
