"""Kill the mock under load, again and again, and look for what it lost; ``nox -s soak`` runs it.

A mock with ``--state FILE`` serves clients that make jobs and cancel a part of them, without a pause, over kept
connections. At a random moment it is killed (SIGKILL), and another one is started with the same file. Then every cancel
that was acknowledged must be there, and no other job may have moved: neither one that was refused nor one that
was never asked for. Where a request was under way when the mock died, both is right. The credentials must be the same
at every start, those handed out must still be good, and no id may come twice. In every other round the mock settles
cancels later (dialect), so that it also dies between the answer and the new state.

Every round looks at the jobs of the round before; the end looks at all.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from calloff.apis import OPERATIONS
from calloff.signing import qsign
from calloff.signing.request import SignableRequest

PATIENCE = 30.0  # seconds for a start, an answer, or the end of a process
LONGEST = 0.4  # seconds of load before a kill, at most
SETTLED = 1.0  # seconds within which a cancel that settles later has settled
CLIENTS = 4
LATER = ("--dialect", "ci-settle=later", "--dialect", "dli-settle=later")
# Operation: states in which a cancel is accepted, whatever the dialect; one that has ended; where a cancel leads.
STATES: Mapping[str, tuple[tuple[str, ...], str, str]] = {
    "tencent-ci/cancelInventoryTriggerJob": (("Submitted",), "Success", "Cancel"),
    "tencent-ci/cancelAiJob": (("Submitted",), "Failed", "Cancel"),
    "otc-dli/cancelBatchJob": (("starting", "running"), "success", "dead"),
    "otc-dli/cancelSqlJob": (("LAUNCHING", "RUNNING"), "FINISHED", "CANCELLED"),
    "huaweicloud-dli/cancelSqlJob": (("LAUNCHING", "RUNNING"), "FAILED", "CANCELLED"),
}


class Asked(Enum):
    """What became of the request to cancel a job."""

    NEVER = "was never asked for"
    UNANSWERED = "was asked for and not answered"
    REFUSED = "was refused"
    ACKNOWLEDGED = "was acknowledged"


@dataclass
class Record:
    """What a client knows of a job that the mock has told it of."""

    operation: str
    job_id: str
    start: str
    asked: Asked = Asked.NEVER

    def fault(self, seen: str) -> str:
        """Say what is wrong with the state in which a job was found; nothing where it is right."""
        cancelled = STATES[self.operation][2]
        right = {
            Asked.NEVER: {self.start},
            Asked.REFUSED: {self.start},
            Asked.UNANSWERED: {self.start, cancelled},
            Asked.ACKNOWLEDGED: {cancelled},
        }[self.asked]
        if seen in right:
            return ""
        return f"{self.operation} {self.job_id}: {seen}, although it was {self.start} and its cancel {self.asked.value}"


@dataclass
class Report:
    """What a run did, in numbers, and what it found wrong."""

    kills: int = 0
    asked: Counter[Asked] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Tell the result in words."""
        counts = self.asked
        told = [
            f"{self.kills} kills, {counts.total()} jobs made: {counts[Asked.ACKNOWLEDGED]} cancels acknowledged, "
            f"{counts[Asked.REFUSED]} refused, {counts[Asked.UNANSWERED]} not answered, "
            f"{counts[Asked.NEVER]} jobs never asked for"
        ]
        return (
            [*told, *(f"WRONG: {fault}" for fault in self.faults)]
            if self.faults
            else [*told, "nothing was lost"]
        )


class UnexpectedAnswerError(Exception):
    """The mock was there and answered what it must not answer."""


