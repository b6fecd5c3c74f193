"""Read the contract: the requirement catalogue, the table of silent points, any document of ``spec/``.

Needs PyYAML, which the extras ``mock`` and ``verify`` bring; the clients do without.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml

from calloff.resources import spec_path

if TYPE_CHECKING:
    from collections.abc import Mapping

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One sentence of the contract that a server or a client keeps or breaks."""

    id: str
    binds: str
    operations: tuple[str, ...]
    level: str
    statement: str
    sources: tuple[Mapping[str, str], ...]

    def applies_to(self, operation: str) -> bool:
        """Tell whether it binds *operation*, given as ``<api>/<operationId>``."""
        return _named(operation, self.operations)


@dataclass(frozen=True, slots=True)
class SilentPoint:
    """A question that the vendor leaves open, with the choices a server may make."""

    id: str
    operations: tuple[str, ...]
    question: str
    choices: Mapping[str, str]
    default: str

    def applies_to(self, operation: str) -> bool:
        """Tell whether it concerns *operation*, given as ``<api>/<operationId>``."""
        return _named(operation, self.operations)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every requirement and silent point, by id, and the digest of the files they stand in."""

    requirements: Mapping[str, Requirement]
    silent_points: Mapping[str, SilentPoint]
    digest: str


@cache
def _named(operation: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether one of *patterns* matches; a suite asks so for every rule and answer."""
    return any(fnmatchcase(operation, pattern) for pattern in patterns)


def read_yaml(name: str) -> Any:
    """Parse the file *name* of the contract."""
    return yaml.load(spec_path(name).read_bytes(), Loader=_Loader)  # noqa: S506 - a safe loader, in C where built


@cache
def silent_points() -> Mapping[str, SilentPoint]:
    """Load the table of silent points, by id."""
    return {
        row["id"]: SilentPoint(
            row["id"], tuple(row["operations"]), row["question"], dict(row["choices"]), row["default"]
        )
        for row in read_yaml("silent-points.yaml")["silent_points"]
    }


@cache
def load_catalogue() -> Catalogue:
    """Load the catalogue of the installed contract."""
    requirements = {
        row["id"]: Requirement(
            row["id"],
            row["binds"],
            tuple(row["operations"]),
            row["level"],
            row["statement"],
            tuple(row["sources"]),
        )
        for row in read_yaml("requirements.yaml")["requirements"]
    }
    digest = hashlib.sha256()
    for name in ("requirements.yaml", "silent-points.yaml"):
        digest.update(spec_path(name).read_bytes())
    return Catalogue(requirements, silent_points(), digest.hexdigest())
