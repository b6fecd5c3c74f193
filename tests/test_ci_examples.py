"""The GitHub action and the GitLab snippet: by the schemas of the two services, and their shell parts as they run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from calloff.mock.server import run_embedded

ROOT = Path(__file__).resolve().parent.parent
ACTION = ROOT / "action.yml"
GITLAB = ROOT / "docs" / "examples" / "gitlab-ci.yml"
ACTION_DATA: dict[str, Any] = yaml.safe_load(ACTION.read_text("utf-8"))
INSTALL, VERIFY = ACTION_DATA["runs"]["steps"]


@pytest.mark.parametrize(
    ("path", "options"),
    [
        (ACTION, ["--builtin-schema", "vendor.github-actions"]),
        (GITLAB, ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"]),
    ],
    ids=["action.yml", "gitlab-ci.yml"],
)
def test_the_file_is_what_the_service_reads(path: Path, options: list[str]) -> None:
    command = [sys.executable, "-m", "check_jsonschema", *options, str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert result.returncode == 0, result.stdout + result.stderr


def test_no_input_is_written_into_a_shell_script() -> None:
    for step in ACTION_DATA["runs"]["steps"]:
        assert "${{" not in step["run"]
        assert step["shell"] == "bash"


def test_every_input_reaches_a_step() -> None:
    taken = [value for step in ACTION_DATA["runs"]["steps"] for value in step["env"].values()]

    assert sorted(taken) == sorted(f"${{{{ inputs.{name} }}}}" for name in ACTION_DATA["inputs"])


def shell(
    step: dict[str, Any], folder: Path, path: str = "", **inputs: str
) -> subprocess.CompletedProcess[str]:
    """Run the script of *step* as a runner does, in a job whose temporary folder is *folder*."""
    given = {
        f"${{{{ inputs.{name} }}}}": row.get("default", "") for name, row in ACTION_DATA["inputs"].items()
    }
    given |= {f"${{{{ inputs.{name.replace('_', '-')} }}}}": value for name, value in inputs.items()}
    environment = {
        **{name: given[value] for name, value in step["env"].items()},
        "PATH": f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"],
        "RUNNER_TEMP": str(folder),
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        "GITHUB_ACTION_PATH": str(ROOT),
    }
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/usr/bin/env bash\n{script}\n", "utf-8")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("version", "wanted"),
    [("", f"{ROOT}[verify]"), ("1.2.3", "calloff[verify]==1.2.3")],
    ids=["own", "named"],
)
def test_the_first_step_installs_the_checkout_or_the_version(
    tmp_path: Path, version: str, wanted: str
) -> None:
    program(tmp_path / "bin" / "python3", 'echo "python3 $*" >> "$RUNNER_TEMP/calls"')
    program(tmp_path / "calloff" / "bin" / "python", 'printf "%s\\n" "$@" >> "$RUNNER_TEMP/calls"')

    result = shell(INSTALL, tmp_path, str(tmp_path / "bin"), version=version)

    assert result.returncode == 0, result.stderr
    first, *install = (tmp_path / "calls").read_text("utf-8").splitlines()
    assert first == f"python3 -m venv {tmp_path}/calloff"
    assert install[:3] == ["-m", "pip", "install"]
    assert install[-2:] == ["--", wanted]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    program(tmp_path / "calloff" / "bin" / "calloff", f'exec "{sys.executable}" -m calloff "$@"')
    return tmp_path


@pytest.mark.parametrize(("mutant", "status"), [(None, 0), ("dli-second-cancel-accepted", 1)])
def test_the_second_step_verifies_and_writes_the_summary(
    installed: Path, mutant: str | None, status: int
) -> None:
    with run_embedded(["otc-dli"], mutant=mutant) as server:
        result = shell(
            VERIFY,
            installed,
            api="otc-dli",
            base_url=server.announcement["apis"]["otc-dli"]["base_url"],
            provider_states=server.announcement["provider_states_url"],
            budget="quick",
            strict="true",
            options="--layer=races\n--operation=cancelSqlJob\n",
        )

    assert result.returncode == status, result.stdout + result.stderr
    folder = Path((installed / "output").read_text("utf-8").removeprefix("report-dir=").strip())
    assert json.loads((folder / "report.json").read_text("utf-8"))["exit_status"] == status
    summary = (installed / "summary").read_text("utf-8")
    assert summary == (folder / "summary.md").read_text("utf-8")
    assert ("dli-second-cancel-refused" in summary) == bool(mutant)


def test_an_input_is_a_value_and_nothing_else(installed: Path) -> None:
    program(installed / "calloff" / "bin" / "calloff", 'printf "%s\\n" "$@" > "$RUNNER_TEMP/calls"')
    evil = '"; touch evil; $(touch evil) `touch evil` --live'

    result = shell(VERIFY, installed, api="otc-dli", base_url=evil, host="--live", project_id="a b")

    assert result.returncode == 0, result.stderr
    calls = (installed / "calls").read_text("utf-8").splitlines()
    assert calls[2:] == [
        "--api=otc-dli",
        f"--base-url={evil}",
        "--host=--live",
        "--project-id=a b",
        "--budget=standard",
    ]
    assert not list(installed.rglob("evil"))


def test_a_run_that_could_not_verify_keeps_its_exit_status(installed: Path) -> None:
    result = shell(VERIFY, installed, api="otc-dli", base_url="nonsense")

    assert result.returncode == 2
    assert "expected a base URL such as" in result.stderr


def test_the_snippet_for_gitlab_verifies_a_server_and_leaves_what_it_names(installed: Path) -> None:
    job = yaml.safe_load(GITLAB.read_text("utf-8"))["calloff"]
    install, verify = job["script"]
    assert install == "pip install --quiet 'calloff[verify]'"
    with run_embedded(["otc-dli"]) as server:
        environment = {
            **job["variables"],
            "BASE_URL": server.announcement["apis"]["otc-dli"]["base_url"],
            "PROVIDER_STATES": server.announcement["provider_states_url"],
            "PATH": f"{installed}/calloff/bin:{os.environ['PATH']}",
        }
        result = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"{verify} --layer races"],
            env=environment,
            cwd=installed,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    assert result.returncode == 0, result.stdout + result.stderr
    for path in (*job["artifacts"]["paths"], job["artifacts"]["reports"]["junit"]):
        assert (installed / path).exists()
    assert re.fullmatch(r"python:3\.(1[1-9])-slim", job["image"])
