"""The mock's verifiers accept what the vendors' own signers and ours sign, and nothing that was changed afterwards.

``CALLOFF_ORACLE_COUNT`` says how many random requests there are for each algorithm (300 where it is not set).
"""

from __future__ import annotations

import os
from random import Random
from typing import TYPE_CHECKING

import pytest
from mock_support import accepts

from calloff.mock.ci import verify as ci
from calloff.mock.dli import verify as dli
from calloff.mock.keys import Key, Keys
from peers import reference
from peers.official import cos_python_sdk, huaweicloud_python_sdk, signed_by
from peers.samples import Sample, random_qsign, random_sdk_hmac, signed_by_calloff
from peers.tamper import tamper

if TYPE_CHECKING:
    from collections.abc import Callable

    from calloff.mock.pipeline import SignatureSteps
    from calloff.signing.request import SignableRequest

COUNT = int(os.environ.get("CALLOFF_ORACLE_COUNT", "300"))


def seeded(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - to repeat a failure, not to keep a secret


def steps_for(sample: Sample) -> SignatureSteps:
    keys = Keys()
    keys.add(Key(sample.key_id, sample.secret_key.encode(), "owner"))
    return ci.signature_steps(keys, start_counts=True) if sample.lifetime else dli.signature_steps(keys)


def arrives(request: SignableRequest) -> reference.Message:
    return reference.Message(request.method, request.target, request.headers, request.body)


ALGORITHMS = pytest.mark.parametrize(
    ("draw", "sign"),
    [
        pytest.param(random_qsign, signed_by(cos_python_sdk), id="q-sign-official"),
        pytest.param(random_qsign, signed_by_calloff, id="q-sign-calloff"),
        pytest.param(random_sdk_hmac, signed_by(huaweicloud_python_sdk), id="sdk-hmac-sha256-official"),
        pytest.param(random_sdk_hmac, signed_by_calloff, id="sdk-hmac-sha256-calloff"),
    ],
)


@ALGORITHMS
def test_what_was_signed_is_accepted(
    draw: Callable[[Random], Sample], sign: Callable[[Sample], SignableRequest]
) -> None:
    for seed in range(COUNT):
        sample = draw(seeded(seed))
        request = sign(sample)
        assert accepts(steps_for(sample), arrives(request), sample.now), f"seed {seed}: {request!r}"


@ALGORITHMS
def test_what_was_tampered_with_is_refused(
    draw: Callable[[Random], Sample], sign: Callable[[Sample], SignableRequest]
) -> None:
    for seed in range(COUNT):
        rng = seeded(seed)
        sample = draw(rng)
        name, request = tamper(sign(sample), rng)
        assert not accepts(steps_for(sample), arrives(request), sample.now), f"seed {seed}: {name}"
