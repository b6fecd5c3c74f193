"""Every check of the suite against the server under test, one test each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from calloff.verify.engine import Check, checks, run_check
from calloff.verify.pytest_plugin import every_check

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from calloff.verify.session import Session


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of every check, of the API under test only where --api names one."""
    if "check" in metafunc.fixturenames:
        api = metafunc.config.getoption("--api")
        mark = every_check(*([api] if api else []))
        metafunc.parametrize(*mark.args, **mark.kwargs)


def test_the_server_keeps_every_requirement_of(check: Check, calloff_verify: Callable[[Check], None]) -> None:
    calloff_verify(check)


def test_at_least_one_cancel_was_accepted_by_every_api(calloff_sessions: dict[str, Session]) -> None:
    """A run in which nothing was ever accepted verified nothing."""
    for session in calloff_sessions.values():
        for check in checks(next(iter(session.target.api.operations.values())), ["races"]):
            run_check(check, session)
        assert session.outcome.accepted > 0
