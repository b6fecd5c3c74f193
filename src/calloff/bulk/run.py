"""A run: a fixed number of workers pulls ids, cancels them and hands out the outcomes, until it ends or must stop."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from calloff.bulk.attempt import Canceller, Waiting
from calloff.bulk.exchange import Exchange
from calloff.bulk.guard import KeyGuard
from calloff.bulk.pace import Halt, Pace, Sleep
from calloff.bulk.retries import Budget, Policy, missing_extra
from calloff.bulk.source import Ids, Source, Task, source_of
from calloff.bulk.tally import Tally
from calloff.errors import InvalidInputError
from calloff.tracing import traced_async

if TYPE_CHECKING:
    import ssl

    from calloff.apis import Operation
    from calloff.bulk.journal import Journal
    from calloff.bulk.outcome import Outcome
    from calloff.calls import Core
    from calloff.transport import AsyncSender

MAX_CONCURRENCY = 1000
# Jobs that are waited for at a time, for each request in flight: most of that wait is between two requests.
_WAITING_FACTOR = 16
_MAX_WAITING = 1024
# Seconds that what is in flight is given to end when a run is closed.
_CLOSING_SECONDS = 2.0
# Ids that a journal claims, and outcomes that it records, at a time at most: each such commit waits for the disk,
# and the requests of a slow one go on meanwhile.
_JOURNAL_BATCH = 512
_RETRY_RESERVE = 10  # second attempts held in reserve, for each request in flight

_LOG = logging.getLogger("calloff.bulk")


class Configured(Protocol):
    """What every client is: the holder of a configuration."""

    @property
    def core(self) -> Core:
        """Say what to send, and what an answer means."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a run goes about it; see ``cancel_many``."""

    concurrency: int = 32
    rate: float | None = 150.0
    wait: bool = False
    wait_timeout: float = 300.0
    poll: float = 2.0
    attempts: int = 5
    give_up_after: int = 20

    def __post_init__(self) -> None:
        for name, most in (
            ("concurrency", MAX_CONCURRENCY),
            ("attempts", 100),
            ("give_up_after", 10**9),
        ):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= most:
                raise InvalidInputError(f"{name} must be a whole number from 1 to {most}; got {value!r}")
        for name in ("rate", "wait_timeout", "poll"):
            value = getattr(self, name)
            if name == "rate" and value is None:
                continue
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not 0 < value < math.inf:
                raise InvalidInputError(f"{name} must be a number above 0; got {value!r}")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run takes from outside: a monotonic clock in seconds, sleep, chance and what sends."""

    clock: Callable[[], float] = time.monotonic
    sleep: Sleep = asyncio.sleep
    random: Callable[[], float] = random.random
    sender: Callable[[ssl.SSLContext | None, int], AsyncSender] | None = None


def cancel_many(
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
    stop: asyncio.Event | None = None,
) -> AsyncGenerator[Outcome]:
    """Cancel many jobs; yield one outcome for each id, as they come about.

    Example::

        async for outcome in cancel_many(client, "cancelSqlJob", ids):
            print(outcome.job_id, outcome.result, outcome.reason)

    The ids are pulled as they are needed, so there may be any number of them; an id given twice is cancelled
    twice, unless a journal is kept. One request goes alone until the credential is known to work; after it was
    not accepted three times in a row, or after ``give_up_after`` ids in a row failed (requests, while they go
    alone), the run stops, and the other ids end as ``not-sent``. What is done about each answer is the table
    ``calloff.bulk.retries.RULES``. Leaving the loop early stops the run: close the generator (``contextlib.aclosing``).
    What is in flight then gets two seconds to end.

    Args:
        client: any client; only its configuration is used, its connections are not.
        operation: what to call, such as ``cancelSqlJob``.
        ids: ids of jobs, any iterable, asynchronous or not; ids that are none end as ``not-sent``.
        concurrency: how many requests may be in flight, up to 1000.
        rate: how many requests leave in a second at most, status calls included; None for no limit. The gateway of
            DLI allows 200 for each API.
        wait: read the state of each accepted job until it has ended.
        wait_timeout: for how long, in seconds from the acceptance.
        poll: how often, in seconds.
        attempts: how many times a cancel may be sent.
        give_up_after: failures in a row that end the run; a refusal is none, unless DLI denies permission.
        journal: where ids and outcomes are kept; ``ids`` are added to it, then its own are taken, those first that an
            earlier run may have sent.
        stop: once set, nothing new is sent; what is in flight ends, the rest is ``not-sent``.

    Raises:
        InvalidInputError: an argument that cannot be meant.
        MissingExtraError: ``calloff[bulk]`` is not installed.
        JournalError: the journal could not be read or written; also whatever ``ids`` raises, after the outcomes of
            what was in flight.
    """
    options = Options(
        concurrency=concurrency,
        rate=rate,
        wait=wait,
        wait_timeout=wait_timeout,
        poll=poll,
        attempts=attempts,
        give_up_after=give_up_after,
    )
    return run(client.core, operation, ids, options, journal, stop, Surroundings())


def run(
    core: Core,
    operation: str,
    ids: Ids,
    options: Options,
    journal: Journal | None,
    stop: asyncio.Event | None,
    surroundings: Surroundings,
) -> AsyncGenerator[Outcome]:
    """Begin a run; see ``cancel_many``."""
    found = core.api.operations.get(operation)
    if found is None:
        names = ", ".join(core.api.operations)
        raise InvalidInputError(f"{core.api.name} has no operation {operation!r}; it has: {names}")
    if isinstance(ids, (str, bytes)) or not isinstance(ids, (Iterable, AsyncIterable)):
        raise InvalidInputError(f"ids must be several ids, such as a list; got {type(ids).__name__}")
    if journal is not None:
        journal.header.require(operation=found.key)
    open_sender = surroundings.sender or _aiohttp_sender()
    Policy(1, Budget(0), Halt(), random.random)  # where its library is missing, now is the time to say so
    return _outcomes(core, found, ids, options, journal, stop, surroundings, open_sender)


def _aiohttp_sender() -> Callable[[ssl.SSLContext | None, int], AsyncSender]:
    try:
        from calloff.aiohttp_transport import AiohttpTransport
    except ImportError as error:
        raise missing_extra() from error
    return lambda context, limit: AiohttpTransport(context, limit=limit)


async def _outcomes(
    core: Core,
    operation: Operation,
    ids: Ids,
    options: Options,
    journal: Journal | None,
    stop: asyncio.Event | None,
    surroundings: Surroundings,
    open_sender: Callable[[ssl.SSLContext | None, int], AsyncSender],
) -> AsyncGenerator[Outcome]:
    source = source_of(ids, journal, _JOURNAL_BATCH)
    sender = traced_async(open_sender(core.tls, options.concurrency))
    running = _Run(core, operation, source, sender, options, surroundings)
    async with AsyncExitStack() as cleaning:
        cleaning.push_async_callback(sender.close)
        cleaning.push_async_callback(source.close)
        working = asyncio.create_task(running.work_all())
        working.add_done_callback(lambda _: running.outbox.finish())
        tasks = [working]
        if stop is not None:
            tasks.append(asyncio.create_task(running.obey(stop)))
        cleaning.push_async_callback(_end, tasks)
        cleaning.push_async_callback(running.close, working)
        while outcomes := await running.outbox.take():
            await source.keep(outcomes)
            for outcome in outcomes:
                yield outcome
        await working


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Outbox:
    """Outcomes on their way to the caller, ``limit`` at most."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._outcomes: list[Outcome] = []
        self._filled, self._emptied = asyncio.Event(), asyncio.Event()
        self._finished = False

    async def put(self, outcome: Outcome) -> None:
        """Add an outcome; wait while there are too many."""
        while len(self._outcomes) >= self._limit and not self._finished:
            self._emptied.clear()
            await self._emptied.wait()
        self._outcomes.append(outcome)
        if len(self._outcomes) == 1:
            self._filled.set()

    async def take(self) -> list[Outcome]:
        """Take all there are, at least one; none where no more come."""
        while not self._outcomes and not self._finished:
            self._filled.clear()
            await self._filled.wait()
        taken, self._outcomes = self._outcomes, []
        self._emptied.set()
        return taken

    def finish(self) -> None:
        """Let nobody wait any more."""
        self._finished = True
        self._filled.set()
        self._emptied.set()


