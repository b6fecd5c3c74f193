"""Disturbances over real sockets: every kind on an operation of each family, how often, and to whom."""

from __future__ import annotations

import email.utils
import socket
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from mock_calls import CANCELLED, CI, DLI, OPEN, Caller

from calloff.mock.disturbances import Disturbance
from calloff.mock.server import run_embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

BOTH = pytest.mark.parametrize("operation", [CI, DLI])
APPLIED = pytest.mark.parametrize("applied", [False, True])


@pytest.fixture(scope="module")
def running() -> Iterator[Caller]:
    with run_embedded() as server, httpx.Client(trust_env=False) as client:
        yield Caller(server, client)


@pytest.fixture
def caller(running: Caller) -> Iterator[Caller]:
    yield running
    assert running.client.delete(running.control).status_code == 204


def code_of(answer: httpx.Response) -> str:
    """Read the vendor's code of an error."""
    if answer.headers["content-type"] == "application/xml":
        assert answer.headers["server"] == "tencent-ci"
        assert answer.headers["x-ci-request-id"] in answer.text
        return answer.text.partition("<Code>")[2].partition("</Code>")[0]
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    return str(answer.json()["error_code"])


@BOTH
def test_an_answer_can_come_late(caller: Caller, operation: str) -> None:
    job = caller.job(operation)
    caller.disturb(kind="latency", seconds=0.05)
    began = time.monotonic()
    assert caller.cancel(job).status_code == 200
    assert time.monotonic() - began > 0.04
    assert caller.state(job) == CANCELLED[operation]


@pytest.mark.parametrize(("operation", "code"), [(CI, "SlowDown"), (DLI, "APIGW.0308")])
def test_requests_can_be_throttled(caller: Caller, operation: str, code: str) -> None:
    job = caller.job(operation)
    caller.disturb(kind="throttle", rate=0, retry_after=7, requests=1)
    answer = caller.cancel(job)
    assert (answer.status_code, answer.headers["retry-after"], code_of(answer)) == (429, "7", code)
    assert caller.state(job) == OPEN[operation]
    assert caller.cancel(job).status_code == 200


def test_the_prefix_of_a_throttled_answer_is_that_of_the_gateway() -> None:
    from calloff.mock.dialects import Dialect

    dialect = Dialect({"dli-gateway-prefix": "APIG"})
    disturbances = [Disturbance(kind="throttle", rate=0)]
    with (
        run_embedded(dialect=dialect, disturbances=disturbances) as server,
        httpx.Client(trust_env=False) as client,
    ):
        caller = Caller(server, client)
        assert code_of(caller.cancel(caller.job(DLI))) == "APIG.0308"
        other = "huaweicloud-dli/cancelSqlJob"
        assert code_of(caller.cancel(caller.job(other, "RUNNING"))) == "APIGW.0308"


def test_a_rate_is_counted_by_seconds_of_the_server_and_by_api() -> None:
    now = [1_768_469_400.0]
    with (
        run_embedded(clock=lambda: now[0], disturbances=[Disturbance(kind="throttle", rate=2)]) as server,
        httpx.Client(trust_env=False) as client,
    ):
        caller = Caller(server, client)

        def statuses(operation: str, count: int) -> list[int]:
            return [caller.cancel(caller.job(operation), now=now[0]).status_code for _ in range(count)]

        assert statuses(DLI, 4) == [200, 200, 429, 429]
        assert statuses(CI, 3) == [200, 200, 429]
        now[0] += 0.75
        assert statuses(DLI, 1) == [429]
        now[0] += 0.25
        assert statuses(DLI, 3) == [200, 200, 429]
        now[0] -= 3600
        assert statuses(DLI, 1) == [200]


@APPLIED
@pytest.mark.parametrize(
    ("operation", "status", "code"),
    [
        (CI, 500, "InternalError"),
        (CI, 501, "NotImplemented"),
        (CI, 503, "ServiceUnavailable"),
        (DLI, 500, "APIGW.0601"),
        (DLI, 502, "APIGW.0201"),
        (DLI, 503, "APIGW.0613"),
        (DLI, 504, "APIGW.0201"),
    ],
)
def test_a_server_can_fail(caller: Caller, operation: str, status: int, code: str, applied: bool) -> None:
    job = caller.job(operation)
    caller.disturb(kind="status", status=status, applied=applied, operations=operation)
    answer = caller.cancel(job)
    assert (answer.status_code, code_of(answer)) == (status, code)
    assert caller.state(job) == (CANCELLED if applied else OPEN)[operation]


