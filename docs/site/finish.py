"""What Sphinx and its theme leave open: blocks that the keyboard scrolls, pages that may ask nobody for anything."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

_SCROLLS = re.compile(r'<(pre|div class="table-wrapper[^"]*")>')
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
# Files are their own neighbours: a page opened from a file system has no origin that 'self' could mean.
_POLICY = (
    "default-src 'none'; script-src 'self' file: {scripts}; style-src 'self' file: 'unsafe-inline'; "
    "img-src 'self' file: data:; font-src 'none'; connect-src 'none'; form-action 'self' file:; base-uri 'none'"
)


def scrollable(html: str) -> str:
    """Let the keyboard reach what may be wider than the page: blocks of code, and tables."""
    return _SCROLLS.sub(r'<\1 tabindex="0">', html)


def with_policy(html: str) -> str:
    """Forbid a page every connection, and every script but the site's own."""
    hashes = {hashlib.sha256(script.encode()).digest() for script in _SCRIPT.findall(html)}
    scripts = " ".join(sorted(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in hashes))
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY.format(scripts=scripts)}">'
    return html.replace('<meta charset="utf-8">', f'<meta charset="utf-8">{policy}', 1)


def _body(app: Sphinx, page: str, _template: str, context: dict[str, Any], _tree: object) -> None:
    if "body" in context:
        context["body"] = scrollable(context["body"])
    if page == "signing":
        app.add_js_file("calculator.js", loading_method="defer")


def _finish(app: Sphinx, failure: Exception | None) -> None:
    if failure is None:
        for path in Path(app.outdir).rglob("*.html"):
            path.write_text(with_policy(path.read_text("utf-8")), "utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("html-page-context", _body, priority=900)
    app.connect("build-finished", _finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
