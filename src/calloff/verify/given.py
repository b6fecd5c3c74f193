"""Make a target of what a user gives: options, files, the environment, and the provider states of the server."""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from calloff.apis import APIS
from calloff.errors import InvalidInputError
from calloff.references import read_bytes, resolve
from calloff.verify.credentials_file import Credentials, incomplete, read_credentials
from calloff.verify.given_file import LARGEST
from calloff.verify.jobs_file import read_jobs
from calloff.verify.pace import Pace
from calloff.verify.provider_states import ProviderStates
from calloff.verify.target import CannotSupplyError, Keys, Target
from calloff.verify.wire import Address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from calloff.apis import Api
    from calloff.verify.target import JobSource

_CREDENTIALS = ("access_key", "secret_key", "security_token", "token")
VARIABLES = {name: f"CALLOFF_{name.upper()}" for name in (*_CREDENTIALS, "project_id")}

# Requests per second, requests and seconds under --live, where no others are given. The gateway takes 200 requests a
# second (Huawei Cloud, API Gateway); the user's other programs share them.
LIVE_RATE, LIVE_REQUESTS, LIVE_SECONDS = 5.0, 1500, 900.0
# Seconds that an accepted cancel has at least under --live: a client of the vendor's side looks first after 20 (TF).
LIVE_SETTLE = 30.0


def _domain(host: str) -> str:
    return ".".join(host.split(".")[-2:])


# Whose servers cancel real jobs: the domains of the contract's hosts, and others of the same vendors.
VENDOR_DOMAINS = frozenset(
    {
        *(_domain(host) for api in APIS.values() for host in (api.host, *api.host_exceptions.values())),
        "hwclouds.com",
        "huaweicloud.com",
        "open-telekom-cloud.com",
        "qcloud.com",
        "tencentcloudapi.com",
        "tencentcos.cn",
    }
)


def given_target(
    apis: Sequence[str],
    base_url: str,
    *,
    host: str | None = None,
    project_id: str | None = None,
    provider_states: str | None = None,
    jobs: str | os.PathLike[str] | None = None,
    credentials: str | os.PathLike[str] | None = None,
    access_key: str | None = None,
    secret_key: str | None = None,
    security_token: str | None = None,
    token: str | None = None,
    ca_file: str | os.PathLike[str] | None = None,
    live: bool = False,
    rate: float | None = None,
    max_requests: int | None = None,
    max_seconds: float | None = None,
    settle: float = 2.0,
    timeout: float = 10.0,
    environment: Mapping[str, str] = os.environ,
) -> Target:
    """Return the target that the options describe.

    *settle*, *timeout* and *max_seconds* are in seconds, *rate* in requests per second. *secret_key*,
    *security_token* and *token* are references, ``env:NAME`` or ``file:PATH``; *access_key* may be one. The first of
    options, *credentials* file and environment that names a credential supplies all of them; where none does, the
    provider states do. Kinds of credentials that only some checks need come from the file, else from the provider
    states. Raises InvalidInputError, which names the option or variable to change, and CannotSupplyError where the
    provider states have no credentials.
    """
    if len(apis) != 1:
        msg = f"--base-url verifies one API; give --api once, one of {', '.join(APIS)}"
        raise InvalidInputError(msg)
    api = APIS[apis[0]]  # type: ignore[index]
    address = _address("--base-url", base_url)
    states_address = _address("--provider-states", provider_states) if provider_states else None
    if host is not None and not re.fullmatch("[!-~]+", host):
        msg = f"expected --host to be a Host header, got {host!r}"
        raise InvalidInputError(msg)
    if provider_states and jobs is not None:
        msg = "--provider-states and --jobs both supply jobs; give one of them"
        raise InvalidInputError(msg)
    _check_vendor(address, live=live)
    tls = _tls(ca_file, [address, *([states_address] if states_address else [])])
    if live:
        rate = LIVE_RATE if rate is None else rate
        max_requests = LIVE_REQUESTS if max_requests is None else max_requests
        max_seconds = LIVE_SECONDS if max_seconds is None else max_seconds
        settle = max(settle, LIVE_SETTLE)
    pace = Pace(rate, max_requests, max_seconds)
    _check_budgets(pace)
    options = dict(
        zip(_CREDENTIALS, (access_key, secret_key, security_token, token), strict=True), project_id=project_id
    )
    given = (
        read_credentials(Path(credentials), api.name, environment)
        if credentials is not None
        else Credentials()
    )
    keys = _keys(api, options, given.keys, environment)
    source: JobSource | None = None
    if provider_states:
        source = ProviderStates(provider_states, timeout, tls)
    elif jobs is not None:
        _check_project(api, keys)
        authority = host or address.authority
        source = read_jobs(Path(jobs), api.name, project_id=keys.project_id, authority=authority)
    target = Target(api, base_url, keys, host, source, timeout, settle, tls, pace, kinds=given.kinds)
    try:
        if not keys.usable:
            supplied = _supplied_keys(target)
            target.keys = replace(supplied, project_id=supplied.project_id or keys.project_id)
        _check_project(api, target.keys)
        target.kinds = _in_project(given.kinds, target.keys.project_id)
    except BaseException:
        target.close()
        raise
    return target


