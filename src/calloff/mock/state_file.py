"""What a server remembers, in a SQLite file: whatever it acknowledged is there after a crash.

Every change is one transaction, committed before the answer that tells of it leaves; what cannot be written is
not done. Locks after failed logins, disturbances and the journal are not kept.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from contextlib import contextmanager
from hashlib import blake2b
from sys import intern
from typing import TYPE_CHECKING, Any

from calloff.apis import APIS
from calloff.errors import InvalidInputError
from calloff.mock.jobs import Job, JobStore, Moment
from calloff.mock.keys import Key, Keys, Token, Tokens
from calloff.mock.pipeline import NotKeptError
from calloff.mock.state import Stores

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path

    from calloff.apis import ApiName
    from calloff.mock.jobs import Lifecycle
    from calloff.mock.state import ServerState

_APPLICATION_ID = 0x63616C6F  # marks a file as one of ours (PRAGMA application_id)
_SCHEMA_VERSION = 1  # of the tables below (PRAGMA user_version)
_SCHEMA = (
    "CREATE TABLE server (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE jobs (
        number INTEGER PRIMARY KEY, operation TEXT NOT NULL, owner TEXT NOT NULL, id TEXT NOT NULL,
        state TEXT NOT NULL, following TEXT, at REAL NOT NULL, step INTEGER NOT NULL, settling INTEGER NOT NULL)""",
    """CREATE TABLE keys (
        api TEXT NOT NULL, id TEXT NOT NULL, secret BLOB NOT NULL, owner TEXT NOT NULL,
        security_token TEXT NOT NULL, ends REAL NOT NULL, PRIMARY KEY (api, id))""",
    """CREATE TABLE tokens (
        value TEXT PRIMARY KEY, project TEXT NOT NULL, ends REAL NOT NULL, issued REAL NOT NULL,
        scope TEXT NOT NULL, project_name TEXT NOT NULL, method TEXT NOT NULL, lasting INTEGER NOT NULL)""",
)
_ADD_JOB = "INSERT INTO jobs VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)"
_MOVE_JOB = "UPDATE jobs SET state = ?, following = ?, at = ?, step = ?, settling = ? WHERE number = ?"
_ADD_KEY = "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?)"
_ADD_TOKEN = "INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S105 - a statement
_DROP_TOKEN = "DELETE FROM tokens WHERE value = ?"  # noqa: S105 - a statement
_log = logging.getLogger("calloff.mock")


