"""Kill ``calloff cancel`` in the middle, resume it, and hold what it says against the mock; ``nox -s soak`` runs it.

Each trial begins a run with a journal against a mock in another process, and kills it (SIGKILL) at a random point:
after so many answers, or so long after its start. Then it is resumed, sometimes killed again, and let through to its
end. In most trials the way to the mock is disturbed until a last resume, which is calm.

The mock says what is true. Whenever a run came to its end, each id must have one outcome: a job called cancelled is
cancelled, one called refused was not cancelled by us, one called not sent is as it was. After the calm resume all jobs
that could be cancelled must be, all that had ended must be refused; only a Spark batch whose answer was lost stays
unknown, as ``dead`` does not tell. Jobs that nobody asked to cancel must have been left alone. How many cancels were
sent twice is counted from the mock's journal.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crash_mock import PATIENCE, STATES, Connection, running_mock

SIZE = 1000  # jobs of a trial
_FETCHED = 1000  # entries of the mock's journal that it keeps
_LOOK_AFTER = 150  # requests after which its journal is read again
_BATCH = "otc-dli/cancelBatchJob"
_NOTHING_KEPT = "nothing was sent"  # what --resume says of a journal that was killed before it held any id

# What disturbs a trial, by name.
_TROUBLES: Mapping[str, Sequence[Mapping[str, object]]] = {
    "calm": (),
    "reset": ({"kind": "reset", "probability": 0.03},),
    "lost answers": (
        {"kind": "reset", "probability": 0.02, "applied": True},
        {"kind": "truncate", "probability": 0.02},
    ),
    "throttle": ({"kind": "throttle", "rate": 300.0, "retry_after": 1},),
    "5xx": (
        {"kind": "status", "status": 503, "probability": 0.02},
        {"kind": "gateway", "status": 504, "probability": 0.02, "applied": True},
    ),
    "latency": (
        {"kind": "latency", "seconds": 0.05, "probability": 0.3},
        {"kind": "close", "probability": 0.05},
    ),
}
# Of two trials one is calm: there nothing but the kill can go wrong.
_ORDER = [name for trouble in list(_TROUBLES)[1:] for name in ("calm", trouble)]


@dataclass(frozen=True)
class Jobs:
    """The jobs of a trial: those to cancel, those among them that have ended, and those that nobody names."""

    open: Sequence[str]
    ended: Sequence[str]
    bystanders: Sequence[str]


@dataclass
class Report:
    """What all trials did, in numbers, and what they found wrong."""

    trials: int = 0
    kills: int = 0
    late: int = 0
    before_any: int = 0
    told: Counter[str] = field(default_factory=Counter)
    cancels: int = 0
    twice: int = 0
    again: int = 0
    missed: int = 0
    faults: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Tell the result in words."""
        results = ", ".join(f"{count:,} {result}" for result, count in sorted(self.told.items()))
        told = [
            f"{self.trials} runs, {self.kills} kills ({self.before_any} of them before anything was sent, "
            f"{self.late} more came after the end): {results}",
            f"{self.cancels:,} cancels sent; more than one to {self.twice:,} jobs that ran, and to {self.again:,} that "
            "had ended (a 403 of CI may be about the key, so a resumed run tries again)",
        ]
        if self.missed:
            told.append(f"{self.missed:,} requests were gone from the mock's journal before it was read")
        return (
            [*told, *(f"WRONG: {fault}" for fault in self.faults)]
            if self.faults
            else [*told, "each job has one outcome, and it is true"]
        )


