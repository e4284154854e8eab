"""A release: the one frozen, content-hashed set of everything that decides a price.

Models, induced utilisation, catalogue, rate book, ranking policy, questions and library versions
are written as text files; the hash is over their bytes, so two releases with one hash price alike.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import pydantic

from riskengine.errors import ReleaseError, SpecError
from riskengine.pricing.peril_files import perils_from_files, perils_to_files
from riskengine.pricing.perils import PerilModel
from riskengine.pricing.rating import check_order, check_permitted, check_prices
from riskengine.pricing.utilisation import InducedUtilisation
from riskengine.products.benefit import Peril
from riskengine.products.product import Catalogue
from riskengine.products.rate_book import Loadings, RateBook, dates_of, loadings_on
from riskengine.profiles.drift import Bins
from riskengine.profiles.feature import Purpose
from riskengine.profiles.features import FEATURES
from riskengine.profiles.questions import Question
from riskengine.recommendation.policy import RankingPolicy
from riskengine.release_files import (
    STUDY,
    check_release_files,
    hash_of,
    inputs_files,
    inputs_from,
    library_versions,
    to_json,
    write_release_files,
)
from riskengine.risk.model import RiskModel


@dataclass(frozen=True)
class Release:
    """What prices. Build with `build_release`, keep with `save_release`.

    `perils` are the distributions that benefits of services, days and events are priced on. `hash`
    is the SHA-256 over the release's files, 64 hexadecimal digits. `inputs` is how each answer was
    spread when the release was trained; empty where that was not kept.
    """

    medical_spend: RiskModel
    utilisation: InducedUtilisation
    catalogue: Catalogue
    rate_book: RateBook
    ranking_policy: RankingPolicy
    questions: tuple[Question, ...]
    versions: dict[str, str]
    perils: Mapping[Peril, PerilModel] = field(default_factory=dict)
    hash: str = ""
    inputs: Mapping[str, Bins] = field(default_factory=dict)

    def loadings(self, as_of: date) -> Loadings:
        """The rate book's loadings in force on `as_of`."""
        return loadings_on(self.rate_book, as_of)


def build_release(
    medical_spend: RiskModel,
    utilisation: InducedUtilisation,
    catalogue: Catalogue,
    rate_book: RateBook,
    ranking_policy: RankingPolicy,
    perils: Mapping[Peril, PerilModel] | None = None,
) -> Release:
    """Put a release together; raises `SpecError` when its parts do not fit each other."""
    if catalogue.market != rate_book.market:
        message = f"catalogue is for market {catalogue.market}, rate book for {rate_book.market}"
        raise SpecError(message)
    check_prices(medical_spend)
    check_permitted(medical_spend, rate_book)
    _check_numbers(rate_book, ranking_policy)
    features = medical_spend.spec.features
    by_name = {feature.name: feature for feature in FEATURES}
    asked = [name for name in features.names if name not in features.cover]
    unknown = [name for name in asked if name not in by_name]
    if unknown:
        message = f"model {medical_spend.spec.model.name} reads no known feature: {unknown}"
        raise SpecError(message)
    barred = [name for name in asked if not by_name[name].purpose.allows(Purpose.PRICING)]
    if barred:
        message = (
            f"model {medical_spend.spec.model.name} reads {', '.join(barred)}, which may serve"
            " recommendation but no price: train it without them"
        )
        raise SpecError(message)
    questions = tuple(feature.question for feature in FEATURES if feature.name in asked)
    for day in dates_of(rate_book):
        check_order(medical_spend, utilisation, catalogue.plans, loadings_on(rate_book, day))
    _check_questions(medical_spend, questions)
    release = Release(
        medical_spend,
        utilisation,
        catalogue,
        rate_book,
        ranking_policy,
        questions,
        library_versions(),
        perils or {},
    )
    return replace(release, hash=hash_of(_files(release)))


def with_inputs(release: Release, inputs: Mapping[str, Bins]) -> Release:
    """The release with the spread of its answers, against which a service tells drift."""
    told = replace(release, inputs=dict(inputs))
    return replace(told, hash=hash_of(_files(told)))


