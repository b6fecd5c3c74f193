"""Send a mock good, bad and hostile requests for long, and hold its memory; ``nox -s soak`` runs it.

The requests come in rounds of equal size and mix. Good ones cancel a fresh job, in turn with each way to sign that the
APIs have; bad ones are whole requests that must be refused; hostile ones are mangled, cut off, chunked wrongly, too
long, or bombs for the JSON of control, provider states and IAM. Every round ends with the provider states forgotten,
as a client may. Beside them slow clients hold connections open with half a request, and one client measures how
long it waits for an answer. Held are: no answer of 500 or above, no traceback in an answer, every good request
accepted, and resident memory after the last round at most five percent over that after the second. After the rounds
thousands of connections are opened and left idle, and then used; the system must allow that many open files.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import resource
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from calloff.signing import qsign, sdk_hmac
from calloff.signing.request import SignableRequest

ROUNDS = 10
BATCH = 50  # requests over one connection before the next is opened
SLOW = 50  # clients that never end their request
MOST_GROWTH = 0.05
IDLE_SECONDS = 5.0
TIMEOUT = 30.0  # seconds
OPERATIONS = {
    "otc-dli": ("cancelSqlJob", "DELETE", "/v1.0/{project}/jobs/{job}"),
    "huaweicloud-dli": ("cancelSqlJob", "DELETE", "/v1.0/{project}/jobs/{job}"),
    "tencent-ci": ("cancelAiJob", "PUT", "/ai_jobs/{job}?cancel"),
}
READY = {"otc-dli": "RUNNING", "huaweicloud-dli": "RUNNING", "tencent-ci": "Submitted"}
FRAGMENTS = (
    *(b"\r\n", b"\n", b"\x00", b"\xff", b"%00", b"..", b"//", b"#", b" ", b":", b"HTTP/2.0", b"http://[::1"),
    *(b"Content-Length: -1\r\n", b"Content-Length: 99999999999999999999\r\n", b"Host: y\r\n"),
    *(
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: upgrade\r\nUpgrade: h2c\r\n",
        b"x: y\r\n" * 500,
        b"a" * 40_000,
    ),
)
CHUNKS = (
    b"5\r\nabcde\r\n",
    b"5\r\nab",
    b"g\r\n",
    b"-1\r\n",
    b"ffffffffffffffffff\r\n",
    b"0\r\n\r\n",
    b"1;" + b"x" * 9000,
)
BOMBS = (
    b"[" * 30_000,
    b'{"a":' * 9_000,
    b'{"kind":"latency","seconds":' + b"9" * 30_000 + b"}",
    b"\xff" * 999,
)
PLACES = (
    *(("states", b"/control/disturbances"), ("states", b"/provider-states/jobs")),
    *(("iam", b"/v3/auth/tokens"), ("iam", b"/v3.0/OS-CREDENTIAL/securitytokens")),
)


@dataclass(frozen=True)
class Round:
    """What one round showed: requests sent, seconds, resident bytes, and what others waited, in milliseconds."""

    requests: int
    seconds: float
    resident: int
    waited_median: float
    waited_most: float


class Site:
    """The addresses and credentials of a running mock."""

    def __init__(self, announcement: Mapping[str, Any]) -> None:
        self.apis: Mapping[str, Any] = announcement["apis"]
        urls = {name: api["base_url"] for name, api in self.apis.items()}
        urls |= {
            "iam": announcement["iam_url"],
            "states": announcement["control_url"].removesuffix("/control"),
        }
        self.addresses = {name: ("127.0.0.1", int(url.rpartition(":")[2])) for name, url in urls.items()}

    def connect(self, name: str) -> socket.socket:
        """Open a connection to one of its ports."""
        return socket.create_connection(self.addresses[name], timeout=TIMEOUT)

    def fresh_keys(self, name: str) -> Mapping[str, str]:
        """Ask for an access key of its own: one that many bad signatures may lock."""
        with self.connect("states") as connection:
            wanted = json.dumps({"api": name, "kind": "good"}).encode()
            connection.sendall(call(b"POST", b"/provider-states/credentials", wanted))
            [(_, body)] = answered(connection, 1)
        keys: Mapping[str, str] = json.loads(body)
        return keys

    def signed(self, name: str, job: str, keys: Mapping[str, str] | None = None) -> bytes:
        """Write a cancel with a correct signature, by the announced key or by *keys*."""
        api, (_, method, template) = self.apis[name], OPERATIONS[name]
        target = template.format(project=api.get("project_id"), job=job)
        host = api.get("host", "mock.example")
        keys, now = keys or api["credentials"], int(time.time())
        if name == "tencent-ci":
            headers = [("host", host)]
            authorization = qsign.sign(
                SignableRequest(method, target, tuple(headers)),
                secret_id=keys["secret_id"],
                secret_key=keys["secret_key"],
                start=now - 60,
                end=now + 600,
            )
        else:
            headers = [
                ("host", host),
                ("x-sdk-date", sdk_hmac.format_date(now)),
                ("content-type", "application/json"),
            ]
            authorization = sdk_hmac.sign(
                SignableRequest(method, target, tuple(headers)),
                access_key=keys["access_key"],
                secret_key=keys["secret_key"],
            )
        lines = "".join(f"{key}: {value}\r\n" for key, value in [*headers, ("authorization", authorization)])
        return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode()

    def job_wanted(self, name: str) -> bytes:
        """Write a call for a job that can be cancelled."""
        wanted = {"api": name, "operation": OPERATIONS[name][0], "state": READY[name], "owner": "self"}
        return call(b"POST", b"/provider-states/jobs", json.dumps(wanted).encode())


def call(method: bytes, path: bytes, body: bytes = b"") -> bytes:
    """Write a request of the plain kind."""
    return b"%b %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (method, path, len(body), body)


# --- talking ---


def answered(connection: socket.socket, count: int) -> list[tuple[int, bytes]]:
    """Read a number of answers, each with a Content-Length or none and no body."""
    found: list[tuple[int, bytes]] = []
    data = b""
    while len(found) < count:
        head, end, rest = data.partition(b"\r\n\r\n")
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0) if end else 0
        if end and len(rest) >= length:
            found.append((int(head[9:12]), rest[:length]))
            data = rest[length:]
            continue
        part = connection.recv(65536)
        if not part:
            raise ConnectionError("the mock ended a connection that it should have kept")
        data += part
    return found


def statuses(connection: socket.socket) -> tuple[list[int], bytes]:
    """Read until the mock ends the connection; give the statuses and all that came."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            data += part
    return [int(part[:3]) for part in data.split(b"HTTP/1.1 ")[1:] if part[:3].isdigit()], data


