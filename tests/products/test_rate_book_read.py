import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from riskengine.errors import SpecError, UnknownNameError
from riskengine.products.rate_book_edition import Edition, numbers_in
from riskengine.products.rate_book_factors import FactorTable
from riskengine.products.rate_book_numbers import Basis
from riskengine.products.rate_book_read import read_editions
from tests.conftest import CATALOGUE
from tests.products.test_load import edit

US_2026, CN_2026 = "us_aca/rate_book_2026.yaml", "cn/rate_book_2026.yaml"
US, CN = read_editions(CATALOGUE / "us_aca"), read_editions(CATALOGUE / "cn")


@pytest.fixture
def market(tmp_path: Path) -> Path:
    """A copy of all markets, to be broken."""
    return Path(shutil.copytree(CATALOGUE, tmp_path / "catalogue"))


def line_of(path: Path, words: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(at for at, line in enumerate(lines, start=1) if words in line)


def test_the_federal_age_curve_is_as_published() -> None:
    age = US.on(date(2026, 1, 1)).tariff("medical").factors[0]
    at = np.array([0, 14, 15, 20, 21, 25, 30, 40, 46, 50, 58, 63, 64, 70], dtype=np.float64)
    published = [
        0.765, 0.765, 0.833, 0.970, 1, 1.004, 1.135, 1.278, 1.5, 1.786, 2.548, 2.952, 3, 3
    ]  # fmt: skip
    assert age.relativity({"age": at}).tolist() == published
    adults = age.relativities[age.limited]
    assert adults.max() / adults.min() == 3.0
    assert (np.diff(age.relativities) >= 0).all()
    assert age.basis is Basis.LAW


def test_two_editions_are_live_each_for_its_starts() -> None:
    assert US.on(date(2025, 12, 31)).edition == "us_aca-2025"
    assert US.on(date(2026, 1, 1)).edition == "us_aca-2026"
    assert CN.on(date(2040, 1, 1)).edition == "cn-2026"
    with pytest.raises(UnknownNameError, match="no edition for a start on 2024-12-31"):
        CN.on(date(2024, 12, 31))


@pytest.mark.parametrize("edition", [*US.editions, *CN.editions], ids=lambda one: one.edition)
def test_every_number_says_what_it_is(edition: Edition) -> None:
    numbers = list(numbers_in(edition))
    assert len(numbers) > 25
    for place, number in numbers:
        illustrative = number.reference.startswith(("Illustrative", "Premiums are monthly"))
        assert illustrative is (number.basis is Basis.ILLUSTRATIVE), place
    assert Edition.model_validate_json(edition.model_dump_json()) == edition


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (US_2026, "effective_from: 2026-01-01\n", "effective_from: 2026-01-02\n",
         "leaves a gap after edition us_aca-2025, which ends 2025-12-31: end that one on"),
        ("us_aca/rate_book_2025.yaml", "effective_to: 2025-12-31", "effective_to: null",
         "overlaps edition us_aca-2025, which is without end: end that one on 2025-12-31"),
        ("us_aca/rate_book_2025.yaml", "effective_to: 2025-12-31", "effective_to: 2026-02-01",
         "overlaps edition us_aca-2025, which ends 2026-02-01"),
        (US_2026, "edition: us_aca-2026", "edition: us_aca-2025",
         "edition=us_aca-2025: two editions have that name"),
        (US_2026, "- factor: rating_area", "- factor: sex",
         "sex may not move a premium in market us_aca (rule only_four_rating_factors: 42 U.S.C."),
        (US_2026, "cap: null",
         "cap: {value: 1, unit: u, basis: law, effective_from: 2025-01-01, reference: r}",
         "expiring_premium may not move a premium in market us_aca"),
        (CN_2026, "- factor: occupation_class", "- factor: genetic_test",
         "genetic_test may not move a premium in market cn (rule no_genetic_information"),
        (US_2026, "levels: [area_1, area_2, area_3]",
         "levels: [area_1, area_2, area_3, area_4]",
         "factor rating_area has no row for level area_4: add it"),
        (US_2026, "table: rate_book_area.csv", "table: rate_book_zone.csv",
         "table=rate_book_zone.csv: there is no such file"),
        (US_2026, "  commission: {value: 0.02,", "  comission: {value: 0.02,",
         "shares.comission"),
        (US_2026, "  commission: {value: 0.02,", "  commission: {value: 1.2,",
         "shares.commission.value=1.2: Input should be less than or equal to 1"),
        (US_2026, "  profit_margin: {value: 0.03,", "  profit_margin: {value: 0.2,",
         "for claims, less than the 0.8 of 45 CFR 158.210(c)"),
        (CN_2026, "  commission: {value: 0.15,", "  commission: {value: 0.9,",
         "add up to 1.05, which leaves nothing for claims"),
        (US_2026, "unit: \"USD per member and year\", ", "",
         "fixed_expense.unit is missing: add it"),
        (US_2026, "minimum_premium: null", "minimum_premium: 0",
         "minimum_premium=0: Input should be"),
        (US_2026, "collar: null\n", "", "collar is missing: add it"),
        (US_2026, "collar: null\n", "collar: null\ncollar: null\n",
         "collar is there twice"),
        (US_2026, "effective_from: 2018-01-01", "effective_from: 2027-01-01",
         "is in force from 2027-01-01 only, but the edition begins 2026-01-01"),
        (US_2026, "market: us_aca", "market: us",
         "market=us but the rules beside it are for us_aca"),
        ("us_aca/rate_book_rules.yaml", "    only: [household, rating_area, age, tobacco]\n", "",
         "give either `only`, all that may rate, or `forbids`"),
        (CN_2026, "      share: {value: 0.1,", "      share: {value: 0.15,",
         "share.value=0.15 is outside the bounds 0 to 0.1 of `family`"),
    ],
)  # fmt: skip
def test_a_broken_edition_names_file_line_and_what_to_do(
    market: Path, file: str, old: str, new: str, message: str
) -> None:
    edit(market / file, old, new)
    with pytest.raises(SpecError) as caught:
        read_editions(market / Path(file).parent)
    assert message in str(caught.value)
    assert ".yaml:" in str(caught.value) or ".csv:" in str(caught.value)


