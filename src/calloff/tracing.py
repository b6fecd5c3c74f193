"""OpenTelemetry spans for the requests of the clients and of bulk runs, where the program uses OpenTelemetry.

httpx's instrumentation does not see these requests, as httpx does not send them. A program that has imported
``opentelemetry.trace`` before it makes a client gets a span for each request; any other program pays nothing. Names
and attributes are those of the semantic conventions for HTTP clients, but for ``url.full``: ids of jobs, queries and
headers are in no span, so ``url.template`` stands for it. No context is sent along: the services have no use for it.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from calloff.apis import OPERATIONS

if TYPE_CHECKING:
    from calloff.prepare import PreparedRequest
    from calloff.transport import Answer, AsyncSender, Sender

_TEMPLATES = {call.key: call.path for each in OPERATIONS.values() for call in (each, each.status)}


def traced(sender: Sender) -> Sender:
    """Return what sends with ``sender`` and makes spans, or ``sender`` itself where nobody asked for any."""
    trace = sys.modules.get("opentelemetry.trace")
    return sender if trace is None else _Traced(sender, trace)


def traced_async(sender: AsyncSender) -> AsyncSender:
    """Do the same for an asynchronous sender."""
    trace = sys.modules.get("opentelemetry.trace")
    return sender if trace is None else _AsyncTraced(sender, trace)


class _Traced:
    def __init__(self, sender: Sender, trace: Any) -> None:
        self._sender, self._trace = sender, trace

    def send(self, request: PreparedRequest, *, deadline: float) -> Answer:
        with _span(self._trace, request) as span:
            answer = self._sender.send(request, deadline=deadline)
            _answered(self._trace, span, answer)
            return answer

    def close(self) -> None:
        self._sender.close()


class _AsyncTraced:
    def __init__(self, sender: AsyncSender, trace: Any) -> None:
        self._sender, self._trace = sender, trace

    async def send(self, request: PreparedRequest, *, deadline: float) -> Answer:
        with _span(self._trace, request) as span:
            answer = await self._sender.send(request, deadline=deadline)
            _answered(self._trace, span, answer)
            return answer

    async def close(self) -> None:
        await self._sender.close()


@contextmanager
def _span(trace: Any, request: PreparedRequest) -> Generator[Any]:
    template = _TEMPLATES.get(request.name)  # None for the calls of IAM
    attributes = {
        "http.request.method": request.method,
        "server.address": request.host,
        "server.port": request.port,
        "url.scheme": request.scheme,
    }
    name = request.method
    if template:
        name, attributes["url.template"] = f"{name} {template}", template
    with trace.get_tracer("calloff").start_as_current_span(
        name,
        kind=trace.SpanKind.CLIENT,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except BaseException as error:
            _failed(trace, span, type(error).__qualname__)
            raise


def _answered(trace: Any, span: Any, answer: Answer) -> None:
    span.set_attribute("http.response.status_code", answer.status)
    if answer.status >= 400:
        _failed(trace, span, str(answer.status))


def _failed(trace: Any, span: Any, what: str) -> None:
    span.set_attribute("error.type", what)
    span.set_status(trace.StatusCode.ERROR)
