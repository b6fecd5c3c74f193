"""Check the OpenAPI documents against the rules of `spec/README.md`.

Usage: `python scripts/check_spec.py [DOCUMENT ...]`; without arguments every `spec/*.openapi.yaml`. Prints
one line per finding, `file: pointer: message`, and exits with 1 if there is any. General style is the
business of the linters; the rules here are those no stock linter knows.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

SPEC = Path(__file__).resolve().parents[1] / "spec"

METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
STATUSES = frozenset({"documented", "sdk", "observed", "inferred"})
OWN_SOURCE = "CALLOFF"

# Keywords whose value is data, not description: nothing in there is a keyword.
LITERALS = frozenset({"const", "default", "enum", "example", "value", "x-known-values"})
# Keywords whose value maps free names to objects: the keys in there are names, not keywords.
NAME_MAPS = frozenset(
    {
        "callbacks",
        "content",
        "examples",
        "headers",
        "links",
        "parameters",
        "pathItems",
        "paths",
        "properties",
        "requestBodies",
        "responses",
        "schemas",
        "securitySchemes",
        "variables",
    }
)

# Which operations each document must describe: operationId -> (method, path). Source: the five cancel pages
# of the vendors, their pages of the calls that read a job's state, the interface of provider states, and that
# of the mock's control.
OPERATIONS: dict[str, dict[str, tuple[str, str]]] = {
    "tencent-ci": {
        "cancelInventoryTriggerJob": ("put", "/inventorytriggerjob/{jobId}"),
        "cancelAiJob": ("put", "/ai_jobs/{jobId}"),
    },
    "otc-dli": {
        "cancelBatchJob": ("delete", "/v2.0/{project_id}/batches/{batch_id}"),
        "cancelSqlJob": ("delete", "/v1.0/{project_id}/jobs/{job_id}"),
    },
    "huaweicloud-dli": {"cancelSqlJob": ("delete", "/v1.0/{project_id}/jobs/{job_id}")},
    "tencent-ci-status": {
        "describeInventoryTriggerJob": ("get", "/inventorytriggerjob/{jobId}"),
        "describeAiJob": ("get", "/ai_jobs/{jobId}"),
    },
    "otc-dli-status": {
        "getBatchJobState": ("get", "/v2.0/{project_id}/batches/{batch_id}/state"),
        "getSqlJobStatus": ("get", "/v1.0/{project_id}/jobs/{job_id}/status"),
    },
    "huaweicloud-dli-status": {"getSqlJobStatus": ("get", "/v1.0/{project_id}/jobs/{job_id}/status")},
    "provider-states": {
        "getAbilities": ("get", "/provider-states"),
        "createJob": ("post", "/provider-states/jobs"),
        "getJobState": ("get", "/provider-states/jobs/{api}/{operation}/{job_id}"),
        "createCredentials": ("post", "/provider-states/credentials"),
        "forgetEverything": ("delete", "/provider-states"),
    },
    "mock-control": {
        "listKinds": ("get", "/control"),
        "resetServer": ("delete", "/control"),
        "listDisturbances": ("get", "/control/disturbances"),
        "addDisturbance": ("post", "/control/disturbances"),
        "clearDisturbances": ("delete", "/control/disturbances"),
        "removeDisturbance": ("delete", "/control/disturbances/{id}"),
        "listJobs": ("get", "/control/jobs"),
        "listRequests": ("get", "/control/journal"),
        "clearJournal": ("delete", "/control/journal"),
        "getHealth": ("get", "/healthz"),
    },
}

# Extensions that list facts, each row with a source of its own.
FACT_LISTS = frozenset({"x-companion-headers", "x-error-codes", "x-job-states", "x-permissions"})
# How a companion header may be required.
NEEDS = frozenset({"always", "conditional", "optional", "never"})

# The members of an error body that hold its code, by the schema an error-code table names.
CODE_MEMBERS = {"CiError": "Code", "DliError": "error_code", "GatewayError": "error_code"}

Json = dict[str, Any]
Place = tuple[str | int, ...]
Nodes = Iterator[tuple[Place, Json, bool]]


class Finding(NamedTuple):
    """One broken rule: where in the document, and what is wrong."""

    pointer: str
    message: str


def pointer(*parts: str | int) -> str:
    """Join *parts* to a JSON pointer with a leading `#`."""
    return "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


@dataclass(frozen=True)
class Context:
    """What documents are checked against.

    *keys* are the registered `x-` keys, *sources* the source keys, *anchors* the places inside this project
    that a conclusion of ours may name (`silent-points.yaml#id`, `SOURCES.md#id`).
    """

    keys: frozenset[str]
    sources: frozenset[str]
    anchors: frozenset[str]

    @classmethod
    def read(cls, folder: Path) -> Context:
        """Read the registry, the sources, and the silent points beside the documents in *folder*."""
        readme = (folder / "README.md").read_text(encoding="utf-8")
        sources = (folder / "SOURCES.md").read_text(encoding="utf-8")
        silent = yaml.safe_load((folder / "silent-points.yaml").read_text(encoding="utf-8"))
        anchors = [f"silent-points.yaml#{point['id']}" for point in silent["silent_points"]]
        anchors += [f"SOURCES.md#{row}" for row in re.findall(r"^\| ([A-Z][0-9]+) \|", sources, re.MULTILINE)]
        return cls(
            keys=frozenset(re.findall(r"^\| `(x-[a-z-]+)` \|", readme, re.MULTILINE)),
            sources=frozenset(re.findall(r"^\| `([A-Z0-9][A-Z0-9-]*)` \|", sources, re.MULTILINE)),
            anchors=frozenset(anchors),
        )


class Example(NamedTuple):
    """One example: where it stands, where its schema stands, and its value."""

    place: Place
    schema: Place
    value: Any


@dataclass
class Document:
    """One OpenAPI document, parsed. *name* is its file name without `.openapi.yaml`."""

    name: str
    data: Json
    _registry: Registry[Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        registry: Registry[Any] = Registry()
        self._registry = registry.with_resource("urn:document", DRAFT202012.create_resource(self.data))

    @classmethod
    def read(cls, path: Path) -> Document:
        """Read the document at *path*."""
        return cls(path.name.removesuffix(".openapi.yaml"), yaml.safe_load(path.read_text(encoding="utf-8")))

    def resolve(self, node: Json) -> Json:
        """Follow the `$ref` of *node*, if it has one; an unresolvable one gives an empty object."""
        if "$ref" not in node:
            return node
        try:
            found = self._registry.resolver("urn:document").lookup(node["$ref"]).contents
        except Unresolvable:
            return {}
        return found if isinstance(found, dict) else {}

    def mismatches(self, example: Example) -> Iterator[str]:
        """Say where *example* differs from its schema."""
        schema = {"$ref": "urn:document" + pointer(*example.schema)}
        validator = Draft202012Validator(schema, registry=self._registry)
        for error in validator.iter_errors(example.value):
            yield f"example does not match its schema at {pointer(*error.absolute_path)}: {error.message}"

    @cached_property
    def nodes(self) -> list[tuple[Place, Json, bool]]:
        """Every object outside literals: its place, itself, and whether its keys are free names."""
        return list(_nodes((), self.data, is_map=False))

    @cached_property
    def operations(self) -> list[tuple[Place, Json]]:
        """Every operation with its place, in document order."""
        return [
            (("paths", path, method), operation)
            for path, item in self.data.get("paths", {}).items()
            for method, operation in item.items()
            if method in METHODS
        ]

    def responses(self, *, kinds: str = "2345") -> Iterator[tuple[str, Place, Json]]:
        """Give status, place and resolved object of every response whose first digit is in *kinds*."""
        for place, operation in self.operations:
            for status, response in operation.get("responses", {}).items():
                if str(status)[0] in kinds:
                    yield str(status), (*place, "responses", status), self.resolve(response)

    def parameters(self) -> Iterator[tuple[Place, Json]]:
        """Give place and resolved object of every parameter of every operation and path."""
        holders = [*self.operations]
        holders += [(("paths", path), item) for path, item in self.data.get("paths", {}).items()]
        for place, holder in holders:
            for index, parameter in enumerate(holder.get("parameters", [])):
                yield (*place, "parameters", index), self.resolve(parameter)

    def examples(self) -> Iterator[Example]:
        """Give every example that has a schema to be held against."""
        for place, node, is_map in self.nodes:
            if is_map:
                continue
            given = node.get("examples", {})
            if "schema" in node:
                for name, holder in given.items():
                    yield Example((*place, "examples", name), (*place, "schema"), holder.get("value"))
                if "example" in node:
                    yield Example((*place, "example"), (*place, "schema"), node["example"])
            elif isinstance(given, list):
                for index, value in enumerate(given):
                    yield Example((*place, "examples", index), place, value)

    def components(self, *kinds: str) -> Iterator[tuple[Place, Json]]:
        """Give place and object of every component of the given *kinds*."""
        for kind in kinds:
            for name, component in self.data.get("components", {}).get(kind, {}).items():
                yield ("components", kind, name), component


def _nodes(place: Place, node: Any, *, is_map: bool) -> Nodes:
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _nodes((*place, index), item, is_map=False)
    elif isinstance(node, dict):
        yield place, node, is_map
        for key, value in node.items():
            if is_map or key not in LITERALS:
                yield from _nodes((*place, key), value, is_map=not is_map and key in NAME_MAPS)


def valid_openapi(document: Document, _: Context) -> Iterator[Finding]:
    """Be a valid document of OpenAPI 3.1.1."""
    if document.data.get("openapi") != "3.1.1":
        yield Finding("#/openapi", f"expected version 3.1.1, found {document.data.get('openapi')}")
    numbers = [
        (place, key) for place, node, _map in document.nodes for key in node if not isinstance(key, str)
    ]
    for place, key in numbers:
        yield Finding(pointer(*place, key), f"key is not text, quote it: {key}")
    for error in [] if numbers else OpenAPIV31SpecValidator(document.data).iter_errors():
        yield Finding(pointer(*error.absolute_path), error.message.splitlines()[0])


def references_stay_inside(document: Document, _: Context) -> Iterator[Finding]:
    """Refer to nothing outside, so that one file is enough."""
    for place, node, is_map in document.nodes:
        if is_map or "$ref" not in node:
            continue
        if not str(node["$ref"]).startswith("#/"):
            yield Finding(pointer(*place), f"reference leaves the document: {node['$ref']}")
        elif not document.resolve(node):
            yield Finding(pointer(*place), f"reference leads nowhere: {node['$ref']}")


def nothing_beside_a_reference(document: Document, _: Context) -> Iterator[Finding]:
    """Put nothing beside `$ref`: tools disagree about what it means."""
    for place, node, is_map in document.nodes:
        if not is_map and "$ref" in node and len(node) > 1:
            beside = ", ".join(sorted(set(node) - {"$ref"}))
            yield Finding(pointer(*place), f"beside $ref stands: {beside}; move it into the component")


def examples_match(document: Document, _: Context) -> Iterator[Finding]:
    """Give only examples that match their schema."""
    for example in document.examples():
        for message in document.mismatches(example):
            yield Finding(pointer(*example.place), message)


def statuses_by_number(document: Document, _: Context) -> Iterator[Finding]:
    """List statuses by number, so that an undocumented one is noticed."""
    for place, operation in document.operations:
        for status in operation.get("responses", {}):
            if not re.fullmatch(r"[1-5][0-9]{2}", str(status)):
                yield Finding(
                    pointer(*place, "responses", status), "expected a number, no range and no default"
                )


def required_has_no_default(document: Document, _: Context) -> Iterator[Finding]:
    """Give a required parameter no default: validators would accept its absence."""
    for place, parameter in document.parameters():
        if parameter.get("required") and "default" in document.resolve(parameter.get("schema", {})):
            yield Finding(pointer(*place), f"required parameter {parameter.get('name')} has a default")


def path_parameters_are_bounded(document: Document, _: Context) -> Iterator[Finding]:
    """Bound every path parameter by lengths and an anchored pattern: it becomes part of a URL."""
    for place, parameter in document.parameters():
        if parameter.get("in") != "path":
            continue
        schema = document.resolve(parameter.get("schema", {}))
        missing = [key for key in ("pattern", "minLength", "maxLength") if key not in schema]
        if missing:
            yield Finding(pointer(*place), f"{parameter.get('name')} lacks {', '.join(missing)}")
        text = str(schema.get("pattern", "^$"))
        if not (text.startswith("^") and text.endswith("$")):
            yield Finding(pointer(*place), f"pattern is not anchored by ^ and $: {text}")


def bodies_have_named_examples(document: Document, _: Context) -> Iterator[Finding]:
    """Give every error a body, and every body a schema and a named example."""
    for status, place, response in document.responses():
        content = response.get("content", {})
        if not content and status[0] in "45":
            yield Finding(pointer(*place), f"status {status} has no body")
        for media_type, media in content.items():
            missing = [key for key in ("schema", "examples") if not media.get(key)]
            if missing:
                yield Finding(pointer(*place), f"{media_type} of status {status} lacks {', '.join(missing)}")


def ci_answers_name_their_request(document: Document, _: Context) -> Iterator[Finding]:
    """Have `x-ci-request-id`, required, on every answer of CI."""
    if not document.name.startswith("tencent-ci"):
        return
    for status, place, response in document.responses():
        header = document.resolve(response.get("headers", {}).get("x-ci-request-id", {}))
        if header.get("required") is not True:
            yield Finding(pointer(*place), f"status {status} lacks the required header x-ci-request-id")


def operation_ids_are_names(document: Document, _: Context) -> Iterator[Finding]:
    """Name every operation in lowerCamelCase, once."""
    seen: set[str] = set()
    for place, operation in document.operations:
        name = str(operation.get("operationId"))
        if not re.fullmatch(r"[a-z]+([A-Z][a-z]+)+", name):
            yield Finding(pointer(*place), f"operationId is not lowerCamelCase: {name}")
        if name in seen:
            yield Finding(pointer(*place), f"operationId stands twice: {name}")
        seen.add(name)


def summaries_are_phrases(document: Document, _: Context) -> Iterator[Finding]:
    """Summarise every operation in one line with a capital and a full stop; describe it too."""
    for place, operation in document.operations:
        summary = str(operation.get("summary", ""))
        if not re.fullmatch(r"[A-Z].{0,78}\.", summary):
            yield Finding(pointer(*place, "summary"), f"expected capital, phrase, full stop: {summary!r}")
        if not str(operation.get("description", "")).strip():
            yield Finding(pointer(*place), "operation has no description")


def one_declared_tag(document: Document, _: Context) -> Iterator[Finding]:
    """Give every operation exactly one tag, and declare it."""
    declared = {tag["name"] for tag in document.data.get("tags", [])}
    for place, operation in document.operations:
        tags = operation.get("tags", [])
        if len(tags) != 1 or not declared.issuperset(tags):
            yield Finding(pointer(*place, "tags"), f"expected exactly one declared tag, found {tags}")


def extensions_are_registered(document: Document, context: Context) -> Iterator[Finding]:
    """Use only `x-` keys that the registry in README.md explains."""
    for place, node, is_map in document.nodes:
        for key in () if is_map else node:
            if str(key).startswith("x-") and key not in context.keys:
                yield Finding(pointer(*place, key), f"{key} is not in the registry of README.md")


def facts_have_provenance(document: Document, _: Context) -> Iterator[Finding]:
    """Say where every fact comes from.

    Facts are operations, servers, parameters, headers, responses, schemas, schemes, and the rows of the `x-` lists.
    """
    facts: list[tuple[Place, Json]] = [*document.operations]
    facts += document.components("parameters", "headers", "responses", "schemas", "securitySchemes")
    facts += [(("servers", index), server) for index, server in enumerate(document.data.get("servers", []))]
    facts += [(place, parameter) for place, parameter in document.parameters() if parameter]
    for place, node, is_map in document.nodes:
        for key in () if is_map else sorted(FACT_LISTS & node.keys()):
            facts += [((*place, key, index), row) for index, row in enumerate(node[key])]
    for place, fact in facts:
        if not fact.get("x-provenance"):
            yield Finding(pointer(*place), "lacks x-provenance")


def provenance_is_complete(document: Document, context: Context) -> Iterator[Finding]:
    """Name a known source, a place in it, the day it was read and how sure it is; explain an inference."""
    for place, node, is_map in document.nodes:
        for index, entry in enumerate([] if is_map else node.get("x-provenance", [])):
            where = pointer(*place, "x-provenance", index)
            for message in _provenance_faults(entry, context):
                yield Finding(where, message)


def _provenance_faults(entry: Json, context: Context) -> Iterator[str]:
    unknown = sorted(set(entry) - {"source", "locator", "read", "status", "note"})
    if unknown:
        yield f"unknown members: {', '.join(unknown)}"
    if entry.get("source") not in context.sources:
        yield f"source is not in SOURCES.md: {entry.get('source')}"
    if not entry.get("locator"):
        yield "locator is missing"
    day = entry.get("read")
    if not isinstance(day, str) or not re.fullmatch(r"[0-9]{4}-[01][0-9]-[0-3][0-9]", day):
        yield f"read is not a quoted date: {day!r}"
    if entry.get("status") not in STATUSES:
        yield f"status is none of {', '.join(sorted(STATUSES))}: {entry.get('status')}"
    if entry.get("status") == "inferred":
        if not entry.get("note"):
            yield "what is inferred needs a note"
        if entry.get("source") == OWN_SOURCE and entry.get("locator") not in context.anchors:
            yield f"expected a silent point or a row of SOURCES.md as locator: {entry.get('locator')}"


def components_are_pascal_case(document: Document, _: Context) -> Iterator[Finding]:
    """Name components in PascalCase, and no schema by a word that other languages have taken."""
    for kind in document.data.get("components", {}):
        for place, _component in document.components(kind):
            name = str(place[-1])
            if not re.fullmatch(r"([A-Z][a-z0-9]*)+", name):
                yield Finding(pointer(*place), f"name is not PascalCase: {name}")
            if kind == "schemas" and name in {"Error", "Response", "Request", "Object"}:
                yield Finding(pointer(*place), f"name clashes with a type of other languages: {name}")


def pages_are_covered(document: Document, _: Context) -> Iterator[Finding]:
    """Describe exactly the operations of the vendors' pages."""
    found = {str(op.get("operationId")): (str(place[2]), str(place[1])) for place, op in document.operations}
    wanted = OPERATIONS.get(document.name, found)
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            yield Finding("#/paths", f"{name}: expected {wanted.get(name)}, found {found.get(name)}")


