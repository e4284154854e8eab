"""Underwriting rules as data: accept, load, exclude, refer or decline, with every reason.

A rule is a list of conditions of a closed vocabulary, all of which must hold, and an outcome. An
answer that is unknown never counts as harmless: a rule that hangs on it refers the case, and says
what is missing. Left out: reading the files (`riskengine.products.rate_book_read`).
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from riskengine.errors import AnswerError, InputError, Problem
from riskengine.products.product import LaxDate
from riskengine.products.rate_book_numbers import Positive
from riskengine.tables import among
from riskengine.vocabulary import (
    Answer,
    AnyArray,
    BoolArray,
    Columns,
    FloatArray,
    Frozen,
    IntArray,
    Text,
)

Levels = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]


class Outcome(StrEnum):
    """What underwriting may decide, from the mildest to the hardest."""

    ACCEPT = "accept"
    LOAD = "load"
    EXCLUDE = "exclude"
    REFER = "refer"
    DECLINE = "decline"


class Severity(IntEnum):
    """The outcomes as numbers, so that the hardest of many is their maximum."""

    ACCEPT = 0
    LOAD = 1
    EXCLUDE = 2
    REFER = 3
    DECLINE = 4


_TOLERANCE = 1e-12
_STANDARD = Text(
    zh="没有核保规则适用，按标准条件承保。",
    en="No underwriting rule applies: accepted on standard terms.",
)
_TOO_MUCH = Text(
    zh="加费合计超过费率手册的上限，需人工核保。",
    en="The loadings add up to more than the rate book allows; an underwriter decides.",
)


class AnswerField(Frozen):
    """An answer the rules read: its `levels`, or a number in `unit` within bounds."""

    field: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    levels: Levels | None = None
    minimum: float = -np.inf
    maximum: float = np.inf
    unit: str = ""

    def odd(self, values: AnyArray) -> BoolArray:
        """Which values (n,) can be no answer; a missing one can."""
        missing = _missing(values)
        if self.levels is not None:
            return ~missing & ~among(values, self.levels)
        numbers = np.asarray(values, dtype=np.float64)
        return ~missing & ~((numbers >= self.minimum) & (numbers <= self.maximum))

    @property
    def allowed(self) -> str:
        """The values it can have, in words."""
        if self.levels is not None:
            return "one of " + ", ".join(self.levels)
        return f"a number from {self.minimum:g} to {self.maximum:g} {self.unit}".rstrip()


class Condition(Frozen):
    """One thing an answer must be: exactly one of `at_least`, `below` and `one_of`."""

    field: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    at_least: float | None = Field(default=None, allow_inf_nan=False)
    below: float | None = Field(default=None, allow_inf_nan=False)
    one_of: Levels | None = None

    @model_validator(mode="after")
    def is_one_test(self) -> "Condition":
        given = [self.at_least is not None, self.below is not None, self.one_of is not None]
        if sum(given) != 1:
            message = f"condition on {self.field} needs exactly one of at_least, below and one_of"
            raise ValueError(message)
        return self

    def holds(self, values: AnyArray) -> BoolArray:
        """Whether it holds for the answers `values` (n,) to its field; never for a missing one."""
        if self.one_of is not None:
            return among(values, self.one_of)
        numbers = np.asarray(values, dtype=np.float64)
        if self.at_least is not None:
            return numbers >= self.at_least
        return numbers < (self.below or 0.0)


class UnderwritingRule(Frozen):
    """What follows where all conditions of `when` hold.

    A load needs its `loading`, a share on top of the premium; an exclusion its text.
    """

    rule: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    when: Annotated[tuple[Condition, ...], Field(strict=False, min_length=1)]
    outcome: Annotated[Outcome, Field(strict=False)]
    reason: Text
    loading: Positive | None = None
    exclusion: Text | None = None

    @model_validator(mode="after")
    def has_what_it_needs(self) -> "UnderwritingRule":
        if (self.loading is not None) != (self.outcome is Outcome.LOAD):
            message = f"rule {self.rule}: give `loading` for outcome load, and for no other"
            raise ValueError(message)
        if (self.exclusion is not None) != (self.outcome is Outcome.EXCLUDE):
            message = f"rule {self.rule}: give `exclusion` for outcome exclude, and for no other"
            raise ValueError(message)
        return self


class Underwriting(Frozen):
    """The rules of one market; an empty list accepts everybody, and `reference` says why."""

    market: str
    edition: str
    effective_from: LaxDate
    reference: str = Field(min_length=1)
    answers: Annotated[tuple[AnswerField, ...], Field(strict=False)]
    rules: Annotated[tuple[UnderwritingRule, ...], Field(strict=False)]

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the answers the rules read."""
        return tuple(answer.field for answer in self.answers)


