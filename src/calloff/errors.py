"""What can go wrong, for callers to branch on.

CalloffError
├── InvalidInputError     refused before anything was sent (also a ValueError)
├── CredentialError       no usable credential: IAM refused, or its answer made no sense
├── NoAnswerError         sent, or tried to; whether the job was cancelled is unknown
│   ├── UnreachableError  no connection: nothing arrived, safe to try again
│   └── AnswerTimeoutError  the deadline passed
├── MissingDocumentError  the documents of the contract are not there (also a FileNotFoundError)
├── MissingExtraError     a command needs an extra that is not installed
├── JournalError          the journal of a run of many jobs cannot be read or written
└── ApiError              the service answered, and not with an acceptance
    ├── RefusedError            the request was understood and refused (400, 404, ..., is_success: false)
    ├── AuthenticationError     401: the credential was not accepted
    ├── PermissionDeniedError   403: the credential may not do this
    ├── ThrottledError          429: slow down; see ``retry_after``
    ├── ServerError             5xx
    └── UnexpectedAnswerError   a redirect, an undocumented status, a body that is none
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial


class CalloffError(Exception):
    """Base of everything calloff raises on purpose."""


class InvalidInputError(CalloffError, ValueError):
    """A value that cannot be meant; nothing was sent."""


class CredentialError(CalloffError):
    """No usable credential could be had."""


class MissingDocumentError(CalloffError, FileNotFoundError):
    """A document of the contract was asked for that is not installed."""


class MissingExtraError(CalloffError):
    """A part of calloff was asked for whose dependencies are not installed."""


class NoAnswerError(CalloffError):
    """The request may have left, but no answer came: whether the job was cancelled is unknown."""


class UnreachableError(NoAnswerError):
    """No connection was made, so nothing arrived."""


class AnswerTimeoutError(NoAnswerError):
    """The deadline passed before the whole answer was there."""


class JournalError(CalloffError):
    """The journal of a run could not be read or written, as on a full disk; what it held is still there."""


class ApiError(CalloffError):
    """The service answered with something other than an acceptance.

    ``status`` is the HTTP status, ``code`` and ``text`` the vendor's own error code and message (empty where the
    answer had none), ``request_id`` what the vendor's support asks for, ``retryable`` whether the same request
    may succeed later without any change, ``retry_after`` the seconds the service asked to wait.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str = "",
        text: str = "",
        request_id: str = "",
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.text = text
        self.request_id = request_id
        self.retryable = retryable
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Callable[..., ApiError], tuple[object, ...], dict[str, object]]:
        """Let an error travel between processes: by default only its message would."""
        return partial(type(self), status=self.status), self.args, vars(self)


class RefusedError(ApiError):
    """The service understood the request and refused it."""


class AuthenticationError(ApiError):
    """The service did not accept the credential."""


class PermissionDeniedError(ApiError):
    """The service accepted the credential and denies it this request."""


class ThrottledError(ApiError):
    """Too many requests."""


class ServerError(ApiError):
    """The service failed."""


class UnexpectedAnswerError(ApiError):
    """The service answered with something that its document does not describe."""
