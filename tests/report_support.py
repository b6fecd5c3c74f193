"""Runs and reports made by hand, for the tests of what the suite tells."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import date
from html.parser import HTMLParser
from typing import Any

from jsonschema import Draft202012Validator
from rich.console import Console

from calloff.apis import APIS
from calloff.contract import load_catalogue
from calloff.resources import spec_path
from calloff.verify.compare import compare
from calloff.verify.engine import Run
from calloff.verify.expectations import Expectation
from calloff.verify.outcome import Exchange, Outcome, Skip, Violation
from calloff.verify.reports import data, html, junit, markdown, terminal
from calloff.verify.target import Keys, Target
from calloff.verify.wire import Request, Response

SQL, BATCH = "otc-dli/cancelSqlJob", "otc-dli/cancelBatchJob"
TODAY = date(2030, 1, 31)
SCHEMA = Draft202012Validator(json.loads(spec_path("verify/report.schema.json").read_text("utf-8")))
SECRET, TOKEN, SECURITY = (
    'planted-secret/+="&<key>',
    "planted-token/with+slash==",
    "planted-security/token+==",
)

SIGNED_Q = (
    f"q-sign-algorithm=sha1&q-ak=AKIDPLANTED&q-sign-time=1;2&q-header-list=host&q-signature={'a1' * 20}"
)
SIGNED_H = f"SDK-HMAC-SHA256 Access=AKIDPLANTED, SignedHeaders=host;x-sdk-date, Signature={'b2' * 32}"

HOSTILE = "<script>alert(1)</script>'\"&]]>\x00\x07\x1b[31m\r\x85\u202e\ud800\udfff\ufffe\uffff\u2066"


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


def report_of(
    outcome: Outcome,
    status: int = 1,
    known: Sequence[Expectation] = (),
    *,
    strict: bool = False,
    **options: Any,
) -> dict[str, Any]:
    run = run_of(outcome, **options)
    report = data.report(run, exit_status=status, strict=strict, expectations=known, today=TODAY)
    SCHEMA.validate(report)
    return report


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
        "Markdown": markdown.to_markdown(report),
        "JSON": data.to_json(report),
        "JUnit": junit.to_junit(report),
        "HTML": html.to_html(report),
    }


def comparisons(report: dict[str, Any]) -> dict[str, str]:
    comparison = compare(report | {"results": [], "targets": [], "stopped": ""}, report)
    return {"comparison": comparison.to_text(), "comparison in Markdown": comparison.to_markdown()}


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


def known(requirement: str, last: date = TODAY, operation: str = "otc-dli/*") -> Expectation:
    return Expectation(requirement, operation, f"{requirement} is being worked on", last)


def hostile_outcome() -> Outcome:
    exchange = Exchange(
        request(), Response(200, (("x-a", HOSTILE),), HOSTILE.encode("utf-8", "surrogatepass"))
    )
    return Outcome(
        violations=[violation("c", HOSTILE, HOSTILE, exchange=exchange)],
        skips=[Skip("cancel-accepted", SQL, "table", "c", HOSTILE)],
        observed={"dli-unknown-job": {SQL: HOSTILE}},
    )
