"""When a request may leave: at a rate, after the pause that the service asked for, and not once the run stops."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

Sleep = Callable[[float], Awaitable[object]]


class Halt:
    """Says that a run stops, and why; whoever sleeps in it wakes up then."""

    def __init__(self, sleep: Sleep = asyncio.sleep) -> None:
        self._sleep = sleep
        self._stopped = asyncio.Event()
        self.reason = ""

    def stop(self, reason: str) -> None:
        """Stop the run; the first reason counts."""
        self.reason = self.reason or reason
        self._stopped.set()

    async def sleep(self, seconds: float) -> None:
        """Sleep for ``seconds``, or until the run stops."""
        if self.reason or seconds <= 0:
            return
        tasks = {asyncio.ensure_future(self._sleep(seconds)), asyncio.ensure_future(self._stopped.wait())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class Pace:
    """Spreads requests evenly: ``rate`` of them in a second, without bursts, None for no limit.

    ``clock`` is a monotonic one, in seconds. ``free`` tells that nothing has to be waited for.
    """

    def __init__(self, rate: float | None, halt: Halt, clock: Callable[[], float]) -> None:
        self._gap = 1.0 / rate if rate else 0.0
        self._halt = halt
        self._clock = clock
        self._next = self._until = -math.inf
        self.free = not self._gap

    def pause(self, seconds: float) -> None:
        """Let nothing leave for ``seconds`` from now on."""
        self._until = max(self._until, self._clock() + seconds)
        self.free = False

    async def turn(self) -> None:
        """Wait for the turn of one request; a run that stops keeps nobody waiting."""
        while not self._halt.reason:
            now = self._clock()
            turn = max(now, self._next, self._until)
            self._next = turn + self._gap
            await self._halt.sleep(turn - now)
            if self._clock() >= self._until:  # else a pause came while this one slept
                self.free = not self._gap
                return
