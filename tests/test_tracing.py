"""Spans of OpenTelemetry: one for each request, by the conventions for HTTP, without ids and secrets."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import bulk_support
import pytest
from bulk_support import jobs
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from operations import CASES, MODES, OTC_SQL, Case
from test_disturbances_matrix import caught

from calloff.apis import OPERATIONS
from calloff.mock.disturbances import Disturbance
from calloff.mock.server import MockServer, run_embedded

EXPORTER = InMemorySpanExporter()
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)


@pytest.fixture(scope="module", autouse=True)
def provider() -> None:
    """Set the provider, which a process can do once."""
    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(EXPORTER))
    trace.set_tracer_provider(made)


@pytest.fixture(scope="module")
def running() -> Iterator[MockServer]:
    with run_embedded() as server:
        yield server


@pytest.fixture
def server(running: MockServer) -> Iterator[MockServer]:
    EXPORTER.clear()
    yield running
    running.disturbances.reset()


def told(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def canceled(server: MockServer, case: Case, mode: str) -> str:
    (job,) = jobs(server, case.key, 1)
    if mode == "bulk":
        bulk_support.cancel(bulk_support.client(server, case.key), case.key, [job.id])
    else:
        caught(server, case, mode, job.id)
    return job.id


@every_case
@pytest.mark.parametrize("mode", [*MODES, "bulk"])
def test_a_request_has_a_span_by_the_conventions_and_nothing_of_the_job_in_it(
    server: MockServer, case: Case, mode: str
) -> None:
    with trace.get_tracer("program").start_as_current_span("nightly"):
        job_id = canceled(server, case, mode)

    span, outer = EXPORTER.get_finished_spans()
    operation = OPERATIONS[case.key]
    assert span.name == f"{operation.method} {operation.path}"
    assert span.kind is trace.SpanKind.CLIENT
    assert span.parent is not None
    assert outer.context is not None
    assert span.parent.span_id == outer.context.span_id
    assert told(span) == {
        "http.request.method": operation.method,
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "server.port": int(server.announcement["apis"][operation.api]["base_url"].rpartition(":")[2]),
        "url.scheme": "http",
        "url.template": operation.path,
    }
    assert span.status.is_ok
    keys = server.announcement["apis"][operation.api]["credentials"].values()
    assert not [text for text in (job_id, *keys) if text in span.to_json()]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("kind", "members", "failure", "status"),
    [
        ("status", {"status": 503}, "503", 503),
        ("reset", {}, "NoAnswerError", None),
        ("throttle", {"rate": 0.0}, "429", 429),
    ],
)
def test_a_failure_is_an_error_of_the_span(
    server: MockServer, mode: str, kind: str, members: dict[str, Any], failure: str, status: int | None
) -> None:
    server.disturbances.add(Disturbance(kind=kind, operations=OTC_SQL.key, requests=1, **members))
    canceled(server, OTC_SQL, mode)

    (span,) = EXPORTER.get_finished_spans()
    assert span.status.status_code is trace.StatusCode.ERROR
    assert told(span)["error.type"] == failure
    assert told(span).get("http.response.status_code") == status
    assert span.events == ()


def test_a_program_without_opentelemetry_does_not_load_it() -> None:
    program = "import calloff, calloff.clients, sys; sys.exit('opentelemetry' in ''.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)

    assert result.returncode == 0
