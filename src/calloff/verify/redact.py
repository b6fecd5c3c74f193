"""Take secrets out of what a report shows: by the place they stand in, and by their value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

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
_SECRET_PARTS = re.compile(
    r"((?:q-ak|q-signature|Access|Credential|Signature|x-c(?:i|os)-security-token)=)[^&,\s]+", re.IGNORECASE
)


class Redactor:
    """Knows the secrets of a run and removes them from texts."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # Longer ones first, so that no secret hides inside the remains of another.
        self._secrets = sorted({s for s in secrets if len(s) > 3}, key=len, reverse=True)

    def text(self, value: str) -> str:
        """Return *value* without any known secret or credential field."""
        for secret in self._secrets:
            value = value.replace(secret, REDACTED)
        return _SECRET_PARTS.sub(rf"\1{REDACTED}", value)

    def header(self, name: str, value: str) -> str:
        """Return the value of a header as it may be shown."""
        if name.lower() == "authorization" and "=" in value:
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
        shown = body[:4000].decode("utf-8", "replace")
        return self.text(shown) + (f"\n... {len(body) - 4000} bytes more" if len(body) > 4000 else "")
