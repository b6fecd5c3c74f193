"""Ways to bend what happens between requests: races, and the bytes on a connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from calloff.mock.pipeline import Case

if TYPE_CHECKING:
    from collections.abc import Callable

    from calloff.mock.app import ApiApp
    from calloff.mock.jobs import Job
    from calloff.mock.mutations.place import Around
    from calloff.mock.pipeline import Answer, Exchange


HOLD_SECONDS = 0.05  # how long an accepted cancel is held, so that a second one can meet it


def racing(clash: Callable[[ApiApp, Exchange, Answer], Answer]) -> Around:
    """Hold accepted cancels for a moment; a further cancel of a job that is held meets ``clash``."""
    held: set[Job] = set()

    async def around(app: ApiApp, exchange: Exchange) -> Answer:
        answer = app.handle(exchange)
        job: Job | None = getattr(exchange, "job", None)
        if job is None:
            return answer
        if job in held:
            return clash(app, exchange, answer)
        if answer.status == 200:
            held.add(job)
            await asyncio.sleep(HOLD_SECONDS)
            held.discard(job)
        return answer

    return around


def second_faults(app: ApiApp, exchange: Exchange, _answer: Answer) -> Answer:
    """Fall over."""
    return app.refuse(exchange, Case.SERVER_FAULT)


def cancel_lost(_app: ApiApp, exchange: Exchange, answer: Answer) -> Answer:
    """Write back a state from before the first cancel."""
    exchange.job.put(next(iter(exchange.job.lifecycle.cancel_moves)))
    return answer
