import dataclasses
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from riskengine.errors import ReleaseError, SpecError
from riskengine.pricing.perils import Incidence
from riskengine.products.benefit import Peril
from riskengine.release import Release, build_release, load_release, save_release
from riskengine.risk.continuance import Continuance
from riskengine.risk.model import RiskModel
from riskengine.risk.spec import Kind, ModelPurpose
from tests.golden.rewrite import KEPT_RELEASE


def with_design(model: RiskModel, **changes: object) -> RiskModel:
    """The model with other facts of its training."""
    ((predictor,),) = model.parts
    design = dataclasses.replace(predictor.design, **changes)  # type: ignore[arg-type]
    return dataclasses.replace(model, parts=((dataclasses.replace(predictor, design=design),),))


def rebuilt(release: Release, **changes: object) -> Release:
    parts = {
        "medical_spend": release.medical_spend,
        "utilisation": release.utilisation,
        "catalogue": release.catalogue,
        "rate_book": release.rate_book,
        "ranking_policy": release.ranking_policy,
        **changes,
    }
    return build_release(**parts)  # type: ignore[arg-type]


def test_a_release_comes_back_as_it_was(release: Release, tmp_path: Path) -> None:
    first = rebuilt(release)
    save_release(first, tmp_path)
    again = load_release(tmp_path)
    assert again.hash == first.hash
    assert again.rate_book == first.rate_book
    assert again.questions == first.questions
    assert again.medical_spend.to_files() == first.medical_spend.to_files()


def test_the_hash_moves_with_every_part_that_prices(release: Release) -> None:
    base = rebuilt(release).hash
    curve = dataclasses.replace(
        release.utilisation, factors=(0.5, *release.utilisation.factors[1:])
    )
    book = release.rate_book.model_copy(update={"edition": "other"})
    model = dataclasses.replace(release.medical_spend, balance_factor=1.0)
    others = {
        rebuilt(release, utilisation=curve).hash,
        rebuilt(release, rate_book=book).hash,
        rebuilt(release, medical_spend=model).hash,
    }
    assert len(others | {base}) == 4
    assert rebuilt(release).hash == base


def test_a_release_keeps_the_models_of_its_perils(release: Release, tmp_path: Path) -> None:
    cancer = {Peril.CANCER: Incidence({"in_situ": 0.2, "invasive": 0.8})}
    kept = rebuilt(release, perils=cancer)
    assert kept.hash != rebuilt(release).hash
    save_release(kept, tmp_path)
    assert load_release(tmp_path).perils == cancer
    path = tmp_path / "perils" / "cancer.json"
    path.write_text(path.read_text().replace("0.2", "0.3").replace("0.8", "0.7"))
    with pytest.raises(ReleaseError, match="changed after the release was built"):
        load_release(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["rate_book.json", "models/medical_spend/part0_seed0_forest0_booster0.txt", "manifest.json"],
)
def test_a_changed_byte_is_found(release: Release, tmp_path: Path, name: str) -> None:
    save_release(release, tmp_path)
    path = tmp_path / name
    text = path.read_text(encoding="utf-8")
    if name == "manifest.json":
        manifest = json.loads(text)
        manifest["files"].popitem()
        path.write_text(json.dumps(manifest), encoding="utf-8")
    else:
        path.write_text(text.replace("1", "2", 1), encoding="utf-8")
    with pytest.raises(ReleaseError, match="changed after the release was built"):
        load_release(tmp_path)


def test_folders_without_a_readable_release_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="holds no release"):
        load_release(tmp_path)
    (tmp_path / "manifest.json").write_text('{"format": 1}')
    with pytest.raises(ReleaseError, match="is no manifest of a release"):
        load_release(tmp_path)
    (tmp_path / "manifest.json").write_text('{"format": 99, "hash": "", "files": {}}')
    with pytest.raises(ReleaseError, match="has release format 99, this version reads 1"):
        load_release(tmp_path)


def test_parts_that_do_not_fit_are_refused(release: Release) -> None:
    elsewhere = release.rate_book.model_copy(update={"market": "mars"})
    with pytest.raises(SpecError, match="catalogue is for market study, rate book for mars"):
        rebuilt(release, rate_book=elsewhere)
    commission = release.rate_book.commission.values[0].model_copy(update={"value": 0.95})
    costly = release.rate_book.commission.model_copy(update={"values": (commission,)})
    with pytest.raises(SpecError, match=r"add up to 1\.06, which leaves nothing for claims"):
        rebuilt(release, rate_book=release.rate_book.model_copy(update={"commission": costly}))
    one_area = {**release.medical_spend.levels, "rating_area": ("1",)}
    narrow = with_design(release.medical_spend, levels=one_area)
    with pytest.raises(SpecError, match="rating_area may be answered 2, 3, 4, 5, 6, but model"):
        rebuilt(release, medical_spend=narrow)
    wild_then_calm = Continuance(
        np.array([100.0, 110.0]), np.array([0.0, 1.0, 50.0]), np.array([[0, 0.3, 1], [0, 1.0, 1]])
    )
    jumpy = dataclasses.replace(release.medical_spend, kept_continuance=wild_then_calm)
    with pytest.raises(SpecError, match=r"would charge a mean cost of .* fewer bands"):
        rebuilt(release, medical_spend=jumpy)
    never_missing = with_design(release.medical_spend, learnt_missing=frozenset({"sex"}))
    with pytest.raises(SpecError, match="may stay unanswered, but the model never saw them"):
        rebuilt(release, medical_spend=never_missing)


def test_the_release_of_an_earlier_version_still_loads() -> None:
    kept = load_release(KEPT_RELEASE)
    assert kept.versions["riskengine"] == "0.1.0"
    assert kept.hash == json.loads((KEPT_RELEASE / "manifest.json").read_text())["hash"]


def test_interest_shown_may_not_price(release: Release) -> None:
    features = release.medical_spend.spec.features
    watched = features.model_copy(update={"numeric": (*features.numeric, "page_views_90d")})
    spec = release.medical_spend.spec.model_copy(update={"features": watched})
    book = release.rate_book
    permitted = book.model_copy(
        update={"permitted_factors": (*book.permitted_factors, "page_views_90d")}
    )
    with pytest.raises(SpecError, match=r"reads page_views_90d, which may serve recommendation"):
        rebuilt(
            release, medical_spend=replace(release.medical_spend, spec=spec), rate_book=permitted
        )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": Kind.TWO_PART}, "is two_part: its predictions are no base times relativities"),
        ({"kind": Kind.BINARY}, "is binary: its predictions are no base times relativities"),
        ({"purpose": ModelPurpose.ANALYSIS}, "is for analysis, and guesses at levels"),
        ({"purpose": ModelPurpose.RECOMMENDATION}, "is for recommendation, and guesses"),
    ],
)
def test_what_cannot_price_enters_no_release(
    release: Release, changes: dict[str, object], message: str
) -> None:
    spec = release.medical_spend.spec
    other = spec.model_copy(update={"model": spec.model.model_copy(update=changes)})
    with pytest.raises(SpecError, match=message):
        rebuilt(release, medical_spend=replace(release.medical_spend, spec=other))
