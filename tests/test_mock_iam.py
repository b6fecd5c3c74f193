"""The mock's IAM: tokens by password, scoped, ending on the clock; errors as Keystone writes them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from mock_support import NOW, Bench
from vectors import load_vectors

from calloff.mock.iam import Iam
from calloff.mock.keys import Key


def call(
    bench: Bench,
    method: str,
    path: str,
    content: Any = None,
    *,
    query: str = "",
    token: str | None = None,
    raw: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, dict[str, str], Any]:
    body = raw if raw is not None else b"" if content is None else json.dumps(content).encode()
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    given = {**({} if token is None else {"X-Auth-Token": token}), **(headers or {})}
    arriving = [(name.lower().encode(), value.encode("latin-1")) for name, value in given.items()]
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": arriving,
    }
    iam: Iam = vars(bench).setdefault("iam", Iam(bench.state))
    asyncio.run(iam(scope, receive, send))
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert found["x-iam-trace-id"]
    if not sent[1]["body"]:
        return sent[0]["status"], found, None
    assert found["content-type"] == "application/json"
    return sent[0]["status"], found, json.loads(sent[1]["body"])


def wanted(bench: Bench, scope: Any = None, **changes: Any) -> dict[str, Any]:
    account = bench.state.account
    user = {"name": account.user, "password": account.password, "domain": {"name": account.domain}}
    identity = {"methods": ["password"], "password": {"user": {**user, **changes}}}
    scope = {"project": {"name": account.project}} if scope is None else scope
    return {"auth": {"identity": identity, "scope": scope}}


def test_a_token_of_the_project_is_given_out() -> None:
    bench = Bench()
    status, headers, content = call(bench, "POST", "/v3/auth/tokens", wanted(bench))
    assert status == 201
    token = content["token"]
    assert token["issued_at"] == "2026-01-15T09:30:00.000000Z"
    assert token["expires_at"] == "2026-01-16T09:30:00.000000Z"
    assert token["methods"] == ["password"]
    assert token["project"]["id"] == bench.state.account.project_id
    assert token["project"]["name"] == "eu-de"
    assert token["user"]["name"] == "mock-user"
    assert {"roles", "catalog"} <= set(token)
    job = bench.job("otc-dli/cancelSqlJob", "RUNNING")
    given = {"X-Auth-Token": headers["x-subject-token"]}
    assert bench.send("otc-dli", "DELETE", bench.target(job), given).status == 200


@pytest.mark.parametrize("query", ["nocatalog", "nocatalog=true", "a=1&nocatalog"])
def test_the_catalogue_can_be_left_out(query: str) -> None:
    bench = Bench()
    content = call(bench, "POST", "/v3/auth/tokens", wanted(bench), query=query)[2]
    assert "catalog" not in content["token"]


def test_a_token_ends_after_24_hours() -> None:
    bench = Bench()
    token = call(bench, "POST", "/v3/auth/tokens", wanted(bench))[1]["x-subject-token"]
    job = bench.job("otc-dli/cancelSqlJob", "RUNNING")
    bench.now = NOW + 24 * 3600
    reply = bench.send("otc-dli", "DELETE", bench.target(job), {"X-Auth-Token": token})
    assert (reply.status, reply.code) == (401, "APIGW.0307")
    assert call(bench, "GET", "/v3/projects", token=token)[0] == 401


def scope_of(bench: Bench, *names: str) -> dict[str, Any]:
    account = bench.state.account
    scopes = {
        "id": {"project": {"id": account.project_id}},
        "name": {"project": {"name": account.project}},
        "domain": {"domain": {"name": account.domain}},
    }
    return {key: value for name in names for key, value in scopes[name].items()}


@pytest.mark.parametrize(
    ("scopes", "good_for_the_project"),
    [(["id"], True), (["name"], True), (["domain"], False), (["domain", "id"], True)],
)
def test_the_scope_decides_what_a_token_is_good_for(scopes: list[str], good_for_the_project: bool) -> None:
    bench = Bench()
    status, headers, content = call(bench, "POST", "/v3/auth/tokens", wanted(bench, scope_of(bench, *scopes)))
    assert status == 201
    assert ("project" in content["token"]) is good_for_the_project
    job = bench.job("otc-dli/cancelSqlJob", "RUNNING")
    given = {"X-Auth-Token": headers["x-subject-token"]}
    reply = bench.send("otc-dli", "DELETE", bench.target(job), given)
    assert reply.status == (200 if good_for_the_project else 403)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("name", "nobody"),
        ("password", "wrong"),
        ("password", "\ud800"),
        ("password", ""),
        ("domain", {"name": "nowhere"}),
    ],
)
def test_wrong_credentials_are_refused(member: str, value: Any) -> None:
    bench = Bench()
    status, headers, content = call(bench, "POST", "/v3/auth/tokens", wanted(bench, **{member: value}))
    assert status == 401
    assert content == {
        "error": {"code": 401, "message": "The username or password is wrong.", "title": "Unauthorized"}
    }
    assert "x-subject-token" not in headers


@pytest.mark.parametrize(
    "scope",
    [
        {"project": {"name": "another"}},
        {"project": {"id": "another"}},
        {"project": {"id": "another", "name": "eu-de"}},
        {"domain": {"name": "another"}},
    ],
)
def test_a_scope_of_somebody_else_is_refused(scope: dict[str, Any]) -> None:
    bench = Bench()
    status, _, content = call(bench, "POST", "/v3/auth/tokens", wanted(bench, scope))
    assert (status, content["error"]["title"]) == (401, "Unauthorized")


@pytest.mark.parametrize(
    "scope",
    [
        {"project": {}},
        {"project": "eu-de"},
        {"project": {"name": 1}},
        {"project": {"name": "eu-de", "domain": {}}},
        {"domain": {}},
        {"system": {"all": True}},
        "unscoped",
        [],
    ],
)
def test_a_scope_that_is_none_is_refused(scope: Any) -> None:
    bench = Bench()
    status, _, content = call(bench, "POST", "/v3/auth/tokens", wanted(bench, scope))
    assert status == 400
    assert content["error"] == {"code": 400, "message": "The request body is invalid", "title": "Bad Request"}


@pytest.mark.parametrize(
    "raw", [b"", b"null", b"[]", b"{}", b'{"auth": 1}', b"[" * 60_000, b'{"a":' * 10_000, b"\xff\xfe"]
)
def test_a_body_that_makes_no_sense_is_refused(raw: bytes) -> None:
    status, _, content = call(Bench(), "POST", "/v3/auth/tokens", raw=raw)
    assert (status, content["error"]["code"]) == (400, 400)


def test_another_method_of_proof_is_refused() -> None:
    bench = Bench()
    body = wanted(bench)
    body["auth"]["identity"]["methods"] = ["token"]
    assert call(bench, "POST", "/v3/auth/tokens", body)[0] == 400


def test_a_body_too_large_is_refused() -> None:
    status, _, content = call(Bench(), "POST", "/v3/auth/tokens", raw=b" " * 70_000)
    assert (status, content["error"]["code"]) == (413, 413)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("name=eu-de", 1),
        ("name=cn-north-4", 1),
        ("", 2),
        ("enabled=true", 2),
        ("is_domain=true", 0),
        ("domain_id=another", 0),
        ("name=another", 0),
        ("name=eu-de&name=cn-north-4", 0),
        ("&" * 5_000 + "a=b&" * 50, 2),
    ],
)
def test_projects_are_found_by_name(query: str, count: int) -> None:
    bench = Bench()
    token = call(bench, "POST", "/v3/auth/tokens", wanted(bench))[1]["x-subject-token"]
    status, _, content = call(bench, "GET", "/v3/projects", query=query, token=token)
    assert status == 200
    assert [project["id"] for project in content["projects"]] == [bench.state.account.project_id] * count
    assert content["links"]["next"] is None
    if count:
        documented = {"is_domain", "description", "links", "enabled", "id", "parent_id", "domain_id", "name"}
        assert set(content["projects"][0]) == documented


@pytest.mark.parametrize("token", [None, "garbage"])
def test_projects_are_told_to_nobody_unknown(token: str | None) -> None:
    assert call(Bench(), "GET", "/v3/projects", token=token)[0] == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/v3/auth/tokens"), ("POST", "/v3"), ("GET", "/v2.0"), ("GET", "/v3/users")],
)
def test_another_path_is_refused(method: str, path: str) -> None:
    status, _, content = call(Bench(), method, path)
    assert (status, content["error"]["title"]) == (404, "Not Found")


# --- scopes ---


@pytest.mark.parametrize("scope", [{}, None])
def test_without_a_scope_a_token_is_good_for_no_project(scope: dict[str, Any] | None) -> None:
    bench = Bench()
    body = wanted(bench, scope)
    if scope is None:
        del body["auth"]["scope"]
    status, headers, content = call(bench, "POST", "/v3/auth/tokens", body)
    assert status == 201
    assert not {"project", "domain"} & set(content["token"])
    job = bench.job("huaweicloud-dli/cancelSqlJob", "RUNNING")
    given = {"X-Auth-Token": headers["x-subject-token"]}
    assert bench.send("huaweicloud-dli", "DELETE", bench.target(job), given).status == 403


@pytest.mark.parametrize("by", ["id", "name"])
def test_a_token_of_the_domain_names_the_domain(by: str) -> None:
    bench = Bench()
    domain = {"id": bench.state.account.domain_id, "name": bench.state.account.domain}
    body = wanted(bench, {"domain": {by: domain[by]}})
    token = call(bench, "POST", "/v3/auth/tokens", body)[2]["token"]
    assert token["domain"] == domain
    assert [service["type"] for service in token["catalog"]] == ["identity"]


@pytest.mark.parametrize("name", ["eu-de", "cn-north-4"])
def test_the_project_is_known_by_the_region_of_either_cloud(name: str) -> None:
    bench = Bench()
    scope = {"project": {"name": name, "domain": {"name": bench.state.account.domain}}}
    token = call(bench, "POST", "/v3/auth/tokens", wanted(bench, scope))[2]["token"]
    assert (token["project"]["id"], token["project"]["name"]) == (bench.state.account.project_id, name)


def test_a_project_of_another_domain_is_refused() -> None:
    bench = Bench()
    scope = {"project": {"name": "eu-de", "domain": {"name": "another"}}}
    assert call(bench, "POST", "/v3/auth/tokens", wanted(bench, scope))[0] == 401


def test_an_unscoped_token_is_exchanged_for_one_of_the_project() -> None:
    bench = Bench()
    first = call(bench, "POST", "/v3/auth/tokens", wanted(bench, {}))[1]["x-subject-token"]
    bench.now += 3600
    identity = {"methods": ["token"], "token": {"id": first}}
    body = {"auth": {"identity": identity, "scope": {"project": {"name": "eu-de"}}}}
    status, headers, content = call(bench, "POST", "/v3/auth/tokens", body)
    assert (status, content["token"]["methods"]) == (201, ["token"])
    assert content["token"]["expires_at"] == "2026-01-16T09:30:00.000000Z"
    job = bench.job("otc-dli/cancelSqlJob", "RUNNING")
    given = {"X-Auth-Token": headers["x-subject-token"]}
    assert bench.send("otc-dli", "DELETE", bench.target(job), given).status == 200
    body["auth"]["identity"] = {"methods": ["token"], "token": {"id": bench.token(owner=1)["X-Auth-Token"]}}
    assert call(bench, "POST", "/v3/auth/tokens", body)[0] == 401


# --- the catalogue ---


def test_the_catalogue_lists_dli_of_both_clouds() -> None:
    bench = Bench()
    bench.state.endpoints.update({"otc-dli": "http://otc", "huaweicloud-dli": "http://huawei"})
    token = call(bench, "POST", "/v3/auth/tokens", wanted(bench), headers={"Host": "iam:1"})[2]["token"]
    found = {
        (service["type"], endpoint["region"], endpoint["interface"]): endpoint["url"]
        for service in token["catalog"]
        for endpoint in service["endpoints"]
    }
    assert found == {
        ("identity", "*", "public"): "http://iam:1/v3",
        ("dli", "eu-de", "public"): "http://otc",
        ("dli", "cn-north-4", "public"): "http://huawei",
    }
    again = call(bench, "POST", "/v3/auth/tokens", wanted(bench), headers={"Host": "iam:1"})[2]["token"]
    assert again["catalog"] == token["catalog"]


# --- verifying a token ---


def test_a_token_is_verified() -> None:
    bench = Bench()
    _, headers, made = call(bench, "POST", "/v3/auth/tokens", wanted(bench))
    token = headers["x-subject-token"]
    bench.now += 60
    subject = {"X-Subject-Token": token}
    status, headers, content = call(bench, "GET", "/v3/auth/tokens", token=token, headers=subject)
    assert (status, headers["x-subject-token"]) == (200, token)
    assert content == made
    status, headers, content = call(bench, "HEAD", "/v3/auth/tokens", token=token, headers=subject)
    assert (status, content) == (200, None)
    content = call(bench, "GET", "/v3/auth/tokens", token=token, headers=subject, query="nocatalog=1")[2]
    assert "catalog" not in content["token"]


def test_the_announced_token_is_verified_though_it_never_ends() -> None:
    bench = Bench()
    token = bench.state.default_credentials["otc-dli"]["token"]
    content = call(bench, "GET", "/v3/auth/tokens", token=token, headers={"X-Subject-Token": token})[2]
    assert content["token"]["expires_at"] == "2026-01-16T09:30:00.000000Z"
    assert content["token"]["project"]["id"] == bench.state.account.project_id


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_cannot_be_verified_is_refused(method: str) -> None:
    bench = Bench()
    own, other = bench.token()["X-Auth-Token"], bench.token(owner=1)["X-Auth-Token"]
    expired = bench.token(lifetime=-60)["X-Auth-Token"]

    def refused(token: str | None, subject: str | None) -> tuple[int, str]:
        headers = {} if subject is None else {"X-Subject-Token": subject}
        status, _, content = call(bench, method, "/v3/auth/tokens", token=token, headers=headers)
        assert content["error"]["code"] == status
        return status, content["error"]["message"]

    assert refused(None, own) == (401, "The request you have made requires authentication.")
    assert refused("garbage", own) == (401, "Invalid token.")
    assert refused(expired, own) == (401, "The token has expired.")
    assert refused(own, None) == (400, "X-Subject-Token is invalid in the request.")
    assert refused(own, "garbage") == (404, "X-Subject-Token is invalid in the request")
    assert refused(own, expired) == (404, "X-Subject-Token is invalid in the request")
    assert refused(own, other) == (403, "You are not authorized to perform the requested action.")


@pytest.mark.parametrize("ended", [False, True])
def test_a_deleted_token_is_worthless(ended: bool) -> None:
    bench = Bench()
    token, subject = bench.token()["X-Auth-Token"], bench.token(lifetime=60)["X-Auth-Token"]
    bench.now += 60 if ended else 0
    headers = {"X-Subject-Token": subject}
    assert call(bench, "DELETE", "/v3/auth/tokens", token=token, headers=headers)[::2] == (204, None)
    assert call(bench, "DELETE", "/v3/auth/tokens", token=token, headers=headers)[0] == 404
    job = bench.job("otc-dli/cancelSqlJob", "RUNNING")
    reply = bench.send("otc-dli", "DELETE", bench.target(job), {"X-Auth-Token": subject})
    assert (reply.status, bench.state_of(job)) == (401, "RUNNING")
    other = {"X-Subject-Token": bench.token(owner=1)["X-Auth-Token"]}
    assert call(bench, "DELETE", "/v3/auth/tokens", token=token, headers=other)[0] == 403


# --- versions ---


def test_the_version_is_told_as_documented() -> None:
    described = {
        "status": "stable",
        "updated": "2016-04-04T00:00:00Z",
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
        "id": "v3.6",
        "links": [{"rel": "self", "href": "http://sample.domain.com/v3/"}],
    }
    host = {"Host": "sample.domain.com"}
    for path in ("/v3", "/v3/"):
        status, _, content = call(Bench(), "GET", path, headers=host)
        assert (status, content) == (200, {"version": described})
    status, _, content = call(Bench(), "GET", "/", headers=host)
    assert (status, content) == (300, {"versions": {"values": [described]}})


# --- lock-out of a user ---


def failing(bench: Bench, times: int) -> None:
    for _ in range(times):
        content = call(bench, "POST", "/v3/auth/tokens", wanted(bench, password="wrong"))[2]
        assert content["error"]["message"] == "The username or password is wrong."


def test_more_than_five_wrong_passwords_lock_the_user_for_fifteen_minutes() -> None:
    bench = Bench()
    failing(bench, 6)
    status, _, content = call(bench, "POST", "/v3/auth/tokens", wanted(bench))
    assert status == 401
    assert content == {"error": {"code": 401, "message": "The account is locked.", "title": "Unauthorized"}}
    bench.now += 899
    assert call(bench, "POST", "/v3/auth/tokens", wanted(bench))[0] == 401
    bench.now += 1
    assert call(bench, "POST", "/v3/auth/tokens", wanted(bench))[0] == 201


def test_five_wrong_passwords_are_forgiven() -> None:
    bench = Bench()
    for _ in range(2):
        failing(bench, 5)
        assert call(bench, "POST", "/v3/auth/tokens", wanted(bench))[0] == 201


def test_wrong_passwords_are_counted_for_fifteen_minutes() -> None:
    bench = Bench()
    failing(bench, 5)
    bench.now += 900
    failing(bench, 5)
    assert call(bench, "POST", "/v3/auth/tokens", wanted(bench))[0] == 201


def test_nobody_is_locked_by_attempts_under_another_name() -> None:
    bench = Bench()
    for _ in range(10):
        assert call(bench, "POST", "/v3/auth/tokens", wanted(bench, name="nobody"))[0] == 401
    assert call(bench, "POST", "/v3/auth/tokens", wanted(bench))[0] == 201


def test_forgetting_everything_unlocks_the_user() -> None:
    bench = Bench()
    failing(bench, 6)
    bench.state.forget()
    assert call(bench, "POST", "/v3/auth/tokens", wanted(bench))[0] == 201


# --- temporary keys ---

TEMPORARY = "/v3.0/OS-CREDENTIAL/securitytokens"


def temporary(
    bench: Bench, token: str | None, identity: Any = None, **changes: Any
) -> tuple[int, dict[str, Any]]:
    identity = {"methods": ["token"]} if identity is None else identity
    status, _, content = call(
        bench, "POST", TEMPORARY, {"auth": {"identity": identity}}, token=token, **changes
    )
    return status, content


@pytest.mark.parametrize("api", ["otc-dli", "huaweicloud-dli"])
@pytest.mark.parametrize(
    ("duration", "lifetime", "ends"),
    [(None, 900, "09:45:00"), (900, 900, "09:45:00"), (3600, 3600, "10:30:00")],
)
def test_a_temporary_key_cancels_until_it_ends(
    api: Any, duration: int | None, lifetime: int, ends: str
) -> None:
    bench = Bench()
    token = bench.token()["X-Auth-Token"]
    identity: dict[str, Any] = {"methods": ["token"]}
    if duration is not None:
        identity["token"] = {"duration_seconds": duration}
    status, content = temporary(bench, token, identity)
    assert status == 201
    credential = content["credential"]
    assert set(credential) == {"access", "secret", "expires_at", "securitytoken"}
    assert credential["expires_at"] == f"2026-01-15T{ends}.000000Z"

    def cancel(**headers: str) -> Any:
        job = bench.job(f"{api}/cancelSqlJob", "RUNNING")
        key = Key(credential["access"], credential["secret"].encode(), "")
        return bench.cancel(job, key=key, headers=tuple(headers.items()))

    right = {"X-Security-Token": credential["securitytoken"]}
    assert cancel(**right).status == 200
    assert cancel().code == "APIGW.0301"
    bench.now += lifetime
    assert cancel(**right).status == 200
    bench.now += 1
    assert cancel(**right).code == "APIGW.0301"


def test_the_token_in_the_header_wins_over_the_one_in_the_body() -> None:
    bench = Bench()
    own = bench.token()["X-Auth-Token"]
    in_body = {"methods": ["token"], "token": {"id": own}}
    assert temporary(bench, None, in_body)[0] == 201
    assert temporary(bench, "garbage", in_body)[0] == 401
    assert temporary(bench, own, {"methods": ["token"], "token": {"id": "garbage"}})[0] == 201


def test_a_key_of_somebody_else_is_good_for_their_project() -> None:
    bench = Bench()
    content = temporary(bench, bench.token(owner=1)["X-Auth-Token"])[1]["credential"]
    key = Key(content["access"], content["secret"].encode(), "")
    headers = (("X-Security-Token", content["securitytoken"]),)
    for owner, status in ((0, 403), (1, 200)):
        job = bench.job("otc-dli/cancelSqlJob", "RUNNING", owner=owner)
        assert bench.cancel(job, key=key, headers=headers).status == status


def test_a_key_under_a_policy_is_good_for_the_object_storage_only() -> None:
    bench = Bench()
    identity = {"methods": ["token"], "policy": {"Version": "1.1", "Statement": []}}
    content = temporary(bench, bench.token()["X-Auth-Token"], identity)[1]["credential"]
    key = Key(content["access"], content["secret"].encode(), "")
    job = bench.job("otc-dli/cancelSqlJob", "RUNNING")
    reply = bench.cancel(job, key=key, headers=(("X-Security-Token", content["securitytoken"]),))
    assert (reply.status, reply.code) == (403, "APIGW.0302")


@pytest.mark.parametrize(
    ("token", "lifetime", "identity", "status", "code", "message"),
    [
        (
            False,
            None,
            {"methods": ["token"]},
            401,
            "IAM.0001",
            "The request you have made requires authentication.",
        ),
        (False, None, {"methods": ["token"], "token": {"id": "none"}}, 401, "IAM.0067", "Invalid token."),
        (True, -1, {"methods": ["token"]}, 401, "IAM.0066", "The token has expired."),
        (True, None, {}, 400, "IAM.0072", "'methods' is a required property."),
        (True, None, [], 400, "IAM.0011", "Request body is invalid."),
        (True, None, {"methods": ["password"]}, 400, "IAM.0011", "Request body is invalid."),
        (True, None, {"methods": ["token"], "token": 1}, 400, "IAM.0011", "Request body is invalid."),
        (True, None, {"methods": ["token"], "policy": 1}, 400, "IAM.0011", "Request body is invalid."),
        (
            True,
            None,
            {"methods": ["assume_role"], "assume_role": {"domain_id": "x", "xrole_name": "y"}},
            403,
            "IAM.0002",
            "You are not authorized to perform the requested action.",
        ),
        *(
            (
                True,
                None,
                {"methods": ["token"], "token": {"duration_seconds": seconds}},
                400,
                "IAM.0073",
                f"Invalid input for field 'duration_seconds'. The value is '{shown}'.",
            )
            for seconds, shown in (
                (899, "899"),
                (86401, "86401"),
                (True, "true"),
                ("900", '"900"'),
                (1e3, "1000.0"),
            )
        ),
    ],
)
def test_a_temporary_key_is_refused_with_a_code(
    token: bool, lifetime: float | None, identity: Any, status: int, code: str, message: str
) -> None:
    bench = Bench()
    value = bench.token(lifetime=lifetime)["X-Auth-Token"] if token else None
    assert temporary(bench, value, identity) == (status, {"error_msg": message, "error_code": code})


@pytest.mark.parametrize("raw", [b"", b"null", b"{}", b'{"auth":' * 5_000])
def test_a_body_without_sense_has_a_code_there(raw: bytes) -> None:
    status, _, content = call(Bench(), "POST", TEMPORARY, raw=raw)
    assert (status, set(content)) == (400, {"error_msg", "error_code"})


# --- access keys at the IAM ---


def signed(bench: Bench, key: Key, host: str = "iam.example.com") -> dict[str, str]:
    message = bench.hmac("otc-dli", "GET", "/v3/projects?name=eu-de", key=key, host=host)
    return dict(message.headers)


def test_projects_are_told_to_whoever_signs() -> None:
    bench = Bench()
    key = bench.key("otc-dli", owner=1)
    status, _, content = call(bench, "GET", "/v3/projects", query="name=eu-de", headers=signed(bench, key))
    assert status == 200
    assert [project["id"] for project in content["projects"]] == [bench.state.owners["otc-dli"][1]]


def test_a_wrong_signature_is_refused_by_the_gateway_and_locks_the_key_there_too() -> None:
    bench = Bench()
    key = bench.key("huaweicloud-dli")
    wrong = Key(key.id, b"another", "")
    texts = []
    for tried in (*[wrong] * 6, key):
        status, _, content = call(
            bench, "GET", "/v3/projects", query="name=eu-de", headers=signed(bench, tried)
        )
        assert (status, content["error_code"]) == (401, "APIGW.0301")
        assert len(content["request_id"]) == 32
        texts.append(content["error_msg"].rpartition(": ")[2])
    assert texts == ["verify aksk signature fail"] * 6 + ["AK access failed to reach the limit,forbidden."]
    unknown = Key("nobody", b"another", "")
    content = call(bench, "GET", "/v3/projects", query="name=eu-de", headers=signed(bench, unknown))[2]
    assert content["error_msg"].endswith("ak not exist")
    bench.now += 300
    answer = call(bench, "GET", "/v3/projects", query="name=eu-de", headers=signed(bench, key))
    assert answer[0] == 200


def test_the_vendors_vector_of_the_derived_form_is_accepted_at_the_iam() -> None:
    vector = next(v for v in load_vectors("sdk-hmac-sha256-derived") if v.name.startswith("vendor-"))
    bench = Bench(now=vector.time["now"])
    owner = bench.state.owners["otc-dli"][0]
    secret = vector.credentials["secret_key"].encode()
    bench.state.keys["otc-dli"].add(Key(vector.credentials["access_key"], secret, owner))
    path, _, query = vector.arrives.target.partition("?")
    status, _, content = call(
        bench, vector.arrives.method, path, query=query, headers=dict(vector.arrives.headers)
    )
    assert (status, content["projects"]) == (200, [])


# --- faults ---


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (
            "/v3/auth/tokens",
            {
                "error": {
                    "code": 500,
                    "message": "An unexpected error prevented the server from fulfilling your request.",
                    "title": "Internal Server Error",
                }
            },
        ),
        (
            TEMPORARY,
            {
                "error_msg": "An unexpected error prevented the server from fulfilling your request.",
                "error_code": "IAM.0006",
            },
        ),
    ],
)
def test_a_fault_of_the_mock_is_a_500_in_the_vendors_form(path: str, content: dict[str, Any]) -> None:
    bench = Bench()
    token = bench.token()["X-Auth-Token"]
    body = wanted(bench)
    body["auth"]["identity"]["methods"] = ["token"] if path == TEMPORARY else ["password"]
    bench.state.clock = lambda: float("nan")  # no moment can be written for it
    assert call(bench, "POST", path, body, token=token)[::2] == (500, content)


JUNK: list[Any] = [
    None,
    True,
    0,
    -1,
    2**70,
    1e400,
    "",
    "x" * 5_000,
    "\ud800",
    [],
    [[]],
    {},
    {"id": []},
    {"name": {}},
]


def mangled(content: Any) -> Iterator[Any]:
    """Give a body again and again, each time with junk in another place of it."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield {key: each for key, each in content.items() if key != name}
            for other in (*JUNK, *mangled(value)):
                yield {**content, name: other}


@pytest.mark.parametrize("path", ["/v3/auth/tokens", TEMPORARY])
def test_junk_anywhere_in_a_body_is_no_fault_of_the_server(path: str) -> None:
    bench = Bench()
    token = bench.token()["X-Auth-Token"]
    password = wanted(bench, {"project": {"name": "eu-de", "domain": {"name": "mock-domain"}}})
    identity = {"methods": ["token"], "token": {"id": token, "duration_seconds": 900}, "policy": {}}
    seen = set()
    for body in mangled(password if path != TEMPORARY else {"auth": {"identity": identity}}):
        status = call(bench, "POST", path, body, token=token)[0]
        assert status in {201, 400, 401, 403}, body
        seen.add(status)
        bench.state.login.forget()
    assert {201, 400} <= seen


def test_a_token_that_never_ends_is_exchanged_for_one_that_never_ends() -> None:
    bench = Bench()
    identity = {"methods": ["token"], "token": {"id": bench.token()["X-Auth-Token"]}}
    status, headers, _ = call(bench, "POST", "/v3/auth/tokens", {"auth": {"identity": identity}})
    bench.now += 10**9
    projects = call(bench, "GET", "/v3/projects", token=headers["x-subject-token"])
    assert (status, projects[0]) == (201, 200)
