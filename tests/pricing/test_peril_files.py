"""Models of perils come back from files as they were, and broken files are named."""

import json
from pathlib import Path

import numpy as np
import pytest

from riskengine.errors import ReleaseError
from riskengine.pricing.peril_files import perils_from_files, perils_to_files
from riskengine.products.benefit import Peril
from riskengine.risk.continuance import Continuance
from tests.golden.markets import KEPT_PERILS


def test_models_of_every_kind_come_back_byte_for_byte(tmp_path: Path) -> None:
    lev = Continuance(np.ones(1), np.array([0.0, 1.0, 2.0]), np.array([[0.0, 0.8, 1.0]]))
    perils = {**perils_from_files(KEPT_PERILS), Peril.MEDICAL_SPEND: lev}
    files = perils_to_files(perils)
    kinds = {json.loads(content)["kind"] for content in files.values()}
    assert kinds == {"continuance", "person_years", "stays", "incidence"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    assert perils_to_files(perils_from_files(tmp_path)) == files


def test_the_kept_experience_is_read_as_it_was_written() -> None:
    """Kept from version 0.1.0: an earlier file must load."""
    kept = {path.name: path.read_bytes() for path in KEPT_PERILS.glob("*.json")}
    assert perils_to_files(perils_from_files(KEPT_PERILS)) == kept


def test_there_are_no_models_where_there_is_no_folder(tmp_path: Path) -> None:
    assert perils_from_files(tmp_path / "perils") == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cancer.json", "{"),
        ("cancer.json", '{"format": 1, "kind": "guess"}'),
        ("cancer.json", '{"format": 1, "kind": "incidence", "shares": {"invasive": 0.5}}'),
        ("cancer.json", '{"format": 9, "kind": "incidence", "shares": {"invasive": 1.0}}'),
        ("luck.json", '{"format": 1, "kind": "incidence", "shares": {"good": 1.0}}'),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ReleaseError, match=f"{name} holds no readable model of a peril"):
        perils_from_files(tmp_path)
