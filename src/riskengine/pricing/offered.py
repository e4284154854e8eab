"""From the cost of the cover to the technical premium, and from the filed to the offered premium.

What the edition of a rate book does not have is refused, never taken as 1 or 0. The one rounding is
decimal, half up, and of what is paid at a time, so that the instalments add up to the premium.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from riskengine.errors import AnswerError, InputError, Problem
from riskengine.pricing.premium import Planned, Step, round_half_up, run
from riskengine.pricing.trend import CoverCost, check_cover_cost
from riskengine.products.rate_book import Loadings
from riskengine.products.rate_book_edition import Edition
from riskengine.vocabulary import BoolArray, FloatArray, IntArray, Operation

_TOLERANCE = 1e-12


@dataclass(frozen=True, eq=False)
class Terms:
    """What n covers are sold under, (n,) each; None: there is no such thing.

    `underwriting_loading` is a share on top, `discounts` by name are shares off, of the premium;
    `seller_discretion` a share up (+) or down (-) within the float band. `expiring_premium`
    (currency a year) is at equal benefits, see `at_equal_benefits`; NaN for new business.
    `payments` is the number of instalments a year.
    """

    underwriting_loading: FloatArray | None = None
    discounts: Mapping[str, FloatArray] = field(default_factory=dict)
    seller_discretion: FloatArray | None = None
    expiring_premium: FloatArray | None = None
    payments: int = 1


@dataclass(frozen=True, eq=False)
class OfferedPremium:
    """The steps of n premiums, and what is paid: whole cents a time and a year, (n,) each."""

    steps: tuple[Step, ...]
    payments: int
    instalment_cents: IntArray

    @property
    def offered_cents(self) -> IntArray:
        """The premium of the year, in cents."""
        return self.instalment_cents * self.payments

    def after(self, step: str) -> FloatArray:
        """The running value after the step of that name, (n,); raises `InputError` without it."""
        for one in self.steps:
            if one.name == step:
                return one.running
        message = f"no step {step!r}; there are {', '.join(one.name for one in self.steps)}"
        raise InputError(message)


def edition_loadings(edition: Edition, trend_factor: float) -> Loadings:
    """The loadings of an edition, with the trend between two dates (`pricing.trend`)."""
    return Loadings(
        trend_factor=trend_factor,
        fixed_expense=edition.fixed_expense.value,
        permissible_loss_ratio=edition.permissible_loss_ratio,
    )


def technical_premium(
    expected_plan_paid: CoverCost, pooling_charge: FloatArray | float, loadings: Loadings
) -> tuple[Step, ...]:
    """The steps to the technical premium of n members; the last one's `running` is it.

    `(expected plan paid + pooling charge + fixed expense) / permissible loss ratio`, currency a
    year. Raises `InputError` for a cost that is not trended to the cover.

    >>> loadings = Loadings(trend_factor=1.0, fixed_expense=10.0, permissible_loss_ratio=0.8)
    >>> technical_premium(CoverCost(np.array([60.0])), 2.0, loadings)[-1].running.tolist()
    [90.0]
    """
    check_cover_cost(expected_plan_paid)
    planned: list[Planned] = [
        ("expected_plan_paid", Operation.START, expected_plan_paid.values),
        ("pooling_charge", Operation.ADD, pooling_charge),
        ("fixed_expense", Operation.ADD, loadings.fixed_expense),
        ("permissible_loss_ratio", Operation.DIVIDE, loadings.permissible_loss_ratio),
    ]
    return run(planned, np.zeros(len(expected_plan_paid.values)))


def offered_premium(edition: Edition, steps: tuple[Step, ...], terms: Terms) -> OfferedPremium:
    """The offered premium of n covers, from the steps that end in their filed premium.

    In order: underwriting loading, discounts, the seller's discretion, cap and collar against the
    expiring premium, minimum premium, instalment factor, rounding. Raises `AnswerError` for terms
    outside the edition's bounds and `UnknownNameError` for a way to pay it does not have.
    """
    problems = terms_problems(edition, terms)
    if problems:
        raise AnswerError(problems)
    instalment = edition.instalment(terms.payments)
    planned = [*_adjustments(edition, terms)]
    if instalment.payments > 1 or instalment.factor.value != 1:
        planned.append(("instalment_factor", Operation.MULTIPLY, instalment.factor.value))
    if instalment.payments > 1:
        planned.append(("payments", Operation.DIVIDE, float(instalment.payments)))
    filed = steps[-1].running
    taken = run(planned, filed)
    cents = round_half_up(taken[-1].running if taken else filed)
    places = np.full(len(filed), 2.0)
    if instalment.payments == 1:
        ending: tuple[Step, ...] = (Step("offered_premium", Operation.ROUND, places, cents / 100),)
    else:
        rounded = Step("instalment_premium", Operation.ROUND, places, cents / 100)
        yearly = [("offered_premium", Operation.MULTIPLY, float(instalment.payments))]
        ending = (rounded, *run(yearly, rounded.running))
    return OfferedPremium((*steps, *taken, *ending), instalment.payments, cents)


def _adjustments(edition: Edition, terms: Terms) -> Iterator[Planned]:
    if terms.underwriting_loading is not None:
        yield "underwriting_loading", Operation.MULTIPLY, 1 + terms.underwriting_loading
    for name, share in terms.discounts.items():
        yield f"{name}_discount", Operation.MULTIPLY, 1 - share
    if terms.seller_discretion is not None:
        yield "seller_discretion", Operation.MULTIPLY, 1 + terms.seller_discretion
    if terms.expiring_premium is not None and edition.cap is not None:
        yield "cap", Operation.AT_MOST, terms.expiring_premium * (1 + edition.cap.value)
    if terms.expiring_premium is not None and edition.collar is not None:
        yield "collar", Operation.AT_LEAST, terms.expiring_premium * (1 - edition.collar.value)
    if edition.minimum_premium is not None:
        yield "minimum_premium", Operation.AT_LEAST, edition.minimum_premium.value


def terms_problems(edition: Edition, terms: Terms) -> list[Problem]:
    """Every term outside what the edition allows, with the bounds; empty: all can be offered.

    An edition without cap and collar takes no notice of an expiring premium.
    """
    problems: list[Problem] = []
    bounds = {one.discount: one for one in edition.discounts}
    for name, share in terms.discounts.items():
        if name in bounds:
            low, high = bounds[name].minimum.value, bounds[name].maximum.value
            problems += _outside(f"{name}_discount", share, low, high)
        else:
            known = ", ".join(bounds) or "none"
            problems.append(Problem(0, f"{name}_discount", "", f"no such discount; known: {known}"))
    if terms.underwriting_loading is not None:
        loading, most = terms.underwriting_loading, edition.most_loading
        problems += _outside("underwriting_loading", loading, 0.0, most)
    if terms.seller_discretion is not None:
        band = edition.float_band
        low, high = (0.0, 0.0) if band is None else (0.0 - band.below.value, band.above.value)
        problems += _outside("seller_discretion", terms.seller_discretion, low, high)
    expiring = terms.expiring_premium
    if expiring is not None:
        problems += [
            Problem(row, "expiring_premium", str(expiring[row]), "give 0 or more, or leave it out")
            for row in _rows(np.isinf(expiring) | (expiring < 0))
        ]
    return problems


def _outside(name: str, share: FloatArray, low: float, high: float) -> list[Problem]:
    bad = ~((share >= low - _TOLERANCE) & (share <= high + _TOLERANCE))
    message = f"the rate book allows shares from {low:g} to {high:g}"
    return [Problem(row, name, f"{share[row]:g}", message) for row in _rows(bad)]


def _rows(mask: BoolArray) -> list[int]:
    found: list[int] = mask.nonzero()[0].tolist()
    return found


def at_equal_benefits(
    expiring_premium: FloatArray, filed_before: FloatArray, filed_now: FloatArray
) -> FloatArray:
    """The expiring premium, had it been for the benefits of the renewal, currency a year, (n,).

    `expiring * filed premium of the new plan / filed premium of the old plan`, both of the same
    edition, so that a richer plan is not capped as if it were a rise. Raises `InputError` where the
    old plan's is not above 0.

    >>> at_equal_benefits(np.array([100.0]), np.array([80.0]), np.array([120.0])).tolist()
    [150.0]
    """
    if not (filed_before > 0).all():
        message = f"the old plan's filed premium must be above 0, not {filed_before.min()}"
        raise InputError(message)
    return expiring_premium * (filed_now / filed_before)
