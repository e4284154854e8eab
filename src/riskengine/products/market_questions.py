"""What a market asks beyond the profile: the columns of its tariffs and its underwriting answers.

`questions.yaml` in the folder of a market gives each its words in both languages and, for the
columns of tariffs, the share of each level in the reference book: a base rate needs a book, and
tables of members do not hold what only a quote asks.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from riskengine.errors import InputError
from riskengine.products.marked_yaml import Marked, read_marked, validated
from riskengine.products.product import Told
from riskengine.products.rate_book_edition import Editions
from riskengine.products.rate_book_numbers import Basis
from riskengine.products.suitability import Name
from riskengine.products.underwriting import Underwriting
from riskengine.profiles.features import FEATURES
from riskengine.profiles.questions import Question
from riskengine.vocabulary import AnyArray, Frozen

FILE = "questions.yaml"
_PROFILE = {f.name for f in FEATURES if f.question.kind == "number"} | {"sex"}
"""Columns that a profile answers itself, and whose values are the same in all markets."""


class Level(Frozen):
    """One level of an answer, and its share of the reference book."""

    level: str
    name: Told
    share: float | None = Field(default=None, ge=0, le=1)


class MarketQuestion(Frozen):
    """One question of a market: of `levels`, or a number in `unit` from `minimum` to `maximum`."""

    name: Name
    title: Told
    levels: Annotated[tuple[Level, ...], Field(strict=False)] = ()
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    sensitive: bool = False

    @model_validator(mode="after")
    def is_one_kind(self) -> "MarketQuestion":
        bounds = (self.minimum, self.maximum)
        if bool(self.levels) == (None not in bounds) or (self.levels and bounds != (None, None)):
            message = f"question {self.name} needs levels, or minimum and maximum, and not both"
            raise ValueError(message)
        shares = [one.share for one in self.levels if one.share is not None]
        if shares and (len(shares) < len(self.levels) or abs(sum(shares) - 1) > 1e-9):
            message = f"the shares of {self.name} add up to {sum(shares):g}: give all, adding to 1"
            raise ValueError(message)
        return self

    @property
    def question(self) -> Question:
        """The same as the front doors know it; no answer is required before a plan asks for it."""
        return Question(
            name=self.name,
            title=self.title,
            kind="level" if self.levels else "number",
            unit=self.unit,
            minimum=self.minimum,
            maximum=self.maximum,
            levels=tuple(one.level for one in self.levels),
            level_titles=tuple(one.name for one in self.levels),
            sensitive=self.sensitive,
        )


class MarketQuestions(Frozen):
    """All questions of one market beyond the profile's."""

    market: str
    basis: Annotated[Basis, Field(strict=False)]
    reference: str = Field(min_length=1)
    questions: Annotated[tuple[MarketQuestion, ...], Field(strict=False)]


def read_market_questions(
    folder: Path, editions: Editions, underwriting: Underwriting
) -> MarketQuestions:
    """The questions in `folder`, held to the columns that its tariffs and its rules read.

    Raises `SpecError` with file and line for a column nobody asks for, one that is asked for in
    vain, and one whose levels differ.
    """
    marked = read_marked(folder / FILE)
    found = validated(marked, MarketQuestions)
    if found.market != editions.market:
        message = f"={found.market} but the rate book is for {editions.market}: mend one"
        raise marked.fault(("market",), message)
    tables = [table for e in editions.editions for tariff in e.tariffs for table in tariff.factors]
    rated = {table.factor: table.levels for table in tables if table.factor not in _PROFILE}
    told = {a.field: a.levels for a in underwriting.answers if a.field not in _PROFILE}
    _check(marked, found, rated | told, rated)
    return found


def _check(
    marked: Marked,
    found: MarketQuestions,
    needed: dict[str, tuple[str, ...] | None],
    rated: dict[str, tuple[str, ...] | None],
) -> None:
    asked = {one.name: one for one in found.questions}
    absent = [name for name in needed if name not in asked]
    if absent:
        message = f": nothing asks for {', '.join(absent)}: add a question for each"
        raise marked.fault(("questions",), message)
    for at, one in enumerate(found.questions):
        if one.name not in needed:
            message = f"={one.name} is read by no tariff and no underwriting rule: drop it"
            raise marked.fault(("questions", at, "name"), message)
        levels = needed[one.name]
        if levels is not None and set(levels) != {level.level for level in one.levels}:
            message = f": levels must be {', '.join(levels)}, as they are where they are read"
            raise marked.fault(("questions", at, "levels"), message)
        if one.name in rated and any(level.share is None for level in one.levels):
            message = f": {one.name} rates, so each level needs its share of the reference book"
            raise marked.fault(("questions", at, "levels"), message)


def reference_levels(question: MarketQuestion, size: int) -> AnyArray:
    """The levels of a question over a reference book of `size` members, by their shares.

    Spread evenly, nothing is drawn: member k has the level that the fractional part of k times the
    golden ratio falls in (Weyl's equidistribution). Raises `InputError` without shares.
    """
    shares = [one.share for one in question.levels]
    if not shares or None in shares:
        message = f"question {question.name} has no shares of a reference book: give them"
        raise InputError(message)
    places = (np.arange(size) * (np.sqrt(5) - 1) / 2 + sum(map(ord, question.name)) / 97) % 1
    edges = np.cumsum(np.array(shares, dtype=np.float64))[:-1]
    levels = np.array([one.level for one in question.levels], dtype=object)
    return np.asarray(levels[np.searchsorted(edges, places, side="right")])
