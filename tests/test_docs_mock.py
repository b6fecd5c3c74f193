"""docs/mock.md is run as it stands, from its first line to its last, and prints what it says."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_docs_verify import STATUS, free_ports

from calloff.cli.mock import command
from calloff.mock.iam import TOKEN_SECONDS
from calloff.mock.journal import LENGTH

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "mock.md"
TEXT = PAGE.read_text("utf-8")
STARTED = 8600  # the port that the page speaks of


def commands(text: str = TEXT) -> list[tuple[str, list[str]]]:
    """Give each command of a page with the lines that it prints."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        assert block.startswith("$ ")
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line.removeprefix("$ "), []))
            else:
                found[-1][1].append(line)
    return found


def programs() -> None:
    """Skip the test where a program of the page is missing, and fail on CI, where nothing may go missing."""
    missing = [name for name in ("bash", "curl", "openssl") if shutil.which(name) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"not installed: {missing}")
    if missing:
        pytest.skip(f"not installed: {missing}")


def script(lines: list[str]) -> str:
    """Write the commands as one script that stops at an unexpected exit status; each has a file for what it prints."""
    parts = ["trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT"]
    for number, line in enumerate(lines):
        found = STATUS.search(line)
        wanted = found[1] if found else "0"
        told = shlex.quote(f"exit status $status, not {wanted}, of: {line}").replace("$status", "'$status'")
        parts.append(f"status=0; {{ {STATUS.sub('', line)}\n}} > {number}.printed || status=$?")
        parts.append(f"[ $status = {wanted} ] || {{ echo {told} >&2; exit 8; }}")
    return "\n".join(parts)


@pytest.mark.skipif(sys.platform == "win32", reason="bash")
def test_every_command_of_the_page_prints_what_the_page_says(tmp_path: Path) -> None:
    programs()
    port = free_ports(5)
    for name, words in {"calloff": "-m calloff", "python": ""}.items():
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        at = f'set -- mock --port {port} "${{@:2}}"' if name == "calloff" else ""
        program.write_text(f'#!/bin/bash\n{at}\nexec "{sys.executable}" {words} "$@"\n', "utf-8")
        program.chmod(0o755)
    folder = tmp_path / "project"
    folder.mkdir()
    wanted = [each for each in commands() if not each[0].startswith("pip ")]
    assert all(line.startswith("calloff mock ") for line, _ in wanted if line.startswith("calloff "))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CALLOFF_")}

    result = subprocess.run(
        ["bash", "-c", script([line for line, _ in wanted])],
        cwd=folder,
        env={**environment, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    for number, (line, shown) in enumerate(wanted):
        pattern = ".*".join(map(re.escape, "\n".join(shown).split("…")))
        printed = (folder / f"{number}.printed").read_text("utf-8").rstrip("\n")
        assert re.fullmatch(pattern, printed), f"{line}\nprinted {printed!r}"


def test_the_ports_are_those_that_the_page_names() -> None:
    port = next(parameter for parameter in command.params if parameter.name == "port")

    assert port.default == STARTED
    assert re.findall(r"^\| .* \| (86\d\d) \|", TEXT, re.MULTILINE) == ["8600", *map(str, range(8600, 8605))]


def test_every_option_that_the_page_names_exists() -> None:
    offered = {name for parameter in command.params for name in parameter.opts}
    others = {"--profile", "--cacert", "--times"}  # of calloff verify, curl and the crash test

    assert set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", TEXT)) - offered <= others


def test_every_option_of_the_command_is_on_the_page() -> None:
    offered = {name for parameter in command.params for name in parameter.opts}

    assert {name for name in offered if not re.search(rf"{name}\b", TEXT)} == set()


def test_every_file_that_the_page_links_exists() -> None:
    for target in re.findall(r"\]\((?!https:)([^)#]+)\)", TEXT):
        assert (PAGE.parent / target).exists(), target


def test_the_numbers_in_the_text_are_those_of_the_mock() -> None:
    assert TOKEN_SECONDS == 24 * 3600
    assert f"the last {LENGTH:,} requests" in TEXT
