"""The page of the mock in a browser: what it shows while things happen, what it can change, and what it never does."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from mock_calls import CI, DLI, Caller
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Route, expect, sync_playwright

from calloff.mock.disturbances import Disturbance
from calloff.mock.server import run_embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))),
    None,
)
browsed = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="no Chromium found to look at the page with"
)
HOSTILE = (
    "<img src=http://127.0.0.1:1/x onerror=\"document.title='bent'\"><script>document.title='bent'</script>"
)


@pytest.fixture(scope="module")
def running() -> Iterator[Caller]:
    with (
        run_embedded(disturbances=[Disturbance(kind="latency", seconds=0)]) as server,
        httpx.Client(trust_env=False) as client,
    ):
        yield Caller(server, client)


@pytest.fixture
def caller(running: Caller) -> Iterator[Caller]:
    yield running
    running.headers.clear()
    assert running.client.delete(running.control).status_code == 204


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM is not None, "CI must look at the page: install Chromium"
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


class Opened:
    """The page, opened and live, with what it asked for and complained about."""

    def __init__(self, browser: Browser, caller: Caller, *, stepped: bool = False, **options: Any) -> None:
        self.requests: list[tuple[str, str]] = []
        self.complaints: list[str] = []
        size = {"width": options.pop("width", 1400), "height": 900}
        self.context = browser.new_context(viewport=size, **options)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.page.on("console", self._complain)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.context.route("**", self._ask)
        if stepped:
            self.page.clock.install()
        self.url = caller.server.announcement["page_url"]
        self.page.goto(self.url)
        self.live()

    def _complain(self, message: ConsoleMessage) -> None:
        self.complaints.append(message.text)

    def _ask(self, route: Route) -> None:
        self.requests.append((route.request.method, route.request.url))
        route.continue_()

    def live(self) -> None:
        expect(self.page.locator("#pulse")).to_have_text("live")

    def job(self, job_id: str) -> Locator:
        return self.page.locator("#job-table tbody tr").filter(has_text=job_id)

    @property
    def shown_requests(self) -> Locator:
        return self.page.locator("#request-table tbody th")

    def close(self) -> None:
        self.page.unroute_all(behavior="wait")
        self.context.close()


@pytest.fixture
def opened(browser: Browser, caller: Caller) -> Iterator[Opened]:
    opened = Opened(browser, caller)
    yield opened
    opened.close()
    assert opened.complaints == []
    here = urlsplit(caller.control).netloc
    assert {urlsplit(url).netloc for _, url in opened.requests} == {here}


# ------------------------------------------------------------------------------------------ without a browser


def test_the_page_is_one_file_under_a_policy_that_lets_nothing_else_in(caller: Caller) -> None:
    answer = caller.client.get(caller.server.announcement["page_url"])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert all(policy[name].startswith("'sha256-") for name in ("style-src", "script-src"))
    assert "http" not in answer.text.replace("HTTP", "")
    head = caller.client.head(caller.server.announcement["page_url"])
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == answer.headers["content-length"]


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
def test_the_page_can_only_be_read(caller: Caller, method: str) -> None:
    assert caller.client.request(method, caller.server.announcement["page_url"]).status_code == 404


# ----------------------------------------------------------------------------------------------- what it shows


@browsed
def test_a_job_and_its_cancel_appear_by_themselves(opened: Opened, caller: Caller) -> None:
    page = opened.page
    expect(page.locator("#job-table tbody")).to_contain_text("There are no jobs.")
    expect(page.locator("#request-table tbody")).to_have_text("No API was asked yet.")
    job = caller.job(DLI)
    state = opened.job(job.id).locator(".state")
    expect(state).to_have_text("RUNNING")
    counts = page.locator("#counts li").filter(has_text="otc-dli").filter(has_text="cancelSqlJob")
    expect(counts).to_contain_text("RUNNING 1")
    caller.cancel(job)
    expect(state).to_have_text("CANCELLED")
    expect(counts).to_contain_text("CANCELLED 1")
    expect(counts).not_to_contain_text("RUNNING")
    expect(opened.shown_requests).to_have_count(1)
    expect(opened.shown_requests).to_contain_text(
        f"DELETE /v1.0/{job.parameters['project_id']}/jobs/{job.id}"
    )
    assert [url for _, url in opened.requests].count(opened.url) == 1


@browsed
def test_what_is_folded_out_stays_so_when_more_comes(opened: Opened, caller: Caller) -> None:
    caller.cancel(caller.job(DLI))
    opened.page.locator("#request-table summary").click()
    facts = opened.page.locator("#request-table .facts").filter(has_text="x-sdk-date")
    expect(facts).to_be_visible()
    caller.cancel(caller.job(CI))
    expect(opened.shown_requests).to_have_count(2)
    expect(facts).to_be_visible()
    assert opened.page.evaluate("document.activeElement.tagName") == "SUMMARY"


@browsed
def test_more_requests_than_one_look_holds_are_all_shown(opened: Opened, caller: Caller) -> None:
    for _ in range(120):
        caller.client.get(caller.place(DLI)["base_url"] + "/nothing")
    expect(opened.page.locator("#requests-shown")).to_contain_text("120 came in all")
    expect(opened.shown_requests).to_have_count(120)
    numbers = opened.page.locator("#request-table tbody td:first-child").all_inner_texts()
    assert numbers == [str(number) for number in range(120, 0, -1)]


@browsed
def test_a_cleared_journal_is_shown_as_such(opened: Opened, caller: Caller) -> None:
    caller.client.get(caller.place(DLI)["base_url"] + "/before")
    expect(opened.shown_requests).to_contain_text("/before")
    caller.client.delete(f"{caller.control}/journal")
    caller.client.get(caller.place(DLI)["base_url"] + "/after")
    expect(opened.shown_requests).to_have_count(1)
    expect(opened.shown_requests).to_contain_text("/after")


@browsed
def test_what_a_client_sends_is_text(opened: Opened, caller: Caller) -> None:
    caller.headers["User-Agent"] = f"case/{HOSTILE} {HOSTILE}"
    caller.cancel(caller.job(CI))
    host, port = caller.address(DLI)
    with contextlib.closing(http.client.HTTPConnection(host, port)) as connection:
        connection.request("GET", "/<b>bold</b>?<i>=<i>")
        connection.getresponse().read()
        connection.request("GET", "/plain", headers={"User-Agent": HOSTILE, "Content-Type": HOSTILE})
        connection.getresponse().read()
    expect(opened.shown_requests).to_have_count(3)
    for summary in opened.page.locator("#request-table summary").all():
        summary.click()
    table = opened.page.locator("#request-table")
    expect(table).to_contain_text("/<b>bold</b>")
    expect(table.locator("dd").filter(has_text="<script>document.title='bent'</script>")).not_to_have_count(0)
    assert table.locator("img, script, b, i").count() == 0
    assert opened.page.title() == "calloff mock"


@browsed
def test_words_operation_and_status_filter(opened: Opened, caller: Caller) -> None:
    page = opened.page
    first, second = caller.job(CI), caller.job(DLI)
    caller.headers["User-Agent"] = "suite/1 case/alpha"
    for job in (first, second, second):
        caller.cancel(job)
    expect(opened.shown_requests).to_have_count(3)
    page.locator("#status").select_option("4")
    expect(opened.shown_requests).to_have_count(1)
    page.get_by_role("button", name="Show all").click()
    page.locator("#operation").select_option(CI)
    expect(opened.shown_requests).to_have_count(1)
    expect(page.locator("#counts li")).to_have_count(1)
    expect(opened.job(second.id)).to_have_count(0)
    page.get_by_role("button", name="Show all").click()
    page.keyboard.press("/")
    page.keyboard.type(f"ALPHA {second.id}")
    expect(opened.shown_requests).to_have_count(2)
    page.keyboard.type("-nothing-of-the-kind")
    expect(page.locator("#request-table tbody")).to_have_text("No request fits.")
    expect(page.locator("#job-table tbody")).to_have_text("No job among the newest fits.")
    page.keyboard.press("Escape")
    expect(opened.shown_requests).to_have_count(3)


# ---------------------------------------------------------------------------------------------- what it changes


@browsed
def test_a_disturbance_is_added_counted_down_and_removed(opened: Opened, caller: Caller) -> None:
    page = opened.page
    page.get_by_label("What goes wrong").select_option("Page of a proxy, 502")
    page.locator("#disturbed").select_option(DLI)
    page.get_by_label("How many requests").fill("2")
    page.get_by_role("button", name="Add").click()
    row = page.locator("#in-force li").filter(has_text="gateway")
    expect(row).to_contain_text(f"operations={DLI}")
    expect(row).to_contain_text("2 more")
    job = caller.job(DLI)
    assert caller.cancel(job).status_code == 502
    expect(row).to_contain_text("1 more")
    expect(page.locator("#request-table tbody tr").first).to_contain_text("gateway")
    row.get_by_role("button", name="Remove gateway").click()
    expect(row).to_have_count(0)
    assert caller.cancel(job).status_code == 200


@browsed
def test_every_disturbance_offered_is_one(opened: Opened, caller: Caller) -> None:
    offered = opened.page.locator("#preset option").all_inner_texts()
    for number, words in enumerate(offered, 2):
        opened.page.get_by_label("What goes wrong").select_option(words)
        opened.page.get_by_role("button", name="Add").click()
        expect(opened.page.locator("#in-force li")).to_have_count(number)
    assert len(caller.server.disturbances.all()) == len(offered) + 1
    assert len(offered) > 5


@browsed
def test_a_change_that_is_refused_is_told(opened: Opened) -> None:
    opened.page.get_by_label("What goes wrong").select_option("Fails with 500")
    opened.page.evaluate(
        "document.getElementById('disturbed').append(new Option('x', 'nothing/*', true, true))"
    )
    opened.page.get_by_role("button", name="Add").click()
    expect(opened.page.get_by_role("alert")).to_contain_text("no operation matches 'nothing/*'")
    opened.complaints[:] = [text for text in opened.complaints if "400 (Bad Request)" not in text]


@browsed
def test_a_reset_asks_first(opened: Opened, caller: Caller) -> None:
    page = opened.page
    job = caller.job(DLI)
    expect(opened.job(job.id)).to_have_count(1)
    page.get_by_role("button", name="Reset").click()
    page.get_by_role("button", name="Keep everything").click()
    assert caller.state(job) == "RUNNING"
    page.get_by_role("button", name="Reset").click()
    page.get_by_role("dialog").get_by_role("button", name="Reset").click()
    expect(opened.job(job.id)).to_have_count(0)
    expect(page.get_by_role("alert")).to_contain_text("where it was at its start")


@browsed
def test_watching_changes_nothing(opened: Opened, caller: Caller) -> None:
    caller.cancel(caller.job(DLI))
    expect(opened.shown_requests).to_have_count(1)
    assert {method for method, _ in opened.requests} == {"GET"}


# ------------------------------------------------------------------------------------------------- how it asks


@browsed
def test_it_asks_once_a_second_and_not_while_nobody_sees_it(browser: Browser, caller: Caller) -> None:
    opened = Opened(browser, caller, stepped=True)
    page = opened.page

    def hide(state: str) -> None:
        page.evaluate(
            f"Object.defineProperty(document, 'hidden', {{value: {state}, configurable: true}});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )

    def looks() -> int:
        return sum("/control/jobs" in url for _, url in opened.requests)

    assert looks() == 1
    with page.expect_response("**/control/disturbances"):
        page.clock.run_for(1000)
    assert looks() == 2
    opened.live()
    hide("true")
    page.clock.run_for(60_000)
    assert looks() == 2
    with page.expect_response("**/control/disturbances"):
        hide("false")
    assert looks() == 3
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#pulse")).to_have_text("paused")
    page.clock.run_for(60_000)
    assert looks() == 3
    with page.expect_response("**/control/disturbances"):
        page.get_by_role("button", name="Pause").click()
    opened.live()
    opened.close()
    assert opened.complaints == []


@browsed
def test_a_mock_that_is_gone_is_told_and_one_that_is_back_is_live(browser: Browser, caller: Caller) -> None:
    opened = Opened(browser, caller)
    opened.page.route("**/control/jobs*", lambda route: route.abort())
    expect(opened.page.locator("#pulse")).to_have_text("no answer")
    opened.page.unroute("**/control/jobs*")
    opened.live()
    opened.close()


# --------------------------------------------------------------------------------------------- how it looks

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
    if (!text || element.matches("script, style, option") || !element.checkVisibility()) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(ground(element))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), element.className + " " + element.textContent.trim().slice(0, 40)]);
  }
  return found;
}"""


