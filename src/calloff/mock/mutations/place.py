"""What every way to bend the correct server is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from calloff.apis import Operation
    from calloff.mock.app import ApiApp
    from calloff.mock.pipeline import Answer, Call, Exchange, Steps
    from calloff.mock.state import ServerState

    Route = Callable[[Exchange], Call]
    Reroute = Callable[[Route, Callable[[Call], bool]], Route]
    Around = Callable[[ApiApp, Exchange], Awaitable[Answer]]
    # Takes the class of the server's protocol and the question whether a connection's request is concerned.
    Connect = Callable[[type[Any], Callable[[Any], bool]], type[Any]]
    Bend = Callable[[Steps, "Place"], Steps]
    Change = Callable[[Answer], Answer]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mutant works: one operation of one server."""

    state: ServerState
    operation: Operation
