"""Temporary keys that renew themselves: asked for in time, by one at a time, and never with a secret in an error."""

from __future__ import annotations

import asyncio
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hostile_server import Listener, reply

from calloff import (
    AsyncOtcDliClient,
    CalloffError,
    CredentialError,
    InvalidInputError,
    OtcDliClient,
    RefreshingKey,
    TemporaryKey,
    TencentCiClient,
)

NOW = 1_768_469_400.0
PROJECT = "project0000"
JOB = "b9e54d0a-8a2c-4a1e-9c36-7a0d1c1d5a10"


def numbered(lives: Iterator[float | None]) -> Callable[[], TemporaryKey]:
    """Give keys named 1, 2, 3, ... that end when the next of ``lives`` says."""
    count = iter(range(1, 1000))
    return lambda: TemporaryKey(f"key-{next(count)}", "planted-secret", "planted-token", next(lives))


def test_a_key_is_asked_for_at_first_use_and_kept() -> None:
    key = RefreshingKey(numbered(iter([NOW + 7200.0])))
    assert [key.get(NOW).id, key.get(NOW + 1000).id] == ["key-1", "key-1"]


@pytest.mark.parametrize(("life", "margin"), [(86400.0, 300.0), (900.0, 90.0), (3000.0, 300.0)])
def test_a_key_is_renewed_before_its_end(life: float, margin: float) -> None:
    key = RefreshingKey(numbered(iter([NOW + life, NOW + 10 * life])))
    key.get(NOW)
    assert not key.due(NOW + life - margin - 1)
    assert key.get(NOW + life - margin - 1).id == "key-1"
    assert key.due(NOW + life - margin)
    assert key.get(NOW + life - margin).id == "key-2"


def test_a_key_whose_end_is_unknown_stays() -> None:
    key = RefreshingKey(numbered(iter([None])))
    assert key.get(NOW).id == key.get(NOW + 1e9).id == "key-1"


def test_many_threads_that_need_a_key_at_once_ask_once() -> None:
    entered = threading.Event()
    release = threading.Event()
    calls = []

    def refresh() -> TemporaryKey:
        calls.append(threading.get_ident())
        entered.set()
        assert release.wait(20)
        return TemporaryKey("key", "planted-secret", "planted-token", NOW + 7200)

    key = RefreshingKey(refresh)
    with ThreadPoolExecutor(8) as pool:
        given = [pool.submit(key.get, NOW) for _ in range(8)]
        assert entered.wait(20)
        release.set()
        assert {each.result(20).id for each in given} == {"key"}
    assert len(calls) == 1


def test_many_tasks_that_need_a_key_at_once_ask_once_and_the_loop_goes_on() -> None:
    release = threading.Event()
    calls = []

    def refresh() -> TemporaryKey:
        calls.append(1)
        assert release.wait(20)
        return TemporaryKey("key", "planted-secret", "planted-token", NOW + 7200)

    async def run() -> list[TemporaryKey]:
        key = RefreshingKey(refresh)
        deadline = time.monotonic() + 20
        tasks = [asyncio.create_task(key.get_soon(NOW, deadline=deadline)) for _ in range(20)]
        await asyncio.sleep(0)
        release.set()  # by the loop, which a refresh in it would have stopped
        return await asyncio.gather(*tasks)

    assert {key.id for key in asyncio.run(run())} == {"key"}
    assert calls == [1]


def test_a_waiter_gives_up_at_its_deadline() -> None:
    entered, release = threading.Event(), threading.Event()

    def refresh() -> TemporaryKey:
        entered.set()
        assert release.wait(20)
        return TemporaryKey("key", "planted-secret", "planted-token", NOW + 7200)

    key = RefreshingKey(refresh)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(key.get, NOW)
        assert entered.wait(20)
        with pytest.raises(CredentialError, match="another call still fetches one"):
            key.get(NOW, deadline=time.monotonic())
        release.set()
        assert first.result(20).id == "key"


def test_a_task_gives_up_at_its_deadline() -> None:
    release = threading.Event()

    def refresh() -> TemporaryKey:
        assert release.wait(20)
        return TemporaryKey("key", "planted-secret", "planted-token", NOW + 7200)

    async def run() -> None:
        key = RefreshingKey(refresh)
        try:
            with pytest.raises(CredentialError, match="did not come in time"):
                await key.get_soon(NOW, deadline=time.monotonic())
        finally:
            release.set()

    asyncio.run(run())


