"""Every page of the built documentation site: its links, how it opens, and whether everybody can use it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Literal

import pages
import pytest
from pages import AXE, CHROMIUM, NARROW, PAGES, SITE, WIDE, Opened
from playwright.sync_api import Browser, sync_playwright

if not PAGES:
    pytest.skip("the site is not built: nox -s docs builds it", allow_module_level=True)

needs_browser = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="no Chromium found to look at the pages with"
)
# Where the site says what it is about, and what everything else leads to.
MAIN = {
    "index.html",
    "docs/verify.html",
    "docs/mock.html",
    "docs/cancel.html",
    "python.html",
    "requirements.html",
}
RUN_AXE = "(more) => axe.run(document, {resultTypes: ['violations'], preload: false, ...more})"
# Every rule in the light; in the dark those that a colour can break.
RULES: dict[Literal["light", "dark"], dict[str, Any]] = {
    "light": {},
    "dark": {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM is not None, "CI must look at the pages: install Chromium"
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


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


@needs_browser
@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_from_a_file_and_asks_for_nothing_else(browser: Browser, page: str) -> None:
    opened = Opened(browser, page)
    opened.page.evaluate("new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown)))")
    opened.context.close()

    assert (opened.complaints, opened.outside()) == ([], [])
    assert opened.asked


@needs_browser
@pytest.mark.parametrize("page", PAGES)
def test_everybody_can_use_a_page(browser: Browser, page: str) -> None:
    # The policy of the pages would keep the checker out; that it holds has a test of its own.
    opened = Opened(browser, page, bypass_csp=True)
    opened.page.add_script_tag(path=AXE)
    found: dict[str, Any] = {}
    for width in (WIDE, NARROW):
        opened.page.set_viewport_size({"width": width, "height": 900})
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
        for scheme, rules in RULES.items():
            opened.page.emulate_media(color_scheme=scheme)
            for violation in opened.page.evaluate(RUN_AXE, rules)["violations"]:
                nodes = [node["target"] for node in violation["nodes"][:3]]
                found[f"{violation['id']}, {width}, {scheme}"] = (violation["help"], nodes)
    opened.context.close()

    assert found == {}


@needs_browser
def test_the_search_finds_an_operation_without_a_server(browser: Browser) -> None:
    opened = Opened(browser, "search.html")
    opened.page.goto(f"{(SITE / 'search.html').as_uri()}?q=cancelAiJob")
    results = opened.page.locator("#search-results li a")
    results.first.wait_for()
    titles = results.all_inner_texts()
    opened.context.close()

    assert any(title.startswith("Tencent Cloud CI: cancelling a job") for title in titles)
    assert (opened.complaints, opened.outside()) == ([], [])


@needs_browser
def test_the_policy_forbids_every_connection(browser: Browser) -> None:
    opened = Opened(browser, "signing.html")
    answer = opened.page.evaluate(
        "fetch('http://127.0.0.1:1/x').then(() => 'sent', (error) => String(error))"
    )
    image = opened.page.evaluate(
        "new Promise((done) => { const image = new Image(); image.onerror = () => done('refused');"
        " image.onload = () => done('sent'); image.src = 'http://127.0.0.1:1/x.png'; })"
    )
    opened.context.close()

    assert "Failed to fetch" in answer
    assert image == "refused"
    assert opened.outside() == []
    assert all("Content Security Policy" in complaint for complaint in opened.complaints)
