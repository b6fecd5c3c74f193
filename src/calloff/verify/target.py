"""The server under test: where it listens, what it accepts, and the jobs it can supply."""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from calloff.verify import provided
from calloff.verify.clock import Clock
from calloff.verify.key_guard import KeyGuard
from calloff.verify.pace import Pace
from calloff.verify.wire import Address, Wire
from calloff.verify.wires import Wires

if TYPE_CHECKING:
    from collections.abc import Mapping

    from calloff.apis import Api, Operation


class CannotSupplyError(Exception):
    """The target has no way to bring about what a check needs; the message is the reason of the skip."""


class TargetError(Exception):
    """The target's provider states answered with something that cannot be used."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What one party authenticates with: a key pair, a temporary one, a token, or several of them."""

    key_id: str = ""
    secret_key: str = field(default="", repr=False)
    security_token: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    project_id: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Keys:
        """Read a credentials object of the provider states or of the mock's announcement.

        Raises ValueError, without the value, where one is no text that can be sent.
        """
        given = {
            "key_id": data.get("secret_id") or data.get("access_key") or "",
            **{
                name: data.get(name) or "" for name in ("secret_key", "security_token", "token", "project_id")
            },
        }
        for name, value in given.items():
            if value and not (isinstance(value, str) and provided.VISIBLE.fullmatch(value)):
                msg = f"expected {name} to be visible ASCII characters without a space or line break"
                raise ValueError(msg)
        return cls(**given)

    @property
    def usable(self) -> bool:
        """Tell whether there is anything to authenticate with."""
        return bool(self.secret_key or self.token)

    def secrets(self) -> tuple[str, ...]:
        """Return what must appear in no report."""
        return tuple(value for value in (self.secret_key, self.security_token, self.token) if value)


@dataclass(frozen=True, slots=True)
class Job:
    """One job on the target: its id, the parameters of its path, the Host that names its owner."""

    job_id: str
    parameters: Mapping[str, str]
    host: str | None = None


class JobSource(Protocol):
    """Where jobs in a known state come from, and what else a check needs; see ProviderStates."""

    @property
    def reads_state(self) -> bool:
        """Tell whether the state of a job can be read back."""

    def abilities(self, api: str) -> Mapping[str, Any]:
        """Return the states per operation (``operations``) and the kinds of credentials (``credentials``).

        Under ``finishes`` stand the operations whose jobs can be had so that they finish by themselves.
        """

    def new_job(
        self,
        operation: Operation,
        state: str,
        owner: str,
        *,
        spend: bool = True,
        besides: str = "",
        finishes_after: float | None = None,
    ) -> Job:
        """Return a job other than the one whose id is *besides*; one that is not to be *spent* may be returned again.

        It stays in its state, or *finishes after* so many seconds by itself.
        """

    def spend(self, operation: Operation, job_id: str) -> None:
        """Never return that job again."""

    def state(self, operation: Operation, job_id: str) -> str:
        """Return the state of a job in the vendor's own words."""

    def credentials(self, api: str, kind: str) -> Keys:
        """Return credentials of *kind*."""

    def close(self) -> None:
        """Close the connection, if there is one."""


