"""The table of mutants: complete, tied to requirements, and each one really different from the correct server.

That the suite finds every mutant by the requirement it breaks is proven by the suite itself.
"""

from __future__ import annotations

import socket
from fnmatch import fnmatchcase
from functools import cache
from http.client import parse_headers
from typing import TYPE_CHECKING, Any

import pytest
from mock_support import HOST, NOW, Bench, changed

from calloff.apis import OPERATIONS
from calloff.contract import read_yaml
from calloff.errors import InvalidInputError
from calloff.mock.mutants import MUTANTS, Mutant, find_mutant
from calloff.mock.mutations import connections
from calloff.mock.server import run_embedded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REQUIREMENTS = {row["id"]: row for row in read_yaml("requirements.yaml")["requirements"]}
PROTOTYPES = {
    *(f"M{n:02}" for n in range(1, 19) if n != 17),
    "M10s",
    *(f"X{n:02}" for n in range(1, 13) if n != 11),
}
ROWS = pytest.mark.parametrize("mutant", MUTANTS.values(), ids=list(MUTANTS))
OPEN = {"otc-dli/cancelBatchJob": "running"}
ENDED = {"otc-dli/cancelBatchJob": "success"}


def open_state(operation: str) -> str:
    return OPEN.get(operation, "Submitted" if operation.startswith("tencent") else "RUNNING")


def ended_state(operation: str) -> str:
    return ENDED.get(operation, "Success" if operation.startswith("tencent") else "FINISHED")


@ROWS
def test_a_mutant_breaks_a_server_requirement_where_that_binds(mutant: Mutant) -> None:
    requirement = REQUIREMENTS[mutant.requirement]
    assert requirement["binds"] == "server"
    concerned = [name for name in OPERATIONS if mutant.concerns(name)]
    assert concerned
    for operation in concerned:
        assert any(fnmatchcase(operation, pattern) for pattern in requirement["operations"])


@ROWS
def test_a_mutant_is_described(mutant: Mutant) -> None:
    assert mutant.description
    assert not mutant.description.endswith(".")
    parts = (mutant.steps, mutant.asking, mutant.route, mutant.around, mutant.connect)
    assert sum(part is not None for part in parts) == 1


def test_every_server_requirement_has_a_mutant() -> None:
    server = {name for name, row in REQUIREMENTS.items() if row["binds"] == "server"}
    assert {mutant.requirement for mutant in MUTANTS.values()} == server


def test_every_mutant_of_the_first_study_is_there() -> None:
    assert {
        label for mutant in MUTANTS.values() for label in mutant.prototype.split(", ") if label
    } == PROTOTYPES


def test_an_unknown_mutant_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="no mutant 'nonsense'; there are: cancel-forgotten, "):
        find_mutant("nonsense")


