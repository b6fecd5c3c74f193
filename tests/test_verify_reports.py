"""What is told of a run: verdicts, groups, and nothing that is secret or does harm."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import fromstring

import pytest
from rich.console import Console

from calloff.apis import APIS
from calloff.contract import load_catalogue
from calloff.verify.engine import Run
from calloff.verify.outcome import Exchange, Outcome, Skip, Violation, cut
from calloff.verify.redact import REDACTED, Redactor
from calloff.verify.reports import data, html, junit, terminal
from calloff.verify.target import Keys, Target
from calloff.verify.wire import Request, Response

SQL, BATCH = "otc-dli/cancelSqlJob", "otc-dli/cancelBatchJob"
SECRET, TOKEN, SECURITY = (
    'planted-secret/+="&<key>',
    "planted-token/with+slash==",
    "planted-security/token+==",
)


def request(case: str = "c", *headers: tuple[str, str], target: str = "/v1.0/p/jobs/j") -> Request:
    return Request("DELETE", target, (("Host", "h"), ("User-Agent", f"calloff-verify case/{case}"), *headers))


def violation(
    case: str = "c", expected: str = "a refusal", received: str = "200", **options: Any
) -> Violation:
    exchange = options.pop("exchange", Exchange(request(case), Response(200, (), b"")))
    given = {"requirement": "dli-auth-missing", "operation": SQL, "layer": "table", **options}
    return Violation(case=case, expected=expected, received=received, exchange=exchange, **given)


def run_of(outcome: Outcome, **options: Any) -> Run:
    keys = Keys("KEYID", SECRET, SECURITY, TOKEN, "p")
    target = Target(APIS["otc-dli"], "http://127.0.0.1:1", keys)
    run = Run(load_catalogue(), operations=["cancelSqlJob"], **options)
    run.targets, run.outcomes = [target], {"otc-dli": outcome}
    return run


def report_of(outcome: Outcome, status: int = 1, **options: Any) -> dict[str, Any]:
    return data.report(run_of(outcome, **options), exit_status=status)


def row_of(report: dict[str, Any], requirement: str = "dli-auth-missing") -> dict[str, Any]:
    (row,) = [row for row in report["results"] if row["requirement"] == requirement]
    return row  # type: ignore[no-any-return]


def views(report: dict[str, Any]) -> dict[str, str]:
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    terminal.show(report, console)
    file = console.file
    assert isinstance(file, io.StringIO)
    return {
        "terminal": file.getvalue(),
        "JSON": data.to_json(report),
        "JUnit": junit.to_junit(report),
        "HTML": html.to_html(report),
    }


class Page(HTMLParser):
    """Collects the elements of a page and the attributes that could load something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.references: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.references += [
            value or "" for name, value in attrs if name in {"src", "href", "action", "data", "srcset"}
        ]
        self.ids += [value or "" for name, value in attrs if name == "id"]


def test_a_requirement_is_violated_held_skipped_or_not_run() -> None:
    outcome = Outcome(violations=[violation()], skips=[Skip("cancel-accepted", SQL, "table", "c", "no job")])
    outcome.exercised["dli-auth-missing", SQL] = outcome.exercised["dli-auth-token", SQL] = 2
    verdicts = {row["requirement"]: row["verdict"] for row in report_of(outcome)["results"]}

    assert verdicts["dli-auth-missing"] == "violated"
    assert verdicts["dli-auth-token"] == "held"
    assert verdicts["cancel-accepted"] == "skipped"
    assert verdicts["dli-auth-signature"] == "not run"
    totals = report_of(outcome)["totals"]
    assert (totals["violated"], totals["held"], totals["skipped"]) == (1, 1, 1)
    assert sum(totals.values()) == len(verdicts)


def test_a_violation_of_one_operation_is_none_of_another() -> None:
    assert Outcome(violations=[violation(operation=BATCH)]).verdict("dli-auth-missing", SQL) == "not run"


def test_equal_violations_are_one_group_with_its_smallest_request() -> None:
    outcome = Outcome(
        violations=[
            violation("a-long-case", received="first"),
            violation("b", received="second"),
            violation("another-case", received="third"),
            violation("c", "another answer"),
            violation("d", layer="fuzz", exchange=None),
        ]
    )
    groups = row_of(report_of(outcome))["violations"]

    assert [(g["layer"], g["expected"], g["count"]) for g in groups] == [
        ("table", "a refusal", 3),
        ("table", "another answer", 1),
        ("fuzz", "a refusal", 1),
    ]
    assert groups[0]["received"] == "second"
    assert groups[0]["cases"] == ["a-long-case", "b", "another-case"]
    assert "case/b" in groups[0]["request"]
    assert groups[2]["request"] == groups[2]["response"] == ""


def test_no_answer_is_told_as_such() -> None:
    outcome = Outcome(violations=[violation(exchange=Exchange(request(), None))])

    assert row_of(report_of(outcome))["violations"][0]["response"] == "(no answer)"


