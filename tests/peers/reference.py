"""Both algorithms once more, signing and verifying, from the vendors' text and sharing nothing with ``src``.

It works on bytes, encodes with a table of its own and verifies from what arrives. Sources: "Request
Signature", https://www.tencentcloud.com/document/product/436/7778, and "API request signing guide",
https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm-001.html.
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import re
import string
import time
from dataclasses import dataclass, replace

KEPT = (string.ascii_letters + string.digits + "-_.~").encode()
ENCODED = [chr(byte) if byte in KEPT else f"%{byte:02X}" for byte in range(256)]
WINDOW = 15 * 60  # seconds; "more than 15 minutes from the gateway clock"


class RefusedError(Exception):
    """The request must be refused; the text says why."""


@dataclass(frozen=True)
class Message:
    """A request as it arrives, Authorization included."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def header(self, name: str) -> str:
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        if len(found) != 1:
            raise RefusedError(f"header {name} is there {len(found)} times")
        return found[0].strip(" \t")


def encode(data: bytes) -> str:
    return "".join(ENCODED[byte] for byte in data)


def decode(text: str) -> bytes:
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes([int(match[1], 16)]), text.encode("ascii"))


def pairs(target: str) -> list[tuple[bytes, bytes]]:
    """List names and values of the query, decoded, in the order of the wire."""
    query = target.split("?", 1)[1] if "?" in target else ""
    pieces = [piece.split("=", 1) for piece in query.split("&") if piece]
    return [(decode(piece[0]), decode(piece[1] if len(piece) > 1 else "")) for piece in pieces]


# --- q-sign ---


def lowered(name: bytes) -> str:
    return encode(name).lower()


def qsign_http_string(message: Message, header_list: list[str], parameter_list: list[str]) -> bytes:
    """Build the HttpString; the lists hold encoded lower-case names, in the order of their field."""
    parameters = {}
    for name, value in pairs(message.target):
        if lowered(name) in parameters and lowered(name) in parameter_list:
            raise RefusedError(f"parameter {lowered(name)} is repeated")
        parameters[lowered(name)] = encode(value)
    if missing := [name for name in parameter_list if name not in parameters]:
        raise RefusedError(f"listed parameters are absent: {missing}")
    headers = {name: encode(message.header(decode(name).decode()).encode()) for name in header_list}
    return b"\n".join(
        [
            message.method.lower().encode(),
            decode(message.target.split("?", 1)[0]),
            "&".join(f"{name}={parameters[name]}" for name in parameter_list).encode(),
            "&".join(f"{name}={headers[name]}" for name in header_list).encode(),
            b"",
        ]
    )


def qsign_stages(
    message: Message,
    credentials: dict[str, str],
    times: str,
    header_list: list[str],
    parameter_list: list[str],
) -> dict[str, str]:
    """Compute every stage; ``credentials`` hold ``secret_key`` or, where it is masked, ``sign_key``."""
    http_string = qsign_http_string(message, header_list, parameter_list)
    digest = hashlib.sha1(http_string, usedforsecurity=False).hexdigest()
    text = f"sha1\n{times}\n{digest}\n"
    key = (
        credentials.get("sign_key")
        or hmac.new(credentials["secret_key"].encode(), times.encode(), hashlib.sha1).hexdigest()
    )
    return {
        "http_string": http_string.decode(),
        "http_string_sha1": digest,
        "string_to_sign": text,
        "sign_key": key,
        "signature": hmac.new(key.encode(), text.encode(), hashlib.sha1).hexdigest(),
    }


QSIGN_FIELDS = (
    "q-sign-algorithm",
    "q-ak",
    "q-sign-time",
    "q-key-time",
    "q-header-list",
    "q-url-param-list",
    "q-signature",
)


def qsign_authorization(
    secret_id: str, times: str, header_list: list[str], parameter_list: list[str], signature: str
) -> str:
    values = ("sha1", secret_id, times, times, ";".join(header_list), ";".join(parameter_list), signature)
    return "&".join(f"{name}={value}" for name, value in zip(QSIGN_FIELDS, values, strict=True))


