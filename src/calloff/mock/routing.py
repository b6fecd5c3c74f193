"""Finding the call a request names, on the raw path, by whole segments."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from calloff.mock.pipeline import Case, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from calloff.apis import Operation
    from calloff.mock.pipeline import Call, Exchange

    _Row = tuple[
        tuple[Call, ...],
        int,
        Callable[[list[bytes]], tuple[bytes, ...]],
        tuple[bytes, ...],
        list[tuple[int, str]],
    ]

_NO_SEGMENT = frozenset({"", ".", ".."})


class Router:
    """Match requests against the templates of operations and of their status calls.

    They are few: a list is the fastest table. Fixed segments are compared byte by byte. A parameter is
    percent-decoded once; where that gives a slash, a dot segment or nothing, the path is another one and unknown.
    Bytes of it that are no UTF-8 stay visible as U+FFFD, which is in no id.
    """

    def __init__(self, operations: Iterable[Operation]) -> None:
        by_path: dict[str, list[Call]] = {}
        for operation in operations:
            by_path.setdefault(operation.path, []).append(operation)
            by_path.setdefault(operation.status.path, []).append(operation.status)
        self._table = [_row(path, calls) for path, calls in by_path.items()]

    def match(self, exchange: Exchange) -> tuple[Call, dict[str, str]]:
        """Find what the path names, whatever the method, and its decoded path parameters.

        Where several calls have the path, the first one is meant unless the method is that of another one. A query
        that names the cancel means the cancel, which no other method can ask for.

        Raises:
            Refusal: UNKNOWN_PATH.
        """
        segments = exchange.raw_path.split(b"/")
        for calls, length, fixed, expected, names in self._table:
            if len(segments) == length and fixed(segments) == expected:
                call = calls[0]
                if len(calls) > 1 and exchange.method != call.method and not _named(call.query, exchange):
                    call = next((other for other in calls if other.method == exchange.method), call)
                if b"%" in exchange.raw_path:
                    segments = [_decoded(segment) for segment in segments]
                parameters = {name: segments[index].decode("utf-8", "replace") for index, name in names}
                if not _NO_SEGMENT.isdisjoint(parameters.values()):
                    break
                return call, parameters
        raise Refusal(Case.UNKNOWN_PATH)


def _row(path: str, calls: Iterable[Call]) -> _Row:
    """Give what is looked at: how many segments, the fixed ones, and the names of the others with their places."""
    parts = list(enumerate(path.split("/")))
    fixed = [index for index, part in parts if not part.startswith("{")]
    names = [(index, part.strip("{}")) for index, part in parts if part.startswith("{")]
    pick: Callable[[list[bytes]], tuple[bytes, ...]] = itemgetter(*fixed)  # of two or more: a tuple
    return tuple(calls), len(parts), pick, pick([part.encode() for _, part in parts]), names


def _named(parameter: str, exchange: Exchange) -> bool:
    """Tell whether the query has a parameter, with a value or without."""
    names = (unquote_to_bytes(piece.partition(b"=")[0]) for piece in exchange.query.split(b"&"))
    return parameter.encode() in names


def _decoded(segment: bytes) -> bytes:
    """Decode a segment once."""
    if b"%" in segment:
        segment = unquote_to_bytes(segment)
        if b"/" in segment:
            raise Refusal(Case.UNKNOWN_PATH)
    return segment
