"""Read the answer to a cancel.

200 is not success: a failure may be inside of one. All members of a 200 may be absent, as the pages call them not
mandatory, and an empty one is tolerated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from calloff.answers import clean, json_object, redacted, refusal, request_id
from calloff.errors import ApiError, RefusedError, UnexpectedAnswerError

if TYPE_CHECKING:
    from calloff.apis import Operation
    from calloff.prepare import PreparedRequest
    from calloff.transport import Answer

AnswerModel = TypeVar("AnswerModel")


@dataclass(frozen=True, slots=True)
class CancelAccepted(Generic[AnswerModel]):
    """The service took the request to cancel; that the job is cancelled by now is not said.

    ``operation`` is written as in ``otc-dli/cancelSqlJob``; ``request_id`` is what the vendor's support
    asks for (empty where none came), ``answer`` the body as the generated model, None where there was none.
    """

    operation: str
    job_id: str
    request_id: str
    status: int
    answer: AnswerModel | None = None


def read_acceptance(
    operation: Operation, job_id: str, request: PreparedRequest, answer: Answer
) -> CancelAccepted[Any] | ApiError:
    """Read a 200: the acceptance of the cancel of the job ``job_id``, or the error to raise."""
    members: dict[str, Any] | None = None
    if answer.body:
        # An acceptance of CI has no body: whatever this is, CI did not write it.
        members = None if operation.api == "tencent-ci" else json_object(answer)
        if members is None:
            why = "the body is not the documented one"
            return refusal(UnexpectedAnswerError, request, answer, why, {})
        if (error := _hidden_failure(operation, request, answer, members)) is not None:
            return error
        if not _holds_none_of(answer.body, request.secrets):
            _redact(members, request.secrets)
    return CancelAccepted(
        operation.key,
        job_id,
        clean(request_id(answer), request.secrets),
        answer.status,
        _model(operation, members),
    )


def _holds_none_of(body: bytes, secrets: tuple[str, ...]) -> bool:
    """Tell whether no text in a body of JSON can hold a secret, as all of it is written plainly."""
    if not body.isascii() or b"\\" in body or b"\0" in body:  # escapes, or an encoding of two bytes or four
        return False
    plain = body.decode("ascii")
    return not any(secret in plain for secret in secrets)


def _redact(members: dict[str, Any], secrets: tuple[str, ...]) -> None:
    """Remove the secrets of a request at every depth; without recursion, as a server chooses the depth."""

    def shown(value: Any) -> Any:
        return redacted(value, secrets) if isinstance(value, str) else value

    nodes: list[Any] = [members]
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict):
            pairs = [(shown(name), shown(value)) for name, value in node.items()]
            node.clear()
            node.update(pairs)
            nodes += node.values()
        elif isinstance(node, list):
            node[:] = map(shown, node)
            nodes += node


def _hidden_failure(
    operation: Operation, request: PreparedRequest, answer: Answer, members: dict[str, Any]
) -> ApiError | None:
    """Find a failure inside of a 200. All members may be absent: the pages call them not mandatory."""
    if operation.name == "cancelSqlJob" and members.get("is_success", True) is not True:
        return refusal(RefusedError, request, answer, "is_success is not true", members)
    if members.get("error_code"):
        return refusal(RefusedError, request, answer, "an error code in a 200", members)
    if operation.name == "cancelBatchJob" and members.get("msg") not in (None, "deleted"):
        return refusal(UnexpectedAnswerError, request, answer, 'msg is not "deleted"', members)
    return None


def _model(operation: Operation, members: dict[str, Any] | None) -> Any:
    """Read the body as the generated model; imported here, as a CI client never needs one."""
    if members is None:
        return None
    if operation.api == "huaweicloud-dli":
        from calloff_clients.huaweicloud_dli.models import SqlCancelResult as Model

        return Model.from_dict(members)
    from calloff_clients.otc_dli.models import BatchCancelResult, SqlCancelResult

    model = BatchCancelResult if operation.name == "cancelBatchJob" else SqlCancelResult
    return model.from_dict(members)
