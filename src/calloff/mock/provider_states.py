"""How a suite asks for jobs in a given state and for credentials: `spec/provider-states.openapi.yaml`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from calloff.apis import APIS, OPERATIONS
from calloff.mock.json_app import JsonAnswer, JsonApp, JsonError, JsonRequest
from calloff.mock.state import PAST_SECONDS, TEMPORARY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from calloff.apis import ApiName
    from calloff.mock.state import ServerState

ROOT = "/provider-states"
CI_REGION = "ap-beijing"
_OWNERS = ("self", "other")
LONGEST = 60.0  # seconds after which a job may finish by itself
_KEY_KINDS = {  # kind -> whose, lifetime in seconds (None: no temporary key)
    "good": ("self", None),
    "other-owner": ("other", None),
    "temporary": ("self", TEMPORARY_SECONDS),
    "expired-temporary": ("self", -PAST_SECONDS),
}
_TOKEN_KINDS = {
    "token": ("self", None),
    "expired-token": ("self", -PAST_SECONDS),
    "other-owner-token": ("other", None),
}


class ProviderStates(JsonApp):
    """Serve the provider states of a server."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    def answer(self, request: JsonRequest) -> JsonAnswer:
        """Answer one call."""
        match request.method, request.path.split("/")[1:]:
            case "GET", ["provider-states"]:
                return JsonAnswer(200, self._abilities())
            case "DELETE", ["provider-states"]:
                self._state.forget()
                return JsonAnswer(204)
            case "POST", ["provider-states", "jobs"]:
                wanted = _members(request, "api", "operation", "state", "owner", optional="finishes_after")
                return JsonAnswer(201, self._job(**wanted, finishes_after=_seconds(request)))
            case "POST", ["provider-states", "credentials"]:
                wanted = _members(request, "api", "kind")
                return JsonAnswer(201, self._credentials(**wanted))
            case "GET", ["provider-states", "jobs", api, operation, job_id]:
                return JsonAnswer(200, {"state": self._job_state(api, operation, job_id)})
            case _:
                raise JsonError(404, f"There is no {request.method} {request.path} here; see {ROOT}.")

    def refuse(self, error: JsonError) -> JsonAnswer:
        """Say why, in one member."""
        return JsonAnswer(error.status, {"error": error.message})

    def _abilities(self) -> dict[str, object]:
        return {
            "version": 1,
            "apis": {
                name: {
                    "operations": {
                        operation.name: {
                            "states": list(self._state.kinds[operation.key].lifecycle.states),
                            "owners": list(_OWNERS),
                            "finishes": True,
                        }
                        for operation in APIS[name].operations.values()
                    },
                    "credentials": list(_kinds(name)),
                }
                for name in self._state.apis
            },
        }

    def _job(
        self, api: str, operation: str, state: str, owner: str, finishes_after: float | None
    ) -> dict[str, object]:
        name = self._api(api)
        kind = self._state.kinds.get(f"{api}/{operation}")
        if kind is None:
            raise JsonError(
                400, f"{api} has no operation {operation!r}; it has {_listed(APIS[name].operations)}."
            )
        states = kind.lifecycle.states
        if state not in states:
            raise JsonError(400, f"{api} {operation} has no state {state!r}; it has {_listed(states)}.")
        moves = kind.lifecycle.cancel_moves
        if finishes_after is not None and state not in moves:
            raise JsonError(
                400, f"A job that finishes by itself is made in {_listed(moves)}, which can be cancelled."
            )
        whose = self._owner(name, owner)
        job = self._state.new_job(f"{api}/{operation}", whose, state, finishes_after=finishes_after)
        parameter = OPERATIONS[job.operation].job_parameter
        if name == "tencent-ci":
            return {"job_id": job.id, "path_parameters": {parameter: job.id}, "host": ci_host(whose)}
        return {"job_id": job.id, "path_parameters": {"project_id": whose, parameter: job.id}}

    def _job_state(self, api: str, operation: str, job_id: str) -> str:
        owners = self._state.owners[name] if (name := self._known(api)) else ()
        for owner in owners:
            job = self._state.jobs.find(f"{api}/{operation}", owner, job_id)
            if job is not None:
                return job.state(self._state.clock())
        raise JsonError(404, "No such job was handed out.")

    def _credentials(self, api: str, kind: str) -> dict[str, object]:
        name = self._api(api)
        if kind not in _KEY_KINDS and kind not in _TOKEN_KINDS:
            known = _listed((*_KEY_KINDS, *_TOKEN_KINDS))
            raise JsonError(400, f"There is no kind of credentials {kind!r}; there are {known}.")
        if kind not in _kinds(name):
            raise JsonError(
                501, f"{api} has no credentials of kind {kind!r}; it has {_listed(_kinds(name))}."
            )
        if kind in _TOKEN_KINDS:
            owner, lifetime = _TOKEN_KINDS[kind]
            project = self._owner(name, owner)
            token = self._state.new_token(project, lifetime=lifetime)
            return {"token": token.value, "project_id": project}
        owner, lifetime = _KEY_KINDS[kind]
        whose = self._owner(name, owner)
        key = self._state.new_key(name, owner=whose, lifetime=lifetime)
        made: dict[str, object] = {
            "secret_id" if name == "tencent-ci" else "access_key": key.id,
            "secret_key": key.secret.decode(),
        }
        if key.security_token:
            made["security_token"] = key.security_token
        if name != "tencent-ci":
            made["project_id"] = whose
        return made

    def _known(self, api: str) -> ApiName | None:
        return next((name for name in self._state.apis if name == api), None)

    def _api(self, api: str) -> ApiName:
        if name := self._known(api):
            return name
        raise JsonError(400, f"This server has no API {api!r}; it has {_listed(self._state.apis)}.")

    def _owner(self, name: ApiName, owner: str) -> str:
        if owner not in _OWNERS:
            raise JsonError(400, f"owner is {_listed(_OWNERS)}, not {owner!r}.")
        return self._state.owners[name][_OWNERS.index(owner)]


def ci_host(bucket: str) -> str:
    """Give the host of a bucket."""
    return APIS["tencent-ci"].host.format(bucket=bucket, region=CI_REGION)


def _kinds(name: ApiName) -> tuple[str, ...]:
    return tuple(_KEY_KINDS) if name == "tencent-ci" else (*_KEY_KINDS, *_TOKEN_KINDS)


def _members(request: JsonRequest, *names: str, optional: str = "") -> dict[str, str]:
    """Read the texts of a JSON object that has exactly these members, and perhaps the optional one."""
    content: Any = request.json()
    if not isinstance(content, dict) or content.keys() - {optional} != set(names):
        more = f", and perhaps {optional}" if optional else ""
        raise JsonError(400, f"Expected a JSON object with exactly the members {_listed(names)}{more}.")
    if wrong := [name for name in names if not isinstance(content[name], str)]:
        raise JsonError(400, f"Expected text in {_listed(wrong)}.")
    return {name: content[name] for name in names}


def _seconds(request: JsonRequest) -> float | None:
    """Read after how many seconds the job wanted finishes by itself; None where it stays."""
    content: Any = request.json()
    if "finishes_after" not in content:
        return None
    seconds = content["finishes_after"]
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST:
        raise JsonError(400, f"finishes_after is more than 0 and at most {LONGEST:g} seconds.")
    return float(seconds)


def _listed(names: tuple[str, ...] | list[str] | Mapping[str, object]) -> str:
    return ", ".join(names)
