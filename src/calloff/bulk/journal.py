"""What a run has done so far, in a SQLite file: killed at any point, it goes on where it stopped.

An id is ``waiting``, then ``claimed`` (a cancel of it may have left), then has an outcome. A claim is committed
before the request leaves and an outcome after the answer came, so that whoever reads the file afterwards knows
which ids may have been sent: those that are claimed and have no outcome. Their states are to be read first.

The file holds ids, outcomes and who asked where; no secret.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self, get_args

from calloff.bulk.outcome import Outcome, Result
from calloff.errors import InvalidInputError, JournalError

VERSION = 1  # of the tables below (PRAGMA user_version)
STATES = ("waiting", "claimed", *get_args(Result))
_MEANT: Mapping[str, Result] = {result: result for result in get_args(Result)} | {
    "waiting": "not-sent",
    "claimed": "unknown",
}
_REASONS = {
    "waiting": "the run ended before its turn",
    "claimed": "a cancel may have left, and the run ended before its answer was kept",
}
_APPLICATION_ID = 0x63616E63  # marks a file as one of ours (PRAGMA application_id)
_PAGE = 500  # rows held at a time by what iterates over all of them
_SCHEMA = (
    "CREATE TABLE header (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE jobs (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL DEFAULT 'waiting',
        session INTEGER NOT NULL DEFAULT 0, job_state TEXT NOT NULL DEFAULT '', status INTEGER,
        code TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '', request_id TEXT NOT NULL DEFAULT '',
        attempts INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX by_state ON jobs (state, number)",
)
_ADD = "INSERT INTO jobs (id) VALUES (?) ON CONFLICT (id) DO NOTHING"
_RECORD = """INSERT INTO jobs (id, state, job_state, status, code, reason, request_id, attempts)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
    state = excluded.state, job_state = excluded.job_state, status = excluded.status, code = excluded.code,
    reason = excluded.reason, request_id = excluded.request_id, attempts = excluded.attempts"""
# What was refused for the credential, its permission or the rate says nothing of the job: it may go better next time.
_TO_BE_SENT = "state = 'not-sent' OR (state = 'refused' AND status IN (401, 403, 429))"
_LEFT = f"SELECT count(*) FROM jobs WHERE state IN ('waiting', 'claimed', 'unknown') OR {_TO_BE_SENT}"  # noqa: S608
_NO_JOB = f"SELECT 1 FROM jobs WHERE typeof(id) <> 'text' OR state NOT IN {STATES} LIMIT 1"  # noqa: S608
_OUTCOMES = "SELECT number, id, state, job_state, status, code, reason, request_id, attempts FROM jobs"


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalHeader:
    """What a journal belongs to; it cannot be resumed as something else.

    ``operation`` is written as in ``otc-dli/cancelSqlJob``, ``endpoint`` as in ``https://host/prefix``, ``identity``
    says who asked, without secrets; ``created`` is in Unix seconds. ``connection`` is whatever the program that
    made it needs to ask the same server again; no secret may be in it.
    """

    operation: str
    endpoint: str
    project_id: str
    identity: str
    created: float = field(default_factory=time.time)
    version: int = VERSION
    connection: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        texts = (self.operation, self.endpoint, self.project_id, self.identity)
        if not all(isinstance(text, str) for text in texts) or not isinstance(self.connection, Mapping):
            raise TypeError("what a journal belongs to is text, and its connection a mapping")

    def require(self, **meant: str) -> None:
        """Raise InvalidInputError, which says both, where a field is not what is *meant*."""
        for name, value in meant.items():
            if (own := getattr(self, name)) != value:
                raise InvalidInputError(
                    f"the journal belongs to the {name.replace('_', ' ')} {own!r}, not {value!r}; "
                    "resume it as what it was begun, or begin another"
                )


class Journal:
    """The journal of one run, which nobody else may use meanwhile; made by `create`, `temporary` or `open`.

    Used by one thread at a time. Every method may raise JournalError: the file could not be read or written, and
    what was to be written is not.
    """

    def __init__(self, path: Path | None, header: JournalHeader | None) -> None:
        """Begin a journal with *header*, or go on with that at *path*."""
        self.path, self._session = path, 1
        with self._told():
            # An empty name is a database of SQLite's own, on the disk where it grows, gone when closed.
            self._db = sqlite3.connect(path or "", timeout=0.5, isolation_level=None, check_same_thread=False)
        try:
            with self._told():
                self.header = self._begin(header) if header else self._resume()
        except BaseException:
            self._db.close()
            raise

    @classmethod
    def create(cls, path: str | os.PathLike[str], header: JournalHeader) -> Journal:
        """Begin a journal in a new file, which only its owner may read.

        Raises:
            InvalidInputError: there is a file already, or none can be made.
        """
        file = Path(path)
        try:
            os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError as error:
            raise InvalidInputError(
                f"there is a file {file} already; resume it if it is a journal, or give a new name"
            ) from error
        except (OSError, ValueError) as error:
            raise InvalidInputError(f"cannot make the journal {file}: {_words(error)}") from error
        try:
            return cls(file, header)
        except BaseException:
            remove(file)
            raise

    @classmethod
    def temporary(cls, header: JournalHeader) -> Journal:
        """Begin a journal that ends with the process, for a run that is not worth resuming."""
        return cls(None, header)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Journal:
        """Go on with a journal.

        What the run before left unknown is unsettled again. What it did not send waits again, and so does what was
        refused for the credential, its permission or the rate (401, 403, 429), whatever the job.

        Raises:
            InvalidInputError: the file is missing, something else, of another version, or in use.
        """
        file = Path(path)
        try:
            if not file.is_file():
                raise InvalidInputError(f"there is no journal {file}; give the file of an earlier run")
            with file.open("rb+"):
                pass
        except (OSError, ValueError) as error:
            if isinstance(error, InvalidInputError):
                raise
            raise InvalidInputError(f"cannot use the journal {file}: {_words(error)}") from error
        return cls(file, None)

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, ids: Iterable[str]) -> tuple[int, int]:
        """Add ids, all of them or none; return how many are new and how many were there already."""
        given = 0

        def rows() -> Iterator[tuple[str]]:
            nonlocal given
            for job_id in ids:
                if not isinstance(job_id, str):
                    raise InvalidInputError(f"a job id is text, not {type(job_id).__name__}")
                given += 1
                yield (job_id,)

        with self._transaction():
            before = self._db.total_changes
            try:
                self._db.executemany(_ADD, rows())
            except UnicodeEncodeError as error:
                raise InvalidInputError(
                    "a job id is text that UTF-8 can write; one of these is not"
                ) from error
            added = self._db.total_changes - before
        return added, given - added

    def claim(self, count: int) -> list[str]:
        """Take the next ids that wait, *count* at most, in the order in which they were added.

        When this returns it is on the disk that they may have been sent.
        """
        with self._transaction():
            rows = self._db.execute(
                "SELECT number, id FROM jobs WHERE state = 'waiting' ORDER BY number LIMIT ?", (count,)
            ).fetchall()
            if rows:
                self._db.execute(
                    "UPDATE jobs SET state = 'claimed', session = ? WHERE state = 'waiting' AND number <= ?",
                    (self._session, rows[-1][0]),
                )
        return [job_id for _, job_id in rows]

    def release(self, ids: Iterable[str]) -> None:
        """Give back ids that were claimed and certainly not sent."""
        with self._transaction():
            self._db.executemany(
                "UPDATE jobs SET state = 'waiting' WHERE id = ? AND state = 'claimed'",
                ((job_id,) for job_id in ids),
            )

    def record(self, outcomes: Iterable[Outcome]) -> None:
        """Write outcomes, all of them or none."""
        with self._transaction():
            self._db.executemany(
                _RECORD,
                (
                    (o.job_id, o.result, o.state, o.status, o.code, o.reason, o.request_id, o.attempts)
                    for o in outcomes
                ),
            )

    def unsettled(self) -> Iterator[str]:
        """Yield the ids that an earlier process may have sent, and whose outcome is not known.

        Outcomes may be recorded meanwhile.
        """
        rows = self._pages(
            "SELECT number, id FROM jobs WHERE state = 'claimed' AND session < ?", (self._session,)
        )
        return (job_id for _, job_id in rows)

    def counts(self) -> Mapping[str, int]:
        """Count the ids by state: ``waiting``, ``claimed`` and the four results."""
        with self._told():
            found = self._db.execute("SELECT state, count(*) FROM jobs GROUP BY state").fetchall()
        return dict.fromkeys(STATES, 0) | dict(found)

    def outcomes(self, result: Result | None = None) -> Iterator[Outcome]:
        """Yield the outcomes, those of one result or all, in the order in which the ids were added."""
        return self._read((result,) if result else get_args(Result))

    def report(self, result: Result | None = None) -> Iterator[Outcome]:
        """Yield what holds of every id at this moment, or of those of one result, in the order of `outcomes`.

        An id that waits is not sent, and one that is claimed and has no outcome is unknown.
        """
        return self._read(tuple(state for state, meant in _MEANT.items() if result in {None, meant}))

    def totals(self) -> Mapping[Result, int]:
        """Count the ids by result, as `report` tells them."""
        totals: dict[Result, int] = dict.fromkeys(get_args(Result), 0)
        for state, count in self.counts().items():
            totals[_MEANT[state]] += count
        return totals

    def left(self) -> int:
        """Count the ids that a later run with this journal would take up."""
        with self._told():
            return int(self._db.execute(_LEFT).fetchone()[0])

    def _read(self, states: tuple[str, ...]) -> Iterator[Outcome]:
        rows = self._pages(f"{_OUTCOMES} WHERE state IN ({', '.join('?' * len(states))})", states)
        for _, job_id, state, *values in rows:
            if reason := _REASONS.get(state):
                yield Outcome(job_id, self.header.operation, _MEANT[state], reason=reason)
            else:
                yield Outcome(job_id, self.header.operation, _MEANT[state], *values)

    def _pages(self, query: str, values: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        """Read rows page by page: no statement stays open, so that anything may be written meanwhile."""
        number, full = 0, True
        while full:
            with self._told():
                page = self._db.execute(
                    f"{query} AND number > ? ORDER BY number LIMIT {_PAGE}", (*values, number)
                ).fetchall()
            yield from page
            full = len(page) == _PAGE
            number = page[-1][0] if page else number

    def _begin(self, header: JournalHeader) -> JournalHeader:
        self._lock()
        self._keep_safely()
        with self._transaction():
            for statement in _SCHEMA:
                self._db.execute(statement)
            self._pragma(f"application_id = {_APPLICATION_ID}")
            self._pragma(f"user_version = {VERSION}")
            kept = asdict(header) | {"session": self._session}
            self._db.executemany(
                "INSERT INTO header VALUES (?, ?)",
                ((name, json.dumps(value)) for name, value in kept.items()),
            )
        return header

    def _resume(self) -> JournalHeader:
        self._lock()
        if self._pragma("application_id") != _APPLICATION_ID:
            if self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
                raise self._no_journal()
            raise self.holds_nothing()
        if (version := self._pragma("user_version")) != VERSION:
            raise InvalidInputError(
                f"the journal {self.path} has version {version}, and this version of calloff reads {VERSION}; "
                "resume it with the calloff that made it"
            )
        self._keep_safely()
        with self._transaction():
            try:
                rows = self._db.execute("SELECT name, value FROM header").fetchall()
                kept = {name: json.loads(value) for name, value in rows}
                self._session = kept.pop("session") + 1
                header = JournalHeader(**kept)
            except (KeyError, TypeError, ValueError) as error:
                raise InvalidInputError(
                    f"the journal {self.path} is damaged: its header is not whole"
                ) from error
            if self._db.execute(_NO_JOB).fetchone():
                raise InvalidInputError(f"the journal {self.path} is damaged: a job in it is none")
            self._db.execute(
                "UPDATE header SET value = ? WHERE name = 'session'", (json.dumps(self._session),)
            )
            self._db.execute("UPDATE jobs SET state = 'claimed' WHERE state = 'unknown'")
            self._db.execute(f"UPDATE jobs SET state = 'waiting' WHERE {_TO_BE_SENT}")  # noqa: S608 - our own words
        return header

    def _lock(self) -> None:
        """Take the file: one process has it as long as it runs, and the kernel ends that however it ends."""
        self._pragma("locking_mode = EXCLUSIVE")
        self._db.execute("BEGIN EXCLUSIVE")
        self._db.execute("ROLLBACK")

    def _keep_safely(self) -> None:
        if self.path and self._pragma("journal_mode = WAL") != "wal":
            raise InvalidInputError(
                f"there can be no write-ahead log beside {self.path}; give a file on another file system"
            )
        # Every commit waits for the disk: a claim that a power cut takes back would be a second cancel, whose
        # answer is an error that tells nothing of the first. There are few commits, as ids come in batches.
        self._pragma("synchronous = FULL")

    def _pragma(self, text: str) -> Any:
        row = self._db.execute(f"PRAGMA {text}").fetchone()
        return row[0] if row else None

    @contextmanager
    def _transaction(self) -> Generator[None]:
        with self._told():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    # A full disk may have ended the transaction already.
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _told(self) -> Generator[None]:
        """Say in a sentence what is wrong with the file."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            name = f"the journal {self.path}" if self.path else "the temporary journal"
            if code == sqlite3.SQLITE_BUSY:
                raise InvalidInputError(
                    f"{name} is in use by another process; wait until it ends, or give another file"
                ) from error
            if code == sqlite3.SQLITE_NOTADB:
                raise self._no_journal() from error
            raise JournalError(
                f"{name} could not be read or written: {error}; what it holds up to here is kept"
            ) from error

    def holds_nothing(self) -> InvalidInputError:
        """Make the error for a journal without ids: a run that was killed before it kept any has sent nothing."""
        return InvalidInputError(
            f"{self.path} holds no ids: if it is a journal, its run was ended before it kept any, and nothing was "
            "sent; remove it and begin again"
        )

    def _no_journal(self) -> InvalidInputError:
        return InvalidInputError(f"{self.path} is no journal; give a file that calloff cancel --journal made")


def remove(path: Path) -> None:
    """Delete the journal at *path*, which is closed, and what SQLite keeps beside it."""
    for name in (path, *(path.with_name(f"{path.name}{end}") for end in ("-wal", "-shm", "-journal"))):
        name.unlink(missing_ok=True)


def _words(error: OSError | ValueError) -> str:
    """Say why a file cannot be used; a name with a NUL is a ValueError."""
    return (error.strerror if isinstance(error, OSError) else None) or "no file can have that name"
