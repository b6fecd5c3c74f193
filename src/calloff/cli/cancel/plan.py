"""Say what a run would do, where and as whom; ask before much is cancelled."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import click

from calloff.cli.cancel.output import guarded
from calloff.errors import InvalidInputError

if TYPE_CHECKING:
    from calloff.apis import Operation
    from calloff.bulk.journal import Journal, JournalHeader
    from calloff.calls import Core


def endpoint(core: Core) -> str:
    """Write where requests go, as in ``https://host:port/prefix``, with the Host header where it differs."""
    place = core.endpoint
    name = f"[{place.host}]" if ":" in place.host else place.host
    port = "" if place.port == {"http": 80, "https": 443}[place.scheme] else f":{place.port}"
    host = "" if place.host_header in {name, f"{name}:{place.port}"} else f" (Host: {place.host_header})"
    return f"{place.scheme}://{name}{port}{place.prefix}{host}"


def sentence(counts: Mapping[str, int], header: JournalHeader, source: str) -> str:
    """Say how many jobs a run cancels, where and as whom."""
    left = counts["waiting"] + counts["claimed"]
    jobs = "1 job" if left == 1 else f"{left:,} jobs"
    settle = f" ({counts['claimed']:,} after a look at the state)" if counts["claimed"] else ""
    project = f", project {header.project_id}" if header.project_id else ""
    where = f"{header.operation} at {header.endpoint}{project}"
    return f"{jobs}{settle} with {where}, as {header.identity} (from {source})"


def show(journal: Journal, core: Core, operation: Operation, text: str) -> str:
    """List every request that a run would begin with; return why that failed, or nothing."""
    ids: Mapping[str, str] = core.ids

    def request(job_id: str, method: str, path: str, query: str) -> str:
        for name, value in (*ids.items(), (operation.job_parameter, job_id)):
            path = path.replace(f"{{{name}}}", value)
        return f"{method} {core.endpoint.prefix}{path}{'?' if query else ''}{query}\n"

    def requests() -> Iterable[str]:
        status = operation.status
        for job_id in journal.unsettled():
            yield request(job_id, status.method, status.path, status.query)
        for outcome in journal.report("not-sent"):
            yield request(outcome.job_id, operation.method, operation.path, operation.query)
        yield f"Nothing was sent. A run would cancel {text}.\n"

    return guarded(lambda: sys.stdout.writelines(requests()))


def ask(text: str) -> bool:
    """Ask whether to go on.

    Raises:
        InvalidInputError: there is no terminal on which to ask.
    """
    if sys.stdin is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InvalidInputError(
            f"this would cancel {text}; nothing was sent, as there is no terminal to ask on: say --yes"
        )
    return click.confirm(f"Cancel {text}?", err=True)
