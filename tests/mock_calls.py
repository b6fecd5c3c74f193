"""Calls to a mock that runs, over real sockets: jobs to cancel, and requests that cancel them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
from peers import reference

from calloff.apis import OPERATIONS

if TYPE_CHECKING:
    from calloff.apis import Operation, StatusCall
    from calloff.mock.server import MockServer

CI, DLI = "tencent-ci/cancelAiJob", "otc-dli/cancelSqlJob"
OPEN = {CI: "Submitted", DLI: "RUNNING"}
CANCELLED = {CI: "Cancel", DLI: "CANCELLED"}


@dataclass(frozen=True)
class Job:
    operation: str
    id: str
    parameters: dict[str, str]


@dataclass
class Caller:
    """Makes jobs and cancels them, as a client with good credentials would."""

    server: MockServer
    client: httpx.Client
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def control(self) -> str:
        return str(self.server.announcement["control_url"])

    def place(self, operation: str) -> dict[str, Any]:
        found: dict[str, Any] = self.server.announcement["apis"][operation.split("/", maxsplit=1)[0]]
        return found

    def address(self, operation: str) -> tuple[str, int]:
        url = urlsplit(self.place(operation)["base_url"])
        assert url.hostname is not None
        assert url.port is not None
        return url.hostname, url.port

    def job(self, operation: str, state: str = "") -> Job:
        api, name = operation.split("/")
        wanted = {"api": api, "operation": name, "state": state or OPEN[operation], "owner": "self"}
        states = self.server.announcement["provider_states_url"]
        made = self.client.post(f"{states}/jobs", json=wanted).json()
        return Job(operation, made["job_id"], made["path_parameters"])

    def state(self, job: Job) -> str:
        states = self.server.announcement["provider_states_url"]
        return str(self.client.get(f"{states}/jobs/{job.operation}/{job.id}").json()["state"])

    def message(
        self, job: Job, *, now: float | None = None, call: Operation | StatusCall | None = None
    ) -> reference.Message:
        """Write the request that cancels a job, or another call about it, signed at a time (the machine's without)."""
        place, operation = self.place(job.operation), call or OPERATIONS[job.operation]
        target = operation.path.format_map(job.parameters) + (
            f"?{operation.query}" if operation.query else ""
        )
        keys, moment = place["credentials"], time.time() if now is None else now
        if operation.api != "tencent-ci":
            date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(moment))
            host = urlsplit(place["base_url"]).netloc
            names = ["host", "x-sdk-date"]
            message = reference.Message(operation.method, target, (("Host", host), ("X-Sdk-Date", date)))
            canonical = reference.hmac_canonical_request(message, names)
            signature = reference.hmac_stages(canonical, keys["secret_key"], date)["signature"]
            value = reference.hmac_authorization(keys["access_key"], names, signature)
        else:
            times = f"{int(moment) - 60};{int(moment) + 600}"
            message = reference.Message(operation.method, target, (("Host", place["host"]),))
            signed = [operation.query] if operation.query else []
            stages = reference.qsign_stages(message, keys, times, ["host"], signed)
            value = reference.qsign_authorization(
                keys["secret_id"], times, ["host"], signed, stages["signature"]
            )
        return reference.with_header(message, "Authorization", value)

    def cancel(self, job: Job, *, now: float | None = None) -> httpx.Response:
        return self.send(job, self.message(job, now=now))

    def read(self, job: Job) -> httpx.Response:
        """Ask the API for the state of a job."""
        return self.send(job, self.message(job, call=OPERATIONS[job.operation].status))

    def send(self, job: Job, message: reference.Message) -> httpx.Response:
        url = httpx.URL(self.place(job.operation)["base_url"]).copy_with(raw_path=message.target.encode())
        return self.client.request(message.method, url, headers={**dict(message.headers), **self.headers})

    def disturb(self, **members: object) -> dict[str, Any]:
        answer = self.client.post(f"{self.control}/disturbances", json=members)
        assert answer.status_code == 201, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def journal(self, **filters: object) -> list[dict[str, Any]]:
        answer = self.client.get(f"{self.control}/journal", params={k: str(v) for k, v in filters.items()})
        assert answer.status_code == 200, answer.text
        entries: list[dict[str, Any]] = answer.json()["entries"]
        return entries
