"""What one cancel cannot show: the same one twice, one beside the end of its job, and what merely asks for a job."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from calloff.verify.shapes import JOB_STATES
from calloff.verify.status_call import ask
from calloff.verify.target import CannotSupplyError

if TYPE_CHECKING:
    from calloff.verify.judge import Answer
    from calloff.verify.session import Probe
    from calloff.verify.target import Job

ROUNDS = 3
# Seconds after which a job is to finish: at least so many, at least so many times what making one takes, and at most
# so many (provider states, finishes_after).
SHORTEST_RUN, RUN_PER_CALL, LONGEST_RUN = 0.03, 3.0, 60.0
# Seconds: how near to the finish the cancels come before they look for it again, which is never quite the same.
_NEAR = 0.001


def cancel_twice(probe: Probe) -> None:
    """Cancel a job, wait until it is cancelled, and cancel it again."""
    operation, target = probe.operation, probe.target
    states = JOB_STATES[operation.key]
    recipe = probe.session.default_recipe()
    job = target.new_job(operation, states.cancellable[-1])
    first = probe.call(probe.request(job.parameters, job.host), recipe)
    probe.hold("cancel-accepted")
    if not first.accepted:
        probe.violate("cancel-accepted", "an accepted cancel", first.summary, first.exchange)
        return
    if not first.is_ci:
        probe.observe("dli-success-body", _completeness(first))
    if not target.reads_state:
        for requirement in ("cancel-takes-effect", "dli-second-cancel-refused"):
            probe.skip(requirement, probe.session.no_reading)
        return
    probe.hold("cancel-takes-effect")
    at_once = target.state(operation, job.job_id) == states.cancelled
    after = probe.settled_state(job.job_id)
    if after != states.cancelled:
        wanted = f"state {states.cancelled} within {target.settle:g} s"
        probe.violate("cancel-takes-effect", wanted, f"state {after}", first.exchange)
        return
    probe.observe(f"{first.family}-settle", "at-once" if at_once else "later")
    second = probe.call(probe.request(job.parameters, job.host), recipe)
    if states.second_cancel_is_silent:
        return
    probe.hold("dli-second-cancel-refused")
    if second.accepted:
        probe.violate(
            "dli-second-cancel-refused",
            "a refusal of the second cancel",
            second.summary,
            second.exchange,
        )


def _completeness(answer: Answer) -> str:
    """Name how much of the documented 200 an answer holds, as the table of silent points does."""
    if not answer.response.body:
        return "empty"
    documented = {"msg"} if answer.operation.name == "cancelBatchJob" else {"is_success", "message"}
    return "full" if isinstance(answer.json, dict) and documented <= answer.json.keys() else "partial"


def see_cancellable_states(probe: Probe) -> None:
    """Record in which of the states that the CI page is silent about a batch job can be cancelled."""
    recipe = probe.session.default_recipe()
    accepted = set()
    for state in JOB_STATES[probe.operation.key].silent:
        job = probe.target.new_job(probe.operation, state)
        if probe.call(probe.request(job.parameters, job.host), recipe).accepted:
            accepted.add(state)
    names = {(): "none", ("Pause",): "pause", ("Pause", "Running"): "running-and-pause"}
    seen = tuple(sorted(accepted))
    probe.observe("ci-batch-cancellable", names.get(seen, " and ".join(seen)))


def cancel_at_the_same_time(probe: Probe) -> None:
    """Send two cancels of one job at the same time, on two connections."""
    operation, target = probe.operation, probe.target
    if not target.reads_state:
        raise CannotSupplyError(probe.session.no_reading)
    states = JOB_STATES[operation.key]
    recipe = probe.session.default_recipe()
    wires = target.new_wire(), target.new_wire()
    ways = [partial(probe.send, wire=wire) for wire in wires]
    try:
        with ThreadPoolExecutor(len(ways)) as pool:
            for _ in range(ROUNDS):
                job = target.new_job(operation, states.cancellable[-1])
                request = probe.request(job.parameters, job.host)
                answers = list(pool.map(lambda way, r=request: probe.call(r, recipe, ask=way), ways))
                probe.hold("concurrent-cancels-agree")
                exchange = answers[0].exchange
                received = " and ".join(answer.summary for answer in answers)
                if not any(answer.accepted for answer in answers):
                    expected = "one of the two accepted"
                    probe.violate("concurrent-cancels-agree", expected, received, exchange, "acceptance")
                if any(answer.response.status >= 500 for answer in answers):
                    probe.violate("concurrent-cancels-agree", "no 5xx", received, exchange)
                after = probe.settled_state(job.job_id)
                if after != states.cancelled:
                    wanted = f"state {states.cancelled} within {target.settle:g} s"
                    received = f"{received}, then {after}"
                    probe.violate("concurrent-cancels-agree", wanted, received, exchange, "state")
                    return
    finally:
        for wire in wires:
            wire.close()


def cancel_around_the_finish(probe: Probe, *, finishes: int) -> None:
    """Cancel jobs that finish by themselves, around the moment when they do, and see which of the two came of each.

    Of *finishes* jobs the first is cancelled at once, the second late, the others ever nearer to the moment between.
    Whether a single cancel comes early or late nobody can know; that the answer and the end of the job agree must
    hold for each.
    """
    operation, target = probe.operation, probe.target
    if not target.reads_state:
        raise CannotSupplyError(probe.session.no_reading)
    requirement, states = "cancel-and-finish-agree", JOB_STATES[operation.key]
    start = states.cancellable[-1]
    recipe = probe.session.default_recipe()
    lasts = SHORTEST_RUN
    early, late = 0.0, 0.0
    raced: list[tuple[Job, Answer]] = []
    for turn in range(finishes):
        began = time.monotonic()
        job = target.new_job(operation, start, finishes_after=lasts)
        made = time.monotonic()
        if turn == 0:
            lasts = min(max(lasts, RUN_PER_CALL * (made - began)), LONGEST_RUN)
            late = 2 * lasts
        moment = (0.0, late)[turn] if turn in {0, 1} else (early + late) / 2
        probe.session.pause(moment)
        answer = probe.call(probe.request(job.parameters, job.host), recipe)
        raced.append((job, answer))
        if turn and answer.accepted:
            early = moment
        elif turn:
            late = moment
        if late - early < _NEAR:
            early, late = max(0.0, early - _NEAR), late + _NEAR
    witness = target.new_job(operation, start, finishes_after=lasts)
    probe.session.pause(lasts)
    ended = target.settled_state(operation, witness.job_id, states.ended_well, target.settle)
    if ended != states.ended_well:
        wanted = f"{states.ended_well} within {lasts + target.settle:.2g} s"
        raise CannotSupplyError(f"a job that was to finish by itself, and be {wanted}, is in state {ended}")
    for job, answer in raced:
        if answer.response.status >= 500:
            continue
        probe.hold(requirement)
        after = probe.settled_state(job.job_id) if answer.accepted else target.state(operation, job.job_id)
        if (after == states.cancelled) != answer.accepted:
            not_ = "" if answer.accepted else "not "
            expected = f"{not_}state {states.cancelled} after this answer about a job that was to finish"
            probe.violate(requirement, expected, f"{answer.summary}, then state {after}", answer.exchange)
            return


def ask_for_the_state(probe: Probe) -> None:
    """Ask for jobs by the vendor's read-only call, whatever is answered, and see that they are as they were."""
    operation, target = probe.operation, probe.target
    if not target.reads_state:
        raise CannotSupplyError(probe.session.no_reading)
    requirement, states = "asking-changes-nothing", JOB_STATES[operation.key]
    for state in states.cancellable:
        job = target.new_job(operation, state)
        answer = ask(probe, job)
        after = target.state(operation, job.job_id)
        if after == states.cancelled:
            expected, received = f"the job as it was, {state}", f"{answer.summary}, then state {after}"
            probe.violate(requirement, expected, received, answer.exchange)
            return
        if answer.response.status == 200:
            probe.hold(requirement)
        else:
            told = f"{operation.status.name} was answered {answer.response.status}"
            probe.skip(requirement, f"{told}; a server need not have that call")
