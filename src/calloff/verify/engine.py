"""Run the checks: in order, within a budget, with progress, and with a result whatever happens."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from calloff.errors import InvalidInputError
from calloff.verify import fuzz, fuzz_source, preflight, selection
from calloff.verify.cell_run import name_as_unknown
from calloff.verify.checks import BUDGETS, LAYERS, Budget, Check, Layer, checks, rule_requirements, run_check
from calloff.verify.expectations import excused
from calloff.verify.outcome import Outcome, Violation
from calloff.verify.rehearsal import PlannedRequest, RehearsedSession, rehearsed
from calloff.verify.session import Session
from calloff.verify.target import TargetError
from calloff.verify.wire import TargetLostError
from calloff.verify.workers import work_through

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from calloff.apis import Operation
    from calloff.contract import Catalogue
    from calloff.verify.expectations import Expectation
    from calloff.verify.target import Target

__all__ = [
    "BUDGETS",
    "LAYERS",
    "Budget",
    "Check",
    "Layer",
    "Run",
    "checks",
    "rule_requirements",
    "run_check",
]

_log = logging.getLogger(__name__)

CONFORMS, VIOLATED, NOT_VERIFIED = 0, 1, 3  # 2 is wrong usage, which the command line tells

_NOT_LIVE = "left out of the live profile: only cancels of given and of made-up jobs are sent, no id with a line break"


@dataclass
class _Task:
    """One check to run against one target, and what it found."""

    session: Session
    check: Check
    outcome: Outcome = field(default_factory=Outcome)


@dataclass
class Run:
    """One run of the suite against one or more targets.

    *operations* (keys or names), *only* (requirement ids), *level* (MUST leaves the SHOULD ones out) and *case* (the id
    of one check) narrow it. *workers* checks run at the same time. *live* sends nothing that could touch a job that
    was not given: the decision table alone, what is to be refused first, by one worker. *beside* lets another process
    write the requests of the fuzz layer, while the checks before them run.
    """

    catalogue: Catalogue
    seed: int = 0
    layers: Sequence[Layer] = LAYERS
    operations: Sequence[str] = ()
    only: Sequence[str] = ()
    level: str | None = None
    budget: Budget = "standard"
    workers: int = 1
    live: bool = False
    beside: bool = False
    case: str | None = None
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    targets: list[Target] = field(default_factory=list)
    clock_skew: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    stopped: str = ""
    interrupted: bool = False
    ended: bool = False
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def plan(self, target: Target) -> list[Check]:
        """Return the checks that apply to *target*, in their order; those that are withheld say why.

        Raises InvalidInputError where what is chosen does not exist, or is not for this API.
        """
        plan = self._every_check(target, self.budget)
        if self.case is not None:
            wider = plan if self.budget != "quick" else self._every_check(target, "standard")
            return [selection.find_case(self.case, wider)]
        requirements = self._wanted()
        return [check for check in plan if selection.proves(check, requirements)]

    def chosen(self, target: Target) -> list[Operation]:
        """Return the operations of *target* that are verified; naming none chooses all."""
        return [
            operation
            for operation in target.api.operations.values()
            if not self.operations or operation.key in self.operations or operation.name in self.operations
        ]

    def verify(
        self, targets: Sequence[Target], progress: Callable[[Check, int, int], None] | None = None
    ) -> int:
        """Run every check against every target and return the exit status.

        Interrupting, or losing a target, ends the run with what was found so far; a target whose examination shows a
        problem is not begun with. Raises InvalidInputError where what is chosen does not exist.
        """
        began = time.monotonic()
        self.ended = False
        self.targets = list(targets)
        tasks = self._tasks(targets, self._session)
        self.outcomes = {task.session.target.api.name: task.session.outcome for task in tasks}
        done = 0

        def run(task: _Task) -> None:
            nonlocal done
            if self.interrupted:
                raise KeyboardInterrupt
            with self._lock:
                if progress is not None:
                    progress(task.check, done, len(tasks))
            run_check(task.check, task.session, task.outcome)
            with self._lock:
                done += 1

        try:
            self._examine(tasks)
            if not self.stopped:
                with self._writing(tasks):
                    work_through(tasks, run, 1 if self.live else self.workers, self._stop)
        except TargetLostError as error:
            self.stopped = f"the target was lost: {error}"
        except TargetError as error:
            self.stopped = f"the provider states cannot be used: {error}"
        except KeyboardInterrupt:
            self.interrupted = True
        except Exception as error:  # noqa: BLE001 - what was found so far must be told whatever happens
            _log.exception("a fault of the suite, please report it")
            self.stopped = f"the suite itself failed: {type(error).__name__}: {error}"
        self.ended = True
        for target in targets:
            target.close()
        if self.interrupted:
            self.stopped = "interrupted"
        elif not self.stopped:
            self.stopped = next((task.session.spent for task in tasks if task.session.spent), "")
            done = sum(task.outcome.checks_run for task in tasks)
        if self.stopped:
            self.stopped += f"; {done} of {len(tasks)} checks were run"
        self._collect(tasks)
        self.seconds = time.monotonic() - began
        return self.exit_status()

    def rehearse(self, targets: Sequence[Target]) -> list[PlannedRequest]:
        """Return every request that *verify* would send to *targets*, in its order, without sending any.

        They are those to a server that conforms; the model, which shortens what it finds, sends more to another.
        What provider states would have to be asked for is taken for granted. Raises InvalidInputError as *verify*.
        """
        sessions: list[RehearsedSession] = []

        def open_session(target: Target) -> Session:
            sessions.append(rehearsed(target, self.catalogue, self.seed, self._wanted()))
            return sessions[-1]

        for task in self._tasks(targets, open_session):
            run_check(task.check, task.session, task.outcome)
        return [request for session in sessions for request in session.planned]

    def interrupt(self) -> None:
        """End the run at its next request, as *verify* tells afterwards."""
        self.interrupted = True
        self._stop.set()

    def exit_status(self, *, strict: bool = False, expectations: Sequence[Expectation] = ()) -> int:
        """Return 0 (conforms), 1 (a MUST is violated; a SHOULD too when *strict*) or 3 (could not verify).

        What an expectation that has not expired names does not count.
        """
        if self.stopped or not self._verified_something():
            return NOT_VERIFIED
        levels = {"MUST", "SHOULD"} if strict else {"MUST"}
        broken = any(
            self.catalogue.requirements[violation.requirement].level in levels
            and not excused(expectations, violation.requirement, violation.operation)
            for outcome in self.outcomes.values()
            for violation in outcome.violations
        )
        return VIOLATED if broken else CONFORMS

    def _every_check(self, target: Target, budget: Budget) -> list[Check]:
        plan = [
            check
            for operation in self.chosen(target)
            for check in checks(operation, self.layers, seed=self.seed, budget=budget)
        ]
        if not self.live:
            return plan
        plan = [
            check if check.cell is not None and check.cell.is_safe else replace(check, withheld=_NOT_LIVE)
            for check in plan
        ]
        # What is to be refused comes first: should the budget end, no job was cancelled for nothing.
        return sorted(plan, key=lambda check: check.cell is None or check.cell.may_cancel)

    def _tasks(self, targets: Sequence[Target], open_session: Callable[[Target], Session]) -> list[_Task]:
        """Return what is to be run against each of *targets*, which *open_session* opens a session with."""
        names = [target.api.name for target in targets]
        selection.check_operations(self.operations, names)
        if self.budget not in BUDGETS:
            msg = f"expected a budget of {', '.join(BUDGETS)}, got {self.budget!r}"
            raise InvalidInputError(msg)
        if self.workers < 1:
            msg = f"expected at least one worker, got {self.workers}"
            raise InvalidInputError(msg)
        chosen = targets
        if self.case is not None:
            chosen = [target for target in targets if self.case.startswith(f"{target.api.name}/")] or targets[
                :1
            ]
        tasks = []
        for target in chosen:
            if plan := self.plan(target):
                session = open_session(target)
                tasks += [_Task(session, check) for check in plan]
        return tasks

    def _session(self, target: Target) -> Session:
        return Session(target, self.catalogue, seed=self.seed, wanted=self._wanted(), stop=self._stop)

    def _wanted(self) -> frozenset[str] | None:
        return selection.wanted(self.catalogue, self.only, self.level)

    @contextmanager
    def _writing(self, tasks: Sequence[_Task]) -> Iterator[None]:
        """Have the requests of the fuzz layer written beside the checks that come before them, where that is wanted."""
        fuzzed = [task for task in tasks if task.check.layer == "fuzz" and not task.check.withheld]
        if not (self.beside and fuzzed):
            yield
            return
        batches = [
            fuzz.batch(task.check.operation, task.check.name, self.seed, task.check.cases)
            for task in fuzzed
            if task.check.name in fuzz.KINDS
        ]
        with fuzz_source.beside(batches) as source:
            for task in fuzzed:
                send: Callable[..., None] = task.check.run
                task.check = replace(task.check, run=partial(send, source=source))
            yield

    def _examine(self, tasks: Sequence[_Task]) -> None:
        """Look at each target before its checks; one that cannot be verified stops the run."""
        for api in dict.fromkeys(task.session.target.api.name for task in tasks):
            target = next(t for t in self.targets if t.api.name == api)
            examination = preflight.examine(target, self.catalogue, self.seed)
            self.clock_skew[api] = target.clock_skew
            if examination.problem:
                self.stopped = examination.problem
                return

    def _collect(self, tasks: Sequence[_Task]) -> None:
        """Put what was found into the order of the checks, whichever came first."""
        for outcome in self.outcomes.values():
            outcome.clear()
        for task in tasks:
            self.outcomes[task.session.target.api.name].add(task.outcome)
        for outcome in self.outcomes.values():
            name_as_unknown(outcome, self.catalogue)

    def _verified_something(self) -> bool:
        """Tell whether anything was; a whole run in which nothing was ever accepted verified nothing."""
        if self.only or self.case is not None:
            return any(outcome.exercised for outcome in self.outcomes.values())
        return any(
            outcome.accepted or any(_is_fault(violation) for violation in outcome.violations)
            for outcome in self.outcomes.values()
        )


def _is_fault(violation: Violation) -> bool:
    """Tell whether a right cancel of a job that was supplied failed by the server's own fault, whoever asks."""
    response = violation.exchange.response if violation.exchange else None
    return violation.requirement == "cancel-accepted" and response is not None and response.status == 500
