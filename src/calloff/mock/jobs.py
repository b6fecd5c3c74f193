"""The jobs the server keeps, and how a cancel moves them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from calloff.mock.pipeline import Case, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

SETTLING_SECONDS = 0.15  # how long a cancel takes under the dialects "later"


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """The states of a job in the vendor's own words, and where a cancel leads from each that allows it."""

    states: tuple[str, ...]
    cancel_moves: Mapping[str, str]
    settling: float = 0.0  # seconds between an accepted cancel and the new state
    again: frozenset[str] = frozenset()  # states in which a cancel is accepted and changes nothing

    def __post_init__(self) -> None:
        unknown = {*self.cancel_moves, *self.cancel_moves.values(), *self.again} - set(self.states)
        if unknown:
            raise ValueError(
                f"no such states: {', '.join(sorted(unknown))}; there are {', '.join(self.states)}"
            )


@dataclass(frozen=True, slots=True)
class JobKind:
    """How the jobs of one operation are made: their life cycle and the form of their ids."""

    lifecycle: Lifecycle
    new_id: Callable[[], str]


class Job:
    """One job. Its state is a function of time: a cancel may settle later."""

    __slots__ = ("_state", "_then", "_when", "id", "lifecycle", "operation", "owner")

    def __init__(self, job_id: str, operation: str, owner: str, lifecycle: Lifecycle, state: str) -> None:
        self.id = job_id
        self.operation = operation
        self.owner = owner
        self.lifecycle = lifecycle
        self._state = state
        self._then: str | None = None
        self._when = 0.0

    def state(self, now: float) -> str:
        """Tell the state at a moment, in epoch seconds."""
        if self._then is not None and now >= self._when:
            self._state, self._then = self._then, None
        return self._state

    def put(self, state: str) -> None:
        """Set the state; a cancel that has not settled is forgotten."""
        self._state, self._then = state, None

    def cancel(self, now: float) -> None:
        """Cancel as the life cycle allows.

        Raises:
            Refusal: NOT_CANCELLABLE, when the job has ended, was cancelled, or has a cancel on its way.
        """
        state = self.state(now)
        if self._then is not None:
            if self._then in self.lifecycle.again:
                return
            raise Refusal(Case.NOT_CANCELLABLE)
        if state in self.lifecycle.again:
            return
        to = self.lifecycle.cancel_moves.get(state)
        if to is None:
            raise Refusal(Case.NOT_CANCELLABLE)
        if self.lifecycle.settling:
            self._then, self._when = to, now + self.lifecycle.settling
        else:
            self._state = to


class JobStore:
    """All jobs, by operation and owner (bucket or project)."""

    def __init__(self) -> None:
        self._jobs: dict[str, dict[tuple[str, str], Job]] = {}

    def add(self, job: Job) -> None:
        """Keep a job."""
        self._jobs.setdefault(job.operation, {})[job.owner, job.id] = job

    def find(self, operation: str, owner: str, job_id: str) -> Job | None:
        """Find the job of an owner by its whole id."""
        return self._jobs.get(operation, {}).get((owner, job_id))

    def all(self, operation: str) -> Iterable[Job]:
        """Give all jobs of an operation, whoever owns them."""
        return self._jobs.get(operation, {}).values()

    def forget(self) -> None:
        """Drop every job."""
        self._jobs.clear()
