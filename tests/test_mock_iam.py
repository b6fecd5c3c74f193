"""The mock's IAM: tokens by password, scoped, ending on the clock; errors as Keystone writes them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from mock_support import NOW, Bench

from calloff.mock.iam import Iam


def call(
    bench: Bench,
    method: str,
    path: str,
    content: Any = None,
    *,
    query: str = "",
    token: str | None = None,
    raw: bytes | None = None,
) -> tuple[int, dict[str, str], Any]:
    body = raw if raw is not None else json.dumps(content).encode()
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [] if token is None else [(b"x-auth-token", token.encode())]
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": headers,
    }
    asyncio.run(Iam(bench.state)(scope, receive, send))
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert found["content-type"] == "application/json"
    assert found["x-iam-trace-id"]
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


@pytest.mark.parametrize("scope", [{}, {"project": {}}, {"project": "eu-de"}, {"project": {"name": 1}}, []])
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
    ("query", "count"), [("name=eu-de", 1), ("", 1), ("name=another", 0), ("&" * 5_000 + "a=b&" * 50, 1)]
)
def test_projects_are_found_by_name(query: str, count: int) -> None:
    bench = Bench()
    token = call(bench, "POST", "/v3/auth/tokens", wanted(bench))[1]["x-subject-token"]
    status, _, content = call(bench, "GET", "/v3/projects", query=query, token=token)
    assert status == 200
    assert [project["id"] for project in content["projects"]] == [bench.state.account.project_id] * count


@pytest.mark.parametrize("token", [None, "garbage"])
def test_projects_are_told_to_nobody_unknown(token: str | None) -> None:
    assert call(Bench(), "GET", "/v3/projects", token=token)[0] == 401


@pytest.mark.parametrize(("method", "path"), [("GET", "/v3/auth/tokens"), ("POST", "/v3"), ("GET", "/")])
def test_another_path_is_refused(method: str, path: str) -> None:
    status, _, content = call(Bench(), method, path)
    assert (status, content["error"]["title"]) == (404, "Not Found")
