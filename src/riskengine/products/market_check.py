"""That the files of one market fit each other: catalogue, rate book, events and questions.

Each file is right in itself before. What is told here would else show only when a plan is priced,
after every model is fitted, or never. A fault names file, line, value and what to do.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from riskengine.products.benefit import LumpSum
from riskengine.products.event_codes import EventCodes
from riskengine.products.marked_yaml import Place, read_marked
from riskengine.products.market_questions import MarketQuestions
from riskengine.products.product import Catalogue, Plan
from riskengine.products.rate_book_edition import Edition, Editions

_Fault: TypeAlias = tuple[Place, str]


@dataclass(frozen=True)
class MarketTerms:
    """What the files of a market say that each other depend on."""

    catalogue: Catalogue
    editions: Editions
    events: EventCodes
    questions: MarketQuestions


def check_market(folder: Path, terms: MarketTerms) -> None:
    """Raise `SpecError` for what one file in `folder` takes from another and is not there.

    Another market or currency; a plan without a tariff, or for ages its tariff does not rate, in
    some edition; a lump sum for events or stages that nothing recognises, or with stages out of
    the order of severity; a required answer that nobody is asked for.
    """
    _check_names(folder, terms)
    asked = _asked(terms)
    for plan in terms.catalogue.plans:
        for place, message in _faults(plan, terms, asked):
            path = folder / "products" / f"{plan.product}.yaml"
            raise read_marked(path).fault(place, message)


def _check_names(folder: Path, terms: MarketTerms) -> None:
    catalogue, editions = terms.catalogue, terms.editions
    for file, found in (("market", catalogue.market), ("events", terms.events.market)):
        if found != editions.market:
            message = f"={found} but the rate book is for {editions.market}: mend one"
            raise read_marked(folder / f"{file}.yaml").fault(("market",), message)
    for edition in editions.editions:
        if edition.currency is not catalogue.currency:
            message = (
                f"={catalogue.currency.value} but edition {edition.edition} of the rate book is in"
                f" {edition.currency.value}: mend one"
            )
            raise read_marked(folder / "market.yaml").fault(("currency",), message)


def _asked(terms: MarketTerms) -> dict[str, set[str]]:
    """The levels of each answer that tariffs read or that a quote asks beyond them."""
    tables = [t for e in terms.editions.editions for tariff in e.tariffs for t in tariff.factors]
    rated = {table.factor: {*(table.levels or ())} for table in tables}
    return rated | {
        one.name: {level.level for level in one.levels} for one in terms.questions.questions
    }


def _faults(plan: Plan, terms: MarketTerms, asked: dict[str, set[str]]) -> Iterator[_Fault]:
    for edition in terms.editions.editions:
        yield from _of_tariff(plan, edition)
    for name, benefit in plan.benefits.items():
        if isinstance(benefit, LumpSum):
            yield from _of_stages(benefit, ("benefits", name), terms.events)
    for field, levels in plan.suitability.required_answers.items():
        place = ("suitability", "required_answers", field)
        strange = sorted({*levels} - asked.get(field, set()))
        if strange:
            known = ", ".join(sorted(asked.get(field, ()))) or "none, for it is not asked"
            yield place, f"={', '.join(strange)} can be no answer; there are {known}: mend it"


def _of_tariff(plan: Plan, edition: Edition) -> Iterator[_Fault]:
    tariff = next((one for one in edition.tariffs if one.tariff == plan.tariff), None)
    if tariff is None:
        known = ", ".join(one.tariff for one in edition.tariffs)
        message = f"={plan.tariff}, and edition {edition.edition} has {known}: name one of them"
        yield ("tariff",), message if plan.tariff else f" is missing: name one of {known}"
        return
    low, high = plan.entry_age.minimum, plan.entry_age.maximum
    for table in tariff.factors:
        if table.factor == "age" and (table.positions(np.array([low, high])) < 0).any():
            yield (
                ("entry_age",),
                f"={low} to {high}, but tariff {tariff.tariff} of edition {edition.edition} rates"
                f" {table.allowed}: add bands to its table, or narrow entry_age",
            )


def _of_stages(benefit: LumpSum, place: Place, events: EventCodes) -> Iterator[_Fault]:
    """Stages unknown to events.yaml, or not from mild to severe as there.

    That no share falls in the order listed is the benefit's own rule.
    """
    found = events.of(benefit.peril)
    if found is None:
        message = f"={benefit.peril.value} has no events: say in events.yaml what is a case of it"
        yield (*place, "peril"), message
        return
    order = [stage.stage for stage in found.stages]
    last = -1
    for at, stage in enumerate(benefit.stages):
        where = (*place, "stages", at, "stage")
        if stage.stage not in order:
            known = ", ".join(order)
            yield where, f"={stage.stage} is in no events; events.yaml has {known}: name one"
            return
        if order.index(stage.stage) < last:
            yield (
                where,
                f"={stage.stage} is milder than {order[last]} by events.yaml: list the stages from"
                f" mild to severe as there: {', '.join(order)}",
            )
            return
        last = order.index(stage.stage)
