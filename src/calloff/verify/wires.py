"""As many connections as requests are under way at the same time, each kept for the next one."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from calloff.verify.wire import Request, Response, Wire


class Sender(Protocol):
    """What takes a request to a server, and its answer back."""

    def send(self, request: Request) -> Response:
        """Send *request* and return the answer."""

    def close(self) -> None:
        """Keep nothing open."""


class Wires:
    """Connections that threads share: each request has one to itself, the one used last goes out first."""

    def __init__(self, make: Callable[[], Wire]) -> None:
        self._make = make
        self._idle: list[Wire] = []
        self._lock = threading.Lock()

    def send(self, request: Request) -> Response:
        """Send *request* over a connection that no other thread uses; raise what Wire.send raises."""
        with self._lock:
            wire = self._idle.pop() if self._idle else self._make()
        try:
            return wire.send(request)
        finally:
            with self._lock:
                self._idle.append(wire)

    def close(self) -> None:
        """Close every connection that is not in use."""
        with self._lock:
            idle, self._idle = self._idle, []
        for wire in idle:
            wire.close()
