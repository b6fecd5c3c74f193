"""Fetch project-scoped tokens from IAM, keep each for its lifetime, renew it before its end.

The call is ``POST /v3/auth/tokens?nocatalog`` (OTC-IAM, HW-IAM, "Obtaining a user token through password
authentication"); ``nocatalog`` only leaves a long list out of the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from calloff.answers import parse_json, problem
from calloff.apis import ApiName
from calloff.credentials import IamPassword, Token
from calloff.errors import CredentialError, InvalidInputError, NoAnswerError
from calloff.prepare import Endpoint, PreparedRequest, own_endpoint
from calloff.transport import Answer, AsyncSender, Sender

# Renewed this long before the end, or for the last tenth of a short life.
_MARGIN_SECONDS = 300.0

_PUBLIC_HOSTS: dict[ApiName, str] = {
    "otc-dli": "iam.{region}.otc.t-systems.com",
    "huaweicloud-dli": "iam.{region}.myhuaweicloud.com",
}
_HOST_EXCEPTIONS = {"eu-west-101": "iam.myhuaweicloud.eu"}


@dataclass(frozen=True, slots=True)
class TokenSource:
    """Who asks which IAM for a token of which project."""

    credential: IamPassword
    project_id: str
    endpoint: Endpoint

    def request(self) -> PreparedRequest:
        """Prepare the call that fetches a token."""
        user = {
            "name": self.credential.user,
            "password": self.credential.password,
            "domain": {"name": self.credential.domain},
        }
        name = self.credential.project_name
        body = json.dumps(
            {
                "auth": {
                    "identity": {"methods": ["password"], "password": {"user": user}},
                    "scope": {"project": {"name": name} if name else {"id": self.project_id}},
                }
            }
        ).encode("ascii")
        return PreparedRequest(
            "iam/createToken",
            "POST",
            self.endpoint.scheme,
            self.endpoint.host,
            self.endpoint.port,
            f"{self.endpoint.prefix}/v3/auth/tokens?nocatalog",
            (
                ("Host", self.endpoint.host_header),
                ("User-Agent", "calloff"),
                ("Accept-Encoding", "identity"),
                ("Content-Type", "application/json;charset=utf8"),
                ("Content-Length", str(len(body))),
            ),
            body,
            (self.credential.password,),
        )


@dataclass(frozen=True, slots=True)
class _Held:
    token: Token = field(repr=False)
    renew_at: float


def token_source(
    credential: IamPassword,
    *,
    api: ApiName,
    region: str,
    project_id: str,
    base_url: str | None,
    allow_http: bool,
) -> TokenSource:
    """Say where the tokens of a client come from.

    Raise InvalidInputError where the client has a server of its own and the credential names no IAM: a
    password for a test server must not reach the public IAM.
    """
    if credential.iam_url:
        endpoint = own_endpoint(credential.iam_url, allow_http=allow_http)
    elif base_url is not None:
        raise InvalidInputError(
            "a client with base_url needs IamPassword(iam_url=...), the IAM of that server"
        )
    else:
        host = _HOST_EXCEPTIONS.get(region, _PUBLIC_HOSTS[api].format(region=region))
        endpoint = Endpoint("https", host, 443, "", host)
    return TokenSource(credential, project_id, endpoint)


def read_token(request: PreparedRequest, answer: Answer, *, now: float) -> tuple[Token, float]:
    """Return the token of IAM's answer and its end in Unix seconds; raise CredentialError."""
    if answer.status != 201:
        raise _no_token(problem(request, answer, now=now))
    with contextlib.suppress(ValueError, TypeError, KeyError):
        token = Token(answer.header("X-Subject-Token"))
        return token, _read_time(parse_json(answer.body)["token"]["expires_at"])
    # Outside of a handler: the errors above quote the body, which may echo the password.
    raise CredentialError(
        f"{request.host} answered 201 without a usable token: expected the header X-Subject-Token and "
        "token.expires_at in the JSON body; check that iam_url is an IAM service"
    )


def _read_time(text: str) -> float:
    """Read ``2020-01-04T09:05:22.701000Z`` as Unix seconds."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _hold(request: PreparedRequest, answer: Answer, now: float) -> _Held:
    token, expires_at = read_token(request, answer, now=now)
    return _Held(token, expires_at - min(_MARGIN_SECONDS, max(expires_at - now, 0.0) / 10))


class TokenCache:
    """Holds the token of one source; several threads may ask, one fetches."""

    def __init__(self, source: TokenSource, sender: Sender, clock: Callable[[], float]) -> None:
        self._source, self._sender, self._clock = source, sender, clock
        self._lock = threading.Lock()
        self._held: _Held | None = None

    def get(self, *, deadline: float, refused: Token | None = None) -> Token:
        """Return a token that has not ended and is not ``refused``; fetch one where there is none."""
        if (held := _usable(self._held, refused, self._clock())) is not None:
            return held
        if not self._lock.acquire(timeout=max(deadline - time.monotonic(), 0.0)):
            raise _no_token("another call is still fetching one")
        try:
            if (held := _usable(self._held, refused, self._clock())) is not None:
                return held
            request = self._source.request()
            answer = self._sender.send(request, deadline=deadline)
            self._held = _hold(request, answer, self._clock())
        except NoAnswerError as error:
            raise _no_token(error) from None
        else:
            return self._held.token
        finally:
            self._lock.release()


class AsyncTokenCache:
    """The asynchronous twin of ``TokenCache``, for one event loop."""

    def __init__(self, source: TokenSource, sender: AsyncSender, clock: Callable[[], float]) -> None:
        self._source, self._sender, self._clock = source, sender, clock
        self._lock = asyncio.Lock()
        self._held: _Held | None = None

    async def get(self, *, deadline: float, refused: Token | None = None) -> Token:
        """Return a token that has not ended and is not ``refused``; fetch one where there is none."""
        if (held := _usable(self._held, refused, self._clock())) is not None:
            return held
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0.0)):
                await self._lock.acquire()
        except TimeoutError:
            raise _no_token("another call is still fetching one") from None
        try:
            if (held := _usable(self._held, refused, self._clock())) is not None:
                return held
            request = self._source.request()
            answer = await self._sender.send(request, deadline=deadline)
            self._held = _hold(request, answer, self._clock())
        except NoAnswerError as error:
            raise _no_token(error) from None
        else:
            return self._held.token
        finally:
            self._lock.release()


def _usable(held: _Held | None, refused: Token | None, now: float) -> Token | None:
    if held is None or held.token == refused or now >= held.renew_at:
        return None
    return held.token


def _no_token(why: Exception | str) -> CredentialError:
    # Never a NoAnswerError: nothing went to the service, so nothing was cancelled.
    return CredentialError(f"IAM gave no token, so no cancel was sent: {why}")
