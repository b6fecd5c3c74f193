"""The HTML report in a browser: nothing leaves, the filter and the keyboard work, it fits and can be read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, sync_playwright
from report_support import BATCH, SQL, TODAY, known, run_of, violation

from calloff.verify.outcome import CellResult, Outcome, Skip
from calloff.verify.reports import data, html

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))),
    None,
)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="no Chromium found to look at the page with"
)
VIOLATION = "#dli-auth-missing--otc-dli--cancelSqlJob"


def report() -> dict[str, Any]:
    cell = CellResult(SQL, "token", "job RUNNING", "as documented", f"{SQL}/table/c", "held", 200)
    outcome = Outcome(
        violations=[
            violation("c", "a refusal with 401", "200 and " + "a-very-long-word" * 30),
            violation("c", "another"),
            violation("d", requirement="dli-auth-signature"),
        ],
        skips=[Skip("cancel-accepted", SQL, "table", "c", "no job today")],
        observed={"dli-settle": {SQL: "later"}, "dli-unknown-job": {SQL: "418-teapot"}},
        cells=[
            cell,
            replace(cell, state="unknown", verdict="violated", status=500),
            *(replace(cell, credential=f"credential {n}", state=f"a job in state {n}") for n in range(12)),
            replace(cell, state="malformed", verdict="skipped", status=None),
        ],
        accepted=1,
    )
    held = ("dli-auth-token", "dli-auth-token-garbage", "unknown-job-refused")
    outcome.exercised.update({(requirement, SQL): 1 for requirement in held})
    outcome.exercised["cancel-accepted", BATCH] = 1
    run = run_of(outcome)
    run.operations = ()
    expectations = [known("dli-auth-signature", operation=SQL), known("dli-auth-token", operation=SQL)]
    return data.report(run, exit_status=1, expectations=expectations, today=TODAY)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM is not None, "CI must look at the page: install Chromium"
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html.to_html(report()), "utf-8")
    return path


class Opened:
    """One page with what it asked for and complained about."""

    def __init__(self, browser: Browser, file: Path, **options: Any) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        size = {"width": options.pop("width", 1400), "height": 900}
        self.context = browser.new_context(viewport=size, **options)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.page.on("console", self._complain)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.context.route("**", self._ask)
        self.page.goto(file.as_uri())

    def _complain(self, message: ConsoleMessage) -> None:
        self.complaints.append(message.text)

    def _ask(self, route: Route) -> None:
        self.requests.append(route.request.url)
        route.continue_()

    def shown_requirements(self) -> list[str]:
        rows = self.page.locator("table[aria-labelledby=matrix] tbody tr:visible th code")
        return [text for text in rows.all_inner_texts() if text]

    def focused(self) -> str:
        return str(self.page.evaluate("document.activeElement.textContent.trim()"))


@pytest.fixture
def wide(browser: Browser, file: Path) -> Iterator[Opened]:
    opened = Opened(browser, file)
    yield opened
    opened.context.close()
    assert opened.complaints == []


@pytest.fixture(params=["light", "dark"])
def themed(request: pytest.FixtureRequest, browser: Browser, file: Path) -> Iterator[Opened]:
    opened = Opened(browser, file, color_scheme=request.param)
    yield opened
    opened.context.close()


def test_no_request_leaves_the_page(wide: Opened, file: Path) -> None:
    wide.page.evaluate("new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown)))")

    assert wide.requests == [file.as_uri()]


def test_the_policy_keeps_injected_code_from_running(browser: Browser, file: Path, tmp_path: Path) -> None:
    bent = tmp_path / "bent.html"
    bent.write_text(
        file.read_text("utf-8").replace(
            "</main>", "<script>document.title = 'bent'</script><img src='http://127.0.0.1:1/x'></main>"
        ),
        "utf-8",
    )
    opened = Opened(browser, bent)

    assert opened.page.title() != "bent"
    assert opened.requests == [bent.as_uri()]
    assert len(opened.complaints) == 2
    opened.context.close()


def test_words_filter_requirements_and_violations(wide: Opened) -> None:
    everything = wide.shown_requirements()
    wide.page.get_by_label("Words").fill("auth-missing credential")

    assert wide.shown_requirements() == ["dli-auth-missing"]
    assert wide.page.locator(".violation:visible").count() == 1
    assert wide.page.locator("#shown").inner_text() == f"1 of {len(everything)} requirements shown"
    wide.page.get_by_role("button", name="Show all").click()
    wide.page.wait_for_function(
        f"document.getElementById('shown').textContent.startsWith('{len(everything)} ')"
    )
    assert wide.shown_requirements() == everything


def test_verdict_level_and_operation_filter(wide: Opened) -> None:
    page = wide.page
    for verdict in ("held", "skipped", "not run", "known failure", "unexpected pass"):
        page.get_by_label(verdict, exact=True).uncheck()
    assert wide.shown_requirements() == ["dli-auth-missing"]
    assert page.locator(".violation:visible").count() == 1

    page.get_by_label("held", exact=True).check()
    assert wide.shown_requirements() == [
        "cancel-accepted", "unknown-job-refused", "dli-auth-missing", "dli-auth-token-garbage",
    ]  # fmt: skip
    page.get_by_label("Level").select_option("SHOULD")
    assert wide.shown_requirements() == ["unknown-job-refused"]
    page.get_by_role("button", name="Show all").click()
    page.locator("#operation").select_option(BATCH)
    page.get_by_label("not run", exact=True).uncheck()
    assert wide.shown_requirements() == ["cancel-accepted"]
    assert page.locator("table[aria-labelledby=matrix] thead th:visible").count() == 3
    assert page.locator("[data-map]:visible").count() == 0
    page.locator("#operation").select_option(SQL)
    assert len(wide.shown_requirements()) == 6
    assert page.locator("[data-map]:visible").count() == 1


def test_a_link_shows_what_the_filter_hid(wide: Opened) -> None:
    wide.page.evaluate(f"document.querySelector('{VIOLATION} details').open = false")
    wide.page.get_by_label("Words").fill("tokens-there-are-none")
    assert not wide.page.locator(VIOLATION).is_visible()
    wide.page.get_by_label("Words").fill("")
    wide.page.get_by_label("violated", exact=True).uncheck()
    wide.page.locator(f".map a[href='{VIOLATION}']").first.click()

    assert wide.page.locator(VIOLATION).is_visible()
    assert wide.page.locator(f"{VIOLATION} pre").first.is_visible()


def test_the_keyboard_alone_reaches_everything(wide: Opened) -> None:
    keyboard = wide.page.keyboard
    keyboard.press("Tab")
    assert wide.focused() == "Skip to the results"
    assert wide.page.locator(".skip").bounding_box()["x"] >= 0  # type: ignore[index]
    keyboard.press("Enter")
    assert wide.page.evaluate("document.activeElement.id") == "results"
    keyboard.press("/")
    assert wide.page.evaluate("document.activeElement.id") == "words"
    keyboard.type("nothing-of-the-kind")
    assert wide.shown_requirements() == []
    keyboard.press("Escape")
    assert wide.shown_requirements()


def test_arrows_go_through_the_matrix_and_enter_follows(wide: Opened) -> None:
    keyboard = wide.page.keyboard
    table = wide.page.locator("table[aria-labelledby=matrix]")
    assert table.get_attribute("role") == "grid"
    wide.page.get_by_label("Words").fill("dli-auth-")
    first = table.locator("tbody th:visible").first
    first.focus()
    for key, expected in (
        ("ArrowRight", "MUST"),
        ("End", "violated"),
        ("ArrowRight", "violated"),
        ("ArrowDown", "unexpected pass"),
        ("ArrowUp", "violated"),
        ("ArrowUp", "violated"),
    ):
        keyboard.press(key)
        assert wide.focused() == expected, key
    assert table.locator("[tabindex='0']").count() == 1
    keyboard.press("Enter")
    assert wide.page.evaluate("document.activeElement.id") == VIOLATION[1:]
    assert wide.page.url.endswith(VIOLATION)


def test_what_has_the_focus_is_outlined(wide: Opened) -> None:
    for _ in range(12):
        wide.page.keyboard.press("Tab")
        outline = wide.page.evaluate(
            "(s => [s.outlineStyle, parseFloat(s.outlineWidth)])(getComputedStyle(document.activeElement))"
        )
        assert outline[0] == "auto" or (outline[0] == "solid" and outline[1] >= 2), wide.focused()


def test_a_pane_is_copied(browser: Browser, file: Path) -> None:
    opened = Opened(browser, file, permissions=["clipboard-read", "clipboard-write"])
    button = opened.page.get_by_role("button", name="Copy the request").first
    shown = opened.page.locator(f"{VIOLATION} pre").first.inner_text()
    button.click()
    opened.page.wait_for_function("document.getElementById('status').textContent === 'Copied'")

    assert opened.page.evaluate("navigator.clipboard.readText()") == shown
    assert shown.startswith("DELETE /v1.0/p/jobs/j HTTP/1.1")
    opened.context.close()


def test_request_and_response_stand_side_by_side_where_there_is_room(browser: Browser, file: Path) -> None:
    tops = {}
    for width in (1400, 400):
        opened = Opened(browser, file, width=width)
        boxes = [pane.bounding_box() for pane in opened.page.locator(f"{VIOLATION} .pane").all()[:2]]
        tops[width] = [box["y"] for box in boxes if box]
        opened.context.close()

    assert tops[1400][0] == tops[1400][1]
    assert tops[400][0] < tops[400][1]


@pytest.mark.parametrize("width", [1400, 800, 400, 320])
def test_the_page_never_scrolls_sideways(browser: Browser, file: Path, width: int) -> None:
    opened = Opened(browser, file, width=width)
    for group in opened.page.locator("details:not([open]) > summary").all():
        group.click()

    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    opened.context.close()


def test_a_narrow_page_shows_each_question_in_its_width(browser: Browser, file: Path) -> None:
    opened = Opened(browser, file, width=400)
    table = opened.page.locator("table[aria-labelledby=silent]")

    assert table.locator("th .statement").first.is_visible()
    assert table.evaluate("table => table.parentElement.scrollWidth <= table.parentElement.clientWidth")
    opened.context.close()


def test_a_wide_page_gives_statements_the_width_of_their_column(wide: Opened) -> None:
    widths = wide.page.evaluate(
        """[...document.querySelectorAll("table[aria-labelledby=matrix] .statement")].map(
             s => s.getBoundingClientRect().width / s.parentElement.getBoundingClientRect().width)"""
    )

    assert min(widths) > 0.9


# Relative luminance and contrast ratio, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
CONTRAST = """() => {
  const rgb = color => color.match(/[\\d.]+/g).map(Number);
  const light = color => {
    const [r, g, b] = rgb(color).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if ((rgb(color)[3] ?? 1) > 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!text || element.matches("script, style, option, .unseen") || !element.checkVisibility()) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(ground(element))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), element.className + " " + element.textContent.trim().slice(0, 40)]);
  }
  return found;
}"""


def test_all_text_has_contrast(themed: Opened) -> None:
    found = themed.page.evaluate(CONTRAST)
    classes = {text.split(" ")[0] for _, text in found}

    assert {"mark", "tag", "dim", "verdict"} <= classes
    assert len(found) > 100
    assert [each for each in found if each[0] < 4.5] == []


def test_the_button_turns_dark_into_light_and_back(themed: Opened) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    before = themed.page.evaluate(ground)
    themed.page.get_by_role("button", name="Dark or light").click()
    between = themed.page.evaluate(ground)
    assert [each for each in themed.page.evaluate(CONTRAST) if each[0] < 4.5] == []
    themed.page.get_by_role("button", name="Dark or light").click()

    assert {before, between} == {"rgb(255, 255, 255)", "rgb(13, 17, 23)"}
    assert themed.page.evaluate(ground) == before


def test_everything_has_a_name_and_a_place(wide: Opened) -> None:
    page = wide.page
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.locator("h1").count() == 1
    assert page.locator("main").count() == 1
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map(h => Number(h.tagName[1]))")
    assert all(after - before <= 1 for before, after in pairwise(levels))
    nameless = page.evaluate(
        """[...document.querySelectorAll("input, select, button, a, table, nav, [role=region]")].filter(e =>
             !(e.labels?.length || e.textContent.trim() && e.matches("button, a") || e.getAttribute("aria-label")
               || document.getElementById(e.getAttribute("aria-labelledby"))?.textContent.trim()))
             .map(e => e.outerHTML)"""
    )
    assert nameless == []
    assert page.evaluate("[...document.querySelectorAll('th')].every(th => th.scope)")
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_without_script_it_is_a_plain_table(browser: Browser, file: Path) -> None:
    opened = Opened(browser, file, java_script_enabled=False)
    page = opened.page

    assert page.get_by_role("table").count() == 3
    assert page.get_by_role("button").count() == 0
    assert page.get_by_role("searchbox").count() == 0
    assert page.locator(f"{VIOLATION} pre").first.is_visible()
    page.locator(f"td a[href='{VIOLATION}']").first.click()
    assert page.url.endswith(VIOLATION)
    opened.context.close()


def test_on_paper_everything_is_open_and_on_white(browser: Browser, file: Path) -> None:
    opened = Opened(browser, file, color_scheme="dark")
    opened.page.emulate_media(media="print")

    assert opened.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not opened.page.locator("#filter").is_visible()
    assert len(opened.page.pdf()) > 10_000
    assert opened.page.locator("details:not([open])").count() == 0
    opened.context.close()
