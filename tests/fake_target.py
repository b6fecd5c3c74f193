"""A server under test that a test scripts: jobs, their states, the provider states, and any answer at all.

It checks no signature: what carries a credential counts as authenticated, unless the script says otherwise.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

from calloff.apis import APIS, ApiName
from calloff.contract import load_catalogue
from calloff.verify.provider_states import ProviderStates
from calloff.verify.session import Session
from calloff.verify.shapes import JOB_STATES
from calloff.verify.target import Keys, Target

PROJECT = "0" * 31 + "1"
OTHER_PROJECT = "0" * 31 + "2"
BUCKET = "bucket-1250000000.ci.ap-beijing.myqcloud.com"
OTHER_BUCKET = "other-1250000000.ci.ap-beijing.myqcloud.com"
PLANTED = "planted-{}/of+the=suite"
SECRET_KEY = PLANTED.format("secret-key")
TOKEN = PLANTED.format("token")
SECURITY_TOKEN = PLANTED.format("security-token")
KINDS = ("good", "token", "temporary")


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


@dataclass(frozen=True)
class Reply:
    """An answer, written as it is."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    raw: bytes | None = None

    def to_bytes(self) -> bytes:
        if self.raw is not None:
            return self.raw
        lines = [f"HTTP/1.1 {self.status} Reason", *(f"{name}: {value}" for name, value in self.headers)]
        lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


def json_reply(status: int, content: Any) -> Reply:
    return Reply(status, json.dumps(content).encode(), (("Content-Type", "application/json"),))


def refusal(status: int = 400, code: str = "DLI.0001") -> Reply:
    content = {"error_code": code, "error_msg": "no"}
    if code.startswith("APIG"):
        content["request_id"] = "0" * 32
    return json_reply(status, content)


Script = Callable[["FakeTarget", Seen], Reply | None]


@dataclass
class FakeJob:
    id: str
    operation: str
    state: str
    owner: str


@dataclass
class FakeTarget:
    """Serves one API and the provider states while the context lasts.

    *script* answers a request to the API; None means as a good server would. *provided* answers a call to the
    provider states, named as in ``POST /jobs``.
    """

    api: ApiName = "otc-dli"
    script: Script | None = None
    provided: Mapping[str, Reply] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    jobs: dict[str, FakeJob] = field(default_factory=dict)

    def __enter__(self) -> Self:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = Seen(self.command, self.path, tuple(self.headers.items()), body)
                reply = fake.answer(request)
                head, mark, content = reply.to_bytes().partition(b"\r\n\r\n")
                self.wfile.write(head + mark + (content if self.command != "HEAD" else b""))
                self.close_connection = reply.raw is not None

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
                pass

        for method in ("GET", "PUT", "POST", "DELETE", "PATCH", "HEAD"):
            setattr(Handler, f"do_{method}", Handler.handle_any)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def states_url(self) -> str:
        return f"{self.url}/provider-states"

    def target(self, *, states: bool = True, keys: Keys | None = None, **options: Any) -> Target:
        given = Keys("KEYID", SECRET_KEY, token=TOKEN, project_id=PROJECT)
        options = {"timeout": 5.0, "settle": 0.05, **options}
        supplied = ProviderStates(self.states_url, options["timeout"]) if states else None
        host = BUCKET if self.api == "tencent-ci" else None
        return Target(APIS[self.api], self.url, keys or given, host, supplied, **options)

    def session(self, **options: Any) -> Session:
        return Session(self.target(**options), load_catalogue())

    def answer(self, request: Seen) -> Reply:
        if request.path.startswith("/provider-states"):
            return self._provide(request)
        self.seen.append(request)
        scripted = self.script(self, request) if self.script else None
        return scripted if scripted is not None else self.good(request)

    def job_of(self, request: Seen) -> FakeJob | None:
        return self.jobs.get(unquote(request.path.rpartition("/")[2]))

    def good(self, request: Seen) -> Reply:
        """Answer as a good DLI server would, were every credential right."""
        if request.header("X-Auth-Token") != TOKEN and "Access=KEYID" not in request.header("Authorization"):
            return refusal(401, "APIGW.0301")
        job = self.job_of(request)
        known = request.path.startswith(("/v1.0/", "/v2.0/")) and not request.path.endswith("/")
        if request.method != "DELETE" or not known:
            return refusal(404, "APIGW.0101")
        if job is None or job.owner != "self" or PROJECT not in request.path:
            return refusal(400, "DLI.0002")
        if APIS[self.api].operations[job.operation].path.split("/")[-2] not in request.path.split("/"):
            return refusal(400, "DLI.0002")
        states = JOB_STATES[f"{self.api}/{job.operation}"]
        if job.state not in (*states.cancellable, *states.silent):
            return refusal(400, "DLI.0007")
        self.cancel(job)
        return self.accepted(job)

    def cancel(self, job: FakeJob) -> None:
        job.state = JOB_STATES[f"{self.api}/{job.operation}"].cancelled

    def accepted(self, job: FakeJob) -> Reply:
        content = (
            {"msg": "deleted"} if job.operation == "cancelBatchJob" else {"is_success": True, "message": ""}
        )
        return json_reply(200, content)

    def _provide(self, request: Seen) -> Reply:
        path = request.target.removeprefix("/provider-states")
        call = f"{request.method} /{path.split('/')[1]}" if path else f"{request.method} "
        if call in self.provided:
            return self.provided[call]
        if not path:
            return json_reply(200, {"version": 1, "apis": {self.api: self.abilities()}})
        wanted = json.loads(request.body) if request.body else {}
        if call == "POST /jobs":
            return json_reply(201, self._new_job(wanted))
        if call == "POST /credentials":
            return json_reply(201, self.credentials(wanted["kind"]))
        return json_reply(200, {"state": self.jobs[path.rpartition("/")[2]].state})

    def abilities(self) -> dict[str, Any]:
        operations = {}
        for key, states in JOB_STATES.items():
            api, _, name = key.partition("/")
            if api == self.api:
                known = dict.fromkeys((*states.cancellable, *states.final, *states.silent, states.cancelled))
                operations[name] = {"states": list(known), "owners": ["self", "other"]}
        return {"operations": operations, "credentials": list(KINDS)}

    def credentials(self, kind: str) -> dict[str, str]:
        if kind == "token":
            return {"token": TOKEN, "project_id": PROJECT}
        given = {"access_key": "KEYID", "secret_key": SECRET_KEY, "project_id": PROJECT}
        return given | ({"security_token": SECURITY_TOKEN} if kind == "temporary" else {})

    def _new_job(self, wanted: Mapping[str, str]) -> dict[str, Any]:
        operation = APIS[self.api].operations[wanted["operation"]]
        job = FakeJob(str(uuid.uuid4()), operation.name, wanted["state"], wanted["owner"])
        self.jobs[job.id] = job
        mine = job.owner == "self"
        made: dict[str, Any] = {"job_id": job.id, "path_parameters": {operation.job_parameter: job.id}}
        if self.api == "tencent-ci":
            made["host"] = BUCKET if mine else OTHER_BUCKET
        else:
            made["path_parameters"]["project_id"] = PROJECT if mine else OTHER_PROJECT
        return made
