"""Ways to bend how a request is read: its method, path, query and headers."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from calloff.mock.pipeline import Case, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from calloff.mock.mutations.place import Bend, Place, Reroute, Route
    from calloff.mock.pipeline import Call, Exchange, Steps


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

    def bend(route: Route, concerns: Callable[[Call], bool]) -> Route:
        def lenient(exchange: Exchange) -> Call:
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

    def bend(route: Route, concerns: Callable[[Call], bool]) -> Route:
        def lenient(exchange: Exchange) -> Call:
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


def method_overridden(route: Route, concerns: Callable[[Call], bool]) -> Route:
    """Believe a header that names another method than the request's."""

    def lenient(exchange: Exchange) -> Call:
        try:
            return route(exchange)
        except Refusal as refusal:
            named = exchange.all(b"x-http-method-override")
            if refusal.case is not Case.WRONG_METHOD or named != [exchange.operation.method.encode()]:
                raise
            if not concerns(exchange.operation):
                raise
            return exchange.operation

    return lenient


def id_not_decoded(route: Route, concerns: Callable[[Call], bool]) -> Route:
    """Take the id as it was written, percent signs and all."""

    def literal(exchange: Exchange) -> Call:
        operation = route(exchange)
        if concerns(operation):
            exchange.job_id = exchange.raw_path.rpartition(b"/")[2].decode("latin-1")
        return operation

    return literal


def faulting_on(pattern: str) -> Bend:
    """Fall over where a pattern finds something in the decoded id, or in the query as it came."""
    odd = re.compile(pattern)

    def bend(steps: Steps, _place: Place) -> Steps:
        def check_request(exchange: Exchange) -> None:
            if odd.search(f"{exchange.job_id}?{exchange.query.decode('latin-1')}"):
                raise Refusal(Case.SERVER_FAULT)
            steps.check_request(exchange)

        return replace(steps, check_request=check_request)

    return bend
