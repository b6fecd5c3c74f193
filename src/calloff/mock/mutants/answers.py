"""Servers whose answers are not as documented."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from calloff.mock.mutants.mutant import ALL, BATCH, CI, DLI, SQL, Mutant
from calloff.mock.mutations import answers
from calloff.mock.pipeline import Case

if TYPE_CHECKING:
    from collections.abc import Callable

AUTHENTICATION = tuple(case for case in Case if case.name.startswith(("AUTH_", "TOKEN_")))


def without(member: str) -> Callable[[dict[str, Any]], object]:
    """Leave a member out of an object."""
    return lambda members: {name: value for name, value in members.items() if name != member}


def short_request_id(members: dict[str, Any]) -> dict[str, Any]:
    """Shorten request_id, where there is one."""
    return {name: value[:8] if name == "request_id" else value for name, value in members.items()}


ROWS = (
    # status
    Mutant(
        "unknown-job-500",
        "no-server-fault",
        ALL,
        "faults on a job that was never given out",
        steps=answers.recast(Case.UNKNOWN_JOB, Case.SERVER_FAULT),
        prototype="M07",
    ),
    Mutant(
        "malformed-id-500",
        "no-server-fault",
        ALL,
        "faults on an id that breaks the form",
        steps=answers.recast(Case.MALFORMED_ID, Case.SERVER_FAULT),
    ),
    Mutant(
        "ended-job-409",
        "status-documented",
        ALL,
        "answers 409 for a job that has ended",
        steps=answers.refusing(answers.unlisted(409), Case.NOT_CANCELLABLE),
    ),
    Mutant(
        "unknown-job-418",
        "status-documented",
        ALL,
        "answers 418 for a job that was never given out",
        steps=answers.refusing(answers.unlisted(418), Case.UNKNOWN_JOB),
    ),
    Mutant(
        "ci-code-with-wrong-status",
        "ci-error-code-has-its-status",
        CI,
        "sends MissingAuthorization with 403",
        steps=answers.refusing(answers.status(403), Case.AUTH_MISSING),
    ),
    Mutant(
        "dli-code-with-wrong-status",
        "dli-error-code-has-its-status",
        DLI,
        "sends DLI.0001 with 404",
        steps=answers.refusing(answers.status(404), Case.MALFORMED_ID),
    ),
    # shape, CI
    Mutant(
        "ci-success-with-body",
        "ci-success-is-empty",
        CI,
        "sends a body with a 200",
        steps=answers.accepting(answers.with_xml_body),
        prototype="X02",
    ),
    Mutant(
        "ci-request-id-missing",
        "ci-request-id",
        CI,
        "sends no x-ci-request-id",
        steps=answers.finishing(answers.header(b"x-ci-request-id", None)),
        prototype="X07",
    ),
    Mutant(
        "ci-trace-id-missing",
        "ci-trace-id-on-failure",
        CI,
        "sends no x-ci-trace-id with a failure",
        steps=answers.finishing(answers.header(b"x-ci-trace-id", None)),
    ),
    Mutant(
        "ci-trace-id-on-success",
        "ci-trace-id-on-failure",
        CI,
        "sends x-ci-trace-id with a 200",
        steps=answers.accepting(answers.header(b"x-ci-trace-id", b"c3VjY2Vzcw==")),
    ),
    Mutant(
        "ci-server-header-wrong",
        "ci-server-header",
        CI,
        "says that it is tencent-cos",
        steps=answers.finishing(answers.header(b"server", b"tencent-cos")),
    ),
    Mutant(
        "ci-error-code-missing",
        "ci-error-is-xml",
        CI,
        "sends errors without Code",
        steps=answers.refusing(answers.body(answers.substituting(rb"<Code>.*</Code>", b""))),
        prototype="X03",
    ),
    Mutant(
        "ci-error-json",
        "ci-error-is-xml",
        CI,
        "sends errors as JSON",
        steps=answers.refusing(answers.json_error),
        prototype="X04",
    ),
    Mutant(
        "ci-error-malformed",
        "ci-error-is-xml",
        CI,
        "sends errors that are no well-formed XML",
        steps=answers.refusing(answers.body(lambda content: content[:-4])),
        prototype="X10",
    ),
    Mutant(
        "ci-error-wrapped",
        "ci-error-is-xml",
        CI,
        "wraps errors in Response",
        steps=answers.refusing(answers.body(lambda content: b"<Response>" + content + b"</Response>")),
    ),
    Mutant(
        "ci-error-content-type",
        "ci-error-is-xml",
        CI,
        "sends errors as text/html",
        steps=answers.refusing(answers.header(b"content-type", b"text/html")),
    ),
    Mutant(
        "ci-error-ids-differ",
        "ci-error-ids-agree",
        CI,
        "names another request in the body than in the header",
        steps=answers.refusing(answers.body(answers.substituting(rb"(<RequestId>)[^<]*", rb"\1b3RoZXI="))),
    ),
    # shape, DLI
    Mutant(
        "dli-error-content-type",
        "dli-error-is-json",
        DLI,
        "sends errors as text/plain",
        steps=answers.refusing(answers.header(b"content-type", b"text/plain")),
        prototype="M04",
    ),
    Mutant(
        "dli-error-code-missing",
        "dli-error-is-json",
        DLI,
        "sends errors without error_code",
        steps=answers.refusing(answers.members(without("error_code"))),
        prototype="M05",
    ),
    Mutant(
        "dli-error-wrapped",
        "dli-error-is-json",
        DLI,
        "wraps errors in another object",
        steps=answers.refusing(answers.members(lambda members: {"error": members})),
    ),
    Mutant(
        "dli-401-of-another-shape",
        "dli-error-is-json",
        DLI,
        "sends a 401 in the form of another service",
        steps=answers.refusing(
            answers.members(lambda members: {"code": 401, "message": members["error_msg"]}), *AUTHENTICATION
        ),
        prototype="M15",
    ),
    Mutant(
        "dli-request-id-missing",
        "dli-gateway-request-id",
        DLI,
        "sends gateway errors without request_id",
        steps=answers.refusing(answers.members(without("request_id"))),
    ),
    Mutant(
        "dli-request-id-short",
        "dli-gateway-request-id",
        DLI,
        "sends a request_id of 8 digits",
        steps=answers.refusing(answers.members(short_request_id)),
    ),
    Mutant(
        "dli-success-flag-text",
        "dli-success-is-json",
        SQL,
        'sends is_success as the text "true"',
        steps=answers.accepting(answers.members(lambda members: {**members, "is_success": "true"})),
        prototype="M06",
    ),
    Mutant(
        "dli-message-null",
        "dli-success-is-json",
        SQL,
        "sends message as null",
        steps=answers.accepting(answers.members(lambda members: {**members, "message": None})),
        prototype="M12",
    ),
    Mutant(
        "dli-batch-msg-null",
        "dli-success-is-json",
        BATCH,
        "sends msg as null",
        steps=answers.accepting(answers.members(lambda members: {**members, "msg": None})),
        prototype="M12",
    ),
    Mutant(
        "dli-success-content-type",
        "dli-success-is-json",
        DLI,
        "sends a 200 as text/html",
        steps=answers.accepting(answers.header(b"content-type", b"text/html")),
    ),
    Mutant(
        "dli-success-flag-false",
        "dli-sql-success-flag",
        SQL,
        "cancels and says is_success false",
        steps=answers.accepting(answers.members(lambda members: {**members, "is_success": False})),
    ),
    Mutant(
        "dli-batch-msg-other",
        "dli-batch-deleted",
        BATCH,
        'sends msg "canceled"',
        steps=answers.accepting(answers.members(lambda members: {**members, "msg": "canceled"})),
    ),
)
