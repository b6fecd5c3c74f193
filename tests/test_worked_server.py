"""A server in another language, verified as its author would; each mistake in it is told for what it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from worked_server import EXAMPLE, running

from calloff.cli import group

SOURCE = EXAMPLE.read_text("utf-8")
WHAT_TOKENS_CANNOT_SHOW = {
    "dli-auth-signature",
    "dli-auth-wrong-key",
    "dli-auth-whole-signature",
    "dli-auth-stale-date",
    "dli-auth-date-signed",
    "dli-auth-covers-path",
    "dli-auth-covers-method",
    "dli-auth-covers-query",
    "dli-auth-covers-body",
    "dli-auth-covers-signed-header",
    "dli-auth-temporary-key",
    "dli-auth-temporary-key-needs-token",
}


def options(base_url: str, folder: Path) -> list[str]:
    states = f"{base_url}/provider-states"
    target = ("--api", "otc-dli", "--base-url", base_url, "--provider-states", states)
    return ["verify", *target, "--report-dir", str(folder)]


def results(folder: Path) -> list[dict[str, Any]]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text("utf-8"))
    rows: list[dict[str, Any]] = report["results"]
    return rows


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    folder = tmp_path_factory.mktemp("report")
    with running() as base_url:
        command = [sys.executable, "-m", "calloff", *options(base_url, folder)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120), folder


def test_the_server_conforms(verified: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    result, folder = verified

    assert result.returncode == 0, result.stdout + result.stderr
    assert [row for row in results(folder) if row["verdict"] == "violated"] == []
    held = {row["operation"] for row in results(folder) if row["verdict"] == "held"}
    assert held == {"otc-dli/cancelBatchJob", "otc-dli/cancelSqlJob"}


def test_what_the_server_cannot_do_is_skipped_with_requirement_and_reason(
    verified: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    result, folder = verified
    skipped = [row for row in results(folder) if row["verdict"] == "skipped"]

    assert {row["requirement"] for row in skipped} >= WHAT_TOKENS_CANNOT_SHOW
    for row in skipped:
        assert row["skips"]
        said = "need not have that call" if row["requirement"] == "asking-changes-nothing" else "do not list"
        assert all(said in skip["reason"] for skip in row["skips"]), row["skips"]
        assert row["requirement"] in result.stdout
    assert "the target's provider states do not list good credentials" in result.stdout


def test_the_server_is_short_and_needs_no_package() -> None:
    imports = [line for line in SOURCE.splitlines() if line.startswith("import")]

    assert len(SOURCE.splitlines()) < 150
    assert len(imports) == SOURCE.count("import")
    assert all(line.endswith(("'node:crypto';", "'node:http';")) for line in imports)


# What a hasty author writes instead of a line of the server, and what the suite must call it.
MISTAKES = [
    ("forgets-the-cancel", "job.state = operation.cancelled;", "", "cancel-takes-effect"),
    (
        "cancels-every-job",
        "job.state = operation.cancelled;",
        "for (const each of jobs.values()) each.state = operation.cancelled;",
        "bystander-untouched",
    ),
    ("cancels-finished-jobs", "if (operation.final.includes(job.state))", "if (false)", "dli-final-refused"),
    (
        "answers-a-final-job-with-200-and-an-error",
        "new Refusal(400, 'DLI.0007'",
        "new Refusal(200, 'DLI.0007'",
        "dli-final-refused",
    ),
    (
        "answers-a-final-job-with-409",
        "new Refusal(400, 'DLI.0007'",
        "new Refusal(409, 'DLI.0007'",
        "status-documented",
    ),
    (
        "accepts-no-token",
        "if (!token) throw",
        "if (!('x-auth-token' in headers)) return { project: PROJECTS.self }; if (!token) throw",
        "dli-auth-missing",
    ),
    (
        "accepts-any-token",
        "if (!token) throw",
        "if (headers['x-auth-token'] && !token) return { project: PROJECTS.self }; if (!token) throw",
        "dli-auth-token-garbage",
    ),
    ("accepts-expired-tokens", "token.expires < Date.now()", "false", "dli-auth-token-expired"),
    ("does-not-check-the-project", "caller.project !== project", "false", "dli-project-isolation"),
    ("refuses-without-request-id", "if (code.startsWith('APIGW.'))", "if (false)", "dli-gateway-request-id"),
    ("sends-errors-as-text", "'Content-Type': 'application/json', ", "", "dli-error-is-json"),
    ("says-true-in-a-string", "is_success: true", "is_success: 'true'", "dli-success-is-json"),
    ("accepts-every-method", "|| method !== 'DELETE'", "", "other-method-cancels-nothing"),
    (
        "calls-wrong-paths-400",
        "new Refusal(404, 'APIGW.0101'",
        "new Refusal(400, 'DLI.0001'",
        "dli-unknown-path",
    ),
    (
        "accepts-unknown-jobs",
        "if (!known) throw",
        "if (!job) return [200, operation.accepted]; if (!known) throw",
        "unknown-job-refused",
    ),
]


@pytest.mark.parametrize(
    ("right", "wrong", "requirement"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES]
)
def test_a_mistake_is_reported_under_the_requirement_it_breaks(
    tmp_path: Path, right: str, wrong: str, requirement: str
) -> None:
    assert SOURCE.count(right) == 1
    program = tmp_path / "server.mjs"
    program.write_text(SOURCE.replace(right, wrong), "utf-8")

    with running(program) as base_url:
        table = ["--layer", "table", "--operation", "cancelSqlJob", "--settle", "0.1", "--strict"]
        result = CliRunner().invoke(group, [*options(base_url, tmp_path), *table])

    assert result.exit_code == 1, result.output
    violated = {row["requirement"] for row in results(tmp_path) if row["verdict"] == "violated"}
    assert requirement in violated
