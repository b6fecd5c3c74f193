"""Show how far a run is: a bar on a terminal, else a line for each operation."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from calloff.verify.engine import Check


@contextmanager
def progress(console: Console) -> Iterator[Callable[[Check, int, int], None]]:
    """Give what ``Run.verify`` calls before each check, with how many are done and how many there are.

    It may be called by several threads.
    """
    if console.is_terminal and not console.is_dumb_terminal:
        with _bar(console) as show:
            yield show
        return
    told: set[str] = set()
    lock = threading.Lock()

    def tell(check: Check, done: int, total: int) -> None:
        with lock:
            if check.operation.key in told:
                return
            told.add(check.operation.key)
            console.print(
                f"{check.operation.key}: from check {done + 1} of {total}", markup=False, highlight=False
            )

    yield tell


@contextmanager
def _bar(console: Console) -> Iterator[Callable[[Check, int, int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda check, done, total: bar.update(
            task, description=check.operation.key, completed=done, total=total
        )
