"""One-time codes from an app on a person's phone (TOTP, RFC 6238): six digits, 30 seconds.

Pure: that a code is used once, and how often one may be tried, is kept by `clients`.
"""

import hmac
from datetime import datetime

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

SECRET_BYTES = 20
_SECONDS = 30


def provisioning_uri(secret: bytes, client_id: str, issuer: str) -> str:
    """The otpauth address that an app takes, as text or drawn as a QR code."""
    return _totp(secret).get_provisioning_uri(client_id, issuer)


def code_at(secret: bytes, now: datetime) -> str:
    """The code of a moment.

    >>> from datetime import UTC
    >>> code_at(b"12345678901234567890", datetime.fromtimestamp(59, UTC))  # RFC 6238, appendix B
    '287082'
    """
    return _totp(secret).generate(int(now.timestamp())).decode()


def matching_step(secret: bytes, code: str, now: datetime) -> int | None:
    """The 30-second step of which `code` is the code: this one, the one before or after, or None.

    The neighbours are taken because clocks differ. Every step is compared, in constant time.
    """
    this = int(now.timestamp()) // _SECONDS
    found = [
        step
        for step in (this - 1, this, this + 1)
        if hmac.compare_digest(
            _totp(secret).generate(step * _SECONDS), code.encode("utf-8", "surrogatepass")
        )
    ]
    return found[-1] if found else None


def _totp(secret: bytes) -> TOTP:
    # Apps know SHA-1 only; an HMAC does not suffer from its collisions.
    return TOTP(secret, 6, SHA1(), _SECONDS)
