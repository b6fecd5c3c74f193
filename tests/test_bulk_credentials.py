"""How a run treats the credential: no key is brought near its lock, tokens and keys are renewed."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
from bulk_support import CI_AI, CI_BATCH, EVERY, HUAWEI_SQL, OTC_SQL, Time, cancel, client, jobs, states

from calloff import (
    AccessKey,
    CredentialError,
    IamPassword,
    Outcome,
    RefreshingKey,
    TemporaryKey,
    Token,
    cancel_many,
)
from calloff.apis import OPERATIONS
from calloff.mock.dialects import Dialect
from calloff.mock.disturbances import Disturbance
from calloff.mock.server import run_embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from calloff.mock.server import MockServer

DLI = [OTC_SQL, HUAWEI_SQL]
every_operation = pytest.mark.parametrize("operation", EVERY)


@pytest.fixture
def server() -> Iterator[MockServer]:
    with run_embedded() as running:
        yield running


def key_of(server: MockServer, operation: str) -> tuple[str, str]:
    names = server.announcement["apis"][OPERATIONS[operation].api]["credentials"]
    return names.get("secret_id") or names["access_key"], names["secret_key"]


def user_of(server: MockServer, password: str = "") -> IamPassword:
    iam = server.announcement["iam"]
    return IamPassword(
        iam["user"], password or iam["password"], iam["domain"], iam_url=server.announcement["iam_url"]
    )


def refused(server: MockServer, api: str) -> int:
    return sum(entry.status in (401, 403) for entry in server.journal.entries() if entry.api == api)


# --- a wrong key ---


@every_operation
def test_a_wrong_key_is_shown_three_times_at_most_and_is_not_locked(
    server: MockServer, operation: str
) -> None:
    key_id, _ = key_of(server, operation)
    made = jobs(server, operation, 100)
    found = cancel(
        client(server, operation, AccessKey(key_id, "wrong-secret")),
        operation,
        [job.id for job in made],
        concurrency=32,
    )

    results = [outcome.result for outcome in found]
    assert (results.count("refused"), results.count("not-sent")) == (3, 97)
    assert {outcome.status for outcome in found if outcome.result == "refused"} == {401}
    assert "did not accept the credential" in found[-1].reason
    assert refused(server, OPERATIONS[operation].api) == 3
    # The key itself still works.
    again = cancel(client(server, operation), operation, [job.id for job in made])
    assert {outcome.result for outcome in again} == {"cancelled"}


@pytest.mark.parametrize("operation", [CI_BATCH, CI_AI])
@pytest.mark.parametrize(
    "choices",
    [{"ci-authentication-status": "403"}, {"ci-wrong-signature-code": "403-access-denied"}],
    ids=str,
)
def test_a_403_that_may_mean_the_signature_stops_a_run_as_soon(
    operation: str, choices: dict[str, str]
) -> None:
    with run_embedded(["tencent-ci"], dialect=Dialect(choices)) as server:
        key_id, _ = key_of(server, operation)
        made = jobs(server, operation, 50)
        wrong = client(server, operation, AccessKey(key_id, "wrong-secret"))
        found = cancel(wrong, operation, [job.id for job in made])

        assert "not-sent" in {outcome.result for outcome in found}
        assert refused(server, "tencent-ci") <= 3


@pytest.mark.parametrize("operation", [CI_BATCH, CI_AI])
def test_a_403_for_jobs_that_have_ended_does_not_stop_a_run(server: MockServer, operation: str) -> None:
    ended, open_ = jobs(server, operation, 20, "Success"), jobs(server, operation, 20)
    found = cancel(client(server, operation), operation, [job.id for job in (*ended, *open_)])

    assert [outcome.result for outcome in found].count("refused") == 20
    assert [outcome.result for outcome in found].count("cancelled") == 20


@pytest.mark.parametrize("operation", [CI_BATCH, CI_AI])
@pytest.mark.parametrize("trouble", [{"kind": "reset"}, {"kind": "status", "status": 503}])
def test_a_look_that_is_lost_does_not_make_a_403_one_of_the_credential(
    server: MockServer, operation: str, trouble: dict[str, Any]
) -> None:
    server.disturbances.add(Disturbance(operations=OPERATIONS[operation].status.key, requests=2, **trouble))
    made = jobs(server, operation, 30, "Success")
    found = cancel(client(server, operation), operation, [job.id for job in made])

    assert {(outcome.result, outcome.status) for outcome in found} == {("refused", 403)}


@pytest.mark.parametrize("seconds", [-1200.0, 1200.0])
def test_a_late_signature_that_is_a_403_is_mended_too(seconds: float) -> None:
    dialect = Dialect({"ci-authentication-status": "403"})
    skew = Disturbance(kind="clock-skew", seconds=seconds)
    with run_embedded(["tencent-ci"], dialect=dialect, disturbances=[skew]) as server:
        made = jobs(server, CI_AI, 5)
        found = cancel(client(server, CI_AI), CI_AI, [job.id for job in made])

    assert {outcome.result for outcome in found} == {"cancelled"}


@every_operation
@pytest.mark.parametrize("seconds", [-86400.0, 86400.0])
def test_a_clock_that_is_set_during_a_run_brings_no_key_near_its_lock(
    server: MockServer, operation: str, seconds: float
) -> None:
    wrong = 0.0
    configured = client(server, operation, clock=lambda: time.time() + wrong)
    made = [job.id for job in jobs(server, operation, 300)]

    async def run() -> list[Outcome]:
        nonlocal wrong
        found = []
        async with aclosing(
            cancel_many(configured, operation.partition("/")[2], made, rate=None)
        ) as outcomes:
            async for outcome in outcomes:
                found.append(outcome)
                wrong = seconds if 100 <= len(found) < 200 else 0.0
        return found

    found = asyncio.run(run())

    assert {outcome.result for outcome in found} == {"cancelled"}
    assert refused(server, OPERATIONS[operation].api) <= 2


@every_operation
def test_five_in_flight_keep_a_key_that_stops_working_under_its_lock(
    server: MockServer, operation: str
) -> None:
    made = [job.id for job in jobs(server, operation, 300)]

    async def run() -> list[Outcome]:
        name, found = operation.partition("/")[2], []
        outcomes = cancel_many(client(server, operation), name, made, rate=None, concurrency=5)
        async with aclosing(outcomes):
            async for outcome in outcomes:
                found.append(outcome)
                if len(found) == 100:  # to the server all signatures are of another day
                    server.disturbances.add(Disturbance(kind="clock-skew", seconds=86400.0))
        return found

    found = asyncio.run(run())

    assert len(found) == 300
    assert 1 <= refused(server, OPERATIONS[operation].api) <= 5


@pytest.mark.parametrize("operation", DLI)
def test_a_wrong_key_with_a_wrong_clock_is_not_locked(server: MockServer, operation: str) -> None:
    server.disturbances.add(Disturbance(kind="clock-skew", seconds=7200.0))
    key_id, _ = key_of(server, operation)
    made = jobs(server, operation, 20)
    cancel(client(server, operation, AccessKey(key_id, "wrong-secret")), operation, [job.id for job in made])

    assert refused(server, OPERATIONS[operation].api) == 3


def test_nothing_of_a_secret_is_told_or_logged(server: MockServer, caplog: pytest.LogCaptureFixture) -> None:
    key_id, secret = key_of(server, OTC_SQL)
    made = jobs(server, OTC_SQL, 5)
    with caplog.at_level(logging.DEBUG):
        server.disturbances.add(Disturbance(kind="reset", operations=OTC_SQL, requests=1))
        found = cancel(client(server, OTC_SQL), OTC_SQL, [job.id for job in made], time=Time())
        found += cancel(
            client(server, OTC_SQL, AccessKey(key_id, "planted-secret-key")), OTC_SQL, ["a"], time=Time()
        )

    text = caplog.text + repr(found)
    assert any(outcome.request_id and outcome.request_id in caplog.text for outcome in found)
    for planted in (secret, "planted-secret-key", "Signature="):
        assert planted not in text


# --- users of IAM ---


@pytest.mark.parametrize("operation", DLI)
def test_a_user_logs_in_once(server: MockServer, operation: str) -> None:
    made = jobs(server, operation, 50)
    found = cancel(client(server, operation, user_of(server)), operation, [job.id for job in made])

    assert {outcome.result for outcome in found} == {"cancelled"}
    assert server.state.login.failures == 0


@pytest.mark.parametrize("operation", DLI)
def test_a_wrong_password_is_shown_once(server: MockServer, operation: str) -> None:
    made = jobs(server, operation, 50)
    found = cancel(client(server, operation, user_of(server, "wrong")), operation, [job.id for job in made])

    assert {outcome.result for outcome in found} == {"not-sent"}
    assert {outcome.attempts for outcome in found} == {0}
    assert server.state.login.failures == 1
    assert set(states(server, made)) == {"RUNNING"}


def test_a_token_that_has_ended_is_renewed(server: MockServer) -> None:
    made = jobs(server, OTC_SQL, 60)
    configured = client(server, OTC_SQL, user_of(server))

    async def program() -> list[str]:
        results: list[str] = []
        ids = [job.id for job in made]
        running = cancel_many(configured, "cancelSqlJob", ids, concurrency=4, rate=None)
        async with aclosing(running):
            async for outcome in running:
                results.append(outcome.result)
                if len(results) == 1:  # two days pass at the service
                    server.disturbances.add(Disturbance(kind="clock-skew", seconds=172800.0))
        return results

    assert asyncio.run(program()) == ["cancelled"] * 60


def test_a_token_of_somebody_elses_that_has_ended_stops_the_run(server: MockServer) -> None:
    ended = server.state.new_token(server.state.owners["otc-dli"][0], lifetime=-1.0)
    made = jobs(server, OTC_SQL, 20)
    found = cancel(client(server, OTC_SQL, Token(ended.value)), OTC_SQL, [job.id for job in made])

    results = [outcome.result for outcome in found]
    assert (results.count("refused"), results.count("not-sent")) == (3, 17)
    assert {outcome.code for outcome in found if outcome.status} == {"APIGW.0307"}


# --- keys that renew themselves ---


@every_operation
def test_a_key_that_renews_itself_is_renewed_in_time(server: MockServer, operation: str) -> None:
    api = OPERATIONS[operation].api
    asked: list[Any] = []
    now = [server.state.clock()]

    def refresh() -> TemporaryKey:
        key = server.state.new_key(api, owner=server.state.owners[api][0], lifetime=3600.0)
        asked.append(key)
        return TemporaryKey(key.id, key.secret.decode(), key.security_token, now[0] + 400)

    made = jobs(server, operation, 30)

    def ids() -> Iterator[str]:
        for number, job in enumerate(made):
            if number == 15:
                now[0] += 380  # a minute after it was due for renewal
            yield job.id

    configured = client(server, operation, RefreshingKey(refresh), clock=lambda: now[0])
    found = cancel(configured, operation, ids(), concurrency=4)

    assert {outcome.result for outcome in found} == {"cancelled"}
    assert len(asked) == 2


def test_a_key_that_cannot_be_had_stops_the_run(server: MockServer) -> None:
    asked: list[None] = []

    def refresh() -> TemporaryKey:
        asked.append(None)
        raise CredentialError("the vault is closed")

    made = jobs(server, OTC_SQL, 20)
    found = cancel(client(server, OTC_SQL, RefreshingKey(refresh)), OTC_SQL, [job.id for job in made])

    assert {outcome.result for outcome in found} == {"not-sent"}
    assert all("the vault is closed" in outcome.reason for outcome in found)
    assert len(asked) == 1


def test_a_temporary_key_that_has_ended_stops_the_run(server: MockServer) -> None:
    key = TemporaryKey("AKIDEXAMPLE", "planted-secret", "planted-token", expires_at=1.0)
    found = cancel(client(server, OTC_SQL, key), OTC_SQL, ["a", "b"])

    assert [(outcome.result, outcome.attempts) for outcome in found] == [("not-sent", 0)] * 2
    assert "expired" in found[0].reason
    assert server.journal.entries() == []
