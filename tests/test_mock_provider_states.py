"""Provider states: jobs and credentials on demand, in the shapes of their document."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import jsonschema
import pytest
from mock_support import NOW, Bench

from calloff.apis import APIS
from calloff.contract import read_yaml
from calloff.mock.dialects import Dialect
from calloff.mock.provider_states import ProviderStates
from calloff.mock.state import ServerState

DOCUMENT = read_yaml("provider-states.openapi.yaml")
KEY_KINDS = ["good", "other-owner", "temporary", "expired-temporary"]
TOKEN_KINDS = ["token", "expired-token", "other-owner-token"]
SCHEMAS = {
    "abilities": "AbilityList",
    "job": "JobHandedOut",
    "state": "JobState",
    "credentials": "CredentialsHandedOut",
    "error": "ProviderStateError",
}


def call(state: ServerState, method: str, path: str, content: Any = None, *, raw: bytes | None = None) -> Any:
    """Call the provider states; gives the status and the content, which must fit the document."""
    body = raw if raw is not None else b"" if content is None else json.dumps(content).encode()
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": []}
    asyncio.run(ProviderStates(state)(scope, receive, send))
    status = sent[0]["status"]
    if status == 204:
        assert sent[1]["body"] == b""
        return status, None
    answer = json.loads(sent[1]["body"])
    kind = "error" if status >= 400 else "abilities" if method == "GET" and path.count("/") == 1 else None
    kind = kind or ("state" if method == "GET" else "job" if path.endswith("/jobs") else "credentials")
    schema = {"$ref": f"#/components/schemas/{SCHEMAS[kind]}", "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(schema).validate(answer)
    return status, answer


def test_what_the_server_can_do_is_listed() -> None:
    status, abilities = call(Bench().state, "GET", "/provider-states")
    assert status == 200
    assert set(abilities["apis"]) == set(APIS)
    assert abilities["apis"]["otc-dli"]["operations"]["cancelBatchJob"] == {
        "states": ["starting", "running", "recovering", "success", "dead"],
        "owners": ["self", "other"],
        "finishes": True,
    }
    assert abilities["apis"]["tencent-ci"]["credentials"] == KEY_KINDS
    assert abilities["apis"]["huaweicloud-dli"]["credentials"] == KEY_KINDS + TOKEN_KINDS


@pytest.mark.parametrize("owner", ["self", "other"])
def test_every_job_listed_can_be_had_in_every_state(owner: str) -> None:
    bench = Bench()
    seen = set()
    _, abilities = call(bench.state, "GET", "/provider-states")
    for api, ability in abilities["apis"].items():
        for operation, can in ability["operations"].items():
            for state in can["states"]:
                wanted = {"api": api, "operation": operation, "state": state, "owner": owner}
                status, job = call(bench.state, "POST", "/provider-states/jobs", wanted)
                assert status == 201
                seen.add(job["job_id"])
                told = call(bench.state, "GET", f"/provider-states/jobs/{api}/{operation}/{job['job_id']}")
                assert told == (200, {"state": state})
    assert len(seen) == 6 + 6 + 5 + 6 + 6


def test_a_job_of_somebody_else_names_its_own_place() -> None:
    state = Bench().state
    wanted = {"api": "tencent-ci", "operation": "cancelAiJob", "state": "Submitted"}
    _, own = call(state, "POST", "/provider-states/jobs", {**wanted, "owner": "self"})
    _, other = call(state, "POST", "/provider-states/jobs", {**wanted, "owner": "other"})
    assert own["host"] == "examplebucket-1250000000.ci.ap-beijing.myqcloud.com"
    assert other["host"] == "otherbucket-1250000000.ci.ap-beijing.myqcloud.com"
    assert set(own["path_parameters"]) == {"jobId"}
    wanted = {"api": "otc-dli", "operation": "cancelBatchJob", "state": "running"}
    _, own = call(state, "POST", "/provider-states/jobs", {**wanted, "owner": "self"})
    _, other = call(state, "POST", "/provider-states/jobs", {**wanted, "owner": "other"})
    assert "host" not in own
    assert set(own["path_parameters"]) == {"project_id", "batch_id"}
    assert own["path_parameters"]["project_id"] != other["path_parameters"]["project_id"]


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("kind", KEY_KINDS + TOKEN_KINDS)
def test_credentials_have_the_members_of_their_kind(api: str, kind: str) -> None:
    bench = Bench()
    wanted = {"api": api, "kind": kind}
    status, made = call(bench.state, "POST", "/provider-states/credentials", wanted)
    if api == "tencent-ci" and kind in TOKEN_KINDS:
        assert status == 501
        return
    assert status == 201
    key_id = "secret_id" if api == "tencent-ci" else "access_key"
    expected = {"token"} if kind in TOKEN_KINDS else {key_id, "secret_key"}
    expected |= {"security_token"} if "temporary" in kind else set()
    expected |= set() if api == "tencent-ci" else {"project_id"}
    assert set(made) == expected
    _, again = call(bench.state, "POST", "/provider-states/credentials", wanted)
    assert all(again[name] != made[name] for name in made if name != "project_id")


def test_expired_credentials_have_ended_when_they_are_handed_out() -> None:
    bench = Bench()
    for kind, cancelled in (("token", True), ("expired-token", False), ("other-owner-token", False)):
        _, made = call(bench.state, "POST", "/provider-states/credentials", {"api": "otc-dli", "kind": kind})
        job = bench.job("otc-dli/cancelSqlJob", "RUNNING")
        bench.send("otc-dli", "DELETE", bench.target(job), {"X-Auth-Token": made["token"]})
        assert (bench.state_of(job) == "CANCELLED") is cancelled
    for kind, cancelled in (("temporary", True), ("expired-temporary", False)):
        _, made = call(bench.state, "POST", "/provider-states/credentials", {"api": "otc-dli", "kind": kind})
        key = bench.state.keys["otc-dli"].find(made["access_key"])
        job = bench.job("otc-dli/cancelSqlJob", "RUNNING")
        bench.cancel(job, key=key, headers=(("X-Security-Token", made["security_token"]),))
        assert (bench.state_of(job) == "CANCELLED") is cancelled


def test_everything_handed_out_is_forgotten_and_the_announced_stays() -> None:
    bench = Bench()
    job = bench.job("otc-dli/cancelSqlJob", "RUNNING")
    token = bench.token()
    own = {"X-Auth-Token": bench.state.default_credentials["otc-dli"]["token"]}
    assert call(bench.state, "DELETE", "/provider-states") == (204, None)
    path = f"/provider-states/jobs/otc-dli/cancelSqlJob/{job.id}"
    assert call(bench.state, "GET", path)[0] == 404
    fresh = bench.job("otc-dli/cancelSqlJob", "RUNNING")
    assert bench.send("otc-dli", "DELETE", bench.target(fresh), token).status == 401
    assert bench.send("otc-dli", "DELETE", bench.target(fresh), own).status == 200


def test_forgetting_unlocks_the_announced_key() -> None:
    bench = Bench()
    key = bench.state.keys["otc-dli"].find(bench.state.default_credentials["otc-dli"]["access_key"])
    job = bench.job("otc-dli/cancelSqlJob", "RUNNING")
    for _ in range(6):
        bench.cancel(job, key=key, offset=-1000)
    assert bench.cancel(job, key=key).status == 401
    call(bench.state, "DELETE", "/provider-states")
    assert bench.cancel(bench.job("otc-dli/cancelSqlJob", "RUNNING"), key=key).status == 200


JOB = {"api": "otc-dli", "operation": "cancelSqlJob", "state": "RUNNING", "owner": "self"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**JOB, "api": "aws"}, "has no API 'aws'; it has tencent-ci, otc-dli, huaweicloud-dli."),
        (
            {**JOB, "operation": "cancelAiJob"},
            "no operation 'cancelAiJob'; it has cancelBatchJob, cancelSqlJob.",
        ),
        ({**JOB, "state": "running"}, "no state 'running'; it has LAUNCHING, RUNNING, "),
        ({**JOB, "owner": "me"}, "owner is self, other, not 'me'."),
        ({**JOB, "more": "1"}, "exactly the members api, operation, state, owner"),
        ({"api": "otc-dli"}, "exactly the members"),
        ({**JOB, "state": 1}, "text in state"),
        ({**JOB, "state": "FINISHED", "finishes_after": 1}, "by itself is made in LAUNCHING, RUNNING, "),
        *(
            ({**JOB, "finishes_after": value}, "finishes_after is more than 0 and at most 60 seconds.")
            for value in (0, -1, 60.5, True, "1", None, float("nan"))
        ),
        ([], "a JSON object"),
    ],
)
def test_a_job_there_is_not_is_refused(content: Any, message: str) -> None:
    status, answer = call(Bench().state, "POST", "/provider-states/jobs", content)
    assert status == 400
    assert message in answer["error"]


@pytest.mark.parametrize(
    ("operation", "state", "end", "cancelled"),
    [
        ("tencent-ci/cancelInventoryTriggerJob", "Submitted", "Success", "Cancel"),
        ("tencent-ci/cancelAiJob", "Submitted", "Success", "Cancel"),
        ("otc-dli/cancelBatchJob", "running", "success", "dead"),
        ("otc-dli/cancelSqlJob", "LAUNCHING", "FINISHED", "CANCELLED"),
        ("huaweicloud-dli/cancelSqlJob", "RUNNING", "FINISHED", "CANCELLED"),
    ],
)
def test_a_job_finishes_by_itself_when_it_was_asked_to(
    operation: str, state: str, end: str, cancelled: str
) -> None:
    bench = Bench()
    api, name = operation.split("/")
    wanted = {"api": api, "operation": name, "state": state, "owner": "self", "finishes_after": 0.5}
    made = [call(bench.state, "POST", "/provider-states/jobs", wanted) for _ in range(2)]
    assert [status for status, _ in made] == [201, 201]
    left, stopped = (
        bench.state.jobs.find(operation, bench.state.owners[api][0], job["job_id"])  # type: ignore[index]
        for _, job in made
    )
    assert left is not None
    assert stopped is not None
    bench.now += 0.49
    assert bench.state_of(left) == state
    assert bench.cancel(stopped).status == 200
    bench.now += 0.02
    assert (bench.state_of(left), bench.state_of(stopped)) == (end, cancelled)
    assert bench.cancel(left).status >= 400
    assert bench.state_of(left) == end


@pytest.mark.parametrize("raw", [b"", b"{", b"[" * 50_000, b"\xff", b'{"api": NaN, "kind": "good"}'])
def test_a_body_that_is_no_object_is_refused(raw: bytes) -> None:
    assert call(Bench().state, "POST", "/provider-states/credentials", raw=raw)[0] == 400


def test_a_body_too_large_is_refused() -> None:
    assert call(Bench().state, "POST", "/provider-states/jobs", raw=b" " * 70_000)[0] == 413


def test_an_unknown_kind_and_an_unknown_path_are_refused() -> None:
    state = Bench().state
    wanted = {"api": "otc-dli", "kind": "golden"}
    assert call(state, "POST", "/provider-states/credentials", wanted)[0] == 400
    assert call(state, "GET", "/provider-states/nothing")[0] == 404
    assert call(state, "PUT", "/provider-states")[0] == 404
    assert call(state, "GET", "/provider-states/jobs/aws/cancelSqlJob/x")[0] == 404


def test_an_api_that_is_not_served_is_not_listed() -> None:
    state = ServerState(["otc-dli"], clock=lambda: NOW, dialect=Dialect())
    assert list(call(state, "GET", "/provider-states")[1]["apis"]) == ["otc-dli"]
    wanted = {"api": "tencent-ci", "operation": "cancelAiJob", "state": "Submitted", "owner": "self"}
    assert call(state, "POST", "/provider-states/jobs", wanted)[0] == 400
