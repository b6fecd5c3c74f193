"""Let Ctrl-C stop a run cleanly, and at once when it is pressed again."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

from calloff.cli.cancel.output import say

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interrupts(stop: Callable[[], object]) -> Generator[list[int]]:
    """Call *stop* at the first interrupt, and end the process at the next; give the signals that came.

    What ignores interrupts, as a job in the background does, goes on ignoring them.
    """
    came: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        if len(came) > 1:
            _end(number)
        stop()
        say("calloff: stopping; what is in flight gets its answer (again: end at once)")

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int) -> None:
    """End at once: no outcome was written yet that a buffer could hold, and the journal is on the disk."""
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), b"\x1b[?25h\n")  # the bar hides the cursor
    os._exit(128 + number)
