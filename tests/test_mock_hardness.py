"""Nothing brings the mock down: bytes that are no requests, slow and idle clients, large bodies, bombs."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import socket
import sys
import time
from typing import TYPE_CHECKING, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calloff.mock.connections import Guard, Limits
from calloff.mock.server import MockServer, run_embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

KB, MB = 1024, 1024 * 1024
HEAD = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [A-Za-z -]*\r\n((?:[a-z-]+: [^\r\n]*\r\n)+)\r\n")
START = b"DELETE /v1.0/p/jobs/x HTTP/1.1\r\nHost: x\r\n"
fuzzed = settings(derandomize=True, max_examples=120, deadline=None, database=None)


@pytest.fixture(scope="module")
def server() -> Iterator[MockServer]:
    with run_embedded() as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_is_logged_as_an_error(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


def addresses(server: MockServer) -> dict[str, tuple[str, int]]:
    """List the ports of a server by name: those of the APIs, of the IAM, and of provider states and control."""
    urls = {name: api["base_url"] for name, api in server.announcement["apis"].items()}
    urls["iam"] = server.announcement["iam_url"]
    urls["states"] = server.announcement["control_url"].removesuffix("/control")
    return {name: ("127.0.0.1", int(url.rpartition(":")[2])) for name, url in urls.items()}


def answers_in(data: bytes) -> list[tuple[int, bytes]]:
    """Split what a server sent into answers; nothing else may be there, and no fault of the server."""
    found = []
    while data:
        head = HEAD.match(data)
        assert head, data[:300]
        length = re.search(rb"content-length: ([0-9]+)\r\n", head[2])
        end = head.end() + (int(length[1]) if length else 0)
        assert len(data) >= end, data[:300]
        found.append((int(head[1]), data[head.end() : end]))
        data = data[end:]
    for status, body in found:
        assert status < 500, body
        assert b"Traceback" not in body
        assert b".py" not in body
    return found


class Client:
    """A well-behaved client on a kept connection."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self.socket = socket.create_connection(address, timeout=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def ask(self, request: bytes = START + b"\r\n") -> tuple[int, bytes]:
        """Send a request and read its answer; goes on over a new connection where the server ended this one."""
        self.socket.sendall(request)
        data = b""
        while True:
            part = self.socket.recv(65536)
            data += part
            if not part:
                self.socket.close()
                self.socket = socket.create_connection(self._address, timeout=20)
                break
            head = HEAD.match(data)
            length = head and re.search(rb"content-length: ([0-9]+)\r\n", head[2])
            whole = head and len(data) >= head.end() + (int(length[1]) if length else 0)
            if whole and b"connection: close" not in data[: head.end()]:  # type: ignore[union-attr]  # it is whole
                break
        [answer] = answers_in(data)
        return answer


def talk(address: tuple[str, int], data: bytes) -> list[tuple[int, bytes]]:
    """Send bytes, then nothing more, and read until the server hangs up."""
    with socket.create_connection(address, timeout=20) as connection:
        received = b""
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(65536):
                received += part
    return answers_in(received)


