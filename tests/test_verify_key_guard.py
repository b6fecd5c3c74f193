"""No key is ever near to being locked, however many threads send under it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from calloff.contract import load_catalogue
from calloff.mock.dialects import parse_dialect
from calloff.mock.server import run_embedded
from calloff.verify.engine import Run
from calloff.verify.key_guard import KeyGuard
from calloff.verify.target import announced_targets

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