def probes(bench: Bench, operation: str) -> Iterator[tuple[Any, ...]]:
    """Send the same requests to any server and tell what came of them."""
    api = OPERATIONS[operation].api
    ci = api == "tencent-ci"
    method = OPERATIONS[operation].method

    def fresh(state: str, owner: int = 0) -> Any:
        return bench.job(operation, state, owner)

    def told(reply: Any, *jobs: Any) -> tuple[Any, ...]:
        return (reply.status, tuple(reply.headers), reply.body, tuple(bench.state_of(job) for job in jobs))

    def after(job: Any, message: Any) -> tuple[Any, ...]:
        return told(bench.deliver(api, message), job)

    bystanders = [*([fresh("Running")] if ci else []), fresh(open_state(operation))]
    for state in bench.state.kinds[operation].lifecycle.states:
        job = fresh(state)
        yield told(bench.cancel(job), job, *bystanders)
        yield told(bench.cancel(job), job, *bystanders)
    later = fresh(open_state(operation))
    changes: tuple[Callable[[str, Any], str], ...] = (
        lambda target, job: target.replace(job.id, "never-given-out"),
        lambda target, job: target.replace(job.id, "a_b"),
        lambda target, job: target.replace(job.id, job.id[:-1]),
        lambda target, job: target.replace(job.id, job.id[1:]),
        lambda target, job: target.replace(job.id, job.id + "0"),
        lambda target, job: target.replace(job.id, job.id + "%2F"),
        lambda target, job: target.replace(job.id, job.id + "/"),
        lambda target, job: target.replace(job.id, other_digit(job.id[0]) + job.id[1:]),
        lambda target, job: target.replace(job.id, job.id[:-1] + other_digit(job.id[-1])),
        lambda target, job: target.replace(job.id, f"{job.id[:-1]}%{ord(job.id[-1]):X}"),
        lambda target, job: target.replace(job.id, f"{job.id[:-1]}%25{ord(job.id[-1]):X}"),
        lambda target, job: target.replace(job.id, "a" * 1200),
        lambda target, job: target.replace(job.id, "%F0%9F%98%80"),
        lambda target, job: target.replace(job.id, "%zz"),
        lambda target, job: target.replace(job.id, "a%0D%0Ax-own:%20b"),
        lambda target, _job: target.partition("?")[0],
        lambda target, _job: target.replace("cancel", "cancel="),
    )
    for change in changes:
        job = fresh(open_state(operation))
        yield told(bench.cancel(job, target=change(bench.target(job), job)), job, later)
    if ci:
        job = fresh(open_state(operation))
        yield told(bench.cancel(job, target=bench.target(job) + "&cancel", parameters=()), job)
    yield from methods_and_kinds(bench, operation, told, fresh)
    for key in (bench.key(api, owner=1), None):
        job = fresh(open_state(operation), owner=0 if key else 1)
        yield told(bench.cancel(job, key=key), job)
    foreign = fresh(open_state(operation), owner=1)
    own = bench.state.owners[api][0]
    yield told(bench.cancel(foreign, target=bench.target(foreign).replace(foreign.owner, own)), foreign)
    yield from signatures(bench, operation, after, fresh)
    names = ("x-ci-security-token", "x-cos-security-token") if ci else ("x-security-token",)
    signed = ("host",) if ci else ("host", "x-sdk-date")
    for name in names:
        for lifetime, token in ((60, None), (60, "another"), (-60, None)):
            job, key = fresh(open_state(operation)), bench.key(api, lifetime=lifetime)
            yield told(bench.cancel(job, key=key, headers=((name, token or key.security_token),)), job)
    job = fresh(open_state(operation))
    yield told(bench.cancel(job, key=bench.key(api, lifetime=60)), job)
    job = fresh(open_state(operation))
    yield told(bench.cancel(job, headers=(("Content-Type", "application/json"),)), job)
    job = fresh(open_state(operation))
    yield told(bench.cancel(job, headers=(("x-own", "1"),), signed=tuple(sorted((*signed, "x-own")))), job)
    for headers in ({}, {"Authorization": "none"}):
        job = fresh(open_state(operation))
        yield told(bench.send(api, method, bench.target(job), headers), job)
    if not ci:
        token = bench.token()["X-Auth-Token"]
        ended = bench.token(lifetime=-1)["X-Auth-Token"]
        foreign_token = bench.token(owner=1)["X-Auth-Token"]
        for value in (token, token[:-1] + "!", "garbage", ended, foreign_token):
            job = fresh(open_state(operation))
            yield told(bench.send(api, method, bench.target(job), {"X-Auth-Token": value}), job)


def methods_and_kinds(bench: Bench, operation: str, told: Any, fresh: Any) -> Iterator[tuple[Any, ...]]:
    """Send what names another method, another kind of job, or the same job twice."""
    api, method = OPERATIONS[operation].api, OPERATIONS[operation].method
    for other in ("GET", "POST", "HEAD", "PATCH"):
        job = fresh(open_state(operation))
        yield told(bench.cancel(job, method=other), job)
    job = fresh(open_state(operation))
    overridden = (("X-HTTP-Method-Override", method),)
    yield told(bench.cancel(job, method="POST", headers=overridden), job)
    for sibling in (key for key in OPERATIONS if key.startswith(f"{api}/") and key != operation):
        job, own = fresh(open_state(operation)), bench.job(sibling, open_state(sibling))
        target = bench.target(job).replace(job.id, own.id)
        yield told(bench.cancel(job, target=target), own)
    job = fresh(open_state(operation))
    yield told(bench.cancel(job), job)
    yield told(bench.cancel(job), job)
    yield from ends_of_their_own(bench, operation, told)
    job = fresh(open_state(operation))
    status = OPERATIONS[operation].status
    asked = status.path.format_map({status.job_parameter: job.id, "project_id": job.owner})
    yield told(bench.cancel(job, target=asked, method=status.method), job)


