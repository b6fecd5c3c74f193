"""What a tool for people sends, and expects: what the documents say, as variables and scripts of a collection."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from contract.references import found, target

SANDBOX = Path(__file__).parent / "sandbox"
# What an API wants with every request: what stands for it, and what a tool writes by itself.
ALWAYS = {"Content-Type": "application/json"}
BY_THE_TOOL = frozenset({"Host", "Content-Length"})
# What a schema says to people, and forms that say nothing to the validators of the tools.
PROSE = frozenset(
    {"title", "description", "example", "examples", "externalDocs", "deprecated", "format", "x-provenance"}
)
# A variable of every collection: set, it forbids what a document leaves open.
STRICT = "strict"


class LinkError(ValueError):
    """A link that nobody can follow."""


@dataclass(frozen=True)
class Api:
    """What the collections of one API have in common: variables, signer, reader of answers.

    ``credentials`` names the variables that prove who asks; they are secret, and empty where they are handed out.
    """

    signer: str
    reader: str
    credentials: tuple[str, ...]


_DLI = Api("sdk-hmac-sha256", "answer-json", ("access_key", "secret_key", "security_token", "token"))
APIS = {
    "tencent-ci": Api("q-sign", "answer-xml", ("secret_id", "secret_key", "security_token")),
    "otc-dli": _DLI,
    "huaweicloud-dli": _DLI,
}


@dataclass(frozen=True)
class Part:
    """A part of a path that a variable stands for."""

    name: str
    variable: str
    pattern: str
    example: str


@dataclass(frozen=True)
class Call:
    """One request: an operation of a document, and what the document says of its answers.

    ``judge`` names a script that has a say besides the document.
    """

    name: str
    summary: str
    description: str
    method: str
    path: str
    query: str
    parts: tuple[Part, ...]
    headers: Mapping[str, str]
    answers: str
    signed: bool = True
    judge: str = ""

    @property
    def url_path(self) -> str:
        """Give the path with variables of a collection in it."""
        path = self.path
        for part in self.parts:
            path = path.replace(f"{{{part.name}}}", f"{{{{{part.variable}}}}}")
        return path


def calls(document: Mapping[str, Any], documents: Mapping[str, Mapping[str, Any]]) -> list[Call]:
    """List the requests of a collection: each cancel, the reading of the state, and two cancels that fail.

    A cancel that is sent again, and one without credentials, harm no job, and show the errors of a server.

    Args:
        document: a document of cancels.
        documents: all documents by file name, for the links between them.

    Raises:
        LinkError: a link does not give what the operation that it leads to asks for.
    """
    listed = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            parts = [_part(document, operation, row) for row in _parameters(document, operation, "path")]
            sent = _call(document, path, method, parts)
            listed += [
                replace(sent, judge="accepted"),
                *_linked(document, operation, documents, parts),
                replace(sent, name=f"{sent.name}-again"),
                replace(sent, name=f"{sent.name}-unsigned", signed=False, judge="refused"),
            ]
    return listed


def variables(api: str, listed: list[Call], document: Mapping[str, Any]) -> dict[str, str]:
    """Give the variables of a collection with what they hold at first: names that nobody has, no credentials."""
    server = document["servers"][0]
    address = server["url"].format(**{name: row["default"] for name, row in server["variables"].items()})
    ids = {part.variable: part.example for call in listed for part in call.parts}
    return {"base_url": address, **ids, **dict.fromkeys(APIS[api].credentials, ""), STRICT: ""}


def request_script(tool: str, api: str, call: Call) -> str:
    """Write the script that runs before a request: it checks the variables and signs."""
    parts = [[f"{{{part.name}}}", part.variable, part.pattern] for part in call.parts]
    constants = (
        f"const METHOD = '{call.method}';\nconst PATH = '{call.path}';\nconst QUERY = '{call.query}';\n"
        f"const PARTS = {json.dumps(parts)};\n"
    )
    signer = [APIS[api].signer] if call.signed else []
    return constants + "\n".join(_script(name) for name in (f"{tool}-request", "request", *signer))


def answer_script(tool: str, api: str, call: Call) -> str:
    """Write the script that judges an answer by what the document says of it."""
    judge = [call.judge] if call.judge else []
    return call.answers + "\n".join(
        _script(name) for name in (f"{tool}-answer", APIS[api].reader, "answer", *judge)
    )


def _call(document: Mapping[str, Any], path: str, method: str, parts: list[Part]) -> Call:
    operation = document["paths"][path][method]
    return Call(
        operation["operationId"],
        operation["summary"],
        operation["description"],
        method.upper(),
        path,
        "&".join(parameter["name"] for parameter in _parameters(document, operation, "query")),
        tuple(parts),
        {
            header["name"]: ALWAYS[header["name"]]
            for header in document["x-companion-headers"]
            if header["required"] == "always" and header["name"] not in BY_THE_TOOL
        },
        _answers(document, operation),
    )


def _linked(
    document: Mapping[str, Any],
    operation: Mapping[str, Any],
    documents: Mapping[str, Mapping[str, Any]],
    parts: list[Part],
) -> Iterator[Call]:
    """Follow the links of the answers of an operation; what they ask for is what this operation was asked."""
    for reference in operation["responses"].values():
        for link in found(document, reference).get("links", {}).values():
            name, (_, path, method) = target(link["operationRef"])
            item = documents[name]["paths"][path]
            given = {row.name: row for row in parts}
            sources = {key: value.rpartition(".")[2] for key, value in link["parameters"].items()}
            asked = {row["name"] for row in _parameters(documents[name], item[method], "path")}
            if sources.keys() != asked or not given.keys() >= set(sources.values()):
                raise LinkError(
                    f"{operation['operationId']}: the link to {path} of {name} gives {dict(link['parameters'])}; "
                    f"expected {sorted(asked)}, out of {sorted(given)}"
                )
            passed = [replace(given[source], name=key) for key, source in sources.items()]
            yield replace(_call(documents[name], path, method, passed), judge="read")


def _answers(document: Mapping[str, Any], operation: Mapping[str, Any]) -> str:
    """Write what a document says of the answers of an operation, without its prose, as a script."""
    responses = {
        status: {
            "headers": dict(found(document, reference).get("headers", {})),
            "content": {
                kind: {"schema": _bare(media["schema"])}
                for kind, media in found(document, reference).get("content", {}).items()
            },
        }
        for status, reference in operation["responses"].items()
    }
    components: dict[str, dict[str, Any]] = {"headers": {}, "schemas": {}}
    open_references = list(_references(responses))
    while open_references:
        _, _, kind, name = open_references.pop().split("/")
        if name not in components[kind]:
            components[kind][name] = _bare(document["components"][kind][name])
            open_references += _references(components[kind][name])
    tables = {
        "responses": responses,
        **{kind: dict(sorted(rows.items())) for kind, rows in components.items()},
    }
    written = {name: _table(rows, 4 if name != "responses" else 2) for name, rows in tables.items()}
    return (
        f"const DOCUMENT = {{\n  responses: {written['responses']},\n"
        f"  components: {{\n    headers: {written['headers']},\n    schemas: {written['schemas']},\n  }},\n}};\n"
    )


def _table(rows: Mapping[str, Any], indent: int) -> str:
    space = " " * indent
    lines = [
        f"{space}  {json.dumps(name)}: {json.dumps(row, ensure_ascii=False)},\n" for name, row in rows.items()
    ]
    return f"{{\n{''.join(lines)}{space}}}"


def _bare(node: Any) -> Any:
    """Leave the prose out of a schema or a header."""
    if isinstance(node, list):
        return [_bare(item) for item in node]
    if not isinstance(node, Mapping):
        return node
    return {
        key: {name: _bare(part) for name, part in value.items()} if key == "properties" else _bare(value)
        for key, value in node.items()
        if key not in PROSE
    }


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)


def _script(name: str) -> str:
    return (SANDBOX / f"{name}.js").read_text(encoding="utf-8")


def _parameters(
    document: Mapping[str, Any], operation: Mapping[str, Any], place: str
) -> Iterator[Mapping[str, Any]]:
    for reference in operation["parameters"]:
        parameter = found(document, reference)
        if parameter["in"] == place:
            yield parameter


def _part(document: Mapping[str, Any], operation: Mapping[str, Any], parameter: Mapping[str, Any]) -> Part:
    name: str = parameter["name"]
    # Each operation has ids of its own; the project is one for all.
    kind = re.sub(r"([A-Z])", r"_\1", operation["operationId"].removeprefix("cancel")).strip("_").lower()
    variable = name if name == "project_id" else f"{kind}_id"
    example = next(iter(parameter["examples"].values()))["value"]
    return Part(name, variable, found(document, parameter["schema"])["pattern"], example)
