"""What one request cannot show: the same cancel twice, one after the other and at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from calloff.verify.outcome import Exchange
from calloff.verify.shapes import JOB_STATES

if TYPE_CHECKING:
    from calloff.verify.session import Probe

ROUNDS = 3


def cancel_twice(probe: Probe) -> None:
    """Cancel a job, wait until it is cancelled, and cancel it again."""
    operation, target = probe.operation, probe.target
    states = JOB_STATES[operation.key]
    recipe = probe.session.default_recipe()
    job = target.new_job(operation, states.cancellable[-1])
    request = probe.authenticate(probe.request(job.parameters, job.host), recipe)
    first = probe.send(request)
    probe.hold("cancel-accepted")
    if not first.accepted:
        probe.violate(
            "cancel-accepted", "an accepted cancel", first.summary, Exchange(request, first.response)
        )
        return
    probe.hold("cancel-takes-effect")
    after = target.settled_state(operation, job.job_id, states.cancelled, target.settle)
    if after != states.cancelled:
        wanted = f"state {states.cancelled} within {target.settle:g} s"
        probe.violate("cancel-takes-effect", wanted, f"state {after}", Exchange(request, first.response))
        return
    again = probe.authenticate(probe.request(job.parameters, job.host), recipe)
    second = probe.send(again)
    if states.second_cancel_is_silent:
        return
    probe.hold("dli-second-cancel-refused")
    if second.accepted:
        probe.violate(
            "dli-second-cancel-refused",
            "a refusal of the second cancel",
            second.summary,
            Exchange(again, second.response),
        )


def cancel_at_the_same_time(probe: Probe) -> None:
    """Send two cancels of one job at the same time, on two connections."""
    operation, target = probe.operation, probe.target
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
                exchange = Exchange(request, answers[0].response)
                received = " and ".join(answer.summary for answer in answers)
                if not any(answer.accepted for answer in answers):
                    probe.violate("concurrent-cancels-agree", "one of the two accepted", received, exchange)
                if any(answer.response.status >= 500 for answer in answers):
                    probe.violate("concurrent-cancels-agree", "no 5xx", received, exchange)
                after = target.settled_state(operation, job.job_id, states.cancelled, target.settle)
                if after != states.cancelled:
                    wanted = f"state {states.cancelled} within {target.settle:g} s"
                    probe.violate("concurrent-cancels-agree", wanted, f"{received}, then {after}", exchange)
                    return
    finally:
        for wire in wires:
            wire.close()
