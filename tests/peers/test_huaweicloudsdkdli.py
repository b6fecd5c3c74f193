"""The official Huawei Cloud SDK for Python, unchanged, calls CancelSqlJob (and CancelSparkJob) of the mock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from hostile_server import Listener, reply
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import (
    ClientRequestException,
    ConnectionException,
    ServerResponseException,
)
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkdli.v1 import CancelSparkJobRequest, CancelSqlJobRequest, DliClient

from calloff.apis import ApiName
from calloff.mock.disturbances import Disturbance
from calloff.mock.jobs import Job
from calloff.mock.keys import Key
from peers.running import Running, running

SQL, SPARK = "huaweicloud-dli/cancelSqlJob", "otc-dli/cancelBatchJob"
HUAWEI: ApiName = "huaweicloud-dli"


@pytest.fixture(scope="module")
def mock() -> Iterator[Running]:
    with running() as mock:
        yield mock


@contextmanager
def client(url: str, credentials: BasicCredentials, **config: Any) -> Iterator[DliClient]:
    settings = HttpConfig.get_default_config()
    for name, value in config.items():
        setattr(settings, name, value)
    made = DliClient.new_builder().with_http_config(settings).with_credentials(credentials)
    made = made.with_endpoint(url).build()
    try:
        yield made
    finally:
        made.close()


def credentials(key: Key, project: str) -> BasicCredentials:
    made = BasicCredentials(key.id, key.secret.decode(), project)
    return made.with_security_token(key.security_token) if key.security_token else made


def cancel(mock: Running, job: Job, key: Key | None = None, **config: Any) -> Any:
    keys = credentials(key or mock.key(HUAWEI), job.owner)
    with client(mock.url(HUAWEI), keys, **config) as dli:
        return dli.cancel_sql_job(CancelSqlJobRequest(job_id=job.id))


@pytest.mark.parametrize("lifetime", [None, 600.0], ids=["lasting", "temporary"])
def test_a_job_is_cancelled(mock: Running, lifetime: float | None) -> None:
    job = mock.job(SQL, "RUNNING")
    answer = cancel(mock, job, mock.key(HUAWEI, lifetime=lifetime))
    assert (answer.is_success, answer.message, answer.status_code) == (True, "", 200)
    assert mock.state_of(job) == "CANCELLED"


def test_a_spark_job_is_cancelled(mock: Running) -> None:
    job = mock.job(SPARK, "running")
    with client(mock.url("otc-dli"), credentials(mock.key("otc-dli"), job.owner)) as dli:
        answer = dli.cancel_spark_job(CancelSparkJobRequest(batch_id=job.id))
    assert answer.msg == "deleted"
    assert mock.state_of(job) == "dead"


def test_the_request_is_the_documented_one() -> None:
    """Signed headers, content type, empty body and security token as the notes on this SDK say."""
    key = Key("access-key", b"secret-key", "", "security-token")
    answered = reply(200, b'{"is_success":true,"message":""}', {"Content-Type": "application/json"})
    with Listener(answered) as listener:
        with client(listener.url, credentials(key, "0" * 32)) as dli:
            dli.cancel_sql_job(CancelSqlJobRequest(job_id="a-job"))
            dli.cancel_sql_job(CancelSqlJobRequest())
        first, second = listener.requests
    head, _, body = first.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
    assert line == f"DELETE /v1.0/{'0' * 32}/jobs/a-job HTTP/1.1"
    assert body == b""
    assert headers["content-length"] == "0"
    assert headers["content-type"] == "application/json"
    assert headers["accept"] == "*/*"
    assert headers["x-project-id"] == "0" * 32
    assert headers["x-security-token"] == "security-token"
    assert headers["user-agent"].startswith("huaweicloud-usdk-python/3.0")
    authorization = headers["authorization"]
    assert authorization.startswith("SDK-HMAC-SHA256 Access=access-key, ")
    signed = "content-type;host;user-agent;x-project-id;x-sdk-date;x-security-token"
    assert f"SignedHeaders={signed}, " in authorization
    assert second.startswith(f"DELETE /v1.0/{'0' * 32}/jobs/%7Bjob_id%7D HTTP/1.1".encode())


def test_refusals_are_read(mock: Running) -> None:
    ended, foreign, own = (
        mock.job(SQL, "FINISHED"),
        mock.job(SQL, "RUNNING", owner=1),
        mock.job(SQL, "RUNNING"),
    )
    wrong = Key(mock.key(HUAWEI).id, b"another", "")
    expired = mock.key(HUAWEI, lifetime=-60)
    unknown = Job("6d2146a0-c2d5-41bd-8ca0-ca9694ada992", SQL, own.owner, own.lifecycle, "RUNNING")
    for job, key, status, code, text in (
        (ended, None, 400, "DLI.0007", "cannot be canceled"),
        (unknown, None, 400, "DLI.0002", "does not exist"),
        (foreign, None, 403, "APIGW.0302", "not allowed"),
        (own, wrong, 401, "APIGW.0301", "verify aksk signature fail"),
        (own, expired, 401, "APIGW.0301", "security token"),
        (own, Key("nobody", b"another", ""), 401, "APIGW.0301", "ak not exist"),
    ):
        with pytest.raises(ClientRequestException) as refused:
            cancel(mock, job, key)
        error = refused.value
        assert (error.status_code, error.error_code) == (status, code)
        assert text in error.error_msg
        assert len(error.request_id) == 32
    assert {mock.state_of(own), mock.state_of(foreign)} == {"RUNNING"}


def test_a_fault_of_the_server_is_told_apart() -> None:
    with running(None, Disturbance(kind="status", status=500, operations=SQL, requests=1)) as mock:
        job = mock.job(SQL, "RUNNING")
        with pytest.raises(ServerResponseException) as refused:
            cancel(mock, job)
        assert refused.value.status_code == 500
        assert cancel(mock, job).is_success


def test_a_bare_page_of_a_proxy_is_read_as_an_error() -> None:
    with running(None, Disturbance(kind="gateway", status=502, operations=SQL, requests=1)) as mock:
        with pytest.raises(ServerResponseException) as refused:
            cancel(mock, mock.job(SQL, "RUNNING"))
        assert (refused.value.status_code, refused.value.error_code) == (502, "502")


THROTTLED = Disturbance(kind="throttle", rate=0.0, retry_after=0, operations=SQL, requests=1)


def test_a_throttled_cancel_is_not_sent_again_unless_wanted() -> None:
    with running(None, THROTTLED) as mock:
        job = mock.job(SQL, "RUNNING")
        with pytest.raises(ClientRequestException) as refused:
            cancel(mock, job)
        assert refused.value.status_code == 429
        assert mock.state_of(job) == "RUNNING"


def test_a_throttled_cancel_is_sent_again_where_wanted() -> None:
    """The second request bears the signature of the first."""
    with running(None, THROTTLED) as mock:
        job = mock.job(SQL, "RUNNING")
        assert cancel(mock, job, retry_times=1).is_success
        assert mock.state_of(job) == "CANCELLED"


def test_a_connection_that_breaks_is_told() -> None:
    with running(None, Disturbance(kind="reset", operations=SQL, requests=1)) as mock:
        job = mock.job(SQL, "RUNNING")
        with pytest.raises(ConnectionException):
            cancel(mock, job)
        assert mock.state_of(job) == "RUNNING"


def test_what_a_200_need_not_hold_is_none() -> None:
    with running({"dli-success-body": "empty"}) as mock:
        answer = cancel(mock, mock.job(SQL, "RUNNING"))
    assert (answer.is_success, answer.message) == (None, None)


def test_a_failure_in_a_200_raises_nothing() -> None:
    with running({"dli-not-cancellable": "200-is-success-false"}) as mock:
        answer = cancel(mock, mock.job(SQL, "FINISHED"))
    assert answer.is_success is False


def test_a_temporary_key_of_the_iam_cancels_until_it_ends() -> None:
    with running() as mock, httpx.Client(trust_env=False) as http:
        token = mock.announcement["apis"][HUAWEI]["credentials"]["token"]
        made = http.post(
            f"{mock.iam_url}/v3.0/OS-CREDENTIAL/securitytokens",
            headers={"X-Auth-Token": token},
            json={"auth": {"identity": {"methods": ["token"], "token": {"duration_seconds": 900}}}},
        ).json()["credential"]
        key = Key(made["access"], made["secret"].encode(), "", made["securitytoken"])
        first, second = mock.job(SQL, "RUNNING"), mock.job(SQL, "RUNNING")
        assert cancel(mock, first, key).is_success
        mock.clock.ahead = 901
        with pytest.raises(ClientRequestException) as refused:
            cancel(mock, second, key)
    assert (refused.value.status_code, refused.value.error_code) == (401, "APIGW.0301")


def test_the_client_asks_the_iam_for_its_project(mock: Running) -> None:
    job, key = mock.job(SQL, "RUNNING"), mock.key(HUAWEI)
    unscoped = BasicCredentials(key.id, key.secret.decode()).with_iam_endpoint(mock.iam_url)
    made = DliClient.new_builder().with_credentials(unscoped)
    dli = made.with_region(Region("cn-north-4", mock.url(HUAWEI))).build()
    try:
        assert dli.cancel_sql_job(CancelSqlJobRequest(job_id=job.id)).is_success
    finally:
        dli.close()
    assert mock.state_of(job) == "CANCELLED"
