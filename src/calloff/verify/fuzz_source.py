"""Where the fuzz layer has its requests from: schemathesis, in this process or in one of its own beside it.

To import schemathesis and to let it write takes longer than most checks. In a process of its own it does so while
they run, on another processor; what it writes for one seed is the same.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import traceback
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol, cast

from calloff.verify.wire import Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_COMMAND = (sys.executable, "-c", "from calloff.verify.fuzz_source import serve; serve()")


@dataclass(frozen=True, slots=True)
class Batch:
    """Requests that are written together: *count* at most that the document allows, or that it does not.

    Those of *documented* are one: the request of the document, its path parameters left out.
    """

    operation_key: str
    kind: Literal["valid", "invalid", "documented"]
    seed: int = 0
    count: int = 1


@dataclass(frozen=True, slots=True)
class FuzzCase:
    """One request as schemathesis wrote it: every path parameter percent-encoded, the query as it is sent."""

    batch: Batch
    number: int
    path_parameters: Mapping[str, str]
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Flaw:
    """What a check of schemathesis finds wrong: *named* names the member or header, *received* is what to show."""

    check: str
    named: str
    received: str


class FuzzSource(Protocol):
    """Writes requests, and holds answers to the document."""

    def written(self, batch: Batch) -> tuple[FuzzCase, ...]:
        """Return the requests of *batch*."""

    def flaws(self, case: FuzzCase, response: Response, *, body_may_be_absent: bool) -> list[Flaw]:
        """Return what schemathesis finds wrong with *response* as the answer to *case*."""


class Here:
    """Has schemathesis write in this process, when it is needed first."""

    def written(self, batch: Batch) -> tuple[FuzzCase, ...]:
        """Return the requests of *batch*."""
        from calloff.verify import fuzz_cases

        return fuzz_cases.written(batch)

    def flaws(self, case: FuzzCase, response: Response, *, body_may_be_absent: bool) -> list[Flaw]:
        """Return what schemathesis finds wrong with *response* as the answer to *case*."""
        from calloff.verify import fuzz_cases

        return fuzz_cases.flaws(case, response, body_may_be_absent=body_may_be_absent)


class _Beside:
    """Has schemathesis write in another process, one call at a time."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._lock = threading.Lock()

    def prepare(self, batch: Batch) -> None:
        """Have *batch* written ahead; without waiting for it."""
        self._say("prepare", batch)

    def written(self, batch: Batch) -> tuple[FuzzCase, ...]:
        """Return the requests of *batch*."""
        return cast("tuple[FuzzCase, ...]", self._ask("written", batch))

    def flaws(self, case: FuzzCase, response: Response, *, body_may_be_absent: bool) -> list[Flaw]:
        """Return what schemathesis finds wrong with *response* as the answer to *case*."""
        return cast("list[Flaw]", self._ask("flaws", (case, response, body_may_be_absent)))

    def _ask(self, name: str, argument: object) -> object:
        with self._lock:
            self._say(name, argument)
            try:
                failure, result = pickle.load(_pipe(self._process.stdout))  # noqa: S301 - it is our own process
            except EOFError as error:
                msg = "the process in which schemathesis writes has ended"
                raise RuntimeError(msg) from error
        if failure:
            msg = f"schemathesis failed in its process: {failure}"
            raise RuntimeError(msg)
        return result

    def _say(self, name: str, argument: object) -> None:
        pipe = _pipe(self._process.stdin)
        # Where the process is gone, whoever waits for an answer is told.
        with suppress(BrokenPipeError):
            pickle.dump((name, argument), pipe)
            pipe.flush()


@contextmanager
def beside(batches: Iterable[Batch]) -> Iterator[FuzzSource]:
    """Start a process in which schemathesis writes *batches* ahead, in their order, and end it at the end.

    Where no process can be started, schemathesis writes in this one.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - this interpreter, with a fixed command
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Whatever made this program importable makes that one so; nothing comes from the working directory.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONSAFEPATH": "1"},
            # Ctrl-C is for this process to deal with.
            start_new_session=True,
        )
    except OSError:
        yield Here()
        return
    try:
        source = _Beside(process)
        for batch in batches:
            source.prepare(batch)
        yield source
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                _pipe(pipe).close()


def serve() -> None:
    """Write and judge as standard input asks, until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    calls = sys.stdin.buffer
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # What a library prints is no answer.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    from calloff.verify import fuzz_cases

    def answer(name: str, argument: Any) -> object:
        if name == "flaws":
            case, response, body_may_be_absent = argument
            return fuzz_cases.flaws(case, response, body_may_be_absent=body_may_be_absent)
        return fuzz_cases.written(argument)

    while True:
        try:
            name, argument = pickle.load(calls)  # noqa: S301 - from the process that started this one
        except EOFError:
            return
        if name == "prepare":
            with suppress(Exception):  # told when it is asked for
                answer(name, argument)
                fuzz_cases.prepare()
            continue
        try:
            told: tuple[str, object] = ("", answer(name, argument))
        except Exception as error:  # noqa: BLE001 - told to the other process, which raises it
            told = ("".join(traceback.format_exception_only(error)).strip(), None)
        pickle.dump(told, answers)
        answers.flush()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        msg = "the process was started without pipes"
        raise RuntimeError(msg)
    return pipe
