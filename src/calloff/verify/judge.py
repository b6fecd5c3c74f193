"""Hold one answer against the document of its operation: one rule per requirement on the form of an answer."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring
from jsonschema import Draft202012Validator

from calloff.apis import APIS
from calloff.contract import read_yaml
from calloff.verify.leaks import INJECTED_HEADER, internals_in, secrets_in
from calloff.verify.outcome import Exchange, cut

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jsonschema import ValidationError

    from calloff.apis import Api, ApiName, Operation
    from calloff.verify.wire import Request, Response

GATEWAY_CODE = re.compile(r"APIGW?\.\d{4}")
_CHARSET = re.compile(r""";\s*charset\s*=\s*"?([^\s";]+)""", re.IGNORECASE)
_CI_MEMBERS = ("Code", "Message", "RequestId", "TraceId")


class Document:
    """One OpenAPI document, indexed for judging answers."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.content: Mapping[str, Any] = read_yaml(api.document)
        self._responses: dict[str, Mapping[int, Any]] = {}
        self._validators: dict[tuple[str, int, str], Draft202012Validator | None] = {}

    def resolve(self, node: Any) -> Any:
        """Follow a reference inside the document."""
        while isinstance(node, dict) and "$ref" in node:
            target: Any = self.content
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def responses(self, operation: Operation) -> Mapping[int, Any]:
        """Return the documented answers of *operation* by status."""
        if operation.name not in self._responses:
            node = self.content["paths"][operation.path][operation.method.lower()]["responses"]
            self._responses[operation.name] = {int(key): self.resolve(value) for key, value in node.items()}
        return self._responses[operation.name]

    def validator(self, operation: Operation, status: int, media_type: str) -> Draft202012Validator | None:
        """Return the validator of one documented body, or None where none is documented."""
        key = (operation.name, status, media_type)
        if key not in self._validators:
            content = self.responses(operation).get(status, {}).get("content", {}).get(media_type)
            self._validators[key] = content and Draft202012Validator(
                {**content["schema"], "components": self.content["components"]}
            )
        return self._validators[key]

    @cached_property
    def error_statuses(self) -> Mapping[str, frozenset[int]]:
        """Return the statuses that the vendor's tables give to each error code."""
        statuses: dict[str, set[int]] = defaultdict(set)
        for table in self.content["x-error-codes"]:
            for row in table["codes"]:
                statuses[row["code"]].add(row["status"])
        return {code: frozenset(numbers) for code, numbers in statuses.items()}


@cache
def document_of(api_name: ApiName) -> Document:
    """Return the document of one API, read once: a run opens it more than once, and reading takes long."""
    return Document(APIS[api_name])


@dataclass(frozen=True)
class Answer:
    """One answer with what it says, parsed once."""

    document: Document
    operation: Operation
    request: Request
    response: Response

    @property
    def is_ci(self) -> bool:
        """Tell whether the vendor's form is XML."""
        return self.operation.api == "tencent-ci"

    @property
    def family(self) -> str:
        """Name the family of requirements and silent points that the operation belongs to."""
        return "ci" if self.is_ci else "dli"

    @property
    def failed(self) -> bool:
        """Tell whether the status is an error's; CI's table has redirects among its errors."""
        return self.response.status >= (300 if self.is_ci else 400)

    @property
    def shows_body(self) -> bool:
        """Tell whether the answer may have a body: one to HEAD describes a body and leaves it out."""
        return self.request.method != "HEAD"

    @cached_property
    def json(self) -> Any:
        """Return the JSON body, or None where it is none."""
        try:
            return json.loads(self.response.body)
        except (ValueError, RecursionError):
            return None

    @cached_property
    def xml(self) -> tuple[str, dict[str, str]] | None:
        """Return the root's name and its leaves, or None where the body is no XML."""
        try:
            root = fromstring(self.response.body, forbid_dtd=True)
        except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError):
            return None
        return root.tag, {child.tag: child.text or "" for child in root if not len(child)}

    @property
    def error_code(self) -> str:
        """Return the vendor's error code, empty where there is none."""
        if self.is_ci:
            return self.xml[1].get("Code", "") if self.xml else ""
        code = self.json.get("error_code") if isinstance(self.json, dict) else None
        return code if isinstance(code, str) else ""

    @property
    def accepted(self) -> bool:
        """Tell whether the cancel was accepted: a 200 that does not itself say otherwise."""
        flag = self.json.get("is_success") if isinstance(self.json, dict) and not self.is_ci else None
        return self.response.status == 200 and flag is not False

    @property
    def exchange(self) -> Exchange:
        """Return the request and the answer as a report keeps them."""
        return Exchange(self.request, self.response)

    @property
    def summary(self) -> str:
        """Say in a few words what came."""
        body = self.response.body.decode("utf-8", "replace")
        return f"{self.response.status} {cut(body)}".strip()


