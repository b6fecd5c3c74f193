"""Say what a schema of a document demands, and write its examples."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree as ET

from docs_site.markdown import code, flat, link

Json = Mapping[str, Any]

_LIMITS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "default": "default `{}`",
    "format": "{}",
}
# Keys that are told elsewhere, or that mean the default of JSON Schema.
_TOLD = {
    *("type", "description", "properties", "required", "items", "anyOf", "$ref", "xml", "examples", "const"),
    *("x-provenance", "x-known-values", "enum", "pattern", "uniqueItems", "additionalProperties"),
}


def resolved(document: Json, node: Json) -> Json:
    """Return what *node* refers to within *document*, itself where it is no reference."""
    if "$ref" not in node:
        return node
    found: Any = document
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found  # type: ignore[no-any-return]


def type_of(schema: Json, document: str) -> str:
    """Return the type of *schema* in words, with a link where it is one of the components of *document*."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return link(name, document, "schema", name)
    if "anyOf" in schema:
        return " or ".join(type_of(one, document) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"array of {type_of(schema['items'], document)}"
    named = schema.get("type", "any")
    return " or ".join(named) if isinstance(named, list) else str(named)


def demands(schema: Json) -> list[str]:
    """Return what *schema* demands besides its type.

    Raises ValueError for a keyword that it cannot put into words, so that none is left out unseen.
    """
    unknown = schema.keys() - _LIMITS.keys() - _TOLD
    if unknown:
        raise ValueError(
            f"the reference has no words for {', '.join(sorted(unknown))}; add them to schemas.py"
        )
    said = [
        words.format(json.dumps(schema[key]).strip('"')) for key, words in _LIMITS.items() if key in schema
    ]
    if "const" in schema:
        said.append(f"always {code(schema['const'])}" if schema["const"] != "" else "always empty")
    if "pattern" in schema:
        said.append(f"pattern {code(schema['pattern'])}")
    if schema.get("uniqueItems"):
        said.append("each once")
    if schema.get("additionalProperties") is False:
        said.append("nothing else")
    return said


def values(schema: Json) -> str:
    """Return which values there are, or have been seen."""
    if "enum" in schema:
        return f"One of {', '.join(map(code, schema['enum']))}."
    if "x-known-values" in schema:
        return f"Seen so far, others may come: {', '.join(map(code, schema['x-known-values']))}."
    return ""


def members(schema: Json, document: str, prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield the members of an object, those of nested ones by their path, with what is said of each."""
    required = schema.get("required", ())
    for name, member in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        need = "required" if name in required else "optional"
        said = " · ".join([type_of(member, document), need, *demands(member)])
        yield code(path), [said, flat(member.get("description", "")), values(member)]
        inner = member.get("items", member)
        yield from members(inner, document, f"{path}[]." if inner is not member else f"{path}.")


def xml_example(schema: Json, value: Json) -> str:
    """Return *value* as the XML that *schema* describes: lists repeat their element, without a wrapper."""
    root = ET.Element(schema["xml"]["name"])
    _fill(root, value)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")


def _fill(parent: ET.Element, value: Any) -> None:
    if isinstance(value, Mapping):
        for name, member in value.items():
            for one in member if isinstance(member, list) else [member]:
                _fill(ET.SubElement(parent, name), one)
    else:
        parent.text = str(value)
