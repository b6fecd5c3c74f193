"""The mock's verifiers against the signing vectors, request by request as it arrives."""

from __future__ import annotations

from dataclasses import replace

import pytest
from mock_support import accepts
from vectors import Vector, load_vectors

from calloff.mock.ci import verify as ci
from calloff.mock.dli import verify as dli
from calloff.mock.keys import Key, Keys


def keys_of(vector: Vector) -> Keys:
    key_id = vector.credentials.get("secret_id") or vector.credentials["access_key"]
    keys = Keys()
    token = vector.credentials.get("security_token", "")
    keys.add(Key(key_id, vector.credentials.get("secret_key", "").encode(), "owner", token))
    return keys


@pytest.mark.parametrize("vector", load_vectors("q-sign"), ids=str)
def test_q_sign_vector(vector: Vector) -> None:
    steps = ci.signature_steps(keys_of(vector), start_counts=False)
    if sign_key := vector.credentials.get("sign_key"):
        steps = replace(
            steps, sign=lambda claim, _key, parts: ci.sign_with(sign_key, claim.time, b"\n".join(parts))
        )
    if not vector.undecided:
        assert accepts(steps, vector.arrives, vector.time["now"]) is (vector.verdict != "must-refuse")


@pytest.mark.parametrize("vector", load_vectors("sdk-hmac-sha256"), ids=str)
def test_sdk_hmac_vector(vector: Vector) -> None:
    if not vector.undecided:
        steps = dli.signature_steps(keys_of(vector))
        assert accepts(steps, vector.arrives, vector.time["now"]) is (vector.verdict != "must-refuse")


@pytest.mark.parametrize("vector", load_vectors("sdk-hmac-sha256-derived"), ids=str)
def test_derived_form_vector(vector: Vector) -> None:
    steps = dli.signature_steps(keys_of(vector), derived=True)
    if not vector.undecided:
        assert accepts(steps, vector.arrives, vector.time["now"]) is (vector.verdict != "must-refuse")
    assert not accepts(dli.signature_steps(keys_of(vector)), vector.arrives, vector.time["now"])


@pytest.mark.parametrize(
    ("algorithm", "least"), [("q-sign", 20), ("sdk-hmac-sha256", 20), ("sdk-hmac-sha256-derived", 5)]
)
def test_vectors_decide_both_ways(algorithm: str, least: int) -> None:
    verdicts = [vector.verdict for vector in load_vectors(algorithm) if not vector.undecided]
    assert min(verdicts.count("valid"), verdicts.count("must-refuse")) > least
