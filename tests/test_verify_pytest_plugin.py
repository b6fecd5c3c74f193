"""The suite as a Python team runs it: eight lines, and pytest tells what is broken, skipped and fine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from fake_target import SECRET_KEY, TOKEN, FakeTarget, Reply, Seen, json_reply

from calloff.errors import InvalidInputError
from calloff.mock.server import run_embedded
from calloff.verify.pytest_plugin import every_check

CONFTEST = """
import pytest
from calloff.verify.given import given_target

pytest_plugins = ["calloff.verify.pytest_plugin"]

@pytest.fixture(scope="session")
def calloff_targets():
    target = given_target(["otc-dli"], {base_url!r}, provider_states={states!r}, settle=0.1)
    yield [target]
    target.close()
"""
TEST = """
from calloff.verify.pytest_plugin import every_check

@every_check("otc-dli", operations=["cancelSqlJob"], layers=["table", "races"])
def test_the_server_conforms(check, calloff_verify):
    calloff_verify(check)
"""


def pytest_run(
    folder: Path, base_url: str, states: str, *options: str
) -> tuple[subprocess.CompletedProcess[str], dict[str, int]]:
    """Run the tests of a team that has these two files; return how many of them ended in which way, too."""
    (folder / "conftest.py").write_text(CONFTEST.format(base_url=base_url, states=states), "utf-8")
    (folder / "test_conformance.py").write_text(TEST, "utf-8")
    command = [sys.executable, "-m", "pytest", "-rs", "-W", "error", "-p", "no:schemathesis", *options]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    counts = re.findall(r"(\d+) (passed|failed|skipped|errors?)", result.stdout.splitlines()[-1])
    return result, {word: int(number) for number, word in counts}


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_every_check_of_a_right_server_passes(tmp_path: Path, options: tuple[str, ...]) -> None:
    with run_embedded(["otc-dli"]) as server:
        states = server.announcement["provider_states_url"]
        base_url = server.announcement["apis"]["otc-dli"]["base_url"]
        result, counts = pytest_run(tmp_path, base_url, states, *options)

    assert result.returncode == 0, result.stdout
    assert counts.keys() == {"passed"}
    assert counts["passed"] > 100


def test_a_broken_requirement_is_told_with_the_request_and_without_a_secret(tmp_path: Path) -> None:
    def echo(fake: FakeTarget, request: Seen) -> Reply | None:
        shown = json_reply(409, {"error_code": "DLI.0007", "error_msg": f"you sent {dict(request.headers)}"})
        return shown if (job := fake.job_of(request)) and job.state == "FINISHED" else None

    with FakeTarget("otc-dli", script=echo) as fake:
        result, counts = pytest_run(tmp_path, fake.url, fake.states_url, "-k", "FINISHED")

    assert result.returncode == 1
    assert counts["failed"] > 0
    assert (
        "status-documented (MUST) is broken by otc-dli/cancelSqlJob: Every answer has a status"
        in result.stdout
    )
    assert "expected: one of the documented statuses 200, 400" in result.stdout
    assert "received: 409 " in result.stdout
    assert re.search(r"^DELETE /v1\.0/\w+/jobs/[\w-]+ HTTP/1\.1$", result.stdout, re.MULTILINE)
    assert re.search("^case: otc-dli/cancelSqlJob/table/", result.stdout, re.MULTILINE)
    assert not any(secret in result.stdout for secret in (TOKEN, SECRET_KEY))
    signatures = {
        found for seen in fake.seen for found in re.findall("Signature=(.+)", seen.header("Authorization"))
    }
    assert signatures
    assert not any(signature in result.stdout for signature in signatures if len(signature) > 8)


def test_what_the_server_cannot_supply_is_skipped_with_requirement_and_reason(tmp_path: Path) -> None:
    with FakeTarget("otc-dli") as fake:
        result, counts = pytest_run(tmp_path, fake.url, fake.states_url, "-k", "expired")

    assert result.returncode == 0, result.stdout
    assert counts["skipped"] > 0
    assert "dli-auth-token-expired" in result.stdout
    assert "the target's provider states do not list expired-token credentials" in result.stdout


def test_a_server_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with FakeTarget("otc-dli") as fake:
        result, counts = pytest_run(tmp_path, "http://127.0.0.1:1", fake.states_url, "-k", "as-documented")

    assert result.returncode == 1
    assert set(counts) <= {"error", "errors"}
    assert "could not verify otc-dli: the server cannot be reached" in result.stdout
    assert "Traceback" not in result.stdout


@pytest.mark.parametrize(
    ("apis", "operations", "sentence"),
    [
        (["dli"], [], "no API 'dli'; there are: tencent-ci, otc-dli, huaweicloud-dli"),
        (["otc-dli"], ["cancelAiJob"], "no operation 'cancelAiJob'; there are: cancelBatchJob, cancelSqlJob"),
    ],
)
def test_a_name_that_does_not_exist_is_refused(apis: list[str], operations: list[str], sentence: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        every_check(*apis, operations=operations)

    assert sentence in str(caught.value)


def test_every_check_has_an_id_of_its_own() -> None:
    mark = every_check()

    ids = mark.kwargs["ids"]
    assert len(ids) == len(set(ids)) == len(mark.args[1])
    assert {each.partition("/")[0] for each in ids} == {"tencent-ci", "otc-dli", "huaweicloud-dli"}
