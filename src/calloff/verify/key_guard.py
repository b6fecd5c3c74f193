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
    """The failures under one key: how many were sent, answered, and are known to lie before a good request."""

    turn: threading.RLock = field(default_factory=threading.RLock)
    sent: int = 0
    answered: int = 0
    cleared: int = 0


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
            row.sent += 1
            try:
                yield
            finally:
                row.answered += 1

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
