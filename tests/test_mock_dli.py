"""The mock's DLI: each case answered in the vendor's status, code and shape, and nothing cancelled by mistake."""

from __future__ import annotations

import hashlib
import hmac
import re

import pytest
from mock_support import HOST, NOW, Bench, changed

from calloff.apis import OPERATIONS
from calloff.mock.jobs import Job
from calloff.mock.keys import Key

SQL = "otc-dli/cancelSqlJob"
BATCH = "otc-dli/cancelBatchJob"
HUAWEI = "huaweicloud-dli/cancelSqlJob"
OPEN = {SQL: "RUNNING", BATCH: "running", HUAWEI: "RUNNING"}
CANCELLED = {SQL: "CANCELLED", BATCH: "dead", HUAWEI: "CANCELLED"}
SUCCESS = {
    SQL: {"is_success": True, "message": ""},
    BATCH: {"msg": "deleted"},
    HUAWEI: {"is_success": True, "message": ""},
}
EVERY = pytest.mark.parametrize("operation", [SQL, BATCH, HUAWEI])


@EVERY
def test_a_signed_cancel_is_accepted_and_takes_effect(operation: str) -> None:
    bench = Bench()
    job, bystander = bench.job(operation, OPEN[operation]), bench.job(operation, OPEN[operation])
    reply = bench.cancel(job)
    assert (reply.status, reply.json) == (200, SUCCESS[operation])
    assert re.fullmatch("[0-9a-f]{32}", reply.header("x-request-id") or "")
    assert bench.state_of(job) == CANCELLED[operation]
    assert bench.state_of(bystander) == OPEN[operation]


@EVERY
def test_a_token_is_accepted(operation: str) -> None:
    bench = Bench()
    job = bench.job(operation, OPEN[operation])
    api = OPERATIONS[operation].api
    assert bench.send(api, "DELETE", bench.target(job), bench.token()).status == 200
    assert bench.state_of(job) == CANCELLED[operation]


@pytest.mark.parametrize(
    ("operation", "state", "cancellable"),
    [
        *((SQL, state, True) for state in ("LAUNCHING", "RUNNING", "SCALING")),
        *((SQL, state, False) for state in ("FINISHED", "FAILED", "CANCELLED")),
        *((BATCH, state, True) for state in ("starting", "running", "recovering")),
        *((BATCH, state, False) for state in ("success", "dead")),
    ],
)
def test_state_decides(operation: str, state: str, cancellable: bool) -> None:
    bench = Bench()
    job = bench.job(operation, state)
    reply = bench.cancel(job)
    if cancellable:
        assert reply.status == 200
        assert bench.state_of(job) == CANCELLED[operation]
    else:
        assert (reply.status, reply.code) == (400, "DLI.0007")
        assert set(reply.json) == {"error_code", "error_msg"}
        assert bench.state_of(job) == state


@EVERY
def test_a_second_cancel_is_refused(operation: str) -> None:
    bench = Bench()
    job = bench.job(operation, OPEN[operation])
    assert bench.cancel(job).status == 200
    assert bench.cancel(job).code == "DLI.0007"


def refused_by_gateway(
    bench: Bench, operation: str, reply: object, status: int, number: str, text: str
) -> None:
    assert reply.status == status  # type: ignore[attr-defined]
    body = reply.json  # type: ignore[attr-defined]
    assert set(body) == {"error_code", "error_msg", "request_id"}
    assert body["error_code"] == f"APIGW.{number}"
    assert text in body["error_msg"]
    assert re.fullmatch("[0-9a-f]{32}", body["request_id"])
    assert body["request_id"] == reply.header("x-request-id")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("headers", "number", "text"),
    [
        ({}, "0301", "x-auth-token not found"),
        ({"X-Auth-Token": "garbage"}, "0301", "decrypt token fail"),
        ({"X-Auth-Token": ""}, "0301", "decrypt token fail"),
        ({"Authorization": ""}, "0301", "x-auth-token not found"),
        ({"Authorization": "Bearer none"}, "0301", "verify aksk signature fail"),
    ],
)
def test_requests_without_a_credential_are_refused(headers: dict[str, str], number: str, text: str) -> None:
    bench = Bench()
    job = bench.job(SQL, "RUNNING")
    reply = bench.send("otc-dli", "DELETE", bench.target(job), headers)
    refused_by_gateway(bench, SQL, reply, 401, number, text)
    assert bench.state_of(job) == "RUNNING"


