"""The mock over real HTTP: ports, announcement, both vendors and the IAM in one process, and how it stops."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from mock_support import NOW, Bench
from peers import reference

from calloff.errors import InvalidInputError
from calloff.mock.server import MockServer, announcement_line, check_apis, run_embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVE = """
import sys
from calloff.mock.server import announcement_line, serve
serve(announce=lambda it: print(announcement_line(it), flush=True), port=int(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[MockServer]:
    with run_embedded() as running:
        yield running


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as made:
        yield made


def new_job(server: MockServer, client: httpx.Client, api: str, operation: str, state: str) -> Any:
    wanted = {"api": api, "operation": operation, "state": state, "owner": "self"}
    return client.post(f"{server.announcement['provider_states_url']}/jobs", json=wanted).json()


def state_of(server: MockServer, client: httpx.Client, api: str, operation: str, job_id: str) -> str:
    url = f"{server.announcement['provider_states_url']}/jobs/{api}/{operation}/{job_id}"
    return str(client.get(url).json()["state"])


def raw(url: str, data: bytes) -> bytes:
    """Send bytes as they are and read until the server hangs up."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(data)
        received = b""
        with contextlib.suppress(TimeoutError):
            while part := connection.recv(65536):
                received += part
        return received


def test_the_announcement_says_what_a_suite_needs(server: MockServer) -> None:
    announced = json.loads(announcement_line(server.announcement))
    assert set(announced) == {
        "version",
        "provider_states_url",
        "control_url",
        "page_url",
        "iam_url",
        "iam",
        "apis",
    }
    assert announced["version"] == 1
    assert announced["provider_states_url"].endswith("/provider-states")
    assert set(announced["iam"]) == {"user", "password", "domain", "project"}
    assert set(announced["apis"]["tencent-ci"]) == {"base_url", "host", "credentials"}
    assert set(announced["apis"]["tencent-ci"]["credentials"]) == {"secret_id", "secret_key"}
    for api in ("otc-dli", "huaweicloud-dli"):
        assert set(announced["apis"][api]) == {"base_url", "project_id", "credentials"}
        assert set(announced["apis"][api]["credentials"]) == {"access_key", "secret_key", "token"}
    urls = [announced["iam_url"], *(api["base_url"] for api in announced["apis"].values())]
    assert all(url.startswith("http://127.0.0.1:") for url in urls)
    assert len(set(urls)) == 4


@pytest.mark.parametrize(
    ("api", "operation", "state"),
    [
        ("otc-dli", "cancelSqlJob", "CANCELLED"),
        ("otc-dli", "cancelBatchJob", "dead"),
        ("huaweicloud-dli", "cancelSqlJob", "CANCELLED"),
    ],
)
def test_the_announced_token_cancels(
    server: MockServer, client: httpx.Client, api: str, operation: str, state: str
) -> None:
    first = "starting" if operation == "cancelBatchJob" else "LAUNCHING"
    job = new_job(server, client, api, operation, first)
    place = server.announcement["apis"][api]
    path = (
        f"/v2.0/{place['project_id']}/batches/{job['job_id']}"
        if operation == "cancelBatchJob"
        else f"/v1.0/{place['project_id']}/jobs/{job['job_id']}"
    )
    answer = client.delete(place["base_url"] + path, headers={"X-Auth-Token": place["credentials"]["token"]})
    assert answer.status_code == 200
    assert "date" in answer.headers
    assert "server" not in answer.headers
    assert state_of(server, client, api, operation, job["job_id"]) == state


@pytest.mark.parametrize("api", ["otc-dli", "huaweicloud-dli"])
def test_the_announced_access_key_cancels(server: MockServer, client: httpx.Client, api: str) -> None:
    job = new_job(server, client, api, "cancelSqlJob", "RUNNING")
    place = server.announcement["apis"][api]
    path = f"/v1.0/{place['project_id']}/jobs/{job['job_id']}"
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    host = place["base_url"].removeprefix("http://")
    message = reference.Message("DELETE", path, (("Host", host), ("X-Sdk-Date", date)))
    names = ["host", "x-sdk-date"]
    canonical = reference.hmac_canonical_request(message, names)
    keys = place["credentials"]
    signature = reference.hmac_stages(canonical, keys["secret_key"], date)["signature"]
    signed = reference.hmac_authorization(keys["access_key"], names, signature)
    answer = client.delete(place["base_url"] + path, headers={"X-Sdk-Date": date, "Authorization": signed})
    assert (answer.status_code, answer.json()) == (200, {"is_success": True, "message": ""})


@pytest.mark.parametrize("query", ["?cancel", "?cancel="])
@pytest.mark.parametrize(
    ("operation", "path"),
    [("cancelAiJob", "/ai_jobs/"), ("cancelInventoryTriggerJob", "/inventorytriggerjob/")],
)
def test_the_announced_secret_cancels(
    server: MockServer, client: httpx.Client, operation: str, path: str, query: str
) -> None:
    job = new_job(server, client, "tencent-ci", operation, "Submitted")
    place = server.announcement["apis"]["tencent-ci"]
    target = path + job["job_id"] + query
    message = reference.Message("PUT", target, (("Host", place["host"]),))
    times = f"{int(time.time()) - 60};{int(time.time()) + 600}"
    stages = reference.qsign_stages(message, place["credentials"], times, ["host"], ["cancel"])
    signed = reference.qsign_authorization(
        place["credentials"]["secret_id"], times, ["host"], ["cancel"], stages["signature"]
    )
    answer = client.put(
        httpx.URL(place["base_url"]).copy_with(raw_path=target.encode()),
        headers={"Host": place["host"], "Authorization": signed},
    )
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["server"] == "tencent-ci"
    assert answer.headers["content-length"] == "0"
    assert state_of(server, client, "tencent-ci", operation, job["job_id"]) == "Cancel"


def test_bytes_that_are_no_request_are_refused_in_the_vendors_shape(server: MockServer) -> None:
    apis = server.announcement["apis"]
    answer = raw(apis["otc-dli"]["base_url"], b"NOT HTTP AT ALL\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b'"error_code":"APIGW.0201"' in answer
    answer = raw(apis["tencent-ci"]["base_url"], b"PUT /ai_jobs/\xff?cancel HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"<Error><Code>InvalidArgument</Code>" in answer
    assert b"server: tencent-ci" in answer
    answer = raw(server.announcement["iam_url"], b"NOT HTTP AT ALL\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("end", ["#x", "?a#x", "#?a"])
def test_a_target_with_a_fragment_is_no_request(server: MockServer, client: httpx.Client, end: str) -> None:
    place = server.announcement["apis"]["otc-dli"]
    job = new_job(server, client, "otc-dli", "cancelSqlJob", "RUNNING")
    request = (
        f"DELETE /v1.0/{place['project_id']}/jobs/{job['job_id']}{end} HTTP/1.1\r\n"
        f"Host: x\r\nX-Auth-Token: {place['credentials']['token']}\r\n\r\n"
    )
    answer = raw(place["base_url"], request.encode())
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b'"error_code":"APIGW.0201"' in answer
    assert state_of(server, client, "otc-dli", "cancelSqlJob", job["job_id"]) == "RUNNING"


@pytest.mark.parametrize(
    ("target", "version", "headers", "status"),
    [
        ("http://a.example{path}", "1.1", "Host: a.example\r\n", 200),
        ("http://b.example{path}", "1.1", "Host: a.example\r\n", 400),
        ("{path}", "1.1", "", 400),
        ("{path}", "1.0", "", 200),
        ("*", "1.1", "Host: a.example\r\n", 400),
    ],
)
def test_the_host_of_a_request_is_never_in_doubt(
    server: MockServer, client: httpx.Client, target: str, version: str, headers: str, status: int
) -> None:
    place = server.announcement["apis"]["otc-dli"]
    job = new_job(server, client, "otc-dli", "cancelSqlJob", "RUNNING")
    path = f"/v1.0/{place['project_id']}/jobs/{job['job_id']}"
    request = (
        f"DELETE {target.format(path=path)} HTTP/{version}\r\n{headers}Connection: close\r\n"
        f"X-Auth-Token: {place['credentials']['token']}\r\n\r\n"
    )
    assert raw(place["base_url"], request.encode()).startswith(b"HTTP/1.1 %d " % status)


def test_a_body_that_is_announced_too_large_is_refused_before_it_comes(server: MockServer) -> None:
    place = server.announcement["apis"]["otc-dli"]
    head = (
        f"DELETE /v1.0/{place['project_id']}/jobs/a HTTP/1.1\r\nHost: x\r\n"
        "Content-Length: 99999999\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    answer = raw(place["base_url"], head.encode())
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"error_code":"APIGW.0201"' in answer


def test_a_path_is_matched_as_it_was_sent(server: MockServer) -> None:
    place = server.announcement["apis"]["otc-dli"]
    for path in ("/v1.0/p/jobs/../x", "//v1.0/p/jobs/x", "/v1.0/p/jobs/a%2Fb", "/v1.0/p/jobs/x/"):
        request = f"DELETE {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answer = raw(place["base_url"], request.encode())
        assert answer.startswith(b"HTTP/1.1 404 "), path
        assert b'"error_code":"APIGW.0101"' in answer


def test_requests_are_logged_without_secrets(
    server: MockServer, client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    url = server.announcement["apis"]["tencent-ci"]["base_url"] + "/ai_jobs/a1?cancel&q-signature=hidden-word"
    with caplog.at_level(logging.INFO, "calloff.mock"):
        client.put(url, headers={"Authorization": "hidden-word"})
        deadline = time.monotonic() + 5
        while not caplog.records and time.monotonic() < deadline:
            time.sleep(0.01)  # the line is written after the answer was sent
    line = json.loads(caplog.records[-1].getMessage())
    assert (line["api"], line["method"], line["path"], line["status"]) == (
        "tencent-ci",
        "PUT",
        "/ai_jobs/a1",
        401,
    )
    assert "hidden-word" not in caplog.text


def test_secrets_stay_out_of_reprs() -> None:
    bench = Bench()
    key = bench.key("otc-dli", lifetime=60)
    token = bench.state.new_token("project")
    account = bench.state.account
    for secret, holder in (
        (key.secret.decode(), key),
        (key.security_token, key),
        (token.value, token),
        (account.password, account),
    ):
        assert secret not in repr(holder)


def test_only_the_apis_asked_for_are_served() -> None:
    with run_embedded(["otc-dli"], clock=lambda: NOW) as running:
        assert list(running.announcement["apis"]) == ["otc-dli"]
        assert running.state.clock() == NOW


@pytest.mark.parametrize(
    ("mutant", "operation", "statuses"),
    [
        (None, "otc-dli/cancelSqlJob", {200, 400}),
        ("second-of-two-faults", "otc-dli/cancelSqlJob", {200, 500}),
        ("two-cancels-undo-each-other", "otc-dli/cancelSqlJob", {200, 400}),
    ],
)
def test_two_cancels_at_the_same_time(mutant: str | None, operation: str, statuses: set[int]) -> None:
    api, name = operation.split("/")
    with run_embedded([api], mutant=mutant) as running, httpx.Client(trust_env=False) as client:
        job = new_job(running, client, api, name, "RUNNING")
        place = running.announcement["apis"][api]
        url = f"{place['base_url']}/v1.0/{place['project_id']}/jobs/{job['job_id']}"
        token = {"X-Auth-Token": place["credentials"]["token"]}
        seen: list[int] = []
        threads = [
            threading.Thread(target=lambda: seen.append(client.delete(url, headers=token).status_code))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(seen) == statuses
        left = "LAUNCHING" if mutant == "two-cancels-undo-each-other" else "CANCELLED"
        assert state_of(running, client, api, name, job["job_id"]) == left


def test_unknown_names_and_ports_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="no API 'aws'; there are: tencent-ci, otc-dli, "):
        check_apis(["aws"])
    with pytest.raises(InvalidInputError, match="expected a port from 1 to 65531"), run_embedded(port=65533):
        pass
    with pytest.raises(InvalidInputError, match="no mutant"), run_embedded(mutant="nonsense"):
        pass


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(InvalidInputError, match=f"port {port}: .*give another port"),
            run_embedded(port=port),
        ):
            pass


def free_port() -> int:
    """Find a port with five free ones behind it."""
    for start in range(20_000 + os.getpid() % 10_000, 60_000, 7):
        with contextlib.ExitStack() as stack:
            try:
                for port in range(start, start + 5):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return start
    raise AssertionError("no free ports")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_foreground_server_announces_answers_and_stops_at_a_signal(number: int) -> None:
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        announced = json.loads(process.stdout.readline())
        assert announced["provider_states_url"] == f"http://127.0.0.1:{port}/provider-states"
        urls = [api["base_url"] for api in announced["apis"].values()]
        assert urls == [f"http://127.0.0.1:{port + offset}" for offset in (1, 2, 3)]
        assert announced["iam_url"] == f"http://127.0.0.1:{port + 4}"
        with httpx.Client(trust_env=False) as client:
            assert client.get(announced["provider_states_url"]).status_code == 200
            process.send_signal(number)
            out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "", "")
