"""Ways to bend what happens between requests: races, and the bytes on a connection."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from calloff.mock.pipeline import Case

if TYPE_CHECKING:
    from collections.abc import Callable

    from calloff.mock.app import ApiApp
    from calloff.mock.jobs import Job
    from calloff.mock.mutations.place import Around, Connect
    from calloff.mock.pipeline import Answer, Exchange

    Answered = Callable[["Line", bytes, bytes], bytes]


HOLD_SECONDS = 0.05  # how long an accepted cancel is held, so that a second one can meet it


def racing(clash: Callable[[ApiApp, Exchange, Answer], Answer]) -> Around:
    """Hold accepted cancels for a moment; a further cancel of a job that is held meets ``clash``."""
    held: set[Job] = set()

    async def around(app: ApiApp, exchange: Exchange) -> Answer:
        answer = app.handle(exchange)
        job: Job | None = getattr(exchange, "job", None)
        if job is None:
            return answer
        if job in held:
            return clash(app, exchange, answer)
        if answer.status == 200:
            held.add(job)
            await asyncio.sleep(HOLD_SECONDS)
            held.discard(job)
        return answer

    return around


def second_faults(app: ApiApp, exchange: Exchange, _answer: Answer) -> Answer:
    """Fall over."""
    return app.refuse(exchange, Case.SERVER_FAULT)


def cancel_lost(_app: ApiApp, exchange: Exchange, answer: Answer) -> Answer:
    """Write back a state from before the first cancel."""
    exchange.job.put(next(iter(exchange.job.lifecycle.cancel_moves)))
    return answer


class Line:
    """One connection of a server, whose answers are bent before they are written.

    ``answered`` is asked for every answer, head and body, and gives what is written in its place; ``memory`` is for
    its use between two answers.
    """

    def __init__(self, transport: Any, request: Callable[[], str], answered: Answered) -> None:
        self._transport = transport
        self._request = request
        self._answered = answered
        self._head = b""
        self.memory = b""
        self.method = ""
        self.status = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write an answer as bent, once it is whole: its head, then its body."""
        if not data:
            return
        if data.startswith(b"HTTP/1.1 "):
            self.method = self._request()
            self.status = int(data[9:12])
            self._head = data
            if self.method != "HEAD" and b"content-length: 0\r\n" not in data:
                return
            data = b""
        head, self._head = self._head, b""
        self._transport.write(self._answered(self, head, data))

    def close_soon(self) -> None:
        """Close the connection as soon as what was written has left."""
        asyncio.get_running_loop().call_soon(self._transport.close)


def answering(answered: Answered) -> Connect:
    """Bend the answers of a protocol class; ``concerned`` tells of which requests."""

    def bend(protocol: type[Any], concerned: Callable[[Any], bool]) -> type[Any]:
        class Bent(protocol):  # type: ignore[misc]
            """Writes through a line."""

            def connection_made(self, transport: Any) -> None:
                def only_concerned(line: Line, head: bytes, body: bytes) -> bytes:
                    return answered(line, head, body) if concerned(self) else head + body

                super().connection_made(Line(transport, lambda: str(self.scope["method"]), only_concerned))

        return Bent

    return bend


def length_off(by: int, *statuses: int) -> Answered:
    """Name another length than that of the body, in a refusal; in those with the given statuses, if any are."""

    def answered(line: Line, head: bytes, body: bytes) -> bytes:
        if not body or line.status < 400 or (statuses and line.status not in statuses):
            return head + body
        if by > 0:
            line.close_soon()  # else the client would wait for the rest
        length = b"content-length: %d\r\n"
        return head.replace(length % len(body), length % (len(body) + by)) + body

    return answered


def body_to_head(line: Line, head: bytes, body: bytes) -> bytes:
    """Send with an answer to HEAD the body that it describes."""
    found = re.search(rb"content-length: (\d+)", head)
    return head + (b"x" * int(found[1]) if line.method == "HEAD" and found else body)


def twice(line: Line, head: bytes, body: bytes) -> bytes:
    """Send a refusal twice."""
    return (head + body) * (2 if line.status >= 400 else 1)


def once_more(line: Line, head: bytes, body: bytes) -> bytes:
    """Send a refusal again in place of the answer that follows it."""
    before, line.memory = line.memory, head + body if line.status >= 400 else b""
    return before or head + body


def silent_afterwards(line: Line, head: bytes, body: bytes) -> bytes:
    """Send nothing more after a refusal."""
    before, line.memory = line.memory, b"silent" if line.status >= 400 else line.memory
    return b"" if before else head + body
