"""When requests leave: the rate, the pauses, the waits between attempts, and what is loaded before."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from itertools import pairwise

import pytest
from bulk_support import Time

from calloff import MissingExtraError
from calloff.bulk.guard import KeyGuard
from calloff.bulk.pace import Halt, Pace
from calloff.bulk.retries import RULES, Budget, PendingError, Policy, step_after
from calloff.errors import ApiError, CalloffError, CredentialError, NoAnswerError


def moments(rate: float | None, count: int, *, pauses: dict[int, float] | None = None) -> list[float]:
    """Give when requests leave, counted from the start; before some of them a pause is asked for."""
    time = Time(now=0.0)

    async def program() -> list[float]:
        pace = Pace(rate, Halt(time.sleep), time.clock)
        left = []
        for number in range(count):
            if pauses and number in pauses:
                pace.pause(pauses[number])
            if not pace.free:
                await pace.turn()
            left.append(time.now)
        return left

    return asyncio.run(program())


def test_requests_leave_evenly() -> None:
    gaps = {round(later - earlier, 9) for earlier, later in pairwise(moments(200.0, 401))}

    assert gaps == {0.005}


def test_without_a_rate_nothing_waits() -> None:
    assert moments(None, 3) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("rate", [None, 100.0])
def test_a_pause_holds_up_everything(rate: float | None) -> None:
    found = moments(rate, 4, pauses={2: 30.0})

    assert found[1] < 1.0
    assert found[2] >= 30.0


def test_a_pause_that_comes_while_one_waits_for_its_turn_counts_for_that_one_too() -> None:
    time = Time(now=0.0)

    async def program() -> float:
        pace: Pace
        halt = Halt(time.sleep)
        pace = Pace(1.0, halt, time.clock)
        await pace.turn()
        waiting = asyncio.create_task(pace.turn())
        await asyncio.sleep(0)
        pace.pause(60.0)
        await waiting
        return time.now

    assert asyncio.run(program()) >= 60.0


def test_a_run_that_stops_wakes_who_sleeps() -> None:
    async def program() -> None:
        halt = Halt()
        sleeping = asyncio.create_task(halt.sleep(3600.0))
        await asyncio.sleep(0)
        halt.stop("enough")
        halt.stop("too late")
        await sleeping
        assert halt.reason == "enough"

    asyncio.run(asyncio.wait_for(program(), 30))


def attempts_made(policy: Policy, at_least: float = 0.0) -> int:
    made = 0

    async def program() -> None:
        nonlocal made
        async for attempt in policy.begin():
            with attempt:
                made += 1
                raise PendingError(at_least)

    with pytest.raises(PendingError):
        asyncio.run(program())
    return made


def policy(time: Time, attempts: int, *, reserve: int = 100, chance: float = 0.0) -> Policy:
    return Policy(attempts, Budget(reserve), Halt(time.sleep), lambda: chance)


@pytest.mark.parametrize(
    ("chance", "waits"),
    [(0.0, [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]), (1.0, [0.5, 1, 2, 4, 8, 16, 30, 30])],
)
def test_waits_grow_twofold_up_to_a_bound_and_are_spread(chance: float, waits: list[float]) -> None:
    time = Time()

    assert attempts_made(policy(time, 9, chance=chance)) == 9
    assert time.slept == waits


def test_what_the_service_asks_is_waited_at_least() -> None:
    time = Time()
    attempts_made(policy(time, 3), at_least=40.0)

    assert time.slept == [40.0, 40.0]


def test_attempts_end_with_the_budget_of_the_run() -> None:
    assert attempts_made(policy(Time(), 100, reserve=3)) == 4


def test_a_budget_is_filled_by_what_is_settled_and_not_beyond_its_reserve() -> None:
    budget = Budget(2)
    budget.earn()
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    budget.earn()
    assert [budget.spend() for _ in range(2)] == [True, False]


def test_requests_go_alone_until_one_proved_the_credential() -> None:
    async def program() -> tuple[list[int], list[int]]:
        guard = KeyGuard(Halt())
        together: list[list[int]] = [[], []]

        async def request(kept: list[int]) -> None:
            if guard.open:
                guard.flying += 1
                alone = False
            else:
                alone = await guard.enter()
            kept.append(guard.flying)
            await asyncio.sleep(0)
            guard.leave(alone=alone)

        await asyncio.gather(*(request(together[0]) for _ in range(5)))
        guard.proved()
        await asyncio.gather(*(request(together[1]) for _ in range(5)))
        return together[0], together[1]

    assert asyncio.run(program()) == ([1, 1, 1, 1, 1], [1, 2, 3, 4, 5])


def test_after_a_failure_nothing_leaves_before_the_others_are_answered() -> None:
    async def program() -> list[str]:
        guard, told = KeyGuard(Halt()), []
        guard.proved()
        guard.flying += 2
        guard.failed(CredentialError("no"))

        async def next_one() -> None:
            assert await guard.enter()
            told.append("left")
            guard.leave(alone=True)

        waiting = asyncio.create_task(next_one())
        for _ in range(2):
            await asyncio.sleep(0)
            told.append("answered")
            guard.leave(alone=False)
        await waiting
        return told

    assert asyncio.run(program()) == ["answered", "answered", "left"]


def every_kind(kind: type[CalloffError]) -> list[type[CalloffError]]:
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in every_kind(child))]


def test_the_table_has_a_row_for_every_error_that_a_request_can_meet() -> None:
    for kind in every_kind(NoAnswerError):
        assert step_after(kind("x"))
    for kind in every_kind(ApiError)[1:]:  # only its kinds are made
        assert issubclass(kind, ApiError)
        assert step_after(kind("x", status=400))
    for rule in RULES:
        assert rule.answer
        assert rule.action
        assert rule.result.startswith(("cancelled", "refused", "not-sent", "unknown", "as "))


@pytest.mark.parametrize("missing", ["aiohttp", "tenacity"])
def test_without_the_extra_the_error_says_what_to_install(missing: str) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "import calloff\n"
        "key = calloff.AccessKey('a', 'b')\n"
        "client = calloff.OtcDliClient(region='eu-de', project_id='p', credentials=key)\n"
        "for begin in (calloff.cancel_many, calloff.cancel_all):\n"
        "    try:\n"
        "        begin(client, 'cancelSqlJob', ['x'])\n"
        "    except calloff.MissingExtraError as error:\n"
        "        print(error)\n"
        "client.close()\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert (
        result.stdout.splitlines()
        == ["cancelling many jobs needs the extra: pip install 'calloff[bulk]'"] * 2
    )
    assert issubclass(MissingExtraError, CalloffError)


def test_importing_calloff_loads_nothing_of_it() -> None:
    program = (
        "import sys, calloff\n"
        "print([name for name in ('aiohttp', 'tenacity', 'asyncio', 'calloff.bulk') if name in sys.modules])\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[]"
