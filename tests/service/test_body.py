"""JSON of clients: the quick reader says what the strict one does, of whatever is sent."""

import json
from unittest import mock

import pytest
from fastapi.exceptions import RequestValidationError
from hypothesis import example, given
from hypothesis import strategies as st

from riskengine.service import body
from riskengine.service.body import parse

TEXTS = st.text(max_size=8) | st.sampled_from(["a", "b", '"', "{", "中"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
PIECES = ["{", "}", "[", "]", ",", ":", '"a"', '"b"', "1", "-0", "1e400", "NaN", "\\", '"', " "]


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """JSON texts, whose objects may have a key twice."""
    key = TEXTS.map(lambda text: json.dumps(text, ensure_ascii=False))
    pair = st.tuples(key, inner).map(": ".join)
    return st.lists(pair, max_size=4).map(lambda pairs: "{" + ",".join(pairs) + "}") | st.lists(
        inner, max_size=4
    ).map(lambda found: "[" + ", ".join(found) + "]")


def texts() -> st.SearchStrategy[str]:
    scalar = st.builds(
        lambda one, plain: json.dumps(one, ensure_ascii=plain), SCALARS, st.booleans()
    )
    return st.recursive(scalar, nested, max_leaves=12) | st.lists(st.sampled_from(PIECES)).map(
        "".join
    )


def told(content: bytes) -> str:
    try:
        return repr(parse(content))
    except RequestValidationError as error:
        return f"refused: {error.errors()}"


@given(texts().map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=12))
@example(b'{"a": 1, "a": 2}')
@example(b'[{"a": {"b": 1, "c": 2, "b": 1}}]')
@example(b'{"n": 123456789012345678901234567890}')
@example(b"[" * 40 + b"]" * 40)
@example(b'{"a": "\xff"}')
def test_the_quick_reader_says_what_the_strict_one_does(content: bytes) -> None:
    found = told(content)
    with mock.patch.object(body, "_plainly", return_value=None):
        assert found == told(content)


@pytest.mark.parametrize("content", [b'{"answers": {"age": 43}}', b'{"a": [1, 2.5, "x", null]}'])
def test_usual_json_is_read_quickly(content: bytes) -> None:
    assert body._plainly(content) == json.loads(content)
