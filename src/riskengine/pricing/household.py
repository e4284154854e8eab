"""The premium of a household from its members' premiums, by the rule of its market."""

import numpy as np
import pandas as pd

from riskengine.errors import InputError, SpecError
from riskengine.pricing.premium import round_half_up
from riskengine.products.product import completed_years
from riskengine.products.rate_book_edition import (
    Edition,
    FamilyDiscount,
    FamilyTiers,
    SumOfMembers,
)
from riskengine.vocabulary import AnyArray, BoolArray, FloatArray, IntArray


def charged_members(rule: SumOfMembers, household: AnyArray, age: FloatArray) -> BoolArray:
    """Whose premium counts: all from `child_age` on, and the oldest few of the younger, (n,).

    45 CFR 147.102(c)(1). Of children of one age the first row counts first. Raises `InputError`
    for a missing age or household.

    >>> from riskengine.products.rate_book_numbers import Amount
    >>> def number(value):
    ...     return Amount(value=value, unit="years or children", basis="law",
    ...                   effective_from="2014-01-01", reference="45 CFR 147.102(c)(1)")
    >>> rule = SumOfMembers(method="sum_of_members", child_age=number(21), most_children=number(3))
    >>> charged_members(rule, np.zeros(5), np.array([40.0, 2.0, 8.0, 6.0, 4.0])).tolist()
    [True, False, True, True, True]
    """
    code, _ = _codes(household)
    years = _completed(age)
    child = years < rule.child_age.value
    order = np.lexsort((np.arange(len(years)), -years, ~child, code))
    first = np.r_[True, code[order][1:] != code[order][:-1]] if len(order) else np.empty(0, bool)
    start = np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order)) - start
    return ~child | (place < rule.most_children.value)


def family_discount(edition: Edition, household: AnyArray) -> FloatArray:
    """The discount of each member by the number of rows of the household, a share, (n,).

    Raises `SpecError` where the edition has another rule for households.
    """
    rule = edition.household
    if not isinstance(rule, FamilyDiscount):
        message = f"edition {edition.edition} has no family discount: leave it out of the terms"
        raise SpecError(message)
    code, households = _codes(household)
    size = np.bincount(code, minlength=len(households))[code]
    sizes = np.array([1, *(step.members for step in rule.steps)])
    shares = np.array([0.0, *(step.share.value for step in rule.steps)])
    found: FloatArray = shares[np.searchsorted(sizes, size, side="right") - 1]
    return found


def household_premiums(
    edition: Edition, household: AnyArray, age: FloatArray, cents: IntArray
) -> tuple[AnyArray, IntArray]:
    """The households, sorted, and the premium of each in cents, from its members' `cents` (n,).

    A market with a family discount has taken it off each member before (`family_discount`), so the
    household pays the sum. Under family tiers the members' premiums must be the same within a
    household, for there no age rates. Raises `InputError` for that, and as `charged_members`.
    """
    rule = edition.household
    code, households = _codes(household)
    if isinstance(rule, FamilyTiers):
        return households, _tiered(rule, code, households, (_completed(age), cents))
    counts = cents
    if isinstance(rule, SumOfMembers):
        counts = np.where(charged_members(rule, household, age), cents, 0)
    total = np.zeros(len(households), dtype=np.int64)
    np.add.at(total, code, counts)
    return households, total


def _tiered(
    rule: FamilyTiers, code: IntArray, households: AnyArray, members: tuple[FloatArray, IntArray]
) -> IntArray:
    years, cents = members
    size = len(households)
    adults = np.bincount(code, years >= rule.child_age.value, size)
    children = np.bincount(code, years < rule.child_age.value, size)
    lowest = np.full(size, np.iinfo(np.int64).max)
    highest = np.zeros(size, dtype=np.int64)
    np.minimum.at(lowest, code, cents)
    np.maximum.at(highest, code, cents)
    odd = np.flatnonzero((lowest != highest) | (adults < 1) | (adults > 2))
    if len(odd):
        message = (
            f"household {households[odd[0]]} fits no family tier: tiers are for one or two adults"
            " and any number of children, all of one premium; take age out of the tariff, or"
            " price the others on their own"
        )
        raise InputError(message)
    tiers = np.array(
        [
            [rule.single.value, rule.single_with_children.value],
            [rule.couple.value, rule.couple_with_children.value],
        ]
    )
    tier = tiers[adults.astype(np.int64) - 1, (children > 0).astype(np.int64)]
    return round_half_up(lowest / 100 * tier)


def _codes(household: AnyArray) -> tuple[IntArray, AnyArray]:
    if len(household) == 1 and household[0] is not None:
        return np.zeros(1, dtype=np.int64), household
    if np.issubdtype(household.dtype, np.integer):
        numbers, place = np.unique(household, return_inverse=True)
        return place.astype(np.int64), numbers
    code, households = pd.factorize(household, sort=True)
    if (code < 0).any():
        message = f"row {int(np.argmax(code < 0))} names no household: give each member one"
        raise InputError(message)
    return code.astype(np.int64), np.asarray(households)


def _completed(age: FloatArray) -> FloatArray:
    years = completed_years(age)
    if not np.isfinite(years).all():
        message = f"the age of row {int(np.argmax(~np.isfinite(years)))} is missing: give it"
        raise InputError(message)
    return years
