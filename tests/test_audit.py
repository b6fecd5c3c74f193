"""An audit tells what is known, and never takes silence for a good answer. Outputs as the tools write them."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
audit = importlib.import_module("audit")
audit_maven = importlib.import_module("audit_maven")

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
    ("told", "findings", "unasked"),
    [
        ({"org.example:a 1": []}, (), ""),
        ({"org.example:a 1": ["GHSA-1"], "org.example:b 2": []}, ("org.example:a 1: GHSA-1",), ""),
        (None, (), "no such host"),
    ],
    ids=["clean", "known", "unreachable"],
)
def test_maven(told: Any, findings: tuple[str, ...], unasked: str) -> None:
    output = json.dumps(told) if told else ""

    assert audit.of_maven(output, "no such host\n") == audit.Answer(findings, unasked)


POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <groupId>org.own</groupId>
  <properties><b.version>2.0</b.version></properties>
  <dependencies>
    <dependency><groupId>org.example</groupId><artifactId>a</artifactId><version>1.0</version></dependency>
    <dependency><groupId>org.example</groupId><artifactId>b</artifactId><version>${b.version}</version></dependency>
    <dependency><groupId>org.own</groupId><artifactId>c</artifactId><version>0.0.0</version></dependency>
  </dependencies>
  <build><plugins><plugin><artifactId>maven-jar-plugin</artifactId><version>3.0</version>
    <configuration><paths><path><groupId>org.example</groupId><artifactId>p</artifactId><version>3.1</version></path></paths>
    </configuration></plugin></plugins></build>
</project>
"""


def test_what_a_project_of_maven_pins_is_listed(tmp_path: Path) -> None:
    (tmp_path / "pom.xml").write_text(POM, "utf-8")

    assert audit_maven.pins(tmp_path / "pom.xml") == [
        ("org.apache.maven.plugins:maven-jar-plugin", "3.0"),
        ("org.example:a", "1.0"),
        ("org.example:b", "2.0"),
        ("org.example:p", "3.1"),
    ]


@contextmanager
def database(answer: bytes, status: int = 200) -> Iterator[tuple[str, list[bytes]]]:
    """Serve one answer, and note what was asked."""
    asked: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", asked
        finally:
            server.shutdown()
            thread.join()


PINS = [("org.example:a", "1.0"), ("org.example:b", "2.0")]


def test_the_database_is_asked_about_each_artifact() -> None:
    with database(b'{"results": [{"vulns": [{"id": "GHSA-1"}]}, {}]}') as (url, asked):
        assert audit_maven.looked_up(PINS, url) == [["GHSA-1"], []]

    assert json.loads(asked[0])["queries"] == [
        {"package": {"ecosystem": "Maven", "name": name}, "version": version} for name, version in PINS
    ]


@pytest.mark.parametrize("answer", [b'{"results": [{}]}', b"[]", b"no"])
def test_an_answer_to_another_question_is_none(answer: bytes) -> None:
    with database(answer) as (url, _), pytest.raises(ValueError):  # noqa: PT011 - json has its own words
        audit_maven.looked_up(PINS, url)


def test_a_database_that_refuses_is_told() -> None:
    with database(b"", 503) as (url, _), pytest.raises(OSError, match="503") as refused:
        audit_maven.looked_up(PINS, url)
    refused.value.close()  # type: ignore[attr-defined]


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
    assert {"generated/java/pom.xml", "contract_tests/consumers/java/pom.xml"} <= names
