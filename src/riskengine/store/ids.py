"""Ids of rows that are added: random, and in order of time.

A random id alone (version 4) would touch another page of the index for each row of a batch, and
each page is written twice.
"""

from datetime import datetime
from os import urandom
from uuid import UUID

_VERSION, _VARIANT = 7 << 76, 0b10 << 62
_RANDOM = (1 << 74) - 1


def new_id(at: datetime) -> str:
    """A UUID of version 7: the milliseconds of a time with its zone, then 74 random bits.

    Reference: RFC 9562, section 5.7.
    """
    chance = int.from_bytes(urandom(10)) & _RANDOM
    upper, lower = chance >> 62, chance & ((1 << 62) - 1)
    stamp = int(at.timestamp() * 1000) << 80
    return str(UUID(int=stamp | _VERSION | upper << 64 | _VARIANT | lower))