class Soak:
    """The rounds against one mock, and what they showed."""

    def __init__(self, site: Site, seed: int) -> None:
        self._site = site
        self._random = random.Random(seed)  # noqa: S311 - picks, guards nothing
        self.statuses: Counter[int] = Counter()
        self.unplanned = 0
        self.refused = 0
        self.tracebacks = 0

    def round(self, requests: int) -> int:
        """Send a round: of ten requests four are good, three bad, three hostile; return how many were sent."""
        sent = 0
        while sent < requests:
            name = self._random.choice(list(OPERATIONS))
            sent += self._good(name, 2 * BATCH // 5) + self._bad(name, 3 * BATCH // 5)
            keys = self._site.fresh_keys(name)
            for _ in range(3 * BATCH // 5):
                sent += self._hostile(name, keys)
            sent += 1
        with self._site.connect("states") as connection:
            connection.sendall(call(b"DELETE", b"/provider-states"))
            answered(connection, 1)
        return sent + 1

    def _good(self, name: str, count: int) -> int:
        """Ask for jobs and cancel each."""
        with self._site.connect("states") as states, self._site.connect(name) as api:
            states.sendall(self._site.job_wanted(name) * count)
            jobs = [json.loads(body)["job_id"] for _, body in answered(states, count)]
            api.sendall(b"".join(self._site.signed(name, job) for job in jobs))
            found = answered(api, count)
        self._note([status for status, _ in found], b"")
        self.refused += sum(status != 200 for status, _ in found)
        return 2 * count

    def _bad(self, name: str, count: int) -> int:
        """Send whole requests that must be refused, over one connection."""
        _, method, template = OPERATIONS[name]
        words = bytes(self._random.choices(range(0x30, 0x7B), k=12)).replace(b"?", b"x")
        target = template.format(project="x", job=words.decode()).encode()
        keys = self._site.fresh_keys(name)
        requests = [
            call(method.encode(), target),
            call(b"GET", target),
            call(b"POST", b"/" + words, words),
            self._site.signed(name, "no-such-job", keys),
            self._site.signed(name, "no-such-job", keys).replace(b"no-such-job", words),
        ]
        with self._site.connect(name) as connection:
            chosen = [requests[number % len(requests)] for number in range(count)]
            connection.sendall(b"".join(chosen))
            found = answered(connection, len(chosen))
        self._note([status for status, _ in found], b"".join(body for _, body in found))
        self.refused += sum(status < 400 for status, _ in found)
        return len(chosen) + 1

    def _hostile(self, name: str, keys: Mapping[str, str]) -> int:
        """Send one request that is none, or a bomb, over a connection of its own."""
        kind = self._random.randrange(10)
        if kind < 2:
            name, path = self._random.choice(PLACES)
            data = call(b"POST", path, self._random.choice(BOMBS))
        elif kind < 4:
            name = self._random.choice(list(self._site.addresses))
            chunks = b"".join(self._random.choices(CHUNKS, k=3))
            data = b"PUT /ai_jobs/x?cancel HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
        else:
            data = self._mangled(self._site.signed(name, "x", keys))
        with self._site.connect(name) as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
            self._note(*statuses(connection))
        return 1

    def _mangled(self, data: bytes) -> bytes:
        for _ in range(self._random.randint(1, 3)):
            start = self._random.randrange(len(data))
            end = start + self._random.choice((0, 1, 8))
            data = data[:start] + self._random.choice(FRAGMENTS) + data[end:]
        return data[: self._random.randrange(len(data))] if self._random.random() < 0.2 else data

    def _note(self, found: Sequence[int], text: bytes) -> None:
        self.statuses.update(found)
        self.unplanned += sum(status >= 500 for status in found)
        self.tracebacks += b"Traceback" in text


class Bystander:
    """Another client of the mock, and what it waited for each answer."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.waited: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def taken(self) -> list[float]:
        """Give the milliseconds since the last call."""
        waited, self.waited = self.waited, []
        return waited or [0.0]

    def _run(self) -> None:
        with self._site.connect("otc-dli") as connection:
            while not self._stop.wait(0.05):
                began = time.perf_counter()
                connection.sendall(call(b"DELETE", b"/v1.0/p/jobs/x"))
                answered(connection, 1)
                self.waited.append((time.perf_counter() - began) * 1000)


@contextlib.contextmanager
def slow_clients(site: Site) -> Iterator[None]:
    """Hold connections open that never end their request; the mock may end them."""
    with contextlib.ExitStack() as stack:
        for _ in range(SLOW):
            connection = stack.enter_context(site.connect("otc-dli"))
            connection.sendall(b"DELETE /v1.0/p/jobs/x HTTP/1.1\r\nHost: x\r\n")
        yield


@contextlib.contextmanager
def running_mock() -> Iterator[tuple[Site, int]]:
    """Run a mock of all APIs in a process of its own; give its addresses and its process id."""
    command = [sys.executable, "-m", "calloff", "mock", "--json", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                sys.exit("soak: the mock did not start")
            yield Site(json.loads(line)), process.pid
        finally:
            process.terminate()


def resident(process: int) -> int:
    """Return the bytes of memory that a process holds (Linux)."""
    lines = Path(f"/proc/{process}/status").read_text("utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) * 1024


def idle_connections(site: Site, bystander: Bystander, wanted: int) -> dict[str, float]:
    """Open idle connections, see what another client waits beside them, then use every one of them.

    Where the system allows this process fewer, there are fewer; the mock may end none of them.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, wanted + 200)), hard))
    count = min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(site.connect("otc-dli")) for _ in range(count)]
        bystander.taken()
        time.sleep(IDLE_SECONDS)
        waited = bystander.taken()
        served = 0
        for connection in held:
            with contextlib.suppress(ConnectionError):
                connection.sendall(call(b"DELETE", b"/v1.0/p/jobs/x"))
                served += answered(connection, 1)[0][0] == 401
    return {
        "open": count,
        "served": served,
        "waited_median": statistics.median(waited),
        "waited_most": max(waited),
    }


