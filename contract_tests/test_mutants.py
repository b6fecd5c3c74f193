"""Every wrong server is found, by the requirement that it breaks."""

from __future__ import annotations

import json
import subprocess
import sys
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest

from calloff.apis import OPERATIONS
from calloff.contract import load_catalogue
from calloff.verify.engine import Run, checks, run_check
from calloff.verify.session import Session
from calloff.verify.target import announced_targets

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from calloff.apis import Operation

    StartMock = Callable[..., AbstractContextManager[dict[str, Any]]]

CATALOGUE = load_catalogue()
MUTANTS: list[dict[str, Any]] = json.loads(
    subprocess.run(
        [sys.executable, "-m", "calloff.cli", "mock", "--list-mutants", "--json"],
        check=True,
        capture_output=True,
    ).stdout
)


# Seconds; the slowest correct dialect of the mock needs 0.15.
SETTLE = 0.6


def operations_of(mutant: dict[str, Any]) -> list[str]:
    return [key for key in OPERATIONS if any(fnmatchcase(key, pattern) for pattern in mutant["operations"])]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant["name"])
def test_the_suite_finds_on_every_operation(mutant: dict[str, Any], start_mock: StartMock) -> None:
    with start_mock("--mutant", mutant["name"]) as announcement:
        targets = {t.api.name: t for t in announced_targets(announcement, settle=SETTLE)}
        blamed = {
            key: find(
                mutant["requirement"], Session(targets[OPERATIONS[key].api], CATALOGUE), OPERATIONS[key]
            )
            for key in operations_of(mutant)
        }

        for target in targets.values():
            target.close()

    assert blamed
    assert {key: found for key, found in blamed.items() if mutant["requirement"] not in found} == {}


def find(requirement: str, session: Session, operation: Operation) -> set[str]:
    """Run the checks of an operation, those first that name *requirement*, until it is found broken."""
    for check in sorted(checks(operation), key=lambda check: requirement not in check.requirements):
        run_check(check, session)
        if session.outcome.violated(requirement, operation.key):
            return {requirement}
    return {violation.requirement for violation in session.outcome.violations}


def found_by_schemathesis(prototype: str, key: str, start_mock: StartMock) -> bool:
    mutant = next(m for m in MUTANTS if prototype in prototypes_of(m) and key in operations_of(m))
    with start_mock("--api", OPERATIONS[key].api, "--mutant", mutant["name"]) as announcement:
        run = Run(CATALOGUE, operations=[key], layers=["fuzz"])
        run.verify(announced_targets(announcement))
    return bool(run.outcomes[OPERATIONS[key].api].violated(mutant["requirement"], key))


def prototypes_of(mutant: dict[str, Any]) -> list[str]:
    return [name.strip() for name in mutant["prototype"].split(",")]


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
    known = {name for m in MUTANTS if key in operations_of(m) for name in prototypes_of(m)}
    found = [p for p in prototypes if p in known and found_by_schemathesis(p, key, start_mock)]

    assert set(prototypes) - known <= {"X11"}
    assert len(found) >= at_least, f"found only {found}"
