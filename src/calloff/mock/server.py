"""The whole server over HTTP in one event loop: a port for each API, the IAM and the provider states."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import signal
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from calloff.apis import APIS
from calloff.errors import InvalidInputError, MissingExtraError
from calloff.mock.connections import ENOUGH, REQUEST_SECONDS, Guard, Limits, raise_open_files
from calloff.mock.dialects import Dialect
from calloff.mock.disturbances import Disturbances
from calloff.mock.jobs_wanted import check_jobs, make_jobs, write_ids
from calloff.mock.mutants import find_mutant
from calloff.mock.site import HIGHEST_PORT, Site, served_names
from calloff.mock.state import ServerState
from calloff.mock.tls import certified

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Generator, Iterable
    from pathlib import Path

    from calloff.apis import ApiName
    from calloff.mock.disturbances import Disturbance
    from calloff.mock.jobs_wanted import JobsWanted
    from calloff.mock.journal import Journal
    from calloff.mock.state_file import StateFile
    from calloff.mock.tls import Tls

LOOPBACK = "127.0.0.1"
START_SECONDS = 10.0
GRACE_SECONDS = 2.0  # how long what is being answered may take when the server ends


@dataclass(frozen=True, slots=True)
class MockServer:
    """A server that is running: what it announces, what it keeps, what disturbs it and what it was asked."""

    announcement: dict[str, Any]
    state: ServerState
    disturbances: Disturbances
    journal: Journal


def check_apis(names: Iterable[str]) -> tuple[ApiName, ...]:
    """Check names of APIs; none at all means every API.

    Raises:
        InvalidInputError: a name that is none.
    """
    wanted = list(names)
    if unknown := [name for name in wanted if name not in APIS]:
        raise InvalidInputError(f"no API {unknown[0]!r}; there are: {', '.join(APIS)}")
    return tuple(name for name in APIS if not wanted or name in wanted)


def _uvicorn(site: Site, limits: Limits) -> Any:
    """Make the HTTP server in front of a site."""
    try:
        import uvicorn

        from calloff.mock.protocol import protocol_for
    except ImportError as error:
        raise MissingExtraError("the mock needs the extra: pip install 'calloff[mock]'") from error

    log = logging.getLogger("uvicorn")
    if not log.handlers:
        log.addHandler(logging.NullHandler())  # without any, Python prints its warnings to stderr

    class Server(uvicorn.Server):
        """Leaves signals to the caller: the embedded server must not touch them. Bounds the handshake of TLS.

        It ends when it is told to, where uvicorn looks ten times per second whether it is to.
        """

        _asked: asyncio.Event | None = None
        _loop: asyncio.AbstractEventLoop | None = None

        def stop(self) -> None:
            """Tell it to end, from any thread."""
            self.should_exit = True
            if self._loop is not None and self._asked is not None:
                with contextlib.suppress(RuntimeError):  # the loop has ended already
                    self._loop.call_soon_threadsafe(self._asked.set)

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            """Listen as uvicorn would, which knows no limit for a handshake; asyncio's own is a minute."""
            loop, protocol = asyncio.get_running_loop(), cast("Any", self.config.http_protocol_class)
            self._asked, self._loop = asyncio.Event(), loop
            bounds: dict[str, Any] = {}
            if site.served is not None:
                bounds = {
                    "ssl": site.served.context,
                    "ssl_handshake_timeout": limits.request_seconds,
                    "ssl_shutdown_timeout": limits.request_seconds,
                }
            make = partial(protocol, config=self.config, server_state=self.server_state, app_state={})
            self.servers = [
                await loop.create_server(make, sock=sock, backlog=limits.backlog, **bounds)
                for sock in sockets or ()
            ]
            self.started = True

        async def main_loop(self) -> None:
            """Wait until it is told to end."""
            if self._asked is not None and not self.should_exit:
                await self._asked.wait()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            """Close as uvicorn would, which waits a tenth of a second even where nobody is left to wait for."""
            for listening in (*self.servers, *(sockets or ())):
                listening.close()
            for connection in list(self.server_state.connections):
                connection.shutdown()
            loop, pause = asyncio.get_running_loop(), 0.0
            deadline = loop.time() + GRACE_SECONDS
            while (self.server_state.connections or self.server_state.tasks) and loop.time() < deadline:
                await asyncio.sleep(pause)
                pause = min(0.05, pause * 2 or 0.001)
            for task in self.server_state.tasks:
                task.cancel()

        @contextlib.contextmanager
        def capture_signals(self) -> Generator[None, None, None]:
            yield

    config = uvicorn.Config(
        site,
        http=site.bend_protocol(
            protocol_for(
                site.app_at, site.count_answer, site.state.clock, Guard(limits), direct=not site.bent
            )
        ),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,  # the protocol writes it by the clock of the server, which may be skewed
        proxy_headers=False,
        timeout_keep_alive=math.ceil(limits.idle_seconds),
    )
    config.load()
    return Server(config)


