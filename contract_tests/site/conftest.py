"""One browser for every test of the site."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pages import CHROMIUM, WIDE
from playwright.sync_api import BrowserContext, sync_playwright


@pytest.fixture(scope="session")
def context() -> Iterator[BrowserContext]:
    """Give what opens pages, without a network of its own and without motion."""
    assert CHROMIUM is not None, "CI must look at the pages: install Chromium"
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser.new_context(viewport={"width": WIDE, "height": 900}, reduced_motion="reduce")
        browser.close()
