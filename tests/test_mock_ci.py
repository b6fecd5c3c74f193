"""The mock's CI: each case answered in the vendor's status, code and shape, and nothing cancelled by mistake."""

from __future__ import annotations

import base64
import re
from urllib.parse import quote

import pytest
from mock_support import HOST, Bench, Reply, changed
from peers import reference

BATCH = "tencent-ci/cancelInventoryTriggerJob"
AI = "tencent-ci/cancelAiJob"
EVERY = pytest.mark.parametrize("operation", [BATCH, AI])
OTHER_HOST = "otherbucket-1250000000.ci.ap-beijing.myqcloud.com"


def decoded_id(value: str | None) -> str:
    return base64.b64decode(value or "", validate=True).decode()


def refused(reply: Reply, status: int, code: str) -> None:
    assert (reply.status, reply.xml["Code"]) == (status, code)
    assert set(reply.xml) == {"Code", "Message", "RequestId", "TraceId"}
    assert reply.xml["Message"]
    assert reply.xml["RequestId"] == reply.header("x-ci-request-id")
    assert reply.xml["TraceId"] == reply.header("x-ci-trace-id")
    assert reply.header("server") == "tencent-ci"


@EVERY
def test_a_signed_cancel_is_accepted_and_takes_effect(operation: str) -> None:
    bench = Bench()
    job, bystander = bench.job(operation, "Submitted"), bench.job(operation, "Submitted")
    reply = bench.cancel(job)
    assert (reply.status, reply.body) == (200, b"")
    # 0x6968b398 seconds: 2026-01-15T09:30:00Z
    assert dict(reply.headers).keys() == {"server", "x-ci-request-id", "content-length"}
    assert reply.header("content-length") == "0"
    assert reply.header("server") == "tencent-ci"
    assert re.fullmatch("6968b398(_[0-9a-f]+){3}", decoded_id(reply.header("x-ci-request-id")))
    assert bench.state_of(job) == "Cancel"
    assert bench.state_of(bystander) == "Submitted"


@pytest.mark.parametrize(
    ("operation", "state", "cancellable"),
    [
        *((BATCH, state, True) for state in ("Submitted", "Running", "Pause")),
        *((BATCH, state, False) for state in ("Success", "Failed", "Cancel")),
        *((AI, state, True) for state in ("Submitted", "Pause")),
        *((AI, state, False) for state in ("Running", "Success", "Failed", "Cancel")),
    ],
)
def test_state_decides(operation: str, state: str, cancellable: bool) -> None:
    bench = Bench()
    job = bench.job(operation, state)
    reply = bench.cancel(job)
    if cancellable:
        assert reply.status == 200
        assert bench.state_of(job) == "Cancel"
    else:
        refused(reply, 403, "AccessDenied")
        assert bench.state_of(job) == state


def test_a_refusal_looks_as_the_vendor_writes_it() -> None:
    bench = Bench()
    reply = bench.send("tencent-ci", "PUT", "/ai_jobs/a1?cancel")
    refused(reply, 401, "MissingAuthorization")
    assert reply.body.startswith(b"<Error><Code>MissingAuthorization</Code><Message>")
    assert decoded_id(reply.header("x-ci-trace-id")) != decoded_id(reply.header("x-ci-request-id"))


@pytest.mark.parametrize("query", ["cancel", "cancel=", "x=1&cancel", "cancel&x=1", "cancel&cancel="])
def test_the_parameter_counts_with_and_without_equals_sign(query: str) -> None:
    bench = Bench()
    job = bench.job(AI, "Submitted")
    target = bench.target(job).replace("cancel", query)
    assert bench.cancel(job, target=target, parameters=()).status == 200
    assert bench.state_of(job) == "Cancel"


@pytest.mark.parametrize("query", ["", "?", "?cancelled", "?Cancel", "?x=cancel", "?%63ancel%00"])
def test_nothing_is_cancelled_without_the_parameter(query: str) -> None:
    bench = Bench()
    job = bench.job(AI, "Submitted")
    target = bench.target(job).replace("?cancel", query)
    reply = bench.cancel(job, target=target, parameters=())
    refused(reply, 404, "InvalidUrl")
    assert b"without the query parameter cancel" in reply.body  # an official SDK leaves it out
    assert bench.state_of(job) == "Submitted"


