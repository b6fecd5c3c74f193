"""The request as both algorithms see it, and how they read its target and headers.

Values are percent-decoded once and encoded again, so that every spelling of one target gives one signature.
A ``+`` is a plus sign: percent-encoding knows no other meaning (RFC 3986, section 2), and no official
signer writes a space that way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch
_PLAIN = re.compile(r"[A-Za-z0-9_.~/-]*").fullmatch
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")


@dataclass(frozen=True, slots=True, repr=False)
class SignableRequest:
    """One HTTP request as it will be on the wire.

    ``target`` is the request target in origin form, ``path[?query]``, percent-encoded ASCII. ``headers``
    are name and value pairs in any order and case; text outside ASCII stands for its UTF-8 bytes.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def __repr__(self) -> str:
        """Show method and path; the query and the headers may carry a token or a signature."""
        return f"SignableRequest(method={self.method!r}, path={self.target.partition('?')[0]!r})"


def checked_method(request: SignableRequest) -> str:
    """Return the method of ``request``; raise ValueError unless it is ASCII letters."""
    if not (request.method.isascii() and request.method.isalpha()):
        raise ValueError(f"the method must be ASCII letters, such as PUT, not {request.method!r}")
    return request.method


def split_target(target: str) -> tuple[str, str]:
    """Split a request target into its path and its query, both still percent-encoded.

    Raise ValueError where ``target`` is not in origin form (RFC 9112, section 3.2.1).
    """
    if not (target.startswith("/") and target.isascii() and target.isprintable()):
        raise ValueError("the request target must be percent-encoded ASCII that starts with '/'")
    if " " in target or "#" in target:
        raise ValueError("the request target must hold neither a space nor a fragment; write %20 and %23")
    path, _, query = target.partition("?")
    return path, query


def is_plain(path: str) -> bool:
    """Tell whether a path is the same percent-encoded or not: slashes, and what is never encoded."""
    return _PLAIN(path) is not None


def percent_encode(text: str) -> str:
    """Encode every UTF-8 byte of ``text`` but ``A-Z a-z 0-9 - _ . ~`` as ``%XX``, upper case."""
    return text if _UNRESERVED(text) else quote(text, safe="")


def percent_decode(text: str) -> str:
    """Decode each ``%XX`` of ``text`` once; raise ValueError for a broken escape or one that is not UTF-8."""
    if "%" not in text:
        return text
    for piece in text.split("%")[1:]:
        if len(piece) < 2 or piece[0] not in _HEX_DIGITS or piece[1] not in _HEX_DIGITS:
            raise ValueError(
                "the request target holds a '%' without two hexadecimal digits; write %25 for the sign"
            )
    decoded = unquote_to_bytes(text)
    try:
        return decoded.decode()
    except UnicodeDecodeError:
        raise ValueError("the request target must be percent-encoded UTF-8") from None


def query_parameters(query: str) -> list[tuple[str, str]]:
    """List the decoded names and values of a raw query in wire order; ``?a`` equals ``?a=``."""
    return [
        (percent_decode(name), percent_decode(value))
        for name, _, value in (piece.partition("=") for piece in query.split("&") if piece)
    ]


def select_headers(request: SignableRequest, names: Iterable[str]) -> list[tuple[str, str]]:
    """List the named headers of ``request``, sorted: lower-case name, value without outer blanks.

    Raise ValueError for a name that the request lacks or holds more than once (no vendor says how to sign
    that), and for a value that no header can carry.
    """
    wanted = {name.lower() for name in names}
    found = [(lower, value) for name, value in request.headers if (lower := name.lower()) in wanted]
    if len(found) != len(wanted) or len(dict(found)) != len(wanted):
        present = [name for name, _ in found]
        name, count = next((name, present.count(name)) for name in sorted(wanted) if present.count(name) != 1)
        told = f"there {count} times" if count else "absent"
        raise ValueError(f"header {name!r} is to be signed and must be in the request once; it is {told}")
    found.sort()
    for name, value in found:
        if not (value.isascii() and value.isprintable()):
            _check_value(name, value)
    return [(name, value.strip(" \t")) for name, value in found]


def _check_value(name: str, value: str) -> None:
    if "\n" in value or "\r" in value or "\0" in value:
        raise ValueError(f"the value of header {name!r} must hold no line break and no NUL")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError(
            f"the value of header {name!r} must be text that UTF-8 can write, without lone surrogates"
        )


def checked_key(secret_key: str) -> bytes:
    """Return ``secret_key`` as bytes; raise ValueError, unquoted, unless it is ASCII and not empty."""
    if not secret_key or not secret_key.isascii():
        raise ValueError("the secret key must be ASCII text and not empty")
    return secret_key.encode("ascii")


def checked_key_id(key_id: str, *, delimiter: str) -> str:
    """Return the public half of a key pair; raise ValueError where it would break the Authorization value."""
    if not key_id or not key_id.isascii() or not key_id.isprintable() or " " in key_id or delimiter in key_id:
        raise ValueError(
            f"the key id must be printable ASCII without blanks and {delimiter!r}, and not empty"
        )
    return key_id
