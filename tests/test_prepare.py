"""The request that leaves: its exact bytes, its signature, and the values that never become one."""

from __future__ import annotations

import re
import string
from typing import Any

import hostile_server as hostile
import pytest
from hostile_server import Listener
from hypothesis import given, settings
from hypothesis import strategies as st
from operations import (
    ACCESS_KEY,
    CASES,
    CI_AI,
    CI_BATCH,
    CI_CASES,
    DLI_CASES,
    HUAWEI_SQL,
    MODES,
    NOW,
    OTC_BATCH,
    OTC_SQL,
    PROJECT,
    READING_CASES,
    SECRETS,
    TEMPORARY_KEY,
    TOKEN,
    TRANSPORTS,
    UUID,
    Case,
    iam_user,
)
from peers import reference

from calloff import AccessKey, CredentialError, InvalidInputError, TemporaryKey, TencentCiClient, Token
from calloff.apis import APIS, OPERATIONS
from calloff.credentials import SigningCredential
from calloff.prepare import Endpoint, PreparedRequest, Preparer, own_endpoint, prepare, public_endpoint

ALL_CASES = [*CASES, *READING_CASES]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
both_ways = pytest.mark.parametrize("mode", MODES)
every_way = pytest.mark.parametrize("mode", TRANSPORTS)
DATE = "20260115T093000Z"
CI_HOST = "bucket-1250000000.ci.ap-beijing.myqcloud.com"
TARGETS = {
    CI_BATCH.key: "PUT /inventorytriggerjob/b3deffea2f84911ec9cb15254008618d9?cancel",
    CI_AI.key: "PUT /ai_jobs/a632d4d3429a811ed8a5fa3d8277c400f?cancel",
    OTC_BATCH.key: f"DELETE /v2.0/{PROJECT}/batches/{UUID}",
    OTC_SQL.key: f"DELETE /v1.0/{PROJECT}/jobs/{UUID}",
    HUAWEI_SQL.key: f"DELETE /v1.0/{PROJECT}/jobs/{UUID}",
}


def _sent(case: Case, mode: str, credentials: Any, **options: Any) -> list[str]:
    """Return the lines of the one request that a call sends."""
    with Listener(hostile.reply(200, case.accepted)) as listener:
        case.cancel(mode, listener.url, credentials, **options)
        assert len(listener.requests) == 1
        head, _, body = listener.requests[0].partition(b"\r\n\r\n")
        assert body == b""
        return head.decode("ascii").replace(f"127.0.0.1:{listener.port}", "SERVER").split("\r\n")


def _verify(case: Case, lines: list[str], host: str, key: AccessKey | TemporaryKey) -> None:
    """Check a request as it arrived by the second implementation of the signature."""
    method, target, _ = lines[0].split(" ")
    headers = tuple((name, host if value == "SERVER" else value) for name, value in map(_split, lines[1:]))
    message = reference.Message(method, target, headers)
    if case.client == "TencentCiClient":
        reference.verify_qsign(message, {"secret_id": key.id, "secret_key": key.secret}, NOW)
    else:
        reference.verify_hmac(message, {"access_key": key.id, "secret_key": key.secret}, NOW)


def _split(line: str) -> tuple[str, str]:
    name, _, value = line.partition(": ")
    return name, value


def _without_signature(lines: list[str]) -> list[str]:
    return [re.sub(r"(q-signature|Signature)=[0-9a-f]+$", r"\1=...", line) for line in lines]


@pytest.mark.requirement("client-ci-sends-cancel")
@pytest.mark.requirement("client-ci-host-names-bucket")
@pytest.mark.requirement("client-no-body")
@every_way
@pytest.mark.parametrize("case", CI_CASES, ids=lambda case: case.key)
def test_a_ci_cancel_is_these_bytes(case: Case, mode: str) -> None:
    times = "1768469340;1768470300"
    assert _without_signature(_sent(case, mode, ACCESS_KEY)) == [
        f"{TARGETS[case.key]} HTTP/1.1",
        f"Host: {CI_HOST}",
        "User-Agent: calloff",
        "Accept-Encoding: identity",
        "Content-Length: 0",
        "Authorization: q-sign-algorithm=sha1&q-ak=AKIDEXAMPLEEXAMPLEEXAMPLE"
        f"&q-sign-time={times}&q-key-time={times}&q-header-list=host&q-url-param-list=cancel&q-signature=...",
    ]


