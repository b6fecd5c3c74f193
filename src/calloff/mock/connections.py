"""How long clients may take and how many may be connected, so that none of them keeps the others out."""

from __future__ import annotations

import heapq
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio

ENOUGH = 10_000  # connections; where the system allows fewer, a server says so
REQUEST_SECONDS = 30.0
_MOST = 50_000


def open_files() -> int:
    """Tell how many files and sockets the system lets this process hold open."""
    if sys.platform == "win32":
        return _MOST
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if soft == resource.RLIM_INFINITY else soft


def raise_open_files() -> None:
    """Ask for as many open files as the system gives a process without special rights."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return
    wanted = 2 * _MOST if hard == resource.RLIM_INFINITY else hard
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # macOS names a limit that it does not grant
        return


def possible_connections() -> int:
    """Tell how many connections leave room for the files of the process and for those just being accepted."""
    return min(_MOST, open_files() * 5 // 8)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may take.

    Args:
        request_seconds: from the first byte of a request to its last, for taking an answer, and for the handshake
            of TLS.
        idle_seconds: before the first request and between two.
        connections: how many may be open; a further one takes the place of those that are idle longest.
    """

    request_seconds: float = REQUEST_SECONDS
    idle_seconds: float = 75.0
    connections: int = field(default_factory=possible_connections)

    @property
    def backlog(self) -> int:
        """How many connections to accept in one go, at each port."""
        return max(16, min(2048, self.connections // 10))


class Connection(Protocol):
    """What the guard knows of a connection."""

    def overdue(self, now: float, limits: Limits) -> bool:
        """Tell whether the client has had its time, by the clock of the loop."""

    def idle_since(self) -> float | None:
        """Tell since when nothing is under way; None where something is."""

    def give_up(self) -> None:
        """Close the connection now, whatever is still to be sent."""


class Guard:
    """Holds the connections of a server to its limits, by looking at all of them now and then."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._connections: set[Connection] = set()
        self._interval = min(1.0, limits.request_seconds / 4, limits.idle_seconds / 4)
        self._looking = False

    def came(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        """Take note of a connection; makes room where there are too many."""
        if len(self._connections) >= self._limits.connections:
            self._make_room()
        self._connections.add(connection)
        if not self._looking:
            self._looking = True
            loop.call_later(self._interval, self._look, loop)

    def left(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in [each for each in self._connections if each.overdue(now, self._limits)]:
            self._end(connection)
        self._looking = bool(self._connections)
        if self._looking:
            loop.call_later(self._interval, self._look, loop)

    def _make_room(self) -> None:
        """End the idle connections that are so longest, a few at once: looking for them takes time."""
        idle = [(since, each) for each in self._connections if (since := each.idle_since()) is not None]
        few = 1 + self._limits.connections // 100
        for _, connection in heapq.nsmallest(few, idle, key=lambda pair: pair[0]):
            self._end(connection)

    def _end(self, connection: Connection) -> None:
        self._connections.discard(connection)
        connection.give_up()
