"""The state file: a restart goes on where the last server stopped, and what cannot be kept is not done."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from click.testing import CliRunner
from mock_support import NOW

from calloff.apis import APIS, OPERATIONS
from calloff.cli import group
from calloff.errors import InvalidInputError
from calloff.mock.dialects import Dialect
from calloff.mock.server import MockServer, run_embedded
from calloff.mock.state import ServerState
from calloff.mock.state_file import StateFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from calloff.mock.jobs import Job

SQL = "otc-dli/cancelSqlJob"
LATER = Dialect({"dli-settle": "later", "ci-settle": "later"})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mock.sqlite"


@contextlib.contextmanager
def served(
    path: Path, *, now: float = NOW, seed: int = 0, speed: float = 0.0, dialect: Dialect | None = None
) -> Iterator[ServerState]:
    """Open the state of a server over a file, without sockets."""
    with contextlib.closing(StateFile(path)) as file:
        state = ServerState(
            tuple(APIS),
            clock=lambda: now,
            dialect=dialect or Dialect(),
            seed=seed,
            speed=speed,
            stores=file.stores(),
        )
        file.resume(state)
        yield state


def job_of(state: ServerState, operation: str, start: str, owner: int = 0) -> Job:
    return state.new_job(operation, state.owners[OPERATIONS[operation].api][owner], start)


def found(state: ServerState, job: Job) -> Job:
    same = state.jobs.find(job.operation, job.owner, job.id)
    assert same is not None
    return same


def test_a_restart_goes_on_with_the_same_jobs(path: Path) -> None:
    with served(path) as state:
        jobs = [
            job_of(state, operation, start, owner)
            for operation, kind in state.kinds.items()
            for start in kind.lifecycle.states
            for owner in (0, 1)
        ]
        before = [job.state(NOW) for job in jobs]
        cancelled = job_of(state, SQL, "RUNNING")
        cancelled.cancel(NOW)
    with served(path) as state:
        assert [found(state, job).state(NOW) for job in jobs] == before
        assert found(state, cancelled).state(NOW) == "CANCELLED"
        assert len(list(state.jobs.all(SQL))) == sum(job.operation == SQL for job in jobs) + 1
        found(state, jobs[0]).cancel(NOW)
    with served(path) as state:
        assert found(state, jobs[0]).state(NOW) == "Cancel"


def test_a_restart_goes_on_with_the_same_credentials(path: Path) -> None:
    with served(path) as state:
        defaults, account, owners = state.default_credentials, state.account, state.owners
        key = state.new_key("tencent-ci", owner=owners["tencent-ci"][1], lifetime=100.0)
        token = state.new_token(
            owners["otc-dli"][0], lifetime=50.0, scope="project", project_name="eu-de", method="token"
        )
        of_iam = state.new_iam_key(owners["otc-dli"][0], lifetime=900.0)
    with served(path, now=NOW + 10) as state:
        assert (state.default_credentials, state.account, state.owners) == (defaults, account, owners)
        assert state.keys["tencent-ci"].find(key.id) == key
        assert state.keys["otc-dli"].find(of_iam.id) == of_iam
        assert state.keys["huaweicloud-dli"].find(of_iam.id) == of_iam
        assert state.tokens.find(token.value) == token
        assert state.tokens.find(defaults["otc-dli"]["token"])


def test_the_first_start_gives_what_a_server_without_a_file_gives(path: Path) -> None:
    plain = ServerState(tuple(APIS), clock=lambda: NOW, dialect=Dialect())
    with served(path) as state:
        assert state.default_credentials == plain.default_credentials
        assert job_of(state, SQL, "RUNNING").id == job_of(plain, SQL, "RUNNING").id


def test_no_start_gives_out_an_id_again(path: Path) -> None:
    ids = []
    for _ in range(3):
        with served(path) as state:
            ids += [job_of(state, SQL, "RUNNING").id for _ in range(5)]
            ids += [state.new_token("project").value, state.ids.hex32()]
    assert len(set(ids)) == len(ids)


def test_a_token_that_was_deleted_stays_deleted(path: Path) -> None:
    with served(path) as state:
        value = state.default_credentials["otc-dli"]["token"]
        token = state.tokens.find(value)
        assert token is not None
        state.tokens.drop(token)
        made = state.new_token("project")
        state.tokens.drop(made)
    with served(path) as state:
        assert state.tokens.find(value) is None
        assert state.tokens.find(made.value) is None
        assert state.tokens.find(state.default_credentials["huaweicloud-dli"]["token"])


def test_what_was_forgotten_stays_forgotten(path: Path) -> None:
    with served(path) as state:
        job, key, token = (
            job_of(state, SQL, "RUNNING"),
            state.new_key("otc-dli", owner="x"),
            state.new_token("x"),
        )
        state.forget()
        assert state.jobs.find(SQL, job.owner, job.id) is None
        kept = job_of(state, SQL, "RUNNING")
    with served(path) as state:
        assert [each.id for each in state.jobs.all(SQL)] == [kept.id]
        assert state.keys["otc-dli"].find(key.id) is None
        assert state.tokens.find(token.value) is None
        defaults = state.default_credentials["otc-dli"]
        assert state.keys["otc-dli"].find(defaults["access_key"])
        assert state.tokens.find(defaults["token"])


def test_a_cancel_that_settles_later_settles_though_the_server_stopped(path: Path) -> None:
    with served(path, dialect=LATER) as state:
        job = job_of(state, SQL, "RUNNING")
        job.cancel(NOW)
    with served(path, now=NOW + 0.1, dialect=LATER) as state:
        assert found(state, job).state(NOW + 0.1) == "RUNNING"
        with pytest.raises(Exception, match="NOT_CANCELLABLE"):
            found(state, job).cancel(NOW + 0.1)
        assert found(state, job).state(NOW + 0.2) == "CANCELLED"


def test_jobs_that_run_by_themselves_run_while_no_server_is_there(path: Path) -> None:
    plain = ServerState(tuple(APIS), clock=lambda: NOW, dialect=Dialect(), speed=1.0)
    expected = [job_of(plain, SQL, "LAUNCHING") for _ in range(20)]
    with served(path, speed=1.0) as state:
        jobs = [job_of(state, SQL, "LAUNCHING") for _ in range(20)]
    for later in (30.0, 60.0, 1e6):
        with served(path, now=NOW + later, speed=1.0) as state:
            assert [found(state, job).state(NOW + later) for job in jobs] == [
                twin.state(NOW + later) for twin in expected
            ]


def test_a_start_at_another_speed_takes_back_nothing(path: Path) -> None:
    with served(path, speed=1.0) as state:
        jobs = [job_of(state, SQL, "LAUNCHING") for _ in range(20)]
        seen = [job.state(NOW + 40) for job in jobs]
        assert len(set(seen)) > 1
    with served(path, now=NOW + 40) as state:
        assert [found(state, job).state(NOW + 1e6) for job in jobs] == seen
    with served(path, now=NOW + 41, speed=10.0) as state:
        assert [found(state, job).state(NOW + 41) for job in jobs] == seen
        assert {found(state, job).state(NOW + 1e6) for job in jobs} <= {"FINISHED", "FAILED"}


# --- over HTTP ---


def post(server: MockServer, path: str, **content: str) -> Any:
    return httpx.post(server.announcement["provider_states_url"] + path, json=content, trust_env=False).json()


def cancel(announced: dict[str, Any], job_id: str) -> httpx.Response:
    api = announced["apis"]["otc-dli"]
    url = f"{api['base_url']}/v1.0/{api['project_id']}/jobs/{job_id}"
    return httpx.delete(url, headers={"X-Auth-Token": api["credentials"]["token"]}, trust_env=False)


def state_of(announced: dict[str, Any], job_id: str) -> str:
    url = f"{announced['provider_states_url']}/jobs/{SQL}/{job_id}"
    return str(httpx.get(url, trust_env=False).json()["state"])


def test_a_served_state_outlives_its_server(path: Path) -> None:
    wanted = {"api": "otc-dli", "operation": "cancelSqlJob", "state": "RUNNING", "owner": "self"}
    with run_embedded(state_file=path) as server:
        first = server.announcement
        job_id, bystander = (post(server, "/jobs", **wanted)["job_id"] for _ in range(2))
        handed_out = post(server, "/credentials", api="otc-dli", kind="token")["token"]
        assert cancel(first, job_id).status_code == 200
    with run_embedded(state_file=path) as server:
        announced = server.announcement
        assert [api["credentials"] for api in announced["apis"].values()] == [
            api["credentials"] for api in first["apis"].values()
        ]
        assert announced["iam"] == first["iam"]
        assert [state_of(announced, each) for each in (job_id, bystander)] == ["CANCELLED", "RUNNING"]
        announced["apis"]["otc-dli"]["credentials"]["token"] = handed_out
        assert cancel(announced, bystander).status_code == 200
        assert cancel(announced, job_id).status_code == 400


@pytest.mark.skipif(sys.platform != "linux", reason="limits the files of another process")
def test_a_full_disk_is_a_server_error_and_changes_nothing(path: Path) -> None:
    """The kernel lets the server write nothing more, as a disk that is full does."""
    import resource

    command = [*COMMAND, "--json", "--state", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        announced = json.loads(process.stdout.readline())
        states = announced["provider_states_url"]
        wanted = {"api": "otc-dli", "operation": "cancelSqlJob", "state": "RUNNING", "owner": "self"}
        job_id = httpx.post(f"{states}/jobs", json=wanted, trust_env=False).json()["job_id"]
        _, most = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, most))
        refused = cancel(announced, job_id)
        not_made = httpx.post(f"{states}/jobs", json=wanted, trust_env=False)
        not_forgotten = httpx.delete(states, trust_env=False)
        seen = state_of(announced, job_id)
        iam = announced["iam"]
        user = {"name": iam["user"], "password": iam["password"], "domain": {"name": iam["domain"]}}
        login = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
        no_token = httpx.post(announced["iam_url"] + "/v3/auth/tokens", json=login, trust_env=False)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))
        accepted, afterwards = cancel(announced, job_id), state_of(announced, job_id)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    assert (refused.status_code, refused.json()["error_code"]) == (500, "APIGW.0601")
    assert "x-request-id" in refused.headers
    nothing = {"error": "The state could not be written, so nothing changed; see the log."}
    assert (not_made.status_code, not_made.json()) == (500, nothing)
    assert (not_forgotten.status_code, not_forgotten.json()) == (500, nothing)
    assert (no_token.status_code, no_token.json()["error"]["code"]) == (500, 500)
    assert seen == "RUNNING"
    assert (accepted.status_code, afterwards) == (200, "CANCELLED")
    assert process.returncode == 0
    assert err.count(f"nothing changed, because {path} could not be written: ") == 4
    assert "Traceback" not in err
    with contextlib.closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT id, state FROM jobs").fetchall()
    assert rows == [(job_id, "CANCELLED")]


# --- files that cannot be used ---

COMMAND = [sys.executable, "-m", "calloff", "mock", "--port", "0"]


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(InvalidInputError) as caught, served(path, **options):
        pytest.fail("the file was taken")
    text = str(caught.value)
    start, end = f"cannot keep the state in {path}: ", "; give the file of an earlier --state, or a new name"
    assert text.startswith(start)
    assert text.endswith(end)
    return text.removeprefix(start).removesuffix(end)


def database(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as opened:
        for statement in statements:
            opened.execute(statement)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "Is a directory"


def test_a_file_in_no_folder_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "missing" / "file") == "No such file or directory"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_device_is_refused() -> None:
    assert refusal(Path("/dev/full")) == "it is no file"


def test_a_text_is_refused_and_left_alone(path: Path) -> None:
    text = "not a database, and somebody's only copy\n" * 100
    path.write_text(text, "utf-8")
    assert refusal(path) == "file is not a database"
    assert path.read_text("utf-8") == text


@pytest.mark.parametrize("statement", ["CREATE TABLE cats (name TEXT)", "PRAGMA application_id = 7"])
def test_a_database_of_something_else_is_refused_and_left_alone(path: Path, statement: str) -> None:
    database(path, statement)
    before = path.read_bytes()
    assert refusal(path) == "it is a database of something else"
    assert path.read_bytes() == before


def test_tables_of_another_version_are_refused(path: Path) -> None:
    with served(path):
        pass
    database(path, "PRAGMA user_version = 99")
    assert refusal(path) == "its tables have version 99, and this version of calloff has 1"


def test_a_file_in_use_is_refused(path: Path) -> None:
    with served(path) as state:
        job = job_of(state, SQL, "RUNNING")
        assert refusal(path) == "another process uses it"
        job.cancel(NOW)
    with served(path) as state:
        assert found(state, job).state(NOW) == "CANCELLED"


def test_the_file_of_another_seed_is_refused(path: Path) -> None:
    with served(path, seed=3):
        pass
    assert refusal(path) == (
        "it belongs to a server with seed 3 and the APIs tencent-ci, otc-dli, huaweicloud-dli, "
        "not seed 0 and tencent-ci, otc-dli, huaweicloud-dli"
    )
    with served(path, seed=3):
        pass


def test_the_file_of_other_apis_is_refused(path: Path) -> None:
    with served(path):
        pass
    with (
        pytest.raises(InvalidInputError, match="not seed 0 and otc-dli"),
        run_embedded(["otc-dli"], state_file=path),
    ):
        pytest.fail("the file was taken")


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE jobs SET state = 'PURRING'",
        "UPDATE jobs SET following = 'PURRING'",
        "UPDATE jobs SET operation = 'cats/cancelNap'",
        "UPDATE server SET value = 'soon' WHERE name = 'starts'",
        "DELETE FROM server",
        "UPDATE server SET value = '{}' WHERE name = 'identity'",
    ],
)
def test_damage_is_refused(path: Path, damage: str) -> None:
    with served(path) as state:
        job_of(state, SQL, "RUNNING")
    database(path, damage)
    assert refusal(path) == "what it holds is damaged"


def test_a_file_cut_short_is_refused(path: Path) -> None:
    with served(path) as state:
        for _ in range(500):
            job_of(state, SQL, "RUNNING")
    path.write_bytes(path.read_bytes()[:20480])
    assert refusal(path) == "database disk image is malformed"


@pytest.mark.skipif(sys.platform == "win32", reason="users and permissions")
def test_a_read_only_file_is_refused() -> None:
    # Not below pytest's own folder, which nobody but its owner may enter.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mock.sqlite"
        with served(path):
            pass
        path.chmod(0o444)
        Path(folder).chmod(0o755)
        root = os.geteuid() == 0  # who may write everything
        if root:
            os.seteuid(65534)
        try:
            assert refusal(path) == "Permission denied"
        finally:
            if root:
                os.seteuid(0)


def test_nobody_else_may_read_the_file(path: Path) -> None:
    with served(path) as state:
        job_of(state, SQL, "RUNNING")
        if sys.platform != "win32":
            modes = {each.name: each.stat().st_mode & 0o077 for each in path.parent.iterdir()}
            assert modes == {"mock.sqlite": 0, "mock.sqlite-wal": 0}


# --- options ---


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--state", "{path}", "--mutant", "bystanders-cancelled"], "leave it out with a mutant"),
        (["--state", "{path}/deeper"], "Not a directory"),
        (["--speed", "-1"], "-1.0 is not in the range"),
    ],
)
def test_options_that_do_not_fit_are_refused(path: Path, words: list[str], message: str) -> None:
    path.write_bytes(b"")
    result = CliRunner().invoke(group, ["mock", "--port", "0", *(word.format(path=path) for word in words)])
    assert result.exit_code != 0
    assert message in (result.output + str(result.exception or ""))


@pytest.mark.parametrize("speed", [-1.0, float("inf"), float("nan")])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(InvalidInputError, match="expected a speed of 0 or more"), run_embedded(speed=speed):
        pytest.fail("the server started")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_speed_and_state_are_options(path: Path) -> None:
    command = [*COMMAND, "--json", "--api", "otc-dli", "--state", str(path), "--speed", "1e6"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        announced = json.loads(process.stdout.readline())
        wanted = {"api": "otc-dli", "operation": "cancelSqlJob", "state": "RUNNING", "owner": "self"}
        made = httpx.post(announced["provider_states_url"] + "/jobs", json=wanted, trust_env=False).json()
        deadline = 200
        while (seen := state_of(announced, made["job_id"])) in {"RUNNING", "SCALING"} and deadline:
            deadline -= 1
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert seen in {"FINISHED", "FAILED"}
    with contextlib.closing(sqlite3.connect(path)) as opened:
        assert opened.execute("SELECT id FROM jobs").fetchall() == [(made["job_id"],)]