def test_a_token_ends() -> None:
    bench = Bench()
    token = bench.token(lifetime=60)
    bench.now += 59
    assert bench.send("otc-dli", "DELETE", bench.target(bench.job(SQL, "RUNNING")), token).status == 200
    bench.now += 1
    job = bench.job(SQL, "RUNNING")
    reply = bench.send("otc-dli", "DELETE", bench.target(job), token)
    refused_by_gateway(bench, SQL, reply, 401, "0307", "must be updated")
    assert bench.state_of(job) == "RUNNING"


def test_two_tokens_in_one_request_are_refused() -> None:
    bench = Bench()
    job = bench.job(SQL, "RUNNING")
    tokens = [*bench.token().items(), *bench.token(owner=1).items()]
    assert bench.send("otc-dli", "DELETE", bench.target(job), tokens).status == 401
    assert bench.state_of(job) == "RUNNING"


def test_a_project_of_somebody_else_is_refused_whichever_way_it_is_named() -> None:
    bench = Bench()
    foreign, own = bench.job(SQL, "RUNNING", owner=1), bench.job(SQL, "RUNNING")
    refused_by_gateway(bench, SQL, bench.cancel(foreign), 403, "0302", "not allowed")
    other_key = bench.key("otc-dli", owner=1)
    refused_by_gateway(bench, SQL, bench.cancel(own, key=other_key), 403, "0302", "not allowed")
    reply = bench.send("otc-dli", "DELETE", bench.target(own), bench.token(owner=1))
    refused_by_gateway(bench, SQL, reply, 403, "0302", "not allowed")
    misplaced = bench.target(foreign).replace(foreign.owner, own.owner)
    assert bench.cancel(foreign, target=misplaced).code == "DLI.0002"
    assert {bench.state_of(foreign), bench.state_of(own)} == {"RUNNING"}


def test_a_token_of_the_domain_only_is_good_for_no_project() -> None:
    bench = Bench()
    job = bench.job(SQL, "RUNNING")
    token = bench.state.new_token("")
    reply = bench.send("otc-dli", "DELETE", bench.target(job), {"X-Auth-Token": token.value})
    assert reply.status == 403


@pytest.mark.parametrize(
    "signed",
    [
        ("host", "x-sdk-date"),
        ("x-sdk-date",),
        ("content-type", "host", "user-agent", "x-project-id", "x-sdk-date"),
    ],
)
def test_the_client_chooses_what_is_signed(signed: tuple[str, ...]) -> None:
    bench = Bench()
    job = bench.job(HUAWEI, "RUNNING")
    headers = (
        ("Content-Type", "application/json"),
        ("User-Agent", "test"),
        ("X-Project-Id", job.owner),
        ("Content-Length", "0"),
    )
    assert bench.cancel(job, headers=headers, signed=signed).status == 200


@pytest.mark.parametrize("offset", [-901, 901])
def test_a_date_outside_the_window_is_refused(offset: int) -> None:
    bench = Bench()
    job = bench.job(SQL, "RUNNING")
    refused_by_gateway(bench, SQL, bench.cancel(job, offset=offset), 401, "0301", "signature expired")
    assert bench.state_of(job) == "RUNNING"


@pytest.mark.parametrize("offset", [-900, 900])
def test_a_date_at_the_edge_of_the_window_is_accepted(offset: int) -> None:
    bench = Bench()
    assert bench.cancel(bench.job(SQL, "RUNNING"), offset=offset).status == 200


@pytest.mark.parametrize("date", ["20260230T000000Z", "2026-01-15T09:30:00Z", "", "20260115T093000z"])
def test_a_date_that_is_none_is_refused(date: str) -> None:
    bench = Bench()
    job = bench.job(SQL, "RUNNING")
    message = bench.hmac("otc-dli", "DELETE", bench.target(job))
    assert bench.deliver("otc-dli", changed(message, "X-Sdk-Date", date)).status == 401


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "elsewhere.example"),
        ("X-Sdk-Date", "20260115T093001Z"),
        ("X-Sdk-Date", None),
    ],
)
def test_a_signed_header_must_arrive_as_signed(name: str, value: str | None) -> None:
    bench = Bench()
    job = bench.job(SQL, "RUNNING")
    message = changed(bench.hmac("otc-dli", "DELETE", bench.target(job)), name, value)
    assert bench.deliver("otc-dli", message).status == 401
    assert bench.state_of(job) == "RUNNING"


@pytest.mark.parametrize(
    "extra", [("Host", "elsewhere.example"), ("X-Sdk-Date", "20260115T093000Z"), ("Authorization", "x")]
)
def test_a_header_that_decides_must_not_repeat(extra: tuple[str, str]) -> None:
    bench = Bench()
    job = bench.job(SQL, "RUNNING")
    message = bench.hmac("otc-dli", "DELETE", bench.target(job), signed=("x-sdk-date",))
    reply = bench.send("otc-dli", "DELETE", message.target, (*message.headers, extra))
    assert (reply.status, reply.code) == (401, "APIGW.0301")
    assert bench.state_of(job) == "RUNNING"


