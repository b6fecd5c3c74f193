"""The decision table: credential x job x request shape, each cell on a fresh job beside a bystander."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from calloff.verify.judge import GATEWAY_CODE, Answer
from calloff.verify.recipes import RECIPES, Recipe
from calloff.verify.shapes import (
    CANONICAL,
    FINAL_REQUIREMENT,
    JOB_STATES,
    SHAPES,
    Shape,
    malformed_ids,
    unknown_id,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from calloff.apis import Operation
    from calloff.verify.session import Probe
    from calloff.verify.target import Job

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
        credential = (
            self.recipe.name if self.recipe else ("signature" if self.signed else "default credential")
        )
        return "/".join((credential, str(self.subject), self.shape.name)).replace(" ", "-")

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
        if self.expects in {ACCEPT, EITHER}:
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
        for problem in malformed_ids(operation):
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
        for signed in signed_too:
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


def run_cell(cell: Cell, probe: Probe) -> None:
    """Send what *cell* says on a fresh job and hold the answer, the job and its bystanders to it."""
    recipe = cell.recipe or probe.session.default_recipe(like="good" if cell.signed else "")
    job, parameters, host = _subject(cell, probe)
    bystanders = _bystanders(cell, probe) if job else []
    other = bystanders[0][1].parameters if bystanders else None
    request = probe.authenticate(cell.shape.change(probe.request(parameters, host)), recipe, other)
    answer = probe.send(request)
    probe.hold(cell.requirement)
    if cell.expects == ACCEPT:
        _hold_acceptance(cell, probe, answer)
    if cell.expects == REFUSE:
        _hold_refusal(cell, probe, answer)
    if job is not None:
        _hold_effect(cell, probe, answer, job)
        _hold_success_flag(cell, probe, answer, job)
        _hold_bystanders(bystanders, probe, answer)
    if cell.point:
        _observe(cell, probe, answer)


def _subject(cell: Cell, probe: Probe) -> tuple[Job | None, dict[str, str], str | None]:
    """Return the job, the path parameters and the Host that the request names."""
    operation, subject = cell.operation, cell.subject
    if subject.kind == "unknown":
        return None, probe.own_parameters(unknown_id(operation)), None
    if subject.kind == "malformed":
        return None, probe.own_parameters(malformed_ids(operation)[subject.state]), None
    if subject.kind == "job":
        job = probe.target.new_job(operation, subject.state)
        return job, dict(job.parameters), job.host
    job = probe.target.new_job(operation, subject.state, "other")
    if subject.kind == "foreign":
        return job, dict(job.parameters), job.host
    return job, probe.own_parameters(job.job_id), None


def _bystanders(cell: Cell, probe: Probe) -> list[tuple[Operation, Job]]:
    """Make the jobs that the request must leave alone, the first one of the same kind and owner."""
    operation, target = cell.operation, probe.target
    wanted = [(operation, "self")]
    if cell.expects == ACCEPT and cell.shape is CANONICAL:
        wanted += [(operation, "other")]
        wanted += [
            (sibling, "self") for sibling in target.api.operations.values() if sibling is not operation
        ]
    return [
        (kind, target.new_job(kind, JOB_STATES[kind.key].cancellable[0], owner)) for kind, owner in wanted
    ]


def _hold_acceptance(cell: Cell, probe: Probe, answer: Answer) -> None:
    probe.hold("cancel-accepted")
    if answer.accepted:
        return
    # A refusal that is not about the credential says nothing about the way to authenticate.
    about_credential = cell.recipe is None or answer.response.status in {401, 403}
    requirement = cell.requirement if about_credential else "cancel-accepted"
    expected = f"an accepted cancel of a job in state {cell.subject.state}"
    probe.violate(requirement, expected, answer.summary, answer.exchange)


def _hold_refusal(cell: Cell, probe: Probe, answer: Answer) -> None:
    # A SQL job's answer may say in a 200 that the request was not carried out.
    in_body = answer.response.status == 200 and not answer.accepted and "auth" not in cell.requirement
    wanted = "4xx" if cell.statuses == ANY_REFUSAL else " or ".join(map(str, cell.statuses))
    if not in_body and answer.response.status not in cell.statuses:
        expected = f"a refusal with {wanted}"
        probe.violate(cell.requirement, expected, answer.summary, answer.exchange)
    elif cell.shape.code_ends and not answer.error_code.endswith(cell.shape.code_ends):
        expected = f"error_code ending in {cell.shape.code_ends}"
        probe.violate(cell.requirement, expected, answer.summary, answer.exchange)


def _hold_effect(cell: Cell, probe: Probe, answer: Answer, job: Job) -> None:
    """Hold the state of the job: cancelled after an acceptance, as it was after anything else."""
    operation, target = cell.operation, probe.target
    cancelled = JOB_STATES[operation.key].cancelled
    if cell.expects in {ACCEPT, EITHER} and answer.accepted:
        probe.hold("cancel-takes-effect")
        # Waiting once for a server that forgets is enough.
        already_broken = probe.session.outcome.violated("cancel-takes-effect", operation.key)
        within = 0 if already_broken else target.settle
        after = target.settled_state(operation, job.job_id, cancelled, within)
        if after != cancelled:
            expected = f"state {cancelled} within {target.settle:g} s"
            received = f"{answer.summary}, then state {after}"
            probe.violate("cancel-takes-effect", expected, received, answer.exchange)
    elif cell.subject.state != cancelled and (cell.forbids_effect or not answer.accepted):
        requirement = cell.requirement if cell.forbids_effect else "refusal-changes-nothing"
        probe.hold(requirement)
        after = target.state(operation, job.job_id)
        if after == cancelled:
            expected = f"the job as it was, {cell.subject.state}"
            received = f"{answer.summary}, then state {after}"
            probe.violate(requirement, expected, received, answer.exchange)


def _hold_success_flag(cell: Cell, probe: Probe, answer: Answer, job: Job) -> None:
    """Hold a 200 that says is_success false to having cancelled nothing."""
    operation = cell.operation
    if (
        operation.name != "cancelSqlJob"
        or not isinstance(answer.json, dict)
        or "is_success" not in answer.json
    ):
        return
    probe.hold("dli-sql-success-flag")
    cancelled = JOB_STATES[operation.key].cancelled
    if answer.json["is_success"] is not False or cell.subject.state == cancelled:
        return
    if probe.target.state(operation, job.job_id) == cancelled:
        expected = "is_success true, since the job was cancelled"
        probe.violate("dli-sql-success-flag", expected, answer.summary, answer.exchange)


def _hold_bystanders(bystanders: list[tuple[Operation, Job]], probe: Probe, answer: Answer) -> None:
    for kind, bystander in bystanders:
        probe.hold("bystander-untouched")
        after = probe.target.state(kind, bystander.job_id)
        if after == JOB_STATES[kind.key].cancelled:
            received = f"job {bystander.job_id} in {after}"
            probe.violate("bystander-untouched", "another job as it was", received, answer.exchange)


def _observe(cell: Cell, probe: Probe, answer: Answer) -> None:
    """Name the choice that the answer shows, in the words of the table of silent points where it has them."""
    point = probe.session.catalogue.silent_points[cell.point]
    status, code = answer.response.status, answer.error_code
    if GATEWAY_CODE.fullmatch(code):
        probe.observe("dli-gateway-prefix", code.partition(".")[0])
        code = "gateway-" + code.partition(".")[2]
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", code).replace(".", "-").lower()
    candidates = [f"{status}-{name}", str(status), answer.error_code]
    if answer.accepted:
        candidates += ["cancels", "accepted", "cancellable", "ignored", "lenient", "200-nothing"]
    elif status == 200:
        candidates += ["200-is-success-false"]
    else:
        candidates += ["refused", "not-cancellable"]
    choice = next((c for c in candidates if c in point.choices), f"{status}-{name}")
    unknown = probe.session.outcome.observed.get(cell.point.partition("-")[0] + "-unknown-job", {})
    if choice not in point.choices and choice == unknown.get(cell.operation.key):
        choice = "as-unknown"
    probe.observe(cell.point, choice)
