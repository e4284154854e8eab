"""Health data sealed field by field, each value bound to the place where it is stored.

AES-256-GCM with a random nonce of 96 bits. The name of the key and of the place (table, row, and
column where a row has several) are authenticated with the value, so that it opens nowhere else: it
cannot be moved to another member. One key may seal 2^32 values; rotate long before.

A blind index is a keyed hash: it finds the rows of a member without telling who the member is.
"""

import base64
import binascii
import hashlib
import hmac
import json
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from riskengine.errors import ProtectionError
from riskengine.security.key_ring import KeyRing, Keys, KeyUse

_MARK = "sealed1"
_NONCE = 12


class FieldCipher:
    """Seals and opens values with the ring that `keys` gives at the time.

    >>> from datetime import UTC, datetime
    >>> from riskengine.security.key_ring import new_ring
    >>> ring = new_ring(datetime(2026, 1, 1, tzinfo=UTC))
    >>> cipher = FieldCipher(lambda: ring)
    >>> cipher.unseal(cipher.seal(b"age 43", "profiles/m1"), "profiles/m1")
    b'age 43'
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def seal(self, content: bytes, about: str) -> bytes:
        """The content as ASCII that opens with the ring only, and only at the place `about`."""
        key = self._keys().current(KeyUse.ENCRYPTION)
        nonce = os.urandom(_NONCE)
        sealed = AESGCM(key.secret).encrypt(nonce, content, _bound_to(key.kid, about))
        return f"{_MARK}:{key.kid}:{base64.urlsafe_b64encode(nonce + sealed).decode()}".encode()

    def unseal(self, sealed: bytes, about: str) -> bytes:
        """The content; raises `ProtectionError` when it was changed, moved, or its key is gone."""
        kid = kid_of(sealed)
        if kid is None:
            message = f"{about} holds a value that is not sealed: run `riskengine keys reencrypt`"
            raise ProtectionError(message)
        key = self._keys().named(KeyUse.ENCRYPTION, kid)
        try:
            data = _decoded(sealed.split(b":", 2)[2])
            return AESGCM(key.secret).decrypt(data[:_NONCE], data[_NONCE:], _bound_to(kid, about))
        except (InvalidTag, binascii.Error, ValueError) as error:
            message = f"the value of {about} was changed or moved: restore it, do not use it"
            raise ProtectionError(message) from error

    def is_current(self, sealed: bytes) -> bool:
        """Whether a value is sealed with the key that seals now."""
        return kid_of(sealed) == self._keys().current(KeyUse.ENCRYPTION).kid

    def pseudonym(self, member_id: str) -> str:
        """What stands for a member in columns that are searched: the newest blind index."""
        return blind_indexes(self._keys(), member_id)[0]

    def pseudonyms(self, member_id: str) -> tuple[str, ...]:
        """All that may stand for a member there, as index keys were rotated."""
        return blind_indexes(self._keys(), member_id)


def _decoded(text: bytes) -> bytes:
    """What was encoded as just this text: bits that stand for nothing count too."""
    data = base64.b64decode(text, altchars=b"-_", validate=True)
    if base64.urlsafe_b64encode(data) != text:
        message = "not as it was written"
        raise ValueError(message)
    return data


def kid_of(stored: bytes) -> str | None:
    """The name of the key of a sealed value; None for a value that is not sealed."""
    parts = stored.split(b":", 2)
    sealed = len(parts) == 3 and parts[0] == _MARK.encode()
    return parts[1].decode("ascii", "replace") if sealed else None


def blind_indexes(ring: KeyRing, member_id: str) -> tuple[str, ...]:
    """HMAC-SHA-256 of a member id under every index key, the newest first."""
    return tuple(
        hmac.new(key.secret, member_id.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
        for key in ring.of(KeyUse.INDEX)
    )


def _bound_to(kid: str, about: str) -> bytes:
    return json.dumps([_MARK, kid, about]).encode()
