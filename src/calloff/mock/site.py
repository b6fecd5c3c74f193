"""The applications of a server and their ports, and what it announces of them."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Any

from calloff.apis import APIS
from calloff.errors import InvalidInputError
from calloff.mock.answered import Answered
from calloff.mock.app import create_app
from calloff.mock.control import ROOT as CONTROL_ROOT
from calloff.mock.control import Control
from calloff.mock.iam import Iam
from calloff.mock.journal import Journal
from calloff.mock.json_app import JsonError, send_json
from calloff.mock.origin import foreign_origin
from calloff.mock.page import Page
from calloff.mock.provider_states import CI_REGION, ProviderStates, ci_host
from calloff.mock.provider_states import ROOT as STATES_ROOT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from calloff.mock.disturbances import Disturbances
    from calloff.mock.mutants import Mutant
    from calloff.mock.state import ServerState
    from calloff.mock.tls import Served

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_STATES, _IAM = "provider-states", "iam"
_OFFSETS: dict[str, int] = {name: index for index, name in enumerate((_STATES, *APIS, _IAM))}
HIGHEST_PORT = 65535 - max(_OFFSETS.values())
HEALTH_PATH = b"/healthz"
_HEALTHY = b'{"status":"ok"}'


def served_names(host: str) -> tuple[str, ...]:
    """List the hosts that a server at an address announces or is reached by."""
    return host, APIS["tencent-ci"].host.format(bucket="*", region=CI_REGION)


class Site:
    """Applications and listening sockets, one of each per name, and the ASGI application in front of them.

    Args:
        state: what the applications share.
        mutant: a requirement to break.
        disturbances: those in force.
        host: address to listen on.
        port: of the provider states and the control interface, the others follow; 0 takes free ones.
        served: the certificate; plain HTTP without.

    Raises:
        InvalidInputError: a port that is taken.
    """

    def __init__(
        self,
        state: ServerState,
        mutant: Mutant | None,
        disturbances: Disturbances,
        *,
        host: str,
        port: int,
        served: Served | None,
    ) -> None:
        self.state = state
        self._mutant = mutant
        self.disturbances = disturbances
        self.journal = Journal()
        self.answered = Answered((_STATES, *state.apis, _IAM))
        self.served = served
        self.apps: dict[str, AsgiApp] = {
            _STATES: _Desk(
                ProviderStates(state), Control(state, disturbances, self.journal, self.answered), host
            ),
            **{
                name: create_app(name, state, mutant=mutant, disturbances=disturbances, journal=self.journal)
                for name in state.apis
            },
            _IAM: Iam(state),
        }
        self.sockets: dict[str, socket.socket] = {}
        try:
            for name in self.apps:
                self.sockets[name] = _listen(host, port + _OFFSETS[name] if port else 0)
        except InvalidInputError:
            self.close()
            raise
        self._names = {self._port(name): name for name in self.apps}
        self._by_port = {port: self.apps[name] for port, name in self._names.items()}
        self.announcement = self._announce(host)
        for name, api in self.announcement["apis"].items():
            state.endpoints[name] = api["base_url"]
        state.endpoints[_IAM] = self.announcement["iam_url"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection at the port it came to; every port says that it is well."""
        if scope["raw_path"] == HEALTH_PATH and scope["method"] in {"GET", "HEAD"}:
            await _say_well(send)
            return
        await self._by_port[scope["server"][1]](scope, receive, send)

    @property
    def bent(self) -> bool:
        """Whether the server is a mutant."""
        return self._mutant is not None

    def bend_protocol(self, protocol: type[Any]) -> type[Any]:
        """Give the class of the HTTP protocol as the mutant has it."""
        return protocol if self._mutant is None else self._mutant.bend_protocol(protocol, self.app_at)

    def app_at(self, port: int) -> AsgiApp:
        """Give the application that answers at a port."""
        return self._by_port[port]

    def count_answer(self, port: int) -> None:
        """Take note that an answer left from a port."""
        self.answered.add(self._names[port])

    def close(self) -> None:
        """Stop listening."""
        for sock in self.sockets.values():
            sock.close()

    def _port(self, name: str) -> int:
        port: int = self.sockets[name].getsockname()[1]
        return port

    def _announce(self, host: str) -> dict[str, Any]:
        shown = f"[{host}]" if ":" in host else host
        scheme = "http" if self.served is None else "https"

        def url(name: str) -> str:
            return f"{scheme}://{shown}:{self._port(name)}"

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
        announced: dict[str, Any] = {
            "version": 1,
            "provider_states_url": url(_STATES) + STATES_ROOT,
            "control_url": url(_STATES) + CONTROL_ROOT,
            "page_url": f"{url(_STATES)}/",
            "iam_url": url(_IAM),
            "iam": {
                "user": account.user,
                "password": account.password,
                "domain": account.domain,
                "project": account.project,
            },
            "apis": apis,
        }
        if self.served is not None and self.served.ca_file is not None:
            announced["ca_file"] = str(self.served.ca_file)
        return announced


class _Desk:
    """The provider states, the control interface and the page, which share a port."""

    def __init__(self, states: ProviderStates, control: Control, host: str) -> None:
        self._states = states
        self._control = control
        self._page = Page()
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        if reason := foreign_origin(method, scope["headers"], self._host):
            await send_json(self._control.refuse(JsonError(403, reason)), send)
            return
        if path == "/" and method in {"GET", "HEAD"}:
            await self._page(scope, receive, send)
            return
        steers = path == CONTROL_ROOT or path.startswith(CONTROL_ROOT + "/")
        await (self._control if steers else self._states)(scope, receive, send)


async def _say_well(send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_HEALTHY))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _HEALTHY})


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
