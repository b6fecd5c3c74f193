"""Where the suite runs: against --base-url, else against a mock in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from calloff.apis import APIS
from calloff.errors import CalloffError
from calloff.verify.given import given_target
from calloff.verify.provider_states import announced_targets
from calloff.verify.target import CannotSupplyError, Target, TargetError
from calloff.verify.wire import TargetLostError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

pytest_plugins = ["calloff.verify.pytest_plugin"]

Announcement = dict[str, Any]
TARGET = pytest.StashKey[Target]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("calloff")
    group.addoption("--base-url", help="server under test; without it a mock is started")
    group.addoption("--api", choices=list(APIS), help="the API that --base-url serves")
    group.addoption("--host", help="Host header to send, where it differs from the base URL's")
    group.addoption("--project-id", help="project of the credentials (DLI)")
    group.addoption("--provider-states", help="where the server supplies jobs in a wanted state")


def pytest_configure(config: pytest.Config) -> None:
    if bool(config.getoption("--base-url")) != bool(config.getoption("--api")):
        raise pytest.UsageError("--base-url and --api go together")
    if base_url := config.getoption("--base-url"):
        try:
            config.stash[TARGET] = given_target(
                [config.getoption("--api")],
                base_url,
                host=config.getoption("--host"),
                project_id=config.getoption("--project-id"),
                provider_states=config.getoption("--provider-states"),
            )
        except (CalloffError, CannotSupplyError, TargetError, TargetLostError) as error:
            raise pytest.UsageError(str(error)) from error


def pytest_unconfigure(config: pytest.Config) -> None:
    if target := config.stash.get(TARGET, None):
        target.close()


@contextmanager
def running_mock(*options: str) -> Iterator[Announcement]:
    """Run ``calloff mock`` on free ports and yield its announcement."""
    command = [sys.executable, "-m", "calloff", "mock", "--json", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            line = process.stdout.readline()
            if not line:
                pytest.fail(f"the mock did not start: {process.stderr.read()}")
            yield json.loads(line)
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def start_mock() -> Callable[..., AbstractContextManager[Announcement]]:
    return running_mock


@pytest.fixture(scope="session")
def calloff_targets(request: pytest.FixtureRequest) -> Iterator[list[Target]]:
    """Give the servers under test, one per API."""
    if target := request.config.stash.get(TARGET, None):
        yield [target]
        return
    with running_mock() as announcement:
        targets = announced_targets(announcement)
        yield targets
        for target in targets:
            target.close()