def security_stands_at_the_root(document: Document, _: Context) -> Iterator[Finding]:
    """Put `security` at the root alone, over declared apiKey schemes that are all used."""
    if "security" not in document.data:
        yield Finding("#", "security is missing at the root")
    for place, operation in document.operations:
        if "security" in operation:
            yield Finding(pointer(*place, "security"), "security belongs to the root")
    used = {name for requirement in document.data.get("security", []) for name in requirement}
    schemes = {str(place[-1]): scheme for place, scheme in document.components("securitySchemes")}
    for name in sorted(used ^ schemes.keys()):
        yield Finding("#/security", f"scheme {name} is declared or used, but not both")
    for name, scheme in schemes.items():
        if scheme.get("type") != "apiKey":
            where = pointer("components", "securitySchemes", name)
            yield Finding(where, f"expected apiKey, found {scheme.get('type')}")


def error_codes_are_consistent(document: Document, _: Context) -> Iterator[Finding]:
    """List each error code once per status, under statuses that exist, and use no other in an example.

    An example that says of itself that it is inferred may use any code.
    """
    documented: dict[str, set[tuple[str, str]]] = {}
    statuses = [set(operation.get("responses", {})) for _place, operation in document.operations]
    for t, table in enumerate(document.data.get("x-error-codes", [])):
        pairs = documented.setdefault(str(table.get("schema")), set())
        for r, row in enumerate(table.get("codes", [])):
            where = pointer("x-error-codes", t, "codes", r)
            pair = (str(row.get("status")), str(row.get("code")))
            if pair in pairs or not row.get("meaning"):
                yield Finding(where, f"{pair[1]} with {pair[0]} stands twice or has no meaning")
            if any(pair[0] not in known for known in statuses):
                yield Finding(where, f"status {pair[0]} of {pair[1]} is not documented by every operation")
            pairs.add(pair)
        if table.get("schema") not in CODE_MEMBERS:
            yield Finding(pointer("x-error-codes", t), f"unknown schema: {table.get('schema')}")
    if documented:
        yield from _undocumented_codes(document, documented)


