"""Ways to bend the check of tokens and of who may do what."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from calloff.mock.pipeline import Case, Principal, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from calloff.mock.mutations.place import Bend, Place
    from calloff.mock.pipeline import Exchange, Steps
    from calloff.mock.state import ServerState


def accepted_by_token(check: Callable[[ServerState, bytes], bool]) -> Bend:
    """Accept tokens nobody gave out, for whatever project the path names."""

    def bend(steps: Steps, place: Place) -> Steps:
        def authenticate(inner: Steps, exchange: Exchange) -> Principal:
            try:
                return steps.authenticate(inner, exchange)
            except Refusal as refusal:
                value = exchange.one(b"x-auth-token")
                if refusal.case is not Case.TOKEN_UNKNOWN or value is None or not check(place.state, value):
                    raise
                return Principal(exchange.owner)

        return replace(steps, authenticate=authenticate)

    return bend


def any_token(_state: ServerState, _value: bytes) -> bool:
    """Take anything for a token."""
    return True


def token_beginning(state: ServerState, value: bytes) -> bool:
    """Take a text that begins like a token for the token."""
    return any(len(value) >= 20 and value[:20] == token.value[:20].encode() for token in state.tokens.all())


def tokens_refused(steps: Steps, _place: Place) -> Steps:
    """Refuse every token."""

    def authenticate(inner: Steps, exchange: Exchange) -> Principal:
        if exchange.all(b"x-auth-token"):
            raise Refusal(Case.TOKEN_UNKNOWN)
        return steps.authenticate(inner, exchange)

    return replace(steps, authenticate=authenticate)


def everybody_allowed(steps: Steps, _place: Place) -> Steps:
    """Let any credential work on anybody's jobs."""
    return replace(steps, authorise=lambda _exchange: None)


def allowed(*, by_token: bool) -> Bend:
    """Let a credential of one kind work on anybody's jobs."""

    def bend(steps: Steps, _place: Place) -> Steps:
        def authorise(exchange: Exchange) -> None:
            if bool(exchange.all(b"x-auth-token")) is not by_token:
                steps.authorise(exchange)

        return replace(steps, authorise=authorise)

    return bend
