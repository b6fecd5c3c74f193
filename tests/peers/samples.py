"""Random requests over the documented domain of both algorithms, from a seeded generator."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random

from calloff.apis import Operation
from calloff.signing import qsign, sdk_hmac
from calloff.signing.request import SignableRequest

METHODS = ("PUT", "DELETE", "GET", "POST")
WORDS = string.ascii_letters + string.digits + "-_.~"
RESERVED = " !\"#$%&'()*+,/:;<=>?@[]^`{|}"
BEYOND = "äß任务\u200dЖ🚀\ue000"
LITERAL_IN_PATH = frozenset(WORDS + "!$&'()*+,;=:@")  # RFC 3986, pchar
LITERAL_IN_QUERY = LITERAL_IN_PATH - frozenset("&=+") | frozenset("/?")  # no bare +: its meaning is undecided
CI_HEADERS = ("content-md5", "if-match", "Range", "x-ci-note", "X-Cos-Meta", "x-ci-security-token", "Expires")
DLI_HEADERS = ("X-Project-Id", "X-Security-Token", "x-note", "User-Agent", "X-Request-Id", "Accept")
CONTENT_TYPES = (
    "application/json",
    "application/json;charset=utf8",
    "text/plain",
    "application/octet-stream",
)


@dataclass(frozen=True)
class Sample:
    """A request to sign, the decoded values it was spelled from, and all that a signer needs beside."""

    request: SignableRequest
    path: str
    parameters: tuple[tuple[str, str], ...]
    signed_headers: tuple[str, ...]
    signed_parameters: tuple[str, ...]
    key_id: str
    secret_key: str
    now: int
    lifetime: int


def _text(rng: Random, longest: int = 12, *, shortest: int = 0) -> str:
    alphabet = rng.choice([WORDS, WORDS + RESERVED, WORDS + RESERVED + BEYOND])
    return "".join(rng.choices(alphabet, k=rng.randint(shortest, longest)))


def _spell(rng: Random, text: str, literal: frozenset[str]) -> str:
    """Write ``text`` for the wire in one of the many ways that mean the same."""
    spelled = []
    for character in text:
        if character in literal and rng.random() < 0.9:
            spelled.append(character)
        else:
            pattern = "%{:02x}" if rng.random() < 0.2 else "%{:02X}"
            spelled.extend(pattern.format(byte) for byte in character.encode())
    return "".join(spelled)


def _path(rng: Random) -> str:
    if rng.random() < 0.3:
        return f"/inventorytriggerjob/b{rng.getrandbits(128):032x}"
    segments = [_text(rng).replace("/", "") for _ in range(rng.randint(1, 4))]
    return "/" + "/".join(segments)


def _spell_path(rng: Random, path: str) -> str:
    return "/".join(_spell(rng, segment, LITERAL_IN_PATH) for segment in path.split("/"))


def _spell_query(rng: Random, parameters: list[tuple[str, str]]) -> str:
    pieces = []
    for name, value in parameters:
        equals = "=" if value or rng.random() < 0.5 else ""
        pieces.append(_spell(rng, name, LITERAL_IN_QUERY) + equals + _spell(rng, value, LITERAL_IN_QUERY))
    return "?" + "&".join(pieces) if pieces else ""


def _header_value(rng: Random) -> str:
    return _text(rng, 20).strip()


def _host(rng: Random) -> str:
    return f"bucket-{rng.randint(1, 10**9)}.example.com" + rng.choice(["", "", f":{rng.randint(1, 65535)}"])


def _key(rng: Random) -> str:
    return "".join(rng.choices(string.ascii_letters + string.digits, k=32))


def random_qsign(rng: Random) -> Sample:
    """Draw a request for q-sign; its headers are among those that the official SDK would sign."""
    path = _path(rng)
    named = {"cancel": ("cancel", "")} if rng.random() < 0.8 else {}
    for _ in range(rng.randint(0, 3)):
        name = _text(rng, shortest=1)
        named.setdefault(name.lower(), (name, _text(rng)))
    parameters = list(named.values())
    rng.shuffle(parameters)
    headers = [("Host", _host(rng))]
    headers += [(name, _header_value(rng)) for name in rng.sample(CI_HEADERS, rng.randint(0, 4))]
    rng.shuffle(headers)
    return Sample(
        SignableRequest(
            rng.choice(METHODS), _spell_path(rng, path) + _spell_query(rng, parameters), tuple(headers)
        ),
        path,
        tuple(parameters),
        tuple(name for name, _ in headers if rng.random() < 0.7),
        tuple(name for name, _ in parameters if rng.random() < 0.7),
        f"AKID{rng.randint(1, 10**9)}",
        _key(rng),
        rng.randint(10**9, 4 * 10**9),
        rng.randint(1, 10**6),
    )


def random_sdk_hmac(rng: Random) -> Sample:
    """Draw a request for SDK-HMAC-SHA256; the official SDK signs all its headers, so all are listed."""
    path = _path(rng)
    parameters = [(_text(rng, shortest=1), _text(rng)) for _ in range(rng.randint(0, 4))]
    parameters += [(name, _text(rng)) for name, _ in parameters if rng.random() < 0.2]
    now = rng.randint(10**9, 4 * 10**9)
    headers = [("Host", _host(rng)), ("X-Sdk-Date", sdk_hmac.format_date(now))]
    headers += [(name, _header_value(rng)) for name in rng.sample(DLI_HEADERS, rng.randint(0, 4))]
    if rng.random() < 0.6:
        content_type = rng.choice(CONTENT_TYPES)
        headers.append(("Content-Type", content_type))
        if not content_type.startswith("application/json"):
            headers.append(("X-Sdk-Content-Sha256", sdk_hmac.UNSIGNED_PAYLOAD))
    rng.shuffle(headers)
    body = rng.choice([b"", b"", b"{}", _text(rng, 40).encode(), rng.randbytes(rng.randint(1, 40))])
    target = _spell_path(rng, path) + _spell_query(rng, parameters)
    return Sample(
        SignableRequest(rng.choice(METHODS), target, tuple(headers), body),
        path,
        tuple(parameters),
        tuple(name for name, _ in headers),
        (),
        f"AK{rng.randint(1, 10**9)}",
        _key(rng),
        now,
        0,
    )


def aimed(sample: Sample, rng: Random, operation: Operation, ids: Mapping[str, str]) -> Sample:
    """Return ``sample`` as a cancel of one job; all that is not its method, path or ``cancel`` stays random."""
    parts = operation.path.split("/")
    target = "/".join(
        _spell(rng, ids[part.strip("{}")], LITERAL_IN_PATH) if part.startswith("{") else part
        for part in parts
    )
    parameters, signed = list(sample.parameters), list(sample.signed_parameters)
    if name := operation.query:
        parameters = [pair for pair in parameters if pair[0].lower() != name]
        parameters.insert(rng.randint(0, len(parameters)), (name, ""))
        signed = [other for other in signed if other.lower() != name] + [name] * (rng.random() < 0.7)
    request = replace(sample.request, method=operation.method, target=target + _spell_query(rng, parameters))
    return replace(
        sample,
        request=request,
        path=operation.path.format_map(ids),
        parameters=tuple(parameters),
        signed_parameters=tuple(signed),
    )


def signed_by_calloff(sample: Sample) -> SignableRequest:
    """Return the request of ``sample`` with the Authorization header that the code under test computes."""
    if sample.lifetime:
        value = qsign.sign(
            sample.request,
            secret_id=sample.key_id,
            secret_key=sample.secret_key,
            start=sample.now - 60,
            end=sample.now + sample.lifetime,
            signed_headers=sample.signed_headers,
            signed_parameters=sample.signed_parameters,
        )
    else:
        value = sdk_hmac.sign(
            sample.request,
            access_key=sample.key_id,
            secret_key=sample.secret_key,
            signed_headers=sample.signed_headers,
        )
    request = sample.request
    return SignableRequest(
        request.method, request.target, (*request.headers, ("Authorization", value)), request.body
    )