class Observer:
    """Reads states and requests from a mock, and disturbs it."""

    def __init__(self, announced: Mapping[str, Any]) -> None:
        self.announced = announced
        self._control = Connection(announced["control_url"])
        self._states = Connection(announced["provider_states_url"])
        self._seen: dict[int, tuple[bool, str]] = {}
        self.total = 0

    def answered(self) -> int:
        """Count the requests that the mock answered; read its journal before it forgets."""
        self.total = self._ask("GET", "/journal?limit=1")["total"]
        if self.total - len(self._seen) > _LOOK_AFTER:
            self.look()
        return self.total

    def look(self) -> None:
        """Read the journal."""
        told = self._ask("GET", f"/journal?limit={_FETCHED}")
        self.total = told["total"]
        for entry in told["entries"]:
            job_id = entry["target"].partition("?")[0].rpartition("/")[2]
            # The operation of one that was disturbed is not told, but only a cancel changes anything.
            self._seen[entry["number"]] = (entry["method"] != "GET", job_id)

    def forget(self) -> None:
        """Begin the journal anew."""
        self._ask("DELETE", "/journal")
        self._seen.clear()

    def cancels(self) -> Counter[str]:
        """Count the cancels of each job that came since the journal began."""
        self.look()
        return Counter(job_id for cancel, job_id in self._seen.values() if cancel)

    @property
    def missed(self) -> int:
        """Count the requests that were not seen."""
        return self.total - len(self._seen)

    def disturb(self, disturbances: Iterable[Mapping[str, object]]) -> None:
        """Put these disturbances in the place of all others."""
        self._ask("DELETE", "/disturbances")
        for disturbance in disturbances:
            self._ask("POST", "/disturbances", disturbance)

    def state(self, operation: str, job_id: str) -> str:
        """Read the state of a job."""
        status, body = self._states.ask("GET", f"/jobs/{operation}/{job_id}", {})
        return str(json.loads(body)["state"]) if status == 200 else f"status {status}"

    def _ask(self, method: str, path: str, content: object = None) -> Any:
        status, body = self._control.ask(method, path, {"Content-Type": "application/json"}, content)
        if status >= 300:
            raise SystemExit(f"crash: {method} {path} of the control interface: {status} {body!r}")
        return json.loads(body) if body else None

    def close(self) -> None:
        """Hang up."""
        self._control.close()
        self._states.close()


