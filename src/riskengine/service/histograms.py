"""Histograms that are cheap to observe: one bisection under one lock.

The client's own looks up a child, then walks the buckets, each with a lock; it costs a quote as
much as the models do. What is told to Prometheus is the same.
"""

import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Histograms(Collector):
    """A histogram for each set of label values; `bounds` are the upper bounds of its buckets."""

    def __init__(
        self, name: str, told: str, labels: Sequence[str], bounds: Sequence[float]
    ) -> None:
        self._about = (name, told, labels)
        self._bounds = [float(bound) for bound in bounds]
        self._counts: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], float] = {}
        self._lock = threading.Lock()

    def observe(self, labels: tuple[str, ...], value: float) -> None:
        """Count a value of these labels, which are in the order they were named in."""
        place = bisect_left(self._bounds, value)
        with self._lock:
            counts = self._counts.get(labels)
            if counts is None:
                counts = self._counts[labels] = [0] * (len(self._bounds) + 1)
                self._sums[labels] = 0.0
            counts[place] += 1
            self._sums[labels] += value

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """What was counted, as the client's registry asks for it."""
        name, told, labels = self._about
        family = HistogramMetricFamily(name, told, labels=labels)
        with self._lock:
            found = [(key, counts.copy(), self._sums[key]) for key, counts in self._counts.items()]
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        for key, counts, total in found:
            family.add_metric(key, list(zip(names, accumulate(counts), strict=True)), total)
        yield family