@pytest.mark.parametrize(
    ("signed", "parameters"),
    [
        ((), ()),
        (("host",), ()),
        ((), ("cancel",)),
        (("content-length", "host"), ("cancel",)),
        (("host", "x-ci-note"), ("cancel",)),
    ],
)
def test_the_client_chooses_what_is_signed(signed: tuple[str, ...], parameters: tuple[str, ...]) -> None:
    bench = Bench()
    headers = (("Content-Length", "0"), ("x-ci-note", "50% a+b ü"))
    job = bench.job(AI, "Submitted")
    message = bench.q_sign("PUT", bench.target(job), headers=headers, signed=signed, parameters=parameters)
    arriving = [(name, value.encode().decode("latin-1")) for name, value in message.headers]
    assert bench.send("tencent-ci", "PUT", message.target, arriving).status == 200


def in_query(message: reference.Message) -> reference.Message:
    """Move the signature from the header into the query."""
    authorization = dict(message.headers)["Authorization"]
    fields = [piece.partition("=")[::2] for piece in authorization.split("&")]
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields)
    return reference.Message(message.method, f"{message.target}&{query}", message.headers[:1])


def in_one_parameter(message: reference.Message) -> reference.Message:
    """Move the signature into the one parameter that the PHP client puts it in."""
    target = f"{message.target}&sign={quote(authorization(message), safe='')}"
    return reference.Message(message.method, target, message.headers[:1])


def test_a_signature_in_one_parameter_is_accepted() -> None:
    bench = Bench()
    job = bench.job(BATCH, "Submitted")
    key = bench.key("tencent-ci", lifetime=600)
    message = in_one_parameter(bench.q_sign("PUT", bench.target(job), key=key))
    refused(bench.deliver("tencent-ci", message), 401, "InvalidAuthorization")
    with_token = f"{message.target}&x-cos-security-token={key.security_token}"
    assert bench.send("tencent-ci", "PUT", with_token, message.headers).status == 200
    assert bench.state_of(job) == "Cancel"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("q-signature%3D", "q-signature%3D0", "InvalidAuthorization"),
        ("%26q-ak%3D", "%26q-ak%3Dno", "SecretidNotExist"),
        ("sign=", "sign=&sign=", "InvalidAuthorization"),
        ("sign=", "q-ak=more&sign=", "InvalidAuthorization"),
        ("sign=q-sign-algorithm%3Dsha1%26", "sign=", "InvalidAuthorization"),
        ("&sign=", "&sing=", "MissingAuthorization"),
    ],
)
def test_one_parameter_holds_exactly_one_signature(old: str, new: str, code: str) -> None:
    bench = Bench()
    job = bench.job(BATCH, "Submitted")
    message = in_one_parameter(bench.q_sign("PUT", bench.target(job)))
    assert old in message.target
    reply = bench.send("tencent-ci", "PUT", message.target.replace(old, new, 1), message.headers)
    refused(reply, 401, code)
    assert bench.state_of(job) == "Submitted"


def test_a_signature_in_the_query_is_accepted() -> None:
    bench = Bench()
    job = bench.job(BATCH, "Submitted")
    message = in_query(bench.q_sign("PUT", bench.target(job)))
    assert bench.deliver("tencent-ci", message).status == 200


def test_a_temporary_key_in_the_query_takes_its_token_from_there() -> None:
    bench = Bench()
    key = bench.key("tencent-ci", lifetime=600)
    job = bench.job(BATCH, "Submitted")
    message = in_query(bench.q_sign("PUT", bench.target(job), key=key))
    refused(bench.deliver("tencent-ci", message), 401, "InvalidAuthorization")
    with_token = f"{message.target}&x-cos-security-token={key.security_token}"
    assert bench.send("tencent-ci", "PUT", with_token, message.headers).status == 200


def test_a_header_wins_over_the_query() -> None:
    bench = Bench()
    job = bench.job(BATCH, "Submitted")
    message = in_query(bench.q_sign("PUT", bench.target(job)))
    reply = bench.deliver("tencent-ci", reference.with_header(message, "Authorization", "none"))
    refused(reply, 401, "InvalidAuthorization")


