"""calloff verify --self-check: what it tries, and that it fails where the suite does not find or blames."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from io import StringIO
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from calloff.apis import APIS, OPERATIONS
from calloff.cli.self_check import self_check
from calloff.cli.self_check.plan import covering_rows, suspects, variations
from calloff.cli.self_check.trials import Suspect, Trial, Variation
from calloff.contract import silent_points
from calloff.mock.mutants import MUTANTS

SQL = "huaweicloud-dli/cancelSqlJob"
UNSIGNED = Suspect("dli-unsigned-accepted", "dli-auth-missing", (SQL,))
# It breaks Spark batches only, so here the server is right.
INNOCENT = Suspect("dli-batch-msg-other", "dli-batch-deleted", (SQL,), ("table",))
# Its answers say that they are HTML: no choice of a right server.
BLAMED = Variation(
    "disturbance",
    "calls itself HTML",
    "huaweicloud-dli",
    disturbances=("content-type:content_type=text/html",),
    layers=("races",),
)
RIGHT = Variation(
    "choice",
    "dli-settle=later",
    "huaweicloud-dli",
    {"dli-settle": "later"},
    records={"dli-settle": "later"},
    layers=("races",),
)
UNSEEN = Variation(
    "choice",
    "dli-settle=later",
    "huaweicloud-dli",
    {"dli-settle": "at-once"},
    records={"dli-settle": "later"},
    layers=("races",),
)


def check(folder: Path, *trials: Trial, full: bool = False, workers: int = 0) -> tuple[int, str, Any]:
    printed = StringIO()
    console = Console(file=printed, soft_wrap=True, highlight=False)
    status = self_check(console, full=full, workers=workers, report_dir=folder, trials=trials)
    return status, printed.getvalue(), json.loads((folder / "self-check.json").read_text("utf-8"))


def test_every_mutant_found_and_no_server_blamed_gives_0(tmp_path: Path) -> None:
    status, printed, found = check(tmp_path, RIGHT, UNSIGNED)

    assert status == 0
    [mutant] = found["mutants"]
    assert (mutant["name"], mutant["requirement"], mutant["level"]) == (
        "dli-unsigned-accepted",
        "dli-auth-missing",
        "MUST",
    )
    assert list(mutant["operations"][SQL]["found"]) == ["table"]
    [choice] = [row for row in found["choices"] if row["runs"]]
    assert (choice["point"], choice["choice"], choice["recorded"], choice["blamed"]) == (
        "dli-settle",
        "later",
        True,
        0,
    )
    assert (found["problems"], found["exit_status"], found["stopped"]) == ([], 0, "")
    assert found["totals"]["found_by"] == {"table": 1, "model": 0, "schemathesis": 0}
    assert "1 mutants, 1 of 1 mutants by operation found" in printed
    page = (tmp_path / "self-check.md").read_text("utf-8")
    assert "| `dli-unsigned-accepted` | `dli-auth-missing` | MUST |  |  |  |  | T |" in page
    assert "| `dli-settle` | `later` |  | 1 | 0 | yes |" in page


def test_a_mutant_that_nothing_finds_is_listed_and_gives_1(tmp_path: Path) -> None:
    status, printed, found = check(tmp_path, INNOCENT)

    assert status == found["exit_status"] == 1
    [problem] = found["problems"]
    assert problem == (
        f"mutant dli-batch-msg-other on {SQL} is not found: "
        "expected dli-batch-deleted to be violated, nothing is violated"
    )
    assert f"BAD  {problem}" in printed
    assert problem in (tmp_path / "self-check.md").read_text("utf-8")


def test_a_mutant_found_under_another_requirement_is_not_found(tmp_path: Path) -> None:
    claimed = Suspect("dli-unsigned-accepted", "dli-sql-success-flag", (SQL,), ("table",))

    status, _, found = check(tmp_path, claimed)

    assert status == 1
    [problem] = found["problems"]
    assert f"mutant dli-unsigned-accepted on {SQL} is not found" in problem
    assert "dli-auth-missing" in problem.partition("only ")[2]


def test_a_server_that_is_blamed_is_listed_and_gives_1(tmp_path: Path) -> None:
    status, printed, found = check(tmp_path, BLAMED)

    assert status == 1
    [problem] = found["problems"]
    assert problem.startswith(
        "disturbance calls itself HTML (huaweicloud-dli, seed 0): blamed for dli-success-is-json"
    )
    assert problem in printed
    assert found["others"][0]["blamed"] == 1


def test_a_choice_that_is_not_recorded_is_listed_and_gives_1(tmp_path: Path) -> None:
    status, _, found = check(tmp_path, UNSEEN)

    assert status == 1
    [problem] = found["problems"]
    assert problem.endswith("not recorded: dli-settle: expected later, recorded at-once")


def test_a_server_that_accepts_nothing_proves_nothing(tmp_path: Path) -> None:
    refusing = replace(BLAMED, disturbances=("status",))

    status, _, found = check(tmp_path, refusing)

    assert status == 1
    assert "no cancel was ever accepted" in found["problems"][0]


def test_several_processes_find_the_same_in_the_same_order(tmp_path: Path) -> None:
    status, _, found = check(tmp_path, RIGHT, INNOCENT, UNSIGNED, workers=2)

    assert status == 1
    assert [mutant["name"] for mutant in found["mutants"]] == [INNOCENT.mutant, UNSIGNED.mutant]
    assert len(found["problems"]) == 1


def test_the_full_form_fills_each_column_by_itself(tmp_path: Path) -> None:
    # The model names no job of another project.
    mutant = Suspect("dli-job-of-any-project", "dli-project-isolation", (SQL,))
    trials = [replace(mutant, columns=(column,)) for column in ("table", "model")]

    status, printed, found = check(tmp_path, *trials, full=True)

    assert status == 0
    assert "2 of 2 tried, 0 problems" in printed
    cells = found["mutants"][0]["operations"][SQL]["found"]
    assert list(cells) == ["table", "model"]
    assert cells["table"].startswith(f"{SQL}/table/")
    assert cells["model"] == ""
    assert "| T- |" in (tmp_path / "self-check.md").read_text("utf-8")


def test_a_server_that_cannot_be_tried_is_listed_and_the_rest_is_tried(tmp_path: Path) -> None:
    no_mutant = Suspect("no-such-mutant", "dli-auth-missing", (SQL,))
    no_choice = replace(RIGHT, choices={"dli-settle": "never"})

    status, _, found = check(tmp_path, no_mutant, no_choice, UNSIGNED)

    assert status == 1
    [first, second] = found["problems"]
    assert f"mutant no-such-mutant on {SQL} is not found" in first
    assert "it could not be tried: InvalidInputError: no mutant 'no-such-mutant'" in first
    assert (
        "it could not be tried: InvalidInputError: silent point 'dli-settle' has no choice 'never'" in second
    )
    assert found["totals"]["found"] == 1


def test_a_report_that_cannot_be_written_is_told_and_kept_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    status = self_check(Console(file=StringIO()), full=False, workers=0, report_dir=gone, trials=[UNSIGNED])

    assert status == 3
    (saved,) = tmp_path.iterdir()
    assert capsys.readouterr().err == (
        f"calloff: the report could not be written to {gone}/self-check.json: No such file or directory; "
        f"all of it is in {saved}\n"
    )
    assert {path.name for path in saved.iterdir()} == {"self-check.json", "self-check.md"}


def test_ctrl_c_while_the_processes_begin_is_no_traceback(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(f"""
import signal; signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
from rich.console import Console
from calloff.cli.self_check import self_check
from calloff.cli.self_check.trials import Suspect
if __name__ == "__main__":
    print("begun")
    trials = [Suspect("dli-unsigned-accepted", "dli-auth-missing", ({SQL!r},))] * 2000
    raise SystemExit(self_check(
        Console(soft_wrap=True), full=False, workers=2, report_dir=Path({str(tmp_path)!r}), trials=trials
    ))
