"""The journal of a run: nothing is lost to a kill, a full disk or a second process."""

from __future__ import annotations

import random
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from calloff.bulk.journal import STATES, Journal, JournalHeader, remove
from calloff.bulk.outcome import Outcome, Result
from calloff.errors import InvalidInputError, JournalError

OPERATION = "otc-dli/cancelSqlJob"
HEADER = JournalHeader(
    operation=OPERATION,
    endpoint="https://dli.eu-de.otc.t-systems.com",
    project_id="p1",
    identity="access key AK1",
    created=1_768_469_400.5,
    connection={"region": "eu-de", "allow_http": False},
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.journal"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal.create(path, HEADER) as made:
        yield made


def outcome(job_id: str, result: Result = "cancelled") -> Outcome:
    return Outcome(job_id, OPERATION, result)


def reopened(journal: Journal) -> Journal:
    journal.close()
    assert journal.path is not None
    return Journal.open(journal.path)


def counted(**states: int) -> dict[str, int]:
    return dict.fromkeys(STATES, 0) | {name.replace("_", "-"): count for name, count in states.items()}


def test_the_header_comes_back_as_it_was(journal: Journal) -> None:
    with reopened(journal) as again:
        assert again.header == HEADER


def test_an_id_is_added_once(journal: Journal) -> None:
    assert journal.add(["a", "b", "a"]) == (2, 1)
    assert journal.add(iter(["b", "c"])) == (1, 1)
    assert journal.counts() == counted(waiting=3)


def test_ids_are_claimed_once_and_in_their_order(journal: Journal) -> None:
    journal.add(["c", "a", "b"])

    assert [journal.claim(2), journal.claim(2), journal.claim(2)] == [["c", "a"], ["b"], []]
    assert journal.counts() == counted(claimed=3)


def test_what_was_not_sent_after_all_is_claimed_again(journal: Journal) -> None:
    journal.add(["a", "b", "c"])
    journal.claim(3)
    journal.record([outcome("c")])
    journal.release(["b", "c", "unheard-of"])

    assert journal.counts() == counted(waiting=1, claimed=1, cancelled=1)
    assert journal.claim(3) == ["b"]


def test_an_outcome_comes_back_as_it_was(journal: Journal) -> None:
    refused = Outcome("b", OPERATION, "refused", "FINISHED", 400, "DLI.0999", "it said: no — 不", "req-1", 2)
    journal.add(["a", "b"])
    journal.claim(2)
    journal.record([refused, outcome("a")])

    assert list(journal.outcomes()) == [outcome("a"), refused]
    assert list(journal.outcomes("refused")) == [refused]
    assert list(journal.outcomes("unknown")) == []


def test_an_outcome_of_an_id_that_was_never_added_is_kept_too(journal: Journal) -> None:
    journal.record([outcome("..", "not-sent")])

    assert list(journal.outcomes()) == [outcome("..", "not-sent")]


def test_a_later_outcome_of_an_id_takes_the_place_of_the_earlier(journal: Journal) -> None:
    journal.add(["a"])
    journal.record([Outcome("a", OPERATION, "unknown", "RUNNING", 500, "E", "why", "r", 3)])
    journal.record([outcome("a")])

    assert list(journal.outcomes()) == [outcome("a")]


def test_only_what_an_earlier_process_claimed_is_unsettled(journal: Journal) -> None:
    journal.add(["a", "b", "c"])
    journal.claim(2)
    assert list(journal.unsettled()) == []
    journal.record([outcome("a")])
    with reopened(journal) as again:
        assert again.claim(1) == ["c"]
        assert list(again.unsettled()) == ["b"]
        again.record([outcome("b")])
        assert list(again.unsettled()) == []


def test_unknown_is_unsettled_again_and_not_sent_waits_again_in_the_next_run(journal: Journal) -> None:
    journal.add(["a", "b", "c", "d"])
    journal.claim(4)
    results: tuple[Result, ...] = ("cancelled", "refused", "unknown", "not-sent")
    journal.record([outcome(job_id, result) for job_id, result in zip("abcd", results, strict=True)])
    with reopened(journal) as again:
        assert list(again.unsettled()) == ["c"]
        assert again.claim(4) == ["d"]
        assert list(again.outcomes()) == [outcome("a"), outcome("b", "refused")]


@pytest.mark.parametrize(
    ("status", "again"), [(400, 0), (404, 0), (200, 0), (None, 0), (401, 1), (403, 1), (429, 1)]
)
def test_what_was_not_refused_for_the_job_waits_again_in_the_next_run(
    journal: Journal, status: int | None, again: int
) -> None:
    journal.add(["a"])
    journal.claim(1)
    assert journal.left() == 1
    journal.record([Outcome("a", OPERATION, "refused", status=status)])
    assert journal.left() == again
    with reopened(journal) as next_one:
        assert next_one.left() == again
        assert next_one.claim(1) == ["a"] * again


def test_outcomes_may_be_recorded_while_the_unsettled_are_read(journal: Journal) -> None:
    ids = [f"{n:04d}" for n in range(1_203)]
    journal.add(ids)
    journal.claim(2_000)
    with reopened(journal) as again:
        seen = []
        for job_id in again.unsettled():
            seen.append(job_id)
            again.record([outcome(job_id)])
        assert seen == ids
        assert [o.job_id for o in again.outcomes()] == ids


def test_a_report_tells_of_every_id_at_any_moment(journal: Journal) -> None:
    journal.add(["a", "b", "c", "d"])
    journal.claim(3)
    journal.record([outcome("b", "refused"), outcome("c", "unknown")])

    assert [(row.job_id, row.result, bool(row.reason)) for row in journal.report()] == [
        ("a", "unknown", True),
        ("b", "refused", False),
        ("c", "unknown", False),
        ("d", "not-sent", True),
    ]
    assert [row.job_id for row in journal.report("unknown")] == ["a", "c"]
    assert journal.totals() == {"cancelled": 0, "refused": 1, "unknown": 2, "not-sent": 1}


@pytest.mark.parametrize("wrong", [5, None, b"a", "\ud800"])
def test_an_id_that_is_no_text_is_refused_and_none_of_its_batch_kept(journal: Journal, wrong: object) -> None:
    with pytest.raises(InvalidInputError, match="a job id is text"):
        journal.add(["a", wrong])  # type: ignore[list-item]
    assert journal.counts() == counted()


def test_an_error_among_the_ids_keeps_none_of_them(journal: Journal) -> None:
    def ids() -> Iterator[str]:
        yield "a"
        raise InvalidInputError("line 2")

    with pytest.raises(InvalidInputError, match="line 2"):
        journal.add(ids())
    assert journal.counts() == counted()


def test_only_the_owner_may_read_the_files(journal: Journal, path: Path) -> None:
    journal.add(["a"])
    files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}

    assert files == {"run.journal": 0o600, "run.journal-wal": 0o600}