def ends_of_their_own(bench: Bench, operation: str, told: Any) -> Iterator[tuple[Any, ...]]:
    """Cancel a job that finishes by itself before it does, and one after it has, unseen."""
    owner = bench.state.owners[OPERATIONS[operation].api][0]
    for seconds in (10, 30):
        job = bench.state.new_job(operation, owner, open_state(operation), finishes_after=20)
        bench.now += seconds
        reply = bench.cancel(job)
        bench.now += 20
        yield told(reply, job)


def other_digit(digit: str) -> str:
    return "1" if digit != "1" else "2"


def signatures(bench: Bench, operation: str, after: Any, fresh: Any) -> Iterator[tuple[Any, ...]]:
    """Send requests whose signature is wrong in one way each."""
    operation_of = OPERATIONS[operation]
    api, method = operation_of.api, operation_of.method
    ci = api == "tencent-ci"
    job, other = fresh(open_state(operation)), fresh(open_state(operation))

    def sign(method: str = method, target: str = "", **changes: Any) -> Any:
        target = target or bench.target(job)
        return bench.q_sign(method, target, **changes) if ci else bench.hmac(api, method, target, **changes)

    def moved(message: Any, target: str = "", method: str = method, body: bytes = b"") -> Any:
        return type(message)(method, target or bench.target(job), message.headers, body)

    value = dict(sign().headers)["Authorization"]
    name = "q-ak=" if ci else "Access="
    key_id = value.partition(name)[2].partition("&" if ci else ",")[0]
    last = "0" if value[-1] != "0" else "1"
    for wrong in (
        value[:-1] + last,
        value[:-1],
        value.replace(key_id, "nobody"),
        value.replace("sha1", "md5").replace("SDK-HMAC-SHA256", "SDK-HMAC-SM3"),
    ):
        yield after(job, changed(sign(), "Authorization", wrong))
    yield after(job, moved(sign(target=bench.target(other))))
    yield after(job, moved(sign(method="GET")))
    listed = ("host", "x-own") if ci else ("host", "x-own", "x-sdk-date")
    own = sign(headers=(("x-own", "1"),), signed=tuple(sorted(listed)))
    yield after(job, changed(own, "x-own", "2"))
    yield after(job, changed(own, "x-own", None))
    names = ("host", "x-own", "x-own-too") if ci else ("host", "x-own", "x-own-too", "x-sdk-date")
    two = sign(headers=(("x-own", "1"), ("x-own-too", "2")), signed=names)
    yield after(job, changed(changed(two, "x-own", "2"), "x-own-too", "1"))
    elsewhere = changed(sign(host="elsewhere.example"), "Host", HOST)
    yield after(job, elsewhere)
    yield after(job, changed(elsewhere, "X-Forwarded-Host", "elsewhere.example"))
    yield after(job, sign(signed=() if ci else ("host",)))
    if ci:
        yield after(job, moved(sign(target=bench.target(job) + "&x=1", parameters=("cancel", "x"))))
        expired = sign(start=-7200, end=-3600)
        yield after(job, expired)
        now = int(bench.now)
        text = dict(expired.headers)["Authorization"].replace(
            f"{now - 7200};{now - 3600}", f"{now - 60};{now + 900}"
        )
        yield after(job, changed(expired, "Authorization", text))
        message = sign()
        query = dict(message.headers)["Authorization"].replace(";", "%3B")
        yield after(job, changed(moved(message, f"{message.target}&{query}"), "Authorization", None))
    else:
        yield after(job, sign(offset=-1000))
        yield after(job, sign(offset=1000))
        yield after(job, moved(sign(), bench.target(job) + "?x=1"))
        yield after(job, moved(sign(), body=b"{}"))


CORRECT: dict[str, list[tuple[Any, ...]]] = {}


