"""What both signers refuse to sign, what they keep secret, and that they change nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from calloff.signing import qsign, sdk_hmac
from calloff.signing.request import SignableRequest

REQUEST = SignableRequest(
    "PUT",
    "/ai_jobs/a1?cancel",
    (("Host", "ci.example.com"), ("X-Sdk-Date", "20260115T093000Z"), ("X-Security-Token", "example-token")),
)
SIGNED = ("host", "x-sdk-date", "x-security-token")
Sign = Callable[..., str]


def sign_qsign(request: SignableRequest, key_id: str = "KeyId", key: str = "SecretKey") -> str:
    return qsign.sign(request, secret_id=key_id, secret_key=key, start=1, end=2, signed_headers=SIGNED)


def sign_hmac(request: SignableRequest, key_id: str = "KeyId", key: str = "SecretKey") -> str:
    return sdk_hmac.sign(request, access_key=key_id, secret_key=key, signed_headers=SIGNED)


both = pytest.mark.parametrize("sign", [sign_qsign, sign_hmac])


@both
@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("", "starts with '/'"),
        ("ai_jobs/a1?cancel", "starts with '/'"),
        ("https://ci.example.com/ai_jobs/a1?cancel", "starts with '/'"),
        ("/ai_jobs/任务?cancel", "percent-encoded ASCII"),
        ("/ai_jobs/a1?cancel\n", "percent-encoded ASCII"),
        ("/ai_jobs/a 1?cancel", "neither a space nor a fragment"),
        ("/ai_jobs/a1?cancel#x", "neither a space nor a fragment"),
        ("/ai_jobs/a%1?cancel", "without two hexadecimal digits"),
        ("/ai_jobs/a%?cancel", "without two hexadecimal digits"),
        ("/ai_jobs/a1?cancel&x=%zz", "without two hexadecimal digits"),
        ("/ai_jobs/%ff?cancel", "percent-encoded UTF-8"),
        ("/ai_jobs/%ED%A0%80?cancel", "percent-encoded UTF-8"),  # a surrogate
    ],
)
def test_a_target_that_cannot_be_on_the_wire_is_refused(sign: Sign, target: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        sign(replace(REQUEST, target=target))


@both
@pytest.mark.parametrize("method", ["", "PUT ", "PU\nT", "ＰＵＴ"])  # noqa: RUF001
def test_a_method_that_is_no_word_is_refused(sign: Sign, method: str) -> None:
    with pytest.raises(ValueError, match="the method must be ASCII letters"):
        sign(replace(REQUEST, method=method))


@both
@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("a\nx-other:b", "no line break"),
        ("a\rb", "no line break"),
        ("a\0b", "no NUL"),
        ("a\ud800b", "lone surrogates"),
    ],
)
def test_a_header_value_that_no_header_can_carry_is_refused(sign: Sign, value: str, complaint: str) -> None:
    request = replace(REQUEST, headers=(*REQUEST.headers[:2], ("X-Security-Token", value)))

    with pytest.raises(ValueError, match=complaint) as caught:
        sign(request)

    assert value not in str(caught.value)


@both
@pytest.mark.parametrize("key", ["", "Schlüssel", "\ud800"])
def test_a_secret_key_that_is_none_is_refused_and_not_quoted(sign: Sign, key: str) -> None:
    with pytest.raises(ValueError, match="the secret key must be ASCII text and not empty") as caught:
        sign(REQUEST, key=key)

    assert caught.value.__context__ is None
    assert not key or key not in str(caught.value)


@both
@pytest.mark.parametrize("key_id", ["", "Key Id", "KeyId\n", "Schlüssel"])
def test_a_key_id_that_would_break_the_header_is_refused(sign: Sign, key_id: str) -> None:
    with pytest.raises(ValueError, match="the key id must be printable ASCII"):
        sign(REQUEST, key_id=key_id)


@pytest.mark.parametrize(
    ("sign", "key_id"), [(sign_qsign, "Key&q-ak=Other"), (sign_hmac, "Key,Access=Other")]
)
def test_a_key_id_that_would_add_a_field_is_refused(sign: Sign, key_id: str) -> None:
    with pytest.raises(ValueError, match="the key id must be printable ASCII"):
        sign(REQUEST, key_id=key_id)


def test_a_request_shows_neither_token_nor_query() -> None:
    presigned = replace(REQUEST, target="/ai_jobs/a1?cancel&q-signature=0", body=b"example body")

    assert repr(presigned) == "SignableRequest(method='PUT', path='/ai_jobs/a1')"


@both
def test_signing_twice_gives_the_same_and_leaves_the_request(sign: Sign) -> None:
    before = replace(REQUEST)

    assert sign(REQUEST) == sign(REQUEST)
    assert before == REQUEST


@both
def test_every_spelling_of_one_target_gives_one_signature(sign: Sign) -> None:
    spellings = ["/a~b?cancel&x=1", "/a%7Eb?cancel=&x=1", "/%61%7eb?cancel&&x=%31", "/a~b?x=1&cancel"]

    assert len({sign(replace(REQUEST, target=target)) for target in spellings}) == 1