def test_a_body_added_after_signing_is_refused() -> None:
    bench = Bench()
    job = bench.job(SQL, "RUNNING")
    message = bench.hmac("otc-dli", "DELETE", bench.target(job))
    assert bench.send("otc-dli", "DELETE", message.target, message.headers, b"{}").status == 401


def test_a_query_added_after_signing_is_refused() -> None:
    bench = Bench()
    job = bench.job(SQL, "RUNNING")
    message = bench.hmac("otc-dli", "DELETE", bench.target(job))
    assert bench.send("otc-dli", "DELETE", message.target + "?a=1", message.headers).status == 401


def test_an_unsigned_body_may_be_announced_as_such() -> None:
    bench = Bench()
    headers = (("X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD"), ("Content-Type", "text/plain"))
    signed = ("host", "x-sdk-content-sha256", "x-sdk-date")
    for body in (b"", b"anything"):
        job = bench.job(SQL, "RUNNING")
        message = bench.hmac(
            "otc-dli", "DELETE", bench.target(job), headers=headers, signed=signed, body=body
        )
        assert bench.deliver("otc-dli", message).status == 200


def test_unknown_keys_and_wrong_secrets_are_told_apart() -> None:
    bench = Bench()
    job = bench.job(SQL, "RUNNING")
    key = bench.key("otc-dli")
    message = bench.hmac("otc-dli", "DELETE", bench.target(job), key=key)
    value = dict(message.headers)["Authorization"]
    unknown = changed(message, "Authorization", value.replace(key.id, "nobody"))
    refused_by_gateway(bench, SQL, bench.deliver("otc-dli", unknown), 401, "0301", "ak not exist")
    last = "0" if value[-1] != "0" else "1"
    wrong = changed(message, "Authorization", value[:-1] + last)
    refused_by_gateway(bench, SQL, bench.deliver("otc-dli", wrong), 401, "0301", "verify aksk signature fail")


@pytest.mark.parametrize("length", [1, 64, 65, 200])
def test_a_secret_may_have_any_length(length: int) -> None:
    bench = Bench()
    key = bench.state.keys["otc-dli"].add(Key("long", b"s" * length, bench.state.owners["otc-dli"][0]))
    assert bench.cancel(bench.job(SQL, "RUNNING"), key=key).status == 200


def test_a_temporary_key_needs_its_token_and_ends() -> None:
    bench = Bench()
    key = bench.key("otc-dli", lifetime=600)
    right = (("X-Security-Token", key.security_token),)
    with_token = ("host", "x-sdk-date", "x-security-token")
    assert bench.cancel(bench.job(SQL, "RUNNING"), key=key, headers=right).status == 200
    assert bench.cancel(bench.job(SQL, "RUNNING"), key=key, headers=right, signed=with_token).status == 200
    job = bench.job(SQL, "RUNNING")
    assert bench.cancel(job, key=key).status == 401
    assert bench.cancel(job, key=key, headers=(("X-Security-Token", "another"),)).status == 401
    bench.now += 601
    refused_by_gateway(bench, SQL, bench.cancel(job, key=key, headers=right), 401, "0301", "token expired")
    assert bench.state_of(job) == "RUNNING"


def test_six_failures_in_a_row_lock_a_key_for_five_minutes() -> None:
    bench = Bench()
    key = bench.key("huaweicloud-dli")
    job = bench.job(HUAWEI, "RUNNING")

    def fail() -> str:
        return str(bench.cancel(job, key=key, offset=-1000).json["error_msg"])

    for _ in range(5):
        assert "signature expired" in fail()
    assert bench.cancel(bench.job(HUAWEI, "RUNNING"), key=key).status == 200  # so the row is broken
    for _ in range(6):
        assert "signature expired" in fail()
    locked = bench.cancel(job, key=key)
    refused_by_gateway(bench, HUAWEI, locked, 401, "0301", "AK access failed to reach the limit,forbidden.")
    bench.now += 299
    assert bench.cancel(job, key=key).status == 401
    assert bench.cancel(bench.job(HUAWEI, "RUNNING")).status == 200  # another key is not locked
    bench.now += 1
    assert bench.cancel(job, key=key).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "OPTIONS"])
def test_another_method_is_no_api(method: str) -> None:
    bench = Bench()
    job = bench.job(SQL, "RUNNING")
    refused_by_gateway(bench, SQL, bench.cancel(job, method=method), 404, "0101", "does not exist")
    assert bench.state_of(job) == "RUNNING"


