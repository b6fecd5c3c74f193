"""No key is ever near to being locked, however many threads send under it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fake_target import OTHER_PROJECT, PROJECT, SECRET_KEY, TOKEN, FakeTarget, Reply, Seen, refusal

from calloff.apis import OPERATIONS
from calloff.contract import load_catalogue
from calloff.mock.dialects import parse_dialect
from calloff.mock.server import run_embedded
from calloff.verify.engine import Run, checks, run_check
from calloff.verify.key_guard import KeyGuard
from calloff.verify.provider_states import announced_targets
from calloff.verify.target import Keys

SQL = "otc-dli/cancelSqlJob"


def fail(guard: KeyGuard, times: int) -> None:
    for _ in range(times):
        with guard.failing("K"):
            pass


def test_a_good_answer_clears_the_failures_before_it() -> None:
    guard = KeyGuard()
    fail(guard, 2)
    mark = guard.mark("K")
    guard.clear("K", mark)

    assert guard.row("K") == 0
    assert guard.row("another") == 0


def test_a_good_answer_leaves_the_failures_sent_since_the_good_request() -> None:
    guard = KeyGuard()
    fail(guard, 2)
    mark = guard.mark("K")
    fail(guard, 1)
    guard.clear("K", mark)

    assert guard.row("K") == 1


def test_a_failure_that_is_not_answered_yet_is_not_cleared() -> None:
    guard = KeyGuard()
    with guard.failing("K"):
        mark = guard.mark("K")
        guard.clear("K", mark)
        assert guard.row("K") == 1


def test_an_older_good_request_answered_late_brings_no_failure_back() -> None:
    guard = KeyGuard()
    early = guard.mark("K")
    fail(guard, 2)
    guard.clear("K", guard.mark("K"))
    guard.clear("K", early)

    assert guard.row("K") == 0


def test_failing_requests_under_a_key_leave_one_at_a_time() -> None:
    guard, lock, under_way, most = KeyGuard(), threading.Lock(), 0, 0

    def send(_: int) -> None:
        nonlocal under_way, most
        with guard.failing("K"):
            with lock:
                under_way += 1
                most = max(most, under_way)
            with lock:
                under_way -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(200)))

    assert most == 1
    assert guard.row("K") == 200


def test_several_workers_lock_no_key_of_a_server_that_locks_them() -> None:
    with run_embedded(["otc-dli"], dialect=parse_dialect(["dli-key-lock=locks"])) as server:
        run = Run(load_catalogue(), layers=["table"], operations=[SQL], workers=4, budget="quick")
        status = run.verify(announced_targets(server.announcement))

    assert [(v.case_id, v.received) for v in run.outcomes["otc-dli"].violations] == []
    assert status == 0


@pytest.mark.parametrize("workers", [1, 8])
def test_a_key_whose_secret_is_wrong_is_used_three_times_and_no_more(workers: int) -> None:
    def refuse_signatures(fake: FakeTarget, request: Seen) -> Reply | None:
        return refusal(401, "APIGW.0301") if request.header("Authorization") else None

    with FakeTarget(script=refuse_signatures) as fake:
        target = fake.target(keys=Keys("KEYID", SECRET_KEY, token=TOKEN, project_id=PROJECT))
        run = Run(load_catalogue(), layers=["table"], operations=[SQL], workers=workers)
        status = run.verify([target])

    assert sum("Access=KEYID" in request.header("Authorization") for request in fake.seen) == 3
    assert "dli-auth-signature" in {v.requirement for v in run.outcomes["otc-dli"].violations}
    assert any("right request under the good key" in skip.reason for skip in run.outcomes["otc-dli"].skips)
    assert status == 1


def test_cancels_at_the_same_time_go_round_no_guard() -> None:
    def refuse_signatures(fake: FakeTarget, request: Seen) -> Reply | None:
        return refusal(401, "APIGW.0301") if request.header("Authorization") else None

    class WithoutTokens(FakeTarget):
        def abilities(self) -> dict[str, Any]:
            return super().abilities() | {"credentials": ["good"]}

    with WithoutTokens(script=refuse_signatures) as fake:
        session = fake.session(keys=Keys("KEYID", SECRET_KEY, project_id=PROJECT))
        for check in checks(OPERATIONS[SQL], ["races"]):
            run_check(check, session)
        session.target.close()

    assert sum("Access=KEYID" in request.header("Authorization") for request in fake.seen) == 3


@pytest.mark.parametrize("workers", [1, 8])
def test_right_signatures_of_another_owner_that_are_no_good_count_under_each_minted_key(workers: int) -> None:
    minted: list[str] = []

    class WithOthers(FakeTarget):
        def abilities(self) -> dict[str, Any]:
            return super().abilities() | {"credentials": ["good", "token", "other-owner"]}

        def credentials(self, kind: str) -> dict[str, str]:
            if kind != "other-owner":
                return super().credentials(kind)
            minted.append(f"OTHER{len(minted)}")
            return {"access_key": minted[-1], "secret_key": SECRET_KEY, "project_id": OTHER_PROJECT}

    with WithOthers() as fake:
        run = Run(load_catalogue(), layers=["table", "model"], operations=[SQL], workers=workers)
        run.verify([fake.target()])

    used = [
        sum(f"Access={key}," in request.header("Authorization") for request in fake.seen) for key in minted
    ]
    assert len(minted) > 1
    assert max(used) == 3


def test_a_way_to_sign_that_is_refused_takes_no_room_from_the_others() -> None:
    def refuse_one_way(fake: FakeTarget, request: Seen) -> Reply | None:
        signed = request.header("Authorization")
        return refusal(401, "APIGW.0301") if "SignedHeaders=x-sdk-date," in signed else None

    with FakeTarget(script=refuse_one_way) as fake:
        run = Run(load_catalogue(), layers=["table"], operations=[SQL], budget="quick")
        run.verify([fake.target(keys=Keys("KEYID", SECRET_KEY, token=TOKEN, project_id=PROJECT))])

    assert not [skip for skip in run.outcomes["otc-dli"].skips if "right request under" in skip.reason]


def test_good_requests_leave_few_at_a_time_and_alone_after_a_failure() -> None:
    guard, lock, under_way = KeyGuard(), threading.Lock(), 0
    most = {0: 0, 1: 0}

    def send(_: int) -> None:
        nonlocal under_way
        with guard.good("K"):
            row = guard.row("K")
            with lock:
                under_way += 1
                most[row] = max(most[row], under_way)
            threading.Event().wait(0.002)
            with lock:
                under_way -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(50)))
        fail(guard, 1)
        list(pool.map(send, range(50)))

    assert most == {0: 3, 1: 1}