def authorization(message: reference.Message) -> str:
    return dict(message.headers)["Authorization"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("q-sign-algorithm=sha1", "q-sign-algorithm=sha256"),
        ("&q-ak=", "&q-bk="),
        ("&q-header-list=host", ""),
        ("&q-header-list=host", "&q-header-list=host&q-header-list=host"),
        ("&q-header-list=host", "&q-header-list=host;host"),
        ("&q-header-list=host", "&q-header-list=Host"),
        ("&q-header-list=host", "&q-header-list=host&more=1"),
        ("q-sign-time=", "q-sign-time=0;"),
        ("q-sign-time=1768469340", "q-sign-time=1768469341"),
    ],
)
def test_an_authorization_that_is_no_q_sign_string_is_refused(old: str, new: str) -> None:
    bench = Bench()
    job = bench.job(AI, "Submitted")
    message = bench.q_sign("PUT", bench.target(job))
    assert old in authorization(message)
    wrong = changed(message, "Authorization", authorization(message).replace(old, new, 1))
    refused(bench.deliver("tencent-ci", wrong), 401, "InvalidAuthorization")
    assert bench.state_of(job) == "Submitted"


def test_an_unknown_key_is_refused() -> None:
    bench = Bench()
    job = bench.job(AI, "Submitted")
    key = bench.key("tencent-ci")
    message = bench.q_sign("PUT", bench.target(job), key=key)
    wrong = changed(message, "Authorization", authorization(message).replace(key.id, "nobody"))
    refused(bench.deliver("tencent-ci", wrong), 401, "SecretidNotExist")


@pytest.mark.parametrize(("start", "end"), [(-100, -1), (60, 900), (-7200, -3600)])
def test_a_signature_outside_its_period_is_refused(start: int, end: int) -> None:
    bench = Bench()
    job = bench.job(AI, "Submitted")
    refused(bench.cancel(job, start=start, end=end), 401, "SignatureExpired")
    assert bench.state_of(job) == "Submitted"


@pytest.mark.parametrize(("start", "end"), [(0, 0), (0, 1), (-1, 0)])
def test_both_ends_of_the_period_belong_to_it(start: int, end: int) -> None:
    bench = Bench()
    assert bench.cancel(bench.job(AI, "Submitted"), start=start, end=end).status == 200


@pytest.mark.parametrize("name", ["x-ci-security-token", "x-cos-security-token"])
@pytest.mark.parametrize("token_is_signed", [True, False])
def test_a_temporary_key_is_accepted_with_its_token(name: str, token_is_signed: bool) -> None:
    bench = Bench()
    key = bench.key("tencent-ci", lifetime=600)
    signed = ("host", name) if token_is_signed else ("host",)
    reply = bench.cancel(
        bench.job(AI, "Submitted"), key=key, headers=((name, key.security_token),), signed=signed
    )
    assert reply.status == 200


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("x-ci-security-token", "another"),),
        (("x-ci-security-token", "{token}"), ("x-cos-security-token", "another")),
        (("x-ci-security-token", "{token}"), ("x-ci-security-token", "{token}")),
    ],
)
def test_a_temporary_key_needs_its_token_and_no_other(headers: tuple[tuple[str, str], ...]) -> None:
    bench = Bench()
    key = bench.key("tencent-ci", lifetime=600)
    filled = tuple((name, value.format(token=key.security_token)) for name, value in headers)
    job = bench.job(AI, "Submitted")
    refused(bench.cancel(job, key=key, headers=filled), 401, "InvalidAuthorization")
    assert bench.state_of(job) == "Submitted"


def test_a_temporary_key_ends() -> None:
    bench = Bench()
    key = bench.key("tencent-ci", lifetime=600)
    bench.now += 601
    job = bench.job(AI, "Submitted")
    reply = bench.cancel(job, key=key, headers=(("x-ci-security-token", key.security_token),))
    refused(reply, 401, "SignatureExpired")


def test_a_bucket_is_named_by_the_host() -> None:
    bench = Bench()
    foreign = bench.job(AI, "Submitted", owner=1)
    refused(bench.cancel(foreign), 404, "JobNotFound")  # any other Host means the default bucket
    refused(bench.cancel(foreign, host=OTHER_HOST), 401, "AccessDenied")
    refused(bench.cancel(foreign, key=bench.key("tencent-ci", owner=1)), 401, "AccessDenied")
    assert bench.state_of(foreign) == "Submitted"
    own_way = bench.cancel(foreign, host=OTHER_HOST, key=bench.key("tencent-ci", owner=1))
    assert own_way.status == 200
    assert bench.state_of(foreign) == "Cancel"


