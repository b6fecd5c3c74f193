"""calloff cancel as a process, against a mock in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from mock_calls import DLI, Caller

from calloff.mock.server import run_embedded

# A parallel test run ignores Ctrl-C, and what it starts inherits that.
PROGRAM = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import calloff.__main__"
CALLOFF = [sys.executable, "-c", PROGRAM]


@contextmanager
def serving() -> Iterator[Caller]:
    with run_embedded() as server, httpx.Client(trust_env=False) as client:
        yield Caller(server, client)


@dataclass(frozen=True)
class Operator:
    """Types commands in a shell that holds credentials; journals go to ``folder``/state."""

    caller: Caller
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        keys = self.caller.place(DLI)["credentials"]
        kept = {
            name: os.environ[name]
            for name in ("PATH", "HOME", "COVERAGE_PROCESS_CONFIG")
            if name in os.environ
        }
        return kept | {
            "XDG_STATE_HOME": str(self.folder / "state"),
            "CALLOFF_ACCESS_KEY": keys["access_key"],
            "CALLOFF_SECRET_KEY": keys["secret_key"],
        }

    def command(self, *words: str, api: str = "otc-dli", operation: str = "cancelSqlJob") -> list[str]:
        place = self.caller.place(f"{api}/{operation}")
        where = ["--base-url", place["base_url"]]
        where += ["--project-id", place["project_id"]] if "project_id" in place else ["--host", place["host"]]
        return [*CALLOFF, "cancel", api, operation, *where, *words]

    def type(self, *words: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run(self.command(*words), stdin=stdin, **environment)

    def run(
        self, command: list[str], *, stdin: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
            env=self.environment | environment,
            cwd=self.folder,
        )

    def resume(self, path: Path | str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run([*CALLOFF, "cancel", "--resume", str(path), *words], **environment)

    def jobs(self, count: int, state: str = "RUNNING") -> list[str]:
        return [self.caller.job(DLI, state).id for _ in range(count)]

    def file(self, ids: list[str], name: str = "ids") -> str:
        path = self.folder / name
        path.write_text("".join(f"{job_id}\n" for job_id in ids), "utf-8")
        return str(path)

    def journals(self) -> list[Path]:
        return sorted((self.folder / "state").rglob("*.journal"))

    def cancels(self) -> dict[str, int]:
        """Count the cancels that the mock was sent, by job id."""
        counted: dict[str, int] = {}
        for entry in self.caller.journal(operation="cancelSqlJob", limit=1000):
            job_id = str(entry["target"]).rpartition("/")[2]
            counted[job_id] = counted.get(job_id, 0) + 1
        return counted


def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """Read what ``--output jsonl`` wrote."""
    return [json.loads(line) for line in done.stdout.splitlines()]
