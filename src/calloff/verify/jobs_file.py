"""Jobs from a file: ids that a user has made on a server without provider states, by operation and state.

The file is TOML. ``[otc-dli.cancelSqlJob]`` holds lists of ids by state, as in ``RUNNING = ["..."]``;
``[other-owner.otc-dli.cancelSqlJob]`` those that the own credentials must not reach, with ``project_id``, or for
tencent-ci ``host``, saying whose they are.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from calloff.apis import APIS, OPERATIONS
from calloff.errors import InvalidInputError
from calloff.verify.given_file import read_toml
from calloff.verify.outcome import cut
from calloff.verify.shapes import JOB_STATES
from calloff.verify.target import CannotSupplyError, Job

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from calloff.apis import Operation
    from calloff.verify.target import Keys

OPTION = "--jobs"
OTHER_OWNER = "other-owner"
_HOST = re.compile("[!-~]+")
_OWNER_KEYS = ("project_id", "host")

# Operation key, owner (self or other) and state.
_Place = tuple[str, str, str]


@dataclass
class JobsFile:
    """Gives out the jobs of a file, each of those that are spent once, and never another.

    The state of a job cannot be read back. Several threads may share one.
    """

    reads_state: ClassVar[bool] = False

    jobs: Mapping[_Place, tuple[Job, ...]]
    _spent: set[tuple[str, str]] = field(default_factory=set, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def unspent(self) -> JobsFile:
        """Return the same jobs, none of them spent, as for going through a run without sending anything."""
        return JobsFile(self.jobs)

    def abilities(self, api: str) -> Mapping[str, Any]:
        """Return the states per operation that the file names a job in."""
        states: dict[str, list[str]] = {}
        for key, _, state in self.jobs:
            operation = OPERATIONS[key]
            if operation.api == api and state not in states.setdefault(operation.name, []):
                states[operation.name].append(state)
        operations = {name: tuple(known) for name, known in states.items()}
        return {"operations": operations, "finishes": (), "credentials": ()}

    def states(self, operation: str, owner: str) -> tuple[str, ...]:
        """Return the states that jobs of *owner* are named in, for the operation of that name."""
        return tuple(
            state for (key, whose, state) in self.jobs if key.endswith(f"/{operation}") and whose == owner
        )

    def new_job(
        self,
        operation: Operation,
        state: str,
        owner: str,
        *,
        spend: bool = True,
        besides: str = "",
        finishes_after: float | None = None,  # noqa: ARG002 - abilities() name none that does
    ) -> Job:
        """Return a job that is not spent yet, nor the one whose id is *besides*.

        Those that are to be spent come in the order of the file; what is only to be refused is tried on the last
        one, so that a server that wrongly cancels it has touched as few as can be.
        """
        whose = "of another owner " if owner == "other" else ""
        place = f"{whose}in state {state} for {operation.key}"
        with self._lock:
            named = self.jobs.get((operation.key, owner, state), ())
            left = [job for job in named if (operation.key, job.job_id) not in self._spent]
            if not named:
                raise CannotSupplyError(f"the jobs file names no job {place}")
            if left and not (left := [job for job in left if job.job_id != besides]):
                raise CannotSupplyError(f"the jobs file has but one job left {place}")
            if not left:
                raise CannotSupplyError(f"every job {place} that the jobs file names was used ({len(named)})")
            job = left[0 if spend else -1]
            if spend:
                self._spent.add((operation.key, job.job_id))
            return job

    def spend(self, operation: Operation, job_id: str) -> None:
        """Never return that job again."""
        with self._lock:
            self._spent.add((operation.key, job_id))

    def state(self, operation: Operation, job_id: str) -> str:  # noqa: ARG002
        """Raise CannotSupplyError: a file does not follow what a server does."""
        raise CannotSupplyError("jobs come from a file, so no state can be read back; --provider-states can")

    def credentials(self, api: str, kind: str) -> Keys:  # noqa: ARG002
        """Raise CannotSupplyError: the file names jobs only."""
        raise CannotSupplyError(f"no {kind} credentials given; a credentials file can name them")

    def close(self) -> None:
        """Do nothing: there is no connection."""


def read_jobs(path: Path, api: str, *, project_id: str = "", authority: str = "") -> JobsFile:
    """Return the jobs that the TOML file *path* names for *api*.

    *project_id* and *authority* (a Host header) are those of the credentials in use: what the other owner has must
    not be theirs. Raises InvalidInputError, which names the table and the key, where the file is not as it should be.
    """
    jobs: dict[_Place, tuple[Job, ...]] = {}
    tables = read_toml(path, OPTION)
    others = _table(tables.pop(OTHER_OWNER, {}), OTHER_OWNER)
    for owner, owned, prefix in (("self", tables, ""), ("other", others, f"{OTHER_OWNER}.")):
        for operation, table, name in _operations(owned, prefix):
            own = (project_id, authority) if operation.api == api else None
            given = _owner_of(operation, table, name, owner, own)
            for state, ids in table.items():
                if state not in _OWNER_KEYS:
                    jobs[operation.key, owner, state] = tuple(_jobs(operation, state, ids, name, given))
    _check_unique(jobs)
    mine = {place: named for place, named in jobs.items() if OPERATIONS[place[0]].api == api and named}
    if not mine:
        raise InvalidInputError(f"{OPTION}: {str(path)!r} names no job for {api}")
    return JobsFile(mine)


def _operations(tables: Mapping[str, Any], prefix: str) -> Iterator[tuple[Operation, dict[str, Any], str]]:
    for api_name, operations in tables.items():
        api = next((api for name, api in APIS.items() if name == api_name), None)
        if api is None:
            raise _wrong(prefix + api_name, f"expected one of {', '.join(APIS)} or {OTHER_OWNER} as table")
        for name, table in _table(operations, prefix + api_name).items():
            full = f"{prefix}{api_name}.{name}"
            if name not in api.operations:
                raise _wrong(full, f"there is no such operation; there are {', '.join(api.operations)}")
            yield api.operations[name], _table(table, full), full


def _owner_of(
    operation: Operation, table: Mapping[str, Any], name: str, owner: str, own: tuple[str, str] | None
) -> tuple[str, str | None]:
    """Return the project (empty where there is none) and the Host header of the jobs of *table*.

    *own* are those of the credentials in use, None where these belong to another API.
    """
    has_project = "project_id" in operation.patterns
    needed = "project_id" if has_project else "host"
    project, host = table.get("project_id"), table.get("host")
    if project is not None and not has_project:
        raise _wrong(name, f"{operation.api} has no project_id")
    if project is not None:
        _check_text(project, operation.patterns["project_id"], f"{name}] project_id")
    if host is not None:
        _check_text(host, _HOST.pattern, f"{name}] host")
    if own is None:
        return project or "", host
    if owner == "other":
        theirs, ours = (project, own[0]) if has_project else (host, own[1])
        if theirs is None:
            raise _wrong(name, f"{needed} is missing, which says where the jobs of the other owner are")
        if str(theirs).lower() == ours.lower():
            raise _wrong(
                name, f"{needed} is your own; jobs of another owner are wanted, since none is cancelled"
            )
    elif has_project and not (project or own[0]):
        raise _wrong(name, "project_id is missing; give it there or as --project-id")
    return (project or own[0]) if has_project else "", host


def _jobs(
    operation: Operation, state: str, ids: Any, name: str, given: tuple[str, str | None]
) -> Iterator[Job]:
    known = JOB_STATES[operation.key]
    states = dict.fromkeys((*known.cancellable, *known.final, *known.silent, known.cancelled))
    if state not in states:
        raise _wrong(name, f"{state!r} is no state of its jobs; they are {', '.join(states)}")
    if not isinstance(ids, list):
        raise _wrong(name, f"expected {state} to be a list of job ids, got {type(ids).__name__}")
    project, host = given
    for number, job_id in enumerate(ids, 1):
        _check_text(job_id, operation.patterns[operation.job_parameter], f"{name}] {state}, id {number}")
        parameters = {operation.job_parameter: job_id}
        yield Job(job_id, {"project_id": project, **parameters} if project else parameters, host)


def _check_unique(jobs: Mapping[_Place, tuple[Job, ...]]) -> None:
    """Refuse a job named twice: it is in one state, and cancelled once."""
    seen: dict[tuple[str, str], str] = {}
    for (key, owner, state), named in jobs.items():
        place = f"[{OTHER_OWNER + '.' if owner == 'other' else ''}{key.replace('/', '.')}] {state}"
        for job in named:
            # A server may take a UUID in either case.
            job_id = job.job_id.lower()
            if before := seen.get((key, job_id)):
                raise InvalidInputError(
                    f"{OPTION}: {job.job_id!r} stands in {before} and in {place}; name a job once"
                )
            seen[key, job_id] = place


def _check_text(value: Any, pattern: str, place: str) -> None:
    if not (isinstance(value, str) and re.fullmatch(pattern, value)):
        raise InvalidInputError(
            f"{OPTION}: [{place}: expected text that matches {pattern}, got {cut(repr(value))}"
        )


def _table(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(name, f"expected a table, got {type(value).__name__}")
    return value


def _wrong(name: str, problem: str) -> InvalidInputError:
    return InvalidInputError(f"{OPTION}: [{name}]: {problem}")