@dataclass(frozen=True, slots=True)
class Rule:
    """One requirement on the form of an answer.

    *concerns* tells whether the rule has anything to say about an answer, *broken* returns what was expected and
    what came where it is broken.
    """

    requirement: str
    concerns: Callable[[Answer], bool]
    broken: Callable[[Answer], tuple[str, str] | None]


def _flaw(error: ValidationError) -> str:
    # Without what came, which may be long and differs from answer to answer.
    where = "/".join(map(str, error.path)) or "the body"
    return f"a body as documented: {where} of {error.validator} {cut(str(error.validator_value))}"


def _status_documented(answer: Answer) -> tuple[str, str] | None:
    known = answer.document.responses(answer.operation)
    if answer.response.status in known:
        return None
    return f"one of the documented statuses {', '.join(map(str, sorted(known)))}", answer.summary


def _no_server_fault(answer: Answer) -> tuple[str, str] | None:
    # 501 is how the CI table refuses what it has not implemented, another method among it.
    if answer.response.status < 500 or answer.response.status == 501:
        return None
    return "no 5xx but 501", answer.summary


def _text_decodes(answer: Answer) -> tuple[str, str] | None:
    wanted = "utf-8"
    if answer.response.media_type != "application/json":
        found = _CHARSET.search(answer.response.header("content-type") or "")
        wanted = found[1] if found else ""
    try:
        answer.response.body.decode(wanted or "latin-1")
    except (LookupError, UnicodeDecodeError):
        return (
            f"a body in {wanted}",
            f"Content-Type {answer.response.header('content-type')}, {answer.summary}",
        )
    return None


def _no_header_injection(answer: Answer) -> tuple[str, str] | None:
    value = answer.response.header(INJECTED_HEADER)
    return None if value is None else ("no header made of the job id", f"{INJECTED_HEADER}: {value}")


def _secrets_not_echoed(answer: Answer) -> tuple[str, str] | None:
    found = secrets_in(answer.request, answer.response)
    return ("an answer without it", f"{answer.response.status} that shows {found}") if found else None


def _no_internals_shown(answer: Answer) -> tuple[str, str] | None:
    return ("no stack trace", answer.summary) if internals_in(answer.response) else None


def _ci_request_id(answer: Answer) -> tuple[str, str] | None:
    value = answer.response.header("x-ci-request-id")
    return None if value else ("a non-empty x-ci-request-id", f"x-ci-request-id {value!r}")


def _ci_trace_id(answer: Answer) -> tuple[str, str] | None:
    value = answer.response.header("x-ci-trace-id")
    if answer.failed == bool(value):
        return None
    wanted = "x-ci-trace-id on a failure" if answer.failed else "no x-ci-trace-id on a success"
    return wanted, f"{answer.response.status} with x-ci-trace-id {value!r}"


def _ci_server(answer: Answer) -> tuple[str, str] | None:
    value = answer.response.header("server")
    return None if value == "tencent-ci" else ("Server: tencent-ci", f"Server: {value}")


def _ci_success_is_empty(answer: Answer) -> tuple[str, str] | None:
    length = answer.response.header("content-length")
    if length == "0" and not answer.response.body:
        return None
    return (
        "Content-Length 0 and no body",
        f"Content-Length {length}, body {cut(repr(answer.response.body), 100)}",
    )


def _ci_error_is_xml(answer: Answer) -> tuple[str, str] | None:
    if answer.response.media_type != "application/xml":
        return "Content-Type application/xml", f"Content-Type {answer.response.header('content-type')}"
    if answer.xml is None:
        return "well-formed XML", answer.summary
    root, members = answer.xml
    if root != "Error" or not all(members.get(name) for name in _CI_MEMBERS):
        return f"root Error with the texts {', '.join(_CI_MEMBERS)}", answer.summary
    validator = answer.document.validator(answer.operation, answer.response.status, "application/xml")
    if validator is not None and (error := next(validator.iter_errors(members), None)):
        return _flaw(error), answer.summary
    return None


