"""What Prometheus is told of a histogram: the same as by the client's own."""

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from riskengine.service.histograms import Histograms

BOUNDS = (0.5, 1, 2.5)
VALUES = (0.0, 0.5, 0.500001, 1.0, 2.0, 99.0)


def samples(registry: CollectorRegistry) -> set[tuple[str, tuple[tuple[str, str], ...], float]]:
    text = generate_latest(registry).decode()
    return {
        (one.name, tuple(sorted(one.labels.items())), one.value)
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if not one.name.endswith("_created")
    }


def test_it_tells_what_the_clients_own_histogram_tells() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    quick = Histograms("seconds", "Time", ("route", "status"), BOUNDS)
    ours.register(quick)
    plain = Histogram("seconds", "Time", ("route", "status"), buckets=BOUNDS, registry=theirs)
    for route in ("/a", "/b"):
        for value in VALUES:
            quick.observe((route, "200"), value)
            plain.labels(route, "200").observe(value)
    assert samples(ours) == samples(theirs)
