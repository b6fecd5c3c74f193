"""SDK-HMAC-SHA256: every stage against the vectors, and what the signer refuses."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from vectors import Vector, signer_vectors

from calloff.signing import sdk_hmac
from calloff.signing.request import SignableRequest

VECTORS = signer_vectors("sdk-hmac-sha256")
REQUEST = SignableRequest(
    "DELETE", "/v1.0/p/jobs/j", (("Host", "dli.example.com"), ("X-Sdk-Date", "20260115T093000Z"))
)


def request_of(vector: Vector) -> SignableRequest:
    message = vector.request
    return SignableRequest(message.method, message.target, message.headers, message.body)


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_canonical_request_equals_the_vector(vector: Vector) -> None:
    text = sdk_hmac.canonical_request(request_of(vector), signed_headers=vector.signed_headers)

    assert text == vector.stages["canonical_request"]


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_string_to_sign_equals_the_vector(vector: Vector) -> None:
    text = sdk_hmac.string_to_sign(vector.stages["canonical_request"], date=vector.time["date"])

    assert text == vector.stages["string_to_sign"]


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_signature_equals_the_vector(vector: Vector) -> None:
    signature = sdk_hmac.signature(vector.sender["secret_key"], vector.stages["string_to_sign"])

    assert signature == vector.stages["signature"]


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_sign_joins_the_stages(vector: Vector) -> None:
    value = sdk_hmac.sign(
        request_of(vector),
        access_key=vector.sender["access_key"],
        secret_key=vector.sender["secret_key"],
        signed_headers=vector.signed_headers,
    )

    assert value == vector.authorization


@pytest.mark.parametrize(
    ("epoch", "text"),
    [
        (0, "19700101T000000Z"),
        (1573789015, "20191115T033655Z"),  # the date of the vendor's vectors
        (1768469400.999, "20260115T093000Z"),  # fractions are cut, not rounded
    ],
)
def test_a_date_is_written_in_utc(epoch: float, text: str) -> None:
    assert sdk_hmac.format_date(epoch) == text


def test_a_request_without_a_date_is_refused() -> None:
    undated = replace(REQUEST, headers=REQUEST.headers[:1])

    with pytest.raises(ValueError, match=r"header 'x-sdk-date' .* it is absent"):
        sdk_hmac.sign(undated, access_key="AccessKey", secret_key="SecretKey")


def test_a_date_that_is_not_signed_is_refused() -> None:
    with pytest.raises(ValueError, match="X-Sdk-Date must be among the signed headers"):
        sdk_hmac.sign(REQUEST, access_key="AccessKey", secret_key="SecretKey", signed_headers=["host"])


@pytest.mark.parametrize(
    "date",
    [
        "2026-01-15T09:30:00Z",
        "20260115T093000",
        "20260115 093000Z",
        "20260115T093000z",
        "2026O115T093000Z",
        "²0260115T093000Z",
        "",
    ],
)
def test_a_date_in_another_form_is_refused(date: str) -> None:
    misdated = replace(REQUEST, headers=(REQUEST.headers[0], ("X-Sdk-Date", date)))

    with pytest.raises(ValueError, match="must be written YYYYMMDDTHHMMSSZ"):
        sdk_hmac.sign(misdated, access_key="AccessKey", secret_key="SecretKey")


def test_a_signed_header_that_is_there_twice_is_named() -> None:
    twice = replace(REQUEST, headers=(*REQUEST.headers, ("host", "other.example.com")))

    with pytest.raises(ValueError, match=r"header 'host' .* it is there 2 times"):
        sdk_hmac.canonical_request(twice, signed_headers=["host"])


def test_a_declared_hash_that_is_not_of_the_body_is_refused() -> None:
    wrong = replace(REQUEST, headers=(*REQUEST.headers, ("X-Sdk-Content-Sha256", "0" * 64)), body=b"text")

    with pytest.raises(ValueError, match="X-Sdk-Content-Sha256 must be UNSIGNED-PAYLOAD or the SHA-256"):
        sdk_hmac.canonical_request(wrong, signed_headers=["host"])


def test_a_declared_hash_of_the_body_is_signed() -> None:
    digest = hashlib.sha256(b"text").hexdigest()
    right = replace(REQUEST, headers=(*REQUEST.headers, ("X-Sdk-Content-Sha256", digest)), body=b"text")

    assert sdk_hmac.canonical_request(right, signed_headers=["host"]).endswith(f"\n{digest}")
