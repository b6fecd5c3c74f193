"""The bench: what it makes of its measurements, and how it says that a floor was missed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from calloff.mock.server import run_embedded

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


def measured(bench: ModuleType) -> dict[str, Any]:
    def runs(*rows: tuple[int, int, float]) -> list[object]:
        return [bench.Measured(*row) for row in rows]

    contenders = {
        "standard": runs((800, 3200, 4.0), (800, 3200, 2.0), (800, 3200, 8.0)),
        "quick": runs((100, 300, 1.0), (100, 300, 1.0), (100, 300, 1.0)),
        "schemathesis": runs((200, 300, 5.0), (200, 300, 4.0), (200, 300, 5.0)),
    }
    summary: dict[str, Any] = bench.summary({"otc-dli": contenders})
    return summary


def test_a_ratio_compares_the_runs_of_the_same_repetition(bench: ModuleType) -> None:
    of_api = measured(bench)["otc-dli"]

    assert of_api["ratios"]["standard"]["api"] == {"min": 2.5, "median": 5.0, "max": 8.0}
    assert of_api["ratios"]["quick"]["api"] == {"min": 2.0, "median": 2.5, "max": 2.5}
    assert of_api["ratios"]["quick"]["all"] == {"min": 4.0, "median": 5.0, "max": 5.0}
    assert of_api["contenders"]["schemathesis"]["rate"] == {
        "api": {"min": 40.0, "median": 40.0, "max": 50.0},
        "all": {"min": 60.0, "median": 60.0, "max": 75.0},
    }


@pytest.mark.parametrize(
    ("count", "floor", "missed"),
    [
        ("all", 5.0, []),
        ("all", 5.1, ["otc-dli, quick: the median ratio of all requests is 5.00, under 5.1"]),
        ("api", 5.0, ["otc-dli, quick: the median ratio of requests to the API alone is 2.50, under 5"]),
    ],
)
def test_a_median_under_its_floor_is_told(
    bench: ModuleType, count: str, floor: float, missed: list[str]
) -> None:
    assert bench.below(measured(bench), floor, count) == missed


def test_the_reason_gives_both_counts(bench: ModuleType) -> None:
    assert bench.why(measured(bench), "otc-dli", "quick") == (
        "each request to the API comes with 2.0 that make its jobs and read them and their bystanders back, "
        "with schemathesis 0.5"
    )


def test_what_the_mock_answers_is_counted(bench: ModuleType) -> None:
    with run_embedded(["otc-dli"]) as server, httpx.Client(trust_env=False) as client:
        place = server.announcement["apis"]["otc-dli"]["base_url"]

        def run() -> float:
            for url in (place, place, server.announcement["provider_states_url"]):
                client.get(url)
            return 0.5

        counted = bench.counted("otc-dli", server.announcement, run)

    assert counted == bench.Measured(2, 3, 0.5)


def test_the_table_has_a_line_for_each_contender(bench: ModuleType) -> None:
    lines = bench.table(measured(bench)).splitlines()

    assert [line.split()[:2] for line in lines[2:-1]] == [
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
