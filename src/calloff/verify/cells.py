"""The decision table: credential x job x request shape, each cell on a fresh job beside a bystander."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from calloff.verify.recipes import RECIPES, Recipe
from calloff.verify.shapes import (
    CANONICAL,
    FINAL_REQUIREMENT,
    JOB_STATES,
    LINE_BREAK,
    SHAPES,
    Shape,
    malformations,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from calloff.apis import Operation

ACCEPT, REFUSE, HARMLESS, EITHER = "accept", "refuse", "harmless", "either"
ANY_REFUSAL = tuple(range(400, 500))


@dataclass(frozen=True, slots=True)
class Subject:
    """What a request names.

    *kind* is ``job`` (one of our own, in *state*), ``unknown``, ``malformed`` (*state* says how), ``foreign`` (another
    owner's job, at its own address) or ``foreign id`` (another owner's job id at our own address).
    """

    kind: str
    state: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.state}".strip()


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of the decision table: what is sent about what, and what must come of it."""

    operation: Operation
    recipe: Recipe | None
    subject: Subject
    shape: Shape
    expects: str
    requirement: str
    statuses: tuple[int, ...] = ANY_REFUSAL
    point: str = ""
    signed: bool = False

    @property
    def name(self) -> str:
        """Name the cell among those of its operation."""
        return "/".join((self.credential, str(self.subject), self.shape.name)).replace(" ", "-")

    @property
    def credential(self) -> str:
        """Name the way to authenticate."""
        if self.recipe is not None:
            return self.recipe.name
        return "signature" if self.signed else "default credential"

    @property
    def may_cancel(self) -> bool:
        """Tell whether a correct server may carry the cancel out."""
        return self.expects in {ACCEPT, EITHER}

    @property
    def is_safe(self) -> bool:
        """Tell whether the worst that a server can make of it is the documented cancel of a job it was given for."""
        if self.subject.kind == "malformed":
            # Split up by some proxy on the way, it would be a header that nobody has asked for.
            return self.subject.state != LINE_BREAK
        return self.shape.live or self.subject.kind == "unknown"

    @property
    def repeats(self) -> bool:
        """Tell whether it shows what other cells show: the same fault would have to hide from all of them."""
        states = JOB_STATES[self.operation.key]
        if self.recipe is not None and self.recipe.accepted:
            first = next(recipe for recipe in RECIPES[self.operation.api] if recipe.accepted)
            return self.recipe is not first and self.subject.state != states.cancellable[0]
        if self.recipe is not None:
            return self.subject.state != states.cancellable[0]
        return self.signed and (self.subject.kind == "malformed" or self.subject.state in states.final)

    @property
    def forbids_effect(self) -> bool:
        """Tell whether the requirement itself says that nothing may be cancelled, whatever the answer."""
        return (
            self.expects == HARMLESS
            or (self.expects == REFUSE and self.requirement.endswith("isolation"))
            or (self.expects == REFUSE and "-auth-" in self.requirement)
        )

    @property
    def requirements(self) -> tuple[str, ...]:
        """Return what the cell proves by itself, the form of its answer aside."""
        more = ["bystander-untouched"] if self.subject.kind == "job" else []
        if self.may_cancel:
            more += ["cancel-accepted", "cancel-takes-effect"]
        if self.expects == REFUSE:
            more.append("refusal-changes-nothing")
        if self.operation.name == "cancelSqlJob":
            more.append("dli-sql-success-flag")
        return (self.requirement, *more)


def cells(operation: Operation) -> Iterator[Cell]:
    """Return the whole table of *operation*."""
    yield from _credential_cells(operation)
    yield from _job_cells(operation)
    yield from _shape_cells(operation)


def _credential_cells(operation: Operation) -> Iterator[Cell]:
    states = JOB_STATES[operation.key]
    for recipe in RECIPES[operation.api]:
        if recipe.accepted:
            for state in states.cancellable:
                yield Cell(operation, recipe, Subject("job", state), CANONICAL, ACCEPT, recipe.requirement)
            for state in states.final:
                yield _final_cell(operation, recipe, state)
            continue
        subjects = (
            Subject("job", states.cancellable[0]),
            Subject("job", states.final[-1]),
            Subject("unknown"),
        )
        for subject in subjects:
            if recipe.accepted is None:
                if subject.state in states.cancellable:
                    yield Cell(
                        operation, recipe, subject, CANONICAL, EITHER, recipe.requirement, point=recipe.point
                    )
            else:
                yield Cell(
                    operation,
                    recipe,
                    subject,
                    CANONICAL,
                    REFUSE,
                    recipe.requirement,
                    auth_statuses(recipe),
                    recipe.point,
                )


