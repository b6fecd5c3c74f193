"""A run that is killed and resumed tells the truth about every job, and the check would see a lie."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
CI, BATCH, SQL = "tencent-ci/cancelAiJob", "otc-dli/cancelBatchJob", "otc-dli/cancelSqlJob"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


@pytest.fixture(scope="module")
def crashes() -> ModuleType:
    # Dataclasses look their module up by name, and the one script imports the other.
    for name in ("crash_mock", "crash_cancel"):
        spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return module


def test_runs_that_are_killed_and_resumed_tell_the_truth(crashes: ModuleType, tmp_path: Path) -> None:
    notes: list[str] = []
    report = crashes.crash(2, tmp_path, size=60, note=notes.append)
    assert report.faults == []
    assert report.trials == len(notes) == 2
    assert report.kills + report.late >= 2
    assert report.told == {"cancelled": 2 * 51, "refused": 2 * 6}
    assert report.missed == 0
    assert report.lines()[-1] == "each job has one outcome, and it is true"


class FakeObserver:
    """Knows the states and the cancels that it is told."""

    def __init__(self, states: dict[str, str]) -> None:
        self.states = states
        self.announced: dict[str, Any] = {
            "apis": {
                api: {"base_url": "", "host": "", "credentials": {"secret_id": "", "secret_key": ""}}
                for api in ("tencent-ci", "otc-dli")
            }
        }

    def state(self, operation: str, job_id: str) -> str:
        return self.states[job_id]


def held(
    crashes: ModuleType, folder: Path, operation: str, rule: str, **jobs: tuple[str, str, str]
) -> list[str]:
    """Hold outcomes, each with the state of its job and ``open`` or ``ended``; give the ids found wrong."""
    kinds = {kind: [name for name, job in jobs.items() if job[2] == kind] for kind in ("open", "ended")}
    observer, report = FakeObserver({name: job[1] for name, job in jobs.items()}), crashes.Report()
    given = crashes.Jobs(kinds["open"], kinds["ended"], [])
    chance = random.Random(0)  # noqa: S311 - the order of a list
    trial = crashes.Trial(observer, operation, given, folder, chance, report, trouble="calm", name="1")
    told = [{"job_id": name, "result": job[0], "reason": ""} for name, job in jobs.items()]
    trial._hold(told, getattr(trial, rule))
    return [fault.partition("calm), ")[2].partition(":")[0] for fault in report.faults]


def test_what_is_told_while_something_disturbs_must_be_true(crashes: ModuleType, tmp_path: Path) -> None:
    wrong = held(
        crashes,
        tmp_path,
        SQL,
        "_could_be_right",
        right1=("cancelled", "CANCELLED", "open"),
        right2=("refused", "FINISHED", "ended"),
        right3=("not-sent", "LAUNCHING", "open"),
        right4=("unknown", "CANCELLED", "open"),
        right5=("unknown", "LAUNCHING", "open"),
        runs_and_was_called_cancelled=("cancelled", "LAUNCHING", "open"),
        ended_and_was_called_cancelled=("cancelled", "FINISHED", "ended"),
        was_cancelled_and_called_refused=("refused", "CANCELLED", "open"),
        was_cancelled_and_called_not_sent=("not-sent", "CANCELLED", "open"),
    )
    assert wrong == [
        "runs_and_was_called_cancelled",
        "ended_and_was_called_cancelled",
        "was_cancelled_and_called_refused",
        "was_cancelled_and_called_not_sent",
    ]


@pytest.mark.parametrize(("operation", "cancelled"), [(CI, "Cancel"), (BATCH, "dead"), (SQL, "CANCELLED")])
def test_what_is_told_in_the_end_must_be_settled(
    crashes: ModuleType, tmp_path: Path, operation: str, cancelled: str
) -> None:
    over = {CI: "Failed", BATCH: "success", SQL: "FINISHED"}[operation]
    runs = {CI: "Submitted", BATCH: "starting", SQL: "LAUNCHING"}[operation]
    wrong = held(
        crashes,
        tmp_path,
        operation,
        "_must_be",
        right1=("cancelled", cancelled, "open"),
        right2=("refused", over, "ended"),
        unknown=("unknown", cancelled, "open"),
        refused=("refused", runs, "open"),
        unsent=("not-sent", runs, "open"),
        open_still=("unknown", runs, "open"),
        ended_and_unknown=("unknown", over, "ended"),
    )
    settled = ["refused", "unsent", "open_still", "ended_and_unknown"]
    assert wrong == (settled if operation == BATCH else ["unknown", *settled])


def test_an_outcome_too_many_or_too_few_is_found(crashes: ModuleType, tmp_path: Path) -> None:
    report = crashes.Report()
    jobs = crashes.Jobs(["a", "b"], [], [])
    observer = FakeObserver({"a": "CANCELLED", "b": "CANCELLED"})
    chance = random.Random(0)  # noqa: S311 - the order of a list
    trial = crashes.Trial(observer, SQL, jobs, tmp_path, chance, report, trouble="calm", name="1")
    told = [{"job_id": "a", "result": "cancelled", "reason": ""}] * 2
    trial._hold(told, trial._must_be)
    assert report.faults == [f"trial 1, {SQL} (calm), all: 2 ids were given and 2 outcomes told"]
    assert report.lines()[-1].startswith("WRONG: trial 1")