@pytest.mark.parametrize(
    "host",
    [
        "examplebucket-1250000000.ci.ap-beijing.myqcloud.com",
        "ExampleBucket-1250000000.CI.ap-beijing.myqcloud.com",
        "examplebucket-1250000000.ci.ap-beijing.tencentcos.cn:8601",
        "localhost",
        HOST,
    ],
)
def test_the_default_bucket_has_many_hosts(host: str) -> None:
    bench = Bench()
    assert bench.cancel(bench.job(AI, "Submitted"), host=host).status == 200


def test_a_host_must_not_repeat() -> None:
    bench = Bench()
    job = bench.job(AI, "Submitted")
    message = bench.q_sign("PUT", bench.target(job), signed=())
    twice = (*message.headers, ("Host", OTHER_HOST))
    refused(bench.send("tencent-ci", "PUT", message.target, twice), 401, "InvalidAuthorization")


@pytest.mark.parametrize("extra", ["&x=2", "&%78=1"])
def test_a_signed_parameter_must_not_repeat(extra: str) -> None:
    bench = Bench()
    job = bench.job(AI, "Submitted")
    message = bench.q_sign("PUT", bench.target(job) + "&x=1", parameters=("cancel", "x"))
    reply = bench.send("tencent-ci", "PUT", message.target + extra, message.headers)
    refused(reply, 401, "InvalidAuthorization")


def test_a_listed_parameter_must_arrive() -> None:
    bench = Bench()
    job = bench.job(AI, "Submitted")
    message = bench.q_sign("PUT", bench.target(job) + "&x=", parameters=("cancel", "x"))
    reply = bench.send("tencent-ci", "PUT", bench.target(job), message.headers)
    refused(reply, 401, "InvalidAuthorization")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "PATCH", "OPTIONS"])
def test_another_method_is_refused(method: str) -> None:
    bench = Bench()
    job = bench.job(AI, "Submitted")
    refused(bench.cancel(job, method=method), 404, "InvalidUrl")
    assert bench.state_of(job) == "Submitted"


@pytest.mark.parametrize(
    "path", ["/ai_jobs", "/ai_jobs/", "/ai_jobs/{id}/", "//ai_jobs/{id}", "/AI_jobs/{id}", "/jobs/{id}", "/"]
)
def test_another_path_is_refused(path: str) -> None:
    bench = Bench()
    job = bench.job(AI, "Submitted")
    refused(bench.cancel(job, target=path.format(id=job.id) + "?cancel"), 404, "InvalidUrl")
    assert bench.state_of(job) == "Submitted"


@pytest.mark.parametrize("job_id", ["a" * 65, "a_b", "a%20b", "%0A", "%E4%BB%BB", "a%00"])
def test_a_malformed_id_is_refused(job_id: str) -> None:
    bench = Bench()
    job = bench.job(AI, "Submitted")
    refused(bench.cancel(job, target=f"/ai_jobs/{job_id}?cancel"), 400, "InvalidArgument")


def test_jobs_of_the_two_operations_are_apart() -> None:
    bench = Bench()
    job = bench.job(AI, "Submitted")
    refused(bench.cancel(job, target=f"/inventorytriggerjob/{job.id}?cancel"), 404, "JobNotFound")


def test_what_is_too_large_is_refused() -> None:
    bench = Bench()
    target = bench.target(bench.job(AI, "Submitted"))
    refused(bench.send("tencent-ci", "PUT", target, body=b"a" * 70_000), 413, "InvalidContent")
    refused(bench.send("tencent-ci", "PUT", target + "&" + "a" * 33_000), 404, "InvalidUrl")
    refused(bench.send("tencent-ci", "PUT", target, {"X-Long": "a" * 140_000}), 400, "InvalidArgument")


def test_failures_lock_no_key_here() -> None:
    bench = Bench()
    key = bench.key("tencent-ci")
    job = bench.job(AI, "Submitted")
    for _ in range(10):
        refused(bench.cancel(job, key=key, end=-1), 401, "SignatureExpired")
    assert bench.cancel(job, key=key).status == 200


def test_a_validity_that_ends_before_it_starts_is_malformed() -> None:
    bench = Bench()
    job = bench.job(AI, "Submitted")
    refused(
        bench.deliver("tencent-ci", bench.q_sign("PUT", bench.target(job), start=60, end=30)),
        401,
        "InvalidAuthorization",
    )
    assert bench.state_of(job) == "Submitted"
