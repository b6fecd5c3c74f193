"""The mock's applications at the edges of ASGI: clients that leave, other protocols, and faults of the caller."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from mock_support import Bench

from calloff.errors import MissingExtraError
from calloff.mock.iam import Iam
from calloff.mock.jobs import Lifecycle
from calloff.mock.mutants import MUTANTS
from calloff.mock.server import run_embedded


def sent_by(app: Any, scope: dict[str, Any], *messages: dict[str, Any]) -> list[Any]:
    waiting, sent = list(messages), []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


def scope(*headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "PUT",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": list(headers),
    }


def test_other_protocols_are_left_alone() -> None:
    bench = Bench()
    for app in (*bench.apps.values(), Iam(bench.state)):
        assert sent_by(app, {"type": "lifespan"}) == []


def test_a_client_that_leaves_gets_no_answer() -> None:
    bench = Bench()
    part = {"type": "http.request", "body": b"a", "more_body": True}
    gone = {"type": "http.disconnect"}
    for app in (*bench.apps.values(), Iam(bench.state)):
        assert sent_by(app, scope((b"content-length", b"2")), part, gone) == []


def test_bytes_that_are_no_request_have_an_answer_of_each_vendor() -> None:
    bench = Bench()
    assert bench.apps["tencent-ci"].bad_request().status == 400
    assert b"APIGW.0201" in bench.apps["otc-dli"].bad_request().body


@pytest.mark.parametrize("length", [b"x", b"-1", b"9" * 5000, b"", "²".encode("latin-1")])
def test_a_length_that_is_none_does_no_harm(length: bytes) -> None:
    bench = Bench()
    message = {"type": "http.request", "body": b"", "more_body": False}
    sent = sent_by(bench.apps["otc-dli"], scope((b"content-length", length)), message)
    assert sent[0]["status"] == 404


def test_a_life_cycle_knows_its_states() -> None:
    with pytest.raises(ValueError, match="no such states: gone; there are open, closed"):
        Lifecycle(("open", "closed"), {"open": "gone"})


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(MissingExtraError, match=r"calloff\[mock\]"), run_embedded():
        pass


@pytest.mark.parametrize("name", [name for name, mutant in MUTANTS.items() if mutant.around])
def test_a_racing_mutant_lets_single_requests_through(name: str) -> None:
    bench = Bench(mutant=name)
    job = bench.job("otc-dli/cancelSqlJob", "RUNNING")
    assert bench.cancel(job).status == 200
    assert bench.state_of(job) == "CANCELLED"
    assert bench.send("otc-dli", "DELETE", "/nothing").status == 404
