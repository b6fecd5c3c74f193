"""References inside a document, and links from one document to an operation of another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

Documents = Mapping[str, Mapping[str, Any]]


def found(document: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow the reference that a node is, if it is one; references stay inside their document.

    ``broken`` tells of those that lead nowhere; here they are an error of the caller.
    """
    if "$ref" not in node:
        return node
    return found(document, _at(document, target(node["$ref"])[1]))


def target(reference: str) -> tuple[str, list[str]]:
    """Split a reference into the file that it names, if any, and the keys of its JSON pointer (RFC 6901)."""
    name, _, pointer = reference.partition("#/")
    return name, [unquote(key).replace("~1", "/").replace("~0", "~") for key in pointer.split("/")]


def broken(documents: Documents) -> Iterator[str]:
    """Say of every reference and link in documents, given by file name, that leads nowhere where it stands."""
    for name, document in documents.items():
        for place, node in _nodes("#", document):
            for key in ("$ref", "operationRef"):
                if not isinstance(node.get(key), str):
                    continue
                file, keys = target(node[key])
                try:
                    _at(documents[file or name], keys)
                except (LookupError, TypeError, ValueError):
                    yield f"{name}: {place}: {key} leads nowhere: {node[key]}"


def _at(document: Any, keys: list[str]) -> Any:
    for key in keys:
        document = document[int(key) if isinstance(document, list) else key]
    return document


def _nodes(place: str, node: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(node, Mapping):
        yield place, node
        for key, value in node.items():
            yield from _nodes(f"{place}/{str(key).replace('~', '~0').replace('/', '~1')}", value)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _nodes(f"{place}/{index}", value)
