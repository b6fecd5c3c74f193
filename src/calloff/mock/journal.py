"""What the APIs of a server were asked and how they answered: bounded, and without secrets."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from calloff.mock.pipeline import Exchange

LENGTH = 1000
MASK = "***"
LONGEST_SEGMENT = 64  # of a path: no id is longer, a token is
_LONGEST_PATH = 2048
_LONGEST_AGENT = 400
_LONGEST_NAMES = 1024
_LONGEST_TYPE = 100
_PLAIN_QUERIES = frozenset({b"cancel", b"cancel="})
_NAMES = frozenset(  # of query parameters that tell no secret; others could be one
    {
        *(
            "cancel",
            "sign",
            "x-auth-token",
            "x-ci-security-token",
            "x-cos-security-token",
            "x-security-token",
        ),
        *("q-sign-algorithm", "q-ak", "q-sign-time", "q-key-time", "q-header-list", "q-url-param-list"),
        "q-signature",
    }
)
# What an Authorization says was signed, and no more of it: of SDK-HMAC-SHA256 and of q-sign.
_SIGNED_HEADERS = re.compile(rb"[ ,&](?:SignedHeaders|q-header-list)=([a-z0-9;_.%-]{1,1024})(?:[,&]|$)")
_SIGNED_PARAMETERS = re.compile(rb"&q-url-param-list=([a-z0-9;_.%-]{1,1024})(?:&|$)")
_CASE = re.compile(r"(?:^|\s)case/(\S+)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One request.

    Args:
        number: 1 for the first request that the server got.
        time: when it came, by the server's clock, in epoch seconds.
        api: name of the API.
        operation: what it names, empty where that is no operation.
        method: as sent; empty where the bytes were no request.
        target: path and query as sent, every value of the query and every long part of the path masked.
        headers: names of the headers in lower case, in their order.
        content_type: the Content-Type, empty without.
        signed_headers: names of the headers that its Authorization says are signed.
        signed_parameters: names of the query parameters that it says are signed.
        user_agent: the User-Agent.
        case: what follows ``case/`` in it, empty without.
        status: of the answer; None where none left.
        request_id: of the answer.
        ms: from the request to its answer, in milliseconds.
        disturbances: the kinds that struck it.
    """

    number: int
    time: float
    api: str
    operation: str
    method: str
    target: str
    headers: tuple[str, ...]
    content_type: str
    signed_headers: tuple[str, ...]
    signed_parameters: tuple[str, ...]
    user_agent: str
    case: str
    status: int | None
    request_id: str
    ms: float
    disturbances: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries are wanted: patterns (`fnmatch`) for api, operation and case, and a status."""

    api: str = "*"
    operation: str = "*"
    case: str = "*"
    status: int | None = None

    def passes(self, entry: Entry) -> bool:
        """Tell whether an entry is wanted."""
        return (self.status is None or entry.status == self.status) and all(
            value == pattern or fnmatchcase(value, pattern)
            for value, pattern in (
                (entry.api, self.api),
                (entry.operation, self.operation),
                (entry.case, self.case),
            )
        )


_Values = tuple[
    bytes, bytes, bytes, bytes
]  # User-Agent, Content-Type, names of signed headers, of parameters
_Row = tuple[int, float, str, str, str, bytes, bytes, bytes, _Values, int | None, str, float, tuple[str, ...]]


class Journal:
    """The newest requests. Entering one is cheap; the words for it are found when it is read.

    Args:
        length: how many are kept.
    """

    def __init__(self, length: int = LENGTH) -> None:
        self._rows: deque[_Row] = deque(maxlen=length)
        self.total = 0

    def record(
        self,
        api: str,
        exchange: Exchange,
        status: int | None,
        seconds: float,
        disturbances: tuple[str, ...] = (),
    ) -> None:
        """Enter a request; of its query and headers only what is no secret is kept."""
        self.total += 1
        operation = getattr(exchange, "operation", None)
        query, authorization = exchange.query, exchange.last(b"authorization")
        self._rows.append(
            (
                self.total,
                exchange.now,
                api,
                "" if operation is None else operation.name,
                exchange.method,
                exchange.raw_path[:_LONGEST_PATH],
                query if not query or query in _PLAIN_QUERIES else masked_query(query),
                b"\n".join([name for name, _ in exchange.headers])[:_LONGEST_NAMES],
                (
                    exchange.last(b"user-agent")[:_LONGEST_AGENT],
                    exchange.last(b"content-type")[:_LONGEST_TYPE],
                    _names(_SIGNED_HEADERS, authorization),
                    _names(_SIGNED_PARAMETERS, authorization) if b"&" in authorization else b"",
                ),
                status,
                exchange.request_id,
                seconds,
                disturbances,
            )
        )

    def entries(self, wanted: Filter | None = None, *, limit: int | None = None) -> list[Entry]:
        """List what was asked, newest first.

        Args:
            wanted: which entries; all without.
            limit: how many at most.
        """
        return list(islice(self._wanted(wanted or Filter()), limit))

    def clear(self) -> None:
        """Forget every request; numbers start again."""
        self._rows.clear()
        self.total = 0

    def _wanted(self, wanted: Filter) -> Iterator[Entry]:
        for row in reversed(self._rows.copy()):
            entry = _entry(row)
            if wanted.passes(entry):
                yield entry


def masked_query(query: bytes) -> bytes:
    """Mask every value of a query, and every name but those of the vendors' documents."""
    parts = []
    for part in query[:_LONGEST_PATH].decode("latin-1").split("&"):
        name, equals, value = part.partition("=")
        shown = name if not name or name.lower() in _NAMES else MASK
        parts.append(f"{shown}{equals}{MASK if value else ''}")
    return "&".join(parts).encode()


def _names(pattern: re.Pattern[bytes], authorization: bytes) -> bytes:
    found = pattern.search(authorization)
    return found[1] if found else b""


def _split(names: bytes, separator: str) -> tuple[str, ...]:
    return tuple(names.decode("latin-1").split(separator)) if names else ()


def _entry(row: _Row) -> Entry:
    number, time, api, operation, method, path, query, names, values, status, request_id, seconds, struck = (
        row
    )
    agent, kind, signed_headers, signed_parameters = values
    segments = [
        segment if len(segment) <= LONGEST_SEGMENT else MASK for segment in path.decode("latin-1").split("/")
    ]
    user_agent = agent.decode("latin-1")
    case = _CASE.search(user_agent)
    return Entry(
        number=number,
        time=time,
        api=api,
        operation=operation,
        method=method,
        target="/".join(segments) + (f"?{query.decode('latin-1')}" if query else ""),
        headers=_split(names, "\n"),
        content_type=kind.decode("latin-1"),
        signed_headers=_split(signed_headers, ";"),
        signed_parameters=_split(signed_parameters, ";"),
        user_agent=user_agent,
        case=case[1] if case else "",
        status=status,
        request_id=request_id,
        ms=round(seconds * 1000, 3),
        disturbances=struck,
    )
