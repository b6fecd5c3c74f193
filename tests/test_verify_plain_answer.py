"""The quick reading of answers: it says what h11 says, or leaves the answer to it."""

from __future__ import annotations

from collections.abc import Iterator

import h11
import pytest

from calloff.verify.plain_answer import PlainAnswer, plain_answer

ANSWER = (
    b"HTTP/1.1 404 Not Found\r\nDate: Sun, 22 Nov 2026 10:00:00 GMT\r\nContent-Type: application/xml\r\n"
    b"content-length: 5\r\nx-ci-request-id: a b\r\n\r\n<a/>\n"
)


def by_h11(received: bytes) -> PlainAnswer | None:
    """Read one whole answer after which the connection can go on; None where it is something else."""
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    parser.send(h11.EndOfMessage())
    parser.receive_data(received)
    head = None
    body = b""
    try:
        while not isinstance(event := parser.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                return None
    except h11.RemoteProtocolError:
        return None
    if head is None or parser.their_state is not h11.DONE or parser.trailing_data[0]:
        return None
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers)
    return PlainAnswer(head.status_code, headers, body, True)


def damaged() -> Iterator[bytes]:
    """Yield the answer with one byte left out, put in or replaced, in every place."""
    for place in range(len(ANSWER)):
        yield ANSWER[:place] + ANSWER[place + 1 :]
        for byte in (b"\0", b"\t", b"\n", b"\r", b" ", b"0", b"9", b":", b",", b"A", b"\x7f", b"\xe9"):
            yield ANSWER[:place] + byte + ANSWER[place:]
            yield ANSWER[:place] + byte + ANSWER[place + 1 :]


def test_a_plain_answer_is_read_as_h11_reads_it() -> None:
    read = plain_answer(ANSWER)

    assert read is not None
    assert read.status == 404
    assert read.headers[-1] == ("x-ci-request-id", "a b")
    assert read.body == b"<a/>\n"
    assert read == by_h11(ANSWER)


def test_whatever_is_read_whole_is_what_h11_reads() -> None:
    read = {answer: found for answer in damaged() if (found := plain_answer(answer)) and found.whole}

    assert len(read) > 500
    assert {answer: by_h11(answer) for answer in read} == read


def test_an_answer_is_whole_with_its_last_byte() -> None:
    head = ANSWER.index(b"<")

    assert all(plain_answer(ANSWER[:end]) is None for end in range(head))
    for end in range(head, len(ANSWER)):
        begun = plain_answer(ANSWER[:end])
        assert begun is not None
        assert (begun.whole, begun.body) == (False, ANSWER[head:end])


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nServer: a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0, 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nServer:\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nServer: a\r\n b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nServer: " + b"a" * 9000 + b"\r\n\r\n",
    ],
)
def test_what_is_out_of_the_ordinary_is_left_to_h11(answer: bytes) -> None:
    assert plain_answer(answer) is None
