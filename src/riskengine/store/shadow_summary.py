"""What challengers in the shadow would have asked, beside what was asked, summed up by plan."""

from dataclasses import dataclass

import sqlalchemy as sa

from riskengine.store.schema import SHADOW_PRICES


@dataclass(frozen=True)
class ShadowedPlan:
    """A plan's quotes by a champion that a challenger priced as well; amounts in cents a year.

    `quotes` = `compared` + `only_champion` + `only_challenger`; `equal`, `dearer` and the sums are
    of those that both priced.
    """

    champion: str
    challenger: str
    plan: str
    quotes: int
    compared: int
    equal: int
    dearer: int
    only_champion: int
    only_challenger: int
    champion_cents: int
    challenger_cents: int

    @property
    def change(self) -> float | None:
        """The challenger's premium over the champion's, less 1; None where none was compared."""
        return self.challenger_cents / self.champion_cents - 1 if self.champion_cents else None


def shadow_summary(connection: sa.Connection) -> list[ShadowedPlan]:
    """Every plan by champion and challenger, the last pair that was compared first."""
    c = SHADOW_PRICES.c
    both = c.champion_cents.is_not(None) & c.challenger_cents.is_not(None)

    def count(which: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.sum(sa.case((which, 1), else_=0))

    def total(amount: sa.Column[int]) -> sa.ColumnElement[int]:
        return sa.func.sum(sa.case((both, amount), else_=0))

    query = (
        sa.select(
            c.champion, c.challenger, c.plan, sa.func.count(), count(both),
            count(both & (c.champion_cents == c.challenger_cents)),
            count(both & (c.challenger_cents > c.champion_cents)),
            count(c.challenger_cents.is_(None)), count(c.champion_cents.is_(None)),
            total(c.champion_cents), total(c.challenger_cents),
        )
        .group_by(c.champion, c.challenger, c.plan)
        .order_by(sa.func.max(c.priced_at).desc(), c.plan)
    )  # fmt: skip
    rows = connection.execute(query)
    return [ShadowedPlan(*row[:3], *(int(value) for value in row[3:])) for row in rows]