def _opened(path: Path) -> contextlib.closing[StateFile]:
    from calloff.mock.state_file import StateFile  # only who keeps a file needs SQLite

    return contextlib.closing(StateFile(path))


@contextlib.contextmanager
def _site(
    apis: Iterable[str],
    *,
    host: str,
    port: int,
    dialect: Dialect | None,
    mutant: str | None,
    clock: Callable[[], float],
    seed: int,
    disturbances: Iterable[Disturbance],
    tls: Tls | None,
    speed: float,
    state_file: Path | None,
    jobs: Iterable[JobsWanted],
) -> Generator[Site, None, None]:
    names = check_apis(apis)
    if not 0 <= port <= HIGHEST_PORT:
        raise InvalidInputError(f"expected a port from 1 to {HIGHEST_PORT}, or 0, not {port}")
    found = None if mutant is None else find_mutant(mutant)
    if not 0 <= speed < math.inf:
        raise InvalidInputError(f"expected a speed of 0 or more, not {speed}")
    if mutant is not None and state_file is not None:
        raise InvalidInputError("a state file keeps what a correct server does; leave it out with a mutant")
    running = Disturbances(disturbances, seed=seed)
    wanted = tuple(jobs)
    with contextlib.ExitStack() as stack:
        file = None if state_file is None else stack.enter_context(_opened(state_file))
        state = ServerState(
            names,
            clock=running.clock(clock),
            dialect=dialect or Dialect(),
            seed=seed,
            speed=speed,
            stores=None if file is None else file.stores(),
        )
        check_jobs(wanted, state)
        served = stack.enter_context(certified(tls, served_names(host)))
        site = Site(state, found, running, host=host, port=port, served=served)
        stack.callback(site.close)
        if file is not None:
            file.resume(state)
        with contextlib.nullcontext() if file is None else file.together():
            listed = make_jobs(wanted, state)
        write_ids(listed)
        yield site


@contextlib.contextmanager
def run_embedded(
    apis: Iterable[str] = (),
    *,
    dialect: Dialect | None = None,
    mutant: str | None = None,
    clock: Callable[[], float] = time.time,
    seed: int = 0,
    port: int = 0,
    disturbances: Iterable[Disturbance] = (),
    tls: Tls | None = None,
    speed: float = 0.0,
    state_file: Path | None = None,
    jobs: Iterable[JobsWanted] = (),
    limits: Limits | None = None,
) -> Generator[MockServer, None, None]:
    """Run the server in a thread of its own while the context lasts.

    Args:
        apis: names of the APIs to serve; none means all.
        dialect: the choices where the vendors are silent.
        mutant: name of a requirement to break.
        clock: gives the time in epoch seconds.
        seed: two servers with one seed give out the same ids and keys.
        port: of the provider states, the others follow; 0 takes free ports.
        disturbances: faults to have in force from the start.
        tls: speak TLS on every port; a CA made for it stands in the file that the announcement names.
        speed: how many times faster than in their tables jobs run by themselves; at 0 they stay where they are put.
        state_file: SQLite file in which jobs and credentials outlive the server; made where there is none.
        jobs: those to make before it answers, beside what the state file holds.
        limits: what a client may take; the usual ones without.

    Raises:
        InvalidInputError: an unknown API or mutant, a port that is taken, a certificate that is none, a state
            file that cannot be used, or jobs that there cannot be.
        MissingExtraError: the extra ``mock`` is not installed.
    """
    with _site(
        apis,
        host=LOOPBACK,
        port=port,
        dialect=dialect,
        mutant=mutant,
        clock=clock,
        seed=seed,
        disturbances=disturbances,
        tls=tls,
        speed=speed,
        state_file=state_file,
        jobs=jobs,
    ) as site:
        server = _uvicorn(site, limits or Limits())
        thread = threading.Thread(
            target=lambda: asyncio.run(server.serve(sockets=list(site.sockets.values()))),
            name="calloff-mock",
            daemon=True,
        )
        thread.start()
        try:
            _wait(lambda: server.started or not thread.is_alive())
            if not server.started:
                raise RuntimeError("the mock did not start; its log says why")
            yield MockServer(site.announcement, site.state, site.disturbances, site.journal)
        finally:
            server.stop()
            thread.join(START_SECONDS)