""")
    with subprocess.Popen(
        [sys.executable, "-u", str(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        while not Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[1:]:
            pass
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)

    assert (process.returncode, errors) == (3, "")


def test_ctrl_c_ends_it_with_what_is_known(tmp_path: Path) -> None:
    # A parallel test run ignores Ctrl-C, and what it starts inherits that.
    program = f"""
import signal; signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
from rich.console import Console
from calloff.cli.self_check import self_check
from calloff.cli.self_check.trials import Suspect
trials = [Suspect("dli-unsigned-accepted", "dli-auth-missing", ({SQL!r},))] * 2000
raise SystemExit(self_check(
    Console(soft_wrap=True), full=False, workers=2, report_dir=Path({str(tmp_path)!r}), trials=trials
))
"""
    with subprocess.Popen(
        [sys.executable, "-u", "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("10 of 2000 tried, 0 problems")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)

    assert process.returncode == 3, errors
    assert "Traceback" not in errors
    found = json.loads((tmp_path / "self-check.json").read_text("utf-8"))
    assert found["stopped"].startswith("interrupted; ")
    assert found["totals"]["found"] == 1


@pytest.mark.parametrize("full", [False, True])
def test_every_mutant_is_tried_on_every_operation_that_it_breaks(full: bool) -> None:
    tried = {(s.mutant, key, s.requirement) for s in suspects(full=full) for key in s.operations}

    assert tried == {
        (name, key, mutant.requirement)
        for name, mutant in MUTANTS.items()
        for key in OPERATIONS
        if mutant.concerns(key)
    }
    columns = {s.columns for s in suspects(full=full)}
    assert columns == (
        {("table",), ("model",), ("schemathesis",)} if full else {("table", "model", "schemathesis")}
    )


def test_every_choice_is_tried_at_every_api_that_it_concerns_with_every_seed() -> None:
    tried = {
        (point, choice, variation.api, variation.seed)
        for variation in variations(full=False, seeds=3)
        for point, choice in variation.choices.items()
    }

    assert tried == {
        (point.id, choice, api, seed)
        for point in silent_points().values()
        for choice in point.choices
        for api in APIS
        for seed in range(3)
        if any(point.applies_to(operation.key) for operation in APIS[api].operations.values())
    }


def test_a_choice_is_to_be_recorded_unless_no_suite_can_see_it() -> None:
    unseen = {
        point
        for variation in variations(full=False, seeds=1)
        for point in variation.choices
        if variation.kind == "choice" and variation.budget == "quick" and point not in variation.records
    }

    assert unseen == {"dli-key-lock"}


def test_only_operations_of_the_api_are_asked_for() -> None:
    for variation in variations(full=True, seeds=1):
        assert {OPERATIONS[key].api for key in variation.operations} <= {variation.api}


def test_what_goes_wrong_with_several_seeds_is_listed_once(tmp_path: Path) -> None:
    status, _, found = check(tmp_path, UNSEEN, replace(UNSEEN, seed=2))

    assert status == 1
    assert len(found["problems"]) == 1
    assert found["problems"][0].startswith(
        "choice dli-settle=later (huaweicloud-dli, seed 0, 2): not recorded"
    )


def test_pairs_of_choices_are_tried_in_the_full_form_only() -> None:
    def kinds(*, full: bool) -> set[str]:
        return {variation.kind for variation in variations(full=full, seeds=1)}

    assert kinds(full=False) == {"choice", "disturbance"}
    assert kinds(full=True) == {"choice", "disturbance", "pair"}


@pytest.mark.parametrize("seed", range(3))
def test_every_pair_of_choices_stands_in_a_row(seed: int) -> None:
    choices = {"a": ("1", "2", "3", "4"), "b": ("1", "2"), "c": ("x", "y", "z"), "d": ("only",)}

    rows = list(covering_rows(choices, seed))

    for p, q in combinations(choices, 2):
        assert {(row[p], row[q]) for row in rows} == {(one, two) for one in choices[p] for two in choices[q]}
    assert 12 <= len(rows) < 24, "no fewer can cover a and c; one per pair of values needs no algorithm"
    assert list(covering_rows(choices, seed)) == rows
