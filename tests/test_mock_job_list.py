"""The list of jobs: since when they are in a state, and that it stays small however many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from calloff.mock.dialects import Dialect
from calloff.mock.job_list import LOOKED_AT, JobFilter, job_list
from calloff.mock.state import ServerState

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_795_424_400.0
SQL = "otc-dli/cancelSqlJob"
SETTLING = 0.15


class Clock:
    """A clock to turn."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Callable[..., ServerState]:
    def make(*, settle: str = "at-once", speed: float = 0.0) -> ServerState:
        return ServerState(["otc-dli"], clock=clock, dialect=Dialect({"dli-settle": settle}), speed=speed)

    return make


def listed(state: ServerState, limit: int = 100) -> list[dict[str, Any]]:
    jobs: Any = job_list(state, JobFilter(), limit)["jobs"]
    return list(jobs)


def counted(state: ServerState) -> dict[str, Any]:
    operations: Any = job_list(state, JobFilter(), 1)["operations"]
    return {one["operation"]: one for one in operations}


def test_a_job_is_in_its_state_since_it_was_made_and_then_since_its_cancel(
    server: Callable[..., ServerState], clock: Clock
) -> None:
    state = server()
    job = state.new_job(SQL, "p", "RUNNING")
    clock.now += 5
    assert [(one["state"], one["since"]) for one in listed(state)] == [("RUNNING", NOW)]
    job.cancel(clock())
    clock.now += 5
    assert [(one["state"], one["since"]) for one in listed(state)] == [("CANCELLED", NOW + 5)]


def test_a_cancel_on_its_way_is_told(server: Callable[..., ServerState], clock: Clock) -> None:
    state = server(settle="later")
    job = state.new_job(SQL, "p", "RUNNING")
    clock.now += 5
    job.cancel(clock())
    [one] = listed(state)
    assert (one["state"], one["cancelling"], one["cancellable"]) == ("RUNNING", True, False)
    assert one["since"] == pytest.approx(NOW + 5)
    clock.now += 1
    [one] = listed(state)
    assert (one["state"], one["cancelling"], one["cancellable"]) == ("CANCELLED", False, False)
    assert one["since"] == pytest.approx(NOW + 5 + SETTLING)


def test_a_job_that_runs_by_itself_tells_when_it_came_to_each_state(
    server: Callable[..., ServerState], clock: Clock
) -> None:
    state = server(speed=1.0)
    job = state.new_job(SQL, "p", "LAUNCHING")
    came = NOW
    for _ in range(3):
        due = job.moment.when
        for clock.now in (came, (came + due) / 2):
            assert listed(state)[0]["since"] == pytest.approx(came)
        clock.now = came = due
        listed(state)
        if job.moment.then is None:
            break
    clock.now += 1000
    [one] = listed(state)
    assert one["since"] is not None
    assert one["since"] <= clock.now


def test_a_state_that_was_put_has_no_known_beginning(server: Callable[..., ServerState]) -> None:
    state = server()
    state.new_job(SQL, "p", "RUNNING").put("FAILED")
    assert [(one["state"], one["since"]) for one in listed(state)] == [("FAILED", None)]


def test_only_the_newest_of_many_jobs_are_looked_at(server: Callable[..., ServerState]) -> None:
    state = server()
    for _ in range(3):
        state.new_job(SQL, "p", "FAILED")
    jobs = [state.new_job(SQL, "p", "RUNNING") for _ in range(LOOKED_AT)]
    count = counted(state)["cancelSqlJob"]
    assert (count["total"], count["counted"]) == (LOOKED_AT + 3, LOOKED_AT)
    assert (count["states"]["RUNNING"], count["states"]["FAILED"]) == (LOOKED_AT, 0)
    assert [one["id"] for one in listed(state, 2)] == [jobs[-1].id, jobs[-2].id]


def test_whose_a_job_is_is_told(server: Callable[..., ServerState]) -> None:
    state = server()
    own, other = state.owners["otc-dli"]
    state.new_job(SQL, own, "RUNNING")
    state.new_job(SQL, other, "RUNNING")
    told = [(one["owner"], one["owner_id"]) for one in listed(state)]
    assert told == [("other", other), ("self", own)]
    assert set(counted(state)) == {"cancelBatchJob", "cancelSqlJob"}
