"""Send prepared requests with aiohttp, for bulk: with many in flight it is several times as fast as httpcore.

Used are its pool of connections and its parser, without its client: no quoting, header, redirect, cookie, proxy,
netrc, decompression or second sending of a PUT or DELETE exists here. The bytes on the wire are those of the
prepared request.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from calloff.errors import InvalidInputError
from calloff.transport import KEEP_ALIVE_SECONDS, MAX_BODY, OTHER_LOOP, Answer, no_answer, tls_context

if TYPE_CHECKING:
    import ssl

    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection

    from calloff.prepare import PreparedRequest

# Bytes of a line in the head of an answer; a token of IAM travels in a header and exceeds aiohttp's 8 KB.
_MAX_LINE = 100 * 1024
_READ_BUFFER = 64 * 1024
_NO_TIMEOUT = aiohttp.ClientTimeout()  # the deadline is ours
_STALE_AT_MOST = 3  # connections in a row that cannot be used
_FAILURES = (aiohttp.ClientError, HttpProcessingError, OSError)


class AiohttpTransport:
    """Sends over a pool of at most ``limit`` connections, for one event loop at a time: that of its first call.

    Implements ``transport.AsyncSender``, with the errors, the deadline and the bounds of
    ``transport.AsyncHttpTransport``.
    """

    def __init__(self, context: ssl.SSLContext | None = None, *, limit: int = 100) -> None:
        self._context = context
        self._limit = limit
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connector: aiohttp.TCPConnector | None = None
        self._addresses: dict[tuple[str, str, int], aiohttp.ClientRequest] = {}

    async def send(self, request: PreparedRequest, *, deadline: float) -> Answer:
        """Send ``request`` once and return the answer; see ``transport.AsyncSender``."""
        data = _bytes_of(request)
        connector = self._opened()
        left = deadline - time.monotonic()
        if left <= 0:
            raise no_answer(request, "no time is left", sent=False, late=True)
        sent = False
        try:
            async with asyncio.timeout(left):
                connection, protocol, transport = await _connect(connector, self._address(request))
                try:
                    sent = True
                    transport.write(data)
                    answer = await _answer(protocol, deadline)
                except BaseException:
                    connection.close()
                    raise
                connection.release()  # closes it where the answer is not at its end
                return answer
        except _FAILURES as error:
            failure = no_answer(
                request, type(error).__name__, sent=sent, late=isinstance(error, TimeoutError)
            )
        raise failure  # outside of the handler, so that no library's text hangs on it

    async def close(self) -> None:
        """Close all connections."""
        connector, self._connector, self._loop = self._connector, None, None
        self._addresses.clear()
        if connector is not None:
            await connector.close()

    def _opened(self) -> aiohttp.TCPConnector:
        loop = asyncio.get_running_loop()
        if self._connector is None:
            self._loop = loop
            self._connector = aiohttp.TCPConnector(
                limit=self._limit,
                keepalive_timeout=KEEP_ALIVE_SECONDS,
                resolver=aiohttp.ThreadedResolver(),  # the system's, whatever else is installed
            )
        elif self._loop is not loop:
            raise InvalidInputError(OTHER_LOOP)
        return self._connector

    def _address(self, request: PreparedRequest) -> aiohttp.ClientRequest:
        """Give what the pool asks for where to connect to: a request of aiohttp's, which is never sent."""
        key = (request.scheme, request.host, request.port)
        if (address := self._addresses.get(key)) is None:
            if request.scheme == "https" and self._context is None:
                self._context = tls_context()
            address = self._addresses[key] = aiohttp.ClientRequest(
                "GET",
                URL.build(scheme=request.scheme, host=request.host, port=request.port, path="/"),
                loop=asyncio.get_running_loop(),
                ssl=self._context or True,
            )
        return address


def _bytes_of(request: PreparedRequest) -> bytes:
    lines = "".join([f"{name}: {value}\r\n" for name, value in request.headers])
    head = f"{request.method} {request.target} HTTP/1.1\r\n{lines}\r\n"
    ends = len(request.headers) + 2
    if not (head.isascii() and head.count("\r") == head.count("\n") == head.count("\r\n") == ends):
        raise InvalidInputError(
            f"{request.name}: the request line and the headers must be ASCII without line breaks; they are not"
        )
    if not request.target.startswith("/") or " " in request.target or "#" in request.target:
        raise InvalidInputError(
            f"{request.name}: the target must be a path, perhaps with a query; it is {request.target!a}"
        )
    return head.encode("ascii") + request.body


async def _connect(
    connector: aiohttp.TCPConnector, address: aiohttp.ClientRequest
) -> tuple[Connection, ResponseHandler, asyncio.Transport]:
    for _ in range(_STALE_AT_MOST):
        connection = await connector.connect(address, traces=[], timeout=_NO_TIMEOUT)
        protocol, transport = connection.protocol, connection.transport
        # A stray answer that waits in a kept connection would be taken for the one to this request.
        # Compared with None: an empty queue of answers, as a protocol is one, is false.
        if protocol is not None and transport is not None and not protocol.should_close:
            return connection, protocol, transport
        connection.close()
    raise aiohttp.ServerDisconnectedError


async def _answer(protocol: ResponseHandler, deadline: float) -> Answer:
    protocol.set_response_params(
        read_until_eof=True,
        auto_decompress=False,
        read_bufsize=_READ_BUFFER,
        max_line_size=_MAX_LINE,
        max_field_size=_MAX_LINE,
    )
    message, content = await protocol.read()
    while 100 <= message.code < 200 and message.code != 101:
        message, content = await protocol.read()
    body = await content.readany()
    if not content.at_eof():
        body = await _rest(content, bytearray(body), deadline)
    complete = len(body) <= MAX_BODY
    return Answer(message.code, message.raw_headers, body if complete else body[:MAX_BODY], complete)


async def _rest(content: aiohttp.StreamReader, body: bytearray, deadline: float) -> bytes:
    while len(body) <= MAX_BODY and (chunk := await content.readany()):
        body += chunk
        if time.monotonic() > deadline:  # where no read ever waits, nothing else tells
            raise TimeoutError
    return bytes(body)
