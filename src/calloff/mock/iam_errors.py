"""The errors of the identity service: one table, written in either of two forms.

The calls under ``/v3`` answer as Keystone does, those under ``/v3.0`` with a code. Sources: OTC-IAM
(appendix, error codes), HW-IAM (sample answers of the calls; "What do I do if my account is locked").
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True, slots=True)
class IamRow:
    """A status and the message of each form; Keystone's is the same where it is not given."""

    status: int
    message: str
    keystone: str = ""


_ROWS = {
    "IAM.0001": IamRow(401, "The request you have made requires authentication."),
    "IAM.0002": IamRow(403, "You are not authorized to perform the requested action."),
    "IAM.0004": IamRow(404, "Could not find {target}: {id}.", "The API does not exist."),
    "IAM.0006": IamRow(500, "An unexpected error prevented the server from fulfilling your request."),
    "IAM.0007": IamRow(400, "Request parameter {key} is invalid."),
    "IAM.0009": IamRow(400, "X-Subject-Token is invalid in the request."),
    "IAM.0011": IamRow(400, "Request body is invalid.", "The request body is invalid"),
    "IAM.0061": IamRow(401, "Account locked.", "The account is locked."),
    "IAM.0062": IamRow(401, "Incorrect password.", "The username or password is wrong."),
    "IAM.0064": IamRow(401, "The access token does not have permissions for the request."),
    "IAM.0066": IamRow(401, "The token has expired."),
    "IAM.0067": IamRow(401, "Invalid token."),
    "IAM.0072": IamRow(400, "'{key}' is a required property.", "The request body is invalid"),
    "IAM.0073": IamRow(
        400, "Invalid input for field '{key}'. The value is '{value}'.", "The request body is invalid"
    ),
}
SUBJECT_NOT_FOUND = IamRow(404, "X-Subject-Token is invalid in the request")  # HW-IAM, verifying a token


class IamError(Exception):
    """A call is refused for a reason of the table; ``words`` fill its message."""

    def __init__(self, code: str, /, *, row: IamRow | None = None, **words: str) -> None:
        super().__init__(code)
        self.code = code
        self._row = row or _ROWS[code]
        self._words = words

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._row.status

    def content(self, *, coded: bool) -> dict[str, object]:
        """Write the error: with its code, or as Keystone does."""
        if coded:
            return {"error_msg": self._row.message.format_map(self._words), "error_code": self.code}
        message = self._row.keystone or self._row.message.format_map(self._words)
        return keystone_error(self.status, message)


class GatewayError(Exception):
    """A call is refused before the IAM, in the gateway's words."""

    def __init__(self, status: int, content: dict[str, object]) -> None:
        super().__init__(status)
        self.status = status
        self.content = content


def keystone_error(status: int, message: str) -> dict[str, object]:
    """Write an error in Keystone's form."""
    return {"error": {"code": status, "message": message, "title": HTTPStatus(status).phrase}}
