"""Files of a market that do not fit each other are refused when it is read, before any fit."""

import shutil
from pathlib import Path

import pytest

from riskengine.errors import SpecError
from riskengine.market_training import read_market
from tests.conftest import CATALOGUE
from tests.products.test_load import edit
from tests.products.test_rate_book_read import line_of

CANCER, CITY = "cn/products/cancer.yaml", "cn/products/city_supplement.yaml"


@pytest.fixture
def market(tmp_path: Path) -> Path:
    """A copy of all markets, to be broken."""
    return Path(shutil.copytree(CATALOGUE, tmp_path / "catalogue"))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (CITY, "tariff: city_supplement", "tariff: city",
         "tariff=city, and edition cn-2025 has medical_expense, hospital_cash, critical_illness,"),
        ("us_aca/products/metal.yaml", "tariff: medical", "tariff: dental",
         "tariff=dental, and edition us_aca-2025 has medical: name one of them"),
        (CITY, "entry_age: {minimum: 0, maximum: 105}", "entry_age: {minimum: 0, maximum: 120}",
         "entry_age=0 to 120, but tariff city_supplement of edition cn-2025 rates 0 to 105: add"),
        (CANCER, "stage: invasive", "stage: spread",
         "stages.1.stage=spread is in no events; events.yaml has in_situ, invasive: name one"),
        (CITY, '{social_insurance: ["yes"]}', "{social_insurance: [ja]}",
         "suitability.required_answers.social_insurance=ja can be no answer; there are no, yes:"),
        (CITY, '{social_insurance: ["yes"]}', '{city: ["yes"]}',
         "required_answers.city=yes can be no answer; there are none, for it is not asked: mend"),
        ("cn/market.yaml", "currency: CNY", "currency: USD",
         "currency=USD but edition cn-2025 of the rate book is in CNY: mend one"),
        ("us_aca/market.yaml", "market: us_aca", "market: us",
         "market=us but the rate book is for us_aca: mend one"),
        ("cn/events.yaml", "market: cn", "market: us_aca",
         "market=us_aca but the rate book is for cn: mend one"),
    ],
)  # fmt: skip
def test_files_that_do_not_fit_are_told_by_line(
    market: Path, file: str, old: str, new: str, message: str
) -> None:
    path = market / file
    edit(path, old, new)
    with pytest.raises(SpecError) as caught:
        read_market(market / Path(file).parts[0])
    assert str(caught.value).startswith(f"{path}:{line_of(path, new)}: ")
    assert message in str(caught.value)


def test_a_plan_without_a_tariff_is_told_what_there_is(market: Path) -> None:
    path = market / CITY
    edit(path, "tariff: city_supplement\n", "")
    with pytest.raises(SpecError, match=r"city_supplement\.yaml:1: tariff is missing: name one of"):
        read_market(market / "cn")


def test_an_edition_in_another_currency_is_told(market: Path) -> None:
    edit(market / "cn" / "rate_book_2026.yaml", "currency: CNY", "currency: USD")
    with pytest.raises(
        SpecError, match=r"market\.yaml:3: currency=CNY but edition cn-2026 of the "
    ):
        read_market(market / "cn")


def test_a_tariff_that_one_edition_lacks_is_told(market: Path) -> None:
    edit(market / "cn" / "rate_book_2026.yaml", "- tariff: cancer", "- tariff: tumour")
    with pytest.raises(SpecError, match=r"cancer\.yaml:2: tariff=cancer, and edition cn-2026 has"):
        read_market(market / "cn")


def test_events_that_nothing_recognises_are_told(market: Path) -> None:
    path = market / "cn" / "events.yaml"
    edit(path, "peril: cancer", "peril: visits")
    with pytest.raises(SpecError) as caught:
        read_market(market / "cn")
    line = line_of(market / CANCER, "peril: cancer")
    assert f"{market / CANCER}:{line}: benefits." in str(caught.value)
    assert "peril=cancer has no events: say in events.yaml what is a case" in str(caught.value)


def test_severity_is_the_order_of_the_events_not_of_the_file(market: Path) -> None:
    path = market / CANCER
    text = path.read_text(encoding="utf-8")
    first, second = (line for line in text.splitlines() if "stage: in" in line)
    assert "in_situ" in first
    milder, graver = first.replace("share: 0.2", "share: 1.0"), second.replace("1.0", "0.2")
    edit(path, f"{first}\n{second}", f"{graver}\n{milder}")
    with pytest.raises(SpecError) as caught:
        read_market(market / "cn")
    assert f"{path}:{line_of(path, 'in_situ')}: benefits." in str(caught.value)
    assert "stage=in_situ is milder than invasive by events.yaml: list" in str(caught.value)
    edit(path, f"{graver}\n{milder}", f"{milder}\n{graver}")
    with pytest.raises(SpecError, match=r"pays 0\.2 of the sum insured, less than the milder"):
        read_market(market / "cn")
