"""The ways to write a request, and the kinds of job it can name, as tables."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from calloff.verify.wire import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from calloff.apis import Operation


@dataclass(frozen=True, slots=True)
class JobStates:
    """The states of one kind of job: what a cancel must do in each, and what it leads to."""

    cancellable: tuple[str, ...]
    final: tuple[str, ...]
    silent: tuple[str, ...]
    cancelled: str
    second_cancel_is_silent: bool = False


_CI_FINAL = ("Success", "Failed")
_SQL = JobStates(("LAUNCHING", "RUNNING"), ("FINISHED", "FAILED"), ("SCALING",), "CANCELLED")

JOB_STATES: Mapping[str, JobStates] = {
    "tencent-ci/cancelInventoryTriggerJob": JobStates(
        ("Submitted",), _CI_FINAL, ("Running", "Pause"), "Cancel", second_cancel_is_silent=True
    ),
    # "Only pending jobs can be canceled": a running one counts as ended here.
    "tencent-ci/cancelAiJob": JobStates(
        ("Submitted",), ("Running", *_CI_FINAL), ("Pause",), "Cancel", second_cancel_is_silent=True
    ),
    "otc-dli/cancelBatchJob": JobStates(
        ("starting", "running"), ("success", "dead"), ("recovering",), "dead"
    ),
    "otc-dli/cancelSqlJob": _SQL,
    "huaweicloud-dli/cancelSqlJob": _SQL,
}

FINAL_REQUIREMENT: Mapping[str, str] = {
    "tencent-ci/cancelInventoryTriggerJob": "ci-final-refused",
    "tencent-ci/cancelAiJob": "ci-ai-only-pending",
    "otc-dli/cancelBatchJob": "dli-final-refused",
    "otc-dli/cancelSqlJob": "dli-final-refused",
    "huaweicloud-dli/cancelSqlJob": "dli-final-refused",
}


def unknown_id(operation: Operation) -> str:
    """Make an id up that has the right form and was never given out."""
    if operation.api == "tencent-ci":
        return ("a" if operation.name == "cancelAiJob" else "b") + secrets.token_hex(16)
    return str(uuid.uuid4())


def malformed_ids(operation: Operation) -> Mapping[str, str]:
    """Return ids, by what is wrong with them, that break the documented pattern of *operation*."""
    ids = {
        "too long": "a" * 65,
        "with an underscore": unknown_id(operation)[:-1] + "_",
        "with a space": unknown_id(operation) + " ",
        "not ASCII": unknown_id(operation)[:-1] + "é",
        "with a NUL": unknown_id(operation)[:-1] + "\0",
    }
    return ids if operation.name != "cancelBatchJob" else ids | {"no UUID": "a" * 36}


def target_of(operation: Operation, parameters: Mapping[str, str], prefix: str = "") -> str:
    """Write the request target of *operation*, every parameter percent-encoded."""
    path = operation.path
    for name, value in parameters.items():
        path = path.replace("{" + name + "}", quote(value, safe=""))
    return prefix + path + (f"?{operation.query}" if operation.query else "")


def request_for(
    operation: Operation, parameters: Mapping[str, str], *, host: str, case: str, prefix: str = ""
) -> Request:
    """Write the documented request of *operation* without a credential."""
    headers = [("Host", host), ("User-Agent", f"calloff-verify case/{case}")]
    if operation.method == "PUT":
        headers.append(("Content-Length", "0"))
    if operation.api == "huaweicloud-dli":
        headers.append(("Content-Type", "application/json"))
    return Request(operation.method, target_of(operation, parameters, prefix), tuple(headers))


@dataclass(frozen=True, slots=True)
class Shape:
    """One way to write the request.

    *expects* is ``accept``, ``refuse`` (4xx and nothing cancelled), ``harmless`` (nothing cancelled, whatever the
    answer) or ``either`` (the vendor is silent). *statuses* and *code_ends* narrow a
    refusal, *point* is the silent point that the answer shows. *live* tells whether the shape may be sent about a
    real job: the worst that a server can make of it is the documented cancel of that very job.
    """

    name: str
    apis: tuple[str, ...]
    requirement: str
    expects: str
    change: Callable[[Request], Request]
    statuses: tuple[int, ...] = ()
    code_ends: str = ""
    point: str = ""
    live: bool = False


def _retarget(change: Callable[[str], str]) -> Callable[[Request], Request]:
    return lambda request: replace(request, target=change(request.target))


def _path(change: Callable[[str], str]) -> Callable[[Request], Request]:
    def retarget(target: str) -> str:
        path, mark, query = target.partition("?")
        return change(path) + mark + query

    return _retarget(retarget)


def _method(name: str) -> Callable[[Request], Request]:
    def change(request: Request) -> Request:
        length = (
            () if request.header("Content-Length") or name in {"GET", "HEAD"} else (("Content-Length", "0"),)
        )
        return replace(request, method=name, headers=(*request.headers, *length))

    return change


def _header(name: str, value: str | None) -> Callable[[Request], Request]:
    def change(request: Request) -> Request:
        kept = tuple((key, old) for key, old in request.headers if key.lower() != name.lower())
        return replace(request, headers=kept if value is None else (*kept, (name, value)))

    return change


_CI = ("tencent-ci",)
_DLI = ("otc-dli", "huaweicloud-dli")
_ALL = (*_CI, *_DLI)

CANONICAL = Shape("as documented", _ALL, "cancel-accepted", "accept", lambda request: request, live=True)

SHAPES: tuple[Shape, ...] = (
    Shape(
        "bare cancel",
        _CI,
        "ci-cancel-bare",
        "accept",
        _retarget(lambda t: t.partition("?")[0] + "?cancel"),
        live=True,
    ),
    Shape(
        "cancel with an equals sign",
        _CI,
        "ci-cancel-empty-value",
        "accept",
        _retarget(lambda t: t.partition("?")[0] + "?cancel="),
        live=True,
    ),
    Shape(
        "without cancel",
        _CI,
        "ci-cancel-only-with-parameter",
        "harmless",
        _retarget(lambda t: t.partition("?")[0]),
        point="ci-without-cancel",
    ),
    Shape(
        "another parameter instead of cancel",
        _CI,
        "ci-cancel-only-with-parameter",
        "harmless",
        _retarget(lambda t: t.partition("?")[0] + "?cancelled"),
    ),
    Shape(
        "cancel with a value",
        _CI,
        "status-documented",
        "either",
        _retarget(lambda t: t.partition("?")[0] + "?cancel=1"),
        point="ci-valued-cancel",
        live=True,
    ),
    Shape(
        "without Content-Length",
        _CI,
        "status-documented",
        "either",
        _header("Content-Length", None),
        point="ci-content-length",
        live=True,
    ),
    *(
        Shape(f"method {name}", _ALL, "other-method-cancels-nothing", "harmless", _method(name))
        for name in ("GET", "POST", "PATCH")
    ),
    Shape(
        "method DELETE",
        _CI,
        "other-method-cancels-nothing",
        "harmless",
        _method("DELETE"),
        point="ci-wrong-method",
    ),
    Shape("method PUT", _DLI, "dli-unknown-path", "refuse", _method("PUT"), (404,), "0101"),
    Shape("trailing slash", _DLI, "dli-unknown-path", "refuse", _path(lambda p: p + "/"), (404,), "0101"),
    Shape(
        "another version of the path",
        _DLI,
        "dli-unknown-path",
        "refuse",
        _path(lambda p: p.replace("/v1.0/", "/v9.0/").replace("/v2.0/", "/v9.0/")),
        (404,),
        "0101",
    ),
    Shape("id lacking its last letter", _ALL, "id-matched-whole", "harmless", _path(lambda p: p[:-1])),
    Shape("id with one letter more", _ALL, "id-matched-whole", "harmless", _path(lambda p: p + "0")),
    Shape(
        "id followed by an encoded slash", _ALL, "id-matched-whole", "harmless", _path(lambda p: p + "%2F")
    ),
    Shape(
        "id lacking its first letter",
        _ALL,
        "id-matched-whole",
        "harmless",
        _path(lambda p: p.rpartition("/")[0] + "/" + p.rpartition("/")[2][1:]),
    ),
    Shape(
        "Content-Type with an empty body",
        _DLI,
        "dli-empty-body-with-content-type",
        "accept",
        _header("Content-Type", "application/json"),
        live=True,
    ),
    Shape(
        "without Content-Type",
        ("huaweicloud-dli",),
        "status-documented",
        "either",
        _header("Content-Type", None),
        point="dli-content-type-absent",
        live=True,
    ),
)
