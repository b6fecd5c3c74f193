"""Compare the requests per second of ``calloff verify`` and ``schemathesis run``; ``nox -s bench`` runs it.

Both are started as a user starts them, against one mock in a process of its own, with the same document, credentials
and supply of jobs, with their bytecode compiled and the tables of Hypothesis made before. Every repetition runs each of
them once, so that a slow moment of the machine meets all. The mock counts what it answered: the requests to the API
alone, and all of them, with those that bring a job into its state or read it back. Both are divided by the seconds of
the whole command, its start included.
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
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calloff.apis import APIS
from calloff.resources import spec_path

BASELINE = "schemathesis"
BUDGETS = ("standard", "quick")
TIMEOUT = 600.0
FLOOR = 5.0


@dataclass(frozen=True)
class Measured:
    """One run of one contender: what the mock answered, of the API and in all, and seconds from start to end."""

    api_requests: int
    all_requests: int
    seconds: float

    @property
    def api_rate(self) -> float:
        """Return the requests to the API per second."""
        return self.api_requests / self.seconds

    @property
    def all_rate(self) -> float:
        """Return all requests per second."""
        return self.all_requests / self.seconds


@contextmanager
def running_mock(api: str) -> Iterator[Mapping[str, Any]]:
    """Run a mock of *api* on free ports and yield its announcement."""
    command = [sys.executable, "-m", "calloff", "mock", "--json", "--port", "0", "--api", api]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                sys.exit("bench: the mock did not start")
            announcement: Mapping[str, Any] = json.loads(line)
            yield announcement
        finally:
            process.terminate()


def answered(mock: Mapping[str, Any]) -> Mapping[str, int]:
    """Ask the mock how much it has answered, this call left out."""
    with urllib.request.urlopen(mock["control_url"], timeout=TIMEOUT) as response:  # noqa: S310 - on loopback
        counts: Mapping[str, int] = json.load(response)["answered"]
    return counts


def counted(api: str, mock: Mapping[str, Any], run: Callable[[], float]) -> Measured:
    """Return what the mock answered while *run* lasted, which returns its seconds."""
    before = answered(mock)
    seconds = run()
    after = answered(mock)
    # The first of the two looks has an answer too by now.
    return Measured(after[api] - before[api], sum(after.values()) - sum(before.values()) - 1, seconds)


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


def run_calloff(api: str, mock: Mapping[str, Any], budget: str, seed: int) -> float:
    """Verify the mock once; return the seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "calloff", "verify", "--api", api, "--budget", budget]
        command += ["--base-url", mock["apis"][api]["base_url"], "--seed", str(seed), "--report-dir", name]
        command += ["--provider-states", mock["provider_states_url"]]
        return timed(command, folder)


def run_schemathesis(api: str, mock: Mapping[str, Any], seed: int) -> float:
    """Let schemathesis run its defaults once, signed and supplied with jobs through the hooks."""
    # A folder of its own: schemathesis remembers former runs in the working directory.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "schemathesis.cli", "run", str(spec_path(APIS[api].document))]  # type: ignore[index]
        command += ["--url", mock["apis"][api]["base_url"], "--seed", str(seed)]
        return timed(
            command,
            folder,
            SCHEMATHESIS_HOOKS="calloff.verify.schemathesis_hooks",
            CALLOFF_PROVIDER_STATES=mock["provider_states_url"],
        )


def run_once(name: str, api: str, mock: Mapping[str, Any], seed: int) -> Measured:
    """Run the contender *name* once."""
    if name == BASELINE:
        return counted(api, mock, lambda: run_schemathesis(api, mock, seed))
    return counted(api, mock, lambda: run_calloff(api, mock, name, seed))


@contextmanager
def made_once() -> Iterator[None]:
    """Let every program that is started keep its bytecode, and Hypothesis its tables, for the next ones."""
    names = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "HYPOTHESIS_STORAGE_DIRECTORY")
    with tempfile.TemporaryDirectory() as folder:
        kept = {name: os.environ.pop(name, None) for name in names}
        os.environ["PYTHONPYCACHEPREFIX"] = f"{folder}/bytecode"
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = f"{folder}/hypothesis"
        try:
            yield
        finally:
            for name in names:
                os.environ.pop(name, None)
            os.environ.update({name: value for name, value in kept.items() if value is not None})


