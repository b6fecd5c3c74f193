"""Run the checks: in order, within a budget, with progress, and with a result whatever happens."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

from calloff.verify.cells import cells, run_cell
from calloff.verify.judge import RULES
from calloff.verify.outcome import Outcome
from calloff.verify.session import Session
from calloff.verify.target import CannotSupplyError, TargetError
from calloff.verify.wire import NoAnswerError, TargetLostError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from calloff.apis import Operation
    from calloff.contract import Catalogue
    from calloff.verify.session import Probe
    from calloff.verify.target import Target

Layer = Literal["table", "races", "model", "fuzz"]
LAYERS: tuple[Layer, ...] = ("table", "races", "model", "fuzz")

_log = logging.getLogger(__name__)

CONFORMS, VIOLATED, NOT_VERIFIED = 0, 1, 3  # 2 is wrong usage, which the command line tells


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to run: what it is called, what it proves, and how."""

    name: str
    layer: Layer
    operation: Operation
    requirements: tuple[str, ...]
    run: Callable[[Probe], None] = field(repr=False)


def checks(operation: Operation, layers: Iterable[Layer] = LAYERS, *, seed: int = 0) -> list[Check]:
    """Return every check of *operation* in *layers*, in the order they run."""
    wanted = set(layers)
    found: list[Check] = []
    if "table" in wanted:
        found += [
            Check(cell.name, "table", operation, cell.requirements, partial(run_cell, cell))
            for cell in cells(operation)
        ]
    if "races" in wanted:
        from calloff.verify.races import cancel_at_the_same_time, cancel_twice, see_cancellable_states

        second = () if operation.api == "tencent-ci" else ("dli-second-cancel-refused",)
        twice = ("cancel-accepted", "cancel-takes-effect", *second)
        found += [
            Check("cancel-twice", "races", operation, twice, cancel_twice),
            Check(
                "cancel-at-the-same-time",
                "races",
                operation,
                ("concurrent-cancels-agree",),
                cancel_at_the_same_time,
            ),
        ]
        if operation.name == "cancelInventoryTriggerJob":
            shown = ("status-documented",)
            found.append(Check("cancellable-states", "races", operation, shown, see_cancellable_states))
    if "model" in wanted:
        from calloff.verify import model

        found.append(Check("walk", "model", operation, model.REQUIREMENTS, partial(model.walk, seed=seed)))
    if "fuzz" in wanted:
        from calloff.verify import fuzz

        found.append(
            Check("fuzz", "fuzz", operation, fuzz.requirements(operation.key), partial(fuzz.fuzz, seed=seed))
        )
    return found


def rule_requirements() -> tuple[str, ...]:
    """Return the requirements that every answer is held to, whatever check it belongs to."""
    return tuple(rule.requirement for rule in RULES)


@dataclass
class Run:
    """One run of the suite against one or more targets."""

    catalogue: Catalogue
    seed: int = 0
    layers: Sequence[Layer] = LAYERS
    operations: Sequence[str] = ()
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    targets: list[Target] = field(default_factory=list)
    seconds: float = 0.0
    stopped: str = ""
    interrupted: bool = False

    def plan(self, target: Target) -> list[Check]:
        """Return the checks that apply to *target*."""
        return [check for op in self.chosen(target) for check in checks(op, self.layers, seed=self.seed)]

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

        Interrupting, or losing a target, ends the run with what was found so far.
        """
        began = time.monotonic()
        self.targets = list(targets)
        plans = [(target, self.plan(target)) for target in targets]
        total = sum(len(plan) for _, plan in plans)
        done = 0
        try:
            for target, plan in plans:
                if not plan:
                    continue
                session = Session(target, self.catalogue)
                self.outcomes[target.api.name] = session.outcome
                for check in plan:
                    if self.interrupted:
                        break
                    if progress is not None:
                        progress(check, done, total)
                    run_check(check, session)
                    done += 1
        except TargetLostError as error:
            self.stopped = f"the target was lost: {error}"
        except TargetError as error:
            self.stopped = f"the provider states cannot be used: {error}"
        except KeyboardInterrupt:
            self.interrupted = True
        except Exception as error:  # noqa: BLE001 - what was found so far must be told whatever happens
            _log.exception("a fault of the suite, please report it")
            self.stopped = f"the suite itself failed: {type(error).__name__}: {error}"
        for target in targets:
            target.close()
        if self.interrupted:
            self.stopped = "interrupted"
        if self.stopped:
            self.stopped += f"; {done} of {total} checks were run"
        self.seconds = time.monotonic() - began
        return self.exit_status()

    def exit_status(self, *, strict: bool = False) -> int:
        """Return 0 (conforms), 1 (a MUST is violated; a SHOULD too when *strict*) or 3 (could not verify)."""
        if self.stopped or not any(outcome.accepted for outcome in self.outcomes.values()):
            return NOT_VERIFIED
        levels = {"MUST", "SHOULD"} if strict else {"MUST"}
        broken = any(
            self.catalogue.requirements[violation.requirement].level in levels
            for outcome in self.outcomes.values()
            for violation in outcome.violations
        )
        return VIOLATED if broken else CONFORMS


def run_check(check: Check, session: Session) -> None:
    """Run one check; what the target cannot supply becomes a skip, a missing answer a violation."""
    probe = session.probe(check.operation, check.layer, check.name)
    session.outcome.checks_run += 1
    try:
        check.run(probe)
    except CannotSupplyError as error:
        for requirement in check.requirements:
            probe.skip(requirement, str(error))
    except NoAnswerError:
        # Noted as a violation where it happened; the check cannot go on.
        return
