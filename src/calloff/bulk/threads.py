"""The same for programs without an event loop: the run has a thread and a loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing
from typing import TYPE_CHECKING

from calloff.bulk.run import cancel_many

if TYPE_CHECKING:
    from calloff.bulk.journal import Journal
    from calloff.bulk.outcome import Outcome
    from calloff.bulk.run import Configured
    from calloff.bulk.source import Ids

_AHEAD = 32  # outcomes that wait for the caller
_LOOK_SECONDS = 0.05  # between two looks at an event of threads


def cancel_all(
    client: Configured,
    operation: str,
    ids: Ids,
    *,
    concurrency: int = 32,
    rate: float | None = 150.0,
    wait: bool = False,
    wait_timeout: float = 300.0,
    poll: float = 2.0,
    attempts: int = 5,
    give_up_after: int = 20,
    journal: Journal | None = None,
    stop: threading.Event | None = None,
) -> Generator[Outcome]:
    """Cancel many jobs, as ``cancel_many`` does, without an event loop of the caller's.

    Example::

        for outcome in cancel_all(client, "cancelSqlJob", ids):
            print(outcome.job_id, outcome.result, outcome.reason)

    ``ids`` is iterated over in another thread. Arguments and errors are those of ``cancel_many``, but ``stop`` is an
    event of threads; closing the generator stops the run too.
    """
    stopped = asyncio.Event()
    outcomes = cancel_many(
        client,
        operation,
        ids,
        concurrency=concurrency,
        rate=rate,
        wait=wait,
        wait_timeout=wait_timeout,
        poll=poll,
        attempts=attempts,
        give_up_after=give_up_after,
        journal=journal,
        stop=stopped,
    )
    return _drawn(outcomes, stop, stopped)


def _drawn(
    outcomes: AsyncGenerator[Outcome], stop: threading.Event | None, stopped: asyncio.Event
) -> Generator[Outcome]:
    drawing = _Drawing(outcomes, stop, stopped)
    try:
        while (outcome := drawing.next()) is not None:
            yield outcome
    finally:
        drawing.close()


class _Drawing:
    """Iterates over outcomes in a thread of its own, a few ahead of the caller."""

    def __init__(
        self, outcomes: AsyncGenerator[Outcome], stop: threading.Event | None, stopped: asyncio.Event
    ) -> None:
        self._outcomes = outcomes
        self._stop, self._stopped = stop, stopped
        self._drawn: queue.SimpleQueue[Outcome | BaseException | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._room: asyncio.Event | None = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="calloff-bulk")
        self._thread.start()

    def next(self) -> Outcome | None:
        """Give the next outcome, None after the last one; raise what ended the run."""
        drawn = self._drawn.get()
        if isinstance(drawn, BaseException):
            raise drawn
        if self._drawn.qsize() < _AHEAD and self._room is not None and not self._room.is_set():
            self._call(self._room.set)
        return drawn

    def close(self) -> None:
        """End the run, if it has not ended, and the thread."""
        self._started.wait()
        if self._task is not None:
            self._call(self._task.cancel)
        self._thread.join()

    def _call(self, function: Callable[[], object]) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(function)

    async def _run(self) -> None:
        self._loop, self._task, self._room = (
            asyncio.get_running_loop(),
            asyncio.current_task(),
            asyncio.Event(),
        )
        self._started.set()
        end: BaseException | None = None
        passing_on = asyncio.create_task(self._pass_on())
        try:
            async with aclosing(self._outcomes) as outcomes:
                async for outcome in outcomes:
                    self._drawn.put(outcome)
                    while self._drawn.qsize() >= _AHEAD:
                        self._room.clear()
                        if self._drawn.qsize() >= _AHEAD:
                            await self._room.wait()
        except asyncio.CancelledError:
            pass  # by ``close``
        except Exception as error:  # noqa: BLE001 - raised where the caller waits
            end = error
        finally:
            passing_on.cancel()
            self._drawn.put(end)

    async def _pass_on(self) -> None:
        """Stop the run soon after the caller's event is set, which no loop can wait for."""
        if self._stop is not None:
            while not self._stop.is_set():
                await asyncio.sleep(_LOOK_SECONDS)
            self._stopped.set()