def test_skips_are_listed_by_reason_in_every_view() -> None:
    skips = [Skip("cancel-accepted", SQL, "table", f"c{n}", "no job today") for n in range(30)]
    report = report_of(Outcome(skips=skips))

    assert row_of(report, "cancel-accepted")["skips"] == [
        {"reason": "no job today", "count": 30, "cases": [f"c{n}" for n in range(20)]}
    ]
    for name, text in views(report).items():
        assert "no job today" in text, name


def test_every_view_says_that_nothing_was_verified() -> None:
    stopped = report_of(Outcome(), 3)
    stopped["stopped"] = "the target was lost"
    for name, text in views(stopped).items():
        assert "the target was lost" in text, name
    assert "no cancel was ever accepted" in views(report_of(Outcome(), 3))["terminal"]
    assert "Not verified" in views(report_of(Outcome(), 3))["HTML"]


@pytest.mark.parametrize(("status", "words"), [(0, "Conforms"), (1, "Does not conform"), (3, "Not verified")])
def test_the_page_says_the_verdict_first(status: int, words: str) -> None:
    assert re.search(rf'class="verdict[^>]*>\s*{words}', html.to_html(report_of(Outcome(), status)))


def test_the_json_is_stable_and_readable_again() -> None:
    outcome = Outcome(violations=[violation(received="ä 任 🚀")])
    one, two = report_of(outcome), report_of(outcome)

    assert data.to_json(one) == data.to_json(two)
    assert json.loads(data.to_json(one)) == one
    assert set(one) == {
        "format", "suite", "seed", "seconds", "exit_status", "stopped", "targets", "totals", "requirements", "results",
    }  # fmt: skip
    assert one["format"] == 1


HOSTILE = "<script>alert(1)</script>'\"&]]>\x00\x07\x1b[31m\r\x85\u202e\ud800\udfff\ufffe\uffff\u2066"


def hostile_outcome() -> Outcome:
    exchange = Exchange(
        request(), Response(200, (("x-a", HOSTILE),), HOSTILE.encode("utf-8", "surrogatepass"))
    )
    return Outcome(
        violations=[violation("c", HOSTILE, HOSTILE, exchange=exchange)],
        skips=[Skip("cancel-accepted", SQL, "table", "c", HOSTILE)],
        observed={"dli-unknown-job": {SQL: HOSTILE}},
    )


def test_hostile_text_harms_no_view() -> None:
    report = report_of(hostile_outcome(), 3)
    report["stopped"] = data._printable(HOSTILE)
    shown = views(report)

    for name, text in shown.items():
        text.encode("utf-8")
        without_colour = re.sub(r"\x1b\[[0-9;]*m", "", text) if name == "terminal" else text
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2066]", without_colour), name
    assert json.loads(shown["JSON"]) == report
    fromstring(shown["JUnit"])  # noqa: S314 - our own
    page = Page(shown["HTML"])
    assert page.elements.count("script") == 1
    assert "<script>alert" not in shown["HTML"]


def test_a_control_character_stays_visible() -> None:
    assert data._printable("a\x1bb\r\nc\td\x00\ud800") == "a\\x1bb\nc\td\\x00\\ud800"


def test_the_page_loads_nothing_and_links_only_into_itself() -> None:
    page = Page(html.to_html(report_of(hostile_outcome())))

    assert all(reference.startswith("#") for reference in page.references)
    assert {reference[1:] for reference in page.references} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert not {"img", "link", "iframe", "object", "embed", "form"} & set(page.elements)


def test_junit_counts_what_it_lists() -> None:
    outcome = Outcome(
        violations=[violation(), violation("d", "another")],
        skips=[Skip("cancel-accepted", SQL, "t", "c", "no")],
    )
    outcome.exercised["dli-auth-token", SQL] = 1
    report = report_of(outcome)
    root = fromstring(junit.to_junit(report))  # noqa: S314 - our own
    (suite,) = root

    assert int(suite.get("tests", "")) == len(suite.findall("testcase")) == len(report["results"])
    assert (
        int(suite.get("failures", ""))
        == len([case for case in suite if case.find("failure") is not None])
        == 1
    )
    assert int(suite.get("skipped", "")) == len(suite.findall("testcase/skipped"))
    assert suite.get("errors") == "0"
    assert len(suite.findall("testcase/failure")) == 2


def test_junit_tells_of_a_run_that_was_stopped() -> None:
    report = report_of(Outcome(), 3)
    report["stopped"] = "interrupted"
    root = fromstring(junit.to_junit(report))  # noqa: S314 - our own

    assert [error.get("message") for error in root.iter("error")] == ["interrupted"]


# ------------------------------------------------------------------ secrets


def redactor() -> Redactor:
    return Redactor([SECRET, TOKEN, SECURITY, "abc"])


