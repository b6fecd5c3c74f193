"""Render one OpenAPI document as a page: what a caller needs, in the order in which it is needed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from docs_site.markdown import (
    code,
    definitions,
    download,
    fence,
    flat,
    heading,
    label,
    link,
    page,
    plain,
    table,
)
from docs_site.schemas import Json, demands, members, resolved, type_of, values, xml_example

_METHODS = ("get", "put", "post", "delete")
_OURS = {"provider-states", "mock-control"}
_YES = {True: "yes", False: "no"}
# What a cancel sends in a header that every request has.
_SENT = {"Content-Length": "0"}
# Files that the prose of a document names, by where the site shows them.
_NAMED = {
    "`README.md` beside this document": "[`README.md`](/spec/README.md) beside this document",
    "`SOURCES.md`": "[`SOURCES.md`](/spec/SOURCES.md)",
    "`signing/`": "[`signing/`](/spec/signing/README.md)",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rest of the contract says of operations, by ``<api>/<operationId>``: pairs of id and sentence."""

    requirements: Mapping[str, list[tuple[str, str]]] = field(default_factory=dict)
    silent_points: Mapping[str, list[tuple[str, str]]] = field(default_factory=dict)


def reference(name: str, document: Json, facts: Facts) -> str:
    """Return the page of *document*, which is called *name*; *facts* are linked from its operations."""
    return page(
        document["info"]["title"],
        _prose(document["info"]["description"]),
        _files(name, document),
        *_operations(name, document, facts),
        *_servers(name, document),
        *_authentication(name, document),
        *_answers(name, document),
        *_headers(name, document),
        *_schemas(name, document),
        *_error_codes(name, document),
    )


def index(documents: Mapping[str, Json]) -> str:
    """Return the page that leads to those of *documents*: every operation, and the request that it is."""
    return page(
        "API reference",
        "Every operation of every document, made from the documents themselves. The five cancels are the contract; the "
        "others read what became of a job, put a server under test into a state, and steer the mock.\n",
        *(part for name in sorted(documents, key=_order) for part in _index_of(name, documents[name])),
        "```{toctree}\n:hidden:\n\n"
        + "".join(f"{name}\n" for name in sorted(documents, key=_order))
        + "```\n",
    )


def _order(name: str) -> tuple[bool, bool, str]:
    # The contract, then its companions, then what is ours.
    return (name in _OURS, name.endswith("-status"), name)


def _index_of(name: str, document: Json) -> Iterator[str]:
    yield heading(2, f"[{document['info']['title']}](/reference/{name}.md)")
    yield table(
        ("operation", "request"),
        (
            (
                link(code(operation["operationId"]), name, "operation", operation["operationId"]),
                code(f"{method.upper()} {path}{_query(document, operation)}"),
            )
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if method in _METHODS
        ),
    )


def _prose(text: str) -> str:
    for named, linked in _NAMED.items():
        text = text.replace(named, linked)
    return text


def sources(node: Json) -> str:
    """Return where a fact comes from, each source with a link to its row."""
    said = []
    for entry in node.get("x-provenance", node.get("sources", ())):
        note = f" ({plain(flat(entry['note']))})" if "note" in entry else ""
        source, place = link(entry["source"], "source", entry["source"]), plain(flat(entry["locator"]))
        said.append(f"{source} {place}, {entry['status']}{note}")
    return "{.sources}\nFrom: " + "; ".join(said) + ".\n" if said else ""


def _files(name: str, document: Json) -> str:
    file = f"{name}.openapi.yaml"
    vendor = document.get("externalDocs")
    return (
        f"{download(f'spec/{file}')} is the document itself: OpenAPI {document['openapi']}, "
        f"version {document['info']['version']}."
        + (f" The vendor: [{vendor['description']}]({vendor['url']}).\n" if vendor else "\n")
    )


def _servers(name: str, document: Json) -> Iterator[str]:
    yield heading(2, "Where it is", name, "servers")
    for server in document["servers"]:
        yield fence(server["url"])
        yield server.get("description", "") + "\n"
        yield definitions(
            (
                code(variable),
                [
                    f"default {code(body['default'])}{_x_pattern(body)}",
                    flat(body.get("description", "")),
                    values(body),
                ],
            )
            for variable, body in server.get("variables", {}).items()
        )
        yield sources(server)


def _x_pattern(node: Json) -> str:
    return f" · pattern {code(node['x-pattern'])}" if "x-pattern" in node else ""


def _authentication(name: str, document: Json) -> Iterator[str]:
    schemes = document["components"].get("securitySchemes", {})
    if schemes:
        yield heading(2, "Ways to authenticate", name, "authentication")
        yield "One of these:\n"
        ways = (
            " with ".join(link(scheme, name, "scheme", scheme) for scheme in way)
            for way in document["security"]
        )
        yield "".join(f"- {way}\n" for way in ways)
    for scheme, body in schemes.items():
        yield heading(3, scheme, name, "scheme", scheme)
        yield f"In the {body['in']}: {code(body['name'])}.\n"
        yield _prose(body["description"]) + "\n"
        yield _companions(body)
        yield sources(body)
    if "x-companion-headers" in document:
        yield heading(3, "Headers of every request", name, "headers")
        yield _companions(document)


