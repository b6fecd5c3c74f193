"""How many requests a server has answered, by the application that did."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Answered:
    """Counts whole answers; those that a disturbance cuts short are none.

    Args:
        names: of the applications.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._counts = dict.fromkeys(names, 0)

    def add(self, name: str) -> None:
        """Count one answer of an application."""
        self._counts[name] += 1

    def told(self) -> dict[str, int]:
        """Tell the counts by application."""
        return dict(self._counts)

    def clear(self) -> None:
        """Begin at nothing."""
        self._counts = dict.fromkeys(self._counts, 0)
