"""calloff verify as its user meets it: exit statuses, sentences, report files."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from xml.etree.ElementTree import parse

import hostile_server as hostile
import httpx
import pytest
from click.testing import CliRunner, Result
from fake_target import PROJECT, SECRET_KEY, TOKEN, FakeTarget, Reply, Seen, json_reply, refusal
from hostile_server import Listener

from calloff.cli import group, main
from calloff.cli.verify.output import save
from calloff.errors import CalloffError

PAIR = {"CALLOFF_ACCESS_KEY": "KEYID", "CALLOFF_SECRET_KEY": SECRET_KEY}
TABLE = ("--layer", "table", "--operation", "cancelSqlJob")
# A parallel test run ignores Ctrl-C, and what it starts inherits that.
PROGRAM = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import calloff.__main__"
STARTED = [sys.executable, "-c", PROGRAM]


@pytest.fixture(autouse=True)
def no_credentials_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCESS_KEY", "SECRET_KEY", "SECURITY_TOKEN", "TOKEN"):
        monkeypatch.delenv(f"CALLOFF_{name}", raising=False)


def run(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(group, ["verify", "--report-dir", str(folder), *arguments], env=env)


def against(fake: FakeTarget, *arguments: str, states: bool = True) -> list[str]:
    given = ["--api", fake.api, "--base-url", fake.url, "--settle", "0.05", "--timeout", "5"]
    return [*given, *(["--provider-states", fake.states_url] if states else []), *arguments]


def report_of(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text("utf-8"))
    assert (folder / "report.html").read_text("utf-8").startswith("<!doctype html>")
    parse(folder / "junit.xml")  # noqa: S314 - our own file
    return report


def test_a_server_that_conforms_gives_0_and_the_reports(tmp_path: Path) -> None:
    # Some requirements need the other layers.
    result = run(tmp_path / "new" / "folder", "--mock", "--api", "otc-dli", *TABLE)

    assert result.exit_code == 0, result.output
    assert re.search(r"\d+ held, 0 violated, \d+ not run; \d+ requests, \d+ cancels accepted", result.stdout)
    assert "Traceback" not in result.output
    report = report_of(tmp_path / "new" / "folder")
    assert (report["exit_status"], report["totals"]["violated"], report["stopped"]) == (0, 0, "")
    assert {row["operation"] for row in report["results"]} == {"otc-dli/cancelSqlJob"}


def test_a_run_leaves_nothing_but_its_report_in_the_folder_it_starts_in(tmp_path: Path) -> None:
    place, cache = tmp_path / "place", tmp_path / "cache"
    place.mkdir()
    words = ["verify", "--mock", "--api", "otc-dli", "--operation", "cancelSqlJob"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HYPOTHESIS_")}
    done = subprocess.run(
        [*STARTED, *words, "--layer", "model", "--layer", "fuzz"],
        cwd=place,
        env={**environment, "XDG_CACHE_HOME": str(cache)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    assert {path.name for path in place.iterdir()} == {"calloff-report"}


def test_a_server_that_breaks_a_must_gives_1_and_says_which(tmp_path: Path) -> None:
    result = run(tmp_path, "--mock", "--api", "otc-dli", "--mutant", "dli-unsigned-accepted", *TABLE)

    assert result.exit_code == 1
    assert "dli-auth-missing" in result.stdout
    assert "BAD" in result.stdout
    assert report_of(tmp_path)["exit_status"] == 1


@pytest.mark.parametrize(("options", "status"), [((), 0), (("--strict",), 1)])
def test_a_broken_should_counts_when_strict(tmp_path: Path, options: tuple[str, ...], status: int) -> None:
    result = run(
        tmp_path, "--mock", "--api", "otc-dli", "--mutant", "malformed-id-accepted", *TABLE, *options
    )

    assert result.exit_code == status
    broken = [row for row in report_of(tmp_path)["results"] if row["verdict"] == "violated"]
    assert {row["level"] for row in broken} == {"SHOULD"}


def test_a_server_that_chooses_otherwise_where_the_vendor_is_silent_conforms(tmp_path: Path) -> None:
    choice = "dli-unknown-job=404-dli-0023"
    result = run(tmp_path, "--mock", "--api", "otc-dli", "--dialect", choice, *TABLE)

    assert result.exit_code == 0, result.output


JSON = {"Content-Type": "application/json"}
BASE = ("--api", "otc-dli", "--base-url", "http://127.0.0.1:1")
WRONG_USAGE = [
    ((), "either --mock or --base-url"),
    (("--mock", *BASE), "either --mock or --base-url"),
    (("--base-url", "http://127.0.0.1:1"), "--base-url verifies one API; give --api once"),
    ((*BASE, "--api", "tencent-ci"), "--base-url verifies one API; give --api once"),
    (("--api", "otc-dli", "--base-url", "nonsense"), "expected a base URL such as"),
    (("--api", "otc-dli", "--base-url", "http://h:99999"), "expected a base URL such as"),
    (("--api", "otc-dli", "--base-url", "http://h/\r\nX: 1"), "expected a base URL such as"),
    ((*BASE, "--provider-states", "nonsense"), "expected a base URL such as"),
    ((*BASE, "--host", "h\r\nX-Evil: 1"), "expected --host to be a Host header"),
    ((*BASE, "--host", ""), "expected --host to be a Host header"),
    ((*BASE, "--project-id", "p\r\nX-Evil: 1"), "expected project_id to be visible ASCII"),
    (BASE, "needs --project-id"),
    (
        (*BASE, "--operation", "cancelEverything"),
        "no operation 'cancelEverything'; there is, nearest",
    ),
    (
        (*BASE, "--operation", "cancelAiJob"),
        "no operation 'cancelAiJob'; there are, nearest first: cancelSqlJob",
    ),
    ((*BASE, "--mutant", "cancel-forgotten"), "give them with --mock"),
    ((*BASE, "--dialect", "a=b"), "give them with --mock"),
    (("--mock", "--host", "h"), "describe the server at --base-url"),
    (("--mock", "--mutant", "no-such-one"), "no-such-one"),
    (("--mock", "--dialect", "no-such-point=1"), "no-such-point"),
    (("--mock", "--dialect", "nonsense"), "nonsense"),
]


@pytest.mark.parametrize(("arguments", "sentence"), WRONG_USAGE)
def test_wrong_usage_is_one_clear_sentence(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    result = run(tmp_path, *arguments, env=PAIR)

    assert isinstance(result.exception, CalloffError), result.output
    assert sentence in str(result.exception)
    assert "\n" not in str(result.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("--api", "aws"),
        ("--layer", "soup"),
        ("--seed", "x"),
        ("--timeout", "0"),
        ("--settle", "-1"),
        ("--nonsense",),
    ],
)
def test_what_the_parser_refuses_gives_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert run(tmp_path, "--mock", *arguments).exit_code == 2


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({}, "no credential: set CALLOFF_ACCESS_KEY and"),
        ({"CALLOFF_ACCESS_KEY": "KEYID"}, "CALLOFF_ACCESS_KEY and CALLOFF_SECRET_KEY go together"),
        ({"CALLOFF_SECRET_KEY": SECRET_KEY}, "CALLOFF_ACCESS_KEY and CALLOFF_SECRET_KEY go together"),
        ({"CALLOFF_SECURITY_TOKEN": "planted"}, "CALLOFF_ACCESS_KEY and CALLOFF_SECRET_KEY go together"),
        ({"CALLOFF_TOKEN": "planted\r\nX-Evil: 1"}, "expected token to be visible ASCII"),
        ({"CALLOFF_TOKEN": "planted "}, "expected token to be visible ASCII"),
    ],
)
def test_credentials_that_cannot_be_used_are_named_and_not_shown(
    tmp_path: Path, environment: dict[str, str], sentence: str
) -> None:
    result = run(tmp_path, *BASE, "--project-id", PROJECT, env=environment)

    assert isinstance(result.exception, CalloffError), result.output
    assert sentence in str(result.exception)
    assert "planted" not in str(result.exception)


def test_main_turns_wrong_usage_into_status_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["calloff", "verify"])
    with pytest.raises(SystemExit) as caught:
        main()

    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("calloff: give either --mock or --base-url")


@pytest.mark.parametrize("where", ["is a file", "below a file", "in proc"])
def test_a_folder_that_cannot_hold_the_report_is_found_before_the_run(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("")
    folder = {
        "is a file": tmp_path / "file",
        "below a file": tmp_path / "file" / "x",
        "in proc": Path("/proc/x"),
    }[where]
    result = run(folder, "--mock")

    assert result.exit_code == 2 or isinstance(result.exception, CalloffError)
    assert "requirement" not in result.stdout


def test_a_full_disk_is_a_sentence_and_status_3_and_the_reports_are_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "full"
    elsewhere.mkdir()
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    (folder / "junit.xml").symlink_to("/dev/full")
    result = run(folder, "--mock", "--api", "otc-dli", *TABLE)
    (saved,) = elsewhere.iterdir()

    assert result.exit_code == 3
    assert "0 violated" in result.stdout
    assert (
        result.stderr.splitlines()[-1]
        == f"calloff: the report could not be written to {folder}/junit.xml: No space left on device; "
        f"all of it is in {saved}"
    )
    assert report_of(saved)["exit_status"] == 0


def test_half_a_report_is_not_left_on_a_disk_that_fills_up(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        written, problem = save({tmp_path / "summary.md": "short", tmp_path / "report.json": "x" * 2000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert written == [tmp_path / "summary.md"]
    assert problem.startswith(f"the report could not be written to {tmp_path}/report.json: File too large")
    assert [path.name for path in tmp_path.iterdir()] == ["summary.md"]


def test_a_disk_that_is_full_everywhere_still_shows_what_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, *_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    result = run(tmp_path, "--mock", "--api", "otc-dli", *TABLE)

    assert result.exit_code == 3
    assert "0 violated" in result.stdout
    assert result.stderr.endswith("nor to the folder for temporary files: No space left on device\n")


@pytest.mark.parametrize("missing", ["schemathesis", "rich", "uvicorn"])
def test_a_missing_extra_is_named(tmp_path: Path, missing: str) -> None:
    program = (
        "import sys, importlib.util as u; find = u.find_spec\n"
        f"u.find_spec = lambda name, *a: None if name == {missing!r} else find(name, *a)\n"
        "sys.argv = ['calloff', 'verify', '--mock', '--report-dir', sys.argv[1]]\n"
        "from calloff.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False
    )
    extra = "mock" if missing == "uvicorn" else "verify"

    assert done.returncode == 2
    assert done.stderr == f"calloff: this needs {missing}; install it with: pip install 'calloff[{extra}]'\n"


def test_a_target_that_nobody_serves_gives_3(tmp_path: Path) -> None:
    result = run(tmp_path, *BASE, "--project-id", PROJECT, env=PAIR)

    assert result.exit_code == 3
    assert re.search(
        r"Not verified: the server cannot be reached: no connection to http://127\.0\.0\.1:1", result.stdout
    )
    assert report_of(tmp_path)["stopped"].startswith("the server cannot be reached")


def test_provider_states_that_nobody_serves_give_3(tmp_path: Path) -> None:
    result = run(tmp_path, *BASE, "--provider-states", "http://127.0.0.1:1/provider-states")

    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("calloff: could not verify: no connection to http://127.0.0.1:1")


@pytest.mark.parametrize(
    "reply", [Reply(500), Reply(200, b"<html>"), Reply(200, b"{}"), Reply(501), refusal(400)]
)
def test_provider_states_that_cannot_hand_out_credentials_give_3(tmp_path: Path, reply: Reply) -> None:
    with FakeTarget(provided={"GET ": reply}) as fake:
        result = run(tmp_path, *against(fake))

    assert result.exit_code == 3
    assert result.stderr.startswith("calloff: could not verify: ")
    assert "Traceback" not in result.output


@pytest.mark.parametrize("reply", [Reply(500), Reply(200, b"<html>"), Reply(201, b"{}")])
def test_provider_states_that_break_in_the_middle_give_3_and_a_report(tmp_path: Path, reply: Reply) -> None:
    with FakeTarget(provided={"POST /jobs": reply}) as fake:
        result = run(tmp_path, *against(fake))

    assert result.exit_code == 3
    assert "the provider states cannot be used: POST" in report_of(tmp_path)["stopped"]


def test_provider_states_that_make_no_jobs_skip_visibly(tmp_path: Path) -> None:
    with FakeTarget(provided={"POST /jobs": json_reply(501, {"error": "no <jobs> today"})}) as fake:
        result = run(tmp_path, *against(fake), *TABLE)

    assert result.exit_code == 3
    assert "Not verified: no cancel was ever accepted; " in result.stdout
    assert "no <jobs> today" in result.stdout
    assert "no &lt;jobs&gt; today" in (tmp_path / "report.html").read_text("utf-8")


def test_without_provider_states_refusals_are_still_judged(tmp_path: Path) -> None:
    with FakeTarget() as fake:
        result = run(tmp_path, *against(fake, "--project-id", PROJECT, states=False), *TABLE, env=PAIR)

    assert result.exit_code == 3
    verdicts = {row["requirement"]: row for row in report_of(tmp_path)["results"]}
    assert verdicts["dli-auth-missing"]["verdict"] == "held"
    assert verdicts["cancel-takes-effect"]["verdict"] == "skipped"
    assert "no provider states given" in verdicts["cancel-takes-effect"]["skips"][0]["reason"]


def test_an_unauthenticated_unknown_job_that_is_accepted_is_found_without_provider_states(
    tmp_path: Path,
) -> None:
    def accept_all(fake: FakeTarget, request: Seen) -> Reply:
        return json_reply(200, {"is_success": True, "message": ""})

    with FakeTarget(script=accept_all) as fake:
        result = run(tmp_path, *against(fake, "--project-id", PROJECT, states=False), *TABLE, env=PAIR)

    assert result.exit_code == 1
    verdicts = {row["requirement"]: row["verdict"] for row in report_of(tmp_path)["results"]}
    assert verdicts["dli-auth-missing"] == verdicts["dli-auth-token-garbage"] == "violated"


def test_a_server_that_supplies_only_tokens_is_verified_with_them(tmp_path: Path) -> None:
    with FakeTarget() as fake:
        abilities = fake.abilities() | {"credentials": ["token"]}
        fake.provided = {"GET ": json_reply(200, {"version": 1, "apis": {"otc-dli": abilities}})}
        result = run(tmp_path, *against(fake), *TABLE)

    verdicts = {row["requirement"]: row["verdict"] for row in report_of(tmp_path)["results"]}
    assert result.exit_code in {0, 1}
    assert (verdicts["dli-auth-token"], verdicts["dli-auth-signature"]) == ("held", "skipped")


@pytest.mark.parametrize("layer", ["table", "races", "model", "fuzz"])
def test_a_server_that_falls_silent_ends_the_run_within_its_timeouts(tmp_path: Path, layer: str) -> None:
    refusal = hostile.reply(400, b'{"error_code": "DLI.0002", "error_msg": "no"}', JSON)
    with Listener(hostile.script(*[refusal] * 8, hostile.hang)) as silent, FakeTarget() as fake:
        began = time.monotonic()
        arguments = ["--api", "otc-dli", "--base-url", silent.url, "--provider-states", fake.states_url]
        result = run(tmp_path, *arguments, "--timeout", "0.2", "--layer", layer)

        assert time.monotonic() - began < 20
    assert result.exit_code == 3
    report = report_of(tmp_path)
    assert any("after 0.2 s" in v["received"] for row in report["results"] for v in row["violations"])
    assert "Traceback" not in result.output


def test_a_server_that_never_says_a_word_is_told_as_such(tmp_path: Path) -> None:
    with Listener(hostile.hang) as silent, FakeTarget() as fake:
        arguments = ["--api", "otc-dli", "--base-url", silent.url, "--provider-states", fake.states_url]
        result = run(tmp_path, *arguments, "--timeout", "0.2")

    assert result.exit_code == 3
    assert "gives no HTTP answer" in report_of(tmp_path)["stopped"]


@pytest.mark.parametrize("layer", ["table", "fuzz"])
def test_a_redirect_is_not_followed(tmp_path: Path, layer: str) -> None:
    with Listener(hostile.reply(200)) as elsewhere:

        def redirect(fake: FakeTarget, request: Seen) -> Reply:
            here = fake.url if request.method == "DELETE" else elsewhere.url
            return Reply(302, b"", (("Location", f"{here}/elsewhere"),))

        with FakeTarget(script=redirect) as fake:
            result = run(tmp_path, *against(fake), "--layer", layer)
            followed = [seen for seen in fake.seen if seen.target.startswith("/elsewhere")]
        assert (followed, elsewhere.connections, result.exit_code) == ([], 0, 3)


def test_no_proxy_and_no_netrc_comes_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login planted password planted\n")
    with Listener(hostile.reply(500)) as proxy, FakeTarget() as fake:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        run(tmp_path, *against(fake), "--layer", "fuzz", "--operation", "cancelSqlJob")
        unsigned = [
            seen for seen in fake.seen if not seen.header("Authorization") and not seen.header("X-Auth-Token")
        ]

    assert proxy.connections == 0
    assert unsigned
    assert not [seen for seen in fake.seen if seen.header("Authorization").startswith("Basic")]


def test_a_path_prefix_goes_before_every_path(tmp_path: Path) -> None:
    with FakeTarget() as fake:
        arguments = [
            "--api",
            "otc-dli",
            "--base-url",
            f"{fake.url}/gate/way/",
            "--provider-states",
            fake.states_url,
        ]
        run(tmp_path, *arguments, "--settle", "0", "--operation", "cancelSqlJob")

    assert {"/".join(seen.target.split("/")[:3]) for seen in fake.seen} == {"/gate/way"}


@contextmanager
def started(*arguments: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    with subprocess.Popen([*STARTED, *arguments], **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def started_mock() -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    with started("mock", "--json", "--port", "0", "--api", "otc-dli") as process:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())


def verifying(announcement: dict[str, Any], folder: Path) -> list[str]:
    base_url = announcement["apis"]["otc-dli"]["base_url"]
    states = announcement["provider_states_url"]
    given = ["--api", "otc-dli", "--base-url", base_url, "--provider-states", states]
    return ["verify", *given, "--report-dir", str(folder)]


class Relay(ThreadingHTTPServer):
    """Stands before the provider states of a mock and does something when the run has come to its *at*-th call."""

    def __init__(self, states_url: str, at: int, act: Callable[[], None]) -> None:
        super().__init__(("127.0.0.1", 0), RelayHandler)
        self.states_url, self.at, self.act, self.calls = states_url, at, act, 0
        self.client = httpx.Client(trust_env=False)
        self.url = f"http://127.0.0.1:{self.server_port}/provider-states"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self.client.close()


class RelayHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Relay

    def relay(self) -> None:
        relay = self.server
        relay.calls += 1
        if relay.calls == relay.at:
            relay.act()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.removeprefix("/provider-states")
        try:
            answer = relay.client.request(self.command, relay.states_url + path, content=body)
        except httpx.TransportError:
            self.close_connection = True
            return
        self.send_response(answer.status_code)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    do_GET = do_POST = relay  # noqa: N815 - the names that http.server looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        pass


@contextmanager
def verifying_until(
    at: int, act: Callable[[subprocess.Popen[str], subprocess.Popen[str]], None], folder: Path
) -> Iterator[subprocess.Popen[str]]:
    """Start a mock and a run against it; *act* on both at the *at*-th call of the provider states."""
    processes: list[subprocess.Popen[str]] = []
    with (
        started_mock() as (mock, announcement),
        Relay(announcement["provider_states_url"], at, lambda: act(mock, processes[0])) as relay,
        started(*verifying(announcement | {"provider_states_url": relay.url}, folder)) as verify,
    ):
        processes.append(verify)
        yield verify


@pytest.mark.parametrize("at", [5, 60, 700])
def test_killing_the_mock_in_the_middle_gives_3_a_sentence_and_the_report_so_far(
    tmp_path: Path, at: int
) -> None:
    with verifying_until(at, lambda mock, _: mock.kill(), tmp_path) as verify:
        stdout, stderr = verify.communicate(timeout=120)

    assert verify.returncode == 3, stdout
    assert "Traceback" not in stdout + stderr
    assert re.search(r"Not verified: .*; \d+ of \d+ checks were run[.;]", stdout)
    assert report_of(tmp_path)["exit_status"] == 3


@pytest.mark.parametrize("at", [5, 60, 700])
def test_ctrl_c_gives_3_a_sentence_and_the_report_so_far(tmp_path: Path, at: int) -> None:
    with verifying_until(at, lambda _, run: run.send_signal(signal.SIGINT), tmp_path) as verify:
        stdout, stderr = verify.communicate(timeout=120)

    assert verify.returncode == 3, stdout
    assert "Traceback" not in stdout + stderr
    assert "Not verified: interrupted; " in stdout
    assert report_of(tmp_path)["stopped"].startswith("interrupted")


def test_pressing_ctrl_c_again_and_again_takes_nothing_from_the_report(tmp_path: Path) -> None:
    pressed = threading.Event()

    def press(_: subprocess.Popen[str], run: subprocess.Popen[str]) -> None:
        run.send_signal(signal.SIGINT)
        pressed.set()

    with verifying_until(60, press, tmp_path) as verify:
        assert pressed.wait(60)
        while verify.poll() is None and not (tmp_path / "report.json").exists():
            verify.send_signal(signal.SIGINT)
            time.sleep(0.02)
        stdout, _ = verify.communicate(timeout=120)

    assert verify.returncode == 3, stdout
    assert report_of(tmp_path)["stopped"].startswith("interrupted")


def test_a_reader_that_goes_away_takes_nothing_from_the_report(tmp_path: Path) -> None:
    with started("verify", "--mock", "--api", "otc-dli", *TABLE, "--report-dir", str(tmp_path)) as verify:
        assert verify.stdout is not None
        verify.stdout.close()
        status = verify.wait(60)
        assert verify.stderr is not None
        assert "Traceback" not in verify.stderr.read()

    assert status == 0
    assert report_of(tmp_path)["exit_status"] == 0


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_unicode_is_no_hindrance(tmp_path: Path, encoding: str) -> None:
    arguments = ["verify", "--mock", "--api", "otc-dli", *TABLE, "--report-dir", str(tmp_path)]
    done = subprocess.run(
        [*STARTED, *arguments],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert report_of(tmp_path)["exit_status"] == 0


def test_on_a_terminal_progress_is_shown_and_taken_away(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    controller, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    arguments = (
        "verify",
        "--mock",
        "--api",
        "otc-dli",
        "--operation",
        "cancelSqlJob",
        "--report-dir",
        str(tmp_path),
    )
    with started(*arguments, stdout=terminal, stderr=terminal, env=environment) as process:
        os.close(terminal)
        shown = b""
        while True:
            try:
                data = os.read(controller, 65536)
            except OSError:
                break
            if not data:
                break
            shown += data
        status = process.wait(60)
    os.close(controller)

    assert status == 0
    assert b"otc-dli/cancelSqlJob" in shown
    assert b"\x1b[" in shown
    assert b"0 violated" in shown


def hostile_script(fake: FakeTarget, request: Seen) -> Reply:
    echo = " ".join([request.target, *(value for _, value in request.headers)])
    text = f"<script>alert(1)</script>\x1b[2J\u202e\x00\x85 {SECRET_KEY} {TOKEN} {echo}"
    return Reply(
        400,
        json.dumps({"error_code": "<b>\ud800\x1b", "error_msg": text, "request_id": "\udfff"}).encode(),
        (
            ("Content-Type", "application/json"),
            ("X-Echo", echo.replace(SECRET_KEY, "")),
            ("Set-Cookie", TOKEN),
        ),
    )


def test_what_a_hostile_server_says_harms_no_reader_and_no_file(tmp_path: Path) -> None:
    with FakeTarget(script=hostile_script) as fake:
        result = run(tmp_path, *against(fake))
    page = (tmp_path / "report.html").read_text("utf-8")

    assert result.exit_code == 3
    assert report_of(tmp_path)["totals"]["violated"] > 3
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    everything = [result.output, *(file.read_text("utf-8") for file in tmp_path.iterdir())]
    assert len(everything) == 5
    for text in everything:
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]", text)
        for secret in (SECRET_KEY, TOKEN, "planted"):
            assert secret not in text
        assert not re.search(
            r"(?<![0-9a-f])([0-9a-f]{64}|[0-9a-f]{40})(?![0-9a-f])",
            text.replace(report_of(tmp_path)["suite"]["catalogue"], ""),
        )
