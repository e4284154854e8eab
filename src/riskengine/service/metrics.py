"""What the service measures of itself, for Prometheus; each application has its own registry."""

from collections.abc import Iterable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from riskengine.service.histograms import Histograms
from riskengine.service.input_drift import InputDrift

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_AMOUNTS = tuple(float(step * 10**power) for power in range(1, 6) for step in (1, 2, 5))
_BATCHES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Metrics:
    """Counters and histograms; `text` is the page that Prometheus reads."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.seconds = Histograms(
            "riskengine_request_seconds",
            "Time from a request to its answer; errors by status",
            ("method", "route", "status"),
            _SECONDS,
        )
        self._premium = Histograms(
            "riskengine_offered_premium",
            "Premiums of quotes and prices, in the currency of the market a year",
            ("market", "plan"),
            _AMOUNTS,
        )
        registry.register(self.seconds)
        registry.register(self._premium)
        self._releases = Gauge(
            "riskengine_release_info",
            "1 for each release in memory",
            ("market", "role", "release"),
            registry=registry,
        )
        self.batch = Histogram(
            "riskengine_store_batch_records",
            "Records written in one durable transaction",
            buckets=_BATCHES,
            registry=registry,
        )
        self.waiting = Gauge(
            "riskengine_store_waiting_records", "Records that wait for the store", registry=registry
        )
        self.shadow = Counter(
            "riskengine_shadow_quotes",
            "Quotes priced by a challenger: equal, different, failed, or dropped for want of time",
            ("market", "outcome"),
            registry=registry,
        )

        self.drift = InputDrift()
        self._drift = Gauge(
            "riskengine_input_psi",
            "Population stability index of what is asked against what the release was trained on",
            ("market", "input"),
            registry=registry,
        )

    def priced(self, market: str, premiums: Mapping[str, str]) -> None:
        """Count the premiums of a quote."""
        for plan, amount in premiums.items():
            self._premium.observe((market, plan), float(amount))

    def released(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """The releases in memory now, as (market, role, hash)."""
        self._releases.clear()
        for row in rows:
            self._releases.labels(*row).set(1)

    def text(self) -> bytes:
        """Everything, in Prometheus's text format."""
        self._drift.clear()
        for market, name, index in self.drift.told():
            self._drift.labels(market, name).set(index)
        return generate_latest(self._registry)
