"""Where the ids of a run come from: whatever the caller gives, pulled as needed, or a journal."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from calloff.bulk.journal import Journal
    from calloff.bulk.outcome import Outcome

Ids = Iterable[str] | AsyncIterable[str]
_ADDED_AT_ONCE = 1000
_UNSETTLED_AT_ONCE = 100

_Given = ParamSpec("_Given")
_Returned = TypeVar("_Returned")


class Task(NamedTuple):
    """An id to cancel; ``sent_before`` where an earlier run may have sent its cancel."""

    job_id: str
    sent_before: bool = False


class Source(Protocol):
    """Gives the ids of a run, and takes their outcomes."""

    async def next(self) -> Task | None:
        """Give the next id; None where there is none left."""
        ...

    async def keep(self, outcomes: Sequence[Outcome]) -> None:
        """Keep outcomes, before anybody is told of them."""
        ...

    async def close(self) -> None:
        """Give back what was taken and is certain not to be sent."""
        ...


class GivenIds:
    """The ids that the caller gives; after the last one, and after an error, there is none."""

    def __init__(self, ids: Iterable[str]) -> None:
        self._given = iter(ids)

    async def next(self) -> Task | None:
        """Pull one id."""
        try:
            for job_id in self._given:
                return Task(job_id)
        except BaseException:
            self._given = iter(())
            raise
        return None

    async def keep(self, outcomes: Sequence[Outcome]) -> None:
        """Keep nothing: the caller is told."""

    async def close(self) -> None:
        """Do nothing: what was not pulled is the caller's."""


class AsyncGivenIds(GivenIds):
    """The same, asynchronously; several workers may ask, one pulls."""

    def __init__(self, ids: AsyncIterable[str]) -> None:
        super().__init__(())
        self._coming: AsyncIterator[str] | None = aiter(ids)
        self._pulling = asyncio.Lock()

    async def next(self) -> Task | None:
        """Pull one id."""
        async with self._pulling:
            if self._coming is None:
                return None
            try:
                return Task(await anext(self._coming))
            except StopAsyncIteration:
                self._coming = None
                return None
            except BaseException:
                self._coming = None
                raise


class JournalIds:
    """The ids of a journal: first those that an earlier run may have sent, then, a batch at a time, the others.

    ``batch`` is how many are claimed at once.
    """

    def __init__(self, journal: Journal, ids: Ids, batch: int) -> None:
        self._journal, self._ids, self._batch = journal, ids, batch
        self._using = asyncio.Lock()
        self._added = False
        self._unsettled: Iterator[str] | None = None
        self._ready: deque[Task] = deque()

    async def next(self) -> Task | None:
        """Give an id that is claimed."""
        if not self._ready:
            async with self._using:
                if not self._ready:
                    await self._fill()
        return self._ready.popleft() if self._ready else None

    async def keep(self, outcomes: Sequence[Outcome]) -> None:
        """Record outcomes."""
        async with self._using:
            await _in_thread(self._journal.record, outcomes)

    async def close(self) -> None:
        """Let those that were claimed and not sent wait again."""
        unsent = [task.job_id for task in self._ready if not task.sent_before]
        self._ready.clear()
        if unsent:
            async with self._using:
                await _in_thread(self._journal.release, unsent)

    async def _fill(self) -> None:
        if not self._added:
            self._unsettled = self._journal.unsettled()
            await self._add()
            self._added = True
        if self._unsettled is not None:
            found = await _in_thread(list, islice(self._unsettled, _UNSETTLED_AT_ONCE))
            self._ready.extend(Task(job_id, sent_before=True) for job_id in found)
            if found:
                return
            self._unsettled = None
        self._ready.extend(map(Task, await _in_thread(self._journal.claim, self._batch)))

    async def _add(self) -> None:
        if not isinstance(self._ids, AsyncIterable):
            self._journal.add(self._ids)
            return
        page: list[str] = []
        async for job_id in self._ids:
            page.append(job_id)
            if len(page) == _ADDED_AT_ONCE:
                self._journal.add(page)
                page.clear()
        self._journal.add(page)


async def _in_thread(
    call: Callable[_Given, _Returned], *arguments: _Given.args, **named: _Given.kwargs
) -> _Returned:
    """Call in a thread, as the disk is slow; whoever is cancelled meanwhile waits for its end."""
    task = asyncio.ensure_future(asyncio.to_thread(call, *arguments, **named))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def source_of(ids: Ids, journal: Journal | None, batch: int) -> Source:
    """Make the source of a run; ``batch`` is how many ids a journal claims at once."""
    if journal is not None:
        return JournalIds(journal, ids, batch)
    return AsyncGivenIds(ids) if isinstance(ids, AsyncIterable) else GivenIds(ids)
