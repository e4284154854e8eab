import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskengine.errors import AnswerError, InputError
from riskengine.pricing.filed import filed_premium, fitted, off_balance, rating_problems
from riskengine.pricing.offered import Terms, offered_premium
from riskengine.pricing.premium import apply
from riskengine.pricing.rule_cost import projected_stages, rule_costs
from riskengine.vocabulary import AnyArray
from tests.pricing.rate_books import CN, US, Book, drawn_book

BOOKS = [drawn_book(US, "medical"), *(drawn_book(CN, one.tariff) for one in CN.tariffs)]
BY_TARIFF = pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.tariff.tariff)


class Watched(dict[str, AnyArray]):
    """Columns that remember which of them were read."""

    def __init__(self, columns: dict[str, AnyArray]) -> None:
        super().__init__(columns)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> AnyArray:
        self.read.add(name)
        return super().__getitem__(name)


@BY_TARIFF
def test_a_price_reads_only_what_its_tariff_lists(book: Book) -> None:
    columns = Watched(dict(book.columns))
    base_rate = off_balance(book.tariff, book.technical, book.exposure, columns)
    filed_premium(base_rate, book.tariff, columns)
    assert columns.read == {table.factor for table in book.tariff.factors}


@BY_TARIFF
@settings(max_examples=5)
@given(seed=st.integers(0, 10**6))
def test_what_is_forbidden_cannot_move_the_price(book: Book, seed: int) -> None:
    """Everything but the tariff's factors is drawn anew: the cents stay."""
    listed = {table.factor for table in book.tariff.factors}
    base_rate = off_balance(book.tariff, book.technical, book.exposure, book.columns)
    rng = np.random.default_rng(seed)
    other = {
        name: values if name in listed else rng.permutation(values)
        for name, values in book.columns.items()
    }
    before, after = (
        offered_premium(book.edition, filed_premium(base_rate, book.tariff, columns), Terms())
        for columns in (book.columns, other)
    )
    assert (before.offered_cents == after.offered_cents).all()


def test_a_community_rated_price_takes_no_notice_of_the_expiring_premium() -> None:
    book = BOOKS[0]
    filed = filed_premium(400.0, book.tariff, book.columns)
    new = offered_premium(US, filed, Terms())
    renewal = offered_premium(US, filed, Terms(expiring_premium=book.columns["expiring_premium"]))
    assert (new.offered_cents == renewal.offered_cents).all()


@BY_TARIFF
def test_the_filed_total_is_the_technical_total(book: Book) -> None:
    base_rate = off_balance(book.tariff, book.technical, book.exposure, book.columns)
    steps = filed_premium(base_rate, book.tariff, book.columns)
    total = np.sum(book.exposure * book.technical)
    assert np.sum(book.exposure * steps[-1].running) == pytest.approx(total, rel=1e-12)
    running = np.zeros(len(book.exposure))
    for step in steps:
        running = apply(step.operation, running, step.value)
    assert (running == steps[-1].running).all()


def test_a_live_price_is_the_batch_price() -> None:
    book = BOOKS[1]
    batch = filed_premium(321.0, book.tariff, book.columns)[-1].running
    for row in (0, 7, 1999):
        one = {name: values[row : row + 1] for name, values in book.columns.items()}
        assert filed_premium(321.0, book.tariff, one)[-1].running[0] == batch[row]


def test_fitted_relativities_keep_every_marginal_total() -> None:
    book = BOOKS[1]
    tariff = fitted(book.tariff, book.technical, book.exposure, book.columns)
    base_rate = off_balance(tariff, book.technical, book.exposure, book.columns)
    filed = filed_premium(base_rate, tariff, book.columns)[-1].running
    for table in tariff.factors:
        at = table.positions(book.columns[table.factor])
        wanted = np.bincount(at, book.exposure * book.technical)
        assert np.bincount(at, book.exposure * filed) == pytest.approx(wanted, rel=1e-9)
        assert 1.0 in table.relativities


