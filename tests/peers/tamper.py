"""Change a signed request so that what its signature covers is really another thing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from random import Random

from calloff.signing.request import SignableRequest
from peers import reference

Change = Callable[[SignableRequest, Random], SignableRequest]
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def authorization(request: SignableRequest) -> str:
    """Return the Authorization value of ``request``."""
    return next(value for name, value in request.headers if name.lower() == "authorization")


def signed_material(request: SignableRequest) -> tuple[str, ...] | None:
    """List all that the signature of ``request`` covers, and the signature; None where it cannot be read."""
    message = reference.Message(request.method, request.target, request.headers, request.body)
    read = (
        reference.qsign_signed_material
        if authorization(request).startswith("q-sign")
        else reference.hmac_signed_material
    )
    try:
        return read(message)
    except (reference.RefusedError, ValueError):
        return None


def tamper(request: SignableRequest, rng: Random) -> tuple[str, SignableRequest]:
    """Return the name of a change and the changed request.

    ``request`` carries its Authorization header. A change that leaves the signed string, the times, the key
    id and the signature as they were (an unsigned header, another spelling of the path) is drawn again.
    """
    before = signed_material(request)
    if before is None:
        raise ValueError("the request to tamper with must carry a readable signature")
    while True:
        name = rng.choice(list(CHANGES))
        changed = CHANGES[name](request, rng)
        if signed_material(changed) != before:
            return name, changed


def _alter(text: str, rng: Random) -> str:
    """Replace, insert or remove one character."""
    at = rng.randrange(len(text) + 1)
    kind = rng.choice(["insert", "replace", "remove"])
    return text[:at] + ("" if kind == "remove" else rng.choice(LETTERS)) + text[at + (kind != "insert") :]


def _method(request: SignableRequest, rng: Random) -> SignableRequest:
    return replace(request, method=rng.choice(["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD"]))


def _path(request: SignableRequest, rng: Random) -> SignableRequest:
    path, mark, query = request.target.partition("?")
    return replace(request, target="/" + _alter(path[1:], rng) + mark + query)


def _path_segments(request: SignableRequest, rng: Random) -> SignableRequest:
    path, mark, query = request.target.partition("?")
    segments = path[1:].split("/")
    if rng.random() < 0.5:
        segments.pop(rng.randrange(len(segments)))
    else:
        segments.insert(rng.randrange(len(segments) + 1), rng.choice([".", "..", "", "other"]))
    return replace(request, target="/" + "/".join(segments) + mark + query)


def _query(request: SignableRequest, rng: Random) -> SignableRequest:
    path, _, query = request.target.partition("?")
    return replace(request, target=f"{path}?{_alter(query, rng)}")


def _parameters(request: SignableRequest, rng: Random) -> SignableRequest:
    path, _, query = request.target.partition("?")
    pieces = query.split("&")
    if rng.random() < 0.7:
        pieces.pop(rng.randrange(len(pieces)))
    else:
        pieces.append("cancel=" + rng.choice(LETTERS))
    return replace(request, target=f"{path}?{'&'.join(pieces)}")


def _header_value(request: SignableRequest, rng: Random) -> SignableRequest:
    headers = list(request.headers)
    at = rng.randrange(len(headers))
    name, value = headers[at]
    if name.lower() != "authorization":
        headers[at] = (name, _alter(value, rng))
    return replace(request, headers=tuple(headers))


def _header_removed(request: SignableRequest, rng: Random) -> SignableRequest:
    headers = list(request.headers)
    at = rng.randrange(len(headers))
    if headers[at][0].lower() != "authorization":
        headers.pop(at)
    return replace(request, headers=tuple(headers))


def _body(request: SignableRequest, rng: Random) -> SignableRequest:
    return replace(request, body=request.body[: rng.randrange(len(request.body) + 1)] + rng.randbytes(1))


def _authorization(request: SignableRequest, change: Callable[[str], str]) -> SignableRequest:
    return replace(
        request,
        headers=tuple(
            (name, change(value) if name.lower() == "authorization" else value)
            for name, value in request.headers
        ),
    )


def _signature_digit(request: SignableRequest, rng: Random) -> SignableRequest:
    digits = len(re.split("[sS]ignature=", authorization(request))[1])
    at = rng.randrange(1, digits + 1)
    digit = rng.choice("0123456789abcdef")
    return _authorization(request, lambda value: value[:-at] + digit + (value[-at + 1 :] if at > 1 else ""))


def _signature_length(request: SignableRequest, rng: Random) -> SignableRequest:
    if rng.random() < 0.5:
        return _authorization(request, lambda value: value + rng.choice("0123456789abcdef"))
    cut = rng.randint(1, 20)
    return _authorization(request, lambda value: value[:-cut])


def _times(request: SignableRequest, rng: Random) -> SignableRequest:
    """Move the validity or the date by some seconds, in every field that states it."""
    seconds = rng.choice([-1, 1]) * rng.randint(1, 59)
    if not authorization(request).startswith("q-sign"):
        return replace(
            request,
            headers=tuple(
                (name, f"{value[:13]}{(int(value[13:15]) + seconds) % 60:02}Z")
                if name.lower() == "x-sdk-date"
                else (name, value)
                for name, value in request.headers
            ),
        )
    return _authorization(
        request,
        lambda value: re.sub(
            r"(-time=)(\d+);(\d+)",
            lambda field: f"{field[1]}{field[2]};{int(field[3]) + abs(seconds)}",
            value,
        ),
    )


def _lists(request: SignableRequest, rng: Random) -> SignableRequest:
    """Strike one name from a list of what is signed, or add one."""

    def change(value: str) -> str:
        fields = list(re.finditer(r"(?<=-list=)[^&]*|(?<=SignedHeaders=)[^,]*", value))
        field = rng.choice(fields)
        names = [name for name in field[0].split(";") if name]
        if names and rng.random() < 0.7:
            names.pop(rng.randrange(len(names)))
        else:
            names = sorted({*names, rng.choice(["host", "cancel", "x-absent", "x-sdk-date"])})
        return value[: field.start()] + ";".join(names) + value[field.end() :]

    return _authorization(request, change)


def _key_id(request: SignableRequest, rng: Random) -> SignableRequest:
    return _authorization(
        request, lambda value: re.sub(r"(q-ak=|Access=)([^&,]+)", rf"\g<1>\g<2>{rng.choice(LETTERS)}", value)
    )


CHANGES: dict[str, Change] = {
    "method": _method,
    "path": _path,
    "path segments": _path_segments,
    "query": _query,
    "parameters": _parameters,
    "header value": _header_value,
    "header removed": _header_removed,
    "body": _body,
    "signature digit": _signature_digit,
    "signature length": _signature_length,
    "times": _times,
    "lists": _lists,
    "key id": _key_id,
}