def _companions(node: Json) -> str:
    headers = (
        (
            code(header["name"]),
            [
                f"{'has no effect' if header['required'] == 'never' else header['required']}{_x_pattern(header)}",
                flat(header["description"]),
            ],
        )
        for header in node.get("x-companion-headers", ())
    )
    parameters = (
        (code(parameter["name"]), ["in the query", flat(parameter["description"])])
        for parameter in node.get("x-companion-query-parameters", ())
    )
    return definitions((*headers, *parameters))


def _operations(name: str, document: Json, facts: Facts) -> Iterator[str]:
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                yield from _operation(name, document, method, path, item[method], facts)


def _operation(
    name: str, document: Json, method: str, path: str, operation: Json, facts: Facts
) -> Iterator[str]:
    key = f"{name}/{operation['operationId']}"
    yield heading(2, operation["operationId"], name, "operation", operation["operationId"])
    yield f"({label(name, method, path)})=\n"
    yield fence(f"{method.upper()} {path}{_query(document, operation)}")
    yield f"**{operation['summary']}**\n"
    yield _prose(operation["description"]) + "\n"
    if "externalDocs" in operation:
        vendor = operation["externalDocs"]
        yield f"The vendor's page: [{vendor['description']}]({vendor['url']}).\n"
    if "x-permissions" in operation:
        actions = (code(one["action"]) for one in operation["x-permissions"])
        yield f"The account needs the permission {', '.join(actions)}.\n"
    yield sources(operation)
    if "parameters" in operation:
        yield heading(3, "Parameters", key, "parameters")
        yield definitions(
            _parameter(name, document, resolved(document, one)) for one in operation["parameters"]
        )
    if "requestBody" in operation:
        yield heading(3, "Body", key, "body")
        yield flat(operation["requestBody"]["description"]) + "\n"
        yield from _content(name, document, operation["requestBody"]["content"])
    yield heading(3, "Request", key, "request")
    yield _request(document, method, path, operation)
    yield heading(3, "Statuses", key, "statuses")
    yield table(
        ("status", "what it means", "body"),
        (_status(name, document, status, answer) for status, answer in operation["responses"].items()),
    )
    if "x-job-states" in operation:
        yield heading(3, "States of the job", key, "states")
        yield _states(operation["x-job-states"])
    if rows := facts.requirements.get(key):
        yield heading(3, "What is required", key, "requirements")
        yield "".join(
            f"- {link(code(one), 'requirement', one)} {plain(statement)}\n" for one, statement in rows
        )
    if rows := facts.silent_points.get(key):
        yield heading(3, "What the vendor leaves open", key, "silent")
        yield "".join(f"- {link(code(one), 'silent', one)} {plain(question)}\n" for one, question in rows)


def _request(document: Json, method: str, path: str, operation: Json) -> str:
    """Write the request as it is sent, of examples and defaults; `…` is what the caller has."""
    for one in operation.get("parameters", ()):
        parameter = resolved(document, one)
        if examples := parameter.get("examples"):
            path = path.replace(f"{{{parameter['name']}}}", str(next(iter(examples.values()))["value"]))
    server = document["servers"][0]
    host = urlsplit(server["url"]).netloc
    for variable, body in server.get("variables", {}).items():
        host = host.replace(f"{{{variable}}}", body["default"])
    lines = [f"{method.upper()} {path}{_query(document, operation)} HTTP/1.1", f"Host: {host}"]
    schemes = [document["components"]["securitySchemes"][name] for name in _first_way(document)]
    lines += [f"{scheme['name']}: …" for scheme in schemes if scheme["in"] == "header"]
    companions = (header for one in (*schemes, document) for header in one.get("x-companion-headers", ()))
    always = [header["name"] for header in companions if header["required"] == "always"]
    lines += [f"{name}: {_SENT.get(name, '…')}" for name in always if name != "Host"]
    text = "\n".join(lines)
    for media, body in operation.get("requestBody", {}).get("content", {}).items():
        for example in islice(body.get("examples", {}).values(), 1):
            text += f"\nContent-Type: {media}\n\n{json.dumps(example['value'], indent=2, ensure_ascii=False)}"
    return fence(text)


def _first_way(document: Json) -> Iterable[str]:
    return next(iter(document.get("security", ())), {})


def _query(document: Json, operation: Json) -> str:
    parameters = (resolved(document, one) for one in operation.get("parameters", ()))
    names = [one["name"] for one in parameters if one["in"] == "query" and one.get("allowEmptyValue")]
    return f"?{'&'.join(names)}" if names else ""


