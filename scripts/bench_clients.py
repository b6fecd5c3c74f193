"""Compare the clients with their peers, side by side in one run; ``nox -s bench`` runs it.

The server is none of ours: a process of its own answers every request at once with the documented 200, so that the
client is what is measured. Ours sign each request and look at each answer. Their peers are the vendor's SDK for
Python, which signs too; the stock generated client, a bare loop over aiohttp and one over httpx's asynchronous pool,
which sign nothing. Every round measures all of a group one after the other, so that a slow moment of the machine
meets all, and a ratio compares the two of one round. The processor time of the client tells the same with less
spread, where the machine has other work.

Then: what it takes to import each, and to ask for help; and bulks of 10^3, 10^4 and 10^5 cancels, each in a process
of its own, with the time for a cancel and the peak of memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench_report import Group, Limit, chart, markdown, missed

if TYPE_CHECKING:
    from calloff import AsyncHuaweiCloudDliClient

PROJECT = "0" * 32
CI_JOB = "a" + "0" * 32
IN_FLIGHT = 32
SIZES = (1_000, 10_000, 100_000)
OURS = "calloff, signed"
_JSON = b'{"is_success":true,"message":""}'
_ANSWERS = {
    b"D": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: %s\r\nContent-Length: %d\r\n\r\n%s"
    % (b"0" * 32, len(_JSON), _JSON),
    b"P": b"HTTP/1.1 200 OK\r\nx-ci-request-id: %s\r\nContent-Length: 0\r\n\r\n" % (b"0" * 32),
}


# --- the server ---


class _Answering(asyncio.Protocol):
    """Answers each request, which has no body, by the first letter of its method."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._received.endswith(b"\r\n\r\n"):
            answers = _ANSWERS[self._received[:1]] * self._received.count(b"\r\n\r\n")
            self._transport.write(answers)  # type: ignore[attr-defined]
            self._received = b""


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def _serving() -> Iterator[str]:
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline() if process.stdout else '')}"
        finally:
            process.terminate()


def _ids(count: int) -> Iterator[str]:
    return (str(uuid.UUID(int=number)) for number in range(count))


Figures = tuple[float, float]  # cancels a second; microseconds of the client's processor for each


def _groups(title: str, runs: Mapping[str, Sequence[Figures]], limits: Mapping[str, Limit]) -> list[Group]:
    rates = {name: [rate for rate, _ in figures] for name, figures in runs.items()}
    busy = {name: [busy for _, busy in figures] for name, figures in runs.items()}
    return [
        Group(title, "cancels/s", rates, limits),
        Group(f"{title}: processor time of the client for each", "µs", busy, {}),
    ]


# --- one after the other ---

Cancel = Callable[[str], object]


class _Stopwatch:
    """Measures from when it is made: cancels a second, and what each took of this process's processor."""

    def __init__(self) -> None:
        self._started, self._busy = time.perf_counter(), time.process_time()

    def figures(self, count: int) -> Figures:
        busy = time.process_time() - self._busy
        return count / (time.perf_counter() - self._started), busy / count * 1e6


def _ours(url: str) -> Cancel:
    from calloff import AccessKey, HuaweiCloudDliClient

    key = AccessKey("bench", "bench-word")
    client = HuaweiCloudDliClient(region="cn-north-4", project_id=PROJECT, credentials=key, base_url=url)
    return lambda job_id: client.cancel_sql_job(job_id).answer.is_success  # type: ignore[union-attr]


def _stock(url: str) -> Cancel:
    from calloff_clients.huaweicloud_dli import Client
    from calloff_clients.huaweicloud_dli.api.sql_jobs import cancel_sql_job

    client = Client(base_url=url)
    return lambda job_id: cancel_sql_job.sync(PROJECT, job_id, client=client).is_success  # type: ignore[union-attr]


def _official(url: str) -> Cancel:
    from huaweicloudsdkcore.auth.credentials import BasicCredentials
    from huaweicloudsdkdli.v1 import CancelSqlJobRequest, DliClient

    made = DliClient.new_builder().with_credentials(BasicCredentials("bench", "bench-word", PROJECT))
    client = made.with_endpoint(url).build()
    return lambda job_id: client.cancel_sql_job(CancelSqlJobRequest(job_id=job_id)).is_success


def _ours_ci(url: str) -> Cancel:
    from calloff import AccessKey, TencentCiClient

    key = AccessKey("bench", "bench-word")
    client = TencentCiClient(bucket="bench-1250000000", region="ap-beijing", credentials=key, base_url=url)
    return lambda _: client.cancel_ai_job(CI_JOB).status == 200


