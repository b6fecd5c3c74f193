"""What programs import: a client per API, synchronous and asynchronous, that cancels a job or says why not.

    with OtcDliClient(region="eu-de", project_id="…", credentials=AccessKey("…", "…")) as client:
        client.cancel_sql_job("…")
        client.sql_job_status("…").state

Accepted is not cancelled: a cancel that returns says that the service took the request. Read the state of the
job to know more. Nothing is sent twice, but for one case: a token of IAM that the gateway calls ended is
renewed once, and the request, which was refused, is sent again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, TypedDict, TypeVar, Unpack

from calloff.acceptance import CancelAccepted
from calloff.answers import token_ended
from calloff.apis import ApiName
from calloff.calls import Call, CallKind, Core
from calloff.credentials import (
    AccessKey,
    DliCredential,
    IamPassword,
    KeyCredential,
    RefreshingKey,
    TemporaryKey,
    Token,
)
from calloff.errors import ApiError
from calloff.iam import AsyncTokenCache, TokenCache
from calloff.prepare import PreparedRequest, check_credential
from calloff.states import JobState
from calloff.tracing import traced, traced_async
from calloff.transport import Answer, AsyncHttpTransport, AsyncSender, HttpTransport, Sender, Verify

if TYPE_CHECKING:
    from calloff_clients.huaweicloud_dli.models import SqlCancelResult as HuaweiCloudSqlCancelResult
    from calloff_clients.otc_dli.models import BatchCancelResult, SqlCancelResult

Outcome = TypeVar("Outcome")


class ClientOptions(TypedDict, total=False):
    """What every client takes by keyword besides its own arguments.

    Args:
        timeout: seconds that one call may take in all, connecting and fetching a token included; 30 by default.
        base_url: a server to talk to instead of the vendor's, such as a mock or a gateway.
        host: Host header to send to it. By default CI is still told the bucket's own host, as the host names the
            bucket; the DLI APIs are told the host of ``base_url``.
        allow_http: send credentials in clear text to a ``http://`` server that is not this machine.
        verify: a file of CA certificates for a private CA, or an ``ssl.SSLContext``.
        clock: returns Unix seconds; the time of signatures and tokens.
    """

    timeout: float
    base_url: str | None
    host: str | None
    allow_http: bool
    verify: Verify
    clock: Callable[[], float]


# Reads the answer to a call: what a method returns, or the error that it raises.
_Reader = Callable[[Call[CallKind], PreparedRequest, Answer], Outcome | ApiError]


class _Client:
    """Runs a core synchronously; may be shared by threads."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._sender: Sender = traced(HttpTransport(core.tls))
        source = core.token_source
        self._tokens = TokenCache(source, self._sender, core.clock) if source else None

    def close(self) -> None:
        """Close all connections."""
        self._sender.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.core.endpoint.host_header})"

    def _cancel(self, name: str, job_id: str, timeout: float | None) -> CancelAccepted[Any]:
        call = self.core.call(self.core.api.operations[name], job_id, timeout)
        return self._run(call, self.core.outcome)

    def _read(self, name: str, job_id: str, timeout: float | None) -> JobState:
        """Read the state of a job that the operation ``name`` would cancel."""
        call = self.core.call(self.core.api.operations[name].status, job_id, timeout)
        return self._run(call, self.core.state)

    def _run(self, call: Call[CallKind], read: _Reader[CallKind, Outcome]) -> Outcome:
        core, tokens = self.core, self._tokens
        token = tokens.get(deadline=call.deadline) if tokens else None
        request = core.prepare(call, token)
        outcome = read(call, request, self._sender.send(request, deadline=call.deadline))
        if tokens and token_ended(outcome):
            request = core.prepare(call, tokens.get(deadline=call.deadline, refused=token))
            outcome = read(call, request, self._sender.send(request, deadline=call.deadline))
        return _result(outcome)


