"""docs/cancel.md is run as it stands, from its first line to its last, and prints what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_docs_languages import BLOCK, TYPED, shown
from test_docs_mock import commands, programs, script

from calloff.apis import OPERATIONS
from calloff.bulk.retries import FIRST_WAIT, LONGEST_PAUSE, LONGEST_WAIT, RULES
from calloff.bulk.run import Options
from calloff.cli.cancel import command as cancel
from calloff.cli.mock import command as mock
from calloff.cli.whoami import command as whoami
from calloff.credential_sources.variables import VARIABLE_SETS

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "cancel.md"
TEXT = PAGE.read_text("utf-8")
EXAMPLES = ROOT / "docs" / "examples"
PROGRAMS = ("cancel_many.py", "cancel_all.py")


@pytest.mark.skipif(sys.platform == "win32", reason="bash")
def test_every_command_of_the_page_prints_what_the_page_says(tmp_path: Path) -> None:
    programs()
    for name, words in {"calloff": "-m calloff", "python": ""}.items():
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        ports = '[ "$1" != mock ] || set -- mock --port 0 "${@:2}"' if name == "calloff" else ""
        program.write_text(f'#!/bin/bash\n{ports}\nexec "{sys.executable}" {words} "$@"\n', "utf-8")
        program.chmod(0o755)
    folder = tmp_path / "project"
    folder.mkdir()
    for name in PROGRAMS:
        shutil.copy(EXAMPLES / name, folder)
    wanted = [each for each in commands(TEXT) if not each[0].startswith("pip ")]
    known = ("CALLOFF_", "OS_", "TENCENTCLOUD_", "HUAWEICLOUD_", "HW_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(known)}

    result = subprocess.run(
        ["bash", "-c", script([line for line, _ in wanted])],
        cwd=folder,
        env={**environment, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    for number, (line, lines) in enumerate(wanted):
        pattern = ".*".join(map(re.escape, "\n".join(lines).split("…")))
        printed = (folder / f"{number}.printed").read_text("utf-8").rstrip("\n")
        assert re.fullmatch(pattern, printed), f"{line}\nprinted {printed!r}"


def test_the_programs_of_the_page_are_the_examples() -> None:
    blocks = [block for block in BLOCK.finditer(TEXT) if block["language"] not in TYPED]

    assert [block["source"] for block in blocks] == [f"docs/examples/{name}" for name in PROGRAMS]
    for block in blocks:
        assert block["code"] == shown(block["source"]), block["source"]


def test_the_table_of_answers_is_the_table_of_rules() -> None:
    rows = [f"| {rule.answer} | {rule.action} | {rule.result} |" for rule in RULES]

    assert "\n".join(["| what comes back | what is done | the job ends as |", "|---|---|---|", *rows]) in TEXT


def test_every_option_and_variable_that_the_page_names_exists() -> None:
    offered = {name for each in (cancel, whoami, mock) for one in each.params for name in one.opts}
    variables = {name for each in VARIABLE_SETS for names in each.variables.values() for name in names}

    assert set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", TEXT)) <= offered
    named = re.findall(r"`((?:CALLOFF|TENCENTCLOUD|HUAWEICLOUD|HW|OS)_\w+)`", TEXT)
    assert set(named) - variables == {"CALLOFF_BUCKET", "OS_CLOUD"}


def test_every_option_of_the_command_that_does_something_is_on_the_page() -> None:
    where = {
        "--project-id",
        "--host",
        "--ca-file",
        "--allow-http",
        "--timeout",
        "--iam-url",
        "--quiet",
        "-q",
        "-y",
    }
    offered = {name for one in cancel.params for name in one.opts if name.startswith("-")}

    assert {name for name in offered if not re.search(rf"{name}\b", TEXT)} <= where


def test_the_numbers_in_the_text_are_the_defaults() -> None:
    options = Options()

    assert f"{options.rate:g} requests leave in a second, {options.concurrency} are in flight" in TEXT
    assert f"(`--wait-timeout`, {options.wait_timeout:g} s)" in TEXT
    assert (options.attempts, options.give_up_after, LONGEST_PAUSE) == (
        5,
        20,
        120,
    )  # five, twenty, two minutes
    assert f"double from {FIRST_WAIT:g} s to {LONGEST_WAIT:g} s" in TEXT
    assert options.rate is not None
    assert f"Ten thousand jobs so take {10_000 / options.rate:.0f} s" in TEXT


def test_every_operation_is_named() -> None:
    assert {
        name.replace("/", " ") for name in OPERATIONS if f"`{name.replace('/', ' ')}`" not in TEXT
    } == set()


def test_every_file_that_the_page_links_exists() -> None:
    for target in re.findall(r"\]\((?!https:)([^)#]+)\)", TEXT):
        assert (PAGE.parent / target).exists(), target
