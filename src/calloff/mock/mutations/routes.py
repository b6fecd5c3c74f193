"""Ways to bend how a request is read: its method, path, query and headers."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from calloff.mock.pipeline import Case, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from calloff.apis import Operation
    from calloff.mock.mutations.place import Bend, Place, Reroute, Route
    from calloff.mock.pipeline import Exchange, Steps


def query_checked(step: Callable[[Steps, Exchange], None]) -> Bend:
    """Exchange the check of the query."""

    def bend(steps: Steps, _place: Place) -> Steps:
        return replace(steps, check_request=lambda exchange: step(steps, exchange))

    return bend


def cancel_not_needed(steps: Steps, exchange: Exchange) -> None:
    """Do without the parameter."""
    try:
        steps.check_request(exchange)
    except Refusal as refusal:
        if refusal.case is not Case.CANCEL_MISSING:
            raise


def refusing_query(piece: bytes) -> Callable[[Steps, Exchange], None]:
    """Refuse one way to write the parameter."""

    def step(steps: Steps, exchange: Exchange) -> None:
        if piece in exchange.query.split(b"&"):
            raise Refusal(Case.CANCEL_VALUED)
        steps.check_request(exchange)

    return step


def content_type_refused(steps: Steps, exchange: Exchange) -> None:
    """Refuse a Content-Type where there is no body."""
    if exchange.all(b"content-type") and not exchange.body:
        raise Refusal(Case.CONTENT_TYPE_MISSING)
    steps.check_request(exchange)


def any_method(*names: str) -> Reroute:
    """Take further methods for the documented one."""

    def bend(route: Route, concerns: Callable[[Operation], bool]) -> Route:
        def lenient(exchange: Exchange) -> Operation:
            try:
                return route(exchange)
            except Refusal as refusal:
                if refusal.case is not Case.WRONG_METHOD or exchange.method not in names:
                    raise
                if not concerns(exchange.operation):
                    raise
                return exchange.operation

        return lenient

    return bend


def other_path_shape(pattern: bytes) -> Reroute:
    """Overlook what a pattern finds at the end of an unknown path."""
    tail = re.compile(pattern + rb"$")

    def bend(route: Route, concerns: Callable[[Operation], bool]) -> Route:
        def lenient(exchange: Exchange) -> Operation:
            try:
                return route(exchange)
            except Refusal as refusal:
                arrived = exchange.raw_path
                exchange.raw_path = tail.sub(b"", arrived)
                if refusal.case is not Case.UNKNOWN_PATH or exchange.raw_path == arrived:
                    raise
                try:
                    operation = route(exchange)
                finally:
                    exchange.raw_path = arrived
                if not concerns(operation):
                    raise
                return operation

        return lenient

    return bend
