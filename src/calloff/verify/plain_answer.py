"""Read the answers that nearly all are: HTTP/1.1 with a Content-Length, which takes no state machine.

Whatever is out of the ordinary is left to h11, which takes five times as long and says what is wrong.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# RFC 9110, 5.1 and 5.5, RFC 9112, 4 and 5: without what is obsolete, and without empty values.
_HEAD = re.compile(
    rb"HTTP/1\.1 ([2-5][0-9][0-9]) [ -~]*\r\n((?:[-!#$%&'*+.^_`|~0-9A-Za-z]+: [!-~](?:[ -~]*[!-~])?\r\n)+)\r\n"
)
_LENGTH = re.compile("[0-9]{1,7}")
_LONGEST_HEAD = 8192
# What gives an answer another end than its Content-Length, or the connection one.
_FRAMING = frozenset({"transfer-encoding", "connection", "upgrade"})
_WITHOUT_BODY = frozenset({204, 304})


class PlainAnswer(NamedTuple):
    """Status, headers with names in lower case, and body; *whole* tells whether all of it is there."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    whole: bool


def plain_answer(received: bytes) -> PlainAnswer | None:
    """Return the answer that *received* is, or begins to be; None where it is not plain, or more than one."""
    head = _HEAD.match(received, 0, _LONGEST_HEAD)
    if head is None:
        return None
    headers = []
    length = None
    for line in head[2].decode("ascii").split("\r\n")[:-1]:
        name, _, value = line.partition(": ")
        name = name.lower()
        headers.append((name, value))
        if name in _FRAMING:
            return None
        if name == "content-length":
            if length is not None or not _LENGTH.fullmatch(value):
                return None
            length = int(value)
    status = int(head[1])
    if length is None or status in _WITHOUT_BODY:
        return None
    body = received[head.end() :]
    if len(body) > length:
        return None
    return PlainAnswer(status, tuple(headers), body, len(body) == length)
