"""Servers that are wrong on purpose: each breaks one named requirement and as little else as possible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from calloff.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from calloff.mock.pipeline import Parts
    from calloff.mock.state import ServerState


@dataclass(frozen=True, slots=True)
class Mutant:
    """One wrong server."""

    name: str
    bend: Callable[[str, Parts, ServerState], Parts]


MUTANTS: dict[str, Mutant] = {}


def find_mutant(name: str) -> Mutant:
    """Find a mutant by name.

    Raises:
        InvalidInputError: there is none; the message lists what exists.
    """
    if name not in MUTANTS:
        raise InvalidInputError(f"no mutant {name!r}; there are: {', '.join(MUTANTS)}")
    return MUTANTS[name]
