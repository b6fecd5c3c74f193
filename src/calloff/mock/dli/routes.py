"""The operations of DLI and their status calls, as steps; OTC and Huawei Cloud differ in data only."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from calloff.apis import APIS
from calloff.mock.dli.errors import dli_errors, error_answer, json_answer
from calloff.mock.dli.status import status_writer
from calloff.mock.dli.verify import authenticator, signature_steps, token_steps
from calloff.mock.pipeline import (
    Answer,
    Case,
    Parts,
    Refusal,
    Steps,
    cancel_job,
    id_checker,
    job_finder,
    leave_job,
)
from calloff.mock.routing import Router

if TYPE_CHECKING:
    from calloff.apis import ApiName, Operation
    from calloff.mock.pipeline import Call, Exchange
    from calloff.mock.state import ServerState

BODY_LIMIT = 12 * 1024 * 1024  # HW-DLI 认证鉴权; the gateway answers 413 above
URI_LIMIT = 32 * 1024  # HW-GW 0201: 414 above
HEADER_LIMIT = 32 * 1024  # HW-GW 0201: 494 where one header is longer
HEADERS_LIMIT = 128 * 1024  # HW-GW 0201: 494 where all together are longer
_SUCCESS: dict[str, dict[str, dict[str, object]]] = {
    "cancelSqlJob": {"full": {"is_success": True, "message": ""}, "partial": {"is_success": True}},
    "cancelBatchJob": {"full": {"msg": "deleted"}, "partial": {}},
}


def dli_parts(name: ApiName, state: ServerState) -> Parts:
    """Give route and steps of one DLI API."""
    api = APIS[name]
    router = Router(api.operations.values())

    def route(exchange: Exchange) -> Call:
        call, parameters = router.match(exchange)
        exchange.operation = call
        exchange.owner = parameters["project_id"]
        exchange.job_id = parameters[call.job_parameter]
        if exchange.method != call.method:
            raise Refusal(Case.WRONG_METHOD)
        return call

    steps = {operation.name: _steps(operation, state) for operation in api.operations.values()}
    began = state.clock()
    # The status call takes the steps of the cancel, but that a job is left as it is and told of.
    steps |= {
        status.name: replace(
            steps[operation.name],
            cancel=leave_job,
            accepted=status_writer(status.name, owner=state.account.user, began=began),
        )
        for operation in api.operations.values()
        for status in [operation.status]
    }
    return Parts(
        route=route,
        steps=steps,
        unrouted=steps["cancelSqlJob"],
        new_request_id=lambda _now: state.ids.hex32(),
        body_limit=BODY_LIMIT,
    )


def _steps(operation: Operation, state: ServerState) -> Steps:
    dialect, api = state.dialect.of(operation.key), operation.api
    errors = dli_errors(api, dialect, batch=operation.name == "cancelBatchJob")
    content_type_needed = api == "huaweicloud-dli" and dialect["dli-content-type-absent"] != "accepted"
    header_must_agree = dialect["dli-project-header-mismatch"] != "ignored"
    choice = dialect["dli-success-body"]
    success = (
        Answer(200, [], b"") if choice == "empty" else json_answer(200, _SUCCESS[operation.name][choice])
    )

    def authorise(exchange: Exchange) -> None:
        if exchange.principal.owner != exchange.owner:
            raise Refusal(Case.FOREIGN_OWNER)
        if header_must_agree and "x-project-id" in exchange.principal.signed_headers:
            named = exchange.one(b"x-project-id")
            if named is not None and named.decode("latin-1") != exchange.owner:
                raise Refusal(Case.PROJECT_HEADER_DIFFERS)

    def check_request(exchange: Exchange) -> None:
        if content_type_needed and not exchange.all(b"content-type"):
            raise Refusal(Case.CONTENT_TYPE_MISSING)

    def accepted(_exchange: Exchange) -> Answer:
        return Answer(200, success.headers.copy(), success.body)

    return Steps(
        admit=_admit,
        authenticate=authenticator(locks=api == "huaweicloud-dli" or dialect["dli-key-lock"] == "locks"),
        authorise=authorise,
        check_request=check_request,
        check_id=id_checker(operation),
        find=job_finder(state.jobs, operation),
        cancel=cancel_job,
        accepted=accepted,
        refused=lambda exchange, case: error_answer(exchange, errors[case]),
        finish=_finish,
        # OTC's own clients send the one form or the other; Huawei Cloud documents the plain one only.
        signature=signature_steps(state.keys[api], derived=api == "otc-dli"),
        token=token_steps(state.tokens),
    )


def _admit(exchange: Exchange) -> None:
    if len(exchange.raw_path) + len(exchange.query) > URI_LIMIT:
        raise Refusal(Case.URI_TOO_LONG)
    total = 0
    for name, value in exchange.headers:
        length = len(name) + len(value)
        total += length
        if length > HEADER_LIMIT or total > HEADERS_LIMIT:
            raise Refusal(Case.HEADER_TOO_LARGE)
    if exchange.body_too_large:
        raise Refusal(Case.BODY_TOO_LARGE)


def _finish(exchange: Exchange, answer: Answer) -> Answer:
    answer.headers.append((b"x-request-id", exchange.request_id.encode()))
    return answer
