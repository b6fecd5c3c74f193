"""Run tasks in several threads; whatever ends one of them ends them all, and is raised."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class _Check(Protocol):
    @property
    def alone(self) -> bool:
        """Tell whether it runs beside no other of its kind."""


class Task(Protocol):
    """What is run; of those whose check is to be *alone* no two run at the same time."""

    @property
    def check(self) -> _Check:
        """Return the check that is run."""


T = TypeVar("T", bound=Task)


def work_through(tasks: Sequence[T], run: Callable[[T], None], workers: int, stop: threading.Event) -> None:
    """Run every one of *tasks*, *workers* of them at a time, begun in their order.

    An exception ends the work: *stop* is set, on which tasks under way are to raise KeyboardInterrupt, and the
    exception is raised when no thread is left.
    """
    if workers == 1:
        for task in tasks:
            run(task)
        return
    alone = deque(task for task in tasks if task.check.alone)
    others = deque(task for task in tasks if not task.check.alone)
    errors: list[BaseException] = []

    def work(queues: Sequence[deque[T]]) -> None:
        for queue in queues:
            while queue and not stop.is_set():
                try:
                    task = queue.popleft()
                except IndexError:
                    break
                try:
                    run(task)
                except BaseException as error:  # noqa: BLE001 - raised below, in the thread that waits
                    errors.append(error)
                    stop.set()

    threads = [
        threading.Thread(
            target=work,
            args=((alone, others) if number == 0 else (others,),),
            name=f"calloff-worker-{number}",
        )
        for number in range(workers)
    ]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:
        stop.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
        raise
    if errors:
        raise errors[0]
