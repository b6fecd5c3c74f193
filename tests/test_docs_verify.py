"""docs/verify.md is run as it stands, from its first line to its last."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import yaml
from worked_server import EXAMPLE, node

from calloff.apis import OPERATIONS
from calloff.cli.verify import command
from calloff.mock.mutants import MUTANTS

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "verify.md"
TEXT = PAGE.read_text("utf-8")
STATUS = re.compile(r"  # exit status (\d+)$")


def blocks(*languages: str) -> list[str]:
    return re.findall(rf"^```(?:{'|'.join(languages)})\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    lines = "".join(blocks("console")).splitlines()
    assert all(line.startswith("$ ") for line in lines)
    return [line.removeprefix("$ ") for line in lines]


def named_files() -> dict[str, str]:
    """Return what the page shows of files, by their names, which their first lines say."""
    return {block.splitlines()[0].removeprefix("# "): block for block in blocks("toml", "python", "yaml")}


def free_ports(count: int) -> int:
    """Return the first of *count* free ports in a row."""
    while True:
        with ExitStack() as held:
            first = held.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            try:
                for port in range(first + 1, first + count):
                    held.enter_context(socket.create_server(("127.0.0.1", port)))
            except (OSError, OverflowError):
                continue
            return int(first)


def script(lines: list[str]) -> str:
    """Write the commands as one script that stops at the first one whose exit status is another than the page says."""
    parts = ["trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT"]
    for line in lines:
        found = STATUS.search(line)
        plain = STATUS.sub("", line)
        if plain.endswith(" &"):
            port = re.search(r"\b[0-9]{4,5}\b", plain)
            assert port, plain
            listens = f"(exec 3<>/dev/tcp/127.0.0.1/{port[0]}) 2>/dev/null"
            parts.append(f"{plain}\nuntil {listens}; do kill -0 $! || exit 9; sleep 0.1; done")
            continue
        wanted = found[1] if found else "0"
        told = shlex.quote(f"exit status $status, not {wanted}, of: {plain}").replace("$status", "'$status'")
        parts.append(
            f"status=0; {plain} || status=$?\n[ $status = {wanted} ] || {{ echo {told} >&2; exit 8; }}"
        )
    return "\n".join(parts)


def test_every_command_of_the_page_does_what_the_page_says(tmp_path: Path) -> None:
    node()
    (tmp_path / "bin").mkdir()
    for name, module in {
        "calloff": "-m calloff",
        "schemathesis": "-m schemathesis.cli",
        "python": "",
    }.items():
        program = tmp_path / "bin" / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n', "utf-8")
        program.chmod(0o755)
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(EXAMPLE, folder)
    ports = {"8700": free_ports(1), "8701": free_ports(1), "8710": free_ports(5)}

    def moved(text: str) -> str:
        return re.sub(r"\b87[01]\d\b", lambda found: str(ports[found[0]]), text)

    for name, content in named_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(moved(content), "utf-8")
    lines = [moved(line) for line in commands() if not line.startswith("pip ")]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CALLOFF_")}

    result = subprocess.run(
        ["bash", "-c", script(lines)],
        cwd=folder,
        env={**environment, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    for name in ("report.html", "report.json", "junit.xml", "summary.md"):
        assert (folder / "calloff-report" / name).exists()


def test_the_snippets_of_other_files_are_what_their_readers_take() -> None:
    files = named_files()

    assert set(files) == {
        "jobs.toml",
        "credentials.toml",
        "known.toml",
        ".github/workflows/conformance.yml",
        "conftest.py",
        "test_conformance.py",
    }
    written = [
        line for name in ("conftest.py", "test_conformance.py") for line in files[name].splitlines() if line
    ]
    assert len([line for line in written if line[0] != "#"]) < 16
    ast.parse(files["conftest.py"])


def test_the_credentials_file_is_read(tmp_path: Path) -> None:
    from calloff.verify.credentials_file import read_credentials

    path = tmp_path / "credentials.toml"
    path.write_text(named_files()["credentials.toml"], "utf-8")
    (tmp_path / "old-token.txt").write_text("old\n", "utf-8")

    found = read_credentials(path, "otc-dli", {"DLI_TOKEN": "new"})

    assert found.keys.token == "new"
    assert found.kinds["expired-token"].token == "old"


def test_the_workflow_is_one_and_names_inputs_and_outputs_that_exist(tmp_path: Path) -> None:
    workflow = tmp_path / "conformance.yml"
    text = named_files()[".github/workflows/conformance.yml"]
    workflow.write_text(text, "utf-8")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    result = subprocess.run(
        [*command, str(workflow)], capture_output=True, text=True, check=False, timeout=60
    )
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    step = next(
        step for step in yaml.safe_load(text)["jobs"]["conformance"]["steps"] if step.get("id") == "calloff"
    )

    assert result.returncode == 0, result.stdout
    required = {name for name, row in action["inputs"].items() if row.get("required")}
    assert required <= set(step["with"]) <= set(action["inputs"])
    assert set(re.findall(r"steps\.calloff\.outputs\.([\w-]+)", text)) == set(action["outputs"])


def test_every_option_that_the_page_names_exists() -> None:
    offered = {name for parameter in command.params for name in parameter.opts}

    assert set(re.findall(r"`(--[a-z-]+)", TEXT)) - offered == set()


def test_every_file_that_the_page_links_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (PAGE.parent / target).exists(), target


def test_the_figures_of_the_self_check_are_those_of_the_wrong_servers_there_are() -> None:
    figures = dict(
        re.findall(r"^\| (wrong servers|found by|blamed)[^|]* \| ([0-9, ]+) \|$", TEXT, re.MULTILINE)
    )
    tried = sum(mutant.concerns(key) for mutant in MUTANTS.values() for key in OPERATIONS)

    assert figures == {"wrong servers": f"{len(MUTANTS)}, {tried}", "found by": f"{tried}", "blamed": "0"}