@pytest.mark.requirement("client-temporary-key-sends-token")
@every_way
@pytest.mark.parametrize("case", CI_CASES, ids=lambda case: case.key)
def test_a_ci_cancel_with_a_temporary_key_carries_and_signs_its_token(case: Case, mode: str) -> None:
    lines = _sent(case, mode, TEMPORARY_KEY)

    assert "x-ci-security-token: planted/security+token==" in lines
    assert "&q-header-list=host;x-ci-security-token&" in lines[-1]


DLI_HEADERS = {
    OTC_BATCH.key: (["Host: SERVER", "User-Agent: calloff", "Accept-Encoding: identity"], ""),
    OTC_SQL.key: (["Host: SERVER", "User-Agent: calloff", "Accept-Encoding: identity"], ""),
    HUAWEI_SQL.key: (
        [
            "Host: SERVER",
            "User-Agent: calloff",
            "Accept-Encoding: identity",
            "Content-Type: application/json",
        ],
        "content-type;",
    ),
}


@pytest.mark.requirement("client-no-body")
@pytest.mark.requirement("client-huawei-content-type")
@every_way
@pytest.mark.parametrize("case", DLI_CASES, ids=lambda case: case.key)
def test_a_dli_cancel_with_a_key_is_these_bytes(case: Case, mode: str) -> None:
    headers, content_type = DLI_HEADERS[case.key]
    assert _without_signature(_sent(case, mode, ACCESS_KEY)) == [
        f"{TARGETS[case.key]} HTTP/1.1",
        *headers,
        f"X-Project-Id: {PROJECT}",
        f"X-Sdk-Date: {DATE}",
        "Authorization: SDK-HMAC-SHA256 Access=AKIDEXAMPLEEXAMPLEEXAMPLE, "
        f"SignedHeaders={content_type}host;x-project-id;x-sdk-date, Signature=...",
    ]


@pytest.mark.requirement("client-temporary-key-sends-token")
@every_way
@pytest.mark.parametrize("case", DLI_CASES, ids=lambda case: case.key)
def test_a_dli_cancel_with_a_temporary_key_carries_and_signs_its_token(case: Case, mode: str) -> None:
    lines = _sent(case, mode, TEMPORARY_KEY)

    assert "X-Security-Token: planted/security+token==" in lines
    assert ";x-sdk-date;x-security-token, Signature=" in lines[-1]


@pytest.mark.requirement("client-signs")
@every_way
@pytest.mark.parametrize("case", DLI_CASES, ids=lambda case: case.key)
def test_a_dli_cancel_with_a_token_is_these_bytes(case: Case, mode: str) -> None:
    headers, _ = DLI_HEADERS[case.key]
    assert _sent(case, mode, TOKEN) == [
        f"{TARGETS[case.key]} HTTP/1.1",
        *headers,
        "X-Auth-Token: planted-iam-token",
    ]


@pytest.mark.requirement("client-signs")
@every_way
@pytest.mark.parametrize("key", [ACCESS_KEY, TEMPORARY_KEY], ids=["access key", "temporary key"])
@pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: case.key)
def test_a_second_implementation_accepts_the_signature_of_what_arrived(
    case: Case, key: AccessKey | TemporaryKey, mode: str
) -> None:
    _verify(case, _sent(case, mode, key, host="gateway.example.com:8443"), "gateway.example.com:8443", key)


@every_case
def test_a_second_implementation_notices_another_target(case: Case) -> None:
    lines = _sent(case, "sync", ACCESS_KEY, host="gateway.example.com")
    other = re.sub(r"[0-9a-f](\?cancel)? HTTP", r"e0\1 HTTP", lines[0])
    with pytest.raises(reference.RefusedError, match="does not match"):
        _verify(case, [other, *lines[1:]], "", ACCESS_KEY)


@pytest.mark.parametrize(
    ("case", "key", "signature"),
    [
        # Made with huaweicloudsdkcore 3.1.219 for this key, date and project.
        (
            HUAWEI_SQL,
            TemporaryKey("AccessKey", "SecretKey", "example-security-token"),
            "427cb662245c6d353733fcb8bef7efb02fe11c18d797d69d80b69bd2e1dfe4b7",  # pragma: allowlist secret
        ),
    ],
    ids=["D3"],
)
def test_the_official_sdk_made_the_same_signature(case: Case, key: TemporaryKey, signature: str) -> None:
    operation = OPERATIONS[case.key]
    endpoint = public_endpoint(APIS[operation.api], {"region": "cn-north-4"})
    ids = {"project_id": PROJECT, "job_id": UUID}

    prepared = prepare(operation, ids, endpoint=endpoint, credential=key, now=NOW)

    assert prepared.headers[-1][1].endswith(f"Signature={signature}")


