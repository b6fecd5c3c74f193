"""Every disturbance of the mock, every operation, three ways to cancel: each ends as documented, and in time.

A client sends once and raises what its answer means, by the classes of ``calloff.errors``; ``cancel_many`` does what
the table in docs/cancel.md says. The expectations are written by hand from these two. As each disturbance strikes once,
a client that sent again would be answered differently: by an acceptance, or by a refusal of the second cancel.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import bulk_support
import pytest
from bulk_support import CANCELLED, OPEN, Time, client, jobs, states
from operations import CASES, MODES, OTC_BATCH, Case

from calloff import (
    AccessKey,
    AnswerTimeoutError,
    ApiError,
    AuthenticationError,
    CalloffError,
    NoAnswerError,
    PermissionDeniedError,
    ServerError,
    ThrottledError,
)
from calloff.mock.disturbances import KINDS, Disturbance
from calloff.mock.server import MockServer, run_embedded

DONE, NOT_DONE = CANCELLED, OPEN


@dataclass(frozen=True)
class Row:
    """A disturbance that strikes once, and how it ends.

    ``raised`` is the class of a client's error (None: accepted), ``bulk`` the result of ``cancel_many``, ``batch`` the
    same for a Spark batch where its state tells less; ``after`` is the state after a client's one cancel.
    """

    kind: str
    raised: type[CalloffError] | None
    bulk: str
    after: dict[str, str]
    members: dict[str, Any] = field(default_factory=dict)
    batch: str = ""
    retry_after: float | None = None
    timeout: float = 30.0

    def __str__(self) -> str:
        return "-".join([self.kind, *(f"{name}={value}" for name, value in self.members.items())])


ROWS = [
    Row("latency", None, "cancelled", DONE, {"seconds": 0.02}),
    Row("latency", AnswerTimeoutError, "cancelled", {}, {"seconds": 3.0}, batch="unknown", timeout=0.5),
    Row("throttle", ThrottledError, "cancelled", NOT_DONE, {"rate": 0.0, "retry_after": 7}, retry_after=7),
    Row("status", ServerError, "cancelled", NOT_DONE, {"status": 500}),
    Row("status", ServerError, "cancelled", NOT_DONE, {"status": 503}),
    Row("status", ServerError, "cancelled", DONE, {"status": 500, "applied": True}, batch="unknown"),
    Row("gateway", ServerError, "cancelled", NOT_DONE, {"status": 502}),
    Row("gateway", ServerError, "cancelled", DONE, {"status": 504, "applied": True}, batch="unknown"),
    Row("reset", NoAnswerError, "cancelled", NOT_DONE),
    Row("reset", NoAnswerError, "cancelled", DONE, {"applied": True}, batch="unknown"),
    Row("close", None, "cancelled", DONE),
    Row("truncate", NoAnswerError, "cancelled", DONE, batch="unknown"),
    Row("content-type", None, "cancelled", DONE),
]
every_row = pytest.mark.parametrize("row", ROWS, ids=str)
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
both_ways = pytest.mark.parametrize("mode", MODES)


@pytest.fixture(scope="module")
def running() -> Iterator[MockServer]:
    with run_embedded() as server:
        yield server


@pytest.fixture
def server(running: MockServer) -> Iterator[MockServer]:
    yield running
    running.disturbances.reset()


def sent(server: MockServer, case: Case, mode: str, job_id: str, **options: Any) -> None:
    """Cancel a job as a client does, once."""
    place = server.announcement["apis"][case.key.partition("/")[0]]
    keys = place["credentials"]
    if "host" in place:
        bucket, _, region = place["host"].removesuffix(".myqcloud.com").partition(".ci.")
        options |= {"bucket": bucket, "region": region}
        key = AccessKey(keys["secret_id"], keys["secret_key"])
    else:
        options["project_id"] = place["project_id"]
        key = AccessKey(keys["access_key"], keys["secret_key"])
    case.cancel(mode, place["base_url"], key, job_id=job_id, clock=time.time, **options)


def caught(server: MockServer, case: Case, mode: str, job_id: str, **options: Any) -> CalloffError | None:
    try:
        sent(server, case, mode, job_id, **options)
    except CalloffError as error:
        return error
    return None


def test_every_kind_of_disturbance_is_here() -> None:
    assert {row.kind for row in ROWS} | {"clock-skew"} == set(KINDS)


@both_ways
@every_case
@every_row
def test_a_client_sends_once_and_raises_what_is_documented(
    server: MockServer, row: Row, case: Case, mode: str
) -> None:
    server.disturbances.add(Disturbance(kind=row.kind, operations=case.key, requests=1, **row.members))
    (job,) = jobs(server, case.key, 1)
    began = time.monotonic()
    error = caught(server, case, mode, job.id, timeout=row.timeout)

    assert time.monotonic() - began < row.timeout + 30  # an end, however busy the machine
    assert type(error) is (row.raised or type(None))
    if isinstance(error, ApiError):
        assert error.retryable
        assert error.retry_after == row.retry_after
    if row.after:
        assert states(server, [job]) == [row.after[case.key]]


@every_case
@every_row
def test_a_run_of_many_ends_it_as_its_table_says(server: MockServer, row: Row, case: Case) -> None:
    server.disturbances.add(Disturbance(kind=row.kind, operations=case.key, requests=1, **row.members))
    (job,) = jobs(server, case.key, 1)
    configured = client(server, case.key, timeout=row.timeout)
    (outcome,) = bulk_support.cancel(configured, case.key, [job.id], time=Time())

    wanted = row.batch if case is OTC_BATCH and row.batch else row.bulk
    assert outcome.result == wanted, outcome.reason
    if row.after:
        assert states(server, [job]) == [CANCELLED[case.key]]


@every_case
@pytest.mark.parametrize("seconds", [-1200.0, 1200.0])
@pytest.mark.parametrize("mode", [*MODES, "bulk"])
def test_a_wrong_clock_is_told_by_a_client_and_corrected_by_a_run(
    case: Case, seconds: float, mode: str
) -> None:
    skew = Disturbance(kind="clock-skew", seconds=seconds)
    # A server for each: one key is not to fail time and again.
    with run_embedded([case.key.partition("/")[0]], disturbances=[skew]) as server:
        (job,) = jobs(server, case.key, 1)
        if mode == "bulk":
            (outcome,) = bulk_support.cancel(client(server, case.key), case.key, [job.id], time=Time())
            assert outcome.result == "cancelled"
            return
        error = caught(server, case, mode, job.id)

        assert isinstance(error, AuthenticationError | PermissionDeniedError)
        assert states(server, [job]) == [OPEN[case.key]]
