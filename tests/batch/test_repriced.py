"""One price everywhere: engine, chunks, live quotes, their replay, the registered model.

On mixed policies; a test of Spark compares the same kernel there.
"""

from datetime import date
from types import SimpleNamespace

import numpy as np
import pyarrow as arrow
import pytest

from riskengine.batch.portfolio import EXPIRING, amounts, portfolio_columns, texts
from riskengine.batch.repriced import ODD_ANSWER, Kernel, kernel_of, pricing_of
from riskengine.errors import InputError
from riskengine.market_engine import opened, reprice_book
from riskengine.market_release import MarketRelease
from riskengine.pricing.impact import reason_codes, standing_parts, toward
from riskengine.products.underwriting import Severity
from riskengine.pyfunc.release_model import ReleaseModel
from riskengine.service.quoting import Asked, Known, price
from riskengine.tables import among
from riskengine.vocabulary import Columns
from tests.batch.books import book_of
from tests.golden.market_releases import MARKETS, kept_release
from tests.test_market_engine import HEALTHY

AS_OF = date(2026, 7, 1)
SIZE, LIVE, CHUNK = 10_000, 5_000, 1_777
"""`LIVE` are quoted one by one: with both markets ten thousand policies."""


@pytest.fixture(scope="module", params=MARKETS)
def kernel(request: pytest.FixtureRequest) -> Kernel:
    return kernel_of(pricing_of((kept_release(request.param),), AS_OF))


@pytest.fixture(scope="module")
def book(kernel: Kernel) -> arrow.Table:
    return book_of(kernel.releases[0], SIZE)


@pytest.fixture(scope="module")
def priced(kernel: Kernel, book: arrow.Table) -> arrow.Table:
    """The book in chunks, as the job prices it."""
    found = [kernel.price(book.slice(start, CHUNK)) for start in range(0, SIZE, CHUNK)]
    assert not any(one.reasons for one in found)
    return arrow.concat_tables([one.table for one in found])


def market_of(kernel: Kernel) -> MarketRelease:
    (release,) = kernel.releases
    assert isinstance(release, MarketRelease)
    return release


def healthy(release: MarketRelease, book: arrow.Table) -> arrow.Table:
    """The book with answers that underwriting accepts."""
    for name in release.underwriting.fields:
        answer = HEALTHY[release.catalogue.market][name]
        column = arrow.array([answer] * book.num_rows)
        book = book.set_column(book.schema.names.index(name), name, column)
    return book


def cents(table: arrow.Table) -> list[int]:
    return [int(100 * premium) for premium in table["offered_premium"].to_pylist()]


def test_chunks_are_the_engine_in_one_call(
    kernel: Kernel, book: arrow.Table, priced: arrow.Table
) -> None:
    columns, plans = portfolio_columns(book, kernel.releases), texts(book, "plan")
    expiring = amounts(book, EXPIRING)
    engine = reprice_book(market_of(kernel), columns, plans, AS_OF, expiring)
    assert cents(priced) == engine.offered_cents.tolist()
    assert priced["technical_premium"].to_numpy().tolist() == engine.technical_premium.tolist()
    assert {name for name in kernel.steps if name not in engine.steps} <= {"cap", "collar"}
    for name, effect in engine.steps.items():
        assert priced[f"step_{name}"].to_numpy().tolist() == effect.tolist()


