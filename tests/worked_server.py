"""The worked server of docs/verify.md, in a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parent.parent / "docs" / "examples" / "otc-dli-server.mjs"


def node() -> str:
    """Return the path of Node.js; without it skip the test, and fail on CI, where nothing may go missing."""
    if (found := shutil.which("node")) is None:
        message = "Node.js is not installed, so the worked server cannot run"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


@contextmanager
def running(program: Path = EXAMPLE) -> Iterator[str]:
    """Run *program* on a free port and yield its base URL."""
    with subprocess.Popen([node(), program, "0"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            listening = re.fullmatch(r"listening on (http://127\.0\.0\.1:[1-9][0-9]*)\n", line)
            assert listening, f"the server did not start: {line!r}"
            yield listening[1]
        finally:
            process.terminate()