def test_fitted_relativities_keep_to_the_maximum_ratio() -> None:
    book = BOOKS[0]
    steep = book.technical * np.exp(0.05 * book.columns["age"])
    steep *= np.where(book.columns["tobacco"] == "yes", 2.5, 1.0)
    free = fitted(book.tariff, steep, book.exposure, book.columns, limited=False)
    kept = fitted(book.tariff, steep, book.exposure, book.columns)
    for at, most in ((0, 3.0), (1, 1.5)):
        bound = kept.factors[at].relativities[kept.factors[at].limited]
        assert bound.max() / bound.min() == pytest.approx(most, rel=1e-12)
        wide = free.factors[at].relativities[free.factors[at].limited]
        assert wide.max() / wide.min() > most
    again = fitted(kept, steep, book.exposure, book.columns)
    for one, two in zip(kept.factors, again.factors, strict=True):
        assert two.relativities == pytest.approx(one.relativities, rel=1e-9)


def test_fitting_finds_the_relativities_a_book_was_made_of() -> None:
    book = BOOKS[1]
    made = filed_premium(777.0, book.tariff, book.columns)[-1].running
    tariff = fitted(book.tariff, made, book.exposure, book.columns)
    for table, truth in zip(tariff.factors, book.tariff.factors, strict=True):
        ratio = table.relativities / truth.relativities
        assert ratio == pytest.approx(np.full(len(ratio), ratio[0]), rel=1e-9)


def test_a_member_outside_the_tariff_gets_the_reason() -> None:
    tariff = CN.tariff("hospital_cash")
    columns = {
        "age": np.array([66.0, 30.0, np.nan]),
        "sex": np.array(["male", None, "female"], dtype=object),
    }
    assert [(p.row, p.field, p.value) for p in rating_problems(tariff, columns)] == [
        (0, "age", "66.0"), (2, "age", "nan"), (1, "sex", "None"),
    ]  # fmt: skip
    with pytest.raises(AnswerError, match=r"age=66\.0: tariff hospital_cash is for 0 to 65"):
        filed_premium(100.0, tariff, columns)
    with pytest.raises(AnswerError, match="sex=: is missing: give it, one of female, male"):
        filed_premium(100.0, tariff, {"age": np.array([30.0])})
    with pytest.raises(InputError, match="has no base rate"):
        off_balance(BOOKS[1].tariff, BOOKS[1].technical * 0, BOOKS[1].exposure, BOOKS[1].columns)


@BY_TARIFF
def test_what_a_rule_costs_adds_up(book: Book) -> None:
    stages = projected_stages(book.tariff, book.technical, book.exposure, book.columns)
    chronic = np.where(book.columns["chronic_disease_index"] > 3, "ill", "well").astype(object)
    costs = rule_costs(stages, book.exposure, {"health": chronic})
    rules = ["permitted_factors", "maximum_ratios", "filed_relativities"]
    assert [cost.rule for cost in costs] == rules
    for cost in costs:
        transfer = sum(group.exposure * group.subsidy for group in cost.groups)
        assert transfer == pytest.approx(0, abs=1e-6 * np.sum(book.exposure * book.technical))
    ill, well = costs[0].groups
    assert (ill.level, well.level) == ("ill", "well")
    assert ill.subsidy < 0 < well.subsidy
    sums = np.sum(book.exposure * np.abs(stages[1][1] - stages[0][1])) / 2
    assert costs[0].premium_moved == pytest.approx(sums)
    assert costs[0].share == pytest.approx(sums / np.sum(book.exposure * book.technical))


def test_adults_carry_the_children_that_are_not_charged() -> None:
    book = BOOKS[0]
    charged = book.columns["age"] >= 10
    stages = projected_stages(book.tariff, book.technical, book.exposure, book.columns, charged)
    young = np.where(charged, "charged", "free").astype(object)
    cost = rule_costs(stages, book.exposure, {"child": young})[-1]
    assert cost.rule == "most_children"
    adults, free = cost.groups
    assert free.after == 0.0
    assert adults.exposure * adults.subsidy == pytest.approx(free.exposure * free.before)


def test_a_stage_that_loses_premium_is_no_transfer() -> None:
    stages = [("technical_premium", np.array([100.0])), ("rule", np.array([90.0]))]
    with pytest.raises(InputError, match=r"rule rule makes 100\.00 of premium 90\.00"):
        rule_costs(stages, np.ones(1), {})
    stages = [("technical_premium", np.array([100.0])), ("rule", np.array([100.0]))]
    with pytest.raises(InputError, match="group health is missing in row 0"):
        rule_costs(stages, np.ones(1), {"health": np.array([None], dtype=object)})