def wrong_paths() -> list[str]:
    return [
        "{path}/",
        "/{path}",
        "{path}%2F",
        "{path}%2f..",
        "{path}/status",
        "/v1.0/{project}/jobs/",
        "/v1.0/{project}/jobs/.",
        "/v1.0/{project}/jobs/..",
        "/v1.0/{project}/jobs/%2e%2e",
        "/v1.0/{project}//jobs/{id}",
        "/v1/{project}/jobs/{id}",
        "/V1.0/{project}/jobs/{id}",
        "/v1.0/{project}/batches/{id}",
        "/v2.0/{project}/jobs/{id}",
        "/v1%2E0/{project}/jobs/{id}",
        "/",
        "",
        "*",
    ]


@pytest.mark.parametrize("path", wrong_paths())
def test_another_path_is_no_api(path: str) -> None:
    bench = Bench()
    job = bench.job(SQL, "RUNNING")
    target = path.format(path=bench.target(job), project=job.owner, id=job.id)
    reply = bench.send("otc-dli", "DELETE", target, bench.token())
    refused_by_gateway(bench, SQL, reply, 404, "0101", "does not exist")
    assert bench.state_of(job) == "RUNNING"


@pytest.mark.parametrize(
    ("operation", "job_id"),
    [
        (SQL, "a" * 65),
        (SQL, "a_b"),
        (SQL, "a%20b"),
        (SQL, "a%0A"),
        (SQL, "%00"),
        (SQL, "%FF"),
        (SQL, "%E4%BB%BB"),
        (SQL, "%zz"),
        (BATCH, "no-uuid"),
        (BATCH, "0a324461-d9d9-45da-a52a-3b3c7a3d809"),
    ],
)
def test_a_malformed_id_is_refused(operation: str, job_id: str) -> None:
    bench = Bench()
    target = bench.target(bench.job(operation, OPEN[operation])).rpartition("/")[0] + "/" + job_id
    reply = bench.send("otc-dli", "DELETE", target, bench.token())
    assert (reply.status, reply.code) == (400, "DLI.0001")
    assert set(reply.json) == {"error_code", "error_msg"}


def test_ids_match_whole_and_case_by_case() -> None:
    bench = Bench()
    job = bench.job(SQL, "RUNNING")
    base = bench.target(job).rpartition("/")[0]
    for other in (job.id[:-1], job.id + "0", job.id[1:], job.id.upper()):
        reply = bench.send("otc-dli", "DELETE", f"{base}/{other}", bench.token())
        assert (reply.status, reply.code) == (400, "DLI.0002")
    assert bench.state_of(job) == "RUNNING"
    escaped = "".join(f"%{ord(letter):02x}" for letter in job.id)
    assert bench.send("otc-dli", "DELETE", f"{base}/{escaped}", bench.token()).status == 200


def test_the_apis_keep_their_jobs_apart() -> None:
    bench = Bench()
    job = bench.job(SQL, "RUNNING")
    assert bench.send("huaweicloud-dli", "DELETE", bench.target(job), bench.token()).code == "DLI.0002"


@pytest.mark.parametrize(
    ("headers", "status", "text"),
    [
        ([("Content-Length", str(12 * 1024 * 1024 + 1))], 413, "too large"),
        ([("X-Long", "a" * (32 * 1024))], 494, "header too large"),
        ([(f"X-{n}", "a" * 16_000) for n in range(9)], 494, "header too large"),
    ],
)
def test_what_is_too_large_is_refused_before_authentication(
    headers: list[tuple[str, str]], status: int, text: str
) -> None:
    bench = Bench()
    job = bench.job(SQL, "RUNNING")
    reply = bench.send("otc-dli", "DELETE", bench.target(job), [*headers, *bench.token().items()])
    refused_by_gateway(bench, SQL, reply, status, "0201", text)
    assert bench.state_of(job) == "RUNNING"


def test_a_body_without_length_is_counted_while_it_arrives() -> None:
    bench = Bench()
    job = bench.job(SQL, "RUNNING")
    parts = [b"a" * 1024 * 1024] * 13
    reply = bench.send("otc-dli", "DELETE", bench.target(job), bench.token(), parts)
    refused_by_gateway(bench, SQL, reply, 413, "0201", "too large")


def test_a_target_over_32_kb_is_refused() -> None:
    bench = Bench()
    target = bench.target(bench.job(SQL, "RUNNING")) + "?" + "a" * 32 * 1024
    reply = bench.send("otc-dli", "DELETE", target, bench.token())
    refused_by_gateway(bench, SQL, reply, 414, "0201", "URI too long")


