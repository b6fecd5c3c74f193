"""Carries out disturbances on the requests of one API."""

from __future__ import annotations

import asyncio
import http
import socket
import struct
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from calloff.apis import APIS
from calloff.mock.ci.errors import error_answer as ci_error
from calloff.mock.ci.routes import message_id
from calloff.mock.dli.errors import error_answer as dli_error
from calloff.mock.pipeline import Answer, Refusal, Row
from calloff.mock.routing import Router

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from calloff.apis import ApiName
    from calloff.mock.disturbances import Disturbance, Disturbances, Running
    from calloff.mock.pipeline import Exchange, Headers
    from calloff.mock.state import ServerState

CYCLE = "calloff.cycle"  # where the protocol leaves the hold on its connection, in the scope of a request
_SPOILING = frozenset({"close", "truncate", "content-type"})
_PHRASES = {status.value: status.phrase.encode() for status in http.HTTPStatus}
_CI_ROWS: Mapping[int, Row] = {  # CI-ERR
    429: Row(429, "SlowDown", "Reduce your request rate."),
    500: Row(500, "InternalError", "Internal server error."),
    501: Row(501, "NotImplemented", "The method is not implemented."),
    503: Row(503, "ServiceUnavailable", "The service is unavailable, retry later."),
}
_DLI_ROWS: Mapping[int, tuple[str, str]] = {  # HW-GW, OTC-APIG
    429: (
        "0308",
        "The throttling threshold has been reached: policy user over ratelimit,limit:{rate},time:1 second",
    ),
    500: ("0601", "Internal server error"),
    502: ("0201", "Backend unavailable"),
    503: ("0613", "IAM unavailable"),
    504: ("0201", "Backend timeout"),
}
_PAGE = (
    "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
_PAGE_TITLES = {
    502: "502 Bad Gateway",
    503: "503 Service Temporarily Unavailable",
    504: "504 Gateway Time-out",
}


class Ending(Enum):
    """How an answer leaves."""

    WHOLE = auto()
    HALF = auto()
    RESET = auto()


@dataclass(slots=True)
class Outcome:
    """What becomes of a disturbed request: its answer, how that leaves, how late, and the kinds that struck."""

    answer: Answer | None = None
    ending: Ending = Ending.WHOLE
    delay: float = 0.0
    kinds: tuple[str, ...] = ()


class Faults:
    """The disturbances of a server as they befall the requests of one API.

    Args:
        name: name of the API.
        state: of the server; its dialect decides the prefix of the gateway's codes.
        disturbances: those in force.
        finish: puts on an answer what every answer of the vendor has.
    """

    def __init__(
        self,
        name: ApiName,
        state: ServerState,
        disturbances: Disturbances,
        finish: Callable[[Exchange, Answer], Answer],
    ) -> None:
        self.disturbances = disturbances
        self._name = name
        self._ids = state.ids
        self._dialect = state.dialect
        self._finish = finish
        self._router = Router(APIS[name].operations.values())

    async def outcome(self, exchange: Exchange, handle: Callable[[Exchange], Awaitable[Answer]]) -> Outcome:
        """Answer a request as the disturbances in force let it be answered.

        The first one that takes the place of the answer does, in the order in which they were put in force. Where
        none does, the request is handled. What spoils an answer comes last.
        """
        outcome, key = Outcome(), self.operation(exchange)
        active = self.disturbances.active
        early = [one for one in active if not _after(one.disturbance)]
        late = [one for one in active if _after(one.disturbance)]
        if any(self._befalls(outcome, exchange, key, one) for one in early):
            late = [one for one in late if not one.disturbance.applied]
        else:
            outcome.answer = await handle(exchange)
        for one in late:
            self._befalls(outcome, exchange, key, one)
        if any(one.left == 0 for one in active):
            self.disturbances.drop_spent()
        if outcome.delay:
            await asyncio.sleep(outcome.delay)
        return outcome

    def operation(self, exchange: Exchange) -> str:
        """Name the operation of a path as ``api/operation``; nothing after the slash where there is none."""
        try:
            return self._router.match(exchange)[0].key
        except Refusal:
            return f"{self._name}/"

    def _befalls(self, outcome: Outcome, exchange: Exchange, key: str, running: Running) -> bool:
        """Let a disturbance strike; say whether it settled what becomes of the request."""
        if outcome.ending is Ending.RESET or not running.strikes(self._name, key, exchange.now):
            return False
        disturbance = running.disturbance
        outcome.kinds += (disturbance.kind,)
        match disturbance.kind:
            case "latency":
                outcome.delay += disturbance.seconds or 0.0
                return False
            case "throttle" | "status":
                outcome.answer = self._error(exchange, key, disturbance)
            case "gateway":
                outcome.answer = _page(disturbance.status or 502)
            case "reset":
                outcome.ending = Ending.RESET
            case "truncate":
                outcome.ending = Ending.HALF
            case "close" if outcome.answer is not None:
                outcome.answer.headers.append((b"connection", b"close"))
            case "content-type" if outcome.answer is not None:
                kept = [header for header in outcome.answer.headers if header[0] != b"content-type"]
                value = (disturbance.content_type or "").encode()
                outcome.answer.headers = [*kept, (b"content-type", value)]
        return True

    def _error(self, exchange: Exchange, key: str, disturbance: Disturbance) -> Answer:
        """Write an error of the vendor, with Retry-After where it throttles."""
        status = disturbance.status or 429
        if self._name == "tencent-ci":
            trace_id = message_id(self._ids, exchange.now)
            answer = ci_error(_CI_ROWS[status], exchange.request_id, trace_id)
        else:
            number, text = _DLI_ROWS[status]
            text = text.format(rate=f"{disturbance.rate or 0:g}")
            prefix = self._dialect.of(key)["dli-gateway-prefix"] if self._name == "otc-dli" else "APIGW"
            answer = dli_error(exchange, Row(status, f"{prefix}.{number}", text))
        if disturbance.retry_after is not None:
            answer.headers.append((b"retry-after", b"%d" % disturbance.retry_after))
        return self._finish(exchange, answer)


def _after(disturbance: Disturbance) -> bool:
    """Tell whether the request is handled before the disturbance comes."""
    return disturbance.applied is True or disturbance.kind in _SPOILING


def _page(status: int) -> Answer:
    """Write the page of a reverse proxy that got no answer from behind it; it knows no vendor's headers."""
    body = _PAGE.format(title=_PAGE_TITLES[status]).encode()
    return Answer(status, [(b"server", b"nginx"), (b"content-type", b"text/html")], body)


def spoil(cycle: Any, outcome: Outcome, *, head_only: bool) -> None:
    """End the connection of a request by half of its answer, or by none and a reset.

    Args:
        cycle: the hold on the connection that the protocol left in the scope of the request.
        outcome: of the request; half of its answer is sent, or nothing where the connection is to be reset.
        head_only: the answer is to a HEAD and has no body.
    """
    cycle.disconnected = True  # keeps the server from adding an answer of its own
    transport = cycle.transport
    if outcome.ending is Ending.HALF and outcome.answer is not None:
        transport.write(half_of(outcome.answer, cycle.default_headers, head_only=head_only))
        transport.close()
        return
    # A linger time of nothing makes the kernel reset the connection instead of closing it.
    transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    transport.abort()


def half_of(answer: Answer, more_headers: Headers, *, head_only: bool) -> bytes:
    """Write the head of an answer and half of its body, or half of the head where there is no body."""
    headers = [*more_headers, *answer.headers, (b"content-length", b"%d" % len(answer.body))]
    lines = [b"HTTP/1.1 %d %s" % (answer.status, _PHRASES.get(answer.status, b""))]
    head = b"\r\n".join([*lines, *(name + b": " + value for name, value in headers), b"", b""])
    if head_only or not answer.body:
        return head[: len(head) // 2]
    return head + answer.body[: len(answer.body) // 2]