def _stock_ci(url: str) -> Cancel:
    from calloff_clients.tencent_ci import Client
    from calloff_clients.tencent_ci.api.ai_jobs import cancel_ai_job

    client = Client(base_url=url)
    return lambda _: cancel_ai_job.sync_detailed(CI_JOB, client=client, cancel="").status_code == 200


def _cancelled(cancel: Cancel, count: int) -> Figures:
    watch = _Stopwatch()
    for job_id in _ids(count):
        if not cancel(job_id):
            sys.exit(f"bench: {job_id} was not cancelled")
    return watch.figures(count)


def one_by_one(
    title: str,
    makers: Mapping[str, tuple[Callable[[str], Cancel], Limit | None]],
    url: str,
    rounds: int,
    count: int,
) -> list[Group]:
    """Measure synchronous clients, one request after the other."""
    cancels = {name: maker(url) for name, (maker, _) in makers.items()}
    runs: dict[str, list[Figures]] = {name: [] for name in cancels}
    for cancel in cancels.values():
        _cancelled(cancel, 50)
    for _ in range(rounds):
        for name, cancel in cancels.items():
            runs[name].append(_cancelled(cancel, count))
    limits = {name: limit for name, (_, limit) in makers.items() if limit is not None}
    return _groups(title, runs, limits)


# --- many at once ---


def _client(url: str) -> AsyncHuaweiCloudDliClient:
    from calloff import AccessKey, AsyncHuaweiCloudDliClient

    key = AccessKey("bench", "bench-word")
    return AsyncHuaweiCloudDliClient(region="cn-north-4", project_id=PROJECT, credentials=key, base_url=url)


async def _many(url: str, count: int) -> Figures:
    from calloff import cancel_many

    cancelled = 0
    watch = _Stopwatch()
    async for outcome in cancel_many(
        _client(url), "cancelSqlJob", _ids(count), concurrency=IN_FLIGHT, rate=None
    ):
        cancelled += outcome.result == "cancelled"
    if cancelled != count:
        sys.exit(f"bench: {cancelled} of {count} were cancelled")
    return watch.figures(count)


async def _window(delete: Callable[[str], Awaitable[int]], count: int) -> Figures:
    """Keep a fixed number of requests in flight, and do nothing else."""
    ids = _ids(count)

    async def work() -> None:
        for job_id in ids:
            if await delete(job_id) != 200:
                sys.exit(f"bench: {job_id} was not cancelled")

    watch = _Stopwatch()
    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return watch.figures(count)


async def _bare_aiohttp(url: str, count: int) -> Figures:
    import aiohttp

    async with aiohttp.ClientSession() as session:

        async def delete(job_id: str) -> int:
            async with session.delete(f"{url}/v1.0/{PROJECT}/jobs/{job_id}") as response:
                await response.read()
                return response.status

        return await _window(delete, count)


async def _httpx_pool(url: str, count: int) -> Figures:
    import httpx

    async with httpx.AsyncClient() as client:

        async def delete(job_id: str) -> int:
            return (await client.delete(f"{url}/v1.0/{PROJECT}/jobs/{job_id}")).status_code

        return await _window(delete, count)


