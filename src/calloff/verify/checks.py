"""Every check of the suite, by operation: what it is called, what it proves, and how it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

from calloff.verify.cell_run import result, run_cell
from calloff.verify.cells import cells
from calloff.verify.judge import RULES
from calloff.verify.outcome import Outcome, case_id
from calloff.verify.pace import BudgetSpentError
from calloff.verify.target import CannotSupplyError
from calloff.verify.wire import NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from calloff.apis import Operation
    from calloff.verify.cells import Cell
    from calloff.verify.session import Probe, Session

Layer = Literal["table", "races", "protocol", "model", "fuzz"]
LAYERS: tuple[Layer, ...] = ("table", "races", "protocol", "model", "fuzz")

Budget = Literal["quick", "standard", "deep"]


@dataclass(frozen=True, slots=True)
class Size:
    """How much a budget covers.

    *repeats* tells whether the table holds cells that show what others show too, *waits* whether checks are run that
    take their time. *finishes* is how many jobs are cancelled around their end, *walks* and *steps* are those of the
    model, *positive* (for each state of a job) and *negative* count the requests that schemathesis writes.
    """

    repeats: bool
    waits: bool
    finishes: int
    walks: int
    steps: int
    positive: int
    negative: int


BUDGETS: dict[Budget, Size] = {
    "quick": Size(repeats=False, waits=False, finishes=0, walks=0, steps=0, positive=0, negative=0),
    "standard": Size(repeats=True, waits=True, finishes=8, walks=12, steps=12, positive=2, negative=12),
    "deep": Size(repeats=True, waits=True, finishes=50, walks=120, steps=25, positive=20, negative=150),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to run: what it is called, what it proves, and how.

    *cell* is its cell, where it is one of the decision table. Where *withheld* says why, it is not run but skipped.
    One of the fuzz layer has so many *cases*, each with a number.
    """

    name: str
    layer: Layer
    operation: Operation
    requirements: tuple[str, ...]
    run: Callable[[Probe], None] = field(repr=False)
    cell: Cell | None = field(default=None, repr=False)
    withheld: str = ""
    cases: int = 0

    @property
    def id(self) -> str:
        """Return the id, as ``--case`` takes it and the requests carry it."""
        return case_id(self.operation.key, self.layer, self.name)

    @property
    def alone(self) -> bool:
        """Tell whether no other check that does so may run at the same time: hypothesis is not made for it."""
        return self.layer in {"model", "fuzz"}


def checks(
    operation: Operation, layers: Iterable[Layer] = LAYERS, *, seed: int = 0, budget: Budget = "standard"
) -> list[Check]:
    """Return every check of *operation* in *layers*, in the order they run."""
    makers = {"table": _table, "races": _races, "protocol": _protocol, "model": _model, "fuzz": _fuzz}
    wanted = set(layers)
    size = BUDGETS[budget]
    return [check for layer in LAYERS if layer in wanted for check in makers[layer](operation, seed, size)]


def rule_requirements() -> tuple[str, ...]:
    """Return the requirements that every answer is held to, whatever check it belongs to."""
    return tuple(rule.requirement for rule in RULES)


def run_check(check: Check, session: Session, outcome: Outcome | None = None) -> Outcome:
    """Run one check and return what it found, which the session's outcome then holds too.

    What the target cannot supply becomes a skip, a missing answer a violation. Raises TargetLostError, TargetError and
    KeyboardInterrupt; what was found until then is kept in *outcome*.
    """
    found = Outcome() if outcome is None else outcome
    probe = session.probe(check.operation, check.layer, check.name, found)
    try:
        if reason := check.withheld or session.spent:
            raise CannotSupplyError(reason)  # noqa: TRY301 - skipped as what cannot be supplied is
        found.checks_run += 1
        check.run(probe)
    except (CannotSupplyError, BudgetSpentError) as error:
        if isinstance(error, BudgetSpentError):
            session.spent = str(error)
            found.checks_run -= 1  # not to its end
        for requirement in check.requirements:
            probe.skip(requirement, str(error))
    except NoAnswerError:
        # Noted as a violation where it happened; the check cannot go on.
        pass
    finally:
        if check.cell is not None:
            found.cells.append(result(check.cell, probe))
        session.add(found)
    return found


def _table(operation: Operation, seed: int, size: Size) -> Iterator[Check]:  # noqa: ARG001 - as every maker
    for cell in cells(operation):
        if size.repeats or not cell.repeats:
            yield Check(cell.name, "table", operation, cell.requirements, partial(run_cell, cell), cell)


def _races(operation: Operation, seed: int, size: Size) -> Iterator[Check]:  # noqa: ARG001
    from calloff.verify import races

    second = () if operation.api == "tencent-ci" else ("dli-second-cancel-refused",)
    twice = ("cancel-accepted", "cancel-takes-effect", *second)
    yield Check("cancel-twice", "races", operation, twice, races.cancel_twice)
    agree = ("concurrent-cancels-agree",)
    yield Check("cancel-at-the-same-time", "races", operation, agree, races.cancel_at_the_same_time)
    unchanged = ("asking-changes-nothing",)
    yield Check("asking-for-the-state", "races", operation, unchanged, races.ask_for_the_state)
    if size.finishes:
        one_wins = ("cancel-and-finish-agree",)
        around = partial(races.cancel_around_the_finish, finishes=size.finishes)
        yield Check("cancel-around-the-finish", "races", operation, one_wins, around)
    if operation.name == "cancelInventoryTriggerJob":
        shown = ("status-documented",)
        yield Check("cancellable-states", "races", operation, shown, races.see_cancellable_states)


def _protocol(operation: Operation, seed: int, size: Size) -> Iterator[Check]:  # noqa: ARG001
    from calloff.verify.protocol import PROTOCOL_CHECKS

    for check in PROTOCOL_CHECKS:
        if check.concerns(operation) and (size.waits or not check.waits):
            yield Check(check.name, "protocol", operation, check.requirements, check.run)


def _model(operation: Operation, seed: int, size: Size) -> Iterator[Check]:
    if not size.walks:
        return
    from calloff.verify import model

    run = partial(model.walk, seed=seed, walks=size.walks, steps=size.steps)
    yield Check("walk", "model", operation, model.REQUIREMENTS, run)


def _fuzz(operation: Operation, seed: int, size: Size) -> Iterator[Check]:
    if not size.positive:
        return
    from calloff.verify import fuzz

    for kind, count in fuzz.counts(operation, size.positive, size.negative).items():
        run = partial(fuzz.fuzz, kind=kind, seed=seed, count=count)
        yield Check(kind, "fuzz", operation, fuzz.requirements(operation.key, kind), run, cases=count)
