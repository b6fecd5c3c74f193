"""The ways to write a request, and the kinds of job it can name, as tables."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import quote

from calloff.verify.leaks import INJECTED_HEADER
from calloff.verify.wire import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from calloff.apis import Operation, StatusCall


@dataclass(frozen=True, slots=True)
class JobStates:
    """The states of one kind of job: what a cancel must do in each, what it leads to, and how a job ends well."""

    cancellable: tuple[str, ...]
    final: tuple[str, ...]
    silent: tuple[str, ...]
    cancelled: str
    ended_well: str
    second_cancel_is_silent: bool = False


_CI_FINAL = ("Success", "Failed")
_SQL = JobStates(("LAUNCHING", "RUNNING"), ("FINISHED", "FAILED"), ("SCALING",), "CANCELLED", "FINISHED")

JOB_STATES: Mapping[str, JobStates] = {
    "tencent-ci/cancelInventoryTriggerJob": JobStates(
        ("Submitted",), _CI_FINAL, ("Running", "Pause"), "Cancel", "Success", second_cancel_is_silent=True
    ),
    # "Only pending jobs can be canceled": a running one counts as ended here.
    "tencent-ci/cancelAiJob": JobStates(
        ("Submitted",), ("Running", *_CI_FINAL), ("Pause",), "Cancel", "Success", second_cancel_is_silent=True
    ),
    "otc-dli/cancelBatchJob": JobStates(
        ("starting", "running"), ("success", "dead"), ("recovering",), "dead", "success"
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


def unknown_id(operation: Operation, random: Random) -> str:
    """Make an id up, out of *random*, that has the right form and was never given out."""
    number = random.getrandbits(128)
    if operation.api == "tencent-ci":
        return f"{'a' if operation.name == 'cancelAiJob' else 'b'}{number:032x}"
    return str(uuid.UUID(int=number, version=4))


LINE_BREAK = "with a line break"
# What breaks the documented pattern of an id, by name: each makes a malformed id of a well-formed one.
_MALFORMED: Mapping[str, Callable[[str], str]] = {
    "too long": lambda _: "a" * 65,
    "with an underscore": lambda well_formed: well_formed[:-1] + "_",
    "with a space": lambda well_formed: well_formed + " ",
    "not ASCII": lambda well_formed: well_formed[:-1] + "\N{LATIN SMALL LETTER E WITH ACUTE}",
    "with a NUL": lambda well_formed: well_formed[:-1] + "\0",
    "beyond the first plane of Unicode": lambda _: "\N{GRINNING FACE}" * 8,
    "thousands of letters long": lambda _: "a" * 4000,
    LINE_BREAK: lambda well_formed: f"{well_formed}\r\n{INJECTED_HEADER}: yes",
    "no UUID": lambda _: "a" * 36,
}


def malformations(operation: Operation) -> tuple[str, ...]:
    """Name the ways in which an id can break the documented pattern of *operation*."""
    return tuple(name for name in _MALFORMED if name != "no UUID" or operation.name == "cancelBatchJob")


def malformed_id(operation: Operation, malformation: str, random: Random) -> str:
    """Make an id up, out of *random*, that is malformed in one way."""
    return _MALFORMED[malformation](unknown_id(operation, random))


def target_of(operation: Operation | StatusCall, parameters: Mapping[str, str], prefix: str = "") -> str:
    """Write the request target of *operation*, every parameter percent-encoded."""
    path = operation.path
    for name, value in parameters.items():
        path = path.replace("{" + name + "}", quote(value, safe=""))
    return prefix + path + (f"?{operation.query}" if operation.query else "")


def user_agent(case: str) -> str:
    """Return the User-Agent of the requests of a case, by which a server's author finds them in a log."""
    return f"calloff-verify/{_version()} case/{case}"


@cache
def _version() -> str:
    return version("calloff")


def request_for(
    operation: Operation | StatusCall,
    parameters: Mapping[str, str],
    *,
    host: str,
    case: str,
    prefix: str = "",
) -> Request:
    """Write the documented request of *operation* without a credential; *case* is the id of the case it belongs to."""
    headers = [("Host", host), ("User-Agent", user_agent(case))]
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
    real job: the worst that a server can make of it is the documented cancel of that very job. *signatures_agree* is
    False where two right servers may compute different signatures, so that a good one could count against the key.
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
    signatures_agree: bool = True


def _retarget(change: Callable[[str], str]) -> Callable[[Request], Request]:
    return lambda request: replace(request, target=change(request.target))


def _path(change: Callable[[str], str]) -> Callable[[Request], Request]:
    def retarget(target: str) -> str:
        path, mark, query = target.partition("?")
        return change(path) + mark + query

    return _retarget(retarget)


def _id(change: Callable[[str], str]) -> Callable[[Request], Request]:
    def change_last_segment(path: str) -> str:
        head, slash, job_id = path.rpartition("/")
        return head + slash + change(job_id)

    return _path(change_last_segment)


def _other_digit(digit: str) -> str:
    return "0" if digit != "0" else "1"


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
        "cancel twice",
        _CI,
        "status-documented",
        "either",
        _retarget(lambda t: t.partition("?")[0] + "?cancel&cancel"),
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
        for name in ("GET", "HEAD", "POST", "PATCH")
    ),
    Shape(
        "method POST that names the documented one",
        _ALL,
        "other-method-cancels-nothing",
        "harmless",
        lambda request: _header("X-HTTP-Method-Override", request.method)(_method("POST")(request)),
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
    Shape("id lacking its first letter", _ALL, "id-matched-whole", "harmless", _id(lambda i: i[1:])),
    Shape(
        "id with another first letter",
        _ALL,
        "id-matched-whole",
        "harmless",
        _id(lambda i: _other_digit(i[0]) + i[1:]),
    ),
    Shape(
        "id with another last letter",
        _ALL,
        "id-matched-whole",
        "harmless",
        _id(lambda i: i[:-1] + _other_digit(i[-1])),
    ),
    Shape(
        "id with a letter encoded twice",
        _ALL,
        "id-matched-whole",
        "harmless",
        _id(lambda i: f"{i[:-1]}%25{ord(i[-1]):X}"),
    ),
    Shape(
        "id with a broken percent-encoding",
        _DLI,
        "malformed-id-refused",
        "refuse",
        _id(lambda i: i[:-1] + "%zz"),
        signatures_agree=False,
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
