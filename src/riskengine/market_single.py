"""A live quote for one member, in plain numbers: what `riskengine.market_engine` says, bit for bit.

The columns of `quote_market` are the definition of a price, for one member as for a book. Here the
usual case of a single member goes the same steps without columns; every other one (a household, a
refusal, an answer that can be none) gives None, and is asked of `quote_market`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from math import inf
from typing import TypeAlias

from riskengine.errors import RiskEngineError
from riskengine.market_engine import opened
from riskengine.market_release import MarketRelease
from riskengine.pricing.one_member import OneMember, PlainMember, PlainPrice, PlanSet, one_member
from riskengine.products.underwriting import AnswerField, Decision, OneDecision, Outcome
from riskengine.profiles.questions import Question
from riskengine.risk.one_row import OneRow, one_row
from riskengine.vocabulary import Answer, Value

_MARKETS, _RELEASES, _SELECTIONS = 64, 8, 256
_REFUSES = {Outcome.REFER, Outcome.DECLINE}
_MOST = 2.0**63
_Read: TypeAlias = Callable[[Answer], Value]


@dataclass(frozen=True, eq=False)
class SingleQuote:
    """Plans priced for one member, none refused; `missing` are the questions left unanswered.

    `market` gives the outline of each price.
    """

    market: OneMember
    edition: str
    missing: list[str]
    decision: Decision
    plans: PlanSet
    payments: int
    prices: list[PlainPrice]


def quote_single(
    release: MarketRelease,
    answers: Mapping[str, Answer],
    start: date,
    plans: tuple[str, ...] = (),
    payments: int | None = None,
) -> SingleQuote | None:
    """Price `plans` (all of the catalogue where empty) for one member.

    None: ask `quote_market`, which also says what is wrong where something is.
    """
    try:
        return _single(release, start).quote(answers, plans, payments)
    except RiskEngineError:
        return None


@lru_cache(maxsize=_RELEASES)
def compiled(release: MarketRelease) -> OneRow | None:
    """The models of a release for one member at a time; None where `predict` has to be asked.

    It takes a while the first time, so a service asks before it serves.
    """
    known = frozenset(question.name for question in release.questions)
    return one_row([*release.models.values()], known)


class _Single:
    """A market compiled for covers of one start."""

    def __init__(self, release: MarketRelease, start: date) -> None:
        self._market = opened(release, start, renewal=False)
        edition = self._market.edition
        self._fewest = edition.fewest_payments
        self._decision = OneDecision(release.underwriting, edition.most_loading)
        fields = {field.field: field for field in release.underwriting.answers}
        self._readers = {one.name: _reader(one, fields.get(one.name)) for one in release.questions}
        self._unanswered: dict[str, Value] = dict.fromkeys(self._readers)
        self._required = [one.name for one in release.questions if one.required]
        self._models = compiled(release)
        self._prices = one_member(self._market, release.base_rates[edition.edition])
        models = [*release.models]
        self._places = [models.index(one) for one in self._prices.perils] if self._prices else []
        self._selected = lru_cache(maxsize=_SELECTIONS)(self._select)

    def quote(
        self, answers: Mapping[str, Answer], names: tuple[str, ...], payments: int | None
    ) -> SingleQuote | None:
        if self._models is None or self._prices is None:
            return None
        plans, values = self._selected(names), self._values(answers)
        if plans is None or values is None:
            return None
        decision = self._decision.of(values)
        if plans.underwritten and decision.outcome in _REFUSES:
            return None
        found = self._models.means(values)
        if found is None:
            return None
        member = PlainMember(values, [found[at] for at in self._places], decision.loading)
        payments = self._fewest if payments is None else payments
        prices = self._prices.price(plans, member, payments)
        if prices is None:
            return None
        missing = [name for name, value in values.items() if value is None]
        edition = self._market.edition.edition
        return SingleQuote(self._prices, edition, missing, decision, plans, payments, prices)

    def _values(self, answers: Mapping[str, Answer]) -> dict[str, Value] | None:
        """The answer to each question; None where one cannot be, as `check_columns` tells."""
        values = self._unanswered.copy()
        for name, given in answers.items():
            read = self._readers.get(name)
            if read is None:
                return None
            if given is not None:
                value = read(given)
                if value is None:
                    return None
                values[name] = value
        for name in self._required:
            if values[name] is None:
                return None
        return values

    def _select(self, names: tuple[str, ...]) -> PlanSet | None:
        """The plans of these names, or all; None where one is not on sale."""
        known = names or self._market.catalogue.names
        return None if self._prices is None else self._prices.plan_set(known)


_single = lru_cache(maxsize=_MARKETS)(_Single)


def _reader(question: Question, field: AnswerField | None) -> _Read:
    """What makes an answer a value; None for one that neither question nor underwriting allows."""
    if question.kind == "level":
        levels = {*question.levels}
        if field is not None:
            levels &= {*(field.levels or ())}
        known: dict[Answer, str] = {level: level for level in levels}
        return known.get
    low = -inf if question.minimum is None else question.minimum
    high = inf if question.maximum is None else question.maximum
    if field is not None:
        low, high = max(low, field.minimum), min(high, field.maximum)
    if field is not None and field.levels is not None:
        return lambda _: None

    def number(given: Answer) -> Value:
        if isinstance(given, bool | str) or given is None or not -_MOST < given < _MOST:
            return None
        value = float(given)
        return value if low <= value <= high else None

    return number
