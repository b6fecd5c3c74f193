"""Servers of DLI whose answers are not of the documented form."""

from __future__ import annotations

from calloff.mock.mutants.mutant import BATCH, DLI, SQL, Mutant
from calloff.mock.mutations import answers
from calloff.mock.pipeline import Case

AUTHENTICATION = tuple(case for case in Case if case.name.startswith(("AUTH_", "TOKEN_")))

ROWS = (
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
        steps=answers.refusing(answers.members(answers.without("error_code"))),
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
        steps=answers.refusing(answers.members(answers.without("request_id"))),
    ),
    Mutant(
        "dli-request-id-short",
        "dli-gateway-request-id",
        DLI,
        "sends a request_id of 8 digits",
        steps=answers.refusing(answers.members(answers.short_request_id)),
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
    Mutant(
        "dli-success-with-error-body",
        "dli-body-agrees-with-status",
        DLI,
        "cancels, and sends an error as the body of the 200",
        steps=answers.accepting(
            answers.content(b'{"error_code": "DLI.0999", "error_msg": "failed"}', b"application/json")
        ),
    ),
    Mutant(
        "dli-error-with-success-body",
        "dli-body-agrees-with-status",
        DLI,
        "refuses, and reports success in the body",
        steps=answers.refusing(answers.members(answers.having(is_success=True, msg="deleted"))),
    ),
    Mutant(
        "dli-error-broken",
        "dli-error-is-json",
        DLI,
        "sends errors that are no JSON",
        steps=answers.refusing(answers.body(lambda content: content[:-1])),
    ),
    Mutant(
        "dli-success-broken",
        "dli-success-is-json",
        DLI,
        "sends a 200 whose body is no JSON",
        steps=answers.accepting(answers.content(b"{'is_success': True}", b"application/json")),
    ),
    Mutant(
        "dli-success-list",
        "dli-success-is-json",
        DLI,
        "sends a 200 whose body is a JSON list",
        steps=answers.accepting(answers.content(b"[]", b"application/json")),
    ),
    Mutant(
        "dli-error-in-utf-16",
        "answer-text-decodes",
        DLI,
        "sends errors in UTF-16",
        steps=answers.refusing(answers.body(lambda content: content.decode().encode("utf-16"))),
    ),
    Mutant(
        "dli-error-in-latin-1",
        "answer-text-decodes",
        DLI,
        "sends errors in Latin-1",
        steps=answers.refusing(answers.body(answers.substituting(b'"error_msg": ?"', b'"error_msg":"\xa7 '))),
    ),
    Mutant(
        "dli-error-members-renamed",
        "dli-error-is-json",
        DLI,
        "writes the members of an error in camel case",
        steps=answers.refusing(
            answers.members(answers.renamed({"error_code": "errorCode", "error_msg": "errorMsg"}))
        ),
    ),
    Mutant(
        "dli-error-message-missing",
        "dli-error-is-json",
        DLI,
        "sends errors without error_msg",
        steps=answers.refusing(answers.members(answers.without("error_msg"))),
    ),
    Mutant(
        "dli-error-message-null",
        "dli-error-is-json",
        DLI,
        "sends error_msg as null",
        steps=answers.refusing(answers.members(answers.having(error_msg=None))),
    ),
    Mutant(
        "dli-error-code-number",
        "dli-error-is-json",
        DLI,
        "sends error_code as a number",
        steps=answers.refusing(answers.members(answers.having(error_code=400))),
    ),
    Mutant(
        "dli-error-without-body",
        "dli-error-is-json",
        DLI,
        "refuses without saying why",
        steps=answers.refusing(answers.body(lambda _content: b"")),
    ),
    Mutant(
        "dli-error-without-content-type",
        "dli-error-is-json",
        DLI,
        "sends no Content-Type with an error",
        steps=answers.refusing(answers.header(b"content-type", None)),
    ),
    Mutant(
        "dli-message-number",
        "dli-success-is-json",
        SQL,
        "sends message as a number",
        steps=answers.accepting(answers.members(answers.having(message=0))),
    ),
    Mutant(
        "dli-batch-msg-list",
        "dli-success-is-json",
        BATCH,
        "sends msg as a list",
        steps=answers.accepting(answers.members(answers.having(msg=["deleted"]))),
    ),
)
