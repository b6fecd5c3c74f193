"""Show on a terminal how far a run is, how fast it goes and how long it will take; elsewhere nothing."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from calloff.cli.cancel.output import say

if TYPE_CHECKING:
    from rich.console import Console

    from calloff.bulk.outcome import Outcome

_PROBLEMS = ("refused", "unknown", "not-sent")


@contextmanager
def progress(total: int, *, done: int = 0, quiet: bool = False) -> Generator[Callable[[Outcome], None]]:
    """Give what takes note of each outcome; ``total`` ids have none or are ``done``."""
    if quiet or not sys.stderr.isatty():
        yield lambda _outcome: None
        return
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_dumb_terminal:
        yield lambda _outcome: None
        return
    with _bar(console, total, done) as note:
        yield note


@contextmanager
def _bar(console: Console, total: int, done: int) -> Generator[Callable[[Outcome], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft
    from rich.text import Text

    class Rate(ProgressColumn):
        """Ids per second of late."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:.0f}/s" if speed else "-/s")

    counts: Counter[str] = Counter()
    columns = (
        TextColumn("cancelling"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeLeft(compact=True),
        TextColumn("left"),
        TextColumn("{task.fields[problems]}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total, completed=done, problems="")

        def note(outcome: Outcome) -> None:
            counts[outcome.result] += 1
            problems = ", ".join(f"{counts[name]:,} {name}" for name in _PROBLEMS if counts[name])
            bar.update(task, advance=1, problems=problems)

        yield note


class _Notes(logging.Handler):
    """Shows what the library logs, above a bar where there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        say(f"calloff: {record.getMessage()}")


@contextmanager
def notes(*, quiet: bool) -> Generator[None]:
    """Show the warnings of a run, or only its errors where it is *quiet*."""
    handler, logger = _Notes(logging.ERROR if quiet else logging.WARNING), logging.getLogger("calloff")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