class StateFile:
    """The file of one server, which nobody else may use meanwhile.

    Until `resume` has been called nothing is written.

    Args:
        path: of the file; made where there is none.

    Raises:
        InvalidInputError: a file that is something else, cannot be written, or is in use.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._live = False
        with self._told():
            # The credentials of a mock are worth nothing elsewhere; still they are nobody else's business.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            if not path.is_file():
                raise self._unusable("it is no file")
            self._db = sqlite3.connect(path, timeout=1, isolation_level=None, check_same_thread=False)
        try:
            with self._told():
                self._fresh = self._open()
        except InvalidInputError:
            self._db.close()
            raise

    def _open(self) -> bool:
        """Take the file, once it has proved to be ours; say whether it is new."""
        ask = self._pragma
        # One process has the file as long as it runs; the kernel ends that however the process ends.
        ask("locking_mode = EXCLUSIVE")
        application, version = ask("application_id"), ask("user_version")
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        fresh = not (application or version or tables)
        if not fresh and application != _APPLICATION_ID:
            raise self._unusable("it is a database of something else")
        if not fresh and version != _SCHEMA_VERSION:
            raise self._unusable(
                f"its tables have version {version}, and this version of calloff has {_SCHEMA_VERSION}"
            )
        if ask("journal_mode = WAL") != "wal":
            raise self._unusable("there can be no write-ahead log beside it")
        # In the write-ahead log a commit is one write to the page cache, which outlives the process however that
        # ends. NORMAL waits for the disk at checkpoints only: a crash of the whole machine may cost the last cancels,
        # but never damages the file. FULL would wait for the disk with every cancel, and EXTRA is the same here.
        # Each cancel is a commit of its own, of some 10 microseconds: to gather several would delay their answers.
        ask("synchronous = NORMAL")
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("ROLLBACK")
        return fresh

    def stores(self) -> Stores:
        """Give stores that keep in this file whatever changes in them."""
        return _KeptStores(self)

    def resume(self, state: ServerState) -> None:
        """Let a server go on where the last one with this file stopped, and write from now on.

        Args:
            state: of the server, made with the stores of this file, its default credentials given out.

        Raises:
            InvalidInputError: the file belongs to a server with another seed or other APIs, or is damaged.
        """
        with self._told(), self._transaction():
            if self._fresh:
                self._begin(state)
                starts = 0
            else:
                kept = dict(self._db.execute("SELECT name, value FROM server").fetchall())
                self._check(kept, state)
                starts = int(kept["starts"]) + 1
                self._load(state, float(kept["speed"]))
            state.ids.skip_to_start(starts)
            now = {"starts": starts, "speed": state.speed, "identity": json.dumps(_identity(state))}
            self._db.executemany("INSERT OR REPLACE INTO server VALUES (?, ?)", now.items())
        self._live = True

    def write(self, statement: str, values: Iterable[Any]) -> int:
        """Write and commit one change; give the number of the row.

        Raises:
            NotKeptError: it could not be written.
        """
        if not self._live:
            return 0
        with self._kept():
            return self._db.execute(statement, tuple(values)).lastrowid or 0

    @contextmanager
    def together(self) -> Generator[None, None, None]:
        """Commit what is written meanwhile as one change: all of it or nothing, and much faster than one by one.

        Raises:
            InvalidInputError: it could not be written.
        """
        try:
            with self._told(), self._transaction():
                yield
        except NotKeptError as error:
            raise self._unusable(str(error.__cause__)) from error

    def forget(self) -> None:
        """Drop jobs and whatever was handed out, all or nothing.

        Raises:
            NotKeptError: it could not be written.
        """
        with self._kept(), self._transaction():
            for statement in ("DELETE FROM jobs", "DELETE FROM keys", "DELETE FROM tokens WHERE NOT lasting"):
                self._db.execute(statement)

    def close(self) -> None:
        """Let go of the file; what the write-ahead log holds moves into it."""
        self._live = False
        self._db.close()

    def _begin(self, state: ServerState) -> None:
        for statement in _SCHEMA:
            self._db.execute(statement)
        self._pragma(f"application_id = {_APPLICATION_ID}")
        self._pragma(f"user_version = {_SCHEMA_VERSION}")
        for token in state.tokens.all():  # before anything was handed out: the default ones
            self._db.execute(_ADD_TOKEN, (*_token_row(token), True))

    def _check(self, kept: dict[str, str], state: ServerState) -> None:
        """Refuse to go on as another server: clients of the old one would find their credentials worthless."""
        was, is_now = json.loads(kept["identity"]), _identity(state)
        if (was["seed"], was["apis"]) != (is_now["seed"], is_now["apis"]):
            raise self._unusable(
                f"it belongs to a server with seed {was['seed']} and the APIs {', '.join(was['apis'])}, "
                f"not seed {is_now['seed']} and {', '.join(is_now['apis'])}"
            )
        if was != is_now:
            raise self._unusable("it was begun by a version of calloff that makes other credentials")

    def _load(self, state: ServerState, speed: float) -> None:
        rows = self._db.execute("SELECT api, id, secret, owner, security_token, ends FROM keys")
        for api, *fields in rows.fetchall():
            state.keys[api].add(Key(*fields))
        for token in state.tokens.all():  # those of the file are what is left of them
            state.tokens.drop(token)
        rows = self._db.execute(
            "SELECT value, project, ends, issued, scope, project_name, method, lasting FROM tokens"
        )
        for *fields, lasting in rows.fetchall():
            state.tokens.add(Token(*fields), lasting=bool(lasting))
        self._load_jobs(state, speed)

    def _load_jobs(self, state: ServerState, speed: float) -> None:
        """Bring jobs to where they had come at the speed of the last start, and on at that of this one."""
        kinds = state.kinds if speed == state.speed else state.kinds_at(speed)
        moved = []
        rows = self._db.execute(
            "SELECT number, operation, owner, id, state, following, at, step, settling FROM jobs ORDER BY number"
        )
        for number, operation, owner, job_id, now_in, then, when, step, settling in rows:
            lifecycle = kinds[operation].lifecycle
            if not {now_in, then or now_in} <= set(lifecycle.states):
                raise ValueError(f"no state {now_in}")
            # Every row brings texts of its own; a million jobs share a handful of them.
            job = KeptJob(self, number, job_id, intern(operation), intern(owner), lifecycle, now_in)
            job.moment = Moment(intern(now_in), then and intern(then), when, step, bool(settling))
            if kinds is not state.kinds:
                job.go_on_under(state.kinds[operation].lifecycle, state.clock())
                moved.append((*job.moment, number))
            state.jobs.add(job)
        self._db.executemany(_MOVE_JOB, moved)

    def _pragma(self, text: str) -> Any:
        row = self._db.execute(f"PRAGMA {text}").fetchone()
        return row[0] if row else None

    @contextmanager
    def _transaction(self) -> Generator[None, None, None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _kept(self) -> Generator[None, None, None]:
        """Turn a failed write into a refusal that says no more than that the server failed; the log says why."""
        try:
            yield
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            _log.error("nothing changed, because %s could not be written: %s", self.path, error)
            raise NotKeptError from error

    @contextmanager
    def _told(self) -> Generator[None, None, None]:
        """Say in a sentence what is wrong with the file."""
        try:
            yield
        except InvalidInputError:
            raise
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error
        except sqlite3.Error as error:
            busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            raise self._unusable("another process uses it" if busy else str(error)) from error
        except (KeyError, TypeError, ValueError) as error:
            raise self._unusable("what it holds is damaged") from error

    def _unusable(self, reason: str) -> InvalidInputError:
        return InvalidInputError(
            f"cannot keep the state in {self.path}: {reason}; give the file of an earlier --state, or a new name"
        )


class KeptJob(Job):
    """A job whose cancel is in the file before anybody hears of it."""

    __slots__ = ("_file", "number")

    def __init__(
        self,
        file: StateFile,
        number: int,
        job_id: str,
        operation: str,
        owner: str,
        lifecycle: Lifecycle,
        state: str,
    ) -> None:
        super().__init__(job_id, operation, owner, lifecycle, state)
        self._file = file
        self.number = number

    def cancel(self, now: float) -> None:
        """Cancel as the life cycle allows, or not at all where that cannot be written."""
        before = self.moment
        super().cancel(now)
        try:
            self._file.write(_MOVE_JOB, (*self.moment, self.number))
        except NotKeptError:
            self.moment = before
            raise


class _KeptJobs(JobStore):
    """Jobs that are in the file before anybody hears of them."""

    def __init__(self, file: StateFile) -> None:
        super().__init__()
        self._file = file

    def new(
        self, job_id: str, operation: str, owner: str, lifecycle: Lifecycle, state: str, *, now: float
    ) -> Job:
        """Make a job in a state, whose time begins now (epoch seconds), and keep it."""
        job = KeptJob(self._file, 0, job_id, operation, owner, lifecycle, state)
        job.start(now)
        job.number = self._file.write(_ADD_JOB, (operation, owner, job_id, *job.moment))
        self.add(job)
        return job


class _KeptKeys(Keys):
    """Keys that are in the file before anybody hears of them; the lasting ones are made anew at every start."""

    def __init__(self, file: StateFile, api: ApiName) -> None:
        super().__init__()
        self._file = file
        self._api = api

    def add(self, key: Key, *, lasting: bool = False) -> Key:
        """Keep a key."""
        if not lasting:
            row = (self._api, key.id, key.secret, key.owner, key.security_token, key.ends)
            self._file.write(_ADD_KEY, row)
        return super().add(key, lasting=lasting)


class _KeptTokens(Tokens):
    """Tokens that are in the file before anybody hears of them, or are gone from it."""

    def __init__(self, file: StateFile) -> None:
        super().__init__()
        self._file = file

    def add(self, token: Token, *, lasting: bool = False) -> Token:
        """Keep a token."""
        self._file.write(_ADD_TOKEN, (*_token_row(token), lasting))
        return super().add(token, lasting=lasting)

    def drop(self, token: Token) -> None:
        """Make a token worthless."""
        self._file.write(_DROP_TOKEN, (token.value,))
        super().drop(token)


class _KeptStores(Stores):
    """Stores that keep what changes in a file first."""

    def __init__(self, file: StateFile) -> None:
        super().__init__()
        self._file = file
        self.jobs = _KeptJobs(file)
        self.tokens = _KeptTokens(file)
        self.keys = {name: _KeptKeys(file, name) for name in APIS}

    def forget(self) -> None:
        """Drop jobs and whatever was handed out."""
        self._file.forget()
        super().forget()


def _token_row(token: Token) -> tuple[Any, ...]:
    return (
        token.value,
        token.project,
        token.ends,
        token.issued,
        token.scope,
        token.project_name,
        token.method,
    )


def _identity(state: ServerState) -> dict[str, Any]:
    """Tell one server from another: its seed and APIs, and whether its account and credentials are the same."""
    given = [state.account.project_id, state.account.password, dict(state.owners)]
    words = json.dumps([given, dict(state.default_credentials)])
    return {
        "seed": state.seed,
        "apis": list(state.apis),
        "credentials": blake2b(words.encode(), digest_size=16).hexdigest(),
    }
