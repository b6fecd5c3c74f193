"""calloff mock --jobs: jobs that are there at the start, and the files with their ids."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from calloff.errors import InvalidInputError
from calloff.mock.jobs_wanted import JobsWanted, parse_jobs
from calloff.mock.server import MockServer, run_embedded

if TYPE_CHECKING:
    from pathlib import Path

SQL, BATCH, AI = "otc-dli/cancelSqlJob", "otc-dli/cancelBatchJob", "tencent-ci/cancelAiJob"
COMMAND = [sys.executable, "-m", "calloff", "mock", "--port", "0"]


def ids_in(path: Path) -> list[str]:
    data = path.read_bytes()
    assert data.endswith(b"\n")
    assert b"\r" not in data
    return data.decode().splitlines()


def states(server: MockServer, operation: str, ids: list[str]) -> list[str]:
    owner = server.announcement["apis"][operation.partition("/")[0]]
    jobs = [
        server.state.jobs.find(operation, owner.get("project_id", "examplebucket-1250000000"), job_id)
        for job_id in ids
    ]
    return [job.state(server.state.clock()) for job in jobs if job is not None]


@pytest.mark.parametrize(
    ("operation", "first"),
    [
        ("tencent-ci/cancelInventoryTriggerJob", "Submitted"),
        ("tencent-ci/cancelAiJob", "Submitted"),
        ("otc-dli/cancelBatchJob", "starting"),
        ("otc-dli/cancelSqlJob", "LAUNCHING"),
        ("huaweicloud-dli/cancelSqlJob", "LAUNCHING"),
    ],
)
def test_jobs_can_be_cancelled_unless_a_state_is_given(operation: str, first: str, tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    with run_embedded(jobs=[JobsWanted(operation, 3, file=file)]) as server:
        ids = ids_in(file)
        assert len(set(ids)) == 3
        assert states(server, operation, ids) == [first] * 3


def test_a_file_takes_the_ids_of_several_states_in_their_order(tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    wanted = [JobsWanted(SQL, 2, "RUNNING", file), JobsWanted(SQL, 1, "FINISHED", file), JobsWanted(SQL, 4)]
    with run_embedded(jobs=wanted) as server:
        assert states(server, SQL, ids_in(file)) == ["RUNNING", "RUNNING", "FINISHED"]
        assert server.state.jobs.count(SQL) == 7


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    file.write_text("old\n" * 100, "utf-8")
    with run_embedded(jobs=[JobsWanted(BATCH, 1, file=file)]):
        assert len(ids_in(file)) == 1
    assert list(tmp_path.iterdir()) == [file]


def test_a_start_with_a_state_file_makes_further_jobs(tmp_path: Path) -> None:
    kept, first, second = tmp_path / "mock.sqlite", tmp_path / "first.txt", tmp_path / "second.txt"
    with run_embedded(state_file=kept, jobs=[JobsWanted(SQL, 200, "RUNNING", first)]):
        pass
    with run_embedded(state_file=kept, jobs=[JobsWanted(SQL, 3, "SCALING", second)]) as server:
        assert states(server, SQL, ids_in(first)) == ["RUNNING"] * 200
        assert states(server, SQL, ids_in(second)) == ["SCALING"] * 3
        assert server.state.jobs.count(SQL) == 203


def test_jobs_that_a_state_file_cannot_take_are_none_of_them_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, file = tmp_path / "mock.sqlite", tmp_path / "ids.txt"
    with run_embedded(state_file=kept):
        pass
    with sqlite3.connect(kept) as db:
        db.execute(
            "CREATE TRIGGER full BEFORE INSERT ON jobs WHEN (SELECT count(*) FROM jobs) = 2 "
            "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    db.close()
    monkeypatch.setattr("logging.lastResort", None)
    with (
        pytest.raises(
            InvalidInputError, match=r"cannot keep the state in .*mock\.sqlite: the disk is full; "
        ),
        run_embedded(state_file=kept, jobs=[JobsWanted(SQL, 3, file=file)]),
    ):
        pass
    assert not file.exists()
    with run_embedded(state_file=kept) as server:
        assert server.state.jobs.count(SQL) == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{SQL}=5", JobsWanted(SQL, 5)),
        (f"{SQL}:FINISHED=10000000", JobsWanted(SQL, 10_000_000, "FINISHED")),
    ],
)
def test_a_file_may_be_left_out(text: str, expected: JobsWanted) -> None:
    assert parse_jobs(text) == expected


def test_the_name_of_a_file_may_hold_the_signs_of_the_form() -> None:
    assert str(parse_jobs(f"{SQL}=5@a=b:c@d.txt").file) == "a=b:c@d.txt"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            SQL,
            "expected jobs as API/OPERATION[:STATE]=COUNT[@FILE], such as otc-dli/cancelSqlJob=100@ids.txt, ",
        ),
        (f"{SQL}=5@", "expected jobs as API/OPERATION"),
        ("otc-dli/cancelJob=5", "no operation 'otc-dli/cancelJob' to have jobs; there are: "),
        (f"{SQL}=0", "expected 1 to 10000000 jobs of otc-dli/cancelSqlJob, not '0'"),
        (f"{SQL}=10000001", "not '10000001'"),
        (f"{SQL}=-1", "not '-1'"),
        (f"{SQL}=many", "not 'many'"),
        (f"{SQL}=", "not ''"),
    ],
)
def test_a_text_that_says_no_jobs_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_jobs(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--jobs", "cancelSqlJob=5"], "no operation 'cancelSqlJob' to have jobs; there are: "),
        (["--jobs", f"{SQL}:Running=5"], f"no state 'Running' of {SQL}; there are: LAUNCHING, RUNNING, "),
        (["--jobs", f"{SQL}:=5"], f"no state '' of {SQL}; there are: "),
        (["--api", "otc-dli", "--jobs", f"{AI}=5"], "no jobs of tencent-ci: this server serves otc-dli"),
        (
            ["--jobs", f"{SQL}=1@ids.txt", "--jobs", f"{BATCH}=1@ids.txt"],
            f"ids.txt cannot hold the ids of both {SQL} and {BATCH}; give each operation a file of its own",
        ),
        (
            ["--jobs", f"{SQL}=1@missing/ids.txt"],
            "cannot write the ids of jobs to missing/ids.txt: No such file",
        ),
        (["--jobs", f"{SQL}=1@."], "cannot write the ids of jobs to .: it is no file; give a file"),
    ],
)
def test_jobs_that_there_cannot_be_are_told_in_a_sentence(
    words: list[str], message: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [*COMMAND, *words], cwd=tmp_path, capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("calloff: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_the_ids_are_there_before_the_announcement(tmp_path: Path) -> None:
    words = ["--json", "--jobs", f"{SQL}:RUNNING=1000@sql.txt", "--jobs", f"{AI}=2@ai.txt"]
    with subprocess.Popen([*COMMAND, *words], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["version"] == 1
        found = [len(ids_in(tmp_path / name)) for name in ("sql.txt", "ai.txt")]
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert found == [1000, 2]
