"""The clients of `calloff` against the mock: what is accepted, and how each refusal reaches the caller."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest
from cloud import CASES, MODES, OTHER_BUCKET, Case, Cloud, Clouds

import calloff
from calloff import (
    ApiError,
    AuthenticationError,
    CredentialError,
    PermissionDeniedError,
    RefusedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

UNKNOWN_ID = "6d2146a0-c2d5-41bd-8ca0-000000000000"
HOURS = 3600.0
KINDS = {
    "tencent-ci": ("access-key", "temporary"),
    "otc-dli": ("access-key", "temporary", "token", "iam-password"),
    "huaweicloud-dli": ("access-key", "temporary", "token", "iam-password"),
}
DLI_CASES = [case for case in CASES if case.operation.api != "tencent-ci"]
both_modes = pytest.mark.parametrize("mode", MODES)
every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_dli_case = pytest.mark.parametrize("case", DLI_CASES, ids=str)


@pytest.fixture(scope="module")
def clouds(start_mock: Callable[..., AbstractContextManager[dict[str, Any]]]) -> Iterator[Clouds]:
    with Clouds(start_mock) as clouds:
        yield clouds


@pytest.fixture
def cloud(request: pytest.FixtureRequest, clouds: Clouds) -> Cloud:
    """Give a mock with the dialect that a test asks for."""
    return clouds.under(getattr(request, "param", ""))


# ------------------------------------------------------------------------------------------------ acceptances


@both_modes
@pytest.mark.parametrize(
    ("case", "kind"),
    [pytest.param(case, kind, id=f"{case}-{kind}") for case in CASES for kind in KINDS[case.operation.api]],
)
def test_a_job_is_cancelled_with(cloud: Cloud, case: Case, kind: str, mode: str) -> None:
    job, bystander = cloud.job(case), cloud.job(case)

    accepted = cloud.cancel(case, mode, cloud.credential(case, kind), job)

    assert (accepted.operation, accepted.job_id, accepted.status) == (case.operation.key, job, 200)
    assert accepted.request_id
    assert cloud.state(case, job) == case.cancelled
    assert cloud.state(case, bystander) == case.open


@both_modes
@every_case
def test_an_acceptance_carries_the_typed_answer(cloud: Cloud, case: Case, mode: str) -> None:
    answer = cloud.cancel(case, mode, cloud.credential(case, "access-key"), cloud.job(case)).answer

    expected = {
        "TencentCiClient": None,
        "OtcDliClient": {"is_success": True, "message": ""},
        "HuaweiCloudDliClient": {"is_success": True, "message": ""},
    }[case.client]
    if case.method == "cancel_batch_job":
        expected = {"msg": "deleted"}
    assert (answer.to_dict() if answer is not None else None) == expected


@both_modes
@every_case
def test_one_client_cancels_several_jobs(cloud: Cloud, case: Case, mode: str) -> None:
    jobs = [cloud.job(case) for _ in range(3)]

    cloud.cancel(case, mode, cloud.credential(case, "access-key"), *jobs)

    assert [cloud.state(case, job) for job in jobs] == [case.cancelled] * 3


def accepted_under(dialect: str, pattern: str) -> list[Any]:
    return [
        pytest.param(dialect, case, id=f"{dialect}-{case}")
        for case in CASES
        if fnmatchcase(case.operation.key, pattern)
    ]


@both_modes
@pytest.mark.parametrize(
    ("cloud", "case"),
    [
        *accepted_under("ci-settle=later", "tencent-ci/*"),
        *accepted_under("ci-content-length=411", "tencent-ci/*"),
        *accepted_under("dli-settle=later", "*-dli/*"),
        *accepted_under("dli-success-body=empty", "*-dli/*"),
        *accepted_under("dli-success-body=partial", "*-dli/*"),
        *accepted_under("dli-content-type-absent=400-dli-0001", "huaweicloud-dli/*"),
        *accepted_under("dli-project-header-mismatch=403-gateway-0302", "*-dli/*"),
    ],
    indirect=["cloud"],
)
def test_a_cancel_is_accepted_under(cloud: Cloud, case: Case, mode: str) -> None:
    job = cloud.job(case)

    accepted = cloud.cancel(case, mode, cloud.credential(case, "access-key"), job)

    assert accepted.status == 200
    target = cloud.target(case)
    assert target.settled_state(case.operation, job, case.cancelled, within=5) == case.cancelled


@both_modes
@pytest.mark.parametrize(
    ("cloud", "case", "members"),
    [
        pytest.param(f"dli-success-body={choice}", case, members, id=f"{choice}-{case}")
        for choice in ("empty", "partial")
        for case in DLI_CASES
        for members in [None if choice == "empty" else {"is_success": True}]
        if case.method == "cancel_sql_job"
    ],
    indirect=["cloud"],
)
def test_an_acceptance_says_no_more_than_the_answer(
    cloud: Cloud, case: Case, members: dict[str, bool] | None, mode: str
) -> None:
    answer = cloud.cancel(case, mode, cloud.credential(case, "access-key"), cloud.job(case)).answer

    assert (answer.to_dict() if answer is not None else None) == members


@both_modes
@pytest.mark.parametrize(
    ("cloud", "case"), accepted_under("ci-second-cancel=accepted", "tencent-ci/*"), indirect=["cloud"]
)
def test_a_second_cancel_may_be_accepted(cloud: Cloud, case: Case, mode: str) -> None:
    job = cloud.job(case)

    accepted = cloud.cancel(case, mode, cloud.credential(case, "access-key"), job, job)

    assert accepted.status == 200
    assert cloud.state(case, job) == case.cancelled


@both_modes
@pytest.mark.parametrize(
    ("cloud", "case"), accepted_under("ci-future-start=accepted", "tencent-ci/*"), indirect=["cloud"]
)
def test_a_clock_ahead_may_be_accepted(cloud: Cloud, case: Case, mode: str) -> None:
    job = cloud.job(case)

    cloud.cancel(case, mode, cloud.credential(case, "access-key"), job, clock=lambda: time.time() + HOURS)

    assert cloud.state(case, job) == case.cancelled


# ------------------------------------------------------------------------------------------------ refusals


class Attempt(NamedTuple):
    """A cancel that must be refused: with which credential, of which job, and what else is special."""

    credential: Any
    job_id: str
    options: dict[str, Any] = {}  # noqa: RUF012 - never changed


def attempt(cloud: Cloud, case: Case, situation: str) -> Attempt:
    """Bring one situation about; everything else about the attempt is right."""
    good = cloud.credential(case, "access-key")
    assert isinstance(good, calloff.AccessKey)
    match situation:
        case "unknown job":
            return Attempt(good, UNKNOWN_ID)
        case "ended job":
            return Attempt(good, cloud.job(case, case.ended))
        case "cancelled job":
            return Attempt(good, cloud.job(case, case.cancelled))
        case "wrong secret":
            return Attempt(calloff.AccessKey(good.id, good.secret[::-1]), cloud.job(case))
        case "unknown key":
            return Attempt(calloff.AccessKey("nobodys-key", good.secret), cloud.job(case))
        case "clock behind":
            return Attempt(good, cloud.job(case), {"clock": lambda: time.time() - HOURS})
        case "clock ahead":
            return Attempt(good, cloud.job(case), {"clock": lambda: time.time() + HOURS})
        case "other security token":
            keys = cloud.keys(case, "temporary")
            return Attempt(
                calloff.TemporaryKey(keys.key_id, keys.secret_key, "another-token"), cloud.job(case)
            )
        case "no security token":
            keys = cloud.keys(case, "temporary")
            return Attempt(calloff.AccessKey(keys.key_id, keys.secret_key), cloud.job(case))
        case "unknown token":
            return Attempt(calloff.Token("nobodys-token"), cloud.job(case))
        case "foreign place":
            other = {"bucket": OTHER_BUCKET}
            if case.operation.api != "tencent-ci":
                other = {"project_id": cloud.keys(case, "other-owner").project_id}
            foreign = cloud.target(case).new_job(case.operation, case.open, "other")
            return Attempt(good, foreign.job_id, other)
        case kind:  # a kind of credentials of the provider states
            return Attempt(cloud.credential(case, kind), cloud.job(case))


class Refusal(NamedTuple):
    """What a caller gets in a situation, on the operations of a pattern, under a dialect."""

    dialect: str
    pattern: str
    situation: str
    error: type[ApiError]
    status: int
    code: str


CI, DLI, SQL = "tencent-ci/*", "*-dli/*", "*-dli/cancelSqlJob"
REFUSALS = [
    Refusal("", CI, "unknown job", RefusedError, 404, "JobNotFound"),
    Refusal("", CI, "ended job", PermissionDeniedError, 403, "AccessDenied"),
    Refusal("", CI, "cancelled job", PermissionDeniedError, 403, "AccessDenied"),
    Refusal("", CI, "wrong secret", AuthenticationError, 401, "InvalidAuthorization"),
    Refusal("", CI, "unknown key", AuthenticationError, 401, "SecretidNotExist"),
    Refusal("", CI, "clock behind", AuthenticationError, 401, "SignatureExpired"),
    Refusal("", CI, "clock ahead", AuthenticationError, 401, "SignatureExpired"),
    Refusal("", CI, "other security token", AuthenticationError, 401, "InvalidAuthorization"),
    Refusal("", CI, "no security token", AuthenticationError, 401, "InvalidAuthorization"),
    Refusal("", CI, "expired-temporary", AuthenticationError, 401, "SignatureExpired"),
    Refusal("", CI, "other-owner", AuthenticationError, 401, "AccessDenied"),
    Refusal("", CI, "foreign place", AuthenticationError, 401, "AccessDenied"),
    Refusal("", DLI, "unknown job", RefusedError, 400, "DLI.0002"),
    Refusal("", DLI, "ended job", RefusedError, 400, "DLI.0007"),
    Refusal("", DLI, "cancelled job", RefusedError, 400, "DLI.0007"),
    Refusal("", DLI, "wrong secret", AuthenticationError, 401, "APIGW.0301"),
    Refusal("", DLI, "unknown key", AuthenticationError, 401, "APIGW.0301"),
    Refusal("", DLI, "clock behind", AuthenticationError, 401, "APIGW.0301"),
    Refusal("", DLI, "clock ahead", AuthenticationError, 401, "APIGW.0301"),
    Refusal("", DLI, "other security token", AuthenticationError, 401, "APIGW.0301"),
    Refusal("", DLI, "no security token", AuthenticationError, 401, "APIGW.0301"),
    Refusal("", DLI, "expired-temporary", AuthenticationError, 401, "APIGW.0301"),
    Refusal("", DLI, "unknown token", AuthenticationError, 401, "APIGW.0301"),
    Refusal("", DLI, "expired-token", AuthenticationError, 401, "APIGW.0307"),
    Refusal("", DLI, "other-owner", PermissionDeniedError, 403, "APIGW.0302"),
    Refusal("", DLI, "other-owner-token", PermissionDeniedError, 403, "APIGW.0302"),
    Refusal("", DLI, "foreign place", PermissionDeniedError, 403, "APIGW.0302"),
    # Where the vendor is silent a correct server may choose; its choice is the same kind of error to a caller.
    Refusal(
        "ci-unknown-job=400-resource-not-found", CI, "unknown job", RefusedError, 400, "ResourceNotFound"
    ),
    Refusal("ci-unknown-job=400-invalid-argument", CI, "unknown job", RefusedError, 400, "InvalidArgument"),
    Refusal(
        "ci-unknown-job=403-access-denied", CI, "unknown job", PermissionDeniedError, 403, "AccessDenied"
    ),
    Refusal(
        "ci-not-cancellable=403-active-workflow-forbidden-update",
        CI,
        "ended job",
        PermissionDeniedError,
        403,
        "ActiveWorkflowForbiddenUpdate",
    ),
    Refusal("ci-not-cancellable=400-invalid-argument", CI, "ended job", RefusedError, 400, "InvalidArgument"),
    Refusal(
        "ci-foreign-bucket=403-access-denied", CI, "other-owner", PermissionDeniedError, 403, "AccessDenied"
    ),
    Refusal(
        "ci-wrong-signature-code=AccessDenied", CI, "wrong secret", AuthenticationError, 401, "AccessDenied"
    ),
    Refusal(
        "ci-authentication-status=403", CI, "wrong secret", AuthenticationError, 403, "SignatureDoesNotMatch"
    ),
    Refusal(
        "ci-authentication-status=403", CI, "unknown key", AuthenticationError, 403, "InvalidAccessKeyId"
    ),
    Refusal("ci-authentication-status=403", CI, "clock behind", PermissionDeniedError, 403, "AccessDenied"),
    Refusal(
        "ci-authentication-status=403", CI, "expired-temporary", AuthenticationError, 400, "ExpiredToken"
    ),
    Refusal("dli-unknown-job=404-dli-0023", DLI, "unknown job", RefusedError, 404, "DLI.0023"),
    Refusal("dli-unknown-job=400-dli-0001", DLI, "unknown job", RefusedError, 400, "DLI.0001"),
    Refusal("dli-not-cancellable=400-dli-0001", DLI, "ended job", RefusedError, 400, "DLI.0001"),
    Refusal("dli-not-cancellable=400-dli-0999", DLI, "ended job", RefusedError, 400, "DLI.0999"),
    Refusal("dli-not-cancellable=200-is-success-false", SQL, "ended job", RefusedError, 200, ""),
    Refusal(
        "dli-not-cancellable=200-is-success-false",
        "*/cancelBatchJob",
        "ended job",
        RefusedError,
        400,
        "DLI.0007",
    ),
    Refusal(
        "dli-foreign-project=401-gateway-0301", DLI, "other-owner", AuthenticationError, 401, "APIGW.0301"
    ),
    Refusal("dli-foreign-project=400-dli-0015", DLI, "other-owner", RefusedError, 400, "DLI.0015"),
    Refusal("dli-foreign-project=400-dli-0003", DLI, "other-owner", RefusedError, 400, "DLI.0003"),
    Refusal("dli-gateway-prefix=APIG", "otc-dli/*", "wrong secret", AuthenticationError, 401, "APIG.0301"),
    Refusal("dli-gateway-prefix=APIG", "otc-dli/*", "expired-token", AuthenticationError, 401, "APIG.0307"),
]


@both_modes
@pytest.mark.parametrize(
    ("cloud", "case", "refusal"),
    [
        pytest.param(
            refusal.dialect,
            case,
            refusal,
            id="-".join(filter(None, (refusal.dialect, refusal.situation, str(case)))),
        )
        for refusal in REFUSALS
        for case in CASES
        if fnmatchcase(case.operation.key, refusal.pattern)
    ],
    indirect=["cloud"],
)
def test_a_refusal_is_a_typed_error(cloud: Cloud, case: Case, refusal: Refusal, mode: str) -> None:
    tried = attempt(cloud, case, refusal.situation)
    before = None if tried.job_id == UNKNOWN_ID else cloud.state(case, tried.job_id)

    with pytest.raises(ApiError) as raised:
        cloud.cancel(case, mode, tried.credential, tried.job_id, **tried.options)

    error = raised.value
    assert type(error) is refusal.error
    assert (error.status, error.code) == (refusal.status, refusal.code)
    assert error.request_id
    assert error.retryable is (
        refusal.code == "DLI.0999"
    )  # the vendor's code for a passing trouble of its own
    assert before is None or cloud.state(case, tried.job_id) == before


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
def test_a_failure_in_a_200_says_so(cloud: Cloud, case: Case, mode: str) -> None:
    ended = cloud.job(case, case.ended)

    with pytest.raises(RefusedError, match="answered 200; is_success is not true"):
        cloud.cancel(case, mode, cloud.credential(case, "access-key"), ended)


# ------------------------------------------------------------------------------------------------ IAM


@both_modes
@every_dli_case
def test_a_wrong_password_is_a_credential_error(cloud: Cloud, case: Case, mode: str) -> None:
    job = cloud.job(case)

    with pytest.raises(CredentialError, match=r"no cancel was sent.*401"):
        cloud.cancel(case, mode, cloud.iam_user(password=job), job)

    assert cloud.state(case, job) == case.open
    cloud.cancel(case, mode, cloud.iam_user(), job)  # more than five failures in a row would lock the user


@both_modes
@every_dli_case
def test_a_project_of_others_is_a_credential_error(cloud: Cloud, case: Case, mode: str) -> None:
    foreign = cloud.target(case).new_job(case.operation, case.open, "other").job_id
    project = cloud.keys(case, "other-owner").project_id

    with pytest.raises(CredentialError, match=r"no cancel was sent.*401"):
        cloud.cancel(case, mode, cloud.iam_user(), foreign, project_id=project)

    assert cloud.state(case, foreign) == case.open


@both_modes
@every_dli_case
def test_a_token_is_renewed_before_its_end(cloud: Cloud, case: Case, mode: str) -> None:
    """The server forgets the first token, so that only a new one can be accepted."""
    passed = 0.0
    jobs = [cloud.job(case)]

    def a_day_later() -> str:
        nonlocal passed
        passed = 24 * HOURS
        httpx.delete(cloud.announcement["provider_states_url"], trust_env=False).raise_for_status()
        jobs.append(cloud.job(case))
        return jobs[-1]

    cloud.cancel(case, mode, cloud.iam_user(), jobs[0], a_day_later, clock=lambda: time.time() + passed)

    assert cloud.state(case, jobs[-1]) == case.cancelled


@contextmanager
def iam_that_gives(tokens: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Serve an IAM that gives these tokens, the last one again and again; yield its URL and what it gave."""
    given: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            given.append(tokens[min(len(given), len(tokens) - 1)])
            body = json.dumps({"token": {"expires_at": "2099-01-01T00:00:00.000000Z"}}).encode()
            self.send_response(201)
            self.send_header("X-Subject-Token", given[-1])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", given
        finally:
            server.shutdown()
            thread.join()


