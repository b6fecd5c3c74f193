"""The choices a server may make where the vendors are silent, as `spec/silent-points.yaml` lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from calloff.contract import silent_points
from calloff.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Dialect:
    """A choice for every silent point: those given, else the table's default.

    Raises:
        InvalidInputError: a point or choice that the table does not have; the message lists what exists.
    """

    def __init__(self, choices: Mapping[str, str] | None = None) -> None:
        points = silent_points()
        self._choices = {point.id: point.default for point in points.values()}
        for name, choice in (choices or {}).items():
            point = points.get(name)
            if point is None:
                raise InvalidInputError(f"no silent point {name!r}; there are: {', '.join(points)}")
            if choice not in point.choices:
                raise InvalidInputError(
                    f"silent point {name!r} has no choice {choice!r}; it has: {', '.join(point.choices)}"
                )
            self._choices[name] = choice

    def __getitem__(self, point: str) -> str:
        return self._choices[point]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dialect) and self._choices == other._choices

    def __hash__(self) -> int:
        return hash(tuple(self._choices.items()))

    def __repr__(self) -> str:
        return f"Dialect({self.chosen()!r})"

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
