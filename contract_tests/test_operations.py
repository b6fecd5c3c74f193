"""Every check of the suite against the server under test, one test each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from calloff.apis import OPERATIONS
from calloff.verify.engine import Check, checks, run_check

if TYPE_CHECKING:
    from calloff.verify.session import Session


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of every check, of the API under test only where --api names one."""
    if "check" in metafunc.fixturenames:
        api = metafunc.config.getoption("--api")
        found = [check for op in OPERATIONS.values() if api in {None, op.api} for check in checks(op)]
        ids = [f"{check.operation.key}-{check.layer}-{check.name}" for check in found]
        metafunc.parametrize("check", found, ids=ids)


def test_the_server_keeps_every_requirement_of(check: Check, sessions: dict[str, Session]) -> None:
    outcome = sessions[check.operation.api].outcome
    violations, skips = len(outcome.violations), len(outcome.skips)

    run_check(check, sessions[check.operation.api])

    assert [
        f"{v.requirement}: expected {v.expected}, received {v.received}"
        for v in outcome.violations[violations:]
    ] == []
    if len(outcome.skips) > skips:
        pytest.skip(outcome.skips[-1].reason)


def test_at_least_one_cancel_was_accepted_by_every_api(sessions: dict[str, Session]) -> None:
    """A run in which nothing was ever accepted verified nothing."""
    for session in sessions.values():
        for check in checks(next(iter(session.target.api.operations.values())), ["races"]):
            run_check(check, session)
        assert session.outcome.accepted > 0
