"""The soak of the mock: a short one finds nothing, and each thing that it holds is named when it does not hold."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "soak_mock.py"
HELD = {
    "growth": 0.01,
    "unplanned": 0,
    "tracebacks": 0,
    "refused": 0,
    "idle": {"open": 10, "served": 10, "waited_median": 1.0, "waited_most": 2.0},
}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


@pytest.fixture(scope="module")
def soak() -> ModuleType:
    spec = importlib.util.spec_from_file_location("soak_mock", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its module up by name.
    sys.modules["soak_mock"] = module
    spec.loader.exec_module(module)
    return module


def test_a_short_soak_finds_no_fault(soak: ModuleType) -> None:
    measured = soak.soak(2000, 0, 0, 100)
    assert measured["requests"] >= 2000
    # Its rounds are too short to tell growth from warming up.
    assert soak.faults(measured | {"growth": 0.0}) == []
    assert {"200", "400", "401", "404"} <= measured["statuses"].keys()
    assert f"{measured['requests']:,} requests in " in soak.table(measured)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"growth": 0.051}, "memory grew by 5.1% from the second round to the last, over 5%"),
        ({"unplanned": 2}, "2 answers were 500 or above"),
        ({"tracebacks": 1}, "1 answers show a traceback"),
        ({"refused": 3}, "3 requests were refused that are good, or accepted that are not"),
        ({"idle": {"open": 10, "served": 9}}, "of 10 idle connections 1 were not served"),
    ],
)
def test_what_does_not_hold_is_named(soak: ModuleType, wrong: dict[str, object], named: str) -> None:
    assert soak.faults(HELD) == []
    assert soak.faults(HELD | wrong) == [named]
