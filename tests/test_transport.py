"""Sending against servers that mean harm, or are merely broken."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hostile_server as hostile
import httpcore
import pytest
from hostile_server import Behaviour, Listener
from operations import CASES, MODES, NOW, OTC_SQL, SECRETS, TOKEN, TRANSPORTS, Case

from calloff import (
    AnswerTimeoutError,
    CalloffError,
    InvalidInputError,
    NoAnswerError,
    ServerError,
    UnexpectedAnswerError,
    UnreachableError,
)
from calloff.transport import MAX_BODY, Answer, _Stream, tls_context

# Seconds: far less than these servers take, however busy the machine.
SOON = 15
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
every_way = pytest.mark.parametrize("mode", TRANSPORTS)
over_httpcore = pytest.mark.parametrize("mode", MODES)


@pytest.fixture
def elsewhere() -> Iterator[Listener]:
    """Listen where nobody may come."""
    with Listener() as listener:
        yield listener


@every_way
@every_case
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_reported_and_never_followed(
    case: Case, mode: str, status: int, elsewhere: Listener
) -> None:
    redirect = hostile.reply(status, headers={"Location": f"{elsewhere.url}/stolen"})
    with Listener(redirect) as listener:
        with pytest.raises(UnexpectedAnswerError) as caught:
            case.cancel(mode, listener.url)

        assert len(listener.requests) == 1
    assert caught.value.status == status
    assert not caught.value.retryable
    assert elsewhere.connections == 0


DEAF: dict[str, Behaviour] = {
    "silent": hostile.hang,
    "half a status line": hostile.first(b"HTTP/1.", hostile.hang),
    "dripping headers": hostile.drip(HEAD + b"X: " + b"x" * 1000),
    "dripping body": hostile.first(HEAD + b"Content-Length: 1000\r\n\r\n", hostile.drip(b" " * 1000)),
    "endless 1xx": hostile.endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 1_000_000),
}


@every_way
@pytest.mark.parametrize("behaviour", DEAF.values(), ids=DEAF)
def test_the_deadline_covers_the_whole_call(behaviour: Behaviour, mode: str) -> None:
    with Listener(behaviour) as listener:
        started = time.monotonic()
        with pytest.raises(AnswerTimeoutError, match="unknown"):
            OTC_SQL.cancel(mode, listener.url, timeout=0.4)

        assert time.monotonic() - started < SOON
        assert len(listener.requests) == 1


@every_way
def test_tiny_chunks_in_one_piece_do_not_outlast_the_deadline(mode: str) -> None:
    with Listener(hostile.endless(CHUNKED, b"1\r\n \r\n" * 10_000, 1000)) as listener:
        started = time.monotonic()
        with pytest.raises(CalloffError):
            OTC_SQL.cancel(mode, listener.url, timeout=0.4)

        assert time.monotonic() - started < SOON


@every_way
def test_a_full_backlog_counts_as_unreachable(mode: str) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = deaf.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for connection in waiting:
            connection.setblocking(False)
            connection.connect_ex(address)
        started = time.monotonic()
        with pytest.raises(UnreachableError, match="nothing was sent"):
            OTC_SQL.cancel(mode, f"http://127.0.0.1:{address[1]}", timeout=0.4)
        for connection in waiting:
            connection.close()

    assert time.monotonic() - started < SOON


@every_way
def test_a_handshake_that_never_ends_counts_as_unreachable(mode: str) -> None:
    with Listener(hostile.hang) as listener:
        started = time.monotonic()
        with pytest.raises(UnreachableError, match="nothing was sent"):
            OTC_SQL.cancel(mode, f"https://127.0.0.1:{listener.port}", timeout=0.4)

        assert time.monotonic() - started < SOON
        assert listener.connections == 1


@every_way
def test_a_closed_port_counts_as_unreachable(mode: str) -> None:
    with Listener() as listener:
        url = listener.url
    with pytest.raises(UnreachableError, match="nothing was sent"):
        OTC_SQL.cancel(mode, url)


def test_an_address_of_a_family_that_this_machine_lacks_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = socket.getaddrinfo

    def two(*arguments: Any, **keywords: Any) -> list[Any]:
        (family, *rest), *_ = real(*arguments, **keywords)
        return [(9999, *rest), (family, *rest)]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    with Listener(hostile.reply(200, OTC_SQL.accepted)) as listener:
        OTC_SQL.cancel("sync", listener.url)


@every_way
def test_an_address_of_ipv6_is_shown_in_brackets(mode: str) -> None:
    with pytest.raises(NoAnswerError, match=r": \[::1\]:1 "):
        OTC_SQL.cancel(mode, "http://[::1]:1")


@every_way
def test_an_unknown_host_counts_as_unreachable(mode: str) -> None:
    with pytest.raises(UnreachableError, match=r"nowhere\.invalid:443"):
        OTC_SQL.cancel(mode, "https://nowhere.invalid")


BROKEN: dict[str, Behaviour] = {
    "closes": hostile.close_at_once,
    "resets": hostile.reset,
    "cut headers": hostile.cut(HEAD),
    "cut body": hostile.cut(HEAD + b"Content-Length: 100\r\n\r\n{"),
    "cut chunk": hostile.cut(CHUNKED + b"10\r\n{"),
    "no HTTP": hostile.cut(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "wrong chunk size": hostile.cut(CHUNKED + b"zz\r\n\r\n"),
    "two lengths": hostile.cut(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    "endless header": hostile.endless(HEAD + b"X: ", b"x" * 65536, 10_000),
    "status 99": hostile.cut(b"HTTP/1.1 99 Odd\r\n\r\n"),
    "echoed secret in a broken header": hostile.cut(HEAD + b"planted-iam-token\r\n\r\n"),
}


@every_way
@pytest.mark.parametrize("behaviour", BROKEN.values(), ids=BROKEN)
def test_a_broken_answer_is_no_answer_and_is_not_retried(behaviour: Behaviour, mode: str) -> None:
    with Listener(behaviour) as listener:
        with pytest.raises(NoAnswerError, match="unknown") as caught:
            OTC_SQL.cancel(mode, listener.url, TOKEN, timeout=5.0)

        assert len(listener.requests) == 1
    assert type(caught.value) is NoAnswerError
    assert caught.value.__context__ is None  # a library's error may quote what the server echoed
    assert not any(secret in str(caught.value) for secret in SECRETS)


@every_way
@pytest.mark.parametrize(("status", "error"), [(200, UnexpectedAnswerError), (500, ServerError)])
@pytest.mark.parametrize("framing", ["length", "chunks", "until close"])
def test_a_body_of_100_megabytes_takes_neither_the_memory_nor_the_time(
    mode: str, status: int, error: type[CalloffError], framing: str
) -> None:
    piece = b" " * 65536
    head = f"HTTP/1.1 {status} OK\r\n".encode()
    behaviour = {
        "length": hostile.endless(head + b"Content-Length: 104857600\r\n\r\n", piece, 1600),
        "chunks": hostile.endless(
            head + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + piece + b"\r\n", 1600
        ),
        "until close": hostile.endless(head + b"Connection: close\r\n\r\n", piece, 1600),
    }[framing]
    with Listener(behaviour) as listener:
        tracemalloc.start()
        try:
            with pytest.raises(error):
                OTC_SQL.cancel(mode, listener.url, timeout=10.0)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak < 16 * MAX_BODY


@every_way
def test_a_compressed_body_that_nobody_asked_for_is_not_unpacked(mode: str) -> None:
    with Listener(hostile.gzip_bomb()) as listener:
        tracemalloc.start()
        try:
            with pytest.raises(UnexpectedAnswerError):
                OTC_SQL.cancel(mode, listener.url)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

        assert b"Accept-Encoding: identity\r\n" in listener.requests[0]
    assert peak < 16 * MAX_BODY


@every_way
def test_a_connection_is_kept_and_a_closed_one_is_replaced(mode: str) -> None:
    once = hostile.message(200, OTC_SQL.accepted)
    with Listener(hostile.raw(once)) as listener:
        OTC_SQL.cancel(mode, listener.url, times=3)
        assert (len(listener.requests), listener.connections) == (3, 1)

    with Listener(hostile.cut(hostile.message(200, OTC_SQL.accepted, {"Connection": "close"}))) as listener:
        OTC_SQL.cancel(mode, listener.url, times=3)
        assert (len(listener.requests), listener.connections) == (3, 3)


@every_way
def test_proxies_and_other_settings_of_the_environment_are_not_heeded(
    mode: str, elsewhere: Listener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, elsewhere.url)
    with Listener(hostile.reply(200, OTC_SQL.accepted)) as listener:
        OTC_SQL.cancel(mode, listener.url, TOKEN)
        assert b"Authorization" not in listener.requests[0]

    assert elsewhere.connections == 0


@every_way
def test_a_cookie_is_not_sent_back(mode: str) -> None:
    with Listener(hostile.reply(200, OTC_SQL.accepted, {"Set-Cookie": "a=b; Path=/"})) as listener:
        OTC_SQL.cancel(mode, listener.url, times=2)

        assert b"cookie" not in listener.requests[1].lower()


def test_an_asynchronous_client_left_open_sends_nothing_from_another_loop() -> None:
    with Listener(hostile.reply(200, OTC_SQL.accepted)) as listener:
        client = OTC_SQL.make("async", listener.url)
        with asyncio.Runner() as first:
            first.run(client.cancel_sql_job(OTC_SQL.job_id))
            with asyncio.Runner() as second, pytest.raises(InvalidInputError, match="event loop"):
                second.run(client.cancel_sql_job(OTC_SQL.job_id))
            assert len(listener.requests) == 1
            first.run(client.close())

        asyncio.run(_once(client))

        assert len(listener.requests) == 2


async def _once(client: Any) -> None:
    async with client:
        await client.cancel_sql_job(OTC_SQL.job_id)


@over_httpcore
def test_debug_logging_shows_no_header_of_an_answer(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answer = hostile.reply(200, OTC_SQL.accepted, {"X-Subject-Token": "planted-fetched-token"})
    with Listener(answer) as listener:
        OTC_SQL.cancel(mode, listener.url)

    assert "receive_response_headers.started" in caplog.text  # the library did log
    assert "planted-fetched-token" not in caplog.text


@over_httpcore
@pytest.mark.parametrize(
    "data",
    [b"HTTP/1.1 x %s\r\n\r\n", CHUNKED + b"%s\r\n"],
    ids=["status line", "chunk"],
)
def test_debug_logging_quotes_nothing_that_a_broken_answer_echoes(
    mode: str, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with (
        Listener(hostile.raw(data % TOKEN.value.encode())) as listener,
        pytest.raises(NoAnswerError),
    ):
        OTC_SQL.cancel(mode, listener.url, TOKEN)

    assert "receive_response_headers.started" in caplog.text  # the library did log
    assert TOKEN.value not in caplog.text


@pytest.mark.parametrize("verify", [False, True, 1, b"ca.pem"])
def test_verification_is_not_switched_off_by_a_flag(verify: object) -> None:
    with pytest.raises(InvalidInputError, match="file of CA certificates"):
        tls_context(verify)  # type: ignore[arg-type]


def test_a_missing_ca_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"/ca\.pem' is none: .*No such file"):
        tls_context(tmp_path / "ca.pem")


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"'ca\\x00' is none"):
        tls_context("ca\0")


def test_an_own_context_is_taken_as_it_is() -> None:
    context = ssl.create_default_context()
    assert tls_context(context) is context


def test_the_default_context_verifies() -> None:
    context = tls_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_a_header_is_found_in_any_case() -> None:
    answer = Answer(200, ((b"X-Request-ID", b" one "), (b"x-request-id", b"two")))

    assert answer.header("x-request-id") == "one"
    assert answer.header("absent") == ""


def test_the_clock_of_these_tests_is_the_one_of_the_vectors() -> None:
    assert time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(NOW)) == "20260115T093000Z"


def test_a_peer_that_does_not_read_meets_the_deadline_too() -> None:
    here, there = socket.socketpair()
    with here, there:
        stream = _Stream(here)
        with pytest.raises(httpcore.WriteTimeout):
            stream.write(b" " * 50_000_000, time.monotonic() + 0.2)
        there.close()
        with pytest.raises(httpcore.WriteError):
            stream.write(b" " * 50_000_000, time.monotonic() + 0.2)


@pytest.mark.parametrize("deadline", [0.0, None], ids=["past", "none"])
def test_nothing_is_done_past_the_deadline_or_without_one(deadline: float | None) -> None:
    here, there = socket.socketpair()
    with here, there:
        stream = _Stream(here)
        with pytest.raises(httpcore.ReadTimeout):
            stream.read(1, deadline)
        with pytest.raises(httpcore.WriteTimeout):
            stream.write(b"x", deadline)
        with pytest.raises(httpcore.ConnectTimeout):
            stream.start_tls(ssl.create_default_context(), "localhost", deadline)
        assert here.fileno() < 0
        assert stream.get_extra_info("is_readable")
