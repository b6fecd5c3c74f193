"""The two operations of CI and their status calls, as steps."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from calloff.apis import APIS
from calloff.mock.ci.errors import ci_errors, error_answer
from calloff.mock.ci.status import status_writer, unknown_writer
from calloff.mock.ci.verify import query_pairs, signature_steps
from calloff.mock.pipeline import (
    Answer,
    Case,
    Parts,
    Principal,
    Refusal,
    Steps,
    authenticate_signature,
    cancel_job,
    id_checker,
    job_finder,
    leave_job,
)
from calloff.mock.routing import Router

if TYPE_CHECKING:
    from calloff.apis import Operation
    from calloff.mock.ids import Ids
    from calloff.mock.pipeline import Call, Exchange
    from calloff.mock.state import ServerState

BODY_LIMIT = 64 * 1024  # a cancel has no body; the vendor names no limit
URI_LIMIT = 32 * 1024
HEADERS_LIMIT = 128 * 1024
_HOST = re.compile(rb"([a-z0-9](?:[a-z0-9-]*[a-z0-9])?-[0-9]+)\.ci\.[a-z0-9-]+\.[a-z0-9.-]+(?::[0-9]+)?")
_SERVER = (b"server", b"tencent-ci")


def ci_parts(state: ServerState) -> Parts:
    """Give route and steps of CI."""
    operations = APIS["tencent-ci"].operations
    router = Router(operations.values())
    default_bucket = state.owners["tencent-ci"][0]

    def route(exchange: Exchange) -> Call:
        call, parameters = router.match(exchange)
        exchange.operation = call
        exchange.owner = bucket_of(exchange, default_bucket)
        exchange.job_id = parameters[call.job_parameter]
        if exchange.method != call.method:
            raise Refusal(Case.WRONG_METHOD)
        return call

    steps = {operation.name: _steps(operation, state) for operation in operations.values()}
    began = state.clock()
    steps |= {
        operation.status.name: _status_steps(operation, steps[operation.name], began)
        for operation in operations.values()
    }
    return Parts(
        route=route,
        steps=steps,
        unrouted=steps["cancelInventoryTriggerJob"],
        new_request_id=lambda now: message_id(state.ids, now),
        body_limit=BODY_LIMIT,
    )


def bucket_of(exchange: Exchange, default: str) -> str:
    """Read the bucket from the Host; a Host that names none means the default bucket."""
    for value in exchange.all(b"host"):
        if found := _HOST.fullmatch(value.lower()):
            return found[1].decode()
    return default


def message_id(ids: Ids, now: float) -> str:
    """Make an id as the samples decode: the time and three numbers, hexadecimal, in Base64."""
    digits = ids.hex32()
    text = f"{int(now):x}_{digits[:8]}_{digits[8:12]}_{digits[12:16]}"
    return base64.b64encode(text.encode()).decode()


def _steps(operation: Operation, state: ServerState) -> Steps:
    dialect = state.dialect.of(operation.key)
    errors = ci_errors(dialect)
    length_needed = dialect["ci-content-length"] == "411"
    value_allowed = dialect["ci-valued-cancel"] == "cancels"

    def admit(exchange: Exchange) -> None:
        _admit(exchange)
        if length_needed and not exchange.all(b"content-length"):
            raise Refusal(Case.LENGTH_MISSING)

    def check_request(exchange: Exchange) -> None:
        if exchange.query == b"cancel":
            return
        values = [value for name, value in query_pairs(exchange.query) if name == b"cancel"]
        if not values:
            raise Refusal(Case.CANCEL_MISSING)
        if any(values) and not value_allowed:
            raise Refusal(Case.CANCEL_VALUED)

    def refused(exchange: Exchange, case: Case) -> Answer:
        return error_answer(errors[case], exchange.request_id, message_id(state.ids, exchange.now))

    return Steps(
        admit=admit,
        authenticate=_authenticate,
        authorise=_authorise,
        check_request=check_request,
        check_id=id_checker(operation),
        find=job_finder(state.jobs, operation),
        cancel=cancel_job,
        accepted=_accepted,
        refused=refused,
        finish=_finish,
        signature=signature_steps(
            state.keys["tencent-ci"], start_counts=dialect["ci-future-start"] == "refused"
        ),
        token=None,
    )


def _status_steps(operation: Operation, cancel: Steps, began: float) -> Steps:
    """Give the steps of the status call: those of the cancel, but that a job is left as it is and told of."""
    tell_unknown = unknown_writer(operation.status.name)

    def refused(exchange: Exchange, case: Case) -> Answer:
        return tell_unknown(exchange) if case is Case.UNKNOWN_JOB else cancel.refused(exchange, case)

    return replace(
        cancel,
        admit=_admit,
        check_request=lambda _exchange: None,
        cancel=leave_job,
        accepted=status_writer(operation.status.name, began),
        refused=refused,
    )


def _admit(exchange: Exchange) -> None:
    if len(exchange.raw_path) + len(exchange.query) > URI_LIMIT:
        raise Refusal(Case.URI_TOO_LONG)
    if sum(len(name) + len(value) for name, value in exchange.headers) > HEADERS_LIMIT:
        raise Refusal(Case.HEADER_TOO_LARGE)
    if exchange.body_too_large:
        raise Refusal(Case.BODY_TOO_LARGE)


def _authenticate(steps: Steps, exchange: Exchange) -> Principal:
    return authenticate_signature(steps, exchange, locks=False)


def _authorise(exchange: Exchange) -> None:
    if exchange.principal.owner != exchange.owner:
        raise Refusal(Case.FOREIGN_OWNER)


def _accepted(_exchange: Exchange) -> Answer:
    return Answer(200, [], b"")


def _finish(exchange: Exchange, answer: Answer) -> Answer:
    answer.headers += [_SERVER, (b"x-ci-request-id", exchange.request_id.encode())]
    return answer
