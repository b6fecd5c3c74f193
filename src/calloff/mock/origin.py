"""Keep pages of other sites, open in somebody's browser, from changing a mock on that machine.

A browser sends an Origin with every request that may change something (Fetch standard, 3.2). It is the page's own
address: where that is not the address asked for, another site asks. A site whose name was made to lead here (DNS
rebinding) does have the address asked for, so with an Origin the name itself must be one that no stranger owns.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

_READING = frozenset({"GET", "HEAD"})


def foreign_origin(method: str, headers: Iterable[tuple[bytes, bytes]], own_name: str) -> str:
    """Tell in a sentence why a request of a browser may not change anything; empty where it may.

    Args:
        method: of the request; one that reads always may.
        headers: its headers, names in lower case.
        own_name: the name or address that the server listens on.
    """
    if method in _READING:
        return ""
    origins, hosts = (
        [value.decode("latin-1").lower() for name, value in headers if name == wanted]
        for wanted in (b"origin", b"host")
    )
    for origin in origins:
        if [origin.partition("://")[2]] != hosts:
            return f"Pages of {origin} may change nothing here: expected no Origin, or that of this address."
        if not _is_own(_name(origin), own_name.lower()):
            return (
                f"The name {_name(origin)} could be anybody's: open the page by an IP address or as localhost, "
                "or let the mock listen on that name."
            )
    return ""


def _name(origin: str) -> str:
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""


def _is_own(name: str, own_name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in {"localhost", own_name} or name.endswith(".localhost")
    return True
