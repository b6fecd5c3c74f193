"""Servers that are wrong on purpose: each breaks one named requirement and as little else as possible.

A mutant exchanges one step of the pipeline for the operations it concerns, so the correct server knows nothing
of mutants. ``prototype`` names the mutants of an earlier study of what stock fuzzing finds.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from calloff.errors import InvalidInputError
from calloff.mock.mutants import (
    answers,
    ci_answers,
    connections,
    dli_answers,
    dli_credentials,
    jobs,
    q_sign,
    requests,
)
from calloff.mock.mutants.mutant import Mutant

if TYPE_CHECKING:
    from collections.abc import Mapping

_TABLES = (jobs, requests, q_sign, dli_credentials, answers, ci_answers, dli_answers, connections)

MUTANTS: Mapping[str, Mutant] = MappingProxyType(
    {mutant.name: mutant for table in _TABLES for mutant in table.ROWS}
)


def find_mutant(name: str) -> Mutant:
    """Find a mutant by name.

    Raises:
        InvalidInputError: there is none; the message lists what exists.
    """
    if name not in MUTANTS:
        raise InvalidInputError(f"no mutant {name!r}; there are: {', '.join(MUTANTS)}")
    return MUTANTS[name]


__all__ = ["MUTANTS", "Mutant", "find_mutant"]
