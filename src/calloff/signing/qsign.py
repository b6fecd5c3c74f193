"""Sign a request as Tencent Cloud COS and CI demand: ``q-sign-algorithm=sha1``.

Source of every rule: "Request Signature", https://www.tencentcloud.com/document/product/436/7778.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence

from calloff.signing.request import (
    SignableRequest,
    checked_key,
    checked_key_id,
    checked_method,
    percent_decode,
    percent_encode,
    query_parameters,
    select_headers,
    split_target,
)


def key_time(start: int, end: int) -> str:
    """Write the validity of a signature.

    ``start`` and ``end`` are Unix seconds. Raise ValueError unless 0 <= start < end.
    """
    if not 0 <= start < end:
        raise ValueError(f"a signature must end after it starts, both in Unix seconds; got {start} and {end}")
    return f"{start};{end}"


def name_list(names: Iterable[str]) -> str:
    """Write a ``q-header-list`` or ``q-url-param-list``: encoded, then lower case, sorted, joined with ``;``.

    As the lower-casing comes second, an escape inside a name is lower case too (``%2f``).
    """
    return ";".join(sorted({percent_encode(name).lower() for name in names}))


def http_string(
    request: SignableRequest, *, signed_headers: Sequence[str], signed_parameters: Sequence[str]
) -> str:
    """Build the HttpString: method, decoded path, signed parameters, signed headers, a line each.

    ``signed_headers`` and ``signed_parameters`` are plain names in any order and case; both may be empty.
    Raise ValueError where one is absent from the request or there twice.
    """
    return _http_string(
        checked_method(request).lower(),
        request.target,
        headers=_header_line(request, signed_headers),
        signed_parameters=signed_parameters,
    )


def _http_string(method: str, target: str, *, headers: str, signed_parameters: Sequence[str]) -> str:
    path, query = split_target(target)
    parameters = "&".join(_signed_parameters(query, signed_parameters))
    return f"{method}\n{percent_decode(path)}\n{parameters}\n{headers}\n"


def _header_line(request: SignableRequest, signed_headers: Sequence[str]) -> str:
    headers = select_headers(request, signed_headers)
    return "&".join(
        sorted([f"{percent_encode(name).lower()}={percent_encode(value)}" for name, value in headers])
    )


def _signed_parameters(query: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    present: dict[str, list[str]] = {}
    for name, value in query_parameters(query):
        present.setdefault(percent_encode(name).lower(), []).append(percent_encode(value))
    signed = []
    for name in sorted({percent_encode(name).lower() for name in names}):
        values = present.get(name, [])
        if len(values) != 1:
            count = "absent" if not values else f"there {len(values)} times"
            raise ValueError(
                f"parameter {name!r} is to be signed and must be in the query once; it is {count}"
            )
        signed.append(f"{name}={values[0]}")
    return signed


def string_to_sign(http_string: str, *, key_time: str) -> str:
    """Build the StringToSign: algorithm, KeyTime and the digest of the HttpString, a line each."""
    digest = hashlib.sha1(http_string.encode(), usedforsecurity=False).hexdigest()
    return f"sha1\n{key_time}\n{digest}\n"


def sign_key(secret_key: str, *, key_time: str) -> str:
    """Derive the SignKey: the lower-case hexadecimal HMAC-SHA1 of the KeyTime under the secret key.

    It is as secret as the key while the KeyTime lasts.
    """
    return hmac.digest(checked_key(secret_key), key_time.encode("ascii"), "sha1").hex()


def signature(sign_key: str, string_to_sign: str) -> str:
    """Compute the signature; the key is the hexadecimal text of the SignKey, not the bytes it stands for."""
    return hmac.digest(sign_key.encode("ascii"), string_to_sign.encode("ascii"), "sha1").hex()


def authorization(
    *,
    secret_id: str,
    key_time: str,
    signed_headers: Sequence[str],
    signed_parameters: Sequence[str],
    signature: str,
) -> str:
    """Write the Authorization value: seven fields in the vendor's order, their values not encoded."""
    return (
        f"q-sign-algorithm=sha1&q-ak={checked_key_id(secret_id, delimiter='&')}"
        f"&q-sign-time={key_time}&q-key-time={key_time}"
        f"&q-header-list={name_list(signed_headers)}&q-url-param-list={name_list(signed_parameters)}"
        f"&q-signature={signature}"
    )


def sign(
    request: SignableRequest,
    *,
    secret_id: str,
    secret_key: str,
    start: int,
    end: int,
    signed_headers: Sequence[str] = ("host",),
    signed_parameters: Sequence[str] = ("cancel",),
) -> str:
    """Sign ``request`` and return the value of its Authorization header.

    ``start`` and ``end`` bound the validity in Unix seconds. Only what is listed is protected: the vendor
    advises to sign the host and all parameters. Raise ValueError, which never quotes a secret, for what
    cannot be signed.
    """
    signer = Signer(
        request,
        secret_id=secret_id,
        secret_key=secret_key,
        start=start,
        end=end,
        signed_headers=signed_headers,
        signed_parameters=signed_parameters,
    )
    return signer.sign(request.target)


class Signer:
    """Signs requests that are like a given one but for their targets; see ``sign``."""

    __slots__ = ("_beginning", "_headers", "_key", "_method", "_parameters", "_validity")

    def __init__(
        self,
        request: SignableRequest,
        *,
        secret_id: str,
        secret_key: str,
        start: int,
        end: int,
        signed_headers: Sequence[str] = ("host",),
        signed_parameters: Sequence[str] = ("cancel",),
    ) -> None:
        self._validity = key_time(start, end)
        self._method = checked_method(request).lower()
        self._headers = _header_line(request, signed_headers)
        self._parameters = signed_parameters
        self._key = sign_key(secret_key, key_time=self._validity)
        self._beginning = authorization(
            secret_id=secret_id,
            key_time=self._validity,
            signed_headers=signed_headers,
            signed_parameters=signed_parameters,
            signature="",
        )

    def sign(self, target: str) -> str:
        """Return the value of the Authorization header for ``target``."""
        text = _http_string(self._method, target, headers=self._headers, signed_parameters=self._parameters)
        return f"{self._beginning}{signature(self._key, string_to_sign(text, key_time=self._validity))}"


def query_fields(authorization: str) -> str:
    """Write the seven fields of an Authorization value for the query of a presigned request.

    Append them to the query that was signed: they are not signed themselves.
    """
    fields = (field.partition("=") for field in authorization.split("&"))
    return "&".join(f"{name}={percent_encode(value)}" for name, _, value in fields)
