"""The views of a report: terminal, JUnit, Markdown and HTML; none shows a secret or does harm."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from datetime import date
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element, fromstring

import pytest
from report_support import (
    BATCH,
    HOSTILE,
    SECRET,
    SECURITY,
    SIGNED_H,
    SIGNED_Q,
    SQL,
    TOKEN,
    Page,
    comparisons,
    hostile_outcome,
    known,
    report_of,
    request,
    row_of,
    run_of,
    views,
    violation,
)
from rich.console import Console

from calloff.apis import OPERATIONS
from calloff.verify import profile
from calloff.verify.engine import Check
from calloff.verify.outcome import CellResult, Exchange, Outcome, Skip
from calloff.verify.reports import data, html, junit, markdown, terminal
from calloff.verify.reports.progress import progress
from calloff.verify.wire import Response


def test_skips_are_listed_by_reason_in_every_view() -> None:
    skips = [Skip("cancel-accepted", SQL, "table", f"c{n}", "no job today") for n in range(30)]
    report = report_of(Outcome(skips=skips))

    assert row_of(report, "cancel-accepted")["skips"] == [
        {"reason": "no job today", "count": 30, "cases": [f"{SQL}/table/c{n}" for n in range(20)]}
    ]
    for name, text in views(report).items():
        assert "no job today" in text, name


def test_every_view_says_why_nothing_was_verified() -> None:
    for name, text in views(report_of(Outcome(), 3, stopped="the target was lost")).items():
        assert "the target was lost" in text, name
    tried = Outcome()
    tried.exercised["dli-auth-missing", SQL] = 1
    assert "no cancel was ever accepted" in views(report_of(tried, 3))["terminal"]
    assert "Not verified" in views(report_of(Outcome(), 3))["HTML"]


@pytest.mark.parametrize("status", [0, 1, 3])
def test_every_view_says_the_same_verdict(status: int) -> None:
    outcome = Outcome(violations=[violation(), violation(requirement="unknown-job-refused")])
    report = report_of(outcome, status)

    for name, text in views(report).items():
        assert report["headline"] in re.sub(r"\s+", " ", text), name
    assert re.search(rf'class="verdict[^>]*>{re.escape(report["headline"])}<', html.to_html(report))


def test_hostile_text_harms_no_view() -> None:
    report = report_of(hostile_outcome(), 3)
    report["stopped"] = data.printable(HOSTILE)
    shown = views(report) | comparisons(report)

    for name, text in shown.items():
        text.encode("utf-8")
        without_colour = re.sub(r"\x1b\[[0-9;]*m", "", text) if name == "terminal" else text
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2066]", without_colour), name
    assert json.loads(shown["JSON"]) == report
    fromstring(shown["JUnit"])  # noqa: S314 - our own
    page = Page(shown["HTML"])
    assert page.elements.count("script") == 1
    for name in ("HTML", "Markdown", "comparison in Markdown"):
        assert "<script>alert" not in shown[name], name


def test_the_page_loads_nothing_and_links_only_into_itself() -> None:
    page = Page(html.to_html(report_of(hostile_outcome())))

    assert all(reference.startswith("#") for reference in page.references)
    assert {reference[1:] for reference in page.references} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert not {"img", "link", "iframe", "object", "embed"} & set(page.elements)


# ------------------------------------------------------------------ JUnit

# What junit-10.xsd of Jenkins' xUnit plugin allows of each element we write: attributes, required ones, children.
# https://github.com/jenkinsci/xunit-plugin/blob/master/src/main/resources/org/jenkinsci/plugins/xunit/types/
JENKINS: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": ({"name", "time", "tests", "failures", "disabled", "errors"}, set(), {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "time", "disabled", "skipped", "skips", "timestamp", "hostname", "id",
         "package"},
        {"name", "tests", "failures", "errors"},
        {"properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": (
        {"name", "assertions", "time", "classname", "status", "class", "file", "line", "score"},
        {"name"},
        {"skipped", "error", "failure", "system-out", "system-err", "properties"},
    ),
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, {"name", "value"}, set()),
    "failure": ({"type", "message"}, set(), set()),
    "error": ({"type", "message"}, set(), set()),
    "skipped": ({"type", "message"}, set(), set()),
    "system-out": (set(), set(), set()),
}  # fmt: skip


def assert_valid(element: Element) -> None:
    attributes, required, children = JENKINS[element.tag]
    assert required <= element.attrib.keys() <= attributes, element.tag
    for child in element:
        assert child.tag in children, (element.tag, child.tag)
        assert_valid(child)


def junit_of(report: dict[str, Any]) -> Element:
    root = fromstring(junit.to_junit(report))  # noqa: S314 - our own
    assert_valid(root)
    return root


def mixed_report() -> dict[str, Any]:
    outcome = Outcome(
        violations=[
            violation(),
            violation("d", "another", exchange=Exchange(request(), Response(404, (), b""))),
            violation(requirement="dli-auth-signature"),
        ],
        skips=[Skip("cancel-accepted", SQL, "table", "c", "no job today")],
    )
    outcome.exercised["dli-auth-token", SQL] = outcome.exercised["dli-auth-token-garbage", SQL] = 1
    return report_of(outcome, known=[known("dli-auth-signature"), known("dli-auth-token")])


def test_junit_counts_what_it_lists() -> None:
    report = mixed_report()
    root = junit_of(report)
    (suite,) = root

    assert int(suite.get("tests", "")) == len(suite.findall("testcase")) == len(report["results"])
    assert (suite.get("failures"), root.get("failures")) == ("1", "1")
    assert int(suite.get("skipped", "")) == len(suite.findall("testcase/skipped"))
    assert suite.get("errors") == root.get("errors") == "0"


def test_junit_fails_what_counts_for_the_exit_status_and_tells_the_rest() -> None:
    outcome = Outcome(violations=[violation(requirement="unknown-job-refused")])
    loose, strict = (junit_of(report_of(outcome, status, strict=status == 1)) for status in (0, 1))
    case = next(case for case in loose.iter("testcase") if case.get("name") == "unknown-job-refused")

    assert (loose.get("failures"), strict.get("failures")) == ("0", "1")
    assert list(loose.iter("failure")) == []
    skipped, details = case
    assert skipped.get("message") == (
        "SHOULD violated, which counts with --strict only: expected a refusal, received 200"
    )
    assert "DELETE /v1.0/p/jobs/j" in (details.text or "")


def test_junit_has_one_failure_for_a_requirement_that_tells_every_group() -> None:
    (failure,) = junit_of(mixed_report()).iter("failure")

    assert failure.get("message") == "expected a refusal, received 200 (and 1 more)"
    assert failure.get("type") == "MUST"
    for words in (
        "expected: a refusal",
        "expected: another",
        f"--case {SQL}/table/d",
        "DELETE /v1.0/p/jobs/j",
    ):
        assert words in (failure.text or ""), words


def test_junit_tells_known_failures_and_unexpected_passes() -> None:
    cases = {case.get("name"): case for case in junit_of(mixed_report()).iter("testcase")}
    (skipped,) = cases["dli-auth-signature"]
    (note,) = cases["dli-auth-token"]

    assert skipped.get("message") == "known failure until 2030-01-31: dli-auth-signature is being worked on"
    assert (note.text or "").startswith("unexpected pass; known failure until 2030-01-31")
    assert not list(cases["dli-auth-token-garbage"])
    assert [child.get("message") for child in cases["cancel-accepted"]] == ["no job today"]


def test_junit_tells_that_a_known_failure_has_expired() -> None:
    late = known("dli-auth-missing", date(2030, 1, 30))
    (failure,) = junit_of(report_of(Outcome(violations=[violation()]), known=[late])).iter("failure")

    assert "known failure, expired on 2030-01-30" in (failure.text or "")


def test_junit_says_what_was_run() -> None:
    properties = {
        p.get("name"): p.get("value") for p in junit_of(report_of(Outcome(), seed=7)).iter("property")
    }

    assert properties["seed"] == "7"
    assert properties["base_url"] == "http://127.0.0.1:1"
    assert properties["contract"] == "1.0.0"


def test_junit_tells_of_a_run_that_was_stopped() -> None:
    report = report_of(Outcome(), 3)
    report["stopped"] = "interrupted"
    root = junit_of(report)

    assert [error.get("message") for error in root.iter("error")] == ["interrupted"]
    assert root.get("errors") == "1"


# ------------------------------------------------------------------ Markdown


def test_markdown_is_a_summary() -> None:
    text = markdown.to_markdown(mixed_report())

    assert text.startswith("## calloff verify: Does not conform: 1 MUST violated")
    assert f"| `dli-auth-missing` | MUST | `{SQL}` | a refusal | `200` (and 1 more) |" in text
    assert "known failure: `dli-auth-signature`" in text
    assert "unexpected pass: `dli-auth-token`" in text
    assert "skipped: no job today: `cancel-accepted`\n" in text
    assert f"| `{SQL}` | 1 | 1 | 1 | 1 | 1 |" in text


def test_markdown_stays_short() -> None:
    rows = mixed_report()
    broken = row_of(rows)
    rows["results"] = [broken | {"requirement": "dli-auth-missing"} for _ in range(100)]
    text = markdown.to_markdown(rows)

    assert "and 80 more, in the full report" in text
    assert len(text) < 10_000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a <b>", "a &#60;b&#62;"),
        ("![x](http://evil)", "!&#91;x&#93;(http&#58;//evil)"),
        ("@all | `x` *y* _z_", "&#64;all &#124; &#96;x&#96; &#42;y&#42; &#95;z&#95;"),
        ("#1 ~a~ $b$ \\", "&#35;1 &#126;a&#126; &#36;b&#36; &#92;"),
        (":tada: a: b", "&#58;tada: a: b"),
        ("www.evil.example", "www&#46;evil.example"),
        ("one\ntwo", "one two"),
        ("&lt;", "&#38;lt;"),
    ],
)  # fmt: skip
def test_markdown_shows_text_as_it_is(text: str, shown: str) -> None:
    assert markdown.plain(text) == shown


@pytest.mark.parametrize("text", ["a`b", "a|b", "a<b", "a&b", "", " a", "a\nb", "ä"])
def test_what_could_end_the_code_is_no_code(text: str) -> None:
    assert "`" not in markdown.code(text)


# ------------------------------------------------------------------ HTML


def test_the_page_allows_its_own_script_and_style_and_nothing_else() -> None:
    text = html.to_html(mixed_report())
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)

    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for kind, tag in (("style", "style"), ("script", "script")):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert " style=" not in text
    assert not re.search(r" on[a-z]+=", text)


def test_the_page_sums_up_the_cells_of_a_credential_and_a_state() -> None:
    cell = CellResult(SQL, "token", "job RUNNING", "as documented", f"{SQL}/table/c", "held", 200)
    cells = [
        cell,
        replace(cell, shape="HEAD", verdict="violated", status=405),
        replace(cell, state="unknown", verdict="skipped", status=None),
    ]
    text = html.to_html(report_of(Outcome(cells=cells, violations=[violation()])))
    (body,) = re.findall(r"<th scope=\"row\">token</th>(.*?)</tr>", text, re.DOTALL)
    first, second = re.findall(r'<td class="mark ([a-z]+)" title="([^"]*)">(.*?)</td>', body, re.DOTALL)

    assert first[:2] == ("violated", "as documented held 200, HEAD violated 405")
    assert "1 of 2" in first[2]
    assert "200 405" in first[2]
    assert f'href="#dli-auth-missing--{SQL.replace("/", "--")}"' in first[2]
    assert second[:2] == ("skipped", "as documented skipped")


def test_the_page_marks_a_choice_that_nobody_knew() -> None:
    seen = {"dli-settle": {SQL: "later"}, "dli-unknown-job": {SQL: "418-teapot"}}
    text = html.to_html(report_of(Outcome(observed=seen)))

    assert text.count("not seen before") == 1
    assert "it keeps its state for a moment" in text


# ------------------------------------------------------------------ secrets


def test_no_view_shows_a_planted_secret() -> None:
    echo = f"{SECRET} {TOKEN} {SECURITY} {SIGNED_Q} {SIGNED_H} {'c3' * 20}"
    signed = (("Authorization", SIGNED_H), ("X-Auth-Token", TOKEN), ("X-Security-Token", SECURITY))
    exchange = Exchange(
        request("c", *signed, target=f"/v1.0/p/jobs/j?{SIGNED_Q}&{quote(TOKEN, safe='')}"),
        Response(
            400, (("X-Echo", echo), ("Set-Cookie", "planted=1")), json.dumps({"error_msg": echo}).encode()
        ),
    )
    outcome = Outcome(
        violations=[violation("c", f"expected {echo}", f"400 {json.dumps(echo)}", exchange=exchange)],
        skips=[Skip("cancel-accepted", SQL, "table", "c", f"501 {echo}")],
        observed={"dli-unknown-job": {SQL: f"400-{TOKEN}"}},
    )
    report = report_of(outcome, stopped=f"no answer with {TOKEN}")
    shown = views(report) | comparisons(report) | {"profile": profile.write(run_of(outcome))}

    assert len(shown) == 8
    for name, text in shown.items():
        for secret in ("planted", "AKIDPLANTED", "a1a1", "b2b2", "c3c3"):
            assert secret not in text, name


# ------------------------------------------------------------------ terminal


def shown_in(report: dict[str, Any], width: int, **options: Any) -> str:
    file = io.StringIO()
    terminal.show(report, Console(file=file, width=width, **options))
    return file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 140])
@pytest.mark.parametrize("options", [{}, {"force_terminal": True}])
def test_a_terminal_of_any_width_shows_every_verdict(width: int, options: dict[str, Any]) -> None:
    outcome = Outcome()
    outcome.exercised["dli-auth-missing", SQL] = 1
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown_in(report_of(outcome, 0), width, **options))

    assert re.search(r"dli-auth-missing +[|│] MUST +[|│] +ok", text)
    assert max(map(len, text.splitlines())) <= width


def test_a_wide_terminal_names_the_operations_above_their_columns() -> None:
    report = report_of(Outcome())

    assert re.search(r"^requirement +\| level +\| cancelSqlJob", shown_in(report, 140), re.MULTILINE)
    assert "1  otc-dli/cancelSqlJob\n" in re.sub(" +\n", "\n", shown_in(report, 80))


def test_the_legend_tells_every_mark_that_occurs_and_no_other() -> None:
    outcome = Outcome(skips=[Skip("dli-auth-missing", SQL, "table", "c", "no job today")])
    outcome.exercised["dli-auth-missing", SQL] = outcome.exercised["dli-auth-token", SQL] = 1
    text = shown_in(report_of(outcome, 0), 100)

    assert "\nok held; ok* held, in part skipped; - not run\n" in text
    assert re.search(r"dli-auth-missing +\| MUST +\| +ok\*", text)
    assert "\nBAD violated; - not run\n" in shown_in(report_of(Outcome(violations=[violation()])), 100)


def test_the_lines_of_a_long_text_stand_under_its_first() -> None:
    text = shown_in(report_of(Outcome(violations=[violation("c", "word " * 40)])), 80)
    (block,) = re.findall(r" expected  word.*?(?= received)", text, re.DOTALL)

    _, *others = block.rstrip("\n").split("\n")
    assert others
    assert all(line.startswith(" " * 11 + "word") and len(line) <= 80 for line in others)


def test_one_mistake_shows_one_request_and_the_others_in_words() -> None:
    wrong_status = violation(
        "d", "401 or 403", "404", exchange=Exchange(request("d"), Response(404, (), b""))
    )
    text = shown_in(report_of(Outcome(violations=[wrong_status, violation("c")])), 100)

    assert text.count("--- dli-auth-missing") == text.count("DELETE /v1.0/p/jobs/j") == 1
    assert text.index(" received  200") < text.index("DELETE /v1.0") < text.index(" received  404")


def test_many_skipped_requirements_are_counted() -> None:
    names = [f"dli-auth-{name}" for name in ("missing", "signature", "token", "token-garbage", "wrong-key")]
    names += ["cancel-accepted", "unknown-job-refused"]
    report = report_of(Outcome(skips=[Skip(name, SQL, "table", "c", "no job") for name in names]), 0)

    assert "skipped: no job: cancel-accepted, dli-auth-missing, dli-auth-signature, dli-auth-token, " in (
        shown_in(report, 200)
    )
    assert "dli-auth-token-garbage and 2 more\n" in shown_in(report, 200)


def test_what_was_skipped_in_part_is_marked_and_counted() -> None:
    outcome = Outcome(skips=[Skip("cancel-accepted", SQL, "table", "c", "no job today")])
    outcome.exercised["cancel-accepted", SQL] = 1
    report = report_of(outcome, 0)

    assert "in part skipped: no job today: 1 requirement\n" in shown_in(report, 100)
    assert ">held*</td>" in html.to_html(report)
    assert 'href="#skips"' in html.to_html(report)


def test_a_violation_says_what_broke_who_says_so_and_how_to_send_it_again() -> None:
    text = shown_in(mixed_report(), 200)

    for words in (
        "--- dli-auth-missing  otc-dli/cancelSqlJob",
        "     MUST  ",
        "   source  ",
        " expected  a refusal",
        " received  200",
        f"    again  calloff verify … --case {SQL}/table/c\n",
        "DELETE /v1.0/p/jobs/j HTTP/1.1",
        "known failure, until 2030-01-31: dli-auth-signature otc-dli/*: dli-auth-signature is being worked on",
        "unexpected pass, take it out of the known failures: dli-auth-token otc-dli/*",
        " found by  table\n",
        "skipped: no job today: cancel-accepted",
        "Does not conform: 1 MUST violated, 1 known failure, 1 unexpected pass, ",
        " not checked.\n1 held, 1 violated, 1 known failure, 1 unexpected pass",
    ):
        assert words in text, words


def test_the_line_that_sends_a_case_again_is_not_broken() -> None:
    case = "a-very-long-name/of-a-cell-of-the-decision-table/that-needs-more-than-the-width/of-the-terminal"
    text = shown_in(report_of(Outcome(violations=[violation(case)])), 80)

    assert f"--case {SQL}/table/{case}\n" in text


def test_an_expired_known_failure_is_told() -> None:
    report = report_of(
        Outcome(violations=[violation()]), known=[known("dli-auth-missing", date(2030, 1, 30))]
    )

    assert "EXPIRED on 2030-01-30, counts again: dli-auth-missing" in shown_in(report, 200)
    assert "Known until" not in html.to_html(report)
    assert "Expired on 2030-01-30" in html.to_html(report)


@pytest.mark.parametrize("options", [{}, {"force_terminal": True, "no_color": True}])
def test_without_colour_the_text_is_plain(options: dict[str, Any]) -> None:
    text = shown_in(mixed_report(), 100, **options)

    assert "\x1b" not in text
    assert not re.search("[\u2500-\u257f]", text)


def test_on_a_terminal_there_is_colour() -> None:
    assert "\x1b[" in shown_in(mixed_report(), 100, force_terminal=True, color_system="standard")


def test_markup_in_a_message_is_shown_and_not_obeyed() -> None:
    shown = views(
        report_of(Outcome(violations=[violation("c", "[red]x[/red]", "[link=http://evil]y[/link]")]))
    )

    assert "[red]x[/red]" in shown["terminal"]
    assert "[link=http://evil]y[/link]" in shown["terminal"]


def check_of(operation: str) -> Check:
    return Check("c", "table", OPERATIONS[operation], (), lambda probe: None)


def test_progress_without_a_terminal_is_a_line_every_five_seconds() -> None:
    file, now = io.StringIO(), [0.0]
    with progress(Console(file=file, width=100), lambda: now[0]) as tell:
        for done, second in enumerate([0, 1, 4.9, 5, 9, 20, 21]):
            now[0] = second
            tell(check_of(SQL if done < 4 else BATCH), done, 7)

    assert file.getvalue() == (
        "0 of 7 checks done; now otc-dli/cancelSqlJob\n"
        "3 of 7 checks done; now otc-dli/cancelSqlJob\n"
        "5 of 7 checks done; now otc-dli/cancelBatchJob\n"
    )


def test_progress_on_a_terminal_is_a_bar_that_goes_away() -> None:
    file = io.StringIO()
    with progress(Console(file=file, width=100, force_terminal=True)) as tell:
        tell(check_of(SQL), 1, 4)

    assert "otc-dli/cancelSqlJob" in file.getvalue()
    assert "1/4" in file.getvalue()
    assert file.getvalue().endswith("\x1b[2K")
