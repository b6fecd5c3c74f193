"""Tokens of IAM: asked for a project, kept, renewed, and never a reason to show a password."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from typing import Any

import hostile_server as hostile
import pytest
from hostile_server import Behaviour, Listener
from operations import DLI_CASES, MODES, NOW, OTC_SQL, PROJECT, SECRETS, TOKEN, Case, iam_user

from calloff import (
    AuthenticationError,
    CredentialError,
    HuaweiCloudDliClient,
    IamPassword,
    InvalidInputError,
    OtcDliClient,
)

both_ways = pytest.mark.parametrize("mode", MODES)
dli_cases = pytest.mark.parametrize("case", DLI_CASES, ids=lambda case: case.key)
ENDED = b'{"error_code": "APIGW.0307", "error_msg": "The token must be updated."}'


def _token(
    value: str = "planted-fetched-token", expires_at: str = "2026-01-16T09:30:00.000000Z"
) -> Behaviour:
    body = json.dumps({"token": {"expires_at": expires_at, "methods": ["password"]}}).encode()
    return hostile.reply(201, body, {"X-Subject-Token": value})


def _tokens_used(service: Listener) -> list[bytes]:
    return [re.findall(rb"X-Auth-Token: (.*)\r\n", request)[0] for request in service.requests]


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.mark.requirement("client-token-project-scoped")
@both_ways
@dli_cases
def test_the_token_asked_for_is_scoped_to_the_project(case: Case, mode: str) -> None:
    with Listener(_token()) as iam, Listener(hostile.reply(200, case.accepted)) as service:
        case.cancel(mode, service.url, iam_user(f"{iam.url}/prefix"))

        head, _, body = iam.requests[0].partition(b"\r\n\r\n")
        assert head.decode().split("\r\n") == [
            "POST /prefix/v3/auth/tokens?nocatalog HTTP/1.1",
            f"Host: 127.0.0.1:{iam.port}",
            "User-Agent: calloff",
            "Accept-Encoding: identity",
            "Content-Type: application/json;charset=utf8",
            f"Content-Length: {len(body)}",
        ]
        asked = json.loads(body)
        user = {"name": "user", "domain": {"name": "domain"}}
        assert asked["auth"]["identity"]["password"]["user"].pop("password") == "planted-password"
        assert asked == {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"id": PROJECT}},
            }
        }
        assert _tokens_used(service) == [b"planted-fetched-token"]
        assert b"Authorization" not in service.requests[0]


@both_ways
def test_a_project_may_be_named_and_any_text_may_be_a_password(mode: str) -> None:
    with Listener(_token()) as iam, Listener(hostile.reply(200, OTC_SQL.accepted)) as service:
        user = IamPassword("üser", 'pass "word" é', "domain", project_name="eu-de_tests", iam_url=iam.url)
        OTC_SQL.cancel(mode, service.url, user)

        asked = json.loads(iam.requests[0].partition(b"\r\n\r\n")[2])["auth"]
    assert asked["scope"] == {"project": {"name": "eu-de_tests"}}
    assert asked["identity"]["password"]["user"]["name"] == "üser"
    assert asked["identity"]["password"]["user"]["password"] == 'pass "word" é'


@pytest.mark.requirement("client-token-project-scoped")
@both_ways
def test_a_token_is_kept_and_renewed_before_its_end(mode: str) -> None:
    """The lifetime is a day; what is left at each call decides."""
    clock = Clock()
    moments = iter([0.0, 3600.0, 86400.0 - 301, 86400.0 - 299, 86400.0])
    seen: list[int] = []

    def service_behaviour(listener: Listener, connection: Any) -> None:
        seen.append(len(iam.requests))
        clock.now = NOW + next(moments, 0.0)
        connection.sendall(hostile.message(200, OTC_SQL.accepted))

    iam_answers = hostile.script(_token("one"), _token("two", "2026-01-18T09:30:00.000000Z"))
    with Listener(iam_answers) as iam, Listener(service_behaviour) as service:
        OTC_SQL.cancel(mode, service.url, iam_user(iam.url), times=6, clock=clock)

        assert _tokens_used(service) == [b"one"] * 4 + [b"two"] * 2
    assert seen == [1, 1, 1, 1, 2, 2]


@both_ways
def test_a_short_life_is_used_to_nine_tenths(mode: str) -> None:
    clock = Clock()
    moments = iter([53.0, 55.0])

    def service_behaviour(listener: Listener, connection: Any) -> None:
        clock.now = NOW + next(moments, 0.0)
        connection.sendall(hostile.message(200, OTC_SQL.accepted))

    minute = "2026-01-15T09:31:00Z"
    with (
        Listener(hostile.script(_token("one", minute), _token("two"))) as iam,
        Listener(service_behaviour) as service,
    ):
        OTC_SQL.cancel(mode, service.url, iam_user(iam.url), times=3, clock=clock)

        assert _tokens_used(service) == [b"one", b"one", b"two"]


@pytest.mark.parametrize("code", ["APIGW.0307", "APIG.0307"])
@both_ways
def test_a_token_that_the_gateway_calls_ended_is_renewed_once(mode: str, code: str) -> None:
    ended = hostile.reply(401, json.dumps({"error_code": code, "error_msg": "m"}).encode())
    accepted = hostile.reply(200, OTC_SQL.accepted)
    with (
        Listener(hostile.script(_token("one"), _token("two"))) as iam,
        Listener(hostile.script(ended, accepted)) as service,
    ):
        OTC_SQL.cancel(mode, service.url, iam_user(iam.url), times=2)

        assert _tokens_used(service) == [b"one", b"two", b"two"]
        assert len(iam.requests) == 2


@both_ways
def test_a_token_that_stays_refused_is_an_error(mode: str) -> None:
    with Listener(_token()) as iam, Listener(hostile.reply(401, ENDED)) as service:
        with pytest.raises(AuthenticationError, match=r"APIGW\.0307"):
            OTC_SQL.cancel(mode, service.url, iam_user(iam.url))

        assert (len(iam.requests), len(service.requests)) == (2, 2)


@pytest.mark.parametrize(
    ("status", "code"), [(401, "APIGW.0301"), (401, "DLI.0013"), (403, "APIGW.0307"), (400, "APIGW.0307")]
)
@both_ways
def test_nothing_else_makes_a_request_leave_twice(mode: str, status: int, code: str) -> None:
    refused = hostile.reply(status, json.dumps({"error_code": code}).encode())
    with Listener(_token()) as iam, Listener(refused) as service:
        with pytest.raises(Exception, match=code):
            OTC_SQL.cancel(mode, service.url, iam_user(iam.url))

        assert (len(iam.requests), len(service.requests)) == (1, 1)


def test_a_ready_token_is_never_renewed() -> None:
    with Listener(hostile.reply(401, ENDED)) as service:
        with pytest.raises(AuthenticationError):
            OTC_SQL.cancel("sync", service.url, TOKEN)
        assert len(service.requests) == 1


def test_threads_share_one_fetch() -> None:
    slow = hostile.drip(_token_message(), 0.001)
    with Listener(slow) as iam, Listener(hostile.reply(200, OTC_SQL.accepted)) as service:
        with OTC_SQL.make("sync", service.url, iam_user(iam.url)) as client:
            threads = [
                threading.Thread(target=client.cancel_sql_job, args=(OTC_SQL.job_id,)) for _ in range(8)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        assert (len(iam.requests), len(service.requests)) == (1, 8)


def test_tasks_share_one_fetch() -> None:
    async def run(service: Listener, iam: Listener) -> None:
        async with OTC_SQL.make("async", service.url, iam_user(iam.url)) as client:
            await asyncio.gather(*(client.cancel_sql_job(OTC_SQL.job_id) for _ in range(8)))

    slow = hostile.drip(_token_message(), 0.001)
    with Listener(slow) as iam, Listener(hostile.reply(200, OTC_SQL.accepted)) as service:
        asyncio.run(run(service, iam))

        assert (len(iam.requests), len(service.requests)) == (1, 8)


def _token_message() -> bytes:
    body = json.dumps({"token": {"expires_at": "2026-01-16T09:30:00Z"}}).encode()
    return hostile.message(201, body, {"X-Subject-Token": "planted-fetched-token"})


def test_waiting_for_another_thread_ends_at_the_deadline() -> None:
    with Listener(hostile.hang) as iam, Listener() as service:
        with OTC_SQL.make("sync", service.url, iam_user(iam.url)) as client:
            first = threading.Thread(target=_ignore, args=(client, 30))
            first.start()
            while not iam.requests:
                time.sleep(0.01)
            with pytest.raises(CredentialError, match="another call is still fetching"):
                client.cancel_sql_job(OTC_SQL.job_id, timeout=0.2)
            assert first.is_alive()
            iam.closed.set()
            first.join()

        assert (iam.connections, service.connections) == (1, 0)


def _ignore(client: Any, timeout: float) -> None:
    with pytest.raises(CredentialError):
        client.cancel_sql_job(OTC_SQL.job_id, timeout=timeout)


def test_waiting_for_another_task_ends_at_the_deadline() -> None:
    async def run(service: Listener, iam: Listener) -> None:
        async with OTC_SQL.make("async", service.url, iam_user(iam.url)) as client:
            first = asyncio.create_task(client.cancel_sql_job(OTC_SQL.job_id, timeout=0.5))
            await asyncio.sleep(0.05)
            with pytest.raises(CredentialError, match="another call is still fetching"):
                await client.cancel_sql_job(OTC_SQL.job_id, timeout=0.1)
            with pytest.raises(CredentialError, match="in time"):
                await first

    with Listener(hostile.hang) as iam, Listener() as service:
        asyncio.run(run(service, iam))
        assert (iam.connections, service.connections) == (1, 0)


BAD: dict[str, tuple[Behaviour, str]] = {
    "wrong password": (
        hostile.reply(
            401, b'{"error": {"code": 401, "message": "The username or password is wrong.", "title": "x"}}'
        ),
        "The username or password is wrong",
    ),
    "newer form": (hostile.reply(403, b'{"error_msg": "m", "error_code": "IAM.0003"}'), r"IAM\.0003"),
    "echoed password": (
        hostile.reply(400, b'{"error": {"message": "bad value planted-password"}}'),
        r"bad value \*\*\*",
    ),
    "html": (hostile.reply(200, b"<html>"), "answered 200"),
    "redirect": (hostile.reply(302, b"", {"Location": "http://127.0.0.1:1/"}), "answered 302"),
    "no token": (
        hostile.reply(201, b'{"token": {"expires_at": "2026-01-16T09:30:00Z"}}'),
        "without a usable",
    ),
    "no body": (hostile.reply(201, b"", {"X-Subject-Token": "t"}), "without a usable"),
    "no end": (hostile.reply(201, b'{"token": {}}', {"X-Subject-Token": "t"}), "without a usable"),
    "odd end": (
        hostile.reply(201, b'{"token": {"expires_at": 5}}', {"X-Subject-Token": "t"}),
        "without a usable",
    ),
    "list": (hostile.reply(201, b"[]", {"X-Subject-Token": "t"}), "without a usable"),
    "deep": (hostile.reply(201, b"[" * 100_000, {"X-Subject-Token": "t"}), "without a usable"),
    "blank token": (
        hostile.reply(201, b'{"token": {"expires_at": "2026-01-16T09:30:00Z"}}', {"X-Subject-Token": "a b"}),
        "without a usable",
    ),
    "closes": (hostile.close_at_once, "no complete HTTP answer"),
    "hangs": (hostile.hang, "in time"),
}


@both_ways
@pytest.mark.parametrize(("behaviour", "text"), BAD.values(), ids=BAD)
def test_an_iam_that_gives_no_token_is_a_credential_error_and_nothing_is_cancelled(
    mode: str, behaviour: Behaviour, text: str
) -> None:
    with Listener(behaviour) as iam, Listener() as service:
        with pytest.raises(CredentialError, match=text) as caught:
            OTC_SQL.cancel(mode, service.url, iam_user(iam.url), timeout=1.0)

        assert (len(iam.requests), service.connections) == (1, 0)
    assert not any(secret in str(caught.value) for secret in SECRETS)


@both_ways
def test_an_iam_that_cannot_be_reached_is_a_credential_error(mode: str) -> None:
    with Listener() as gone:
        url = gone.url
    with Listener() as service, pytest.raises(CredentialError, match="cannot be reached"):
        OTC_SQL.cancel(mode, service.url, iam_user(url))


def test_fetching_the_token_counts_against_the_one_deadline() -> None:
    def late(listener: Listener, connection: socket.socket) -> None:
        listener.closed.wait(2)
        connection.sendall(_token_message())

    with Listener(late) as iam, Listener(hostile.hang) as service:
        started = time.monotonic()
        with pytest.raises(Exception, match="in time"):
            OTC_SQL.cancel("sync", service.url, iam_user(iam.url), timeout=3)
        # Two deadlines would be 2 + 3 seconds.
        assert time.monotonic() - started < 4.9
        assert len(service.requests) == 1


@pytest.mark.parametrize(
    ("client", "region", "host"),
    [
        (OtcDliClient, "eu-de", "iam.eu-de.otc.t-systems.com"),
        (HuaweiCloudDliClient, "cn-north-4", "iam.cn-north-4.myhuaweicloud.com"),
        (HuaweiCloudDliClient, "eu-west-101", "iam.myhuaweicloud.eu"),
    ],
)
def test_without_a_url_the_public_iam_of_the_region_is_meant(client: Any, region: str, host: str) -> None:
    made = client(region=region, project_id=PROJECT, credentials=IamPassword("u", "p", "d"))
    request = made.core.token_source.request()

    assert (request.scheme, request.host, request.port) == ("https", host, 443)


def test_a_server_of_ones_own_needs_an_iam_of_ones_own() -> None:
    with pytest.raises(InvalidInputError, match="iam_url"):
        OTC_SQL.make("sync", "http://127.0.0.1:1", IamPassword("u", "p", "d"))


def test_an_iam_in_clear_text_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="clear text"):
        OTC_SQL.make("sync", None, IamPassword("u", "p", "d", iam_url="http://iam.example.com"))
