"""The release of a market: everything that decides its prices, frozen and content-hashed.

Mean models and distributions by peril, catalogue, rate book editions with their base rates,
underwriting rules, questions, library versions. Kept as text files, as any release is
(`riskengine.release_files`). Left out: how the parts are learnt (`riskengine.market_training`) and
how they price (`riskengine.market_engine`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path

import pydantic

from riskengine.errors import ReleaseError, SpecError
from riskengine.pricing.market import Market
from riskengine.pricing.peril_files import perils_from_files, perils_to_files
from riskengine.pricing.rating import check_prices
from riskengine.pricing.utilisation import InducedUtilisation
from riskengine.products.benefit import Peril
from riskengine.products.product import Catalogue
from riskengine.products.rate_book_edition import Editions
from riskengine.products.underwriting import Underwriting
from riskengine.profiles.drift import Bins
from riskengine.profiles.feature import Purpose
from riskengine.profiles.features import FEATURES
from riskengine.profiles.questions import Question
from riskengine.recommendation.advice_models import AdviceModels, read_advice_models
from riskengine.recommendation.policy import RecommendationPolicy
from riskengine.release_files import (
    MARKET,
    check_release_files,
    hash_of,
    inputs_files,
    inputs_from,
    library_versions,
    to_json,
    write_release_files,
)
from riskengine.risk.model import RiskModel

_POLICY = "recommendation_policy.json"
_ADVICE = "advice"
BaseRates = Mapping[str, Mapping[str, float]]
"""The base rate of each plan, currency a year, by the name of the edition."""


@dataclass(frozen=True, eq=False)
class MarketRelease:
    """What prices one market. Build with `build_market_release`, keep with `save_market_release`.

    `models` give the annual mean of each peril under full cover. Releases that only price have no
    `recommendation_policy`. `hash` is the SHA-256 over the
    files, 64 hexadecimal digits.
    """

    market: Market
    models: Mapping[Peril, RiskModel]
    underwriting: Underwriting
    base_rates: BaseRates
    questions: tuple[Question, ...]
    recommendation_policy: RecommendationPolicy | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    hash: str = ""
    inputs: Mapping[str, Bins] = field(default_factory=dict)
    """How each answer was spread over the reference book; older releases have none."""
    advice: AdviceModels = field(default_factory=AdviceModels)
    """What ranks beside the price; a release may have none."""

    @property
    def catalogue(self) -> Catalogue:
        """All plans of the market."""
        return self.market.catalogue

    @cached_property
    def advice_questions(self) -> tuple[Question, ...]:
        """What is asked for advice: the questions of prices, and what else its models read."""
        asked = {question.name for question in self.questions}
        more = (one.question for one in self.advice.features if one.name not in asked)
        return (*self.questions, *(one.model_copy(update={"required": False}) for one in more))


def perils_of(catalogue: Catalogue) -> tuple[Peril, ...]:
    """The perils that the plans of a catalogue insure, in the order of `Peril`."""
    insured = {one.peril for plan in catalogue.plans for one in plan.benefits.values()}
    return tuple(peril for peril in Peril if peril in insured)


def build_market_release(
    market: Market,
    models: Mapping[Peril, RiskModel],
    underwriting: Underwriting,
    base_rates: BaseRates,
    questions: tuple[Question, ...],
    recommendation_policy: RecommendationPolicy | None = None,
) -> MarketRelease:
    """Put a release together; raises `SpecError` when its parts do not fit each other.

    `questions` are those of the market; what the models ask of a profile is added.
    """
    needed = perils_of(market.catalogue)
    for kind, there in (("mean model", models), ("distribution", market.perils)):
        absent = [peril.value for peril in needed if peril not in there]
        if absent:
            message = f"the catalogue insures {', '.join(absent)}, but there is no {kind} of it"
            raise SpecError(message)
    for model in models.values():
        check_prices(model)
        _check_features(model)
    for edition in market.editions.editions:
        unrated = [
            n for n in market.catalogue.names if n not in base_rates.get(edition.edition, {})
        ]
        if unrated:
            message = f"edition {edition.edition} has no base rate of {', '.join(unrated)}"
            raise SpecError(message)
    asked = {question.name for question in questions}
    profile = _profile_questions(models, asked)
    release = MarketRelease(
        replace(market, perils={peril: market.perils[peril] for peril in needed}),
        {peril: models[peril] for peril in needed},
        underwriting,
        {edition: dict(rates) for edition, rates in base_rates.items()},
        (*profile, *questions),
        recommendation_policy,
        library_versions(),
    )
    return replace(release, hash=hash_of(_files(release)))


def with_inputs(release: MarketRelease, inputs: Mapping[str, Bins]) -> MarketRelease:
    """The release with the spread of its answers, against which a service tells drift."""
    told = replace(release, inputs=dict(inputs))
    return replace(told, hash=hash_of(_files(told)))


def with_advice(release: MarketRelease, advice: AdviceModels) -> MarketRelease:
    """The release with models that rank; raises as `AdviceModels.check` does."""
    advice.check(release.catalogue)
    told = replace(release, advice=advice)
    return replace(told, hash=hash_of(_files(told)))


def _check_features(model: RiskModel) -> None:
    """Raise `SpecError` for a model that reads what may not price."""
    by_name = {feature.name: feature for feature in FEATURES}
    for name in model.spec.features.names:
        if name in model.spec.features.cover:
            continue
        if name not in by_name or not by_name[name].purpose.allows(Purpose.PRICING):
            message = (
                f"model {model.spec.model.name} reads {name}, which is no feature that may price:"
                " train it without"
            )
            raise SpecError(message)


def _profile_questions(models: Mapping[Peril, RiskModel], asked: set[str]) -> tuple[Question, ...]:
    """The questions of all features that the models read.

    Raises `SpecError` where a model has not learnt what a question allows, or where a market's own
    question hides a feature that a model reads.
    """
    found = {}
    for model in models.values():
        features = model.spec.features
        for name in features.names:
            if name in features.cover:
                continue
            if name in asked:
                message = f"the market asks for {name} in its own levels: no model may read it"
                raise SpecError(message)
            question = next(f.question for f in FEATURES if f.name == name)
            unlearnt = set(question.levels) - set(model.levels.get(name, ()))
            silent = not question.required and name not in model.learnt_missing
            if (question.kind == "level" and unlearnt) or silent:
                what = f"{', '.join(sorted(unlearnt))}" if unlearnt else "it missing"
                message = (
                    f"model {model.spec.model.name} never saw {name} as {what}: train it on data"
                    " that have it, or list the feature as optional"
                )
                raise SpecError(message)
            found[name] = question
    return tuple(feature.question for feature in FEATURES if feature.name in found)


def save_market_release(release: MarketRelease, folder: Path) -> None:
    """Write the release to an empty or new folder, manifest last."""
    write_release_files(_files(release), folder, MARKET)


def load_market_release(folder: Path) -> MarketRelease:
    """The release of a market in `folder`.

    Raises `ReleaseError` when files are missing or differ from the manifest in a single byte.
    """
    digest, kind = check_release_files(folder)
    if kind != MARKET:
        message = f"{folder} is a {kind} release, not that of a market"
        raise ReleaseError(message)
    return replace(_from_files(folder), hash=digest)


def _from_files(folder: Path) -> MarketRelease:
    try:
        texts = {p.name: p.read_text(encoding="utf-8") for p in folder.glob("*.json")}
        points = json.loads(texts["induced_utilisation.json"])
        models = {
            Peril(path.name): RiskModel.load(path) for path in sorted((folder / "models").iterdir())
        }
        market = Market(
            Catalogue.model_validate_json(texts["catalogue.json"]),
            Editions.model_validate_json(texts["rate_book.json"]),
            perils_from_files(folder / "perils"),
            InducedUtilisation(tuple(points["actuarial_values"]), tuple(points["factors"])),
            date.fromisoformat(json.loads(texts["experience.json"])["middle"]),
        )
        return MarketRelease(
            market,
            models,
            Underwriting.model_validate_json(texts["underwriting.json"]),
            json.loads(texts["base_rates.json"]),
            pydantic.TypeAdapter(tuple[Question, ...]).validate_json(texts["questions.json"]),
            RecommendationPolicy.model_validate_json(texts[_POLICY]) if _POLICY in texts else None,
            json.loads(texts["versions.json"]),
            inputs=inputs_from(texts),
            advice=read_advice_models(folder / _ADVICE),
        )
    except (KeyError, ValueError, OSError) as error:
        message = f"{folder} is a release this version cannot read: {error}"
        raise ReleaseError(message) from error


def _files(release: MarketRelease) -> dict[str, bytes]:
    """The release as files by relative path; equal releases give equal bytes."""
    market, curve = release.market, release.market.utilisation
    policy = release.recommendation_policy
    return {
        **({} if policy is None else {_POLICY: to_json(policy.model_dump(mode="json"))}),
        **inputs_files(release.inputs),
        **{f"{_ADVICE}/{name}": content for name, content in release.advice.to_files().items()},
        "catalogue.json": to_json(market.catalogue.model_dump(mode="json")),
        "rate_book.json": to_json(market.editions.model_dump(mode="json")),
        "induced_utilisation.json": to_json(
            {"actuarial_values": curve.actuarial_values, "factors": curve.factors}
        ),
        "experience.json": to_json({"middle": market.experience_middle.isoformat()}),
        "underwriting.json": to_json(release.underwriting.model_dump(mode="json")),
        "base_rates.json": to_json(release.base_rates),
        "questions.json": to_json([q.model_dump(mode="json") for q in release.questions]),
        "versions.json": to_json(release.versions),
        **{
            f"models/{peril.value}/{name}": content
            for peril, model in release.models.items()
            for name, content in model.to_files().items()
        },
        **{f"perils/{name}": c for name, c in perils_to_files(market.perils).items()},
    }
