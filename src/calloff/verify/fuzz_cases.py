"""Let schemathesis write requests from a document, and judge answers by it: the same requests for one seed."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import schemathesis
from defusedxml.ElementTree import fromstring
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as with_seed
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response as FuzzedResponse

from calloff.apis import OPERATIONS
from calloff.verify.fuzz_source import Flaw, FuzzCase
from calloff.verify.judge import document_of
from calloff.verify.wire import Request

if TYPE_CHECKING:
    from calloff.apis import ApiName
    from calloff.verify.fuzz_source import Batch
    from calloff.verify.wire import Response

# By name, since minor releases of schemathesis add checks that are on unless listed.
CHECK_NAMES = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
# What judges a body, which the vendor may leave out of a 200.
_OF_A_BODY = frozenset({"content_type_conformance", "response_schema_conformance"})

_CONFIG = {
    "generation": {"with-security-parameters": False, "database": "none"},
    "cache": {"enabled": False},
    "analysis": {"constants": {"enabled": False}},
}

_OF_A_REQUEST = frozenset({"method", "url", "headers", "params", "cookies", "data", "json", "files"})
# Where schemathesis is told that the server is; the request is sent elsewhere.
_NOWHERE = "http://schemathesis.invalid"


@schemathesis.deserializer("application/xml", "text/xml")
def _xml(_context: object, response: Any) -> Any:
    """Read the leaves of an error body; schemathesis validates no XML unless told how to read it."""
    root = fromstring(response.content, forbid_dtd=True)
    if root.tag != "Error":
        msg = f"expected root Error, got {root.tag}"
        raise ValueError(msg)
    return {child.tag: child.text or "" for child in root}


@dataclass(frozen=True, slots=True)
class _Written:
    """One request, and what schemathesis judges its answer by."""

    public: FuzzCase
    case: Any
    prepared: requests.PreparedRequest


def written(batch: Batch) -> tuple[FuzzCase, ...]:
    """Return the requests of *batch*."""
    return tuple(one.public for one in _written(batch))


def flaws(case: FuzzCase, response: Response, *, body_may_be_absent: bool) -> list[Flaw]:
    """Return what schemathesis finds wrong with *response* as the answer to *case*."""
    one = _written(case.batch)[case.number]
    headers: dict[str, list[str]] = {}
    for name, value in response.headers:
        headers.setdefault(name, []).append(value)
    got = FuzzedResponse(
        status_code=response.status,
        headers=headers,
        content=response.body,
        request=one.prepared,
        elapsed=0.0,
        verify=True,
    )
    absent = body_may_be_absent and response.status == 200 and not response.body
    found = []
    for name in CHECK_NAMES:
        if absent and name in _OF_A_BODY:
            continue
        try:
            one.case.validate_response(got, checks=_check(name))
        except FailureGroup as group:
            found += [_flaw(name, failure, response) for failure in group.exceptions]
    return found


def prepare() -> None:
    """Load what judging needs."""
    for name in CHECK_NAMES:
        _check(name)


def _flaw(check: str, failure: Any, response: Response) -> Flaw:
    received = str(getattr(failure, "message", failure)).strip()
    if check == "response_schema_conformance":
        # The message shows the whole body too.
        return Flaw(check, str(getattr(failure, "validation_message", received)), received)
    # The message about the value of a header leaves its name out.
    value = str(getattr(failure, "instance", ""))
    named = [name for name, held in response.headers if held == value]
    return Flaw(check, " ".join([received, *named]), received)


@cache
def _check(name: str) -> list[Any]:
    load_all_checks()
    return list(CHECKS.get_by_names([name]))


@cache
def _schema(api: ApiName) -> Any:
    document = deepcopy(document_of(api).content)
    schema = schemathesis.openapi.from_dict(dict(document), config=schemathesis.Config.from_dict(_CONFIG))
    schema.config.update(base_url=_NOWHERE)
    return schema


def _described(operation_key: str) -> Any:
    operation = OPERATIONS[operation_key]
    return _schema(operation.api)[operation.path][operation.method]


@cache
def _strategy(operation_key: str, mode: Any) -> Any:
    return _described(operation_key).as_strategy(generation_mode=mode)


@cache
def _written(batch: Batch) -> tuple[_Written, ...]:
    if batch.kind == "documented":
        operation = OPERATIONS[batch.operation_key]
        query = {operation.query: ""} if operation.query else {}
        parameters = dict.fromkeys(operation.patterns, "-")
        cases = [_described(batch.operation_key).Case(path_parameters=parameters, query=query)]
    else:
        cases = _generated(batch)
    return tuple(_as_sent(batch, number, case) for number, case in enumerate(cases))


def _generated(batch: Batch) -> list[Any]:
    modes = schemathesis.GenerationMode
    options = settings(
        max_examples=batch.count,
        database=None,
        deadline=None,
        verbosity=Verbosity.quiet,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    found: list[Any] = []

    @with_seed(batch.seed)
    @options
    @given(case=_strategy(batch.operation_key, modes.POSITIVE if batch.kind == "valid" else modes.NEGATIVE))
    def write(case: Any) -> None:
        found.append(case)

    write()
    return found


def _as_sent(batch: Batch, number: int, case: Any) -> _Written:
    kwargs = case.as_transport_kwargs(headers={})
    prepared = requests.Request(**{k: v for k, v in kwargs.items() if k in _OF_A_REQUEST}).prepare()
    request = request_of(prepared)
    public = FuzzCase(
        batch,
        number,
        {name: str(value) for name, value in case.path_parameters.items()},
        request.target.partition("?")[2],
        tuple((name, value) for name, value in request.headers if name.lower() not in {"host", "user-agent"}),
        request.body,
    )
    return _Written(public, case, prepared)


def request_of(prepared: requests.PreparedRequest) -> Request:
    """Return what *prepared* puts on the wire."""
    headers = {str(key): _text(value) for key, value in prepared.headers.items()}
    headers.setdefault("Host", urlsplit(prepared.url or "").netloc)
    body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
    return Request(
        prepared.method or "",
        prepared.path_url,
        tuple(headers.items()),
        body if isinstance(body, bytes) else b"",
    )


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
