"""Keys by use, each use with a ring: the newest key is used, older ones still open and verify.

A ring is a JSON file that only the service may read, or the same JSON in the environment. It is
read again when the file changes, so that a rotation needs no restart.
"""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from pydantic import AwareDatetime, Base64UrlBytes, BaseModel, ConfigDict, ValidationError

from riskengine.errors import InputError, ProtectionError

_BYTES = 32


class KeyUse(StrEnum):
    """What a key is for; no key has two uses."""

    SIGNING = "signing"
    ENCRYPTION = "encryption"
    INDEX = "index"
    PSEUDONYM = "pseudonym"
    AUDIT = "audit"


@dataclass(frozen=True)
class Key:
    """32 secret bytes with a name; after `until`, if set, it is no longer accepted."""

    kid: str
    use: KeyUse
    created_at: datetime
    secret: bytes = field(repr=False)
    until: datetime | None = None


@dataclass(frozen=True)
class KeyRing:
    """All keys, in the order in which they were made."""

    keys: tuple[Key, ...]

    def of(self, use: KeyUse) -> tuple[Key, ...]:
        """The keys of a use, the newest first; raises `ProtectionError` when there is none."""
        found = tuple(key for key in reversed(self.keys) if key.use is use)
        if not found:
            message = f"no key for {use}: make one with `riskengine keys rotate {use}`"
            raise ProtectionError(message)
        return found

    def current(self, use: KeyUse) -> Key:
        """The key that signs, seals or hashes now."""
        return self.of(use)[0]

    def named(self, use: KeyUse, kid: str) -> Key:
        """The key of this name; raises `ProtectionError` when it is not in the ring."""
        for key in self.of(use):
            if key.kid == kid:
                return key
        message = f"key {kid!r} for {use} is not in the ring: put it back from the backup of keys"
        raise ProtectionError(message)

    def rotated(self, use: KeyUse, now: datetime, overlap: timedelta | None = None) -> "KeyRing":
        """The ring with a new key; older ones of its use end after `overlap`, if there is one.

        Keys that have ended are left out.
        """
        kept = tuple(
            _ending(key, now + overlap) if overlap is not None and key.use is use else key
            for key in self.keys
            if key.until is None or key.until > now
        )
        return KeyRing((*kept, new_key(use, now)))

    def without(self, use: KeyUse, kid: str) -> "KeyRing":
        """The ring with one key taken out; raises `InputError` for the key that is in use."""
        key = self.named(use, kid)
        if key is self.current(use):
            message = f"key {kid!r} is in use: rotate first"
            raise InputError(message)
        return KeyRing(tuple(one for one in self.keys if one is not key))


def new_key(use: KeyUse, now: datetime) -> Key:
    """A key of 32 random bytes; its name tells its use and day."""
    return Key(f"{use}-{now:%Y%m%d}-{secrets.token_hex(3)}", use, now, secrets.token_bytes(_BYTES))


def new_ring(now: datetime) -> KeyRing:
    """A ring with one key for every use."""
    return KeyRing(tuple(new_key(use, now) for use in KeyUse))


class _KeyFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kid: str
    use: KeyUse
    created_at: AwareDatetime
    secret: Base64UrlBytes
    until: AwareDatetime | None = None


class _RingFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    keys: list[_KeyFile]


def parse_key_ring(text: str, named: str) -> KeyRing:
    """The ring in a JSON text; raises `ProtectionError`, which never tells the text."""
    try:
        read = _RingFile.model_validate_json(text)
    except ValidationError as error:
        faults = {".".join(map(str, f["loc"])) or "the text" for f in error.errors()}
        message = f"{named} is no key ring: look at {', '.join(sorted(faults))}"
        raise ProtectionError(message) from None
    keys = tuple(Key(k.kid, k.use, k.created_at, k.secret, k.until) for k in read.keys)
    short = [key.kid for key in keys if len(key.secret) != _BYTES]
    twice = len({key.kid for key in keys}) != len(keys)
    if short or twice:
        fault = f"{short[0]!r} has not {_BYTES} bytes" if short else "a key is named twice"
        message = f"{named} is no key ring: {fault}"
        raise ProtectionError(message)
    return KeyRing(keys)


def read_key_ring(path: Path) -> KeyRing:
    """The ring in a file; raises `ProtectionError` when it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot read the keys in {path}: {type(error).__name__}; `riskengine keys new`"
        raise ProtectionError(message) from error
    return parse_key_ring(text, str(path))


def write_key_ring(path: Path, ring: KeyRing) -> None:
    """Write a ring in one step, to a file that its owner alone may read."""
    held = [
        _KeyFile.model_construct(
            kid=k.kid, use=k.use, created_at=k.created_at, secret=k.secret, until=k.until
        )
        for k in ring.keys
    ]
    text = _RingFile.model_construct(keys=held).model_dump_json(indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


class KeyFile:
    """A ring in a file, read again whenever the file has changed; call it for the ring."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._ring = KeyRing(())

    def __call__(self) -> KeyRing:
        """The ring as it is now; the last good one when the file cannot be looked at."""
        try:
            state = self._path.stat()
        except OSError:
            if self._seen is not None:
                return self._ring
            return read_key_ring(self._path)
        seen = (state.st_mtime_ns, state.st_ino, state.st_size)
        if seen != self._seen:
            self._ring = read_key_ring(self._path)
            self._seen = seen
        return self._ring


Keys = Callable[[], KeyRing]


def _ending(key: Key, until: datetime) -> Key:
    return key if key.until is not None and key.until <= until else replace(key, until=until)
