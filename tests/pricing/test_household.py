import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskengine.errors import InputError, SpecError
from riskengine.pricing.household import charged_members, family_discount, household_premiums
from riskengine.products.rate_book_edition import FamilyTiers, SumOfMembers
from riskengine.products.rate_book_numbers import Amount, Basis, Positive
from tests.pricing.rate_books import CN, US

AGES = st.lists(st.tuples(st.integers(0, 4), st.floats(0, 80)), min_size=1, max_size=25)
RULE = US.household


def figure(kind: type, value: float) -> Amount | Positive:
    found: Amount | Positive = kind(
        value=value, unit="factor", basis=Basis.ILLUSTRATIVE, effective_from="2025-01-01",
        reference="Illustrative",
    )  # fmt: skip
    return found


@settings(max_examples=40)
@given(AGES)
def test_adults_count_and_of_children_the_three_oldest(rows: list[tuple[int, float]]) -> None:
    assert isinstance(RULE, SumOfMembers)
    household = np.array([home for home, _ in rows])
    age = np.array([years for _, years in rows])
    counted = charged_members(RULE, household, age)
    whole = np.floor(age + 1 / 365.25)
    for home in set(household.tolist()):
        here = household == home
        children = np.sort(whole[here & (whole < 21)])[::-1]
        assert counted[here & (whole >= 21)].all()
        charged = np.sort(whole[here & (whole < 21) & counted])[::-1]
        assert charged.tolist() == children[:3].tolist()


@settings(max_examples=40)
@given(AGES, st.integers(0, 10**6))
def test_the_order_of_the_rows_does_not_matter(rows: list[tuple[int, float]], seed: int) -> None:
    household, age = (np.array(values) for values in zip(*rows, strict=True))
    cents = (100 * np.floor(age)).astype(np.int64) + 500
    homes, total = household_premiums(US, household, age, cents)
    mixed = np.random.default_rng(seed).permutation(len(age))
    again = household_premiums(US, household[mixed], age[mixed], cents[mixed])
    assert (homes == again[0]).all()
    assert (total == again[1]).all()


def test_a_family_discount_grows_with_the_members() -> None:
    household = np.array(["a", "b", "b", "c", "c", "c", "c"], dtype=object)
    shares = family_discount(CN, household)
    assert shares.tolist() == [0.0, 0.05, 0.05, 0.1, 0.1, 0.1, 0.1]
    with pytest.raises(SpecError, match="edition us_aca-2026 has no family discount"):
        family_discount(US, household)


def test_family_tiers_multiply_the_adult_premium() -> None:
    tiers = FamilyTiers(
        method="family_tiers",
        child_age=figure(Amount, 26.0),
        single=figure(Positive, 1.0),
        couple=figure(Positive, 2.0),
        single_with_children=figure(Positive, 1.7),
        couple_with_children=figure(Positive, 2.85),
    )
    edition = US.model_copy(update={"household": tiers})
    household = np.array([1, 2, 2, 3, 3, 4, 4, 4, 4])
    age = np.array([40.0, 40, 41, 40, 8, 40, 41, 8, 6])
    homes, total = household_premiums(edition, household, age, np.full(9, 10001))
    assert homes.tolist() == [1, 2, 3, 4]
    assert total.tolist() == [10001, 20002, 17002, 28503]
    with pytest.raises(InputError, match="household 1 fits no family tier"):
        household_premiums(edition, np.ones(3, int), np.array([40.0, 41, 42]), np.full(3, 10001))
    with pytest.raises(InputError, match="household 7 fits no family tier"):
        household_premiums(edition, np.array([7, 7]), np.array([40.0, 8]), np.array([9, 10]))


def test_a_member_without_age_or_household_is_refused() -> None:
    cents = np.array([100, 100])
    with pytest.raises(InputError, match="the age of row 1 is missing"):
        household_premiums(US, np.array([1, 1]), np.array([30.0, np.nan]), cents)
    with pytest.raises(InputError, match="row 0 names no household"):
        household_premiums(US, np.array([None, "a"], dtype=object), np.array([30.0, 30]), cents)
