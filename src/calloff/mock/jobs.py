"""The jobs the server keeps, and how a cancel moves them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from calloff.mock.course import ending
from calloff.mock.pipeline import Case, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from calloff.mock.course import Course

SETTLING_SECONDS = 0.15  # how long a cancel takes under the dialects "later"
_WELL_ENDED = frozenset({"success", "finished"})  # in lower case, the vendors' words for it


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """The states of a job in the vendor's own words, and where a cancel leads from each that allows it."""

    states: tuple[str, ...]
    cancel_moves: Mapping[str, str]
    settling: float = 0.0  # seconds between an accepted cancel and the new state
    again: frozenset[str] = frozenset()  # states in which a cancel is accepted and changes nothing
    course: Course | None = None  # how the jobs run by themselves; without one they stay where they are

    def __post_init__(self) -> None:
        stays = self.course.stays if self.course else {}
        named = {*self.cancel_moves, *self.cancel_moves.values(), *self.again}
        named.update(stays, *(stay.then for stay in stays.values()))
        unknown = named - set(self.states)
        if unknown:
            raise ValueError(
                f"no such states: {', '.join(sorted(unknown))}; there are {', '.join(self.states)}"
            )

    @property
    def well_ended(self) -> str:
        """The state of a job that ended well."""
        return next(state for state in self.states if state.lower() in _WELL_ENDED)

    def finishing(self, state: str, seconds: float) -> Lifecycle:
        """Give the life cycle of one job that leaves a state by itself after so many seconds, and ends well."""
        return replace(self, course=ending(state, self.well_ended, seconds))


@dataclass(frozen=True, slots=True)
class JobKind:
    """How the jobs of one operation are made: their life cycle and the form of their ids."""

    lifecycle: Lifecycle
    new_id: Callable[[], str]


class Moment(NamedTuple):
    """What time has done to a job: its state, and the one that follows at an epoch second.

    Where nothing follows, ``when`` is since when it is in its state, 0 where nobody knows. ``step`` is how many stays
    were drawn; ``settling`` says that what follows is a cancel.
    """

    state: str
    then: str | None = None
    when: float = 0.0
    step: int = 0
    settling: bool = False


class Job:
    """One job. Its state is a function of time: it may run by itself, and a cancel may settle later.

    Nothing wakes it: whatever has become due by then happens when somebody looks or cancels. An accepted cancel
    takes the place of what the job would have done next, so of a cancel and a finish one wins.
    """

    __slots__ = (
        "_settling",
        "_state",
        "_step",
        "_then",
        "_when",
        "id",
        "lifecycle",
        "operation",
        "owner",
    )

    def __init__(self, job_id: str, operation: str, owner: str, lifecycle: Lifecycle, state: str) -> None:
        self.id = job_id
        self.operation = operation
        self.owner = owner
        self.lifecycle = lifecycle
        self._state = state
        self._then: str | None = None
        self._when = 0.0
        self._step = 0
        self._settling = False

    @property
    def moment(self) -> Moment:
        """What time has done to the job; setting it takes the job back there."""
        return Moment(self._state, self._then, self._when, self._step, self._settling)

    @moment.setter
    def moment(self, moment: Moment) -> None:
        self._state, self._then, self._when, self._step, self._settling = moment

    def start(self, now: float) -> None:
        """Let the job run by itself from a moment on, in epoch seconds, as its life cycle says."""
        course = self.lifecycle.course
        leaving = None if course is None else course.leaving(self.id, self._step, self._state)
        if leaving is None:
            self._when = now
        else:
            self._then, seconds = leaving
            self._when = now + seconds
            self._step += 1

    def go_on_under(self, lifecycle: Lifecycle, now: float) -> None:
        """Take another life cycle from a moment on; a cancel under way stays under way."""
        self.state(now)
        self.lifecycle = lifecycle
        if not self._settling:
            self._then = None
            self.start(now)

    def state(self, now: float) -> str:
        """Tell the state at a moment, in epoch seconds."""
        while self._then is not None and now >= self._when:
            self._state, self._then, self._settling = self._then, None, False
            if self.lifecycle.course is not None:
                self.start(self._when)
        return self._state

    def since(self, now: float) -> float | None:
        """Tell since when it is in its state, or since when a cancel is on its way, in epoch seconds.

        None where nobody knows.
        """
        state = self.state(now)
        if self._then is None:
            return self._when or None
        if self._settling:
            return self._when - self.lifecycle.settling
        course = self.lifecycle.course
        leaving = None if course is None else course.leaving(self.id, self._step - 1, state)
        return None if leaving is None else self._when - leaving[1]

    def put(self, state: str) -> None:
        """Set the state; whatever was under way is forgotten."""
        self._state, self._then, self._when, self._settling = state, None, 0.0, False

    def cancel(self, now: float) -> None:
        """Cancel as the life cycle allows.

        Raises:
            Refusal: NOT_CANCELLABLE, when the job has ended, was cancelled, or has a cancel on its way.
        """
        state = self.state(now)
        if self._settling:
            if self._then in self.lifecycle.again:
                return
            raise Refusal(Case.NOT_CANCELLABLE)
        if state in self.lifecycle.again:
            return
        to = self.lifecycle.cancel_moves.get(state)
        if to is None:
            raise Refusal(Case.NOT_CANCELLABLE)
        if self.lifecycle.settling:
            self._then, self._when, self._settling = to, now + self.lifecycle.settling, True
        else:
            self._state, self._then, self._when = to, None, now


class JobStore:
    """All jobs, by operation and owner (bucket or project)."""

    def __init__(self) -> None:
        self._jobs: dict[str, dict[tuple[str, str], Job]] = {}

    def new(
        self, job_id: str, operation: str, owner: str, lifecycle: Lifecycle, state: str, *, now: float
    ) -> Job:
        """Make a job in a state, whose time begins now (epoch seconds), and keep it."""
        job = Job(job_id, operation, owner, lifecycle, state)
        job.start(now)
        self.add(job)
        return job

    def add(self, job: Job) -> None:
        """Keep a job."""
        self._jobs.setdefault(job.operation, {})[job.owner, job.id] = job

    def find(self, operation: str, owner: str, job_id: str) -> Job | None:
        """Find the job of an owner by its whole id."""
        return self._jobs.get(operation, {}).get((owner, job_id))

    def all(self, operation: str) -> Iterable[Job]:
        """Give all jobs of an operation, whoever owns them."""
        return self._jobs.get(operation, {}).values()

    def count(self, operation: str) -> int:
        """Tell how many jobs of an operation there are."""
        return len(self._jobs.get(operation, ()))

    def newest(self, operation: str, limit: int) -> list[Job]:
        """Give the newest jobs of an operation, the newest first; costs nothing for the others."""
        # One step of the interpreter: whoever makes jobs in another thread does not come between.
        return list(islice(reversed(self._jobs.get(operation, {}).values()), limit))

    def forget(self) -> None:
        """Drop every job."""
        self._jobs.clear()
