"""Requests that the official COS SDK for Python signs and sends, unchanged, cancel jobs of the mock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from hostile_server import Listener
from qcloud_cos import CosConfig, CosS3Client, CosServiceError
from qcloud_cos.cos_auth import CosS3Auth

from calloff.mock.keys import Key
from peers.running import Running, running

BATCH, AI = "tencent-ci/cancelInventoryTriggerJob", "tencent-ci/cancelAiJob"
BUCKET = "examplebucket-1250000000"
HOST = f"{BUCKET}.ci.ap-beijing.myqcloud.com"


@pytest.fixture(scope="module")
def mock() -> Iterator[Running]:
    with running() as mock:
        yield mock


@contextmanager
def client(port: int, key: Key) -> Iterator[CosS3Client]:
    """Give a client that sends to a port of this machine what it would send to the bucket."""
    config = CosConfig(
        Region="ap-beijing",
        SecretId=key.id,
        SecretKey=key.secret.decode(),
        Token=key.security_token or None,
        Scheme="http",
        IP="127.0.0.1",
        Port=port,
        Endpoint="ci.ap-beijing.myqcloud.com",
    )
    with requests.Session() as pool:
        pool.trust_env = False
        yield CosS3Client(config, retry=0, session=pool)


def port_of(mock: Running) -> int:
    return int(mock.url("tencent-ci").rpartition(":")[2])


def generic(cos: CosS3Client, path: str) -> None:
    """Send a cancel for which the SDK has no call of its own, ``cancel`` among what it signs."""
    auth = CosS3Auth(cos.get_conf(), path, params={"cancel": ""})
    url = cos.get_conf().uri(bucket=BUCKET, path=path) + "?cancel"
    cos.send_request("PUT", url, bucket=BUCKET, auth=auth, headers={}, ci_request=True)


@pytest.mark.parametrize("lifetime", [None, 600.0], ids=["lasting", "temporary"])
def test_the_call_for_batch_jobs_cancels(mock: Running, lifetime: float | None) -> None:
    job = mock.job(BATCH, "Running")
    with client(port_of(mock), mock.key("tencent-ci", lifetime=lifetime)) as cos:
        answer = cos.ci_delete_inventory_trigger_jobs(Bucket=BUCKET, JobId=job.id)
    assert (answer.status_code, answer.content, answer.headers["Server"]) == (200, b"", "tencent-ci")
    assert mock.state_of(job) == "Cancel"


@pytest.mark.parametrize("lifetime", [None, 600.0], ids=["lasting", "temporary"])
@pytest.mark.parametrize(("operation", "path"), [(BATCH, "/inventorytriggerjob/"), (AI, "/ai_jobs/")])
def test_a_generic_request_cancels(mock: Running, operation: str, path: str, lifetime: float | None) -> None:
    job = mock.job(operation, "Submitted")
    with client(port_of(mock), mock.key("tencent-ci", lifetime=lifetime)) as cos:
        generic(cos, path + job.id)
    assert mock.state_of(job) == "Cancel"


def test_a_presigned_request_cancels(mock: Running) -> None:
    """The SDK signs the query form; another client sends it."""
    job = mock.job(AI, "Submitted")
    with client(port_of(mock), mock.key("tencent-ci")) as cos, requests.Session() as plain:
        plain.trust_env = False
        signed = cos.get_presigned_url(
            BUCKET, f"ai_jobs/{job.id}", "PUT", Params={"cancel": ""}, SignHost=False
        )
        target = signed.partition("?")[2]
        answer = plain.put(f"{mock.url('tencent-ci')}/ai_jobs/{job.id}?{target}", headers={"Host": HOST})
    assert (answer.status_code, answer.content) == (200, b"")
    assert mock.state_of(job) == "Cancel"


def sent(key: Key, *, by_call: bool) -> tuple[str, dict[str, str], bytes]:
    """Give line, headers and body of a cancel as they leave the SDK."""
    with Listener() as listener, client(listener.port, key) as cos:
        if by_call:
            cos.ci_delete_inventory_trigger_jobs(Bucket=BUCKET, JobId="a-job")
        else:
            generic(cos, "/inventorytriggerjob/a-job")
        (request,) = listener.requests
    head, _, body = request.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    return line, {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}, body


def lists(headers: dict[str, str]) -> tuple[str, str]:
    fields = dict(field.partition("=")[::2] for field in headers["authorization"].split("&"))
    return fields["q-header-list"], fields["q-url-param-list"]


def test_the_request_is_the_documented_one() -> None:
    """Query, content headers, token header and signed lists as the notes on this SDK say."""
    line, headers, body = sent(Key("key-id", b"secret-key", ""), by_call=True)
    assert (line, body) == ("PUT /inventorytriggerjob/a-job?cancel HTTP/1.1", b"")
    assert headers["content-length"] == "0"
    assert "content-type" not in headers
    assert headers["accept"] == "*/*"
    assert headers["host"] == HOST
    assert lists(headers) == ("content-length;host", "")
    _, headers, _ = sent(Key("key-id", b"secret-key", "", "security-token"), by_call=True)
    assert headers["x-ci-security-token"] == "security-token"
    assert "x-cos-security-token" not in headers
    assert lists(headers) == ("content-length;host;x-ci-security-token", "")
    _, headers, _ = sent(Key("key-id", b"secret-key", ""), by_call=False)
    assert lists(headers) == ("content-length;host", "cancel")


def test_refusals_are_read(mock: Running) -> None:
    ended, own = mock.job(BATCH, "Success"), mock.job(BATCH, "Submitted")
    key, expired = mock.key("tencent-ci"), mock.key("tencent-ci", lifetime=-60)
    for job, used, status in (
        (ended, key, 403),
        (own, Key(key.id, b"another", ""), 401),
        (own, expired, 401),
        (own, mock.key("tencent-ci", owner=1), 401),
    ):
        with client(port_of(mock), used) as cos, pytest.raises(CosServiceError) as refused:
            cos.ci_delete_inventory_trigger_jobs(Bucket=BUCKET, JobId=job.id)
        assert refused.value.get_status_code() == status
        # The SDK wants a Resource, which CI's own errors do not have: it knows no code then.
        assert refused.value.get_error_code() == "Unknown"
        assert refused.value.get_request_id() == "Unknown"
    assert mock.state_of(own) == "Submitted"
