"""Take secrets out of what a report shows: by the place they stand in, and by their value."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from calloff.verify.outcome import CUT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from calloff.verify.wire import Request, Response

REDACTED = "***"

_SECRET_HEADERS = frozenset(
    {
        "authorization",
        "x-auth-token",
        "x-security-token",
        "x-ci-security-token",
        "x-cos-security-token",
        "x-subject-token",
        "set-cookie",
        "cookie",
    }
)
# What stays readable of an Authorization is what a server's author needs: which headers and parameters were signed.
# All of q-sign may also stand in one query parameter, where its delimiters are percent-encoded.
_SECRET_PARTS = re.compile(
    r"((?:q-ak|q-signature|Access|Credential|Signature|x-c(?:i|os)-security-token)(?:=|%(?:25)*3D))"
    r"(?:(?!%(?:25)*26)[^&,\s])+",
    re.IGNORECASE,
)

# A server may show the signature it got, or the one it expected, without a name before it: SHA-1 and SHA-256 in
# hexadecimal, or but one digit of them.
_DIGESTS = re.compile("(?<![0-9a-zA-Z])(?:[0-9a-fA-F]{39,40}|[0-9a-fA-F]{63,64})(?![0-9a-zA-Z])")
_CUT_DIGESTS = re.compile(f"(?<![0-9a-zA-Z])[0-9a-fA-F]{{8,64}}{CUT}")
_LONGEST_BODY = 4000


class Redactor:
    """Knows the secrets of a run and removes them from texts."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # Longer ones first, so that no secret hides inside the remains of another.
        forms = {form for secret in secrets if len(secret) > 3 for form in _forms(secret)}
        self._secrets = sorted(forms, key=len, reverse=True)

    def text(self, value: str) -> str:
        """Return *value* without any known secret or credential field."""
        for secret in self._secrets:
            value = value.replace(secret, REDACTED)
        if CUT in value:
            # What was cut short may end within a secret.
            for secret in self._secrets:
                for length in range(len(secret) - 1, 3, -1):
                    value = value.replace(secret[:length] + CUT, REDACTED + CUT)
            value = _CUT_DIGESTS.sub(REDACTED + CUT, value)
        return _DIGESTS.sub(REDACTED, _SECRET_PARTS.sub(rf"\1{REDACTED}", value))

    def header(self, name: str, value: str) -> str:
        """Return the value of a header as it may be shown."""
        if name.lower() == "authorization" and value.startswith(("q-sign-algorithm=", "SDK-HMAC-SHA256 ")):
            return self.text(value)
        return REDACTED if name.lower() in _SECRET_HEADERS else self.text(value)

    def request(self, request: Request) -> str:
        """Write *request* as text without secrets."""
        lines = [f"{request.method} {self.text(request.target)} HTTP/1.1"]
        lines += [f"{name}: {self.header(name, value)}" for name, value in request.headers]
        return "\n".join([*lines, "", self._body(request.body)]).strip()

    def response(self, response: Response | None) -> str:
        """Write *response* as text without secrets."""
        if response is None:
            return "(no answer)"
        lines = [f"HTTP/1.1 {response.status}"]
        lines += [f"{name}: {self.header(name, value)}" for name, value in response.headers]
        return "\n".join([*lines, "", self._body(response.body)]).strip()

    def _body(self, body: bytes) -> str:
        # First the secrets, then the length: no secret may lie across the cut.
        shown = self.text(body.decode("utf-8", "replace"))
        left = len(shown) - _LONGEST_BODY
        return shown if left <= 0 else f"{shown[:_LONGEST_BODY]}\n{CUT} {left} characters more"


def _forms(secret: str) -> set[str]:
    """Return *secret* as it stands in a header, a query, JSON and XML."""
    quoted = quote(secret, safe="")
    in_json = json.dumps(secret)[1:-1]
    return {
        secret,
        quoted,
        quoted.replace("%", "%25"),
        re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), quoted),
        quote(secret),
        in_json,
        in_json.replace("/", "\\/"),
        html.escape(secret),
        html.escape(secret, quote=False),
    }