def _ci_error_ids_agree(answer: Answer) -> tuple[str, str] | None:
    members = answer.xml[1] if answer.xml else {}
    for member, header in (("RequestId", "x-ci-request-id"), ("TraceId", "x-ci-trace-id")):
        if members.get(member) != answer.response.header(header):
            return (
                f"{member} equal to {header}",
                f"{members.get(member)} and {answer.response.header(header)}",
            )
    return None


def _code_has_its_status(answer: Answer) -> tuple[str, str] | None:
    statuses = answer.document.error_statuses.get(answer.error_code)
    if statuses is None or answer.response.status in statuses:
        return None
    wanted = " or ".join(map(str, sorted(statuses)))
    return f"{answer.error_code} with status {wanted}", answer.summary


def _dli_success_is_json(answer: Answer) -> tuple[str, str] | None:
    if not answer.response.body:
        return None
    if answer.response.media_type != "application/json":
        return "Content-Type application/json", f"Content-Type {answer.response.header('content-type')}"
    if not isinstance(answer.json, dict):
        return "a JSON object", answer.summary
    validator = answer.document.validator(answer.operation, 200, "application/json")
    if validator is not None and (error := next(validator.iter_errors(answer.json), None)):
        return _flaw(error), answer.summary
    return None


def _dli_error_is_json(answer: Answer) -> tuple[str, str] | None:
    if answer.response.media_type != "application/json":
        return "Content-Type application/json", f"Content-Type {answer.response.header('content-type')}"
    body = answer.json
    if not isinstance(body, dict) or not all(
        isinstance(body.get(name), str) for name in ("error_code", "error_msg")
    ):
        return "a JSON object with the texts error_code and error_msg", answer.summary
    return None


def _dli_gateway_request_id(answer: Answer) -> tuple[str, str] | None:
    value = answer.json.get("request_id")
    if isinstance(value, str) and re.fullmatch("[0-9a-fA-F]{32}", value):
        return None
    return "request_id of 32 hexadecimal digits", answer.summary


def _dli_body_agrees(answer: Answer) -> tuple[str, str] | None:
    body = answer.json
    if answer.failed and (body.get("is_success") is True or body.get("msg") == "deleted"):
        return "an error that reports no success", answer.summary
    if answer.accepted and body.get("error_code"):
        return "a success without error_code", answer.summary
    return None


def _dli_batch_deleted(answer: Answer) -> tuple[str, str] | None:
    value = answer.json["msg"]
    return None if value == "deleted" else ('msg "deleted"', answer.summary)


RULES: tuple[Rule, ...] = (
    Rule("status-documented", lambda _: True, _status_documented),
    Rule("no-server-fault", lambda _: True, _no_server_fault),
    Rule("answer-text-decodes", lambda a: bool(a.response.body), _text_decodes),
    Rule("no-header-injection", lambda a: INJECTED_HEADER in a.request.target.lower(), _no_header_injection),
    Rule("secrets-not-echoed", lambda _: True, _secrets_not_echoed),
    Rule("no-internals-shown", lambda _: True, _no_internals_shown),
    Rule("ci-request-id", lambda _: True, _ci_request_id),
    Rule("ci-trace-id-on-failure", lambda _: True, _ci_trace_id),
    Rule("ci-server-header", lambda _: True, _ci_server),
    # A GET of the same path is the vendor's own way to ask for the job, which it then describes.
    Rule(
        "ci-success-is-empty",
        lambda a: a.response.status == 200 and a.request.method not in {"GET", "HEAD"},
        _ci_success_is_empty,
    ),
    Rule("ci-error-is-xml", lambda a: a.failed and a.shows_body, _ci_error_is_xml),
    Rule("ci-error-ids-agree", lambda a: a.failed and a.xml is not None, _ci_error_ids_agree),
    Rule("ci-error-code-has-its-status", lambda a: a.failed and bool(a.error_code), _code_has_its_status),
    Rule("dli-success-is-json", lambda a: a.response.status == 200, _dli_success_is_json),
    Rule(
        "dli-batch-deleted",
        lambda a: a.accepted and isinstance(a.json, dict) and "msg" in a.json,
        _dli_batch_deleted,
    ),
    Rule("dli-body-agrees-with-status", lambda a: isinstance(a.json, dict), _dli_body_agrees),
    Rule("dli-error-is-json", lambda a: a.failed and a.shows_body, _dli_error_is_json),
    Rule("dli-error-code-has-its-status", lambda a: a.failed and bool(a.error_code), _code_has_its_status),
    Rule(
        "dli-gateway-request-id",
        lambda a: a.failed and bool(GATEWAY_CODE.fullmatch(a.error_code)),
        _dli_gateway_request_id,
    ),
)
