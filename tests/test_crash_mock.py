"""A mock that is killed under load loses no acknowledged cancel, and the check would see it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "crash_mock.py"


@pytest.fixture(scope="module")
def crashes() -> ModuleType:
    spec = importlib.util.spec_from_file_location("crash_mock", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its module up by name.
    sys.modules["crash_mock"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_kill_under_load_loses_no_acknowledged_cancel(crashes: ModuleType, tmp_path: Path) -> None:
    notes: list[str] = []
    report = crashes.crash(3, tmp_path / "mock.sqlite", longest=0.2, note=notes.append)
    assert report.faults == []
    assert report.kills == len(notes) == 3
    assert report.asked[crashes.Asked.ACKNOWLEDGED] >= 3
    assert report.lines()[-1] == "nothing was lost"


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_mock_that_keeps_nothing_is_found_out(crashes: ModuleType) -> None:
    report = crashes.crash(1, None, longest=0.05)
    assert len(report.faults) >= report.asked.total() > 0
    assert any("status 404, although" in line for line in report.lines())


@pytest.mark.parametrize(
    ("asked", "right"),
    [
        ("NEVER", {"RUNNING"}),
        ("REFUSED", {"RUNNING"}),
        ("UNANSWERED", {"RUNNING", "CANCELLED"}),
        ("ACKNOWLEDGED", {"CANCELLED"}),
    ],
)
def test_what_was_asked_decides_which_state_is_right(
    crashes: ModuleType, asked: str, right: set[str]
) -> None:
    record = crashes.Record("otc-dli/cancelSqlJob", "1", "RUNNING", crashes.Asked[asked])
    seen = {state for state in ("RUNNING", "CANCELLED", "FINISHED", "status 404") if not record.fault(state)}
    assert seen == right
