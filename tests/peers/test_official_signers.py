"""Our signatures equal those of the vendors' own Python SDKs: same request, same clock, same signed set.

``CALLOFF_ORACLE_COUNT`` says how many random requests there are for each algorithm (300 where it is not set).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random

import pytest

from calloff.signing.request import SignableRequest
from peers import reference
from peers.official import cos_python_sdk, huaweicloud_python_sdk
from peers.samples import Sample, random_qsign, random_sdk_hmac, signed_by_calloff
from peers.tamper import CHANGES, authorization, tamper

COUNT = int(os.environ.get("CALLOFF_ORACLE_COUNT", "300"))
Draw = Callable[[Random], Sample]


def seeded(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - to repeat a failure, not to keep a secret


def message_of(request: SignableRequest) -> reference.Message:
    return reference.Message(request.method, request.target, request.headers, request.body)


def accepted(sample: Sample, request: SignableRequest) -> bool:
    try:
        verify(sample, request)
    except reference.RefusedError:
        return False
    return True


def verify(sample: Sample, request: SignableRequest) -> None:
    if sample.lifetime:
        known = {"secret_id": sample.key_id, "secret_key": sample.secret_key}
        reference.verify_qsign(message_of(request), known, sample.now)
    else:
        known = {"access_key": sample.key_id, "secret_key": sample.secret_key}
        reference.verify_hmac(message_of(request), known, sample.now)


@pytest.mark.parametrize(
    ("draw", "official"),
    [
        pytest.param(random_qsign, cos_python_sdk, id="q-sign"),
        pytest.param(random_sdk_hmac, huaweicloud_python_sdk, id="sdk-hmac-sha256"),
    ],
)
def test_our_signature_equals_the_official_one(draw: Draw, official: Callable[[Sample], str]) -> None:
    for seed in range(COUNT):
        sample = draw(seeded(seed))

        assert authorization(signed_by_calloff(sample)) == official(sample), (
            f"seed {seed}: {sample.request!r}"
        )


@pytest.mark.parametrize("draw", [random_qsign, random_sdk_hmac])
def test_the_reference_accepts_our_signature(draw: Draw) -> None:
    for seed in range(COUNT):
        sample = draw(seeded(seed))

        verify(sample, signed_by_calloff(sample))


@pytest.mark.parametrize("draw", [random_qsign, random_sdk_hmac])
def test_the_reference_refuses_every_tampered_request(draw: Draw) -> None:
    for seed in range(COUNT):
        rng = seeded(seed)
        sample = draw(rng)
        name, tampered = tamper(signed_by_calloff(sample), rng)

        assert not accepted(sample, tampered), f"seed {seed}: accepted though tampered with: {name}"


@pytest.mark.parametrize("draw", [random_qsign, random_sdk_hmac])
def test_every_kind_of_tampering_is_drawn(draw: Draw) -> None:
    rng = seeded(1)
    drawn = {tamper(signed_by_calloff(draw(rng)), rng)[0] for _ in range(300)}

    assert set(CHANGES) - drawn == ({"body"} if draw is random_qsign else set())  # q-sign signs no body


def test_what_is_not_signed_cannot_be_tampered_with() -> None:
    with pytest.raises(ValueError, match="must carry a readable signature"):
        tamper(SignableRequest("PUT", "/", (("Authorization", "Bearer x"),)), seeded(1))
