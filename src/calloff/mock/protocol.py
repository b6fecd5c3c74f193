"""The HTTP protocol of the server: uvicorn's, with broken requests refused in the vendor's shape."""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from calloff.mock.app import ApiApp
from calloff.mock.faults import CYCLE
from calloff.mock.pipeline import Case

if TYPE_CHECKING:
    from collections.abc import Callable

URI_LIMIT = 65535  # the parser of targets reads no more; the vendors' own limits are below and checked later
LINGER_SECONDS = 5.0  # how long a refused client may go on sending
STALLED_LIMIT = 256 * 1024  # bytes in a row that complete neither a head nor a piece of a body


class _Date:
    """The Date of answers, written once per second."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._second = -1
        self._headers: list[tuple[bytes, bytes]] = []

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Give the header by the clock of the server."""
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self._headers = [(b"date", formatdate(second, usegmt=True).encode())]
        return self._headers


def protocol_for(app_at: Callable[[int], Any], clock: Callable[[], float]) -> type[HttpToolsProtocol]:
    """Make the protocol class of a server.

    Args:
        app_at: gives the application that answers at a port.
        clock: gives the time of the server in epoch seconds, for the Date of its answers.
    """
    date = _Date(clock)

    class VendorProtocol(HttpToolsProtocol):
        """Answers bytes that are no HTTP request as the API at that port would, and hangs up."""

        _case = Case.BAD_REQUEST
        _stalled = 0
        _refused = False

        def data_received(self, data: bytes) -> None:
            if self._refused:
                return
            self._stalled += len(data)
            super().data_received(data)
            if self._stalled > STALLED_LIMIT and not self._refused:
                self._case = Case.HEADER_TOO_LARGE
                self.send_400_response("")

        def on_url(self, url: bytes) -> None:
            super().on_url(url)
            if len(self.url) > URI_LIMIT:
                self._case = Case.URI_TOO_LONG
                raise ValueError("the target is too long")  # makes the parser refuse the request

        def on_headers_complete(self) -> None:
            self._stalled = 0
            # RFC 9112, 3.2: a target has no fragment, an absolute one names the host of the request, and an
            # HTTP/1.1 request has a Host. The parser would drop the first two, out of a signature's sight.
            hosts = [value for name, value in self.headers if name == b"host"]
            starts = (b"/", *(b"http://" + host + b"/" for host in hosts))
            hostless = not hosts and self.parser.get_http_version() == "1.1"
            if b"#" in self.url or not self.url.startswith(starts) or hostless:
                raise ValueError("no target or host to go by")
            self.server_state.default_headers = date.headers()
            super().on_headers_complete()
            self.scope[CYCLE] = self.cycle  # type: ignore[literal-required]  # ASGI lets servers add keys

        def on_body(self, body: bytes) -> None:
            self._stalled = 0
            super().on_body(body)

        def on_message_complete(self) -> None:
            self._stalled = 0
            super().on_message_complete()

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
            last = not self.pipeline
            super().on_response_complete()
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
            app = app_at(self.server[1]) if self.server and self.server[1] is not None else None
            headers, body, status = [(b"content-type", b"text/plain")], b"Bad request", 400
            if isinstance(app, ApiApp):
                answer = app.bad_request(self._case)
                headers, body, status = answer.headers, answer.body, answer.status
            headers = [*date.headers(), *headers]
            headers += [(b"content-length", b"%d" % len(body)), (b"connection", b"close")]
            lines = [name + b": " + value + b"\r\n" for name, value in headers]
            self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", body]))
            if self.transport.can_write_eof():
                # Closing with bytes unread would reset the connection, and the client might never see the answer.
                self.transport.write_eof()
                self.loop.call_later(LINGER_SECONDS, self.transport.close)
            else:
                self.transport.close()

    return VendorProtocol
