"""What an answer must not show: credentials of its request, the inside of the server, headers made of an id."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from calloff.verify.wire import Request, Response

# A job id with a line break before this name asks a server that echoes ids for a header of ours.
INJECTED_HEADER = "x-calloff-injected"

_CREDENTIAL_HEADERS = (
    "Authorization",
    "X-Auth-Token",
    "X-Security-Token",
    "x-ci-security-token",
    "x-cos-security-token",
)
# The head of a signature is enough: it is the same in the one that the server computes, where a wrong one came that
# differs at its end.
_SIGNATURE = re.compile("(?:q-signature|Signature)=([0-9a-f]{32})")
# A shorter value, made up for a test, could stand in an answer by chance.
_SHORTEST_SECRET = 12

_STACK_TRACES = re.compile(
    r"""Traceback[ ]\(most[ ]recent[ ]call[ ]last\)
      | File[ ]"[^"\n]+",[ ]line[ ]\d+              # Python
      | \bat[ ][\w.$<>]+\([\w$]+\.(?:java|kt|scala):\d+\)
      | \bat[ ][^\n]*\([^()\n]+\.[cm]?[jt]s:\d+:\d+\) # Node
      | \bgoroutine[ ]\d+[ ]\[                    # Go
      | \#\d+[ ][^\n]*\.php\(\d+\)
      | \bat[ ][^\n]+[ ]in[ ][^\n]+:line[ ]\d+     # .NET
    """,
    re.VERBOSE,
)


def secrets_in(request: Request, response: Response) -> str:
    """Name what *response* repeats of the credential of *request*; empty where it is nothing."""
    text = _text(response)
    for name in _CREDENTIAL_HEADERS:
        value = request.header(name) or ""
        if len(value) >= _SHORTEST_SECRET and value in text:
            return f"the value of {name}"
    for place in (request.header("Authorization") or "", request.target):
        found = _SIGNATURE.search(place)
        if found is not None and found[1] in text:
            return "the signature"
    return ""


def internals_in(response: Response) -> bool:
    """Tell whether *response* shows a stack trace of one of the usual languages."""
    return _STACK_TRACES.search(_text(response)) is not None


def _text(response: Response) -> str:
    """Return everything that *response* says, with the escapes of XML and JSON undone."""
    headers = "\n".join(value for _, value in response.headers)
    body = unescape(response.body.decode("utf-8", "replace"))
    return headers + "\n" + body.replace("\\n", "\n").replace("\\t", "\t").replace('\\"', '"')
