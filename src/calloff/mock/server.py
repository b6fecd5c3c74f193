"""The whole server over HTTP in one event loop: a port for each API, the IAM and the provider states."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from calloff.apis import APIS
from calloff.errors import InvalidInputError, MissingExtraError
from calloff.mock.app import create_app
from calloff.mock.dialects import Dialect
from calloff.mock.disturbances import Disturbances
from calloff.mock.iam import Iam
from calloff.mock.journal import Journal
from calloff.mock.mutants import find_mutant
from calloff.mock.provider_states import ROOT, ProviderStates, ci_host
from calloff.mock.state import ServerState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterable, MutableMapping

    from calloff.apis import ApiName
    from calloff.mock.disturbances import Disturbance
    from calloff.mock.mutants import Mutant

    AsgiApp = Callable[
        [
            MutableMapping[str, Any],
            Callable[[], Awaitable[MutableMapping[str, Any]]],
            Callable[[MutableMapping[str, Any]], Awaitable[None]],
        ],
        Awaitable[None],
    ]

LOOPBACK = "127.0.0.1"
START_SECONDS = 10.0
_STATES, _IAM = "provider-states", "iam"
_OFFSETS: dict[str, int] = {name: index for index, name in enumerate((_STATES, *APIS, _IAM))}


@dataclass(frozen=True, slots=True)
class MockServer:
    """A server that is running: what it announces, and what it keeps."""

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


class _Site:
    """Applications and listening sockets, one of each per name, and the ASGI application in front of them."""

    def __init__(
        self,
        state: ServerState,
        mutant: Mutant | None,
        disturbances: Disturbances,
        *,
        host: str,
        port: int,
    ) -> None:
        self.disturbances = disturbances
        self.journal = Journal()
        self.apps: dict[str, AsgiApp] = {
            _STATES: ProviderStates(state),
            **{
                name: create_app(name, state, mutant=mutant, disturbances=disturbances, journal=self.journal)
                for name in state.apis
            },
            _IAM: Iam(state),
        }
        self.state = state
        self.sockets: dict[str, socket.socket] = {}
        try:
            for name in self.apps:
                self.sockets[name] = _listen(host, port + _OFFSETS[name] if port else 0)
        except InvalidInputError:
            self.close()
            raise
        self._by_port = {self._port(name): app for name, app in self.apps.items()}
        self.announcement = self._announce(host)

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        await self._by_port[scope["server"][1]](scope, receive, send)

    def app_at(self, port: int) -> AsgiApp:
        """Give the application that answers at a port."""
        return self._by_port[port]

    def close(self) -> None:
        for sock in self.sockets.values():
            sock.close()

    def _port(self, name: str) -> int:
        port: int = self.sockets[name].getsockname()[1]
        return port

    def _announce(self, host: str) -> dict[str, Any]:
        shown = f"[{host}]" if ":" in host else host

        def url(name: str) -> str:
            return f"http://{shown}:{self._port(name)}"

        apis: dict[str, dict[str, Any]] = {}
        for name in self.state.apis:
            owner = self.state.owners[name][0]
            place = {"host": ci_host(owner)} if name == "tencent-ci" else {"project_id": owner}
            apis[name] = {
                "base_url": url(name),
                **place,
                "credentials": dict(self.state.default_credentials[name]),
            }
        account = self.state.account
        return {
            "version": 1,
            "provider_states_url": url(_STATES) + ROOT,
            "iam_url": url(_IAM),
            "iam": {
                "user": account.user,
                "password": account.password,
                "domain": account.domain,
                "project": account.project,
            },
            "apis": apis,
        }


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle off only where the protocol number says TCP.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise InvalidInputError(
            f"cannot listen on {host} port {port}: {error.strerror}; give another port, or 0 for free ones"
        ) from error
    return sock


def _uvicorn(site: _Site) -> Any:
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
        """Leaves signals to the caller: the embedded server must not touch them."""

        @contextlib.contextmanager
        def capture_signals(self) -> Generator[None, None, None]:
            yield

    config = uvicorn.Config(
        site,
        http=protocol_for(site.app_at, site.state.clock),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,  # the protocol writes it by the clock of the server, which may be skewed
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )
    return Server(config)


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
) -> _Site:
    names = check_apis(apis)
    if not 0 <= port <= 65535 - max(_OFFSETS.values()):
        raise InvalidInputError(
            f"expected a port from 1 to {65535 - max(_OFFSETS.values())}, or 0, not {port}"
        )
    found = None if mutant is None else find_mutant(mutant)
    running = Disturbances(disturbances, seed=seed)
    state = ServerState(names, clock=running.clock(clock), dialect=dialect or Dialect(), seed=seed)
    return _Site(state, found, running, host=host, port=port)


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

    Raises:
        InvalidInputError: an unknown API or mutant, or a port that is taken.
        MissingExtraError: the extra ``mock`` is not installed.
    """
    site = _site(
        apis,
        host=LOOPBACK,
        port=port,
        dialect=dialect,
        mutant=mutant,
        clock=clock,
        seed=seed,
        disturbances=disturbances,
    )
    try:
        server = _uvicorn(site)
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
            server.should_exit = True
            thread.join(START_SECONDS)
    finally:
        site.close()


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

    Raises:
        InvalidInputError: an unknown API or mutant, or a port that is taken.
        MissingExtraError: the extra ``mock`` is not installed.
    """
    site = _site(
        apis,
        host=host,
        port=port,
        dialect=dialect,
        mutant=mutant,
        clock=time.time,
        seed=seed,
        disturbances=disturbances,
    )
    try:
        server = _uvicorn(site)
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(server, site, announce))
    finally:
        site.close()


async def _serve(server: Any, site: _Site, announce: Callable[[dict[str, Any]], None]) -> None:
    def stop() -> None:
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError):  # Windows, or not in the main thread
            loop.add_signal_handler(number, stop)
    running = asyncio.create_task(server.serve(sockets=list(site.sockets.values())))
    while not server.started and not running.done():
        await asyncio.sleep(0.002)
    if server.started:
        announce(site.announcement)
    await running


def announcement_line(announcement: dict[str, Any]) -> str:
    """Write an announcement as the one line that ``--json`` promises."""
    return json.dumps(announcement, separators=(",", ":"))
