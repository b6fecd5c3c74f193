"""What is done about each answer, and how long between two attempts; the waiting and counting is tenacity's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from calloff.errors import (
    AuthenticationError,
    CalloffError,
    CredentialError,
    InvalidInputError,
    MissingExtraError,
    NoAnswerError,
    PermissionDeniedError,
    RefusedError,
    ServerError,
    ThrottledError,
    UnexpectedAnswerError,
    UnreachableError,
)

if TYPE_CHECKING:
    from tenacity import AsyncRetrying, RetryCallState

    from calloff.bulk.pace import Halt

# Seconds before the second attempt; each following wait is twice as long, up to the second figure.
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
# Seconds of the longest Retry-After that is waited out.
LONGEST_PAUSE = 120.0


class StoppedError(CalloffError):
    """The run stopped before this was sent."""


class Step(Enum):
    """What is done about an answer."""

    END = auto()  # it is the outcome
    AGAIN = auto()  # nothing was done: send again after a wait
    PAUSE = auto()  # nothing was done, and nobody sends before the pause is over
    SETTLE = auto()  # perhaps it was done: read the state after a wait, and send again only if it still runs
    KEY = auto()  # it is the outcome, and the credential is in question
    HALT = auto()  # nothing can be sent any more


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table: what comes back, what is done, how the job ends, and the errors that mean it."""

    answer: str
    action: str
    result: str
    step: Step
    errors: tuple[type[CalloffError], ...] = ()


RULES: tuple[Rule, ...] = (
    Rule(
        "a 200 as documented, or an empty one",
        "nothing more; with `wait`, the state is read until it is final",
        "cancelled; with `wait` as the state says: refused where the job ended otherwise, unknown where it has not "
        "ended in time",
        Step.END,
    ),
    Rule(
        "a refusal: 4xx, or `is_success: false`",
        "never sent again; after a cancel that got no answer the state is read, as that one may have worked",
        "refused; cancelled where the state says so",
        Step.END,
        (RefusedError, PermissionDeniedError),
    ),
    Rule(
        "the credential is not accepted: 401 and its likes",
        "an ended token is renewed, a clock that is more than 30 s off is corrected by the server's Date, once each, "
        "and the cancel sent again; else one request at a time, and at the third in a row the run stops",
        "refused; the rest not-sent",
        Step.KEY,
        (AuthenticationError,),
    ),
    Rule(
        "429",
        "all wait as long as Retry-After says, then it is sent again",
        "as answered then; refused after the last attempt, or where more than 120 s are asked for",
        Step.PAUSE,
        (ThrottledError,),
    ),
    Rule(
        "5xx, a redirect, an undocumented status, a body that is none",
        "wait, read the state: final settles it; still running: sent again",
        "as the state or the next answer says; unknown where neither does",
        Step.SETTLE,
        (ServerError, UnexpectedAnswerError),
    ),
    Rule(
        "no whole answer: reset, cut short, out of time",
        "as for 5xx",
        "as for 5xx; for a Spark batch `dead` says nothing (cancelled and failed ones end so): unknown",
        Step.SETTLE,
        (NoAnswerError,),
    ),
    Rule(
        "no connection",
        "wait, send again",
        "as answered then; not-sent after the last attempt",
        Step.AGAIN,
        (UnreachableError,),
    ),
    Rule(
        "no token or key to send with",
        "the run stops",
        "not-sent, and so the rest",
        Step.HALT,
        (CredentialError,),
    ),
    Rule(
        "nothing, as the run stopped before its turn",
        "nothing is sent",
        "not-sent; unknown where an earlier run may have sent it",
        Step.HALT,
        (StoppedError,),
    ),
    Rule("an id that is none", "nothing is sent", "not-sent", Step.END, (InvalidInputError,)),
)
_STEPS: Mapping[type[CalloffError], Step] = {error: rule.step for rule in RULES for error in rule.errors}


def step_after(error: CalloffError) -> Step:
    """Say what is done about an error."""
    return next(_STEPS[kind] for kind in type(error).__mro__ if kind in _STEPS)


class PendingError(Exception):
    """An attempt settled nothing; ``at_least`` are the seconds that the service asked to wait."""

    def __init__(self, at_least: float = 0.0) -> None:
        super().__init__()
        self.at_least = at_least


class Budget:
    """How many second attempts a run may make: a reserve, which every id that is settled fills up by one."""

    def __init__(self, reserve: int) -> None:
        self._reserve = self._left = reserve

    def earn(self) -> None:
        """Take note that an id was settled."""
        if self._left < self._reserve:
            self._left += 1

    def spend(self) -> bool:
        """Take one attempt; say whether there was one."""
        if self._left <= 0:
            return False
        self._left -= 1
        return True


class Policy:
    """How often and after which waits an id is tried again.

    ``attempts`` counts the first one too; ``random`` gives numbers from 0 to under 1.
    """

    def __init__(self, attempts: int, budget: Budget, halt: Halt, random: Callable[[], float]) -> None:
        try:
            import tenacity
        except ImportError as error:
            raise missing_extra() from error

        exponential = tenacity.wait_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)

        def wait(state: RetryCallState) -> float:
            # Half of it at least, so that a cancel on its way has time to arrive.
            return max(exponential(state) * (0.5 + random() / 2), asked(state))

        def asked(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            return error.at_least if isinstance(error, PendingError) else 0.0

        enough = tenacity.stop_after_attempt(attempts)

        def stop(state: RetryCallState) -> bool:
            return enough(state) or bool(halt.reason) or not budget.spend()

        self._retrying = tenacity.AsyncRetrying(
            sleep=halt.sleep,
            stop=stop,
            wait=wait,
            retry=tenacity.retry_if_exception_type(PendingError),
            reraise=True,
        )

    def begin(self) -> AsyncRetrying:
        """Give what runs the attempts of one id; PendingError leaves it when none is left."""
        return self._retrying.copy()


def missing_extra() -> MissingExtraError:
    """Make the error for a missing library."""
    return MissingExtraError("cancelling many jobs needs the extra: pip install 'calloff[bulk]'")