def qsign_fields(message: Message) -> dict[str, str]:
    """Read the seven fields from the header or, presigned, from the query."""
    if any(name.lower() == "authorization" for name, _ in message.headers):
        found = [piece.partition("=")[::2] for piece in message.header("authorization").split("&")]
    else:
        found = [(name.decode(), value.decode()) for name, value in pairs(message.target)]
        found = [(name, value) for name, value in found if name.startswith("q-")]
    if sorted(name for name, _ in found) != sorted(QSIGN_FIELDS):
        raise RefusedError("the seven q- fields are not there once each")
    return dict(found)


def qsign_signed_material(message: Message) -> tuple[str, ...]:
    """List all that the signature covers, and the signature: requests equal in it pass or fail alike."""
    fields = qsign_fields(message)
    lists = [[name for name in fields[key].split(";") if name] for key in QSIGN_FIELDS[4:6]]
    http_string = qsign_http_string(message, *lists).decode("latin-1")
    return http_string, *(fields[name] for name in QSIGN_FIELDS if "list" not in name)


def verify_qsign(message: Message, credentials: dict[str, str], now: float) -> None:
    """Raise RefusedError unless ``message`` carries a good signature of ``credentials`` at ``now``."""
    fields = qsign_fields(message)
    times = fields["q-key-time"]
    if fields["q-sign-algorithm"] != "sha1":
        raise RefusedError("the algorithm is not sha1")
    if fields["q-ak"] != credentials["secret_id"]:
        raise RefusedError("the key id is unknown")
    if fields["q-sign-time"] != times or not re.fullmatch(r"[0-9]{1,12};[0-9]{1,12}", times):
        raise RefusedError("the two times are not one range of Unix seconds")
    start, end = map(int, times.split(";"))
    if not start <= now <= end:
        raise RefusedError("the signature is not valid at this time")
    try:
        decode(message.target.split("?", 1)[0]).decode()
    except UnicodeDecodeError:
        raise RefusedError("the path is not UTF-8") from None
    lists = [[name for name in fields[key].split(";") if name] for key in QSIGN_FIELDS[4:6]]
    expected = qsign_stages(message, credentials, times, *lists)["signature"]
    if not hmac.compare_digest(expected.encode(), fields["q-signature"].encode()):
        raise RefusedError("the signature does not match")


# --- SDK-HMAC-SHA256, plain form ---


def hmac_canonical_request(message: Message, names: list[str], payload: str | None = None) -> str:
    """Build the canonical request; ``names`` are the signed headers, lower case, in the order of the list."""
    path = decode(message.target.split("?", 1)[0]).split(
        b"/"
    )  # decoded first, as the official Python SDK does
    uri = "/".join(encode(segment) for segment in path)
    return "\n".join(
        [
            message.method.upper(),
            uri if uri[-1] == "/" else uri + "/",
            "&".join(f"{encode(name)}={encode(value)}" for name, value in sorted(pairs(message.target))),
            *(f"{name}:{message.header(name)}" for name in names),
            "",
            ";".join(names),
            hmac_payload(message) if payload is None else payload,
        ]
    )


def hmac_payload(message: Message) -> str:
    declared = [value for name, value in message.headers if name.lower() == "x-sdk-content-sha256"]
    if message.body and declared == ["UNSIGNED-PAYLOAD"]:
        return "UNSIGNED-PAYLOAD"
    return hashlib.sha256(message.body).hexdigest()


def hmac_stages(canonical: str, secret_key: str, date: str) -> dict[str, str]:
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"SDK-HMAC-SHA256\n{date}\n{digest}"
    return {
        "canonical_request": canonical,
        "canonical_request_sha256": digest,
        "string_to_sign": text,
        "signature": hmac.new(secret_key.encode(), text.encode(), hashlib.sha256).hexdigest(),
    }


def hmac_authorization(access_key: str, names: list[str], signature: str) -> str:
    return f"SDK-HMAC-SHA256 Access={access_key}, SignedHeaders={';'.join(names)}, Signature={signature}"


HMAC_AUTHORIZATION = re.compile(
    r"SDK-HMAC-SHA256 Access=(?P<ak>[^, ]+), SignedHeaders=(?P<names>[^, ]+), "
    r"Signature=(?P<signature>[0-9a-f]{64})"
)


def hmac_fields(message: Message) -> tuple[str, list[str], str]:
    match = HMAC_AUTHORIZATION.fullmatch(message.header("authorization"))
    if match is None:
        raise RefusedError("the Authorization header is not of this algorithm")
    names = match["names"].split(";")
    if "x-sdk-date" not in names or names != sorted(set(names)):
        raise RefusedError("the signed headers do not name x-sdk-date, or are not in order")
    return match["ak"], names, match["signature"]