class Failing:
    """Gives one key, and raises from then on."""

    def __init__(self, first: TemporaryKey | None, error: Exception) -> None:
        self.first, self.error, self.calls = first, error, 0

    def __call__(self) -> TemporaryKey:
        self.calls += 1
        if self.first is not None:
            given, self.first = self.first, None
            return given
        raise self.error


def test_where_renewing_fails_the_key_at_hand_serves_until_its_end() -> None:
    good = TemporaryKey("key", "planted-secret", "planted-token", NOW + 1000)
    refresh = Failing(good, CredentialError("IAM is down"))
    key = RefreshingKey(refresh)
    assert key.get(NOW) is good
    assert key.get(NOW + 950) is good
    assert key.get(NOW + 955) is good
    assert refresh.calls == 2  # not asked again with every request
    assert key.get(NOW + 965) is good
    assert refresh.calls == 3
    with pytest.raises(CredentialError, match="nothing was sent: IAM is down"):
        key.get(NOW + 1000)


def test_an_error_of_another_kind_is_named_and_not_quoted() -> None:
    key = RefreshingKey(Failing(None, RuntimeError("planted-secret")))
    with pytest.raises(CredentialError, match="raised RuntimeError") as caught:
        key.get(NOW)
    error: BaseException | None = caught.value
    while error is not None:
        assert "planted" not in str(error)
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("planted-secret", "returned str, not a TemporaryKey"),
        (None, "returned NoneType"),
        (TemporaryKey("key", "planted-secret", "planted-token", NOW), "returned one that has ended"),
    ],
)
def test_what_is_no_key_to_sign_with_is_refused(given: Any, problem: str) -> None:
    with pytest.raises(CredentialError, match=problem) as caught:
        RefreshingKey(lambda: given).get(NOW)
    assert "planted" not in str(caught.value)


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="must be a function"):
        RefreshingKey(TemporaryKey("key", "planted-secret", "planted-token"))  # type: ignore[arg-type]


def test_neither_repr_nor_pickle_shows_a_secret() -> None:
    key = RefreshingKey(numbered(iter([NOW + 7200])))
    key.get(NOW)
    assert "key-1" in repr(key)
    assert "planted" not in repr(key)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(key)


def test_a_client_signs_with_the_next_key_when_the_first_is_due() -> None:
    moment = [NOW]
    key = RefreshingKey(numbered(iter([NOW + 1000, NOW + 9000])))
    with (
        Listener(reply(200, b'{"is_success": true, "message": ""}')) as server,
        OtcDliClient(
            region="eu-de",
            project_id=PROJECT,
            credentials=key,
            base_url=server.url,
            clock=lambda: moment[0],
        ) as client,
    ):
        client.cancel_sql_job(JOB)
        moment[0] = NOW + 950
        client.cancel_sql_job(JOB)
    assert [b"Access=key-1," in server.requests[0], b"Access=key-2," in server.requests[1]] == [True, True]


def test_an_asynchronous_client_signs_with_the_next_key_when_the_first_is_due() -> None:
    moment = [NOW]
    key = RefreshingKey(numbered(iter([NOW + 1000, NOW + 9000])))

    async def run(url: str) -> None:
        async with AsyncOtcDliClient(
            region="eu-de", project_id=PROJECT, credentials=key, base_url=url, clock=lambda: moment[0]
        ) as client:
            await client.cancel_sql_job(JOB)
            moment[0] = NOW + 950
            await client.cancel_sql_job(JOB)

    with Listener(reply(200, b'{"is_success": true, "message": ""}')) as server:
        asyncio.run(run(server.url))
    assert [b"Access=key-1," in server.requests[0], b"Access=key-2," in server.requests[1]] == [True, True]


def test_nothing_is_sent_where_no_key_is_to_be_had() -> None:
    key = RefreshingKey(Failing(None, CredentialError("STS is down")))
    with (
        Listener(reply()) as server,
        TencentCiClient(
            bucket="examplebucket-1250000000", region="ap-beijing", credentials=key, base_url=server.url
        ) as client,
    ):
        with pytest.raises(CalloffError, match="STS is down"):
            client.cancel_ai_job("ajc0ffee")
        assert server.requests == []
