"""Runs of cancel_many that meet no trouble, how they are stopped, and what they refuse to begin."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
from bulk_support import CANCELLED, ENDED, EVERY, OTC_SQL, cancel, client, jobs, outcomes, states

import calloff
from calloff import InvalidInputError, Outcome, cancel_all, cancel_many
from calloff.mock.server import run_embedded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from calloff.mock.server import MockServer

every_operation = pytest.mark.parametrize("operation", EVERY)


@pytest.fixture(scope="module")
def server() -> Iterator[MockServer]:
    with run_embedded() as running:
        yield running


@every_operation
def test_each_job_is_cancelled_once_and_told_once(server: MockServer, operation: str) -> None:
    made = jobs(server, operation, 40)
    found = cancel(client(server, operation), operation, [job.id for job in made])

    assert Counter(outcome.job_id for outcome in found) == Counter(job.id for job in made)
    assert {(o.operation, o.result, o.state, o.status, o.code, o.reason, o.attempts) for o in found} == {
        (operation, "cancelled", "", 200, "", "", 1)
    }
    assert all(outcome.request_id for outcome in found)
    assert set(states(server, made)) == {CANCELLED[operation]}


@every_operation
def test_with_wait_the_state_of_each_job_is_told(server: MockServer, operation: str) -> None:
    made = jobs(server, operation, 3)
    found = cancel(client(server, operation), operation, [job.id for job in made], wait=True)

    assert {(o.result, o.state) for o in found} == {("cancelled", CANCELLED[operation])}


@every_operation
def test_a_job_that_has_ended_is_refused_with_the_code_of_the_service(
    server: MockServer, operation: str
) -> None:
    (job,) = jobs(server, operation, 1, ENDED[operation])
    (outcome,) = cancel(client(server, operation), operation, [job.id])

    assert outcome.result == "refused"
    assert outcome.code in ("AccessDenied", "DLI.0007")
    assert outcome.status in (400, 403)
    assert outcome.attempts == 1


def test_a_thousand_jobs_at_32_in_flight(server: MockServer) -> None:
    made = jobs(server, OTC_SQL, 1000)
    found = cancel(client(server, OTC_SQL), OTC_SQL, (job.id for job in made), concurrency=32)

    assert Counter(outcome.result for outcome in found) == {"cancelled": 1000}
    assert set(states(server, made)) == {"CANCELLED"}


def test_ids_that_are_none_end_as_not_sent_and_the_others_go_on(server: MockServer) -> None:
    (job,) = jobs(server, OTC_SQL, 1)
    bad: list[Any] = ["", "a/b", "../x", "é", "x" * 65, None, 7, b"abc"]
    found = cancel(client(server, OTC_SQL), OTC_SQL, [*bad, job.id])

    by_id = {outcome.job_id: outcome for outcome in found}
    assert by_id[job.id].result == "cancelled"
    for job_id in bad:
        assert by_id[job_id].result == "not-sent"
        assert by_id[job_id].attempts == 0
        assert "job_id must" in by_id[job_id].reason


def test_ids_may_be_asynchronous(server: MockServer) -> None:
    made = jobs(server, OTC_SQL, 5)

    async def ids() -> AsyncGenerator[str]:
        for job in made:
            await asyncio.sleep(0)
            yield job.id

    assert {o.result for o in cancel(client(server, OTC_SQL), OTC_SQL, ids())} == {"cancelled"}


def test_no_ids_no_outcomes(server: MockServer) -> None:
    assert cancel(client(server, OTC_SQL), OTC_SQL, []) == []


def test_ids_are_pulled_only_as_they_are_needed(server: MockServer) -> None:
    made = jobs(server, OTC_SQL, 300)
    pulled: list[str] = []

    async def program() -> None:
        ids = (pulled.append(job.id) or job.id for job in made)  # type: ignore[func-returns-value]
        async with aclosing(
            cancel_many(client(server, OTC_SQL), "cancelSqlJob", ids, concurrency=4, rate=None)
        ) as found:
            async for _ in found:
                break

    asyncio.run(program())

    # What waits to be taken is bounded by the window, and so is what was in flight.
    assert len(pulled) < 50


def test_what_the_ids_raise_comes_after_the_outcomes_of_what_was_sent(server: MockServer) -> None:
    made = jobs(server, OTC_SQL, 2)

    def ids() -> Iterator[str]:
        yield from (job.id for job in made)
        raise OSError("the list is gone")

    found: list[Outcome] = []

    async def collect() -> None:
        async with aclosing(cancel_many(client(server, OTC_SQL), "cancelSqlJob", ids())) as running:
            async for outcome in running:
                found.append(outcome)  # noqa: PERF401 - kept though the loop raises

    with pytest.raises(OSError, match="the list is gone"):
        asyncio.run(collect())
    assert {outcome.job_id for outcome in found} == {job.id for job in made}


# --- stopping ---


def test_the_callers_stop_lets_what_is_in_flight_end_and_tells_the_rest(server: MockServer) -> None:
    made = jobs(server, OTC_SQL, 100)

    async def program() -> list[Outcome]:
        stop, found = asyncio.Event(), []
        ids = [job.id for job in made]
        running = cancel_many(
            client(server, OTC_SQL), "cancelSqlJob", ids, concurrency=2, rate=None, stop=stop
        )
        async with aclosing(running):
            async for outcome in running:
                found.append(outcome)
                stop.set()
        return found

    found = asyncio.run(program())

    assert Counter(outcome.job_id for outcome in found) == Counter(job.id for job in made)
    results = {outcome.job_id: outcome.result for outcome in found}
    told = {"cancelled": "CANCELLED", "not-sent": "RUNNING"}
    assert [told[results[job.id]] for job in made] == states(server, made)
    assert {o.reason for o in found if o.result == "not-sent"} == {"the run stopped: it was interrupted"}


@pytest.mark.parametrize("way", ["close", "cancel"])
def test_leaving_early_leaves_no_task_behind(way: str) -> None:
    with run_embedded(["otc-dli"]) as server:
        made = jobs(server, OTC_SQL, 100)
        first = asyncio.Event()

        async def consume() -> None:
            running = cancel_many(
                client(server, OTC_SQL), "cancelSqlJob", [job.id for job in made], concurrency=4
            )
            async with aclosing(running):
                async for _ in running:
                    first.set()
                    if way == "close":
                        break
                    await asyncio.Event().wait()

        async def program() -> set[str]:
            task = asyncio.create_task(consume())
            await first.wait()
            if way == "cancel":
                task.cancel()
            await asyncio.wait([task])
            assert task.cancelled() == (way == "cancel")
            return {one.get_name() for one in asyncio.all_tasks() if one is not asyncio.current_task()}

        assert asyncio.run(program()) == set()
        assert "RUNNING" in states(server, made)


# --- the synchronous form ---


def test_without_a_loop_of_the_callers_it_is_the_same(server: MockServer) -> None:
    made = jobs(server, OTC_SQL, 100)
    found = list(cancel_all(client(server, OTC_SQL), "cancelSqlJob", [job.id for job in made], rate=None))

    assert Counter(outcome.job_id for outcome in found) == Counter(job.id for job in made)
    assert {outcome.result for outcome in found} == {"cancelled"}


def test_a_generator_that_is_closed_ends_its_thread(server: MockServer) -> None:
    made = jobs(server, OTC_SQL, 100)
    found = cancel_all(client(server, OTC_SQL), "cancelSqlJob", [job.id for job in made], concurrency=2)
    next(found)
    found.close()

    assert "calloff-bulk" not in {thread.name for thread in threading.enumerate()}
    assert "RUNNING" in states(server, made)


def test_an_event_of_threads_stops_a_run_and_every_id_is_told(server: MockServer) -> None:
    made, stop = jobs(server, OTC_SQL, 100), threading.Event()
    ids = [job.id for job in made]
    found = []
    for outcome in cancel_all(client(server, OTC_SQL), "cancelSqlJob", ids, rate=20, stop=stop):
        found.append(outcome)
        stop.set()

    assert Counter(outcome.job_id for outcome in found) == Counter(ids)
    left = [outcome for outcome in found if outcome.result == "not-sent"]
    assert {outcome.reason for outcome in left} == {"the run stopped: it was interrupted"}
    assert 0 < len(left) < 100


def test_an_error_of_the_run_is_raised_where_the_caller_iterates(server: MockServer) -> None:
    def ids() -> Iterator[str]:
        raise OSError("the list is gone")
        yield ""

    with pytest.raises(OSError, match="the list is gone"):
        list(cancel_all(client(server, OTC_SQL), "cancelSqlJob", ids()))


# --- what cannot be meant ---


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"operation": "cancelAiJob"},
            "has no operation 'cancelAiJob'; it has: cancelBatchJob, cancelSqlJob",
        ),
        ({"ids": "abc"}, "several ids, such as a list; got str"),
        ({"ids": 7}, "several ids, such as a list; got int"),
        ({"concurrency": 0}, "concurrency must be a whole number from 1 to 1000; got 0"),
        ({"concurrency": 1001}, "concurrency"),
        ({"concurrency": True}, "concurrency"),
        ({"rate": 0}, "rate must be a number above 0; got 0"),
        ({"rate": float("inf")}, "rate"),
        ({"wait_timeout": -1}, "wait_timeout"),
        ({"poll": 0}, "poll"),
        ({"attempts": 0}, "attempts"),
        ({"give_up_after": 1.5}, "give_up_after"),
    ],
)
@pytest.mark.parametrize("begin", [cancel_many, cancel_all])
def test_an_argument_that_cannot_be_meant_is_refused_before_anything_is_sent(
    server: MockServer, begin: Any, changes: dict[str, Any], message: str
) -> None:
    arguments: dict[str, Any] = {"operation": "cancelSqlJob", "ids": [], **changes}
    with pytest.raises(InvalidInputError, match=message):
        begin(client(server, OTC_SQL), arguments.pop("operation"), arguments.pop("ids"), **arguments)


def test_a_synchronous_client_will_do(server: MockServer) -> None:
    (job,) = jobs(server, OTC_SQL, 1)
    place = server.announcement["apis"]["otc-dli"]
    key = calloff.AccessKey(place["credentials"]["access_key"], place["credentials"]["secret_key"])
    with calloff.OtcDliClient(
        region="eu-de", project_id=place["project_id"], credentials=key, base_url=place["base_url"]
    ) as made:
        (outcome,) = cancel_all(made, "cancelSqlJob", [job.id])

    assert outcome.result == "cancelled"


def test_several_runs_at_once_do_not_meet(server: MockServer) -> None:
    made = [jobs(server, operation, 20) for operation in EVERY]

    async def program() -> list[list[Outcome]]:
        runs = [
            outcomes(client(server, operation), operation, [job.id for job in some])
            for operation, some in zip(EVERY, made, strict=True)
        ]
        return await asyncio.gather(*runs)

    for operation, found in zip(EVERY, asyncio.run(program()), strict=True):
        assert {(o.operation, o.result) for o in found} == {(operation, "cancelled")}
