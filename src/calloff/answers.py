"""Read an answer: an acceptance, or the typed error for anything else.

The vendors write errors in XML (CI) and in several forms of JSON (DLI, its gateway, IAM); a proxy on the way
may write anything. Whatever the body is, the status decides the class of the error, and a body that cannot be
read only leaves ``code`` and ``text`` empty.
"""

from __future__ import annotations

import email.utils
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from calloff.errors import (
    ApiError,
    AuthenticationError,
    PermissionDeniedError,
    RefusedError,
    ServerError,
    ThrottledError,
    UnexpectedAnswerError,
)
from calloff.prepare import PreparedRequest
from calloff.transport import Answer

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_MAX_TEXT = 500

# The statuses that some document describes (besides 200 and the redirects, which are never followed).
_CLASSES: Mapping[int, type[ApiError]] = {
    400: RefusedError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: RefusedError,
    405: RefusedError,
    411: RefusedError,
    413: RefusedError,
    414: RefusedError,
    429: ThrottledError,
    451: RefusedError,
    494: RefusedError,
    500: ServerError,
    501: ServerError,
    502: ServerError,
    503: ServerError,
    504: ServerError,
}
# Codes that say more than their status: COS's table has 403 and 503 where CI's has 401 and 429 (COS-ERR).
_CLASSES_BY_CODE: Mapping[str, type[ApiError]] = {
    "ExpiredToken": AuthenticationError,
    "InvalidAccessKeyId": AuthenticationError,
    "Request has expired": AuthenticationError,
    "RequestTimeTooSkewed": AuthenticationError,
    "SignatureDoesNotMatch": AuthenticationError,
    "SlowDown": ThrottledError,
}
_RETRYABLE = frozenset({429, 500, 502, 503, 504})
# DLI reports passing troubles of its own with status 400: resource unavailable, task timed out, server-side
# error (OTC-API, dli_02_0056).
_RETRYABLE_CODES = frozenset({"DLI.0012", "DLI.0019", "DLI.0999"})
_TOKEN_ENDED = re.compile(r"APIGW?\.0307")


@dataclass(frozen=True, slots=True)
class _Fault:
    code: str = ""
    text: str = ""
    request_id: str = ""


def parse_json(body: bytes) -> Any:
    """Parse JSON that came from outside; raise ValueError for what is none, too deep or ambiguous."""
    try:
        return _DECODER.decode(body.decode(json.detect_encoding(body), "surrogatepass"))
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def json_object(answer: Answer) -> dict[str, Any] | None:
    """Read a body that is one object of JSON, whole and not compressed; None for any other."""
    if not _readable(answer):
        return None
    try:
        parsed = parse_json(answer.body)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def xml_root(answer: Answer) -> Element | None:
    """Read a body that is XML without a DTD, whole and not compressed; None for any other."""
    return _xml_root(answer.body) if _readable(answer) else None


def _readable(answer: Answer) -> bool:
    return answer.complete and answer.header("Content-Encoding") in ("", "identity")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member of an object is there twice")
    return members


# Made once: json.loads would make one for each body.
_DECODER = json.JSONDecoder(object_pairs_hook=_members)


def problem(request: PreparedRequest, answer: Answer, *, now: float) -> ApiError:
    """Make the error for an answer whose status is no acceptance.

    ``now``, in Unix seconds, is what a ``Retry-After`` date is measured from.
    """
    fault = _read_fault(answer)
    known = _CLASSES.get(answer.status, UnexpectedAnswerError)
    if known is not UnexpectedAnswerError:
        known = _CLASSES_BY_CODE.get(fault.code, known)
    return _error(
        known,
        request,
        answer,
        fault,
        retryable=answer.status in _RETRYABLE or fault.code in _RETRYABLE_CODES,
        retry_after=_retry_after(answer.header("Retry-After"), now),
    )


def refusal(
    kind: type[ApiError], request: PreparedRequest, answer: Answer, why: str, fault: Mapping[str, Any]
) -> ApiError:
    """Make the error for an answer that has the status of an acceptance and is none."""
    read = _json_fault(dict(fault))
    return _error(kind, request, answer, read, why=why, retryable=read.code in _RETRYABLE_CODES)


def token_ended(error: object) -> bool:
    """Tell whether the gateway says that the token must be renewed (HW-GW, 0307)."""
    return isinstance(error, AuthenticationError) and _TOKEN_ENDED.fullmatch(error.code) is not None


def told_by_api(error: ApiError) -> bool:
    """Tell whether an error is in a form of the APIs; what another server or a proxy says of a path is in none."""
    return bool(error.code or error.text) or error.status == 200


def request_id(answer: Answer) -> str:
    """Return what the vendor's support asks for, from whichever header carries it."""
    for name in ("x-ci-request-id", "X-Request-Id", "x-cos-request-id", "X-IAM-Trace-Id"):
        if value := answer.header(name):
            return value
    return ""


def redacted(text: str, secrets: tuple[str, ...]) -> str:
    """Remove the secrets of a request from a text that a server wrote: it may echo what it was sent."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def clean(text: str, secrets: tuple[str, ...]) -> str:
    """Make a server's text fit to show: no secrets of the request, one line, at most 500 characters."""
    text = redacted(text, secrets)
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}..."


def _error(
    kind: type[ApiError],
    request: PreparedRequest,
    answer: Answer,
    fault: _Fault,
    *,
    why: str = "",
    retryable: bool,
    retry_after: float | None = None,
) -> ApiError:
    code, text, identifier = (
        clean(part, request.secrets)
        for part in (fault.code, fault.text, fault.request_id or request_id(answer))
    )
    pieces = [
        f"{request.name}: {request.host} answered {answer.status}",
        why,
        code,
        text,
        f"request id {identifier}" if identifier else "",
    ]
    return kind(
        "; ".join(piece for piece in pieces if piece),
        status=answer.status,
        code=code,
        text=text,
        request_id=identifier,
        retryable=retryable,
        retry_after=retry_after,
    )


def _read_fault(answer: Answer) -> _Fault:
    if answer.body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return _xml_fault(xml_root(answer))
    members = json_object(answer)
    return _Fault() if members is None else _json_fault(members)


def _xml_root(body: bytes) -> Element | None:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        root: Element = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        return None
    return root


def _xml_fault(root: Element | None) -> _Fault:
    """Read Code, Message and RequestId of ``<Error>``; COS's other members, as StringToSign, stay unread."""
    if root is None or root.tag != "Error":
        return _Fault()
    return _Fault(*((root.findtext(name) or "").strip() for name in ("Code", "Message", "RequestId")))


def _json_fault(members: dict[str, Any]) -> _Fault:
    """Read the forms that the vendor's own SDK accepts, and Keystone's (``{"error": {...}}``)."""
    nested = members.get("error")
    if isinstance(nested, dict):
        members = {**nested, **members}
    return _Fault(
        _first(members, "error_code", "errorCode", "code"),
        _first(members, "error_msg", "errorMsg", "message"),
        _first(members, "request_id"),
    )


def _first(members: Mapping[str, Any], *names: str) -> str:
    for name in names:
        value = members.get(name)
        if isinstance(value, str) and value:
            return value
        if type(value) is int:
            return str(value)
    return ""


def _retry_after(value: str, now: float) -> float | None:
    if re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    try:
        return max(email.utils.parsedate_to_datetime(value).timestamp() - now, 0.0)
    except (ValueError, OverflowError):
        return None
