"""Finding the operation a request names, on the raw path, by whole segments."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from calloff.mock.pipeline import Case, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from calloff.apis import Operation
    from calloff.mock.pipeline import Exchange

    _Row = tuple[
        Operation, int, Callable[[list[bytes]], tuple[bytes, ...]], tuple[bytes, ...], list[tuple[int, str]]
    ]

_NO_SEGMENT = frozenset({b"", b".", b".."})


class Router:
    """Match request paths against the templates of operations, which are few: a list is the fastest table.

    Fixed segments are compared byte by byte. A parameter is percent-decoded once; where that gives a slash,
    a dot segment or nothing, the path is another one and unknown.
    """

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._table = [_row(operation) for operation in operations]

    def match(self, exchange: Exchange) -> tuple[Operation, dict[str, str]]:
        """Find the operation of the path, whatever the method, and its decoded path parameters.

        Raises:
            Refusal: UNKNOWN_PATH.
        """
        segments = exchange.raw_path.split(b"/")
        for operation, length, fixed, expected, names in self._table:
            if len(segments) == length and fixed(segments) == expected:
                return operation, {name: _decoded(segments[index]) for index, name in names}
        raise Refusal(Case.UNKNOWN_PATH)


def _row(operation: Operation) -> _Row:
    """Give what is looked at: how many segments, the fixed ones, and the names of the others with their places."""
    parts = list(enumerate(operation.path.split("/")))
    fixed = [index for index, part in parts if not part.startswith("{")]
    names = [(index, part.strip("{}")) for index, part in parts if part.startswith("{")]
    pick: Callable[[list[bytes]], tuple[bytes, ...]] = itemgetter(*fixed)  # of two or more: a tuple
    return operation, len(parts), pick, pick([part.encode() for _, part in parts]), names


def _decoded(segment: bytes) -> str:
    """Decode a segment once; bytes that are no UTF-8 stay visible as U+FFFD, which is in no id."""
    if b"%" in segment:
        segment = unquote_to_bytes(segment)
    if segment in _NO_SEGMENT or b"/" in segment:
        raise Refusal(Case.UNKNOWN_PATH)
    return segment.decode("utf-8", "replace")
