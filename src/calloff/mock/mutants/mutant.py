"""One wrong server: what it breaks, for which operations, and the one thing in it that is exchanged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any

from calloff.apis import APIS
from calloff.mock.mutations.place import Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from calloff.apis import ApiName
    from calloff.mock.mutations.place import Around, Bend, Connect, Reroute
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
    asking: Bend | None = None  # of the status call
    route: Reroute | None = None
    around: Callable[[], Around] | None = None
    connect: Connect | None = None
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
        if self.asking is not None:
            calls = {operations[name].status.name: Place(state, operations[name]) for name in bent}
            asked = {call: self.asking(parts.steps[call], place) for call, place in calls.items()}
            parts = replace(parts, steps={**parts.steps, **asked})
        if self.route is not None:
            parts = replace(parts, route=self.route(parts.route, lambda operation: operation.name in bent))
        if self.around is not None:
            parts = replace(parts, around=self.around())
        return parts

    def bend_protocol(self, protocol: type[Any], app_at: Callable[[int], object]) -> type[Any]:
        """Give the class of the server's HTTP protocol with this mutant in it; ``app_at`` knows who serves a port."""
        return protocol if self.connect is None else self.connect(protocol, partial(self._meant, app_at))

    def _meant(self, app_at: Callable[[int], object], connection: Any) -> bool:
        """Tell whether the request under way on a connection is one of an operation that this mutant breaks."""
        served = getattr(app_at(connection.server[1]), "name", None)
        path = connection.scope["raw_path"].split(b"/")
        return any(
            self.concerns(operation.key) and operation.path.split("/")[-2].encode() in path
            for name, api in APIS.items()
            for operation in api.operations.values()
            if name == served
        )


ALL = ("*/*",)
CI = ("tencent-ci/*",)
DLI = ("*-dli/*",)
SQL = ("*-dli/cancelSqlJob",)
BATCH = ("otc-dli/cancelBatchJob",)
AI = ("tencent-ci/cancelAiJob",)
INVENTORY = ("tencent-ci/cancelInventoryTriggerJob",)
