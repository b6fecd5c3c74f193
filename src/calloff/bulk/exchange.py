"""One request and its answer, in its turn, under a credential that is looked after."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

from calloff.acceptance import read_acceptance
from calloff.answers import clean, problem, request_id, token_ended, told_by_api
from calloff.bulk.retries import StoppedError
from calloff.credentials import IamPassword, RefreshingKey, Token
from calloff.errors import (
    ApiError,
    AuthenticationError,
    CalloffError,
    CredentialError,
    NoAnswerError,
    PermissionDeniedError,
    RefusedError,
)
from calloff.iam import AsyncTokenCache
from calloff.prepare import PreparedRequest
from calloff.states import JobState, read_state

if TYPE_CHECKING:
    from calloff.apis import Operation, StatusCall
    from calloff.bulk.guard import KeyGuard
    from calloff.bulk.pace import Halt, Pace
    from calloff.calls import Core
    from calloff.credentials import SigningCredential
    from calloff.transport import Answer, AsyncSender

# Seconds that the clock may differ from the server's Date before it is corrected.
MAX_SKEW = 30.0
# Of the bodies of acceptances that are remembered; the documented ones are always the same.
_MAX_KNOWN_BODIES, _MAX_KNOWN_BODY = 16, 1024

_LOG = logging.getLogger("calloff.bulk")

Found = TypeVar("Found", str, JobState)
# Reads an answer about a job: what it tells, or what is wrong.
_Reader = Callable[[str, PreparedRequest, "Answer"], Found | ApiError]


class _RemediedError(Exception):
    """The credential was refused for a reason that is mended now; to be sent again."""


class Exchange:
    """Sends the cancels and the status calls of a run.

    What is the same for all requests of a run is held here: credential, clock, the bodies of acceptances.
    """

    def __init__(
        self, core: Core, operation: Operation, sender: AsyncSender, guard: KeyGuard, pace: Pace, halt: Halt
    ) -> None:
        self._core, self._operation, self._sender = core, operation, sender
        self._guard, self._pace, self._halt = guard, pace, halt
        self._ids = dict(core.ids)
        self._parameter = operation.job_parameter
        self._tokens = (
            AsyncTokenCache(core.token_source, sender, core.clock) if core.token_source is not None else None
        )
        credential = core.credential
        self._fixed: SigningCredential | None = (
            None if isinstance(credential, (IamPassword, RefreshingKey)) else credential
        )
        self._signs = not isinstance(credential, (IamPassword, Token))
        self._renewing = asyncio.Lock()
        self._last: SigningCredential | None = None
        self._no_credential: CredentialError | None = None
        self._offset: float | None = None
        self._ahead = self._clock_ahead()
        self._doubtful = False  # whether the last failure may have had nothing to do with the credential
        self._known_bodies = {b""}

    def now(self) -> float:
        """Tell the time in Unix seconds, by the server's clock where ours was found to be wrong."""
        return self._core.clock() + (self._offset or 0.0)

    async def cancel(self, job_id: str) -> str | CalloffError:
        """Send the cancel of a job: the request id of its acceptance (perhaps empty), or what is wrong."""
        return await self._send(self._operation, job_id, self._read_cancel)

    async def state(self, job_id: str) -> JobState | CalloffError:
        """Read the state of a job, or say why it cannot be read."""
        return await self._send(self._operation.status, job_id, self._read_status)

    async def _send(
        self, call: Operation | StatusCall, job_id: str, read: _Reader[Found]
    ) -> Found | CalloffError:
        try:
            for _ in range(2):  # a clock and a token, at most, can be mended
                try:
                    return await self._send_once(call, job_id, read, mend=True)
                except _RemediedError:
                    continue
            return await self._send_once(call, job_id, read, mend=False)
        except CredentialError as error:
            self._halt.stop(str(error))
            return error

    async def _send_once(
        self, call: Operation | StatusCall, job_id: str, read: _Reader[Found], *, mend: bool
    ) -> Found | CalloffError:
        slots = self._guard.slots
        if slots is None:
            return await self._send_in_turn(call, job_id, read, mend=mend)
        async with slots:
            return await self._send_in_turn(call, job_id, read, mend=mend)

    async def _send_in_turn(
        self, call: Operation | StatusCall, job_id: str, read: _Reader[Found], *, mend: bool
    ) -> Found | CalloffError:
        guard = self._guard
        if not self._pace.free:
            await self._pace.turn()
        credential = self._fixed or await self._ready()
        self._watch_clock()
        alone = False
        if guard.open:
            guard.flying += 1
        else:
            alone = await guard.enter()
            if not self._pace.free:
                await self._pace.turn()
            self._watch_clock()
        try:
            if self._halt.reason and (call is self._operation or guard.shut):
                return StoppedError(f"the run stopped: {self._halt.reason}")
            offset = self._offset
            request = self._prepared(call, job_id, credential)
            deadline = time.monotonic() + self._core.timeout
            try:
                answer = await self._sender.send(request, deadline=deadline)
            except NoAnswerError as error:
                return error
            found = read(job_id, request, answer)
            if isinstance(found, ApiError):
                await self._judge(found, job_id, credential, answer, offset, alone=alone, mend=mend)
            elif alone:
                guard.proved()
            return found
        finally:
            guard.leave(alone=alone)

    async def _judge(
        self,
        error: ApiError,
        job_id: str,
        credential: SigningCredential,
        answer: Answer,
        offset: float | None,
        *,
        alone: bool,
        mend: bool,
    ) -> None:
        """Say to the guard what an error tells of the credential; raise _RemediedError where that is mended."""
        guard = self._guard
        if isinstance(error, AuthenticationError):
            if mend and self._tokens is not None and token_ended(error):
                await self._ready(refused=credential)
                raise _RemediedError
            self._doubtful = False
            guard.failed(error)
            if mend and self._signs and self._corrected(answer, offset):
                raise _RemediedError
        elif alone and isinstance(error, PermissionDeniedError) and self._core.api.name == "tencent-ci":
            # CI may refuse a job that has ended, a wrong signature and a late one with one code (COS-403).
            if mend and "expired" in error.text and self._corrected(answer, offset):
                guard.failed(error)
                raise _RemediedError
            if (guard.failures and not self._doubtful) or not await self._accepts(job_id, credential):
                guard.failed(error)
            else:
                guard.proved()
        elif alone and isinstance(error, (RefusedError, PermissionDeniedError)) and told_by_api(error):
            guard.proved()

    async def _accepts(self, job_id: str, credential: SigningCredential) -> bool:
        """Ask for the state of a job to learn whether the credential is accepted."""
        request = self._prepared(self._operation.status, job_id, credential)
        self._doubtful = True
        try:
            answer = await self._sender.send(request, deadline=time.monotonic() + self._core.timeout)
        except NoAnswerError:
            return False
        found = self._read_status(job_id, request, answer)
        if isinstance(found, (AuthenticationError, PermissionDeniedError)):
            self._doubtful = False
            self._guard.failed(found)
        return isinstance(found, (JobState, RefusedError))

    def _clock_ahead(self) -> float:
        return self._core.clock() - time.monotonic()

    def _watch_clock(self) -> None:
        """Let one request go alone again where the clock was set or the machine slept: none may be accepted now."""
        ahead = self._clock_ahead()
        if abs(ahead - self._ahead) > MAX_SKEW:
            _LOG.warning("the clock of this machine jumped by %+.0f s", ahead - self._ahead)
            self._ahead, self._offset = ahead, None
            self._guard.doubt()

    def _corrected(self, answer: Answer, offset: float | None) -> bool:
        """Correct the clock by the Date of an answer, once; say whether it is another one than at ``offset``.

        Once for each time that the clock was set.
        """
        if self._offset is not None:
            return offset is None
        try:
            told = parsedate_to_datetime(answer.header("Date")).timestamp()
        except (ValueError, TypeError, OverflowError):
            return False
        skew = told - self._core.clock()
        if abs(skew) <= MAX_SKEW:
            return False
        self._offset = skew
        _LOG.warning(
            "the clock of this machine differs from the service's by %+.0f s; signing by the latter", skew
        )
        return True

    async def _ready(self, refused: SigningCredential | None = None) -> SigningCredential:
        """Give a credential that lasts, fetched where it must be; one that cannot be had is not asked for again."""
        async with self._renewing:
            if self._no_credential is not None:
                raise self._no_credential
            deadline = time.monotonic() + self._core.timeout
            try:
                credential: SigningCredential
                if self._tokens is not None:
                    known = refused if isinstance(refused, Token) else None
                    credential = await self._tokens.get(deadline=deadline, refused=known)
                else:
                    source = self._core.credential
                    assert isinstance(source, RefreshingKey)  # noqa: S101 - else it was fixed
                    credential = await source.get_soon(self.now(), deadline=deadline)
            except CredentialError as error:
                self._no_credential = error
                raise
            if credential is not self._last:
                self._last = credential
                self._guard.renewed()
            return credential

    def _prepared(
        self, call: Operation | StatusCall, job_id: str, credential: SigningCredential
    ) -> PreparedRequest:
        ids = {**self._ids, self._parameter: job_id}
        return self._core.preparer.prepare(call, ids, credential=credential, now=self.now())

    def _read_cancel(self, job_id: str, request: PreparedRequest, answer: Answer) -> str | ApiError:
        if answer.status != 200:
            return problem(request, answer, now=self.now())
        if answer.body not in self._known_bodies or not _plain(answer):
            accepted = read_acceptance(self._operation, job_id, request, answer)
            if isinstance(accepted, ApiError):
                return accepted
            if len(self._known_bodies) < _MAX_KNOWN_BODIES and len(answer.body) <= _MAX_KNOWN_BODY:
                self._known_bodies.add(answer.body)
            return accepted.request_id
        return clean(request_id(answer), request.secrets)

    def _read_status(self, job_id: str, request: PreparedRequest, answer: Answer) -> JobState | ApiError:
        if answer.status != 200:
            return problem(request, answer, now=self.now())
        return read_state(self._operation.status, job_id, request, answer)


def _plain(answer: Answer) -> bool:
    """Tell whether the body is not compressed: the bytes of one that is may be anything."""
    return all(name.lower() != b"content-encoding" for name, _ in answer.headers)
