"""YAML that remembers its lines, so that a fault in a file is named by file, line and value.

What YAML would take in silence, a key that is there twice, is refused. Rows that a loader puts in
from another file keep the line of that file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from riskengine.errors import SpecError

Model = TypeVar("Model", bound=BaseModel)
Place: TypeAlias = tuple[str | int, ...]
"""Where a value stands: keys and positions from the top, such as `("factors", 0, "unit")`."""
_MOST_FAULTS = 5


@dataclass(frozen=True)
class Marked:
    """The content of the file at `path`, and for each place the file and line it stands in."""

    path: Path
    content: object
    lines: Mapping[Place, tuple[Path, int]]

    def where(self, place: Place) -> str:
        """`file:line` of a place, or of what is nearest above it."""
        known: Place = ()
        for part in place:
            known = (*known, part) if (*known, part) in self.lines else known
        path, line = self.lines.get(known, (self.path, 1))
        return f"{path}:{line}"

    def fault(self, place: Place, message: str) -> SpecError:
        """The error that says `message` of a place."""
        return SpecError(f"{self.where(place)}: {dotted(place)}{message}")

    def with_content(self, content: object, lines: Mapping[Place, tuple[Path, int]]) -> "Marked":
        """The same file with other content, and lines of what came from elsewhere."""
        return replace(self, content=content, lines={**self.lines, **lines})


def dotted(place: Iterable[str | int]) -> str:
    """A place in words.

    >>> dotted(("factors", 0, "unit"))
    'factors.0.unit'
    """
    return ".".join(str(part) for part in place)


def read_marked(path: Path) -> Marked:
    """One YAML file with its lines.

    Raises `SpecError` for a file that cannot be read, is no YAML or has a key twice.
    """
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        root = loader.get_single_node()
        lines: dict[Place, tuple[Path, int]] = {}
        if root is not None:
            _mark(root, (), path, lines)
        content = None if root is None else loader.construct_document(root)
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise SpecError(message) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        message = f"{path} is not valid YAML in UTF-8: {error}"
        raise SpecError(message) from error
    return Marked(path, content, lines)


def _mark(node: yaml.Node, place: Place, path: Path, lines: dict[Place, tuple[Path, int]]) -> None:
    lines.setdefault(place, (path, node.start_mark.line + 1))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*place, str(key.value))
            line = key.start_mark.line + 1
            if inner in lines:
                message = (
                    f"{path}:{line}: {dotted(inner)} is there twice, first in line"
                    f" {lines[inner][1]}: keep one"
                )
                raise SpecError(message)
            lines[inner] = (path, line)
            _mark(value, inner, path, lines)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            _mark(value, (*place, position), path, lines)


def validated(marked: Marked, model: type[Model]) -> Model:
    """The content as a `model`; raises `SpecError` naming file, line, value and what to do."""
    try:
        return model.model_validate(marked.content)
    except ValidationError as error:
        found = error.errors()
        deepest = [
            fault
            for fault in found
            if fault["type"] != "too_short" or not any(_inside(other, fault) for other in found)
        ]
        told = [_told(marked, fault) for fault in deepest[:_MOST_FAULTS]]
        raise SpecError("; ".join(told)) from error


def _inside(fault: ErrorDetails, outer: ErrorDetails) -> bool:
    """Whether a list was found too short only for what is wrong with its items."""
    return fault is not outer and fault["loc"][: len(outer["loc"])] == outer["loc"]


def _told(marked: Marked, fault: ErrorDetails) -> str:
    place = (*fault["loc"], *fault.get("ctx", {}).get("place", ()))
    where = f"{marked.where(place)}: {dotted(place)}"
    match fault["type"]:
        case "missing":
            return f"{where} is missing: add it"
        case "extra_forbidden":
            return f"{where} is not known here: mend its name or remove it"
    message = fault["msg"].removeprefix("Value error, ")
    value = fault["input"]
    shown = "" if isinstance(value, dict | list | tuple | BaseModel) else f"={value!r}"
    return f"{where}{shown}: {message}"
