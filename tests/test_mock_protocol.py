"""The mock's HTTP as bytes: limits while a request is read, what is no request, keep-alive, and the end."""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from calloff.mock.disturbances import Disturbance
from calloff.mock.server import MockServer, run_embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

APIS = ("otc-dli", "tencent-ci")
START = b"DELETE /v1.0/p/jobs/x HTTP/1.1\r\nHost: x\r\n"
KB = 1024


@pytest.fixture(scope="module")
def server() -> Iterator[MockServer]:
    with run_embedded(APIS) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_is_logged_as_an_error(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


def address(server: MockServer, api: str) -> tuple[str, int]:
    return "127.0.0.1", int(server.announcement["apis"][api]["base_url"].rpartition(":")[2])


def talk(server: MockServer, api: str, *parts: bytes) -> bytes:
    """Send bytes in parts, then read until the server hangs up; it may do so before everything was sent."""
    with socket.create_connection(address(server, api), timeout=10) as connection:
        for part in parts:
            with contextlib.suppress(ConnectionError):
                connection.sendall(part)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def answer_on(connection: socket.socket) -> bytes:
    """Read one answer, head and body, of a connection that stays open."""
    received = b""
    while True:
        head, end, body = received.partition(b"\r\n\r\n")
        if end and len(body) >= int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            return received
        part = connection.recv(65536)
        assert part, received
        received += part


def code_of(answer: bytes) -> str:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\ndate: " in head
    assert b"\r\nconnection: close" in head
    assert b"\r\ncontent-length: %d" % len(body) in head
    assert b"Traceback" not in body
    member = b"<Code>" if b"application/xml" in head else b'"error_code":"'
    return body.partition(member)[2].replace(b'"', b"<").partition(b"<")[0].decode()


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n\x00",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"A" * 900 * KB,
        b"GARBAGE / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1 \x80\r\nHost: x\r\n\r\n",
        b"GET  HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        START + b"A: \x00\r\n\r\n",
        START + b" A: b\r\n\r\n",
        START + b"A b\r\n\r\n",
        START + b"Content-Length: -1\r\n\r\n",
        START + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        START + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
        START + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n",
        START + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        START + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\n",
        START + b"Transfer-Encoding: chunked, x\r\n\r\n",
    ],
)
@pytest.mark.parametrize(("api", "code"), [("otc-dli", "APIGW.0201"), ("tencent-ci", "InvalidArgument")])
def test_what_is_no_request_is_refused(server: MockServer, api: str, code: str, data: bytes) -> None:
    answer = talk(server, api, data)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert code_of(answer) == code


