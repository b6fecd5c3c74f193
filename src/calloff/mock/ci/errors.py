"""CI's errors in the vendor's words, as XML."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from calloff.mock.pipeline import Answer, Case, Row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from calloff.mock.dialects import Dialect

XML = (b"content-type", b"application/xml")
_UNKNOWN = {
    # JobNotFound is a placeholder of this project; the vendor names no code for it.
    "404-job-not-found": Row(404, "JobNotFound", "The job does not exist."),
    "400-resource-not-found": Row(400, "ResourceNotFound", "The job does not exist."),
    "400-invalid-argument": Row(400, "InvalidArgument", "The job does not exist."),
    "403-access-denied": Row(403, "AccessDenied", "Operation forbidden."),
}
_BAD_URL = Row(404, "InvalidUrl", "The URL is invalid.")
_NO_CANCEL = "without the query parameter cancel, a PUT names no operation."
_BAD_ARGUMENT = Row(400, "InvalidArgument", "The request parameter is invalid.")
_WRONG_SIGNATURE = {
    "InvalidAuthorization": Row(401, "InvalidAuthorization", "The signature does not match."),
    "AccessDenied": Row(401, "AccessDenied", "The signature does not match."),
    "403-access-denied": Row(403, "AccessDenied", "Operation forbidden: the signature does not match."),
}
_CI_AUTHENTICATION = {
    Case.AUTH_MISSING: Row(401, "MissingAuthorization", "The Authorization header is missing."),
    Case.AUTH_MALFORMED: Row(401, "InvalidAuthorization", "The Authorization header is malformed."),
    Case.AUTH_UNKNOWN_KEY: Row(401, "SecretidNotExist", "The SecretId does not exist."),
    Case.AUTH_EXPIRED: Row(401, "SignatureExpired", "The signature has expired."),
    Case.AUTH_SECURITY_TOKEN: Row(401, "InvalidAuthorization", "The security token is missing or invalid."),
    Case.AUTH_SECURITY_TOKEN_EXPIRED: Row(401, "SignatureExpired", "The security token has expired."),
}
_COS_AUTHENTICATION = {
    Case.AUTH_MISSING: Row(403, "AccessDenied", "Access Denied."),
    Case.AUTH_MALFORMED: Row(403, "AccessDenied", "Access Denied."),
    Case.AUTH_UNKNOWN_KEY: Row(403, "InvalidAccessKeyId", "The Access Key Id does not exist."),
    Case.AUTH_WRONG_SIGNATURE: Row(403, "SignatureDoesNotMatch", "The Signature you specified is invalid."),
    Case.AUTH_EXPIRED: Row(403, "AccessDenied", "Request has expired"),
    Case.AUTH_SECURITY_TOKEN: Row(403, "AccessDenied", "Access Denied."),
    Case.AUTH_SECURITY_TOKEN_EXPIRED: Row(400, "ExpiredToken", "The security token has expired."),
}


def ci_errors(dialect: Dialect) -> Mapping[Case, Row]:
    """Give the answer to each refusal under a dialect.

    Sources: CI-ERR (table of codes), COS-ERR and COS-403 (authentication under the dialect ``403``).
    """
    unknown = _UNKNOWN[dialect["ci-unknown-job"]]
    if dialect["ci-authentication-status"] == "403":
        authentication = _COS_AUTHENTICATION
    else:
        wrong = _WRONG_SIGNATURE[dialect["ci-wrong-signature-code"]]
        authentication = {**_CI_AUTHENTICATION, Case.AUTH_WRONG_SIGNATURE: wrong}
    return {
        **authentication,
        Case.BAD_REQUEST: _BAD_ARGUMENT,
        Case.UNKNOWN_PATH: _BAD_URL,
        Case.WRONG_METHOD: {
            "404-invalid-url": _BAD_URL,
            "501-not-implemented": Row(501, "NotImplemented", "The method is not implemented."),
            "403-access-denied": Row(403, "AccessDenied", "Operation forbidden."),
        }[dialect["ci-wrong-method"]],
        Case.BODY_TOO_LARGE: Row(413, "InvalidContent", "The request body is too large."),
        Case.URI_TOO_LONG: _BAD_URL,
        Case.HEADER_TOO_LARGE: _BAD_ARGUMENT,
        Case.LENGTH_MISSING: Row(411, "MissingContentLength", "The Content-Length header is missing."),
        Case.FOREIGN_OWNER: {
            "401-access-denied": Row(401, "AccessDenied", "No permission on the bucket."),
            "403-access-denied": Row(403, "AccessDenied", "Operation forbidden."),
        }[dialect["ci-foreign-bucket"]],
        Case.CANCEL_MISSING: {
            "404-invalid-url": Row(404, "InvalidUrl", f"The URL is invalid: {_NO_CANCEL}"),
            "400-invalid-argument": Row(
                400, "InvalidArgument", f"The request parameter is invalid: {_NO_CANCEL}"
            ),
            "200-nothing": Row(200, "", ""),
        }[dialect["ci-without-cancel"]],
        Case.CANCEL_VALUED: _BAD_ARGUMENT,
        Case.MALFORMED_ID: {
            "400-invalid-argument": _BAD_ARGUMENT,
            "404-invalid-url": _BAD_URL,
            "as-unknown": unknown,
        }[dialect["ci-malformed-id"]],
        Case.UNKNOWN_JOB: unknown,
        Case.NOT_CANCELLABLE: {
            "403-access-denied": Row(403, "AccessDenied", "Operation forbidden."),
            "403-active-workflow-forbidden-update": Row(
                403, "ActiveWorkflowForbiddenUpdate", "The job can no longer be cancelled."
            ),
            "400-invalid-argument": Row(400, "InvalidArgument", "The job can no longer be cancelled."),
        }[dialect["ci-not-cancellable"]],
        Case.SERVER_FAULT: Row(500, "InternalError", "Internal server error."),
    }


def error_answer(row: Row, request_id: str, trace_id: str) -> Answer:
    """Write an error as XML; its ids are those of the headers. A 200 has nothing to say."""
    if row.status == 200:
        return Answer(200, [], b"")
    body = (
        f"<Error><Code>{escape(row.code, quote=False)}</Code><Message>{escape(row.message, quote=False)}</Message>"
        f"<RequestId>{request_id}</RequestId><TraceId>{trace_id}</TraceId></Error>"
    )
    return Answer(row.status, [XML, (b"x-ci-trace-id", trace_id.encode())], body.encode())