def _undocumented_codes(document: Document, documented: dict[str, set[tuple[str, str]]]) -> Iterator[Finding]:
    members = {CODE_MEMBERS[schema] for schema in documented if schema in CODE_MEMBERS}
    pairs = set().union(*documented.values())
    for status, place, response in document.responses(kinds="345"):
        for media in response.get("content", {}).values():
            for name, example in media.get("examples", {}).items():
                codes = {str(example["value"][member]) for member in members & example["value"].keys()}
                inferred = any(entry["status"] == "inferred" for entry in example.get("x-provenance", []))
                if not inferred and not {(status, code) for code in codes} & pairs:
                    yield Finding(pointer(*place), f"no table pairs the code of example {name} with {status}")


def responses_stay_open(document: Document, _: Context) -> Iterator[Finding]:
    """Close nothing that a server answers: no `enum`, no `additionalProperties: false`."""
    for _status, place, response in document.responses():
        for media in response.get("content", {}).values():
            for schema in _reachable(document, media.get("schema", {}), set()):
                for key, closed in (("enum", True), ("additionalProperties", False)):
                    if key in schema and (closed or schema[key] is False):
                        yield Finding(pointer(*place), f"{key} closes an answer; leave it open")


def _reachable(document: Document, schema: Json, seen: set[str]) -> Iterator[Json]:
    if "$ref" in schema:
        if schema["$ref"] in seen:
            return
        seen.add(schema["$ref"])
        schema = document.resolve(schema)
    yield schema
    parts: list[Any] = [*schema.get("properties", {}).values()]
    parts += [schema.get("items"), schema.get("additionalProperties")]
    for keyword in ("allOf", "anyOf", "oneOf"):
        parts += schema.get(keyword, [])
    for part in parts:
        if isinstance(part, dict):
            yield from _reachable(document, part, seen)


