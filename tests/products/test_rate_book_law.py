"""What the law forbids and where it sets a limit, held against the editions of each market."""

import shutil
from pathlib import Path

import pytest

from riskengine.errors import SpecError
from riskengine.products.rate_book_read import read_editions
from tests.conftest import CATALOGUE
from tests.products.test_load import edit
from tests.products.test_rate_book_read import CN_2026, US, US_2026, line_of


@pytest.fixture
def market(tmp_path: Path) -> Path:
    """A copy of all markets, to be broken."""
    return Path(shutil.copytree(CATALOGUE, tmp_path / "catalogue"))


@pytest.mark.parametrize(
    ("name", "begin", "barred"),
    [
        ("us_aca", "2026-12-31", "tobacco"),
        ("cn", "2025-12-31", "social_insurance"),
        ("cn", "2040-01-01", "social_insurance"),
    ],
)
def test_a_rule_that_begins_within_an_edition_binds_it(
    market: Path, name: str, begin: str, barred: str
) -> None:
    rules = market / name / "rate_book_rules.yaml"
    later = (
        f"rules:\n  - {{rule: later, effective_from: {begin}, reference: x, forbids: [{barred}]}}\n"
    )
    edit(rules, "rules:\n", later)
    with pytest.raises(SpecError) as caught:
        read_editions(market / name)
    year = "2025" if begin.startswith("2025") else "2026"
    path = market / name / f"rate_book_{year}.yaml"
    line = line_of(path, f"factor: {barred}")
    assert f"{path}:{line}: tariffs.0.factors." in str(caught.value)
    assert f": {barred} may not move a premium in market {name} (rule later: x)" in str(
        caught.value
    )
    assert f"or end this edition before the rule begins on {begin}" in str(caught.value)


def test_a_rule_that_begins_after_all_editions_binds_none(market: Path) -> None:
    later = (
        "rules:\n  - {rule: later, effective_from: 2027-01-01, reference: x, forbids: [tobacco]}\n"
    )
    edit(market / "us_aca" / "rate_book_rules.yaml", "rules:\n", later)
    assert read_editions(market / "us_aca").editions == US.editions


AGE_RATIO = 'maximum_ratio: {value: 3.0, unit: "highest over lowest relativity of adults"'
TOBACCO_RATIO = 'maximum_ratio: {value: 1.5, unit: "highest over lowest relativity"'
BELOW, ABOVE = "  below: {value: 0.0,", "  above: {value: 0.0,"
RULES = "rate_book_rules.yaml"


def without(path: Path, words: str, to: str) -> None:
    """Write `to` for the rest of the line from `words` on."""
    lines = path.read_text(encoding="utf-8").splitlines()
    at = line_of(path, words) - 1
    lines[at] = lines[at][: lines[at].index(words)] + to
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "words", "message"),
    [
        (US_2026, AGE_RATIO,
         "factors.0.maximum_ratio=null, but market us_aca has a limit: give the 3 (highest over"),
        (US_2026, TOBACCO_RATIO,
         "factors.1.maximum_ratio=null, but market us_aca has a limit: give the 1.5 (highest over"),
        (US_2026, "minimum_loss_ratio: {",
         "minimum_loss_ratio=null, but market us_aca has a limit: give the 0.8 (share of premium"),
    ],
)  # fmt: skip
def test_an_edition_without_a_limit_of_law_is_refused(
    market: Path, file: str, words: str, message: str
) -> None:
    path = market / file
    line = line_of(path, words)
    without(path, words, f"{words.split(':')[0]}: null")
    with pytest.raises(SpecError) as caught:
        read_editions(path.parent)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (US_2026, AGE_RATIO, AGE_RATIO.replace("3.0", "4.0"),
         "factors.0.maximum_ratio.value=4 is above the 3 (highest over lowest relativity"),
        (US_2026, TOBACCO_RATIO, TOBACCO_RATIO.replace("1.5", "1.6"),
         "factors.1.maximum_ratio.value=1.6 is above the 1.5 (highest over lowest relativity) of"),
        (US_2026, "ratio_from: {value: 21", "ratio_from: {value: 30",
         "factors.0.ratio_from.value=30 keeps bands out of the 3 (highest over lowest"),
        (US_2026, "minimum_loss_ratio: {value: 0.8", "minimum_loss_ratio: {value: 0.75",
         "minimum_loss_ratio.value=0.75 is below the 0.8 (share of premium after tax and fees) of"),
        (CN_2026, BELOW, BELOW.replace("0.0", "0.3"),
         "float_band.below.value=0.3 is above the 0 (share of the filed premium) of 《"),
        (CN_2026, ABOVE, ABOVE.replace("0.0", "0.3"),
         "float_band.above.value=0.3 is above the 0 (share of the filed premium) of 《"),
    ],
)  # fmt: skip
def test_an_edition_beyond_a_limit_of_law_is_refused(
    market: Path, file: str, old: str, new: str, message: str
) -> None:
    path = market / file
    edit(path, old, new)
    with pytest.raises(SpecError) as caught:
        read_editions(path.parent)
    assert f"{path}:{line_of(path, new)}: " in str(caught.value)
    assert message in str(caught.value)


def test_where_nothing_may_float_no_band_is_needed(market: Path) -> None:
    path = market / CN_2026
    text = path.read_text(encoding="utf-8")
    band = text[text.index("float_band:") : text.index("cap:")]
    edit(path, band, "float_band: null\n")
    assert read_editions(path.parent).editions[-1].float_band is None


def test_a_later_limit_replaces_the_one_before(market: Path) -> None:
    rules = market / "us_aca" / RULES
    later = "  - {limit: minimum_loss_ratio, value: %s, unit: x, basis: law, effective_from: %s,"
    later += " reference: y}\n"
    edit(rules, "limits:\n", "limits:\n" + later % (0.7, "2024-01-01"))
    edit(market / US_2026, "minimum_loss_ratio: {value: 0.8", "minimum_loss_ratio: {value: 0.7")
    assert read_editions(rules.parent).editions[-1].minimum_loss_ratio is not None
    edit(rules, "limits:\n", "limits:\n" + later % (0.9, "2026-07-01"))
    with pytest.raises(
        SpecError, match=r"=0\.7 is below the 0\.9 .* raise it; or end this edition"
    ):
        read_editions(rules.parent)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("factor: tobacco, ", "", "give `factor`, and `ratio_from` if need be, for factor_ratio"),
        ("limit: minimum_loss_ratio,", "limit: minimum_loss_ratio, factor: age,", "give `factor`"),
        ("limit: minimum_loss_ratio,", "limit: least_loss_ratio,", "limits.2.limit='least_loss"),
        ("effective_from: 2011-01-01, ", "", "limits.2.effective_from is missing: add it"),
    ],
)
def test_a_broken_limit_names_its_line(market: Path, old: str, new: str, message: str) -> None:
    rules = market / "us_aca" / RULES
    edit(rules, old, new)
    with pytest.raises(SpecError, match=r"rate_book_rules\.yaml:1\d: ") as caught:
        read_editions(rules.parent)
    assert message in str(caught.value)
