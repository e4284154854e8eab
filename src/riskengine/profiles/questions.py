"""What may be asked of a member, and the one check that answers go through in every channel.

A live quote is a batch of one: the service, the batch job and the notebooks turn their input into
columns here, and the same vectorised check says what is wrong with which value. A missing answer
is a missing value; it is never replaced.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pyarrow as arrow
import pyarrow.compute as pc

from riskengine.errors import AnswerError, Problem, TableError
from riskengine.tables import among, is_number, is_text, text_objects
from riskengine.vocabulary import Answer, AnyArray, BoolArray, Columns, Frozen, Text


class Question(Frozen):
    """One answer a quote can use.

    `minimum` and `maximum` (inclusive, in `unit`) bound a number, `levels` lists the values of a
    level and `level_titles` their names, where they have any. An optional question may stay
    unanswered: it is then priced as missing.
    """

    name: str
    title: Text
    kind: Literal["number", "level"]
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    levels: tuple[str, ...] = ()
    level_titles: tuple[Text, ...] = ()
    required: bool = False
    sensitive: bool = False

    def titled(self, value: Answer) -> Text:
        """A value of this question as it is told to a person."""
        if value is None:
            return Text(zh="未知", en="unknown")
        if isinstance(value, str):
            named = dict(zip(self.levels, self.level_titles, strict=False))
            return named.get(value, Text(zh=value, en=value))
        told = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
        return Text(zh=told, en=told)

    @property
    def allowed(self) -> str:
        """The permitted values in words, for messages and documentation."""
        if self.kind == "level":
            return "one of " + ", ".join(self.levels)
        unit = f" {self.unit}" if self.unit else ""
        return f"a number from {self.minimum:g} to {self.maximum:g}{unit}"


def answers_to_columns(questions: Sequence[Question], answers: Mapping[str, Answer]) -> Columns:
    """One member's answers as columns of length 1.

    Raises `AnswerError` naming every unknown, mistyped, out-of-range or missing answer.
    """
    known = {question.name for question in questions}
    problems = [
        Problem(0, name, repr(value), f"unknown question; known are {', '.join(sorted(known))}")
        for name, value in answers.items()
        if name not in known
    ]
    columns: dict[str, np.ndarray] = {}
    for question in questions:
        value = answers.get(question.name)
        if not _has_type(question, value):
            problems.append(_problem(0, question, value))
            value = None if not question.required else _any_valid(question)
        if question.kind == "number":
            columns[question.name] = np.array([np.nan if value is None else value], np.float64)
        else:
            columns[question.name] = np.array([value], dtype=object)
    problems += check_columns(questions, columns)
    if problems:
        raise AnswerError(problems)
    return columns


def household_to_columns(
    questions: Sequence[Question], members: Sequence[Mapping[str, Answer]]
) -> Columns:
    """The answers of the members of a household as columns, one row each, in their order.

    Raises `AnswerError` as `answers_to_columns` does, for all members at once.
    """
    parts, problems = [], []
    for row, answers in enumerate(members):
        try:
            parts.append(answers_to_columns(questions, answers))
        except AnswerError as error:
            problems += [replace(problem, row=row) for problem in error.problems]
    if problems:
        raise AnswerError(problems)
    return {q.name: np.concatenate([part[q.name] for part in parts]) for q in questions}


def table_to_columns(
    questions: Sequence[Question], table: arrow.Table | arrow.RecordBatch
) -> Columns:
    """The columns of the questions in `table`; other columns are left alone.

    A null is a missing answer. Raises `TableError` naming all columns that are absent or of the
    wrong type. The values are not checked: `check_columns` does that, row by row.
    """
    columns: dict[str, np.ndarray] = {}
    wrong = []
    for question in questions:
        if question.name not in table.schema.names:
            wrong.append(f"{question.name} is missing")
            continue
        values = table[question.name]
        if isinstance(values, arrow.ChunkedArray):
            values = values.combine_chunks()
        if question.kind == "number" and is_number(values.type):
            numbers = pc.fill_null(values.cast(arrow.float64(), safe=False), np.nan)
            columns[question.name] = np.asarray(numbers, np.float64)
        elif question.kind == "level" and is_text(values.type):
            columns[question.name] = text_objects(values)
        else:
            wrong.append(f"{question.name} is {values.type}, not a {question.kind}")
    if wrong:
        message = "columns that do not fit: " + "; ".join(wrong)
        raise TableError(message)
    return columns


def check_columns(questions: Sequence[Question], columns: Columns) -> list[Problem]:
    """Every value that is out of range, no known level, or missing though required."""
    problems: list[Problem] = []
    for question in questions:
        values = columns[question.name]
        if question.kind == "number":
            numbers = values.astype(np.float64)
            absent = np.isnan(numbers)
            low = -np.inf if question.minimum is None else question.minimum
            high = np.inf if question.maximum is None else question.maximum
            bad = ~absent & ~(np.isfinite(numbers) & (numbers >= low) & (numbers <= high))
        else:
            absent, bad = _unlisted(question, values)
        problems += [_problem(int(row), question, values[row]) for row in bad.nonzero()[0]]
        if question.required:
            problems += [_unanswered(int(row), question) for row in absent.nonzero()[0]]
    return problems


def _unlisted(question: Question, values: AnyArray) -> tuple[BoolArray, BoolArray]:
    """Which values (n,) are missing, and which are no level of the question."""
    unlisted = ~among(values, question.levels)
    if not unlisted.any():
        return unlisted, unlisted
    # NaN alone differs from itself.
    absent = np.array([one is None or one != one for one in values.tolist()], dtype=bool)
    return absent, unlisted & ~absent


def missing_answers(questions: Sequence[Question], columns: Columns, row: int = 0) -> list[str]:
    """Names of the optional questions that row `row` leaves unanswered, in question order."""
    return [q.name for q in questions if _is_missing(columns[q.name][row])]


def _problem(row: int, question: Question, value: object) -> Problem:
    return Problem(row, question.name, repr(_plain(value)), f"give {question.allowed}")


def _unanswered(row: int, question: Question) -> Problem:
    return Problem(row, question.name, "missing", f"required: give {question.allowed}")


def _plain(value: object) -> object:
    value = value.item() if isinstance(value, np.generic) else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float | np.floating) and bool(np.isnan(value)))


def _has_type(question: Question, value: Answer) -> bool:
    if value is None:
        return True
    if question.kind == "level":
        return isinstance(value, str)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 2**63


def _any_valid(question: Question) -> Answer:
    """A stand-in that passes the check, for a value already reported as a problem."""
    return question.minimum if question.kind == "number" else question.levels[0]
