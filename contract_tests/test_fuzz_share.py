"""The schemathesis layer by itself finds its share of what stock fuzzing was once measured on."""

from __future__ import annotations

import json
import subprocess
import sys
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest

from calloff.apis import OPERATIONS
from calloff.contract import load_catalogue
from calloff.verify.engine import Run
from calloff.verify.provider_states import announced_targets

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    StartMock = Callable[..., AbstractContextManager[dict[str, Any]]]

MUTANTS: list[dict[str, Any]] = json.loads(
    subprocess.run(
        [sys.executable, "-m", "calloff", "mock", "--list-mutants", "--json"],
        check=True,
        capture_output=True,
    ).stdout
)
DLI_PROTOTYPES = [f"M{number:02}" for number in (*range(1, 17), 18)]
CI_PROTOTYPES = [f"X{number:02}" for number in range(1, 13)]


def prototypes_of(mutant: dict[str, Any]) -> list[str]:
    return [name.strip() for name in mutant["prototype"].split(",")]


def concerns(mutant: dict[str, Any], key: str) -> bool:
    return any(fnmatchcase(key, pattern) for pattern in mutant["operations"])


def found_by_schemathesis(prototype: str, key: str, start_mock: StartMock) -> bool:
    mutant = next(m for m in MUTANTS if prototype in prototypes_of(m) and concerns(m, key))
    with start_mock("--api", OPERATIONS[key].api, "--mutant", mutant["name"]) as announcement:
        run = Run(load_catalogue(), operations=[key], layers=["fuzz"])
        run.verify(announced_targets(announcement))
    return bool(run.outcomes[OPERATIONS[key].api].violated(mutant["requirement"], key))


@pytest.mark.parametrize(
    ("key", "prototypes", "at_least"),
    [("otc-dli/cancelSqlJob", DLI_PROTOTYPES, 13), ("tencent-ci/cancelAiJob", CI_PROTOTYPES, 5)],
)
def test_the_schemathesis_layer_alone_finds(
    key: str, prototypes: list[str], at_least: int, start_mock: StartMock
) -> None:
    """X11 is a choice where the vendor is silent, so it has no mutant and counts as not found."""
    known = {name for m in MUTANTS if concerns(m, key) for name in prototypes_of(m)}
    found = [p for p in prototypes if p in known and found_by_schemathesis(p, key, start_mock)]

    assert set(prototypes) - known <= {"X11"}
    assert len(found) >= at_least, f"found only {found}"
