"""How much one caller may ask for in a time: a token bucket for each, in this process.

A bucket holds `burst` requests and fills at `per_second`. With several processes each has its own,
so that a caller may have as many times the rate.
"""

from collections import OrderedDict
from dataclasses import dataclass

_MOST_CALLERS = 10_000


@dataclass(frozen=True)
class Rate:
    """Requests a second in the long run, and how many may come at once."""

    per_second: float
    burst: float


class RateLimit:
    """The buckets; callers that were quiet longest are forgotten beyond `most`.

    Forgetting gives a full bucket back, which a caller must wait for `most` others to gain.

    >>> limit = RateLimit(Rate(per_second=2, burst=2))
    >>> [limit.wait("a", now) for now in (0.0, 0.0, 0.0, 0.5, 0.5)]
    [0.0, 0.0, 0.5, 0.0, 0.5]
    """

    def __init__(self, rate: Rate, most: int = _MOST_CALLERS) -> None:
        self._rate, self._most = rate, most
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, caller: str, now: float) -> float:
        """0 when the request may go on, which takes it from the bucket; else seconds to wait."""
        held, then = self._buckets.get(caller, (self._rate.burst, now))
        held = min(self._rate.burst, held + (now - then) * self._rate.per_second)
        wait = 0.0 if held >= 1 else (1 - held) / self._rate.per_second
        self._buckets[caller] = (held - 1 if held >= 1 else held, now)
        self._buckets.move_to_end(caller)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return wait
