"""The vendors' own SDKs for Node, Go and Java, unchanged but for endpoint and credentials, as clients of the mock."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import toolchain
import toolchains
from toolchains import Peer

from calloff.apis import OPERATIONS, ApiName
from calloff.verify.provider_states import announced_targets
from calloff.verify.target import Keys

Announcement = dict[str, Any]
StartMock = Callable[..., AbstractContextManager[Announcement]]

BATCH, AI = "tencent-ci/cancelInventoryTriggerJob", "tencent-ci/cancelAiJob"
OTC_BATCH, OTC_SQL = "otc-dli/cancelBatchJob", "otc-dli/cancelSqlJob"
HUAWEI_SQL = "huaweicloud-dli/cancelSqlJob"
UNKNOWN_ID = "6d2146a0-c2d5-41bd-8ca0-000000000000"
PATHS = {BATCH: "/inventorytriggerjob/", AI: "/ai_jobs/"}
# What a server may do where the vendors are silent, and what the SDKs take for a success.
QUIET = ("ci-without-cancel=200-nothing", "dli-not-cancellable=200-is-success-false")


class Cloud:
    """A running mock: its jobs, what proves who asks, and what it was sent."""

    def __init__(self, announcement: Announcement) -> None:
        self.apis = announcement["apis"]
        self.ca_file: str = announcement.get("ca_file", "")
        tls = ssl.create_default_context(cafile=self.ca_file) if self.ca_file else None
        self._targets = {target.api.name: target for target in announced_targets(announcement, tls=tls)}
        self._journal = f"{announcement['control_url']}/journal"
        self._http = httpx.Client(trust_env=False, verify=tls or True)

    def close(self) -> None:
        self._http.close()
        for target in self._targets.values():
            target.close()

    def job(self, operation: str, state: str) -> str:
        return self._targets[OPERATIONS[operation].api].new_job(OPERATIONS[operation], state).job_id

    def state(self, operation: str, job_id: str) -> str:
        return self._targets[OPERATIONS[operation].api].state(OPERATIONS[operation], job_id)

    def keys(self, api: ApiName, kind: str = "good") -> Keys:
        states = self._targets[api].states
        assert states is not None
        return states.credentials(api, kind)

    def given(self, api: ApiName, keys: Keys) -> dict[str, str]:
        """Say what a peer takes from its environment: where to send to, and with which keys."""
        announced = self.apis[api]
        _, _, address = announced["base_url"].partition("://")
        given = {
            "PEER_ENDPOINT": announced["base_url"],
            "PEER_ADDRESS": address,
            "PEER_KEY_ID": keys.key_id,
            "PEER_SECRET_KEY": keys.secret_key,
        }
        if keys.security_token:
            given["PEER_SECURITY_TOKEN"] = keys.security_token
        if api == "tencent-ci":
            bucket, _, region, *_ = announced["host"].split(".")
            return given | {"PEER_HOST": announced["host"], "PEER_BUCKET": bucket, "PEER_REGION": region}
        return given | {"PEER_PROJECT_ID": announced["project_id"]}

    @contextmanager
    def sent(self) -> Iterator[list[dict[str, Any]]]:
        """Give the entries of the journal for what was sent meanwhile, in that order, when it is over."""
        self._http.delete(self._journal).raise_for_status()
        entries: list[dict[str, Any]] = []
        yield entries
        entries.extend(reversed(self._http.get(self._journal).raise_for_status().json()["entries"]))


@contextmanager
def clouded(running: AbstractContextManager[Announcement]) -> Iterator[Cloud]:
    with running as announcement:
        cloud = Cloud(announcement)
        try:
            yield cloud
        finally:
            cloud.close()


@pytest.fixture(scope="module")
def cloud(start_mock: StartMock) -> Iterator[Cloud]:
    with clouded(start_mock()) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def quiet(start_mock: StartMock) -> Iterator[Cloud]:
    with clouded(start_mock(*(part for choice in QUIET for part in ("--dialect", choice)))) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def secured(start_mock: StartMock) -> Iterator[Cloud]:
    with clouded(start_mock("--tls", "--api", "tencent-ci")) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("peers")


@pytest.fixture(scope="module")
def node(built: Path) -> tuple[str, ...]:
    return toolchains.node(built)


@pytest.fixture(scope="module")
def go(built: Path) -> dict[str, tuple[str, ...]]:
    return toolchains.go(built)


@pytest.fixture(scope="module")
def java(built: Path, secured: Cloud) -> dict[str, tuple[str, ...]]:
    return toolchains.java(built, secured.ca_file)


Start = Callable[[Cloud, ApiName, Keys], Peer]


def starting(command: tuple[str, ...]) -> Start:
    return lambda cloud, api, keys: Peer(command, cloud.given(api, keys))


@pytest.fixture(params=["go", "java"])
def language(request: pytest.FixtureRequest) -> str:
    """Name a language for which there is an SDK of DLI."""
    return str(request.param)


@pytest.fixture
def dli(language: str, request: pytest.FixtureRequest) -> Start:
    """Start the DLI client of a language."""
    return starting(request.getfixturevalue(language)["dli"])


lasting_and_temporary = pytest.mark.parametrize("kind", ["good", "temporary"])


def changed(keys: Keys) -> Keys:
    return Keys(keys.key_id, "another", keys.security_token)


# --- COS SDK for Node: a generic request ------------------------------------------------------------------------


@lasting_and_temporary
def test_node_cancels_both_kinds_of_ci_jobs(cloud: Cloud, node: tuple[str, ...], kind: str) -> None:
    jobs = {operation: cloud.job(operation, "Submitted") for operation in PATHS}
    peer = starting(node)(cloud, "tencent-ci", cloud.keys("tencent-ci", kind))
    with cloud.sent() as entries:
        answers = peer.run(*(PATHS[operation] + job for operation, job in jobs.items()))
    assert [cloud.state(*job) for job in jobs.items()] == ["Cancel", "Cancel"]
    assert [(answer["status"], answer["server"]) for answer in answers] == [(200, "tencent-ci")] * 2
    assert [entry["request_id"] for entry in entries] == [answer["request_id"] for answer in answers]
    for (operation, job), entry in zip(jobs.items(), entries, strict=True):
        assert (entry["method"], entry["target"]) == ("PUT", f"{PATHS[operation]}{job}?cancel=")
        assert (entry["signed_headers"], entry["signed_parameters"]) == (
            ["content-length", "host"],
            ["cancel"],
        )
        assert "content-length" in entry["headers"]
        assert "content-type" not in entry["headers"]
        assert token_headers(entry) == (["x-ci-security-token"] if kind == "temporary" else [])
        assert entry["user_agent"] == "cos-nodejs-sdk-v5-3.0.0"


def token_headers(entry: dict[str, Any]) -> list[str]:
    return [name for name in entry["headers"] if name.endswith("-security-token")]


@pytest.mark.parametrize(("operation", "ended"), [(BATCH, "Success"), (AI, "Running")])
def test_node_reads_refusals(cloud: Cloud, node: tuple[str, ...], operation: str, ended: str) -> None:
    own, final, keys = (
        cloud.job(operation, "Submitted"),
        cloud.job(operation, ended),
        cloud.keys("tencent-ci"),
    )
    unknown = own[0] + "0" * 32
    start, path = starting(node), PATHS[operation]
    refused = start(cloud, "tencent-ci", keys).run(path + final, path + unknown)
    refused += start(cloud, "tencent-ci", changed(keys)).run(path + own)
    refused += start(cloud, "tencent-ci", Keys("nobody", "another")).run(path + own)
    refused += start(cloud, "tencent-ci", cloud.keys("tencent-ci", "other-owner")).run(path + own)
    assert [(answer["error"], answer["status"], answer["code"]) for answer in refused] == [
        ("Error", 403, "AccessDenied"),
        ("Error", 404, "JobNotFound"),
        ("Error", 401, "InvalidAuthorization"),
        ("Error", 401, "SecretidNotExist"),
        ("Error", 401, "AccessDenied"),
    ]
    for answer in refused:
        assert answer["members"].keys() == {"Code", "Message", "RequestId", "TraceId"}
        assert answer["text"] == answer["members"]["Message"]
    assert cloud.state(operation, own) == "Submitted"


# --- COS SDK for Go: its cancel of a batch job leaves the query out ----------------------------------------------


@lasting_and_temporary
def test_go_cancels_no_batch_job_and_is_told_why(
    cloud: Cloud, go: dict[str, tuple[str, ...]], kind: str
) -> None:
    job = cloud.job(BATCH, "Submitted")
    peer = starting(go["cos"])(cloud, "tencent-ci", cloud.keys("tencent-ci", kind))
    with cloud.sent() as entries:
        [answer] = peer.run(job)
    [entry] = entries
    assert (answer["error"], answer["status"], answer["code"]) == ("ErrorResponse", 404, "InvalidUrl")
    assert "without the query parameter cancel" in answer["text"]
    assert answer["request_id"] == entry["request_id"]
    assert (entry["method"], entry["target"]) == ("PUT", f"/inventorytriggerjob/{job}")
    token = ["x-cos-security-token"] if kind == "temporary" else []
    assert token_headers(entry) == token
    assert (entry["signed_headers"], entry["signed_parameters"]) == (["content-length", "host", *token], [])
    assert "content-type" not in entry["headers"]
    assert cloud.state(BATCH, job) == "Submitted"


def test_go_takes_a_silent_server_for_a_cancel(quiet: Cloud, go: dict[str, tuple[str, ...]]) -> None:
    """Why accepted is not cancelled: a 200 that did nothing is a success to this SDK."""
    job = quiet.job(BATCH, "Submitted")
    assert starting(go["cos"])(quiet, "tencent-ci", quiet.keys("tencent-ci")).run(job) == [{"status": 200}]
    assert quiet.state(BATCH, job) == "Submitted"


def test_go_reads_a_refused_signature(cloud: Cloud, go: dict[str, tuple[str, ...]]) -> None:
    keys = changed(cloud.keys("tencent-ci"))
    [answer] = starting(go["cos"])(cloud, "tencent-ci", keys).run(cloud.job(BATCH, "Submitted"))
    assert (answer["status"], answer["code"]) == (401, "InvalidAuthorization")


# --- COS SDK for Java: HTTPS, always -----------------------------------------------------------------------------


@lasting_and_temporary
def test_java_cancels_a_batch_job_over_tls(
    secured: Cloud, java: dict[str, tuple[str, ...]], kind: str
) -> None:
    job = secured.job(BATCH, "Submitted")
    peer = starting(java["cos"])(secured, "tencent-ci", secured.keys("tencent-ci", kind))
    with secured.sent() as entries:
        assert peer.run(job) == [{"cancelled": True}]
    [entry] = entries
    assert (entry["method"], entry["target"]) == ("PUT", f"/inventorytriggerjob/{job}?cancel")
    assert (entry["signed_headers"], entry["signed_parameters"]) == (["host"], ["cancel"])
    assert token_headers(entry) == (["x-cos-security-token"] if kind == "temporary" else [])
    assert "content-type" not in entry["headers"]
    assert secured.state(BATCH, job) == "Cancel"


def test_java_reads_refusals_of_ci(secured: Cloud, java: dict[str, tuple[str, ...]]) -> None:
    own, ended, keys = (
        secured.job(BATCH, "Submitted"),
        secured.job(BATCH, "Success"),
        secured.keys("tencent-ci"),
    )
    start = starting(java["cos"])
    with secured.sent() as entries:
        refused = start(secured, "tencent-ci", keys).run(ended, "b" + "0" * 32)
        refused += start(secured, "tencent-ci", changed(keys)).run(own)
    assert [(answer["error"], answer["status"], answer["code"]) for answer in refused] == [
        ("CosServiceException", 403, "AccessDenied"),
        ("CosServiceException", 404, "JobNotFound"),
        ("CosServiceException", 401, "InvalidAuthorization"),
    ]
    assert [answer["request_id"] for answer in refused] == [entry["request_id"] for entry in entries]
    assert secured.state(BATCH, own) == "Submitted"


# --- Huawei Cloud SDKs for Go and Java ---------------------------------------------------------------------------

SIGNED = {
    # Host is not among them, so a server must not demand it.
    "go": ["user-agent", "x-project-id", "x-sdk-date"],
    "java": ["host", "user-agent", "x-project-id", "x-sdk-date"],
}


@lasting_and_temporary
def test_dli_jobs_are_cancelled(cloud: Cloud, dli: Start, language: str, kind: str) -> None:
    token = ["x-security-token"] if kind == "temporary" else []
    batch, sql, huawei = (
        cloud.job(OTC_BATCH, "running"),
        cloud.job(OTC_SQL, "RUNNING"),
        cloud.job(HUAWEI_SQL, "RUNNING"),
    )
    with cloud.sent() as entries:
        answers = dli(cloud, "otc-dli", cloud.keys("otc-dli", kind)).run(
            "cancelSparkJob", batch, "cancelSqlJob", sql
        )
        answers += dli(cloud, "huaweicloud-dli", cloud.keys("huaweicloud-dli", kind)).run(
            "cancelSqlJob", huawei
        )
    accepted = {"status": 200, "is_success": True, "message": ""}
    assert answers == [{"status": 200, "msg": "deleted"}, accepted, accepted]
    otc, hwc = cloud.apis["otc-dli"]["project_id"], cloud.apis["huaweicloud-dli"]["project_id"]
    assert [(entry["method"], entry["target"]) for entry in entries] == [
        ("DELETE", f"/v2.0/{otc}/batches/{batch}"),
        ("DELETE", f"/v1.0/{otc}/jobs/{sql}"),
        ("DELETE", f"/v1.0/{hwc}/jobs/{huawei}"),
    ]
    for entry in entries:
        assert entry["signed_headers"] == SIGNED[language] + token
        assert entry["content_type"] == "application/json"
        assert token_headers(entry) == token
        assert entry["user_agent"].startswith(f"huaweicloud-usdk-{language}/3.0")
    assert cloud.state(OTC_BATCH, batch) == "dead"
    assert (cloud.state(OTC_SQL, sql), cloud.state(HUAWEI_SQL, huawei)) == ("CANCELLED", "CANCELLED")


def test_refusals_of_dli_are_read(cloud: Cloud, dli: Start, language: str) -> None:
    api: ApiName = "huaweicloud-dli"
    own, ended, keys = cloud.job(HUAWEI_SQL, "RUNNING"), cloud.job(HUAWEI_SQL, "FINISHED"), cloud.keys(api)
    with cloud.sent() as entries:
        refused = dli(cloud, api, keys).run("cancelSqlJob", ended, "cancelSqlJob", UNKNOWN_ID)
        for other in (changed(keys), cloud.keys(api, "other-owner")):
            refused += dli(cloud, api, other).run("cancelSqlJob", own)
    assert [(answer["status"], answer["code"]) for answer in refused] == [
        (400, "DLI.0007"),
        (400, "DLI.0002"),
        (401, "APIGW.0301"),
        (403, "APIGW.0302"),
    ]
    expected = {"go": "ServiceResponseError", "java": "ClientRequestException"}
    assert {answer["error"] for answer in refused} == {expected[language]}
    assert all(answer["text"] for answer in refused)
    assert [answer["request_id"] for answer in refused] == [entry["request_id"] for entry in entries]
    assert cloud.state(HUAWEI_SQL, own) == "RUNNING"


def test_a_failure_in_a_200_is_no_error_of_the_sdk(quiet: Cloud, dli: Start) -> None:
    ended = quiet.job(OTC_SQL, "FINISHED")
    [answer] = dli(quiet, "otc-dli", quiet.keys("otc-dli")).run("cancelSqlJob", ended)
    assert (answer["status"], answer["is_success"]) == (200, False)


# --- The toolchains ----------------------------------------------------------------------------------------------


def test_a_missing_toolchain_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-compiler not installed"):
        toolchain.need("python3", "no-such-compiler")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no-such-compiler not installed"):
        toolchain.need("python3", "no-such-compiler")
