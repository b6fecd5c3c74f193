"""Install a built wheel into a clean environment and use it as its users do; ``nox -s build`` runs it.

Usage: python scripts/use_wheel.py WHEEL LOCK [PYTHON...]

With interpreters given, in an environment of each, else in one of this interpreter.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

USE_CLIENTS = """
import calloff
from calloff_clients.otc_dli.api.sql_jobs import cancel_sql_job

client = calloff.OtcDliClient(region="eu-de", project_id="0" * 32, credentials=calloff.Token("test-word"))
try:
    client.cancel_sql_job("..")
except calloff.InvalidInputError as error:
    print("refused:", error)
else:
    raise SystemExit("a client took '..' for a job id")
"""


def main() -> int:
    """Install and use the wheel; the exit status is that of the first step that fails."""
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    wheel, lock = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    for interpreter in sys.argv[3:] or [sys.executable]:
        if status := use(wheel, lock, interpreter):
            return status
    return 0


def use(wheel: Path, lock: Path, interpreter: str) -> int:
    """Install and use the wheel with one interpreter; give the exit status of the first step that fails."""
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder) / "venv"
        scripts = environment / ("Scripts" if sys.platform == "win32" else "bin")
        python, calloff = scripts / "python", scripts / "calloff"
        steps: tuple[tuple[str, list[str | Path]], ...] = (
            ("environment", [interpreter, "-m", "venv", environment]),
            ("interpreter", [python, "--version"]),
            ("dependencies", [python, "-m", "pip", "install", "-q", "--require-hashes", "-r", lock]),
            ("wheel", [python, "-m", "pip", "install", "-q", "--no-deps", wheel]),
            ("clients", [python, "-c", USE_CLIENTS]),
            ("documents", [calloff, "spec", "otc-dli.openapi.yaml"]),
            ("suite against mock", [calloff, "verify", "--mock", "--report-dir", Path(folder) / "report"]),
        )
        for name, command in steps:
            print(f"--- {name}", flush=True)
            # From an empty folder, so that nothing of the checkout can be imported by accident.
            if status := subprocess.run(command, cwd=folder, check=False).returncode:
                print(f"{name}: exit status {status}", file=sys.stderr)
                return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
