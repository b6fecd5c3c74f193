"""The HTTP protocol of the server: uvicorn's, with broken requests refused in the vendor's shape."""

from __future__ import annotations

import http
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from calloff.mock.app import ApiApp

if TYPE_CHECKING:
    from collections.abc import Callable


def protocol_for(app_at: Callable[[int], Any]) -> type[HttpToolsProtocol]:
    """Make the protocol class of a server whose applications are known by port."""

    class VendorProtocol(HttpToolsProtocol):
        """Answers bytes that are no HTTP request as the API at that port would, and hangs up."""

        def on_headers_complete(self) -> None:
            # RFC 9112, 3.2: a target has no fragment, an absolute one names the host of the request, and an
            # HTTP/1.1 request has a Host. The parser would drop the first two, out of a signature's sight.
            hosts = [value for name, value in self.headers if name == b"host"]
            starts = (b"/", *(b"http://" + host + b"/" for host in hosts))
            hostless = not hosts and self.parser.get_http_version() == "1.1"
            if b"#" in self.url or not self.url.startswith(starts) or hostless:
                raise ValueError("no target or host to go by")  # makes the parser refuse the request
            super().on_headers_complete()

        def send_400_response(self, msg: str) -> None:
            app = app_at(self.server[1]) if self.server and self.server[1] is not None else None
            if not isinstance(app, ApiApp):
                super().send_400_response(msg)
                return
            answer = app.bad_request()
            lines = [b"HTTP/1.1 %d %s" % (answer.status, http.HTTPStatus(answer.status).phrase.encode())]
            headers = [*self.server_state.default_headers, *answer.headers]
            headers += [(b"content-length", b"%d" % len(answer.body)), (b"connection", b"close")]
            lines += [name + b": " + value for name, value in headers]
            self.transport.write(b"\r\n".join([*lines, b"", answer.body]))
            self.transport.close()

    return VendorProtocol
