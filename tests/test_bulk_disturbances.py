"""Every disturbance of the mock, on every operation, and the outcome that the table of rules gives it."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from bulk_support import (
    CANCELLED,
    EVERY,
    HUAWEI_SQL,
    OPEN,
    OTC_BATCH,
    OTC_SQL,
    Time,
    cancel,
    client,
    jobs,
    states,
)
from hostile_server import Listener, message, reply

from calloff import AccessKey
from calloff.apis import OPERATIONS
from calloff.mock.dialects import Dialect
from calloff.mock.disturbances import KINDS, Disturbance
from calloff.mock.server import run_embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from calloff import Outcome
    from calloff.mock.server import MockServer

every_operation = pytest.mark.parametrize("operation", EVERY)


@pytest.fixture(scope="module")
def running() -> Iterator[MockServer]:
    with run_embedded() as server:
        yield server


@pytest.fixture
def server(running: MockServer) -> Iterator[MockServer]:
    yield running
    running.disturbances.reset()


def disturb(server: MockServer, operation: str, kind: str, **members: Any) -> None:
    server.disturbances.add(Disturbance(kind=kind, operations=operation, **members))


def one(
    server: MockServer, operation: str, time: Time | None = None, **options: Any
) -> tuple[Outcome, str, Time]:
    """Cancel one job; give its outcome, the state in which the service has it, and how time passed."""
    (job,) = jobs(server, operation, 1)
    time = time or Time()
    configured = client(server, operation, timeout=options.pop("timeout", 30.0))
    (outcome,) = cancel(configured, operation, [job.id], time=time, **options)
    return outcome, states(server, [job])[0], time


@dataclass(frozen=True)
class Trouble:
    """A disturbance that passes, and what the run makes of it: result, attempts."""

    kind: str
    result: str
    attempts: int
    members: dict[str, Any] = field(default_factory=dict)
    batch: str = ""  # the result for a Spark batch, whose state tells less

    def __str__(self) -> str:
        return f"{self.kind}-{'-'.join(f'{name}={value}' for name, value in self.members.items())}"


PASSING = [
    Trouble("latency", "cancelled", 1, {"seconds": 0.02}),
    Trouble("throttle", "cancelled", 3, {"rate": 0.0, "requests": 2, "retry_after": 7}),
    Trouble("status", "cancelled", 3, {"status": 500, "requests": 2}),
    Trouble("status", "cancelled", 3, {"status": 503, "requests": 2}),
    Trouble("status", "cancelled", 1, {"status": 500, "requests": 1, "applied": True}, batch="unknown"),
    Trouble("gateway", "cancelled", 3, {"status": 502, "requests": 2}),
    Trouble("gateway", "cancelled", 3, {"status": 504, "requests": 2}),
    Trouble("gateway", "cancelled", 1, {"status": 504, "requests": 1, "applied": True}, batch="unknown"),
    Trouble("reset", "cancelled", 3, {"requests": 2}),
    Trouble("reset", "cancelled", 1, {"requests": 1, "applied": True}, batch="unknown"),
    Trouble("truncate", "cancelled", 1, {"requests": 1}, batch="unknown"),
    Trouble("close", "cancelled", 1),
    Trouble("content-type", "cancelled", 1),
]


def test_every_kind_of_disturbance_is_here() -> None:
    assert {trouble.kind for trouble in PASSING} | {"clock-skew"} == set(KINDS)


@every_operation
@pytest.mark.parametrize("trouble", PASSING, ids=str)
def test_what_passes_ends_as_the_table_says(server: MockServer, operation: str, trouble: Trouble) -> None:
    disturb(server, operation, trouble.kind, **trouble.members)
    outcome, state, _ = one(server, operation)

    result = trouble.batch if operation == OTC_BATCH and trouble.batch else trouble.result
    assert (outcome.result, outcome.attempts) == (result, trouble.attempts), outcome.reason
    assert state == CANCELLED[operation]


LASTING = [
    Trouble("throttle", "refused", 5, {"rate": 0.0, "retry_after": 2}),
    Trouble("status", "unknown", 5, {"status": 500}),
    Trouble("gateway", "unknown", 5, {"status": 503}),
    Trouble("reset", "unknown", 5),
]


@every_operation
@pytest.mark.parametrize("trouble", LASTING, ids=str)
def test_what_lasts_is_given_up_after_the_attempts(
    server: MockServer, operation: str, trouble: Trouble
) -> None:
    disturb(server, operation, trouble.kind, **trouble.members)
    outcome, state, _ = one(server, operation)

    assert (outcome.result, outcome.attempts) == (trouble.result, trouble.attempts)
    assert state == OPEN[operation]
    if trouble.result == "unknown":
        assert outcome.state == OPEN[operation]  # read, and it says that the job still runs


@every_operation
@pytest.mark.parametrize("kind", ["reset", "gateway", "truncate"])
def test_where_the_state_cannot_be_read_either_it_is_unknown(
    server: MockServer, operation: str, kind: str
) -> None:
    disturb(server, operation, "reset", applied=True)
    disturb(server, OPERATIONS[operation].status.key, kind)
    outcome, state, _ = one(server, operation)

    assert (outcome.result, outcome.attempts, outcome.state) == ("unknown", 1, "")
    assert state == CANCELLED[operation]


@every_operation
def test_an_answer_that_comes_too_late_is_settled_by_the_state(server: MockServer, operation: str) -> None:
    disturb(server, operation, "latency", seconds=1.5, requests=1)
    outcome, _, _ = one(server, operation, timeout=0.5)

    assert outcome.attempts == 1
    if operation == OTC_BATCH:
        assert outcome.result == "unknown"
        assert "dead" in outcome.reason
    else:
        assert (outcome.result, outcome.state) == ("cancelled", CANCELLED[operation])


@every_operation
@pytest.mark.parametrize("seconds", [-86400.0, -1200.0, -20.0, 20.0, 1200.0, 86400.0])
def test_a_wrong_clock_is_corrected_once(server: MockServer, operation: str, seconds: float) -> None:
    server.disturbances.add(Disturbance(kind="clock-skew", seconds=seconds))
    made = jobs(server, operation, 10)
    found = cancel(client(server, operation), operation, [job.id for job in made], time=Time())

    assert {(outcome.result, outcome.attempts) for outcome in found} == {("cancelled", 1)}
    refused = [entry for entry in server.journal.entries() if entry.status in (401, 403)][:2]
    api = OPERATIONS[operation].api
    assert len([entry for entry in refused if entry.api == api]) <= 1
    server.journal.clear()


def test_everything_waits_as_long_as_the_service_asks(server: MockServer) -> None:
    disturb(server, OTC_SQL, "throttle", rate=0.0, requests=1, retry_after=60)
    made, time = jobs(server, OTC_SQL, 20), Time()
    found = cancel(client(server, OTC_SQL), OTC_SQL, [job.id for job in made], time=time)

    assert {outcome.result for outcome in found} == {"cancelled"}
    assert sum(outcome.attempts for outcome in found) == 21
    assert time.now >= 1060


def test_a_run_does_not_wait_for_an_hour(server: MockServer) -> None:
    disturb(server, OTC_SQL, "throttle", rate=0.0, retry_after=3600)
    made, time = jobs(server, OTC_SQL, 3), Time()
    found = cancel(client(server, OTC_SQL), OTC_SQL, [job.id for job in made], time=time)

    assert sorted(outcome.result for outcome in found) == ["not-sent", "not-sent", "refused"]
    assert "3600 s" in " ".join(outcome.reason for outcome in found)
    assert time.now < 1060


def test_a_service_that_is_not_there_leaves_all_unsent(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with run_embedded(["otc-dli"]) as server:
        made, time = jobs(server, OTC_SQL, 50), Time()
        server.announcement["apis"]["otc-dli"]["base_url"] = f"http://127.0.0.1:{port}"
        found = cancel(client(server, OTC_SQL), OTC_SQL, [job.id for job in made], time=time)

        assert {outcome.result for outcome in found} == {"not-sent"}
        assert len(found) == 50
        assert "cannot be reached" in found[-1].reason
        assert 10 < time.now - 1000 < 120  # it was waited for, and not for ever
        first, *_, last = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert first.startswith("one request at a time until one gets through, after: otc-dli/cancelSqlJob: ")
        assert last.startswith("the run stopped: 20 failures in a row")
        assert set(states(server, made)) == {"RUNNING"}


@every_operation
def test_a_run_stops_where_everything_fails(server: MockServer, operation: str) -> None:
    made = jobs(server, operation, 60)
    disturb(server, operation, "reset")
    found = cancel(
        client(server, operation),
        operation,
        [job.id for job in made],
        time=Time(),
        concurrency=4,
        attempts=1,
        give_up_after=5,
    )

    assert len(found) == 60
    results = [outcome.result for outcome in found]
    assert 0 < results.count("unknown") <= 5 + 4  # those that were in flight too
    assert results.count("not-sent") == 60 - results.count("unknown")
    assert "5 failures in a row" in found[-1].reason


@every_operation
def test_refusals_are_no_failures(server: MockServer, operation: str) -> None:
    made = jobs(server, operation, 30)
    ids = [job.id for job in made]
    cancel(client(server, operation), operation, ids)
    found = cancel(client(server, operation), operation, ids, give_up_after=2)

    assert {outcome.result for outcome in found} == {"refused"}
    assert {outcome.attempts for outcome in found} == {1}


@every_operation
@pytest.mark.parametrize("status", [403, 404, 405])
def test_refusals_that_are_not_the_words_of_the_api_are_failures(operation: str, status: int) -> None:
    api = OPERATIONS[operation].api
    page = reply(status, b"<html><h1>Not here</h1></html>", {"Content-Type": "text/html"})
    with Listener(page) as other, run_embedded([api]) as server:
        made = [job.id for job in jobs(server, operation, 30)]
        server.announcement["apis"][api]["base_url"] = other.url
        found = cancel(client(server, operation), operation, made, give_up_after=5)

    results = [outcome.result for outcome in found]
    assert set(results) == {"refused", "not-sent"}
    assert results.count("refused") <= 5
    assert "in a row" in found[-1].reason


@pytest.mark.parametrize("operation", [each for each in EVERY if each != OTC_BATCH])
def test_a_second_cancel_that_is_refused_does_not_hide_that_the_first_one_worked(operation: str) -> None:
    time = Time()

    def clock() -> float:  # so slow that the state still says that it runs when it is read first
        return 1_768_469_400.0 + time.now / 10

    dialect = Dialect({"ci-settle": "later", "dli-settle": "later"})
    with run_embedded(dialect=dialect, clock=clock) as server:
        disturb(server, operation, "reset", applied=True, requests=1)
        (job,) = jobs(server, operation, 1)
        configured = client(server, operation, clock=clock)
        (outcome,) = cancel(configured, operation, [job.id], time=time)

    assert (outcome.result, outcome.state) == ("cancelled", CANCELLED[operation])
    assert outcome.attempts == 2


@pytest.mark.parametrize(
    ("operation", "end", "result"),
    [(OTC_SQL, "FINISHED", "refused"), (OTC_BATCH, "success", "refused"), (OTC_BATCH, "dead", "unknown")],
)
def test_a_job_that_ended_meanwhile_is_told_by_its_state(
    server: MockServer, operation: str, end: str, result: str
) -> None:
    disturb(server, operation, "reset", requests=1)
    (job,) = jobs(server, operation, 1, end)
    (outcome,) = cancel(client(server, operation), operation, [job.id], time=Time())

    assert (outcome.result, outcome.state, outcome.attempts) == (result, end, 1)
    assert outcome.reason


def test_a_blink_of_the_service_at_the_start_stops_nothing(server: MockServer) -> None:
    made = jobs(server, OTC_SQL, 50)
    server.disturbances.add(Disturbance(kind="reset", operations="otc-dli/*", requests=6))
    found = cancel(client(server, OTC_SQL), OTC_SQL, [job.id for job in made], time=Time())

    assert {outcome.result for outcome in found} == {"cancelled"}


@every_operation
def test_half_of_the_answers_lost_leave_no_outcome_open(server: MockServer, operation: str) -> None:
    made = jobs(server, operation, 100)
    for kind in ("reset", "gateway", "truncate"):
        disturb(server, operation, kind, probability=0.25)
    found = cancel(
        client(server, operation),
        operation,
        [job.id for job in made],
        time=Time(),
        attempts=50,
        give_up_after=1000,
    )

    told = {outcome.job_id: outcome.result for outcome in found}
    assert set(told.values()) <= ({"cancelled", "unknown"} if operation == OTC_BATCH else {"cancelled"})
    assert set(states(server, made)) == {CANCELLED[operation]}


@pytest.mark.parametrize("operation", [OTC_SQL, HUAWEI_SQL])
def test_a_caller_without_permission_is_told_so_and_stopped(server: MockServer, operation: str) -> None:
    api = OPERATIONS[operation].api
    key = server.state.new_key(api, owner=server.state.owners[api][1])
    made = jobs(server, operation, 60)
    foreign = client(server, operation, AccessKey(key.id, key.secret.decode()))
    found = cancel(foreign, operation, [job.id for job in made], concurrency=4, give_up_after=10)

    results = [outcome.result for outcome in found]
    assert 10 <= results.count("refused") <= 10 + 4
    assert results.count("not-sent") == 60 - results.count("refused")
    assert {outcome.status for outcome in found if outcome.result == "refused"} == {403}


# --- waiting for the end of the jobs ---


@pytest.mark.parametrize("operation", EVERY)
def test_waiting_goes_on_until_the_state_is_final(operation: str) -> None:
    time = Time()

    def clock() -> float:
        return 1_768_469_400.0 + time.now / 100  # a cancel takes 0.15 s of the server's time

    dialect = Dialect({"ci-settle": "later", "dli-settle": "later"})
    with run_embedded(dialect=dialect, clock=clock) as server:
        made = jobs(server, operation, 3)
        configured = client(server, operation, clock=clock)
        found = cancel(
            configured, operation, [job.id for job in made], time=time, wait=True, poll=2.0, concurrency=1
        )

    assert {(o.result, o.state, o.attempts) for o in found} == {("cancelled", CANCELLED[operation], 1)}
    assert time.now - 1000 >= 15


@pytest.mark.parametrize("operation", EVERY)
def test_a_job_that_does_not_end_in_time_is_unknown_with_its_state(operation: str) -> None:
    dialect = Dialect({"ci-settle": "later", "dli-settle": "later"})
    with run_embedded(dialect=dialect, clock=lambda: 1_768_469_400.0) as server:
        made, time = jobs(server, operation, 40), Time()
        configured = client(server, operation, clock=lambda: 1_768_469_400.0)
        ids = [job.id for job in made]
        found = cancel(configured, operation, ids, time=time, wait=True, wait_timeout=10.0)

    # Not seen to end is no failure: all 40 are cancelled though a run gives up after 20.
    assert {(o.result, o.state, o.attempts) for o in found} == {("unknown", OPEN[operation], 1)}
    assert {o.reason for o in found} == {"accepted, and not seen to end (not in time)"}


def test_a_state_that_is_refused_again_and_again_is_not_waited_for() -> None:
    def behave(listener: Listener, connection: socket.socket) -> None:
        cancelled = listener.requests[-1].startswith(b"DELETE")
        refusal = b'{"error_code": "DLI.0002", "error_msg": "There is no such job."}'
        connection.sendall(message(200) if cancelled else message(404, refusal))

    time = Time()
    with Listener(behave) as other, run_embedded(["otc-dli"]) as server:
        (job,) = jobs(server, OTC_SQL, 1)
        server.announcement["apis"]["otc-dli"]["base_url"] = other.url
        (outcome,) = cancel(client(server, OTC_SQL), OTC_SQL, [job.id], time=time, wait=True)

    assert (outcome.result, outcome.attempts) == ("unknown", 1)
    assert "accepted, and not seen to end (asked 3 times); its state cannot be read: " in outcome.reason
    assert time.now - 1000 < 10  # of the 300 s that it may take


def test_an_accepted_job_that_ends_otherwise_is_refused_with_its_state(server: MockServer) -> None:
    (job,) = jobs(server, OTC_SQL, 1)
    time = Time()

    disturb(server, OPERATIONS[OTC_SQL].status.key, "gateway", requests=1)
    original = time.sleep

    async def finish(seconds: float) -> None:
        job.put("FINISHED")
        await original(seconds)

    time.sleep = finish  # type: ignore[method-assign]
    (outcome,) = cancel(client(server, OTC_SQL), OTC_SQL, [job.id], time=time, wait=True)

    assert (outcome.result, outcome.state, outcome.status) == ("refused", "FINISHED", 200)
