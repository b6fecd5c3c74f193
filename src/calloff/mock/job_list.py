"""What jobs there are, for whoever looks: the newest of each operation, however many there are."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from calloff.apis import APIS

if TYPE_CHECKING:
    from calloff.mock.jobs import Job
    from calloff.mock.state import ServerState

LOOKED_AT = 2000  # jobs of an operation: 1 to 3 ms; a look at all of a million would hold up whoever cancels meanwhile
MOST_LISTED = 1000
LISTED = 100


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs are wanted: patterns (`fnmatch`) for api, operation and state."""

    api: str = "*"
    operation: str = "*"
    state: str = "*"


def job_list(state: ServerState, wanted: JobFilter, limit: int) -> dict[str, object]:
    """List jobs and count them by state.

    Args:
        state: of the server.
        wanted: which jobs.
        limit: how many of each operation at most; no more than the newest `LOOKED_AT` are looked at.
    """
    now = state.clock()
    operations: list[dict[str, object]] = []
    jobs: list[dict[str, object]] = []
    for api in state.apis:
        for operation in APIS[api].operations.values():
            if not (fnmatchcase(api, wanted.api) and fnmatchcase(operation.name, wanted.operation)):
                continue
            place = {"api": api, "operation": operation.name}
            counts = dict.fromkeys(state.kinds[operation.key].lifecycle.states, 0)
            newest = state.jobs.newest(operation.key, LOOKED_AT)
            left = limit
            for job in newest:
                now_in = job.state(now)
                counts[now_in] = counts.get(now_in, 0) + 1
                if left and fnmatchcase(now_in, wanted.state):
                    left -= 1
                    jobs.append({**place, **_told(job, state.owners[api][0], now)})
            total = state.jobs.count(operation.key)
            operations.append({**place, "total": total, "counted": len(newest), "states": counts})
    return {"now": now, "operations": operations, "jobs": jobs}


def _told(job: Job, own: str, now: float) -> dict[str, object]:
    now_in, cancelling = job.state(now), job.moment.settling
    return {
        "id": job.id,
        "owner": "self" if job.owner == own else "other",
        "owner_id": job.owner,
        "state": now_in,
        "since": job.since(now),
        "cancelling": cancelling,
        "cancellable": not cancelling and now_in in job.lifecycle.cancel_moves,
    }
