"""Build, guard and sign one request: operation, ids, endpoint, credential and clock give what will be sent.

Everything that ends up in the request line or the Host header is first matched, as a whole, against its
pattern, so the request that leaves is the request that was meant. Nothing here does I/O.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address

from calloff.apis import Api, ApiName, Operation, StatusCall
from calloff.credentials import ReadyKey, SigningCredential, TemporaryKey, Token
from calloff.errors import InvalidInputError
from calloff.signing import qsign, sdk_hmac
from calloff.signing.request import SignableRequest

# Seconds that a q-sign signature is dated back, for a server whose clock is behind (as the official Python
# and PHP clients do), and seconds that it stays valid (the official Node client's choice).
CLOCK_TOLERANCE = 60
SIGNATURE_LIFETIME = 900

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = rf"{_LABEL}(?:\.{_LABEL})*"
_AUTHORITY = re.compile(rf"(?P<host>{_HOST_NAME}|\[[0-9A-Fa-f:.]{{2,45}}\])(?::(?P<port>[0-9]{{1,5}}))?")
_BASE_URL = re.compile(
    r"(?P<scheme>https?)://(?P<authority>[^/?#@\\\s]+)(?P<prefix>(?:/[A-Za-z0-9._~-]+)*)/?"
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a client's requests go: the connection (scheme, host, port), a path prefix, the Host header."""

    scheme: str
    host: str
    port: int
    prefix: str
    host_header: str


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """One request, complete and immutable: what leaves is its method, target, headers and body as they are.

    ``target`` and ``headers`` are ASCII. ``secrets`` are texts in the request that must not be quoted from an
    answer that echoes them.
    """

    name: str
    method: str
    scheme: str
    host: str
    port: int
    target: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


def public_endpoint(api: Api, parts: Mapping[str, str]) -> Endpoint:
    """Build the vendor's own endpoint of ``api`` from its checked parts (``region``, and ``bucket`` for CI).

    Raises:
        InvalidInputError: a part breaks its pattern, or the host that it gives is no host name.
    """
    host = api.host
    for name, pattern in api.host_patterns.items():
        host = host.replace(f"{{{name}}}", checked(name, parts[name], pattern))
    host = api.host_exceptions.get(parts["region"], host)
    if len(host) > 253 or not re.fullmatch(_HOST_NAME, host):
        raise InvalidInputError(
            f"{' and '.join(api.host_patterns)} must give a host name with labels of 1 to 63 characters "
            f"that neither begin nor end with a hyphen; got {_shown(host)}"
        )
    return Endpoint("https", host, 443, "", host)


def own_endpoint(base_url: str, *, host: str | None = None, allow_http: bool = False) -> Endpoint:
    """Build the endpoint for a server named by its URL, such as a mock or a gateway.

    Args:
        base_url: ``http://`` or ``https://``, host, optional port and path prefix; nothing else.
        host: Host header to send, host and optional port; that of ``base_url`` by default.
        allow_http: send credentials in clear text to a host that is not this machine.

    Raises:
        InvalidInputError: the URL is none or has more parts, or it is ``http://`` and not loopback.
    """
    expected = "a base URL must be http:// or https:// with a host, optionally a port and a path prefix"
    found = _BASE_URL.fullmatch(base_url) if isinstance(base_url, str) else None
    authority = _authority(found["authority"]) if found else None
    if found is None or authority is None:
        # Not quoted: it may hold a password.
        raise InvalidInputError(f"{expected}, without user, query and fragment; the one given is not")
    if any(segment in (".", "..") for segment in found["prefix"].split("/")):
        raise InvalidInputError(f"{expected}; its path must not hold dot segments")
    name, port = authority
    if found["scheme"] == "http" and not allow_http and not is_loopback(name):
        raise InvalidInputError(
            f"http://{name} would carry the credential in clear text; use https, or allow_http=True on a "
            "network that you trust"
        )
    return Endpoint(
        found["scheme"],
        name,
        port or _DEFAULT_PORTS[found["scheme"]],
        found["prefix"],
        found["authority"] if host is None else checked_host(host),
    )


