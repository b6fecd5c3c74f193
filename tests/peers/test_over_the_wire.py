"""Signed and tampered requests over a real socket: each names a job of a running mock, so only its signature decides.

``CALLOFF_ORACLE_COUNT`` says how many there are for each algorithm, up to 500 (300 where it is not set).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from random import Random

import pytest

from calloff.apis import APIS, ApiName
from calloff.mock.dialects import Dialect
from calloff.mock.jobs import Job
from calloff.mock.keys import Key
from calloff.mock.server import MockServer, run_embedded
from calloff.signing.request import SignableRequest
from calloff.verify.wire import Address, Request, Response, Wire
from peers.official import cos_python_sdk, huaweicloud_python_sdk, signed_by
from peers.samples import Sample, aimed, random_qsign, random_sdk_hmac, signed_by_calloff
from peers.tamper import tamper

COUNT = min(500, int(os.environ.get("CALLOFF_ORACLE_COUNT", "300")))
Draw = Callable[[Random], Sample]
Sign = Callable[[Sample], SignableRequest]

# Choices that tell an answer given before the credential was read from any given after.
TELLING = {"ci-without-cancel": "400-invalid-argument", "ci-foreign-bucket": "403-access-denied"}
NO_OPERATION = re.compile(rb"<Code>InvalidUrl</Code>|\"APIGW\.0101\"")
STATES = {
    "tencent-ci/cancelInventoryTriggerJob": ("Submitted", "Cancel"),
    "tencent-ci/cancelAiJob": ("Submitted", "Cancel"),
    "otc-dli/cancelBatchJob": ("running", "dead"),
    "otc-dli/cancelSqlJob": ("RUNNING", "CANCELLED"),
    "huaweicloud-dli/cancelSqlJob": ("RUNNING", "CANCELLED"),
}


class Bench:
    """A running mock whose clock stands where a sample wants it, and a connection to each API."""

    def __init__(self) -> None:
        self.now = 0.0
        self.server: MockServer
        self._wires: dict[ApiName, Wire] = {}

    def aim(self, sample: Sample, rng: Random, apis: tuple[ApiName, ...]) -> tuple[Sample, Job]:
        """Aim a sample at a fresh job that its key may cancel."""
        operation = rng.choice([operation for api in apis for operation in APIS[api].operations.values()])
        state = self.server.state
        owner = state.owners[operation.api][0]
        state.keys[operation.api].add(Key(sample.key_id, sample.secret_key.encode(), owner))
        job = state.new_job(operation.key, owner, STATES[operation.key][0])
        ids = {"project_id": owner, operation.job_parameter: job.id}
        return aimed(sample, rng, operation, ids), job

    def send(self, job: Job, request: SignableRequest, now: float) -> Response:
        """Send the exact bytes of a request to the API of a job, at a time."""
        self.now = now
        api = APIS_BY_OPERATION[job.operation]
        if api not in self._wires:
            self._wires[api] = Wire(Address.parse(self.server.announcement["apis"][api]["base_url"]))
        headers = request.headers
        if request.body:
            headers = (*headers, ("Content-Length", str(len(request.body))))
        return self._wires[api].send(Request(request.method, request.target, headers, request.body))

    def close(self) -> None:
        for wire in self._wires.values():
            wire.close()


APIS_BY_OPERATION = {
    operation.key: api.name for api in APIS.values() for operation in api.operations.values()
}


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    bench = Bench()
    with run_embedded(dialect=Dialect(TELLING), clock=lambda: bench.now) as bench.server:
        yield bench
        bench.close()


SIGNERS = pytest.mark.parametrize(
    ("draw", "apis", "sign"),
    [
        pytest.param(random_qsign, ("tencent-ci",), signed_by_calloff, id="q-sign-calloff"),
        pytest.param(random_qsign, ("tencent-ci",), signed_by(cos_python_sdk), id="q-sign-official"),
        pytest.param(
            random_sdk_hmac, ("otc-dli", "huaweicloud-dli"), signed_by_calloff, id="sdk-hmac-sha256-calloff"
        ),
        pytest.param(
            random_sdk_hmac,
            ("otc-dli", "huaweicloud-dli"),
            signed_by(huaweicloud_python_sdk),
            id="sdk-hmac-sha256-official",
        ),
    ],
)


def seeded(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - to repeat a failure, not to keep a secret


@SIGNERS
def test_a_signed_request_cancels(bench: Bench, draw: Draw, apis: tuple[ApiName, ...], sign: Sign) -> None:
    for seed in range(COUNT):
        rng = seeded(seed)
        sample, job = bench.aim(draw(rng), rng, apis)

        answer = bench.send(job, sign(sample), sample.now)

        assert answer.status == 200, f"seed {seed}: {answer.body!r}"
        assert job.state(sample.now) == STATES[job.operation][1]


def refused_unread(request: SignableRequest, answer: Response) -> bool:
    """Tell whether nothing was left to authenticate for: no operation, or no Host. HEAD is answered without a code."""
    if answer.status == 400:
        return all(name.lower() != "host" for name, _ in request.headers)
    return answer.status == 404 and (request.method == "HEAD" or NO_OPERATION.search(answer.body) is not None)


@SIGNERS
def test_a_tampered_request_is_not_taken_for_authenticated(
    bench: Bench, draw: Draw, apis: tuple[ApiName, ...], sign: Sign
) -> None:
    unauthenticated = 0
    for seed in range(COUNT):
        rng = seeded(seed)
        sample, job = bench.aim(draw(rng), rng, apis)
        name, request = tamper(sign(sample), rng)

        answer = bench.send(job, request, sample.now)

        assert job.state(sample.now) == STATES[job.operation][0], f"seed {seed}: {name}"
        assert answer.status == 401 or refused_unread(request, answer), (
            f"seed {seed}: {name}: {answer.status} {answer.body!r}"
        )
        unauthenticated += answer.status == 401

    assert unauthenticated > COUNT / 2