def _parameter(name: str, document: Json, parameter: Json) -> tuple[str, list[str]]:
    schema = resolved(document, parameter["schema"])
    need = "required" if parameter.get("required") else "optional"
    said = [f"in the {parameter['in']}", need, type_of(parameter["schema"], name), *demands(schema)]
    examples = ", ".join(code(one["value"]) for one in parameter.get("examples", {}).values())
    return code(parameter["name"]), [
        " · ".join(said),
        flat(parameter["description"]),
        values(schema),
        f"Example, which names nothing: {examples}" if examples else "",
        sources(parameter),
    ]


def _status(name: str, document: Json, status: str, answer: Json) -> tuple[str, str, str]:
    component = answer["$ref"].rpartition("/")[2]
    body = resolved(document, answer)
    shown = [f"{type_of(one['schema'], name)} ({media})" for media, one in body.get("content", {}).items()]
    meaning = flat(body["description"]).partition(". ")[0].rstrip(".")
    return (
        f"**{status}**",
        f"{meaning}: {link(component, name, 'answer', component)}",
        ", ".join(shown) or "none",
    )


def _states(states: Iterable[Json]) -> str:
    flags = ("cancellable", "final", "cancelled")
    return table(
        ("state", "what it means", "a cancel is accepted", "final", "a cancelled job ends here"),
        ((code(row["state"]), row["meaning"], *(_YES[row[flag]] for flag in flags)) for row in states),
    )


def _answers(name: str, document: Json) -> Iterator[str]:
    yield heading(2, "Answers", name, "answers")
    statuses: dict[str, dict[str, None]] = {}
    for item in document["paths"].values():
        for method in _METHODS:
            for status, answer in item.get(method, {}).get("responses", {}).items():
                statuses.setdefault(answer["$ref"].rpartition("/")[2], {})[status] = None
    for component, found in statuses.items():
        answer = document["components"]["responses"][component]
        yield heading(3, component, name, "answer", component)
        yield f"**{', '.join(f'{status}{_phrase(status)}' for status in found)}.** {flat(answer['description'])}\n"
        yield from _content(name, document, answer.get("content", {}))
        headers = answer.get("headers", {}).items()
        if shared := [link(code(header), name, "header", _component(body)) for header, body in headers]:
            yield f"Headers: {', '.join(shared)}.\n"
        for following in answer.get("links", {}).values():
            yield f"Next: {_followed(following['operationRef'])}. {flat(following['description'])}\n"
        yield sources(answer)


def _headers(name: str, document: Json) -> Iterator[str]:
    components = document["components"].get("headers", {})
    if components:
        yield heading(2, "Headers of answers", name, "answer", "headers")
    for component, header in components.items():
        schema = header["schema"]
        need = "always there" if header.get("required") else "may be absent"
        yield heading(3, component, name, "header", component)
        yield " · ".join([need, *demands(schema)]) + "\n"
        yield flat(header["description"]) + "\n"
        yield values(schema) + "\n"
        yield sources(header)


def _component(node: Json) -> str:
    return str(node["$ref"]).rpartition("/")[2]


def _phrase(status: str) -> str:
    try:
        return f" {HTTPStatus(int(status)).phrase}"
    except ValueError:
        return ""


def _followed(pointed: str) -> str:
    file, _, pointer = pointed.partition("#/paths/")
    escaped, _, method = pointer.rpartition("/")
    path = escaped.replace("~1", "/").replace("%7B", "{").replace("%7D", "}")
    return link(code(f"{method.upper()} {path}"), file.removesuffix(".openapi.yaml"), method, path)


def _content(name: str, document: Json, content: Json) -> Iterator[str]:
    for media, body in content.items():
        yield f"Body: {type_of(body['schema'], name)}, {code(media)}\n"
        for example in body.get("examples", {}).values():
            yield flat(example["summary"]) + "\n"
            yield _example(media, resolved(document, body["schema"]), example["value"])


def _example(media: str, schema: Json, value: Any) -> str:
    if media == "application/xml":
        return fence(xml_example(schema, value), "xml")
    return fence(json.dumps(value, indent=2, ensure_ascii=False), "json")


def _schemas(name: str, document: Json) -> Iterator[str]:
    yield heading(2, "Schemas", name, "schemas")
    for schema, body in document["components"]["schemas"].items():
        yield heading(3, schema, name, "schema", schema)
        yield " · ".join([type_of(body, name), *demands(body)]) + "\n"
        yield flat(body.get("description", "")) + "\n"
        yield values(body) + "\n"
        yield definitions(members(body, name))
        yield sources(body)


def _error_codes(name: str, document: Json) -> Iterator[str]:
    tables = document.get("x-error-codes", ())
    if tables:
        yield heading(2, "Error codes", name, "codes")
    for number, codes in enumerate(tables, start=1):
        yield heading(3, f"Table {number}, in {codes['schema']}", name, "codes", str(number))
        yield flat(codes["description"]) + "\n"
        yield table(
            ("code", "status", "what it means"),
            ((code(row["code"]), str(row["status"]), row["meaning"]) for row in codes["codes"]),
        )
        yield sources(codes)
