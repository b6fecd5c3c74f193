"""calloff cancel as its user meets it: outcomes, exit statuses, questions, journals, sentences."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cancel_support import CALLOFF, Operator, rows, serving
from hostile_server import Listener, reply
from mock_calls import DLI, Caller

from calloff.bulk.journal import Journal, JournalHeader

WRONG_KEY = "AnotherSecretKey"
NOT_HERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def running() -> Iterator[Caller]:
    with serving() as caller:
        yield caller


@pytest.fixture
def user(running: Caller, tmp_path: Path) -> Iterator[Operator]:
    yield Operator(running, tmp_path)
    assert running.client.delete(running.control).status_code == 204


def test_cancelled_jobs_give_0_a_table_and_a_summary(user: Operator) -> None:
    ids = user.jobs(2)
    done = user.type(*ids)

    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["job", "result", "state", "code", "reason"]
    assert [line.split() for line in lines[1:3]] == [[job_id, "cancelled"] for job_id in ids]
    assert re.fullmatch(r"2 jobs: 2 cancelled, 0 refused, 0 unknown, 0 not-sent in [\d.]+ s", lines[3])
    assert user.cancels() == dict.fromkeys(ids, 1)


def test_a_refused_job_gives_1_and_the_words_of_the_service(user: Operator) -> None:
    running, ended = user.jobs(1), user.jobs(1, "FINISHED")
    done = user.type(*running, *ended, NOT_HERE, "--output", "jsonl")

    assert done.returncode == 1
    found = {row["job_id"]: row for row in rows(done)}
    assert [found[job_id]["result"] for job_id in (*running, *ended, NOT_HERE)] == [
        "cancelled",
        "refused",
        "refused",
    ]
    refused = found[ended[0]]
    assert (refused["status"], refused["code"], refused["attempts"]) == (400, "DLI.0007", 1)
    assert refused["operation"] == "otc-dli/cancelSqlJob"
    assert refused["reason"] == "The job cannot be canceled."
    assert refused["request_id"]


def test_a_run_gives_up_after_as_many_failures_as_one_says(user: Operator) -> None:
    ids = user.jobs(20)
    with Listener(reply(404, b"<html>Not here</html>", {"Content-Type": "text/html"})) as other:
        where = ("--base-url", other.url, "--give-up-after", "3", "--output", "jsonl")
        done = user.type("--ids", user.file(ids), "--yes", *where)

    results = [row["result"] for row in rows(done)]
    assert done.returncode == 3
    assert results == ["refused"] * 3 + ["not-sent"] * 17
    assert "3 failures in a row" in rows(done)[-1]["reason"]


def test_what_needs_a_look_comes_first_and_the_rest_is_counted(user: Operator) -> None:
    well, ended = user.jobs(45), user.jobs(3, "FINISHED")
    done = user.type("--ids", user.file([*well, *ended]), "--yes", "--rate", "0")

    lines = done.stdout.splitlines()
    assert sorted(line.split()[0] for line in lines[1:4]) == sorted(ended)
    assert lines[4] == "and 45 more cancelled"
    assert lines[5].startswith("48 jobs: 45 cancelled, 3 refused, 0 unknown, 0 not-sent")
    assert len(lines) == 6


def test_what_the_table_has_no_room_for_is_told_from_the_journal(user: Operator) -> None:
    done = user.type("--ids", user.file(user.jobs(45, "FINISHED")), "--yes", "--rate", "0")

    assert "and 5 more refused\n" in done.stdout
    [path] = user.journals()
    assert done.stderr.endswith(f"See every one with: calloff cancel --resume {path} --output jsonl\n")
    again = user.resume(path, "--output", "jsonl")
    assert [row["result"] for row in rows(again)] == ["refused"] * 45
    assert (len(user.cancels()), user.journals()) == (45, [])


def test_each_form_of_output_says_the_same(user: Operator) -> None:
    ids = [*user.jobs(1, "FINISHED"), NOT_HERE]
    written = {form: user.type(*ids, "--output", form, "--quiet") for form in ("json", "jsonl", "csv")}

    assert {(done.returncode, done.stderr) for done in written.values()} == {(1, "")}
    as_json = json.loads(written["json"].stdout)
    as_csv = list(csv.DictReader(io.StringIO(written["csv"].stdout)))
    assert [row["job_id"] for row in as_json] == ids
    compared = ("job_id", "result", "state", "code")
    for other in (rows(written["jsonl"]), as_csv):
        assert [[row[name] for name in compared] for row in other] == [
            [row[name] for name in compared] for row in as_json
        ]


def test_a_summary_stands_beside_data(user: Operator) -> None:
    done = user.type(*user.jobs(1), "--output", "json")

    assert done.stderr.startswith("calloff: 1 job: 1 cancelled, 0 refused")


def test_waiting_shows_the_state_in_which_the_job_ended(user: Operator) -> None:
    done = user.type(*user.jobs(1), "--wait", "--output", "jsonl", "--quiet")

    assert [(row["result"], row["state"]) for row in rows(done)] == [("cancelled", "CANCELLED")]


@pytest.mark.parametrize(
    ("api", "operation", "state"),
    [
        ("tencent-ci", "cancelInventoryTriggerJob", "Running"),
        ("tencent-ci", "cancelAiJob", "Submitted"),
        ("otc-dli", "cancelBatchJob", "running"),
        ("huaweicloud-dli", "cancelSqlJob", "RUNNING"),
    ],
)
def test_the_other_operations_cancel_too(user: Operator, api: str, operation: str, state: str) -> None:
    job = user.caller.job(f"{api}/{operation}", state)
    keys = user.caller.place(job.operation)["credentials"]
    done = user.run(
        user.command(job.id, api=api, operation=operation),
        CALLOFF_ACCESS_KEY=keys.get("access_key") or keys["secret_id"],
        CALLOFF_SECRET_KEY=keys["secret_key"],
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert user.caller.state(job) in {"Cancel", "dead", "CANCELLED"}


def test_an_id_given_twice_is_cancelled_once(user: Operator) -> None:
    ids = user.jobs(2)
    done = user.type(*ids, ids[0])

    assert done.returncode == 0
    assert "1 of the ids had been given before; each is cancelled once" in done.stderr
    assert user.cancels() == dict.fromkeys(ids, 1)


def test_a_dry_run_shows_every_request_where_and_as_whom_and_sends_none(user: Operator) -> None:
    ids, project = user.jobs(7), user.caller.place("otc-dli/x")["project_id"]
    done = user.type("--ids", user.file(ids), "--dry-run", "--journal", "new.journal")

    assert (done.returncode, done.stderr) == (0, "")
    *requests, last = done.stdout.splitlines()
    assert requests == [f"DELETE /v1.0/{project}/jobs/{job_id}" for job_id in ids]
    assert last.startswith(
        "Nothing was sent. A run would cancel 7 jobs with otc-dli/cancelSqlJob at http://127.0.0.1:"
    )
    assert f"project {project}, as access key mock…" in last
    assert last.endswith("(from CALLOFF_*).")
    assert user.cancels() == {}
    assert [path.name for path in user.folder.iterdir()] == ["ids"]


def test_more_than_a_handful_without_a_terminal_needs_yes(user: Operator) -> None:
    ids = user.jobs(6)
    done = user.type("--ids", "-", stdin="\n".join(ids))

    assert (done.returncode, done.stdout) == (2, "")
    assert "calloff: this would cancel 6 jobs with otc-dli/cancelSqlJob at http://127.0.0.1:" in done.stderr
    assert "nothing was sent, as there is no terminal to ask on: say --yes" in done.stderr
    assert done.stderr.count("\n") == 1
    assert (user.cancels(), user.journals()) == ({}, [])
    assert user.type("--ids", "-", "--yes", stdin="\n".join(ids)).returncode == 0


def test_a_journal_that_nobody_asked_for_goes_when_all_is_settled(user: Operator) -> None:
    done = user.type("--ids", user.file(user.jobs(6)), "--yes")

    told = re.search(r"should this be killed, it goes on with: calloff cancel --resume (\S+)\n", done.stderr)
    assert told
    assert Path(told[1]).parent == user.folder / "state" / "calloff" / "journals"
    assert (done.returncode, user.journals()) == (0, [])


def test_a_handful_leaves_no_trace(user: Operator) -> None:
    user.type("--ids", user.file(user.jobs(5)))

    assert [path.name for path in user.folder.iterdir()] == ["ids"]


def test_a_journal_that_was_asked_for_stays_and_tells_the_run_again(user: Operator) -> None:
    ids = user.jobs(1) + user.jobs(1, "FINISHED")
    first = user.type(*ids, "--journal", "run.journal", "--output", "csv")
    again = user.resume("run.journal", "--output", "csv")

    assert stat.S_IMODE((user.folder / "run.journal").stat().st_mode) == 0o600
    assert (first.returncode, again.returncode, again.stdout) == (1, 1, first.stdout)
    assert "nothing is left to do" in again.stderr
    assert user.cancels() == dict.fromkeys(ids, 1)
    taken = user.type(*ids, "--journal", "run.journal")
    assert (taken.returncode, taken.stdout) == (2, "")
    assert "there is a file run.journal already" in taken.stderr


def test_a_journal_that_a_kill_left_without_ids_is_not_taken_for_a_finished_run(user: Operator) -> None:
    header = JournalHeader(operation=DLI, endpoint="http://127.0.0.1", project_id="", identity="nobody")
    Journal.create(user.folder / "run.journal", header).close()
    done = user.resume("run.journal")

    assert (done.returncode, done.stdout) == (2, "")
    assert "run.journal holds no ids" in done.stderr
    assert "nothing was sent; remove it and begin again" in done.stderr


def test_a_run_that_stops_early_gives_3_and_says_how_to_go_on(user: Operator) -> None:
    ids = user.jobs(8)
    done = user.type("--ids", user.file(ids), "--yes", CALLOFF_SECRET_KEY=WRONG_KEY)

    assert done.returncode == 3
    assert re.search(r"8 jobs: 0 cancelled, \d refused, 0 unknown, \d not-sent", done.stdout)
    [path] = user.journals()
    assert done.stderr.endswith(f"Resume with: calloff cancel --resume {path}\n")
    assert all(line.startswith("calloff: ") for line in done.stderr.splitlines()[:-1])
    assert (
        "calloff: the run stopped: the service did not accept the credential 3 times in a row" in done.stderr
    )
    assert WRONG_KEY not in done.stdout + done.stderr
    assert WRONG_KEY.encode() not in path.read_bytes()
    assert len(user.cancels()) <= 3


def test_a_resumed_run_sends_what_was_not_sent_or_not_refused_for_the_job(user: Operator) -> None:
    ids, ended = user.jobs(8), user.jobs(1, "FINISHED")
    user.type("--ids", user.file([*ids, *ended]), "--yes", CALLOFF_SECRET_KEY=WRONG_KEY)
    before, [path] = user.cancels(), user.journals()
    assert 0 < len(before) <= 3
    done = user.resume(path, "--output", "jsonl")

    told = [(row["job_id"], row["result"]) for row in rows(done)]
    assert told == [*((job_id, "cancelled") for job_id in ids), (ended[0], "refused")]
    assert done.returncode == 1
    assert "going on: 9 jobs with otc-dli/cancelSqlJob at http://127.0.0.1:" in done.stderr
    assert user.journals() == []


@pytest.fixture
def stopped(user: Operator) -> Path:
    user.type("--ids", user.file(user.jobs(8)), "--yes", CALLOFF_SECRET_KEY=WRONG_KEY)
    [path] = user.journals()
    user.caller.client.delete(f"{user.caller.control}/journal")
    return path


@pytest.mark.parametrize(
    ("words", "environment", "sentence"),
    [
        (["--base-url", "http://127.0.0.1:1"], {}, r"belongs to the endpoint .*, not 'http://127.0.0.1:1'"),
        (["--project-id", "other"], {}, "belongs to the project id .*, not 'other'"),
        (
            [],
            {"CALLOFF_ACCESS_KEY": "another-access-key"},
            "belongs to the identity .*, not 'access key anot…",
        ),
    ],
)
def test_a_run_is_not_resumed_elsewhere_or_as_somebody_else_unless_told(
    user: Operator, stopped: Path, words: list[str], environment: dict[str, str], sentence: str
) -> None:
    done = user.resume(stopped, *words, **environment)

    assert (done.returncode, done.stdout) == (2, "")
    assert re.search(sentence, done.stderr)
    assert "--force-resume" in done.stderr
    assert user.cancels() == {}
    asked = user.resume(stopped, *words, "--force-resume", **environment)
    assert (asked.returncode, "say --yes" in asked.stderr) == (2, True)


def test_a_server_that_only_the_journal_names_gets_no_credential_unasked(user: Operator) -> None:
    url = "https://jobs.invalid"
    header = JournalHeader(
        operation=DLI,
        endpoint=url,
        project_id="p1",
        identity="token",
        connection={"base_url": url, "project_id": "p1"},
    )
    with Journal.create(user.folder / "run.journal", header) as journal:
        journal.add([NOT_HERE])
    mine = ("--token", "env:MINE", "--timeout", "1")
    done = user.resume("run.journal", *mine, MINE="made-up")

    assert (done.returncode, done.stdout) == (2, "")
    assert f"this would cancel 1 job with {DLI} at {url}, project p1, as token" in done.stderr
    assert "say --yes" in done.stderr
    assert user.resume("run.journal", *mine, "--yes", MINE="made-up").returncode == 3


def test_what_a_journal_cannot_say_of_a_connection_is_not_taken_over(user: Operator) -> None:
    kept = {"base_url": user.caller.place(DLI)["base_url"], "ca_file": 7, "project_id": ["p1"]}
    header = JournalHeader(operation=DLI, endpoint="", project_id="p1", identity="", connection=kept)
    with Journal.create(user.folder / "run.journal", header) as journal:
        journal.add([NOT_HERE])
    done = user.resume("run.journal")

    assert (done.returncode, done.stdout) == (2, "")
    assert "otc-dli needs a project id" in done.stderr


def test_a_run_resumed_elsewhere_by_force_goes_there(user: Operator, stopped: Path) -> None:
    keys = user.caller.place("huaweicloud-dli/cancelSqlJob")["credentials"]
    done = user.resume(
        stopped,
        "--force-resume",
        "--yes",
        CALLOFF_ACCESS_KEY=keys["access_key"],
        CALLOFF_SECRET_KEY=keys["secret_key"],
    )

    assert done.returncode in {1, 3}
    assert user.cancels()


def test_a_dry_run_of_a_resumed_run_leaves_its_journal(user: Operator, stopped: Path) -> None:
    done = user.resume(stopped, "--dry-run")

    assert done.returncode == 0
    assert done.stdout.count("DELETE /v1.0/") == 8
    assert (user.cancels(), user.journals()) == ({}, [stopped])


def test_another_operation_than_that_of_the_journal_is_refused(user: Operator, stopped: Path) -> None:
    done = user.run([*CALLOFF, "cancel", "otc-dli", "cancelBatchJob", "--resume", str(stopped)])

    assert done.returncode == 2
    assert "belongs to the operation 'otc-dli/cancelSqlJob', not 'otc-dli/cancelBatchJob'" in done.stderr


def test_a_reader_that_goes_away_changes_neither_the_run_nor_its_status(user: Operator) -> None:
    ids = user.jobs(3)
    command = user.command(*ids, "--output", "jsonl", "--quiet")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=user.environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        problem = process.stderr.read()
    assert (process.returncode, problem) == (0, "")
    assert user.cancels() == dict.fromkeys(ids, 1)


def test_refusals_that_no_reader_saw_can_be_seen_again(user: Operator) -> None:
    command = user.command("--ids", user.file(user.jobs(7, "FINISHED")), "--yes", "--output", "jsonl")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=user.environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        problem = process.stderr.read()
    [path] = user.journals()

    assert process.returncode == 1
    assert problem.endswith(f"See every one with: calloff cancel --resume {path} --output jsonl\n")
    assert len(rows(user.resume(path, "--output", "jsonl"))) == 7


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_neither_the_run_nor_its_status(user: Operator, closed: str) -> None:
    ids = user.jobs(6)
    command = user.command("--ids", user.file(ids), "--yes")
    done = user.run(["sh", "-c", f'exec "$@" {closed}', "sh", *command])

    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert user.cancels() == dict.fromkeys(ids, 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("form", ["table", "csv"])
def test_outcomes_that_cannot_be_written_are_kept_and_told(user: Operator, form: str) -> None:
    command = user.command("--ids", user.file(user.jobs(6)), "--yes", "--output", form)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, env=user.environment, check=False
        )
    assert done.returncode == 3
    assert "calloff: the output could not be written: No space left on device" in done.stderr
    assert "Exception" not in done.stderr
    [path] = user.journals()
    assert f"Resume with: calloff cancel --resume {path}\n" in done.stderr
    assert user.resume(path, "--output", "csv").stdout.count("cancelled") == 6


def test_a_state_folder_that_cannot_be_made_is_told_before_anything_is_sent(user: Operator) -> None:
    (user.folder / "state").write_text("a file")
    done = user.type("--ids", user.file(user.jobs(6)), "--yes")

    assert (done.returncode, user.cancels()) == (2, {})
    assert "cannot keep a journal in" in done.stderr
    assert "name a file with --journal" in done.stderr


def test_without_the_extra_the_command_says_what_to_install(user: Operator) -> None:
    hidden = (
        "import importlib.util as u, sys; find = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'tenacity' else find(name, *more)\n"
        "import calloff.cli; sys.argv = ['calloff', 'cancel', 'otc-dli', 'cancelSqlJob', 'x']; calloff.cli.main()"
    )
    done = user.run([sys.executable, "-c", hidden])

    assert done.returncode == 2
    assert "this needs tenacity; install it with: pip install 'calloff[bulk]'" in done.stderr


def test_the_help_has_examples_and_the_exit_statuses(user: Operator) -> None:
    done = user.run([*CALLOFF, "cancel", "--help"])

    assert done.returncode == 0
    for words in (
        "  calloff cancel otc-dli cancelSqlJob ",
        "  calloff cancel --resume ",
        "  130  interrupted",
    ):
        assert f"\n{words}" in done.stdout


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("calloff can", ["cancel"]),
        ("calloff cancel ", ["tencent-ci", "otc-dli", "huaweicloud-dli"]),
        ("calloff cancel otc-dli ", ["cancelBatchJob", "cancelSqlJob"]),
        ("calloff cancel tencent-ci cancelA", ["cancelAiJob"]),
        ("calloff cancel otc-dli cancelSqlJob --output j", ["json", "jsonl"]),
    ],
)
def test_a_shell_is_offered_what_may_follow(user: Operator, words: str, offered: list[str]) -> None:
    program = "import sys; sys.argv[0] = 'calloff'; import calloff.cli; calloff.cli.main()"
    done = user.run(
        [sys.executable, "-c", program],
        _CALLOFF_COMPLETE="bash_complete",
        COMP_WORDS=words,
        COMP_CWORD=str(len(words.split(" ")) - 1),
    )

    assert [line.partition(",")[2] for line in done.stdout.splitlines()] == offered


def test_the_help_of_the_program_says_how_to_get_completion(user: Operator) -> None:
    assert 'eval "$(_CALLOFF_COMPLETE=bash_source calloff)"' in user.run([*CALLOFF, "--help"]).stdout


def test_no_colour_and_no_bar_leave_a_pipe(user: Operator) -> None:
    done = user.type(*user.jobs(1), NOT_HERE, FORCE_COLOR="", TERM=os.environ.get("TERM", "xterm"))

    assert "\x1b" not in done.stdout + done.stderr
