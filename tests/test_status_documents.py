"""The documents of the calls that read a job's state, and the links to them; values written out from the pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml

SPEC = Path(__file__).parents[1] / "spec"
APIS = ("tencent-ci", "otc-dli", "huaweicloud-dli")
CANCELS: dict[str, dict[str, Any]] = {
    name: yaml.safe_load((SPEC / f"{name}.openapi.yaml").read_text(encoding="utf-8")) for name in APIS
}
DOCUMENTS: dict[str, dict[str, Any]] = {
    name: yaml.safe_load((SPEC / f"{name}-status.openapi.yaml").read_text(encoding="utf-8")) for name in APIS
}
# API, cancel, its path, the call that reads the state, its path.
PAIRS = [
    (
        "tencent-ci",
        "cancelInventoryTriggerJob",
        "/inventorytriggerjob/{jobId}",
        "describeInventoryTriggerJob",
        "/inventorytriggerjob/{jobId}",
    ),
    ("tencent-ci", "cancelAiJob", "/ai_jobs/{jobId}", "describeAiJob", "/ai_jobs/{jobId}"),
    (
        "otc-dli",
        "cancelBatchJob",
        "/v2.0/{project_id}/batches/{batch_id}",
        "getBatchJobState",
        "/v2.0/{project_id}/batches/{batch_id}/state",
    ),
    *[
        (
            name,
            "cancelSqlJob",
            "/v1.0/{project_id}/jobs/{job_id}",
            "getSqlJobStatus",
            "/v1.0/{project_id}/jobs/{job_id}/status",
        )
        for name in ("otc-dli", "huaweicloud-dli")
    ],
]
CASES = pytest.mark.parametrize(
    ("name", "cancel", "cancel_path", "status", "path"), PAIRS, ids=[f"{pair[0]}-{pair[3]}" for pair in PAIRS]
)
CI_STATUSES = "200 301 307 400 401 403 404 413 429 451 500 501 503"
DLI_STATUSES = "200 400 401 403 404 405 413 414 429 494 500 502 503 504"


def followed(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    found: Any = document
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    assert isinstance(found, dict)
    return found


def reading(name: str, path: str) -> dict[str, Any]:
    found = DOCUMENTS[name]["paths"][path]["get"]
    assert isinstance(found, dict)
    return found


def cancelling(name: str, path: str) -> dict[str, Any]:
    item = CANCELS[name]["paths"][path]
    found = item["put" if name == "tencent-ci" else "delete"]
    assert isinstance(found, dict)
    return found


def answered(name: str, path: str) -> tuple[str, dict[str, Any]]:
    """Return media type and schema of the 200."""
    response = followed(DOCUMENTS[name], reading(name, path)["responses"]["200"])
    ((media, content),) = response["content"].items()
    return media, followed(DOCUMENTS[name], content["schema"])


def test_each_document_describes_its_reading_calls_and_nothing_else() -> None:
    found = {
        (name, node["operationId"], path)
        for name, document in DOCUMENTS.items()
        for path, item in document["paths"].items()
        for node in item.values()
    }

    assert found == {(name, status, path) for name, _, _, status, path in PAIRS}
    assert {
        method for document in DOCUMENTS.values() for item in document["paths"].values() for method in item
    } == {"get"}


@CASES
def test_every_documented_status_is_listed(
    name: str, cancel: str, cancel_path: str, status: str, path: str
) -> None:
    expected = CI_STATUSES if name == "tencent-ci" else DLI_STATUSES

    assert list(reading(name, path)["responses"]) == expected.split()


@CASES
def test_the_states_are_those_of_the_cancel(
    name: str, cancel: str, cancel_path: str, status: str, path: str
) -> None:
    assert reading(name, path)["x-job-states"] == cancelling(name, cancel_path)["x-job-states"]


@CASES
def test_the_path_parameters_are_those_of_the_cancel(
    name: str, cancel: str, cancel_path: str, status: str, path: str
) -> None:
    def patterns(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, tuple[str, int, int]]:
        parameters = [followed(document, node) for node in operation["parameters"]]
        schemas = {
            node["name"]: followed(document, node["schema"]) for node in parameters if node["in"] == "path"
        }
        return {key: (node["pattern"], node["minLength"], node["maxLength"]) for key, node in schemas.items()}

    found = patterns(DOCUMENTS[name], reading(name, path))

    assert found == patterns(CANCELS[name], cancelling(name, cancel_path))
    assert list(found) == re.findall(r"{(\w+)}", path)


@CASES
def test_path_examples_name_no_job_of_anybody(
    name: str, cancel: str, cancel_path: str, status: str, path: str
) -> None:
    for node in reading(name, path)["parameters"]:
        for example in followed(DOCUMENTS[name], node)["examples"].values():
            assert re.fullmatch(r"[ab]?[0-]+", example["value"])


@CASES
def test_an_accepted_cancel_links_the_call_that_reads_the_state(
    name: str, cancel: str, cancel_path: str, status: str, path: str
) -> None:
    response = followed(CANCELS[name], cancelling(name, cancel_path)["responses"]["200"])
    (link,) = response["links"].values()
    file, pointer = link["operationRef"].split("#/")
    node: Any = yaml.safe_load((SPEC / file).read_text(encoding="utf-8"))
    for part in pointer.split("/"):
        node = node[unquote(part).replace("~1", "/")]

    assert node["operationId"] == status
    assert link["parameters"] == {key: f"$request.path.{key}" for key in re.findall(r"{(\w+)}", path)}


@pytest.mark.parametrize(
    ("path", "state", "members"),
    [
        (
            "/v2.0/{project_id}/batches/{batch_id}/state",
            "state",
            {"id": "string", "state": "string"},
        ),
        (
            "/v1.0/{project_id}/jobs/{job_id}/status",
            "status",
            {
                "is_success": "boolean",
                "message": "string",
                "job_id": "string",
                "job_type": "string",
                "job_mode": "string",
                "queue_name": "string",
                "owner": "string",
                "start_time": "integer",
                "duration": "integer",
                "status": "string",
                "input_row_count": "integer",
                "bad_row_count": "integer",
                "input_size": "integer",
                "result_count": "integer",
                "database_name": "string",
                "table_name": "string",
                "detail": "string",
                "statement": "string",
                "tags": "array",
                "user_conf": "string",
                "result_format": "string",
                "result_path": "string",
                "execution_details_path": "string",
            },
        ),
    ],
)
def test_dli_answers_json_with_the_members_of_the_page(
    path: str, state: str, members: dict[str, str]
) -> None:
    media, schema = answered("otc-dli", path)

    assert media == "application/json"
    assert {key: node["type"] for key, node in schema["properties"].items()} == members
    assert "required" not in schema
    known = schema["properties"][state]["x-known-values"]
    assert set(known) == {row["state"] for row in reading("otc-dli", path)["x-job-states"]}


@pytest.mark.parametrize(
    ("path", "members", "details"),
    [
        (
            "/inventorytriggerjob/{jobId}",
            {"RequestId", "JobsDetail", "NonExistJobIds"},
            "Code Message Type Name JobId State CreationTime StartTime EndTime Input Operation",
        ),
        (
            "/ai_jobs/{jobId}",
            {"JobsDetail", "NonExistJobIds"},
            "Code Message JobId QueueId Tag State CreationTime StartTime EndTime Input Operation",
        ),
    ],
)
def test_ci_answers_xml_with_the_nodes_of_the_page(path: str, members: set[str], details: str) -> None:
    media, schema = answered("tencent-ci", path)

    assert (media, schema["xml"]) == ("application/xml", {"name": "Response"})
    assert set(schema["properties"]) == members
    jobs = schema["properties"]["JobsDetail"]
    job = followed(DOCUMENTS["tencent-ci"], jobs.get("items", jobs))
    assert list(job["properties"]) == details.split()
    assert job["properties"]["State"]["x-known-values"] == [
        "Submitted",
        "Running",
        "Success",
        "Failed",
        "Pause",
        "Cancel",
    ]
    # "2022-06-27T15:23:10+0800" and "-" are no date-time of RFC 3339.
    assert all("format" not in node for node in job["properties"].values())


@pytest.mark.parametrize("path", ["/inventorytriggerjob/{jobId}", "/ai_jobs/{jobId}"])
def test_ci_shows_an_unknown_job_as_a_200_that_names_it(path: str) -> None:
    response = followed(DOCUMENTS["tencent-ci"], reading("tencent-ci", path)["responses"]["200"])
    value = response["content"]["application/xml"]["examples"]["unknown"]["value"]

    assert "JobsDetail" not in value
    assert re.fullmatch(r"[ab]0{32}", value["NonExistJobIds"])


# ---------------------------------------------------------- what the documents of one API, or two, have in common

# What a document may say in another way than that of the cancels, below `components`, and why.
OF_THEIR_OWN = {
    "tencent-ci": {
        "parameters": "the id of a cancel says more; `cancel` is none of a GET",
        "headers": "no empty body",
        "responses": "other answers",
        "schemas": "other answers",
        "securitySchemes": "no parameter to sign",
    },
    "otc-dli": {
        "parameters": "rules on these pages",
        "responses": "other answers",
        "schemas": "other answers",
    },
    "huaweicloud-dli": {
        "parameters": "rules on these pages",
        "responses": "other answers",
        "schemas": "other answers",
    },
}
SHARED = {
    "tencent-ci": ("CiError",),
    "otc-dli": ("DliError", "GatewayError"),
    "huaweicloud-dli": ("DliError", "GatewayError"),
}


@pytest.mark.parametrize("name", APIS)
def test_servers_security_and_errors_are_those_of_the_cancels(name: str) -> None:
    cancels, document = CANCELS[name], DOCUMENTS[name]

    def urls(node: dict[str, Any]) -> list[tuple[str, Any]]:
        return [(server["url"], server["variables"]) for server in node["servers"]]

    assert urls(document) == urls(cancels)
    assert document["security"] == cancels["security"]
    for kind in set(document["components"]) - OF_THEIR_OWN[name].keys():
        assert document["components"][kind] == cancels["components"][kind], kind
    for schema in SHARED[name]:
        ours, theirs = (node["components"]["schemas"][schema] for node in (document, cancels))
        assert list(ours["properties"]) == list(theirs["properties"])
        assert ours["required"] == theirs["required"]


@pytest.mark.parametrize("name", APIS)
def test_error_codes_are_those_of_the_cancels_but_for_the_length_of_a_put(name: str) -> None:
    def rows(node: dict[str, Any]) -> list[tuple[int, str]]:
        return [(row["status"], row["code"]) for table in node["x-error-codes"] for row in table["codes"]]

    assert [row for row in rows(CANCELS[name]) if row not in rows(DOCUMENTS[name])] == (
        [(411, "MissingContentLength")] if name == "tencent-ci" else []
    )
    assert set(rows(DOCUMENTS[name])) <= set(rows(CANCELS[name]))


def test_otc_and_huawei_answer_the_status_of_a_sql_job_alike() -> None:
    def shape(name: str) -> Any:
        def plain(node: Any) -> Any:
            if isinstance(node, dict):
                return {key: plain(value) for key, value in node.items() if key != "x-provenance"}
            return [plain(part) for part in node] if isinstance(node, list) else node

        components = DOCUMENTS[name]["components"]
        return plain([components["schemas"]["SqlJobStatus"], components["responses"]["SqlStatusAnswered"]])

    assert shape("otc-dli") == shape("huaweicloud-dli")
