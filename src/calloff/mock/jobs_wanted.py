"""Jobs that a server is to have when it starts, and the files with their ids."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from calloff.apis import OPERATIONS
from calloff.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from calloff.mock.state import ServerState

FORM = "API/OPERATION[:STATE]=COUNT[@FILE]"
MOST = 10_000_000  # a job takes some 500 bytes of memory
_WANTED = re.compile(r"([^:=@]+)(?::([^=@]*))?=([^@]*)(?:@(.+))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class JobsWanted:
    """Jobs of one operation, to be made for the account itself.

    Args:
        operation: named ``api/operation``.
        count: how many.
        state: theirs, in the vendor's words; None for the first one in which they can be cancelled.
        file: where to write their ids, one per line; None for nowhere.
    """

    operation: str
    count: int
    state: str | None = None
    file: Path | None = None


def parse_jobs(text: str) -> JobsWanted:
    """Read what the option ``--jobs`` says.

    Args:
        text: as in ``otc-dli/cancelSqlJob:RUNNING=100@ids.txt``; state and file may be left out.

    Raises:
        InvalidInputError: a text of another form, an unknown operation, or a count that is none.
    """
    found = _WANTED.fullmatch(text)
    if found is None:
        raise InvalidInputError(
            f"expected jobs as {FORM}, such as otc-dli/cancelSqlJob=100@ids.txt, not {text!r}"
        )
    operation, state, count, file = found.groups()
    if operation not in OPERATIONS:
        raise InvalidInputError(
            f"no operation {operation!r} to have jobs; there are: {', '.join(OPERATIONS)}"
        )
    if not re.fullmatch(r"[0-9]{1,8}", count) or not 1 <= int(count) <= MOST:
        raise InvalidInputError(f"expected 1 to {MOST} jobs of {operation}, not {count!r}")
    return JobsWanted(operation, int(count), state, None if file is None else Path(file))


def check_jobs(wanted: Iterable[JobsWanted], state: ServerState) -> None:
    """Refuse jobs that a server cannot have.

    Raises:
        InvalidInputError: an API that it does not serve, a state that its jobs do not have, or one file for the
            jobs of two operations.
    """
    operations: dict[Path, str] = {}
    for each in wanted:
        api = OPERATIONS[each.operation].api
        if api not in state.apis:
            raise InvalidInputError(f"no jobs of {api}: this server serves {', '.join(state.apis)}")
        states = state.kinds[each.operation].lifecycle.states
        if each.state is not None and each.state not in states:
            raise InvalidInputError(
                f"no state {each.state!r} of {each.operation}; there are: {', '.join(states)}"
            )
        if each.file is not None and operations.setdefault(each.file, each.operation) != each.operation:
            raise InvalidInputError(
                f"{each.file} cannot hold the ids of both {operations[each.file]} and {each.operation}; "
                "give each operation a file of its own"
            )


def make_jobs(wanted: Iterable[JobsWanted], state: ServerState) -> dict[Path, list[str]]:
    """Make jobs that were checked; give the ids that each file is to hold."""
    listed: dict[Path, list[str]] = {}
    for each in wanted:
        lifecycle = state.kinds[each.operation].lifecycle
        first = each.state or next(name for name in lifecycle.states if name in lifecycle.cancel_moves)
        owner = state.owners[OPERATIONS[each.operation].api][0]
        ids = [] if each.file is None else listed.setdefault(each.file, [])
        for _ in range(each.count):
            job = state.new_job(each.operation, owner, first)
            if each.file is not None:
                ids.append(job.id)
    return listed


def write_ids(listed: Mapping[Path, Iterable[str]]) -> None:
    """Write files of ids, one per line; each is there whole or not at all.

    Raises:
        InvalidInputError: a file that cannot be written.
    """
    for path, ids in listed.items():
        try:
            _replace(path.resolve(), "".join(f"{job_id}\n" for job_id in ids))
        except OSError as error:
            raise InvalidInputError(
                f"cannot write the ids of jobs to {path}: {error.strerror}; give a file in a folder that can be written"
            ) from error


def _replace(path: Path, text: str) -> None:
    if path.exists() and not path.is_file():  # a device must not be replaced
        raise OSError(0, "it is no file")
    made = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        made.write_text(text, "utf-8", newline="\n")
        made.replace(path)
    except BaseException:
        made.unlink(missing_ok=True)
        raise
