"""A small ASGI application that speaks JSON: what the IAM and the provider states have in common."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from calloff.mock.pipeline import NotKeptError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

BODY_LIMIT = 64 * 1024


class JsonError(Exception):
    """The request is refused with a status and a sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class JsonRequest:
    """A request to a JSON application, its body read and bounded."""

    method: str
    path: str
    query: bytes
    headers: Mapping[bytes, bytes]
    body: bytes

    def json(self) -> Any:
        """Read the body as JSON.

        Raises:
            JsonError: 400, where it is none, or nested too deeply to be read.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise JsonError(400, "The request body is invalid: expected a JSON object.") from error


@dataclass(frozen=True, slots=True)
class JsonAnswer:
    """An answer; without content the body is empty."""

    status: int
    content: Mapping[str, object] | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


class JsonApp(ABC):
    """Serve JSON over ASGI."""

    @abstractmethod
    def answer(self, request: JsonRequest) -> JsonAnswer:
        """Answer a request, or raise `JsonError`."""

    @abstractmethod
    def refuse(self, error: JsonError) -> JsonAnswer:
        """Put a refusal into the form of this application."""

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Serve one ASGI connection; everything but HTTP is left alone."""
        if scope["type"] != "http":
            return
        try:
            body = await _body(receive)
            if body is None:
                return
            answer = self.answer(
                JsonRequest(
                    scope["method"], scope["path"], scope["query_string"], dict(scope["headers"]), body
                )
            )
        except JsonError as error:
            answer = self.refuse(error)
        except NotKeptError:
            answer = self.refuse(
                JsonError(500, "The state could not be written, so nothing changed; see the log.")
            )
        await send_json(answer, send)


async def send_json(answer: JsonAnswer, send: Callable[[MutableMapping[str, Any]], Awaitable[None]]) -> None:
    """Send an answer over ASGI."""
    content = b"" if answer.content is None else json.dumps(answer.content).encode()
    headers = list(answer.headers)
    if answer.content is not None:
        headers.append((b"content-type", b"application/json"))
    if answer.status != 204:
        headers.append((b"content-length", b"%d" % len(content)))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def _body(receive: Callable[[], Awaitable[MutableMapping[str, Any]]]) -> bytes | None:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > BODY_LIMIT:
            raise JsonError(413, f"The request body is longer than {BODY_LIMIT} bytes.")
    return body
