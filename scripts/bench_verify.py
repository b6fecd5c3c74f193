"""Compare the requests per second of ``calloff verify`` and ``schemathesis run``; ``nox -s bench`` runs it.

Both are started as a user starts them, against one mock in a process of its own, with the same document, credentials
and supply of jobs. Every repetition runs each of them once, so that a slow moment of the machine meets all. Counted
are the requests to the API, divided by the seconds of the whole command, its start included.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calloff.apis import APIS
from calloff.resources import spec_path

BASELINE = "schemathesis"
BUDGETS = ("standard", "quick")
TIMEOUT = 600.0


@dataclass(frozen=True)
class Measured:
    """One run of one contender: requests sent to the API, and seconds from start to end."""

    requests: int
    seconds: float

    @property
    def rate(self) -> float:
        """Return the requests per second."""
        return self.requests / self.seconds


@contextmanager
def running_mock(api: str) -> Iterator[Mapping[str, Any]]:
    """Run a mock of *api* on free ports and yield its announcement."""
    command = [sys.executable, "-m", "calloff.cli", "mock", "--json", "--port", "0", "--api", api]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                sys.exit("bench: the mock did not start")
            announcement: Mapping[str, Any] = json.loads(line)
            yield announcement
        finally:
            process.terminate()


def timed(command: Sequence[str], folder: Path, **environment: str) -> float:
    """Run *command* in *folder* and return its seconds; a run that finds anything ends the bench."""
    began = time.perf_counter()
    result = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT,
    )
    seconds = time.perf_counter() - began
    if result.returncode != 0:
        sys.exit(f"bench: {' '.join(command)} ended with {result.returncode}\n{result.stdout}{result.stderr}")
    return seconds


def run_calloff(api: str, mock: Mapping[str, Any], budget: str, seed: int) -> Measured:
    """Verify the mock once."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "calloff.cli", "verify", "--api", api, "--budget", budget]
        command += ["--base-url", mock["apis"][api]["base_url"], "--seed", str(seed), "--report-dir", name]
        command += ["--provider-states", mock["provider_states_url"]]
        seconds = timed(command, folder)
        report = json.loads((folder / "report.json").read_text("utf-8"))
        return Measured(sum(target["requests"] for target in report["targets"]), seconds)


def run_schemathesis(api: str, mock: Mapping[str, Any], seed: int) -> Measured:
    """Let schemathesis run its defaults once, signed and supplied with jobs through the hooks."""
    # A folder of its own: schemathesis remembers former runs in the working directory.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "schemathesis.cli", "run", str(spec_path(APIS[api].document))]  # type: ignore[index]
        command += ["--url", mock["apis"][api]["base_url"], "--seed", str(seed)]
        command += ["--report-har-path", "run.har"]
        seconds = timed(
            command,
            folder,
            SCHEMATHESIS_HOOKS="calloff.verify.schemathesis_hooks",
            CALLOFF_PROVIDER_STATES=mock["provider_states_url"],
        )
        archive = json.loads((folder / "run.har").read_text("utf-8"))
        return Measured(len(archive["log"]["entries"]), seconds)


def measure(apis: Sequence[str], repetitions: int) -> dict[str, dict[str, list[Measured]]]:
    """Return the runs of every contender, by API; the order turns with each repetition."""
    found: dict[str, dict[str, list[Measured]]] = {}
    for api in apis:
        runs: dict[str, list[Measured]] = {name: [] for name in (*BUDGETS, BASELINE)}
        with running_mock(api) as mock:
            for repetition in range(repetitions):
                names = list(runs)
                for name in names[repetition % len(names) :] + names[: repetition % len(names)]:
                    if name == BASELINE:
                        runs[name].append(run_schemathesis(api, mock, repetition))
                    else:
                        runs[name].append(run_calloff(api, mock, name, repetition))
                    last = runs[name][-1]
                    print(
                        f"{api} {repetition + 1}/{repetitions} {name}: {last.requests} requests, "
                        f"{last.seconds:.2f} s, {last.rate:.0f}/s",
                        file=sys.stderr,
                    )
        found[api] = runs
    return found


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return least, median and greatest of *values*."""
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def summary(found: Mapping[str, Mapping[str, Sequence[Measured]]]) -> dict[str, Any]:
    """Return rates, seconds, and the ratios of each budget to the baseline of the same repetition."""
    return {
        api: {
            "contenders": {
                name: {
                    "requests": [run.requests for run in runs],
                    "seconds": spread([run.seconds for run in runs]),
                    "rate": spread([run.rate for run in runs]),
                }
                for name, runs in contenders.items()
            },
            "ratios": {
                budget: spread(
                    [
                        ours.rate / theirs.rate
                        for ours, theirs in zip(contenders[budget], contenders[BASELINE], strict=True)
                    ]
                )
                for budget in BUDGETS
            },
        }
        for api, contenders in found.items()
    }


def table(measured: Mapping[str, Any]) -> str:
    """Write *measured* for people."""
    lines = [f"{'api':<16} {'contender':<14} {'seconds':>22} {'requests/s':>22} {'ratio':>20}"]

    def written(values: Mapping[str, float], digits: int) -> str:
        return " ".join(f"{values[name]:.{digits}f}" for name in ("min", "median", "max"))

    for api, of_api in measured.items():
        for name, row in of_api["contenders"].items():
            ratio = written(of_api["ratios"][name], 2) if name in of_api["ratios"] else "1"
            columns = f"{written(row['seconds'], 2):>22} {written(row['rate'], 0):>22} {ratio:>20}"
            lines.append(f"{api:<16} {name:<14} {columns}")
    return "\n".join(
        [*lines, "Each: least, median, greatest. The ratio is to schemathesis in the same repetition."]
    )


def below(measured: Mapping[str, Any], floors: Mapping[str, float | None]) -> list[str]:
    """Return a sentence for each median ratio under its floor."""
    return [
        f"{api}, {budget}: the median ratio is {ratio:.2f}, under the floor of {floor:g}"
        for api, of_api in measured.items()
        for budget, floor in floors.items()
        if floor is not None and (ratio := of_api["ratios"][budget]["median"]) < floor
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return 1 where a ratio is under its floor."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--api", action="append", choices=list(APIS), help="repeatable; default otc-dli")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--floor", type=float, help="least median ratio of the standard budget")
    parser.add_argument("--floor-quick", type=float, help="least median ratio of the quick budget")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(arguments)
    if options.repetitions < 1:
        parser.error("expected at least one repetition")
    measured = summary(measure(options.api or ["otc-dli"], options.repetitions))
    print(json.dumps(measured, indent=1) if options.json else table(measured))
    missed = below(measured, {"standard": options.floor, "quick": options.floor_quick})
    for sentence in missed:
        print(f"bench: {sentence}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
