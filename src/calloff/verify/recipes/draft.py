"""What every recipe is made of: a draft of a request, and the row that says how to authenticate it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from calloff.signing.request import SignableRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from calloff.verify.target import Keys
    from calloff.verify.wire import Request

WRONG_SECRET = "another-than-the-right-one"  # noqa: S105 - a test word  # pragma: allowlist secret


@dataclass(frozen=True, slots=True)
class Draft:
    """A request before it is authenticated, with the keys and the time (epoch seconds) to do it."""

    request: Request
    keys: Keys
    now: float
    other_target: str

    def signable(self) -> SignableRequest:
        """Return what the signers take."""
        request = self.request
        return SignableRequest(request.method, request.target, request.headers, request.body)

    def plus(self, *headers: tuple[str, str]) -> Draft:
        """Return the draft with *headers* added."""
        return replace(self, request=replace(self.request, headers=(*self.request.headers, *headers)))

    def having(self, **changes: object) -> Draft:
        """Return the draft with the request changed."""
        return replace(self, request=replace(self.request, **changes))  # type: ignore[arg-type]

    def with_host(self, host: str) -> Draft:
        """Return the draft addressed to another *host*."""
        headers = self.request.headers
        return self.having(headers=tuple((key, host if key == "Host" else value) for key, value in headers))


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to authenticate.

    *credentials* is the kind of the provider states it needs (``none`` for none), *requirement* what an answer
    to it proves, *accepted* whether a correct server takes it (None where the vendor is silent),
    *counts_as_failure* whether a gateway counts it against the key, *point* the silent point that it shows.
    """

    name: str
    credentials: str
    requirement: str
    accepted: bool | None
    build: Callable[[Draft], Request]
    counts_as_failure: bool = False
    point: str = ""


def authorized(draft: Draft, authorization: str) -> Request:
    """Return the request of *draft* with that value of the Authorization header."""
    return draft.plus(("Authorization", authorization)).request


def flip_digit(text: str, index: int) -> str:
    """Change one hexadecimal digit."""
    digit = "0" if text[index] != "0" else "1"
    return text[:index] + digit + text[index + 1 :]
