"""What the README of a bundle says to type, typed in a bundle."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest
import toolchain
from test_collections import Runners, runners, scripts

__all__ = ["runners", "scripts"]  # fixtures


def test_the_commands_of_the_readme_check_the_bundle_and_run_the_collections(
    runners: Runners, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(toolchain.ROOT / "scripts"))
    assert importlib.import_module("bundle").main([str(tmp_path)]) == 0
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    blocks = re.findall(
        r"^```console\n(.*?)^```$", (folder / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    script = re.sub(r"^\$ ", "", "".join(blocks), flags=re.MULTILINE)
    tools = runners.folder / "node_modules" / ".bin"
    # Installed already; and no port that somebody else has.
    for typed, run in (
        ("pip install 'calloff[mock]'\n", ""),
        ("npx newman@6.2.2", str(tools / "newman")),
        ("npx -p @usebruno/cli@4.1.0 bru", str(tools / "bru")),
        ("calloff mock --json", f"{sys.executable} -m calloff mock --json --port 0"),
        ("kill $!; wait $!", "kill $!; wait $! || true"),
    ):
        assert script.count(typed) == 1, typed
        script = script.replace(typed, run)

    told = toolchain.build("bash", "-ec", "trap 'kill $!' ERR\n" + script, folder=folder)

    assert told.count("the cancel is accepted") == 4
    assert told.count("the document describes the answer") == 16
    assert re.search(r"assertions[^\d]+14[^\d]+0", told)
