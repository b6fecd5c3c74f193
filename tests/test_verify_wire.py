"""The suite's own HTTP: any bytes out, any bytes in, one deadline."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from pathlib import Path

import hostile_server as hostile
import pytest
import trustme
from hostile_server import Listener

from calloff.verify.wire import MAX_BODY, Address, NoAnswerError, Request, Response, TargetLostError, Wire

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
GET = Request("GET", "/", (("Host", "x"),))


def wire_to(listener: Listener, timeout: float = 5.0) -> Wire:
    return Wire(Address.parse(listener.url), timeout)


def exchange(answer: bytes | hostile.Behaviour, request: Request = GET, timeout: float = 5.0) -> Response:
    behaviour = hostile.cut(answer) if isinstance(answer, bytes) else answer
    with Listener(behaviour) as listener:
        wire = wire_to(listener, timeout)
        try:
            return wire.send(request)
        finally:
            wire.close()


@pytest.mark.parametrize(
    "target",
    ["/a/../b", "/a/./b", "//a", "/a%20b", "/%2F%00", "/a?cancel", "/a?cancel=", "/a?x=1&x=2", "/ä", "*"],
)
def test_a_target_is_sent_byte_for_byte(target: str) -> None:
    with Listener(hostile.raw(OK)) as listener:
        wire = wire_to(listener)
        headers = (("Host", "h"), ("X-A", "1"), ("x-a", "2"), ("Content-Length", "4"))
        wire.send(Request("PUT", target, headers, b"body"))
        wire.close()
        expected = f"PUT {target} HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 4\r\n\r\nbody"
        assert listener.requests == [expected.encode()]


@pytest.mark.parametrize(
    "request_",
    [
        Request("GET", "/\r\nX-Evil: 1", (("Host", "h"),)),
        Request("GET", "/", (("Host", "h\r\nX-Evil: 1"),)),
        Request("GET", "/", (("Host", "h\nX-Evil: 1"),)),
        Request("GET", "/", (("Host\r\nX-Evil", "h"),)),
        Request("GET\r\n", "/", (("Host", "h"),)),
        Request("GET", "/\0", (("Host", "h"),)),
    ],
)
def test_no_line_break_splits_a_request(request_: Request) -> None:
    with Listener(hostile.raw(OK)) as listener:
        wire = wire_to(listener)
        with pytest.raises(ValueError, match="line break"):
            wire.send(request_)
        assert listener.requests == []
        assert wire.send(GET).body == b"hi"
        wire.close()


def test_one_connection_serves_many_requests() -> None:
    with Listener(hostile.raw(OK)) as listener:
        wire = wire_to(listener)
        assert [wire.send(GET).body for _ in range(5)] == [b"hi"] * 5
        wire.close()
        assert (listener.connections, len(listener.requests)) == (1, 5)


def test_a_connection_that_the_server_closed_while_idle_is_opened_anew() -> None:
    with Listener(hostile.cut(OK)) as listener:
        wire = wire_to(listener)
        for _ in range(3):
            assert wire.send(GET).body == b"hi"
            time.sleep(0.05)
        wire.close()
        assert (listener.connections, len(listener.requests)) == (3, 3)


def test_a_reused_connection_that_closes_without_an_answer_is_tried_once_more() -> None:
    with Listener(hostile.script(hostile.raw(OK), hostile.close_at_once, hostile.raw(OK))) as listener:
        wire = wire_to(listener)
        wire.send(GET)
        assert wire.send(GET).body == b"hi"
        wire.close()
        assert (listener.connections, len(listener.requests)) == (2, 3)


def test_a_fresh_connection_that_closes_without_an_answer_is_not_tried_again() -> None:
    with Listener(hostile.close_at_once) as listener:
        with pytest.raises(NoAnswerError, match="closed the connection without an answer"):
            wire_to(listener).send(GET)
        assert len(listener.requests) == 1


def test_a_reset_without_an_answer_is_no_answer() -> None:
    with pytest.raises(NoAnswerError, match="closed the connection without an answer"):
        exchange(hostile.reset)


def test_a_request_whose_answer_broke_off_is_not_sent_again() -> None:
    half = hostile.cut(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    with Listener(hostile.script(hostile.raw(OK), half)) as listener:
        wire = wire_to(listener)
        wire.send(GET)
        with pytest.raises(NoAnswerError):
            wire.send(GET)
        assert len(listener.requests) == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nhi",
        b"\x16\x03\x01 garbage\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000,
    ],
)
def test_what_is_no_whole_answer_is_no_answer(answer: bytes) -> None:
    with pytest.raises(NoAnswerError):
        exchange(answer)


def test_a_reset_in_the_middle_of_an_answer_is_no_answer() -> None:
    with pytest.raises(NoAnswerError):
        exchange(hostile.first(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", hostile.reset))


def test_a_chunked_answer_is_put_together() -> None:
    answer = exchange(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
    )

    assert answer.body == b"hello"


def test_an_answer_may_end_with_the_connection() -> None:
    assert exchange(b"HTTP/1.0 200 OK\r\n\r\nall of it").body == b"all of it"


def test_informational_answers_are_passed_over() -> None:
    answer = exchange(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK)

    assert (answer.status, answer.body) == (200, b"hi")


@pytest.mark.parametrize(("status", "method"), [(204, "GET"), (304, "GET"), (200, "HEAD")])
def test_the_body_of_an_answer_that_has_none_is_not_the_next_answer(status: int, method: str) -> None:
    stray = f"HTTP/1.1 {status} X\r\nContent-Length: 44\r\n\r\n".encode() + OK
    with Listener(
        hostile.script(hostile.raw(stray), hostile.raw(b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n"))
    ) as one:
        wire = wire_to(one)
        first = wire.send(Request(method, "/", (("Host", "x"),)))
        second = wire.send(GET)
        wire.close()

    assert (first.status, first.body, second.status) == (status, b"", 404)


def test_what_arrives_between_two_requests_is_not_the_next_answer() -> None:
    def answer_twice(listener: Listener, connection: socket.socket) -> None:
        connection.sendall(OK)
        time.sleep(0.05)
        connection.sendall(b"HTTP/1.1 500 Late\r\nContent-Length: 0\r\n\r\n")

    with Listener(hostile.script(answer_twice, hostile.raw(OK))) as listener:
        wire = wire_to(listener)
        wire.send(GET)
        time.sleep(0.15)
        assert wire.send(GET).status == 200
        wire.close()


def test_an_answer_larger_than_the_limit_is_no_answer() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"
    with pytest.raises(NoAnswerError, match=str(MAX_BODY)):
        exchange(hostile.endless(head, b"x" * 65536, 1600))


def test_an_answer_to_half_a_request_counts() -> None:
    def answer_early(listener: Listener, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 413 Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(100)
                answer_early(None, connection)  # type: ignore[arg-type]

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        wire = Wire(Address.parse(f"http://127.0.0.1:{server.getsockname()[1]}"), 5)
        answer = wire.send(
            Request("PUT", "/", (("Host", "x"), ("Content-Length", "8000000")), b"x" * 8_000_000)
        )
        wire.close()
        thread.join(5)

    assert answer.status == 413


@pytest.mark.parametrize(
    "behaviour",
    [
        hostile.hang,
        hostile.drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 1000, 0.05),
        hostile.first(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", hostile.drip(b"x" * 100, 0.05)),
        hostile.endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 1_000_000),
    ],
    ids=["silent", "slow head", "slow body", "endless 100"],
)
def test_an_exchange_ends_at_its_deadline(behaviour: hostile.Behaviour) -> None:
    began = time.monotonic()
    with pytest.raises(NoAnswerError, match=r"after 0\.3 s"):
        exchange(behaviour, timeout=0.3)
    assert time.monotonic() - began < 15  # of the half minute and more that most of these servers take


def test_a_request_that_timed_out_is_not_sent_again() -> None:
    with Listener(hostile.script(hostile.raw(OK), hostile.hang)) as listener:
        wire = wire_to(listener, 0.2)
        wire.send(GET)
        with pytest.raises(NoAnswerError):
            wire.send(GET)
        assert len(listener.requests) == 2


def test_a_redirect_is_an_answer() -> None:
    answer = exchange(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")

    assert (answer.status, answer.header("Location")) == (302, "http://127.0.0.1:1/")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid", "a" * 70, "a..b"])
def test_where_nobody_listens_the_target_is_lost(host: str) -> None:
    wire = Wire(Address("http", host, free_port(), ""), 2)
    for attempt in (wire.send_nothing, lambda: wire.send(GET)):
        with pytest.raises(TargetLostError, match="no connection to http://"):
            attempt()


def test_connecting_alone_sends_nothing() -> None:
    with Listener() as listener:
        wire_to(listener).send_nothing()
        time.sleep(0.05)
        assert (listener.connections, listener.requests) == (1, [])


def test_an_interrupted_exchange_leaves_no_connection_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    with Listener(hostile.raw(OK)) as listener:
        wire = wire_to(listener)
        with monkeypatch.context() as patched:
            patched.setattr(Wire, "_receive", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                wire.send(GET)
        wire.send(GET)
        wire.close()
        assert listener.connections == 2


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8601", ("http", "127.0.0.1", 8601, "")),
        ("http://example.com/", ("http", "example.com", 80, "")),
        ("https://example.com/gate/way/", ("https", "example.com", 443, "/gate/way")),
        ("http://[::1]:99", ("http", "::1", 99, "")),
    ],
)
def test_a_base_url_is_taken_apart(url: str, expected: tuple[str, str, int, str]) -> None:
    address = Address.parse(url)

    assert (address.scheme, address.hostname, address.port, address.prefix) == expected


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://example.com", "example.com"),
        ("https://example.com:443", "example.com"),
        ("https://example.com:80", "example.com:80"),
        ("http://[::1]:99", "[::1]:99"),
    ],
)
def test_the_host_header_names_the_port_unless_it_is_the_default(url: str, host: str) -> None:
    assert Address.parse(url).authority == host


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://example.com",
        "http://",
        "http:///path",
        "http://h:99999",
        "http://h:0",
        "http://h:port",
        "http://[::1",
        "http://h/?q",
        "http://h/?",
        "http://h/#f",
        "http://h/a b",
        "http://h/\r\nX: 1",
        "http://h\n",
        "http://exämple.com",
        "http://h/\udc80",
    ],
)
def test_what_is_no_base_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"expected a base URL such as http://127\.0\.0\.1:8601"):
        Address.parse(url)


def test_a_password_in_a_base_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="without user or password") as caught:
        Address.parse("http://user:{}@h".format("planted-word"))

    assert "planted" not in str(caught.value)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    return folder


def test_garbage_instead_of_tls_is_a_lost_target() -> None:
    with Listener(hostile.raw(b"no TLS here\r\n\r\n")) as listener:
        wire = Wire(Address.parse(listener.url.replace("http", "https")), 1)
        with pytest.raises(TargetLostError, match="no connection to https://"):
            wire.send(GET)
        wire.close()


def test_a_handshake_that_comes_byte_by_byte_ends_at_its_deadline() -> None:
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                # The head of a long handshake record, then of its content one byte after the other.
                for byte in b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc" + b"\x03" * 500:
                    connection.sendall(bytes([byte]))
                    if ended.wait(0.05):
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        wire = Wire(Address.parse(f"https://127.0.0.1:{server.getsockname()[1]}"), 0.3)
        with pytest.raises(TargetLostError, match="no TLS handshake in time"):
            wire.send(GET)
        ended.set()
        thread.join(5)


@pytest.mark.parametrize("trusted", [True, False])
def test_https_is_spoken_with_a_private_authority_that_is_given(certificate: Path, trusted: bool) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "server.pem")
    server = socket.create_server(("127.0.0.1", 0))
    answered: list[bytes] = []

    def serve() -> None:
        connection, _ = server.accept()
        try:
            with context.wrap_socket(connection, server_side=True) as secured:
                for _ in range(2):
                    answered.append(hostile.read_request(secured) or b"")
                    secured.sendall(OK)
        except OSError:
            connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    client = ssl.create_default_context(cafile=str(certificate / "ca.pem")) if trusted else None
    wire = Wire(Address.parse(f"https://127.0.0.1:{server.getsockname()[1]}"), 5, client)
    try:
        if trusted:
            assert [wire.send(GET).body for _ in range(2)] == [b"hi", b"hi"]
        else:
            with pytest.raises(TargetLostError, match="certificate verify failed"):
                wire.send(GET)
    finally:
        wire.close()
        thread.join(5)
        server.close()


def test_a_header_is_found_in_any_case() -> None:
    response = Response(200, (("content-type", "Text/XML; charset=utf-8"),), b"")
    request = Request("GET", "/", (("X-Auth-Token", "t"),))

    assert (response.media_type, response.header("Content-TYPE")) == ("text/xml", "Text/XML; charset=utf-8")
    assert (Response(200, (), b"").media_type, request.header("x-auth-token"), request.header("x")) == (
        "",
        "t",
        None,
    )


def test_no_message_begins_with_a_number_of_the_system() -> None:
    wire = Wire(Address.parse("http://127.0.0.1:1"), 1.0)
    with pytest.raises(TargetLostError) as caught:
        wire.send_nothing()

    assert str(caught.value).endswith(": Connection refused")
