"""Every page of the built documentation site: its links, how it opens, and whether everybody can use it."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from typing import Any, Literal

import pages
import pytest
from pages import AXE, CHROMIUM, NARROW, PAGES, SITE, WIDE, Opened
from playwright.sync_api import BrowserContext

from calloff.contract import load_catalogue

if not PAGES:
    pytest.skip("the site is not built: nox -s docs builds it", allow_module_level=True)

needs_browser = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="no Chromium found to look at the pages with"
)
# What is left of Markdown that was not read as such: attributes, roles, links, fences, comments.
MARKUP = re.compile(r"\{[.#]\S|\{\w+\}`|\]\(|:::|```|<!--|\*\*\S[^*]{0,80}\S\*\*")
QUOTES = {0x201C: '"', 0x201D: '"', 0x2018: "'", 0x2019: "'"}
# Where the site says what it is about, and what everything else leads to.
MAIN = {
    "index.html",
    "docs/verify.html",
    "docs/mock.html",
    "docs/cancel.html",
    "python.html",
    "requirements.html",
}
RUN_AXE = "([what, more]) => axe.run(what, {resultTypes: ['violations'], preload: false, ...more})"
# What no width changes: the colours of code, and lists that are folded. They are looked at once, in the wide page.
LOOKED_AT = {WIDE: {"exclude": []}, NARROW: {"exclude": [".highlight pre > *", "details > ul"]}}
# Every rule in the light; in the dark those that a colour can break.
RULES: dict[Literal["light", "dark"], dict[str, Any]] = {
    "light": {},
    "dark": {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}},
}


@pytest.fixture(scope="module", params=PAGES)
def opened(context: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Open each page once; the tests of one page follow each other."""
    opened = Opened(context, request.param)
    yield opened
    opened.page.close()


def test_the_main_pages_are_there() -> None:
    assert set(PAGES) >= MAIN


@pytest.mark.parametrize("page", PAGES)
def test_every_link_within_the_site_leads_somewhere(page: str) -> None:
    assert pages.broken(SITE, page) == []


@pytest.mark.parametrize("page", PAGES)
def test_no_part_of_a_page_comes_from_elsewhere(page: str) -> None:
    parts = pages.anatomy(SITE / page).parts

    assert [part for part in parts if pages.is_external(part) and not part.startswith("data:")] == []


@pytest.mark.parametrize("page", PAGES)
def test_an_anchor_stands_once(page: str) -> None:
    anchors = pages.anatomy(SITE / page).anchors

    assert sorted(anchors) == sorted(set(anchors))


@pytest.mark.parametrize("page", PAGES)
def test_no_markup_is_left_in_the_prose(page: str) -> None:
    prose = " ".join(pages.anatomy(SITE / page).prose)

    assert MARKUP.findall(prose) == []


def test_every_requirement_reads_as_it_stands_in_the_catalogue() -> None:
    prose = " ".join("".join(pages.anatomy(SITE / "requirements.html").prose).translate(QUOTES).split())

    statements = [one.statement for one in load_catalogue().requirements.values()]
    assert [one for one in statements if " ".join(one.split()) not in prose] == []


@needs_browser
def test_a_page_opens_from_a_file_and_asks_for_nothing_else(opened: Opened) -> None:
    opened.page.evaluate("new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown)))")

    assert (opened.complaints, opened.outside()) == ([], [])
    assert opened.asked


@needs_browser
def test_everybody_can_use_a_page(opened: Opened) -> None:
    # Given to the browser, not to the page, whose policy would keep the checker out.
    opened.page.evaluate(AXE.read_text("utf-8"))
    found: dict[str, Any] = {}
    for width in (WIDE, NARROW):
        opened.page.set_viewport_size({"width": width, "height": 900})
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
        for scheme, rules in RULES.items():
            opened.page.emulate_media(color_scheme=scheme)
            for violation in opened.page.evaluate(RUN_AXE, [LOOKED_AT[width], rules])["violations"]:
                nodes = [node["target"] for node in violation["nodes"][:3]]
                found[f"{violation['id']}, {width}, {scheme}"] = (violation["help"], nodes)

    assert found == {}


@needs_browser
def test_the_search_finds_an_operation_without_a_server(context: BrowserContext) -> None:
    opened = Opened(context, "search.html")
    opened.page.goto(f"{(SITE / 'search.html').as_uri()}?q=cancelAiJob")
    results = opened.page.locator("#search-results li a")
    results.first.wait_for()
    titles = results.all_inner_texts()
    opened.page.close()

    assert any(title.startswith("Tencent Cloud CI: cancelling a job") for title in titles)
    assert (opened.complaints, opened.outside()) == ([], [])


@needs_browser
def test_the_policy_forbids_every_connection(context: BrowserContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/x.png"
        opened = Opened(context, "signing.html")
        answer = opened.page.evaluate(
            # Nobody answers there, so what is sent after all would be waited for.
            "(address) => fetch(address, { signal: AbortSignal.timeout(10000) })"
            ".then(() => 'sent', (error) => String(error))",
            address,
        )
        image = opened.page.evaluate(
            "(address) => new Promise((done) => { const image = new Image(); image.onerror = () => done('refused');"
            " setTimeout(done, 10000, 'sent'); image.src = address; })",
            address,
        )
        opened.page.close()
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()

    assert "Failed to fetch" in answer
    assert image == "refused"
    assert all("Content Security Policy" in complaint for complaint in opened.complaints)
    assert len(opened.complaints) >= 2
