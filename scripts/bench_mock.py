"""Compare the requests per second of our mock and of Prism; ``nox -s bench`` runs it.

Counted are accepted ``cancelSqlJob`` of OTC, one process for each server. Ours gets requests signed with
SDK-HMAC-SHA256, each for a job of its own that is RUNNING: it checks the signature and cancels the job, and
afterwards every job must be CANCELLED. Prism gets the same request without a signature (an ``X-Auth-Token`` of which
it asks only whether it is there), keeps no state, and serves the same document. Both are started as their users start
them: so Prism writes lines about each request (to /dev/null), and ours notes each in the journal that its control
interface shows. The ratio to a Prism that logs nothing (``--verboseLevel silent``) is shown beside it.
Beside the rates stands the time that each server's process had a processor for, per request: other work of the machine
changes that less.
The requests are written before the clock starts. They go over the same number of kept connections, several under way
on each, and every answer is looked at; the client waits for its sockets most of the time. Every repetition measures
both, so that a slow moment of the machine meets both, and a ratio compares the two of one repetition.

The second part fills a mock with many jobs: bytes of memory per job, and the rate with them as a share of the rate
with a hundred. Batches go to either server in turn; every request of them cancels a job that is RUNNING.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calloff.apis import APIS, ApiName
from calloff.mock.server import MockServer, run_embedded
from calloff.resources import spec_path
from calloff.signing import sdk_hmac
from calloff.signing.request import SignableRequest

API: ApiName = "otc-dli"
OPERATION = f"{API}/cancelSqlJob"
PRISM = Path(__file__).resolve().parent / "prism"
ACCEPTED = b'{"is_success":true,"message":""}'
HEAD = b"HTTP/1.1 "
PATIENCE = 60.0  # seconds
BASELINES = {"prism": (), "prism, silent": ("--verboseLevel", "silent")}
HUNDRED = 100  # jobs, and requests in a batch of the second part


# --- the servers ---


def resident() -> int:
    """Return the bytes of memory that this process holds (Linux)."""
    line = next(line for line in Path("/proc/self/status").read_text("utf-8").splitlines() if "VmRSS" in line)
    return int(line.split()[1]) * 1024


def processor_seconds(process: int) -> float:
    """Return for how long a process had a processor (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # in user mode, in the kernel


def serve_commands() -> None:
    """Run a mock and obey lines of JSON: make jobs, put them back to RUNNING, count their states."""
    with run_embedded([API]) as server:
        print(json.dumps(server.announcement), flush=True)
        told: list[str] = []
        for line in sys.stdin:
            print(json.dumps(_obey(server, told, json.loads(line))), flush=True)


def _obey(server: MockServer, told: list[str], command: dict[str, int]) -> dict[str, Any]:
    state, owner = server.state, server.state.owners[API][0]
    if "make" in command:
        before = resident()
        ids = [state.new_job(OPERATION, owner, "RUNNING").id for _ in range(command["make"])]
        grown = resident() - before
        told[:] = ids if len(ids) <= command["tell"] else random.Random(0).sample(ids, command["tell"])  # noqa: S311 - picks, guards nothing
        return {"ids": told, "bytes": grown}
    jobs = [state.jobs.find(OPERATION, owner, job_id) for job_id in told]
    found = [job for job in jobs if job is not None]
    now = state.clock()
    answer = {"cancelled": sum(job.state(now) == "CANCELLED" for job in found)}
    if "restore" in command:
        for job in found:
            job.put("RUNNING")
    if "forget" in command:
        state.forget()
    return answer


@dataclass
class Mock:
    """Our mock in a process of its own."""

    process: subprocess.Popen[str]
    announcement: dict[str, Any]

    def ask(self, **command: int) -> dict[str, Any]:
        """Send one command and return the answer."""
        if self.process.stdin is None or self.process.stdout is None:
            raise RuntimeError("the mock has no pipes")
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit("bench: the mock ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def signed(self, ids: Sequence[str]) -> list[bytes]:
        """Write a signed request for each job."""
        api = self.announcement["apis"][API]
        host = api["base_url"].removeprefix("http://")
        date = sdk_hmac.format_date(time.time())
        keys = api["credentials"]
        requests = []
        for job_id in ids:
            target = f"/v1.0/{api['project_id']}/jobs/{job_id}"
            headers = (("host", host), ("x-sdk-date", date))
            signature = sdk_hmac.sign(
                SignableRequest("DELETE", target, headers),
                access_key=keys["access_key"],
                secret_key=keys["secret_key"],
            )
            requests.append(
                f"DELETE {target} HTTP/1.1\r\nHost: {host}\r\nX-Sdk-Date: {date}\r\n"
                f"Authorization: {signature}\r\n\r\n".encode()
            )
        return requests


@contextmanager
def running_mock() -> Iterator[Mock]:
    """Run our mock in a process of its own."""
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                sys.exit("bench: the mock did not start")
            yield Mock(process, json.loads(line))
        finally:
            process.terminate()


@contextmanager
def running_prism(*options: str) -> Iterator[tuple[int, int]]:
    """Run Prism on the document of the API, with *options*, and yield its port and its process."""
    program = PRISM / "node_modules" / "@stoplight" / "prism-cli" / "dist" / "index.js"
    if not program.exists():
        sys.exit(f"bench: Prism is not installed; run: npm ci --prefix {PRISM.relative_to(Path.cwd())}")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    command = ["node", str(program), "mock", *options, "--port", str(port)]
    command.append(str(spec_path(APIS[API].document)))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            _wait_for(port)
            yield port, process.pid
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    sys.exit("bench: Prism did not start")


def unsigned(port: int, project_id: str, ids: Sequence[str]) -> list[bytes]:
    """Write a request without signature for each id."""
    start = f"DELETE /v1.0/{project_id}/jobs/"
    rest = f" HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Auth-Token: x\r\n\r\n"
    return [f"{start}{job_id}{rest}".encode() for job_id in ids]


# --- the load ---


@dataclass
class Connection:
    """A kept connection, the requests it has still to send, and how many answers are due."""

    socket: socket.socket
    requests: list[bytes] = field(default_factory=list)
    sent: int = 0
    due: int = 0
    rest: bytes = b""


class Load:
    """Requests to one server over kept connections, with at most ``depth`` under way on each."""

    def __init__(self, port: int, options: argparse.Namespace) -> None:
        self._address = ("127.0.0.1", port)
        self._depth: int = options.depth
        self._count: int = options.connections

    def _connect(self) -> Connection:
        connection = Connection(socket.create_connection(self._address, timeout=PATIENCE))
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def run(self, requests: Sequence[bytes]) -> float:
        """Send the requests, hold that each is accepted, and return the seconds until the last answer."""
        with ExitStack() as stack:
            selector = stack.enter_context(selectors.DefaultSelector())
            connections = [self._connect() for _ in range(self._count)]
            for index, connection in enumerate(connections):
                stack.enter_context(connection.socket)
                connection.requests = list(requests[index :: self._count])
                selector.register(connection.socket, selectors.EVENT_READ, connection)
            began = time.perf_counter()
            for connection in connections:
                self._send(connection)
            waiting = sum(connection.due > 0 for connection in connections)
            while waiting:
                ready = selector.select(PATIENCE)
                if not ready:
                    sys.exit("bench: an answer did not come")
                for key, _ in ready:
                    connection = key.data
                    self._receive(connection)
                    if not connection.due:
                        self._send(connection)
                        waiting -= not connection.due
            return time.perf_counter() - began

    def _send(self, connection: Connection) -> None:
        batch = connection.requests[connection.sent : connection.sent + self._depth]
        if batch:
            connection.socket.sendall(b"".join(batch))
        connection.sent += len(batch)
        connection.due = len(batch)

    def _receive(self, connection: Connection) -> None:
        data = connection.socket.recv(65536)
        if not data:
            sys.exit("bench: the server hung up")
        text = connection.rest + data
        accepted = text.count(ACCEPTED)
        if text.count(HEAD) != text.count(HEAD + b"200 "):
            sys.exit(f"bench: a request was refused: {text[:400].decode('latin-1')}")
        connection.due -= accepted
        cut = text.rfind(ACCEPTED)
        connection.rest = text if cut < 0 else text[cut + len(ACCEPTED) :]


# --- the measurements ---


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return least, median and greatest of *values*."""
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def port_of(mock: Mock) -> int:
    """Return the port of the API."""
    return int(mock.announcement["apis"][API]["base_url"].rpartition(":")[2])


def timed(load: Load, requests: Sequence[bytes], process: int) -> tuple[float, float]:
    """Return the requests per second of a server, and its processor's microseconds for each."""
    before = processor_seconds(process)
    rate = len(requests) / load.run(requests)
    return rate, (processor_seconds(process) - before) * 1e6 / len(requests)


def measure_ours(mock: Mock, load: Load, count: int) -> tuple[float, float]:
    """Return `timed` of our mock over fresh jobs, all of which must be cancelled by it."""
    requests = mock.signed(mock.ask(make=count, tell=count)["ids"])
    measured = timed(load, requests, mock.process.pid)
    if (cancelled := mock.ask(forget=1)["cancelled"]) != count:
        sys.exit(f"bench: of {count} accepted cancels {cancelled} were done")
    return measured


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Return the rates of the servers, the ratios of ours to each Prism in the same repetition, and the costs."""
    rates: dict[str, list[float]] = {"calloff": [], **{name: [] for name in BASELINES}}
    costs: dict[str, list[float]] = {name: [] for name in rates}
    with ExitStack() as stack:
        mock = stack.enter_context(running_mock())
        ours = Load(port_of(mock), options)
        project = mock.announcement["apis"][API]["project_id"]
        ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(options.prism_requests)]
        theirs = {}
        for name, arguments in BASELINES.items():
            port, process = stack.enter_context(running_prism(*arguments))
            theirs[name] = Load(port, options), unsigned(port, project, ids), process
        for load, requests, _ in theirs.values():
            load.run(requests)  # all have compiled and cached what they will
        measure_ours(mock, ours, options.requests // 4)
        for repetition in range(options.repetitions):
            measured = {name: timed(*each) for name, each in theirs.items()}
            measured["calloff"] = measure_ours(mock, ours, options.requests)
            for name, (rate, cost) in measured.items():
                rates[name].append(rate)
                costs[name].append(cost)
            shown = ", ".join(f"{name} {values[-1]:.0f}/s" for name, values in rates.items())
            print(f"{repetition + 1}/{options.repetitions}: {shown}", file=sys.stderr)
    return {
        "rates": {name: spread(values) for name, values in rates.items()},
        "ratios": {
            name: spread([mine / other for mine, other in zip(rates["calloff"], rates[name], strict=True)])
            for name in BASELINES
        },
        "costs": {name: spread(values) for name, values in costs.items()},
    }


def fill(options: argparse.Namespace) -> dict[str, Any]:
    """Return the bytes per job of a full mock, and its rate as a share of the rate with a hundred jobs."""
    shares, rates = [], []
    with ExitStack() as stack:
        few, many = stack.enter_context(running_mock()), stack.enter_context(running_mock())
        few_ids = few.ask(make=HUNDRED, tell=HUNDRED)["ids"]
        made = many.ask(make=options.jobs, tell=options.batches * HUNDRED)
        loads = [Load(port_of(mock), options) for mock in (few, many)]
        few_requests, many_requests = few.signed(few_ids), many.signed(made["ids"])
        for _ in range(options.repetitions):
            seconds = [0.0, 0.0]
            for start in range(0, len(many_requests), HUNDRED):
                seconds[0] += loads[0].run(few_requests)
                seconds[1] += loads[1].run(many_requests[start : start + HUNDRED])
                few.ask(restore=1)
            if many.ask(restore=1)["cancelled"] != len(many_requests):
                sys.exit("bench: an accepted cancel was not done")
            shares.append(seconds[0] / seconds[1])
            rates.append(len(many_requests) / seconds[1])
    return {
        "jobs": options.jobs,
        "bytes_per_job": made["bytes"] / options.jobs,
        "rate": spread(rates),
        "share": spread(shares),
    }


def table(measured: dict[str, Any]) -> str:
    """Write *measured* for people."""

    def written(values: dict[str, float], digits: int) -> str:
        return " ".join(f"{values[name]:>9.{digits}f}" for name in ("min", "median", "max"))

    lines = [f"{'':<34} {'min':>9} {'median':>9} {'max':>9}"]
    if "ratios" in measured:
        lines += [
            f"{name + ', requests/s':<34} {written(rate, 0)}" for name, rate in measured["rates"].items()
        ]
        lines += [
            f"{'ratio to ' + name:<34} {written(ratio, 1)}" for name, ratio in measured["ratios"].items()
        ]
        lines += [
            f"{name + ', CPU µs/request':<34} {written(cost, 0)}" for name, cost in measured["costs"].items()
        ]
    if "full" in measured:
        full = measured["full"]
        lines.append(
            f"{'with ' + format(full['jobs'], ',') + ' jobs, requests/s':<34} {written(full['rate'], 0)}"
        )
        lines.append(f"{'share of the rate with 100 jobs':<34} {written(full['share'], 2)}")
        lines.append(f"{'bytes per job':<34} {full['bytes_per_job']:>9.0f}")
    return "\n".join(lines)


def below(measured: dict[str, Any], floor: float, *, least_share: float, most_bytes: float) -> list[str]:
    """Return a sentence for each limit that was missed."""
    missed = []
    if "ratios" in measured and (ratio := measured["ratios"]["prism"]["median"]) < floor:
        missed.append(f"the median ratio to Prism is {ratio:.1f}, under the floor of {floor:g}")
    if "full" in measured:
        full = measured["full"]
        if (share := full["share"]["median"]) < least_share:
            missed.append(f"with {full['jobs']} jobs the median share is {share:.2f}, under {least_share:g}")
        if (size := full["bytes_per_job"]) >= most_bytes:
            missed.append(f"a job takes {size:.0f} bytes, not under {most_bytes:g}")
    return missed


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--requests", type=int, default=20_000, help="to our mock, in each repetition")
    parser.add_argument("--prism-requests", type=int, default=2_000, help="to Prism, in each repetition")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--depth", type=int, default=32, help="requests under way on each connection")
    parser.add_argument("--jobs", type=int, default=1_000_000, help="of the second part; 0 leaves it out")
    parser.add_argument("--batches", type=int, default=100, help="of a hundred requests, in the second part")
    parser.add_argument("--floor", type=float, default=10, help="least median ratio to Prism; 0 for none")
    parser.add_argument("--least-share", type=float, default=0.9, help="of the rate, with many jobs")
    parser.add_argument("--most-bytes", type=float, default=1000, help="of memory per job")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--without-prism", action="store_true", help="leave the first part out")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        serve_commands()
        return 0
    if min(options.repetitions, options.requests, options.connections, options.depth) < 1:
        parser.error("expected numbers of at least 1")
    measured: dict[str, Any] = {} if options.without_prism else compare(options)
    if options.jobs:
        measured["full"] = fill(options)
    print(json.dumps(measured, indent=1) if options.json else table(measured))
    missed = below(measured, options.floor, least_share=options.least_share, most_bytes=options.most_bytes)
    for sentence in missed:
        print(f"bench: {sentence}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
