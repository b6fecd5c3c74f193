"""What Sphinx and its theme leave open: pages that everybody can use, and that may ask nobody for anything."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_SEARCH = "<h1>Search</h1><p>The field to type into is at the top of the menu.</p>"
# Each with its reason: what the theme, or a table of Markdown, writes, and what assistive technology needs.
_MENDED = (
    # What may be wider than the page is scrolled with the keyboard.
    (re.compile(r'<(pre|div class="table-wrapper[^"]*")>'), r'<\1 tabindex="0">'),
    # A heading has a level, a landmark a name of its own, a page a title.
    (re.compile(r'<p class="caption" role="heading">'), '<p class="caption" role="heading" aria-level="2">'),
    (re.compile(r'<aside class="sidebar-drawer">'), '<aside class="sidebar-drawer" aria-label="Site">'),
    (
        re.compile(r'<aside class="toc-drawer([^"]*)">'),
        r'<aside class="toc-drawer\1" aria-label="This page">',
    ),
    (re.compile(r'<div id="search-results">'), f'{_SEARCH}<div id="search-results">'),
    # Two hyphens begin an option wherever they stand in a text, so only here they are a dash.
    (re.compile(r"(</strong>(?:</a>)?) -- "), r"\1 &#8211; "),
    # A corner of a table that is empty is no header.
    (re.compile(r'<th class="head"><p></p></th>'), "<td></td>"),
)
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
# Files are their own neighbours: a page opened from a file system has no origin that 'self' could mean.
_POLICY = (
    "default-src 'none'; script-src 'self' file: {scripts}; style-src 'self' file: 'unsafe-inline'; "
    "img-src 'self' file: data:; font-src 'none'; connect-src 'none'; form-action 'self' file:; base-uri 'none'"
)


def mended(html: str) -> str:
    """Return a page with what it lacks for those who do not see it or have no mouse."""
    for pattern, better in _MENDED:
        html = pattern.sub(better, html)
    return html


def with_policy(html: str) -> str:
    """Forbid a page every connection, and every script but the site's own."""
    hashes = {hashlib.sha256(script.encode()).digest() for script in _SCRIPT.findall(html)}
    scripts = " ".join(sorted(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in hashes))
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY.format(scripts=scripts)}">'
    return html.replace('<meta charset="utf-8">', f'<meta charset="utf-8">{policy}', 1)


def _scripts(app: Sphinx, page: str, _template: str, _context: dict[str, Any], _tree: object) -> None:
    if page == "signing":
        app.add_js_file("calculator.js", loading_method="defer")


def _finish(app: Sphinx, failure: Exception | None) -> None:
    if failure is None:
        for path in Path(app.outdir).rglob("*.html"):
            path.write_text(with_policy(mended(path.read_text("utf-8"))), "utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("html-page-context", _scripts)
    app.connect("build-finished", _finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
