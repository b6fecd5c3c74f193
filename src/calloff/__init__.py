"""Cancel cloud jobs safely, and prove that a server cancels as its contract says.

The public names are loaded when first used: a command that needs no HTTP library does not wait for one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from calloff.acceptance import CancelAccepted
    from calloff.bulk.outcome import Outcome
    from calloff.bulk.run import cancel_many
    from calloff.bulk.threads import cancel_all
    from calloff.clients import (
        AsyncHuaweiCloudDliClient,
        AsyncOtcDliClient,
        AsyncTencentCiClient,
        ClientOptions,
        HuaweiCloudDliClient,
        OtcDliClient,
        TencentCiClient,
    )
    from calloff.credentials import AccessKey, IamPassword, RefreshingKey, TemporaryKey, Token
    from calloff.errors import (
        AnswerTimeoutError,
        ApiError,
        AuthenticationError,
        CalloffError,
        CredentialError,
        InvalidInputError,
        JournalError,
        MissingDocumentError,
        MissingExtraError,
        NoAnswerError,
        PermissionDeniedError,
        RefusedError,
        ServerError,
        ThrottledError,
        UnexpectedAnswerError,
        UnreachableError,
    )
    from calloff.states import JobState

    __version__: str

__all__ = [
    "AccessKey",
    "AnswerTimeoutError",
    "ApiError",
    "AsyncHuaweiCloudDliClient",
    "AsyncOtcDliClient",
    "AsyncTencentCiClient",
    "AuthenticationError",
    "CalloffError",
    "CancelAccepted",
    "ClientOptions",
    "CredentialError",
    "HuaweiCloudDliClient",
    "IamPassword",
    "InvalidInputError",
    "JobState",
    "JournalError",
    "MissingDocumentError",
    "MissingExtraError",
    "NoAnswerError",
    "OtcDliClient",
    "Outcome",
    "PermissionDeniedError",
    "RefreshingKey",
    "RefusedError",
    "ServerError",
    "TemporaryKey",
    "TencentCiClient",
    "ThrottledError",
    "Token",
    "UnexpectedAnswerError",
    "UnreachableError",
    "__version__",
    "cancel_all",
    "cancel_many",
]

_CREDENTIALS = frozenset({"AccessKey", "IamPassword", "RefreshingKey", "TemporaryKey", "Token"})
_BULK = {"Outcome": "outcome", "cancel_all": "threads", "cancel_many": "run"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object
    if name == "__version__":
        from importlib.metadata import version

        value = version("calloff")
    elif name in _BULK:
        value = getattr(import_module(f"calloff.bulk.{_BULK[name]}"), name)
    else:
        other = "credentials" if name in _CREDENTIALS else "clients"
        module = "errors" if name.endswith("Error") else other
        value = getattr(import_module(f"calloff.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
