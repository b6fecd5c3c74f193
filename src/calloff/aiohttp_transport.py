"""Send prepared requests with aiohttp, for bulk: with many in flight it is several times as fast as httpcore.

aiohttp does more for a caller than a signed cancel can bear, so here nothing of it is left: the bytes of the
target are not quoted anew, no header is added, redirects, cookies, proxies, netrc and decompression are off, and
so is aiohttp's own second sending of a PUT or DELETE whose connection was lost.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict
from yarl import URL

from calloff.errors import InvalidInputError, NoAnswerError
from calloff.transport import KEEP_ALIVE_SECONDS, MAX_BODY, OTHER_LOOP, Answer, no_answer, tls_context

if TYPE_CHECKING:
    import ssl

    from aiohttp.connector import Connection

    from calloff.prepare import PreparedRequest

# Of the head of an answer; a token of IAM travels in a header, and is longer than aiohttp's 8 KB.
_MAX_LINE = 100 * 1024
_NO_TIMEOUT = aiohttp.ClientTimeout()  # the deadline is ours


class AiohttpTransport:
    """Sends over a pool of at most ``limit`` connections, for one event loop at a time: that of its first call.

    Implements ``transport.AsyncSender``, with the errors, the deadline and the bounds of
    ``transport.AsyncHttpTransport``.
    """

    def __init__(self, context: ssl.SSLContext | None = None, *, limit: int = 100) -> None:
        self._context = context
        self._limit = limit
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def send(self, request: PreparedRequest, *, deadline: float) -> Answer:
        """Send ``request`` once and return the answer; see ``transport.AsyncSender``."""
        session = self._opened()
        url = _url(request)
        attempt = _Attempt(CIMultiDict(request.headers))
        left = deadline - time.monotonic()
        if left <= 0:
            raise _failure(request, attempt, TimeoutError())
        try:
            async with (
                asyncio.timeout(left),
                session.request(
                    request.method,
                    url,
                    data=request.body or None,
                    ssl=self._verified() if request.scheme == "https" else True,
                    allow_redirects=False,
                    middlewares=(attempt,),
                ) as response,
            ):
                body = bytearray()
                while (chunk := await response.content.readany()) and len(body) <= MAX_BODY:
                    body += chunk
                    if time.monotonic() > deadline:  # where no read ever waits, nothing else tells
                        raise TimeoutError
                return Answer(
                    response.status,
                    response.raw_headers,
                    bytes(body[:MAX_BODY]),
                    complete=len(body) <= MAX_BODY,
                )
        except _FAILURES as error:
            failure = _failure(request, attempt, error)
        raise failure  # outside of the handler, so that no library's text hangs on it

    async def close(self) -> None:
        """Close all connections."""
        session, self._session, self._loop = self._session, None, None
        if session is not None:
            await session.close()

    def _opened(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is None:
            self._loop = loop
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._limit,
                    keepalive_timeout=KEEP_ALIVE_SECONDS,
                    resolver=aiohttp.ThreadedResolver(),  # the system's, whatever else is installed
                ),
                request_class=_Request,
                skip_auto_headers=("Content-Type",),  # the only one that comes later than ``_Attempt``
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=_NO_TIMEOUT,
                auto_decompress=False,
                trust_env=False,
                max_line_size=_MAX_LINE,
                max_field_size=_MAX_LINE,
            )
        elif self._loop is not loop:
            raise InvalidInputError(OTHER_LOOP)
        return self._session

    def _verified(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = tls_context()
        return self._context


class _StaleError(Exception):
    """A kept connection holds something that nobody asked for; another one is to be taken."""


class _LostError(Exception):
    """The connection was lost after something may have left; what aiohttp raises it would send again for."""


class _Request(aiohttp.ClientRequest):
    """A request that knows whether it began to leave."""

    begun = False

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        # A stray answer that waits in a kept connection would be taken for the one to this request.
        if conn.protocol is None or conn.protocol.should_close:
            raise _StaleError
        self.begun = True
        return await super().send(conn)


class _Attempt:
    """The one sending of a request with exactly these headers, as a middleware: there is none after it."""

    def __init__(self, headers: CIMultiDict[str]) -> None:
        self.headers = headers
        self.begun = False

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        request.headers = self.headers
        while True:
            try:
                return await handler(request)
            except _StaleError:
                continue
            except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
                raise _LostError(type(error).__name__) from None
            finally:
                self.begun = isinstance(request, _Request) and request.begun


_FAILURES = (aiohttp.ClientError, HttpProcessingError, _LostError, OSError)


def _url(request: PreparedRequest) -> URL:
    host = f"[{request.host}]" if ":" in request.host else request.host
    url = URL(f"{request.scheme}://{host}:{request.port}{request.target}", encoded=True)
    if url.raw_path_qs != request.target:
        raise InvalidInputError(f"the request target must be path and query; got {request.target!a}")
    return url


def _failure(request: PreparedRequest, attempt: _Attempt, error: Exception) -> NoAnswerError:
    kind = str(error) if isinstance(error, _LostError) else type(error).__name__
    return no_answer(request, kind, sent=attempt.begun, late=isinstance(error, TimeoutError))
