"""calloff cancel interrupted, killed, resumed, and on a terminal."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cancel_support import CALLOFF, Operator, rows, serving
from mock_calls import DLI, Caller, Job

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals")


@pytest.fixture(scope="module")
def running() -> Iterator[Caller]:
    with serving() as caller:
        yield caller


@pytest.fixture
def user(running: Caller, tmp_path: Path) -> Iterator[Operator]:
    yield Operator(running, tmp_path)
    assert running.client.delete(running.control).status_code == 204


@contextmanager
def begun(user: Operator, *words: str, **options: object) -> Generator[subprocess.Popen[str]]:
    """Start a run, and go on once the mock was asked for something."""
    with subprocess.Popen(
        user.command(*words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=user.environment,
        cwd=user.folder,
        **options,  # type: ignore[call-overload]
    ) as process:
        while not user.cancels() and process.poll() is None:
            pass
        yield process


def ended(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    out, err = process.communicate(timeout=180)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def state(user: Operator, job_id: str) -> str:
    return user.caller.state(Job(DLI, job_id, {}))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_and_says_what_was_and_was_not_sent(
    user: Operator, number: signal.Signals
) -> None:
    ids = user.jobs(60)
    with begun(user, "--ids", user.file(ids), "--yes", "--rate", "10", "--output", "jsonl") as process:
        process.send_signal(number)
        done = ended(process)

    assert done.returncode == 128 + number
    told = {row["job_id"]: row["result"] for row in rows(done)}
    assert list(told) == ids
    assert {job_id for job_id in ids if told[job_id] == "cancelled"} == set(user.cancels())
    assert set(told.values()) == {"cancelled", "not-sent"}
    assert "calloff: stopping; what is in flight gets its answer (again: end at once)" in done.stderr
    assert re.search(r"calloff: 60 jobs: \d+ cancelled, 0 refused, 0 unknown, \d+ not-sent in", done.stderr)
    [path] = user.journals()
    assert done.stderr.endswith(f"Resume with: calloff cancel --resume {path}\n")
    assert "Traceback" not in done.stderr

    again = user.resume(path, "--rate", "0", "--output", "jsonl", "--quiet")
    assert [(row["job_id"], row["result"]) for row in rows(again)] == [(i, "cancelled") for i in ids]
    assert (again.returncode, again.stderr, user.journals()) == (0, "", [])
    assert user.cancels() == dict.fromkeys(ids, 1)


def test_a_second_interrupt_ends_at_once_and_the_journal_holds(user: Operator) -> None:
    ids = user.jobs(10)
    disturbance = user.caller.disturb(kind="latency", seconds=20)
    with subprocess.Popen(
        user.command("--ids", user.file(ids), "--yes"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=user.environment,
        cwd=user.folder,
    ) as process:
        assert process.stderr is not None
        assert "it goes on with: calloff cancel --resume" in process.stderr.readline()
        [path] = user.journals()
        # What is claimed is on its way, or will be in a moment.
        while not _claimed(path):
            pass
        process.send_signal(signal.SIGINT)
        assert "calloff: stopping" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        done = ended(process)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
    user.caller.client.delete(f"{user.caller.control}/disturbances/{disturbance['id']}")

    again = user.resume(path, "--rate", "0", "--output", "jsonl", "--quiet")
    assert [(row["job_id"], row["result"]) for row in rows(again)] == [(i, "cancelled") for i in ids]
    assert {state(user, job_id) for job_id in ids} == {"CANCELLED"}


def _claimed(path: Path) -> bool:
    """Look for the mark of a claim: the journal is locked while it is in use."""
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and b"claimed" in log.read_bytes()


def test_what_ignores_interrupts_goes_on_ignoring_them(user: Operator) -> None:
    ids = user.jobs(12)
    command = user.command("--ids", user.file(ids), "--yes", "--rate", "20")
    command[2] = "import calloff.__main__"
    ignoring = ["bash", "-c", 'trap "" INT; exec "$@"', "-", *command]
    with subprocess.Popen(
        ignoring, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=user.environment
    ) as process:
        while not user.cancels():
            pass
        process.send_signal(signal.SIGINT)
        done = ended(process)
    assert done.returncode == 0
    assert "12 jobs: 12 cancelled" in done.stdout


def test_a_killed_run_is_resumed_until_every_job_is_settled_once(user: Operator) -> None:
    ids, over = user.jobs(90), user.jobs(10, "FINISHED")
    given, chance, kills = [*ids, *over], random.Random(0), 0  # noqa: S311 - a choice of points
    chance.shuffle(given)
    words = ["--yes", "--rate", "80", "--output", "jsonl", "--quiet"]
    command = user.command("--ids", user.file(given), "--journal", "run.journal", *words)
    while True:
        kill_at = len(user.cancels()) + (chance.randrange(1, 50) if kills else 1)
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=user.environment,
            cwd=user.folder,
        ) as process:
            while len(user.cancels()) < kill_at and process.poll() is None:
                pass
            process.kill()
            done = ended(process)
        if done.returncode >= 0:
            break
        kills += 1
        command = [*CALLOFF, "cancel", "--resume", "run.journal", *words]
    assert kills
    told = {row["job_id"]: row["result"] for row in rows(done)}
    assert list(told) == given
    assert {told[job_id] for job_id in over} == {"refused"}
    # A cancel whose answer the kill cost is settled by the state, so no job that was cancelled is called refused.
    assert {told[job_id] for job_id in ids} == {"cancelled"}
    assert {state(user, job_id) for job_id in ids} == {"CANCELLED"}
    assert done.returncode == 1


def test_a_full_disk_stops_the_run_and_says_how_to_go_on(user: Operator) -> None:
    ids = user.jobs(400)
    # Lifted at the end, when a measurement of coverage is written.
    limit = (
        "import atexit, resource; files = resource.RLIMIT_FSIZE; most = resource.getrlimit(files)[1]; "
        "resource.setrlimit(files, (150_000, most)); atexit.register(resource.setrlimit, files, (most, most)); "
    )
    command = user.command(
        "--ids", user.file(ids), "--yes", "--rate", "0", "--concurrency", "4", "--output", "csv"
    )
    command[2] = limit + command[2]
    done = user.run(command)

    assert done.returncode == 3
    [path] = user.journals()
    assert f"calloff: stopped: the journal {path} could not be read or written: " in done.stderr
    assert done.stderr.endswith(f"Resume with: calloff cancel --resume {path}\n")
    assert done.stdout.count("\n") == 401
    again = user.resume(path, "--rate", "0", "--output", "jsonl", "--quiet")
    assert {row["result"] for row in rows(again)} == {"cancelled"}
    assert {state(user, job_id) for job_id in ids} == {"CANCELLED"}


@dataclass
class Terminal:
    """The end of a terminal at which a person sits."""

    fd: int
    seen: str = ""

    def expect(self, text: str) -> None:
        while text not in self.seen:
            self.seen += self._read()

    def rest(self) -> str:
        try:
            while True:
                self.seen += self._read()
        except OSError:  # nobody writes any more
            return self.seen

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def _read(self) -> str:
        return os.read(self.fd, 65_536).decode()


@contextmanager
def on_a_terminal(
    user: Operator, *words: str, **environment: str
) -> Generator[tuple[Terminal, subprocess.Popen[str]]]:
    """Start a run whose input and messages are a terminal, and whose output is a pipe."""
    import pty

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 120))
    try:
        with subprocess.Popen(
            user.command(*words),
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
            env=user.environment | {"TERM": "xterm-256color"} | environment,
            start_new_session=True,
        ) as process:
            os.close(theirs)
            yield Terminal(ours), process
    finally:
        os.close(ours)


def press_ctrl_c(process: subprocess.Popen[str]) -> None:
    """Interrupt a question, and do so again where Python was just about to read and has not seen the signal."""
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            continue
        return
    process.kill()
    raise AssertionError("it goes on waiting for an answer after three interrupts")


@pytest.mark.parametrize(("answer", "status", "cancelled"), [("y", 0, 7), ("n", 3, 0), ("", 3, 0)])
def test_on_a_terminal_it_asks_before_many_are_cancelled(
    user: Operator, answer: str, status: int, cancelled: int
) -> None:
    file = user.file(user.jobs(7))
    with on_a_terminal(user, "--ids", file) as (terminal, process):
        terminal.expect("[y/N]")
        asked = " ".join(terminal.seen.split())
        assert user.cancels() == {}
        terminal.type(f"{answer}\n")
        seen = terminal.rest()
        process.wait(180)
    assert "Cancel 7 jobs with otc-dli/cancelSqlJob at http://127.0.0.1:" in asked
    assert "as access key mock…" in asked
    assert (process.returncode, len(user.cancels())) == (status, cancelled)
    assert ("calloff: nothing was sent" in seen) == (not cancelled)
    assert user.journals() == []


def test_a_reader_of_the_notes_that_goes_away_ends_no_run(user: Operator) -> None:
    user.caller.client.post(
        f"{user.caller.control}/disturbances", json={"kind": "clock-skew", "seconds": 7200}
    )
    ids = user.jobs(5)
    with subprocess.Popen(
        user.command(*ids), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=user.environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stderr.close()
        told = process.stdout.read()

    assert process.returncode == 0
    assert "5 jobs: 5 cancelled" in told


def test_ctrl_c_at_the_question_sends_nothing(user: Operator) -> None:
    with on_a_terminal(user, "--ids", user.file(user.jobs(7))) as (terminal, process):
        terminal.expect("[y/N]")
        press_ctrl_c(process)
        seen = terminal.rest()
    assert (process.returncode, user.cancels(), user.journals()) == (130, {}, [])
    assert "calloff: interrupted" in seen


def test_on_a_terminal_progress_is_shown_with_rate_and_time_left(user: Operator) -> None:
    with on_a_terminal(user, "--ids", user.file(user.jobs(40)), "--yes", "--rate", "20") as (
        terminal,
        process,
    ):
        seen = terminal.rest()
        process.wait(180)
    assert "cancelling" in seen
    assert "\x1b[3" in seen  # colours
    assert re.search(r"\d+/40 \d+/s \d\d:\d\d left", re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", seen))


@pytest.mark.parametrize(
    ("words", "environment", "bar"),
    [(["--quiet"], {}, False), ([], {"TERM": "dumb"}, False), ([], {"NO_COLOR": "1"}, True)],
)
def test_progress_is_plain_or_quiet_where_that_is_asked_for(
    user: Operator, words: list[str], environment: dict[str, str], bar: bool
) -> None:
    given = ["--ids", user.file(user.jobs(10)), "--yes", "--rate", "20", *words]
    with on_a_terminal(user, *given, **environment) as (terminal, process):
        seen = terminal.rest()
        process.wait(180)
    assert ("cancelling" in seen) == bar
    assert not re.search(r"\x1b\[[\d;]*[34]\d", seen)
