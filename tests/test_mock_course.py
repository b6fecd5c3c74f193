"""Jobs that run by themselves: only along the ways there are, the same however often somebody looks."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mock_support import NOW, Bench

from calloff.apis import APIS, OPERATIONS
from calloff.mock.course import Course, Stay
from calloff.mock.dialects import Dialect
from calloff.mock.jobs import Job, Lifecycle
from calloff.mock.pipeline import Refusal
from calloff.mock.state import ServerState

# The ways between states, and where a cancel leads: the vendors' state lists, not the tables of the mock.
SQL = {
    "LAUNCHING": {"RUNNING", "FAILED"},
    "RUNNING": {"SCALING", "FINISHED", "FAILED"},
    "SCALING": {"RUNNING"},
}
BATCH = {
    "starting": {"running", "dead"},
    "running": {"recovering", "success", "dead"},
    "recovering": {"running", "dead"},
}
CI = {"Submitted": {"Running"}, "Running": {"Success", "Failed"}}
WAYS = {
    "tencent-ci/cancelInventoryTriggerJob": (CI, {"Submitted", "Running", "Pause"}, "Cancel"),
    "tencent-ci/cancelAiJob": (CI, {"Submitted", "Pause"}, "Cancel"),
    "otc-dli/cancelBatchJob": (BATCH, {"starting", "running", "recovering"}, "dead"),
    "otc-dli/cancelSqlJob": (SQL, {"LAUNCHING", "RUNNING", "SCALING"}, "CANCELLED"),
    "huaweicloud-dli/cancelSqlJob": (SQL, {"LAUNCHING", "RUNNING", "SCALING"}, "CANCELLED"),
}
SETTLING = 0.15
LATER = {"ci-settle": "later", "dli-settle": "later"}


def server(*, speed: float = 1.0, seed: int = 0, later: bool = False, clock: float = NOW) -> ServerState:
    dialect = Dialect(LATER if later else {})
    return ServerState(tuple(APIS), clock=lambda: clock, dialect=dialect, seed=seed, speed=speed)


def job_of(state: ServerState, operation: str, start: str) -> Job:
    return state.new_job(operation, state.owners[OPERATIONS[operation].api][0], start)


def reachable(ways: dict[str, set[str]], start: str) -> set[str]:
    found, todo = {start}, [start]
    while todo:
        new = ways.get(todo.pop(), set()) - found
        found |= new
        todo += new
    return found


def test_every_operation_has_ways_of_its_own() -> None:
    assert set(WAYS) == set(OPERATIONS)


@pytest.mark.parametrize("operation", WAYS)
def test_jobs_stay_where_they_are_put_unless_told_otherwise(operation: str) -> None:
    bench = Bench()
    for start in bench.state.kinds[operation].lifecycle.states:
        job = bench.job(operation, start)
        assert job.state(NOW + 1e9) == start


@pytest.mark.parametrize("operation", WAYS)
def test_every_job_ends_and_most_of_them_well(operation: str) -> None:
    ways, _, _ = WAYS[operation]
    state = server()
    start = next(iter(ways))
    ends = [job_of(state, operation, start).state(NOW + 1e6) for _ in range(400)]
    assert not set(ends) & set(ways)
    well = sum(end in {"Success", "success", "FINISHED"} for end in ends)
    assert 300 < well < 400


@pytest.mark.parametrize("operation", WAYS)
def test_a_paused_or_ended_job_stays(operation: str) -> None:
    ways, _, _ = WAYS[operation]
    state = server()
    for start in set(state.kinds[operation].lifecycle.states) - set(ways):
        assert job_of(state, operation, start).state(NOW + 1e9) == start


def moments(job: Job, *, until: float, step: float) -> list[tuple[float, str]]:
    seen = [(0.0, job.state(NOW))]
    for tick in range(1, int(until / step) + 1):
        found = job.state(NOW + tick * step)
        if found != seen[-1][1]:
            seen.append((tick * step, found))
    return seen


def test_a_job_runs_as_long_as_its_table_says_and_faster_by_the_speed() -> None:
    operation = "tencent-ci/cancelAiJob"
    for number in range(50):
        slow, fast = server(seed=number), server(seed=number, speed=10)
        seen = moments(job_of(slow, operation, "Submitted"), until=100, step=0.1)
        assert [found for _, found in seen[:2]] == ["Submitted", "Running"]
        assert len(seen) == 3
        assert 2 <= seen[1][0] <= 20.1
        assert 5 <= seen[2][0] - seen[1][0] <= 60.1
        ten_times = moments(job_of(fast, operation, "Submitted"), until=10, step=0.01)
        assert [found for _, found in ten_times] == [found for _, found in seen]
        assert [at for at, _ in ten_times] == pytest.approx([at / 10 for at, _ in seen], abs=0.02)


def test_the_seed_and_the_id_decide_how_long_a_job_takes() -> None:
    def courses(seed: int) -> list[list[tuple[float, str]]]:
        state = server(seed=seed)
        jobs = [job_of(state, "otc-dli/cancelSqlJob", "LAUNCHING") for _ in range(10)]
        return [moments(job, until=400, step=0.5) for job in jobs]

    first = courses(0)
    assert first == courses(0)
    assert first != courses(1)
    assert len({str(course) for course in first}) == 10


def test_the_time_of_a_job_begins_when_it_is_made() -> None:
    state = server(clock=NOW + 5000)
    job = job_of(state, "otc-dli/cancelSqlJob", "RUNNING")
    assert job.state(NOW + 5009.9) == "RUNNING"
    assert job.state(NOW + 5000 + 1e6) in {"FINISHED", "FAILED"}


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["look", "cancel"]),
        st.one_of(st.floats(0, 0.3), st.floats(-5, 120), st.sampled_from([0.0, 1e4])),
    ),
    max_size=12,
)


@settings(derandomize=True, max_examples=400, deadline=None)
@given(
    operation=st.sampled_from(sorted(WAYS)),
    seed=st.integers(0, 2**40),
    speed=st.sampled_from([0.0, 0.5, 1.0, 20.0]),
    later=st.booleans(),
    actions=ACTIONS,
    data=st.data(),
)
def test_jobs_move_only_along_the_ways_there_are(
    *,
    operation: str,
    seed: int,
    speed: float,
    later: bool,
    actions: list[tuple[str, float]],
    data: st.DataObject,
) -> None:
    """Look, cancel and turn the clock, also back, in any order; an unseen twin must come to the same end."""
    ways, cancellable, cancelled = WAYS[operation]
    state = server(seed=seed, speed=speed, later=later)
    start = data.draw(st.sampled_from(state.kinds[operation].lifecycle.states))
    job = job_of(state, operation, start)
    twin = Job(job.id, job.operation, job.owner, job.lifecycle, start)
    twin.start(NOW)
    if not speed:
        ways = {}
    now, highest, before, accepted_at = NOW, NOW, start, None
    for action, seconds in actions:
        now += seconds
        highest = max(highest, now)
        if action == "look":
            seen = job.state(now)
            if accepted_at is None:
                assert seen in reachable(ways, before)
            elif now >= accepted_at + SETTLING or not later:
                assert seen == cancelled
            else:
                assert seen in {before, cancelled}
            before = seen
            continue
        try:
            job.cancel(now)
        except Refusal:
            seen = job.state(now)
            assert accepted_at is not None or seen not in cancellable
            assert seen in reachable(ways, before) | ({cancelled} if accepted_at is not None else set())
        else:
            assert accepted_at is None, "two cancels of one job were accepted"
            accepted_at = now
            seen = job.state(now)
            assert (seen in reachable(ways, before) & cancellable) if later else seen == cancelled
        before = seen
    if accepted_at is None:
        assert job.state(highest) == twin.state(highest)
    else:
        assert job.state(max(highest, accepted_at + SETTLING)) == cancelled
        assert job.state(NOW + 1e9) == cancelled


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("operation", WAYS)
def test_of_a_cancel_and_a_finish_exactly_one_wins(operation: str, *, later: bool) -> None:
    """Cancel ever closer to the end, and once it has come; what was accepted is cancelled, what not is finished."""
    ways, cancellable, cancelled = WAYS[operation]
    start = next(
        name for name in reversed(ways) if name in cancellable and name not in {"SCALING", "recovering"}
    )
    state = server(later=later)
    outcomes = set()
    for _ in range(20):
        job = job_of(state, operation, start)
        end = job.moment.when
        follower = job.moment.then
        for at in (end - 0.1, end - 1e-6, end, end + 0.1):
            racer = Job(job.id, operation, job.owner, job.lifecycle, start)
            racer.start(NOW)
            try:
                racer.cancel(at)
            except Refusal:
                outcomes.add("refused")
                assert at >= end
                assert racer.state(at) == follower
                assert racer.state(at + 1e6) != "Cancel"
                assert racer.state(at + 1e6) != "CANCELLED"
            else:
                outcomes.add("accepted")
                assert at < end or follower in cancellable
                assert [racer.state(at + SETTLING), racer.state(at + 1e6)] == [cancelled, cancelled]
    assert outcomes == {"accepted", "refused"}


@pytest.mark.parametrize(
    ("stay", "message"),
    [
        ((0, 1, {"b": 1.0}), "a stay of 0 to 1 seconds cannot be"),
        ((2, 1, {"b": 1.0}), "a stay of 2 to 1 seconds cannot be"),
        ((1, 2, {"b": 0.5}), "shares above 0 that add up to 1"),
        ((1, 2, {}), "shares above 0 that add up to 1"),
        ((1, 2, {"b": 1.5, "c": -0.5}), "shares above 0 that add up to 1"),
    ],
)
def test_a_table_that_cannot_be_is_refused(stay: tuple[float, float, dict[str, float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Stay(*stay)


def test_a_table_that_names_no_state_is_refused() -> None:
    course = Course({"a": Stay(1, 2, {"c": 1.0})}, 1.0, lambda _id, _step: (0.0, 0.0))
    with pytest.raises(ValueError, match="no such states: c; there are a, b"):
        Lifecycle(("a", "b"), {}, course=course)


def test_shares_are_drawn_in_the_order_of_the_table() -> None:
    def ends(way: float) -> tuple[str, float] | None:
        stays = {"a": Stay(1, 3, {"b": 0.25, "c": 0.75})}
        return Course(stays, 2.0, lambda _id, _step: (0.5, way)).leaving("job", 0, "a")

    assert ends(0.0) == ("b", 1.0)
    assert ends(0.2499) == ("b", 1.0)
    assert ends(0.25) == ("c", 1.0)
    assert ends(0.9999) == ("c", 1.0)
    assert ends(1.0) == ("c", 1.0)


@pytest.mark.parametrize("speed", [2.0, 0.0])
def test_another_speed_goes_on_from_where_a_job_is(speed: float) -> None:
    operation = "otc-dli/cancelSqlJob"
    state, other = server(), server(speed=speed)
    for _ in range(50):
        job = job_of(state, operation, "LAUNCHING")
        at = NOW + 8
        before = job.state(at)
        job.go_on_under(other.kinds[operation].lifecycle, at)
        assert job.state(at) == before
        after = job.state(at + 1e6)
        assert after == before if not speed else after in {"FINISHED", "FAILED"}


def test_another_speed_leaves_a_cancel_under_way() -> None:
    operation = "otc-dli/cancelSqlJob"
    state, other = server(later=True), server(later=True, speed=1000)
    job = job_of(state, operation, "RUNNING")
    job.cancel(NOW)
    job.go_on_under(other.kinds[operation].lifecycle, NOW)
    assert [job.state(NOW), job.state(NOW + SETTLING), job.state(NOW + 1e6)] == [
        "RUNNING",
        "CANCELLED",
        "CANCELLED",
    ]


def test_moments_of_one_job_follow_each_other() -> None:
    """The next stay begins when the last one ended, not when somebody looked."""
    job = job_of(server(), "otc-dli/cancelSqlJob", "LAUNCHING")
    ends = [job.moment.when]
    while job.moment.then is not None:
        job.state(ends[-1])
        ends.append(job.moment.when)
    rest = [later - earlier for earlier, later in pairwise(ends[:-1])]
    assert all(5 <= seconds <= 60 for seconds in rest)
