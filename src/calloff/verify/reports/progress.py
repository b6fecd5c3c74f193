"""Show how far a run is: a bar on a terminal, else a line every few seconds."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from calloff.verify.engine import Check


_EVERY = 5.0  # seconds between two lines


@contextmanager
def progress(
    console: Console, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[Check, int, int], None]]:
    """Give what ``Run.verify`` calls before each check, with how many are done and how many there are.

    It may be called by several threads. *clock* counts seconds.
    """
    if console.is_terminal and not console.is_dumb_terminal:
        with _bar(console) as show:
            yield show
        return
    lock = threading.Lock()
    due = clock()

    def tell(check: Check, done: int, total: int) -> None:
        nonlocal due
        with lock:
            if clock() < due:
                return
            due = clock() + _EVERY
            line = f"{done} of {total} checks done; now {check.operation.key}"
            console.print(line, markup=False, highlight=False)

    yield tell


@contextmanager
def _bar(console: Console) -> Iterator[Callable[[Check, int, int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda check, done, total: bar.update(
            task, description=check.operation.key, completed=done, total=total
        )
