"""Write the outcomes of a run to the standard output, as a table or as data."""

from __future__ import annotations

import csv
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, fields
from itertools import islice
from typing import TYPE_CHECKING, Literal, TextIO

import click

from calloff.bulk.outcome import Outcome, Result

if TYPE_CHECKING:
    from calloff.bulk.journal import Journal

Format = Literal["table", "json", "jsonl", "csv"]
NAMES = [field.name for field in fields(Outcome)]
READER_GONE = "the reader of the output has gone"  # which is its right, and no failure of a command
_ROWS = 40  # of the table; the rest is counted
# What needs a look comes first.
_STYLES: dict[Result, str] = {
    "unknown": "yellow",
    "refused": "red",
    "not-sent": "magenta",
    "cancelled": "green",
}


def write(journal: Journal, form: Format, summary: str) -> str:
    """Write the outcomes; return why that failed, or nothing where it did not.

    ``summary`` is the last line of a table; data comes without.
    """
    return guarded(lambda: _table(journal, summary) if form == "table" else _DATA[form](journal.report()))


def hides(form: Format, failed: str, totals: Mapping[Result, int]) -> bool:
    """Tell whether some of the jobs that need a look were not shown; ``failed`` is what `write` returned."""
    shown = 0 if failed else _ROWS if form == "table" else math.inf
    return sum(count for result, count in totals.items() if result != "cancelled") > shown


def guarded(do: Callable[[], object]) -> str:
    """Do something that writes to the standard output; return why that failed, as `write` does."""
    try:
        do()
        sys.stdout.flush()
    except OSError as error:
        _drop(sys.stdout)
        if isinstance(error, BrokenPipeError):
            return READER_GONE
        return f"the output could not be written: {error.strerror or error}"
    return ""


def say(text: str) -> None:
    """Write a line to the standard error; a reader that has gone ends no run."""
    try:
        click.echo(text, err=True)
    except OSError:
        _drop(sys.stderr)


def _drop(stream: TextIO) -> None:
    """Let what is still in a buffer go nowhere: it would fail once more when the program ends, in its own words."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def _csv(outcomes: Iterable[Outcome]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(NAMES)
    writer.writerows(asdict(outcome).values() for outcome in outcomes)


def _jsonl(outcomes: Iterable[Outcome]) -> None:
    for outcome in outcomes:
        sys.stdout.write(f"{json.dumps(asdict(outcome))}\n")


def _json(outcomes: Iterable[Outcome]) -> None:
    before = "[\n"
    for outcome in outcomes:
        sys.stdout.write(f"{before}{json.dumps(asdict(outcome))}")
        before = ",\n"
    sys.stdout.write("[]\n" if before == "[\n" else "\n]\n")


_DATA: dict[str, Callable[[Iterable[Outcome]], None]] = {"csv": _csv, "json": _json, "jsonl": _jsonl}


def _table(journal: Journal, summary: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # A file gets whole lines.
    width = None if sys.stdout.isatty() else 10_000
    console = Console(file=sys.stdout, width=width, highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("job", "result", "state", "code", "reason"):
        table.add_column(name, overflow="fold", no_wrap=name == "job")
    totals, more = journal.totals(), []
    for result, style in _STYLES.items():
        left = _ROWS - table.row_count
        # Of those that are well all are shown or none.
        room = 0 if result == "cancelled" and totals[result] > left else left
        rows = list(islice(journal.report(result), room))
        for row in rows:
            code = row.code or (f"HTTP {row.status}" if row.status not in {None, 200} else "")
            cells = (row.state, code, row.reason)
            table.add_row(Text(row.job_id), Text(result, style), *map(Text, cells))
        if totals[result] > len(rows):
            more.append(f"{totals[result] - len(rows):,} more {result}")
    # Not printed at once: where the reader has gone, rich would end the program.
    with console.capture() as captured:
        if table.row_count:
            console.print(table)
            if more:
                console.print(f"and {', '.join(more)}")
        console.print(Text(summary, "bold"))
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())