def test_a_path_prefix_goes_before_the_path_and_under_the_signature() -> None:
    with Listener(hostile.reply(200, OTC_SQL.accepted)) as listener:
        OTC_SQL.cancel("sync", f"{listener.url}/gateway/dli/", ACCESS_KEY)
        lines = listener.requests[0].partition(b"\r\n\r\n")[0].decode().split("\r\n")

    assert lines[0] == f"DELETE /gateway/dli/v1.0/{PROJECT}/jobs/{UUID} HTTP/1.1"
    _verify(OTC_SQL, lines, f"127.0.0.1:{listener.port}", ACCESS_KEY)


@pytest.mark.requirement("client-ci-host-names-bucket")
@pytest.mark.parametrize(
    ("api", "parts", "host"),
    [
        ("tencent-ci", {"bucket": "bucket-1250000000", "region": "ap-beijing"}, CI_HOST),
        ("otc-dli", {"region": "eu-de"}, "dli.eu-de.otc.t-systems.com"),
        ("huaweicloud-dli", {"region": "cn-north-4"}, "dli.cn-north-4.myhuaweicloud.com"),
        ("huaweicloud-dli", {"region": "eu-west-101"}, "dli.eu-west-101.myhuaweicloud.eu"),
    ],
)
def test_the_public_host_is_built_from_its_parts(api: Any, parts: dict[str, str], host: str) -> None:
    assert public_endpoint(APIS[api], parts) == Endpoint("https", host, 443, "", host)


HOSTILE: list[Any] = [
    "",
    ".",
    "..",
    "a/b",
    "../..",
    "a\n",
    "a\r\nX: y",
    "a ",
    " a",
    "evil.com#",
    "evil.com/",
    "a@evil.com",
    "a?b",
    "a%",
    "%2e%2e",
    "%00",
    "a\x00",
    "a\\b",
    "a;b",
    "a{0}",
    "x" * 10_000,
    "\ud800",
    "é",
    "a\u0661",
    "\u0660" * 32,
    "\uff41",
    "a\u200b",
    None,
    b"a",
    1,
    True,
    ["a"],
]
ARGUMENTS = [(case, name) for case in ALL_CASES for name in [*case.arguments, "job id"]]


@both_ways
@pytest.mark.parametrize(("case", "name"), ARGUMENTS, ids=lambda value: getattr(value, "key", value))
def test_a_value_that_is_none_is_refused_and_nothing_is_sent(case: Case, name: str, mode: str) -> None:
    """Every hostile value through every argument of every client function, against a listening socket."""
    with Listener(hostile.reply(200, case.accepted)) as listener:
        for value in HOSTILE:
            if name == "job id" and value is None:
                continue  # stands for a good id in this helper; see the test below
            arguments = {"job_id" if name == "job id" else name: value}
            with pytest.raises(InvalidInputError) as caught:
                case.cancel(mode, listener.url, **arguments)
            text = str(caught.value)
            assert text.isascii()
            assert text.isprintable()
            assert len(text) < 400
            assert "must" in text

        assert listener.connections == 0


@pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: case.key)
def test_no_job_id_is_none_either(case: Case) -> None:
    with (
        Listener() as listener,
        case.make("sync", listener.url) as client,
        pytest.raises(InvalidInputError, match="got NoneType"),
    ):
        getattr(client, case.method)(None)
    assert listener.connections == 0


@pytest.mark.parametrize("case", DLI_CASES, ids=lambda case: case.key)
def test_a_bad_id_is_refused_before_a_token_is_fetched(case: Case) -> None:
    with Listener() as listener, pytest.raises(InvalidInputError):
        case.cancel("sync", listener.url, iam_user(listener.url), job_id="..")
    assert listener.connections == 0


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "example.com",
        "ftp://example.com",
        "https://",
        "https:///path",
        "https://user:planted-password@example.com",  # pragma: allowlist secret
        "https://user@example.com",
        "https://example.com?x=1",
        "https://example.com#x",
        "https://example.com\n",
        "https://exa mple.com",
        "https://example.com:0",
        "https://example.com:65536",
        "https://example.com:",
        "https://example.com:8o",
        "https://example.com/a/../b",
        "https://example.com/./b",
        "https://example.com//b",
        "https://example.com/%2e%2e",
        "https://-example.com",
        "https://example..com",
        "https://[::1",
        "https://[1:2:3]",
        "https://exämple.com",
        "HTTPS://example.com",
        f"https://{'a' * 64}.com",
        f"https://{'a.' * 127}com",
        None,
        b"https://example.com",
    ],
)
def test_a_base_url_with_more_or_less_is_refused_and_not_quoted(base_url: Any) -> None:
    with pytest.raises(InvalidInputError, match="base URL must be") as caught:
        own_endpoint(base_url)
    assert not any(secret in str(caught.value) for secret in SECRETS)


