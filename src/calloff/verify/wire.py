"""Send a request exactly as written and read the answer.

A client library normalises targets and refuses what a suite must send, so the bytes are written here; only the
parsing of answers is left to h11, where they are not as plain as answers are.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlsplit

import h11

from calloff.verify.plain_answer import plain_answer

MAX_BODY = 1 << 20
_CHUNK = 65536
_VISIBLE = re.compile("[!-~]+")


class NoAnswerError(Exception):
    """The connection was made, and no complete answer came."""


class UnframedError(NoAnswerError):
    """What came does not begin or end as an answer of HTTP does.

    *response* is what came of an answer that is not whole: its status and headers, and so much of its body.
    """

    def __init__(self, message: str, response: Response | None = None) -> None:
        super().__init__(message)
        self.response = response


class _ClosedError(NoAnswerError):
    """The connection was closed before a byte of an answer came."""


class TargetLostError(Exception):
    """No connection to the target can be made."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request: *target* is the raw request target, *headers* are sent in order as given."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """Return the first header of that name, in any case, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def to_bytes(self) -> bytes:
        """Write the request as it goes over the wire; raise ValueError where a line break would split it."""
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{key}: {value}" for key, value in self.headers)]
        if any(mark in line for line in lines for mark in "\r\n\0"):
            msg = "expected a request line and headers of one line each, got one with a line break or a NUL"
            raise ValueError(msg)
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8") + self.body


@dataclass(frozen=True, slots=True)
class Response:
    """One answer, its header names in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first header of that name, in any case, or None."""
        return next((value for key, value in self.headers if key == name.lower()), None)

    @property
    def media_type(self) -> str:
        """Return the media type without parameters, in lower case."""
        return (self.header("content-type") or "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Address:
    """Where a target listens, taken from its base URL."""

    scheme: str
    hostname: str
    port: int
    prefix: str

    @classmethod
    @lru_cache(maxsize=64)
    def parse(cls, base_url: str) -> Address:
        """Take *base_url* apart; raise ValueError where it is none."""
        wanted = "expected a base URL such as http://127.0.0.1:8601"
        if "@" in base_url:
            msg = f"{wanted}, without user or password; credentials are given otherwise"
            raise ValueError(msg)
        try:
            parts = urlsplit(base_url)
            port = parts.port
        except ValueError as error:
            msg = f"{wanted}, got {base_url!r}: {error}"
            raise ValueError(msg) from error
        if (
            parts.scheme not in {"http", "https"}
            or not parts.hostname
            or port == 0
            or set("?#") & set(base_url)
            or not _VISIBLE.fullmatch(base_url)
        ):
            msg = f"{wanted}, got {base_url!r}"
            raise ValueError(msg)
        default = 443 if parts.scheme == "https" else 80
        return cls(parts.scheme, parts.hostname, port or default, parts.path.rstrip("/"))

    @property
    def authority(self) -> str:
        """Return the Host header of this address."""
        default = 443 if self.scheme == "https" else 80
        host = f"[{self.hostname}]" if ":" in self.hostname else self.hostname
        return host if self.port == default else f"{host}:{self.port}"


@dataclass
class Wire:
    """One keep-alive connection to *address*; *timeout* is in seconds, for connecting and for a whole exchange."""

    address: Address
    timeout: float = 10.0
    tls: ssl.SSLContext | None = None
    _socket: socket.socket | None = field(default=None, repr=False)

    def send(self, request: Request) -> Response:
        """Send *request* and return the answer.

        A connection that the server closed while idle is opened anew, once. Raises NoAnswerError where the
        server accepts the connection and does not answer, TargetLostError where it accepts none.
        """
        self._drop_if_stale()
        reused = self._socket is not None
        try:
            return self._exchange(request)
        except _ClosedError:
            # Closed between the look at it and the request. Whatever else went wrong is not tried again: a second
            # cancel is another request.
            if not reused:
                raise
        return self._exchange(request)

    def send_nothing(self) -> None:
        """Only connect; raise TargetLostError where that fails."""
        self._connect()
        self.close()

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.close()
        self._socket = None

    def _drop_if_stale(self) -> None:
        # Nothing may arrive between two exchanges: it is the end of the connection, or would pass for an answer.
        if self._socket is not None and select.select([self._socket], [], [], 0)[0]:
            self.close()

    def _connect(self) -> socket.socket:
        if self._socket is None:
            address = self.address
            try:
                raw = socket.create_connection((address.hostname, address.port), timeout=self.timeout)
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._socket = self._secured(raw) if address.scheme == "https" else raw
            except (OSError, ValueError) as error:
                msg = f"no connection to {address.scheme}://{address.authority}: {_reason(error)}"
                raise TargetLostError(msg) from error
        return self._socket

    def _secured(self, raw: socket.socket) -> ssl.SSLSocket:
        """Speak TLS over *raw*, within the timeout; the certificate is to name the host of the base URL."""
        deadline = time.monotonic() + self.timeout
        context = self.tls or ssl.create_default_context()
        try:
            secured = context.wrap_socket(
                raw, server_hostname=self.address.hostname, do_handshake_on_connect=False
            )
        except BaseException:
            raw.close()
            raise
        try:
            _shake_hands(secured, deadline)
        except BaseException:
            secured.close()
            raise
        return secured

    def _exchange(self, request: Request) -> Response:
        written = request.to_bytes()
        connection = self._connect()
        deadline = time.monotonic() + self.timeout
        try:
            connection.settimeout(self.timeout)
            # A server may answer and close before a large body is through: the answer still counts.
            with suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                connection.sendall(written)
            return self._read(connection, request.method, deadline)
        except NoAnswerError:
            self.close()
            raise
        except (OSError, h11.RemoteProtocolError) as error:
            self.close()
            msg = f"no answer from {self.address.scheme}://{self.address.authority}: {_reason(error)}"
            raise (NoAnswerError if isinstance(error, OSError) else UnframedError)(msg) from error
        except BaseException:
            # Interrupted: what still comes must not pass for the answer to another request.
            self.close()
            raise

    def _read(self, connection: socket.socket, method: str, deadline: float) -> Response:
        received = self._receive(connection, deadline, silent=True)
        broken: OSError | None = None
        # The length in the answer to a HEAD is that of another one.
        while method != "HEAD" and (answer := plain_answer(received)) is not None:
            if answer.whole:
                return Response(answer.status, answer.headers, answer.body)
            try:
                data = self._receive(connection, deadline, silent=False)
            except OSError as error:
                broken = error
                break
            received += data
            if not data:
                break
        return self._read_by_h11(connection, response_parser(method), received, broken, deadline)

    def _read_by_h11(
        self,
        connection: socket.socket,
        parser: h11.Connection,
        received: bytes,
        broken: OSError | None,
        deadline: float,
    ) -> Response:
        """Read the answer that begins with what was *received*, before the connection was *broken*, if it was."""
        head: h11.Response | None = None
        body = bytearray()
        parser.receive_data(received)
        while True:
            try:
                event = parser.next_event()
                if event is h11.NEED_DATA:
                    if broken is not None:
                        raise broken
                    parser.receive_data(self._receive(connection, deadline, silent=False))
            except (OSError, h11.RemoteProtocolError) as error:
                if head is not None:
                    raise cut_short(head, bytes(body), error) from error
                raise
            if event is h11.NEED_DATA:
                continue
            if isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > MAX_BODY:
                    msg = f"an answer of more than {MAX_BODY} bytes"
                    raise NoAnswerError(msg)
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                break
        in_step = parser.our_state is h11.DONE and parser.their_state is h11.DONE
        if not in_step or parser.trailing_data[0]:
            self.close()
        return response_of(head, bytes(body))

    def _receive(self, connection: socket.socket, deadline: float, *, silent: bool) -> bytes:
        """Wait for the next bytes, empty at the end; raise _ClosedError where *silent* and there are none."""
        left = deadline - time.monotonic()
        if left <= 0:
            msg = f"not complete after {self.timeout:g} s"
            raise TimeoutError(msg)
        connection.settimeout(left)
        try:
            data = connection.recv(_CHUNK)
        except ConnectionResetError:
            if not silent:
                raise
            data = b""
        except TimeoutError as error:
            msg = f"{'nothing' if silent else 'not complete'} after {self.timeout:g} s"
            raise TimeoutError(msg) from error
        if silent and not data:
            address = self.address
            msg = f"{address.scheme}://{address.authority} closed the connection without an answer"
            raise _ClosedError(msg)
        return data


def response_parser(method: str) -> h11.Connection:
    """Return what parses the answer to a request with *method*."""
    parser = h11.Connection(h11.CLIENT)
    # h11 must know the method to parse the answer; what it would write is thrown away.
    parser.send(h11.Request(method=method, target="/", headers=[("Host", "h11.invalid")]))
    parser.send(h11.EndOfMessage())
    return parser


def response_of(head: h11.Response, body: bytes) -> Response:
    """Return the answer of *head* and *body*."""
    headers = tuple((key.decode("latin-1"), value.decode("latin-1")) for key, value in head.headers)
    return Response(head.status_code, headers, body)


def cut_short(head: h11.Response, body: bytes, error: Exception) -> UnframedError:
    """Return what to raise where an answer began with *head* and *body*, and *error* came in place of its rest."""
    response = response_of(head, body)
    length = response.header("content-length")
    announced = f" of the {length} that Content-Length announces" if length else ""
    end = _reason(error) if isinstance(error, OSError) else "the end of the connection"
    return UnframedError(f"{response.status} with {len(body)} bytes{announced}, then {end}", response)


def _shake_hands(connection: ssl.SSLSocket, deadline: float) -> None:
    """Bring the TLS handshake to its end; raise TimeoutError at *deadline*."""
    # A timeout of the socket would start anew with every byte.
    connection.setblocking(False)
    while True:
        left = max(0.0, deadline - time.monotonic())
        try:
            connection.do_handshake()
        except ssl.SSLWantReadError:
            ready = any(select.select([connection], [], [], left))
        except ssl.SSLWantWriteError:
            ready = any(select.select([], [connection], [], left))
        else:
            return
        if not ready:
            msg = "no TLS handshake in time"
            raise TimeoutError(msg)


# OpenSSL's numbers of a chain that ends in an authority nobody has named: X509_V_ERR_... of x509_vfy.h.
_UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21})

# What OpenSSL says of bytes that are no TLS at all.
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})


def _reason(error: Exception) -> str:
    """Return what made a connection fail, and for TLS what may help."""
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = "; name a private authority with --ca-file" if error.verify_code in _UNKNOWN_AUTHORITY else ""
        return f"certificate verify failed: {error.verify_message}{hint}"
    if isinstance(error, ssl.SSLError) and error.reason:
        hint = "; is it http?" if error.reason in _NO_TLS else ""
        return f"it does not speak TLS as wanted ({error.reason.replace('_', ' ').lower()}){hint}"
    # Without the number that Python puts before it.
    return str((isinstance(error, OSError) and error.strerror) or error)
