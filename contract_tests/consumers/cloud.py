"""A mock as its consumers see it: where it is, what proves who asks, jobs made and read back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any, Self

import calloff
from calloff.apis import OPERATIONS, Operation
from calloff.verify.provider_states import announced_targets
from calloff.verify.target import Keys, Target

Credential = calloff.AccessKey | calloff.TemporaryKey | calloff.Token | calloff.IamPassword
MODES = ("sync", "async")
OTHER_BUCKET = "otherbucket-1250000000"


@dataclass(frozen=True)
class Case:
    """One operation: the method that calls it, and the job states that matter to a cancel."""

    operation: Operation
    client: str
    method: str
    open: str
    cancelled: str
    ended: str

    def __str__(self) -> str:
        return self.operation.key


CASES = tuple(
    Case(OPERATIONS[key], *rest)
    for key, *rest in (
        (
            "tencent-ci/cancelInventoryTriggerJob",
            "TencentCiClient",
            "cancel_inventory_trigger_job",
            *("Submitted", "Cancel", "Success"),
        ),
        ("tencent-ci/cancelAiJob", "TencentCiClient", "cancel_ai_job", "Submitted", "Cancel", "Success"),
        ("otc-dli/cancelBatchJob", "OtcDliClient", "cancel_batch_job", "running", "dead", "success"),
        ("otc-dli/cancelSqlJob", "OtcDliClient", "cancel_sql_job", "RUNNING", "CANCELLED", "FINISHED"),
        (
            "huaweicloud-dli/cancelSqlJob",
            "HuaweiCloudDliClient",
            "cancel_sql_job",
            *("RUNNING", "CANCELLED", "FINISHED"),
        ),
    )
)


class Cloud:
    """One running mock."""

    def __init__(self, announcement: dict[str, Any]) -> None:
        self.announcement = announcement
        self._targets = {target.api.name: target for target in announced_targets(announcement)}

    def close(self) -> None:
        for target in self._targets.values():
            target.close()

    def target(self, case: Case) -> Target:
        return self._targets[case.operation.api]

    def job(self, case: Case, state: str | None = None) -> str:
        """Make a job, by default one that can be cancelled."""
        return self.target(case).new_job(case.operation, state or case.open).job_id

    def state(self, case: Case, job_id: str) -> str:
        return self.target(case).state(case.operation, job_id)

    def keys(self, case: Case, kind: str) -> Keys:
        """Ask for fresh credentials of a kind of the provider states."""
        states = self.target(case).states
        assert states is not None
        return states.credentials(case.operation.api, kind)

    def credential(self, case: Case, kind: str) -> Credential:
        """Make what a client takes, of one of its four kinds or of a kind of the provider states."""
        if kind == "iam-password":
            return self.iam_user()
        keys = self.keys(case, {"access-key": "good"}.get(kind, kind))
        if keys.token:
            return calloff.Token(keys.token)
        if keys.security_token:
            return calloff.TemporaryKey(keys.key_id, keys.secret_key, keys.security_token)
        return calloff.AccessKey(keys.key_id, keys.secret_key)

    def iam_user(self, *, password: str = "", iam_url: str = "") -> calloff.IamPassword:
        iam = self.announcement["iam"]
        return calloff.IamPassword(
            iam["user"],
            password or iam["password"],
            iam["domain"],
            iam_url=iam_url or self.announcement["iam_url"],
        )

    def place(self, case: Case) -> dict[str, str]:
        """Give the arguments that say where the jobs of the announced credentials are."""
        api = self.announcement["apis"][case.operation.api]
        if case.operation.api == "tencent-ci":
            bucket, _, region, *_ = api["host"].split(".")
            return {"bucket": bucket, "region": region, "base_url": api["base_url"]}
        region = "eu-de" if case.operation.api == "otc-dli" else "cn-north-4"
        return {"region": region, "project_id": api["project_id"], "base_url": api["base_url"]}

    def cancel(
        self, case: Case, mode: str, credential: Credential, *jobs: str | Callable[[], str], **options: Any
    ) -> calloff.CancelAccepted[Any]:
        """Cancel jobs one after the other with one client, and give the last acceptance.

        A callable is called when its turn comes, and gives the id.
        """
        given = {"credentials": credential, **self.place(case), **options}
        if mode == "sync":
            with getattr(calloff, case.client)(**given) as client:
                cancel = getattr(client, case.method)
                return [cancel(job() if callable(job) else job) for job in jobs][-1]  # type: ignore[no-any-return]

        async def run() -> calloff.CancelAccepted[Any]:
            async with getattr(calloff, f"Async{case.client}")(**given) as client:
                cancel = getattr(client, case.method)
                return [await cancel(job() if callable(job) else job) for job in jobs][-1]  # type: ignore[no-any-return]

        return asyncio.run(run())


class Clouds:
    """Runs one mock at a time, and keeps it while the same dialect is asked for."""

    def __init__(self, start_mock: Callable[..., AbstractContextManager[dict[str, Any]]]) -> None:
        self._start_mock = start_mock
        self._running = ExitStack()
        self._dialect: str | None = None
        self._cloud: Cloud

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def under(self, dialect: str) -> Cloud:
        """Give the mock under a dialect, the default one where it is empty."""
        if dialect != self._dialect:
            self._running.close()
            options = ["--dialect", dialect] if dialect else []
            self._cloud = Cloud(self._running.enter_context(self._start_mock(*options)))
            self._running.callback(self._cloud.close)
            self._dialect = dialect
        return self._cloud
