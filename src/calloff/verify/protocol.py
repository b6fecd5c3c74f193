"""What only a connection, a neighbour or the moment after can show."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from calloff.verify.judge import Answer
from calloff.verify.outcome import Exchange, cut
from calloff.verify.shapes import JOB_STATES
from calloff.verify.strict_wire import ClosedBetweenError, StrictWire
from calloff.verify.target import CannotSupplyError
from calloff.verify.wire import NoAnswerError, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from calloff.apis import Operation
    from calloff.verify.recipes import Recipe
    from calloff.verify.session import Probe

FRAMED, ALIVE = "answer-is-framed", "keep-alive-after-error"
# Seconds that a cancelled job is left alone before it is looked at again.
AFTERWARDS = 0.2


@dataclass(frozen=True, slots=True)
class ProtocolCheck:
    """One check that is no cell: its name, what it proves, how it runs, and where it makes sense."""

    name: str
    requirements: tuple[str, ...]
    run: Callable[[Probe], None]
    concerns: Callable[[Operation], bool] = lambda _: True
    waits: bool = False


def answers_are_framed(probe: Probe) -> None:
    """Send HEAD, a refused cancel and an accepted one over a connection, and see where each answer ends."""
    recipe = probe.session.default_recipe()
    requests = [_unknown(probe, "HEAD"), _unknown(probe)]
    try:
        job = probe.target.new_job(probe.operation, JOB_STATES[probe.operation.key].cancellable[0])
        requests.append(probe.request(job.parameters, job.host))
    except CannotSupplyError:
        pass  # the refusals are framed or not all the same
    with closing(_strict_wire(probe)) as wire:
        # The last one only shows that nothing was left over before it.
        for request in (*requests, _unknown(probe)):
            answer = _framed(probe, request, wire, recipe)
            if answer is None or not _nothing_left(probe, wire, answer):
                return


def refusal_leaves_the_connection_usable(probe: Probe) -> None:
    """Let a request without a credential be refused, and send a right one over the same connection."""
    recipe = probe.session.default_recipe()
    with closing(_strict_wire(probe)) as wire:
        refused = _framed(probe, _unknown(probe), wire)
        if refused is None or not _nothing_left(probe, wire, refused):
            return
        if not probe.session.keeps_open(wire):
            probe.skip(ALIVE, "the server closes the connection after an error")
            return
        request = _unknown(probe)
        try:
            answer = _ask(probe, request, wire, recipe)
        except ClosedBetweenError:
            probe.skip(ALIVE, "the server closes the connection after an error")
            return
        except NoAnswerError as error:
            probe.violate(ALIVE, "an answer to the next request", str(error), Exchange(request, None))
            return
        probe.hold(ALIVE)
        if answer.response == refused.response:
            probe.violate(
                ALIVE, "an answer of its own", f"the one before, again: {answer.summary}", answer.exchange
            )


def encoded_letter_is_the_letter(probe: Probe) -> None:
    """Cancel a job whose id is written with its last letter percent-encoded."""
    requirement = "percent-encoded-letter"
    recipe = probe.session.default_recipe()
    if probe.operation.api != "tencent-ci" and recipe.credentials != "token":
        # SIG signs the decoded path; the guide of SDK-HMAC-SHA256 does not say what becomes of such a letter.
        probe.skip(requirement, "needs a token: which path a signature covers then is not documented")
        return
    job = probe.target.new_job(probe.operation, JOB_STATES[probe.operation.key].cancellable[-1])
    request = probe.request(job.parameters, job.host)
    path, mark, query = request.target.partition("?")
    written = f"{path[:-1]}%{ord(path[-1]):X}{mark}{query}"
    answer = probe.call(replace(request, target=written), recipe)
    probe.hold(requirement)
    if not answer.accepted:
        probe.violate(
            requirement, f"the cancel of job {job.job_id} accepted", answer.summary, answer.exchange
        )


def cancelled_job_stays_so(probe: Probe) -> None:
    """Cancel a job and look at it once more, a while after it was cancelled."""
    requirement = "cancelled-stays-cancelled"
    operation, target = probe.operation, probe.target
    if not target.reads_state:
        raise CannotSupplyError(probe.session.no_reading)
    states = JOB_STATES[operation.key]
    job = target.new_job(operation, states.cancellable[-1])
    recipe = probe.session.default_recipe()
    answer = probe.call(probe.request(job.parameters, job.host), recipe)
    if not answer.accepted:
        return
    if probe.settled_state(job.job_id) != states.cancelled:
        return
    target.clock.sleep(AFTERWARDS)
    probe.hold(requirement)
    after = target.state(operation, job.job_id)
    if after != states.cancelled:
        received = f"state {after}, {AFTERWARDS:g} s after it was {states.cancelled}"
        probe.violate(requirement, f"a job that stays {states.cancelled}", received, answer.exchange)


def other_kind_is_left_alone(probe: Probe) -> None:
    """Name the job of another operation in the path of this one."""
    requirement = "bystander-untouched"
    operation, target = probe.operation, probe.target
    if not target.reads_state:
        raise CannotSupplyError(probe.session.no_reading)
    recipe = probe.session.default_recipe()
    for sibling in target.api.operations.values():
        if sibling is operation:
            continue
        states = JOB_STATES[sibling.key]
        job = target.new_job(sibling, states.cancellable[0])
        answer = probe.call(probe.request(probe.own_parameters(job.job_id)), recipe)
        probe.hold(requirement)
        after = target.state(sibling, job.job_id)
        if after == states.cancelled:
            expected = f"the job of {sibling.name} as it was"
            probe.violate(requirement, expected, f"{answer.summary}, then state {after}", answer.exchange)


def _unknown(probe: Probe, method: str | None = None) -> Request:
    """Write the documented request about a made-up id."""
    request = probe.request(probe.own_parameters(probe.unknown_id()))
    return replace(request, method=method or request.method)


def _strict_wire(probe: Probe) -> StrictWire:
    plain = probe.target.new_wire()
    return StrictWire(plain.address, plain.timeout, plain.tls)


def _ask(probe: Probe, request: Request, wire: StrictWire, recipe: Recipe | None = None) -> Answer:
    """Send *request* and judge the answer; unlike the probe's own way, blame nobody where none comes."""

    def send(built: Request) -> Answer:
        probe.outcome.requests += 1
        response = probe.session.send(built, wire)
        answer = Answer(probe.session.document, probe.operation, built, response)
        probe.outcome.accepted += answer.accepted
        probe.judge(answer)
        return answer

    return send(request) if recipe is None else probe.call(request, recipe, ask=send)


