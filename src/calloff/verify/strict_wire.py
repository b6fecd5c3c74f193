"""A connection that loses no byte: what comes after an answer is kept, and begins the next one.

The ordinary wire closes a connection on which more arrives than an answer, so that no check is misled. Here that is
what is looked for.
"""

from __future__ import annotations

import ssl
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import h11

from calloff.verify.outcome import cut
from calloff.verify.wire import (
    NoAnswerError,
    Request,
    Response,
    UnframedError,
    Wire,
    cut_short,
    response_of,
    response_parser,
)

if TYPE_CHECKING:
    import socket

_CHUNK = 65536


class ClosedBetweenError(NoAnswerError):
    """The connection was closed after an answer and before the next, as a server may."""


@dataclass
class StrictWire(Wire):
    """One connection; a closed one is opened anew by the next request, one that turns out closed is not.

    *surplus* are the bytes that came behind the last answer.
    """

    surplus: bytes = field(default=b"", init=False)

    @property
    def is_open(self) -> bool:
        """Tell whether the next request goes over the same connection as the last one."""
        return self._socket is not None

    def send(self, request: Request) -> Response:
        """Send *request* and return the answer.

        Raises UnframedError where bytes come that are none, or the connection ends within one; ClosedBetweenError
        where it ended before; NoAnswerError where no answer comes in time; TargetLostError as the ordinary wire.
        """
        written = request.to_bytes()
        follows = self.is_open
        connection = self._connect()
        parser = response_parser(request.method)
        deadline = time.monotonic() + self.timeout
        try:
            connection.settimeout(self.timeout)
            with suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                connection.sendall(written)
            return self._answer(connection, parser, deadline, follows=follows)
        except BaseException:
            self.close()
            raise

    def _answer(
        self, connection: socket.socket, parser: h11.Connection, deadline: float, *, follows: bool
    ) -> Response:
        head: h11.Response | None = None
        body = bytearray()
        arrived, self.surplus = self.surplus, b""
        if arrived:
            parser.receive_data(arrived)
        while True:
            try:
                event = parser.next_event()
            except h11.RemoteProtocolError as error:
                if head is not None:
                    raise cut_short(head, bytes(body), error) from error
                msg = f"{error}; it began with {cut(repr(arrived), 60)}"
                raise UnframedError(msg) from error
            if event is h11.NEED_DATA:
                data = self._more(connection, deadline)
                if not data and not arrived:
                    closed = ClosedBetweenError if follows else NoAnswerError
                    msg = "the connection was closed without an answer"
                    raise closed(msg)
                parser.receive_data(data)
                arrived += data
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                break
        self.surplus = bytes(parser.trailing_data[0])
        if parser.their_state is not h11.DONE:
            # It says that it closes: whatever comes before that belongs to no answer.
            with suppress(NoAnswerError):
                while data := self._more(connection, deadline):
                    self.surplus += data
            self.close()
        return response_of(head, bytes(body))

    def _more(self, connection: socket.socket, deadline: float) -> bytes:
        """Wait for the next bytes, empty at the end of the connection."""
        try:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            return connection.recv(_CHUNK)
        except TimeoutError as error:
            msg = f"nothing more after {self.timeout:g} s"
            raise NoAnswerError(msg) from error
        except OSError:
            return b""
