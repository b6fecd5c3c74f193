"""Every choice at a silent point: the answer it gives, and clear errors for choices there are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mock_support import Bench

from calloff.contract import silent_points
from calloff.errors import InvalidInputError
from calloff.mock.dialects import Dialect, parse_dialect

if TYPE_CHECKING:
    from collections.abc import Callable

    from mock_support import Reply

SQL = "otc-dli/cancelSqlJob"
BATCH = "otc-dli/cancelBatchJob"
HUAWEI = "huaweicloud-dli/cancelSqlJob"
CI_BATCH = "tencent-ci/cancelInventoryTriggerJob"
AI = "tencent-ci/cancelAiJob"


def unknown(operation: str) -> Callable[[Bench], Reply]:
    def send(bench: Bench) -> Reply:
        job = bench.job(operation, "RUNNING" if operation == SQL else "Submitted")
        return bench.cancel(job, target=bench.target(job).replace(job.id, "never-given-out"))

    return send


def malformed(operation: str) -> Callable[[Bench], Reply]:
    def send(bench: Bench) -> Reply:
        job = bench.job(operation, "RUNNING" if operation == SQL else "Submitted")
        return bench.cancel(job, target=bench.target(job).replace(job.id, "a_b"))

    return send


def state(operation: str, name: str) -> Callable[[Bench], Reply]:
    return lambda bench: bench.cancel(bench.job(operation, name))


def query(text: str) -> Callable[[Bench], Reply]:
    def send(bench: Bench) -> Reply:
        job = bench.job(AI, "Submitted")
        reply = bench.cancel(job, target=bench.target(job).replace("?cancel", text))
        # "200-nothing" is the one choice that answers 200 and must not cancel.
        assert (bench.state_of(job) == "Cancel") is (reply.status == 200 and text != "")
        return reply

    return send


def unsigned(bench: Bench) -> Reply:
    return bench.send("tencent-ci", "PUT", bench.target(bench.job(AI, "Submitted")))


def wrong_signature(bench: Bench) -> Reply:
    job = bench.job(AI, "Submitted")
    message = bench.q_sign("PUT", bench.target(job))
    return bench.send("tencent-ci", "PUT", bench.target(bench.job(AI, "Submitted")), message.headers)


def foreign_bucket(bench: Bench) -> Reply:
    return bench.cancel(bench.job(AI, "Submitted"), key=bench.key("tencent-ci", owner=1))


def foreign_project(bench: Bench) -> Reply:
    return bench.cancel(bench.job(SQL, "RUNNING", owner=1))


def another_method(bench: Bench) -> Reply:
    return bench.cancel(bench.job(AI, "Submitted"), method="POST")


def with_length(bench: Bench) -> Reply:
    return bench.cancel(bench.job(AI, "Submitted"), headers=(("Content-Length", "0"),))


def other_project_header(bench: Bench) -> Reply:
    job = bench.job(SQL, "RUNNING")
    signed = ("host", "x-project-id", "x-sdk-date")
    return bench.cancel(job, headers=(("X-Project-Id", "another"),), signed=signed)


def locked(bench: Bench) -> Reply:
    key = bench.key("otc-dli")
    for _ in range(6):
        bench.cancel(bench.job(SQL, "RUNNING"), key=key, offset=-1000)
    return bench.cancel(bench.job(SQL, "RUNNING"), key=key)


ANSWERS: list[tuple[str, str, Callable[[Bench], Reply], int, str]] = [
    ("ci-unknown-job", "404-job-not-found", unknown(AI), 404, "JobNotFound"),
    ("ci-unknown-job", "400-resource-not-found", unknown(AI), 400, "ResourceNotFound"),
    ("ci-unknown-job", "400-invalid-argument", unknown(AI), 400, "InvalidArgument"),
    ("ci-unknown-job", "403-access-denied", unknown(AI), 403, "AccessDenied"),
    ("ci-not-cancellable", "403-access-denied", state(AI, "Running"), 403, "AccessDenied"),
    (
        "ci-not-cancellable",
        "403-active-workflow-forbidden-update",
        state(AI, "Running"),
        403,
        "ActiveWorkflowForbiddenUpdate",
    ),
    ("ci-not-cancellable", "400-invalid-argument", state(AI, "Running"), 400, "InvalidArgument"),
    ("ci-second-cancel", "refused", state(AI, "Cancel"), 403, "AccessDenied"),
    ("ci-second-cancel", "accepted", state(AI, "Cancel"), 200, ""),
    ("ci-malformed-id", "400-invalid-argument", malformed(AI), 400, "InvalidArgument"),
    ("ci-malformed-id", "404-invalid-url", malformed(AI), 404, "InvalidUrl"),
    ("ci-malformed-id", "as-unknown", malformed(AI), 404, "JobNotFound"),
    ("ci-authentication-status", "401", unsigned, 401, "MissingAuthorization"),
    ("ci-authentication-status", "403", unsigned, 403, "AccessDenied"),
    ("ci-authentication-status", "403", wrong_signature, 403, "SignatureDoesNotMatch"),
    ("ci-wrong-signature-code", "InvalidAuthorization", wrong_signature, 401, "InvalidAuthorization"),
    ("ci-wrong-signature-code", "AccessDenied", wrong_signature, 401, "AccessDenied"),
    ("ci-wrong-signature-code", "403-access-denied", wrong_signature, 403, "AccessDenied"),
    ("ci-without-cancel", "404-invalid-url", query(""), 404, "InvalidUrl"),
    ("ci-without-cancel", "400-invalid-argument", query(""), 400, "InvalidArgument"),
    ("ci-without-cancel", "200-nothing", query(""), 200, ""),
    ("ci-valued-cancel", "cancels", query("?cancel=1"), 200, ""),
    ("ci-valued-cancel", "400-invalid-argument", query("?cancel=1"), 400, "InvalidArgument"),
    ("ci-batch-cancellable", "running-and-pause", state(CI_BATCH, "Running"), 200, ""),
    ("ci-batch-cancellable", "running-and-pause", state(CI_BATCH, "Pause"), 200, ""),
    ("ci-batch-cancellable", "pause", state(CI_BATCH, "Running"), 403, "AccessDenied"),
    ("ci-batch-cancellable", "pause", state(CI_BATCH, "Pause"), 200, ""),
    ("ci-batch-cancellable", "none", state(CI_BATCH, "Pause"), 403, "AccessDenied"),
    ("ci-batch-cancellable", "none", state(CI_BATCH, "Submitted"), 200, ""),
    ("ci-ai-pause", "cancellable", state(AI, "Pause"), 200, ""),
    ("ci-ai-pause", "not-cancellable", state(AI, "Pause"), 403, "AccessDenied"),
    (
        "ci-future-start",
        "accepted",
        lambda bench: bench.cancel(bench.job(AI, "Submitted"), start=60),
        200,
        "",
    ),
    (
        "ci-future-start",
        "refused",
        lambda bench: bench.cancel(bench.job(AI, "Submitted"), start=60),
        401,
        "SignatureExpired",
    ),
    ("ci-content-length", "lenient", state(AI, "Submitted"), 200, ""),
    ("ci-content-length", "411", state(AI, "Submitted"), 411, "MissingContentLength"),
    ("ci-content-length", "411", with_length, 200, ""),
    ("ci-foreign-bucket", "401-access-denied", foreign_bucket, 401, "AccessDenied"),
    ("ci-foreign-bucket", "403-access-denied", foreign_bucket, 403, "AccessDenied"),
    ("ci-wrong-method", "404-invalid-url", another_method, 404, "InvalidUrl"),
    ("ci-wrong-method", "501-not-implemented", another_method, 501, "NotImplemented"),
    ("ci-wrong-method", "403-access-denied", another_method, 403, "AccessDenied"),
    ("dli-unknown-job", "400-dli-0002", unknown(SQL), 400, "DLI.0002"),
    ("dli-unknown-job", "404-dli-0023", unknown(SQL), 404, "DLI.0023"),
    ("dli-unknown-job", "400-dli-0001", unknown(SQL), 400, "DLI.0001"),
    ("dli-not-cancellable", "400-dli-0007", state(SQL, "FAILED"), 400, "DLI.0007"),
    ("dli-not-cancellable", "400-dli-0001", state(SQL, "FAILED"), 400, "DLI.0001"),
    ("dli-not-cancellable", "400-dli-0999", state(SQL, "FAILED"), 400, "DLI.0999"),
    ("dli-not-cancellable", "200-is-success-false", state(SQL, "FAILED"), 200, ""),
    ("dli-not-cancellable", "200-is-success-false", state(BATCH, "success"), 400, "DLI.0007"),
    ("dli-malformed-id", "400-dli-0001", malformed(SQL), 400, "DLI.0001"),
    ("dli-malformed-id", "404-gateway-0101", malformed(SQL), 404, "APIGW.0101"),
    ("dli-malformed-id", "as-unknown", malformed(SQL), 400, "DLI.0002"),
    ("dli-foreign-project", "403-gateway-0302", foreign_project, 403, "APIGW.0302"),
    ("dli-foreign-project", "401-gateway-0301", foreign_project, 401, "APIGW.0301"),
    ("dli-foreign-project", "400-dli-0015", foreign_project, 400, "DLI.0015"),
    ("dli-foreign-project", "400-dli-0003", foreign_project, 400, "DLI.0003"),
    ("dli-gateway-prefix", "APIGW", foreign_project, 403, "APIGW.0302"),
    ("dli-gateway-prefix", "APIG", foreign_project, 403, "APIG.0302"),
    ("dli-scaling", "cancellable", state(SQL, "SCALING"), 200, ""),
    ("dli-scaling", "not-cancellable", state(SQL, "SCALING"), 400, "DLI.0007"),
    ("dli-recovering", "cancellable", state(BATCH, "recovering"), 200, ""),
    ("dli-recovering", "not-cancellable", state(BATCH, "recovering"), 400, "DLI.0007"),
    ("dli-content-type-absent", "accepted", state(HUAWEI, "RUNNING"), 200, ""),
    ("dli-content-type-absent", "400-dli-0001", state(HUAWEI, "RUNNING"), 400, "DLI.0001"),
    ("dli-content-type-absent", "400-dli-0001", state(SQL, "RUNNING"), 200, ""),  # Huawei Cloud only
    ("dli-project-header-mismatch", "ignored", other_project_header, 200, ""),
    ("dli-project-header-mismatch", "403-gateway-0302", other_project_header, 403, "APIGW.0302"),
    ("dli-key-lock", "locks", locked, 401, "APIGW.0301"),
    ("dli-key-lock", "never", locked, 200, ""),
    ("dli-success-body", "full", state(SQL, "RUNNING"), 200, ""),
    ("dli-success-body", "empty", state(SQL, "RUNNING"), 200, ""),
    ("dli-success-body", "partial", state(SQL, "RUNNING"), 200, ""),
    ("ci-settle", "at-once", state(AI, "Submitted"), 200, ""),
    ("ci-settle", "later", state(AI, "Submitted"), 200, ""),
    ("dli-settle", "at-once", state(SQL, "RUNNING"), 200, ""),
    ("dli-settle", "later", state(SQL, "RUNNING"), 200, ""),
]


@pytest.mark.parametrize(("point", "choice", "send", "status", "code"), ANSWERS)
def test_choice_gives_its_answer(
    point: str, choice: str, send: Callable[[Bench], Reply], status: int, code: str
) -> None:
    reply = send(Bench({point: choice}))
    assert (reply.status, reply.code) == (status, code)


def test_every_choice_of_the_table_has_an_answer_here() -> None:
    table = {(point.id, choice) for point in silent_points().values() for choice in point.choices}
    assert {(point, choice) for point, choice, *_ in ANSWERS} == table


@pytest.mark.parametrize(
    ("operation", "choice", "body"),
    [
        (SQL, "full", b'{"is_success":true,"message":""}'),
        (SQL, "partial", b'{"is_success":true}'),
        (SQL, "empty", b""),
        (BATCH, "full", b'{"msg":"deleted"}'),
        (BATCH, "partial", b"{}"),
        (BATCH, "empty", b""),
    ],
)
def test_success_bodies(operation: str, choice: str, body: bytes) -> None:
    bench = Bench({"dli-success-body": choice})
    reply = bench.cancel(bench.job(operation, "RUNNING" if operation == SQL else "running"))
    assert reply.body == body
    assert reply.header("content-type") == ("application/json" if body else None)


def test_a_refusal_in_a_200_says_so() -> None:
    bench = Bench({"dli-not-cancellable": "200-is-success-false"})
    job = bench.job(SQL, "FINISHED")
    reply = bench.cancel(job)
    assert reply.json["is_success"] is False
    assert reply.json["message"]
    assert bench.state_of(job) == "FINISHED"


@pytest.mark.parametrize(
    ("point", "operation", "before", "after"),
    [
        ("ci-settle", AI, "Submitted", "Cancel"),
        ("ci-settle", CI_BATCH, "Running", "Cancel"),
        ("dli-settle", SQL, "RUNNING", "CANCELLED"),
        ("dli-settle", BATCH, "running", "dead"),
    ],
)
def test_a_cancel_may_settle_later(point: str, operation: str, before: str, after: str) -> None:
    bench = Bench({point: "later"})
    job = bench.job(operation, before)
    assert bench.cancel(job).status == 200
    assert bench.state_of(job) == before
    assert bench.cancel(job).status in {400, 403}  # its cancel is on its way
    bench.now += 0.14
    assert bench.state_of(job) == before
    bench.now += 0.02
    assert bench.state_of(job) == after


def test_a_second_cancel_may_be_accepted_while_the_first_one_settles() -> None:
    bench = Bench({"ci-settle": "later", "ci-second-cancel": "accepted"})
    job = bench.job(AI, "Submitted")
    assert [bench.cancel(job).status for _ in range(2)] == [200, 200]
    bench.now += 1
    assert bench.state_of(job) == "Cancel"


@pytest.mark.parametrize(
    ("end", "lifetime", "status", "code"),
    [(-1, None, 403, "AccessDenied"), (900, 1.0, 400, "ExpiredToken")],
)
def test_the_cos_table_has_its_own_words_for_what_has_ended(
    end: int, lifetime: float | None, status: int, code: str
) -> None:
    bench = Bench({"ci-authentication-status": "403"})
    key = bench.key("tencent-ci", lifetime=lifetime)
    bench.now += 2
    headers = (("x-cos-security-token", key.security_token),) if lifetime else ()
    reply = bench.cancel(bench.job(AI, "Submitted"), key=key, end=end, headers=headers)
    assert (reply.status, reply.code) == (status, code)


def test_a_dialect_is_the_defaults_and_what_was_chosen() -> None:
    dialect = parse_dialect(["ci-settle=later", "dli-gateway-prefix=APIGW"])
    assert dialect["ci-settle"] == "later"
    assert dialect["dli-settle"] == "at-once"
    assert dialect.chosen() == {"ci-settle": "later"}
    assert dialect == Dialect({"ci-settle": "later"})
    assert dialect != Dialect()
    assert hash(dialect) == hash(Dialect({"ci-settle": "later"}))
    assert repr(dialect) == "Dialect({'ci-settle': 'later'})"


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (["nonsense"], "POINT=CHOICE"),
        (["nonsense=1"], "no silent point 'nonsense'; there are: ci-unknown-job, "),
        (["ci-settle=never"], "'ci-settle' has no choice 'never'; it has: at-once, later"),
        (["ci-settle=later", "ci-settle=at-once"], "chosen twice"),
    ],
)
def test_a_choice_there_is_not_is_refused(choices: list[str], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        parse_dialect(choices)
