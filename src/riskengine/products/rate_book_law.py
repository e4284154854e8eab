"""What the law of a market keeps out of a premium and where it sets a limit, held against editions.

`rate_book_rules.yaml` stands apart from the editions and the underwriting, which cannot relax it. A
rule or limit binds an edition that it begins in, as well as those after. Of limits of one thing the
latest replaces those before.
"""

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from riskengine.products.marked_yaml import Marked, Place
from riskengine.products.rate_book_edition import Edition, Editions, Rule
from riskengine.products.rate_book_factors import FactorTable
from riskengine.products.rate_book_numbers import Number
from riskengine.products.suitability import Name
from riskengine.products.underwriting import Underwriting
from riskengine.vocabulary import Frozen


class Limited(StrEnum):
    """What of an edition the law may set a limit to."""

    FACTOR_RATIO = "factor_ratio"
    MINIMUM_LOSS_RATIO = "minimum_loss_ratio"
    FLOAT_BELOW = "float_below"
    FLOAT_ABOVE = "float_above"


class Limit(Number):
    """A limit of law: the most an edition may give, of `minimum_loss_ratio` the least.

    `factor_ratio` is the highest over the lowest relativity of `factor`, of bands that hold
    `ratio_from` or more.
    """

    limit: Annotated[Limited, Field(strict=False)]
    factor: Name | None = None
    ratio_from: int | None = None

    @model_validator(mode="after")
    def names_its_factor(self) -> "Limit":
        of_factor = self.limit is Limited.FACTOR_RATIO
        if (self.factor is not None) != of_factor or (
            self.ratio_from is not None and not of_factor
        ):
            message = "give `factor`, and `ratio_from` if need be, for factor_ratio and no other"
            raise ValueError(message)
        return self


class Law(Frozen):
    """The rules and limits of one market that no edition may relax."""

    market: str
    rules: Annotated[tuple[Rule, ...], Field(strict=False, min_length=1)]
    limits: Annotated[tuple[Limit, ...], Field(strict=False)]

    def limits_of(self, edition: Edition) -> list[Limit]:
        """The limits in force on some day of an edition."""
        begun = [one for one in self.limits if begins_by(one.effective_from, edition.effective_to)]
        return [
            one
            for one in begun
            if not any(
                (other.limit, other.factor) == (one.limit, one.factor)
                and one.effective_from < other.effective_from <= edition.effective_from
                for other in begun
            )
        ]


def check_rules(marked: Marked, edition: Edition, law: Law) -> None:
    """Raise `SpecError` for what an edition rates on while a rule bars it."""
    for name, place in edition.reads:
        for rule in law.rules:
            if not (begins_by(rule.effective_from, edition.effective_to) and rule.bars(name)):
                continue
            mend = "take it out, or set it to null where it is one number"
            mend += _or_end(edition, "rule", rule.effective_from)
            raise marked.fault(place, _barred(name, edition.market, rule, mend))


def check_limits(marked: Marked, edition: Edition, law: Law) -> None:
    """Raise `SpecError` for a limit of law that an edition lacks or oversteps."""
    for limit in law.limits_of(edition):
        wanted = f"{limit.value:g} ({limit.unit}) of {limit.reference}"
        end = _or_end(edition, "limit", limit.effective_from)
        for place, number in _limited(edition, limit):
            if number is None:
                message = f"=null, but market {law.market} has a limit: give the {wanted}{end}"
                raise marked.fault(place, message)
            least = limit.limit is Limited.MINIMUM_LOSS_RATIO
            if number.value < limit.value if least else number.value > limit.value:
                beyond, mend = ("below", "raise") if least else ("above", "lower")
                message = f"={number.value:g} is {beyond} the {wanted}: {mend} it{end}"
                raise marked.fault((*place, "value"), message)
        for place, table in _tables(edition, limit):
            first = float("-inf") if limit.ratio_from is None else limit.ratio_from
            if table.ratio_from is not None and table.ratio_from.value > first:
                begin = "drop it" if limit.ratio_from is None else f"begin at {first:g}"
                message = (
                    f"={table.ratio_from.value:g} keeps bands out of the {wanted}: {begin}{end}"
                )
                raise marked.fault((*place, "ratio_from", "value"), message)


def _limited(edition: Edition, limit: Limit) -> Iterator[tuple[Place, Number | None]]:
    """The numbers of an edition that a limit binds; without a float band nothing floats."""
    band = edition.float_band
    match limit.limit:
        case Limited.FACTOR_RATIO:
            for place, table in _tables(edition, limit):
                yield (*place, "maximum_ratio"), table.maximum_ratio
        case Limited.MINIMUM_LOSS_RATIO:
            yield ("minimum_loss_ratio",), edition.minimum_loss_ratio
        case Limited.FLOAT_BELOW if band is not None:
            yield ("float_band", "below"), band.below
        case Limited.FLOAT_ABOVE if band is not None:
            yield ("float_band", "above"), band.above


def _tables(edition: Edition, limit: Limit) -> Iterator[tuple[Place, FactorTable]]:
    for at, tariff in enumerate(edition.tariffs):
        for position, table in enumerate(tariff.factors):
            if table.factor == limit.factor:
                yield ("tariffs", at, "factors", position), table


def check_answers(marked: Marked, underwriting: Underwriting, editions: Editions) -> None:
    """Raise `SpecError` for an answer that underwriting may read while a rule bars it.

    Underwriting rules read nothing but `answers`, and whatever they decide moves what is paid.
    """
    end = editions.editions[-1].effective_to
    for at, answer in enumerate(underwriting.answers):
        for rule in editions.rules:
            if begins_by(rule.effective_from, end) and rule.bars(answer.field):
                mend = "take it out of `answers`, and out of the rules that read it"
                message = _barred(answer.field, editions.market, rule, mend)
                raise marked.fault(("answers", at, "field"), message)


def begins_by(begin: date, end: date | None) -> bool:
    """Whether what begins on one day is in force by another; None is without end."""
    return end is None or begin <= end


def _or_end(edition: Edition, what: str, begin: date) -> str:
    inside = begin > edition.effective_from
    return f"; or end this edition before the {what} begins on {begin}" if inside else ""


def _barred(name: str, market: str, rule: Rule, mend: str) -> str:
    return (
        f": {name} may not move a premium in market {market} (rule {rule.rule}: {rule.reference}):"
        f" {mend}"
    )
