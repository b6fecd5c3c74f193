"""Rate, budgets and the pauses that a throttling server asks for, with a clock that stands still until slept on."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import hostile_server as hostile
import pytest
from hostile_server import Listener

from calloff.verify.pace import MAX_PAUSE, MAX_REPEATS, BudgetSpentError, Pace, http_date, retry_after
from calloff.verify.wire import Address, NoAnswerError, Request, Response, Wire

GET = Request("GET", "/", (("Host", "x"),))
OK = Response(200, (), b"")


@dataclass
class Clock:
    """A clock that only sleeping moves."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Scripted(Wire):
    """A connection whose answers a test writes; the last one stays."""

    def __init__(self, *answers: Response) -> None:
        super().__init__(Address("http", "h", 1, ""))
        self.answers = list(answers)
        self.requests: list[Request] = []

    def send(self, request: Request) -> Response:
        self.requests.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def throttled(after: str | None = None, **headers: str) -> Response:
    given = [*headers.items(), *([("retry-after", after)] if after is not None else [])]
    return Response(429, tuple((name.lower(), value) for name, value in given), b"")


def paced(clock: Clock, **budgets: float) -> Pace:
    return Pace(clock=clock, sleep=clock.sleep, **budgets)  # type: ignore[arg-type]


def test_without_a_rate_nothing_waits() -> None:
    clock, wire = Clock(), Scripted(OK)
    pace = paced(clock)
    for _ in range(100):
        assert pace.send(wire, GET) is OK

    assert (clock.slept, pace.sent) == ([], 100)


def test_requests_leave_in_the_intervals_of_the_rate() -> None:
    clock, wire = Clock(), Scripted(OK)
    pace = paced(clock, rate=4)
    for _ in range(5):
        pace.send(wire, GET)
    clock.now += 10
    pace.send(wire, GET)
    pace.send(wire, GET)

    # The first goes at once, and time that passed without a request is not saved up.
    assert clock.slept == [0.25] * 5


def test_the_request_beyond_the_budget_of_requests_is_not_sent() -> None:
    clock, wire = Clock(), Scripted(OK)
    pace = paced(clock, max_requests=2)
    pace.send(wire, GET)
    pace.send(wire, GET)
    with pytest.raises(BudgetSpentError, match="the budget of 2 requests is spent; --max-requests"):
        pace.send(wire, GET)

    assert len(wire.requests) == 2


def test_the_request_beyond_the_budget_of_seconds_is_not_sent() -> None:
    clock, wire = Clock(), Scripted(OK)
    pace = paced(clock, max_seconds=30)
    clock.now += 1000  # what passes before the first request is not counted
    pace.send(wire, GET)
    clock.now += 29.5
    pace.send(wire, GET)
    clock.now += 0.5
    with pytest.raises(BudgetSpentError, match="the budget of 30 s is spent; --max-seconds"):
        pace.send(wire, GET)

    assert len(wire.requests) == 2


def test_a_turn_that_would_come_after_the_last_second_is_not_waited_for() -> None:
    clock, wire = Clock(), Scripted(OK)
    pace = paced(clock, rate=0.1, max_seconds=5)
    pace.send(wire, GET)
    with pytest.raises(BudgetSpentError):
        pace.send(wire, GET)

    assert clock.slept == []


def test_a_429_is_waited_out_and_the_same_request_sent_again() -> None:
    clock, wire = Clock(), Scripted(throttled("7"), throttled("0"), OK)

    assert paced(clock).send(wire, GET) is OK
    assert (clock.slept, wire.requests) == ([7.0], [GET, GET, GET])


def test_a_429_that_names_no_pause_is_tried_again_a_few_times() -> None:
    clock, wire = Clock(), Scripted(throttled(), throttled("soon"), OK)

    assert paced(clock).send(wire, GET) is OK
    assert clock.slept == [0.5, 1.0]


def test_a_429_that_stays_is_the_answer_and_the_next_one_is_not_waited_out() -> None:
    clock, wire = Clock(), Scripted(throttled("1"))
    pace = paced(clock)

    assert pace.send(wire, GET).status == 429
    assert (len(wire.requests), clock.slept) == (MAX_REPEATS + 1, [1.0] * MAX_REPEATS)
    assert pace.send(wire, GET).status == 429
    assert len(wire.requests) == MAX_REPEATS + 2
    wire.answers = [OK, throttled("1"), OK]
    assert [pace.send(wire, GET).status for _ in range(2)] == [200, 200]


def test_a_pause_longer_than_anybody_waits_is_not_begun() -> None:
    clock, wire = Clock(), Scripted(throttled(str(int(MAX_PAUSE) + 1)))

    assert paced(clock).send(wire, GET).status == 429
    assert (clock.slept, len(wire.requests)) == ([], 1)


@pytest.mark.parametrize("budget", [{"max_requests": 1}, {"max_seconds": 5}])
def test_a_repeat_that_the_budget_does_not_cover_ends_the_run(budget: dict[str, float]) -> None:
    clock, wire = Clock(), Scripted(throttled("7"), OK)
    with pytest.raises(BudgetSpentError):
        paced(clock, **budget).send(wire, GET)

    assert (clock.slept, len(wire.requests)) == ([], 1)


def test_a_pause_holds_up_the_requests_of_other_threads_too() -> None:
    clock = Clock()
    pace = paced(clock)
    pace.send(Scripted(throttled("9"), OK), GET)
    clock.now -= 9  # as another thread would find the clock at that moment
    pace.send(Scripted(OK), GET)

    assert clock.slept == [9.0, 9.0]


def test_threads_share_one_budget_and_one_rate() -> None:
    clock = Clock()
    pace = paced(clock, rate=10, max_requests=40)
    refused = []

    def work() -> None:
        wire = Scripted(OK)
        for _ in range(10):
            try:
                pace.send(wire, GET)
            except BudgetSpentError:
                refused.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert (pace.sent, len(refused)) == (40, 40)


def test_what_the_connection_raises_is_raised() -> None:
    with Listener(hostile.close_at_once) as listener:
        wire = Wire(Address.parse(listener.url), 5)
        pace = Pace()
        with pytest.raises(NoAnswerError):
            pace.send(wire, GET)
        wire.close()

    assert pace.sent == 1


# RFC 9110, 5.6.7, gives these three forms of one moment.
@pytest.mark.parametrize(
    "value",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_a_date_is_read_in_each_of_its_forms(value: str) -> None:
    assert http_date(value) == 784111777


@pytest.mark.parametrize(
    "value",
    ["", "soon", "7", "Sun, 99 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 99999999999 08:49:37 GMT", "a\0b"],
)
def test_what_is_no_date_is_none(value: str) -> None:
    assert http_date(value) is None


LATER = "Sun, 06 Nov 1994 08:49:47 GMT"


@pytest.mark.parametrize(
    ("response", "seconds"),
    [
        (throttled("120"), 120),
        (throttled(" 5 "), 5),
        (throttled(LATER, date="Sun, 06 Nov 1994 08:49:37 GMT"), 10),
        (throttled(LATER), 20),
        (throttled(LATER, date="nonsense"), 20),
        (throttled("Sun, 06 Nov 1994 08:40:00 GMT"), 0),
        (throttled(), None),
        (throttled("-5"), None),
        (throttled("5.5"), None),
        (throttled("\N{ARABIC-INDIC DIGIT FIVE}"), None),
        (throttled("9" * 10), None),
    ],
)
def test_the_pause_is_read_as_seconds_or_as_a_date(response: Response, seconds: float | None) -> None:
    assert retry_after(response, 784111767) == seconds
