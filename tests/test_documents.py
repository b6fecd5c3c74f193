"""The OpenAPI documents say what the vendors' pages say; expected values are written out from those pages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from calloff.mock.ci.errors import ci_errors
from calloff.mock.ci.models import ci_job_kinds
from calloff.mock.dialects import Dialect
from calloff.mock.dli.errors import dli_errors
from calloff.mock.dli.models import dli_job_kinds
from calloff.mock.ids import Ids
from calloff.verify.shapes import JOB_STATES

ROOT = Path(__file__).parents[1]
NAMES = ("tencent-ci", "otc-dli", "huaweicloud-dli", "provider-states")
DOCUMENTS: dict[str, dict[str, Any]] = {
    name: yaml.safe_load((ROOT / "spec" / f"{name}.openapi.yaml").read_text(encoding="utf-8"))
    for name in NAMES
}
OPERATIONS = {
    ("tencent-ci", "cancelInventoryTriggerJob"): ("put", "/inventorytriggerjob/{jobId}"),
    ("tencent-ci", "cancelAiJob"): ("put", "/ai_jobs/{jobId}"),
    ("otc-dli", "cancelBatchJob"): ("delete", "/v2.0/{project_id}/batches/{batch_id}"),
    ("otc-dli", "cancelSqlJob"): ("delete", "/v1.0/{project_id}/jobs/{job_id}"),
    ("huaweicloud-dli", "cancelSqlJob"): ("delete", "/v1.0/{project_id}/jobs/{job_id}"),
}
VENDORS = ("tencent-ci", "otc-dli", "huaweicloud-dli")
DLI = ("otc-dli", "huaweicloud-dli")

CI_JOB_ID = r"^[A-Za-z0-9-]{1,64}$"
PROJECT_ID = r"^[0-9A-Za-z]{1,64}$"
SQL_JOB_ID = r"^[0-9A-Za-z-]{1,64}$"
BATCH_ID = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"


def resolve(name: str, node: dict[str, Any]) -> dict[str, Any]:
    """Follow the reference of *node*, which stays inside its document."""
    if "$ref" not in node:
        return node
    found: Any = DOCUMENTS[name]
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    assert isinstance(found, dict)
    return found


def operation(name: str, operation_id: str) -> dict[str, Any]:
    method, path = OPERATIONS[name, operation_id]
    found = DOCUMENTS[name]["paths"][path][method]
    assert found["operationId"] == operation_id
    assert isinstance(found, dict)
    return found


def parameters(name: str, operation_id: str) -> dict[str, dict[str, Any]]:
    resolved = [resolve(name, parameter) for parameter in operation(name, operation_id)["parameters"]]
    return {parameter["name"]: parameter for parameter in resolved}


def responses(name: str, operation_id: str) -> dict[str, dict[str, Any]]:
    return {
        status: resolve(name, node) for status, node in operation(name, operation_id)["responses"].items()
    }


def codes(name: str, table: int) -> list[tuple[int, str]]:
    return [(row["status"], row["code"]) for row in DOCUMENTS[name]["x-error-codes"][table]["codes"]]


# ------------------------------------------------------------------------------------------------ requests


def test_documents_describe_the_five_cancels_and_nothing_else() -> None:
    found = {
        (name, node["operationId"]): (method, path)
        for name in VENDORS
        for path, item in DOCUMENTS[name]["paths"].items()
        for method, node in item.items()
    }

    assert found == OPERATIONS


@pytest.mark.parametrize("operation_id", ["cancelInventoryTriggerJob", "cancelAiJob"])
def test_cancel_is_a_required_parameter_without_value(operation_id: str) -> None:
    cancel = parameters("tencent-ci", operation_id)["cancel"]

    assert (cancel["in"], cancel["required"], cancel["allowEmptyValue"]) == ("query", True, True)
    assert {key: cancel["schema"].get(key) for key in ("type", "const")} == {"type": "string", "const": ""}
    assert "default" not in cancel["schema"]


@pytest.mark.parametrize(
    ("name", "operation_id", "parameter", "pattern", "lengths"),
    [
        ("tencent-ci", "cancelInventoryTriggerJob", "jobId", CI_JOB_ID, (1, 64)),
        ("tencent-ci", "cancelAiJob", "jobId", CI_JOB_ID, (1, 64)),
        ("otc-dli", "cancelBatchJob", "project_id", PROJECT_ID, (1, 64)),
        ("otc-dli", "cancelBatchJob", "batch_id", BATCH_ID, (36, 36)),
        ("otc-dli", "cancelSqlJob", "project_id", PROJECT_ID, (1, 64)),
        ("otc-dli", "cancelSqlJob", "job_id", SQL_JOB_ID, (1, 64)),
        ("huaweicloud-dli", "cancelSqlJob", "project_id", PROJECT_ID, (1, 64)),
        ("huaweicloud-dli", "cancelSqlJob", "job_id", SQL_JOB_ID, (1, 64)),
    ],
)
def test_ids_are_bounded(
    name: str, operation_id: str, parameter: str, pattern: str, lengths: tuple[int, int]
) -> None:
    schema = resolve(name, parameters(name, operation_id)[parameter]["schema"])

    assert schema["pattern"] == pattern
    assert (schema["minLength"], schema["maxLength"]) == lengths


@pytest.mark.parametrize(("name", "operation_id"), OPERATIONS)
def test_path_examples_name_no_job_of_anybody(name: str, operation_id: str) -> None:
    """A fuzzer replays examples, and a cancel cannot be undone: digits other than 0 would look real."""
    for parameter in parameters(name, operation_id).values():
        for example in parameter.get("examples", {}).values():
            assert re.fullmatch(r"[ab]?[0-]+", example["value"])


@pytest.mark.parametrize(
    ("name", "urls"),
    [
        ("tencent-ci", ["https://{bucket}.ci.{region}.myqcloud.com"]),
        ("otc-dli", ["https://dli.{region}.otc.t-systems.com"]),
        (
            "huaweicloud-dli",
            ["https://dli.{region}.myhuaweicloud.com", "https://dli.{region}.myhuaweicloud.eu"],
        ),
    ],
)
def test_servers_are_the_vendors_and_their_defaults_nobodys(name: str, urls: list[str]) -> None:
    servers = DOCUMENTS[name]["servers"]

    assert [server["url"] for server in servers] == urls
    for server in servers:
        defaults = {key: variable["default"] for key, variable in server["variables"].items()}
        assert defaults.pop("region") == "example-region"
        assert defaults in ({}, {"bucket": "examplebucket-1250000000"})


@pytest.mark.parametrize(
    ("name", "variable", "good", "bad"),
    [
        (
            "tencent-ci",
            "bucket",
            ["b-1", "my-bucket-1250000000"],
            ["bucket", "-b-1", "b-1.evil", "a@b#-1", "B-1", ""],
        ),
        ("tencent-ci", "region", ["ap-beijing"], ["", "ap.beijing", "a/b"]),
        ("otc-dli", "region", ["eu-de"], ["", "eu-de.evil", "EU-DE"]),
        ("huaweicloud-dli", "region", ["cn-north-4"], ["", "x#y"]),
    ],
)
def test_server_variables_have_a_pattern(name: str, variable: str, good: list[str], bad: list[str]) -> None:
    node = DOCUMENTS[name]["servers"][0]["variables"][variable]

    pattern = re.compile(node["x-pattern"])

    assert all(
        pattern.fullmatch(value) for value in [*good, node["default"], *node.get("x-known-values", [])]
    )
    assert not any(pattern.fullmatch(value) for value in bad)


# ------------------------------------------------------------------------------------------ authentication


@pytest.mark.parametrize(
    ("name", "schemes", "alternatives"),
    [
        (
            "tencent-ci",
            {
                "QSignHeader": ("header", "Authorization"),
                "QSignQuery": ("query", "q-signature"),
                "CiSecurityToken": ("header", "x-ci-security-token"),
                "CosSecurityToken": ("header", "x-cos-security-token"),
                "CosSecurityTokenQuery": ("query", "x-cos-security-token"),
            },
            [
                {"QSignHeader"},
                {"QSignHeader", "CiSecurityToken"},
                {"QSignHeader", "CosSecurityToken"},
                {"QSignQuery"},
                {"QSignQuery", "CosSecurityTokenQuery"},
            ],
        ),
        *[
            (
                name,
                {"AuthToken": ("header", "X-Auth-Token"), "SdkHmacSha256": ("header", "Authorization")},
                [{"AuthToken"}, {"SdkHmacSha256"}],
            )
            for name in DLI
        ],
    ],
)
def test_each_documented_way_to_authenticate_has_a_scheme(
    name: str, schemes: dict[str, tuple[str, str]], alternatives: list[set[str]]
) -> None:
    document = DOCUMENTS[name]
    declared = document["components"]["securitySchemes"]

    assert {key: (scheme["in"], scheme["name"]) for key, scheme in declared.items()} == schemes
    assert [set(requirement) for requirement in document["security"]] == alternatives


@pytest.mark.parametrize("name", DLI)
def test_headers_that_go_with_a_signature_are_companions(name: str) -> None:
    companions = DOCUMENTS[name]["components"]["securitySchemes"]["SdkHmacSha256"]["x-companion-headers"]

    assert {header["name"]: header["required"] for header in companions} == {
        "X-Sdk-Date": "always",
        "X-Security-Token": "conditional",
        "X-Project-Id": "optional",
        "X-Sdk-Content-Sha256": "optional",
    }


@pytest.mark.parametrize(
    ("name", "headers"),
    [
        ("tencent-ci", {"Host": "always", "Content-Length": "always", "Date": "never"}),
        ("otc-dli", {"Host": "always", "Content-Type": "conditional"}),
        (
            "huaweicloud-dli",
            {
                "Host": "always",
                "Content-Type": "always",
                "X-Language": "optional",
                "Content-Length": "optional",
            },
        ),
    ],
)
def test_headers_that_go_with_every_request_are_companions(name: str, headers: dict[str, str]) -> None:
    companions = DOCUMENTS[name]["x-companion-headers"]

    assert {header["name"]: header["required"] for header in companions} == headers


@pytest.mark.parametrize(
    ("name", "operation_id", "actions"),
    [
        ("tencent-ci", "cancelInventoryTriggerJob", ["ci:CancelInventoryTriggerJob"]),
        ("tencent-ci", "cancelAiJob", ["ci:CancelAiProcessJob"]),
        ("otc-dli", "cancelBatchJob", []),
        ("otc-dli", "cancelSqlJob", ["dli:queue:cancelJob"]),
        ("huaweicloud-dli", "cancelSqlJob", ["dli:queue:cancelJob"]),
    ],
)
def test_permissions_are_the_actions_of_the_pages(name: str, operation_id: str, actions: list[str]) -> None:
    listed = operation(name, operation_id).get("x-permissions", [])

    assert [row["action"] for row in listed] == actions


def test_presigned_fields_are_the_seven_of_the_signature() -> None:
    scheme = DOCUMENTS["tencent-ci"]["components"]["securitySchemes"]["QSignQuery"]

    names = [scheme["name"], *(parameter["name"] for parameter in scheme["x-companion-query-parameters"])]

    assert set(names) == {
        "q-sign-algorithm",
        "q-ak",
        "q-sign-time",
        "q-key-time",
        "q-header-list",
        "q-url-param-list",
        "q-signature",
    }


# ----------------------------------------------------------------------------------------------- responses

CI_STATUSES = "200 301 307 400 401 403 404 411 413 429 451 500 501 503"
DLI_STATUSES = "200 400 401 403 404 405 413 414 429 494 500 502 503 504"


@pytest.mark.parametrize(("name", "operation_id"), OPERATIONS)
def test_every_documented_status_is_listed(name: str, operation_id: str) -> None:
    expected = CI_STATUSES if name == "tencent-ci" else DLI_STATUSES

    assert list(operation(name, operation_id)["responses"]) == expected.split()


@pytest.mark.parametrize("operation_id", ["cancelInventoryTriggerJob", "cancelAiJob"])
def test_ci_accepts_without_a_body(operation_id: str) -> None:
    accepted = responses("tencent-ci", operation_id)["200"]

    assert "content" not in accepted
    length = resolve("tencent-ci", accepted["headers"]["Content-Length"])
    assert (length["required"], length["schema"]["const"]) == (True, "0")
    assert "x-ci-trace-id" not in accepted["headers"]


@pytest.mark.parametrize("operation_id", ["cancelInventoryTriggerJob", "cancelAiJob"])
def test_ci_failures_are_an_xml_error_with_trace_id(operation_id: str) -> None:
    for status, response in responses("tencent-ci", operation_id).items():
        if status != "200":
            assert list(response["content"]) == ["application/xml"]
            schema = resolve("tencent-ci", response["content"]["application/xml"]["schema"])
            assert schema["xml"] == {"name": "Error"}
            assert schema["required"] == ["Code", "Message", "RequestId", "TraceId"]
            headers = {name: resolve("tencent-ci", node) for name, node in response["headers"].items()}
            required = {name for name, header in headers.items() if header.get("required")}
            assert required - {"Location"} == {"x-ci-request-id", "x-ci-trace-id", "Server"}
            assert headers["Server"]["schema"]["const"] == "tencent-ci"


@pytest.mark.parametrize(
    ("name", "operation_id", "members"),
    [
        ("otc-dli", "cancelBatchJob", {"msg": "string"}),
        ("otc-dli", "cancelSqlJob", {"is_success": "boolean", "message": "string"}),
        ("huaweicloud-dli", "cancelSqlJob", {"is_success": "boolean", "message": "string"}),
    ],
)
def test_members_of_a_dli_200_are_typed_and_not_required(
    name: str, operation_id: str, members: dict[str, str]
) -> None:
    content = responses(name, operation_id)["200"]["content"]
    schema = resolve(name, content["application/json"]["schema"])

    assert {key: member["type"] for key, member in schema["properties"].items()} == members
    assert "required" not in schema
    assert schema["additionalProperties"] is True


DLI_BODIES = {
    **dict.fromkeys(("400", "401", "404", "500"), ("GatewayError", "DliError")),
    **dict.fromkeys(("403", "405", "413", "414", "429", "494", "502", "503", "504"), ("GatewayError",)),
}


@pytest.mark.parametrize(("name", "operation_id"), [key for key in OPERATIONS if key[0] in DLI])
def test_dli_failures_say_who_may_have_sent_them(name: str, operation_id: str) -> None:
    found = {}
    for status, response in responses(name, operation_id).items():
        if status != "200":
            schema = response["content"]["application/json"]["schema"]
            found[status] = tuple(part["$ref"].rsplit("/", 1)[1] for part in schema.get("anyOf", [schema]))

    assert found == DLI_BODIES


@pytest.mark.parametrize(("name", "operation_id"), [key for key in OPERATIONS if key[0] in DLI])
def test_retry_after_is_documented_for_413_and_429(name: str, operation_id: str) -> None:
    found = responses(name, operation_id)

    assert [status for status, response in found.items() if "Retry-After" in response["headers"]] == [
        "413",
        "429",
    ]


@pytest.mark.parametrize("name", DLI)
def test_senders_of_errors_are_told_apart_by_their_code(name: str) -> None:
    schemas = DOCUMENTS[name]["components"]["schemas"]
    service, gateway = schemas["DliError"], schemas["GatewayError"]

    assert service["required"] == ["error_code", "error_msg"]
    assert gateway["required"] == ["error_code", "error_msg", "request_id"]
    for code in ("DLI.0001", "DLI.10001"):
        assert re.search(service["properties"]["error_code"]["pattern"], code)
        assert not re.search(gateway["properties"]["error_code"]["pattern"], code)
    for code in ("APIGW.0301", "APIG.0301"):
        assert re.search(gateway["properties"]["error_code"]["pattern"], code)
        assert not re.search(service["properties"]["error_code"]["pattern"], code)


# --------------------------------------------------------------------------------------------- error codes


def test_ci_error_codes_are_those_of_the_common_table() -> None:
    assert codes("tencent-ci", 0) == [
        (301, "PermanentRedirect"),
        (307, "TemporaryRedirect"),
        (400, "InvalidArgument"),
        (400, "MissingContent"),
        (400, "InvalidContent"),
        (400, "InvalidHost"),
        (400, "ResourceNotFound"),
        (400, "ResourceAccessDenied"),
        (400, "ResourceDownloadFailed"),
        (400, "CIRoleNotExist"),
        (400, "ResourceNotSupported"),
        (401, "MissingAuthorization"),
        (401, "InvalidAuthorization"),
        (401, "AccessDenied"),
        (401, "SecretidNotExist"),
        (401, "SignatureExpired"),
        (403, "AccessDenied"),
        (403, "MediaBucketAlreadyBinded"),
        (403, "QueueSaturated"),
        (403, "QueuePaused"),
        (404, "InvalidUrl"),
        (404, "AuditingJobNotFound"),
        (411, "MissingContentLength"),
        (413, "InvalidContent"),
        (429, "SlowDown"),
        (451, "UnavailableForLegalReasons"),
        (500, "InternalError"),
        (501, "NotImplemented"),
        (503, "ServiceUnavailable"),
    ]


@pytest.mark.parametrize("name", DLI)
def test_dli_error_codes_are_those_of_the_service_table(name: str) -> None:
    numbers = "0001 0002 0003 0004 0005 0006 0007 0008 0009 0011 0012 0013 0014 0015 0016 0018 0019 0023"
    numbers += " 0100 0999 1028"
    others = {"0013": 401, "0014": 401, "0023": 404}

    assert codes(name, 0) == [(others.get(number, 400), f"DLI.{number}") for number in numbers.split()]


GATEWAY_NUMBERS = {
    400: "0104 0105 0106 0201 0602 0607",
    401: "0301 0303 0305 0307 0311",
    403: "0302 0304 0306 0310 0401 0402 0404 0801 0802",
    404: "0101 0103",
    405: "0501 0502",
    413: "0201",
    414: "0201",
    429: "0308",
    494: "0201",
    500: "0601 0605 0606 0608 0609 0611 0612 0705",
    502: "0201 0610",
    503: "0613",
    504: "0201",
}


@pytest.mark.parametrize("name", DLI)
def test_gateway_error_codes_are_those_of_its_table(name: str) -> None:
    expected = {
        (status, f"APIGW.{number}")
        for status, numbers in GATEWAY_NUMBERS.items()
        for number in numbers.split()
    }

    assert set(codes(name, 1)) == expected


def test_gateway_product_differs_in_four_numbers() -> None:
    """The API Gateway product answers three configuration faults with 500, and lacks 0801."""
    services = {(status, code.removeprefix("APIGW.")) for status, code in codes("otc-dli", 1)}
    product = {(status, code.removeprefix("APIG.")) for status, code in codes("otc-dli", 2)}

    assert services - product == {(404, "0103"), (400, "0104"), (400, "0105"), (403, "0801")}
    assert product - services == {(500, "0103"), (500, "0104"), (500, "0105")}


@pytest.mark.parametrize(("name", "operation_id"), OPERATIONS)
def test_the_mock_unasked_refuses_with_pairs_of_the_tables(name: str, operation_id: str) -> None:
    batch = operation_id == "cancelBatchJob"
    errors = ci_errors(Dialect()) if name == "tencent-ci" else dli_errors(name, Dialect(), batch=batch)
    tables = range(len(DOCUMENTS[name]["x-error-codes"]))
    documented = {pair for table in tables for pair in codes(name, table)}
    # The vendor names no code for an unknown job; this one is a placeholder and says so.
    placeholders = {(404, "JobNotFound")} if name == "tencent-ci" else set()

    assert {(row.status, row.code) for row in errors.values()} - documented == placeholders
    assert {str(row.status) for row in errors.values()} <= responses(name, operation_id).keys()


# ---------------------------------------------------------------------------------------------- job states

BATCH = ({"Submitted", "Running", "Pause"}, {"Success", "Failed"}, "Cancel")
AI = ({"Submitted", "Pause"}, {"Running", "Success", "Failed"}, "Cancel")
SPARK = ({"starting", "running", "recovering"}, {"success"}, "dead")
SQL = ({"LAUNCHING", "RUNNING", "SCALING"}, {"FINISHED", "FAILED"}, "CANCELLED")


@pytest.mark.parametrize(
    ("name", "operation_id", "cancellable", "refused", "cancelled"),
    [
        ("tencent-ci", "cancelInventoryTriggerJob", *BATCH),
        ("tencent-ci", "cancelAiJob", *AI),
        ("otc-dli", "cancelBatchJob", *SPARK),
        ("otc-dli", "cancelSqlJob", *SQL),
        ("huaweicloud-dli", "cancelSqlJob", *SQL),
    ],
)
def test_states_say_whether_they_can_be_cancelled(
    name: str, operation_id: str, cancellable: set[str], refused: set[str], cancelled: str
) -> None:
    states = operation(name, operation_id)["x-job-states"]

    assert {state["state"] for state in states if state["cancellable"]} == cancellable
    assert {state["state"] for state in states if not state["cancellable"]} == refused | {cancelled}
    assert [state["state"] for state in states if state["cancelled"]] == [cancelled]


def rows_by_state(name: str, operation_id: str) -> dict[str, dict[str, Any]]:
    return {row["state"]: row for row in operation(name, operation_id)["x-job-states"]}


@pytest.mark.parametrize(("name", "operation_id"), OPERATIONS)
def test_the_suite_expects_of_each_state_what_the_document_says(name: str, operation_id: str) -> None:
    rows = rows_by_state(name, operation_id)
    expected = JOB_STATES[f"{name}/{operation_id}"]

    assert {*expected.cancellable, *expected.silent, *expected.final, expected.cancelled} == rows.keys()
    assert {state for state, row in rows.items() if row["cancellable"]} == {
        *expected.cancellable,
        *expected.silent,
    }
    assert {state for state, row in rows.items() if row["cancelled"]} == {expected.cancelled}


@pytest.mark.parametrize(("name", "operation_id"), OPERATIONS)
def test_what_the_suite_calls_silent_is_inferred_in_the_document(name: str, operation_id: str) -> None:
    for state in JOB_STATES[f"{name}/{operation_id}"].silent:
        provenance = rows_by_state(name, operation_id)[state]["x-provenance"]
        assert "inferred" in {entry["status"] for entry in provenance}


@pytest.mark.parametrize(("name", "operation_id"), OPERATIONS)
def test_the_mock_unasked_cancels_what_the_document_calls_cancellable(name: str, operation_id: str) -> None:
    make = ci_job_kinds if name == "tencent-ci" else dli_job_kinds
    lifecycle = make(Dialect(), Ids())[f"{name}/{operation_id}"].lifecycle
    rows = rows_by_state(name, operation_id)

    assert set(lifecycle.states) == rows.keys()
    assert set(lifecycle.cancel_moves) == {state for state, row in rows.items() if row["cancellable"]}
    assert set(lifecycle.cancel_moves.values()) == {state for state, row in rows.items() if row["cancelled"]}


def test_provider_states_know_every_state_and_operation_of_the_vendors() -> None:
    schemas = DOCUMENTS["provider-states"]["components"]["schemas"]
    states = {state["state"] for key in OPERATIONS for state in operation(*key)["x-job-states"]}

    assert set(schemas["StateName"]["x-known-values"]) == states
    assert set(schemas["OperationName"]["x-known-values"]) == {operation_id for _, operation_id in OPERATIONS}
    assert set(schemas["ApiName"]["x-known-values"]) == set(VENDORS)


# -------------------------------------------------------------------------------------- one path, two clouds

BATCH_PATH = "/paths/~1v2.0~1{project_id}~1batches~1{batch_id}"
SQL_CALL = "/paths/~1v1.0~1{project_id}~1jobs~1{job_id}/delete"

# What may differ between the two DLI documents, and why. Everything else, prose included, is the same.
DIFFERENCES = {
    "/info": "each introduces its own cloud",
    "/externalDocs/url": "each links its own reference",
    "/servers": "each has its own hosts",
    "/tags": "OTC has Spark jobs too",
    BATCH_PATH: "the batch cancel is listed for OTC only",
    "/components/parameters/BatchId": "the batch cancel is listed for OTC only",
    "/components/responses/BatchCancelAccepted": "the batch cancel is listed for OTC only",
    "/components/schemas/BatchIdentifier": "the batch cancel is listed for OTC only",
    "/components/schemas/BatchCancelResult": "the batch cancel is listed for OTC only",
    f"{SQL_CALL}/externalDocs/url": "each links its own page",
    f"{SQL_CALL}/description": '"completed" on OTC, "ended" on Huawei Cloud',
    "/components/parameters/ProjectId/description": '"up to 64" on OTC, "1 to 64" on Huawei Cloud',
    "/components/responses/SqlCancelAnswered/description": 'the row of 200: "Canceled", "canceled"',
    "/components/responses/SqlCancelAnswered/links/readState/operationRef": "each links its own document",
    "/components/securitySchemes/AuthToken/description": "scope mandatory or not; when it ends early",
    "/components/securitySchemes/SdkHmacSha256/description": "OTC clients also use a derived form",
    "/x-companion-headers/1": "Content-Type is mandatory on Huawei Cloud, only with a body on OTC",
    "/x-companion-headers/2": "X-Language is documented on Huawei Cloud only",
    "/x-companion-headers/3": "Content-Length is documented on Huawei Cloud only",
    "/x-error-codes/1/description": "the table is Huawei Cloud's; a copy of it exists for OTC",
    "/x-error-codes/2": "OTC also documents the API Gateway product",
}


def leaves(node: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Give every value with its pointer; sources are each document's own."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key != "x-provenance":
                yield from leaves(value, f"{pointer}/{key.replace('/', '~1')}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from leaves(value, f"{pointer}/{index}")
    else:
        yield pointer, node


def differing() -> set[str]:
    otc, huawei = (dict(leaves(DOCUMENTS[name])) for name in DLI)
    return {pointer for pointer in otc.keys() | huawei.keys() if otc.get(pointer) != huawei.get(pointer)}


def test_otc_and_huawei_differ_only_where_listed() -> None:
    def listed(pointer: str) -> bool:
        return any(pointer == place or pointer.startswith(f"{place}/") for place in DIFFERENCES)

    assert sorted(pointer for pointer in differing() if not listed(pointer)) == []


@pytest.mark.parametrize("place", DIFFERENCES)
def test_listed_difference_is_one(place: str) -> None:
    assert any(pointer == place or pointer.startswith(f"{place}/") for pointer in differing())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("otc-dli", ["up to 64", "completed or failed", "demands a scope", "within 30"]),
        ("huaweicloud-dli", ["1 to 64", "ended or failed", "without a scope too", "at once"]),
    ],
)
def test_wording_of_each_cloud_is_visible(name: str, words: list[str]) -> None:
    text = " ".join(" ".join(str(value).split()) for _, value in leaves(DOCUMENTS[name]))

    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize(
    ("name", "operation_id", "answer"),
    [
        ("otc-dli", "cancelBatchJob", {"msg": "deleted"}),
        ("otc-dli", "cancelSqlJob", {"is_success": True, "message": ""}),
        ("huaweicloud-dli", "cancelSqlJob", {"is_success": True, "message": ""}),
    ],
)
def test_the_pages_own_example_of_an_acceptance_is_there(
    name: str, operation_id: str, answer: dict[str, Any]
) -> None:
    examples = responses(name, operation_id)["200"]["content"]["application/json"]["examples"]

    assert answer in [example["value"] for example in examples.values()]


def test_a_server_may_say_that_it_cannot_bring_a_state_about() -> None:
    statuses = {
        (method, path): sorted(node["responses"])
        for path, item in DOCUMENTS["provider-states"]["paths"].items()
        for method, node in item.items()
        if "responses" in node
    }

    assert statuses == {
        ("get", "/provider-states"): ["200", "404"],
        ("delete", "/provider-states"): ["204", "404", "500", "501"],
        ("post", "/provider-states/jobs"): ["201", "400", "500", "501"],
        ("get", "/provider-states/jobs/{api}/{operation}/{job_id}"): ["200", "404", "501"],
        ("post", "/provider-states/credentials"): ["201", "400", "500", "501"],
    }


# ------------------------------------------------------------------------------------ what rests on the pages

REQUIREMENTS = yaml.safe_load((ROOT / "spec" / "requirements.yaml").read_text(encoding="utf-8"))


def test_a_requirement_is_complete_and_binds_something() -> None:
    keys = {"/".join(key) for key in OPERATIONS}
    rows = REQUIREMENTS["requirements"]

    assert {row["level"] for row in rows} == {"MUST", "SHOULD"}
    assert {row["binds"] for row in rows} == {"client", "server"}
    assert {source["status"] for row in rows for source in row["sources"]} <= {
        "documented",
        "sdk",
        "observed",
        "inferred",
    }
    assert [
        (row["id"], pattern)
        for row in rows
        for pattern in row["operations"]
        if not any(fnmatchcase(key, pattern) for key in keys)
    ] == []


@pytest.mark.parametrize(
    ("file", "table"), [("requirements", "requirements"), ("silent-points", "silent_points")]
)
def test_ids_are_unique(file: str, table: str) -> None:
    rows = yaml.safe_load((ROOT / "spec" / f"{file}.yaml").read_text(encoding="utf-8"))[table]
    ids = [row["id"] for row in rows]

    assert sorted(ids) == sorted(set(ids))


# The signing page says it of what is signed; that a server reads the request so, too, is our conclusion.
WEAKER_THAN_ITS_SOURCE = {"ci-cancel-empty-value"}


def test_a_requirement_is_a_must_where_the_vendor_says_so() -> None:
    wrong = {
        row["id"]
        for row in REQUIREMENTS["requirements"]
        if (row["level"] == "MUST") != ("documented" in {source["status"] for source in row["sources"]})
    }

    assert wrong == WEAKER_THAN_ITS_SOURCE


def test_sources_of_requirements_are_known() -> None:
    text = (ROOT / "spec" / "SOURCES.md").read_text(encoding="utf-8")
    known = set(re.findall(r"^\| `([A-Z0-9-]+)` \|", text, re.MULTILINE))
    named = {source["source"] for row in REQUIREMENTS["requirements"] for source in row["sources"]}
    named |= {page["page"].split()[0] for page in REQUIREMENTS["pages"]}

    assert named - known == set()


def vendors_of_sources() -> dict[str, str]:
    text = (ROOT / "spec" / "SOURCES.md").read_text(encoding="utf-8")
    return {
        key: section.split("\n", 1)[0]
        for section in text.split("\n### ")[1:]
        for key in re.findall(r"^\| `([A-Z0-9-]+)` \|", section, re.MULTILINE)
    }


HOMES = {
    "tencent-ci": "Tencent Cloud",
    "otc-dli": "Open Telekom Cloud",
    "huaweicloud-dli": "Huawei Cloud",
}
STANDARDS = "Standards of the IETF"  # a vendor who speaks HTTP keeps to them
# OTC asks for Content-Type with a body only; that it does no harm without one is seen on the sister cloud.
NOT_SAID_BY_ITS_VENDOR = {("dli-empty-body-with-content-type", "otc-dli")}


def test_a_must_rests_on_words_or_a_client_of_each_vendor_it_binds() -> None:
    vendors = vendors_of_sources()
    unsaid = {
        (row["id"], name)
        for row in REQUIREMENTS["requirements"]
        for name, operation_id in OPERATIONS
        if row["level"] == "MUST"
        and any(fnmatchcase(f"{name}/{operation_id}", pattern) for pattern in row["operations"])
        and not any(
            vendors[source["source"]] in {HOMES[name], STANDARDS}
            and source["status"] in {"documented", "sdk"}
            for source in row["sources"]
        )
    }

    assert unsaid == NOT_SAID_BY_ITS_VENDOR


PAGES = {
    "CAN-B": "tencent-ci/cancelInventoryTriggerJob",
    "CAN-AI": "tencent-ci/cancelAiJob",
    "OTC-API dli_02_0129": "otc-dli/cancelBatchJob",
    "OTC-API dli_02_0104": "otc-dli/cancelSqlJob",
    "HW-21 dli_02_0104": "huaweicloud-dli/cancelSqlJob",
}


def test_each_sentence_of_the_five_pages_came_to_something_that_binds_its_operation() -> None:
    rows = {row["id"]: row for row in REQUIREMENTS["requirements"]}

    assert [page["page"] for page in REQUIREMENTS["pages"]] == list(PAGES)
    for page in REQUIREMENTS["pages"]:
        for sentence in page["sentences"]:
            assert {"by", "described", "untestable"} & sentence.keys(), sentence["says"]
            for name in sentence.get("by", []):
                assert any(fnmatchcase(PAGES[page["page"]], pattern) for pattern in rows[name]["operations"])


def test_sentences_said_to_be_described_are_in_the_document() -> None:
    places = [
        row["described"] for page in REQUIREMENTS["pages"] for row in page["sentences"] if "described" in row
    ]

    assert places
    for place in places:
        file, pointer = place.split("#/")
        node: Any = DOCUMENTS[file.removesuffix(".openapi.yaml")]
        for part in pointer.split("/"):
            node = node[part.replace("~1", "/")]
        assert node


# -------------------------------------------------------------------------------------------- linters' lock


def test_linters_are_pinned_and_their_lock_names_no_host() -> None:
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))

    assert all(
        re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", version) for version in package["devDependencies"].values()
    )
    assert lock["packages"][""]["devDependencies"] == package["devDependencies"]
    installed = {name: entry for name, entry in lock["packages"].items() if name}
    assert [name for name, entry in installed.items() if "resolved" in entry] == []
    assert [
        name for name, entry in installed.items() if not entry.get("integrity", "").startswith("sha512-")
    ] == []
    assert (
        "omit-lockfile-registry-resolved=true" in (ROOT / ".npmrc").read_text(encoding="utf-8").splitlines()
    )
