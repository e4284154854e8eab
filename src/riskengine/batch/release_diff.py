"""Which prices move from one release to another, on a small fixed portfolio made of the questions.

For a first look before a promotion; what a release does to a real book is for `batch.impact`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from riskengine.batch.portfolio import AnyRelease, book_problems, price_book
from riskengine.errors import InputError
from riskengine.profiles.questions import Question
from riskengine.vocabulary import AnyArray, Columns, FloatArray

_MEMBERS = 200
_UNANSWERED = 0.25
_NARROWED = 8.0


@dataclass(frozen=True)
class PlanDiff:
    """One plan: members that both releases price, mean premiums, changes as shares of the old.

    `only_old` and `only_new` count members that one release alone prices.
    """

    plan: str
    members: int
    old_mean: float
    new_mean: float
    mean_change: float
    greatest_change: float
    only_old: int
    only_new: int


def release_diff(old: AnyRelease, new: AnyRelease, as_of: date) -> list[PlanDiff]:
    """How the premium of each plan moves from `old` to `new` for covers from `as_of`.

    Raises `InputError` for releases of two markets.
    """
    markets = old.catalogue.market, new.catalogue.market
    if markets[0] != markets[1]:
        message = f"a release of {markets[0]} and one of {markets[1]} price different plans"
        raise InputError(message)
    asked = {question.name: question for question in (*old.questions, *new.questions)}
    columns = fixed_portfolio(tuple(asked.values()))
    plans = dict.fromkeys((*old.catalogue.names, *new.catalogue.names))
    return [
        _plan_diff(plan, _premium(old, columns, plan, as_of), _premium(new, columns, plan, as_of))
        for plan in plans
    ]


def fixed_portfolio(questions: Sequence[Question], members: int = _MEMBERS) -> Columns:
    """Members who answer each question in every way, the same ones at each call.

    Numbers are even over the whole range for required questions, and thin out towards the maximum
    for optional ones, a quarter of which stay open.
    """
    rng = np.random.default_rng(0)
    columns: dict[str, AnyArray] = {}
    for question in questions:
        open_ = ~np.array([question.required]) & (rng.random(members) < _UNANSWERED)
        if question.kind == "level":
            levels = np.array(question.levels, dtype=object)
            answers = levels[rng.integers(len(levels), size=members)]
            answers[open_] = None
            columns[question.name] = answers
        else:
            low, high = question.minimum or 0.0, question.maximum or 0.0
            share = rng.random(members)
            share = share if question.required else share**_NARROWED
            columns[question.name] = np.where(open_, np.nan, low + share * (high - low))
    return columns


def _premium(release: AnyRelease, columns: Columns, plan: str, as_of: date) -> FloatArray:
    """The offered premium (n,) in currency a year; NaN for who has none."""
    size = len(next(iter(columns.values())))
    found = np.full(size, np.nan)
    if plan not in release.catalogue.names:
        return found
    plans = np.full(size, plan, dtype=object)
    barred = [problem.row for problem in book_problems(release, columns, plans, as_of)]
    rows = np.setdiff1d(np.arange(size), barred)
    some = {name: values[rows] for name, values in columns.items()}
    found[rows] = price_book(release, some, plans[rows], as_of).offered_cents / 100
    return found


def _plan_diff(plan: str, old: FloatArray, new: FloatArray) -> PlanDiff:
    priced = np.isfinite(old), np.isfinite(new)
    both = priced[0] & priced[1]
    change = new[both] / old[both] - 1
    return PlanDiff(
        plan,
        int(both.sum()),
        float(old[both].mean()) if both.any() else float("nan"),
        float(new[both].mean()) if both.any() else float("nan"),
        float(change.mean()) if both.any() else float("nan"),
        float(change[np.abs(change).argmax()]) if both.any() else float("nan"),
        int((priced[0] & ~priced[1]).sum()),
        int((priced[1] & ~priced[0]).sum()),
    )