def checked_host(host: str) -> str:
    """Return ``host`` if it can be the value of a Host header; raise InvalidInputError otherwise."""
    if not isinstance(host, str) or _authority(host) is None:
        raise InvalidInputError(f"host must be a host name with an optional port; got {_shown(host)}")
    return host


def checked(name: str, value: str, pattern: str) -> str:
    """Return ``value`` if ``pattern`` matches all of it; raise InvalidInputError otherwise."""
    if not isinstance(value, str):
        raise InvalidInputError(f"{name} must be text that matches {pattern}; got {type(value).__name__}")
    if not _matcher(pattern)(value):
        raise InvalidInputError(f"{name} must match {pattern} as a whole; got {_shown(value)}")
    return value


@cache
def _matcher(pattern: str) -> Callable[[str], re.Match[str] | None]:
    return re.compile(pattern).fullmatch


def prepare(
    operation: Operation | StatusCall,
    ids: Mapping[str, str],
    *,
    endpoint: Endpoint,
    credential: SigningCredential,
    now: float,
) -> PreparedRequest:
    """Prepare the cancel of one job, or the call that reads its state.

    Args:
        operation: what to call.
        ids: its path parameters by wire name, such as ``{"jobId": …}``.
        endpoint: where it goes.
        credential: a key, or a ready token for the DLI APIs.
        now: Unix seconds, the time of the signature.

    Raises:
        InvalidInputError: an id breaks its pattern, or the API does not take this kind of credential.
        CredentialError: a temporary key has ended.
    """
    return Preparer(endpoint).prepare(operation, ids, credential=credential, now=now)


