"""The mock in process: a clock to turn, jobs and credentials to make, requests signed by the reference signer."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from peers import reference

from calloff.apis import APIS, OPERATIONS
from calloff.mock.app import create_app
from calloff.mock.dialects import Dialect
from calloff.mock.mutants import find_mutant
from calloff.mock.pipeline import Exchange, Refusal
from calloff.mock.state import ServerState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from calloff.apis import ApiName
    from calloff.mock.jobs import Job
    from calloff.mock.keys import Key
    from calloff.mock.pipeline import SignatureSteps

NOW = 1_768_469_400.0  # 2026-01-15T09:30:00Z
HOST = "127.0.0.1:8600"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key == name]
        assert len(found) < 2, f"{name} is there {len(found)} times"
        return found[0] if found else None

    @property
    def json(self) -> Any:
        assert self.header("content-type") == "application/json"
        return json.loads(self.body)

    @property
    def xml(self) -> dict[str, str]:
        assert self.header("content-type") == "application/xml"
        root = ET.fromstring(self.body)  # noqa: S314 - written by the server under test
        assert root.tag == "Error"
        assert all(len(child) == 0 for child in root)
        return {child.tag: child.text or "" for child in root}

    @property
    def code(self) -> str:
        """The vendor's code of an error, empty for a success."""
        if self.status == 200:
            return ""
        return self.xml["Code"] if self.header("server") == "tencent-ci" else self.json["error_code"]


async def _exchange(
    app: Any, method: str, target: str, headers: Iterable[tuple[str, str]], parts: list[bytes]
) -> Reply:
    path, _, query = target.partition("?")
    arriving = [
        {"type": "http.request", "body": part, "more_body": index < len(parts) - 1}
        for index, part in enumerate(parts)
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return arriving.pop(0) if arriving else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "raw_path": path.encode("latin-1"),
        "path": path,
        "query_string": query.encode("latin-1"),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
    }
    await app(scope, receive, send)
    start, body = sent
    assert ("content-length", str(len(body["body"])).encode()) in [
        (k.decode(), v) for k, v in start["headers"]
    ]
    return Reply(
        start["status"], [(k.decode(), v.decode("latin-1")) for k, v in start["headers"]], body["body"]
    )


@dataclass
class Bench:
    """One server in process."""

    dialect: dict[str, str] = field(default_factory=dict)
    mutant: str | None = None
    now: float = NOW
    seed: int = 0

    def __post_init__(self) -> None:
        self.state = ServerState(
            tuple(APIS), clock=lambda: self.now, dialect=Dialect(self.dialect), seed=self.seed
        )
        mutant = find_mutant(self.mutant) if self.mutant else None
        self.apps = {name: create_app(name, self.state, mutant=mutant) for name in APIS}

    def job(self, operation: str, state: str, owner: int = 0) -> Job:
        api = OPERATIONS[operation].api
        return self.state.new_job(operation, self.state.owners[api][owner], state)

    def target(self, job: Job) -> str:
        operation = OPERATIONS[job.operation]
        parameters = {operation.job_parameter: job.id, "project_id": job.owner}
        return operation.path.format_map(parameters) + (f"?{operation.query}" if operation.query else "")

    def state_of(self, job: Job) -> str:
        return job.state(self.now)

    def key(self, api: ApiName, owner: int = 0, lifetime: float | None = None) -> Key:
        return self.state.new_key(api, owner=self.state.owners[api][owner], lifetime=lifetime)

    def token(
        self, api: ApiName = "otc-dli", owner: int = 0, lifetime: float | None = None
    ) -> dict[str, str]:
        token = self.state.new_token(self.state.owners[api][owner], lifetime=lifetime)
        return {"X-Auth-Token": token.value}

    def send(
        self,
        api: ApiName,
        method: str,
        target: str,
        headers: dict[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes | list[bytes] = b"",
    ) -> Reply:
        """Send one request as it stands; a list is a body without Content-Length."""
        pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
        if not any(name.lower() == "host" for name, _ in pairs):
            pairs.insert(0, ("Host", HOST))
        if isinstance(body, list):
            pairs.append(("Transfer-Encoding", "chunked"))
        elif body:
            pairs.append(("Content-Length", str(len(body))))
        parts = body if isinstance(body, list) else [body]
        return asyncio.run(_exchange(self.apps[api], method, target, pairs, parts))

    def cancel(self, job: Job, **changes: Any) -> Reply:
        """Cancel a job with a fresh good credential, in a request that is right but for the changes."""
        operation = OPERATIONS[job.operation]
        method = changes.pop("method", operation.method)
        target = changes.pop("target", self.target(job))
        if operation.api == "tencent-ci":
            message = self.q_sign(method, target, **changes)
        else:
            message = self.hmac(operation.api, method, target, **changes)
        return self.deliver(operation.api, message)

    def deliver(self, api: ApiName, message: reference.Message) -> Reply:
        return self.send(api, message.method, message.target, message.headers, message.body)

    def q_sign(
        self,
        method: str,
        target: str,
        *,
        key: Key | None = None,
        host: str = HOST,
        headers: tuple[tuple[str, str], ...] = (),
        signed: tuple[str, ...] = ("host",),
        parameters: tuple[str, ...] = ("cancel",),
        start: int = -60,
        end: int = 900,
    ) -> reference.Message:
        key = key or self.key("tencent-ci")
        message = reference.Message(method, target, (("Host", host), *headers))
        listed = [name for name in parameters if name in target]
        times = f"{int(self.now) + start};{int(self.now) + end}"
        credentials = {"secret_key": key.secret.decode()}
        stages = reference.qsign_stages(message, credentials, times, list(signed), listed)
        authorization = reference.qsign_authorization(
            key.id, times, list(signed), listed, stages["signature"]
        )
        return reference.with_header(message, "Authorization", authorization)

    def hmac(
        self,
        api: ApiName,
        method: str,
        target: str,
        *,
        key: Key | None = None,
        host: str = HOST,
        headers: tuple[tuple[str, str], ...] = (),
        signed: tuple[str, ...] = ("host", "x-sdk-date"),
        offset: float = 0,
        body: bytes = b"",
    ) -> reference.Message:
        key = key or self.key(api)
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.now + offset))
        message = reference.Message(method, target, (("Host", host), ("X-Sdk-Date", date), *headers), body)
        canonical = reference.hmac_canonical_request(message, list(signed))
        signature = reference.hmac_stages(canonical, key.secret.decode(), date)["signature"]
        return reference.with_header(
            message, "Authorization", reference.hmac_authorization(key.id, list(signed), signature)
        )


def accepts(steps: SignatureSteps, message: reference.Message, now: float) -> bool:
    """Tell whether the signature check of the mock accepts a request, whatever its path names."""
    path, _, query = message.target.partition("?")
    headers = [(name.lower().encode(), value.encode()) for name, value in message.headers]
    exchange = Exchange(message.method, path.encode(), query.encode(), headers, now)
    exchange.body = message.body
    try:
        claim = steps.read(exchange)
        key = steps.find_key(exchange, claim)
        steps.check_time(exchange, claim)
        steps.check_security_token(exchange, claim, key)
        return steps.verify(steps, exchange, claim, key)
    except Refusal:
        return False


def changed(message: reference.Message, name: str, value: str | None) -> reference.Message:
    """Change or drop a header after signing."""
    kept = tuple((key, old) for key, old in message.headers if key.lower() != name.lower())
    return reference.Message(
        message.method, message.target, kept if value is None else (*kept, (name, value)), message.body
    )
