"""Go through a run without sending anything, and list the requests that it would send.

The checks themselves are run, against a stand-in for the server that answers as a conforming one would. What no
server was asked for stands as a placeholder: ``{job_id}`` where the provider states would supply a job.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from calloff.verify import preflight
from calloff.verify.jobs_file import JobsFile
from calloff.verify.recipes import RECIPES
from calloff.verify.session import Session
from calloff.verify.shapes import JOB_STATES
from calloff.verify.target import Job, Keys, Target
from calloff.verify.wire import Request, Response, Wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from calloff.apis import Operation
    from calloff.contract import Catalogue
    from calloff.verify.recipes import Recipe
    from calloff.verify.strict_wire import StrictWire

MADE_UP = "made up"
_OTHER_PROJECT, _OTHER_HOST = "other-project-id", "other-owner.invalid"
# An id that no shape can lose altogether: what stands around the number may be changed, cut off or repeated.
_PLACEHOLDER = re.compile("0?~job([0-9]+)~0?")
_SIGNED_QUERY = re.compile("&?(?:q-[a-z-]+|sign|x-c(?:i|os)-security-token)=[^&]*")


@dataclass(frozen=True, slots=True)
class PlannedRequest:
    """One request that a run would send; no secret is in it.

    *url* leaves out a signature in the query. *credential* says how it is authenticated, *cancels* whether a correct
    server may cancel a job over it, *job* which one it names.
    """

    case_id: str
    method: str
    url: str
    host: str
    credential: str
    cancels: bool
    job: str


@dataclass
class _Known:
    """A job of the stand-in."""

    name: str
    state: str
    operation: Operation
    ours: bool
    finishes: bool


@dataclass
class RehearsedStates:
    """Provider states that can bring about everything, and make up placeholders."""

    reads_state: ClassVar[bool] = True
    _made: int = 0

    def abilities(self, api: str) -> Mapping[str, Any]:
        """Return every state and every kind of credentials."""
        kinds = dict.fromkeys(recipe.credentials for recipe in RECIPES[api] if recipe.credentials != "none")
        operations = {}
        for key, known in JOB_STATES.items():
            owner, _, name = key.partition("/")
            if owner == api:
                operations[name] = (*known.cancellable, *known.final, *known.silent, known.cancelled)
        return {"operations": operations, "finishes": tuple(operations), "credentials": tuple(kinds)}

    def new_job(
        self,
        operation: Operation,
        state: str,  # noqa: ARG002
        owner: str,
        *,
        spend: bool = True,  # noqa: ARG002
        besides: str = "",  # noqa: ARG002
        finishes_after: float | None = None,  # noqa: ARG002
    ) -> Job:
        """Return a placeholder, numbered."""
        self._made += 1
        job_id = f"0~job{self._made}~0"
        parameters = dict.fromkeys(operation.patterns, _OTHER_PROJECT) | {operation.job_parameter: job_id}
        in_path = "project_id" in operation.patterns
        return Job(job_id, parameters, None if owner == "self" or in_path else _OTHER_HOST)

    def spend(self, operation: Operation, job_id: str) -> None:
        """Do nothing: every job is a fresh one."""

    def state(self, operation: Operation, job_id: str) -> str:
        """Raise: the target itself knows the states."""
        raise NotImplementedError

    def credentials(self, api: str, kind: str) -> Keys:  # noqa: ARG002
        """Return placeholders."""
        word = "placeholder"
        temporary = word if "temporary" in kind else ""
        self._made += 1
        return Keys(f"key-{self._made}", word, temporary, word, "")

    def close(self) -> None:
        """Do nothing: there is no connection."""


class RehearsedTarget(Target):
    """A target whose jobs are known without asking."""

    def __init__(self, target: Target) -> None:
        states = target.states
        if isinstance(states, JobsFile):
            states = states.unspent()
        elif states is not None:
            states = RehearsedStates()
        super().__init__(
            target.api, target.base_url, target.keys, target.host, states, target.timeout, 0.0, target.tls,
            clock_skew=target.clock_skew, kinds=target.kinds,
        )  # fmt: skip
        self.known: dict[str, _Known] = {}
        if isinstance(states, JobsFile):
            # A server that conforms has them all, and so many requests there are at most.
            self.status_calls = dict.fromkeys(states.abilities(target.api.name)["operations"], "")

    def new_job(
        self,
        operation: Operation,
        state: str,
        owner: str = "self",
        *,
        spend: bool = True,
        besides: str = "",
        finishes_after: float | None = None,
    ) -> Job:
        """Return a job, and remember its state."""
        job = super().new_job(
            operation, state, owner, spend=spend, besides=besides, finishes_after=finishes_after
        )
        project = self.keys.project_id or "project-id"
        if owner == "self" and "project_id" in job.parameters and isinstance(self.states, RehearsedStates):
            job = Job(job.job_id, {**job.parameters, "project_id": project}, job.host)
        self.known.setdefault(
            job.job_id,
            _Known(
                _PLACEHOLDER.sub(r"{job_id \1}", job.job_id),
                state,
                operation,
                owner == "self",
                finishes_after is not None,
            ),
        )
        return job

    def state(self, operation: Operation, job_id: str) -> str:  # noqa: ARG002
        """Return the state that the job is known to be in; time passes until one finishes that is to."""
        job = self.known[job_id]
        states = JOB_STATES[job.operation.key]
        return states.ended_well if job.finishes and job.state != states.cancelled else job.state


@dataclass
class RehearsedSession(Session):
    """A session that notes what it is to send, and answers it as a conforming server would."""

    target: RehearsedTarget
    planned: list[PlannedRequest] = field(default_factory=list)

    def rehearse_examination(self) -> None:
        """Note what the examination of the target would send."""
        for _, request in preflight.requests(self.target, self.catalogue, self.seed):
            self._note(request, self._job(request))

    def pause(self, seconds: float) -> None:
        """Pass over the time."""

    def keeps_open(self, wire: StrictWire) -> bool:  # noqa: ARG002
        """Tell that it did, as most servers do."""
        return True

    def send(self, request: Request, wire: Wire | None = None) -> Response:  # noqa: ARG002
        """Note *request* and return the answer of the stand-in."""
        recipe: Recipe | None = vars(self.written).pop("recipe", None)
        job = self._job(request)
        right = recipe is not None and recipe.accepted is not False
        cancels = job is not None and right and self._may_cancel(request, job)
        self._note(request, job, cancels=cancels)
        if job is not None and cancels:
            job.state = JOB_STATES[job.operation.key].cancelled
        if job is not None and right and _asks_state(request, job):
            return _told(job)
        return Response(200 if cancels else 400 if right else 401, (), b"")

    def _job(self, request: Request) -> _Known | None:
        """Return the job that *request* names as its path is written."""
        path = request.target.partition("?")[0]
        if request.method == "GET":
            for operation in self.target.api.operations.values():
                path = path.removesuffix(_after_id(operation))
        return self.target.known.get(path.rpartition("/")[2])

    def _may_cancel(self, request: Request, job: _Known) -> bool:
        states = JOB_STATES[job.operation.key]
        documented = request.method == job.operation.method
        if job.operation.query:
            query = re.split("[&=]", request.target.partition("?")[2])
            documented = documented and job.operation.query in query
        return job.ours and documented and job.state in (*states.cancellable, *states.silent)

    def _note(self, request: Request, job: _Known | None, *, cancels: bool = False) -> None:
        address = self.target.address
        path, mark, query = request.target.partition("?")
        query = _SIGNED_QUERY.sub("", query).removeprefix("&")
        path = path.replace(_OTHER_PROJECT, "{other_project_id}")
        shown = _PLACEHOLDER.sub(_shown, path) + (mark + query if query else "")
        named = _PLACEHOLDER.search(path)
        name = job.name if job is not None else (f"{{job_id {named[1]}}}, altered" if named else MADE_UP)
        agent = request.header("User-Agent") or ""
        self.planned.append(
            PlannedRequest(
                agent.partition(" case/")[2],
                request.method,
                f"{address.scheme}://{address.authority}{shown}",
                (request.header("Host") or "").replace(_OTHER_HOST, "{other_host}"),
                _credential(request),
                cancels,
                name,
            )
        )


def _after_id(operation: Operation) -> str:
    """Return what follows the id in the path of the status call."""
    return operation.status.path.rpartition("}")[2]


def _asks_state(request: Request, job: _Known) -> bool:
    """Tell whether *request*, which names *job*, is its status call."""
    path, _, query = request.target.partition("?")
    operation = job.operation
    named = operation.query and operation.query in re.split("[&=]", query)
    return request.method == operation.status.method and path.endswith(_after_id(operation)) and not named


def _told(job: _Known) -> Response:
    """Tell the state of *job* as the vendor does."""
    if job.operation.api == "tencent-ci":
        xml = f"<Response><JobsDetail><State>{job.state}</State></JobsDetail></Response>"
        return Response(200, (("Content-Type", "application/xml"),), xml.encode())
    member = "state" if job.operation.name == "cancelBatchJob" else "status"
    return Response(200, (("Content-Type", "application/json"),), json.dumps({member: job.state}).encode())


def _shown(match: re.Match[str]) -> str:
    return "{job_id}" if match[0].startswith("0") and match[0].endswith("0") else "{altered job_id}"


def _credential(request: Request) -> str:
    """Say what *request* is authenticated with; whether it is right stands in the id of the case."""
    used = []
    if request.header("Authorization") is not None:
        used.append("signature")
    if _SIGNED_QUERY.search(request.target.partition("?")[2]):
        used.append("signature in the query")
    if any(name.lower().endswith("-security-token") for name, _ in request.headers):
        used.append("security token")
    if request.header("X-Auth-Token") is not None:
        used.append("token")
    return " and ".join(used) or "none"


def rehearsed(
    target: Target, catalogue: Catalogue, seed: int, wanted: frozenset[str] | None
) -> RehearsedSession:
    """Return a session in which nothing is sent to *target*, with what its examination would send noted."""
    session = RehearsedSession(RehearsedTarget(target), catalogue, seed=seed, wanted=wanted)
    session.rehearse_examination()
    return session
