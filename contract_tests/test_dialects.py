"""A server that chooses differently where the vendor is silent is not blamed, and its choice is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from calloff.apis import APIS, OPERATIONS
from calloff.contract import load_catalogue
from calloff.verify.engine import Run
from calloff.verify.target import announced_targets

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from calloff.contract import SilentPoint

    StartMock = Callable[..., AbstractContextManager[dict[str, Any]]]

CATALOGUE = load_catalogue()

# Seeing the lock would take more failures in a row than the suite ever sends under a key.
NOT_OBSERVED = {"dli-key-lock"}


CHOICES = [
    pytest.param(point, choice, api, id=f"{point.id}={choice}-{api}")
    for point in CATALOGUE.silent_points.values()
    for choice in point.choices
    if choice != point.default
    for api in APIS
    if any(point.applies_to(operation.key) for operation in APIS[api].operations.values())
]


@pytest.mark.parametrize(("point", "choice", "api"), CHOICES)
def test_the_suite_accepts_and_records(
    point: SilentPoint, choice: str, api: str, start_mock: StartMock
) -> None:
    operations = [key for key in OPERATIONS if point.applies_to(key)]
    run = Run(CATALOGUE, operations=operations)
    with start_mock("--api", api, "--dialect", f"{point.id}={choice}") as announcement:
        run.verify(announced_targets(announcement))

    outcome = run.outcomes[api]
    assert [
        f"{v.requirement} ({v.case}): expected {v.expected}, got {v.received}" for v in outcome.violations
    ] == []
    assert outcome.accepted > 0
    if point.id not in NOT_OBSERVED:
        assert choice in outcome.observed[point.id].values()


def test_the_suite_records_every_default(start_mock: StartMock) -> None:
    run = Run(CATALOGUE, layers=["table", "races"])
    with start_mock() as announcement:
        run.verify(announced_targets(announcement))

    seen = {
        point: set(choices.values()) for o in run.outcomes.values() for point, choices in o.observed.items()
    }
    expected = {p.id: {p.default} for p in CATALOGUE.silent_points.values() if p.id not in NOT_OBSERVED}
    assert seen == expected