def test_the_order_of_refusals_is_path_size_credential_project_id_job_state() -> None:
    bench = Bench()
    foreign = bench.job(SQL, "FINISHED", owner=1)
    huge = [("Content-Length", str(10**9))]
    assert bench.send("otc-dli", "DELETE", "/nothing", huge).status == 404
    assert bench.send("otc-dli", "DELETE", bench.target(foreign), huge).status == 413
    malformed = f"/v1.0/{foreign.owner}/jobs/a_b"
    assert bench.send("otc-dli", "DELETE", malformed).status == 401
    assert bench.send("otc-dli", "DELETE", malformed, bench.token()).status == 403
    assert bench.send("otc-dli", "DELETE", malformed, bench.token(owner=1)).code == "DLI.0001"


def test_a_fault_of_the_server_has_the_gateways_shape(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    job = bench.job(SQL, "RUNNING")
    job.lifecycle = None  # type: ignore[assignment]
    refused_by_gateway(bench, SQL, bench.cancel(job), 500, "0601", "Internal server error")
    assert "the mock failed" in caplog.text


def test_requests_differ_in_their_ids_and_servers_with_one_seed_do_not() -> None:
    first, second = Bench(seed=7), Bench(seed=7)
    ids = [bench.send("otc-dli", "GET", "/").header("x-request-id") for bench in (first, first, second)]
    assert ids[0] != ids[1]
    assert ids[0] == ids[2]
    assert first.now == NOW


def derived(bench: Bench, job: Job, key: Key, region: str = "eu-de", service: str = "dli") -> dict[str, str]:
    """Sign as OTC's Go client does: a chain of HMACs, written out here by hand."""
    headers = f"host:{HOST}\nx-sdk-date:20260115T093000Z\n"
    body = hashlib.sha256(b"").hexdigest()
    canonical = f"DELETE\n{bench.target(job)}/\n\n{headers}\nhost;x-sdk-date\n{body}"
    day = hmac.new(b"SDK" + key.secret, b"20260115", "sha256").digest()
    place = hmac.new(day, region.encode(), "sha256").digest()
    service_key = hmac.new(place, service.encode(), "sha256").digest()
    signing_key = hmac.new(service_key, b"sdk_request", "sha256").digest()
    scope = f"20260115/{region}/{service}/sdk_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"SDK-HMAC-SHA256\n20260115T093000Z\n{scope}\n{digest}"
    signature = hmac.new(signing_key, text.encode(), "sha256").hexdigest()
    value = (
        f"SDK-HMAC-SHA256 Credential={key.id}/{scope}, SignedHeaders=host;x-sdk-date, Signature={signature}"
    )
    return {"Host": HOST, "X-Sdk-Date": "20260115T093000Z", "Authorization": value}


@pytest.mark.parametrize(("region", "service"), [("eu-de", "dli"), ("", "")])
@pytest.mark.parametrize("operation", [SQL, BATCH])
def test_otc_takes_the_derived_form(operation: str, region: str, service: str) -> None:
    bench = Bench()
    job = bench.job(operation, OPEN[operation])
    headers = derived(bench, job, bench.key("otc-dli"), region, service)
    assert bench.send("otc-dli", "DELETE", bench.target(job), headers).status == 200
    assert bench.state_of(job) == CANCELLED[operation]


def test_huawei_cloud_knows_the_plain_form_only() -> None:
    bench = Bench()
    job = bench.job(HUAWEI, "RUNNING")
    headers = derived(bench, job, bench.key("huaweicloud-dli"))
    reply = bench.send("huaweicloud-dli", "DELETE", bench.target(job), headers)
    refused_by_gateway(bench, HUAWEI, reply, 401, "0301", "authorization is malformed")
    assert bench.state_of(job) == "RUNNING"


def test_failures_of_the_derived_form_lock_the_key_too() -> None:
    bench = Bench()
    job, key = bench.job(SQL, "RUNNING"), bench.key("otc-dli")
    right = derived(bench, job, key)
    wrong = {**right, "Authorization": right["Authorization"].replace("/eu-de/", "/eu-nl/")}
    for _ in range(6):
        reply = bench.send("otc-dli", "DELETE", bench.target(job), wrong)
        refused_by_gateway(bench, SQL, reply, 401, "0301", "verify aksk signature fail")
    reply = bench.send("otc-dli", "DELETE", bench.target(job), right)
    refused_by_gateway(bench, SQL, reply, 401, "0301", "failed to reach the limit")
    assert bench.state_of(job) == "RUNNING"
