"""Take ids, ask, cancel, show what became of them."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calloff.apis import OPERATIONS, Operation
from calloff.bulk.journal import Journal, JournalHeader
from calloff.bulk.run import cancel_many
from calloff.cli.cancel import journals, output, plan
from calloff.cli.cancel.ids import JobIds, arguments, ids_file
from calloff.cli.cancel.interrupts import interrupts
from calloff.cli.cancel.progress import notes, progress
from calloff.cli.connection import client_from, find_credential
from calloff.errors import InvalidInputError, JournalError
from calloff.prepare import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from calloff.bulk.outcome import Outcome, Result
    from calloff.cli.cancel.options import Options
    from calloff.cli.connection import AsyncClient, ConnectionOptions

SOME_REFUSED, NOT_DONE = 1, 3
# Of the options of the connection, what a resumed run takes over; none holds or refers to a secret.
_KEPT = dict.fromkeys(("region", "project_id", "bucket", "base_url", "host", "ca_file"), str) | {
    "allow_http": bool
}


@dataclass(frozen=True, slots=True)
class _Target:
    """The operation to call, the client to call it with, and as whom."""

    operation: Operation
    client: AsyncClient
    identity: str
    source: str
    connection: ConnectionOptions

    def header(self) -> JournalHeader:
        """Begin a journal for this target."""
        core, given = self.client.core, {name: getattr(self.connection, name) for name in _KEPT}
        if given["ca_file"]:
            given["ca_file"] = str(given["ca_file"].absolute())
        return JournalHeader(
            operation=self.operation.key,
            endpoint=plan.endpoint(core),
            project_id=core.ids.get("project_id", ""),
            identity=self.identity,
            connection=given,
        )

    def sentence(self, journal: Journal) -> str:
        """Say how many jobs of *journal* are to be cancelled, where and as whom."""
        return plan.sentence(journal.counts(), self.header(), self.source)


def cancel(opts: Options) -> int:
    """Do what the options say and return the exit status."""
    operation = opts.chosen()
    if opts.resume:
        return _resume(opts, opts.resume, operation)
    if operation is None:
        raise AssertionError("Options.check lets no run begin without one")
    if opts.ids is None:
        entries = arguments(opts.job_ids)
    else:
        entries = ids_file(opts.ids, opts.ids_format, opts.column, opts.field).entries()
    ids = JobIds(operation, entries, skip_invalid=opts.skip_invalid)
    target = _target(operation, opts.connection)
    taken = iter(ids)
    first = list(islice(taken, journals.FEW + 1))
    journal = journals.begin(opts, target.header(), few=len(first) <= journals.FEW)
    try:
        added, doubles = journal.add(chain(first, taken))
        _check(opts, ids, added, doubles)
        text = target.sentence(journal)
        if opts.dry_run:
            return _show(target, journal, text)
        agreed = opts.yes or added <= journals.FEW or plan.ask(text)
    except BaseException:
        journals.discard(journal)
        raise
    if not agreed:
        journals.discard(journal)
        return _nothing_sent()
    return _run(opts, target, journal)


def _check(opts: Options, ids: JobIds, added: int, doubles: int) -> None:
    """Say what of the ids was left out; raise InvalidInputError where that is all of them."""
    if ids.invalid:
        _note(opts, f"{ids.problem()}\nThey are left out.")
    if not added:
        raise InvalidInputError(
            f"there are no ids in {'the standard input' if opts.ids == '-' else opts.ids}"
        )
    if doubles:
        _note(opts, f"{doubles:,} of the ids had been given before; each is cancelled once")


def _resume(opts: Options, path: Path, chosen: Operation | None) -> int:
    journal = Journal.open(path)
    try:
        header = journal.header
        if chosen:
            header.require(operation=chosen.key)
        if header.operation not in OPERATIONS:
            raise InvalidInputError(f"the journal {path} is for {header.operation!r}, which there is not")
        if not any(journal.counts().values()):
            raise journal.holds_nothing()
        if not journal.left():
            _note(opts, "nothing is left to do; this is what became of the run")
            return _tell(opts, journal, "")
        target = _target(OPERATIONS[header.operation], _taken_over(opts.connection, header.connection))
        if not opts.force_resume:
            _require_same(header, target.header())
        text = target.sentence(journal)
        if opts.dry_run:
            return _show(target, journal, text)
        doubtful = opts.force_resume or _led_by(header.connection, opts.connection, target)
        if doubtful and not opts.yes and not plan.ask(text):
            return _nothing_sent()
        _note(opts, f"going on: {text}")
        return _run(opts, target, journal)
    finally:
        journal.close()


def _require_same(began: JournalHeader, now: JournalHeader) -> None:
    try:
        began.require(endpoint=now.endpoint, project_id=now.project_id, identity=now.identity)
    except InvalidInputError as error:
        raise InvalidInputError(f"{error} (--force-resume resumes it all the same)") from None


def _led_by(kept: Mapping[str, Any], given: ConnectionOptions, target: _Target) -> bool:
    """Tell whether nobody but the journal says that another machine than the vendor's gets the credential."""
    host = target.client.core.endpoint.host
    return bool(kept.get("base_url")) and not given.base_url and not is_loopback(host)