@APPLIED
@BOTH
@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_can_answer_instead(caller: Caller, operation: str, status: int, applied: bool) -> None:
    job = caller.job(operation)
    caller.disturb(kind="gateway", status=status, applied=applied)
    answer = caller.cancel(job)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html"
    assert f"<title>{status} " in answer.text
    assert set(answer.headers) == {"date", "server", "content-type", "content-length"}
    assert caller.state(job) == (CANCELLED if applied else OPEN)[operation]


@APPLIED
@BOTH
def test_a_connection_can_be_reset(caller: Caller, operation: str, applied: bool) -> None:
    job = caller.job(operation)
    caller.disturb(kind="reset", applied=applied)
    with pytest.raises(httpx.ReadError, match="reset"):
        caller.cancel(job)
    assert caller.state(job) == (CANCELLED if applied else OPEN)[operation]
    [entry] = caller.journal()
    assert (entry["status"], entry["disturbances"]) == (None, ["reset"])


def received(caller: Caller, operation: str) -> bytes:
    """Cancel a job on a connection of its own and read until the server hangs up."""
    message = caller.message(caller.job(operation))
    lines = [f"{message.method} {message.target} HTTP/1.1", *(f"{k}: {v}" for k, v in message.headers)]
    with socket.create_connection(caller.address(operation), timeout=5) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


@BOTH
def test_every_connection_can_be_closed_after_its_answer(caller: Caller, operation: str) -> None:
    caller.disturb(kind="close")
    head, _, body = received(caller, operation).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nconnection: close" in head
    assert body == (b"" if operation == CI else b'{"is_success":true,"message":""}')


def test_half_of_a_body_can_be_lost(caller: Caller) -> None:
    caller.disturb(kind="truncate")
    head, _, body = received(caller, DLI).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
    assert head.endswith(b"\r\ncontent-length: 32")
    assert body == b'{"is_success":tr'
    job = caller.job(DLI)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        caller.cancel(job)
    assert caller.state(job) == "CANCELLED"


def test_half_of_a_head_is_lost_where_there_is_no_body(caller: Caller) -> None:
    caller.disturb(kind="truncate")
    answer = received(caller, CI)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\n\r\n" not in answer
    job = caller.job(CI)
    with pytest.raises(httpx.RemoteProtocolError):
        caller.cancel(job)
    assert caller.state(job) == "Cancel"