def measure(apis: Sequence[str], repetitions: int) -> dict[str, dict[str, list[Measured]]]:
    """Return the runs of every contender, by API; the order turns with each repetition."""
    found: dict[str, dict[str, list[Measured]]] = {}
    for api in apis:
        runs: dict[str, list[Measured]] = {name: [] for name in (*BUDGETS, BASELINE)}
        with running_mock(api) as mock:
            for name in runs:
                run_once(name, api, mock, repetitions)  # not measured: compiles
            for repetition in range(repetitions):
                names = list(runs)
                for name in names[repetition % len(names) :] + names[: repetition % len(names)]:
                    last = run_once(name, api, mock, repetition)
                    runs[name].append(last)
                    print(
                        f"{api} {repetition + 1}/{repetitions} {name}: {last.api_requests} requests to the API, "
                        f"{last.all_requests} in all, {last.seconds:.2f} s",
                        file=sys.stderr,
                    )
        found[api] = runs
    return found


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return least, median and greatest of *values*."""
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


@dataclass(frozen=True)
class Count:
    """One way to count: the rate of a run, and how it is told."""

    rate: Callable[[Measured], float]
    told: str


COUNTS: Mapping[str, Count] = {
    "api": Count(lambda run: run.api_rate, "of requests to the API alone"),
    "all": Count(lambda run: run.all_rate, "of all requests"),
}


def summary(found: Mapping[str, Mapping[str, Sequence[Measured]]]) -> dict[str, Any]:
    """Return rates, seconds, and the ratios of each budget to the baseline of the same repetition, by count."""
    return {
        api: {
            "contenders": {
                name: {
                    "requests": {
                        "api": [run.api_requests for run in runs],
                        "all": [run.all_requests for run in runs],
                    },
                    "seconds": spread([run.seconds for run in runs]),
                    "rate": {
                        name: spread([count.rate(run) for run in runs]) for name, count in COUNTS.items()
                    },
                }
                for name, runs in contenders.items()
            },
            "ratios": {
                budget: {
                    name: spread(
                        [
                            count.rate(ours) / count.rate(theirs)
                            for ours, theirs in zip(contenders[budget], contenders[BASELINE], strict=True)
                        ]
                    )
                    for name, count in COUNTS.items()
                }
                for budget in BUDGETS
            },
        }
        for api, contenders in found.items()
    }


def table(measured: Mapping[str, Any]) -> str:
    """Write *measured* for people."""
    head = f"{'api':<16} {'contender':<13} {'seconds':>16}" + f" {'per second':>20} {'ratio':>18}" * 2
    lines = [f"{'':<47} {'requests to the API alone':^39} {'all requests':^39}", head]

    def written(values: Mapping[str, float], digits: int) -> str:
        return " ".join(f"{values[name]:.{digits}f}" for name in ("min", "median", "max"))

    for api, of_api in measured.items():
        for name, row in of_api["contenders"].items():
            columns = f"{written(row['seconds'], 2):>16}"
            for count in COUNTS:
                ratio = written(of_api["ratios"][name][count], 2) if name in of_api["ratios"] else "1"
                columns += f" {written(row['rate'][count], 0):>20} {ratio:>18}"
            lines.append(f"{api:<16} {name:<13} {columns}")
    return "\n".join(
        [*lines, "Each: least, median, greatest. The ratio is to schemathesis in the same repetition."]
    )


def below(measured: Mapping[str, Any], floor: float, count: str = "all") -> list[str]:
    """Return a sentence for each median ratio of *count* under *floor*."""
    return [
        f"{api}, {budget}: the median ratio {COUNTS[count].told} is {ratio[count]['median']:.2f}, under {floor:g}"
        for api, of_api in measured.items()
        for budget, ratio in of_api["ratios"].items()
        if ratio[count]["median"] < floor
    ]


def why(measured: Mapping[str, Any], api: str, budget: str) -> str:
    """Say how many requests stand behind one to the API, which makes the ratio of these the smaller one."""

    def behind(name: str) -> float:
        requests: Mapping[str, Sequence[int]] = measured[api]["contenders"][name]["requests"]
        return sum(requests["all"]) / sum(requests["api"]) - 1

    return (
        f"each request to the API comes with {behind(budget):.1f} that make its jobs and read them and their "
        f"bystanders back, with {BASELINE} {behind(BASELINE):.1f}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return 1 where a ratio is under its floor."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--api", action="append", choices=list(APIS), help="repeatable; default each of them")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--floor", type=float, default=FLOOR, help="least median ratio, of all requests")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(arguments)
    if options.repetitions < 1:
        parser.error("expected at least one repetition")
    with made_once():
        measured = summary(measure(options.api or list(APIS), options.repetitions))
    print(json.dumps(measured, indent=1) if options.json else table(measured))
    for sentence in below(measured, options.floor, "api"):
        api, budget = sentence.partition(":")[0].split(", ")
        print(f"bench: {sentence}: {why(measured, api, budget)}", file=sys.stderr)
    missed = below(measured, options.floor)
    for sentence in missed:
        print(f"bench: {sentence}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
