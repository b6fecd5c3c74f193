"""Checking q-sign (COS XML v5) from the bytes that arrived, in the header or in the query.

Sources: SIG (Request Signature), CI-SIG, STRICT; PY, NODE, GO and PHP for what official clients send.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes, unquote_to_bytes

from calloff.mock.pipeline import Case, Claim, Refusal, SignatureSteps, key_finder, signature_matches

if TYPE_CHECKING:
    from collections.abc import Iterable

    from calloff.mock.keys import Key, Keys
    from calloff.mock.pipeline import Exchange

_FIELDS = (
    "q-sign-algorithm",
    "q-ak",
    "q-sign-time",
    "q-key-time",
    "q-header-list",
    "q-url-param-list",
    "q-signature",
)
_TIME = re.compile(r"([0-9]{1,10});([0-9]{1,10})")
_TOKEN_NAMES = ("x-ci-security-token", "x-cos-security-token")
_KEPT = "-_.~"


def query_pairs(query: bytes) -> list[tuple[bytes, bytes]]:
    """List names and values of a query, decoded once; a bare name has an empty value."""
    pairs = (piece.partition(b"=") for piece in query.split(b"&") if piece)
    return [(unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in pairs]


def read_claim(exchange: Exchange) -> Claim:
    """Read the seven fields of the signature, from the header if there is one, else from the query.

    In the query they are parameters of their own, or one named ``sign`` holds them all (PHP, GO).

    Raises:
        Refusal: AUTH_MISSING where neither has any; AUTH_MALFORMED where a field is absent, unknown or
            there twice, the algorithm is another, a list names something twice, or the two times differ.
    """
    exchange.one(b"host")
    value = exchange.one(b"authorization")
    if value:
        fields = _fields(value)
    else:
        fields = []
        for name, text in query_pairs(exchange.query):
            if name == b"sign":
                fields += _fields(text)
            elif name.startswith(b"q-") and (field := name.decode("latin-1")) in _FIELDS:
                fields.append((field, text.decode("latin-1")))
        if not fields:
            raise Refusal(Case.AUTH_MISSING)
    found = dict(fields)
    if len(fields) != len(_FIELDS) or found.keys() != set(_FIELDS) or found["q-sign-algorithm"] != "sha1":
        raise Refusal(Case.AUTH_MALFORMED)
    headers, parameters = _names(found["q-header-list"]), _names(found["q-url-param-list"])
    key_time = found["q-key-time"]
    # Nobody says which of the two counts where they differ; clients always send them equal.
    if found["q-sign-time"] != key_time or not _TIME.fullmatch(key_time) or not found["q-ak"]:
        raise Refusal(Case.AUTH_MALFORMED)
    start, end = map(int, key_time.split(";"))
    if start > end:
        raise Refusal(Case.AUTH_MALFORMED)
    return Claim(found["q-ak"], headers, parameters, key_time, found["q-signature"], in_query=not value)


def check_end(exchange: Exchange, claim: Claim) -> None:
    """Refuse a signature whose end time has passed."""
    if exchange.now > int(claim.time.partition(";")[2]):
        raise Refusal(Case.AUTH_EXPIRED)


def check_period(exchange: Exchange, claim: Claim) -> None:
    """Refuse a signature whose end time has passed or whose start time lies ahead."""
    check_end(exchange, claim)
    if exchange.now < int(claim.time.partition(";")[0]):
        raise Refusal(Case.AUTH_EXPIRED)


def check_security_token(exchange: Exchange, claim: Claim, key: Key) -> None:
    """Refuse a temporary key without its token, with another one, or past its end.

    The token comes under either of two header names, or both (PHP), or in the query beside the signature.
    """
    tokens = [value for name in _TOKEN_NAMES if (value := exchange.one(name.encode())) is not None]
    if claim.in_query:
        names = {name.encode() for name in _TOKEN_NAMES}
        tokens += [value for name, value in query_pairs(exchange.query) if name.lower() in names]
    if not key.security_token:
        return
    expected = key.security_token.encode()
    if not tokens or not all(hmac.compare_digest(token, expected) for token in tokens):
        raise Refusal(Case.AUTH_SECURITY_TOKEN)
    if exchange.now > key.ends:
        raise Refusal(Case.AUTH_SECURITY_TOKEN_EXPIRED)


def method_part(exchange: Exchange, _claim: Claim) -> bytes:
    """Give the method in lower case."""
    return exchange.method.lower().encode("latin-1")


def path_part(exchange: Exchange, _claim: Claim) -> bytes:
    """Give the path, percent-decoded."""
    return unquote_to_bytes(exchange.raw_path)


def parameters_part(exchange: Exchange, claim: Claim) -> bytes:
    """Give the listed parameters, encoded and sorted.

    Raises:
        Refusal: AUTH_WRONG_SIGNATURE where a listed one is absent, AUTH_MALFORMED where it is there twice.
    """
    if not claim.parameters:
        return b""
    pairs = query_pairs(exchange.query)
    return _joined(claim.parameters, [(_encoded(name).lower(), value) for name, value in pairs])


def headers_part(exchange: Exchange, claim: Claim) -> bytes:
    """Give the listed headers, encoded and sorted; refuses as `parameters_part` does."""
    if not claim.headers:
        return b""
    arrived = [(_encoded(name).lower(), value.strip()) for name, value in exchange.headers]
    return _joined(claim.headers, arrived)


def body_part(_exchange: Exchange, _claim: Claim) -> tuple[bytes, ...]:
    """Give nothing: the body is not covered, and the empty part ends the HttpString with a line feed."""
    return (b"",)


def sign(claim: Claim, key: Key, parts: tuple[bytes, bytes, bytes, bytes, bytes]) -> str:
    """Compute the signature of an HttpString, in lower-case hex."""
    return sign_with(
        hmac.digest(key.secret, claim.time.encode(), "sha1").hex(), claim.time, b"\n".join(parts)
    )


def sign_with(sign_key: str, key_time: str, http_string: bytes) -> str:
    """Compute the signature from the SignKey; the HttpString ends with a line feed."""
    digest = hashlib.sha1(http_string).hexdigest()  # noqa: S324 - the vendor's algorithm
    return hmac.digest(sign_key.encode(), f"sha1\n{key_time}\n{digest}\n".encode(), "sha1").hex()


def equal(expected: str, given: str) -> bool:
    """Compare whole signatures in constant time."""
    return hmac.compare_digest(expected.encode(), given.encode("latin-1"))


def _fields(authorization: bytes) -> list[tuple[str, str]]:
    pieces = (piece.partition("=") for piece in authorization.decode("latin-1").split("&"))
    return [(name, value) for name, _, value in pieces]


def _names(listed: str) -> tuple[str, ...]:
    names = tuple(listed.split(";")) if listed else ()
    if len(set(names)) != len(names) or any(not name or name != name.lower() for name in names):
        raise Refusal(Case.AUTH_MALFORMED)
    return names


def _joined(listed: Iterable[str], arrived: list[tuple[str, bytes]]) -> bytes:
    # Each is looked at once: there may be as many of either as the longest head has room for.
    found: dict[str, list[bytes]] = {}
    for name, value in arrived:
        found.setdefault(name, []).append(value)
    pieces = []
    for name in sorted(listed):
        values = found.get(name)
        if not values:
            raise Refusal(Case.AUTH_WRONG_SIGNATURE)
        if len(values) > 1:
            raise Refusal(Case.AUTH_MALFORMED)
        pieces.append(f"{name}={_encoded(values[0])}")
    return "&".join(pieces).encode()


def _encoded(data: bytes) -> str:
    return quote_from_bytes(data, safe=_KEPT)


def signature_steps(keys: Keys, *, start_counts: bool) -> SignatureSteps:
    """Give the steps that check q-sign; ``start_counts`` where a start that lies ahead is refused."""
    return SignatureSteps(
        read=read_claim,
        find_key=key_finder(keys),
        check_time=check_period if start_counts else check_end,
        check_security_token=check_security_token,
        method=method_part,
        path=path_part,
        parameters=parameters_part,
        headers=headers_part,
        body=body_part,
        sign=sign,
        equal=equal,
        verify=signature_matches,
    )