@pytest.mark.parametrize(
    ("file", "old", "new", "line", "message"),
    [
        ("rate_book_age.csv", "30,30,1.135", "31,31,1.135", 18,
         "has no band for 30 to 30: let one band begin where the other ends plus 1"),
        ("rate_book_age.csv", "30,30,1.135", "29,30,1.135", 18,
         "has a band from 29 that overlaps the one before"),
        ("rate_book_age.csv", "30,30,1.135", "30,,1.135", 19, "overlaps the one before"),
        ("rate_book_age.csv", "30,30,1.135", "30,30,-1", 18,
         "relativity=-1.0: Input should be greater than 0"),
        ("rate_book_age.csv", "30,30,1.135", "30,30,1;135", 18, "relativity is a number"),
        ("rate_book_age.csv", "30,30,1.135", "30.5,31,1.1", 18, "from and to are whole numbers"),
        ("rate_book_age.csv", "30,30,1.135", "30,30,1.135,2", 18, "there is no other column"),
        ("rate_book_age.csv", "30,30,1.135", "30,30,nan", 18, "relativity=nan: Input should be"),
        ("rate_book_age.csv", "from,to,", "from,until,", 1, "make them from, to, relativity"),
        ("rate_book_age.csv", "64,,3.000", "64,,3.100", 52,
         "spreads 3.1 to 1, more than the 3 to 1 of 45 CFR 147.102(a)(1)(iii)"),
        ("rate_book_age.csv", "20,20,0.970\n21,21,1.000", "20,21,0.970", 51,
         "spreads 3.09278 to 1, more than the 3 to 1"),
        ("rate_book_tobacco.csv", "yes,1.2", "yes,1.6", 3, "more than the 1.5 to 1"),
        ("rate_book_tobacco.csv", "yes,1.2", "no,1.2", 3, "has level no twice: keep one"),
        ("rate_book_tobacco.csv", "yes,1.2", "often,1.2", 3, "has a row of unknown level often"),
    ],
)  # fmt: skip
def test_a_broken_factor_table_names_its_own_line(
    market: Path, file: str, old: str, new: str, line: int, message: str
) -> None:
    path = market / "us_aca" / file
    edit(path, old, new)
    with pytest.raises(SpecError) as caught:
        read_editions(market / "us_aca")
    assert f"{path}:{line}: " in str(caught.value)
    assert message in str(caught.value)


def test_the_line_is_that_of_the_value(market: Path) -> None:
    path = market / "cn" / "rate_book_2026.yaml"
    edit(path, "  premium_tax: {value: 0.0,", "  premium_tax: {value: none,")
    with pytest.raises(SpecError) as caught:
        read_editions(market / "cn")
    assert f"{path}:{line_of(path, 'premium_tax')}: shares.premium_tax.value='none'" in str(
        caught.value
    )


def test_a_file_in_another_encoding_is_named(market: Path) -> None:
    path = market / "cn" / "rate_book_2026.yaml"
    path.write_bytes(path.read_text(encoding="utf-8").encode("gb18030"))
    with pytest.raises(SpecError, match=r"rate_book_2026\.yaml is not valid YAML in UTF-8"):
        read_editions(market / "cn")
    path = market / "us_aca" / "rate_book_tobacco.csv"
    path.write_bytes("level,relativity\n是,1.2\n".encode("gb18030"))
    with pytest.raises(SpecError, match=r"rate_book_tobacco\.csv is not in UTF-8"):
        read_editions(market / "us_aca")


def test_a_market_without_an_edition_is_refused(market: Path) -> None:
    for path in (market / "cn").glob("rate_book_20*.yaml"):
        path.unlink()
    with pytest.raises(SpecError, match="has no edition of a rate book: add rate_book_<year>"):
        read_editions(market / "cn")
    with pytest.raises(SpecError, match=r"cannot read .*rate_book_rules\.yaml"):
        read_editions(market / "study")


def test_what_an_edition_does_not_have_is_named() -> None:
    edition = US.on(date(2026, 1, 1))
    with pytest.raises(UnknownNameError, match="no tariff 'dental'; there are medical"):
        edition.tariff("dental")
    with pytest.raises(UnknownNameError, match="no actuarial value tier 'copper'"):
        edition.tier("copper")


def test_values_in_no_row_have_no_relativity() -> None:
    medical = CN.on(date(2026, 1, 1)).tariff("medical_expense")
    age, area = medical.factors[0], medical.factors[3]
    found = age.relativity({"age": np.array([-1.0, 65.0, 66.0, np.nan, np.inf])})
    assert found[1] == 4.8
    assert np.isnan(found[[0, 2, 3, 4]]).all()
    levels = np.array(["other", None, "third_tier"], dtype=object)
    assert area.relativity({"rating_area": levels})[0] == 0.9
    assert np.isnan(area.relativity({"rating_area": levels})[1:]).all()
    assert isinstance(age, FactorTable)
    assert age.allowed == "0 to 65"
