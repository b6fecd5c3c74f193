"""The ASGI application of one API: reads the request, takes it through the steps, sends the answer."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

from calloff.mock.ci.routes import ci_parts
from calloff.mock.disturbances import Disturbances
from calloff.mock.dli.routes import dli_parts
from calloff.mock.faults import CYCLE, Ending, Faults, spoil
from calloff.mock.journal import Journal
from calloff.mock.pipeline import Case, Exchange, Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    from calloff.apis import ApiName
    from calloff.mock.mutants import Mutant
    from calloff.mock.pipeline import Answer, Call, Headers, Steps
    from calloff.mock.state import ServerState

_log = logging.getLogger("calloff.mock")


class ApiApp:
    """One API over ASGI. Routing and steps are given; nothing is looked up or compiled per request.

    Args:
        name: name of the API.
        route: finds the operation of a request, or its status call, and fills in owner and job id.
        steps: the steps of each operation and of each status call, by name.
        unrouted: the steps used to refuse what names no operation.
        clock: gives the time in epoch seconds.
        new_request_id: makes the id of a request that came at a time.
        body_limit: longest body that is read, in bytes.
        faults: the disturbances in force, as they befall this API.
        journal: where requests are noted.
        around: replaces `handle`; how a mutant lets requests interfere with each other.
    """

    def __init__(
        self,
        name: ApiName,
        *,
        route: Callable[[Exchange], Call],
        steps: Mapping[str, Steps],
        unrouted: Steps,
        clock: Callable[[], float],
        new_request_id: Callable[[float], str],
        body_limit: int,
        faults: Faults,
        journal: Journal,
        around: Callable[[ApiApp, Exchange], Awaitable[Answer]] | None = None,
    ) -> None:
        self.name = name
        self._route = route
        self._steps = steps
        self._unrouted = unrouted
        self._clock = clock
        self._new_request_id = new_request_id
        self._body_limit = body_limit
        self._faults = faults
        self._disturbances = faults.disturbances
        self._journal = journal
        self._around = around

    def handle(self, exchange: Exchange) -> Answer:
        """Answer one request whose body has been read."""
        steps = self._unrouted
        try:
            steps = self._steps[self._route(exchange).name]
            steps.run(exchange)
            answer = steps.accepted(exchange)
        except Refusal as refusal:
            answer = steps.refused(exchange, refusal.case)
        except Exception:  # noqa: BLE001 - whatever happens, the client gets an answer
            _log.exception("the mock failed; this is a fault of the mock, not of the request")
            answer = steps.refused(exchange, Case.SERVER_FAULT)
        return steps.finish(exchange, answer)

    @property
    def answers_at_once(self) -> bool:
        """Whether nothing can delay an answer or spoil it: `answer` may be used."""
        return self._around is None and not self._disturbances.active

    def answer(self, method: str, raw_path: bytes, query: bytes, headers: Headers) -> Answer:
        """Answer a request without a body, and note it."""
        began = time.perf_counter()
        exchange = self._exchange(method, raw_path, query, headers)
        answer = self.handle(exchange)
        self._note(exchange, answer.status, time.perf_counter() - began)
        return answer

    def refuse(self, exchange: Exchange, case: Case) -> Answer:
        """Answer a request that no operation refused."""
        return self._unrouted.finish(exchange, self._unrouted.refused(exchange, case))

    def bad_request(self, case: Case = Case.BAD_REQUEST) -> Answer:
        """Answer bytes that are no HTTP request, or too long a head of one."""
        exchange = self._exchange("", b"", b"", [])
        answer = self.refuse(exchange, case)
        self._note(exchange, answer.status, 0.0)
        return answer

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Serve one ASGI connection; everything but HTTP is left alone."""
        if scope["type"] != "http":
            return
        began = time.perf_counter()
        exchange = self._exchange(scope["method"], scope["raw_path"], scope["query_string"], scope["headers"])
        if not await self._read_body(exchange, receive):
            return
        if self._disturbances.active:
            await self._disturbed(exchange, began, scope, send)
            return
        answer = self.handle(exchange) if self._around is None else await self._around(self, exchange)
        self._note(exchange, answer.status, time.perf_counter() - began)
        await _send(answer, send)

    async def _disturbed(
        self,
        exchange: Exchange,
        began: float,
        scope: MutableMapping[str, Any],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        outcome = await self._faults.outcome(exchange, self._handle)
        answer = None if outcome.ending is Ending.RESET else outcome.answer
        status = None if answer is None else answer.status
        self._note(exchange, status, time.perf_counter() - began, outcome.kinds)
        if answer is not None and outcome.ending is Ending.WHOLE:
            await _send(answer, send)
        else:
            spoil(scope[CYCLE], outcome, head_only=exchange.method == "HEAD")

    async def _handle(self, exchange: Exchange) -> Answer:
        return self.handle(exchange) if self._around is None else await self._around(self, exchange)

    def _exchange(self, method: str, raw_path: bytes, query: bytes, headers: Headers) -> Exchange:
        now = self._clock()
        exchange = Exchange(method, raw_path, query, headers, now)
        exchange.request_id = self._new_request_id(now)
        return exchange

    async def _read_body(
        self, exchange: Exchange, receive: Callable[[], Awaitable[MutableMapping[str, Any]]]
    ) -> bool:
        """Read the body up to the limit; say False when the client has gone."""
        expected = False
        for name, value in exchange.headers:
            if name == b"content-length":
                expected = value != b"0"
                exchange.body_too_large = value.isdigit() and int(value[:20]) > self._body_limit
            elif name == b"transfer-encoding":
                expected = True
        if not expected or exchange.body_too_large:
            return True
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return False
            part = message.get("body", b"")
            size += len(part)
            if size > self._body_limit:
                exchange.body_too_large = True
                return True
            parts.append(part)
            more = message.get("more_body", False)
        exchange.body = b"".join(parts)
        return True

    def _note(
        self, exchange: Exchange, status: int | None, seconds: float, disturbances: tuple[str, ...] = ()
    ) -> None:
        """Enter a request into the journal and the log; no status where no answer left."""
        self._journal.record(self.name, exchange, status, seconds, disturbances)
        if _log.isEnabledFor(logging.INFO):
            _log.info("%s", self._line(exchange, status, seconds))

    def _line(self, exchange: Exchange, status: int | None, seconds: float) -> str:
        """Describe a request without its query, headers and bodies: those may hold secrets."""
        return json.dumps(
            {
                "api": self.name,
                "method": exchange.method,
                "path": exchange.raw_path[:200].decode("latin-1"),
                "status": status,
                "request_id": exchange.request_id,
                "ms": round(seconds * 1000, 2),
            }
        )


async def _send(answer: Answer, send: Callable[[MutableMapping[str, Any]], Awaitable[None]]) -> None:
    headers = [*answer.headers, (b"content-length", b"%d" % len(answer.body))]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def create_app(
    name: ApiName,
    state: ServerState,
    *,
    mutant: Mutant | None = None,
    disturbances: Disturbances | None = None,
    journal: Journal | None = None,
) -> ApiApp:
    """Make the application of one API over the state it shares with the others.

    Args:
        name: name of the API.
        state: jobs, keys, tokens, clock and dialect.
        mutant: a requirement to break; the correct server without.
        disturbances: those of the server; none without.
        journal: that of the server; one of its own without.
    """
    parts = ci_parts(state) if name == "tencent-ci" else dli_parts(name, state)
    if mutant is not None:
        parts = mutant.bend(name, parts, state)
    return ApiApp(
        name,
        route=parts.route,
        steps=parts.steps,
        unrouted=parts.unrouted,
        clock=state.clock,
        new_request_id=parts.new_request_id,
        body_limit=parts.body_limit,
        faults=Faults(name, state, disturbances or Disturbances(), parts.unrouted.finish),
        journal=journal or Journal(),
        around=parts.around,
    )