def fill(caller: Caller) -> None:
    """Let something of everything be shown."""
    for operation in (CI, DLI):
        for state in caller.server.state.kinds[operation].lifecycle.states:
            caller.job(operation, state)
    caller.headers["User-Agent"] = "suite/1 case/" + "a-very-long-word" * 15
    job = caller.job(DLI)
    for _ in range(2):
        caller.cancel(job)
    caller.disturb(kind="gateway", requests=9, operations="otc-dli/*")
    caller.cancel(job)
    caller.client.get(caller.place(CI)["base_url"] + "/" + "y" * 64 * 4)


@browsed
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_contrast(browser: Browser, caller: Caller, scheme: str) -> None:
    fill(caller)
    opened = Opened(browser, caller, color_scheme=scheme, reduced_motion="reduce")
    opened.page.locator("#request-table summary").first.click()
    for _ in range(2):
        found = opened.page.evaluate(CONTRAST)
        classes = {word for _, text in found for word in text.split(" ")[:2]}
        assert {"tag", "good", "way", "bad", "open", "idle", "dim"} <= classes
        assert len(found) > 60
        assert [each for each in found if each[0] < 4.5] == []
        opened.page.get_by_role("button", name="Dark or light").click()
    opened.close()


@browsed
@pytest.mark.parametrize("width", [1400, 800, 400, 320])
def test_the_page_never_scrolls_sideways(browser: Browser, caller: Caller, width: int) -> None:
    fill(caller)
    opened = Opened(browser, caller, width=width)
    for summary in opened.page.locator("#request-table summary").all():
        summary.click()
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    opened.close()


