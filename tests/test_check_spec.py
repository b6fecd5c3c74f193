"""Every rule of `scripts/check_spec.py` is quiet on a good document and speaks on one with one fault."""

from __future__ import annotations

import copy
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_spec", ROOT / "scripts" / "check_spec.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


check_spec = _load()

FACT = {"source": "PAGE", "locator": "Table 1", "read": "2026-01-31", "status": "documented"}
CONTEXT = check_spec.Context(
    keys=frozenset(
        {"x-provenance", "x-job-states", "x-error-codes", "x-known-values", "x-companion-headers"}
    ),
    sources=frozenset({"PAGE", "CALLOFF"}),
    anchors=frozenset({"silent-points.yaml#ci-unknown-job"}),
)
GOOD = yaml.safe_load("""
openapi: 3.1.1
info: {title: A good document, version: 1.0.0}
servers:
  - url: https://{region}.example
    variables: {region: {default: nowhere}}
    x-provenance: [FACT]
security: [{Key: []}]
tags: [{name: Jobs}]
paths:
  /inventorytriggerjob/{jobId}:
    put:
      operationId: cancelInventoryTriggerJob
      summary: Cancels a batch job.
      description: Accepted is not cancelled.
      tags: [Jobs]
      parameters: [{$ref: '#/components/parameters/JobId'}, {$ref: '#/components/parameters/Cancel'}]
      responses: &responses
        '200': {$ref: '#/components/responses/Accepted'}
        '404': {$ref: '#/components/responses/NotFound'}
      x-job-states:
        - {state: Run, meaning: Go., final: false, cancellable: true, cancelled: false, x-provenance: [FACT]}
        - {state: Cancel, meaning: So, final: true, cancellable: false, cancelled: true, x-provenance: [FACT]}
      x-provenance: [FACT]
  /ai_jobs/{jobId}:
    put:
      operationId: cancelAiJob
      summary: Cancels an AI job.
      description: Accepted is not cancelled.
      tags: [Jobs]
      parameters: [{$ref: '#/components/parameters/JobId'}, {$ref: '#/components/parameters/Cancel'}]
      responses: *responses
      x-provenance: [FACT]
components:
  parameters:
    JobId:
      name: jobId
      in: path
      required: true
      schema: {type: string, minLength: 1, maxLength: 4, pattern: '^[a-z]{1,4}$'}
      examples: {one: {value: abcd}}
      x-provenance: [FACT]
    Cancel:
      name: cancel
      in: query
      required: true
      allowEmptyValue: true
      schema: {type: string, const: ''}
      x-provenance: [FACT]
  headers:
    CiRequestId: {required: true, schema: {type: string}, example: abc, x-provenance: [FACT]}
  responses:
    Accepted:
      description: Accepted.
      headers: {x-ci-request-id: {$ref: '#/components/headers/CiRequestId'}}
      x-provenance: [FACT]
    NotFound:
      description: Not found.
      headers: {x-ci-request-id: {$ref: '#/components/headers/CiRequestId'}}
      content:
        application/xml:
          schema: {$ref: '#/components/schemas/CiError'}
          examples: {missing: {value: {Code: InvalidUrl}}}
      x-provenance: [FACT]
  schemas:
    CiError:
      type: object
      required: [Code]
      properties: {Code: {type: string, x-known-values: [InvalidUrl]}, 'x-free-name': {type: string}}
      x-provenance: [FACT]
  securitySchemes:
    Key: {type: apiKey, in: header, name: Authorization, x-provenance: [FACT]}
x-companion-headers:
  - {name: Host, required: always, description: The host., x-provenance: [FACT]}
x-error-codes:
  - {schema: CiError, codes: [{code: InvalidUrl, status: 404, meaning: No such URL.}], x-provenance: [FACT]}
""")


