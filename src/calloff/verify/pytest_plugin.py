"""The suite as tests of pytest, for teams that live there.

In ``conftest.py``, ``pytest_plugins = ["calloff.verify.pytest_plugin"]`` and a fixture ``calloff_targets`` of session
scope that gives the servers under test, one per API. Then, in any test file::

    @every_check("otc-dli")
    def test_the_server_conforms(check, calloff_verify):
        calloff_verify(check)

A broken requirement fails the test, with what was expected and received and the request that shows it; what the
server cannot supply skips it. Neither message holds a secret. Works with pytest-xdist, a process being a run of its
own; under a key that the gateway could lock use no more than one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from calloff.apis import APIS
from calloff.contract import load_catalogue
from calloff.errors import InvalidInputError
from calloff.verify import preflight
from calloff.verify.checks import LAYERS, Budget, Check, Layer, checks, run_check
from calloff.verify.redact import Redactor
from calloff.verify.session import Session
from calloff.verify.target import TargetError
from calloff.verify.wire import TargetLostError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from calloff.verify.outcome import Violation
    from calloff.verify.target import Target


def every_check(
    *apis: str,
    operations: Sequence[str] = (),
    layers: Iterable[Layer] = LAYERS,
    budget: Budget = "standard",
    seed: int = 0,
) -> pytest.MarkDecorator:
    """Parametrise a test, which takes ``check``, with every check of *apis*; naming none takes all three.

    *operations* (names, as in ``cancelSqlJob``) and *layers* leave the others out; *budget* is ``quick``, ``standard``
    or ``deep``. Raises InvalidInputError where an API or an operation does not exist.
    """
    if unknown := [name for name in apis if name not in APIS]:
        msg = f"no API {unknown[0]!r}; there are: {', '.join(APIS)}"
        raise InvalidInputError(msg)
    offered = [
        operation
        for name, api in APIS.items()
        if name in (apis or APIS)
        for operation in api.operations.values()
    ]
    if unknown := [name for name in operations if name not in {operation.name for operation in offered}]:
        msg = f"no operation {unknown[0]!r}; there are: {', '.join(sorted({each.name for each in offered}))}"
        raise InvalidInputError(msg)
    found = [
        check
        for operation in offered
        if not operations or operation.name in operations
        for check in checks(operation, tuple(layers), seed=seed, budget=budget)
    ]
    return pytest.mark.parametrize("check", found, ids=[check.id for check in found])


@pytest.fixture(scope="session")
def calloff_targets() -> Sequence[Target]:
    """Give the servers under test; a project defines its own fixture of this name."""
    msg = (
        "expected a fixture calloff_targets of session scope that returns a list of targets; see given_target"
    )
    raise InvalidInputError(msg)


@pytest.fixture(scope="session")
def calloff_sessions(calloff_targets: Sequence[Target]) -> dict[str, Session]:
    """Give what the checks of one API share, by the name of the API; every target is examined first."""
    catalogue = load_catalogue()
    for target in calloff_targets:
        if problem := preflight.examine(target, catalogue).problem:
            pytest.fail(f"could not verify {target.api.name}: {problem}", pytrace=False)
    return {target.api.name: Session(target, catalogue) for target in calloff_targets}


@pytest.fixture
def calloff_verify(calloff_sessions: dict[str, Session]) -> Callable[[Check], None]:
    """Give a function that runs one check: it fails the test, skips it, or returns."""

    def verify(check: Check) -> None:
        if check.operation.api not in calloff_sessions:
            pytest.skip(f"calloff_targets has no {check.operation.api}")
        run(check, calloff_sessions[check.operation.api])

    return verify


def run(check: Check, session: Session) -> None:
    """Run *check*; what it found becomes a failure or a skip of the test that calls this."""
    redactor = Redactor(session.target.secrets())
    try:
        found = run_check(check, session)
    except (TargetError, TargetLostError) as error:
        pytest.fail(f"could not verify: {redactor.text(str(error))}", pytrace=False)
    # Credentials may have come while the check ran.
    redactor = Redactor(session.target.secrets())
    if found.violations:
        pytest.fail("\n\n".join(_told(each, session, redactor) for each in found.violations), pytrace=False)
    if found.skips:
        reasons = dict.fromkeys(redactor.text(skip.reason) for skip in found.skips)
        requirements = dict.fromkeys(skip.requirement for skip in found.skips)
        pytest.skip(f"{', '.join(requirements)}: {'; '.join(reasons)}")


def _told(violation: Violation, session: Session, redactor: Redactor) -> str:
    requirement = session.catalogue.requirements[violation.requirement]
    lines = [
        f"{requirement.id} ({requirement.level}) is broken by {violation.operation}: {requirement.statement}",
        f"expected: {redactor.text(violation.expected)}",
        f"received: {redactor.text(violation.received)}",
        f"case: {violation.case_id}",
    ]
    if violation.exchange is not None:
        lines += [
            "",
            redactor.request(violation.exchange.request),
            "",
            redactor.response(violation.exchange.response),
        ]
    return "\n".join(lines)
