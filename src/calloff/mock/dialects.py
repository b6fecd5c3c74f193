"""The choices a server may make where the vendors are silent, as `spec/silent-points.yaml` lists them."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from calloff.contract import silent_points
from calloff.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

PROFILE_FORMAT = 1

_log = logging.getLogger("calloff.mock")


class Dialect:
    """A choice for every silent point: those given, else the table's default.

    Args:
        choices: silent point and choice, for every operation that the point concerns.
        by_operation: operation, as ``<api>/<operationId>``, and the choices in which it differs from the others.

    Raises:
        InvalidInputError: a point or choice that the table does not have; the message lists what exists.
    """

    def __init__(
        self,
        choices: Mapping[str, str] | None = None,
        by_operation: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self._choices = {point.id: point.default for point in silent_points().values()} | _checked(
            choices or {}
        )
        self._by_operation = {
            operation: _checked(own) for operation, own in sorted((by_operation or {}).items()) if own
        }

    def __getitem__(self, point: str) -> str:
        return self._choices[point]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dialect) and (self._choices, self._by_operation) == (
            other._choices,
            other._by_operation,
        )

    def __hash__(self) -> int:
        return hash(tuple(self._choices.items()))

    def __repr__(self) -> str:
        own = f", {self._by_operation!r}" if self._by_operation else ""
        return f"Dialect({self.chosen()!r}{own})"

    def of(self, operation: str) -> Dialect:
        """Give the dialect of one operation, named ``<api>/<operationId>``."""
        own = self._by_operation.get(operation)
        return self if own is None else Dialect(self._choices | own)

    def chosen(self) -> dict[str, str]:
        """Give the choices that differ from the defaults."""
        points = silent_points()
        return {name: choice for name, choice in self._choices.items() if choice != points[name].default}


def parse_dialect(choices: Iterable[str]) -> Dialect:
    """Read choices written ``point=choice``.

    Raises:
        InvalidInputError: a text without ``=``, a point named twice, or one the table does not have.
    """
    chosen: dict[str, str] = {}
    for text in choices:
        point, equals, choice = text.partition("=")
        if not equals:
            raise InvalidInputError(f"a dialect is written POINT=CHOICE, not {text!r}")
        if point in chosen:
            raise InvalidInputError(f"silent point {point!r} is chosen twice")
        chosen[point] = choice
    return Dialect(chosen)


def read_profile(path: Path, *, note: Callable[[str], None] = _log.warning) -> Dialect:
    """Read the dialect of a server from the profile that ``calloff verify --profile`` wrote.

    Args:
        path: the profile, in the form of ``spec/verify/profile.schema.json``.
        note: is told each choice that the table of silent points does not list; the mock does as it would without.

    Raises:
        InvalidInputError: there is no such file, or it is no profile.
    """
    by_operation: dict[str, dict[str, str]] = {}
    points = silent_points()
    for name, choices in _observed(path).items():
        for operation, choice in choices.items():
            point = points.get(name)
            if point is None:
                note(f"{path}: skipped {name!r}, which is no silent point of this contract")
            elif choice not in point.choices:
                note(
                    f"{path}: skipped {name} of {operation!r}: the mock cannot do {choice!r}; "
                    f"it stays with {point.default}"
                )
            else:
                by_operation.setdefault(operation, {})[name] = choice
    return Dialect(by_operation=by_operation)


def _observed(path: Path) -> Mapping[str, Mapping[str, str]]:
    try:
        content: Any = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InvalidInputError(f"cannot read the profile {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{path} is no profile: expected JSON, {error}") from error
    wanted = f"expected what calloff verify --profile writes: format {PROFILE_FORMAT} and observed"
    if not isinstance(content, dict) or content.get("format") != PROFILE_FORMAT:
        got = f"format {content.get('format')!r}" if isinstance(content, dict) else type(content).__name__
        raise InvalidInputError(f"{path} is no profile: {wanted}; got {got}")
    observed = content.get("observed")
    if not isinstance(observed, dict) or not all(
        isinstance(choices, dict) and all(isinstance(choice, str) for choice in choices.values())
        for choices in observed.values()
    ):
        raise InvalidInputError(f"{path} is no profile: {wanted}, a choice by point and operation")
    return observed


def _checked(choices: Mapping[str, str]) -> dict[str, str]:
    """Return *choices* if the table has them all."""
    points = silent_points()
    for name, choice in choices.items():
        point = points.get(name)
        if point is None:
            raise InvalidInputError(f"no silent point {name!r}; there are: {', '.join(points)}")
        if choice not in point.choices:
            raise InvalidInputError(
                f"silent point {name!r} has no choice {choice!r}; it has: {', '.join(point.choices)}"
            )
    return dict(choices)
