"""What one request cannot show: the same cancel twice, one after the other and at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from calloff.verify.shapes import JOB_STATES
from calloff.verify.target import CannotSupplyError

if TYPE_CHECKING:
    from calloff.verify.judge import Answer
    from calloff.verify.session import Probe

ROUNDS = 3


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
    try:
        with ThreadPoolExecutor(2) as pool:
            for _ in range(ROUNDS):
                job = target.new_job(operation, states.cancellable[-1])
                request = probe.authenticate(probe.request(job.parameters, job.host), recipe)
                answers = list(pool.map(lambda wire, r=request: probe.send(r, wire), wires))
                probe.hold("concurrent-cancels-agree")
                exchange = answers[0].exchange
                received = " and ".join(answer.summary for answer in answers)
                if not any(answer.accepted for answer in answers):
                    probe.violate("concurrent-cancels-agree", "one of the two accepted", received, exchange)
                if any(answer.response.status >= 500 for answer in answers):
                    probe.violate("concurrent-cancels-agree", "no 5xx", received, exchange)
                after = probe.settled_state(job.job_id)
                if after != states.cancelled:
                    wanted = f"state {states.cancelled} within {target.settle:g} s"
                    probe.violate("concurrent-cancels-agree", wanted, f"{received}, then {after}", exchange)
                    return
    finally:
        for wire in wires:
            wire.close()
