"""Sign a request with ``SDK-HMAC-SHA256``, plain form, as Huawei Cloud and Open Telekom Cloud accept it.

Source of every rule, where nothing else is said: "API request signing guide",
https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm-001.html to -005.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Sequence

from calloff.signing.request import (
    SignableRequest,
    checked_key,
    checked_key_id,
    checked_method,
    is_plain,
    percent_decode,
    percent_encode,
    query_parameters,
    select_headers,
    split_target,
)

ALGORITHM = "SDK-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
_EMPTY_HASH = hashlib.sha256(b"").hexdigest()


def format_date(epoch_seconds: float) -> str:
    """Write a moment, given in Unix seconds, as ``X-Sdk-Date`` wants it: ``YYYYMMDDTHHMMSSZ`` in UTC."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(epoch_seconds))


def canonical_request(request: SignableRequest, *, signed_headers: Sequence[str]) -> str:
    """Build the canonical request: method, URI, query, headers, names of the headers, hash of the body.

    ``signed_headers`` are names in any order and case. Raise ValueError where one is absent from the
    request or there twice. The lines end with LF; the guide's "CRLF" is a mistranslation, its own code uses
    LF.
    """
    uri, parameters = _canonical_target(request.target)
    rest = _canonical_rest(request, select_headers(request, signed_headers))
    return f"{checked_method(request).upper()}\n{uri}\n{parameters}\n{rest}"


def _canonical_target(target: str) -> tuple[str, str]:
    path, query = split_target(target)
    # The path is decoded as a whole, so an escaped slash becomes a real one: so does the official Python SDK.
    uri = path
    if not is_plain(path):
        uri = "/".join([percent_encode(segment) for segment in percent_decode(path).split("/")])
    if not uri.endswith("/"):
        uri += "/"
    if not query:
        return uri, ""
    # Sorted before they are encoded, as every official signer does.
    pairs = sorted(query_parameters(query))
    return uri, "&".join([f"{percent_encode(name)}={percent_encode(value)}" for name, value in pairs])


def _canonical_rest(request: SignableRequest, headers: Sequence[tuple[str, str]]) -> str:
    lines = "".join([f"{name}:{value}\n" for name, value in headers])
    names = ";".join([name for name, _ in headers])
    return f"{lines}\n{names}\n{_payload_hash(request)}"


def _payload_hash(request: SignableRequest) -> str:
    # The official SDK hashes an empty body even where the header says UNSIGNED-PAYLOAD.
    if not request.body:
        return _EMPTY_HASH
    digest = hashlib.sha256(request.body).hexdigest()
    for name, value in request.headers:
        if name.lower() == "x-sdk-content-sha256":
            if value == UNSIGNED_PAYLOAD:
                return UNSIGNED_PAYLOAD
            if value != digest:
                raise ValueError(
                    f"X-Sdk-Content-Sha256 must be {UNSIGNED_PAYLOAD} or the SHA-256 of the body"
                )
    return digest


def string_to_sign(canonical: str, *, date: str) -> str:
    """Build the string to sign: algorithm, ``X-Sdk-Date`` value and hash of the canonical request."""
    return f"{ALGORITHM}\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"


def signature(secret_key: str, string_to_sign: str) -> str:
    """Compute the signature in lower-case hexadecimal; the secret key is the key, without derivation."""
    return hmac.digest(checked_key(secret_key), string_to_sign.encode("ascii"), "sha256").hex()


def authorization(*, access_key: str, signed_headers: Sequence[str], signature: str) -> str:
    """Write the Authorization value."""
    names = sorted({name.lower() for name in signed_headers})
    key_id = checked_key_id(access_key, delimiter=",")
    return f"{ALGORITHM} Access={key_id}, SignedHeaders={';'.join(names)}, Signature={signature}"


def sign(
    request: SignableRequest,
    *,
    access_key: str,
    secret_key: str,
    signed_headers: Sequence[str] = ("host", "x-sdk-date"),
) -> str:
    """Sign ``request`` and return the value of its Authorization header.

    The request must carry ``X-Sdk-Date`` (see ``format_date``), and ``signed_headers`` must name it: both
    are the vendor's rule. Raise ValueError, which never quotes a secret, for what cannot be signed.
    """
    signer = Signer(request, access_key=access_key, secret_key=secret_key, signed_headers=signed_headers)
    return signer.sign(request.target)


class Signer:
    """Signs requests that are like a given one but for their targets; see ``sign``."""

    __slots__ = ("_beginning", "_date", "_key", "_method", "_rest")

    def __init__(
        self,
        request: SignableRequest,
        *,
        access_key: str,
        secret_key: str,
        signed_headers: Sequence[str] = ("host", "x-sdk-date"),
    ) -> None:
        headers = select_headers(request, signed_headers)
        date = dict(headers).get("x-sdk-date")
        if date is None:
            raise ValueError("X-Sdk-Date must be among the signed headers")
        self._date = _checked_date(date)
        self._method = checked_method(request).upper()
        self._rest = _canonical_rest(request, headers)
        self._beginning = authorization(access_key=access_key, signed_headers=signed_headers, signature="")
        checked_key(secret_key)
        self._key = secret_key

    def sign(self, target: str) -> str:
        """Return the value of the Authorization header for ``target``."""
        uri, parameters = _canonical_target(target)
        text = string_to_sign(f"{self._method}\n{uri}\n{parameters}\n{self._rest}", date=self._date)
        return f"{self._beginning}{signature(self._key, text)}"


def _checked_date(date: str) -> str:
    digits = date[:8] + date[9:15]
    if len(date) != 16 or date[8] != "T" or date[15] != "Z" or not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"X-Sdk-Date must be written YYYYMMDDTHHMMSSZ in UTC, not {date!r}")
    return date
