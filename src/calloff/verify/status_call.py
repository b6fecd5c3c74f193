"""Read the state of a given job back by the vendor's own read-only call, where no provider states do.

The call is signed with a good credential, and sent at the pace and within the budgets of every other request.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from calloff.verify.judge import Answer
from calloff.verify.recipes import RECIPES
from calloff.verify.shapes import JOB_STATES, request_for
from calloff.verify.target import CannotSupplyError
from calloff.verify.wire import NoAnswerError

if TYPE_CHECKING:
    from calloff.apis import Operation
    from calloff.verify.recipes import Recipe
    from calloff.verify.session import Probe
    from calloff.verify.target import Job
    from calloff.verify.wire import Request

# Seconds between two looks at a job that is to settle; what is asked for is somebody's real server.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 3.0
# The members that name the job and tell its state, by the name of the call.
_MEMBERS = {
    "describeInventoryTriggerJob": ("JobId", "State"),
    "describeAiJob": ("JobId", "State"),
    "getBatchJobState": ("id", "state"),
    "getSqlJobStatus": ("job_id", "status"),
}

# The kinds of credentials that another owner has in place of our own.
_OF_THE_OTHER = {"token": "other-owner-token", "good": "other-owner"}


def status_request(probe: Probe, job: Job, kind: Operation | None = None) -> Request:
    """Write the call that asks for the state of *job*, of the operation *kind*, without a credential."""
    target = probe.target
    return request_for(
        (kind or probe.operation).status,
        job.parameters,
        host=job.host or target.authority,
        case=probe.id,
        prefix=target.address.prefix,
    )


def ask(probe: Probe, job: Job, kind: Operation | None = None, owner: str = "self") -> Answer:
    """Ask for *job* and return the answer, which is not judged.

    The job is one of the operation *kind*, by default that of the probe; the credential is one of its *owner*, self or
    other. Raises CannotSupplyError where no answer comes, or there is no such credential.
    """
    operation = kind or probe.operation

    def send(request: Request) -> Answer:
        probe.outcome.requests += 1
        response = probe.session.send(request)
        return Answer(probe.session.document, operation, request, response)

    recipe = probe.session.default_recipe() if owner == "self" else _recipe_of_the_other(probe)
    try:
        return probe.call(status_request(probe, job, operation), recipe, job.parameters, ask=send)
    except NoAnswerError as error:
        msg = f"{operation.status.name} was not answered: {error}"
        raise CannotSupplyError(msg) from error


def asked_state(probe: Probe, job: Job, kind: Operation | None = None, owner: str = "self") -> str:
    """Return the state of *job*, a given one, that the target tells; the arguments are those of *ask*.

    Raises CannotSupplyError where it tells none.
    """
    return told_state(ask(probe, job, kind, owner), job)


def _recipe_of_the_other(probe: Probe) -> Recipe:
    """Return a right way to authenticate as the owner of the jobs of others."""
    reasons = []
    for own, theirs in _OF_THE_OTHER.items():
        for recipe in RECIPES[probe.target.api.name]:
            if recipe.accepted and recipe.credentials == own:
                try:
                    probe.target.credentials(theirs)
                except CannotSupplyError as error:
                    reasons.append(str(error))
                    break
                # That theirs are good is not known: a refusal shows nothing of the server.
                return replace(recipe, credentials=theirs, accepted=None)
    msg = f"a job of another owner cannot be asked for: {'; '.join(reasons)}"
    raise CannotSupplyError(msg)


def settled_state(probe: Probe, job: Job) -> str:
    """Ask for the state of *job* until it is cancelled or the settling time has passed; return the last one.

    Waiting once for a server that forgets is enough. Raises CannotSupplyError where no state is told.
    """
    key, clock = probe.operation.key, probe.target.clock
    wanted = JOB_STATES[key].cancelled
    broken = any(
        found.violated("cancel-takes-effect", key) for found in (probe.outcome, probe.session.outcome)
    )
    deadline = clock.elapsed() + (0 if broken else probe.target.settle)
    pause = _FIRST_PAUSE
    while (state := asked_state(probe, job)) != wanted and clock.elapsed() < deadline:
        clock.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
    return state


def told_state(answer: Answer, job: Job) -> str:
    """Return the state that an *answer* to the status call of *job* tells, in the spelling of the documents.

    Raises CannotSupplyError where it has not the documented form, or is about another job.
    """
    call = answer.operation.status.name
    if answer.response.status != 200:
        # The text is the server's: no more of it than what an error code looks like.
        code = answer.error_code if re.fullmatch(r"[A-Za-z][\w.]{0,63}", answer.error_code, re.ASCII) else ""
        raise CannotSupplyError(f"{call} was answered {answer.response.status} {code}".rstrip())
    members = _members(answer)
    of, state = _MEMBERS[call]
    if members.get("is_success") is False:
        raise CannotSupplyError(f"{call} was answered 200 with is_success false")
    if not isinstance(told := members.get(state), str) or not told:
        raise CannotSupplyError(f"{call} was answered 200 without the text {state}")
    if isinstance(named := members.get(of), str) and named.lower() != job.job_id.lower():
        raise CannotSupplyError(f"{call} was answered about another job")
    # A batch's documented sample has a capital letter that its table of states has not.
    return known_states(answer.operation).get(told.lower(), told)


def known_states(operation: Operation) -> dict[str, str]:
    """Return the documented states of the jobs of *operation*, by their spelling in lower case."""
    states = JOB_STATES[operation.key]
    every = (*states.cancellable, *states.final, *states.silent, states.cancelled)
    return {state.lower(): state for state in every}


def _members(answer: Answer) -> dict[str, object]:
    """Return the members that describe the job; none where the body is not of the vendor's form."""
    body = answer.response.body
    if not answer.is_ci:
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}
    try:
        details = fromstring(body, forbid_dtd=True).find("JobsDetail")
    except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError):
        return {}
    return {} if details is None else {child.tag: child.text for child in details}
