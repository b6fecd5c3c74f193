"""The 3.0.4 form of a document: valid, of the same meaning, and never short of something without a word."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import OpenAPIV30SpecValidator

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
openapi30 = importlib.import_module("contract.openapi30")

DOCUMENTS = {
    path.name.removesuffix(".openapi.yaml"): yaml.safe_load(path.read_text("utf-8"))
    for path in sorted((ROOT / "spec").glob("*.openapi.yaml"))
}
# A schema of 3.1, and how the specification of 3.0.4 writes the same.
PAIRS: tuple[tuple[Any, Any], ...] = (
    ({"type": "string", "maxLength": 3}, {"type": "string", "maxLength": 3}),
    ({"type": "string", "const": ""}, {"type": "string", "enum": [""]}),
    ({"const": 1}, {"enum": [1]}),
    ({"type": ["string", "null"]}, {"type": "string", "nullable": True}),
    ({"type": ["integer"]}, {"type": "integer"}),
    (
        {"type": ["string", "boolean", "null"]},
        {"anyOf": [{"type": "string", "nullable": True}, {"type": "boolean"}]},
    ),
    (
        {"anyOf": [{"minimum": 1}, {"minLength": 1}], "type": ["integer", "string"]},
        {
            "anyOf": [{"minimum": 1}, {"minLength": 1}],
            "allOf": [{"anyOf": [{"type": "integer"}, {"type": "string"}]}],
        },
    ),
    ({"type": "number", "exclusiveMinimum": 0}, {"type": "number", "minimum": 0, "exclusiveMinimum": True}),
    ({"exclusiveMinimum": 0, "minimum": 1}, {"minimum": 1}),
    ({"exclusiveMinimum": 1, "minimum": 1}, {"minimum": 1, "exclusiveMinimum": True}),
    ({"maximum": 9, "exclusiveMaximum": 8}, {"maximum": 8, "exclusiveMaximum": True}),
    ({"type": "array"}, {"type": "array", "items": {}}),
    ({"type": "array", "items": {"const": 1}}, {"type": "array", "items": {"enum": [1]}}),
    (
        {"type": "object", "properties": {"const": {"const": 1}}, "required": ["const"]},
        {"type": "object", "properties": {"const": {"enum": [1]}}, "required": ["const"]},
    ),
    (
        {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
        {"type": "object", "additionalProperties": {"type": "string", "nullable": True}},
    ),
    ({"type": "object", "additionalProperties": False}, {"type": "object", "additionalProperties": False}),
    ({"not": {"const": 1}}, {"not": {"enum": [1]}}),
    (True, {}),
    (False, {"not": {}}),
)
VALUES: tuple[Any, ...] = (
    *("", "a", "abcd", 0, 0.5, 1, 7, 8, 9, True, None, [], [1], [2], {}, {"const": 1}, {"const": 2}),
    {"a": None},
    {"a": 1},
)


def document(**parts: Any) -> dict[str, Any]:
    return {"openapi": "3.1.1", "info": {"title": "A test", "version": "1.0.0"}, "paths": {}, **parts}


def derived_schema(schema: Any) -> Any:
    return openapi30.derive(document(components={"schemas": {"S": schema}}))["components"]["schemas"]["S"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_form_of_every_document_is_valid(name: str) -> None:
    derived = openapi30.derive(DOCUMENTS[name])

    assert derived["openapi"] == "3.0.4"
    assert list(OpenAPIV30SpecValidator(derived).iter_errors()) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_example_of_every_document_is_admitted_by_the_form_too(name: str) -> None:
    derived = openapi30.derive(DOCUMENTS[name])
    examples = [*examples_of(derived)]

    assert examples
    for schema, value in examples:
        OAS30Validator({**schema, "components": derived["components"]}).validate(value)


def examples_of(node: Any) -> Iterator[tuple[dict[str, Any], Any]]:
    """Give the examples of the bodies, each with its schema."""
    if isinstance(node, dict):
        for body in node.get("content", {}).values():
            yield from ((body["schema"], example["value"]) for example in body["examples"].values())
        for value in node.values():
            yield from examples_of(value)
    elif isinstance(node, list):
        for value in node:
            yield from examples_of(value)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_form_has_what_the_document_has(name: str) -> None:
    given, derived = DOCUMENTS[name], openapi30.derive(DOCUMENTS[name])

    assert derived["servers"] == given["servers"]
    assert derived["info"]["description"] == f"{given['info']['summary']}\n\n{given['info']['description']}"
    assert derived["info"]["license"]["url"] == "https://www.apache.org/licenses/LICENSE-2.0"
    assert derived["paths"].keys() == given["paths"].keys()
    for kind, parts in given["components"].items():
        assert derived["components"][kind].keys() == parts.keys()


@pytest.mark.parametrize(("given", "wanted"), PAIRS, ids=str)
def test_a_schema_is_written_as_in_30(given: Any, wanted: Any) -> None:
    assert derived_schema(given) == wanted


@pytest.mark.parametrize(("given", "wanted"), PAIRS, ids=str)
def test_both_forms_of_a_schema_admit_the_same(given: Any, wanted: Any) -> None:
    new, old = Draft202012Validator(given), OAS30Validator(wanted)

    assert [value for value in VALUES if new.is_valid(value) != old.is_valid(value)] == []


def test_annotations_follow() -> None:
    schema = {
        "examples": ["a", "b"],
        "$comment": "-",
        "description": "Text.",
        "x-known-values": [{"const": 1}],
    }

    assert derived_schema(schema) == {
        "example": "a",
        "description": "Text.",
        "x-known-values": [{"const": 1}],
    }


def test_data_and_names_are_no_keywords() -> None:
    value = {"const": 1, "type": ["string", "null"], "schema": {"const": 1}}
    body = {"schema": {"type": "object"}, "examples": {"const": {"value": value}}}
    responses = {"schema": {"description": "A name.", "content": {"application/json": body}}}

    derived = openapi30.derive(document(components={"responses": responses}))

    assert derived["components"] == {"responses": responses}


def test_the_document_is_not_changed_and_shares_nothing() -> None:
    given = document(components={"schemas": {"S": {"type": "object", "required": ["a"]}}})
    before = deepcopy(given)

    openapi30.derive(given)["components"]["schemas"]["S"]["required"].append("b")

    assert given == before


@pytest.mark.parametrize(
    "schema",
    [
        {"patternProperties": {"^a": {}}},
        {"if": {}, "then": {}},
        {"prefixItems": []},
        {"type": "null"},
        {"const": None},
        {"const": 1, "enum": [1]},
        {"$ref": "#/components/schemas/T", "description": "Beside it."},
        {"properties": {"a": {"unevaluatedProperties": False}}},
    ],
    ids=str,
)
def test_a_schema_without_translation_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(openapi30.DerivationError, match="#/components/schemas/S"):
        derived_schema(schema)


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"webhooks": {}}, "#/webhooks"),
        ({"jsonSchemaDialect": "https://example.org"}, "#/jsonSchemaDialect"),
        ({"components": {"pathItems": {}}}, "#/components/pathItems"),
        ({"components": {"securitySchemes": {"a": {"type": "mutualTLS"}}}}, "mutualTLS"),
        (
            {"components": {"headers": {"a": {"$ref": "#/x", "description": "Text."}}}},
            "#/components/headers/a",
        ),
        ({"info": {"title": "A", "version": "1", "license": {"name": "N", "identifier": "N-1"}}}, "'N-1'"),
        ({"openapi": "3.0.3"}, "OpenAPI 3.1, got '3.0.3'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_part_without_translation_is_refused(parts: dict[str, Any], told: str) -> None:
    with pytest.raises(openapi30.DerivationError, match=told):
        openapi30.derive(document(**parts))
