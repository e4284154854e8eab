"""A stored quote recomputed: the same inputs and the same release must give the same answer.

Premiums and every text are compared as they are, other amounts to 1e-9, for another machine may
add up in another last bit.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson

from riskengine.errors import ReleaseError, UnknownQuoteError
from riskengine.service.quoting import AnyRelease, Asked, price
from riskengine.store import Database, Plain, Sealer, StoredQuote, read_quote

_TOLERANCE = 1e-9
_OF_THE_QUOTE = frozenset({"quote_id", "created_at", "valid_until"})


@dataclass(frozen=True)
class Replayed:
    """A stored quote, the premiums as recomputed, and what differs."""

    quote: StoredQuote
    premiums: dict[str, str]
    differences: tuple[str, ...]


def replay_quote(
    database: Database,
    quote_id: str,
    find: Callable[[str], AnyRelease],
    sealer: Sealer | None = None,
) -> Replayed:
    """Recompute a quote; `find` gives a release by its hash.

    Raises `UnknownQuoteError` for a quote that is not stored and `ReleaseError` when its release is
    not there, or another one was given.
    """
    with database.reading() as connection:
        quote = read_quote(connection, quote_id, sealer or Plain())
    if quote is None:
        message = f"no quote {quote_id!r} is stored"
        raise UnknownQuoteError(message)
    release = find(quote.release)
    if release.hash != quote.release:
        message = (
            f"quote {quote_id} was priced by release {quote.release}, this one is {release.hash}"
        )
        raise ReleaseError(message)
    prices = price(release, Asked.from_json(quote.inputs))
    stored = orjson.loads(quote.body)
    was = {name: value for name, value in stored.items() if name not in _OF_THE_QUOTE}
    found = tuple(differences(was, orjson.loads(prices.content)))
    return Replayed(quote, prices.premiums, found)


def differences(stored: object, again: object, place: str = "") -> Iterator[str]:
    """Where two JSON values differ, and how.

    >>> list(differences({"a": [1.0, "2.00"]}, {"a": [1.0, "2.01"]}))
    ["a.1: stored '2.00', replayed '2.01'"]
    """
    if isinstance(stored, dict) and isinstance(again, dict):
        # A newer version may answer more than was stored, but nothing else.
        for name in stored:
            yield from differences(stored.get(name), again.get(name), f"{place}.{name}".strip("."))
    elif isinstance(stored, list) and isinstance(again, list) and len(stored) == len(again):
        for row, (one, other) in enumerate(zip(stored, again, strict=True)):
            yield from differences(one, other, f"{place}.{row}".strip("."))
    elif not _same(stored, again):
        yield f"{place}: stored {stored!r}, replayed {again!r}"


def _same(stored: object, again: object) -> bool:
    if isinstance(stored, float) and isinstance(again, float | int):
        return math.isclose(stored, again, rel_tol=_TOLERANCE)
    return stored == again
