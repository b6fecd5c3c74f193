"""What calloff verify does besides a run, and the options that narrow or limit one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from fake_target import PROJECT, SECRET_KEY, FakeTarget, Reply, Seen, json_reply

from calloff.cli import group
from calloff.errors import CalloffError
from calloff.mock.server import MockServer, run_embedded

SQL = "otc-dli/cancelSqlJob"
ONE = ("--operation", "cancelSqlJob", "--budget", "quick")


def verify(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(group, ["verify", "--report-dir", str(folder), *arguments], env=env)


def report_of(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text("utf-8"))
    return report


@pytest.fixture(scope="module")
def mock() -> Iterator[MockServer]:
    with run_embedded(["otc-dli"]) as server:
        yield server


def at(server: MockServer, *arguments: str) -> tuple[str, ...]:
    announced = server.announcement["apis"]["otc-dli"]
    states = server.announcement["provider_states_url"]
    given = ("--api", "otc-dli", "--base-url", announced["base_url"], "--provider-states", states)
    return (*given, "--project-id", announced["project_id"], *arguments)


def accepting_ended_jobs(fake: FakeTarget, request: Seen) -> Reply | None:
    job = fake.job_of(request)
    return fake.accepted(job) if job is not None and job.state == "FINISHED" else None


def against(fake: FakeTarget, *arguments: str) -> list[str]:
    given = ["--api", fake.api, "--base-url", fake.url, "--provider-states", fake.states_url]
    return [*given, "--settle", "0.05", "--timeout", "5", *ONE, *arguments]


def test_the_list_names_level_operations_statement_and_proof(tmp_path: Path) -> None:
    result = verify(tmp_path, "--list", "--only", "dli-final-refused")

    assert result.exit_code == 0
    assert "dli-final-refused  MUST  otc-dli/cancelBatchJob, otc-dli/cancelSqlJob" in result.stdout
    assert "table/token/job-FINISHED/as-documented" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_list_can_leave_the_should_out(tmp_path: Path) -> None:
    everything, musts = verify(tmp_path, "--list"), verify(tmp_path, "--list", "--level", "MUST")

    assert "unknown-job-refused  SHOULD" in everything.stdout
    assert "  SHOULD  " not in musts.stdout
    assert "cancel-accepted  MUST" in musts.stdout


def test_checking_a_target_says_what_it_accepts_and_which_jobs_it_has(
    mock: MockServer, tmp_path: Path
) -> None:
    result = verify(tmp_path, *at(mock, "--check-target"))

    assert result.exit_code == 0, result.output
    for said in ("reachable: yes", "clock: as ours", "credential, token: accepted", "jobs, cancelSqlJob: "):
        assert said in result.stdout
    assert mock.announcement["apis"]["otc-dli"]["credentials"]["token"] not in result.output
    assert list(tmp_path.iterdir()) == []


def test_checking_a_target_that_is_not_there_gives_3_and_a_sentence(tmp_path: Path) -> None:
    given = ("--api", "otc-dli", "--base-url", "http://127.0.0.1:1", "--project-id", PROJECT)
    result = verify(tmp_path, *given, "--check-target", env={"CALLOFF_TOKEN": "t"})

    assert result.exit_code == 3
    assert result.stderr.startswith("calloff: cannot verify: the server cannot be reached")


def test_refused_credentials_give_3_and_a_sentence(tmp_path: Path) -> None:
    def refusing(fake: FakeTarget, request: Seen) -> Reply:
        return json_reply(401, {"error_code": "APIGW.0301", "error_msg": "no", "request_id": "0" * 32})

    with FakeTarget(script=refusing) as fake:
        result = verify(tmp_path, *against(fake))

    assert result.exit_code == 3
    assert report_of(tmp_path)["stopped"].startswith("the server refused the credentials in every way")


def test_a_dry_run_sends_nothing_and_lists_every_request(mock: MockServer, tmp_path: Path) -> None:
    mock.journal.clear()
    result = verify(tmp_path, *at(mock, "--dry-run", *ONE))

    assert result.exit_code == 0, result.output
    assert mock.journal.entries() == []
    assert f"{SQL}/table/token/job-RUNNING/as-documented" in result.stdout
    assert "may cancel {job_id" in result.stdout
    assert "jobs may be cancelled." in result.stdout


def test_a_run_for_one_requirement_is_about_that_one(mock: MockServer, tmp_path: Path) -> None:
    result = verify(tmp_path, *at(mock, *ONE, "--only", "dli-auth-wrong-key"))

    assert result.exit_code == 0, result.output
    assert {row["requirement"] for row in report_of(tmp_path)["results"]} == {"dli-auth-wrong-key"}


def test_a_case_of_a_report_is_sent_again_by_its_id(tmp_path: Path) -> None:
    with FakeTarget(script=accepting_ended_jobs) as fake:
        first = verify(tmp_path / "all", *against(fake, "--layer", "table"))
        rows = [r for r in report_of(tmp_path / "all")["results"] if r["requirement"] == "dli-final-refused"]
        case = rows[0]["violations"][0]["cases"][0]
        fake.seen.clear()
        again = verify(tmp_path / "one", *against(fake, "--case", case))

    assert (first.exit_code, again.exit_code) == (1, 1)
    assert f"--case {case}" in first.stdout
    assert case in fake.seen[-1].header("User-Agent")


def test_what_only_the_fuzz_layer_saw_is_told_in_plain_words(tmp_path: Path) -> None:
    given = (
        "--mock",
        "--api",
        "tencent-ci",
        "--operation",
        "cancelAiJob",
        "--mutant",
        "ci-request-id-missing",
    )
    result = verify(tmp_path, *given, "--layer", "fuzz")
    (row,) = [row for row in report_of(tmp_path)["results"] if row["requirement"] == "ci-request-id"]
    (group,) = row["violations"]

    assert result.exit_code == 1, result.output
    assert (group["expected"], group["gravity"]) == ("headers as documented", "form")
    assert "x-ci-request-id" in group["received"]
    assert "conformance" not in result.stdout


def test_a_case_sent_again_leaves_the_report_that_names_it(
    mock: MockServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    case = ("--case", f"{SQL}/table/token/job-RUNNING/as-documented")
    result = CliRunner().invoke(group, ["verify", *at(mock, *case)])

    assert result.exit_code == 0, result.output
    assert "Conforms to every requirement that was checked" in result.stdout
    assert "No report files: --case writes them only with --report-dir." in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_case_that_does_not_exist_is_answered_with_the_nearest(mock: MockServer, tmp_path: Path) -> None:
    result = verify(tmp_path, *at(mock, "--case", f"{SQL}/table/token/job-RUNING/as-documented"))

    assert isinstance(result.exception, CalloffError)
    assert f"{SQL}/table/token/job-RUNNING/as-documented" in str(result.exception)


def test_a_known_failure_does_not_count_until_it_expires(tmp_path: Path) -> None:
    status = {}
    for name, days in (("current", 30), ("expired", -30)):
        day = (date.today() + timedelta(days=days)).isoformat()
        known = tmp_path / f"{name}.toml"
        known.write_text(
            f'[[known-failure]]\nrequirement = "dli-final-refused"\nreason = "ticket 7"\nexpires = {day}\n'
        )
        with FakeTarget(script=accepting_ended_jobs) as fake:
            result = verify(
                tmp_path, *against(fake, "--only", "dli-final-refused", "--expectations", str(known))
            )
        status[name] = result.exit_code
        assert "ticket 7" in result.stdout

    assert status == {"current": 0, "expired": 1}


def test_a_profile_makes_the_mock_choose_as_the_server_did(tmp_path: Path) -> None:
    profile = tmp_path / "profile.json"
    with run_embedded(["otc-dli"]) as server:
        verify(tmp_path, *at(server, *ONE, "--profile", str(profile)))
    observed = json.loads(profile.read_text("utf-8"))["observed"]

    assert observed["dli-unknown-job"][SQL] == "400-dli-0002"


def test_two_reports_are_compared_without_a_server(tmp_path: Path) -> None:
    with FakeTarget() as fake:
        verify(tmp_path / "old", *against(fake, "--layer", "table"))
    with FakeTarget(script=accepting_ended_jobs) as fake:
        after = verify(
            tmp_path / "new",
            *against(fake, "--layer", "table", "--compare", str(tmp_path / "old/report.json")),
        )
    alone = verify(tmp_path / "new", "--compare", str(tmp_path / "old" / "report.json"))

    for result in (after, alone):
        assert re.search(r"What changed .*report\.json.*:\nnewly violated: [0-9]", result.stdout)
        assert "dli-final-refused" in result.stdout
    assert (after.exit_code, alone.exit_code) == (1, 0)


def test_what_is_no_report_cannot_be_compared(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("{}")
    result = verify(tmp_path, "--mock", "--compare", str(tmp_path / "old.json"))

    assert isinstance(result.exception, CalloffError)
    assert "old.json" in str(result.exception)


@pytest.mark.parametrize("layers", [["fuzz"], ["model", "fuzz"]])
def test_a_budget_that_holds_nothing_of_the_layers_is_wrong_usage(
    mock: MockServer, tmp_path: Path, layers: list[str]
) -> None:
    chosen = [part for layer in layers for part in ("--layer", layer)]
    result = verify(tmp_path, *at(mock), *chosen, "--budget", "quick")

    assert isinstance(result.exception, CalloffError)
    assert str(result.exception) == (
        f"the quick budget holds no check of {' and '.join(layers)}; give a wider --budget or another --layer"
    )


def test_a_server_that_supplies_jobs_and_fails_at_every_cancel_does_not_conform(tmp_path: Path) -> None:
    with FakeTarget(script=lambda *_: Reply(500, b"<p>", (("Content-Type", "text/html"),))) as fake:
        result = verify(tmp_path, *against(fake, "--layer", "table"))

    assert result.exit_code == 1
    verdicts = {row["requirement"]: row["verdict"] for row in report_of(tmp_path)["results"]}
    assert {verdicts[name] for name in ("cancel-accepted", "no-server-fault", "dli-error-is-json")} == {
        "violated"
    }


def test_one_that_supplies_none_is_told_what_it_answers(tmp_path: Path) -> None:
    given = ("--project-id", PROJECT, "--timeout", "5", *ONE)
    with FakeTarget(script=lambda *_: Reply(500, b"<p>", (("Content-Type", "text/html"),))) as fake:
        result = verify(
            tmp_path, "--api", "otc-dli", "--base-url", fake.url, *given, env={"CALLOFF_TOKEN": "made-up"}
        )

    assert result.exit_code == 3
    assert "expected JSON with error_code, got 500 text/html" in report_of(tmp_path)["stopped"]


def test_a_budget_of_requests_is_kept_and_told(mock: MockServer, tmp_path: Path) -> None:
    mock.journal.clear()
    result = verify(tmp_path, *at(mock, *ONE, "--max-requests", "30"))

    assert len(mock.journal.entries()) <= 30
    assert "budget" in result.stdout
    assert mock.journal.entries() != []


def test_a_vendors_host_needs_live(tmp_path: Path) -> None:
    given = ("--api", "otc-dli", "--base-url", "https://dli.eu-de.otc.t-systems.com", "--project-id", PROJECT)
    result = verify(tmp_path, *given, env={"CALLOFF_TOKEN": "t"})

    assert isinstance(result.exception, CalloffError)
    assert "--live" in str(result.exception)


def test_a_live_run_says_first_what_it_will_send_and_cancel(mock: MockServer, tmp_path: Path) -> None:
    jobs = tmp_path / "jobs.toml"
    jobs.write_text('[otc-dli.cancelSqlJob]\nRUNNING = ["6d2146a0-c2d5-41bd-8ca0-ca9694ada992"]\n')
    announced = mock.announcement["apis"]["otc-dli"]
    given = ("--api", "otc-dli", "--base-url", announced["base_url"], "--project-id", announced["project_id"])
    mock.journal.clear()
    limits = ("--rate", "1000", "--max-requests", "400")
    result = verify(
        tmp_path,
        *(*given, "--jobs", str(jobs), "--live", *limits, *ONE),
        env={"CALLOFF_TOKEN": announced["credentials"]["token"]},
    )
    said = result.stdout.splitlines()

    assert said[0].endswith("at most 1000 a second.")
    assert said[1] == "1 job may be cancelled."
    assert said[2] == "It is: 6d2146a0-c2d5-41bd-8ca0-ca9694ada992"
    sent = [entry.target for entry in mock.journal.entries()]
    assert any(target.endswith("6d2146a0-c2d5-41bd-8ca0-ca9694ada992") for target in sent)


TOGETHER = [
    (("--mock", "--list"), "--list needs no server"),
    (("--mock", "--self-check"), "--self-check needs no server"),
    (("--list", "--self-check"), "give one of them"),
    (("--mock", "--dry-run", "--check-target"), "give one of them"),
    (("--mock", "--full"), "belong to --self-check"),
    (("--mock", "--seeds", "3"), "belong to --self-check"),
    (("--mock", "--live"), "--live describe the server at --base-url"),
    (("--mock", "--jobs", "f"), "--jobs describe the server at --base-url"),
    (("--mock", "--token", "env:T"), "--token describe the server at --base-url"),
    (("--api", "otc-dli", "--base-url", "http://h", "--live", "--workers", "2"), "one request at a time"),
    (("--compare", "nowhere.json"), "nowhere.json"),
]


@pytest.mark.parametrize(("arguments", "sentence"), TOGETHER)
def test_what_does_not_go_together_is_one_clear_sentence(
    tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    result = CliRunner().invoke(group, ["verify", *arguments])

    assert isinstance(result.exception, CalloffError), result.output
    assert sentence in str(result.exception)


def test_a_secret_is_taken_by_reference_only_and_is_not_shown(tmp_path: Path) -> None:
    given = ("--api", "otc-dli", "--base-url", "http://127.0.0.1:1", "--project-id", PROJECT)
    result = verify(tmp_path, *given, "--token", SECRET_KEY)

    assert isinstance(result.exception, CalloffError)
    assert "env:NAME" in str(result.exception)
    assert SECRET_KEY not in str(result.exception)