class _AsyncClient:
    """Runs a core asynchronously, in one event loop."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._sender: AsyncSender = traced_async(AsyncHttpTransport(core.tls))
        source = core.token_source
        self._tokens = AsyncTokenCache(source, self._sender, core.clock) if source else None

    async def close(self) -> None:
        """Close all connections."""
        await self._sender.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.core.endpoint.host_header})"

    async def _cancel(self, name: str, job_id: str, timeout: float | None) -> CancelAccepted[Any]:
        call = self.core.call(self.core.api.operations[name], job_id, timeout)
        return await self._run(call, self.core.outcome)

    async def _read(self, name: str, job_id: str, timeout: float | None) -> JobState:
        """Read the state of a job that the operation ``name`` would cancel."""
        call = self.core.call(self.core.api.operations[name].status, job_id, timeout)
        return await self._run(call, self.core.state)

    async def _run(self, call: Call[CallKind], read: _Reader[CallKind, Outcome]) -> Outcome:
        core, tokens = self.core, self._tokens
        token = await tokens.get(deadline=call.deadline) if tokens else None
        await core.ready(call)
        request = core.prepare(call, token)
        outcome = read(call, request, await self._sender.send(request, deadline=call.deadline))
        if tokens and token_ended(outcome):
            request = core.prepare(call, await tokens.get(deadline=call.deadline, refused=token))
            outcome = read(call, request, await self._sender.send(request, deadline=call.deadline))
        return _result(outcome)


def _result(outcome: Outcome | ApiError) -> Outcome:
    if isinstance(outcome, ApiError):
        raise outcome
    return outcome


def _check_options(options: ClientOptions) -> None:
    known = ClientOptions.__optional_keys__
    if unknown := sorted(options.keys() - known):
        raise TypeError(f"no option {unknown[0]!r}; there are: {', '.join(sorted(known))}")


def _ci(bucket: str, region: str, credentials: KeyCredential, options: ClientOptions) -> Core:
    _check_options(options)
    check_credential("tencent-ci", credentials, (AccessKey, TemporaryKey, RefreshingKey))
    return Core("tencent-ci", {"bucket": bucket, "region": region}, credentials, **options)


def _dli(
    api: ApiName, region: str, project_id: str, credentials: DliCredential, options: ClientOptions
) -> Core:
    _check_options(options)
    check_credential(api, credentials, (AccessKey, TemporaryKey, RefreshingKey, Token, IamPassword))
    return Core(api, {"region": region}, credentials, project_id=project_id, **options)


class TencentCiClient(_Client):
    """Cancels jobs of Tencent Cloud CI, and reads their states.

    ``bucket`` is the full name, ``<name>-<APPID>``; ``region`` a code such as ``ap-beijing``.

    ``options`` are the keywords of ``ClientOptions``: timeout, base_url, host, allow_http, verify, clock.
    Making a client raises InvalidInputError for a value that is none; nothing is sent yet.
    """

    def __init__(
        self, *, bucket: str, region: str, credentials: KeyCredential, **options: Unpack[ClientOptions]
    ) -> None:
        super().__init__(_ci(bucket, region, credentials, options))

    def cancel_inventory_trigger_job(
        self, job_id: str, *, timeout: float | None = None
    ) -> CancelAccepted[None]:
        """Cancel a batch data-processing job; raise CalloffError otherwise."""
        return self._cancel("cancelInventoryTriggerJob", job_id, timeout)

    def inventory_trigger_job(self, job_id: str, *, timeout: float | None = None) -> JobState:
        """Read the state of a batch data-processing job; raise CalloffError otherwise."""
        return self._read("cancelInventoryTriggerJob", job_id, timeout)

    def cancel_ai_job(self, job_id: str, *, timeout: float | None = None) -> CancelAccepted[None]:
        """Cancel an AI content-recognition job that has not begun; raise CalloffError otherwise."""
        return self._cancel("cancelAiJob", job_id, timeout)

    def ai_job(self, job_id: str, *, timeout: float | None = None) -> JobState:
        """Read the state of an AI content-recognition job; raise CalloffError otherwise."""
        return self._read("cancelAiJob", job_id, timeout)


class OtcDliClient(_Client):
    """Cancels jobs of Open Telekom Cloud DLI, and reads their states.

    ``region`` is a code such as ``eu-de``, ``project_id`` the id of the region's project.

    ``options`` are the keywords of ``ClientOptions``: timeout, base_url, host, allow_http, verify, clock.
    Making a client raises InvalidInputError for a value that is none; nothing is sent yet.
    """

    def __init__(
        self, *, region: str, project_id: str, credentials: DliCredential, **options: Unpack[ClientOptions]
    ) -> None:
        super().__init__(_dli("otc-dli", region, project_id, credentials, options))

    def cancel_batch_job(
        self, batch_id: str, *, timeout: float | None = None
    ) -> CancelAccepted[BatchCancelResult]:
        """Cancel a Spark batch job, which then ends as ``dead``; raise CalloffError otherwise."""
        return self._cancel("cancelBatchJob", batch_id, timeout)

    def batch_job_state(self, batch_id: str, *, timeout: float | None = None) -> JobState:
        """Read the state of a Spark batch job; raise CalloffError otherwise."""
        return self._read("cancelBatchJob", batch_id, timeout)

    def cancel_sql_job(self, job_id: str, *, timeout: float | None = None) -> CancelAccepted[SqlCancelResult]:
        """Cancel a SQL job; raise CalloffError otherwise."""
        return self._cancel("cancelSqlJob", job_id, timeout)

    def sql_job_status(self, job_id: str, *, timeout: float | None = None) -> JobState:
        """Read the state of a SQL job; raise CalloffError otherwise."""
        return self._read("cancelSqlJob", job_id, timeout)


class HuaweiCloudDliClient(_Client):
    """Cancels jobs of Huawei Cloud DLI, and reads their states.

    ``region`` is a code such as ``cn-north-4``, ``project_id`` the id of the region's project.

    ``options`` are the keywords of ``ClientOptions``: timeout, base_url, host, allow_http, verify, clock.
    Making a client raises InvalidInputError for a value that is none; nothing is sent yet.
    """

    def __init__(
        self, *, region: str, project_id: str, credentials: DliCredential, **options: Unpack[ClientOptions]
    ) -> None:
        super().__init__(_dli("huaweicloud-dli", region, project_id, credentials, options))

    def cancel_sql_job(
        self, job_id: str, *, timeout: float | None = None
    ) -> CancelAccepted[HuaweiCloudSqlCancelResult]:
        """Cancel a SQL job; raise CalloffError otherwise."""
        return self._cancel("cancelSqlJob", job_id, timeout)

    def sql_job_status(self, job_id: str, *, timeout: float | None = None) -> JobState:
        """Read the state of a SQL job; raise CalloffError otherwise."""
        return self._read("cancelSqlJob", job_id, timeout)


class AsyncTencentCiClient(_AsyncClient):
    """Cancels jobs of Tencent Cloud CI, asynchronously; see its synchronous twin."""

    def __init__(
        self, *, bucket: str, region: str, credentials: KeyCredential, **options: Unpack[ClientOptions]
    ) -> None:
        super().__init__(_ci(bucket, region, credentials, options))

    async def cancel_inventory_trigger_job(
        self, job_id: str, *, timeout: float | None = None
    ) -> CancelAccepted[None]:
        """Cancel a batch data-processing job; raise CalloffError otherwise."""
        return await self._cancel("cancelInventoryTriggerJob", job_id, timeout)

    async def inventory_trigger_job(self, job_id: str, *, timeout: float | None = None) -> JobState:
        """Read the state of a batch data-processing job; raise CalloffError otherwise."""
        return await self._read("cancelInventoryTriggerJob", job_id, timeout)

    async def cancel_ai_job(self, job_id: str, *, timeout: float | None = None) -> CancelAccepted[None]:
        """Cancel an AI content-recognition job that has not begun; raise CalloffError otherwise."""
        return await self._cancel("cancelAiJob", job_id, timeout)

    async def ai_job(self, job_id: str, *, timeout: float | None = None) -> JobState:
        """Read the state of an AI content-recognition job; raise CalloffError otherwise."""
        return await self._read("cancelAiJob", job_id, timeout)


class AsyncOtcDliClient(_AsyncClient):
    """Cancels jobs of Open Telekom Cloud DLI, asynchronously; see its synchronous twin."""

    def __init__(
        self, *, region: str, project_id: str, credentials: DliCredential, **options: Unpack[ClientOptions]
    ) -> None:
        super().__init__(_dli("otc-dli", region, project_id, credentials, options))

    async def cancel_batch_job(
        self, batch_id: str, *, timeout: float | None = None
    ) -> CancelAccepted[BatchCancelResult]:
        """Cancel a Spark batch job, which then ends as ``dead``; raise CalloffError otherwise."""
        return await self._cancel("cancelBatchJob", batch_id, timeout)

    async def batch_job_state(self, batch_id: str, *, timeout: float | None = None) -> JobState:
        """Read the state of a Spark batch job; raise CalloffError otherwise."""
        return await self._read("cancelBatchJob", batch_id, timeout)

    async def cancel_sql_job(
        self, job_id: str, *, timeout: float | None = None
    ) -> CancelAccepted[SqlCancelResult]:
        """Cancel a SQL job; raise CalloffError otherwise."""
        return await self._cancel("cancelSqlJob", job_id, timeout)

    async def sql_job_status(self, job_id: str, *, timeout: float | None = None) -> JobState:
        """Read the state of a SQL job; raise CalloffError otherwise."""
        return await self._read("cancelSqlJob", job_id, timeout)


class AsyncHuaweiCloudDliClient(_AsyncClient):
    """Cancels jobs of Huawei Cloud DLI, asynchronously; see its synchronous twin."""

    def __init__(
        self, *, region: str, project_id: str, credentials: DliCredential, **options: Unpack[ClientOptions]
    ) -> None:
        super().__init__(_dli("huaweicloud-dli", region, project_id, credentials, options))

    async def cancel_sql_job(
        self, job_id: str, *, timeout: float | None = None
    ) -> CancelAccepted[HuaweiCloudSqlCancelResult]:
        """Cancel a SQL job; raise CalloffError otherwise."""
        return await self._cancel("cancelSqlJob", job_id, timeout)

    async def sql_job_status(self, job_id: str, *, timeout: float | None = None) -> JobState:
        """Read the state of a SQL job; raise CalloffError otherwise."""
        return await self._read("cancelSqlJob", job_id, timeout)
