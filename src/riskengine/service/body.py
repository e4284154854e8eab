"""JSON in and out: strict when it is read, once when it is written.

Refused: a body that is no UTF-8, names a key twice, holds NaN or an infinity, or is nested too
deeply. Of two values under one key nobody could say which one was priced.
"""

import json
from collections.abc import Sequence
from typing import Any, TypeVar

import orjson
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException

Body = TypeVar("Body", bound=BaseModel)
JSON = "application/json"
_DEEPEST = 32
_DIGITS = bytes.maketrans(b"123456789", b"0" * 9)
_LONG = b"0" * 19
_REFERENCE = "#/components/schemas/{model}"


async def read_body(request: Request, model: type[Body]) -> Body:
    """The body of a request as `model`.

    Raises `HTTPException` 415 for another content type, and `RequestValidationError` naming every
    value at fault.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON and not kind.endswith("+json"):
        told = f"send a body of content type {JSON}, not {kind or 'none'!r}"
        raise HTTPException(415, told, {"accept": JSON})
    return read_content(await request.body(), model)


def read_content(content: bytes, model: type[Body]) -> Body:
    """JSON as `model`; raises `RequestValidationError` naming every value at fault."""
    try:
        return model.model_validate(parse(content))
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        found = [{**fault, "loc": ("body", *fault["loc"])} for fault in faults]
        raise RequestValidationError(found) from error


def parse(content: bytes) -> Any:
    """JSON of a client; raises `RequestValidationError` saying what is wrong with it.

    >>> parse(b'{"a": [1, 2.5, null]}')
    {'a': [1, 2.5, None]}
    """
    try:
        return _parsed(content)
    except RecursionError:
        told = f"nested more than {_DEEPEST} deep"
    except UnicodeDecodeError as error:
        told = f"no UTF-8 at byte {error.start}"
    except UnicodeEncodeError:
        # Escapes may spell half of a surrogate pair, which is no text.
        told = "a text has half of a surrogate pair"
    except ValueError as error:
        told = str(error)
    raise RequestValidationError([{"loc": ("body",), "msg": told, "input": None}])


def _parsed(content: bytes) -> Any:
    if (found := _plainly(content)) is not None:
        return found
    found = json.loads(content.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    if b"\\u" in content:
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    if _depth(found) > _DEEPEST:
        raise RecursionError
    return found


def _plainly(content: bytes) -> Any:
    """The usual JSON by orjson, which keeps the last of two values under one key; None for others.

    Without escapes every text has two quotes: as many as there are when it is written again, unless
    a key was dropped. Long integers, and what may be nested too deeply, are looked at more closely.
    """
    deep = content.count(b"[") + content.count(b"{") > _DEEPEST
    if deep or b"\\" in content or _LONG in content.translate(_DIGITS):
        return None
    try:
        found = orjson.loads(content)
    except ValueError:
        return None
    return found if orjson.dumps(found).count(b'"') == content.count(b'"') else None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        message = f"key {twice!a} is there twice"
        raise ValueError(message)
    return found


def _no_number(text: str) -> object:
    message = f"{text} is no JSON number"
    raise ValueError(message)


def _depth(value: object) -> int:
    """How deeply lists and objects are nested, breadth first."""
    depth, level = 0, [value]
    while level:
        depth += 1
        inner: list[object] = []
        for one in level:
            if isinstance(one, dict):
                inner += one.values()
            elif isinstance(one, list):
                inner += one
        level = inner
    return depth


def dumped(content: object, *, indent: bool = False) -> bytes:
    """Content as JSON, times in UTC; equal content gives equal bytes."""
    option = orjson.OPT_UTC_Z | (orjson.OPT_INDENT_2 if indent else 0)
    return orjson.dumps(content, default=_plain, option=option)


def _plain(content: object) -> object:
    if isinstance(content, BaseModel):
        return content.model_dump(mode="json")
    raise TypeError


def answer(content: bytes, status: int = 200) -> Response:
    """JSON that was written already, as a response."""
    return Response(content, status, media_type=JSON)


def documented(model: type[BaseModel], description: str = "") -> dict[str, Any]:
    """What the OpenAPI document says of a route that reads `model` by `read_body`."""
    schema = {"$ref": _REFERENCE.format(model=model.__name__)}
    body = {"required": True, "content": {JSON: {"schema": schema}}}
    return {"requestBody": body | ({"description": description} if description else {})}


def body_schemas(models: Sequence[type[BaseModel]]) -> dict[str, Any]:
    """The schemas of bodies by name, for the components of the OpenAPI document."""
    modes = [(model, "validation") for model in models]
    _, told = models_json_schema(modes, ref_template=_REFERENCE)  # type: ignore[arg-type]
    found: dict[str, Any] = told["$defs"]
    return found