class Trial:
    """One run, killed and resumed."""

    def __init__(
        self,
        observer: Observer,
        operation: str,
        jobs: Jobs,
        folder: Path,
        drawn: random.Random,
        report: Report,
        *,
        trouble: str,
        name: str,
    ) -> None:
        self._observer, self._operation, self._jobs = observer, operation, jobs
        self._folder, self._drawn, self._report = folder, drawn, report
        self._trouble, self._name = trouble, name
        self._given = drawn.sample([*jobs.open, *jobs.ended], len(jobs.open) + len(jobs.ended))
        self._journal = folder / f"{name}.journal"
        self._file = folder / f"{name}.ids"
        self._file.write_text("".join(f"{job_id}\n" for job_id in self._given), "utf-8")
        place = observer.announced["apis"][operation.partition("/")[0]]
        keys = place["credentials"]
        self._where = ["--base-url", place["base_url"]]
        self._where += (
            ["--project-id", place["project_id"]] if "project_id" in place else ["--host", place["host"]]
        )
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("CALLOFF_")},
            "CALLOFF_ACCESS_KEY": keys.get("access_key") or keys["secret_id"],
            "CALLOFF_SECRET_KEY": keys["secret_key"],
        }

    def run(self) -> None:
        """Kill it once to three times, resume it each time, and look at what it says in the end."""
        observer = self._observer
        observer.forget()
        observer.disturb(_TROUBLES[self._trouble])
        wait = ["--wait"] if self._drawn.random() < 0.25 else []
        for number in range(self._drawn.choice((1, 1, 2, 3))):
            self._kill(wait, first=number == 0)
        told = self._finish(wait)
        self._hold(told, self._could_be_right)
        if self._trouble != "calm":
            observer.disturb(())
            told = self._finish([])
        states = self._hold(told, self._must_be)
        self._report.told.update(row["result"] for row in told)
        for job_id in self._jobs.bystanders:
            if (state := observer.state(self._operation, job_id)) != STATES[self._operation][0][0]:
                self._wrong(job_id, f"nobody asked to cancel it, and it is {state}")
        sent = observer.cancels()
        for job_id in sent.keys() - set(self._given):
            self._wrong(job_id, "a cancel was sent, and nobody asked for it")
        twice = {job_id for job_id, count in sent.items() if count > 1}
        self._report.cancels += sent.total()
        self._report.twice += len(twice.difference(self._jobs.ended))
        self._report.again += len(twice.intersection(self._jobs.ended))
        self._report.missed += observer.missed
        self._report.trials += 1
        if sum(states.values()) != len(self._given):
            self._wrong("all", "not every id was looked at")

    def _command(self, words: Sequence[str]) -> list[str]:
        common = ["--rate", "0", "--output", "jsonl", "--quiet", *words]
        program = [sys.executable, "-m", "calloff", "cancel"]
        if self._journal.exists():
            return [*program, "--resume", str(self._journal), *common]
        ids = ["--ids", str(self._file), "--journal", str(self._journal), "--yes"]
        return [*program, *self._operation.split("/"), *self._where, *ids, *common]

    def _kill(self, words: Sequence[str], *, first: bool) -> None:
        """Begin or resume the run, and kill it after so many more answers, or after so long."""
        observer, drawn = self._observer, self._drawn
        before = observer.answered()
        early = drawn.random() < 0.25
        answers = drawn.randrange(1, len(self._given) if first else len(self._given) // 3)
        seconds = drawn.uniform(0, 1.5)
        begin = time.monotonic()
        with (self._folder / f"{self._name}.killed").open("w") as output:
            process = subprocess.Popen(
                self._command(words), stdout=output, stderr=output, env=self._environment
            )
            with process:
                while process.poll() is None:
                    answered = observer.answered() - before
                    if time.monotonic() - begin >= seconds if early else answered >= answers:
                        break
                    time.sleep(0.005)
                process.kill()
                process.wait(PATIENCE)
        if process.returncode == -signal.SIGKILL:
            self._report.kills += 1
            self._report.before_any += observer.answered() == before and first
        elif process.returncode == 2:
            self._begin_anew((self._folder / f"{self._name}.killed").read_text("utf-8"))
        else:
            self._report.late += 1

    def _finish(self, words: Sequence[str]) -> list[dict[str, Any]]:
        """Resume the run and let it come to its end; give what it told."""
        for _ in range(2):
            with (self._folder / f"{self._name}.jsonl").open("w+") as output:
                process = subprocess.Popen(
                    self._command(words),
                    stdout=output,
                    stderr=subprocess.PIPE,
                    text=True,
                    env=self._environment,
                )
                with process:
                    while process.poll() is None:
                        self._observer.answered()
                        time.sleep(0.02)
                    errors = process.stderr.read() if process.stderr else ""
                output.seek(0)
                told = [json.loads(line) for line in output]
            if process.returncode != 2:
                break
            self._begin_anew(errors)
        if process.returncode not in {0, 1} or "Traceback" in errors:
            self._wrong("all", f"exit status {process.returncode}: {errors.strip()[-300:]}")
        return told

    def _begin_anew(self, errors: str) -> None:
        """Take a journal away that holds nothing; that is right only where nothing was sent."""
        if _NOTHING_KEPT not in errors or self._observer.cancels():
            self._wrong("all", f"it cannot be resumed: {errors.strip()[-300:]}")
        self._journal.unlink(missing_ok=True)

    def _hold(self, told: Sequence[Mapping[str, Any]], right: Callable[..., bool]) -> Counter[str]:
        """Hold what was told of each id against the mock; count the states."""
        if Counter(row["job_id"] for row in told) != Counter(self._given):
            self._wrong("all", f"{len(self._given)} ids were given and {len(told)} outcomes told")
        ended, states = set(self._jobs.ended), Counter[str]()
        for row in told:
            job_id = row["job_id"]
            state = self._observer.state(self._operation, job_id)
            states[state] += 1
            if not right(row["result"], state, ended=job_id in ended):
                self._wrong(job_id, f"{row['result']}, and it is {state}: {row['reason']}")
        return states

    def _could_be_right(self, result: str, state: str, *, ended: bool) -> bool:
        """Say whether an outcome is true: what is not known may be anything."""
        cancellable, over, cancelled = STATES[self._operation]
        start = over if ended else cancellable[0]
        return {
            "cancelled": state == cancelled and not ended,
            "refused": state == start,
            "not-sent": state == start,
            "unknown": state in {start, cancelled},
        }[result]

    def _must_be(self, result: str, state: str, *, ended: bool) -> bool:
        """Say whether an outcome is what must come of it once nothing disturbs any more."""
        _, over, cancelled = STATES[self._operation]
        if ended:
            return (result, state) == ("refused", over)
        known = {"cancelled", "unknown"} if self._operation == _BATCH else {"cancelled"}
        return result in known and state == cancelled

    def _wrong(self, job_id: str, what: str) -> None:
        self._report.faults.append(
            f"trial {self._name}, {self._operation} ({self._trouble}), {job_id}: {what}"
        )


def crash(
    times: int,
    folder: Path,
    *,
    size: int = SIZE,
    seed: int = 0,
    note: Callable[[str], None] = lambda _text: None,
) -> Report:
    """Kill so many runs and report what was wrong.

    Args:
        times: how many runs, each killed once to three times.
        folder: where journals and lists of ids go.
        size: jobs of each run, the bystanders included.
        seed: decides jobs, disturbances and when to kill.
        note: told what each trial did.
    """
    report, drawn = Report(), random.Random(seed)  # noqa: S311 - a run that can be repeated, no secret
    operations = list(STATES)
    ended, bystanders = max(1, size // 10), max(1, size // 20)
    sizes = {"ended": ended, "open": size - ended}
    options: list[str] = []
    for operation in operations:
        rounds = len(range(operations.index(operation), times, len(operations)))
        for kind, count in sizes.items():
            state = STATES[operation][1] if kind == "ended" else STATES[operation][0][0]
            if rounds:
                file = folder / f"{operation.replace('/', '-')}-{kind}"
                options += ["--jobs", f"{operation}:{state}={count * rounds}@{file}"]
    with running_mock(*options) as (_, announced), closing(Observer(announced)) as observer:
        ids = {
            (operation, kind): iter((folder / f"{operation.replace('/', '-')}-{kind}").read_text().split())
            for operation in operations[:times]
            for kind in sizes
        }
        for number in range(times):
            operation = operations[number % len(operations)]
            made = {kind: [next(ids[operation, kind]) for _ in range(sizes[kind])] for kind in sizes}
            jobs = Jobs(made["open"][bystanders:], made["ended"], made["open"][:bystanders])
            trouble = _ORDER[number % len(_ORDER)]
            before, begin = report.kills, time.monotonic()
            Trial(
                observer, operation, jobs, folder, drawn, report, trouble=trouble, name=str(number + 1)
            ).run()
            note(
                f"run {number + 1} of {times}: {operation}, {trouble}, {report.kills - before} kills, "
                f"{time.monotonic() - begin:.1f} s; {len(report.faults)} found wrong so far"
            )
    return report


def main() -> int:
    """Run the command; 1 where anything was wrong."""
    parser = argparse.ArgumentParser(description="Kill calloff cancel, resume it, and hold it to the truth.")
    parser.add_argument("--times", type=int, default=50, help="how many runs to kill (50)")
    parser.add_argument("--size", type=int, default=SIZE, help=f"jobs of each ({SIZE})")
    parser.add_argument("--seed", type=int, default=0, help="decides what happens when (0)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = crash(
            given.times,
            Path(folder),
            size=given.size,
            seed=given.seed,
            note=lambda text: print(text, flush=True),
        )
    print("\n".join(report.lines()))
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
