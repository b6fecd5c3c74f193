"""The transport of bulk by itself; what it shares with the others is in test_transport, test_prepare, test_clients."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
import time

import hostile_server as hostile
import pytest
import trustme
from hostile_server import Behaviour, Listener
from operations import OTC_SQL, TOKEN

from calloff import AnswerTimeoutError, CalloffError, InvalidInputError, NoAnswerError, UnreachableError
from calloff.aiohttp_transport import AiohttpTransport
from calloff.prepare import PreparedRequest
from calloff.transport import Answer


def _request(
    port: int, method: str = "DELETE", target: str = "/jobs/1", **changes: object
) -> PreparedRequest:
    given = {
        "name": "test/cancel",
        "method": method,
        "scheme": "http",
        "host": "127.0.0.1",
        "port": port,
        "target": target,
        "headers": (("Host", "example.com"),),
    }
    return PreparedRequest(**{**given, **changes})  # type: ignore[arg-type]


def _send(*requests: PreparedRequest, seconds: float = 5.0, context: ssl.SSLContext | None = None) -> Answer:
    """Send one after the other over one transport; return the last answer."""

    async def run() -> Answer:
        transport = AiohttpTransport(context)
        try:
            for request in requests:
                answer = await transport.send(request, deadline=time.monotonic() + seconds)
            return answer
        finally:
            await transport.close()

    return asyncio.run(run())


@pytest.mark.parametrize("method", ["DELETE", "PUT", "GET", "POST"])
@pytest.mark.parametrize(
    "target",
    [
        "/jobs/1?cancel",
        "/jobs/1?cancel=",
        "/jobs/a%2Fb%2fc%20d?x=%41+%2B&y",
        "/a//b/../c/./d",
        "/~a!$&'()*,;=:@/%7e",
        "/jobs/1?a=b?c=/d",
    ],
)
def test_the_target_leaves_as_it_was_prepared(method: str, target: str) -> None:
    with Listener() as listener:
        _send(_request(listener.port, method, target))

        assert listener.requests[0].startswith(f"{method} {target} HTTP/1.1\r\n".encode())


@pytest.mark.parametrize(
    "changes",
    [
        {"target": "/jobs/1#fragment"},
        {"target": "/jobs/1 HTTP/1.1"},
        {"target": "http://example.com/jobs"},
        {"target": ""},
        {"target": "/jobs/1\r\nX: y"},
        {"target": "/jobs/\xe9"},
        {"headers": (("Host", "example.com\r\nX: y"),)},
        {"headers": (("Host", "example.com\nX: y"),)},
        {"headers": (("Host", "example.com\r"),)},
        {"headers": (("X\n", "y"),)},
        {"headers": (("Host", "\xe9.example.com"),)},
    ],
    ids=repr,
)
def test_a_request_that_would_be_another_one_on_the_wire_is_refused(changes: dict[str, object]) -> None:
    with Listener() as listener:
        with pytest.raises(InvalidInputError, match="must be"):
            _send(_request(listener.port, **changes))  # type: ignore[arg-type]

        assert listener.connections == 0


@pytest.mark.parametrize("method", ["DELETE", "PUT", "GET", "POST"])
def test_the_headers_leave_as_they_were_prepared_and_nothing_else_does(method: str) -> None:
    headers = (
        ("hOST", "example.com:8443"),
        ("x-last", "1"),
        ("X-Twice", "a"),
        ("Accept-Encoding", "identity"),
        ("x-Twice", "b"),
        ("Authorization", "Some Access=a&b, Signature=c=="),
    )
    with Listener() as listener:
        _send(_request(listener.port, method, headers=headers))

        lines = listener.requests[0].decode().split("\r\n")
    assert lines[1:] == [*(f"{name}: {value}" for name, value in headers), "", ""]


def test_a_body_leaves_as_it_was_prepared() -> None:
    headers = (("Host", "example.com"), ("Content-Type", "application/json"), ("Content-Length", "9"))
    with Listener() as listener:
        _send(_request(listener.port, "POST", headers=headers, body=b'{"a": 1}\n'))

        assert listener.requests[0] == (
            b"POST /jobs/1 HTTP/1.1\r\nHost: example.com\r\nContent-Type: application/json\r\n"
            b'Content-Length: 9\r\n\r\n{"a": 1}\n'
        )


@pytest.mark.parametrize("method", ["DELETE", "PUT", "GET"])
@pytest.mark.parametrize("loss", [hostile.close_at_once, hostile.reset], ids=["closed", "reset"])
def test_what_is_lost_on_a_kept_connection_is_not_sent_again(method: str, loss: Behaviour) -> None:
    with Listener(hostile.script(hostile.reply(), loss, hostile.reply())) as listener:
        with pytest.raises(NoAnswerError, match="unknown") as caught:
            _send(_request(listener.port, method), _request(listener.port, method))

        assert len(listener.requests) == 2
    assert type(caught.value) is NoAnswerError


def test_a_stray_answer_on_a_kept_connection_is_not_taken_for_that_to_the_next_request() -> None:
    first_taken, stray_sent = threading.Event(), threading.Event()

    def behave(listener: Listener, connection: socket.socket) -> None:
        connection.sendall(hostile.message(200, b"asked"))
        if first_taken.wait(5) and not stray_sent.is_set():
            connection.sendall(hostile.message(200, b"stray"))
            stray_sent.set()

    async def run(port: int) -> Answer:
        transport = AiohttpTransport()
        try:
            await transport.send(_request(port), deadline=time.monotonic() + 5)
            first_taken.set()
            assert await asyncio.to_thread(stray_sent.wait, 5)
            for _ in range(5):  # turns of the loop, each of which reads what has arrived
                await asyncio.sleep(0)
            return await transport.send(_request(port), deadline=time.monotonic() + 5)
        finally:
            await transport.close()

    with Listener(behave) as listener:
        assert asyncio.run(run(listener.port)).body == b"asked"
        assert (len(listener.requests), listener.connections) == (2, 2)


def test_two_answers_in_one_piece_end_the_connection() -> None:
    with Listener(hostile.raw(hostile.message(200, b"asked") + hostile.message(418))) as listener:
        assert _send(_request(listener.port), _request(listener.port)).body == b"asked"

        assert (len(listener.requests), listener.connections) == (2, 2)


def test_the_headers_of_an_answer_arrive_as_they_were_sent() -> None:
    with Listener(hostile.reply(418, b"", {"x-One": "a", "X-ONE": "b", "X-Latin": "\xe9"})) as listener:
        answer = _send(_request(listener.port))

    assert answer.status == 418
    assert answer.headers == (
        (b"Content-Length", b"0"),
        (b"x-One", b"a"),
        (b"X-ONE", b"b"),
        (b"X-Latin", b"\xe9"),
    )


def test_a_header_as_long_as_a_token_of_iam_may_be_is_read() -> None:
    with Listener(hostile.reply(201, b"", {"X-Subject-Token": "t" * 32_768})) as listener:
        assert _send(_request(listener.port)).header("X-Subject-Token") == "t" * 32_768


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_body_needs_no_length(status: int) -> None:
    with Listener(hostile.raw(f"HTTP/1.1 {status} X\r\n\r\n".encode())) as listener:
        answers = _send(_request(listener.port), _request(listener.port))

        assert (answers.status, answers.body, listener.connections) == (status, b"", 1)


def test_a_switch_of_protocols_is_an_answer_and_the_connection_is_not_used_again() -> None:
    switch = b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nrest"
    with Listener(hostile.script(hostile.raw(switch), hostile.raw(switch), hostile.reply())) as listener:
        assert _send(_request(listener.port)).status == 101
        assert _send(_request(listener.port), _request(listener.port)).status == 200

        assert listener.connections == 3


def test_nothing_is_sent_past_the_deadline() -> None:
    async def run(port: int) -> None:
        transport = AiohttpTransport()
        try:
            await transport.send(_request(port), deadline=time.monotonic() + 5)
            with pytest.raises(UnreachableError, match="nothing was sent"):
                await transport.send(_request(port), deadline=time.monotonic())
        finally:
            await transport.close()

    with Listener() as listener:
        asyncio.run(run(listener.port))

        assert len(listener.requests) == 1


def test_waiting_for_a_free_connection_is_within_the_deadline_and_sends_nothing() -> None:
    async def run(port: int) -> None:
        transport = AiohttpTransport(limit=1)
        deadline = time.monotonic() + 0.3
        try:
            results = await asyncio.gather(
                *(transport.send(_request(port), deadline=deadline) for _ in range(3)), return_exceptions=True
            )
        finally:
            await transport.close()
        assert [type(result) for result in results] == [
            AnswerTimeoutError,
            UnreachableError,
            UnreachableError,
        ]

    with Listener(hostile.hang) as listener:
        asyncio.run(run(listener.port))

        assert (len(listener.requests), listener.connections) == (1, 1)


def test_a_cancelled_call_gives_up_its_connection() -> None:
    async def run(port: int) -> Answer:
        transport = AiohttpTransport(limit=1)
        try:
            task = asyncio.create_task(transport.send(_request(port), deadline=time.monotonic() + 30))
            assert await asyncio.to_thread(asked.wait, 5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return await transport.send(_request(port), deadline=time.monotonic() + 5)
        finally:
            await transport.close()

    asked = threading.Event()

    def hang(listener: Listener, connection: socket.socket) -> None:
        asked.set()
        hostile.hang(listener, connection)

    with Listener(hostile.script(hang, hostile.reply())) as listener:
        assert asyncio.run(run(listener.port)).status == 200
        assert (len(listener.requests), listener.connections) == (2, 2)


def test_a_transport_left_open_sends_nothing_from_another_loop() -> None:
    with Listener() as listener, asyncio.Runner() as first:
        transport = AiohttpTransport()
        first.run(transport.send(_request(listener.port), deadline=time.monotonic() + 5))
        with asyncio.Runner() as second, pytest.raises(InvalidInputError, match="event loop"):
            second.run(transport.send(_request(listener.port), deadline=time.monotonic() + 5))
        first.run(transport.close())

        assert len(listener.requests) == 1


def test_a_closed_transport_opens_again_and_closes_twice() -> None:
    async def run(port: int) -> None:
        transport = AiohttpTransport()
        for _ in range(2):
            await transport.send(_request(port), deadline=time.monotonic() + 5)
            await transport.close()
        await transport.close()

    with Listener() as listener:
        asyncio.run(run(listener.port))

        assert (len(listener.requests), listener.connections) == (2, 2)


def test_the_certificates_of_the_system_are_asked_where_no_context_is_given() -> None:
    authority = trustme.CA()
    context = hostile.tls_server_context()
    authority.issue_cert("localhost").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with Listener(tls=context) as listener:
        request = _request(listener.port, scheme="https", host="localhost")
        assert _send(request, context=trusting).status == 200
        with pytest.raises(UnreachableError, match=r"Certificate.*nothing was sent"):
            _send(request)

        assert len(listener.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 x %s\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n",
        b"HTTP/1.1 200 OK\r\nSet-Cookie: %s@=1; Path=%s\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["status line", "chunk", "cookie"],
)
def test_nothing_that_an_answer_echoes_is_logged(answer: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    data = answer.replace(b"%s", TOKEN.value.encode())
    with (
        Listener(hostile.raw(data)) as listener,
        contextlib.suppress(CalloffError),
    ):
        OTC_SQL.cancel("aiohttp", listener.url, TOKEN)

    assert TOKEN.value not in caplog.text
