"""Keep a key from being locked: no row of failures long enough, however many threads send under it."""

from __future__ import annotations

import threading
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# The gateway locks a key after more than 5 failures in a row; staying well below protects a user's key.
MAX_FAILURES_IN_A_ROW = 3


@dataclass
class _Row:
    """The failures under one key: how many were sent, answered, and are known to lie before a good request.

    *refused* are the places of the good requests among them, *under_way* how many good ones are being sent.
    """

    turn: threading.RLock = field(default_factory=threading.RLock)
    free: threading.Condition = field(default_factory=threading.Condition)
    sent: int = 0
    answered: int = 0
    cleared: int = 0
    refused: list[int] = field(default_factory=list)
    under_way: int = 0


class KeyGuard:
    """Counts the failures in a row under each key; threads may share one."""

    def __init__(self) -> None:
        self._rows: defaultdict[str, _Row] = defaultdict(_Row)
        self._lock = threading.Lock()

    def row(self, key_id: str) -> int:
        """Return how many failures in a row a server may have counted under *key_id*."""
        row = self._row(key_id)
        return row.sent - row.cleared

    @contextmanager
    def turn(self, key_id: str) -> Iterator[None]:
        """Wait until no other thread has a failing request under *key_id* on its way."""
        with self._row(key_id).turn:
            yield

    @contextmanager
    def failing(self, key_id: str) -> Iterator[None]:
        """Count what is sent inside as a failure under *key_id*."""
        row = self._row(key_id)
        with row.turn:
            with self._lock:
                row.sent += 1
            try:
                yield
            finally:
                with self._lock:
                    row.answered += 1

    @contextmanager
    def good(self, key_id: str) -> Iterator[None]:
        """Wait until a good request may be sent under *key_id*: alone after a failure, else with few others.

        Should the server refuse all of them, as one does that was given the wrong secret, they are a row of failures.
        """
        row = self._row(key_id)
        with row.free:
            row.free.wait_for(
                lambda: (
                    not row.under_way or (row.under_way < MAX_FAILURES_IN_A_ROW and row.sent == row.cleared)
                )
            )
            row.under_way += 1
        try:
            yield
        finally:
            with row.free:
                row.under_way -= 1
                row.free.notify_all()

    def refuse(self, key_id: str) -> None:
        """Take note that a good request under *key_id* was refused, which is a failure in the row too."""
        row = self._row(key_id)
        with self._lock:
            row.sent += 1
            row.answered += 1
            row.refused.append(row.sent)

    def good_are_refused(self, key_id: str) -> bool:
        """Tell whether nothing but good requests makes up a full row: one more would be refused as they were."""
        row = self._row(key_id)
        with self._lock:
            return sum(place > row.cleared for place in row.refused) >= MAX_FAILURES_IN_A_ROW

    def mark(self, key_id: str) -> int:
        """Return the place, in the row of failures under *key_id*, of a good request that is about to be sent."""
        return self._row(key_id).answered

    def clear(self, key_id: str, mark: int) -> None:
        """Take note that the good request of *mark* was accepted: failures answered before it count no longer."""
        row = self._row(key_id)
        with self._lock:
            row.cleared = max(row.cleared, mark)

    def _row(self, key_id: str) -> _Row:
        with self._lock:
            return self._rows[key_id]
