"""The five operations, and the calls that read a state, as a caller sees them, synchronous and asynchronous."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import calloff
from calloff import AccessKey, CancelAccepted, IamPassword, TemporaryKey, Token
from calloff.aiohttp_transport import AiohttpTransport

PROJECT = "48cc2c48765f481480c7db940d6409d1"  # pragma: allowlist secret
UUID = "6d2146a0-c2d5-41bd-8ca0-ca9694ada992"
NOW = 1768469400.0  # 2026-01-15T09:30:00Z
MODES = ["sync", "async"]
TRANSPORTS = [*MODES, "aiohttp"]  # the last: the asynchronous clients over the transport of bulk

ACCESS_KEY = AccessKey("AKIDEXAMPLEEXAMPLEEXAMPLE", "planted-secret-key")
TEMPORARY_KEY = TemporaryKey("AKIDEXAMPLETEMPORARY", "planted-temporary-secret", "planted/security+token==")
TOKEN = Token("planted-iam-token")
SECRETS = [
    "planted-secret-key",
    "planted-temporary-secret",
    "planted/security+token==",
    "planted-iam-token",
    "planted-fetched-token",
    "planted-password",
]


def iam_user(url: str) -> IamPassword:
    return IamPassword("user", "planted-password", "domain", iam_url=url)


@dataclass(frozen=True)
class Case:
    """One call: its client, its method, good arguments, and what an acceptance, or a state, looks like."""

    key: str
    client: str
    method: str
    arguments: dict[str, str]
    job_id: str
    accepted: bytes

    def make(self, mode: str, base_url: str | None, credentials: Any = None, **options: Any) -> Any:
        kind = getattr(calloff, self.client if mode == "sync" else f"Async{self.client}")
        options.setdefault("clock", lambda: NOW)
        client = kind(
            **{**self.arguments, **options}, credentials=credentials or ACCESS_KEY, base_url=base_url
        )
        if mode == "aiohttp":
            client._sender = AiohttpTransport(client.core.tls)
        return client

    def cancel(
        self,
        mode: str,
        base_url: str | None,
        credentials: Any = None,
        *,
        job_id: Any = None,
        times: int = 1,
        call: dict[str, Any] | None = None,
        **options: Any,
    ) -> CancelAccepted[Any]:
        """Make a client, call its method, return what the last call gave; ``job_id`` None stands for a good one."""
        given = self.job_id if job_id is None else job_id
        if mode == "sync":
            with self.make(mode, base_url, credentials, **options) as client:
                return [getattr(client, self.method)(given, **(call or {})) for _ in range(times)][-1]  # type: ignore[no-any-return]

        async def run() -> CancelAccepted[Any]:
            async with self.make(mode, base_url, credentials, **options) as client:
                return [await getattr(client, self.method)(given, **(call or {})) for _ in range(times)][-1]  # type: ignore[no-any-return]

        return asyncio.run(run())


_CI = {"bucket": "bucket-1250000000", "region": "ap-beijing"}
_OTC = {"region": "eu-de", "project_id": PROJECT}
_HUAWEI = {"region": "cn-north-4", "project_id": PROJECT}
_SQL = b'{"is_success": true, "message": ""}'

CI_BATCH = Case(
    "tencent-ci/cancelInventoryTriggerJob",
    "TencentCiClient",
    "cancel_inventory_trigger_job",
    _CI,
    "b3deffea2f84911ec9cb15254008618d9",  # pragma: allowlist secret
    b"",
)
CI_AI = Case(
    "tencent-ci/cancelAiJob",
    "TencentCiClient",
    "cancel_ai_job",
    _CI,
    "a632d4d3429a811ed8a5fa3d8277c400f",  # pragma: allowlist secret
    b"",
)
OTC_BATCH = Case(
    "otc-dli/cancelBatchJob", "OtcDliClient", "cancel_batch_job", _OTC, UUID, b'{"msg": "deleted"}'
)
OTC_SQL = Case("otc-dli/cancelSqlJob", "OtcDliClient", "cancel_sql_job", _OTC, UUID, _SQL)
HUAWEI_SQL = Case(
    "huaweicloud-dli/cancelSqlJob", "HuaweiCloudDliClient", "cancel_sql_job", _HUAWEI, UUID, _SQL
)
CASES = [CI_BATCH, CI_AI, OTC_BATCH, OTC_SQL, HUAWEI_SQL]
CI_CASES = [CI_BATCH, CI_AI]
DLI_CASES = [OTC_BATCH, OTC_SQL, HUAWEI_SQL]


def ci_state(job_id: str, state: str) -> bytes:
    """Write what CI tells of a job, as its page has it."""
    return (
        f"<Response><JobsDetail><Code>Success</Code><Message/><JobId>{job_id}</JobId><State>{state}</State>"
        "<CreationTime>2022-06-27T15:23:10+0800</CreationTime><StartTime>-</StartTime></JobsDetail></Response>"
    ).encode()


def sql_state(state: str) -> bytes:
    """Write what DLI tells of a SQL job."""
    return f'{{"is_success": true, "message": "", "job_id": "{UUID}", "status": "{state}"}}'.encode()


READ_CI_BATCH = Case(
    "tencent-ci/describeInventoryTriggerJob",
    "TencentCiClient",
    "inventory_trigger_job",
    _CI,
    CI_BATCH.job_id,
    ci_state(CI_BATCH.job_id, "Running"),
)
READ_CI_AI = Case(
    "tencent-ci/describeAiJob",
    "TencentCiClient",
    "ai_job",
    _CI,
    CI_AI.job_id,
    ci_state(CI_AI.job_id, "Running"),
)
READ_OTC_BATCH = Case(
    "otc-dli/getBatchJobState",
    "OtcDliClient",
    "batch_job_state",
    _OTC,
    UUID,
    f'{{"id": "{UUID}", "state": "running"}}'.encode(),
)
READ_OTC_SQL = Case(
    "otc-dli/getSqlJobStatus", "OtcDliClient", "sql_job_status", _OTC, UUID, sql_state("RUNNING")
)
READ_HUAWEI_SQL = Case(
    "huaweicloud-dli/getSqlJobStatus",
    "HuaweiCloudDliClient",
    "sql_job_status",
    _HUAWEI,
    UUID,
    sql_state("RUNNING"),
)
READING_CASES = [READ_CI_BATCH, READ_CI_AI, READ_OTC_BATCH, READ_OTC_SQL, READ_HUAWEI_SQL]
