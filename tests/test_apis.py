"""The table of operations equals the documents it was copied from."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from calloff.apis import APIS, OPERATIONS, Api, Operation
from calloff.resources import spec_path

DOCUMENTS: dict[str, dict[str, Any]] = {
    api.name: yaml.safe_load(spec_path(api.document).read_text(encoding="utf-8")) for api in APIS.values()
}
DESCRIBED = [
    (name, path, method, operation)
    for name, document in DOCUMENTS.items()
    for path, item in document["paths"].items()
    for method, operation in item.items()
    if isinstance(operation, dict) and "operationId" in operation
]


def _resolved(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    target: Any = document
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return _resolved(document, target)


def _parameters(name: str, path: str, operation: dict[str, Any]) -> list[dict[str, Any]]:
    document = DOCUMENTS[name]
    listed = [*document["paths"][path].get("parameters", []), *operation.get("parameters", [])]
    return [_resolved(document, parameter) for parameter in listed]


def test_the_documents_describe_exactly_the_operations_of_the_table() -> None:
    described = {f"{name}/{operation['operationId']}" for name, _, _, operation in DESCRIBED}

    assert described == set(OPERATIONS)
    assert len(OPERATIONS) == 5


@pytest.mark.parametrize(
    ("name", "path", "method", "operation"), DESCRIBED, ids=lambda value: str(value)[:40]
)
def test_an_operation_equals_its_description(
    name: str, path: str, method: str, operation: dict[str, Any]
) -> None:
    row: Operation = OPERATIONS[f"{name}/{operation['operationId']}"]
    parameters = _parameters(name, path, operation)
    patterns = {
        parameter["name"]: _resolved(DOCUMENTS[name], parameter["schema"])["pattern"]
        for parameter in parameters
        if parameter["in"] == "path"
    }

    assert (row.api, row.method, row.path) == (name, method.upper(), path)
    assert dict(row.patterns) == patterns
    assert row.query == "&".join(p["name"] for p in parameters if p["in"] == "query" and p.get("required"))
    assert {row.job_parameter} == set(patterns) - {"project_id"}


@pytest.mark.parametrize("api", APIS.values(), ids=lambda api: api.name)
def test_the_hosts_equal_the_servers(api: Api) -> None:
    first, *others = DOCUMENTS[api.name]["servers"]

    assert first["url"] == f"https://{api.host}"
    assert {name: variable["x-pattern"] for name, variable in first["variables"].items()} == dict(
        api.host_patterns
    )
    exceptions = {
        region: server["url"].removeprefix("https://").replace("{region}", region)
        for server in others
        for region in server["variables"]["region"]["x-known-values"]
    }
    assert exceptions == dict(api.host_exceptions)


@pytest.mark.parametrize(
    ("operation", "name", "path"),
    [
        (
            "tencent-ci/cancelInventoryTriggerJob",
            "describeInventoryTriggerJob",
            "/inventorytriggerjob/{jobId}",
        ),
        ("tencent-ci/cancelAiJob", "describeAiJob", "/ai_jobs/{jobId}"),
        ("otc-dli/cancelBatchJob", "getBatchJobState", "/v2.0/{project_id}/batches/{batch_id}/state"),
        ("otc-dli/cancelSqlJob", "getSqlJobStatus", "/v1.0/{project_id}/jobs/{job_id}/status"),
        ("huaweicloud-dli/cancelSqlJob", "getSqlJobStatus", "/v1.0/{project_id}/jobs/{job_id}/status"),
    ],
)
def test_each_operation_names_the_call_that_reads_the_state(operation: str, name: str, path: str) -> None:
    row = OPERATIONS[operation]

    assert (row.status.method, row.status.name, row.status.path) == ("GET", name, path)
    assert (row.status.api, row.status.job_parameter, row.status.patterns) == (
        row.api,
        row.job_parameter,
        row.patterns,
    )
    assert row.status.key not in OPERATIONS


@pytest.mark.parametrize("row", OPERATIONS.values(), ids=lambda row: row.key)
def test_the_states_that_a_job_may_be_in_equal_the_documents(row: Operation) -> None:
    document = yaml.safe_load(spec_path(f"{row.api}-status.openapi.yaml").read_text(encoding="utf-8"))
    described = document["paths"][row.status.path]["get"]

    assert described["operationId"] == row.status.name
    assert dict(row.status.states) == {state["state"]: state["final"] for state in described["x-job-states"]}
