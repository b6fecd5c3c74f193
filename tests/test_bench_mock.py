"""The bench of the mock: what it makes of its measurements, and which limits it holds."""

from __future__ import annotations

import argparse
import importlib.util
import os
import socket
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
GOOD = {"jobs": 1000, "bytes_per_job": 400.0, "share": {"median": 0.95}}
RATIOS = {"prism": {"median": 12.0}, "prism, silent": {"median": 5.0}}


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_mock", SCRIPTS / "bench_mock.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its module up by name.
    sys.modules["bench_mock"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("measured", "floor", "missed"),
    [
        ({"ratios": RATIOS, "full": GOOD}, 10, []),
        ({"ratios": RATIOS}, 0, []),
        ({"ratios": RATIOS}, 12.5, ["the median ratio to Prism is 12.0, under the floor of 12.5"]),
        (
            {"full": GOOD | {"share": {"median": 0.85}}},
            10,
            ["with 1000 jobs the median share is 0.85, under 0.9"],
        ),
        ({"full": GOOD | {"bytes_per_job": 1000.0}}, 10, ["a job takes 1000 bytes, not under 1000"]),
    ],
)
def test_a_limit_that_is_missed_is_named(
    bench: ModuleType, measured: dict[str, object], floor: float, missed: list[str]
) -> None:
    assert bench.below(measured, floor, least_share=0.9, most_bytes=1000) == missed


def test_a_cancel_that_our_mock_did_is_counted_and_its_job_is_cancelled(bench: ModuleType) -> None:
    options = argparse.Namespace(connections=2, depth=3)
    with bench.running_mock() as mock:
        load = bench.Load(bench.port_of(mock), options)
        rate, cost = bench.measure_ours(mock, load, 10)
    assert rate > 0
    assert cost >= 0


def test_the_time_of_a_processor_is_told_in_seconds(bench: ModuleType) -> None:
    told, own = bench.processor_seconds(os.getpid()), time.process_time()
    assert own - 1 < told < own + 1


def test_a_refusal_ends_the_bench(bench: ModuleType) -> None:
    answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=refuse)
        thread.start()
        load = bench.Load(listener.getsockname()[1], argparse.Namespace(connections=1, depth=1))
        with pytest.raises(SystemExit, match=r"bench: a request was refused: HTTP/1\.1 401 "):
            load.run([b"DELETE / HTTP/1.1\r\nHost: x\r\n\r\n"])
        thread.join()
