"""The Locust user, run by Locust's own master and two workers against the mock; docs/load.md shows it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from cancel_support import serving
from mock_calls import DLI
from test_docs_languages import BLOCK, TYPED, shown
from test_docs_verify import free_ports

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "docs" / "examples" / "locustfile.py"
PAGE = ROOT / "docs" / "load.md"
PATIENCE = 120.0
# gevent is not built for forks after threads; a process of its own, and Locust's own warnings are not ours.
LOCUST = [sys.executable, "-W", "ignore", "-m", "locust"]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks")


def command(host: str) -> list[str]:
    """Give the command of the page, with another server and port."""
    (line,) = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("$ locust ")]
    words = line.removeprefix("$ locust ").replace("http://127.0.0.1:8602", host).split()
    port = str(free_ports(1))
    return [*LOCUST, *words, "--master-bind-port", port, "--master-port", port]


def test_two_workers_cancel_each_job_once_with_signed_requests(tmp_path: Path) -> None:
    with serving() as caller:
        ids = [caller.job(DLI, "RUNNING").id for _ in range(60)]
        ended = caller.job(DLI, "FINISHED").id
        (tmp_path / "jobs.txt").write_text("".join(f"{job_id}\n" for job_id in [*ids, ended]), "utf-8")
        shutil.copy(EXAMPLE, tmp_path)
        place = caller.place(DLI)
        keys = place["credentials"]
        environment = os.environ | {
            "CALLOFF_PROJECT_ID": place["project_id"],
            "CALLOFF_ACCESS_KEY": keys["access_key"],
            "CALLOFF_SECRET_KEY": keys["secret_key"],
        }
        with (tmp_path / "log").open("w") as log:
            process = subprocess.Popen(
                command(place["base_url"]), cwd=tmp_path, env=environment, stdout=log, stderr=log
            )
            with process:
                end = time.monotonic() + PATIENCE
                while len(sent := caller.journal(operation="cancelSqlJob")) < 61:
                    assert process.poll() is None, (tmp_path / "log").read_text()
                    assert time.monotonic() < end, (tmp_path / "log").read_text()
                    time.sleep(0.1)
                process.terminate()
                process.wait(PATIENCE)
        log_text = (tmp_path / "log").read_text("utf-8")

        assert Counter(entry["target"].rpartition("/")[2] for entry in sent) == Counter([*ids, ended])
        assert Counter(entry["status"] for entry in sent) == {200: 60, 400: 1}
        assert {"authorization", "x-sdk-date"} <= set(sent[0]["headers"])
    assert "2 workers connected" in log_text
    assert "calloff/load.py" not in log_text  # no traceback out of it
    assert keys["secret_key"] not in log_text


def test_the_program_of_the_page_is_the_example() -> None:
    (block,) = [each for each in BLOCK.finditer(PAGE.read_text("utf-8")) if each["language"] not in TYPED]

    assert block["code"] == shown(block["source"])


def test_every_file_that_the_page_links_exists() -> None:
    for target in re.findall(r"\]\((?!https:)([^)#]+)\)", PAGE.read_text("utf-8")):
        assert (PAGE.parent / target).exists(), target