renewing = pytest.mark.parametrize(
    ("cloud", "case"),
    [
        pytest.param(dialect, case, id=f"{dialect or 'default'}-{case}")
        for dialect in ("", "dli-gateway-prefix=APIG")
        for case in DLI_CASES
        if not dialect or case.operation.api == "otc-dli"
    ],
    indirect=["cloud"],
)


@both_modes
@renewing
def test_a_token_that_the_gateway_calls_ended_is_renewed_once(cloud: Cloud, case: Case, mode: str) -> None:
    job = cloud.job(case)
    ended, good = cloud.keys(case, "expired-token").token, cloud.keys(case, "token").token

    with iam_that_gives([ended, good]) as (url, given):
        cloud.cancel(case, mode, cloud.iam_user(iam_url=url), job)

    assert given == [ended, good]
    assert cloud.state(case, job) == case.cancelled


@both_modes
@renewing
def test_a_renewed_token_that_is_ended_too_is_an_authentication_error(
    cloud: Cloud, case: Case, mode: str
) -> None:
    job = cloud.job(case)
    ended = [cloud.keys(case, "expired-token").token for _ in range(2)]

    with iam_that_gives(ended) as (url, given), pytest.raises(AuthenticationError, match=r"\.0307"):
        cloud.cancel(case, mode, cloud.iam_user(iam_url=url), job)

    assert given == ended
    assert cloud.state(case, job) == case.open
