"""The generated packages, used without `calloff`: the caller signs, and errors come back as typed values."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from calloff_clients import huaweicloud_dli, otc_dli, tencent_ci
from calloff_clients.huaweicloud_dli import models as huawei_models
from calloff_clients.otc_dli import models as otc_models
from cloud import CASES, MODES, Case, Cloud, Clouds

from calloff.verify.target import Keys

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from contextlib import AbstractContextManager

UNKNOWN_ID = "6d2146a0-c2d5-41bd-8ca0-000000000000"
CALLS = {
    "tencent-ci/cancelInventoryTriggerJob": (tencent_ci, "batch_jobs.cancel_inventory_trigger_job"),
    "tencent-ci/cancelAiJob": (tencent_ci, "ai_jobs.cancel_ai_job"),
    "otc-dli/cancelBatchJob": (otc_dli, "spark_jobs.cancel_batch_job"),
    "otc-dli/cancelSqlJob": (otc_dli, "sql_jobs.cancel_sql_job"),
    "huaweicloud-dli/cancelSqlJob": (huaweicloud_dli, "sql_jobs.cancel_sql_job"),
}
MODELS = {"otc-dli": otc_models, "huaweicloud-dli": huawei_models}
CI_CASES = [case for case in CASES if case.operation.api == "tencent-ci"]
DLI_CASES = [case for case in CASES if case.operation.api != "tencent-ci"]
both_modes = pytest.mark.parametrize("mode", MODES)
every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_ci_case = pytest.mark.parametrize("case", CI_CASES, ids=str)
every_dli_case = pytest.mark.parametrize("case", DLI_CASES, ids=str)


class QSign(httpx.Auth):
    """What a caller must bring for CI: q-sign over method and path alone (Request Signature, 436/7778)."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        def sha1(key: str, text: str) -> str:
            return hmac.new(key.encode(), text.encode(), "sha1").hexdigest()

        times = f"{int(time.time()) - 60};{int(time.time()) + 900}"
        signed = f"{request.method.lower()}\n{request.url.path}\n\n\n"
        digest = hashlib.sha1(signed.encode(), usedforsecurity=False).hexdigest()
        signature = sha1(sha1(self._keys.secret_key, times), f"sha1\n{times}\n{digest}\n")
        request.headers["Authorization"] = (
            f"q-sign-algorithm=sha1&q-ak={self._keys.key_id}&q-sign-time={times}&q-key-time={times}"
            f"&q-header-list=&q-url-param-list=&q-signature={signature}"
        )
        yield request


@pytest.fixture(scope="module")
def clouds(start_mock: Callable[..., AbstractContextManager[dict[str, Any]]]) -> Iterator[Clouds]:
    with Clouds(start_mock) as clouds:
        yield clouds


@pytest.fixture
def cloud(request: pytest.FixtureRequest, clouds: Clouds) -> Cloud:
    """Give a mock with the dialect that a test asks for."""
    return clouds.under(getattr(request, "param", ""))


def call(cloud: Cloud, case: Case, mode: str, job_id: str, *, credential: bool = True) -> Any:
    """Call the generated function of an operation, and give its detailed response."""
    package, path = CALLS[case.operation.key]
    function = import_module(f"{package.__name__}.api.{path}")
    target = cloud.target(case)
    options: dict[str, Any] = {"base_url": target.base_url, "timeout": httpx.Timeout(10)}
    arguments: dict[str, str] = {}
    ids: tuple[str, ...] = (job_id,)
    if case.operation.api == "tencent-ci":
        options["headers"] = {"Host": target.authority}
        options["httpx_args"] = {"auth": QSign(target.keys) if credential else None, "trust_env": False}
        arguments["cancel"] = ""
    else:
        options["headers"] = {"X-Auth-Token": target.keys.token} if credential else {}
        options["httpx_args"] = {"trust_env": False}
        ids = (target.keys.project_id, job_id)
    if mode == "sync":
        with package.Client(**options) as client:
            return function.sync_detailed(*ids, client=client, **arguments)

    async def run() -> Any:
        async with package.Client(**options) as client:
            return await function.asyncio_detailed(*ids, client=client, **arguments)

    return asyncio.run(run())


