"""Traces by option: a span of each request, with its route and status."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from riskengine.cli.serving import trace_to
from riskengine.release import load_release
from riskengine.service.requests import EXAMPLE_ANSWERS
from tests.service.running import KEPT, application

memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
pytest.importorskip("opentelemetry.instrumentation.fastapi")


def test_each_request_has_a_span_with_its_route_and_status() -> None:
    exporter = memory.InMemorySpanExporter()
    app = application(None, load_release(KEPT))
    provider = trace_to(app, exporter)
    with TestClient(app) as client:
        client.post("/v1/prices", json={"answers": EXAMPLE_ANSWERS}).raise_for_status()
        assert client.post("/v1/quotes", json={"answers": EXAMPLE_ANSWERS}).status_code == 503
    provider.shutdown()
    told: list[dict[str, Any]] = [dict(one.attributes) for one in exporter.get_finished_spans()]
    statuses = [one.get("http.status_code", one.get("http.response.status_code")) for one in told]
    assert {200, 503} <= set(statuses)
    assert any("/v1/prices" in str(one) for one in told)
