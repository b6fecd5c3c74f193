"""Jobs that a user names in a file: which are given out, how often, and which files are refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_target import PROJECT
from hostile_files import EMPTY, NOT_UTF8, UNREADABLE, forbidden, without_privileges

from calloff.apis import APIS
from calloff.errors import InvalidInputError
from calloff.verify.jobs_file import JobsFile, read_jobs
from calloff.verify.target import CannotSupplyError, Keys, Target

SQL = APIS["otc-dli"].operations["cancelSqlJob"]
BATCH = APIS["otc-dli"].operations["cancelBatchJob"]
AI = APIS["tencent-ci"].operations["cancelAiJob"]
UUID = "6f1ed2a0-0000-4000-8000-00000000000{}"
OTHERS_HOST = "other-1250000000.ci.ap-beijing.myqcloud.com"
GOOD = f"""
[otc-dli.cancelSqlJob]
RUNNING = ["r-1", "r-2", "r-3"]
FINISHED = ["f-1"]

[otc-dli.cancelBatchJob]
project_id = "another0project"
running = ["{UUID.format(1)}"]
dead = []

[other-owner.otc-dli.cancelSqlJob]
project_id = "theirs"
RUNNING = ["o-1"]

[tencent-ci.cancelAiJob]
Submitted = ["a-1"]