@pytest.mark.parametrize(
    ("base_url", "endpoint"),
    [
        ("https://example.com", Endpoint("https", "example.com", 443, "", "example.com")),
        ("https://example.com/", Endpoint("https", "example.com", 443, "", "example.com")),
        (
            "https://example.com:8443/a/b_c",
            Endpoint("https", "example.com", 8443, "/a/b_c", "example.com:8443"),
        ),
        ("http://127.0.0.1:80", Endpoint("http", "127.0.0.1", 80, "", "127.0.0.1:80")),
        ("http://127.8.8.8", Endpoint("http", "127.8.8.8", 80, "", "127.8.8.8")),
        ("http://localhost:8601", Endpoint("http", "localhost", 8601, "", "localhost:8601")),
        ("http://dli.localhost", Endpoint("http", "dli.localhost", 80, "", "dli.localhost")),
        ("http://[::1]:8601", Endpoint("http", "::1", 8601, "", "[::1]:8601")),
    ],
)
def test_a_base_url_is_read(base_url: str, endpoint: Endpoint) -> None:
    assert own_endpoint(base_url) == endpoint


@pytest.mark.parametrize(
    "host", ["example.com", "10.0.0.1", "127.0.0.1.example.com", "[2001:db8::1]", "8.8.8.8"]
)
def test_clear_text_is_refused_but_for_this_machine_or_on_demand(host: str) -> None:
    with pytest.raises(InvalidInputError, match="allow_http=True"):
        own_endpoint(f"http://{host}")

    assert own_endpoint(f"http://{host}", allow_http=True).host_header == host


@pytest.mark.parametrize("host", ["", "a b", "a\r\nX: y", "a/b", "a:b", "a@b", "\ud800", "a" * 254, 1])
def test_a_host_that_is_none_is_refused(host: Any) -> None:
    with pytest.raises(InvalidInputError, match="host must be a host name"):
        own_endpoint("https://example.com", host=host)


@every_case
def test_an_empty_host_is_not_taken_for_none(case: Case) -> None:
    with pytest.raises(InvalidInputError, match="host must be a host name"):
        case.make("sync", "https://example.com", host="")


def test_a_host_without_a_base_url_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="goes with base_url"):
        OTC_SQL.make("sync", None, host="example.com")


@pytest.mark.parametrize("case", CI_CASES, ids=lambda case: case.key)
@pytest.mark.parametrize(
    "credential", [TOKEN, iam_user("https://iam.example.com"), None, "secret", ("a", "b")]
)
def test_ci_takes_keys_only(case: Case, credential: Any) -> None:
    with pytest.raises(InvalidInputError, match="tencent-ci takes AccessKey or TemporaryKey"):
        TencentCiClient(**case.arguments, credentials=credential)  # type: ignore[arg-type]


def test_a_token_is_refused_for_ci_by_prepare_itself() -> None:
    operation = OPERATIONS[CI_AI.key]
    endpoint = public_endpoint(APIS["tencent-ci"], CI_AI.arguments)
    with pytest.raises(InvalidInputError, match="not a Token"):
        prepare(operation, {"jobId": "a1"}, endpoint=endpoint, credential=Token("t"), now=NOW)


@both_ways
@every_case
def test_an_ended_temporary_key_is_not_sent(case: Case, mode: str) -> None:
    key = TemporaryKey("id", "secret", "token", expires_at=NOW)
    with Listener() as listener, pytest.raises(CredentialError, match="has expired"):
        case.cancel(mode, listener.url, key)
    assert listener.connections == 0

    with Listener(hostile.reply(200, case.accepted)) as listener:
        case.cancel(mode, listener.url, TemporaryKey("id", "secret", "token", expires_at=NOW + 1))
        assert len(listener.requests) == 1


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 1e300, True, "30", None])
def test_a_timeout_must_be_seconds(timeout: Any) -> None:
    with pytest.raises(InvalidInputError, match="timeout must be"):
        OTC_SQL.make("sync", None, timeout=timeout)


