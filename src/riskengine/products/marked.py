"""YAML that remembers where each value stood, so that a mistake is told with file and line."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from riskengine.errors import SpecError

Model = TypeVar("Model", bound=BaseModel)
Keys = tuple[str | int, ...]
MOST_FAULTS = 5


@dataclass(frozen=True)
class Marked:
    """What a file holds, and the place, as `file:line`, of each of its values by their keys."""

    content: object
    places: dict[Keys, str]


def read_marked(path: Path) -> Marked:
    """A YAML file with its lines.

    Raises `SpecError` when it cannot be read, is no YAML, or has one key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise SpecError(message) from error
    except UnicodeDecodeError as error:
        message = f"{path} is not UTF-8 from byte {error.start} on: save it as UTF-8"
        raise SpecError(message) from error
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        places = {} if node is None else dict(_places(node, (), path))
        content = None if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        message = f"{path} is not valid YAML: {error}"
        raise SpecError(message) from error
    finally:
        loader.dispose()
    return Marked(content, places)


def _places(node: yaml.Node, at: Keys, path: Path) -> Iterator[tuple[Keys, str]]:
    yield at, f"{path}:{node.start_mark.line + 1}"
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _places(item, (*at, number), path)
    elif isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                message = (
                    f"{path}:{line}: {'.'.join(map(str, (*at, key.value)))} stands here and in line"
                    f" {seen[key.value]}: keep one of them"
                )
                raise SpecError(message)
            seen[key.value] = line
            yield from _places(value, (*at, key.value), path)
            yield (*at, key.value), f"{path}:{line}"


def validated(marked: Marked, model: type[Model]) -> Model:
    """The content as a `model`.

    Raises `SpecError` with file, line, value and fix of the first five faults.
    """
    try:
        return model.model_validate(marked.content)
    except ValidationError as error:
        faults = [_told(fault, marked.places, model) for fault in error.errors()[:MOST_FAULTS]]
        raise SpecError("; ".join(faults)) from error


def _told(fault: ErrorDetails, places: dict[Keys, str], model: type[BaseModel]) -> str:
    at: Keys = ()
    *parents, last = fault["loc"] or ("",)
    for part in parents:  # the kind of a benefit is part of pydantic's path, but not of the file's
        at = (*at, part) if (*at, part) in places else at
    field = (*at, last) if last != "" else at
    place = places.get(field) or places.get(at) or places[()]
    name = ".".join(map(str, field)) or "the file"
    if fault["type"] == "missing":
        return f"{place}: {name} is missing: add it"
    said = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(last), _field_names(model), 1)
        said = "there is no such field: " + (f"is it {close[0]}?" if close else "remove it")
    value = "" if isinstance(fault["input"], dict) else f"={fault['input']!r}"
    return f"{place}: {name}{value}: {said}"


def _field_names(model: type[BaseModel]) -> list[str]:
    """Every field of the model and of the models within it."""
    schema = model.model_json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    return sorted({name for part in parts for name in part.get("properties", {})})
