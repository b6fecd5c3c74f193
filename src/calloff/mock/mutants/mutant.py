"""One wrong server: what it breaks, for which operations, and the one thing in it that is exchanged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from calloff.apis import APIS
from calloff.mock.mutations.place import Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from calloff.apis import ApiName
    from calloff.mock.mutations.place import Around, Bend, Reroute
    from calloff.mock.pipeline import Parts
    from calloff.mock.state import ServerState


@dataclass(frozen=True, slots=True)
class Mutant:
    """One wrong server: the requirement it breaks, for which operations, and the step it exchanges."""

    name: str
    requirement: str
    operations: tuple[str, ...]
    description: str
    steps: Bend | None = None
    route: Reroute | None = None
    around: Callable[[], Around] | None = None
    prototype: str = ""

    def concerns(self, operation: str) -> bool:
        """Tell whether the mutant breaks the operation named ``api/operation``."""
        return any(fnmatchcase(operation, pattern) for pattern in self.operations)

    def bend(self, api: ApiName, parts: Parts, state: ServerState) -> Parts:
        """Give the parts of an API with this mutant in them."""
        operations = APIS[api].operations
        bent = {name for name, operation in operations.items() if self.concerns(operation.key)}
        if not bent:
            return parts
        if self.steps is not None:
            changed = {
                name: self.steps(steps, Place(state, operations[name])) if name in bent else steps
                for name, steps in parts.steps.items()
            }
            everywhere = len(bent) == len(operations)
            unrouted = changed[next(iter(changed))] if everywhere else parts.unrouted
            parts = replace(parts, steps=changed, unrouted=unrouted)
        if self.route is not None:
            parts = replace(parts, route=self.route(parts.route, lambda operation: operation.name in bent))
        if self.around is not None:
            parts = replace(parts, around=self.around())
        return parts


ALL = ("*/*",)
CI = ("tencent-ci/*",)
DLI = ("*-dli/*",)
SQL = ("*-dli/cancelSqlJob",)
BATCH = ("otc-dli/cancelBatchJob",)
AI = ("tencent-ci/cancelAiJob",)
INVENTORY = ("tencent-ci/cancelInventoryTriggerJob",)
