"""An audit tells what is known, and never takes silence for a good answer. Outputs as the tools write them."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
audit = importlib.import_module("audit")

CLEAN = {"dependencies": [{"name": "attrs", "version": "26.1.0", "vulns": []}], "fixes": []}
KNOWN = {"dependencies": [{"name": "attrs", "version": "1.0", "vulns": [{"id": "PYSEC-2026-1"}]}]}
SKIPPED = {"dependencies": [{"name": "attrs", "skip_reason": "attrs could not be audited"}], "fixes": []}
FINDING = {"finding": {"osv": "GO-2026-1", "trace": [{"module": "example.org/m", "version": "v1.0.0"}]}}
SBOM = {"SBOM": {"go_version": "go1.26.8"}}


@pytest.mark.parametrize(
    ("told", "errors", "findings", "unasked"),
    [
        (CLEAN, "No known vulnerabilities found", (), ""),
        (KNOWN, "Found 1 known vulnerability", ("attrs 1.0: PYSEC-2026-1",), ""),
        (
            SKIPPED,
            "No known vulnerabilities found",
            (),
            "1 packages, for example: attrs could not be audited",
        ),
        (None, "ERROR: cannot connect\n", (), "ERROR: cannot connect"),
        (None, "", (), "it gave no answer"),
    ],
    ids=["clean", "known", "skipped", "unreachable", "silent"],
)
def test_pip_audit(told: Any, errors: str, findings: tuple[str, ...], unasked: str) -> None:
    output = json.dumps(told) if told else ""

    assert audit.of_pip_audit(output, errors) == audit.Answer(findings, unasked)


@pytest.mark.parametrize(
    ("told", "findings", "unasked"),
    [
        ({"vulnerabilities": {}}, (), ""),
        ({"vulnerabilities": {"a": {"range": "<2", "severity": "high"}}}, ("a <2: high",), ""),
        ({"message": "405 Method Not Allowed"}, (), "405 Method Not Allowed"),
        (None, (), "npm error"),
    ],
    ids=["clean", "known", "refused", "unreachable"],
)
def test_npm_audit(told: Any, findings: tuple[str, ...], unasked: str) -> None:
    output = json.dumps(told) if told else ""

    assert audit.of_npm_audit(output, "npm error") == audit.Answer(findings, unasked)


@pytest.mark.parametrize(
    ("rows", "errors", "findings", "unasked"),
    [
        ([{"config": {}}, SBOM], "", (), ""),
        ([{"config": {}}, SBOM, FINDING, FINDING], "", ("example.org/m: GO-2026-1",), ""),
        ([{"config": {}}, SBOM], "govulncheck: no such host\n", (), "govulncheck: no such host"),
        ([{"config": {}}], "", (), "it gave no answer"),
        ([], "go: no such tool", (), "go: no such tool"),
    ],
    ids=["clean", "known", "unreachable", "ended early", "no tool"],
)
def test_govulncheck(rows: list[Any], errors: str, findings: tuple[str, ...], unasked: str) -> None:
    output = "\n".join(json.dumps(row, indent=2) for row in rows)

    assert audit.of_govulncheck(output, errors) == audit.Answer(findings, unasked)


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ([audit.Answer(), audit.Answer()], 0),
        ([audit.Answer(), audit.Answer(unasked="no")], 2),
        ([audit.Answer(("bad",)), audit.Answer(unasked="no")], 1),
    ],
    ids=["clean", "not asked", "known"],
)
def test_the_status_tells_known_from_not_asked(
    monkeypatch: pytest.MonkeyPatch, answers: list[Any], status: int
) -> None:
    monkeypatch.setattr(audit, "audits", lambda: iter(answers))
    monkeypatch.setattr(audit, "answered", lambda answer: answer)

    assert audit.main() == status


def test_a_tool_that_is_missing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    missing = audit.Audit("go.mod", ("no-such-tool",), ROOT, audit.of_govulncheck)

    assert audit.answered(missing).unasked == "no-such-tool is not installed"
    assert capsys.readouterr().out == "audit: go.mod: NOT ASKED, no-such-tool is not installed\n"


def test_every_lock_is_asked_about() -> None:
    names = {entry.name for entry in audit.audits()}

    assert {f"requirements/{path.name}" for path in (ROOT / "requirements").glob("*.txt")} <= names
    assert {"package-lock.json", "scripts/prism/package-lock.json", "scripts/compat/go.mod"} <= names