class Connection:
    """A kept connection to one port of the mock."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._prefix = address.path
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE)

    def ask(
        self, method: str, path: str, headers: Mapping[str, str], content: object = None
    ) -> tuple[int, bytes]:
        """Send a request and read its answer: status and body."""
        body = None if content is None else json.dumps(content).encode()
        self._connection.request(method, self._prefix + path, body, dict(headers))
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


class Client:
    """Makes jobs of a mock and cancels some, over connections of its own.

    Args:
        announcement: of the mock.
        credentials: by API, those to use.
        seed: decides what it does.
    """

    def __init__(
        self, announcement: Mapping[str, Any], credentials: Mapping[str, Mapping[str, str]], seed: str
    ) -> None:
        self._apis: Mapping[str, Any] = announcement["apis"]
        self._credentials = credentials
        self._random = random.Random(seed)  # noqa: S311 - a load that can be repeated, no secret
        self._states = Connection(announcement["provider_states_url"])
        self._ports = {name: Connection(api["base_url"]) for name, api in self._apis.items()}
        self.records: list[Record] = []
        self.trouble = ""

    def load(self) -> None:
        """Make and cancel jobs until the mock is gone, or answers what it must not answer."""
        try:
            while True:
                self._one()
        except UnexpectedAnswerError as error:
            self.trouble = str(error)
        except (OSError, http.client.HTTPException):
            return

    def _one(self) -> None:
        operation = self._random.choice(list(STATES))
        cancellable, ended, _ = STATES[operation]
        start = ended if self._random.random() < 0.1 else self._random.choice(cancellable)
        record = Record(operation, self._make(operation, start), start)
        self.records.append(record)
        if self._random.random() < 0.7:
            record.asked = Asked.UNANSWERED
            self.cancel(record)

    def _make(self, operation: str, start: str) -> str:
        api, name = operation.split("/")
        wanted = {"api": api, "operation": name, "state": start, "owner": "self"}
        job_id: str = self._handed_out("/jobs", wanted)["job_id"]
        return job_id

    def hand_out(self, api: str) -> dict[str, str]:
        """Have credentials handed out."""
        made = self._handed_out(
            "/credentials", {"api": api, "kind": "good" if api == "tencent-ci" else "token"}
        )
        return {name: made[name] for name in ("secret_id", "secret_key", "token") if name in made}

    def _handed_out(self, path: str, wanted: Mapping[str, str]) -> dict[str, Any]:
        status, body = self._states.ask("POST", path, {"Content-Type": "application/json"}, wanted)
        if status != 201:
            raise UnexpectedAnswerError(f"the mock would not hand out {wanted}: {status} {body!r}")
        made: dict[str, Any] = json.loads(body)
        return made

    def cancel(self, record: Record) -> None:
        """Send the cancel of a job, and note what came back."""
        api, credentials = record.operation.split("/")[0], self._credentials[record.operation.split("/")[0]]
        operation = OPERATIONS[record.operation]
        place = {"project_id": self._apis[api].get("project_id", ""), operation.job_parameter: record.job_id}
        target = operation.path.format(**place)
        if api == "tencent-ci":
            target += "?cancel"
            headers = {"Host": self._apis[api]["host"], "Content-Length": "0"}
            now = int(time.time())
            request = SignableRequest(operation.method, target, tuple(headers.items()))
            headers["Authorization"] = qsign.sign(request, **credentials, start=now - 60, end=now + 600)
        else:
            headers = {"X-Auth-Token": credentials["token"], "Content-Type": "application/json"}
        status, body = self._ports[api].ask(operation.method, target, headers)
        record.asked = Asked.ACKNOWLEDGED if status == 200 else Asked.REFUSED
        wanted = 200 if record.start in STATES[record.operation][0] else 403 if api == "tencent-ci" else 400
        if status != wanted:
            raise UnexpectedAnswerError(
                f"the cancel of a job that was {record.start} was answered {status}: {body!r}"
            )

    def state_of(self, record: Record) -> str:
        """Read the state of a job; a status where there is none."""
        status, body = self._states.ask("GET", f"/jobs/{record.operation}/{record.job_id}", {})
        return str(json.loads(body)["state"]) if status == 200 else f"status {status}"

    def close(self) -> None:
        """Hang up."""
        for connection in (self._states, *self._ports.values()):
            connection.close()


@contextmanager
def running_mock(*options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Run a mock on free ports; gives its process and its announcement, and kills it in the end."""
    command = [sys.executable, "-m", "calloff", "mock", "--json", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise SystemExit("crash: the mock did not start")
            yield process, json.loads(line)
        finally:
            process.kill()


def under_load(clients: Sequence[Client], process: subprocess.Popen[str], seconds: float) -> None:
    """Let all clients load the mock, and kill it after so many seconds, yet not before it acknowledged anything."""
    threads = [threading.Thread(target=client.load) for client in clients]
    for thread in threads:
        thread.start()
    begin = time.monotonic()
    while not any(
        record.asked is Asked.ACKNOWLEDGED for client in clients for record in tuple(client.records)
    ):
        if time.monotonic() - begin > PATIENCE:
            break
        time.sleep(0.01)
    time.sleep(seconds)
    process.kill()
    process.wait(PATIENCE)
    for thread in threads:
        thread.join(PATIENCE)


def looked_at(client: Client, records: Sequence[Record]) -> list[str]:
    """Look at jobs and say what is wrong; a cancel that settles later is given its time."""
    deadline = time.monotonic() + SETTLED
    while True:
        faults = [fault for record in records if (fault := record.fault(client.state_of(record)))]
        if not faults or time.monotonic() > deadline:
            return faults
        time.sleep(0.05)


def crash(
    times: int,
    file: Path | None,
    *,
    seed: int = 0,
    longest: float = LONGEST,
    note: Callable[[str], None] = lambda _text: None,
) -> Report:
    """Kill a mock so many times and report what was lost.

    Args:
        times: how often.
        file: of the state; without one every crash loses everything.
        seed: decides the load and how long it lasts.
        longest: seconds of load before a kill, at most.
        note: told what each round did.
    """
    report, drawn = Report(), random.Random(seed)  # noqa: S311 - a run that can be repeated, no secret
    kept = () if file is None else ("--state", str(file))
    rounds: list[list[Record]] = [[]]
    first: dict[str, Any] = {}
    credentials: dict[str, dict[str, str]] = {}
    for number in range(times + 1):
        with running_mock(*kept, *(LATER if number % 2 else ())) as (process, announced):
            given = {name: api["credentials"] for name, api in announced["apis"].items()}
            first = first or given
            if given != first:
                report.faults.append(f"start {number}: other default credentials than at the first start")
            with closing(Client(announced, credentials or given, f"{seed}/{number}")) as client:
                last = number == times
                records = [record for one in rounds for record in one] if last else rounds[-1]
                report.faults += looked_at(client, records)
                if last:
                    break
                following = {name: client.hand_out(name) for name in given}
            names = [f"{seed}/{number}/{index}" for index in range(CLIENTS)]
            clients = [Client(announced, credentials or given, name) for name in names]
            seconds = drawn.uniform(0, longest)
            under_load(clients, process, seconds)
        credentials = following
        report.faults += [client.trouble for client in clients if client.trouble]
        rounds.append([record for client in clients for record in client.records])
        for client in clients:
            client.close()
        report.kills += 1
        counts = Counter(record.asked for record in rounds[-1])
        report.asked.update(counts)
        note(
            f"round {number + 1} of {times}: {counts.total()} jobs, {counts[Asked.ACKNOWLEDGED]} cancels acknowledged, "
            f"{counts[Asked.UNANSWERED]} not answered; killed; {len(report.faults)} found wrong so far"
        )
    ids = Counter((record.operation, record.job_id) for one in rounds for record in one)
    report.faults += [
        f"{' '.join(job)}: the id came {count} times" for job, count in ids.items() if count > 1
    ]
    return report


def main() -> int:
    """Run the command; 1 where anything was lost."""
    parser = argparse.ArgumentParser(description="Kill the mock under load and look for what it lost.")
    parser.add_argument("--times", type=int, default=50, help="how often to kill it (50)")
    parser.add_argument("--seed", type=int, default=0, help="decides the load and its length (0)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = crash(
            given.times,
            Path(folder) / "mock.sqlite",
            seed=given.seed,
            note=lambda text: print(text, flush=True),
        )
    print("\n".join(report.lines()))
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