def many_at_once(url: str, rounds: int, count: int) -> list[Group]:
    """Measure ``cancel_many`` and its peers with as many requests in flight."""
    # httpx's pool is so slow that a share of the requests tells as much.
    contenders = {
        OURS: (_many, count),
        "bare aiohttp loop, not signed": (_bare_aiohttp, count),
        "httpx's async pool, not signed": (_httpx_pool, max(count // 10, 1)),
    }
    runs: dict[str, list[Figures]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, (contender, share) in contenders.items():
            runs[name].append(asyncio.run(contender(url, share)))
    limits = {"bare aiohttp loop, not signed": Limit(least=0.8)}
    return _groups(f"Many cancels, {IN_FLIGHT} in flight (cancel_many)", runs, limits)


# --- in a process of their own ---


def _bulk(url: str, count: int) -> None:
    """Cancel in bulk, and tell the seconds and the peak of memory, in bytes (Linux)."""
    rate, _ = asyncio.run(_many(url, count))
    status = Path("/proc/self/status").read_text("utf-8")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    print(json.dumps({"seconds": count / rate, "bytes": int(peak.split()[1]) * 1024}))


def bulks(url: str, rounds: int, sizes: Sequence[int]) -> list[Group]:
    """Measure the time for a cancel, and the memory, of bulks of several sizes; the largest stands for ours."""
    names = {size: f"{size:,} cancels" for size in sorted(sizes, reverse=True)}
    seconds: dict[str, list[float]] = {name: [] for name in names.values()}
    memory: dict[str, list[float]] = {name: [] for name in names.values()}
    for _ in range(rounds):
        for size, name in names.items():
            command = [sys.executable, __file__, "--bulk", url, str(size)]
            told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            seconds[name].append(told["seconds"] / size * 1e6)
            memory[name].append(told["bytes"] / 2**20)
    others = list(names.values())[1:]
    return [
        Group("Time for a cancel in bulk", "µs", seconds, {name: Limit(most=1.25) for name in others}),
        Group("Peak of memory of a bulk", "MiB", memory, {name: Limit(most=1.1) for name in others}),
    ]


_TIMED = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"


def imports(rounds: int) -> Group:
    """Measure what it takes to import each, in milliseconds."""
    statements = {
        "from calloff import HuaweiCloudDliClient": "from calloff import HuaweiCloudDliClient",
        "import calloff": "import calloff",
        "import httpx": "import httpx",
        "the official SDK's client": "from huaweicloudsdkdli.v1 import DliClient",
    }
    runs: dict[str, list[float]] = {name: [] for name in statements}
    for counted in (False, *[True] * rounds):  # the first one fills the caches of the disk
        for name, statement in statements.items():
            command = [sys.executable, "-c", _TIMED.format(statement)]
            told = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
            if counted:
                runs[name].append(float(told) * 1000)
    return Group("Import", "ms", runs, {"import httpx": Limit(most=1.2)})


def commands(rounds: int) -> Group:
    """Measure what it takes to be helped by the command line, in milliseconds, processes and all."""
    program = Path(sys.executable).with_name("calloff")
    lines: dict[str, list[str | Path]] = {
        "calloff --help": [program, "--help"],
        "calloff cancel --help": [program, "cancel", "--help"],
        "python -c pass": [sys.executable, "-c", "pass"],
    }
    runs: dict[str, list[float]] = {name: [] for name in lines}
    for counted in (False, *[True] * rounds):
        for name, line in lines.items():
            started = time.perf_counter()
            subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
            if counted:
                runs[name].append((time.perf_counter() - started) * 1000)
    return Group("Help", "ms", runs, {}, absolute={"calloff --help": Limit(most=150.0)})


def measure(rounds: int, count: int, sizes: Sequence[int]) -> list[Group]:
    """Measure everything."""
    dli: Mapping[str, Any] = {
        OURS: (_ours, None),
        "stock generated client, not signed": (_stock, Limit(least=0.9)),
        "official SDK, signed": (_official, Limit(least=2.0)),
    }
    ci: Mapping[str, Any] = {
        OURS: (_ours_ci, None),
        "stock generated client, not signed": (_stock_ci, Limit(least=0.9)),
    }
    with _serving() as url:
        return [
            *one_by_one("One cancel after the other, Huawei Cloud DLI", dli, url, rounds, count),
            *one_by_one("One cancel after the other, Tencent Cloud CI", ci, url, rounds, count),
            *many_at_once(url, rounds, count * 10),
            imports(rounds),
            commands(rounds),
            *bulks(url, max(rounds // 4, 1), sizes),
        ]


def _arguments(given: Iterable[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12, help="how often all are measured")
    parser.add_argument(
        "--count", type=int, default=300, help="cancels one by one of a round; in bulk ten times"
    )
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=SIZES, help="of the bulks in processes of their own"
    )
    parser.add_argument("--chart", type=Path, help="where to write an SVG")
    parser.add_argument("--table", type=Path, help="where to write a table of Markdown")
    parser.add_argument("--no-floors", action="store_true", help="show the figures, whatever they are")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--bulk", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args(None if given is None else list(given))


def main(given: Iterable[str] | None = None) -> int:
    """Measure, show, and return 1 where a ratio misses its limit."""
    options = _arguments(given)
    if options.serve:
        asyncio.run(_serve())
    elif options.bulk:
        _bulk(options.bulk[0], int(options.bulk[1]))
    else:
        groups = measure(options.rounds, options.count, options.sizes)
        print(markdown(groups))
        if options.table:
            options.table.write_text(markdown(groups), "utf-8")
        if options.chart:
            options.chart.write_bytes(chart([groups[0], groups[4]]))
        found = missed(groups)
        for line in found:
            print(f"bench: {line}", file=sys.stderr)
        return int(bool(found) and not options.no_floors)
    return 0


if __name__ == "__main__":
    sys.exit(main())