def _taken_over(given: ConnectionOptions, kept: Mapping[str, Any]) -> ConnectionOptions:
    """Fill up the options of the connection with those that the run began with."""
    whole = {name: kept[name] for name, kind in _KEPT.items() if isinstance(kept.get(name), kind)}
    known = {name: value for name, value in whole.items() if value and not getattr(given, name)}
    if "ca_file" in known:
        known["ca_file"] = Path(known["ca_file"])
    return replace(given, **known)


def _target(operation: Operation, connection: ConnectionOptions) -> _Target:
    found = find_credential(operation.api, connection)
    client = client_from(operation.api, connection, found)
    kept = replace(connection, region=connection.region or found.region or None)
    return _Target(operation, client, found.identity, found.source, kept)


def _run(opts: Options, target: _Target, journal: Journal) -> int:
    if journal.path and not opts.resume:
        _note(opts, f"should this be killed, it goes on with: calloff cancel --resume {journal.path}")
    counts, began = journal.counts(), time.monotonic()
    done = counts["cancelled"] + counts["refused"]
    problem, came = "", []
    with progress(sum(counts.values()), done=done, quiet=opts.quiet) as note, notes(quiet=opts.quiet):
        try:
            came = asyncio.run(_cancel_all(opts, target, journal, note))
        except JournalError as error:
            problem = str(error)
    if problem:
        output.say(f"calloff: stopped: {problem}")
    status = _tell(opts, journal, f" in {time.monotonic() - began:,.1f} s")
    if came:
        return 128 + came[0]
    return NOT_DONE if problem else status


async def _cancel_all(
    opts: Options, target: _Target, journal: Journal, note: Callable[[Outcome], None]
) -> list[int]:
    """Cancel what the journal holds; return the signals that interrupted that."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    outcomes = cancel_many(
        target.client,
        target.operation.name,
        (),
        concurrency=opts.concurrency,
        rate=opts.rate or None,
        wait=opts.wait,
        wait_timeout=opts.wait_timeout,
        give_up_after=opts.give_up_after,
        journal=journal,
        stop=stop,
    )
    with interrupts(lambda: loop.call_soon_threadsafe(stop.set)) as came:
        async with target.client, aclosing(outcomes):
            async for outcome in outcomes:
                note(outcome)
                if stop.is_set() and outcome.result == "not-sent":
                    break  # so are all that follow, and the journal says so of what it holds
        return came


def _tell(opts: Options, journal: Journal, seconds: str) -> int:
    """Write the outcomes and whether the run can be resumed; return the exit status."""
    totals = journal.totals()
    summary = f"{_summary(totals)}{seconds}"
    failed = output.write(journal, opts.output, summary)
    if opts.output != "table" or failed:
        _note(opts, summary)
    hidden = output.hides(opts.output, failed, totals)
    if failed == output.READER_GONE:
        failed = ""
    left = bool(journal.left() or failed)
    path = journals.end(journal, needed=left or hidden)
    if path and left:
        same = " and the same credential options" if opts.connection.names_a_credential else ""
        output.say(f"Resume with: calloff cancel --resume {path}{same}")
    elif path:
        output.say(f"See every one with: calloff cancel --resume {path} --output jsonl")
    if failed:
        return _failed_to_write(failed)
    if totals["not-sent"]:
        return NOT_DONE
    return SOME_REFUSED if totals["refused"] or totals["unknown"] else 0


def _show(target: _Target, journal: Journal, text: str) -> int:
    failed = plan.show(journal, target.client.core, target.operation, text)
    journal.close()
    return _failed_to_write(failed) if failed not in {"", output.READER_GONE} else 0


def _nothing_sent() -> int:
    output.say("calloff: nothing was sent")
    return NOT_DONE


def _failed_to_write(why: str) -> int:
    output.say(f"calloff: {why}")
    return NOT_DONE


def _summary(totals: Mapping[Result, int]) -> str:
    total = sum(totals.values())
    parts = (f"{totals[result]:,} {result}" for result in ("cancelled", "refused", "unknown", "not-sent"))
    return f"{total:,} {'job' if total == 1 else 'jobs'}: {', '.join(parts)}"


def _note(opts: Options, text: str) -> None:
    if not opts.quiet:
        output.say(f"calloff: {text}")