def test_a_file_that_is_there_is_not_written_over(path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(InvalidInputError, match="already"):
        Journal.create(path, HEADER)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("name", ["missing/run.journal", "file/run.journal", "a\0b"])
def test_a_file_that_cannot_be_made_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInputError, match="cannot make the journal"):
        Journal.create(tmp_path / name, HEADER)


@pytest.mark.parametrize("name", ["missing", ".", "a\0b"])
def test_a_file_that_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInputError, match=r"there is no journal|cannot use the journal"):
        Journal.open(tmp_path / name)


def _text(path: Path) -> None:
    path.write_text("id\n1\n" * 500)


def _database(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE jobs (id TEXT)")
    db.close()


@pytest.mark.parametrize("make", [_text, _database])
def test_a_file_of_something_else_is_refused_and_left_as_it_is(path: Path, make: object) -> None:
    make(path)  # type: ignore[operator]
    before = path.read_bytes()
    with pytest.raises(InvalidInputError, match="is no journal; give a file that calloff cancel"):
        Journal.open(path)
    assert (path.read_bytes(), list(path.parent.iterdir())) == (before, [path])


def test_a_file_that_a_kill_left_empty_is_told_from_something_else(path: Path) -> None:
    path.write_bytes(b"")
    with pytest.raises(InvalidInputError, match=r"holds no ids: .* nothing was sent; remove it and begin"):
        Journal.open(path)
    assert (path.read_bytes(), list(path.parent.iterdir())) == (b"", [path])


def altered(journal: Journal, statement: str) -> Path:
    journal.close()
    assert journal.path is not None
    with sqlite3.connect(journal.path) as db:
        db.execute(statement)
    db.close()
    return journal.path


def test_a_journal_of_another_version_is_refused(journal: Journal) -> None:
    with pytest.raises(InvalidInputError, match="has version 99, and this version of calloff reads 1"):
        Journal.open(altered(journal, "PRAGMA user_version = 99"))


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM header WHERE name = 'session'",
        "DELETE FROM header WHERE name = 'endpoint'",
        "UPDATE header SET value = 'no json' WHERE name = 'endpoint'",
        "UPDATE header SET value = '[]' WHERE name = 'operation'",
        "UPDATE header SET value = '5' WHERE name = 'identity'",
        "UPDATE header SET value = '[]' WHERE name = 'connection'",
        "INSERT INTO jobs (id, state) VALUES ('a', 'else')",
        "INSERT INTO jobs (id) VALUES (x'00')",
    ],
)
def test_a_journal_that_is_not_whole_is_told(journal: Journal, damage: str) -> None:
    with pytest.raises(InvalidInputError, match="is damaged"):
        Journal.open(altered(journal, damage))