def hmac_signed_material(message: Message) -> tuple[str, ...]:
    """List all that the signature covers, and the signature: requests equal in it pass or fail alike."""
    access_key, names, signature = hmac_fields(message)
    return hmac_canonical_request(message, names), access_key, message.header("x-sdk-date"), signature


def _check_date(date: str, now: float) -> None:
    if not re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", date):
        raise RefusedError("X-Sdk-Date is not written YYYYMMDDTHHMMSSZ")
    try:
        sent = calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        raise RefusedError("X-Sdk-Date is no moment of any calendar") from None
    if abs(sent - now) > WINDOW:
        raise RefusedError("X-Sdk-Date is more than 15 minutes away")


def verify_hmac(message: Message, credentials: dict[str, str], now: float) -> None:
    """Raise RefusedError unless ``message`` carries a good signature of ``credentials`` at ``now``."""
    access_key, names, signature = hmac_fields(message)
    if access_key != credentials["access_key"]:
        raise RefusedError("the key id is unknown")
    date = message.header("x-sdk-date")
    _check_date(date, now)
    declared = [value for name, value in message.headers if name.lower() == "x-sdk-content-sha256"]
    payloads = {hmac_payload(message), *(word for word in declared if word == "UNSIGNED-PAYLOAD")}
    expected = [
        hmac_stages(hmac_canonical_request(message, names, payload), credentials["secret_key"], date)[
            "signature"
        ]
        for payload in payloads
    ]
    if signature not in expected:
        raise RefusedError("the signature does not match")


# --- SDK-HMAC-SHA256, derived form: OTC-GO signer_helper.go, OTC-OMS signer.ts ---


def derived_stages(canonical: str, secret_key: str, date: str, scope: str) -> dict[str, str]:
    """Compute the stages for a scope: day, region, service and ``sdk_request``, joined by slashes."""
    day, region, service, last = scope.split("/")
    key = hmac.new(b"SDK" + secret_key.encode(), day.encode(), hashlib.sha256).digest()
    key = hmac.new(key, region.encode(), hashlib.sha256).digest()
    key = hmac.new(key, service.encode(), hashlib.sha256).digest()
    key = hmac.new(key, last.encode(), hashlib.sha256).digest()
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"SDK-HMAC-SHA256\n{date}\n{scope}\n{digest}"
    return {
        "canonical_request": canonical,
        "canonical_request_sha256": digest,
        "string_to_sign": text,
        "sign_key": key.hex(),
        "signature": hmac.new(key, text.encode(), hashlib.sha256).hexdigest(),
    }


def derived_authorization(access_key: str, scope: str, names: list[str], signature: str) -> str:
    listed = ";".join(names)
    return f"SDK-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={listed}, Signature={signature}"


DERIVED_AUTHORIZATION = re.compile(
    r"SDK-HMAC-SHA256 Credential=(?P<ak>[^, /]+)/(?P<scope>[0-9]{8}/[^, /]*/[^, /]*/sdk_request), "
    r"SignedHeaders=(?P<names>[^, ]+), Signature=(?P<signature>[0-9a-f]{64})"
)


def verify_derived(message: Message, credentials: dict[str, str], now: float) -> None:
    """Raise RefusedError unless ``message`` carries a good signature of ``credentials`` at ``now``."""
    match = DERIVED_AUTHORIZATION.fullmatch(message.header("authorization"))
    if match is None:
        raise RefusedError("the Authorization header is not of this form")
    names, scope, date = match["names"].split(";"), match["scope"], message.header("x-sdk-date")
    if "x-sdk-date" not in names or names != sorted(set(names)):
        raise RefusedError("the signed headers do not name x-sdk-date, or are not in order")
    if match["ak"] != credentials["access_key"]:
        raise RefusedError("the key id is unknown")
    _check_date(date, now)
    if not date.startswith(scope.partition("/")[0]):
        raise RefusedError("the scope is of another day than X-Sdk-Date")
    canonical = hmac_canonical_request(message, names)
    if derived_stages(canonical, credentials["secret_key"], date, scope)["signature"] != match["signature"]:
        raise RefusedError("the signature does not match")


def with_header(message: Message, name: str, value: str) -> Message:
    return replace(message, headers=(*message.headers, (name, value)))
