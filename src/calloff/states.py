"""Read the answer to a call that asks for the state of a job.

Accepted is not cancelled: this is how one learns what became of a cancel. Every member may be absent, says a
page, or is marked mandatory by another revision of it; without a state there is no answer, though.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from calloff.answers import clean, json_object, redacted, refusal, request_id, xml_root
from calloff.errors import ApiError, RefusedError, UnexpectedAnswerError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from xml.etree.ElementTree import Element

    from calloff.apis import StatusCall
    from calloff.prepare import PreparedRequest
    from calloff.transport import Answer

_MAX_TEXT = 65536
_MEMBERS = {"getBatchJobState": ("id", "state"), "getSqlJobStatus": ("job_id", "status")}
# The page's name, and the one that an official client reads (GET-B, GO).
_UNKNOWN_IDS = ("NonExistJobIds", "NonExistJobId")


@dataclass(frozen=True, slots=True)
class JobState:
    """What the service says of a job at this moment.

    ``operation`` is the call, as in ``otc-dli/getSqlJobStatus``; ``state`` the vendor's own word for it; ``final``
    whether it is known not to change any more, which no state is that the vendor does not document;
    ``request_id`` what the vendor's support asks for (empty where none came); ``text`` the body as it came, its
    first 65,536 characters, secrets of the request removed.
    """

    operation: str
    job_id: str
    state: str
    final: bool
    request_id: str
    text: str = field(default="", repr=False)


def read_state(
    call: StatusCall, job_id: str, request: PreparedRequest, answer: Answer
) -> JobState | ApiError:
    """Read a 200: the state that it tells of the job ``job_id``, or the error to raise."""
    unexpected = UnexpectedAnswerError
    if call.api == "tencent-ci":
        root = xml_root(answer)
        if root is None or root.tag != "Response":
            return refusal(unexpected, request, answer, "the body is not the documented one", {})
        if job_id in _unknown_ids(root):
            return refusal(RefusedError, request, answer, "the service knows no such job", {})
        told = _told_by_ci(root, job_id)
    else:
        members = json_object(answer)
        if members is None:
            return refusal(unexpected, request, answer, "the body is not the documented one", {})
        # Only here the flag is about this request: other Spark calls answer false on success (TF, a public log).
        if call.name == "getSqlJobStatus" and members.get("is_success", True) is not True:
            return refusal(RefusedError, request, answer, "is_success is not true", members)
        if members.get("error_code"):
            return refusal(RefusedError, request, answer, "an error code in a 200", members)
        told = _told_by_dli(call, members, job_id)
    if told is None or not told.strip():
        return refusal(unexpected, request, answer, "it tells no state of this job", {})
    state = _spelt(call, clean(told.strip(), request.secrets))
    return JobState(
        call.key,
        job_id,
        state,
        call.states.get(state, False),
        clean(request_id(answer), request.secrets),
        redacted(answer.body.decode("utf-8", "replace"), request.secrets)[:_MAX_TEXT],
    )


def _unknown_ids(root: Element) -> set[str]:
    texts = [node.text or "" for name in _UNKNOWN_IDS for node in root.iter(name)]
    return {name for text in texts for name in text.replace(",", " ").split()}


def _told_by_ci(root: Element, job_id: str) -> str | None:
    """Find the state of the one job asked for; the element is said to be repeated for AI jobs."""
    states = [
        job.findtext("State")
        for job in root.findall("JobsDetail")
        if job.findtext("JobId", job_id).strip() == job_id
    ]
    return states[0] if len(states) == 1 else None


def _told_by_dli(call: StatusCall, members: Mapping[str, Any], job_id: str) -> str | None:
    identifier, state = _MEMBERS[call.name]
    named, told = members.get(identifier), members.get(state)
    if named is not None and (not isinstance(named, str) or named.casefold() != job_id.casefold()):
        return None
    return told if isinstance(told, str) else None


def _spelt(call: StatusCall, state: str) -> str:
    """Write a state as its page's table does: the example of the batch page has a capital, against its table."""
    if call.name != "getBatchJobState":
        return state
    return next((known for known in call.states if known == state.casefold()), state)
