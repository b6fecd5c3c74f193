"""What changed between two reports, told in text and in Markdown; what is no report is refused."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from calloff.errors import InvalidInputError
from calloff.verify.compare import Change, compare, read_report

SQL = "otc-dli/cancelSqlJob"


def row(requirement: str, verdict: str) -> dict[str, Any]:
    return {
        "requirement": requirement, "level": "MUST", "operation": SQL, "verdict": verdict, "exercised": 1,
        "violations": [], "skips": [], "expectation": None,
    }  # fmt: skip


def report(*rows: dict[str, Any], **observed: str) -> dict[str, Any]:
    verdicts = ("held", "violated", "known failure", "unexpected pass", "skipped", "not run")
    return {
        "format": 2,
        "suite": {"name": "calloff", "version": "0.1.0", "catalogue": "0" * 64, "contract": {"otc-dli": "1.0.0"}},
        "date": "2030-01-31", "seed": 0, "budget": "standard", "workers": 1, "layers": ["table"], "live": False,
        "selection": {"operations": [], "requirements": [], "level": None, "case": None},
        "seconds": 1.5, "strict": False, "exit_status": 0, "headline": "Conforms", "stopped": "",
        "targets": [{
            "api": "otc-dli", "base_url": "http://127.0.0.1:1", "host": "127.0.0.1:1", "jobs": "provider states",
            "provider_states": "http://127.0.0.1:2", "clock_skew": 0.0, "checks_run": 1, "requests": 1, "accepted": 1,
            "observed": {point.replace("_", "-"): {SQL: choice} for point, choice in observed.items()},
        }],
        "totals": dict.fromkeys(verdicts, 0), "requirements": {}, "silent_points": {}, "results": list(rows),
        "expectations": [], "cells": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("was", "now", "kind"),
    [
        ("held", "violated", "newly_violated"),
        ("skipped", "violated", "newly_violated"),
        ("held", "known failure", "newly_violated"),
        (None, "violated", "newly_violated"),
        ("violated", "held", "fixed"),
        ("known failure", "unexpected pass", "fixed"),
        ("held", "skipped", "newly_skipped"),
        ("violated", "not run", "newly_skipped"),
        ("held", None, "newly_skipped"),
        ("skipped", "held", "newly_verified"),
        (None, "held", "newly_verified"),
        ("violated", "known failure", "excuses"),
        ("known failure", "violated", "excuses"),
        ("held", "held", ""),
        ("held", "unexpected pass", ""),
        ("skipped", "not run", ""),
        ("not run", None, ""),
    ],
)
def test_a_change_of_a_verdict_has_its_kind(was: str | None, now: str | None, kind: str) -> None:
    def with_verdict(verdict: str | None) -> dict[str, Any]:
        return report(*([row("cancel-accepted", verdict)] if verdict else []))

    comparison = compare(with_verdict(was), with_verdict(now))
    change = Change(f"cancel-accepted {SQL}", was or "not in the report", now or "not in the report")

    for name in ("newly_violated", "fixed", "newly_skipped", "newly_verified", "excuses"):
        assert getattr(comparison, name) == ((change,) if name == kind else ()), name
    assert comparison.choices == comparison.conditions == ()


def test_nothing_changed_between_a_report_and_itself() -> None:
    same = report(row("cancel-accepted", "violated"), dli_settle="later")
    comparison = compare(same, copy.deepcopy(same))

    assert comparison.to_text() == "nothing changed\n"
    assert "Nothing changed." in comparison.to_markdown()


def test_changed_choices_are_told() -> None:
    comparison = compare(
        report(dli_settle="later", dli_scaling="cancellable"),
        report(dli_settle="at-once", dli_recovering="cancellable"),
    )

    assert comparison.choices == (
        Change(f"dli-settle {SQL}", "later", "at-once"),
        Change(f"dli-recovering {SQL}", "not in the report", "cancellable"),
        Change(f"dli-scaling {SQL}", "cancellable", "not in the report"),
    )


def test_what_else_differs_between_the_runs_is_told() -> None:
    new = report()
    new["suite"] |= {"version": "0.2.0", "catalogue": "1" * 64, "contract": {"otc-dli": "1.1.0"}}
    new |= {"seed": 7, "budget": "quick", "live": True, "layers": ["table", "fuzz"], "stopped": "interrupted"}
    new["selection"] |= {"requirements": ["cancel-accepted"], "level": "MUST"}
    new["targets"][0] |= {"jobs": "file", "provider_states": None}

    assert {(change.about, change.old, change.new) for change in compare(report(), new).conditions} == {
        ("suite", "0.1.0", "0.2.0"),
        ("catalogue", "0" * 16, "1" * 16),
        ("contract otc-dli", "1.0.0", "1.1.0"),
        ("seed", "0", "7"),
        ("budget", "standard", "quick"),
        ("live", "False", "True"),
        ("layers", "table", "table, fuzz"),
        ("stopped", "no", "interrupted"),
        ("selected requirements", "all", "cancel-accepted"),
        ("selected level", "all", "MUST"),
        ("jobs of otc-dli", "provider states", "file"),
    }


def test_text_and_markdown_name_every_change() -> None:
    old = report(row("cancel-accepted", "held"), row("dli-auth-missing", "violated"), dli_settle="later")
    new = report(
        row("cancel-accepted", "violated"), row("dli-auth-missing", "held"), dli_settle="a|b <i>\x1b[31m"
    )
    comparison = compare(old, new)

    assert comparison.to_text() == (
        "newly violated: 1\n"
        f"  cancel-accepted {SQL}: held → violated\n"
        "fixed: 1\n"
        f"  dli-auth-missing {SQL}: violated → held\n"
        "choices where the vendors are silent: 1\n"
        f"  dli-settle {SQL}: later → a|b <i>\\x1b[31m\n"
    )
    markdown = comparison.to_markdown()
    assert f"| `cancel-accepted {SQL}` | held | violated |" in markdown
    assert "### Newly violated: 1" in markdown
    assert "<i>" not in markdown
    assert "a|b" not in markdown


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: [], "format 2, got list"),
        (lambda r: "report", "format 2, got str"),
        (lambda r: {}, "got format None"),
        (lambda r: r | {"format": 1}, "got format 1; write it again with this version of calloff"),
        (lambda r: r | {"seed": "x"}, "is no report of calloff verify: seed: 'x' is not of type 'integer'"),
        (lambda r: r | {"more": 1}, "is no report of calloff verify: the whole: Additional properties"),
        (lambda r: {k: v for k, v in r.items() if k != "results"}, "'results' is a required property"),
        (lambda r: r | {"results": [row("x", "fine")]}, "results/0/verdict: 'fine' is not one of"),
    ],
)
def test_what_is_no_report_is_refused(change: Any, words: str) -> None:
    with pytest.raises(InvalidInputError) as old:
        compare(change(report()), report())
    with pytest.raises(InvalidInputError) as new:
        compare(report(), change(report()))
    assert words in str(old.value)
    assert str(old.value).startswith("the old report is no report")
    assert str(new.value).startswith("the new report is no report")


def test_a_report_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report()), "utf-8")

    assert read_report(path) == report()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_a_file_without_json_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(content)

    with pytest.raises(InvalidInputError, match="is no report of calloff verify: expected JSON"):
        read_report(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot read the report"):
        read_report(tmp_path / "missing.json")
