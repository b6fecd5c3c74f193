"""The HTTP protocol of the server: uvicorn's, with broken requests refused in the vendor's shape.

Requests that need nothing of ASGI are answered as soon as they are read, without a task, and all that came in one
piece by one write: see `VendorProtocol.on_message_complete`.
"""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from calloff.mock.app import ApiApp
from calloff.mock.faults import CYCLE
from calloff.mock.pipeline import Answer, Case
from calloff.mock.site import HEALTH_PATH

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from calloff.mock.connections import Guard, Limits
    from calloff.mock.pipeline import Headers

URI_LIMIT = 65535  # the parser of targets reads no more; the vendors' own limits are below and checked later
LINGER_SECONDS = 5.0  # how long a refused client may go on sending
STALLED_LIMIT = 256 * 1024  # bytes in a row that complete neither a head nor a piece of a body
MOST_ANSWERS = 64  # that are written together
_OFFER = frozenset({b"upgrade", b"http2-settings"})
_BODY = frozenset({b"content-length", b"transfer-encoding"})
_NO_REQUEST = Answer(400, [(b"content-type", b"text/plain")], b"Bad request")


class _Date:
    """The Date of answers, written once per second: as a header, and as the line of it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._second = -1
        self._headers: Headers = []
        self._line = b""

    def headers(self) -> Headers:
        """Give the header by the clock of the server."""
        self._look()
        return self._headers

    def line(self) -> bytes:
        """Give the line by the clock of the server."""
        self._look()
        return self._line

    def _look(self) -> None:
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self._headers = [(b"date", formatdate(second, usegmt=True).encode())]
            self._line = b"%b: %b\r\n" % self._headers[0]


def _written(answer: Answer, first_lines: bytes) -> bytes:
    """Write an answer as bytes."""
    head = STATUS_LINE[answer.status] + first_lines
    for header in answer.headers:
        head += b"%b: %b\r\n" % header
    return b"%bcontent-length: %d\r\n\r\n%b" % (head, len(answer.body), answer.body)


def protocol_for(
    app_at: Callable[[int], Any],
    count_answer: Callable[[int], None],
    clock: Callable[[], float],
    guard: Guard,
    *,
    direct: bool,
) -> type[HttpToolsProtocol]:
    """Make the protocol class of a server.

    Args:
        app_at: gives the application that answers at a port.
        count_answer: takes note of an answer that leaves from a port.
        clock: gives the time of the server in epoch seconds, for the Date of its answers.
        guard: holds the connections to their limits.
        direct: whether requests may be answered without ASGI.
    """
    date = _Date(clock)

    class VendorProtocol(HttpToolsProtocol):
        """Answers bytes that are no HTTP request as the API at that port would, and hangs up."""

        _case = Case.BAD_REQUEST
        _stalled = 0
        _refused = False
        _app: ApiApp | None = None
        _port: int | None = None
        _offered = b""  # the first line of a request that offers another protocol
        _at_once = False  # the request that is being read is answered when it is whole
        _began: float | None = None  # when the request that is being read began
        _idle = 0.0  # since when no request is being read
        _blocked: float | None = None  # since when the client takes no answer

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)  # type: ignore[arg-type]  # it is one of the kind that reads and writes
            self._idle = self.loop.time()
            self._answers: list[bytes] = []
            self._port = self.server[1] if self.server else None
            app = app_at(self._port) if self._port is not None else None
            self._app = app if isinstance(app, ApiApp) else None
            guard.came(self, self.loop)

        def connection_lost(self, exc: Exception | None) -> None:
            guard.left(self)
            super().connection_lost(exc)

        # --- limits ---

        def overdue(self, now: float, limits: Limits) -> bool:
            for since in (None if self.flow.read_paused else self._began, self._blocked):
                if since is not None and now - since > limits.request_seconds:
                    return True
            idle = self.idle_since()
            return idle is not None and now - idle > limits.idle_seconds

        def idle_since(self) -> float | None:
            answering = self.cycle is not None and not self.cycle.response_complete
            return None if answering or self._began is not None else self._idle

        def give_up(self) -> None:
            self.transport.abort()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._blocked = self.loop.time()

        def resume_writing(self) -> None:
            super().resume_writing()
            self._blocked = None

        # --- reading ---

        def data_received(self, data: bytes) -> None:
            if self._refused:
                return
            self._stalled += len(data)
            self._read(data)
            if self._stalled > STALLED_LIMIT and not self._refused:
                self._case = Case.HEADER_TOO_LARGE
                self.send_400_response("")
            if self._answers:
                self._flush()

        def _read(self, data: bytes) -> None:
            self._unset_keepalive_if_required()
            while data:
                try:
                    self.parser.feed_data(data)
                except HttpParserUpgrade as upgrade:
                    if not self._offered:  # a CONNECT, which is answered; nothing can follow it
                        return
                    # RFC 9110, 7.8: an offer may be ignored. The parser takes what follows for the other protocol,
                    # though it is the body of this request: Java's HttpClient offers HTTP/2 with each first one.
                    self.parser = HttpRequestParser(self)
                    data = self._head_without_offer() + data[upgrade.args[0] :]
                    continue
                except HttpParserError:
                    self.send_400_response("")
                return

        def _head_without_offer(self) -> bytes:
            head = self._offered
            for name, value in self.headers:
                kept = value
                if name == b"connection":
                    tokens = (token.strip() for token in value.split(b","))
                    kept = b", ".join(token for token in tokens if token.lower() not in _OFFER)
                if name not in _OFFER:
                    head += b"%b: %b\r\n" % (name, kept)
            return head + b"\r\n"

        def on_message_begin(self) -> None:
            if direct:  # what ASGI needs is made for the requests that need it
                self.url, self.headers = b"", []
            else:
                super().on_message_begin()
            self._began = self.loop.time()

        def on_url(self, url: bytes) -> None:
            self.url += url
            if len(self.url) > URI_LIMIT:
                self._case = Case.URI_TOO_LONG
                raise ValueError("the target is too long")  # makes the parser refuse the request

        def on_headers_complete(self) -> None:
            self._stalled = 0
            # RFC 9112, 3.2: a target has no fragment, an absolute one names the host of the request, and an
            # HTTP/1.1 request has a Host. The parser would drop the first two, out of a signature's sight.
            hosts, has_body = [], False
            for name, value in self.headers:
                if name == b"host":
                    hosts.append(value)
                elif name in _BODY and value != b"0":
                    has_body = True
            version = self.parser.get_http_version()
            if b"#" in self.url or not (hosts or version != "1.1") or not self._has_target(hosts):
                raise ValueError("no target or host to go by")
            method, self._offered = self.parser.get_method(), b""
            if self.parser.should_upgrade() and method != b"CONNECT":
                self._offered = b"%b %b HTTP/%b\r\n" % (method, self.url, version.encode("ascii"))
                return
            self._at_once = direct and not has_body and version == "1.1" and self._is_plain()
            if self._at_once:
                return
            if direct:
                self._make_scope()
            self.server_state.default_headers = date.headers()
            super().on_headers_complete()
            self.scope[CYCLE] = self.cycle  # type: ignore[literal-required]  # ASGI lets servers add keys

        def _make_scope(self) -> None:
            url, headers = self.url, self.headers
            super().on_message_begin()
            self.url = url
            for header in headers:
                super().on_header(*header)

        def _has_target(self, hosts: list[bytes]) -> bool:
            return self.url.startswith(b"/") or self.url.startswith(
                tuple(b"http://" + host + b"/" for host in hosts)
            )

        def _is_plain(self) -> bool:
            """Tell whether the request that is being read, which has no body, needs nothing of ASGI."""
            return (
                self._app is not None
                and self._app.answers_at_once
                and (self.cycle is None or self.cycle.response_complete)
                and not self.flow.write_paused
                and self.parser.should_keep_alive()
                and self.parser.get_method() != b"HEAD"
                and self.url.startswith(b"/")
                and not self.url.startswith(HEALTH_PATH)
            )

        def on_header(self, name: bytes, value: bytes) -> None:
            if direct:
                self.headers.append((name.lower(), value))
            else:
                super().on_header(name, value)

        def on_body(self, body: bytes) -> None:
            self._stalled = 0
            super().on_body(body)

        def on_message_complete(self) -> None:
            """Answer at once what may be; the answers leave together, before anything else is written."""
            self._stalled = 0
            if self._offered:
                return
            self._began, self._idle = None, self.loop.time()
            if not self._at_once:
                super().on_message_complete()
            elif self._app is not None:
                path, _, query = self.url.partition(b"?")
                method = self.parser.get_method().decode("ascii")
                answer = self._app.answer(method, path, query, self.headers)
                self._answers.append(_written(answer, date.line()))
                self.server_state.total_requests += 1
                self._count()
                if len(self._answers) >= MOST_ANSWERS:
                    self._flush()

        # --- writing ---

        def _count(self) -> None:
            if self._port is not None:
                count_answer(self._port)

        def _flush(self) -> None:
            self.transport.write(b"".join(self._answers))
            self._answers.clear()

        def send_400_response(self, _msg: str) -> None:
            """Refuse what cannot be read, after the answers that are still due."""
            self._refused = True
            unread = self.cycle is not None and self.cycle.more_body
            if unread and self.pipeline:
                self.pipeline.popleft()  # its turn has not come, and its body will not
            elif unread:
                self.cycle.disconnected = True  # whoever waits for the rest of its body need not
                self.cycle.message_event.set()
                self._refuse()
            elif self.cycle is None or self.cycle.response_complete:
                self._refuse()

        def on_response_complete(self) -> None:
            self._count()
            last = not self.pipeline
            super().on_response_complete()
            self._idle = self.loop.time()
            if self._began is not None:
                self._began = self._idle  # it was this server that took no more of the request
            if self._refused and last:
                self._refuse()

        def shutdown(self) -> None:
            super().shutdown()
            # A client that is idle does not take part in the end of TLS: nothing would be gained by waiting for it.
            if self.scheme == "https" and (self.cycle is None or self.cycle.response_complete):
                self.transport.abort()

        def _refuse(self) -> None:
            if self.transport.is_closing():
                return
            self._flush()
            answer = _NO_REQUEST if self._app is None else self._app.bad_request(self._case)
            self._count()
            self.transport.write(_written(answer, date.line() + b"connection: close\r\n"))
            if self.transport.can_write_eof():
                # Closing with bytes unread would reset the connection, and the client might never see the answer.
                self.transport.write_eof()
                self.loop.call_later(LINGER_SECONDS, self.transport.close)
            else:
                self.transport.close()

    return VendorProtocol