class _Run:
    """The workers of one run, and what makes it stop."""

    def __init__(
        self,
        core: Core,
        operation: Operation,
        source: Source,
        sender: AsyncSender,
        options: Options,
        surroundings: Surroundings,
    ) -> None:
        self._operation, self._source = operation, source
        self._workers = options.concurrency
        if options.wait:
            self._workers = max(self._workers, min(options.concurrency * _WAITING_FACTOR, _MAX_WAITING))
        self.outbox = _Outbox(max(self._workers, _JOURNAL_BATCH))
        self._halt = Halt(surroundings.sleep)
        budget = Budget(options.concurrency * _RETRY_RESERVE)
        self._guard = KeyGuard(self._halt, options.concurrency if options.wait else None)
        pace = Pace(options.rate, self._halt, surroundings.clock)
        self._canceller = Canceller(
            operation,
            Exchange(core, operation, sender, self._guard, pace, self._halt),
            policy=Policy(options.attempts, budget, self._halt, surroundings.random),
            pace=pace,
            halt=self._halt,
            clock=surroundings.clock,
            waiting=Waiting(options.wait_timeout, options.poll) if options.wait else None,
            tally=Tally(
                operation.api,
                options.give_up_after,
                guard=self._guard,
                pace=pace,
                halt=self._halt,
                budget=budget,
            ),
        )
        self._closed = False
        self._failure: Exception | None = None
        self._counts: Counter[str] = Counter()

    async def obey(self, stop: asyncio.Event) -> None:
        """Stop the run when the caller says so."""
        await stop.wait()
        self._halt.stop("it was interrupted")

    async def work_all(self) -> None:
        """Cancel everything that the source gives; raise what the source raised."""
        workers = [asyncio.create_task(self._work()) for _ in range(self._workers)]
        try:
            done, _ = await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
            for worker in done:
                worker.result()
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        if self._halt.reason:
            _LOG.log(
                logging.INFO if self._closed else logging.WARNING, "the run stopped: %s", self._halt.reason
            )
        while not self._closed and (task := await self._next()) is not None:
            await self._hand_out(self._canceller.left_alone(task, f"the run stopped: {self._halt.reason}"))
        _LOG.info("%s: %s", self._operation.key, dict(self._counts))
        if self._failure is not None:
            raise self._failure

    async def close(self, working: asyncio.Task[None]) -> None:
        """Send nothing new, and give what is in flight a moment to end."""
        if working.done():
            return
        self._closed = True
        self._halt.stop("it was closed")
        self.outbox.finish()
        try:
            await asyncio.wait({working}, timeout=_CLOSING_SECONDS)
        finally:
            if not working.done():
                working.cancel()
                _LOG.warning(
                    "closed with %d requests in flight; the states of their jobs tell what became of them",
                    self._guard.flying,
                )
            with suppress(Exception, asyncio.CancelledError):
                await working
            await self._source.keep(await self.outbox.take())

    async def _next(self) -> Task | None:
        try:
            return await self._source.next()
        except Exception as error:  # noqa: BLE001 - raised once what is in flight has ended
            self._failure = self._failure or error
            self._halt.stop(f"no more ids could be had ({type(error).__name__})")
            return None

    async def _work(self) -> None:
        cancel, settle = self._canceller.cancel, self._canceller.settle
        while not self._halt.reason:
            task = await self._next()
            if task is None:
                return
            outcome = await (settle if task.sent_before else cancel)(task.job_id)
            await self._hand_out(outcome)

    async def _hand_out(self, outcome: Outcome) -> None:
        self._counts[outcome.result] += 1
        await self.outbox.put(outcome)