@dataclass
class Target:
    """One API of a server under test.

    *base_url* is connected to, *host* is what the Host header says, *keys* authenticate the party that owns the
    jobs; *kinds* are further credentials, by the names that the provider states give them. Without *states* the
    target supplies no jobs, and the checks that need one are skipped. *timeout* and *settle* are in seconds, *tls*
    holds the authorities that are trusted, *clock_skew* is the server's clock minus ours, in seconds. *guard*
    keeps the keys from being locked. *status_calls* says, by operation, why its status call tells nothing of given
    jobs: empty where it does, absent where that was not tried. *clock* tells our time. Threads may share a target.
    """

    api: Api
    base_url: str
    keys: Keys
    host: str | None = None
    states: JobSource | None = None
    timeout: float = 10.0
    settle: float = 2.0
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    pace: Pace = field(default_factory=Pace)
    clock_skew: float = 0.0
    kinds: Mapping[str, Keys] = field(default_factory=dict)
    guard: KeyGuard = field(default_factory=KeyGuard, repr=False)
    wire: Wires = field(init=False, repr=False)
    status_calls: dict[str, str] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _minted: dict[str, Keys] = field(default_factory=dict, repr=False)
    _retired: list[str] = field(default_factory=list, repr=False)
    _abilities: Mapping[str, Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.tls is None and self.address.scheme == "https":
            self.tls = ssl.create_default_context()
        self.wire = Wires(self.new_wire)

    @property
    def address(self) -> Address:
        """Return where the target listens."""
        return Address.parse(self.base_url)

    @property
    def authority(self) -> str:
        """Return the Host header that the jobs of *keys* are reached under."""
        return self.host or self.address.authority

    def new_wire(self) -> Wire:
        """Return a connection of its own, for requests at the same time."""
        return Wire(self.address, self.timeout, self.tls)

    def now(self) -> float:
        """Return the server's time in Unix seconds, which signatures are dated with."""
        return self.clock.now() + self.clock_skew

    @property
    def reads_state(self) -> bool:
        """Tell whether the state of a job can be read back."""
        return self.states is not None and self.states.reads_state

    def asks_state(self, operation: Operation) -> bool:
        """Tell whether the state of a given job can be asked for by the vendor's own call."""
        return self.status_calls.get(operation.name) == ""

    def close(self) -> None:
        """Close every connection."""
        self.wire.close()
        if self.states is not None:
            self.states.close()

    def new_job(
        self,
        operation: Operation,
        state: str,
        owner: str = "self",
        *,
        spend: bool = True,
        besides: str = "",
        finishes_after: float | None = None,
    ) -> Job:
        """Return a job; raise CannotSupplyError where the target has none.

        One that is only to be refused is not *spent*, and may be returned again where jobs are few, but not as one
        *besides* that of that id. One that *finishes after* so many seconds does so by itself, and ends well.
        """
        if self.states is None:
            msg = "no provider states given, so no job in a known state can be had"
            raise CannotSupplyError(msg)
        known = self._ability("operations").get(operation.name, ())
        if state not in known:
            source = "target's provider states do not list" if self.reads_state else "jobs file does not name"
            msg = f"the {source} state {state} for {operation.key}"
            raise CannotSupplyError(msg)
        if finishes_after is not None and operation.name not in self._ability("finishes"):
            source = "target's provider states do not list" if self.reads_state else "jobs file does not name"
            msg = f"the {source} jobs of {operation.key} that finish by themselves"
            raise CannotSupplyError(msg)
        return self.states.new_job(
            operation, state, owner, spend=spend, besides=besides, finishes_after=finishes_after
        )

    def spend(self, operation: Operation, job_id: str) -> None:
        """Never use that job again, as when it was cancelled against expectation."""
        if self.states is not None:
            self.states.spend(operation, job_id)

    def state(self, operation: Operation, job_id: str) -> str:
        """Read the state of a job back."""
        if self.states is None:
            msg = "no provider states given, so no state can be read back"
            raise CannotSupplyError(msg)
        return self.states.state(operation, job_id)

    def settled_state(self, operation: Operation, job_id: str, wanted: str, within: float) -> str:
        """Read the state until it is *wanted* or *within* seconds have passed; return the last one."""
        deadline = self.clock.elapsed() + within
        pause = 0.01
        while (state := self.state(operation, job_id)) != wanted and self.clock.elapsed() < deadline:
            self.clock.sleep(pause)
            pause = min(pause * 2, 0.2)
        return state

    def credentials(self, kind: str) -> Keys:
        """Return the credentials of *kind*: the target's own where they are of it, else from *kinds* or *states*."""
        keys = self.keys
        pair = "temporary" if keys.security_token else "good"
        if kind == "none" or (kind == "token" and keys.token) or (kind == pair and keys.secret_key):
            return self.keys
        if kind in self.kinds:
            return self.kinds[kind]
        with self._lock:
            if kind not in self._minted:
                if self.states is None:
                    msg = f"no provider states given, so no {kind} credential can be had"
                    raise CannotSupplyError(msg)
                if kind not in self._ability("credentials"):
                    msg = f"the target's provider states do not list {kind} credentials"
                    if not self.reads_state:
                        msg = f"no {kind} credentials given; a credentials file can name them"
                    raise CannotSupplyError(msg)
                self._minted[kind] = self.states.credentials(self.api.name, kind)
            return self._minted[kind]

    def renew(self, kind: str) -> None:
        """Forget the credentials of *kind*, so that the next use asks for fresh ones.

        Raises CannotSupplyError where they are given ones, of which there are no others.
        """
        if kind not in self._minted:
            msg = f"the given {kind} credentials were refused as often as a key that locks allows"
            raise CannotSupplyError(msg)
        with self._lock:
            self._retired.extend(self._minted.pop(kind).secrets())

    def secrets(self) -> tuple[str, ...]:
        """Return every secret in use, for redaction."""
        with self._lock:
            in_use = (self.keys, *self.kinds.values(), *self._minted.values())
            return (*(secret for keys in in_use for secret in keys.secrets()), *self._retired)

    def _ability(self, name: str) -> Any:
        with self._lock:
            if self._abilities is None and self.states is not None:
                self._abilities = self.states.abilities(self.api.name)
            return (self._abilities or {}).get(name, {})