@both_modes
@every_case
def test_a_job_is_cancelled(cloud: Cloud, case: Case, mode: str) -> None:
    job, bystander = cloud.job(case), cloud.job(case)

    response = call(cloud, case, mode, job)

    assert response.status_code == 200
    assert cloud.state(case, job) == case.cancelled
    assert cloud.state(case, bystander) == case.open


@both_modes
@every_dli_case
def test_an_acceptance_of_dli_is_typed(cloud: Cloud, case: Case, mode: str) -> None:
    parsed = call(cloud, case, mode, cloud.job(case)).parsed

    models: Any = MODELS[case.operation.api]
    if case.method == "cancel_batch_job":
        assert isinstance(parsed, models.BatchCancelResult)
        assert parsed.msg == "deleted"
    else:
        assert isinstance(parsed, models.SqlCancelResult)
        assert (parsed.is_success, parsed.message) == (True, "")


@both_modes
@every_dli_case
def test_an_error_of_dli_is_typed(cloud: Cloud, case: Case, mode: str) -> None:
    response = call(cloud, case, mode, UNKNOWN_ID)

    models: Any = MODELS[case.operation.api]
    assert response.status_code == 400
    assert isinstance(response.parsed, models.DliError)
    assert response.parsed.error_code == "DLI.0002"


@both_modes
@every_dli_case
def test_an_error_of_the_gateway_is_typed(cloud: Cloud, case: Case, mode: str) -> None:
    job = cloud.job(case)

    response = call(cloud, case, mode, job, credential=False)

    models: Any = MODELS[case.operation.api]
    assert response.status_code == 401
    assert isinstance(response.parsed, models.GatewayError)
    assert response.parsed.error_code == "APIGW.0301"
    assert response.parsed.request_id == response.headers["x-request-id"]
    assert cloud.state(case, job) == case.open


@both_modes
@pytest.mark.parametrize(
    ("credential", "status", "code"),
    [(True, 404, b"JobNotFound"), (False, 401, b"MissingAuthorization")],
    ids=["unknown", "unsigned"],
)
@every_ci_case
def test_an_error_of_ci_is_a_status_and_its_bytes(
    cloud: Cloud, case: Case, credential: bool, status: int, code: bytes, mode: str
) -> None:
    """CI answers in XML, which the generator cannot read."""
    response = call(cloud, case, mode, UNKNOWN_ID, credential=credential)

    assert response.status_code == status
    assert response.parsed is None
    assert b"<Code>" + code + b"</Code>" in response.content


@both_modes
@pytest.mark.parametrize(
    ("cloud", "case", "status", "code"),
    [
        pytest.param(dialect, case, status, code, id=f"{dialect or 'default'}-{case}")
        for dialect, cases, status, code in (
            ("", CI_CASES, 400, "InvalidArgument"),
            ("ci-malformed-id=404-invalid-url", CI_CASES, 404, "InvalidUrl"),
            ("ci-malformed-id=as-unknown", CI_CASES, 404, "JobNotFound"),
            ("", DLI_CASES, 400, "DLI.0001"),
            ("dli-malformed-id=404-gateway-0101", DLI_CASES, 404, "APIGW.0101"),
            ("dli-malformed-id=as-unknown", DLI_CASES, 400, "DLI.0002"),
        )
        for case in cases
    ],
    indirect=["cloud"],
)
def test_an_id_that_is_none_is_sent_and_refused_by_the_server(
    cloud: Cloud, case: Case, status: int, code: str, mode: str
) -> None:
    """The generated packages check no pattern; those of `calloff` would not send it."""
    response = call(cloud, case, mode, "no_id_at_all")

    assert response.status_code == status
    assert code.encode() in response.content
    if case.operation.api != "tencent-ci":
        assert response.parsed.error_code == code


@both_modes
@pytest.mark.parametrize(
    ("cloud", "case"),
    [
        pytest.param("dli-not-cancellable=200-is-success-false", case, id=str(case))
        for case in DLI_CASES
        if case.method == "cancel_sql_job"
    ],
    indirect=["cloud"],
)
def test_a_failure_in_a_200_is_for_the_caller_to_see(cloud: Cloud, case: Case, mode: str) -> None:
    response = call(cloud, case, mode, cloud.job(case, case.ended))

    assert response.status_code == 200
    assert response.parsed.is_success is False