[other-owner.tencent-ci.cancelAiJob]
host = "{OTHERS_HOST}"
Submitted = ["a-2"]
"""


def jobs_of(folder: Path, text: str = GOOD, api: str = "otc-dli", authority: str = "h") -> JobsFile:
    file = folder / "jobs.toml"
    file.write_text(text, "utf-8")
    return read_jobs(file, api, project_id=PROJECT if api != "tencent-ci" else "", authority=authority)


def test_a_job_comes_with_the_project_or_the_host_of_its_owner(tmp_path: Path) -> None:
    jobs = jobs_of(tmp_path)

    assert jobs.new_job(SQL, "RUNNING", "self").parameters == {"project_id": PROJECT, "job_id": "r-1"}
    assert jobs.new_job(SQL, "RUNNING", "other").parameters == {"project_id": "theirs", "job_id": "o-1"}
    assert jobs.new_job(BATCH, "running", "self").parameters == {
        "project_id": "another0project",
        "batch_id": UUID.format(1),
    }
    ci = jobs_of(tmp_path, api="tencent-ci")
    own, other = (ci.new_job(AI, "Submitted", owner) for owner in ("self", "other"))
    assert (own.parameters, own.host) == ({"jobId": "a-1"}, None)
    assert (other.parameters, other.host) == ({"jobId": "a-2"}, OTHERS_HOST)


def test_a_job_that_is_spent_is_never_given_again(tmp_path: Path) -> None:
    jobs = jobs_of(tmp_path)
    given = [jobs.new_job(SQL, "RUNNING", "self").job_id for _ in range(3)]

    assert given == ["r-1", "r-2", "r-3"]
    for spend in (True, False):
        with pytest.raises(CannotSupplyError, match=r"every job in state RUNNING .* was used \(3\)"):
            jobs.new_job(SQL, "RUNNING", "self", spend=spend)


def test_a_job_that_is_only_to_be_refused_stays_and_is_the_last_to_be_spent(tmp_path: Path) -> None:
    jobs = jobs_of(tmp_path)
    refused = [jobs.new_job(SQL, "RUNNING", "self", spend=False).job_id for _ in range(5)]
    spent = [jobs.new_job(SQL, "RUNNING", "self").job_id for _ in range(3)]

    assert refused == ["r-3"] * 5
    assert spent == ["r-1", "r-2", "r-3"]


def test_a_job_that_was_cancelled_against_expectation_is_spent(tmp_path: Path) -> None:
    jobs = jobs_of(tmp_path)
    jobs.spend(SQL, "r-3")

    assert jobs.new_job(SQL, "RUNNING", "self", spend=False).job_id == "r-2"


def test_the_same_jobs_can_be_gone_through_once_more_without_spending_them(tmp_path: Path) -> None:
    jobs = jobs_of(tmp_path)
    rehearsed = jobs.unspent().new_job(SQL, "RUNNING", "self")

    assert jobs.new_job(SQL, "RUNNING", "self") == rehearsed


def test_threads_never_get_the_same_job(tmp_path: Path) -> None:
    ids = [f"r-{number}" for number in range(200)]
    jobs = jobs_of(tmp_path, f"[otc-dli.cancelSqlJob]\nRUNNING = {ids}\n")
    given: list[str] = []
    threads = [
        threading.Thread(
            target=lambda: given.extend(jobs.new_job(SQL, "RUNNING", "self").job_id for _ in range(25))
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert sorted(given) == sorted(ids)


def test_what_the_file_does_not_name_cannot_be_had(tmp_path: Path) -> None:
    jobs = jobs_of(tmp_path)
    target = Target(APIS["otc-dli"], "http://127.0.0.1:1", Keys(token="t", project_id=PROJECT), states=jobs)
    for operation, state, owner, reason in (
        (SQL, "LAUNCHING", "self", "the jobs file does not name state LAUNCHING for otc-dli/cancelSqlJob"),
        (BATCH, "dead", "self", "the jobs file does not name state dead for otc-dli/cancelBatchJob"),
        (SQL, "FINISHED", "other", "names no job of another owner in state FINISHED"),
    ):
        with pytest.raises(CannotSupplyError, match=reason):
            target.new_job(operation, state, owner)
    assert not target.reads_state
    with pytest.raises(CannotSupplyError, match="no state can be read back; --provider-states can"):
        target.state(SQL, "r-1")
    with pytest.raises(CannotSupplyError, match="no temporary credentials given; a credentials file"):
        target.credentials("temporary")
    target.close()


def test_the_states_of_one_api_are_listed_once(tmp_path: Path) -> None:
    assert jobs_of(tmp_path).abilities("otc-dli") == {
        "operations": {"cancelSqlJob": ("RUNNING", "FINISHED"), "cancelBatchJob": ("running",)},
        "finishes": (),
        "credentials": (),
    }


SQL_TABLE = "[otc-dli.cancelSqlJob]\n"
REFUSED = [
    ("", "it is empty"),
    ("RUNNING", r"not TOML \(at end of document\)"),
    ("a = 'planted", "not TOML"),
    ("[aws]\n", r"\[aws\]: expected one of tencent-ci, otc-dli, huaweicloud-dli or other-owner as table"),
    ("otc-dli = 1\n", r"\[otc-dli\]: expected a table, got int"),
    ("[otc-dli]\ncancelSqlJob = 1\n", r"\[otc-dli\.cancelSqlJob\]: expected a table, got int"),
    ("other-owner = 1\n", r"\[other-owner\]: expected a table, got int"),
    (
        "[otc-dli.cancelAiJob]\n",
        r"\[otc-dli\.cancelAiJob\]: there is no such operation; there are cancelBatch",
    ),
    (
        SQL_TABLE + "running = ['j']\n",
        r"\[otc-dli\.cancelSqlJob\]: 'running' is no state .* LAUNCHING, RUNNING",
    ),
    (SQL_TABLE + "RUNNING = 'j'\n", r"expected RUNNING to be a list of job ids, got str"),
    (
        SQL_TABLE + "RUNNING = ['a', 'b c']\n",
        r"\[otc-dli\.cancelSqlJob\] RUNNING, id 2: expected .*, got 'b c'",
    ),
    (SQL_TABLE + "RUNNING = ['a\\n']\n", r"RUNNING, id 1: expected text that matches"),
    (SQL_TABLE + "RUNNING = ['..']\n", r"RUNNING, id 1: expected text that matches"),
    (SQL_TABLE + "RUNNING = [5]\n", r"RUNNING, id 1: expected text that matches .*, got 5"),
    (SQL_TABLE + "RUNNING = [['a']]\n", r"RUNNING, id 1: expected text that matches"),
    (SQL_TABLE + f"RUNNING = ['{'a' * 5000}']\n", r"RUNNING, id 1: expected .{,400}$"),
    ("[otc-dli.cancelBatchJob]\nrunning = ['j-1']\n", r"running, id 1: expected text that matches"),
    (
        SQL_TABLE + "project_id = '../..'\nRUNNING = ['a']\n",
        r"\[otc-dli\.cancelSqlJob\] project_id: expected text",
    ),
    (SQL_TABLE + "host = 'h h'\nRUNNING = ['a']\n", r"\[otc-dli\.cancelSqlJob\] host: expected text"),
    (
        "[tencent-ci.cancelAiJob]\nproject_id = 'p'\n",
        r"\[tencent-ci\.cancelAiJob\]: tencent-ci has no project_id",
    ),
    (SQL_TABLE + "RUNNING = ['a', 'a']\n", r"'a' stands in .*RUNNING and in .*RUNNING; name a job once"),
    (SQL_TABLE + "RUNNING = ['a']\nFINISHED = ['A']\n", r"stands in .*RUNNING and in .*FINISHED"),
    (SQL_TABLE + "RUNNING = []\n", "names no job for otc-dli"),
    ("[huaweicloud-dli.cancelSqlJob]\nproject_id = 'p'\nRUNNING = ['a']\n", "names no job for otc-dli"),
    (
        "[other-owner.otc-dli.cancelSqlJob]\nRUNNING = ['a']\n",
        r"\[other-owner\.otc-dli\.cancelSqlJob\]: project_id is",
    ),
    (
        f"[other-owner.otc-dli.cancelSqlJob]\nproject_id = '{PROJECT}'\nRUNNING = ['a']\n",
        r"project_id is your own; jobs of another owner are wanted",
    ),
    (
        SQL_TABLE
        + "RUNNING = ['a']\n[other-owner.otc-dli.cancelSqlJob]\nproject_id = 'p'\nRUNNING = ['a']\n",
        r"'a' stands in \[otc-dli\.cancelSqlJob\] RUNNING and in \[other-owner\.otc-dli\.cancelSqlJob\] RUNNING",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), REFUSED)
def test_a_file_that_cannot_be_meant_is_refused_in_one_sentence(
    tmp_path: Path, text: str, sentence: str
) -> None:
    with pytest.raises(InvalidInputError, match=sentence) as caught:
        jobs_of(tmp_path, text)

    assert str(caught.value).startswith("--jobs: ")
    assert "\n" not in str(caught.value)
    assert "planted" not in str(caught.value)


def test_jobs_of_another_bucket_are_wanted_under_another_host(tmp_path: Path) -> None:
    missing = "[other-owner.tencent-ci.cancelAiJob]\nSubmitted = ['a']\n"
    with pytest.raises(InvalidInputError, match="host is missing"):
        jobs_of(tmp_path, missing, "tencent-ci")
    with pytest.raises(InvalidInputError, match="host is your own"):
        jobs_of(tmp_path, GOOD, "tencent-ci", authority=OTHERS_HOST.upper())


def test_own_jobs_need_a_project(tmp_path: Path) -> None:
    file = tmp_path / "jobs.toml"
    file.write_text(SQL_TABLE + "RUNNING = ['a']\n")
    with pytest.raises(InvalidInputError, match="project_id is missing; give it there or as --project-id"):
        read_jobs(file, "otc-dli")


@pytest.mark.parametrize(("words", "make"), [*UNREADABLE, EMPTY, NOT_UTF8])
def test_a_file_that_cannot_be_read_is_told_in_one_sentence(
    tmp_path: Path, words: str, make: Callable[[Path], Path]
) -> None:
    file = make(tmp_path)
    with pytest.raises(InvalidInputError, match=words) as caught:
        read_jobs(file, "otc-dli", project_id=PROJECT)

    assert str(caught.value).startswith("--jobs: ")
    assert "\n" not in str(caught.value)


def test_a_file_without_permission_is_told_in_one_sentence(tmp_path: Path) -> None:
    file = forbidden(tmp_path)
    with without_privileges(), pytest.raises(InvalidInputError, match=r"^--jobs: .*: Permission denied$"):
        read_jobs(file, "otc-dli", project_id=PROJECT)
