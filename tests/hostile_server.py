"""A listener on loopback that records what arrives, byte for byte, and answers as badly as a test wants."""

from __future__ import annotations

import contextlib
import gzip
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

Behaviour = Callable[["Listener", socket.socket], None]


class Listener:
    """Accepts connections until it is closed; ``requests`` are the heads and bodies that came, in order."""

    def __init__(self, behaviour: Behaviour | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        self.behaviour = behaviour or reply()
        self.tls = tls
        self.requests: list[bytes] = []
        self.connections = 0
        self.closed = threading.Event()
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._start(self._accept)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self.closed.set()
            still_open = (self._socket, *self._open)
        for connection in still_open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._socket.close()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.closed.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            # Under the lock: a connection is either seen by the one who closes the listener, or not served.
            with self._lock:
                if self.closed.is_set():
                    connection.close()
                    return
                self.connections += 1
                self._open.append(connection)
                self._start(self._serve, connection)

    def _serve(self, accepted: socket.socket) -> None:
        with contextlib.suppress(OSError), accepted as connection:
            if self.tls:
                # Wrapping moves the descriptor: shutting down the plain socket no longer wakes a reader.
                with self.tls.wrap_socket(connection, server_side=True) as secured:
                    with self._lock:
                        self._open.append(secured)
                    self._converse(secured)
            else:
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        while not self.closed.is_set() and (request := read_request(connection)) is not None:
            self.requests.append(request)
            self.behaviour(self, connection)


def tls_server_context() -> ssl.SSLContext:
    """Make TLS settings for a server; a certificate is to be added."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


def read_request(connection: socket.socket) -> bytes | None:
    """Read one request with the body that its Content-Length announces; None where the peer is gone."""
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65536)
        if not chunk:
            return None
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"(?im)^content-length: *([0-9]+)", head)
    while length and len(body) < int(length[1]):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def message(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    """Write one HTTP answer."""
    lines = [f"HTTP/1.1 {status} Some reason", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def reply(status: int = 200, body: bytes = b"", headers: dict[str, str] | None = None) -> Behaviour:
    return raw(message(status, body, headers))


def raw(data: bytes) -> Behaviour:
    return lambda listener, connection: connection.sendall(data)


def first(data: bytes, then: Behaviour) -> Behaviour:
    """Send ``data``, then behave as ``then``."""

    def behave(listener: Listener, connection: socket.socket) -> None:
        connection.sendall(data)
        then(listener, connection)

    return behave


def script(*behaviours: Behaviour) -> Behaviour:
    """Behave differently each time; the last one stays."""
    left = list(behaviours)

    def behave(listener: Listener, connection: socket.socket) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(listener, connection)

    return behave


def hang(listener: Listener, connection: socket.socket) -> None:
    listener.closed.wait(30)


def close_at_once(listener: Listener, connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def reset(listener: Listener, connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def cut(data: bytes) -> Behaviour:
    """Send ``data``, which ends too early, and close."""

    def behave(listener: Listener, connection: socket.socket) -> None:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_RDWR)

    return behave


def drip(data: bytes, seconds: float = 0.05) -> Behaviour:
    """Send ``data`` one byte at a time, so that no single read ever waits long."""

    def behave(listener: Listener, connection: socket.socket) -> None:
        for byte in data:
            if listener.closed.wait(seconds):
                return
            connection.sendall(bytes([byte]))

    return behave


def endless(head: bytes, piece: bytes, times: int) -> Behaviour:
    """Send ``piece`` over and over, until nobody listens any more."""

    def behave(listener: Listener, connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(times):
            connection.sendall(piece)

    return behave


def gzip_bomb() -> Behaviour:
    body = gzip.compress(b" " * 50_000_000)
    return reply(200, body, {"Content-Encoding": "gzip", "Content-Type": "application/json"})