def _address(option: str, url: str) -> Address:
    try:
        return Address.parse(url)
    except ValueError as error:
        raise InvalidInputError(f"{option}: {error}") from error


def is_vendor(hostname: str) -> bool:
    """Tell whether *hostname* is a vendor's own, where real jobs are cancelled."""
    return _domain(hostname.lower().rstrip(".")) in VENDOR_DOMAINS


def _check_vendor(address: Address, *, live: bool) -> None:
    if not is_vendor(address.hostname):
        return
    if not live:
        msg = f"{address.hostname} is a vendor's own host, where real jobs are cancelled; --live says that is meant"
        raise InvalidInputError(msg)
    if address.scheme != "https":
        msg = f"{address.hostname} is a vendor's own host; give --base-url with https, else anybody reads the secrets"
        raise InvalidInputError(msg)


def _tls(ca_file: str | os.PathLike[str] | None, addresses: Sequence[Address]) -> ssl.SSLContext | None:
    if ca_file is None:
        return None
    if all(address.scheme != "https" for address in addresses):
        msg = "--ca-file is for https; the URLs given are http"
        raise InvalidInputError(msg)
    # Comments between the certificates may be in any encoding.
    text = read_bytes(Path(ca_file), "--ca-file", LARGEST).decode("ascii", "ignore")
    try:
        if "BEGIN CERTIFICATE" in text:
            return ssl.create_default_context(cadata=text)
    except ssl.SSLError:
        pass
    raise InvalidInputError(
        f"--ca-file: {str(ca_file)!r} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
    )


def _check_budgets(pace: Pace) -> None:
    given = (
        ("--rate", pace.rate),
        ("--max-requests", pace.max_requests),
        ("--max-seconds", pace.max_seconds),
    )
    for option, value in given:
        if value is not None and not 0 < value < float("inf"):
            raise InvalidInputError(f"expected {option} to be more than 0, got {value:g}")


def _keys(api: Api, options: Mapping[str, str | None], file: Keys, environment: Mapping[str, str]) -> Keys:
    """Return the credentials of the first source that has any, and the project of the first that names one."""
    project = options["project_id"]
    if project is not None and not re.fullmatch("[!-~]+", project):
        msg = "--project-id: expected project_id to be visible ASCII characters without a space or line break"
        raise InvalidInputError(msg)
    named = {name: environment[variable] for name, variable in VARIABLES.items() if environment.get(variable)}
    if any(options[name] is not None for name in _CREDENTIALS):
        keys = _from_options(options, environment)
    elif file.usable:
        keys = file
    else:
        keys = _from_environment(named)
    project_id = project or keys.project_id or file.project_id or named.get("project_id", "")
    pattern = next(iter(api.operations.values())).patterns.get("project_id")
    if pattern and project_id and not re.fullmatch(pattern, project_id):
        msg = f"expected --project-id to match {pattern}, got {project_id!r}"
        raise InvalidInputError(msg)
    return replace(keys, project_id=project_id)


def _from_options(options: Mapping[str, str | None], environment: Mapping[str, str]) -> Keys:
    values = {
        name: resolve(value, f"--{name.replace('_', '-')}", environment, secret=name != "access_key")
        for name in _CREDENTIALS
        if (value := options[name]) is not None
    }
    keys = Keys.from_json(values)
    if incomplete(keys):
        msg = "--access-key and --secret-key go together, and --security-token with them"
        raise InvalidInputError(msg)
    return keys


def _from_environment(named: Mapping[str, str]) -> Keys:
    try:
        keys = Keys.from_json(named)
    except ValueError as error:
        raise InvalidInputError(f"CALLOFF_* in the environment: {error}") from error
    if incomplete(keys):
        pair = f"{VARIABLES['access_key']} and {VARIABLES['secret_key']} go together"
        raise InvalidInputError(f"{pair}, and {VARIABLES['security_token']} with them")
    return keys


def _supplied_keys(target: Target) -> Keys:
    """Return the first credentials that the credentials file names by kind, or that the provider states supply."""
    reasons = []
    for kind in ("good", "token", "temporary"):
        try:
            return target.credentials(kind)
        except CannotSupplyError as error:
            reasons.append(str(error))
    if target.reads_state:
        raise CannotSupplyError("; ".join(dict.fromkeys(reasons)))
    variables = " and ".join(VARIABLES[name] for name in _CREDENTIALS)
    msg = f"no credential: set {variables} as the server needs, or give --credentials or --provider-states"
    raise InvalidInputError(msg)


def _in_project(kinds: Mapping[str, Keys], project_id: str) -> dict[str, Keys]:
    """Return *kinds*, in *project_id* those that name no project and are not another owner's."""
    return {
        kind: keys
        if kind.startswith("other-owner") or keys.project_id
        else replace(keys, project_id=project_id)
        for kind, keys in kinds.items()
    }


def _check_project(api: Api, keys: Keys) -> None:
    patterns = next(iter(api.operations.values())).patterns
    if "project_id" in patterns and not keys.project_id:
        msg = f"{api.name} needs --project-id, the project that the credentials belong to"
        raise InvalidInputError(msg)