def is_ended(connection: socket.socket) -> bool:
    """Wait until the server ends a connection over which it owes nothing."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


# ----------------------------------------------------------------------------------------------------- fuzzing

SEEDS = (
    START + b"Content-Length: 5\r\n\r\nabcde",
    START + b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nabcde\r\n0\r\nTrailer: x\r\n\r\n",
    b"PUT /ai_jobs/x?cancel HTTP/1.1\r\nHost: x\r\nAuthorization: q-sign-algorithm=sha1&q-ak=x\r\n\r\n",
    b"DELETE /v1.0/p/jobs/x HTTP/1.1\r\nHost: x\r\nX-Sdk-Date: 20260101T000000Z\r\n"
    b"Authorization: SDK-HMAC-SHA256 Access=x, SignedHeaders=host;x-sdk-date, Signature=00\r\n\r\n",
    b'POST /v3/auth/tokens HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n{"auth":{}}',
    b"GET /control/journal?api=*&limit=3 HTTP/1.1\r\nHost: x\r\n\r\n",
)
WORDS = (
    *(b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"\x00", b"\x7f", b"\x80", b"\xff", b"%", b"%00", b"%2e%2e"),
    *(b"..", b"//", b"/", b"?", b"#", b"*", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.1 " * 3, b"http://[::1", b"@"),
    *(b"Content-Length: 18446744073709551616\r\n", b"Content-Length: -1\r\n", b"Content-Length: 0x10\r\n"),
    *(
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Expect: 100-continue\r\n",
    ),
    *(
        b"Connection: close\r\n",
        b"Connection: upgrade\r\nUpgrade: websocket\r\n",
        b"Host: y\r\n",
        b"\r\n\r\n",
    ),
    *(b"0\r\n\r\n", b"ffffffffffffffffff\r\n", b"a" * 5000, b"x: y\r\n" * 300),
)
pieces = st.sampled_from(WORDS) | st.binary(max_size=8)


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """Give a request with a few places overwritten, removed, doubled or grown."""
    data = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 12)))
        put = draw(pieces) if draw(st.booleans()) else data[start:end] * 2
        data = data[:start] + put + data[end:]
    return data


@fuzzed
@given(requests=st.lists(mangled(), min_size=8, max_size=12), index=st.integers(0, 4))
def test_mangled_requests_get_an_answer_or_the_door(
    server: MockServer, requests: list[bytes], index: int
) -> None:
    address = list(addresses(server).values())[index]
    for request in requests:
        if not any(
            word in request for word in (b"HEAD", b"100-continue")
        ):  # whose answers are framed otherwise
            talk(address, request)
    # All at once over one connection, where each finds what the former left behind.
    if not any(b"100-continue" in request for request in requests):
        talk(address, b"".join(requests))


TARGET_BYTES = bytes(set(range(0x21, 0x7F)) - set(b"#"))
targets = st.lists(
    st.sampled_from([bytes([byte]) for byte in TARGET_BYTES]) | st.sampled_from(WORDS[10:19]), max_size=20
)
names = st.text("abcdefghijklmnopqrstuvwxyz-_", min_size=1, max_size=12)
known_names = st.sampled_from(
    [
        "authorization",
        "x-auth-token",
        "x-sdk-date",
        "x-security-token",
        "x-project-id",
        "user-agent",
        "content-type",
    ]
)
values = st.binary(max_size=30).map(
    lambda value: bytes(byte for byte in value if byte >= 0x20 and byte != 0x7F)
)
heads = st.tuples(
    st.sampled_from(["GET", "PUT", "DELETE", "POST", "PATCH", "OPTIONS"]),
    targets.map(b"".join),
    st.lists(st.tuples(known_names | names, values), max_size=6),
)


@fuzzed
@given(asked=st.lists(heads, min_size=10, max_size=20), index=st.integers(0, 4))
def test_every_request_of_whatever_bytes_is_answered(
    server: MockServer, asked: list[tuple[str, bytes, list[tuple[str, bytes]]]], index: int
) -> None:
    with Client(list(addresses(server).values())[index]) as client:
        for method, target, headers in asked:
            lines = [
                name.encode() + b": " + value + b"\r\n"
                for name, value in headers
                if name not in {"connection", "upgrade", "expect"}
            ]
            path = target.replace(b" ", b"").replace(b"#", b"")
            client.ask(b"%b /%b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (method.encode(), path, b"".join(lines)))


chunk_pieces = st.sampled_from(
    [
        *(
            b"5\r\nabcde\r\n",
            b"5\r\nabcdef\r\n",
            b"5\nabcde\n",
            b"0\r\n\r\n",
            b"0\r\n",
            b"00000000005\r\nabcde\r\n",
        ),
        *(
            b"5;x\r\nabcde\r\n",
            b'5;x="\r\n"\r\nabcde\r\n',
            b"-1\r\n",
            b"+5\r\nabcde\r\n",
            b"0x5\r\nabcde\r\n",
        ),
        *(
            b"\r\n",
            b";\r\n",
            b"g\r\n",
            b"fffffffffffffffff\r\n",
            b" 5\r\nabcde\r\n",
            b"5 \r\nabcde\r\n",
            b"T: x\r\n",
        ),
    ]
)


@fuzzed
@given(bodies=st.lists(st.lists(chunk_pieces, max_size=6).map(b"".join), min_size=5, max_size=8))
def test_garbled_chunks_are_refused_or_read(server: MockServer, bodies: list[bytes]) -> None:
    for name, address in addresses(server).items():
        if name != "huaweicloud-dli":  # which is served as its twin is
            for body in bodies[:3]:
                talk(address, START + b"Transfer-Encoding: chunked\r\n\r\n" + body)


# ------------------------------------------------------------------------------------------ slow and idle clients


SMALL = Limits(request_seconds=0.2, connections=1000)


@pytest.mark.parametrize(
    "begun",
    [
        b"DEL",
        START,
        START + b"Content-Length: 10\r\n\r\nabc",
        START + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
        START + b"Transfer-Encoding: chunked\r\n\r\n0\r\n",
    ],
)
def test_connections_over_which_no_more_of_a_request_comes_are_closed(begun: bytes) -> None:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(run_embedded(["otc-dli"], limits=SMALL))
        address = addresses(server)["otc-dli"]
        slow = [stack.enter_context(socket.create_connection(address, timeout=20)) for _ in range(30)]
        for connection in slow:
            connection.sendall(begun)
        with Client(address) as client:
            assert client.ask()[0] == 401
        assert all(is_ended(connection) for connection in slow)


def test_idle_connections_are_closed_after_a_while() -> None:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(run_embedded(["otc-dli"], limits=Limits(idle_seconds=0.2)))
        idle = [
            stack.enter_context(socket.create_connection(addresses(server)["otc-dli"], timeout=20))
            for _ in range(30)
        ]
        for connection in idle[:10]:
            connection.sendall(b"\r\n\r\n")
        assert all(is_ended(connection) for connection in idle)


@pytest.mark.parametrize("begun", [START, START + b"Transfer-Encoding: chunked\r\n\r\n"])
def test_a_request_that_drips_is_not_waited_for(begun: bytes) -> None:
    with run_embedded(["otc-dli"], limits=SMALL) as server:
        address = addresses(server)["otc-dli"]
        with Client(address) as client, socket.create_connection(address) as slow:
            slow.sendall(begun)
            slow.settimeout(0.01)  # the pace of the drops
            ended = False
            drops = iter(b"x-header: a\r\n" * 1000 if begun == START else b"1\r\na\r\n" * 1000)
            while not ended:
                try:
                    slow.sendall(bytes([next(drops)]))
                    ended = slow.recv(1) == b""
                except TimeoutError:
                    assert client.ask()[0] == 401
                except ConnectionError:
                    ended = True


def test_a_client_that_takes_no_answers_is_closed() -> None:
    with run_embedded(["otc-dli"], limits=SMALL) as server:
        address = addresses(server)["otc-dli"]
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * KB)
            deaf.settimeout(20)
            deaf.connect(address)
            with contextlib.suppress(ConnectionError), Client(address) as client:
                while True:  # until the server ends it
                    deaf.sendall((START + b"\r\n") * 500)
                    assert client.ask()[0] == 401


def test_idle_connections_keep_nobody_out(server: MockServer) -> None:
    address = addresses(server)["otc-dli"]
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(Client(address)) for _ in range(400)]
        new = stack.enter_context(Client(address))
        assert {new.ask()[0] for _ in range(100)} == {401}
        assert {client.ask()[0] for client in idle} == {401}


def test_a_further_connection_takes_the_place_of_the_longest_idle() -> None:
    limits = Limits(connections=20)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(run_embedded(["otc-dli"], limits=limits))
        address = addresses(server)["otc-dli"]
        clients = []
        for _ in range(30):
            clients.append(stack.enter_context(Client(address)))
            assert clients[-1].ask()[0] == 401  # so they are idle in their order
        assert is_ended(clients[0].socket)
        assert {client.ask()[0] for client in clients[-15:]} == {401}


class Held:
    """A connection that is idle since a moment, or busy."""

    def __init__(self, since: float | None) -> None:
        self.since = since
        self.open = True

    def overdue(self, now: float, limits: Limits) -> bool:
        return False

    def idle_since(self) -> float | None:
        return self.since

    def give_up(self) -> None:
        self.open = False


class Loop:
    """Calls nobody."""

    def call_later(self, *_: object) -> None:
        """Do nothing."""


def test_busy_connections_never_make_room() -> None:
    guard = Guard(Limits(connections=3))
    held = [Held(None), Held(5.0), Held(2.0), Held(9.0)]
    for connection in held:
        guard.came(connection, Loop())  # type: ignore[arg-type]
    assert [connection.open for connection in held] == [True, True, False, True]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_the_limits_leave_room_for_connections_that_are_just_accepted() -> None:
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limits = Limits()
    assert limits.connections + 5 * limits.backlog < soft


# ------------------------------------------------------------------------------------------------ bodies and bombs


def peak_memory() -> int:
    """Tell the most memory that this process, with the server in it, has held, in bytes (Linux)."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KB


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of the figure is another one elsewhere")
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("otc-dli", b"DELETE /v1.0/p/jobs/x"),
        ("tencent-ci", b"PUT /ai_jobs/x?cancel"),
        ("iam", b"POST /v3/auth/tokens"),
        ("states", b"POST /control/disturbances"),
    ],
)
def test_a_body_of_100_mb_is_refused_and_not_kept(
    server: MockServer, name: str, line: bytes, *, chunked: bool
) -> None:
    piece = bytes(MB)
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % (100 * MB)
    before = peak_memory()
    with (
        Client(addresses(server)["otc-dli"]) as other,
        socket.create_connection(addresses(server)[name], timeout=20) as connection,
    ):
        connection.sendall(line + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + length + b"\r\n\r\n")
        received = b""
        with contextlib.suppress(ConnectionError):  # the server may end it before all was sent
            for number in range(100):
                connection.sendall(b"%x\r\n%b\r\n" % (MB, piece) if chunked else piece)
                if number % 25 == 0:
                    assert other.ask()[0] == 401
            if chunked:
                connection.sendall(b"0\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(65536):
                received += part
    assert {status for status, _ in answers_in(received)} <= {413}
    assert peak_memory() - before < 30 * MB


def test_a_signature_over_thousands_of_headers_is_checked_like_any_other(server: MockServer) -> None:
    keys = server.announcement["apis"]["otc-dli"]["credentials"]
    listed = [f"h{number:x}" for number in range(5000)]
    target = f"/v1.0/{server.announcement['apis']['otc-dli']['project_id']}/jobs/x"
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    signed = ";".join([*listed, "x-sdk-date"])
    head = f"DELETE {target} HTTP/1.1\r\nHost: x\r\nX-Sdk-Date: {date}\r\n" + "".join(
        f"{name}:\r\n" for name in listed
    )
    authorization = (
        f"SDK-HMAC-SHA256 Access={keys['access_key']}, SignedHeaders={signed}, Signature={'0' * 64}"
    )
    with Client(addresses(server)["otc-dli"]) as client:
        status, body = client.ask(f"{head}Authorization: {authorization}\r\n\r\n".encode())
        assert (status, json.loads(body)["error_code"]) == (401, "APIGW.0301")
        keys = server.announcement["apis"]["tencent-ci"]["credentials"]
    now = int(time.time())
    fields = f"q-sign-algorithm=sha1&q-ak={keys['secret_id']}&q-sign-time={now};{now + 60}&q-key-time={now};{now + 60}"
    authorization = f"{fields}&q-header-list={';'.join(listed)}&q-url-param-list=&q-signature={'0' * 40}"
    head = "PUT /ai_jobs/x?cancel HTTP/1.1\r\nHost: x\r\n" + "".join(f"{name}:\r\n" for name in listed)
    with Client(addresses(server)["tencent-ci"]) as client:
        assert client.ask(f"{head}Authorization: {authorization}\r\n\r\n".encode())[0] in {401, 403}


LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%b">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]><l>&j;</l>"
)
BOMBS = {
    "nested arrays": b"[" * 60_000,
    "nested arrays, closed": b"[" * 30_000 + b"]" * 30_000,
    "nested objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "nested where an object is expected": b'{"auth":{"identity":'
    + b'{"a":' * 8_000
    + b"1"
    + b"}" * 8_000
    + b"}}",
    "a number of many digits": b'{"kind":"latency","seconds":' + b"9" * 60_000 + b"}",
    "a number beyond all": b'{"kind":"latency","seconds":1e999}',
    "no number": b'{"kind":"latency","seconds":NaN}',
    "many members": b"{" + b",".join(b'"%d":0' % n for n in range(7000)) + b"}",
    "a member repeated": b"{" + b'"api":"otc-dli",' * 3000 + b'"api":"x"}',
    "half a pair of surrogates": b'{"api":"\\ud800","operation":"\\udfff","state":"x","owner":"self"}',
    "bytes that are no text": b'{"api":"\xff\xfe"}',
    "UTF-16": '{"api":"x"}'.encode("utf-16"),
    "entities": LAUGHS,
    "over the limit": b" " * 70_000,
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("states", b"/control/disturbances"),
        ("states", b"/provider-states/jobs"),
        ("states", b"/provider-states/credentials"),
        ("iam", b"/v3/auth/tokens"),
        ("iam", b"/v3.0/OS-CREDENTIAL/securitytokens"),
        ("tencent-ci", b"/ai_jobs/x?cancel"),
    ],
)
def test_bombs_are_refused(server: MockServer, name: str, path: bytes, bomb: str) -> None:
    body = BOMBS[bomb]
    method = b"PUT" if name == "tencent-ci" else b"POST"
    head = b"%b %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (method, path, len(body))
    with Client(addresses(server)[name]) as client:
        assert 400 <= client.ask(head + body)[0] < 500
        assert not server.disturbances.active


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
members = st.sampled_from(
    [
        *(
            "auth",
            "identity",
            "methods",
            "password",
            "user",
            "domain",
            "name",
            "token",
            "id",
            "scope",
            "project",
        ),
        *(
            "duration_seconds",
            "policy",
            "api",
            "operation",
            "state",
            "owner",
            "kind",
            "seconds",
            "status",
            "apis",
        ),
    ]
)
words = st.sampled_from(
    ["password", "token", "assume_role", "otc-dli", "cancelSqlJob", "RUNNING", "self", "good", "x"]
)
documents = st.recursive(
    scalars | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(members, inner, max_size=6),
    max_leaves=20,
)


@fuzzed
@given(contents=st.lists(documents, min_size=5, max_size=10))
def test_json_of_any_shape_is_answered(server: MockServer, contents: list[object]) -> None:
    calls = [
        ("states", b"/control/disturbances"),
        ("states", b"/provider-states/jobs"),
        ("iam", b"/v3/auth/tokens"),
    ]
    calls += [("states", b"/provider-states/credentials"), ("iam", b"/v3.0/OS-CREDENTIAL/securitytokens")]
    with contextlib.ExitStack() as stack:
        clients = {name: stack.enter_context(Client(addresses(server)[name])) for name in ("states", "iam")}
        for number, content in enumerate(contents):
            name, path = calls[number % len(calls)]
            body = json.dumps(content).encode()
            clients[name].ask(
                b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (path, len(body), body)
            )
        server.disturbances.reset()