@pytest.mark.parametrize(
    ("parts", "dli", "ci"),
    [
        # HW-GW 0201: a target over 32 KB, one header over 32 KB, all of them over 128 KB. CI names no limits.
        ([b"GET /", b"a" * 40 * KB, b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"], 404, 404),
        ([b"GET /", b"a" * 700 * KB], 414, 404),
        ([START, b"A: ", b"b" * 40 * KB, b"\r\nConnection: close\r\n\r\n"], 494, 404),
        ([START, b"A: ", b"b" * 900 * KB], 494, 400),
        ([START, b"A: b\r\n" * 100_000], 494, 400),
        ([START, b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n" * 100_000], 494, 400),
        ([START, b"Transfer-Encoding: chunked\r\n\r\n1;", b"a" * 900 * KB], 494, 400),
    ],
)
def test_heads_are_bounded_while_they_are_read(
    server: MockServer, parts: list[bytes], dli: int, ci: int
) -> None:
    for api, status in (("otc-dli", dli), ("tencent-ci", ci)):
        answer = talk(server, api, *parts)
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert code_of(answer)


def test_a_long_body_is_no_long_head(server: MockServer) -> None:
    body = b"a" * 3 * KB * KB
    for head in (
        b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body),
        b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
    ):
        end = b"" if b"Length" in head else b"\r\n0\r\n\r\n"
        size = b"" if b"Length" in head else b"%x\r\n" % len(body)
        assert talk(server, "otc-dli", START, head, size, body, end).startswith(b"HTTP/1.1 401 ")


def test_what_is_no_request_is_in_the_journal(server: MockServer) -> None:
    server.journal.clear()
    talk(server, "tencent-ci", b"planted-word\r\n\r\n")
    [entry] = server.journal.entries()
    assert (entry.api, entry.method, entry.target, entry.status) == ("tencent-ci", "", "", 400)


@pytest.fixture
def late(server: MockServer) -> Iterator[MockServer]:
    server.disturbances.add(Disturbance(kind="latency", seconds=0.05))
    yield server
    server.disturbances.clear()


def test_answers_come_in_the_order_of_the_requests(late: MockServer) -> None:
    request = b"DELETE /v1.0/p/jobs/x HTTP/1.1\r\nHost: x\r\n\r\n"
    for count in (1, 2, 3):
        answer = talk(late, "otc-dli", request * count + b"GARBAGE GARBAGE\r\n\r\n")
        statuses = [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]]
        assert statuses == [b"401"] * count + [b"400"]


def test_a_broken_body_is_refused_in_its_turn(late: MockServer) -> None:
    request = START + b"\r\n" + START + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"
    answer = talk(late, "otc-dli", request)
    assert [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"401", b"400"]


@pytest.mark.parametrize("body", [b"", b"abc"])
def test_an_offer_to_upgrade_is_left_alone(server: MockServer, body: bytes) -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n"
    length = b"Content-Length: %d\r\n" % len(body)
    with socket.create_connection(address(server, "otc-dli"), timeout=5) as connection:
        for _ in range(3):
            connection.sendall(START + offer + length + b"\r\n" + body)
            assert answer_on(connection).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("pieces", [1, 2])
def test_the_body_of_a_request_that_offers_to_upgrade_is_read(server: MockServer, pieces: int) -> None:
    place = urlsplit(server.announcement["provider_states_url"])
    body = b'{"api": "otc-dli", "operation": "cancelSqlJob", "state": "RUNNING", "owner": "self"}'
    head = (
        f"POST {place.path}/jobs HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade, HTTP2-Settings\r\n"
        f"Upgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.create_connection((place.hostname, place.port), timeout=5) as connection:
        for _ in range(2):
            for sent in ([head + body], [head, body])[pieces - 1]:
                connection.sendall(sent)
            assert answer_on(connection).startswith(b"HTTP/1.1 201 ")


def test_many_offers_to_upgrade_in_one_piece_are_each_answered(server: MockServer) -> None:
    offer = START + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    answer = talk(server, "otc-dli", offer * 1500 + b"GARBAGE GARBAGE\r\n\r\n")
    assert [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"401"] * 1500 + [b"400"]


def test_a_client_that_asks_first_is_told_to_go_on(server: MockServer) -> None:
    """RFC 9110, 10.1.1."""
    head = START + b"Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n"
    with socket.create_connection(address(server, "otc-dli"), timeout=10) as connection:
        for _ in range(2):
            connection.sendall(head)
            assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(b"x")
            assert answer_on(connection).startswith(b"HTTP/1.1 401 ")


def test_connections_are_kept_as_http_says(server: MockServer) -> None:
    with socket.create_connection(address(server, "otc-dli"), timeout=5) as connection:
        for _ in range(20):
            connection.sendall(START + b"\r\n")
            assert b"connection" not in answer_on(connection).partition(b"\r\n\r\n")[0].lower()
    assert b"\r\nconnection: close" in talk(server, "otc-dli", START + b"Connection: close\r\n\r\n")
    assert b"\r\nconnection: close" in talk(server, "otc-dli", b"GET / HTTP/1.0\r\n\r\n")


# --------------------------------------------------------------------------------------------------- the end


def test_an_answer_that_is_due_still_comes_when_the_server_stops() -> None:
    disturbance = Disturbance(kind="latency", seconds=0.3, requests=1)
    with contextlib.ExitStack() as stack:
        with run_embedded(["otc-dli"], disturbances=[disturbance]) as server:
            connection = stack.enter_context(socket.create_connection(address(server, "otc-dli"), timeout=5))
            connection.sendall(START + b"\r\n")
            deadline = time.monotonic() + 5
            while server.disturbances.active and time.monotonic() < deadline:
                time.sleep(0.005)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"\r\nconnection: close" in answer
