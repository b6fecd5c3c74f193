"""Choose from the suite: by requirement, level, operation or case; and list what there is."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING

from calloff.apis import APIS, OPERATIONS
from calloff.errors import InvalidInputError
from calloff.verify.checks import checks, rule_requirements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from calloff.contract import Catalogue
    from calloff.verify.checks import Budget, Check, Layer

LEVELS = ("MUST", "SHOULD")
EVERY_ANSWER = "every answer"
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One requirement, and what proves it: names of checks, each headed by its layer."""

    requirement: str
    level: str
    operations: tuple[str, ...]
    statement: str
    checks: tuple[str, ...]


def listing(catalogue: Catalogue) -> list[Row]:
    """Return a row for every requirement on a server, in the order of the catalogue."""
    proofs: dict[str, dict[str, None]] = {}
    for operation in OPERATIONS.values():
        for check in checks(operation):
            for requirement in check.requirements:
                proofs.setdefault(requirement, {})[f"{check.layer}/{check.name}"] = None
    for requirement in rule_requirements():
        proofs[requirement] = {EVERY_ANSWER: None, **proofs.get(requirement, {})}
    return [
        Row(
            requirement.id,
            requirement.level,
            tuple(key for key in OPERATIONS if requirement.applies_to(key)),
            requirement.statement,
            tuple(proofs.get(requirement.id, ())),
        )
        for requirement in catalogue.requirements.values()
        if requirement.binds == "server"
    ]


def wanted(catalogue: Catalogue, only: Iterable[str], level: str | None) -> frozenset[str] | None:
    """Return the requirements that a run is about, None for all of them.

    Raises InvalidInputError where *only* names one that binds no server, or *level* is none.
    """
    known = {r.id: r.level for r in catalogue.requirements.values() if r.binds == "server"}
    named = tuple(only)
    for name in named:
        if name not in known:
            raise _unknown("requirement", name, known, "calloff verify --list shows them")
    if level is not None and level not in LEVELS:
        raise _unknown("level", level, LEVELS, "")
    if not named and level is None:
        return None
    return frozenset(name for name in named or known if level != "MUST" or known[name] == "MUST")


def check_operations(names: Sequence[str], apis: Sequence[str] = ()) -> None:
    """Raise InvalidInputError where *names* holds an operation that none of *apis*, by default of all, has."""
    offered = [operation for name in apis or APIS for operation in APIS[name].operations.values()]  # type: ignore[index]
    known = {name: None for operation in offered for name in (operation.name, operation.key)}
    for name in names:
        if name not in known:
            raise _unknown("operation", name, known, "")


def check_budget(budget: Budget, layers: Sequence[Layer]) -> None:
    """Raise InvalidInputError where *budget* leaves out everything of *layers*."""
    if not any(checks(operation, layers, budget=budget) for operation in OPERATIONS.values()):
        named = " and ".join(layers)
        msg = f"the {budget} budget holds no check of {named}; give a wider --budget or another --layer"
        raise InvalidInputError(msg)


def proves(check: Check, requirements: frozenset[str] | None) -> bool:
    """Tell whether *check* says anything about *requirements*."""
    return requirements is None or not requirements.isdisjoint((*check.requirements, *rule_requirements()))


def find_case(case: str, plan: Sequence[Check]) -> Check:
    """Return the check of *plan* that *case* is the id of; one request of the fuzz layer has an id of its own.

    Raises InvalidInputError, which names the nearest ids, where there is none.
    """
    for check in plan:
        if check.id == case:
            return check
        number = re.fullmatch(re.escape(check.id) + "-([1-9][0-9]*)", case)
        if check.layer == "fuzz" and number is not None and int(number[1]) <= check.cases:
            run: Callable[..., None] = check.run
            return replace(check, name=case.rpartition("/")[2], run=partial(run, only=int(number[1])))
    raise _unknown("case", case, [check.id for check in plan], "fuzz cases depend on --seed and --budget too")


def _unknown(kind: str, name: str, known: Iterable[str], hint: str) -> InvalidInputError:
    names = list(known)
    near = get_close_matches(name, names, _SHOWN, 0.5) or (names if len(names) <= _SHOWN * 3 else [])
    say = f"; there {'are' if len(near) > 1 else 'is'}, nearest first: {', '.join(near)}" if near else ""
    return InvalidInputError(f"no {kind} {name!r}{say}{f'; {hint}' if hint else ''}")
