"""Runs of cancel_many against the embedded mock: clients, jobs, and time that passes when somebody sleeps."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from calloff import (
    AccessKey,
    AsyncHuaweiCloudDliClient,
    AsyncOtcDliClient,
    AsyncTencentCiClient,
    Outcome,
)
from calloff.apis import OPERATIONS
from calloff.bulk.run import Options, Surroundings, run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from calloff.bulk.journal import Journal
    from calloff.mock.jobs import Job
    from calloff.mock.server import MockServer

CI_BATCH, CI_AI = "tencent-ci/cancelInventoryTriggerJob", "tencent-ci/cancelAiJob"
OTC_BATCH, OTC_SQL = "otc-dli/cancelBatchJob", "otc-dli/cancelSqlJob"
HUAWEI_SQL = "huaweicloud-dli/cancelSqlJob"
EVERY = [CI_BATCH, CI_AI, OTC_BATCH, OTC_SQL, HUAWEI_SQL]
OPEN = {
    CI_BATCH: "Submitted",
    CI_AI: "Submitted",
    OTC_BATCH: "running",
    OTC_SQL: "RUNNING",
    HUAWEI_SQL: "RUNNING",
}
CANCELLED = {
    CI_BATCH: "Cancel",
    CI_AI: "Cancel",
    OTC_BATCH: "dead",
    OTC_SQL: "CANCELLED",
    HUAWEI_SQL: "CANCELLED",
}
ENDED = {
    CI_BATCH: "Success",
    CI_AI: "Success",
    OTC_BATCH: "success",
    OTC_SQL: "FINISHED",
    HUAWEI_SQL: "FINISHED",
}


@dataclass
class Time:
    """A monotonic clock that only sleeping moves, at once."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def surroundings(self) -> Surroundings:
        return Surroundings(self.clock, self.sleep, lambda: 0.5)


def client(server: MockServer, operation: str, credentials: Any = None, **options: Any) -> Any:
    """Make the asynchronous client of an operation; nothing of it is ever sent with, so it needs no closing."""
    api = OPERATIONS[operation].api
    place = server.announcement["apis"][api]
    keys = place["credentials"]
    options["base_url"] = place["base_url"]
    if api == "tencent-ci":
        bucket, _, region = place["host"].removesuffix(".myqcloud.com").partition(".ci.")
        key = credentials or AccessKey(keys["secret_id"], keys["secret_key"])
        return AsyncTencentCiClient(bucket=bucket, region=region, credentials=key, **options)
    key = credentials or AccessKey(keys["access_key"], keys["secret_key"])
    kind = AsyncOtcDliClient if api == "otc-dli" else AsyncHuaweiCloudDliClient
    region = "eu-de" if api == "otc-dli" else "cn-north-4"
    return kind(region=region, project_id=place["project_id"], credentials=key, **options)


def jobs(server: MockServer, operation: str, count: int, state: str = "") -> list[Job]:
    """Make jobs of the caller's own."""
    state_of, api = server.state, OPERATIONS[operation].api
    return [
        state_of.new_job(operation, state_of.owners[api][0], state or OPEN[operation]) for _ in range(count)
    ]


def states(server: MockServer, made: Iterable[Job]) -> list[str]:
    return [job.state(server.state.clock()) for job in made]


async def outcomes(
    configured: Any,
    operation: str,
    ids: Any,
    *,
    time: Time | None = None,
    journal: Journal | None = None,
    stop: asyncio.Event | None = None,
    **options: Any,
) -> list[Outcome]:
    """Run to the end; by the machine's clock where no time is given."""
    options.setdefault("rate", None)
    surroundings = Surroundings() if time is None else time.surroundings()
    name = operation.partition("/")[2]
    running = run(configured.core, name, ids, Options(**options), journal, stop, surroundings)
    async with aclosing(running):
        return [outcome async for outcome in running]


def cancel(configured: Any, operation: str, ids: Any, **options: Any) -> list[Outcome]:
    """Run ``outcomes`` in a loop of its own."""
    return asyncio.run(outcomes(configured, operation, ids, **options))
