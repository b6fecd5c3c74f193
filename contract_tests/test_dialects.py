"""A server that chooses differently where the vendor is silent is not blamed, and its choice is seen."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest

from calloff.apis import OPERATIONS
from calloff.verify.catalogue import load_catalogue
from calloff.verify.engine import Run
from calloff.verify.target import announced_targets

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

CATALOGUE = load_catalogue()

# Seeing the lock would take more failures in a row than the suite ever sends under a key.
NOT_OBSERVED = {"dli-key-lock"}

CHOICES = [
    pytest.param(point, choice, api, id=f"{point.id}={choice}-{api}")
    for point in CATALOGUE.silent_points.values()
    for choice in point.choices
    for api in sorted(
        {op.api for op in OPERATIONS.values() if any(fnmatchcase(op.key, p) for p in point.operations)}
    )
]


@pytest.mark.parametrize(("point", "choice", "api"), CHOICES)
def test_the_suite_accepts_and_records(
    point: Any, choice: str, api: str, start_mock: Callable[..., AbstractContextManager[dict[str, Any]]]
) -> None:
    operations = [
        op.key for op in OPERATIONS.values() if any(fnmatchcase(op.key, p) for p in point.operations)
    ]
    run = Run(CATALOGUE, operations=operations)
    with start_mock("--api", api, "--dialect", f"{point.id}={choice}") as announcement:
        run.verify(announced_targets(announcement))

    outcome = run.outcomes[api]
    assert [
        f"{v.requirement} ({v.case}): expected {v.expected}, received {v.received}"
        for v in outcome.violations
    ] == []
    assert outcome.accepted > 0
    if point.id not in NOT_OBSERVED:
        assert outcome.observed.get(point.id) == choice