def test_a_head_has_no_body_to_lose(caller: Caller) -> None:
    caller.disturb(kind="truncate")
    with socket.create_connection(caller.address(DLI), timeout=5) as connection:
        connection.sendall(b"HEAD /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"\r\n\r\n" not in answer


@BOTH
def test_an_answer_can_have_another_type(caller: Caller, operation: str) -> None:
    job = caller.job(operation)
    caller.disturb(kind="content-type", content_type="text/plain; charset=utf-8")
    answer = caller.cancel(job)
    assert answer.status_code == 200
    assert answer.headers.get_list("content-type") == ["text/plain; charset=utf-8"]


@BOTH
@pytest.mark.parametrize("seconds", [-1200, 1200])
def test_the_clock_can_differ(caller: Caller, operation: str, seconds: int) -> None:
    caller.disturb(kind="clock-skew", seconds=seconds)
    job = caller.job(operation)
    refused = caller.cancel(job)
    shown = email.utils.parsedate_to_datetime(refused.headers["date"]).timestamp()
    assert abs(shown - time.time() - seconds) < 60
    if operation == DLI or seconds > 0:  # whether CI minds a start in the future is a silent point
        assert refused.status_code == 401
        assert caller.state(job) == OPEN[operation]
        assert caller.cancel(job, now=shown).status_code == 200
    states = caller.client.get(caller.server.announcement["provider_states_url"])
    told = email.utils.parsedate_to_datetime(states.headers["date"]).timestamp()
    assert abs(told - shown) < 60


# --------------------------------------------------------------------------------------- to whom and how often


def test_a_disturbance_ends_after_the_requests_it_was_for(caller: Caller) -> None:
    told = caller.disturb(kind="gateway", requests=2)
    statuses = [caller.cancel(caller.job(DLI)).status_code for _ in range(2)]
    assert statuses == [502, 502]
    assert caller.client.get(f"{caller.control}/disturbances").json() == {"disturbances": []}
    assert caller.cancel(caller.job(DLI)).status_code == 200
    assert caller.disturb(kind="close")["id"] == told["id"] + 1


@pytest.mark.parametrize(
    ("pattern", "struck"),
    [
        (DLI, {DLI}),
        ("otc-dli/*", {DLI, "otc-dli/cancelBatchJob", "otc-dli/"}),
        ("*/cancelSqlJob", {DLI, "huaweicloud-dli/cancelSqlJob"}),
        ("tencent-ci/*", {CI, "tencent-ci/cancelInventoryTriggerJob"}),
    ],
)
def test_only_the_operations_meant_are_disturbed(caller: Caller, pattern: str, struck: set[str]) -> None:
    caller.disturb(kind="gateway", operations=pattern)
    jobs = {
        CI: "Submitted",
        "tencent-ci/cancelInventoryTriggerJob": "Submitted",
        DLI: "RUNNING",
        "otc-dli/cancelBatchJob": "running",
        "huaweicloud-dli/cancelSqlJob": "RUNNING",
    }
    found = {key for key, state in jobs.items() if caller.cancel(caller.job(key, state)).status_code == 502}
    if caller.client.get(caller.place(DLI)["base_url"] + "/nothing").status_code == 502:
        found.add("otc-dli/")
    assert found == struck


def statuses_of(seed: int, **members: Any) -> list[int]:
    disturbances = [Disturbance(**members)]
    with (
        run_embedded(["otc-dli"], seed=seed, disturbances=disturbances) as server,
        httpx.Client(trust_env=False) as client,
    ):
        url = f"{server.announcement['apis']['otc-dli']['base_url']}/nothing"
        return [client.get(url).status_code for _ in range(200)]


def test_chance_is_drawn_under_the_seed() -> None:
    members: dict[str, Any] = {"kind": "gateway", "probability": 0.3}
    first = statuses_of(1, **members)
    assert set(first) == {404, 502}
    assert 30 < first.count(502) < 90
    assert statuses_of(1, **members) == first
    assert statuses_of(2, **members) != first


def test_chance_and_number_together_count_what_was_disturbed() -> None:
    assert statuses_of(1, kind="gateway", probability=0.5, requests=5).count(502) == 5


def test_disturbances_add_up_in_their_order(caller: Caller) -> None:
    caller.disturb(kind="close")
    caller.disturb(kind="latency", seconds=0.01)
    caller.disturb(kind="throttle", rate=0)
    caller.disturb(kind="status", applied=True)
    caller.disturb(kind="gateway")
    caller.disturb(kind="content-type")
    job = caller.job(DLI)
    answer = caller.cancel(job)
    assert (answer.status_code, answer.headers["connection"]) == (429, "close")
    assert answer.headers["content-type"] == "text/html"
    assert caller.state(job) == "RUNNING"
    assert caller.journal()[0]["disturbances"] == ["latency", "throttle", "close", "content-type"]


def test_a_reset_spares_nothing_to_spoil(caller: Caller) -> None:
    caller.disturb(kind="reset")
    caller.disturb(kind="truncate")
    with pytest.raises(httpx.ReadError):
        caller.cancel(caller.job(DLI))
    assert caller.journal()[0]["disturbances"] == ["reset"]


def test_mutants_can_be_disturbed() -> None:
    disturbances = [Disturbance(kind="truncate", requests=1)]
    with (
        run_embedded(["otc-dli"], mutant="second-of-two-faults", disturbances=disturbances) as server,
        httpx.Client(trust_env=False) as client,
    ):
        caller = Caller(server, client)
        with pytest.raises(httpx.RemoteProtocolError):
            caller.cancel(caller.job(DLI))
        assert caller.cancel(caller.job(DLI)).status_code == 200
