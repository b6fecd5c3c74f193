"""What only a connection, a neighbour or the moment after can show: found where it is planted, never elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from fake_target import TOKEN, FakeJob, FakeTarget, Reply, Script, Seen
from hostile_server import Behaviour, Listener, close_at_once, cut, first, hang, message, raw, script

from calloff.apis import OPERATIONS
from calloff.verify.outcome import Outcome
from calloff.verify.protocol import PROTOCOL_CHECKS
from calloff.verify.redact import Redactor
from calloff.verify.strict_wire import ClosedBetweenError, StrictWire
from calloff.verify.wire import Address, NoAnswerError, Request, UnframedError

SQL, BATCH = "otc-dli/cancelSqlJob", "otc-dli/cancelBatchJob"
GET, HEAD = Request("GET", "/", (("Host", "h"),)), Request("HEAD", "/", (("Host", "h"),))
CHECKS = {check.name: check for check in PROTOCOL_CHECKS}
TEN = message(200, b"0123456789")
CLOSING = message(200, b"0123456789", {"Connection": "close"})


@contextmanager
def wire_to(behaviour: Behaviour, timeout: float = 5.0) -> Iterator[tuple[StrictWire, Listener]]:
    with Listener(behaviour) as listener:
        wire = StrictWire(Address.parse(listener.url), timeout)
        try:
            yield wire, listener
        finally:
            wire.close()


def test_requests_follow_each_other_on_one_connection() -> None:
    with wire_to(raw(TEN)) as (wire, listener):
        bodies = [wire.send(GET).body for _ in range(3)]

    assert bodies == [b"0123456789"] * 3
    assert listener.connections == 1


def test_what_comes_behind_an_answer_is_kept_and_begins_the_next() -> None:
    with wire_to(script(raw(TEN + message(404)), raw(TEN))) as (wire, _):
        wire.send(GET)
        surplus = wire.surplus
        following = wire.send(GET)

    assert surplus == message(404)
    assert following.status == 404


@pytest.mark.parametrize("left_over", [b"56789", b"\r\nHTTP"])
def test_bytes_that_are_no_answer_are_not_taken_for_one(left_over: bytes) -> None:
    with wire_to(script(raw(TEN + left_over), raw(TEN))) as (wire, _):
        wire.send(GET)
        with pytest.raises(UnframedError, match="it began with"):
            wire.send(GET)


def test_a_body_in_an_answer_to_head_is_surplus() -> None:
    with wire_to(raw(TEN)) as (wire, _):
        response = wire.send(HEAD)
        surplus = wire.surplus

    assert (response.status, response.body) == (200, b"")
    assert surplus == b"0123456789"


def test_a_body_that_ends_too_early_is_no_answer() -> None:
    with wire_to(cut(TEN[:-1])) as (wire, _), pytest.raises(UnframedError):
        wire.send(GET)


def test_a_connection_that_is_announced_to_close_is_read_to_its_end_and_opened_anew() -> None:
    with wire_to(script(cut(CLOSING + b"more"), raw(TEN))) as (wire, listener):
        wire.send(GET)
        surplus, is_open = wire.surplus, wire.is_open
        wire.surplus = b""
        again = wire.send(GET)

    assert (surplus, is_open) == (b"more", False)
    assert again.body == b"0123456789"
    assert listener.connections == 2


def test_a_connection_that_was_closed_between_two_requests_is_told_as_such() -> None:
    with wire_to(first(TEN, close_at_once)) as (wire, _):
        wire.send(GET)
        with pytest.raises(ClosedBetweenError):
            wire.send(GET)
        assert not wire.is_open


def test_one_that_is_closed_before_any_answer_is_told_as_another_thing() -> None:
    with wire_to(close_at_once) as (wire, _):
        with pytest.raises(NoAnswerError) as caught:
            wire.send(GET)
        assert not isinstance(caught.value, ClosedBetweenError)


def test_a_server_that_says_nothing_is_not_waited_for_beyond_the_timeout() -> None:
    with wire_to(hang, timeout=0.1) as (wire, _), pytest.raises(NoAnswerError, match=r"after 0\.1 s"):
        wire.send(GET)


# ----------------------------------------------------------------------------------------------- the checks


def found(name: str, planted: Script | None = None, key: str = SQL, **options: object) -> Outcome:
    with FakeTarget(script=planted) as fake:
        session = fake.session(**options)
        probe = session.probe(OPERATIONS[key], "protocol", name)
        try:
            CHECKS[name].run(probe)
        finally:
            session.target.close()
        return probe.outcome


def broken(outcome: Outcome) -> set[str]:
    return {violation.requirement for violation in outcome.violations}


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("key", [SQL, BATCH])
def test_the_good_server_is_held_and_not_blamed(name: str, key: str) -> None:
    outcome = found(name, key=key)

    assert broken(outcome) == set()
    assert outcome.skips == []
    assert all(outcome.exercised[requirement, key] for requirement in CHECKS[name].requirements)


def rewritten(change: Callable[[Seen, bytes], bytes]) -> Script:
    """Answer as the good server does, in other bytes; the connection is closed after each."""

    def planted(fake: FakeTarget, request: Seen) -> Reply:
        return Reply(0, raw=change(request, fake.good(request).to_bytes()))

    return planted


@pytest.mark.parametrize(
    "change",
    [
        lambda _request, data: data + b"more",
        lambda _request, data: data[:-1],
        lambda _request, data: data.replace(b"Content-Length: ", b"Content-Length: 1"),
        lambda _request, _data: b"no answer at all",
    ],
    ids=["more", "less", "longer", "nonsense"],
)
def test_an_answer_that_ends_elsewhere_is_unframed(change: Callable[[Seen, bytes], bytes]) -> None:
    def closing(request: Seen, data: bytes) -> bytes:
        return change(request, data.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))

    assert broken(found("framing", rewritten(closing))) == {"answer-is-framed"}


def test_an_answer_that_is_sent_twice_is_no_frame_of_its_own() -> None:
    planted = rewritten(lambda _request, data: data.replace(b"\r\n", b"\r\nConnection: close\r\n", 1) * 2)

    assert broken(found("connection-after-a-refusal", planted)) == {"keep-alive-after-error"}


def test_a_server_that_closes_after_an_error_is_skipped_with_the_reason() -> None:
    planted = rewritten(lambda _request, data: data.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
    outcome = found("connection-after-a-refusal", planted)

    assert broken(outcome) == set()
    assert [(skip.requirement, skip.reason) for skip in outcome.skips] == [
        ("keep-alive-after-error", "the server closes the connection after an error")
    ]


def test_one_that_closes_without_a_word_is_not_blamed_either() -> None:
    for name in ("framing", "connection-after-a-refusal"):
        assert broken(found(name, rewritten(lambda _request, data: data))) == set()


def test_an_answer_that_is_the_one_before_is_blamed() -> None:
    kept: list[Reply] = []

    def planted(fake: FakeTarget, request: Seen) -> Reply:
        kept.append(fake.good(request))
        return kept[0]

    assert broken(found("connection-after-a-refusal", planted)) == {"keep-alive-after-error"}


def test_an_encoded_letter_that_is_not_decoded_is_blamed() -> None:
    def planted(fake: FakeTarget, request: Seen) -> Reply | None:
        good = fake.good(request)
        return Reply(404, *bare(good)) if "%" in request.path else good

    assert "percent-encoded-letter" in broken(found("percent-encoded-letter", planted))


def bare(reply: Reply) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    content = b'{"error_code": "APIGW.0101", "error_msg": "no", "request_id": "%032d"}' % 0
    return content, reply.headers


class Finishing(FakeJob):
    """A job that finishes as soon as it was seen cancelled."""

    now: str

    @property
    def state(self) -> str:
        seen = self.now
        if seen == "CANCELLED":
            self.now = "FINISHED"
        return seen

    @state.setter
    def state(self, value: str) -> None:
        self.now = value


def test_a_cancelled_job_that_finishes_is_blamed() -> None:
    def planted(fake: FakeTarget, request: Seen) -> Reply:
        job = fake.job_of(request)
        if job is not None:
            fake.jobs[job.id] = Finishing(job.id, job.operation, job.state, job.owner)
        return fake.good(request)

    assert broken(found("cancelled-job-afterwards", planted)) == {"cancelled-stays-cancelled"}


def test_a_job_that_never_was_cancelled_shows_nothing_about_what_comes_after() -> None:
    def planted(fake: FakeTarget, request: Seen) -> Reply:
        reply, job = fake.good(request), fake.job_of(request)
        if job is not None:
            job.state = "RUNNING"
        return reply

    outcome = found("cancelled-job-afterwards", planted)
    assert broken(outcome) == set()
    assert outcome.exercised["cancelled-stays-cancelled", SQL] == 0


@pytest.mark.parametrize("key", [SQL, BATCH])
def test_a_job_of_another_operation_that_is_cancelled_is_blamed(key: str) -> None:
    def planted(fake: FakeTarget, request: Seen) -> Reply | None:
        job = fake.job_of(request)
        if job is None:
            return None
        fake.cancel(job)
        return fake.accepted(job)

    assert "bystander-untouched" in broken(found("job-of-another-operation", planted, key))


@pytest.mark.parametrize("lead", [30, 40, 50])
def test_a_secret_behind_an_answer_does_not_survive_where_it_is_cut(lead: int) -> None:
    left = b"x" * lead + TOKEN.encode()
    behind = found("framing", lambda fake, request: Reply(0, raw=TEN + left))
    with wire_to(script(raw(TEN + left), raw(TEN))) as (wire, _):
        wire.send(GET)
        with pytest.raises(UnframedError) as caught:
            wire.send(GET)

    told = [violation.received for violation in behind.violations] + [str(caught.value)]
    assert any("x" * lead in text for text in told[:-1])
    assert not [text for text in told if "plant" in Redactor([TOKEN]).text(text)]
