"""When a request may leave: a rate, budgets, and the pause that a throttling server asks for."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from calloff.verify.wire import Request, Response, Wire
    from calloff.verify.wires import Wires

# Seconds of the longest pause that is waited out, and how often one request is sent again.
MAX_PAUSE = 60.0
MAX_REPEATS = 5
# Before the second, third and fourth try where the answer names no pause; RFC 6585, section 4, demands none.
_UNASKED_PAUSES = (0.5, 1.0, 2.0)


class BudgetSpentError(Exception):
    """The next request is not covered by what the run may send or how long it may take."""


def http_date(value: str) -> float | None:
    """Return the Unix seconds of an HTTP date in any of its three forms (RFC 9110, 5.6.7), None where it is none."""
    try:
        moment = parsedate_to_datetime(value)
        # A date of the asctime form names no zone; all of them are UTC.
        return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def retry_after(response: Response, now: float) -> float | None:
    """Return the seconds that *response* asks to wait (RFC 9110, 10.2.3), None where it does not say.

    A date is held against the ``Date`` of the same answer, so that no clock but the server's counts; *now* (Unix
    seconds) stands in where there is none.
    """
    value = (response.header("retry-after") or "").strip()
    if re.fullmatch("[0-9]{1,9}", value):
        return float(value)
    moment = http_date(value)
    if moment is None:
        return None
    sent = http_date(response.header("date") or "")
    return max(0.0, moment - (now if sent is None else sent))


@dataclass
class Pace:
    """Let requests leave one after another, in time, and no more than the budgets allow.

    *rate* is in requests per second, *max_seconds* counts from the first request. Every request counts against
    *max_requests*, one that is sent again included. Several threads may share a pace.
    """

    rate: float | None = None
    max_requests: int | None = None
    max_seconds: float | None = None
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    sent: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _began: float | None = field(default=None, init=False, repr=False)
    _next: float = field(default=float("-inf"), init=False, repr=False)
    _gave_up: bool = field(default=False, init=False, repr=False)

    def send(self, wire: Wire | Wires, request: Request) -> Response:
        """Send *request* over *wire* in its turn and return the answer.

        A 429 is waited out and the same request sent again, as often as the bounds of this module allow; one that
        stays is returned, and until something else is answered no other is waited out. Raises BudgetSpentError
        before a request that the budgets do not cover, and what *wire* raises.
        """
        for repeats in range(MAX_REPEATS + 1):
            self._wait_for_turn()
            response = wire.send(request)
            if response.status != 429:
                self._gave_up = False
                break
            pause = self._pause(response, repeats)
            if pause is None:
                self._gave_up = True
                break
            with self._lock:
                self._next = max(self._next, self.clock() + pause)
        return response

    def _pause(self, response: Response, repeats: int) -> float | None:
        """Return the seconds to wait before *response* is asked for again, None where it is taken as it is."""
        asked = retry_after(response, time.time())
        if self._gave_up or repeats == MAX_REPEATS or (asked or 0) > MAX_PAUSE:
            return None
        if asked is not None:
            return asked
        return _UNASKED_PAUSES[repeats] if repeats < len(_UNASKED_PAUSES) else None

    def _wait_for_turn(self) -> None:
        with self._lock:
            now = self.clock()
            began = now if self._began is None else self._began
            turn = max(now, self._next)
            if self.max_requests is not None and self.sent >= self.max_requests:
                msg = f"the budget of {self.max_requests} requests is spent; --max-requests sets it"
                raise BudgetSpentError(msg)
            if self.max_seconds is not None and turn - began >= self.max_seconds:
                msg = f"the budget of {self.max_seconds:g} s is spent; --max-seconds sets it"
                raise BudgetSpentError(msg)
            self._began = began
            self._next = turn + (1 / self.rate if self.rate else 0)
            self.sent += 1
        if turn > now:
            self.sleep(turn - now)
