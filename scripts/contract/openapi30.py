"""Derive the OpenAPI 3.0.4 form of a document that is written in OpenAPI 3.1.

For tools that read no 3.1. Nothing is lost silently: a keyword without a translation is an error. Source of the
rules: OpenAPI Specification 3.0.4 and 3.1.1, Schema Object, Info Object, License Object, Reference Object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

VERSION = "3.0.4"

# fmt: off
# Keywords of a schema that 3.0 has with the same meaning, and whose value is no schema.
_SAME = frozenset(
    {
        "$ref", "title", "description", "default", "example", "deprecated", "readOnly", "writeOnly",
        "externalDocs", "xml", "discriminator", "enum", "format", "multipleOf", "maxLength", "minLength",
        "pattern", "maxItems", "minItems", "uniqueItems", "maxProperties", "minProperties", "required"
    }
)
_ONE_SCHEMA = frozenset({"items", "not"})
_SCHEMA_LISTS = frozenset({"allOf", "anyOf", "oneOf"})
# They say nothing about a value.
_DROPPED = frozenset({"$schema", "$comment"})
# Keys whose value is data: nothing in there is a keyword.
_LITERALS = frozenset({"default", "enum", "example", "value"})
# Keys whose value maps names that people chose to objects.
_NAME_MAPS = frozenset(
    {
        "callbacks", "content", "encoding", "examples", "headers", "links", "parameters", "paths",
        "requestBodies", "responses", "securitySchemes", "variables"
    }
)
# fmt: on
_NOT_IN_30 = frozenset({"webhooks", "jsonSchemaDialect", "pathItems"})
_LICENSES = {"Apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0"}

Translation = Callable[[dict[str, Any], Mapping[str, Any], str], None]


class DerivationError(ValueError):
    """The document says something that OpenAPI 3.0 cannot say."""


def derive(document: Mapping[str, Any]) -> dict[str, Any]:
    """Write a document of OpenAPI 3.1 as one of OpenAPI 3.0.4 that admits the same requests and answers.

    Args:
        document: the parsed document; it is not changed, and the result shares nothing with it.

    Raises:
        DerivationError: a part has no counterpart in 3.0; the message names its place.
    """
    if not str(document.get("openapi", "")).startswith("3.1."):
        raise DerivationError(f"expected a document of OpenAPI 3.1, got {document.get('openapi')!r}")
    rest = {key: value for key, value in document.items() if key not in {"openapi", "info"}}
    return {"openapi": VERSION, "info": _info(document["info"]), **_object(rest, "#")}


def _info(info: Mapping[str, Any]) -> dict[str, Any]:
    """Put the summary before the description, and name the licence by its address."""
    derived = {key: _copied(value) for key, value in info.items() if key not in {"summary", "license"}}
    if summary := info.get("summary"):
        derived["description"] = "\n\n".join(part for part in (summary, info.get("description")) if part)
    if "license" in info:
        named = dict(info["license"])
        identifier = named.pop("identifier", None)
        if identifier is not None:
            if identifier not in _LICENSES:
                raise DerivationError(f"#/info/license: no address is known of {identifier!r}")
            named["url"] = _LICENSES[identifier]
        derived["license"] = named
    return derived


def _object(node: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Derive an object that is no schema."""
    if "$ref" in node and len(node) > 1:
        raise DerivationError(f"{place}: a reference has no other members in 3.0")
    if node.get("type") == "mutualTLS":
        raise DerivationError(f"{place}: 3.0 has no mutualTLS")
    derived: dict[str, Any] = {}
    for key, value in node.items():
        here = f"{place}/{key}"
        if key in _NOT_IN_30:
            raise DerivationError(f"{here}: not in 3.0")
        if key in _LITERALS or key.startswith("x-"):
            derived[key] = _copied(value)
        elif key == "schema":
            derived[key] = _schema(value, here)
        elif key == "schemas":
            derived[key] = {name: _schema(schema, f"{here}/{name}") for name, schema in value.items()}
        elif key in _NAME_MAPS and isinstance(value, Mapping):
            derived[key] = {name: _any(item, f"{here}/{name}") for name, item in value.items()}
        else:
            derived[key] = _any(value, here)
    return derived


