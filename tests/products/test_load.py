import shutil
from datetime import date
from pathlib import Path

import pytest

from riskengine.errors import SpecError, UnknownNameError
from riskengine.products.load import read_catalogue, read_rate_book, shipped
from riskengine.products.rate_book import loadings_on


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


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("plans/free_care.yaml", "coinsurance: 0.0", "coinsurance: 1.5", "benefit.coinsurance=1.5"),
        ("plans/free_care.yaml", "deductible: 0.0", "deductible: 9.0", "below the deductible 9"),
        ("plans/free_care.yaml", "deductible: 0.0", "deductibles: 0.0", "benefit.deductibles=0.0"),
        ("plans/free_care.yaml", "plan: free_care", "plan: other", "file and plan must agree"),
        (
            "plans/free_care.yaml",
            "{zh: 全额保障计划, en: Free care}",
            "{en: Free care}",
            "name.zh=",
        ),
        ("market.yaml", "free_care, ", "free_car, ", "cannot read"),
        ("market.yaml", "plans: [", "plans: [[", "is not valid YAML"),
        ("rate_book.yaml", "unit: share of premium", "unit: ''", "variable_expense.unit=''"),
        ("rate_book.yaml", "value: 0.05", "value: five", "variable_expense.values.0.value='five'"),
    ],
)
def test_a_broken_file_names_file_field_and_value(
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
        '    - {value: 15.0, effective_from: 2026-07-01, reference: "Later"}\n'
        '    - {value: 12.0, effective_from: 2021-01-01, reference: "Demonstration',
    )
    book = read_rate_book(market)
    assert loadings_on(book, date(2026, 6, 30)).fixed_expense == 12
    assert loadings_on(book, date(2026, 7, 1)).fixed_expense == 15
