"""The status calls of the mock, over real sockets: who may ask, what is told, and that asking changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
from jsonschema import Draft202012Validator
from mock_calls import Caller, Job
from peers import reference

from calloff.apis import APIS, OPERATIONS
from calloff.contract import read_yaml
from calloff.mock.server import run_embedded

# In the vendors' words: a state that may be cancelled, where a cancel leads, and the member that tells the state.
STATES = {
    "tencent-ci/cancelInventoryTriggerJob": ("Submitted", "Cancel"),
    "tencent-ci/cancelAiJob": ("Submitted", "Cancel"),
    "otc-dli/cancelBatchJob": ("running", "dead"),
    "otc-dli/cancelSqlJob": ("RUNNING", "CANCELLED"),
    "huaweicloud-dli/cancelSqlJob": ("RUNNING", "CANCELLED"),
}
STATUS_CALLS = {
    "tencent-ci/cancelInventoryTriggerJob": "describeInventoryTriggerJob",
    "tencent-ci/cancelAiJob": "describeAiJob",
    "otc-dli/cancelBatchJob": "getBatchJobState",
    "otc-dli/cancelSqlJob": "getSqlJobStatus",
    "huaweicloud-dli/cancelSqlJob": "getSqlJobStatus",
}
CI = tuple(key for key in STATES if key.startswith("tencent-ci/"))
DLI = tuple(key for key in STATES if key not in CI)
MADE_UP = {
    "tencent-ci/cancelInventoryTriggerJob": "b3deffea2f84911ec9cb15254008618d9",  # pragma: allowlist secret
    "tencent-ci/cancelAiJob": "a632d4d3429a811ed8a5fa3d8277c400f",  # pragma: allowlist secret
}
MADE_UP_UUID = "6d2146a0-c2d5-41bd-8ca0-ca9694ada992"

every_operation = pytest.mark.parametrize("operation", STATES)


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    with run_embedded(["tencent-ci", "otc-dli", "huaweicloud-dli"]) as server, httpx.Client() as client:
        yield Caller(server, client)


def job(caller: Caller, operation: str, state: str = "", owner: str = "self") -> Job:
    api, name = operation.split("/")
    wanted = {"api": api, "operation": name, "state": state or STATES[operation][0], "owner": owner}
    made = caller.client.post(f"{caller.server.announcement['provider_states_url']}/jobs", json=wanted).json()
    return Job(operation, made["job_id"], made["path_parameters"])


def made_up(caller: Caller, operation: str, job_id: str = "") -> Job:
    parameter = OPERATIONS[operation].job_parameter
    job_id = job_id or MADE_UP.get(operation, MADE_UP_UUID)
    project = caller.place(operation).get("project_id", "")
    return Job(operation, job_id, {parameter: job_id, "project_id": project})


def told(answer: httpx.Response) -> dict[str, Any]:
    """Read a 200 of a status call."""
    assert answer.status_code == 200, answer.text
    if answer.headers["content-type"] == "application/json":
        members: dict[str, Any] = answer.json()
        return members
    assert answer.headers["content-type"] == "application/xml"
    root = ET.fromstring(answer.content)  # noqa: S314 - written by the server under test
    assert root.tag == "Response"
    details = root.find("JobsDetail")
    members = {child.tag: child.text or "" for child in root if child.tag != "JobsDetail"}
    return members | ({} if details is None else {child.tag: child.text or "" for child in details})


# ------------------------------------------------------------------ held to their documents

DOCUMENTS: dict[str, dict[str, Any]] = {name: read_yaml(f"{name}-status.openapi.yaml") for name in APIS}
# In the mock's provider states.
EVERY_STATE = {
    **dict.fromkeys(CI, ("Submitted", "Running", "Success", "Failed", "Pause", "Cancel")),
    **dict.fromkeys(
        ("otc-dli/cancelSqlJob", "huaweicloud-dli/cancelSqlJob"),
        ("LAUNCHING", "RUNNING", "SCALING", "FINISHED", "FAILED", "CANCELLED"),
    ),
    "otc-dli/cancelBatchJob": ("starting", "running", "recovering", "success", "dead"),
}


def followed(document: dict[str, Any], node: Any) -> Any:
    while "$ref" in node:
        found: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def from_xml(document: dict[str, Any], schema: Any, element: ET.Element) -> Any:
    """Read an element as a schema says: without a wrapper each item of an array is an element of that name."""
    schema = followed(document, schema)
    if schema["type"] != "object":
        assert len(element) == 0, f"{element.tag} has elements"
        return element.text or ""
    read: dict[str, Any] = {}
    for child in element:
        node = followed(document, schema["properties"].get(child.tag, {"type": "string"}))
        if node["type"] == "array":
            read.setdefault(child.tag, []).append(from_xml(document, node["items"], child))
        else:
            assert child.tag not in read, f"{child.tag} is there twice"
            read[child.tag] = from_xml(document, node, child)
    return read


def undocumented(document: dict[str, Any], schema: Any, value: Any) -> set[str]:
    """Name the members of a value that its schema does not, however deep."""
    schema = followed(document, schema)
    if isinstance(value, list):
        return {name for item in value for name in undocumented(document, schema["items"], item)}
    if not isinstance(value, dict):
        return set()
    known = schema.get("properties", {})
    deeper = (undocumented(document, known[name], item) for name, item in value.items() if name in known)
    return set(value).difference(known).union(*deeper)


def hold(operation: str, answer: httpx.Response) -> None:
    """Hold an answer of a status call to its document: status, headers, type and body."""
    document = DOCUMENTS[operation.split("/", maxsplit=1)[0]]
    call = document["paths"][OPERATIONS[operation].status.path]["get"]
    assert call["operationId"] == STATUS_CALLS[operation]
    response = followed(document, call["responses"][str(answer.status_code)])
    for name, header in response.get("headers", {}).items():
        rule = followed(document, header)
        if name.lower() in answer.headers:
            Draft202012Validator({**rule["schema"], "components": document["components"]}).validate(
                int(answer.headers[name])
                if followed(document, rule["schema"]).get("type") == "integer"
                else answer.headers[name]
            )
        else:
            assert not rule.get("required"), name
    schema = response["content"][answer.headers["content-type"]]["schema"]
    if answer.headers["content-type"] == "application/json":
        value = answer.json()
    else:
        root = ET.fromstring(answer.content)  # noqa: S314 - written by the server under test
        assert root.tag == followed(document, schema)["xml"]["name"]
        value = from_xml(document, schema, root)
    Draft202012Validator({**schema, "components": document["components"]}).validate(value)
    branches = followed(document, schema)
    choices = branches.get("oneOf") or branches.get("anyOf") or [schema]
    assert set() in [undocumented(document, choice, value) for choice in choices]


@every_operation
def test_every_state_is_told_as_the_document_says(caller: Caller, operation: str) -> None:
    for state in EVERY_STATE[operation]:
        answer = caller.read(job(caller, operation, state))
        assert state_in(answer) == state
        hold(operation, answer)


@every_operation
def test_what_is_not_told_is_refused_as_the_document_says(caller: Caller, operation: str) -> None:
    name, status = operation.split("/", maxsplit=1)[0], OPERATIONS[operation].status
    one = job(caller, operation)
    path = status.path.format_map(one.parameters)
    bare = caller.client.get(caller.place(operation)["base_url"] + path)
    foreign = job(caller, operation, owner="other")
    answers = [
        bare,
        caller.read(made_up(caller, operation)),
        caller.read(made_up(caller, operation, "a" * 65)),
        *([caller.read(foreign)] if name != "tencent-ci" else []),
    ]

    assert bare.status_code == 401
    for answer in answers:
        hold(operation, answer)


def state_in(answer: httpx.Response) -> str:
    members = told(answer)
    return str(next(members[name] for name in ("State", "status", "state") if name in members))


@every_operation
def test_the_state_is_told_before_a_cancel_and_after_it(caller: Caller, operation: str) -> None:
    started, ended = STATES[operation]
    one, other = job(caller, operation), job(caller, operation)

    assert state_in(caller.read(one)) == started
    assert caller.cancel(one).status_code == 200
    assert state_in(caller.read(one)) == ended
    assert state_in(caller.read(other)) == started


@every_operation
def test_asking_changes_nothing(caller: Caller, operation: str) -> None:
    one = job(caller, operation)

    first = told(caller.read(one))
    again = told(caller.read(one))

    first.pop("RequestId", None), again.pop("RequestId", None)
    assert first == again
    assert caller.state(one) == STATES[operation][0]


def test_an_inventory_job_is_described_in_the_vendors_members(caller: Caller) -> None:
    one = job(caller, CI[0], "Running")
    answer = caller.read(one)
    members = told(answer)

    assert list(members)[:1] == ["RequestId"]
    assert members["RequestId"] == answer.headers["x-ci-request-id"]
    assert (members["JobId"], members["State"], members["Code"]) == (one.id, "Running", "Success")
    assert members["EndTime"] == "-"
    assert members["StartTime"].endswith("+0800")
    assert answer.headers["server"] == "tencent-ci"
    assert "x-ci-trace-id" not in answer.headers


def test_an_ai_job_is_described_without_a_request_id(caller: Caller) -> None:
    members = told(caller.read(job(caller, CI[1])))

    assert "RequestId" not in members
    assert (members["State"], members["StartTime"], members["EndTime"]) == ("Submitted", "-", "-")


def test_a_batch_is_described_by_its_id_and_state_only(caller: Caller) -> None:
    one = job(caller, "otc-dli/cancelBatchJob", "recovering")
    assert told(caller.read(one)) == {"id": one.id, "state": "recovering"}


def test_a_sql_job_is_described_in_the_members_that_older_pages_call_mandatory(caller: Caller) -> None:
    one = job(caller, "otc-dli/cancelSqlJob", "SCALING")
    members = told(caller.read(one))

    assert (members["is_success"], members["message"]) == (True, "")
    assert (members["job_id"], members["status"]) == (one.id, "SCALING")
    assert {"job_type", "job_mode", "queue_name", "owner", "start_time"} <= set(members)
    assert {"input_size", "result_count", "detail", "statement"} <= set(members)


@pytest.mark.parametrize("operation", CI)
def test_ci_names_an_unknown_id_in_a_200(caller: Caller, operation: str) -> None:
    one = made_up(caller, operation)
    members = told(caller.read(one))

    assert members["NonExistJobIds"] == one.id
    assert "State" not in members


@pytest.mark.parametrize("operation", DLI)
def test_dli_refuses_an_unknown_id_as_its_cancel_does(caller: Caller, operation: str) -> None:
    one = made_up(caller, operation)
    answer, cancel = caller.read(one), caller.cancel(one)

    assert (answer.status_code, answer.json()) == (400, cancel.json())
    assert answer.json()["error_code"] == "DLI.0002"


@every_operation
def test_a_malformed_id_is_refused(caller: Caller, operation: str) -> None:
    assert caller.read(made_up(caller, operation, "a" * 65)).status_code == 400


@every_operation
def test_a_stranger_is_told_nothing(caller: Caller, operation: str) -> None:
    one = job(caller, operation)
    message = caller.message(one, call=OPERATIONS[operation].status)
    bare = replace(message, headers=tuple(h for h in message.headers if h[0] != "Authorization"))

    answer = caller.send(one, bare)

    assert answer.status_code == 401
    assert STATES[operation][0] not in answer.text


@every_operation
def test_a_signature_over_the_cancel_does_not_read(caller: Caller, operation: str) -> None:
    one = job(caller, operation)
    cancel = caller.message(one)
    reading = caller.message(one, call=OPERATIONS[operation].status)
    authorization = next(value for name, value in cancel.headers if name == "Authorization")
    kept = tuple(header for header in reading.headers if header[0] != "Authorization")
    forged = reference.with_header(replace(reading, headers=kept), "Authorization", authorization)

    assert caller.send(one, forged).status_code == 401


@pytest.mark.parametrize("operation", DLI)
def test_a_job_of_another_project_is_not_shown(caller: Caller, operation: str) -> None:
    theirs = job(caller, operation, owner="other")

    assert caller.read(theirs).status_code == 403

    own = made_up(caller, operation, theirs.id)
    assert caller.read(own).json()["error_code"] == "DLI.0002"


@pytest.mark.parametrize("operation", CI)
def test_a_job_of_another_bucket_is_not_shown(caller: Caller, operation: str) -> None:
    theirs = job(caller, operation, owner="other")

    assert told(caller.read(theirs))["NonExistJobIds"] == theirs.id


@pytest.mark.parametrize("operation", DLI)
@pytest.mark.parametrize("method", ["DELETE", "POST", "PUT", "PATCH"])
def test_dli_knows_no_other_method_on_the_path_of_the_status(
    caller: Caller, operation: str, method: str
) -> None:
    one = job(caller, operation)
    call = replace(OPERATIONS[operation].status, method=method)

    answer = caller.send(one, caller.message(one, call=call))

    assert answer.status_code == 404
    assert answer.json()["error_code"].endswith(".0101")
    assert caller.state(one) == STATES[operation][0]


@pytest.mark.parametrize("operation", CI)
@pytest.mark.parametrize(("method", "query"), [("GET", "cancel"), ("GET", "c%61ncel="), ("POST", "")])
def test_ci_takes_another_method_or_a_get_that_names_the_cancel_for_no_call(
    caller: Caller, operation: str, method: str, query: str
) -> None:
    one = job(caller, operation)
    call = replace(OPERATIONS[operation].status, method=method, query=query)
    message = caller.message(one, call=replace(call, query=""))
    target = message.target + (f"?{query}" if query else "")

    answer = caller.send(one, replace(message, target=target))

    assert answer.status_code == 404
    assert caller.state(one) == STATES[operation][0]


@every_operation
def test_the_journal_names_the_status_call(caller: Caller, operation: str) -> None:
    caller.read(job(caller, operation))

    entry = caller.journal(api=operation.partition("/")[0])[0]
    assert (entry["operation"], entry["method"], entry["status"]) == (STATUS_CALLS[operation], "GET", 200)


@every_operation
def test_a_disturbance_of_the_status_call_leaves_the_cancel_alone(caller: Caller, operation: str) -> None:
    one = job(caller, operation)
    key = f"{operation.partition('/')[0]}/{STATUS_CALLS[operation]}"
    caller.disturb(kind="status", status=503, operations=key, requests=1)

    assert caller.cancel(one).status_code == 200
    assert caller.read(one).status_code == 503
    assert state_in(caller.read(one)) == STATES[operation][1]
