"""The page that shows a person what the mock keeps and was asked: one file, which asks the control interface."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping


class Page:
    """Serve the page over ASGI. It holds no data, so it is the same for everybody."""

    def __init__(self) -> None:
        style, script = _asset("page.css"), _asset("page.js")
        page = Template(_asset("page.html")).substitute(style=style, script=script)
        policy = (
            f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; connect-src 'self'; "
            "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        self._body = page.encode()
        self._headers = [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-length", b"%d" % len(self._body)),
            (b"content-security-policy", policy.encode()),
            (b"cache-control", b"no-store"),
            (b"referrer-policy", b"no-referrer"),
            (b"x-content-type-options", b"nosniff"),
        ]

    async def __call__(
        self,
        _scope: MutableMapping[str, Any],
        _receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Serve one GET or HEAD; the server drops the body of the latter."""
        await send({"type": "http.response.start", "status": 200, "headers": list(self._headers)})
        await send({"type": "http.response.body", "body": self._body})


def _asset(name: str) -> str:
    return (files(__name__) / name).read_text("utf-8").strip()


def _digest(text: str) -> str:
    """Return the source expression of a Content-Security-Policy that allows *text* and nothing else."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
