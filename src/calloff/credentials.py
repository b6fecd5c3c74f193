"""What proves who asks: keys, keys that renew themselves, tokens, and a user whose token is fetched from IAM.

A secret is checked when the object is made, so that nothing unsendable reaches an HTTP library, whose error
would quote it. No secret appears in a repr, and none of these objects can be pickled.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable
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


# Renewed this long before the end, or for the last tenth of a short life; as tokens are.
_MARGIN_SECONDS = 300.0
# Between attempts to renew a key that is still good.
_RETRY_SECONDS = 10.0


class RefreshingKey(_Unpicklable):
    """A temporary key that is renewed before its end, by asking ``refresh`` for the next one.

    ``refresh`` takes nothing and returns a ``TemporaryKey``; it is asked at first use, and again 300 seconds
    before the end of the key it gave, or for the last tenth of a shorter life. A key whose end is unknown stays.
    One thread asks at a time, and ``refresh`` must end by itself. Where it fails, the key at hand is used for as
    long as it is good; then CredentialError is raised, which quotes no error but those of calloff itself.
    """

    __slots__ = ("_held", "_lock", "_refresh", "_renew_at")

    def __init__(self, refresh: Callable[[], TemporaryKey]) -> None:
        if not callable(refresh):
            raise InvalidInputError(
                f"refresh must be a function that returns a TemporaryKey, not {type(refresh).__name__}"
            )
        self._refresh = refresh
        self._lock = threading.Lock()
        self._held: TemporaryKey | None = None
        self._renew_at = -math.inf

    def __repr__(self) -> str:
        return f"RefreshingKey({self._held!r})"

    def due(self, now: float) -> bool:
        """Tell whether ``get`` would ask for a new key at ``now`` (Unix seconds), which may take a while."""
        return now >= self._renew_at

    def get(self, now: float, *, deadline: float = math.inf) -> TemporaryKey:
        """Return a key that is good at ``now`` (Unix seconds); raise CredentialError where none is to be had.

        ``deadline``, of ``time.monotonic()``, bounds the wait for another thread that asks.
        """
        if self._held is not None and not self.due(now):
            return self._held
        if not self._lock.acquire(timeout=min(max(deadline - time.monotonic(), 0.0), threading.TIMEOUT_MAX)):
            raise CredentialError("no key to sign with, so nothing was sent: another call still fetches one")
        try:
            if self._held is None or self.due(now):
                self._renew(now)
            return self._held  # type: ignore[return-value]  # _renew raises where there is none
        finally:
            self._lock.release()

    async def get_soon(self, now: float, *, deadline: float) -> TemporaryKey:
        """Return what ``get`` returns, without holding up the event loop while ``refresh`` works."""
        if self._held is not None and not self.due(now):
            return self._held
        import asyncio  # brings ssl along, which a program that only names a credential need not wait for

        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0.0)):
                return await asyncio.to_thread(self.get, now, deadline=deadline)
        except TimeoutError:
            raise CredentialError(
                "no key to sign with, so nothing was sent: a new one did not come in time"
            ) from None

    def _renew(self, now: float) -> None:
        held = self._held
        key, problem = self._ask(now)
        if key is not None:
            self._held = key
            end = math.inf if key.expires_at is None else key.expires_at
            self._renew_at = end - min(_MARGIN_SECONDS, (end - now) / 10)
        elif held is not None and held.expires_at is not None and now < held.expires_at:
            self._renew_at = min(now + _RETRY_SECONDS, held.expires_at)
        else:
            raise CredentialError(f"no key to sign with, so nothing was sent: {problem}")

    def _ask(self, now: float) -> tuple[TemporaryKey | None, str]:
        """Ask for a key; return it, or what is wrong, in words that cannot hold a secret."""
        try:
            key = self._refresh()
        except (CredentialError, InvalidInputError) as error:
            return None, str(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, its text may quote a secret
            return None, f"the function that fetches it raised {type(error).__name__}"
        if not isinstance(key, TemporaryKey):
            return None, f"the function that fetches it returned {type(key).__name__}, not a TemporaryKey"
        if key.expires_at is not None and key.expires_at <= now:
            return None, "the function that fetches it returned one that has ended; check the clock"
        return key, ""


ReadyKey = AccessKey | TemporaryKey
KeyCredential = ReadyKey | RefreshingKey
SigningCredential = ReadyKey | Token
DliCredential = KeyCredential | Token | IamPassword