@dataclass(frozen=True)
class Decision:
    """What was decided of one member, and why; `missing` are answers still to be given."""

    outcome: Outcome
    loading: float
    exclusions: tuple[Text, ...]
    reasons: tuple[tuple[str, Text], ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Decisions:
    """The decisions on n members: `severity` (n,), `loading` (n,) a share of premium.

    `fired` and `open_` (rules, n): rules that hold, and rules that hang on an unknown answer;
    `unknown` (fields, n) are the unknown answers, in the order of `Underwriting.fields`, and
    `too_much` (n,) says whose loadings exceed what the rate book allows.
    """

    underwriting: Underwriting
    severity: IntArray
    loading: FloatArray
    fired: BoolArray
    open_: BoolArray
    unknown: BoolArray
    too_much: BoolArray

    def of(self, row: int) -> Decision:
        """The decision on the member in `row`, in words.

        Reasons are of the rules that hold, as rule and text; `missing` is what open rules ask.
        """
        rules = self.underwriting.rules
        unknown = zip(self.underwriting.fields, self.unknown[:, row], strict=True)
        found = _Found(
            [rule for rule, fired in zip(rules, self.fired[:, row], strict=True) if fired],
            [rule for rule, open_ in zip(rules, self.open_[:, row], strict=True) if open_],
            float(self.loading[row]),
            bool(self.too_much[row]),
            {name for name, missing in unknown if missing},
        )
        return found.told(Severity(int(self.severity[row])))


@dataclass(frozen=True)
class _Found:
    """What the rules say of one member: those that hold, and those that hang on an answer."""

    held: list[UnderwritingRule]
    waiting: list[UnderwritingRule]
    loading: float
    too_much: bool
    unknown: AbstractSet[str]

    def told(self, severity: Severity) -> Decision:
        reasons = [(rule.rule, rule.reason) for rule in self.held]
        if self.too_much:
            reasons.append(("loading_too_high", _TOO_MUCH))
        if not reasons and severity is Severity.ACCEPT:
            reasons.append(("no_rule_applies", _STANDARD))
        asked = {test.field for rule in self.waiting for test in rule.when}
        return Decision(
            outcome=Outcome[severity.name],
            loading=self.loading,
            exclusions=tuple(rule.exclusion for rule in self.held if rule.exclusion is not None),
            reasons=tuple(reasons),
            missing=tuple(sorted(asked & self.unknown)),
        )


class OneDecision:
    """`underwrite` for one member at a time, from plain answers; None is an unknown one."""

    def __init__(self, underwriting: Underwriting, most_loading: float) -> None:
        self._fields = underwriting.fields
        self._most = most_loading + _TOLERANCE
        self._rules = [
            (rule, Severity[rule.outcome.name], [_test(test) for test in rule.when])
            for rule in underwriting.rules
        ]
        # A rule is out of the question once one of its conditions is known not to hold.
        firsts = [rule.when[0] for rule in underwriting.rules]
        self._inert = [
            (field, *_bounds([test for test in firsts if test.field == field]))
            for field in dict.fromkeys(test.field for test in firsts)
        ]
        self._accepted = _Found([], [], 0.0, False, set()).told(Severity.ACCEPT)

    def of(self, answers: Mapping[str, Answer]) -> Decision:
        """The decision; answers are such as can be given (`answer_problems`)."""
        for field, low, high, levels in self._inert:
            value = answers.get(field)
            if value is None or (
                value in levels if isinstance(value, str) else not low <= value < high
            ):
                return self._ruled(answers)
        return self._accepted

    def _ruled(self, answers: Mapping[str, Answer]) -> Decision:
        severity, loading = Severity.ACCEPT, 0.0
        held, waiting = [], []
        for rule, outcome, tests in self._rules:
            holds = possible = True
            for field, met in tests:
                value = answers.get(field)
                if value is None:
                    holds = False
                elif not met(value):
                    holds = possible = False
                    break
            if holds:
                held.append(rule)
                severity = max(severity, outcome)
                loading += 0.0 if rule.loading is None else rule.loading.value
            elif possible:
                waiting.append(rule)
                severity = max(severity, Severity.REFER)
        too_much = loading > self._most
        if too_much:
            severity = max(severity, Severity.REFER)
        unknown = {name for name in self._fields if answers.get(name) is None} if waiting else set()
        return _Found(held, waiting, loading, too_much, unknown).told(severity)


def _bounds(tests: Sequence[Condition]) -> tuple[float, float, frozenset[str]]:
    """Numbers from the first bound to below the second meet none of the tests; levels that do."""
    return (
        max((test.below for test in tests if test.below is not None), default=-np.inf),
        min((test.at_least for test in tests if test.at_least is not None), default=np.inf),
        frozenset(level for test in tests for level in test.one_of or ()),
    )


def _test(test: Condition) -> tuple[str, Callable[[Any], bool]]:
    """The field of a condition, and whether an answer that is known meets it."""
    if test.one_of is not None:
        return test.field, frozenset(test.one_of).__contains__
    if test.at_least is not None:
        return test.field, test.at_least.__le__
    return test.field, (test.below or 0.0).__gt__


def underwrite(
    underwriting: Underwriting,
    columns: Columns,
    size: int,
    most_loading: float,
    *,
    checked: bool = False,
) -> Decisions:
    """Decide on `size` members from their answers, `columns` (size,) by name.

    The hardest outcome of the rules that hold; loadings add up, and refer above `most_loading`, a
    share of premium. A rule that hangs on an unknown answer refers, unless another declines. A
    column that is absent is unknown for all. Raises `AnswerError` for values that can be no answer
    (`answer_problems` lists them; `checked` says that it found none) and `InputError` where a
    column has another length.
    """
    answers = {name: columns.get(name, np.full(size, None)) for name in underwriting.fields}
    for name, values in answers.items():
        if len(values) != size:
            message = f"column {name} has {len(values)} rows, not {size}: give one a member"
            raise InputError(message)
    problems = [] if checked else answer_problems(underwriting, answers)
    if problems:
        raise AnswerError(problems)
    missing = {name: _missing(values) for name, values in answers.items()}
    shape = (len(underwriting.rules), size)
    fired, open_ = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    severity, loading = np.zeros(size, dtype=np.int64), np.zeros(size)
    for at, rule in enumerate(underwriting.rules):
        holds, possible = np.ones(size, dtype=bool), np.ones(size, dtype=bool)
        for test in rule.when:
            met = test.holds(answers[test.field])
            holds &= met
            possible &= met | missing[test.field]
        fired[at], open_[at] = holds, possible & ~holds
        severity = np.maximum(severity, holds * int(Severity[rule.outcome.name]))
        severity = np.maximum(severity, open_[at] * int(Severity.REFER))
        if rule.loading is not None:
            loading = loading + np.where(holds, rule.loading.value, 0.0)
    too_much = loading > most_loading + _TOLERANCE
    severity = np.maximum(severity, too_much * int(Severity.REFER))
    unknown = np.zeros((len(answers), size), dtype=bool)
    for at, absent in enumerate(missing.values()):
        unknown[at] = absent
    return Decisions(underwriting, severity, loading, fired, open_, unknown, too_much)


def _missing(values: AnyArray) -> BoolArray:
    if values.dtype == np.float64:
        return np.isnan(values)
    # NaN alone differs from itself; of objects pandas looks at more than there can be.
    if len(values) == 1:
        return np.array([values[0] is None or values[0] != values[0]])
    return np.asarray(pd.isna(values), dtype=bool)


def answer_problems(underwriting: Underwriting, columns: Columns) -> list[Problem]:
    """Every value that can be no answer, with what can; a column that is absent has none."""
    return [
        Problem(row, answer.field, str(columns[answer.field][row]), f"must be {answer.allowed}")
        for answer in underwriting.answers
        if answer.field in columns
        for row in answer.odd(columns[answer.field]).nonzero()[0].tolist()
    ]
