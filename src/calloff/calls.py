"""What a client knows without any I/O: what to send for a call, and what an answer to it means."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from calloff.acceptance import CancelAccepted, read_acceptance
from calloff.answers import problem
from calloff.apis import APIS, ApiName, Operation, StatusCall
from calloff.credentials import DliCredential, IamPassword, RefreshingKey, SigningCredential, Token
from calloff.errors import ApiError, InvalidInputError
from calloff.iam import TokenSource, token_source
from calloff.prepare import PreparedRequest, Preparer, checked, checked_host, own_endpoint, public_endpoint
from calloff.states import JobState, read_state
from calloff.transport import Answer, Verify, tls_context

DEFAULT_TIMEOUT = 30.0
_MAX_TIMEOUT = 86400.0

CallKind = TypeVar("CallKind", Operation, StatusCall)


@dataclass(frozen=True, slots=True)
class Call(Generic[CallKind]):
    """One checked call: operation, job, path parameters, and the moment at which it must have ended."""

    operation: CallKind
    job_id: str
    ids: dict[str, str]
    deadline: float


class Core:
    """All of a client but its I/O: it says what to send, and what an answer means."""

    def __init__(
        self,
        api: ApiName,
        parts: dict[str, str],
        credential: DliCredential,
        *,
        project_id: str = "",
        timeout: float = DEFAULT_TIMEOUT,
        base_url: str | None = None,
        host: str | None = None,
        allow_http: bool = False,
        verify: Verify = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.api, self.clock = APIS[api], clock
        self.timeout = _checked_timeout(timeout)
        public = public_endpoint(self.api, parts)
        if base_url is not None:
            if host is None and "bucket" in parts:
                host = public.host_header
            self.endpoint = own_endpoint(base_url, host=host, allow_http=allow_http)
        elif host is not None:
            raise InvalidInputError(
                f"host={checked_host(host)!r} goes with base_url; alone it has no meaning"
            )
        else:
            self.endpoint = public
        self.preparer = Preparer(self.endpoint)
        self.ids: dict[str, str] = {}
        if api != "tencent-ci":
            pattern = self.api.operations["cancelSqlJob"].patterns["project_id"]
            self.ids["project_id"] = checked("project_id", project_id, pattern)
        self.credential = credential
        self.token_source: TokenSource | None = None
        if isinstance(credential, IamPassword):
            self.token_source = token_source(
                credential,
                api=api,
                region=parts["region"],
                project_id=project_id,
                base_url=base_url,
                allow_http=allow_http,
            )
        schemes = {self.endpoint.scheme, self.token_source.endpoint.scheme if self.token_source else ""}
        self.tls = tls_context(verify) if "https" in schemes or verify is not None else None

    def call(self, operation: CallKind, job_id: str, timeout: float | None) -> Call[CallKind]:
        """Check one call before anything is fetched for it; its deadline begins to run."""
        seconds = self.timeout if timeout is None else _checked_timeout(timeout)
        parameter = operation.job_parameter
        ids = {**self.ids, parameter: checked(parameter, job_id, operation.patterns[parameter])}
        return Call(operation, job_id, ids, time.monotonic() + seconds)

    async def ready(self, call: Call[CallKind]) -> None:
        """Wait until a key that renews itself is fresh; raise CredentialError where it cannot be renewed."""
        if isinstance(self.credential, RefreshingKey):
            await self.credential.get_soon(self.clock(), deadline=call.deadline)

    def prepare(self, call: Call[CallKind], token: Token | None) -> PreparedRequest:
        """Prepare one call, signed for this moment, or with ``token`` where the credential is a user.

        A key that renews itself is asked; await ``ready`` before where that must not block.
        """
        if isinstance(self.credential, RefreshingKey):
            credential: SigningCredential = self.credential.get(self.clock(), deadline=call.deadline)
        else:
            # A user always comes with a source of tokens, so here it has a token.
            credential = token or cast("SigningCredential", self.credential)
        return self.preparer.prepare(call.operation, call.ids, credential=credential, now=self.clock())

    def state(self, call: Call[StatusCall], request: PreparedRequest, answer: Answer) -> JobState | ApiError:
        """Read an answer to the call that reads a job's state: the state, or the error to raise."""
        if answer.status != 200:
            return problem(request, answer, now=self.clock())
        return read_state(call.operation, call.job_id, request, answer)

    def outcome(
        self, call: Call[Operation], request: PreparedRequest, answer: Answer
    ) -> CancelAccepted[Any] | ApiError:
        """Read an answer to a cancel: the acceptance, or the error to raise."""
        if answer.status != 200:
            return problem(request, answer, now=self.clock())
        return read_acceptance(call.operation, call.job_id, request, answer)


def _checked_timeout(timeout: float) -> float:
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise InvalidInputError(f"timeout must be a number of seconds, not {type(timeout).__name__}")
    if not 0 < timeout <= _MAX_TIMEOUT:  # false for NaN, too
        raise InvalidInputError(
            f"timeout must be above 0 and at most {_MAX_TIMEOUT:g} seconds; got {timeout}"
        )
    return float(timeout)