def _any(value: object, place: str) -> Any:
    if isinstance(value, Mapping):
        return _object(value, place)
    if isinstance(value, list):
        return [_any(item, f"{place}/{index}") for index, item in enumerate(value)]
    return value


def _schema(schema: Mapping[str, Any] | bool, place: str) -> dict[str, Any]:
    if isinstance(schema, bool):
        return {} if schema else {"not": {}}
    if "$ref" in schema and len(schema) > 1:
        raise DerivationError(f"{place}: a reference has no other members in 3.0")
    derived: dict[str, Any] = {}
    for key, value in schema.items():
        here = f"{place}/{key}"
        if key in _TRANSLATED:
            _TRANSLATED[key](derived, schema, here)
        elif key in _SAME or key.startswith("x-"):
            derived[key] = _copied(value)
        elif key in _ONE_SCHEMA:
            derived[key] = _schema(value, here)
        elif key in _SCHEMA_LISTS:
            listed = [_schema(item, f"{here}/{index}") for index, item in enumerate(value)]
            derived[key] = [*derived.get(key, []), *listed]
        elif key == "properties":
            derived[key] = {name: _schema(item, f"{here}/{name}") for name, item in value.items()}
        elif key == "additionalProperties":
            derived[key] = value if isinstance(value, bool) else _schema(value, here)
        elif key not in _DROPPED:
            raise DerivationError(f"{here}: 3.0 has no such keyword, and no translation is known")
    if derived.get("type") == "array":
        derived.setdefault("items", {})
    return derived


def _const(derived: dict[str, Any], schema: Mapping[str, Any], place: str) -> None:
    if schema["const"] is None or "enum" in schema:
        raise DerivationError(f"{place}: no translation of null, nor of a const beside an enum")
    derived["enum"] = [_copied(schema["const"])]


def _type(derived: dict[str, Any], schema: Mapping[str, Any], place: str) -> None:
    given = schema["type"]
    types = [given] if isinstance(given, str) else list(given)
    nullable = {"nullable": True} if "null" in types else {}
    types = [name for name in types if name != "null"]
    if not types:
        raise DerivationError(f"{place}: 3.0 has no type of null alone")
    if len(types) == 1:
        derived.update(type=types[0], **nullable)
        return
    choices: list[dict[str, Any]] = [
        {"type": name, **({"items": {}} if name == "array" else {})} for name in types
    ]
    choices[0].update(nullable)  # one choice that admits null is enough
    if "anyOf" in schema:
        derived["allOf"] = [*derived.get("allOf", []), {"anyOf": choices}]
    else:
        derived["anyOf"] = choices


def _limit(bound: str, exclusive: str) -> Translation:
    """Translate a limit that in 3.1 has two keywords, and in 3.0 one and a flag; the stricter one holds."""
    stricter = max if bound == "minimum" else min

    def translate(derived: dict[str, Any], schema: Mapping[str, Any], _place: str) -> None:
        limits = [schema[keyword] for keyword in (bound, exclusive) if keyword in schema]
        derived[bound] = stricter(limits)
        if schema.get(exclusive) == derived[bound]:
            derived[exclusive] = True

    return translate


def _examples(derived: dict[str, Any], schema: Mapping[str, Any], _place: str) -> None:
    if "example" not in schema and schema["examples"]:
        derived["example"] = _copied(schema["examples"][0])


_LOWER, _UPPER = _limit("minimum", "exclusiveMinimum"), _limit("maximum", "exclusiveMaximum")
_TRANSLATED: Mapping[str, Translation] = {
    "const": _const,
    "type": _type,
    "minimum": _LOWER,
    "exclusiveMinimum": _LOWER,
    "maximum": _UPPER,
    "exclusiveMaximum": _UPPER,
    "examples": _examples,
}


def _copied(value: Any) -> Any:
    """Copy data, so that nothing of the result is shared with the document or with itself."""
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value
