"""The built site as its readers have it: files, in a browser without a network."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

from playwright.sync_api import BrowserContext, Page

ROOT = Path(__file__).resolve().parent.parent.parent
SITE = Path(os.environ.get("CALLOFF_SITE", ROOT / "build" / "site")).resolve()
AXE = ROOT / "docs" / "site" / "node_modules" / "axe-core" / "axe.min.js"
PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))),
    None,
)
WIDE, NARROW = 1400, 390
# Text in these is no prose: there a bracket or brace means itself.
_VERBATIM = {"code", "pre", "script", "style", "svg", "textarea"}
# Members of an element that hold an address; only those of a link may lead out of the site.
_ADDRESSES = {"href", "src", "srcset", "action", "poster", "data"}


@dataclass
class Anatomy(HTMLParser):
    """What a page can be linked at, what it links to, and its prose."""

    anchors: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    prose: list[str] = field(default_factory=list)
    _verbatim: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def handle_endtag(self, tag: str) -> None:
        self._verbatim -= tag in _VERBATIM

    def handle_data(self, data: str) -> None:
        if not self._verbatim:
            self.prose.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._verbatim += tag in _VERBATIM
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.append(value)
            elif name in _ADDRESSES and value is not None:
                (self.links if tag == "a" else self.parts).append(value)


@cache
def anatomy(path: Path) -> Anatomy:
    """Read one page."""
    found = Anatomy()
    found.feed(path.read_text("utf-8"))
    found.close()
    return found


def is_external(address: str) -> bool:
    """Tell whether an address leads out of the site."""
    return bool(urlsplit(address).scheme or urlsplit(address).netloc)


def broken(site: Path, page: str) -> list[str]:
    """Return what *page* links to in the site that is not there."""
    place = site / page
    missing = []
    for address in (*anatomy(place).links, *anatomy(place).parts):
        if is_external(address):
            continue
        path, fragment = urldefrag(address)
        target = Path(os.path.normpath(place.parent / unquote(urlsplit(path).path))) if path else place
        found = target.is_relative_to(site) and target.is_file()
        if not found or (fragment and unquote(fragment) not in anatomy(target).anchors):
            missing.append(address)
    return missing


class Opened:
    """One page in the browser, with what it asked for and complained about."""

    def __init__(self, context: BrowserContext, page: str) -> None:
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page: Page = context.new_page()
        self.page.set_default_timeout(120_000)
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto((SITE / page).as_uri())

    def outside(self) -> list[str]:
        """Return the requests that left the site's folder."""
        return [url for url in self.asked if not url.startswith((SITE.as_uri(), "data:"))]