def test_a_page_that_is_damaged_is_told(journal: Journal, path: Path) -> None:
    journal.add(f"{n:036d}" for n in range(5_000))
    journal.close()
    content = bytearray(path.read_bytes())
    content[8_192 : len(content) - 4_096] = b"\xff" * (len(content) - 12_288)
    path.write_bytes(content)
    with pytest.raises(JournalError, match="could not be read or written"), Journal.open(path) as again:
        again.counts()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("operation", "otc-dli/cancelBatchJob"),
        ("endpoint", "https://elsewhere.example"),
        ("project_id", "p2"),
        ("identity", "access key AK2"),
    ],
)
def test_a_header_tells_what_it_does_not_belong_to(field: str, value: str) -> None:
    HEADER.require(operation=OPERATION, project_id="p1")
    with pytest.raises(InvalidInputError, match=f"not '{value}'") as caught:
        HEADER.require(**{field: value})
    assert repr(getattr(HEADER, field)) in str(caught.value)


def test_a_second_process_is_refused_until_the_first_has_ended(journal: Journal, path: Path) -> None:
    journal.add(["a"])
    program = f"from calloff.bulk.journal import Journal; print(Journal.open({str(path)!r}).claim(5))"
    command = [sys.executable, "-c", program]
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    journal.close()
    third = subprocess.run(command, capture_output=True, text=True, check=True)

    assert f"the journal {path} is in use by another process; wait until it ends" in second.stderr
    assert third.stdout == "['a']\n"


def test_a_temporary_journal_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    with Journal.temporary(HEADER) as journal:
        assert journal.path is None
        assert journal.add(f"{n:036d}" for n in range(50_000)) == (50_000, 0)
        assert len(journal.claim(50_000)) == 50_000
    assert list(tmp_path.iterdir()) == []


def test_a_removed_journal_leaves_nothing(journal: Journal, path: Path) -> None:
    journal.add(["a"])
    journal.close()
    remove(path)
    remove(path)
    assert list(path.parent.iterdir()) == []


