"""The options of connection and credential, and the client that they make."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import cloup
import pytest
from click.testing import CliRunner

from calloff import AsyncHuaweiCloudDliClient, AsyncOtcDliClient, AsyncTencentCiClient
from calloff.apis import ApiName
from calloff.cli.connection import (
    ConnectionOptions,
    client_from,
    connection_options,
    credential_options,
    find_credential,
    look_for_credential,
)
from calloff.credentials import AccessKey, Token
from calloff.errors import CredentialError, InvalidInputError

SECRET = {"SECRET": "planted-5ecret"}  # pragma: allowlist secret
KEY = {"access_key": "AKIDEXAMPLE0001", "secret_key": "env:SECRET"}  # pragma: allowlist secret


def client(api: ApiName, **options: Any) -> Any:
    given = ConnectionOptions(**{**KEY, **options})
    return client_from(api, given, find_credential(api, given, SECRET))


async def closed(made: Any) -> None:
    await made.close()


@pytest.mark.parametrize(
    ("api", "options", "kind", "where"),
    [
        (
            "tencent-ci",
            {"bucket": "examplebucket-1250000000", "region": "ap-beijing"},
            AsyncTencentCiClient,
            ("https", "examplebucket-1250000000.ci.ap-beijing.myqcloud.com", 443),
        ),
        (
            "otc-dli",
            {"region": "eu-de", "project_id": "p1"},
            AsyncOtcDliClient,
            ("https", "dli.eu-de.otc.t-systems.com", 443),
        ),
        (
            "huaweicloud-dli",
            {"region": "eu-west-101", "project_id": "p1"},
            AsyncHuaweiCloudDliClient,
            ("https", "dli.eu-west-101.myhuaweicloud.eu", 443),
        ),
        # Of a server of one's own the region is not needed.
        (
            "otc-dli",
            {"base_url": "http://127.0.0.1:8602", "project_id": "p1"},
            AsyncOtcDliClient,
            ("http", "127.0.0.1", 8602),
        ),
        (
            "tencent-ci",
            {"base_url": "http://127.0.0.1:8601", "host": "b-1.ci.ap-beijing.myqcloud.com"},
            AsyncTencentCiClient,
            ("http", "127.0.0.1", 8601),
        ),
        (
            "huaweicloud-dli",
            {"base_url": "http://dli.example:80", "allow_http": True, "project_id": "p1"},
            AsyncHuaweiCloudDliClient,
            ("http", "dli.example", 80),
        ),
    ],
)
def test_the_options_make_the_client_of_the_api(
    api: ApiName, options: dict[str, Any], kind: type[object], where: tuple[str, str, int]
) -> None:
    made: Any = client(api, timeout=7.0, **options)
    asyncio.run(closed(made))
    endpoint = made.core.endpoint
    assert type(made).__name__ == kind.__name__
    assert (endpoint.scheme, endpoint.host, endpoint.port) == where
    assert made.core.credential == AccessKey("AKIDEXAMPLE0001", "planted-5ecret")
    assert made.core.timeout == 7.0


def test_the_host_header_is_that_of_the_option_or_the_bucket() -> None:
    base = {"base_url": "http://127.0.0.1:8601"}
    given = client("tencent-ci", **base, host="b-1.example")
    made = client("tencent-ci", **base, bucket="examplebucket-1250000000", region="ap-beijing")
    for each in (given, made):
        asyncio.run(closed(each))
    assert given.core.endpoint.host_header == "b-1.example"
    assert made.core.endpoint.host_header == "examplebucket-1250000000.ci.ap-beijing.myqcloud.com"


@pytest.mark.parametrize(
    ("api", "options", "problem"),
    [
        (
            "otc-dli",
            {"project_id": "p1"},
            "otc-dli needs a region, and the credential of options names none: give --region, or set CALLOFF_REGION",
        ),
        (
            "otc-dli",
            {"region": "eu-de"},
            "needs a project id, .* give --project-id, or set CALLOFF_PROJECT_ID",
        ),
        ("huaweicloud-dli", {"base_url": "http://127.0.0.1:1"}, "needs a project id"),
        ("tencent-ci", {"region": "ap-beijing"}, "needs a bucket: give --bucket, or set CALLOFF_BUCKET"),
        ("tencent-ci", {"bucket": "b-1"}, "needs a region"),
        ("tencent-ci", {"bucket": "b-1", "base_url": "http://127.0.0.1:1"}, "needs a region"),
        ("tencent-ci", {"bucket": "b", "region": "ap-beijing"}, "--bucket must match"),
        ("otc-dli", {"region": "EU", "project_id": "p1"}, "--region must match"),
        ("otc-dli", {"region": "eu-de", "project_id": ".."}, "--project-id must match"),
        ("otc-dli", {"region": "eu-de", "project_id": "p1", "host": "x.example"}, "goes with --base-url"),
        ("otc-dli", {"base_url": "http://dli.example", "project_id": "p1"}, "use https, or --allow-http"),
        ("otc-dli", {"base_url": "ftp://dli.example", "project_id": "p1"}, "must be http:// or https://"),
        (
            "otc-dli",
            {"region": "eu-de", "project_id": "p1", "ca_file": Path("none.pem")},
            "--ca-file must name a file of CA certificates; 'none.pem' is none",
        ),
    ],
)
def test_what_is_missing_or_wrong_is_told_by_its_option(
    api: ApiName, options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidInputError, match=problem) as caught:
        client(api, **options)
    assert "planted" not in str(caught.value)


def test_a_missing_region_names_the_variable_of_the_source_too() -> None:
    environment = {
        "HW_ACCESS_KEY": "AKIDEXAMPLE0001",
        "HW_SECRET_KEY": SECRET["SECRET"],
    }
    given = ConnectionOptions()
    found = find_credential("huaweicloud-dli", given, environment)
    with pytest.raises(InvalidInputError, match="or set CALLOFF_REGION or HW_REGION_NAME"):
        client_from("huaweicloud-dli", given, found)


def test_a_password_for_a_test_server_never_goes_to_the_public_iam() -> None:
    options: dict[str, Any] = {
        "iam_user": "ops",
        "iam_password": "env:SECRET",  # pragma: allowlist secret
        "iam_domain": "D",
        "project_id": "p1",
    }
    given = ConnectionOptions(base_url="http://127.0.0.1:1", **options)
    with pytest.raises(InvalidInputError, match="--base-url needs --iam-url"):
        client_from("otc-dli", given, find_credential("otc-dli", given, SECRET))


def test_without_a_credential_what_to_set_is_told() -> None:
    with pytest.raises(CredentialError, match="set OS_ACCESS_KEY and OS_SECRET_KEY; or give --access-key"):
        find_credential("otc-dli", ConnectionOptions(), {})


def test_the_options_hold_no_secret_in_their_repr() -> None:
    options = ConnectionOptions(secret_key="planted-1", token="planted-2", credential_command="planted-3")
    assert "planted" not in repr(options)


def test_a_command_takes_the_options_and_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    @cloup.command()
    @connection_options
    @credential_options
    @cloup.option("--mine")
    def command(**given: Any) -> None:
        seen["options"] = ConnectionOptions.take(given)
        seen["rest"] = given
        seen["found"] = look_for_credential("otc-dli", seen["options"], SECRET).found

    words = [
        "--token",
        "env:SECRET",
        "--region",
        "eu-de",
        "--project-id",
        "p1",
        "--timeout",
        "5",
        "--mine",
        "x",
    ]
    words += ["--allow-http", "--base-url", "http://127.0.0.1:1"]
    result = CliRunner().invoke(command, words, catch_exceptions=False, env={"CALLOFF_BUCKET": "b-1"})
    assert result.exit_code == 0, result.output
    assert seen["rest"] == {"mine": "x"}
    assert seen["options"] == ConnectionOptions(
        token="env:SECRET",
        region="eu-de",
        project_id="p1",
        timeout=5.0,
        allow_http=True,
        base_url="http://127.0.0.1:1",
        bucket="b-1",
    )
    assert seen["found"].credential == Token("planted-5ecret")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        *((name, "x", True) for name in ("access_key", "secret_key", "security_token", "token", "iam_user")),
        *(
            (name, "x", True)
            for name in ("iam_password", "iam_domain", "iam_url", "cloud", "credential_command")
        ),
        *((name, "x", False) for name in ("region", "project_id", "bucket", "base_url", "host")),
    ],
)
def test_options_that_name_a_credential_are_told_from_those_that_name_a_place(
    name: str, value: str, told: bool
) -> None:
    assert ConnectionOptions(**{name: value}).names_a_credential is told  # type: ignore[arg-type]
