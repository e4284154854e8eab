"""The shipped rate books and a drawn book of members, for the tests of pricing."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from riskengine.products.rate_book_edition import Edition, Tariff
from riskengine.products.rate_book_read import read_editions
from riskengine.vocabulary import Columns, FloatArray
from tests.conftest import CATALOGUE

US = read_editions(CATALOGUE / "us_aca").on(date(2026, 1, 1))
CN = read_editions(CATALOGUE / "cn").on(date(2026, 1, 1))


@dataclass(frozen=True)
class Book:
    """n members: what a tariff may read and what it may not, premium, exposure."""

    edition: Edition
    tariff: Tariff
    columns: Columns
    technical: FloatArray
    exposure: FloatArray


def drawn_book(edition: Edition, tariff: str, size: int = 2000) -> Book:
    """A book whose technical premium hangs on health, income, and all that the tariff reads."""
    rng = np.random.default_rng(20)
    found = edition.tariff(tariff)
    columns = {
        "age": rng.uniform(0, 65.9, size),
        "chronic_disease_index": rng.gamma(2, 1, size),
        "household_income": rng.lognormal(10, 1, size),
        "expiring_premium": rng.lognormal(7, 1, size),
        "genetic_test": rng.choice(np.array(["clear", "carrier"], dtype=object), size),
    }
    effect = np.exp(0.02 * columns["age"] + 0.4 * columns["chronic_disease_index"])
    for table in found.factors:
        if table.levels is not None:
            columns[table.factor] = rng.choice(np.array(table.levels, dtype=object), size)
            effect *= 1 + 0.3 * (columns[table.factor] == table.levels[-1])
    effect *= np.where(columns["genetic_test"] == "carrier", 1.3, 1.0)
    return Book(edition, found, columns, 500 * effect, rng.uniform(0.1, 1, size))
