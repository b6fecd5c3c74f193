"""Send a prepared request and read the answer: once, within a deadline and a bounded memory.

The connection pool of httpx (httpcore) is used without httpx's client: redirects, cookies, proxies of the
environment, netrc, retries and decompression do not exist here, so none can carry a credential elsewhere. The
bytes on the wire are those of the prepared request.

The one timeout is a deadline for everything, connecting and a slowly dripping body included; only a name
server that does not answer can hold a synchronous caller longer.
"""

from __future__ import annotations

import asyncio
import logging
import selectors
import socket
import ssl
import time
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpcore

from calloff.errors import AnswerTimeoutError, InvalidInputError, NoAnswerError, UnreachableError
from calloff.prepare import PreparedRequest

MAX_BODY = 1024 * 1024
_MAX_CONNECTIONS = 100
KEEP_ALIVE_SECONDS = 15.0

OTHER_LOOP = (
    "an asynchronous client belongs to the event loop of its first call until it is closed there; make a new "
    "client in this one. Nothing was sent"
)

Verify = ssl.SSLContext | str | Path | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered; ``complete`` is false where the body exceeded ``MAX_BODY`` and was cut."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    complete: bool = True

    def header(self, name: str) -> str:
        """Return the first value of a header, in any case of its name; empty where there is none."""
        wanted = name.lower().encode("ascii")
        for key, value in self.headers:
            if key.lower() == wanted:
                return value.decode("latin-1").strip()
        return ""


class Sender(Protocol):
    """What the synchronous clients send with."""

    def send(self, request: PreparedRequest, *, deadline: float) -> Answer:
        """Send ``request`` once; ``deadline`` is a moment of ``time.monotonic()``. Raise NoAnswerError."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...


class AsyncSender(Protocol):
    """What the asynchronous clients send with."""

    async def send(self, request: PreparedRequest, *, deadline: float) -> Answer:
        """Send ``request`` once; ``deadline`` is a moment of ``time.monotonic()``. Raise NoAnswerError."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


def tls_context(verify: Verify = None) -> ssl.SSLContext:
    """Make the TLS settings: certificates are verified, against ``verify`` where a private CA is given.

    ``verify`` is a file of CA certificates, or a complete context of the caller. Raise InvalidInputError for
    anything else; verification cannot be switched off by a flag.
    """
    if isinstance(verify, ssl.SSLContext):
        return verify
    if verify is not None and not isinstance(verify, (str, Path)):
        raise InvalidInputError(
            f"verify must be a file of CA certificates or an ssl.SSLContext, not {verify!r}"
        )
    if verify is None:
        return httpcore.default_ssl_context()
    try:
        return ssl.create_default_context(cafile=str(verify))
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"verify must name a file of CA certificates; {str(verify)!r} is none: {error}"
        ) from None


class HttpTransport:
    """Sends over a pool of connections; may be used by several threads at once."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=_MAX_CONNECTIONS,
            keepalive_expiry=KEEP_ALIVE_SECONDS,
            network_backend=_Backend(),
        )

    def send(self, request: PreparedRequest, *, deadline: float) -> Answer:
        """Send ``request`` once and return the answer; see ``Sender``."""
        quiet = _QUIET.set(True)
        try:
            response = self._pool.handle_request(_core_request(request, deadline))
            try:
                body = bytearray()
                for chunk in response.iter_stream():
                    if not _take(chunk, body, deadline):
                        break
            finally:
                response.close()
            return _answer(response, body)
        except _FAILURES as error:
            failure = _failure(request, error)
        finally:
            _QUIET.reset(quiet)
        raise failure  # outside of the handler, so that no library's text hangs on it

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


class AsyncHttpTransport:
    """The asynchronous twin of ``HttpTransport``, for one event loop at a time: that of its first call."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=_MAX_CONNECTIONS,
            keepalive_expiry=KEEP_ALIVE_SECONDS,
            network_backend=_AsyncBackend(),
        )
        self._loop: asyncio.AbstractEventLoop | None = None

    async def send(self, request: PreparedRequest, *, deadline: float) -> Answer:
        """Send ``request`` once and return the answer; see ``AsyncSender``."""
        # A connection kept from another loop still sends, and then cannot read the answer.
        loop = asyncio.get_running_loop()
        if self._loop not in (None, loop):
            raise InvalidInputError(OTHER_LOOP)
        self._loop = loop
        quiet = _QUIET.set(True)
        try:
            response = await self._pool.handle_async_request(_core_request(request, deadline))
            try:
                body = bytearray()
                async for chunk in response.aiter_stream():
                    if not _take(chunk, body, deadline):
                        break
            finally:
                await response.aclose()
            return _answer(response, body)
        except _FAILURES as error:
            failure = _failure(request, error)
        finally:
            _QUIET.reset(quiet)
        raise failure

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.aclose()
        self._loop = None


_FAILURES = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError)
_UNSENT = (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout)


def _take(chunk: bytes, body: bytearray, deadline: float) -> bool:
    """Add a chunk to the body; return false once the body is too long, raise once it is too late."""
    # Many tiny chunks may wait in one buffer, where no read meets the deadline.
    _left(deadline, httpcore.ReadTimeout)
    body += chunk
    return len(body) <= MAX_BODY


