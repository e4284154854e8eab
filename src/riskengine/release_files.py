"""A release on disk: its files, the manifest that names them, and the hash over all of them."""

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from pydantic import TypeAdapter

from riskengine import __version__
from riskengine.errors import ReleaseError
from riskengine.profiles.drift import Bins

FORMAT = 1
MANIFEST = "manifest.json"
STUDY, MARKET = "study", "market"
"""Kinds of release: the research catalogue, and a market with its tariffs."""
_LIBRARIES = (
    "glum", "lightgbm", "numba", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy",
)  # fmt: skip
_INPUTS = "inputs.json"
_BINS = TypeAdapter(dict[str, Bins])


def to_json(content: object) -> bytes:
    """Content as it is kept: equal content gives equal bytes."""
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def library_versions() -> dict[str, str]:
    """What numbers come from beside the files: libraries, riskengine itself, Python."""
    found = {name: version(name) for name in _LIBRARIES}
    return found | {"riskengine": __version__, "python": platform.python_version()}


def inputs_files(inputs: Mapping[str, Bins]) -> dict[str, bytes]:
    """The spread of a release's inputs as a file; none where it is not known."""
    return {_INPUTS: _BINS.dump_json(dict(inputs), indent=1)} if inputs else {}


def inputs_from(texts: Mapping[str, str]) -> dict[str, Bins]:
    """The spread of inputs from the texts of files by name; empty where there is no such file."""
    return _BINS.validate_json(texts.get(_INPUTS, "{}"))


def hash_of(files: Mapping[str, bytes]) -> str:
    """SHA-256 over the digests of files by relative path, 64 hexadecimal digits."""
    return _hash_of_digests(_digests(files))


def write_release_files(files: Mapping[str, bytes], folder: Path, kind: str = STUDY) -> None:
    """Write the files to an empty or new folder, the manifest last."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    digests = _digests(files)
    manifest = {"format": FORMAT, "hash": _hash_of_digests(digests), "files": digests}
    # The first releases had one kind and did not name it.
    manifest |= {} if kind == STUDY else {"kind": kind}
    (folder / MANIFEST).write_bytes(to_json(manifest))


def check_release_files(folder: Path) -> tuple[str, str]:
    """The hash and the kind of the release in `folder`, whose every byte is as it was written.

    Raises `ReleaseError` when files are missing or differ from the manifest in a single byte.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"{folder} holds no release: {error}"
        raise ReleaseError(message) from error
    if not isinstance(manifest, dict) or not {"format", "hash", "files"} <= manifest.keys():
        message = f"{folder / MANIFEST} is no manifest of a release: build anew"
        raise ReleaseError(message)
    if manifest["format"] != FORMAT:
        message = (
            f"{folder} has release format {manifest['format']}, this version reads {FORMAT}: build"
            " it again"
        )
        raise ReleaseError(message)
    for name, digest in manifest["files"].items():
        path = folder / name
        if not path.is_file() or _digest(path.read_bytes()) != digest:
            message = f"{path} is missing or was changed after the release was built: build anew"
            raise ReleaseError(message)
    if _hash_of_digests(manifest["files"]) != manifest["hash"]:
        message = f"the manifest in {folder} was changed after the release was built: build anew"
        raise ReleaseError(message)
    return str(manifest["hash"]), str(manifest.get("kind", STUDY))


def _digests(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: _digest(content) for name, content in files.items()}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _hash_of_digests(digests: Mapping[str, str]) -> str:
    lines = [f"{digest}  {name}\n" for name, digest in sorted(digests.items())]
    return _digest("".join(lines).encode("utf-8"))