def _framed(probe: Probe, request: Request, wire: StrictWire, recipe: Recipe | None = None) -> Answer | None:
    """Send *request* and return the answer; None where none can be made out, which is noted."""
    probe.hold(FRAMED)
    try:
        try:
            return _ask(probe, request, wire, recipe)
        except ClosedBetweenError:
            return _ask(probe, request, wire, recipe)
    except NoAnswerError as error:
        expected = "an answer that begins and ends as it says"
        probe.violate(FRAMED, expected, str(error), Exchange(request, None))
        return None


def _nothing_left(probe: Probe, wire: StrictWire, answer: Answer) -> bool:
    """Tell whether nothing came behind *answer*; note the violation where something did."""
    left = wire.surplus
    if left:
        again = left.startswith(b"HTTP/")
        expected = "one answer to one request" if again else "an answer that ends where it says"
        received = f"{answer.response.status}, then {cut(repr(left), 60)}"
        probe.violate(ALIVE if again else FRAMED, expected, received, answer.exchange)
    return not left


PROTOCOL_CHECKS: tuple[ProtocolCheck, ...] = (
    ProtocolCheck("framing", (FRAMED,), answers_are_framed),
    ProtocolCheck("connection-after-a-refusal", (ALIVE, FRAMED), refusal_leaves_the_connection_usable),
    ProtocolCheck("percent-encoded-letter", ("percent-encoded-letter",), encoded_letter_is_the_letter),
    ProtocolCheck(
        "cancelled-job-afterwards", ("cancelled-stays-cancelled",), cancelled_job_stays_so, waits=True
    ),
    ProtocolCheck(
        "job-of-another-operation",
        ("bystander-untouched",),
        other_kind_is_left_alone,
        lambda operation: operation.api != "huaweicloud-dli",
    ),
)
