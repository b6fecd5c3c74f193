"""The bench of the clients: what it makes of its measurements, how it says that a limit was missed, what it draws."""

from __future__ import annotations

import importlib
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"


@pytest.fixture(scope="module")
def report() -> Iterator[ModuleType]:
    sys.path.insert(0, str(SCRIPTS))
    try:
        yield importlib.import_module("bench_report")
    finally:
        sys.path.remove(str(SCRIPTS))


def _group(report: ModuleType, **limits: object) -> object:
    runs = {"ours": [10.0, 30.0, 20.0], "peer": [10.0, 10.0, 40.0], "other": [1.0, 1.0, 1.0]}
    return report.Group("Title", "cancels/s", runs, **{"limits": {}, **limits})


def test_a_ratio_compares_the_figures_of_the_same_round(report: ModuleType) -> None:
    group = _group(report)

    assert group.ratios("peer") == [1.0, 3.0, 0.5]  # type: ignore[attr-defined]


def test_a_median_at_its_limit_holds(report: ModuleType) -> None:
    limits = {"peer": report.Limit(least=1.0), "other": report.Limit(most=20.0)}

    assert report.missed([_group(report, limits=limits, absolute={"peer": report.Limit(most=10.0)})]) == []


def test_each_median_beyond_its_limit_is_told(report: ModuleType) -> None:
    limits = {"peer": report.Limit(least=1.01), "other": report.Limit(most=19.9)}

    assert report.missed([_group(report, limits=limits, absolute={"peer": report.Limit(most=9.0)})]) == [
        "Title: ours is 1.00 times peer; it must be ≥ 1.01",
        "Title: ours is 20.00 times other; it must be ≤ 19.9",
        "Title: peer takes 10 cancels/s; it must be ≤ 9",
    ]


def test_the_table_shows_medians_and_the_spread_of_the_rounds(report: ModuleType) -> None:
    lines = report.markdown([_group(report, limits={"peer": report.Limit(least=0.9)})]).splitlines()

    assert "| ours | 20 (10 to 30) |  |  |" in lines
    assert "| peer | 10 (10 to 40) | 1.00 (0.50 to 3.00) | ≥ 0.9 |" in lines


def test_the_chart_shows_every_median_and_loads_nothing(report: ModuleType) -> None:
    svg = report.chart([_group(report)])

    assert not [hook for hook in sys.meta_path if "pygal" in repr(hook)]

    texts = ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter()]  # noqa: S314 - ours
    assert {"20", "10", "1"} <= set(texts)
    assert b"<script" not in svg
    assert not re.search(rb"(?:href|src)\s*=|@import|url\(", svg)
    assert b"prefers-color-scheme" in svg


def test_the_server_answers_each_request_of_a_piece() -> None:
    command = [sys.executable, str(SCRIPTS / "bench_clients.py"), "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"DELETE /a HTTP/1.1\r\n\r\nDELETE /b HTTP/1.1\r\n")
            connection.sendall(b"\r\n")
            received = b""
            while received.count(b'{"is_success":true,"message":""}') < 2:
                received += connection.recv(65536)
        process.terminate()
    assert received.count(b"HTTP/1.1 200 OK\r\n") == 2
