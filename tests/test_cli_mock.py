"""calloff mock: what can be disturbed, TLS, a dialect from a profile, and options that do not fit."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from click.testing import CliRunner

from calloff.cli import group
from calloff.mock.control import kinds
from calloff.mock.disturbances import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = [sys.executable, "-m", "calloff", "mock", "--port", "0", "--api", "otc-dli"]


@pytest.fixture
def started(request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the command with more options; gives the process and what it printed first."""
    with subprocess.Popen(
        [*COMMAND, *request.param], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        yield process, line
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (0, "")


def options(*words: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("started", [words], indirect=True)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@options("--json", "--tls", "--disturb", "gateway:requests=1", "--disturb", "clock-skew:seconds=-7200")
def test_disturbances_and_tls_are_options(started: tuple[subprocess.Popen[str], str]) -> None:
    announced = json.loads(started[1])
    verify = ssl.create_default_context(cafile=announced["ca_file"])
    url = announced["apis"]["otc-dli"]["base_url"] + "/nothing"
    with httpx.Client(trust_env=False, verify=verify) as client:
        assert [client.get(url).status_code for _ in range(2)] == [502, 404]
        left = client.get(announced["control_url"] + "/disturbances").json()["disturbances"]
    assert [(one["kind"], one["seconds"]) for one in left] == [("clock-skew", -7200)]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@options("--tls")
def test_the_control_interface_and_the_ca_are_announced_in_words(
    started: tuple[subprocess.Popen[str], str],
) -> None:
    process, text = started
    assert process.stdout is not None
    while "Stop with" not in text:
        line = process.stdout.readline()
        assert line
        text += line
    rows = {line.split()[0]: line.split()[-1] for line in text.splitlines() if line.strip()}
    assert rows["control"].startswith("https://127.0.0.1:")
    assert rows["control"].endswith("/control")
    assert rows["page"].startswith("https://127.0.0.1:")
    assert Path(rows["CA"]).is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--disturb", "slow"], "no disturbance 'slow'; there are: latency, "),
        (["--disturb", "latency:seconds=soon"], "latency: seconds is 0 to 3600 seconds, not 'soon'"),
        (["--tls-key", "key.pem"], "a certificate needs its key, and a key its certificate"),
        (["--tls-certificate", "missing.pem", "--tls-key", "missing.pem"], "cannot read missing.pem: "),
        (["--tls", "--tls-certificate", "a.pem", "--tls-key", "a.pem"], "--tls makes a certificate"),
        (["--dialect-from", "missing.json"], "cannot read the profile missing.json: "),
        (
            ["--dialect-from", "a.json", "--dialect", "ci-valued-cancel=cancels"],
            "give --dialect or --dialect-from, not both",
        ),
    ],
)
def test_options_that_do_not_fit_are_told_in_a_sentence(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("calloff: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_disturbances_can_be_listed() -> None:
    text = CliRunner().invoke(group, ["mock", "--list-disturbances"])
    assert text.exit_code == 0
    assert [line.split(":")[0] for line in text.output.splitlines() if line[0] != " "][:-1] == list(KINDS)
    assert "    rate: requests per second and API that pass; 0 refuses all (0 or more" in text.output
    assert "200 without)" in text.output
    assert text.output.count("    probability: ") == 1
    rows = json.loads(CliRunner().invoke(group, ["mock", "--list-disturbances", "--json"]).output)
    assert rows == kinds()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_dialect_can_come_from_a_profile(tmp_path: Path) -> None:
    profile = tmp_path / "profile.json"
    observed = {
        "dli-unknown-job": {"otc-dli/cancelSqlJob": "404-dli-0023"},
        "no-such-point": {"otc-dli/cancelSqlJob": "a"},
    }
    profile.write_text(json.dumps({"format": 1, "suite": "0", "observed": observed}), "utf-8")
    with subprocess.Popen(
        [*COMMAND, "--json", "--dialect-from", str(profile)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        place = json.loads(process.stdout.readline())["apis"]["otc-dli"]
        token = {"X-Auth-Token": place["credentials"]["token"]}
        url = f"{place['base_url']}/v1.0/{place['project_id']}/jobs/00000000-0000-0000-0000-000000000001"
        with httpx.Client(trust_env=False) as client:
            answer = client.delete(url, headers=token)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    assert (answer.status_code, answer.json()["error_code"]) == (404, "DLI.0023")
    assert "skipped 'no-such-point'" in err
    assert err.count("\n") == 1
