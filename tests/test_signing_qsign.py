"""q-sign: every stage against the vectors, and what the signer refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest
from peers import reference
from vectors import Vector, load_vectors, signer_vectors

from calloff.signing import qsign
from calloff.signing.request import SignableRequest

VECTORS = signer_vectors("q-sign")
REQUEST = SignableRequest("PUT", "/ai_jobs/a1?cancel", (("Host", "ci.example.com"),))


def request_of(vector: Vector) -> SignableRequest:
    message = vector.request
    return SignableRequest(message.method, message.target, message.headers, message.body)


def key_time_of(vector: Vector) -> str:
    return qsign.key_time(vector.time["start"], vector.time["end"])


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_http_string_equals_the_vector(vector: Vector) -> None:
    text = qsign.http_string(
        request_of(vector), signed_headers=vector.signed_headers, signed_parameters=vector.signed_parameters
    )

    assert text == vector.stages["http_string"]


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_string_to_sign_equals_the_vector(vector: Vector) -> None:
    text = qsign.string_to_sign(vector.stages["http_string"], key_time=key_time_of(vector))

    assert text == vector.stages["string_to_sign"]


@pytest.mark.parametrize("vector", [each for each in VECTORS if "secret_key" in each.sender], ids=str)
def test_sign_key_equals_the_vector(vector: Vector) -> None:
    key = qsign.sign_key(vector.sender["secret_key"], key_time=key_time_of(vector))

    assert key == vector.stages["sign_key"]


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_signature_equals_the_vector(vector: Vector) -> None:
    signature = qsign.signature(vector.stages["sign_key"], vector.stages["string_to_sign"])

    assert signature == vector.stages["signature"]


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_authorization_equals_the_vector(vector: Vector) -> None:
    value = qsign.authorization(
        secret_id=vector.sender["secret_id"],
        key_time=key_time_of(vector),
        signed_headers=vector.signed_headers,
        signed_parameters=vector.signed_parameters,
        signature=vector.stages["signature"],
    )

    assert value == vector.authorization


@pytest.mark.parametrize("vector", [each for each in VECTORS if "secret_key" in each.sender], ids=str)
def test_sign_joins_the_stages(vector: Vector) -> None:
    value = qsign.sign(
        request_of(vector),
        secret_id=vector.sender["secret_id"],
        secret_key=vector.sender["secret_key"],
        start=vector.time["start"],
        end=vector.time["end"],
        signed_headers=vector.signed_headers,
        signed_parameters=vector.signed_parameters,
    )

    assert value == vector.authorization


@pytest.mark.parametrize(
    "vector",
    [each for each in load_vectors("q-sign") if each.raw["form"] == "query" and each.verdict == "valid"],
    ids=str,
)
def test_query_fields_make_the_presigned_target(vector: Vector) -> None:
    target = f"{vector.request.target}&{qsign.query_fields(vector.authorization)}"

    assert target == vector.arrives.target


def test_by_default_host_and_cancel_are_signed() -> None:
    value = qsign.sign(REQUEST, secret_id="Id", secret_key="SecretKey", start=1, end=2)

    assert "&q-header-list=host&q-url-param-list=cancel&" in value


def test_a_name_that_is_listed_twice_is_signed_once() -> None:
    once = qsign.http_string(REQUEST, signed_headers=["host"], signed_parameters=["cancel"])
    twice = qsign.http_string(
        REQUEST, signed_headers=["host", "Host"], signed_parameters=["cancel", "CANCEL"]
    )

    assert twice == once
    assert qsign.name_list(["host", "Host"]) == "host"


def test_a_listed_header_that_is_absent_is_named() -> None:
    with pytest.raises(ValueError, match=r"header 'x-ci-note' .* it is absent"):
        qsign.http_string(REQUEST, signed_headers=["host", "X-Ci-Note"], signed_parameters=[])


def test_a_listed_header_that_is_there_twice_is_named() -> None:
    twice = replace(REQUEST, headers=(*REQUEST.headers, ("host", "other.example.com")))

    with pytest.raises(ValueError, match=r"header 'host' .* it is there 2 times"):
        qsign.http_string(twice, signed_headers=["host"], signed_parameters=[])


def test_a_listed_parameter_that_is_absent_is_named() -> None:
    with pytest.raises(ValueError, match=r"parameter 'note' .* it is absent"):
        qsign.http_string(REQUEST, signed_headers=[], signed_parameters=["cancel", "note"])


def test_a_listed_parameter_that_is_there_twice_is_named() -> None:
    twice = replace(REQUEST, target="/ai_jobs/a1?cancel&Cancel=")

    with pytest.raises(ValueError, match=r"parameter 'cancel' .* it is there 2 times"):
        qsign.http_string(twice, signed_headers=[], signed_parameters=["cancel"])


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 5), (6, 5)])
def test_a_validity_that_is_none_is_refused(start: int, end: int) -> None:
    with pytest.raises(ValueError, match=f"got {start} and {end}"):
        qsign.key_time(start, end)


def test_the_verifier_that_shares_no_code_accepts_the_presigned_form() -> None:
    value = qsign.sign(REQUEST, secret_id="Id", secret_key="SecretKey", start=10, end=20)
    arrives = reference.Message("PUT", f"{REQUEST.target}&{qsign.query_fields(value)}", REQUEST.headers)

    reference.verify_qsign(arrives, {"secret_id": "Id", "secret_key": "SecretKey"}, now=15)