@browsed
def test_the_keyboard_alone_reaches_everything(opened: Opened) -> None:
    keyboard, page = opened.page.keyboard, opened.page
    keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the jobs"
    keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    reached = []
    for _ in range(7):
        keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
        outline = page.evaluate(
            "(s => [s.outlineStyle, parseFloat(s.outlineWidth)])(getComputedStyle(document.activeElement))"
        )
        assert outline[0] == "auto" or (outline[0] == "solid" and outline[1] >= 2), reached[-1]
    assert [name for name in reached if name in {"scroll", "preset", "disturbed", "times"}] == [
        "scroll", "scroll", "preset", "disturbed", "times",
    ]  # fmt: skip


@browsed
def test_everything_has_a_name_and_a_place(opened: Opened, caller: Caller) -> None:
    fill(caller)
    page = opened.page
    expect(opened.shown_requests).to_have_count(4)
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.locator("h1").count() == page.locator("main").count() == 1
    nameless = page.evaluate(
        """[...document.querySelectorAll("input, select, button, a, table, ul, section, dialog, [role=region]")]
             .filter(e =>
             !(e.labels?.length || e.textContent.trim() && e.matches("button, a") || e.getAttribute("aria-label")
               || document.getElementById(e.getAttribute("aria-labelledby"))?.textContent.trim()))
             .map(e => e.outerHTML)"""
    )
    assert nameless == []
    assert page.evaluate("[...document.querySelectorAll('th')].every(th => th.scope)")
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