def job_states_make_sense(document: Document, _: Context) -> Iterator[Finding]:
    """Say of each job state whether it is final, may be cancelled, and is where a cancelled job ends."""
    for place, operation in document.operations:
        states = operation.get("x-job-states", [])
        for index, state in enumerate(states):
            where = pointer(*place, "x-job-states", index)
            flags = [state.get(key) for key in ("final", "cancellable", "cancelled")]
            if not state.get("meaning") or not all(isinstance(flag, bool) for flag in flags):
                yield Finding(where, "needs meaning, and final, cancellable and cancelled as true or false")
            elif (state["final"] and state["cancellable"]) or (state["cancelled"] and not state["final"]):
                yield Finding(where, "a final state is not cancellable, and the cancelled one is final")
        if states and sum(state.get("cancelled") is True for state in states) != 1:
            yield Finding(pointer(*place, "x-job-states"), "exactly one state is where a cancelled job ends")


def companions_say_when(document: Document, _: Context) -> Iterator[Finding]:
    """Name each companion header, describe it, and say when it is needed."""
    for place, node, is_map in document.nodes:
        for index, row in enumerate([] if is_map else node.get("x-companion-headers", [])):
            if not row.get("name") or not row.get("description") or row.get("required") not in NEEDS:
                where = pointer(*place, "x-companion-headers", index)
                yield Finding(
                    where, f"needs name, description, and required as one of {', '.join(sorted(NEEDS))}"
                )


