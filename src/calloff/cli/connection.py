"""The options that say where an API is and as whom to ask it; the commands that ask one share them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
from cloup import option, option_group

from calloff.apis import ApiName
from calloff.credential_sources import Found, Options, Search, find, look, named_by
from calloff.credentials import IamPassword, KeyCredential
from calloff.errors import InvalidInputError

if TYPE_CHECKING:  # help must not wait for an HTTP library
    from calloff.clients import (
        AsyncHuaweiCloudDliClient,
        AsyncOtcDliClient,
        AsyncTencentCiClient,
        ClientOptions,
    )

    AsyncClient = AsyncTencentCiClient | AsyncOtcDliClient | AsyncHuaweiCloudDliClient

_FILE = click.Path(dir_okay=False, path_type=Path)
_REFERENCE = "env:NAME or file:PATH"
# How the arguments of the library are called here, in what its errors say.
_WORDS = {
    "allow_http=True": "--allow-http",
    "IamPassword(iam_url=...)": "--iam-url",
    "a client with base_url": "--base-url",
    "project_id must": "--project-id must",
    "bucket must": "--bucket must",
    "region must": "--region must",
    "verify must": "--ca-file must",
    "base_url": "--base-url",
}

connection_options = option_group(
    "Where",
    option(
        "--region", metavar="CODE", help="Region, such as eu-de; else the source of the credential names it."
    ),
    option("--project-id", metavar="ID", help="The region's project (DLI)."),
    option("--bucket", metavar="NAME-APPID", envvar="CALLOFF_BUCKET", show_envvar=True, help="Bucket (CI)."),
    option("--base-url", metavar="URL", help="A server to ask instead of the vendor's, such as a mock."),
    option("--host", metavar="HOST", help="Host header to send to it."),
    option("--ca-file", type=_FILE, help="Certificates of the authority that the server's is from (PEM)."),
    option("--allow-http", is_flag=True, help="Send credentials in clear text to another machine."),
    option(
        "--timeout",
        default=30.0,
        show_default=True,
        metavar="SECONDS",
        type=click.FloatRange(0.1, 3600),
        help="How long one call may take.",
    ),
)

credential_options = option_group(
    "As whom",
    option("--access-key", metavar="ID", help="Access key, or secret id."),
    option("--secret-key", metavar="REF", help=f"Where the secret key is: {_REFERENCE}."),
    option("--security-token", metavar="REF", help=f"Where a temporary key's token is: {_REFERENCE}."),
    option("--token", metavar="REF", help=f"Where an X-Auth-Token is: {_REFERENCE} (DLI)."),
    option("--iam-user", metavar="NAME", help="IAM user whose token is fetched (DLI)."),
    option("--iam-password", metavar="REF", help=f"Where the user's password is: {_REFERENCE}."),
    option("--iam-domain", metavar="NAME", help="The account that owns the user."),
    option("--iam-url", metavar="URL", help="The IAM to ask, where it is not the region's own."),
    option("--cloud", metavar="NAME", help="A cloud of clouds.yaml (DLI)."),
    option(
        "--credential-command",
        metavar="COMMAND",
        help='Prints {"id", "secret", "token", "expires_at"} as JSON; is run again before the key ends.',
    ),
    help="The first that is set is used, whole: these options, CALLOFF_ACCESS_KEY and its like, the vendor's own "
    "variables (TENCENTCLOUD_*; HUAWEICLOUD_SDK_*, HW_*), OS_CLOUD, OS_*. calloff whoami shows which one it is.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """What the two groups of options gave; the names are those of the options."""

    region: str | None = None
    project_id: str | None = None
    bucket: str | None = None
    base_url: str | None = None
    host: str | None = None
    ca_file: Path | None = None
    allow_http: bool = False
    timeout: float = 30.0
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    security_token: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    iam_user: str | None = None
    iam_password: str | None = field(default=None, repr=False)
    iam_domain: str | None = None
    iam_url: str | None = None
    cloud: str | None = None
    credential_command: str | None = field(default=None, repr=False)

    @classmethod
    def take(cls, given: dict[str, Any]) -> ConnectionOptions:
        """Take these options out of what a command was called with."""
        return cls(**{each.name: given.pop(each.name) for each in fields(cls)})

    @property
    def names_a_credential(self) -> bool:
        """Tell whether an option names a credential, and not only a place."""
        given = (self.access_key, self.secret_key, self.security_token, self.token)
        user = (self.iam_user, self.iam_password, self.iam_domain, self.iam_url)
        return any((*given, *user, self.cloud, self.credential_command))


def find_credential(
    api: ApiName, options: ConnectionOptions, environment: Mapping[str, str] = os.environ
) -> Found:
    """Return the credential for ``api``; raise CalloffError, saying what to set, where there is none."""
    return find(api, environment=environment, **_search_options(options))


def look_for_credential(
    api: ApiName, options: ConnectionOptions, environment: Mapping[str, str] = os.environ
) -> Search:
    """Return what came of the search for the credential for ``api``."""
    return look(api, environment=environment, **_search_options(options))


def client_from(api: ApiName, options: ConnectionOptions, found: Found | None = None) -> AsyncClient:
    """Make the asynchronous client of ``api``; ``found`` is its credential where it was looked for before.

    Raises CalloffError where there is no credential, a region, bucket or project is missing, or a value makes no
    sense; it says which option, variable or file gives it.
    """
    from calloff.clients import ClientOptions

    found = found or find_credential(api, options)
    if isinstance(found.credential, IamPassword) and options.base_url and not found.credential.iam_url:
        raise InvalidInputError(
            "--base-url needs --iam-url, the IAM of that server: a password must not go to the public one"
        )
    given = ClientOptions(
        timeout=options.timeout,
        base_url=options.base_url,
        host=options.host,
        allow_http=options.allow_http,
        verify=options.ca_file,
    )
    try:
        return _client(api, options, found, given)
    except InvalidInputError as error:
        text = str(error)
        for word, here in _WORDS.items():
            text = text.replace(word, here)
        raise InvalidInputError(text) from None


def _client(api: ApiName, options: ConnectionOptions, found: Found, given: ClientOptions) -> AsyncClient:
    from calloff.clients import AsyncHuaweiCloudDliClient, AsyncOtcDliClient, AsyncTencentCiClient

    if api == "tencent-ci":
        # Bucket and region make the Host header, which may be given as a whole.
        whole = bool(options.base_url and options.host)
        if not options.bucket and not whole:
            raise InvalidInputError("tencent-ci needs a bucket: give --bucket, or set CALLOFF_BUCKET")
        return AsyncTencentCiClient(
            bucket=options.bucket or _UNUSED_BUCKET,
            region=found.region or _needed(api, "region", found, unless=whole),
            credentials=cast("KeyCredential", found.credential),
            **given,
        )
    kind = AsyncOtcDliClient if api == "otc-dli" else AsyncHuaweiCloudDliClient
    return kind(
        region=found.region or _needed(api, "region", found, unless=bool(options.base_url)),
        project_id=found.project_id or _needed(api, "project_id", found),
        credentials=found.credential,
        **given,
    )


# Stand where a part of the public host is asked for and another host is used.
_UNUSED, _UNUSED_BUCKET = "unused", "unused-0"


def _needed(api: ApiName, member: str, found: Found, *, unless: bool = False) -> str:
    """Raise InvalidInputError, saying what gives ``member``, unless it is not used."""
    if unless:
        return _UNUSED
    raise InvalidInputError(
        f"{api} needs a {member.replace('_', ' ')}, and the credential of {found.source} names none: give "
        f"--{member.replace('_', '-')}, or set {named_by(found.source, member)}"
    )


def _search_options(options: ConnectionOptions) -> Options:
    return Options(
        access_key=options.access_key,
        secret_key=options.secret_key,
        security_token=options.security_token,
        token=options.token,
        iam_user=options.iam_user,
        iam_password=options.iam_password,
        iam_domain=options.iam_domain,
        iam_url=options.iam_url,
        command=options.credential_command,
        cloud=options.cloud,
        project_id=options.project_id,
        region=options.region,
    )