class Preparer:
    """Prepares the requests to one endpoint; what those of one second have in common is made once for it.

    May be used by several threads at once.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._common: dict[str, _Common] = {}

    def prepare(
        self,
        operation: Operation | StatusCall,
        ids: Mapping[str, str],
        *,
        credential: SigningCredential,
        now: float,
    ) -> PreparedRequest:
        """Prepare a request; see the function ``prepare``."""
        path, endpoint = operation.path, self._endpoint
        for name, pattern in operation.patterns.items():
            path = path.replace(f"{{{name}}}", checked(name, ids[name], pattern))
        target = (
            f"{endpoint.prefix}{path}?{operation.query}" if operation.query else f"{endpoint.prefix}{path}"
        )
        if isinstance(credential, TemporaryKey):
            credential.check_time(now)
        second, project = math.floor(now), ids.get("project_id", "")
        common = self._common.get(operation.key)
        if (
            common is None
            or common.second != second
            or common.credential is not credential
            or common.project != project
        ):
            common = self._common[operation.key] = _common(endpoint, operation, project, credential, second)
        headers, secrets = common.headers, common.secrets
        if common.signer is not None:
            authorization = common.signer.sign(target)
            headers = (*headers, ("Authorization", authorization))
            secrets = (*secrets, authorization, authorization.rpartition("=")[2])
        return PreparedRequest(
            operation.key,
            operation.method,
            endpoint.scheme,
            endpoint.host,
            endpoint.port,
            target,
            headers,
            secrets=secrets,
        )


_Headers = tuple[tuple[str, str], ...]
# No encoding is asked for, so an answer is as large as it arrives.
_COMMON: _Headers = (("User-Agent", "calloff"), ("Accept-Encoding", "identity"))
# Mandatory at Huawei Cloud even without a body (HW-21, Content-Type), at OTC only with one.
_HUAWEI: _Headers = (("Content-Type", "application/json"),)
_FIXED: Mapping[tuple[str, str], _Headers] = {
    ("tencent-ci", "PUT"): (("Content-Length", "0"),),
    ("tencent-ci", "GET"): (),
    ("otc-dli", "DELETE"): (),
    ("otc-dli", "GET"): (),
    ("huaweicloud-dli", "DELETE"): _HUAWEI,
    ("huaweicloud-dli", "GET"): _HUAWEI,
}
_SECURITY_TOKEN = {
    "tencent-ci": "x-ci-security-token",
    "otc-dli": "X-Security-Token",
    "huaweicloud-dli": "X-Security-Token",
}
# All that the vendor advises to sign, and every header that accompanies the signature.
_SIGNED = frozenset(
    {"host", "content-type", "x-project-id", "x-sdk-date", "x-security-token", "x-ci-security-token"}
)


def _signed_headers(request: SignableRequest) -> list[str]:
    return [lower for name, _ in request.headers if (lower := name.lower()) in _SIGNED]


@dataclass(frozen=True, slots=True)
class _Common:
    """What the requests of one second have in common: all but their targets, and what signs these."""

    second: int
    project: str
    credential: SigningCredential
    headers: _Headers = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    signer: qsign.Signer | sdk_hmac.Signer | None


def _common(
    endpoint: Endpoint,
    operation: Operation | StatusCall,
    project: str,
    credential: SigningCredential,
    second: int,
) -> _Common:
    ci = operation.api == "tencent-ci"
    headers: _Headers = (("Host", endpoint.host_header), *_COMMON, *_FIXED[operation.api, operation.method])
    if isinstance(credential, Token):
        if ci:
            raise InvalidInputError("tencent-ci takes an AccessKey or a TemporaryKey, not a Token")
        headers += (("X-Auth-Token", credential.value),)
        return _Common(second, project, credential, headers, (credential.value,), None)
    if project:
        # Optional; the official Python client always sends and signs it.
        headers += (("X-Project-Id", project), ("X-Sdk-Date", sdk_hmac.format_date(second)))
    secrets: tuple[str, ...] = (credential.secret,)
    if isinstance(credential, TemporaryKey):
        headers += ((_SECURITY_TOKEN[operation.api], credential.token),)
        secrets += (credential.token,)
    request = SignableRequest(operation.method, "/", headers)
    signer = (
        _ci_signer(request, credential, second, operation.query) if ci else _dli_signer(request, credential)
    )
    return _Common(second, project, credential, headers, secrets, signer)


def _ci_signer(request: SignableRequest, key: ReadyKey, now: int, parameter: str) -> qsign.Signer:
    start = now - CLOCK_TOLERANCE
    return qsign.Signer(
        request,
        secret_id=key.id,
        secret_key=key.secret,
        start=start,
        end=start + CLOCK_TOLERANCE + SIGNATURE_LIFETIME,
        signed_headers=_signed_headers(request),
        signed_parameters=(parameter,) if parameter else (),
    )


def _dli_signer(request: SignableRequest, key: ReadyKey) -> sdk_hmac.Signer:
    return sdk_hmac.Signer(
        request, access_key=key.id, secret_key=key.secret, signed_headers=_signed_headers(request)
    )


def check_credential(api: ApiName, credential: object, kinds: tuple[type, ...]) -> None:
    """Raise InvalidInputError unless ``credential`` is of one of ``kinds``."""
    if not isinstance(credential, kinds):
        names = " or ".join(kind.__name__ for kind in kinds)
        raise InvalidInputError(f"{api} takes {names} as credentials, not {type(credential).__name__}")


def _authority(text: str) -> tuple[str, int] | None:
    found = _AUTHORITY.fullmatch(text)
    if found is None or len(found["host"]) > 253:
        return None
    name, port = found["host"], int(found["port"] or 0)
    if port > 65535 or (found["port"] and not port):
        return None
    if name.startswith("["):
        try:
            ip_address(name[1:-1])
        except ValueError:
            return None
        name = name[1:-1]
    return name, port


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine; a name counts where no resolver may give it to another."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _shown(value: object) -> str:
    """Quote a refused value: ASCII, on one line, at most 60 characters."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}... ({len(text)} characters)"
