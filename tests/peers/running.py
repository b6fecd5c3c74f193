"""A mock that runs over a real socket, for peers: its clock can be set ahead, its jobs and keys are at hand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from calloff.apis import APIS, OPERATIONS, ApiName
from calloff.mock.dialects import Dialect
from calloff.mock.disturbances import Disturbance
from calloff.mock.jobs import Job
from calloff.mock.keys import Key
from calloff.mock.server import MockServer, run_embedded


class Clock:
    """The time of day, so that peers need no other, and what a test adds to it."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Running:
    """A running mock."""

    def __init__(self, server: MockServer, clock: Clock) -> None:
        self.clock = clock
        self.announcement: dict[str, Any] = server.announcement
        self.state = server.state
        self.iam_url: str = server.announcement["iam_url"]

    def url(self, api: ApiName) -> str:
        return str(self.announcement["apis"][api]["base_url"])

    def project(self, api: ApiName, owner: int = 0) -> str:
        return self.state.owners[api][owner]

    def job(self, operation: str, state: str, owner: int = 0) -> Job:
        return self.state.new_job(operation, self.project(OPERATIONS[operation].api, owner), state)

    def state_of(self, job: Job) -> str:
        return job.state(self.clock())

    def key(self, api: ApiName, owner: int = 0, lifetime: float | None = None) -> Key:
        return self.state.new_key(api, owner=self.project(api, owner), lifetime=lifetime)


@contextmanager
def running(dialect: dict[str, str] | None = None, *disturbances: Disturbance) -> Iterator[Running]:
    """Run a mock of every API while the context lasts."""
    clock = Clock()
    with run_embedded(
        tuple(APIS), dialect=Dialect(dialect), clock=clock, disturbances=disturbances
    ) as server:
        yield Running(server, clock)
