"""What proves who asks: keys, tokens, and a user whose token is fetched from IAM.

A secret is checked when the object is made, so that nothing unsendable reaches an HTTP library, whose error
would quote it. No secret appears in a repr, and none of these objects can be pickled.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import NoReturn

from calloff.errors import CredentialError, InvalidInputError

_KEY_ID = re.compile(r"[!-~]+")
_SECRET = re.compile(r"[!-~]+")
_MAX_LENGTH = 32 * 1024  # the gateway refuses a longer header (Huawei Cloud, API signing guide, 0201)


def _check(what: str, value: object, pattern: re.Pattern[str], expected: str) -> None:
    """Raise InvalidInputError, which never quotes ``value``, unless it is text that ``pattern`` matches."""
    if not isinstance(value, str):
        raise InvalidInputError(f"{what} must be text, not {type(value).__name__}")
    if not pattern.fullmatch(value):
        state = "is empty" if not value else "is not"
        raise InvalidInputError(f"{what} must be {expected}; it {state} (the value is not shown)")
    if len(value) > _MAX_LENGTH:
        raise InvalidInputError(f"{what} must not be longer than {_MAX_LENGTH} characters; it is")


def _check_key_id(what: str, value: object) -> None:
    _check(what, value, _KEY_ID, "printable ASCII without blanks")
    # The delimiters of the two Authorization values (q-sign and SDK-HMAC-SHA256).
    if isinstance(value, str) and ("&" in value or "," in value):
        raise InvalidInputError(f"{what} must hold neither '&' nor ','")


def _check_secret(what: str, value: object) -> None:
    _check(what, value, _SECRET, "printable ASCII without blanks or line breaks at any place")


class _Unpicklable:
    """Keeps secrets out of pickles, which end up in files, queues and crash dumps."""

    __slots__ = ()

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds a secret and is not pickled; make it where it is used")

    def __copy__(self) -> _Unpicklable:
        return self

    def __deepcopy__(self, _memo: object) -> _Unpicklable:
        return self


@dataclass(frozen=True, slots=True)
class AccessKey(_Unpicklable):
    """A permanent key pair: SecretId and SecretKey at Tencent Cloud, AK and SK at the other two."""

    id: str
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        _check_key_id("the id of an access key", self.id)
        _check_secret("the secret of an access key", self.secret)


@dataclass(frozen=True, slots=True)
class TemporaryKey(_Unpicklable):
    """A temporary key pair with its security token.

    ``expires_at`` is its end in Unix seconds, if known; from then on nothing is sent with it.
    """

    id: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    expires_at: float | None = None

    def __post_init__(self) -> None:
        _check_key_id("the id of a temporary key", self.id)
        _check_secret("the secret of a temporary key", self.secret)
        _check_secret("the security token of a temporary key", self.token)
        end = self.expires_at
        if end is not None and (
            isinstance(end, bool) or not isinstance(end, (int, float)) or math.isnan(end)
        ):
            raise InvalidInputError(
                f"the end of a temporary key must be a number of Unix seconds or None; got {end!r}"
            )

    def check_time(self, now: float) -> None:
        """Raise CredentialError where the key has ended at ``now`` (Unix seconds)."""
        if self.expires_at is not None and now >= self.expires_at:
            raise CredentialError("the temporary key has expired; get a new one and make a new client")


@dataclass(frozen=True, slots=True)
class Token(_Unpicklable):
    """A project-scoped IAM token that somebody else fetched, as ``X-Auth-Token`` carries it."""

    value: str = field(repr=False)

    def __post_init__(self) -> None:
        _check_secret("a token", self.value)


_NAME = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]+")


@dataclass(frozen=True, slots=True)
class IamPassword(_Unpicklable):
    """An IAM user; the client fetches a project-scoped token, keeps it for its lifetime and renews it.

    ``domain`` is the account that owns the user. The token is scoped to the project of the client, by its id,
    or by ``project_name`` where that is given. ``iam_url`` is the root of the IAM service; without it the
    public host of the client's region is asked.
    """

    user: str
    password: str = field(repr=False)
    domain: str
    project_name: str = ""
    iam_url: str = ""

    def __post_init__(self) -> None:
        for what, value in (
            ("the IAM user", self.user),
            ("the password", self.password),
            ("the IAM domain", self.domain),
        ):
            _check(what, value, _NAME, "text without control characters")
        if self.project_name != "":
            _check("the project name", self.project_name, _NAME, "text without control characters")


KeyCredential = AccessKey | TemporaryKey
SigningCredential = AccessKey | TemporaryKey | Token
DliCredential = AccessKey | TemporaryKey | Token | IamPassword