# Sends are lines of a file that is written without a buffer: what a real server would have seen.
WORKER = """
import os, sys
from calloff.bulk.journal import Journal
from calloff.bulk.outcome import Outcome

log = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def tell(what, ids):
    os.write(log, "".join(f"{what} {i}\\n" for i in ids).encode())
    print(what, flush=True)
journal = Journal.open(sys.argv[1])
def settle(ids):
    journal.record([Outcome(i, journal.header.operation, "cancelled", attempts=1) for i in ids])
    tell("recorded", ids)
unsettled = list(journal.unsettled())
tell("unsettled", unsettled)
settle(unsettled)
while ids := journal.claim(7):
    print("claimed", flush=True)
    tell("sent", ids)
    settle(ids)
journal.close()
print("end", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("seed", range(3))
def test_a_kill_at_any_point_loses_no_id_and_sends_none_twice(
    journal: Journal, path: Path, tmp_path: Path, seed: int
) -> None:
    ids = [f"{n:04d}" for n in range(700)]
    journal.add(ids)
    journal.close()
    log, chance, kills = tmp_path / "log", random.Random(seed), 0  # noqa: S311 - a choice of points
    while True:
        ended = _run_and_kill(path, log, after=chance.randrange(1, 40))
        told: dict[str, list[str]] = {"sent": [], "recorded": [], "unsettled": []}
        for line in log.read_text().splitlines():
            what, job_id = line.split()
            told[what].append(job_id)
        # Nothing leaves twice: what may have left is settled, not sent.
        assert len(told["sent"]) == len(set(told["sent"]))
        if ended:
            break
        kills += 1
        with sqlite3.connect(path) as db:
            states = dict(db.execute("SELECT id, state FROM jobs").fetchall())
        db.close()
        assert list(states) == ids
        assert {states[i] for i in told["recorded"]} <= {"cancelled"}
        assert {states[i] for i in told["sent"]} <= {"claimed", "cancelled"}
    assert kills >= 5
    assert sorted(set(told["sent"]) | set(told["unsettled"])) == ids
    with Journal.open(path) as again:
        assert [o.job_id for o in again.outcomes("cancelled")] == ids


def _run_and_kill(path: Path, log: Path, *, after: int) -> bool:
    """Let a process work until it has printed so many lines, then kill it; say whether it came to its end."""
    command = [sys.executable, "-c", WORKER, str(path), str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(after):
            if not process.stdout.readline():
                break
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
    return process.returncode == 0 or rest.endswith("end\n")


FULL = """
import resource, sys
from calloff.bulk.journal import Journal, JournalHeader
from calloff.bulk.outcome import Outcome
from calloff.errors import JournalError

journal = Journal.open(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
sent = []
try:
    while ids := journal.claim(10):
        sent += ids
        journal.record([Outcome(i, "o", "refused", reason="why " * 200) for i in ids])
except JournalError as error:
    print(len(sent), error)
    print(sum(1 for _ in journal.outcomes()), journal.counts()["claimed"])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="resource limits")
def test_a_full_disk_is_told_and_what_stood_there_stands(journal: Journal, path: Path) -> None:
    journal.add(f"{n:04d}" for n in range(3_000))
    journal.close()
    command = [sys.executable, "-c", FULL, str(path), str(400_000)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    sent, sentence = first.split(maxsplit=1)
    recorded, claimed = map(int, second.split())

    assert sentence.startswith(f"the journal {path} could not be read or written: ")
    assert 0 < recorded <= int(sent) == recorded + claimed < 3_000
    with Journal.open(path) as again:
        assert len(list(again.outcomes("refused"))) == recorded
        assert len(list(again.unsettled())) == claimed
        assert again.counts()["waiting"] == 3_000 - int(sent)


GROWING = """
import resource, sys
from calloff.bulk.journal import Journal
from calloff.bulk.outcome import Outcome

def held():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
journal = Journal.open(sys.argv[1])
ids = (f"{n:08d}-0000-4000-8000-000000000000" for n in range(int(sys.argv[2])))
journal.add(ids)
while batch := journal.claim(200):
    journal.record([Outcome(i, "o", "cancelled", "CANCELLED", 200, request_id=i) for i in batch])
assert sum(1 for _ in journal.outcomes()) == int(sys.argv[2])
journal.close()
print(held())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="resource usage")
def test_a_hundred_times_as_many_ids_take_no_more_memory(tmp_path: Path) -> None:
    held = []
    for count in (1_000, 100_000):
        path = tmp_path / str(count)
        Journal.create(path, HEADER).close()
        command = [sys.executable, "-c", GROWING, str(path), str(count)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        held.append(int(done.stdout) / 1024)
    # 100,000 ids are some 9 MB as texts alone; SQLite's cache is 2 MB.
    assert held[1] - held[0] < 6