def _check_questions(medical_spend: RiskModel, questions: tuple[Question, ...]) -> None:
    """Raise `SpecError` when a permitted answer is one the model has not learnt."""
    for question in questions:
        unlearnt = set(question.levels) - set(medical_spend.levels.get(question.name, ()))
        if question.kind == "level" and unlearnt:
            message = (
                f"{question.name} may be answered {', '.join(sorted(unlearnt))}, but model"
                f" {medical_spend.spec.model.name} never saw that: train on data that have it"
            )
            raise SpecError(message)
    cannot_be_missing = [
        q.name for q in questions if not q.required and q.name not in medical_spend.learnt_missing
    ]
    if cannot_be_missing:
        message = (
            f"{', '.join(cannot_be_missing)} may stay unanswered, but the model never saw them"
            " missing: list them as optional in the model spec"
        )
        raise SpecError(message)


def _check_numbers(rate_book: RateBook, ranking_policy: RankingPolicy) -> None:
    """Raise `SpecError` when a number in force on some day cannot price."""
    for day in dates_of(rate_book):
        try:
            loadings_on(rate_book, day)
        except pydantic.ValidationError as error:
            fault = error.errors()[0]
            message = f"rate book {rate_book.edition} on {day}: {fault['loc'][0]} {fault['msg']}"
            raise SpecError(message) from error
    low = [v for v in ranking_policy.risk_aversion.values if v.value < 1]
    if low:
        message = (
            f"ranking policy {ranking_policy.edition}: risk_aversion {low[0].value:g} from"
            f" {low[0].effective_from} must be 1 or more"
        )
        raise SpecError(message)


def save_release(release: Release, folder: Path) -> None:
    """Write the release to an empty or new folder, manifest last."""
    write_release_files(_files(release), folder)


def load_release(folder: Path) -> Release:
    """The release in `folder`.

    Raises `ReleaseError` when files are missing or differ from the manifest in a single byte.
    """
    digest, kind = check_release_files(folder)
    if kind != STUDY:
        message = f"{folder} is a release of a {kind}: price it with the functions of markets"
        raise ReleaseError(message)
    return replace(_from_files(folder), hash=digest)


def _from_files(folder: Path) -> Release:
    try:
        texts = {p.name: p.read_text(encoding="utf-8") for p in folder.glob("*.json")}
        points = json.loads(texts["induced_utilisation.json"])
        questions = pydantic.TypeAdapter(tuple[Question, ...])
        return Release(
            medical_spend=RiskModel.load(folder / "models" / "medical_spend"),
            utilisation=InducedUtilisation(
                tuple(points["actuarial_values"]), tuple(points["factors"])
            ),
            catalogue=Catalogue.model_validate_json(texts["catalogue.json"]),
            rate_book=RateBook.model_validate_json(texts["rate_book.json"]),
            ranking_policy=RankingPolicy.model_validate_json(texts["ranking_policy.json"]),
            questions=questions.validate_json(texts["questions.json"]),
            versions=json.loads(texts["versions.json"]),
            perils=perils_from_files(folder / "perils"),
            inputs=inputs_from(texts),
        )
    except (KeyError, ValueError) as error:
        message = f"{folder} is a release this version cannot read: {error}"
        raise ReleaseError(message) from error


def _files(release: Release) -> dict[str, bytes]:
    """The release as files by relative path; equal releases give equal bytes."""
    curve = release.utilisation
    model = release.medical_spend.to_files()
    return {
        **inputs_files(release.inputs),
        "induced_utilisation.json": to_json(
            {"actuarial_values": curve.actuarial_values, "factors": curve.factors}
        ),
        "catalogue.json": to_json(release.catalogue.model_dump(mode="json")),
        "rate_book.json": to_json(release.rate_book.model_dump(mode="json")),
        "ranking_policy.json": to_json(release.ranking_policy.model_dump(mode="json")),
        "questions.json": to_json([q.model_dump(mode="json") for q in release.questions]),
        "versions.json": to_json(release.versions),
        **{f"models/medical_spend/{name}": content for name, content in model.items()},
        **{f"perils/{name}": c for name, c in perils_to_files(release.perils).items()},
    }
