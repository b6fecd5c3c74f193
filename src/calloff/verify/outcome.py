"""What a run found: what was exercised, what was violated, what had to be skipped."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from calloff.verify.wire import Request, Response

# A job not as it must be, a wrong acceptance or refusal, text that must not be seen, a wrong status, a wrong form.
Gravity = Literal["state", "acceptance", "leak", "status", "form"]
CUT = "\N{HORIZONTAL ELLIPSIS}"
_SHOWN = 300
_KEPT_BYTES = 3900  # less than a report shows, so that it cuts nothing more


def cut(text: str, longest: int = _SHOWN) -> str:
    """Shorten *text* to *longest* characters, by default what a line of a report shows, and mark where it was cut."""
    return text if len(text) <= longest else text[:longest] + CUT


def case_id(operation_key: str, layer: str, name: str) -> str:
    """Return the id of a case as ``--case`` takes it and the User-Agent of its requests carries it: visible ASCII."""
    return re.sub("[^!-~]", "-", f"{operation_key}/{layer}/{name}")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and, where there was one, its answer."""

    request: Request
    response: Response | None

    def shortened(self) -> Exchange:
        """Return the exchange with no more of the bodies than a report shows, for a run that keeps many."""
        response = self.response and replace(self.response, body=_cut_body(self.response.body))
        return Exchange(replace(self.request, body=_cut_body(self.request.body)), response)


def _cut_body(body: bytes) -> bytes:
    left = len(body) - _KEPT_BYTES
    return body if left <= 0 else body[:_KEPT_BYTES] + f"{CUT} {left} bytes more".encode()


@dataclass(frozen=True, slots=True)
class Violation:
    """One requirement that one exchange broke; *gravity* says how, where the requirement alone does not."""

    requirement: str
    operation: str
    layer: str
    case: str
    expected: str
    received: str
    exchange: Exchange | None = None
    gravity: Gravity | None = None

    @property
    def case_id(self) -> str:
        """Return the id of the case."""
        return case_id(self.operation, self.layer, self.case)


@dataclass(frozen=True, slots=True)
class Skip:
    """One requirement that one case could not exercise, and why."""

    requirement: str
    operation: str
    layer: str
    case: str
    reason: str

    @property
    def case_id(self) -> str:
        """Return the id of the case."""
        return case_id(self.operation, self.layer, self.case)


@dataclass(frozen=True, slots=True)
class CellResult:
    """What came of one cell of the decision table; *status* is that of the answer, where there was one."""

    operation: str
    credential: str
    state: str
    shape: str
    case: str
    verdict: Literal["held", "violated", "skipped"]
    status: int | None


@dataclass
class Outcome:
    """Everything a run found so far; usable at any moment, also after an interruption."""

    exercised: Counter[tuple[str, str]] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    cells: list[CellResult] = field(default_factory=list)
    observed: dict[str, dict[str, str]] = field(default_factory=dict)
    accepted: int = 0
    requests: int = 0
    checks_run: int = 0

    def violated(self, requirement: str, operation: str) -> list[Violation]:
        """Return the violations of one requirement by one operation."""
        return [v for v in self.violations if (v.requirement, v.operation) == (requirement, operation)]

    def verdict(self, requirement: str, operation: str) -> str:
        """Return ``violated``, ``held``, ``skipped`` or ``not run`` for one requirement and operation."""
        if self.violated(requirement, operation):
            return "violated"
        if self.exercised[requirement, operation]:
            return "held"
        if any((s.requirement, s.operation) == (requirement, operation) for s in self.skips):
            return "skipped"
        return "not run"

    def clear(self) -> None:
        """Forget everything, so that it can be added in another order."""
        self.__init__()  # type: ignore[misc]

    def add(self, other: Outcome) -> None:
        """Add what *other* found; where both observed the same point, the choice seen first stays."""
        self.exercised.update(other.exercised)
        self.violations += other.violations
        self.skips += other.skips
        self.cells += other.cells
        for point, choices in other.observed.items():
            seen = self.observed.setdefault(point, {})
            for operation, choice in choices.items():
                seen.setdefault(operation, choice)
        self.accepted += other.accepted
        self.requests += other.requests
        self.checks_run += other.checks_run
