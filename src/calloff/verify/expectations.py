"""Known failures: violations that are excused until a day, so that a run tells what is new."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from calloff.apis import OPERATIONS
from calloff.contract import load_catalogue
from calloff.errors import InvalidInputError
from calloff.verify.given_file import read_toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

OPTION = "--expectations"
_MEMBERS = ("requirement", "operation", "reason", "expires")
_EXAMPLE = (
    '[[known-failure]] with requirement = "…", operation = "…" (optional), reason = "…", expires = 2030-01-31'
)


@dataclass(frozen=True, slots=True)
class Expectation:
    """One known failure.

    *operation* is a pattern over ``<api>/<operationId>``; *expires* is the last day on which it excuses anything.
    """

    requirement: str
    operation: str
    reason: str
    expires: date

    def covers(self, requirement: str, operation: str) -> bool:
        """Tell whether it speaks of *requirement* and *operation*, whatever the day."""
        return requirement == self.requirement and fnmatchcase(operation, self.operation)

    def expired(self, today: date) -> bool:
        """Tell whether violations count again."""
        return today > self.expires


def covering(
    expectations: Iterable[Expectation], requirement: str, operation: str, today: date
) -> Expectation | None:
    """Return the expectation that covers *requirement* and *operation*, preferably one that has not expired."""
    found = [each for each in expectations if each.covers(requirement, operation)]
    return min(found, key=lambda each: each.expired(today), default=None)


def excused(
    expectations: Iterable[Expectation], requirement: str, operation: str, today: date | None = None
) -> bool:
    """Tell whether a violation of *requirement* by *operation* is known and does not count on the day *today*."""
    day = today or date.today()
    found = covering(expectations, requirement, operation, day)
    return found is not None and not found.expired(day)


def load(path: Path) -> tuple[Expectation, ...]:
    """Read the known failures in the TOML file *path*: a table ``[[known-failure]]`` each.

    Raises:
        InvalidInputError: no such file, no TOML, or a table that names no requirement of the catalogue, has no reason
            or no day.
    """
    content = read_toml(path, OPTION, may_be_empty=True)
    rows = content.get("known-failure", [])
    if set(content) - {"known-failure"} or not isinstance(rows, list):
        msg = f"{path}: expected only tables {_EXAMPLE}; got {', '.join(sorted(content))}"
        raise InvalidInputError(msg)
    return tuple(_expectation(f"{path}, known failure {number}", row) for number, row in enumerate(rows, 1))


def _expectation(place: str, row: Mapping[str, Any]) -> Expectation:
    given = dict(row) if isinstance(row, dict) else {}
    if unknown := sorted(set(given) - set(_MEMBERS)):
        msg = f"{place}: no member {unknown[0]!r}; there are: {', '.join(_MEMBERS)}"
        raise InvalidInputError(msg)
    given.setdefault("operation", "*/*")
    for name in ("requirement", "operation", "reason"):
        if not (isinstance(given.get(name), str) and given[name].strip()):
            msg = f"{place}: expected {name} to be a text, got {given.get(name)!r}; write {_EXAMPLE}"
            raise InvalidInputError(msg)
    expires = given.get("expires")
    if isinstance(expires, datetime) or not isinstance(expires, date):
        msg = f"{place}: expected expires to be a day such as 2030-01-31 without quotes, got {expires!r}"
        raise InvalidInputError(msg)
    requirement = load_catalogue().requirements.get(given["requirement"])
    if requirement is None or requirement.binds != "server":
        msg = f"{place}: no requirement {given['requirement']!r}; calloff verify --list shows them"
        raise InvalidInputError(msg)
    if not any(fnmatchcase(key, given["operation"]) and requirement.applies_to(key) for key in OPERATIONS):
        msg = (
            f"{place}: {given['operation']!r} matches no operation that {requirement.id} binds; there are: "
            + (", ".join(key for key in OPERATIONS if requirement.applies_to(key)))
        )
        raise InvalidInputError(msg)
    return Expectation(given["requirement"], given["operation"], given["reason"], expires)
