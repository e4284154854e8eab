"""What the law of a market keeps out of a premium, held against what moves one.

The rules stand in `rate_book_rules.yaml`, apart from the editions and the underwriting, which
cannot relax them. A rule binds an edition that it begins in, as well as those after.
"""

from datetime import date

from riskengine.products.marked_yaml import Marked
from riskengine.products.rate_book_edition import Edition, Editions, Rule
from riskengine.products.underwriting import Underwriting


def check_rules(marked: Marked, edition: Edition, rules: tuple[Rule, ...]) -> None:
    """Raise `SpecError` for what an edition rates on while a rule bars it."""
    for name, place in edition.reads:
        for rule in rules:
            if not (begins_by(rule.effective_from, edition.effective_to) and rule.bars(name)):
                continue
            mend = "take it out, or set it to null where it is one number"
            if rule.effective_from > edition.effective_from:
                mend += f"; or end this edition before the rule begins on {rule.effective_from}"
            raise marked.fault(place, _barred(name, edition.market, rule, mend))


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


def _barred(name: str, market: str, rule: Rule, mend: str) -> str:
    return (
        f": {name} may not move a premium in market {market} (rule {rule.rule}: {rule.reference}):"
        f" {mend}"
    )
