"""Counts failures in a row, and stops a run in which everything fails."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from calloff.answers import told_by_api
from calloff.bulk.retries import FIRST_WAIT
from calloff.errors import PermissionDeniedError, RefusedError

if TYPE_CHECKING:
    from calloff.apis import ApiName
    from calloff.bulk.guard import KeyGuard
    from calloff.bulk.outcome import Outcome
    from calloff.bulk.pace import Halt, Pace
    from calloff.bulk.retries import Budget
    from calloff.errors import CalloffError

_LOG = logging.getLogger("calloff.bulk")
_LONGEST_LONE_WAIT = 2.0  # seconds after a failure, while requests go alone


class Tally:
    """The failures in a row: of ids, and of requests while these go alone; ``most`` of them stop the run."""

    def __init__(
        self, api: ApiName, most: int, *, guard: KeyGuard, pace: Pace, halt: Halt, budget: Budget
    ) -> None:
        self._api, self._most = api, most
        self._guard, self._pace, self._halt, self._budget = guard, pace, halt, budget
        self._row = 0

    def request_failed(self, error: CalloffError) -> None:
        """Count a request, where it went alone."""
        if not self._guard.open:
            if not self._row:
                _LOG.warning("one request at a time until one gets through, after: %s", error)
            # Else the next ids would be tried, and fail, while this one waits for its second attempt.
            self._pace.pause(min(FIRST_WAIT * 2**self._row, _LONGEST_LONE_WAIT))
            self._failed(str(error))

    def answered(self) -> None:
        """Count an id of which the service told something, whatever becomes of the job."""
        self._row = 0
        self._budget.earn()

    def ended(self, outcome: Outcome, error: CalloffError | None) -> None:
        """Count an id whose cancel was not accepted; ``error`` is the last one it met."""
        refused = everywhere = False
        if isinstance(error, (RefusedError, PermissionDeniedError)):
            # DLI's 403 says that the caller may not do this, to any job; CI's may be about the job (COS-403).
            denied = isinstance(error, PermissionDeniedError) and self._api != "tencent-ci"
            # What is not in the words of the API is said by another server, of any path.
            everywhere = denied or not told_by_api(error)
            refused = not everywhere
        if outcome.result == "cancelled" or (outcome.result == "refused" and (outcome.state or refused)):
            self.answered()
        elif everywhere or (self._guard.open and not self._halt.reason):
            self._failed(outcome.reason)

    def _failed(self, why: str) -> None:
        self._row += 1
        if self._row >= self._most:
            self._halt.stop(f"{self._row} failures in a row, the last one: {why}")
