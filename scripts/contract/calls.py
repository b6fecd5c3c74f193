"""The cancels as a tool for people sends them: what the documents say, as variables and scripts of a collection."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SANDBOX = Path(__file__).parent / "sandbox"
# What an API wants with every request: what stands for it, and what a tool writes by itself.
ALWAYS = {"Content-Type": "application/json"}
BY_THE_TOOL = frozenset({"Host", "Content-Length"})


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
    """One operation of a document."""

    name: str
    summary: str
    description: str
    method: str
    path: str
    query: str
    parts: tuple[Part, ...]
    headers: Mapping[str, str]

    @property
    def url_path(self) -> str:
        """Give the path with variables of a collection in it."""
        path = self.path
        for part in self.parts:
            path = path.replace(f"{{{part.name}}}", f"{{{{{part.variable}}}}}")
        return path


def calls(document: Mapping[str, Any]) -> list[Call]:
    """List the operations of a document of the contract."""
    return [
        Call(
            operation["operationId"],
            operation["summary"],
            operation["description"],
            method.upper(),
            path,
            "&".join(parameter["name"] for parameter in _parameters(document, operation, "query")),
            tuple(_part(document, operation, row) for row in _parameters(document, operation, "path")),
            {
                header["name"]: ALWAYS[header["name"]]
                for header in document["x-companion-headers"]
                if header["required"] == "always" and header["name"] not in BY_THE_TOOL
            },
        )
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def variables(api: str, document: Mapping[str, Any]) -> dict[str, str]:
    """Give the variables of a collection with what they hold at first: names that nobody has, no credentials."""
    server = document["servers"][0]
    address = server["url"].format(**{name: row["default"] for name, row in server["variables"].items()})
    ids = {part.variable: part.example for call in calls(document) for part in call.parts}
    return {"base_url": address, **ids, **dict.fromkeys(APIS[api].credentials, "")}


def request_script(tool: str, api: str, call: Call) -> str:
    """Write the script that runs before a request: it checks the variables and signs."""
    parts = [[f"{{{part.name}}}", part.variable, part.pattern] for part in call.parts]
    constants = (
        f"const METHOD = '{call.method}';\nconst PATH = '{call.path}';\nconst PARTS = {json.dumps(parts)};\n"
    )
    return constants + "\n".join(_script(name) for name in (f"{tool}-request", "request", APIS[api].signer))


def answer_script(tool: str, api: str) -> str:
    """Write the script that judges an answer."""
    return "\n".join(_script(name) for name in (f"{tool}-answer", APIS[api].reader, "answer"))


def _script(name: str) -> str:
    return (SANDBOX / f"{name}.js").read_text(encoding="utf-8")


def _parameters(
    document: Mapping[str, Any], operation: Mapping[str, Any], place: str
) -> Iterator[Mapping[str, Any]]:
    for reference in operation["parameters"]:
        parameter = _found(document, reference)
        if parameter["in"] == place:
            yield parameter


def _part(document: Mapping[str, Any], operation: Mapping[str, Any], parameter: Mapping[str, Any]) -> Part:
    name: str = parameter["name"]
    # Each operation has ids of its own; the project is one for all.
    kind = re.sub(r"([A-Z])", r"_\1", operation["operationId"].removeprefix("cancel")).strip("_").lower()
    variable = name if name == "project_id" else f"{kind}_id"
    example = next(iter(parameter["examples"].values()))["value"]
    return Part(name, variable, _found(document, parameter["schema"])["pattern"], example)


def _found(document: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference, which stays inside its document."""
    if "$ref" not in node:
        return node
    found: Any = document
    for key in node["$ref"].removeprefix("#/").split("/"):
        found = found[key]
    return found  # type: ignore[no-any-return]
