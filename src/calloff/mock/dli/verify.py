"""Checking credentials of DLI: SDK-HMAC-SHA256 (both forms) and tokens, from the bytes that arrived.

Sources: HW-SIGN algorithm-001 to -005 and api-sign-0001; SDK-PY signer.py for what official clients send;
OTC-GO and OTC-OMS for the derived form (``Credential=``), which Huawei Cloud does not know.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import string
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes, unquote_to_bytes

from calloff.mock.pipeline import (
    Case,
    Claim,
    Principal,
    Refusal,
    SignatureSteps,
    TokenSteps,
    check_signature,
    key_finder,
    signature_matches,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from calloff.mock.keys import Key, Keys, Token, Tokens
    from calloff.mock.pipeline import Exchange, Steps

WINDOW_SECONDS = 15 * 60  # HW-SIGN: more than 15 minutes from the gateway clock is refused
_SPACE = r" \t\n\r\f\v"  # \s of ASCII; a set of single characters is looked up much faster
_REST = rf", ?SignedHeaders=([^{_SPACE},=]*), ?Signature=([^{_SPACE},=]*)"
_AUTHORIZATION = re.compile(rf"SDK-HMAC-SHA256 Access=([^{_SPACE},=]+){_REST}")
_DERIVED = re.compile(
    rf"SDK-HMAC-SHA256 Credential=([^{_SPACE},=/]+)/([0-9]{{8}}/[^{_SPACE},=/]*/[^{_SPACE},=/]*/sdk_request){_REST}"
)
_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z")
_HEADER_NAMES = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+(?:;[a-z0-9!#$%&'*+.^_`|~-]+)*")
_UNSIGNED = b"UNSIGNED-PAYLOAD"
_EMPTY = hashlib.sha256(b"").hexdigest().encode()
_KEPT = "-_.~"
_UNRESERVED_PATH = (string.ascii_letters + string.digits + "/" + _KEPT).encode()
_SHA256 = hashlib.sha256()
_BLOCK = _SHA256.block_size


def read_claim(exchange: Exchange, *, date_must_be_signed: bool = True, derived: bool = False) -> Claim:
    """Read the Authorization header and the date; ``derived`` where its derived form is accepted too.

    Raises:
        Refusal: AUTH_MISSING without the header; AUTH_MALFORMED where it lacks a part, names a header
            twice, does not cover X-Sdk-Date, is scoped to another day than it, or where one of the
            headers that decide is there twice.
    """
    exchange.one(b"host")
    value = exchange.one(b"authorization")
    if not value:
        raise Refusal(Case.AUTH_MISSING)
    text, scope = value.decode("latin-1"), ""
    if (found := _AUTHORIZATION.fullmatch(text)) is not None:
        key_id, listed, signature = found.groups()
    elif derived and (found := _DERIVED.fullmatch(text)) is not None:
        key_id, scope, listed, signature = found.groups()
    else:
        raise Refusal(Case.AUTH_MALFORMED)
    names = _header_names(listed)
    date = exchange.one(b"x-sdk-date")
    if date is None or (date_must_be_signed and "x-sdk-date" not in names):
        raise Refusal(Case.AUTH_MALFORMED)
    time = date.decode("latin-1").strip()
    if scope and not time.startswith(scope[:8]):
        raise Refusal(Case.AUTH_MALFORMED)
    return Claim(key_id, names, (), time, signature, False, scope)


@lru_cache(maxsize=256)
def _header_names(listed: str) -> tuple[str, ...]:
    """Read the list of signed headers, which clients send alike again and again."""
    names = tuple(listed.split(";"))
    if not _HEADER_NAMES.fullmatch(listed) or len(set(names)) != len(names):
        raise Refusal(Case.AUTH_MALFORMED)
    return names


def check_time(exchange: Exchange, claim: Claim) -> None:
    """Refuse a date that is none, or lies more than 15 minutes from the clock on either side."""
    if abs(exchange.now - _epoch(claim.time)) > WINDOW_SECONDS:
        raise Refusal(Case.AUTH_EXPIRED)


@lru_cache(maxsize=256)
def _epoch(text: str) -> float:
    """Read a date, which the requests of one second share."""
    found = _DATE.fullmatch(text)
    if found is None:
        raise Refusal(Case.AUTH_EXPIRED)
    year, month, day, hour, minute, second = map(int, found.groups())
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError as error:
        raise Refusal(Case.AUTH_EXPIRED) from error


def check_security_token(exchange: Exchange, _claim: Claim, key: Key) -> None:
    """Refuse a temporary key without its token, with another one, or past its end."""
    token = exchange.one(b"x-security-token")
    if not key.security_token:
        return
    if token is None or not hmac.compare_digest(token, key.security_token.encode()):
        raise Refusal(Case.AUTH_SECURITY_TOKEN)
    if exchange.now > key.ends:
        raise Refusal(Case.AUTH_SECURITY_TOKEN_EXPIRED)


def method_part(exchange: Exchange, _claim: Claim) -> bytes:
    """Give the method in upper case."""
    return exchange.method.upper().encode("latin-1")


def path_part(exchange: Exchange, _claim: Claim) -> bytes:
    """Give the path, decoded and encoded once (as SDK-PY does), with a slash at the end."""
    path = exchange.raw_path
    if path.translate(None, _UNRESERVED_PATH):
        path = quote_from_bytes(unquote_to_bytes(path), safe="/" + _KEPT).encode()
    return path if path.endswith(b"/") else path + b"/"


def parameters_part(exchange: Exchange, _claim: Claim) -> bytes:
    """Give the query: names and values encoded, sorted by name and value; an empty value keeps its ``=``."""
    if not exchange.query:
        return b""
    pairs = [piece.partition(b"=") for piece in exchange.query.split(b"&") if piece]
    decoded = sorted((unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in pairs)
    return b"&".join(_encoded(name) + b"=" + _encoded(value) for name, value in decoded)


def headers_part(exchange: Exchange, claim: Claim) -> bytes:
    """Give a line for each signed header, an empty line, and the list of names.

    Raises:
        Refusal: AUTH_WRONG_SIGNATURE where a listed header is absent, AUTH_MALFORMED where it is there twice.
    """
    names, last_line = _sorted_names(claim.headers)
    lines = []
    for name in names:
        value = exchange.one(name)
        if value is None:
            raise Refusal(Case.AUTH_WRONG_SIGNATURE)
        lines.append(b"%b:%b\n" % (name, value.strip()))
    return b"".join(lines) + last_line


@lru_cache(maxsize=256)
def _sorted_names(names: tuple[str, ...]) -> tuple[tuple[bytes, ...], bytes]:
    """Sort names of headers; the second is what follows their lines, a line break and the list of them."""
    found = tuple(name.encode() for name in sorted(names))
    return found, b"\n" + b";".join(found)


def body_part(exchange: Exchange, claim: Claim) -> tuple[bytes, ...]:
    """Give the hash of the body, and the word for "not signed" where the client signed that it skips it.

    SDK-PY announces the word for an empty body and yet hashes it: official clients send both forms.
    """
    digest = hashlib.sha256(exchange.body).hexdigest().encode() if exchange.body else _EMPTY
    if "x-sdk-content-sha256" in claim.headers and exchange.one(b"x-sdk-content-sha256") == _UNSIGNED:
        return digest, _UNSIGNED
    return (digest,)


def sign(claim: Claim, key: Key, parts: tuple[bytes, bytes, bytes, bytes, bytes]) -> str:
    """Compute the signature of a canonical request, in lower-case hex."""
    hashed = _SHA256.copy()  # takes half as long as another one
    hashed.update(b"\n".join(parts))
    digest = hashed.hexdigest()
    if claim.scope:
        to_sign = f"SDK-HMAC-SHA256\n{claim.time}\n{claim.scope}\n{digest}".encode("latin-1")
        return _hmac(_derived_key(key.secret, claim.scope), to_sign)
    to_sign = f"SDK-HMAC-SHA256\n{claim.time}\n{digest}".encode("latin-1")
    return _hmac(key.secret, to_sign)


def _hmac(key: bytes, message: bytes) -> str:
    """Compute HMAC-SHA256 in hex; `hmac.digest` takes three times as long, for it begins with the key each time."""
    begun = _begun(key)
    inner, outer = begun[0].copy(), begun[1].copy()
    inner.update(message)
    outer.update(inner.digest())
    return outer.hexdigest()


@lru_cache(maxsize=256)
def _begun(key: bytes) -> tuple[hashlib._Hash, hashlib._Hash]:
    """Begin the inner and the outer hash of HMAC with a key (RFC 2104, section 4)."""
    padded = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    inner, outer = (bytes(byte ^ pad for byte in padded) for pad in (0x36, 0x5C))
    return hashlib.sha256(inner), hashlib.sha256(outer)


@lru_cache(maxsize=256)
def _derived_key(secret: bytes, scope: str) -> bytes:
    """Derive the key of a scope: day, region, service (both may be empty) and a fixed last word."""
    derived = b"SDK" + secret
    for part in scope.split("/"):
        derived = hmac.digest(derived, part.encode("latin-1"), "sha256")
    return derived


def equal(expected: str, given: str) -> bool:
    """Compare whole signatures in constant time."""
    return hmac.compare_digest(expected.encode(), given.encode("latin-1"))


def _encoded(data: bytes) -> bytes:
    return quote_from_bytes(data, safe=_KEPT).encode()


def signature_steps(keys: Keys, *, derived: bool = False) -> SignatureSteps:
    """Give the steps that check SDK-HMAC-SHA256 against the keys of an API; ``derived``: in both forms."""
    return SignatureSteps(
        read=partial(read_claim, derived=True) if derived else read_claim,
        find_key=key_finder(keys),
        check_time=check_time,
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


def token_steps(tokens: Tokens) -> TokenSteps:
    """Give the steps that check an X-Auth-Token against the tokens of the IAM."""

    def find(_exchange: Exchange, value: bytes) -> Token:
        token = tokens.find(value.decode("latin-1"))
        if token is None:
            raise Refusal(Case.TOKEN_UNKNOWN)
        return token

    def check_end(exchange: Exchange, token: Token) -> None:
        if exchange.now >= token.ends:
            raise Refusal(Case.TOKEN_EXPIRED)

    return TokenSteps(find, check_end)


def authenticator(*, locks: bool) -> Callable[[Steps, Exchange], Principal]:
    """Give the step that authenticates: by the token where there is one, else by the signature."""

    def authenticate(steps: Steps, exchange: Exchange) -> Principal:
        value = exchange.one(b"x-auth-token")
        if value is None or steps.token is None:
            return check_signature(steps.signature, exchange, locks=locks)
        token = steps.token.find(exchange, value)
        steps.token.check_time(exchange, token)
        return Principal(token.project)

    return authenticate
