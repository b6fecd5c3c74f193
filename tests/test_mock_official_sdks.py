"""The vendors' own Python clients, unchanged, cancel jobs of the mock over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.client import Client, ClientBuilder
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.sdk_response import SdkResponse
from qcloud_cos import CosConfig, CosS3Client, CosServiceError

from calloff.mock.server import run_embedded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TENCENT = ("tencent-ci", "cancelInventoryTriggerJob", "Running")
SQL = ("huaweicloud-dli", "cancelSqlJob", "RUNNING")
BATCH = ("otc-dli", "cancelBatchJob", "running")


class Answered(SdkResponse):  # type: ignore[misc]  # the SDK has no annotations
    """What the SDK fills in; its models of DLI are in another package."""

    openapi_types: dict[str, str] = {}  # noqa: RUF012 - the SDK reads it from the class
    attribute_map: dict[str, str] = {}  # noqa: RUF012


class Server:
    """The announcement, and jobs and credentials on demand."""

    def __init__(self, announcement: dict[str, Any], client: httpx.Client) -> None:
        self.apis = announcement["apis"]
        self._states = announcement["provider_states_url"]
        self._client = client

    def job(self, api: str, operation: str, state: str) -> str:
        wanted = {"api": api, "operation": operation, "state": state, "owner": "self"}
        return str(self._client.post(f"{self._states}/jobs", json=wanted).json()["job_id"])

    def state(self, api: str, operation: str, job_id: str) -> str:
        return str(self._client.get(f"{self._states}/jobs/{api}/{operation}/{job_id}").json()["state"])

    def credentials(self, api: str, kind: str) -> dict[str, str]:
        made: dict[str, str] = self._client.post(
            f"{self._states}/credentials", json={"api": api, "kind": kind}
        ).json()
        return made


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with run_embedded() as running, httpx.Client(trust_env=False) as client:
        yield Server(running.announcement, client)


def tencent(server: Server, credentials: dict[str, str], job_id: str) -> Any:
    port = int(server.apis["tencent-ci"]["base_url"].rpartition(":")[2])
    config = CosConfig(
        Region="ap-beijing",
        SecretId=credentials["secret_id"],
        SecretKey=credentials["secret_key"],
        Token=credentials.get("security_token"),
        Scheme="http",
        IP="127.0.0.1",
        Port=port,
        KeepAlive=False,
    )
    client = CosS3Client(config, retry=0)
    return client.ci_delete_inventory_trigger_jobs(Bucket="examplebucket-1250000000", JobId=job_id)


def huawei(api: str, path: str) -> Callable[[Server, dict[str, str], str], Any]:
    def cancel(server: Server, credentials: dict[str, str], job_id: str) -> Any:
        keys = BasicCredentials(
            credentials["access_key"], credentials["secret_key"], credentials["project_id"]
        )
        if "security_token" in credentials:
            keys = keys.with_security_token(credentials["security_token"])
        client = (
            ClientBuilder(Client).with_credentials(keys).with_endpoint(server.apis[api]["base_url"]).build()
        )
        return client.do_http_request(
            method="DELETE",
            resource_path=path,
            path_params={"job_id": job_id},
            header_params={"Content-Type": "application/json"},
            response_type=Answered,
            response_headers=[],
        )

    return cancel


CLIENTS = pytest.mark.parametrize(
    ("operation", "cancel", "cancelled"),
    [
        pytest.param(TENCENT, tencent, "Cancel", id="cos-python-sdk-v5"),
        pytest.param(
            SQL,
            huawei("huaweicloud-dli", "/v1.0/{project_id}/jobs/{job_id}"),
            "CANCELLED",
            id="huaweicloudsdkcore",
        ),
        pytest.param(
            BATCH,
            huawei("otc-dli", "/v2.0/{project_id}/batches/{job_id}"),
            "dead",
            id="huaweicloudsdkcore-otc",
        ),
    ],
)


@CLIENTS
@pytest.mark.parametrize("kind", ["good", "temporary"])
def test_an_official_client_cancels(
    server: Server, operation: tuple[str, str, str], cancel: Any, cancelled: str, kind: str
) -> None:
    job_id = server.job(*operation)
    cancel(server, server.credentials(operation[0], kind), job_id)
    assert server.state(*operation[:2], job_id) == cancelled


@CLIENTS
def test_an_official_client_with_another_secret_is_refused(
    server: Server, operation: tuple[str, str, str], cancel: Any, cancelled: str
) -> None:
    job_id = server.job(*operation)
    credentials = server.credentials(operation[0], "good")
    credentials["secret_key"] = credentials["secret_key"][::-1]
    with pytest.raises((ClientRequestException, CosServiceError)) as refused:
        cancel(server, credentials, job_id)
    error = refused.value
    status = error.status_code if isinstance(error, ClientRequestException) else error.get_status_code()
    assert status == 401
    assert server.state(*operation[:2], job_id) == operation[2]


def test_huaweis_client_reads_code_and_request_id(server: Server) -> None:
    credentials = server.credentials("huaweicloud-dli", "other-owner")
    credentials["project_id"] = server.apis["huaweicloud-dli"]["project_id"]
    cancel = huawei("huaweicloud-dli", "/v1.0/{project_id}/jobs/{job_id}")
    with pytest.raises(ClientRequestException) as refused:
        cancel(server, credentials, server.job(*SQL))
    assert refused.value.error_code == "APIGW.0302"
    assert len(refused.value.request_id) == 32
