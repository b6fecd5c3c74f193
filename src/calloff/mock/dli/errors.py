"""DLI's errors in the vendors' words: those of DLI itself (`DLI.…`) and those of the gateway before it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from calloff.mock.pipeline import Answer, Case, Row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from calloff.mock.dialects import Dialect
    from calloff.mock.pipeline import Exchange

JSON = (b"content-type", b"application/json")
_IAM = "Incorrect IAM authentication information: "
_FORBIDDEN = "The IAM user is not allowed to access the API."
_UNKNOWN = {
    "400-dli-0002": Row(400, "DLI.0002", "The job does not exist."),
    "404-dli-0023": Row(404, "DLI.0023", "No related resources."),
    "400-dli-0001": Row(400, "DLI.0001", "The parameter is invalid: the job does not exist."),
}
_NOT_CANCELLABLE = {
    "400-dli-0007": Row(400, "DLI.0007", "The job cannot be canceled."),
    "400-dli-0001": Row(400, "DLI.0001", "The parameter is invalid: the job cannot be canceled."),
    "400-dli-0999": Row(400, "DLI.0999", "Server-side error: the job cannot be canceled."),
    "200-is-success-false": Row(200, "", "The job cannot be canceled."),
}


def dli_errors(api: str, dialect: Dialect, *, batch: bool) -> Mapping[Case, Row]:
    """Give the answer to each refusal of ``api`` under a dialect; ``batch`` where the job is a Spark batch.

    Sources: OTC-API dli_02_0056 (DLI codes), HW-GW and OTC-APIG (gateway codes and texts).
    """
    prefix = dialect["dli-gateway-prefix"] if api == "otc-dli" else "APIGW"

    def gateway(status: int, number: str, message: str) -> Row:
        return Row(status, f"{prefix}.{number}", message)

    no_api = gateway(404, "0101", "The API does not exist or has not been published in the environment.")
    unknown = _UNKNOWN[dialect["dli-unknown-job"]]
    closed = "400-dli-0007" if batch and dialect["dli-not-cancellable"].startswith("200") else ""
    return {
        Case.BAD_REQUEST: gateway(400, "0201", "Bad request"),
        Case.UNKNOWN_PATH: no_api,
        Case.WRONG_METHOD: no_api,
        Case.BODY_TOO_LARGE: gateway(413, "0201", "Request entity too large"),
        Case.URI_TOO_LONG: gateway(414, "0201", "Request URI too long"),
        Case.HEADER_TOO_LARGE: gateway(494, "0201", "Request header too large"),
        Case.AUTH_MISSING: gateway(401, "0301", _IAM + "x-auth-token not found"),
        Case.AUTH_MALFORMED: gateway(
            401, "0301", _IAM + "verify aksk signature fail, authorization is malformed"
        ),
        Case.AUTH_UNKNOWN_KEY: gateway(401, "0301", _IAM + "Get secretKey failed,ak:***,err:ak not exist"),
        Case.AUTH_KEY_LOCKED: gateway(401, "0301", _IAM + "AK access failed to reach the limit,forbidden."),
        Case.AUTH_WRONG_SIGNATURE: gateway(401, "0301", _IAM + "verify aksk signature fail"),
        Case.AUTH_EXPIRED: gateway(401, "0301", _IAM + "calc ak sk signature fail:signature expired"),
        Case.AUTH_SECURITY_TOKEN: gateway(401, "0301", _IAM + "verify aksk signature fail, security token"),
        Case.AUTH_SECURITY_TOKEN_EXPIRED: gateway(401, "0301", _IAM + "security token expired"),
        Case.TOKEN_UNKNOWN: gateway(401, "0301", _IAM + "decrypt token fail"),
        Case.TOKEN_EXPIRED: gateway(401, "0307", "The token must be updated."),
        Case.FOREIGN_OWNER: {
            "403-gateway-0302": gateway(403, "0302", _FORBIDDEN),
            "401-gateway-0301": gateway(401, "0301", _IAM + "the project does not match"),
            "400-dli-0015": Row(400, "DLI.0015", "Failed to parse the token: the project does not match."),
            "400-dli-0003": Row(400, "DLI.0003", "Permission denied."),
        }[dialect["dli-foreign-project"]],
        Case.PROJECT_HEADER_DIFFERS: gateway(403, "0302", _FORBIDDEN),
        Case.CONTENT_TYPE_MISSING: Row(400, "DLI.0001", "The parameter is invalid: Content-Type is missing."),
        Case.MALFORMED_ID: {
            "400-dli-0001": Row(400, "DLI.0001", "The format of the job ID is invalid."),
            "404-gateway-0101": no_api,
            "as-unknown": unknown,
        }[dialect["dli-malformed-id"]],
        Case.UNKNOWN_JOB: unknown,
        Case.NOT_CANCELLABLE: _NOT_CANCELLABLE[closed or dialect["dli-not-cancellable"]],
        Case.SERVER_FAULT: gateway(500, "0601", "Internal server error"),
    }


def error_answer(exchange: Exchange, row: Row) -> Answer:
    """Write an error as JSON; one of the gateway names the request, a 200 says is_success false."""
    members: dict[str, object]
    if row.status == 200:
        members = {"is_success": False, "message": row.message}
    else:
        members = {"error_msg": row.message, "error_code": row.code}
        if row.code.startswith("APIG"):
            members["request_id"] = exchange.request_id
    return json_answer(row.status, members)


def json_answer(status: int, members: Mapping[str, object]) -> Answer:
    """Write a JSON object as an answer."""
    return Answer(status, [JSON], json.dumps(members, separators=(",", ":")).encode())
