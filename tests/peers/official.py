"""The vendors' own Python signers, fed with the samples of this package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from unittest import mock

from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from qcloud_cos import CosConfig, cos_auth

from calloff.signing.request import SignableRequest
from peers.samples import Sample


def cos_python_sdk(sample: Sample) -> str:
    """Return the Authorization value of ``qcloud_cos.cos_auth.CosS3Auth``.

    The SDK signs every header of a fixed list that it sees, so it is shown the signed ones only. It reads the
    clock and takes no time as an argument: its module's ``time`` is replaced for the length of the call.
    """
    signed = set(sample.signed_headers)
    request = SimpleNamespace(
        method=sample.request.method,
        url="https://unused.example.com/",
        headers={name: value for name, value in sample.request.headers if name in signed},
    )
    config = CosConfig(
        Region="ap-beijing", SecretId=sample.key_id, SecretKey=sample.secret_key, SignHost="Host" in signed
    )
    parameters = {name: value for name, value in sample.parameters if name in sample.signed_parameters}
    clock = SimpleNamespace(time=lambda: sample.now)
    with mock.patch.object(cos_auth, "time", clock):
        cos_auth.CosS3Auth(config, key=sample.path, params=parameters, expire=sample.lifetime)(request)
    return str(request.headers["Authorization"])


def huaweicloud_python_sdk(sample: Sample) -> str:
    """Return the Authorization value of ``huaweicloudsdkcore``'s ``Signer``; the date is in the headers."""
    request = SdkRequest(
        method=sample.request.method,
        schema="https",
        host="unused.example.com",
        resource_path=sample.request.target.partition("?")[0],
        query_params=list(sample.parameters),
        header_params=dict(sample.request.headers),
        body=sample.request.body,
    )
    Signer(SimpleNamespace(ak=sample.key_id, sk=sample.secret_key)).sign(request)
    return str(request.header_params["Authorization"])


def signed_by(official: Callable[[Sample], str]) -> Callable[[Sample], SignableRequest]:
    """Return a signer of samples to which nothing of ours contributes."""

    def sign(sample: Sample) -> SignableRequest:
        headers = (*sample.request.headers, ("Authorization", official(sample)))
        return replace(sample.request, headers=headers)

    return sign
