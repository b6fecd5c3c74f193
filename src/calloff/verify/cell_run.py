"""Run one cell of the decision table, and hold the answer, the job and its bystanders to what the cell says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal
from zlib import crc32

from calloff.verify.cells import ACCEPT, ANY_REFUSAL, HARMLESS, REFUSE
from calloff.verify.judge import GATEWAY_CODE
from calloff.verify.outcome import CellResult
from calloff.verify.recipes import RECIPES
from calloff.verify.shapes import CANONICAL, JOB_STATES
from calloff.verify.status_call import asked_state, settled_state
from calloff.verify.target import CannotSupplyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from calloff.apis import Operation
    from calloff.contract import Catalogue
    from calloff.verify.cells import Cell
    from calloff.verify.judge import Answer
    from calloff.verify.outcome import Outcome
    from calloff.verify.recipes import Recipe
    from calloff.verify.session import Probe
    from calloff.verify.target import Job
    from calloff.verify.wire import Request


_GONE_ON = "a job given as {} was {} already"
_ENDS_SO = "a job that fails by itself is {} too, so its state proves nothing"


@dataclass(frozen=True, slots=True)
class Bystander:
    """A job that a request must leave alone, of an operation and an owner, self or other."""

    kind: Operation
    job: Job
    owner: str


def run_cell(cell: Cell, probe: Probe) -> None:
    """Send what *cell* says on a fresh job and hold the answer, the job and its bystanders to it."""
    recipe = cell.recipe or probe.session.default_recipe(like="good" if cell.signed else "")
    job, parameters, host = _subject(cell, probe)
    bystanders = _bystanders(cell, probe, job) if job else []
    other = next((each.job.parameters for each in bystanders if each.kind is cell.operation), None)
    answer = _call(cell, probe, recipe, job, cell.shape.change(probe.request(parameters, host)), other)
    probe.status = answer.response.status
    only_the_state_tells = (
        cell.expects == HARMLESS and cell.subject.state != JOB_STATES[cell.operation.key].cancelled
    )
    if cell.expects == ACCEPT:
        _hold_acceptance(cell, probe, answer)
    elif not only_the_state_tells:
        probe.hold(cell.requirement)
    if cell.expects == REFUSE:
        _hold_refusal(cell, probe, answer)
    if job is not None:
        _hold_effect(cell, probe, answer, job)
        _hold_success_flag(cell, probe, answer, job)
        _hold_bystanders(bystanders, probe, answer)
    if cell.point:
        _observe(cell, probe, answer)


def result(cell: Cell, probe: Probe) -> CellResult:
    """Return what came of *cell*, which *probe* ran."""
    key = cell.operation.key
    skipped = any(skip.requirement == cell.requirement for skip in probe.outcome.skips)
    if probe.outcome.violations:
        verdict: Literal["held", "violated", "skipped"] = "violated"
    else:
        verdict = "skipped" if skipped or not probe.outcome.exercised else "held"
    return CellResult(
        key, cell.credential, str(cell.subject), cell.shape.name, probe.id, verdict, probe.status
    )


def _call(
    cell: Cell,
    probe: Probe,
    recipe: Recipe,
    job: Job | None,
    request: Request,
    other: Mapping[str, str] | None,
) -> Answer:
    """Send the request of *cell*; a job that it may have cancelled against expectation is not used again."""
    spent = job is not None and not cell.may_cancel
    try:
        answer = probe.call(request, recipe, other)
        spent = spent and answer.accepted
    except CannotSupplyError:
        spent = False
        raise
    finally:
        if spent and job is not None:
            probe.target.spend(cell.operation, job.job_id)
    return answer


def _subject(cell: Cell, probe: Probe) -> tuple[Job | None, dict[str, str], str | None]:
    """Return the job, the path parameters and the Host that the request names."""
    subject = cell.subject
    if subject.kind == "unknown":
        return None, probe.own_parameters(probe.unknown_id()), None
    if subject.kind == "malformed":
        return None, probe.own_parameters(probe.malformed_id(subject.state)), None
    if subject.kind == "job":
        job = _job(cell, probe, "self")
        return job, dict(job.parameters), job.host
    job = _job(cell, probe, "other")
    if subject.kind == "foreign":
        return job, dict(job.parameters), job.host
    return job, probe.own_parameters(job.job_id), None


def _job(cell: Cell, probe: Probe, owner: str) -> Job:
    """Return a job of *owner* for *cell*; a given one that is told to have gone on meanwhile is passed over."""
    operation, target, state = cell.operation, probe.target, cell.subject.state
    reason = ""
    while True:
        try:
            job = target.new_job(operation, state, owner, spend=cell.may_cancel)
        except CannotSupplyError as error:
            raise CannotSupplyError(reason or str(error)) from error
        if target.reads_state or not target.asks_state(operation):
            return job
        try:
            told = asked_state(probe, job, operation, owner)
        except CannotSupplyError:
            return job
        if told == state:
            return job
        target.spend(operation, job.job_id)
        reason = _GONE_ON.format(state, told)


def _bystanders(cell: Cell, probe: Probe, subject: Job) -> list[Bystander]:
    """Find the jobs that a request about *subject* must leave alone, the first one of the same kind and owner."""
    operation, target = cell.operation, probe.target
    if not target.reads_state and not (target.asks_state(operation) and cell.may_cancel):
        reason = probe.session.no_reading
        if target.asks_state(operation):
            reason = "given jobs are looked at beside those cancels only that may be accepted"
        probe.skip("bystander-untouched", reason)
        return []
    states = JOB_STATES[operation.key]
    waiting, *later = (*states.cancellable, *states.silent)
    made: list[Bystander] = []

    def make(kind: Operation, state: str, owner: str = "self", *, must: bool = True) -> None:
        try:
            find = target.new_job if target.reads_state else partial(_given_bystander, probe, subject)
            made.append(Bystander(kind, find(kind, state, owner), owner))
        except CannotSupplyError as error:
            if must:
                probe.skip("bystander-untouched", str(error))

    # A server may leave those alone that wait, and cancel those that run: each cell has a bystander in one of the
    # states, the plain acceptances one in each.
    if cell.expects == ACCEPT and cell.shape is CANONICAL:
        make(operation, waiting)
        make(operation, waiting, "other")
        for sibling in target.api.operations.values():
            if sibling is not operation:
                make(sibling, JOB_STATES[sibling.key].cancellable[0])
        for state in later:
            make(operation, state, must=False)
        return made
    turn = crc32(cell.name.encode()) % (1 + len(later))
    if turn:
        make(operation, later[turn - 1], must=False)
    if not made:
        make(operation, waiting)
    return made


def _given_bystander(probe: Probe, subject: Job, kind: Operation, state: str, owner: str) -> Job:
    """Return a given job other than *subject* that is told not to be cancelled; raise CannotSupplyError for none."""
    target, states = probe.target, JOB_STATES[kind.key]
    if not target.asks_state(kind):
        raise CannotSupplyError(probe.session.no_reading)
    if states.cancelled in states.final:
        raise CannotSupplyError(_ENDS_SO.format(states.cancelled))
    job = target.new_job(kind, state, owner, spend=False, besides=subject.job_id)
    if asked_state(probe, job, kind, owner) == states.cancelled:
        target.spend(kind, job.job_id)
        raise CannotSupplyError(_GONE_ON.format(state, states.cancelled))
    return job


def _hold_acceptance(cell: Cell, probe: Probe, answer: Answer) -> None:
    expected = f"an accepted cancel of a job in state {cell.subject.state}"
    if answer.accepted or cell.recipe is None or answer.response.status in {401, 403}:
        probe.hold("cancel-accepted")
        probe.hold(cell.requirement)
        if not answer.accepted:
            probe.violate(cell.requirement, expected, answer.summary, answer.exchange, "acceptance")
        return
    # Such a refusal is about the way to authenticate where the same cancel is accepted in another way. With ids of a
    # file that is not tried: a run sends no cancel of a given job that its rehearsal does not list.
    other = _another_way(cell, probe) if probe.target.reads_state else None
    if other is not None and other.accepted:
        received = f"{answer.summary}, while another way to authenticate is accepted"
        probe.violate(cell.requirement, expected, received, answer.exchange, "acceptance")
        return
    probe.violate("cancel-accepted", expected, answer.summary, answer.exchange)
    if cell.requirement != "cancel-accepted":
        probe.skip(
            cell.requirement,
            "refused with neither 401 nor 403, which need not be about the way to authenticate",
        )


def _another_way(cell: Cell, probe: Probe) -> Answer | None:
    """Send the cancel of *cell* about another job, authenticated in another way; return None where there is none."""
    for recipe in RECIPES[cell.operation.api]:
        if not recipe.accepted or recipe.requirement == cell.requirement:
            continue
        try:
            probe.target.credentials(recipe.credentials)
            job = probe.target.new_job(cell.operation, cell.subject.state)
            request = cell.shape.change(probe.request(job.parameters, job.host))
            return probe.call(request, recipe)
        except CannotSupplyError:
            continue
    return None


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
    if cell.may_cancel and answer.accepted:
        after = _read(cell, probe, job, "cancel-takes-effect", settled=True)
        if after is None:
            return
        probe.hold("cancel-takes-effect")
        if after != cancelled:
            expected = f"state {cancelled} within {target.settle:g} s"
            received = f"{answer.summary}, then state {after}"
            probe.violate("cancel-takes-effect", expected, received, answer.exchange)
    elif cell.subject.state != cancelled and (cell.forbids_effect or not answer.accepted):
        requirement = cell.requirement if cell.forbids_effect else "refusal-changes-nothing"
        # What the answer alone shows of the cell's own requirement was held already.
        unread = [cell.requirement] if cell.expects == HARMLESS else []
        after = _read(cell, probe, job, "refusal-changes-nothing", *unread)
        if after is None:
            return
        if after == cancelled and _may_end_so(cell, probe):
            probe.skip(requirement, _ENDS_SO.format(cancelled))
            return
        probe.hold(requirement)
        if after == cancelled:
            expected = f"the job as it was, {cell.subject.state}"
            received = f"{answer.summary}, then state {after}"
            probe.violate(requirement, expected, received, answer.exchange, "state")


def _hold_success_flag(cell: Cell, probe: Probe, answer: Answer, job: Job) -> None:
    """Hold a 200 that says is_success false to having cancelled nothing."""
    operation = cell.operation
    if (
        operation.name != "cancelSqlJob"
        or not isinstance(answer.json, dict)
        or "is_success" not in answer.json
    ):
        return
    requirement, cancelled = "dli-sql-success-flag", JOB_STATES[operation.key].cancelled
    if answer.json["is_success"] is not False or cell.subject.state == cancelled:
        if _can_read(cell, probe) or probe.reads(requirement):
            probe.hold(requirement)
        return
    after = _read(cell, probe, job, requirement)
    if after is None:
        return
    probe.hold(requirement)
    if after == cancelled:
        expected = "is_success true, since the job was cancelled"
        probe.violate("dli-sql-success-flag", expected, answer.summary, answer.exchange)


def _can_read(cell: Cell, probe: Probe) -> bool:
    """Tell whether the state of the job of *cell* can be had: from the provider states, or by asking for our own."""
    ours = cell.subject.kind == "job"
    return probe.target.reads_state or (ours and probe.target.asks_state(cell.operation))


def _may_end_so(cell: Cell, probe: Probe) -> bool:
    """Tell whether the job of *cell*, a real one that runs on, may come to look cancelled by itself."""
    states = JOB_STATES[cell.operation.key]
    ended = cell.subject.state in states.final
    return not (probe.target.reads_state or ended) and states.cancelled in states.final


def _read(cell: Cell, probe: Probe, job: Job, *requirements: str, settled: bool = False) -> str | None:
    """Return the state of the job of *cell*, *settled* once it is cancelled or has had the time to be.

    Where it cannot be read, *requirements* are skipped and None is returned.
    """
    try:
        if probe.target.reads_state:
            if settled:
                return probe.settled_state(job.job_id)
            return probe.target.state(cell.operation, job.job_id)
        if not probe.target.asks_state(cell.operation):
            raise CannotSupplyError(probe.session.no_reading)  # noqa: TRY301 - one way to skip
        if settled:
            return settled_state(probe, job)
        return asked_state(probe, job, cell.operation, "self" if cell.subject.kind == "job" else "other")
    except CannotSupplyError as error:
        for requirement in requirements:
            probe.skip(requirement, str(error))
        return None


def _hold_bystanders(bystanders: list[Bystander], probe: Probe, answer: Answer) -> None:
    for kind, job, owner in ((each.kind, each.job, each.owner) for each in bystanders):
        try:
            if probe.target.reads_state:
                after = probe.target.state(kind, job.job_id)
            else:
                after = asked_state(probe, job, kind, owner)
        except CannotSupplyError as error:
            probe.skip("bystander-untouched", str(error))
            continue
        probe.hold("bystander-untouched")
        if after == JOB_STATES[kind.key].cancelled:
            probe.target.spend(kind, job.job_id)
            received = f"job {job.job_id} in {after}"
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
    probe.observe(cell.point, next((c for c in candidates if c in point.choices), f"{status}-{name}"))


def name_as_unknown(outcome: Outcome, catalogue: Catalogue) -> None:
    """Name the answers that are those to an unknown job as such, where the table of silent points does."""
    for point, choices in outcome.observed.items():
        known = catalogue.silent_points[point].choices
        unknown = outcome.observed.get(point.partition("-")[0] + "-unknown-job", {})
        for operation, choice in choices.items():
            if "as-unknown" in known and choice not in known and choice == unknown.get(operation):
                choices[operation] = "as-unknown"
