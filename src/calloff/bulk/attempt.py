"""One id from its first cancel to its outcome: send, judge, try again, settle by state."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from calloff.bulk.outcome import Outcome, Result
from calloff.bulk.retries import FIRST_WAIT, LONGEST_PAUSE, PendingError, Step, step_after
from calloff.errors import (
    ApiError,
    CalloffError,
    InvalidInputError,
    ThrottledError,
)
from calloff.prepare import checked
from calloff.states import JobState

if TYPE_CHECKING:
    from calloff.apis import Operation
    from calloff.bulk.exchange import Exchange
    from calloff.bulk.pace import Halt, Pace
    from calloff.bulk.retries import Policy
    from calloff.bulk.source import Task
    from calloff.bulk.tally import Tally

# The states that say that a job was cancelled. A Spark batch has none: it is dead, whatever it died of.
CANCELLED = frozenset({"Cancel", "CANCELLED"})
_DEAD = "dead"
# In a row, while the end of a job is waited for: one that was accepted a moment ago may not be found at once.
_REFUSED_LOOKS = 3
_SENT_BEFORE = "an earlier run may have sent a cancel"

_LOG = logging.getLogger("calloff.bulk")


@dataclass(frozen=True, slots=True)
class Waiting:
    """How an accepted cancel is followed until the job has ended: for how long, and how often; in seconds."""

    timeout: float
    poll: float


@dataclass(slots=True)
class _Trial:
    """What is known of an id whose first cancel did not settle it.

    ``unsettled``: a cancel may have worked; ``refused``: a later one was refused, so none is sent again.
    """

    job_id: str
    attempts: int = 0
    unsettled: bool = False
    refused: bool = False
    state: str = ""
    error: CalloffError | None = None


class Canceller:
    """Cancels one id after another, any number at a time; see the table in ``calloff.bulk.retries``.

    ``clock`` is a monotonic one, in seconds.
    """

    def __init__(
        self,
        operation: Operation,
        exchange: Exchange,
        *,
        policy: Policy,
        pace: Pace,
        halt: Halt,
        clock: Callable[[], float],
        waiting: Waiting | None,
        tally: Tally,
    ) -> None:
        self._key = operation.key
        self._parameter, self._pattern = (
            operation.job_parameter,
            operation.patterns[operation.job_parameter],
        )
        self._exchange, self._policy, self._pace, self._halt = exchange, policy, pace, halt
        self._clock, self._waiting, self._tally = clock, waiting, tally

    async def cancel(self, job_id: str) -> Outcome:
        """Cancel a job that nobody is known to have tried to cancel."""
        try:
            checked(self._parameter, job_id, self._pattern)
        except InvalidInputError as error:
            return Outcome(job_id, self._key, "not-sent", reason=str(error))
        found = await self._exchange.cancel(job_id)
        if isinstance(found, str):
            return await self._accepted(job_id, found, 1)
        trial = _Trial(job_id)
        try:
            return self._judged(trial, found)
        except PendingError as pending:
            return await self._persist(trial, pending)

    async def settle(self, job_id: str) -> Outcome:
        """Find out what became of a cancel that may have been sent before; cancel where the job still runs."""
        try:
            checked(self._parameter, job_id, self._pattern)
        except InvalidInputError as error:
            return Outcome(job_id, self._key, "not-sent", reason=str(error))
        return await self._persist(_Trial(job_id, unsettled=True), None)

    def left_alone(self, task: Task, reason: str) -> Outcome:
        """Make the outcome of an id that this run does not come to."""
        if task.sent_before:
            return Outcome(task.job_id, self._key, "unknown", reason=f"{_SENT_BEFORE}; {reason}")
        return Outcome(task.job_id, self._key, "not-sent", reason=reason)

    async def _persist(self, trial: _Trial, pending: PendingError | None) -> Outcome:
        try:
            async for attempt in self._policy.begin():
                with attempt:
                    if pending is not None:  # the first attempt was made already
                        first, pending = pending, None
                        raise first
                    return await self._again(trial)
        except PendingError:
            pass
        return await self._given_up(trial)

    async def _again(self, trial: _Trial) -> Outcome:
        if trial.unsettled:
            state = await self._exchange.state(trial.job_id)
            if isinstance(state, JobState):
                trial.state = state.state
                if state.final:
                    return self._ended(trial, state)
                if trial.refused:
                    raise PendingError  # the earlier cancel may still show
            else:
                trial.error = state
                if step_after(state) in (Step.END, Step.KEY, Step.HALT):
                    return self._unknown(trial, f"its state cannot be read: {state}")
                self._tally.request_failed(state)
                raise PendingError(self._asked(state))
        found = await self._exchange.cancel(trial.job_id)
        if isinstance(found, str):
            return await self._accepted(trial.job_id, found, trial.attempts + 1)
        return self._judged(trial, found)

    def _judged(self, trial: _Trial, error: CalloffError) -> Outcome:
        """Make the outcome of an id whose cancel met an error, or raise PendingError."""
        trial.error, step = error, step_after(error)
        if step is not Step.HALT:
            trial.attempts += 1
        if step is Step.END and trial.unsettled:
            trial.refused = True
            raise PendingError
        if step in (Step.END, Step.KEY):
            if trial.unsettled:
                return self._unknown(trial)
            # Status, code and request id stand beside the reason.
            text = error.text if isinstance(error, ApiError) else ""
            return self._outcome(trial, "refused", text or str(error))
        if step is Step.HALT:
            return self._unknown(trial) if trial.unsettled else self._outcome(trial, "not-sent", str(error))
        self._tally.request_failed(error)
        if step is Step.SETTLE:
            trial.unsettled = True
        _LOG.info("%s %s: attempt %d: %s", self._key, trial.job_id, trial.attempts, error)
        raise PendingError(self._asked(error))

    def _asked(self, error: CalloffError) -> float:
        """Let all wait where the service asks for it, and return the seconds."""
        seconds = (error.retry_after or 0.0) if isinstance(error, ApiError) else 0.0
        if isinstance(error, ThrottledError):
            seconds = max(seconds, FIRST_WAIT)
        if seconds > LONGEST_PAUSE:
            self._halt.stop(
                f"the service asks to wait {seconds:.0f} s, longer than a run waits ({LONGEST_PAUSE:g} s)"
            )
        elif seconds:
            self._pace.pause(seconds)
        return seconds

    async def _given_up(self, trial: _Trial) -> Outcome:
        """Make the outcome of an id for which no attempt is left."""
        if not trial.unsettled:
            result: Result = "refused" if isinstance(trial.error, ThrottledError) else "not-sent"
            return self._outcome(trial, result, self._why(trial))
        state = await self._exchange.state(trial.job_id)
        if isinstance(state, JobState):
            trial.state = state.state
            if state.final:
                return self._ended(trial, state)
        return self._unknown(trial)

    def _why(self, trial: _Trial) -> str:
        stopped = f"; not tried again, as the run stopped: {self._halt.reason}" if self._halt.reason else ""
        return f"{trial.error or _SENT_BEFORE}{stopped}"

    def _unknown(self, trial: _Trial, why: str = "") -> Outcome:
        state = f"; its state is {trial.state}" if trial.state else ""
        return self._outcome(trial, "unknown", (why or self._why(trial)) + state)

    def _ended(self, trial: _Trial, state: JobState) -> Outcome:
        """Make the outcome of a job that has ended after a cancel that may have worked."""
        if state.state in CANCELLED:
            return self._outcome(trial, "cancelled", "no answer told it, its state does")
        if state.state == _DEAD:
            return self._outcome(
                trial, "unknown", "it is dead, and so is a batch that was cancelled and one that failed"
            )
        return self._outcome(trial, "refused", f"it ended otherwise: {state.state}")

    def _outcome(self, trial: _Trial, result: Result, reason: str) -> Outcome:
        told = trial.error if isinstance(trial.error, ApiError) else None
        outcome = Outcome(
            trial.job_id,
            self._key,
            result,
            trial.state,
            told.status if told else None,
            told.code if told else "",
            reason,
            told.request_id if told else "",
            trial.attempts,
        )
        _LOG.info(
            "%s %s: %s (request id %s): %s",
            self._key,
            trial.job_id,
            result,
            outcome.request_id or "-",
            reason,
        )
        if trial.state == _DEAD:
            self._tally.answered()  # by a state that does not tell enough, which is no failure
        else:
            self._tally.ended(outcome, trial.error)
        return outcome

    async def _accepted(self, job_id: str, request_id: str, attempts: int) -> Outcome:
        self._tally.answered()
        _LOG.debug("%s %s: accepted (request id %s)", self._key, job_id, request_id or "-")
        if self._waiting is None:
            return Outcome(
                job_id, self._key, "cancelled", status=200, request_id=request_id, attempts=attempts
            )
        end = self._clock() + self._waiting.timeout
        known, trouble, refused = "", "", 0
        while refused < _REFUSED_LOOKS:
            state = await self._exchange.state(job_id)
            if isinstance(state, JobState):
                known, trouble, refused = state.state, "", 0
                if state.final:
                    result: Result = "cancelled" if known in CANCELLED or known == _DEAD else "refused"
                    reason = (
                        "" if result == "cancelled" else f"accepted, and yet the job ended otherwise: {known}"
                    )
                    return Outcome(job_id, self._key, result, known, 200, "", reason, request_id, attempts)
            else:
                trouble = f"; its state cannot be read: {state}"
                refused = refused + 1 if step_after(state) is Step.END else 0
                self._asked(state)
            left = end - self._clock()
            if left <= 0 or self._halt.reason:
                break
            await self._halt.sleep(min(self._waiting.poll, left))
        if refused == _REFUSED_LOOKS:
            why = f"asked {refused} times"
        else:
            why = f"the run stopped: {self._halt.reason}" if self._halt.reason else "not in time"
        reason = f"accepted, and not seen to end ({why}){trouble}"
        return Outcome(job_id, self._key, "unknown", known, 200, "", reason, request_id, attempts)
