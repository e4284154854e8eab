import numpy as np
import pyarrow as arrow
import pytest

from riskengine.errors import AnswerError, TableError
from riskengine.profiles.questions import (
    Question,
    answers_to_columns,
    check_columns,
    missing_answers,
    table_to_columns,
)
from riskengine.vocabulary import Answer, Text

NAME = Text(zh="题", en="question")
AGE = Question(
    name="age", title=NAME, kind="number", unit="years", minimum=0, maximum=65, required=True
)
SEX = Question(name="sex", title=NAME, kind="level", levels=("female", "male"), required=True)
SIZE = Question(name="size", title=NAME, kind="number", minimum=1, maximum=14)
AREA = Question(name="area", title=NAME, kind="level", levels=("1", "2"))
ALL = (AGE, SEX, SIZE, AREA)


def test_missing_optional_answers_stay_missing() -> None:
    columns = answers_to_columns(ALL, {"age": 30, "sex": "male"})
    assert columns["age"].tolist() == [30.0]
    assert np.isnan(columns["size"][0])
    assert columns["area"].tolist() == [None]
    assert missing_answers(ALL, columns) == ["size", "area"]


@pytest.mark.parametrize(
    ("answers", "field", "value", "message"),
    [
        ({"age": 66}, "age", "66", "give a number from 0 to 65 years"),
        ({"age": -0.5}, "age", "-0.5", "give a number from 0 to 65 years"),
        ({"age": True}, "age", "True", "give a number from 0 to 65 years"),
        ({"age": "30"}, "age", "'30'", "give a number from 0 to 65 years"),
        ({"age": float("nan")}, "age", "nan", "give a number"),
        ({"age": float("inf")}, "age", "inf", "give a number"),
        ({"age": 10**400}, "age", "1000", "give a number"),
        ({"age": None}, "age", "missing", "required: give a number from 0 to 65 years"),
        ({"sex": "Female"}, "sex", "'Female'", "give one of female, male"),
        ({"sex": 1}, "sex", "1", "give one of female, male"),
        ({"area": "3"}, "area", "'3'", "give one of 1, 2"),
        ({"size": 0}, "size", "0", "give a number from 1 to 14"),
        ({"shoe": 42}, "shoe", "42", "unknown question; known are age, area, sex, size"),
    ],
)
def test_a_wrong_answer_is_named_with_value_and_what_is_allowed(
    answers: dict[str, Answer], field: str, value: str, message: str
) -> None:
    with pytest.raises(AnswerError) as caught:
        answers_to_columns(ALL, {"age": 30, "sex": "male", **answers})
    (problem,) = caught.value.problems
    assert problem.field == field
    assert problem.value.startswith(value)
    assert message in problem.message


def test_all_problems_come_at_once() -> None:
    with pytest.raises(AnswerError) as caught:
        answers_to_columns(ALL, {"age": 99, "sex": "x", "size": 99, "area": "x"})
    assert [problem.field for problem in caught.value.problems] == ["age", "sex", "size", "area"]


def test_a_batch_says_which_row() -> None:
    table = arrow.table(
        {
            "age": arrow.array([30, 70, None], arrow.int32()),
            "sex": arrow.array(["male", "x", "female"]).dictionary_encode(),
            "size": [1.0, float("inf"), None],
            "area": arrow.nulls(3),
        }
    )
    problems = check_columns(ALL, table_to_columns(ALL, table))
    assert [(p.row, p.field, p.value) for p in problems] == [
        (1, "age", "70"),
        (2, "age", "missing"),
        (1, "sex", "'x'"),
        (1, "size", "inf"),
    ]


def test_all_columns_that_do_not_fit_are_named() -> None:
    table = arrow.table({"age": ["30"], "sex": [1], "size": [2.0]})
    with pytest.raises(
        TableError, match="age is string, not a number; sex is int64, not a level; area is missing"
    ):
        table_to_columns(ALL, table)
