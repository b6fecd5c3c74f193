"""What lets a right server be tried in a third of the time: waits that are over at once, jobs without a connection.

What the suite sends to the API, and what it reads of it, goes over HTTP all the same.
"""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import unquote

from calloff.mock.json_app import JsonError, JsonRequest
from calloff.mock.provider_states import ProviderStates
from calloff.verify.clock import Clock
from calloff.verify.wire import Response

if TYPE_CHECKING:
    from calloff.mock.state import ServerState
    from calloff.verify.wire import Request


def hurried_clock() -> Clock:
    """Return a clock on which sleeping takes no time; whoever reads it finds that the time has passed."""
    lock = threading.Lock()
    ahead = 0.0

    def sleep(seconds: float) -> None:
        nonlocal ahead
        with lock:
            ahead += seconds

    return Clock(lambda: time.time() + ahead, lambda: time.monotonic() + ahead, sleep)


class Desk:
    """Takes what is asked of the provider states of a server in this process to them, without a connection."""

    def __init__(self, state: ServerState) -> None:
        self._states = ProviderStates(state)

    def send(self, request: Request) -> Response:
        """Return what the provider states answer to *request*."""
        asked = JsonRequest(request.method, unquote(request.target), b"", {}, request.body)
        try:
            answer = self._states.answer(asked)
        except JsonError as error:
            answer = self._states.refuse(error)
        return Response(answer.status, (), json.dumps(answer.content).encode() if answer.content else b"")

    def close(self) -> None:
        """Do nothing: nothing is open."""