@pytest.mark.parametrize(
    "name", [name for name, mutant in MUTANTS.items() if not (mutant.around or mutant.connect)]
)
def test_a_mutant_differs_where_it_should_and_nowhere_else(name: str) -> None:
    for operation in OPERATIONS:
        if operation not in CORRECT:
            CORRECT[operation] = list(probes(Bench(), operation))
        differs = list(probes(Bench(mutant=name), operation)) != CORRECT[operation]
        assert differs is MUTANTS[name].concerns(operation), operation


# ------------------------------------------------------------------------------ on a connection, over real HTTP

SILENCE = 3.0  # seconds; only a server that says nothing more makes anybody wait so long


@cache
def conversation(mutant: str | None, operation: str) -> list[object]:
    """Send requests without a credential over one connection; give what came of each, up to the first that fails."""
    api, method = OPERATIONS[operation].api, OPERATIONS[operation].method
    got: list[object] = []
    with run_embedded([api], mutant=mutant, clock=lambda: NOW) as mock:
        job = mock.state.new_job(operation, mock.state.owners[api][0], open_state(operation))
        parameters = {OPERATIONS[operation].job_parameter: job.id, "project_id": job.owner}
        path = OPERATIONS[operation].path.format_map(parameters)
        host, _, port = mock.announcement["apis"][api]["base_url"].removeprefix("http://").partition(":")
        with (
            socket.create_connection((host, int(port)), timeout=SILENCE) as connection,
            connection.makefile("rb") as arriving,
        ):
            for name in (method, "HEAD", method):
                try:
                    connection.sendall(f"{name} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                    status = arriving.readline()
                    if not status.startswith(b"HTTP/1.1 "):
                        return [*got, status]
                    headers = parse_headers(arriving)
                    length = int(headers["content-length"]) if name != "HEAD" else 0
                    got.append((status, headers.items(), arriving.read(length)))
                except OSError as error:
                    return [*got, type(error).__name__]
    return got


@pytest.mark.parametrize("name", [name for name, mutant in MUTANTS.items() if mutant.connect])
def test_a_mutant_bends_what_is_written_where_it_should_and_nowhere_else(name: str) -> None:
    for operation in OPERATIONS:
        differs = conversation(name, operation) != conversation(None, operation)
        assert differs is MUTANTS[name].concerns(operation), operation


class Written:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


def written(answered: Any, *statuses: int, method: str = "PUT") -> list[bytes]:
    """Answer with 10 bytes through a line, once for each status; give what is written each time."""
    transport = Written()
    line = connections.Line(transport, lambda: method, answered)
    line.close_soon = lambda: None  # type: ignore[method-assign]
    got = []
    for status in statuses:
        line.write(b"HTTP/1.1 %d x\r\ncontent-length: 10\r\n\r\n" % status)
        if method != "HEAD":
            line.write(b"%d-%06d" % (status, status))
        got.append(transport.data)
        transport.data = b""
    return got


@pytest.mark.parametrize("by", [-5, 5])
def test_a_length_is_wrong_by_as_many_bytes_as_asked_and_only_in_a_refusal(by: int) -> None:
    refused, accepted = written(connections.length_off(by), 404, 200)

    assert refused == b"HTTP/1.1 404 x\r\ncontent-length: %d\r\n\r\n404-000404" % (10 + by)
    assert accepted == b"HTTP/1.1 200 x\r\ncontent-length: 10\r\n\r\n200-000200"


def test_head_is_answered_with_the_body_that_it_describes() -> None:
    (answer,) = written(connections.body_to_head, 404, method="HEAD")
    (other,) = written(connections.body_to_head, 404)

    assert answer.endswith(b"\r\n\r\nxxxxxxxxxx")
    assert other.endswith(b"\r\n\r\n404-000404")


def test_a_refusal_is_sent_twice() -> None:
    refused, accepted = written(connections.twice, 404, 200)

    assert refused.count(b"404-000404") == 2
    assert accepted.count(b"200-000200") == 1


def test_a_refusal_is_sent_again_in_place_of_the_next_answer_and_of_no_other() -> None:
    first, old, third = written(connections.once_more, 404, 200, 200)

    assert old == first
    assert third.endswith(b"200-000200")


def test_nothing_comes_after_a_refusal() -> None:
    assert written(connections.silent_afterwards, 200, 404, 200, 200)[2:] == [b"", b""]
