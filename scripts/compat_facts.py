"""What a document promises in words that oasdiff does not read: servers, links, names in XML, ``x-`` keys.

A team signs by the companion headers, branches on the codes of errors and waits for the states of a job, so a change of
those breaks it as much as one of a parameter. The words are those of the registry in ``spec/README.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_FLAGS = ("final", "cancellable", "cancelled")


def broken(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """List the promises that the next form of a document takes back or changes, and headers that it newly demands."""
    was, now = dict(_promises(old)), dict(_promises(new))
    gone = [f"{promise} is gone" for promise in was if promise not in now]
    changed = [
        f"{promise} was {told!r}, is {now[promise]!r}"
        for promise, told in was.items()
        if promise in now and now[promise] != told
    ]
    return [*gone, *changed, *_demanded(dict(_companions(old)), dict(_companions(new)))]


def _promises(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give each promise by its name, with what it says beside that."""
    for server in document["servers"]:
        yield f"the server {server['url']}", ""
        for name, variable in server.get("variables", {}).items():
            if "x-pattern" in variable:
                yield f"the pattern of {{{name}}} in {server['url']}", variable["x-pattern"]
    for operation in _operations(document):
        for row in operation.get("x-permissions", ()):
            yield f"the permission {row['action']} of {operation['operationId']}", ""
        for row in operation.get("x-job-states", ()):
            flags = ", ".join(flag for flag in _FLAGS if row[flag])
            yield f"the state {row['state']} of {operation['operationId']}", flags
    for table in document.get("x-error-codes", ()):
        for row in table["codes"]:
            yield f"the code {row['code']} with {row['status']} in {table['schema']}", ""
    components = document.get("components", {})
    for name, scheme in components.get("securitySchemes", {}).items():
        for row in scheme.get("x-companion-query-parameters", ()):
            yield f"the query parameter {row['name']} of {name}", ""
    for name, response in components.get("responses", {}).items():
        for link, row in response.get("links", {}).items():
            yield f"the link {link} of {name}", row.get("operationRef") or row["operationId"]
    for name, schema in components.get("schemas", {}).items():
        yield from _names_in_xml(schema, name)


def _names_in_xml(schema: object, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(schema, list):
        for item in schema:
            yield from _names_in_xml(item, place)
    elif isinstance(schema, Mapping):
        if isinstance(xml := schema.get("xml"), Mapping):
            yield (
                f"the form in XML of {place}",
                ", ".join(f"{key} {value}" for key, value in sorted(xml.items())),
            )
        for key, value in schema.items():
            if key != "xml":
                yield from _names_in_xml(value, f"{place}/{key}")


def _companions(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give each companion header by its name, with whether it is required."""
    for row in document.get("x-companion-headers", ()):
        yield f"the header {row['name']}", row["required"]
    for name, scheme in document.get("components", {}).get("securitySchemes", {}).items():
        for row in scheme.get("x-companion-headers", ()):
            yield f"the header {row['name']} of {name}", row["required"]


def _demanded(was: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """List the headers that are gone, and those that must, or must not, be sent from now on."""
    gone = [f"{header} is gone" for header in was if header not in now]
    return gone + [
        f"{header} was {was.get(header, 'unknown')}, is {need}"
        for header, need in now.items()
        if need in {"always", "never"} and was.get(header) != need
    ]


def _operations(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for item in document["paths"].values():
        yield from (operation for operation in item.values() if "operationId" in operation)
