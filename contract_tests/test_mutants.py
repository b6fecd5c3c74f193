"""Every wrong server is found, by the requirement that it breaks."""

from __future__ import annotations

import json
import subprocess
import sys
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest

from calloff.apis import OPERATIONS
from calloff.verify.catalogue import load_catalogue
from calloff.verify.engine import LAYERS, Run
from calloff.verify.target import announced_targets

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    StartMock = Callable[..., AbstractContextManager[dict[str, Any]]]

CATALOGUE = load_catalogue()
MUTANTS: list[dict[str, Any]] = json.loads(
    subprocess.run(
        [sys.executable, "-m", "calloff.cli", "mock", "--list-mutants", "--json"],
        check=True,
        capture_output=True,
    ).stdout
)


def operations_of(mutant: dict[str, Any]) -> list[str]:
    return [key for key in OPERATIONS if any(fnmatchcase(key, pattern) for pattern in mutant["operations"])]


CASES = [
    pytest.param(mutant, key, id=f"{mutant['name']}-{key}")
    for mutant in MUTANTS
    for key in operations_of(mutant)
]


@pytest.mark.parametrize(("mutant", "key"), CASES)
def test_the_suite_finds(mutant: dict[str, Any], key: str, start_mock: StartMock) -> None:
    with start_mock("--api", OPERATIONS[key].api, "--mutant", mutant["name"]) as announcement:
        # The cheap layers first; a mutant may need a later one.
        for layer in LAYERS:
            run = Run(CATALOGUE, operations=[key], layers=[layer])
            run.verify(announced_targets(announcement))
            found = {violation.requirement for violation in run.outcomes[OPERATIONS[key].api].violations}
            if mutant["requirement"] in found:
                return
    pytest.fail(
        f"{mutant['name']} breaks {mutant['requirement']}, and the suite blamed {sorted(found) or 'nothing'}"
    )


def found_by_schemathesis(prototype: str, key: str, start_mock: StartMock) -> bool:
    mutant = next(m for m in MUTANTS if m["prototype"] == prototype and key in operations_of(m))
    with start_mock("--api", OPERATIONS[key].api, "--mutant", mutant["name"]) as announcement:
        run = Run(CATALOGUE, operations=[key], layers=["fuzz"])
        run.verify(announced_targets(announcement))
    return mutant["requirement"] in {v.requirement for v in run.outcomes[OPERATIONS[key].api].violations}


DLI_PROTOTYPES = [f"M{number:02}" for number in (*range(1, 17), 18)]
CI_PROTOTYPES = [f"X{number:02}" for number in range(1, 13)]


@pytest.mark.parametrize(
    ("key", "prototypes", "at_least"),
    [("otc-dli/cancelSqlJob", DLI_PROTOTYPES, 13), ("tencent-ci/cancelAiJob", CI_PROTOTYPES, 5)],
)
def test_the_schemathesis_layer_alone_finds_its_share(
    key: str, prototypes: list[str], at_least: int, start_mock: StartMock
) -> None:
    """X11 is a choice where the vendor is silent, so it has no mutant and counts as not found."""
    known = {m["prototype"] for m in MUTANTS if key in operations_of(m)}
    found = [p for p in prototypes if p in known and found_by_schemathesis(p, key, start_mock)]

    assert set(prototypes) - known <= {"X11"}
    assert len(found) >= at_least, f"found only {found}"