def _wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not done() and time.monotonic() < deadline:
        time.sleep(0.002)


def serve(
    apis: Iterable[str] = (),
    *,
    announce: Callable[[dict[str, Any]], None],
    host: str = LOOPBACK,
    port: int = 8600,
    dialect: Dialect | None = None,
    mutant: str | None = None,
    seed: int = 0,
    disturbances: Iterable[Disturbance] = (),
    tls: Tls | None = None,
    speed: float = 0.0,
    state_file: Path | None = None,
    jobs: Iterable[JobsWanted] = (),
    request_seconds: float = REQUEST_SECONDS,
) -> None:
    """Run the server in the foreground until SIGINT or SIGTERM.

    Args:
        apis: names of the APIs to serve; none means all.
        announce: called once with the announcement, when every port answers.
        host: address to listen on.
        port: of the provider states, the others follow at fixed distances; 0 takes free ports.
        dialect: the choices where the vendors are silent.
        mutant: name of a requirement to break.
        seed: two servers with one seed give out the same ids and keys.
        disturbances: faults to have in force from the start.
        tls: speak TLS on every port; a CA made for it stands in the file that the announcement names.
        speed: how many times faster than in their tables jobs run by themselves; at 0 they stay where they are put.
        state_file: SQLite file in which jobs and credentials outlive the server; made where there is none.
        jobs: those to make before it answers, beside what the state file holds.
        request_seconds: how long a request may take to arrive.

    Raises:
        InvalidInputError: an unknown API or mutant, a port that is taken, a certificate that is none, a state
            file that cannot be used, or jobs that there cannot be.
        MissingExtraError: the extra ``mock`` is not installed.
    """
    with _site(
        apis,
        host=host,
        port=port,
        dialect=dialect,
        mutant=mutant,
        clock=time.time,
        seed=seed,
        disturbances=disturbances,
        tls=tls,
        speed=speed,
        state_file=state_file,
        jobs=jobs,
    ) as site:
        server = _uvicorn(site, _own_limits(request_seconds))
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(server, site, announce))


def _own_limits(request_seconds: float) -> Limits:
    """Allow as many connections as this process may have; says where those are few."""
    raise_open_files()
    limits = Limits(request_seconds)
    if limits.connections < ENOUGH:
        logging.getLogger("calloff.mock").warning(
            "the system lets the mock have no more than %d connections at once; a higher limit of open files "
            "(ulimit -n) allows more",
            limits.connections,
        )
    return limits


async def _serve(server: Any, site: Site, announce: Callable[[dict[str, Any]], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError):  # Windows, or not in the main thread
            loop.add_signal_handler(number, server.stop)
    running = asyncio.create_task(server.serve(sockets=list(site.sockets.values())))
    while not server.started and not running.done():
        await asyncio.sleep(0.002)
    if server.started:
        announce(site.announcement)
    await running


def announcement_line(announcement: dict[str, Any]) -> str:
    """Write an announcement as the one line that ``--json`` promises."""
    return json.dumps(announcement, separators=(",", ":"))
