"""The bench: what it makes of its measurements, and how it says that a floor was missed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "bench_verify.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_verify", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its module up by name.
    sys.modules["bench_verify"] = module
    spec.loader.exec_module(module)
    return module


def measured(bench: ModuleType) -> dict[str, object]:
    def runs(*pairs: tuple[int, float]) -> list[object]:
        return [bench.Measured(requests, seconds) for requests, seconds in pairs]

    contenders = {
        "standard": runs((800, 4.0), (800, 2.0), (800, 8.0)),
        "quick": runs((100, 1.0), (100, 1.0), (100, 1.0)),
        "schemathesis": runs((200, 5.0), (200, 4.0), (200, 5.0)),
    }
    summary: dict[str, object] = bench.summary({"otc-dli": contenders})
    return summary


def test_a_ratio_compares_the_runs_of_the_same_repetition(bench: ModuleType) -> None:
    of_api = measured(bench)["otc-dli"]

    assert isinstance(of_api, dict)
    assert of_api["ratios"]["standard"] == {"min": 2.5, "median": 5.0, "max": 8.0}
    assert of_api["ratios"]["quick"] == {"min": 2.0, "median": 2.5, "max": 2.5}
    assert of_api["contenders"]["schemathesis"]["rate"] == {"min": 40.0, "median": 40.0, "max": 50.0}


@pytest.mark.parametrize(
    ("floors", "missed"),
    [
        ({"standard": None, "quick": None}, []),
        ({"standard": 5.0, "quick": 2.5}, []),
        (
            {"standard": 5.1, "quick": None},
            ["otc-dli, standard: the median ratio is 5.00, under the floor of 5.1"],
        ),
        ({"standard": 5.0, "quick": 3.0}, ["otc-dli, quick: the median ratio is 2.50, under the floor of 3"]),
    ],
)
def test_a_median_under_its_floor_is_told(
    bench: ModuleType, floors: dict[str, float | None], missed: list[str]
) -> None:
    assert bench.below(measured(bench), floors) == missed


def test_the_table_has_a_line_for_each_contender(bench: ModuleType) -> None:
    lines = bench.table(measured(bench)).splitlines()

    assert [line.split()[:2] for line in lines[1:-1]] == [
        ["otc-dli", "standard"],
        ["otc-dli", "quick"],
        ["otc-dli", "schemathesis"],
    ]


def test_a_command_that_fails_ends_the_bench(bench: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        bench.timed([sys.executable, "-c", "print('no luck'); raise SystemExit(3)"], tmp_path)

    assert "ended with 3" in str(caught.value)
    assert "no luck" in str(caught.value)


def test_no_repetition_is_refused(bench: ModuleType) -> None:
    with pytest.raises(SystemExit) as caught:
        bench.main(["--repetitions", "0"])

    assert caught.value.code == 2