@every_case
def test_what_requests_have_in_common_is_kept_no_longer_than_it_holds(case: Case) -> None:
    core = case.make("sync", None).core
    calls = OPERATIONS[case.key], OPERATIONS[case.key].status
    keys: list[SigningCredential] = [
        ACCESS_KEY,
        TEMPORARY_KEY,
        AccessKey(ACCESS_KEY.id, "planted-other-secret"),
        ACCESS_KEY,
    ]
    if core.api.name != "tencent-ci":
        keys.append(TOKEN)
    preparer = Preparer(core.endpoint)
    for now in (NOW, NOW + 0.9, NOW + 1, NOW):
        for key in keys:
            for call in calls:
                for job_id in (case.job_id, case.job_id.replace("a", "b")):
                    ids = {**core.ids, call.job_parameter: job_id}
                    kept = preparer.prepare(call, ids, credential=key, now=now)
                    assert kept == prepare(call, ids, endpoint=core.endpoint, credential=key, now=now)


def test_another_project_is_signed_as_such_in_the_same_second() -> None:
    operation = OPERATIONS[OTC_SQL.key]
    preparer = Preparer(Endpoint("https", "example.com", 443, "", "example.com"))
    for project in (PROJECT, PROJECT[::-1]):
        ids = {"project_id": project, operation.job_parameter: UUID}
        headers = dict(preparer.prepare(operation, ids, credential=ACCESS_KEY, now=NOW).headers)
        assert headers["X-Project-Id"] == project


def test_a_temporary_key_that_ends_within_a_second_is_not_used_for_the_rest_of_it() -> None:
    operation = OPERATIONS[OTC_SQL.key]
    key = TemporaryKey("id", "test-word", "test-token", expires_at=NOW + 0.5)
    preparer = Preparer(Endpoint("https", "example.com", 443, "", "example.com"))
    ids = {"project_id": PROJECT, operation.job_parameter: UUID}
    preparer.prepare(operation, ids, credential=key, now=NOW)

    with pytest.raises(CredentialError, match="expired"):
        preparer.prepare(operation, ids, credential=key, now=NOW + 0.6)


@every_case
def test_a_prepared_request_shows_no_secret_and_cannot_be_changed(case: Case) -> None:
    operation = OPERATIONS[case.key]
    endpoint = own_endpoint("https://example.com")
    ids = {"project_id": PROJECT, operation.job_parameter: case.job_id}
    prepared = prepare(operation, ids, endpoint=endpoint, credential=TEMPORARY_KEY, now=NOW)

    assert isinstance(prepared, PreparedRequest)
    assert not any(secret in repr(prepared) for secret in [*SECRETS, "Authorization", "ignature"])
    with pytest.raises(AttributeError):
        prepared.target = "/"  # type: ignore[misc]


def test_every_character_that_an_id_may_have_reaches_the_wire_unchanged() -> None:
    """What the pattern admits needs no encoding, so path and signature cannot disagree."""
    pattern = OPERATIONS[OTC_SQL.key].patterns["job_id"]
    admitted = "".join(letter for letter in map(chr, range(0x300)) if re.fullmatch(pattern, letter))
    lines = _sent(OTC_SQL, "sync", TOKEN, job_id=admitted)

    assert len(admitted) == 63
    assert lines[0] == f"DELETE /v1.0/{PROJECT}/jobs/{admitted} HTTP/1.1"


@settings(derandomize=True, max_examples=300, deadline=None)
@given(
    st.one_of(st.text(), st.text(string.printable), st.from_regex(r"[0-9A-Za-z.%/-]{0,70}", fullmatch=True))
)
@every_case
def test_any_text_is_refused_or_stands_in_the_target_as_it_is(case: Case, text: str) -> None:
    operation = OPERATIONS[case.key]
    ids = {"project_id": PROJECT, operation.job_parameter: text}
    endpoint = own_endpoint("https://example.com")
    try:
        prepared = prepare(operation, ids, endpoint=endpoint, credential=ACCESS_KEY, now=NOW)
    except InvalidInputError:
        return
    path, _, query = prepared.target.partition("?")
    assert re.fullmatch(r"[0-9A-Za-z-]{1,64}", text, re.ASCII)
    assert path.split("/")[-1] == text
    assert path.count("/") == operation.path.count("/")
    assert query == operation.query