@pytest.mark.parametrize("secret", [SECRET, TOKEN, SECURITY])
@pytest.mark.parametrize(
    "write",
    [
        str,
        lambda s: quote(s, safe=""),
        quote,
        lambda s: quote(quote(s, safe=""), safe=""),
        lambda s: re.sub("%..", lambda m: m[0].lower(), quote(s, safe="")),
        lambda s: json.dumps({"got": s}),
        lambda s: json.dumps({"got": s}).replace("/", "\\/"),
        lambda s: s.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
        lambda s: s.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;"),
        lambda s: f"x{s}{s}y",
    ],
)
def test_a_secret_is_removed_in_every_notation(secret: str, write: Any) -> None:
    assert "planted" not in redactor().text(f"before {write(secret)} after")
    assert redactor().text(f"before {write(secret)} after").startswith("before ")


@pytest.mark.parametrize("lead", range(270, 301))
def test_a_secret_does_not_survive_where_a_text_was_cut(lead: int) -> None:
    shown = redactor().text(cut("x" * lead + TOKEN + " and more" * 50))

    # Of three letters no one learns a secret.
    assert "plan" not in shown


@pytest.mark.parametrize("lead", [3990, 3999, 4000])
def test_a_secret_does_not_survive_where_a_body_was_cut(lead: int) -> None:
    response = Response(400, (), b"x" * lead + TOKEN.encode() + b"y" * 5000)

    assert "plan" not in redactor().response(response)
    assert "characters more" in redactor().response(response)


def test_a_secret_too_short_to_be_one_is_left_alone() -> None:
    assert redactor().text("the abc of it") == "the abc of it"


SIGNED_Q = (
    f"q-sign-algorithm=sha1&q-ak=AKIDPLANTED&q-sign-time=1;2&q-header-list=host&q-signature={'a1' * 20}"
)
SIGNED_H = f"SDK-HMAC-SHA256 Access=AKIDPLANTED, SignedHeaders=host;x-sdk-date, Signature={'b2' * 32}"


@pytest.mark.parametrize("value", [SIGNED_Q, SIGNED_H])
def test_of_a_signature_only_what_was_signed_stays(value: str) -> None:
    shown = redactor().request(request("c", ("Authorization", value)))

    assert "AKIDPLANTED" not in shown
    assert "a1a1" not in shown
    assert "b2b2" not in shown
    assert "host" in shown.splitlines()[-1]


def test_a_signature_in_the_query_is_removed() -> None:
    shown = redactor().request(
        request(target=f"/ai_jobs/j?cancel&{SIGNED_Q}&x-ci-security-token=planted-elsewhere")
    )

    assert shown.splitlines()[0] == (
        f"DELETE /ai_jobs/j?cancel&q-sign-algorithm=sha1&q-ak={REDACTED}&q-sign-time=1;2&q-header-list=host"
        f"&q-signature={REDACTED}&x-ci-security-token={REDACTED} HTTP/1.1"
    )


@pytest.mark.parametrize(
    "name",
    [
        "X-Auth-Token",
        "x-security-token",
        "X-Ci-Security-Token",
        "x-cos-security-token",
        "X-Subject-Token",
        "Cookie",
        "Set-Cookie",
        "authorization",
    ],
)
def test_a_header_that_holds_a_secret_is_never_shown(name: str) -> None:
    response = Response(200, ((name, "planted-by=another"),), b"")

    assert redactor().response(response) == f"HTTP/1.1 200\n{name}: {REDACTED}"
    assert "planted" not in redactor().request(request("c", (name, "Bearer planted==")))


@pytest.mark.parametrize("digits", ["a1" * 20, "A1" * 32, "a1" * 19 + "a", "a1" * 31 + "a"])
def test_a_signature_that_a_server_shows_without_its_name_is_removed(digits: str) -> None:
    assert redactor().text(f'"expected": "{digits}"') == f'"expected": "{REDACTED}"'


@pytest.mark.parametrize(
    "kept",
    ["0123456789abcdef" * 2, "b" + "3d" * 16, "48cc2c48-765f-4814-80c7-db940d6409d1"],
)
def test_ids_stay_readable(kept: str) -> None:
    assert redactor().text(f"job {kept}") == f"job {kept}"


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

    for name, text in views(report).items():
        for secret in ("planted", "AKIDPLANTED", "a1a1", "b2b2", "c3c3"):
            assert secret not in text, name


# ------------------------------------------------------------------ terminal


def test_a_narrow_terminal_cuts_no_verdict() -> None:
    outcome = Outcome()
    outcome.exercised["dli-auth-missing", SQL] = 1
    console = Console(file=io.StringIO(), width=60)
    terminal.show(report_of(outcome, 0), console)
    file = console.file
    assert isinstance(file, io.StringIO)
    lines = file.getvalue().splitlines()

    assert re.search(r"dli-auth-missing +│ MUST +│ +ok", "\n".join(lines))
    assert max(map(len, lines)) <= 60


def test_markup_in_a_message_is_shown_and_not_obeyed() -> None:
    shown = views(
        report_of(Outcome(violations=[violation("c", "[red]x[/red]", "[link=http://evil]y[/link]")]))
    )

    assert "[red]x[/red]" in shown["terminal"]
    assert "[link=http://evil]y[/link]" in shown["terminal"]