def _with_facts(node: Any) -> Any:
    """Put a copy of FACT wherever the text above says so; copying also undoes the YAML anchor."""
    if isinstance(node, dict):
        return {key: _with_facts(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_with_facts(value) for value in node]
    return dict(FACT) if node == "FACT" else node


def good() -> dict[str, Any]:
    """Give a fresh document that keeps every rule."""
    document = _with_facts(copy.deepcopy(GOOD))
    assert isinstance(document, dict)
    return document


def at(document: Any, *keys: str | int) -> Any:
    """Walk down *keys*."""
    for key in keys:
        document = document[key]
    return document


Breaker = Callable[[Any], object]
BATCH = ("paths", "/inventorytriggerjob/{jobId}", "put")
JOB_ID = ("components", "parameters", "JobId")
NOT_FOUND = ("components", "responses", "NotFound")
BODY = (*NOT_FOUND, "content", "application/xml")


def put(*path_and_value: Any) -> Breaker:
    """Make a breaker that sets the last argument at the place the others name."""
    *keys, last, value = path_and_value
    return lambda document: at(document, *keys).__setitem__(last, value)


def drop(*path: str | int) -> Breaker:
    """Make a breaker that deletes what stands at *path*."""
    *keys, last = path
    return lambda document: at(document, *keys).__delitem__(last)


SCHEMA = ("components", "schemas", "CiError")
STATE = (*BATCH, "x-job-states", 1)
CODES = ("x-error-codes", 0, "codes")
INFERRED = {**FACT, "source": "CALLOFF", "status": "inferred"}

# rule, what is wrong, how to break the good document, where the finding is, a piece of its message
FAULTS: list[tuple[str, str, Breaker, str, str]] = [
    ("valid_openapi", "no title", drop("info", "title"), "#/info", "title"),
    (
        "valid_openapi",
        "status without quotation marks",
        put(*BATCH, "responses", 404, {"description": "Not found."}),
        "#/paths/~1inventorytriggerjob~1{jobId}/put/responses/404",
        "quote it",
    ),
    ("valid_openapi", "other version", put("openapi", "3.1.0"), "#/openapi", "3.1.0"),
    (
        "references_stay_inside",
        "other file",
        put(*BODY, "schema", "$ref", "errors.yaml#/CiError"),
        "#/components/responses/NotFound/content/application~1xml/schema",
        "leaves the document",
    ),
    (
        "references_stay_inside",
        "dangling",
        put(*BODY, "schema", "$ref", "#/components/schemas/Gone"),
        "#/components/responses/NotFound/content/application~1xml/schema",
        "leads nowhere",
    ),
    (
        "nothing_beside_a_reference",
        "description beside $ref",
        put(*BODY, "schema", "description", "An error."),
        "#/components/responses/NotFound/content/application~1xml/schema",
        "description",
    ),
    (
        "examples_match",
        "body without a required member",
        put(*BODY, "examples", "missing", "value", {}),
        "#/components/responses/NotFound/content/application~1xml/examples/missing",
        "Code",
    ),
    (
        "examples_match",
        "parameter breaks its pattern",
        put(*JOB_ID, "examples", "one", "value", "A"),
        "#/components/parameters/JobId/examples/one",
        "does not match",
    ),
    (
        "examples_match",
        "header of another type",
        put("components", "headers", "CiRequestId", "example", 1),
        "#/components/headers/CiRequestId/example",
        "string",
    ),
    (
        "examples_match",
        "schema example",
        put(*SCHEMA, "examples", [{}]),
        "#/components/schemas/CiError/examples/0",
        "Code",
    ),
    (
        "statuses_by_number",
        "default response",
        put(*BATCH, "responses", "default", {"description": "Any."}),
        "#/paths/~1inventorytriggerjob~1{jobId}/put/responses/default",
        "number",
    ),
    (
        "statuses_by_number",
        "range",
        put(*BATCH, "responses", "4XX", {"description": "Any."}),
        "#/paths/~1inventorytriggerjob~1{jobId}/put/responses/4XX",
        "number",
    ),
    (
        "required_has_no_default",
        "default of cancel",
        put("components", "parameters", "Cancel", "schema", "default", ""),
        "#/paths/~1inventorytriggerjob~1{jobId}/put/parameters/1",
        "default",
    ),
    *[
        (
            "path_parameters_are_bounded",
            f"no {key}",
            drop(*JOB_ID, "schema", key),
            "#/paths/~1inventorytriggerjob~1{jobId}/put/parameters/0",
            key,
        )
        for key in ("pattern", "minLength", "maxLength")
    ],
    *[
        (
            "path_parameters_are_bounded",
            f"pattern {text}",
            put(*JOB_ID, "schema", "pattern", text),
            "#/paths/~1inventorytriggerjob~1{jobId}/put/parameters/0",
            "anchored",
        )
        for text in ("[a-z]+$", "^[a-z]+")
    ],
    (
        "bodies_have_named_examples",
        "no body",
        drop(*NOT_FOUND, "content"),
        "#/paths/~1inventorytriggerjob~1{jobId}/put/responses/404",
        "no body",
    ),
    (
        "bodies_have_named_examples",
        "no example",
        drop(*BODY, "examples"),
        "#/paths/~1inventorytriggerjob~1{jobId}/put/responses/404",
        "examples",
    ),
    (
        "bodies_have_named_examples",
        "no schema",
        drop(*BODY, "schema"),
        "#/paths/~1inventorytriggerjob~1{jobId}/put/responses/404",
        "schema",
    ),
    (
        "ci_answers_name_their_request",
        "no header",
        drop("components", "responses", "Accepted", "headers"),
        "#/paths/~1inventorytriggerjob~1{jobId}/put/responses/200",
        "x-ci-request-id",
    ),
    (
        "ci_answers_name_their_request",
        "optional header",
        put("components", "headers", "CiRequestId", "required", False),
        "#/paths/~1inventorytriggerjob~1{jobId}/put/responses/200",
        "x-ci-request-id",
    ),
    (
        "operation_ids_are_names",
        "snake case",
        put(*BATCH, "operationId", "cancel_job"),
        "#/paths/~1inventorytriggerjob~1{jobId}/put",
        "cancel_job",
    ),
    (
        "operation_ids_are_names",
        "twice",
        put(*BATCH, "operationId", "cancelAiJob"),
        "#/paths/~1ai_jobs~1{jobId}/put",
        "twice",
    ),
    *[
        (
            "summaries_are_phrases",
            f"summary {text!r}",
            put(*BATCH, "summary", text),
            "#/paths/~1inventorytriggerjob~1{jobId}/put/summary",
            "full stop",
        )
        for text in ("Cancels a job", "cancels a job.", "")
    ],
    (
        "summaries_are_phrases",
        "no description",
        drop(*BATCH, "description"),
        "#/paths/~1inventorytriggerjob~1{jobId}/put",
        "description",
    ),
    *[
        (
            "one_declared_tag",
            f"tags {tags}",
            put(*BATCH, "tags", tags),
            "#/paths/~1inventorytriggerjob~1{jobId}/put/tags",
            "one declared tag",
        )
        for tags in ([], ["Jobs", "Jobs"], ["Other"])
    ],
    (
        "extensions_are_registered",
        "unknown key",
        put(*BATCH, "x-secret-plan", True),
        "#/paths/~1inventorytriggerjob~1{jobId}/put/x-secret-plan",
        "registry",
    ),
    *[
        ("facts_have_provenance", f"{where} without", drop(*place, "x-provenance"), where, "lacks")
        for where, place in (
            ("#/paths/~1inventorytriggerjob~1{jobId}/put", BATCH),
            ("#/servers/0", ("servers", 0)),
            ("#/components/parameters/JobId", JOB_ID),
            ("#/components/headers/CiRequestId", ("components", "headers", "CiRequestId")),
            ("#/components/responses/NotFound", NOT_FOUND),
            ("#/components/schemas/CiError", SCHEMA),
            ("#/components/securitySchemes/Key", ("components", "securitySchemes", "Key")),
            ("#/paths/~1inventorytriggerjob~1{jobId}/put/x-job-states/1", STATE),
            ("#/x-error-codes/0", ("x-error-codes", 0)),
            ("#/x-companion-headers/0", ("x-companion-headers", 0)),
        )
    ],
    *[
        (
            "provenance_is_complete",
            message,
            put(*BATCH, "x-provenance", 0, entry),
            "#/paths/~1inventorytriggerjob~1{jobId}/put/x-provenance/0",
            message,
        )
        for entry, message in (
            ({**FACT, "source": "GOSSIP"}, "source is not in SOURCES.md"),
            ({**FACT, "locator": ""}, "locator is missing"),
            ({**FACT, "read": "yesterday"}, "read is not a quoted date"),
            ({**FACT, "status": "sure"}, "status is none of"),
            ({**FACT, "page": 3}, "unknown members"),
            ({**FACT, "status": "inferred"}, "needs a note"),
            ({**INFERRED, "note": "ours", "locator": "a hunch"}, "expected a silent point or a row"),
        )
    ],
    (
        "components_are_pascal_case",
        "camel case",
        put("components", "schemas", "jobId", {"x-provenance": [FACT]}),
        "#/components/schemas/jobId",
        "PascalCase",
    ),
    (
        "components_are_pascal_case",
        "a taken word",
        put("components", "schemas", "Error", {"x-provenance": [FACT]}),
        "#/components/schemas/Error",
        "clashes",
    ),
    ("pages_are_covered", "operation gone", drop("paths", "/ai_jobs/{jobId}"), "#/paths", "cancelAiJob"),
    ("security_stands_at_the_root", "none", drop("security"), "#", "missing"),
    (
        "security_stands_at_the_root",
        "on an operation",
        put(*BATCH, "security", []),
        "#/paths/~1inventorytriggerjob~1{jobId}/put/security",
        "root",
    ),
    ("security_stands_at_the_root", "unused scheme", put("security", []), "#/security", "Key"),
    (
        "security_stands_at_the_root",
        "other type",
        put("components", "securitySchemes", "Key", "type", "http"),
        "#/components/securitySchemes/Key",
        "http",
    ),
    (
        "error_codes_are_consistent",
        "row twice",
        lambda document: at(document, *CODES).append(at(document, *CODES, 0)),
        "#/x-error-codes/0/codes/1",
        "twice",
    ),
    (
        "error_codes_are_consistent",
        "no meaning",
        drop(*CODES, 0, "meaning"),
        "#/x-error-codes/0/codes/0",
        "meaning",
    ),
    (
        "error_codes_are_consistent",
        "unknown status",
        lambda document: at(document, *CODES).append({"code": "Gone", "status": 410, "meaning": "Gone."}),
        "#/x-error-codes/0/codes/1",
        "410",
    ),
    (
        "error_codes_are_consistent",
        "unknown schema",
        put("x-error-codes", 0, "schema", "Oops"),
        "#/x-error-codes/0",
        "Oops",
    ),
    (
        "error_codes_are_consistent",
        "example with another code",
        put(*BODY, "examples", "missing", "value", "Code", "Lost"),
        "#/paths/~1inventorytriggerjob~1{jobId}/put/responses/404",
        "missing",
    ),
    (
        "responses_stay_open",
        "enum",
        put(*SCHEMA, "properties", "Code", "enum", ["InvalidUrl"]),
        "#/paths/~1inventorytriggerjob~1{jobId}/put/responses/404",
        "enum",
    ),
    (
        "responses_stay_open",
        "closed object",
        put(*SCHEMA, "additionalProperties", False),
        "#/paths/~1inventorytriggerjob~1{jobId}/put/responses/404",
        "additionalProperties",
    ),
    (
        "job_states_make_sense",
        "no flag",
        drop(*STATE, "final"),
        "#/paths/~1inventorytriggerjob~1{jobId}/put/x-job-states/1",
        "true or false",
    ),
    (
        "job_states_make_sense",
        "final and cancellable",
        put(*STATE, "cancellable", True),
        "#/paths/~1inventorytriggerjob~1{jobId}/put/x-job-states/1",
        "not cancellable",
    ),
    (
        "job_states_make_sense",
        "no cancelled state",
        put(*STATE, "cancelled", False),
        "#/paths/~1inventorytriggerjob~1{jobId}/put/x-job-states",
        "exactly one",
    ),
    *[
        (
            "companions_say_when",
            f"{key} {value!r}",
            put("x-companion-headers", 0, key, value),
            "#/x-companion-headers/0",
            key,
        )
        for key, value in (("required", True), ("name", ""), ("description", ""))
    ],
]


@pytest.mark.parametrize("rule", check_spec.RULES, ids=lambda rule: rule.__name__)
def test_rule_is_quiet_on_a_good_document(rule: Any) -> None:
    assert list(rule(check_spec.Document("tencent-ci", good()), CONTEXT)) == []


@pytest.mark.parametrize(
    ("rule", "breaker", "pointer", "message"),
    [fault[:1] + fault[2:] for fault in FAULTS],
    ids=[f"{fault[0]}-{fault[1]}" for fault in FAULTS],
)
def test_rule_speaks_on_one_fault(rule: str, breaker: Breaker, pointer: str, message: str) -> None:
    data = good()
    breaker(data)

    findings = list(getattr(check_spec, rule)(check_spec.Document("tencent-ci", data), CONTEXT))

    assert pointer in [finding.pointer for finding in findings]
    assert any(message in finding.message for finding in findings if finding.pointer == pointer)


def test_every_rule_is_shown_to_speak() -> None:
    assert {fault[0] for fault in FAULTS} == {rule.__name__ for rule in check_spec.RULES}


def test_inferred_example_may_use_a_code_of_its_own() -> None:
    data = good()
    example = at(data, *BODY, "examples", "missing")
    example["value"]["Code"] = "Lost"
    example["x-provenance"] = [
        {**INFERRED, "locator": "silent-points.yaml#ci-unknown-job", "note": "our placeholder"}
    ]

    assert check_spec.check(check_spec.Document("tencent-ci", data), CONTEXT) == []


def test_request_id_header_is_asked_of_ci_only() -> None:
    data = good()
    del data["components"]["responses"]["Accepted"]["headers"]

    assert list(check_spec.ci_answers_name_their_request(check_spec.Document("otc-dli", data), CONTEXT)) == []


def test_names_in_maps_are_no_extensions() -> None:
    """A header or member may start with `x-`; only keywords are registered."""
    document = check_spec.Document("tencent-ci", good())

    keys = {key for _, node, is_map in document.nodes if not is_map for key in node if key.startswith("x-")}

    assert keys == CONTEXT.keys


def test_registered_key_without_use_is_named() -> None:
    context = check_spec.Context(
        keys=CONTEXT.keys | {"x-unused"}, sources=CONTEXT.sources, anchors=CONTEXT.anchors
    )

    lines = list(check_spec.unused_entries([check_spec.Document("tencent-ci", good())], context))

    assert lines == ["README.md: x-unused: registered, but no document uses it"]


def test_context_is_read_from_the_pages_beside_the_documents(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("| key | on |\n|---|---|\n| `x-one` | all |\n", encoding="utf-8")
    (tmp_path / "SOURCES.md").write_text("| `PAGE-1` | A page |\n\n| C1 | a topic |\n", encoding="utf-8")
    (tmp_path / "silent-points.yaml").write_text("silent_points: [{id: ci-unknown-job}]\n", encoding="utf-8")

    context = check_spec.Context.read(tmp_path)

    assert context.keys == {"x-one"}
    assert context.sources == {"PAGE-1"}
    assert context.anchors == {"silent-points.yaml#ci-unknown-job", "SOURCES.md#C1"}


def test_documents_of_this_project_keep_every_rule(capsys: pytest.CaptureFixture[str]) -> None:
    status = check_spec.main([])

    assert capsys.readouterr().out == f"8 documents, {len(check_spec.RULES)} rules, nothing to say\n"
    assert status == 0


def test_command_prints_file_pointer_message_and_fails(tmp_path: Path) -> None:
    data = yaml.safe_load((ROOT / "spec" / "tencent-ci.openapi.yaml").read_text(encoding="utf-8"))
    data["paths"]["/ai_jobs/{jobId}"]["put"]["operationId"] = "cancelAIJob"
    broken = tmp_path / "tencent-ci.openapi.yaml"
    broken.write_text(yaml.safe_dump(data), encoding="utf-8")

    result = subprocess.run(
        [sys.executable, ROOT / "scripts" / "check_spec.py", broken],
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 1
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    place = "tencent-ci.openapi.yaml: #/paths/~1ai_jobs~1{jobId}/put"
    assert f"{place}: operationId is not lowerCamelCase: cancelAIJob" in lines
    assert all(line.startswith("tencent-ci.openapi.yaml: #") for line in lines)