def _answer(response: httpcore.Response, body: bytearray) -> Answer:
    return Answer(
        response.status, tuple(response.headers), bytes(body[:MAX_BODY]), complete=len(body) <= MAX_BODY
    )


def _core_request(request: PreparedRequest, deadline: float) -> httpcore.Request:
    return httpcore.Request(
        request.method.encode("ascii"),
        httpcore.URL(
            scheme=request.scheme.encode("ascii"),
            host=request.host.encode("ascii"),
            port=request.port,
            target=request.target.encode("ascii"),
        ),
        headers=[(name.encode("ascii"), value.encode("ascii")) for name, value in request.headers],
        content=request.body,
        extensions={
            "timeout": {
                # Moments for the streams below, which turn them into what is left at each step ...
                "connect": deadline,
                "read": deadline,
                "write": deadline,
                # ... and a duration for the pool, which waits by itself.
                "pool": max(deadline - time.monotonic(), 0.0),
            }
        },
    )


def _failure(request: PreparedRequest, error: Exception) -> NoAnswerError:
    return no_answer(
        request,
        type(error).__name__,
        sent=not isinstance(error, _UNSENT),
        late=isinstance(error, httpcore.TimeoutException),
    )


def no_answer(request: PreparedRequest, kind: str, *, sent: bool, late: bool) -> NoAnswerError:
    """Translate a library's error, by its kind; its text is left out, as it may quote what a server echoed."""
    host = f"[{request.host}]" if ":" in request.host else request.host
    where = f"{request.name}: {host}:{request.port}"
    if not sent:
        return UnreachableError(f"{where} cannot be reached ({kind}); nothing was sent")
    if late:
        return AnswerTimeoutError(
            f"{where} gave no complete answer in time; whether the call took effect is unknown"
        )
    return NoAnswerError(
        f"{where} gave no complete HTTP answer ({kind}); whether the call took effect is unknown"
    )


# At DEBUG httpcore logs the headers of each answer, where IAM's carry the token, and errors that quote what a
# server sent, where it may echo what it was sent; only ours are held back.
_QUIET: ContextVar[bool] = ContextVar("calloff_quiet", default=False)


def _hide_our_answers(record: logging.LogRecord) -> bool:
    event = str(record.msg).partition(" ")[0]
    return not (_QUIET.get() and (event == "receive_response_headers.complete" or event.endswith(".failed")))


logging.getLogger("httpcore.http11").addFilter(_hide_our_answers)


def _left(deadline: float | None, error: type[httpcore.TimeoutException]) -> float:
    """Turn a deadline into the seconds left; raise ``error`` where none are, or where there is no deadline."""
    left = (deadline or 0.0) - time.monotonic()
    if left <= 0:
        raise error("the deadline has passed")
    return left


class _Stream(httpcore.NetworkStream):
    """A socket whose timeouts are deadlines."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            self._socket.settimeout(_left(timeout, httpcore.ReadTimeout))
            return self._socket.recv(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(error) from error
        except OSError as error:
            raise httpcore.ReadError(error) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            self._socket.settimeout(_left(timeout, httpcore.WriteTimeout))
            self._socket.sendall(buffer)
        except TimeoutError as error:
            raise httpcore.WriteTimeout(error) from error
        except OSError as error:
            raise httpcore.WriteError(error) from error

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            self._socket.settimeout(_left(timeout, httpcore.ConnectTimeout))
            return _Stream(ssl_context.wrap_socket(self._socket, server_hostname=server_hostname))
        except (TimeoutError, httpcore.ConnectTimeout) as error:
            self.close()
            raise httpcore.ConnectTimeout(error) from error
        except OSError as error:
            self.close()
            raise httpcore.ConnectError(error) from error

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self._socket if isinstance(self._socket, ssl.SSLSocket) else None
        return _is_readable(self._socket) if info == "is_readable" else None


# The cheapest one; Windows has no poll.
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


def _is_readable(sock: socket.socket) -> bool:
    """Tell whether an idle connection has something to read: usually that the server closed it."""
    if sock.fileno() < 0:
        return True
    with _Selector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        return bool(selector.select(0))


class _Backend(httpcore.NetworkBackend):
    """Connects within a deadline that all addresses of a host share."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        del local_address, socket_options  # the pools above give none
        problem: Exception = httpcore.ConnectError("the host name has no address")
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(error) from error
        for tried, (family, kind, protocol, _, address) in enumerate(addresses):
            try:
                sock = socket.socket(family, kind, protocol)
            except OSError as error:  # an address family that this machine lacks
                problem = httpcore.ConnectError(error)
                continue
            try:
                left = _left(timeout, httpcore.ConnectTimeout)
                sock.settimeout(left / (len(addresses) - tried))  # one that is deaf leaves time for the next
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except (TimeoutError, httpcore.ConnectTimeout) as error:
                sock.close()
                problem = httpcore.ConnectTimeout(error)
            except OSError as error:
                sock.close()
                problem = httpcore.ConnectError(error)
            else:
                return _Stream(sock)
        raise problem


class _AsyncStream(httpcore.AsyncNetworkStream):
    """A stream whose timeouts are deadlines."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, _left(timeout, httpcore.WriteTimeout))

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _AsyncStream(await self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _AsyncBackend(httpcore.AsyncNetworkBackend):
    """Connects within a deadline."""

    def __init__(self) -> None:
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _AsyncStream(await self._backend.connect_tcp(host, port, left, local_address, socket_options))