def auth_statuses(recipe: Recipe) -> tuple[int, ...]:
    """Return the statuses that refuse the credential of *recipe*."""
    if recipe.requirement == "dli-project-isolation":
        return (400, 401, 403, 404)
    if recipe.requirement == "ci-bucket-isolation":
        # The vendor names no status; 404 hides whether there is such a job.
        return ANY_REFUSAL
    if recipe.requirement.startswith("dli-"):
        return (401,)
    return (400, 401, 403) if recipe.requirement == "ci-auth-temporary-key-needs-token" else (401, 403)


def _final_cell(operation: Operation, recipe: Recipe | None, state: str, *, signed: bool = False) -> Cell:
    family = "ci" if operation.api == "tencent-ci" else "dli"
    return Cell(
        operation,
        recipe,
        Subject("job", state),
        CANONICAL,
        REFUSE,
        FINAL_REQUIREMENT[operation.key],
        point=f"{family}-not-cancellable",
        signed=signed,
    )


_SILENT_STATE_POINTS = {"SCALING": "dli-scaling", "recovering": "dli-recovering", "Pause": "ci-ai-pause"}


def _job_cells(operation: Operation) -> Iterator[Cell]:
    states = JOB_STATES[operation.key]
    ci = operation.api == "tencent-ci"
    family = "ci" if ci else "dli"
    isolation = "ci-bucket-isolation" if ci else "dli-project-isolation"
    for signed in (False,) if ci else (False, True):
        for state in states.silent:
            point = (
                _SILENT_STATE_POINTS.get(state, "") if operation.name != "cancelInventoryTriggerJob" else ""
            )
            yield Cell(
                operation,
                None,
                Subject("job", state),
                CANONICAL,
                EITHER,
                "status-documented",
                point=point,
                signed=signed,
            )
        if states.second_cancel_is_silent:
            yield Cell(
                operation,
                None,
                Subject("job", states.cancelled),
                CANONICAL,
                HARMLESS,
                "status-documented",
                point="ci-second-cancel",
                signed=signed,
            )
        elif states.cancelled not in states.final:
            yield replace(
                _final_cell(operation, None, states.cancelled, signed=signed),
                requirement="dli-second-cancel-refused",
            )
        yield Cell(
            operation,
            None,
            Subject("unknown"),
            CANONICAL,
            REFUSE,
            "unknown-job-refused",
            point=f"{family}-unknown-job",
            signed=signed,
        )
        for problem in malformations(operation):
            yield Cell(
                operation,
                None,
                Subject("malformed", problem),
                CANONICAL,
                REFUSE,
                "malformed-id-refused",
                point=f"{family}-malformed-id",
                signed=signed,
            )
        for kind in ("foreign", "foreign id"):
            for state in (states.cancellable[0], states.final[0]):
                yield Cell(operation, None, Subject(kind, state), CANONICAL, REFUSE, isolation, signed=signed)


def _shape_cells(operation: Operation) -> Iterator[Cell]:
    states = JOB_STATES[operation.key]
    signed_too = (False,) if operation.api == "tencent-ci" else (False, True)
    for shape in SHAPES:
        if operation.api not in shape.apis:
            continue
        for signed in signed_too if shape.signatures_agree else (False,):
            for state in (states.cancellable[-1], states.final[0]):
                expects = shape.expects
                requirement, statuses = shape.requirement, shape.statuses or ANY_REFUSAL
                if state in states.final and expects in {ACCEPT, EITHER}:
                    expects = REFUSE if expects == ACCEPT else HARMLESS
                    requirement = FINAL_REQUIREMENT[operation.key]
                yield Cell(
                    operation,
                    None,
                    Subject("job", state),
                    shape,
                    expects,
                    requirement,
                    statuses,
                    shape.point if state not in states.final else "",
                    signed=signed,
                )
