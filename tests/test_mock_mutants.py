"""The table of mutants: complete, tied to requirements, and each one really different from the correct server.

That the suite finds every mutant by the requirement it breaks is proven by the suite itself.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest
from mock_support import Bench, changed

from calloff.apis import OPERATIONS
from calloff.contract import read_yaml
from calloff.errors import InvalidInputError
from calloff.mock.mutants import MUTANTS, Mutant, find_mutant

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
    assert sum(part is not None for part in (mutant.steps, mutant.route, mutant.around)) == 1


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

    bystander = fresh(open_state(operation))
    for state in bench.state.kinds[operation].lifecycle.states:
        job = fresh(state)
        yield told(bench.cancel(job), job, bystander)
        yield told(bench.cancel(job), job, bystander)
    later = fresh(open_state(operation))
    changes: tuple[Callable[[str, Any], str], ...] = (
        lambda target, job: target.replace(job.id, "never-given-out"),
        lambda target, job: target.replace(job.id, "a_b"),
        lambda target, job: target.replace(job.id, job.id[:-1]),
        lambda target, job: target.replace(job.id, job.id[1:]),
        lambda target, job: target.replace(job.id, job.id + "0"),
        lambda target, job: target.replace(job.id, job.id + "%2F"),
        lambda target, job: target.replace(job.id, job.id + "/"),
        lambda target, _job: target.partition("?")[0],
        lambda target, _job: target.replace("cancel", "cancel="),
    )
    for change in changes:
        job = fresh(open_state(operation))
        yield told(bench.cancel(job, target=change(bench.target(job), job)), job, later)
    for other in ("GET", "POST"):
        job = fresh(open_state(operation))
        yield told(bench.cancel(job, method=other), job)
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
        for value in (token, token[:-1] + "!", "garbage", ended):
            job = fresh(open_state(operation))
            yield told(bench.send(api, method, bench.target(job), {"X-Auth-Token": value}), job)


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


@pytest.mark.parametrize("name", [name for name, mutant in MUTANTS.items() if mutant.around is None])
def test_a_mutant_differs_where_it_should_and_nowhere_else(name: str) -> None:
    for operation in OPERATIONS:
        if operation not in CORRECT:
            CORRECT[operation] = list(probes(Bench(), operation))
        differs = list(probes(Bench(mutant=name), operation)) != CORRECT[operation]
        assert differs is MUTANTS[name].concerns(operation), operation