def soak(requests: int, seed: int, most_seconds: float, idle_count: int) -> dict[str, Any]:
    """Run the rounds and return what they showed; a time limit ends after a whole round."""
    rounds: list[Round] = []
    with running_mock() as (site, process), Bystander(site) as bystander:
        running = Soak(site, seed)
        size, started = -(-requests // ROUNDS), time.perf_counter()
        for number in range(1, ROUNDS + 1):
            began = time.perf_counter()
            with slow_clients(site):
                sent = running.round(size)
            seconds = time.perf_counter() - began
            waited = bystander.taken()
            rounds.append(Round(sent, seconds, resident(process), statistics.median(waited), max(waited)))
            print(_line(number, rounds[-1]), file=sys.stderr, flush=True)
            if number == 1 and most_seconds:
                size = max(1, int(size * min(1.0, most_seconds / ROUNDS / seconds)))
        total = time.perf_counter() - started
        idle = idle_connections(site, bystander, idle_count)
    return {
        "idle": idle,
        "requests": sum(each.requests for each in rounds),
        "seconds": total,
        "rounds": [asdict(each) for each in rounds],
        "growth": rounds[-1].resident / rounds[1].resident - 1,
        "statuses": {str(status): count for status, count in sorted(running.statuses.items())},
        "unplanned": running.unplanned,
        "tracebacks": running.tracebacks,
        "refused": running.refused,
    }


def _line(number: int, shown: Round) -> str:
    return (
        f"{number:>5} {shown.requests:>10,} {shown.seconds:>9.1f} {shown.requests / shown.seconds:>11,.0f} "
        f"{shown.resident / 2**20:>9.1f} {shown.waited_median:>11.1f} {shown.waited_most:>9.1f}"
    )


def table(measured: Mapping[str, Any]) -> str:
    """Write what was measured for people."""
    lines = [
        f"{'round':>5} {'requests':>10} {'seconds':>9} {'requests/s':>11} {'RSS, MB':>9} {'waited, ms':>11} {'most':>9}"
    ]
    lines += [_line(number, Round(**each)) for number, each in enumerate(measured["rounds"], 1)]
    answers = ", ".join(f"{status}: {count:,}" for status, count in measured["statuses"].items())
    return "\n".join(
        [
            *lines,
            f"{measured['requests']:,} requests in {measured['seconds']:.0f} s; memory after the last round "
            f"{measured['growth']:+.1%} against the second; unplanned 5xx: {measured['unplanned']}.",
            f"Answers: {answers}",
            f"Beside {measured['idle']['open']:,} idle connections another client waited "
            f"{measured['idle']['waited_median']:.1f} ms, at most {measured['idle']['waited_most']:.1f} ms; afterwards "
            f"{measured['idle']['served']:,} of them were served.",
        ]
    )


def faults(measured: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each thing that does not hold."""
    found = []
    if measured["growth"] > MOST_GROWTH:
        found.append(
            f"memory grew by {measured['growth']:.1%} from the second round to the last, over {MOST_GROWTH:.0%}"
        )
    if (idle := measured["idle"])["served"] < idle["open"]:
        found.append(f"of {idle['open']} idle connections {idle['open'] - idle['served']} were not served")
    if measured["unplanned"]:
        found.append(f"{measured['unplanned']} answers were 500 or above")
    if measured["tracebacks"]:
        found.append(f"{measured['tracebacks']} answers show a traceback")
    if measured["refused"]:
        found.append(f"{measured['refused']} requests were refused that are good, or accepted that are not")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak, print, and return 1 where something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=1_000_000, help="in all rounds together")
    parser.add_argument(
        "--seconds", type=float, default=0, help="make the rounds after the first smaller to end by then"
    )
    parser.add_argument(
        "--idle", type=int, default=10_000, help="connections that are idle, after the rounds"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON too")
    options = parser.parse_args(arguments)
    if options.requests < ROUNDS:
        parser.error(f"expected at least {ROUNDS} requests, not {options.requests}")
    measured = soak(options.requests, options.seed, options.seconds, options.idle)
    print(table(measured))
    if options.json:
        options.json.write_text(json.dumps(measured, indent=1) + "\n", "utf-8")
    found = faults(measured)
    for sentence in found:
        print(f"soak: {sentence}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
