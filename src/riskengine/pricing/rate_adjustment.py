"""Whether the rates of a long-term medical product may be adjusted, and if not, every reason.

One adjustment for all who hold the product: there is no argument for one member, so none can be
adjusted by their own health. What short-term covers do is a new edition instead.
"""

from dataclasses import dataclass
from datetime import date

from riskengine.errors import SpecError
from riskengine.pricing.trend import years_later
from riskengine.products.rate_book_edition import Edition
from riskengine.vocabulary import Text


@dataclass(frozen=True)
class RateAdjustment:
    """A planned adjustment of a product's rates from `effective_from` on.

    `change` is the growth of every rate (0.1: 10 % up), `loss_ratio` that of the year before,
    `adjusted_on` the last adjustment, None when there was none.
    """

    sold_from: date
    adjusted_on: date | None
    effective_from: date
    change: float
    loss_ratio: float


def adjustment_refusals(edition: Edition, plan: RateAdjustment) -> tuple[Text, ...]:
    """Why the rules of the edition refuse the adjustment; empty: it may be made.

    Raises `SpecError` where the edition has no rules for long-term products.
    """
    rules = edition.long_term_adjustment
    if rules is None:
        message = f"edition {edition.edition} has no rules for long-term products"
        raise SpecError(message)
    found = []
    first = years_later(plan.sold_from, int(rules.first_after.value))
    if plan.effective_from < first:
        found.append(
            Text(
                zh=f"首次调整不得早于{first}（{rules.first_after.reference}）",
                en=f"the first adjustment is possible from {first} ({rules.first_after.reference})",
            )
        )
    if plan.adjusted_on is not None:
        following = years_later(plan.adjusted_on, int(rules.interval.value))
        if plan.effective_from < following:
            found.append(
                Text(
                    zh=f"距上次调整间隔不足，最早{following}（{rules.interval.reference}）",
                    en=f"the next adjustment is possible from {following}"
                    f" ({rules.interval.reference})",
                )
            )
    most, least = rules.most_at_once.value, rules.least_loss_ratio.value
    if abs(plan.change) > most + 1e-12:
        found.append(
            Text(
                zh=f"单次调整{plan.change:+.1%}超过上限{most:.0%}",
                en=f"an adjustment of {plan.change:+.1%} exceeds the {most:.0%} allowed at once",
            )
        )
    if plan.change > 0 and plan.loss_ratio < least:
        found.append(
            Text(
                zh=f"上年度赔付率{plan.loss_ratio:.1%}低于{least:.0%}，不得上调",
                en=f"the loss ratio was {plan.loss_ratio:.1%}, below {least:.0%}: rates may not"
                " rise",
            )
        )
    return tuple(found)
