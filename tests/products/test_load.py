import shutil
from datetime import date
from pathlib import Path

import pytest

from riskengine.errors import SpecError, UnknownNameError
from riskengine.products.load import read_catalogue, read_rate_book, shipped
from riskengine.products.rate_book import dates_of, loadings_on


@pytest.fixture
def market(tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped("study"), tmp_path / "study"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_shipped_market_is_complete() -> None:
    catalogue = read_catalogue(shipped("study"))
    assert catalogue.names == ("free_care", "coinsurance_20", "high_deductible", "catastrophic")
    for plan in catalogue.plans:
        for text in (plan.name, plan.summary, plan.exclusions, plan.how_to_claim):
            assert text.zh
            assert text.en
    loadings = loadings_on(read_rate_book(shipped("study")), date(2026, 1, 1))
    assert loadings.permissible_loss_ratio == 0.85
    assert loadings.fixed_expense == 12


FREE = "products/free_care.yaml"


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            FREE,
            "coinsurance: 0.0",
            "coinsurance: 1.5",
            ":15: benefits.medical.medical_expense.coinsurance=1.5: ",
        ),
        (FREE, "deductible: 0.0", "deductible: 9.0", "below the deductible 9: raise the one"),
        (
            FREE,
            "deductible: 0.0",
            "deductibles: 0.0",
            ":15: benefits.medical.medical_expense.deductibles is not known here: mend its name",
        ),
        (FREE, "product: free_care", "product: other", ":1: product='other': product and file"),
        (FREE, "medical_expense", "medical", ":15: benefits.medical: "),
        (
            FREE,
            "{zh: 全额保障计划, en: Free care}",
            "{en: Free care}",
            ":3: name.zh is missing",
        ),
        (
            FREE,
            "en: Dental care",
            "en: '' # Dental care",
            ":7: exclusions: there is no text in en: write it",
        ),
        (
            FREE,
            "{minimum: 0, maximum: 65}",
            "{minimum: 70, maximum: 65}",
            ":13: entry_age",
        ),
        (
            FREE,
            "entry_age:",
            "entry_age: {minimum: 1, maximum: 2}\nentry_age:",
            ":14: entry_age is there twice",
        ),
        ("market.yaml", "free_care, ", "free_car, ", "leaves out free_care"),
        ("market.yaml", "products: [", "products: [gold, ", "cannot read"),
        ("market.yaml", "products: [", "products: [[", "is not valid YAML"),
        ("rate_book.yaml", "unit: share of premium", "unit: ''", ":26: variable_expense.unit=''"),
        (
            "rate_book.yaml",
            "value: 0.05",
            "value: five",
            ":28: variable_expense.values.0.value='five'",
        ),
    ],
)
def test_a_broken_file_names_file_line_field_and_value(
    market: Path, file: str, old: str, new: str, message: str
) -> None:
    edit(market / file, old, new)
    read = read_rate_book if file == "rate_book.yaml" else read_catalogue
    with pytest.raises(SpecError) as caught:
        read(market)
    assert message in str(caught.value)
    assert ".yaml" in str(caught.value)


def test_a_number_that_is_not_there_raises() -> None:
    book = read_rate_book(shipped("study"))
    with pytest.raises(UnknownNameError, match="has no value on 2020-12-31: give a date from 2021"):
        loadings_on(book, date(2020, 12, 31))
    with pytest.raises(UnknownNameError, match="unknown plan 'gold'; there are free_care"):
        read_catalogue(shipped("study")).plan("gold")
    with pytest.raises(
        SpecError, match="no catalogue for market 'mars'; there are cn, study, us_aca"
    ):
        shipped("mars")


def test_a_later_value_takes_over_on_its_day(market: Path) -> None:
    edit(
        market / "rate_book.yaml",
        '    - {value: 12.0, effective_from: 2021-01-01, reference: "Demonstration',
        '    - {value: 9.0, effective_from: 2020-01-01, reference: "Earlier"}\n'
        '    - {value: 12.0, effective_from: 2021-01-01, reference: "Demonstration',
    )
    book = read_rate_book(market)
    assert book.fixed_expense.on(date(2020, 12, 31), "fixed_expense") == 9
    assert loadings_on(book, date(2021, 1, 1)).fixed_expense == 12
    assert dates_of(book) == [date(2021, 1, 1)]


@pytest.mark.parametrize("day", ["2021-01-01", "2020-12-31"])
def test_values_of_a_rate_book_have_rising_dates(market: Path, day: str) -> None:
    path = market / "rate_book.yaml"
    first = '    - {value: 12.0, effective_from: 2021-01-01, reference: "Demonstration'
    later = f'    - {{value: 15.0, effective_from: {day}, reference: "Later"}}\n'
    text = path.read_text(encoding="utf-8")
    at = text.index("\n", text.index(first)) + 1
    path.write_text(text[:at] + later + text[at:], encoding="utf-8")
    line = text[:at].count("\n") + 1
    with pytest.raises(SpecError) as caught:
        read_rate_book(market)
    assert str(caught.value) == (
        f"{path}:{line}: fixed_expense.values.1.effective_from: {day} is not after 2021-01-01 of"
        " the value before: list values oldest first, one for each day"
    )