Rule = Callable[[Document, Context], Iterator[Finding]]

RULES: tuple[Rule, ...] = (
    valid_openapi,
    references_stay_inside,
    nothing_beside_a_reference,
    examples_match,
    statuses_by_number,
    required_has_no_default,
    path_parameters_are_bounded,
    bodies_have_named_examples,
    ci_answers_name_their_request,
    operation_ids_are_names,
    summaries_are_phrases,
    one_declared_tag,
    extensions_are_registered,
    facts_have_provenance,
    provenance_is_complete,
    components_are_pascal_case,
    pages_are_covered,
    security_stands_at_the_root,
    error_codes_are_consistent,
    responses_stay_open,
    job_states_make_sense,
    companions_say_when,
)


def check(document: Document, context: Context) -> list[Finding]:
    """Give every finding of every rule about *document*, each once."""
    return list(dict.fromkeys(finding for rule in RULES for finding in rule(document, context)))


def unused_entries(documents: Iterable[Document], context: Context) -> Iterator[str]:
    """Name the registered `x-` keys that no document uses."""
    used = {key for document in documents for _, node, is_map in document.nodes if not is_map for key in node}
    for key in sorted(context.keys - used):
        yield f"README.md: {key}: registered, but no document uses it"


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the documents named in *arguments*, or all, and print what is wrong."""
    named = [Path(argument) for argument in (sys.argv[1:] if arguments is None else arguments)]
    paths = named or sorted(SPEC.glob("*.openapi.yaml"))
    context = Context.read(SPEC)
    documents = {path: Document.read(path) for path in paths}
    lines = [
        f"{path.name}: {finding.pointer}: {finding.message}"
        for path, document in documents.items()
        for finding in check(document, context)
    ]
    if not named:
        lines += unused_entries(documents.values(), context)
        missing = OPERATIONS.keys() - {document.name for document in documents.values()}
        lines += [f"{name}.openapi.yaml: #: missing" for name in sorted(missing)]
    print("\n".join(lines) if lines else f"{len(documents)} documents, {len(RULES)} rules, nothing to say")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