def test_chunks_are_live_quotes_and_the_registered_model(kernel: Kernel, book: arrow.Table) -> None:
    """Applicants whom underwriting accepts pay what a renewal without expiring premium pays."""
    release = market_of(kernel)
    alone = healthy(release, book.drop_columns([EXPIRING]))
    found = kernel.price(alone).table
    columns, plans = portfolio_columns(alone, kernel.releases), texts(alone, "plan")
    able = np.ones(SIZE, dtype=bool)
    for plan in release.catalogue.plans:
        age = columns["age"].astype(np.float64)
        able &= ~((plans == plan.plan) & plan.entry_age.outside(age))
        for field, levels in plan.suitability.required_answers.items():
            able &= (plans != plan.plan) | among(columns[field], levels)
    if release.underwriting.rules:
        able &= texts(found, "underwriting") == "accept"
    rows = np.flatnonzero(able)[:LIVE]
    assert len(rows) == LIVE
    paid = cents(found)
    wanted = [paid[row] for row in rows]
    asked = [question.name for question in release.questions]
    answers = alone.take(arrow.array(rows)).select(asked).to_pylist()
    live, again = [], []
    for row, given in zip(rows, answers, strict=True):
        # A live quote as the service prices it, and as it is replayed from what was kept.
        quote = Asked(AS_OF, (Known(given),), (plans[row],))
        for paid_by, how in ((live, quote), (again, Asked.from_json(quote.to_json()))):
            paid_by.append(price(release, how).premiums[plans[row]])
    assert live == [f"{amount / 100:.2f}" for amount in wanted]
    assert again == live
    context = SimpleNamespace(artifacts={"release": str(kernel.pricing.folders[0])})
    model = ReleaseModel()
    model.load_context(context)
    frame = alone.take(arrow.array(rows)).select([*asked, "plan"]).to_pandas()
    told = model.predict(context, frame, {"as_of": AS_OF.isoformat()})
    assert told["offered_premium"].tolist() == [amount / 100 for amount in wanted]


def test_flags_are_those_of_underwriting(
    kernel: Kernel, book: arrow.Table, priced: arrow.Table
) -> None:
    release = market_of(kernel)
    if not release.underwriting.rules:
        assert priced["underwriting"].null_count == SIZE
        return
    odd = np.zeros(SIZE, dtype=bool)
    columns = portfolio_columns(book, kernel.releases)
    for answer in release.underwriting.answers:
        odd |= answer.odd(columns[answer.field])
    flags = priced["underwriting_flags"].to_pylist()
    assert [ODD_ANSWER in of_row for of_row in flags] == odd.tolist()
    outcomes = priced["underwriting"].to_pylist()
    assert {o.upper() for o, is_odd in zip(outcomes, odd, strict=True) if is_odd} <= {
        Severity.REFER.name, Severity.DECLINE.name
    }  # fmt: skip
    assert all(not f for f, o in zip(flags, outcomes, strict=True) if o == "accept")
    known = {rule.rule for rule in release.underwriting.rules}
    assert {flag for of_row in flags for flag in of_row} <= known | {ODD_ANSWER}


def test_the_edition_names_every_step(kernel: Kernel) -> None:
    edition = opened(market_of(kernel), AS_OF, renewal=True).edition
    factors = {table.factor for tariff in edition.tariffs for table in tariff.factors}
    assert factors < set(kernel.steps)
    assert (kernel.steps[0], kernel.steps[-1]) == ("base_rate", "offered_premium")
    assert ("cap" in kernel.steps) == (edition.cap is not None)


class OneBad(Kernel):
    """A kernel that cannot price policy p0000007, and says so of the whole table it is in."""

    def _table(self, policies: arrow.Table, columns: Columns) -> arrow.Table:
        if "p0000007" in policies["policy_id"].to_pylist():
            message = "an annual mean of 9e9 cannot be priced"
            raise InputError(message)
        return super()._table(policies, columns)


def test_a_row_that_fails_its_chunk_is_found_and_the_others_keep_their_price(
    kernel: Kernel, book: arrow.Table
) -> None:
    some = book.slice(0, 50)
    found = OneBad(kernel.releases, kernel.pricing).price(some)
    assert found.reasons == {7: "an annual mean of 9e9 cannot be priced"}
    whole = kernel.price(some).table
    others = np.setdiff1d(np.arange(50), [7])
    assert found.table.equals(whole.take(arrow.array(others)))


def test_bounds_that_bind_come_before_factors() -> None:
    one = np.ones(3)
    steps = {
        "base_rate": 100 * one,
        "age": np.array([1.5, 1.5, 0.8]),
        "cap": np.array([0.9, 1.0, 1.0]),
        "offered_premium": 1.001 * one,
    }
    moved = np.array([0.2, 0.2, -0.1])
    codes = reason_codes(toward(standing_parts(steps, moved), moved), 2)
    names = [*steps, None]
    told = [[names[code] for code in of_row] for of_row in codes.T]
    assert told == [["cap", "age"], ["age", None], ["age", None]]
